"""A tenant's business functions, made callable from the registry: one source for each kind of function.

The registry (store.functions) is data. A ``FunctionSource`` turns the rows of its kind into ``BusinessFunction``s; the
agent then knows no difference between them, and ``flows.calls`` runs all of them under the same fence and record.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID

from store import functions, secrets
from store.database import Connection
from store.functions import FunctionRow, Kind
from store.secrets import Sealer, SecretUnreadableError
from tools.declaration import BusinessFunction

log = logging.getLogger(__name__)

IDENTITY = "identity"
REQUIRED = "required"
"""In a stored declaration: see ``BusinessFunction.needs_identity``. A person sets it, and imports keep it."""

WORDING = "wording"
"""In a stored declaration: what a model reads of the function, where a published bundle words it otherwise."""

WITHHELD = "withheld"
"""In a stored declaration: the published bundle does not offer this function. An import brings it back."""

FOLDER_SOURCE = "folder:"
"""``business_function.source`` of a function from a tenant folder: this, then the folder's path."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a tenant's functions may use besides their own declarations. Never logged, never shown to a model."""

    tenant_id: UUID
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Opened, by name."""
    allowed_hosts: frozenset[str] = frozenset()
    """Hosts without a public address that may be reached: ``name`` or ``name:port``."""


class FunctionSource(Protocol):
    """Makes one kind of function callable."""

    def functions(self, rows: Sequence[FunctionRow], holdings: Holdings) -> Mapping[str, BusinessFunction]:
        """The functions of these rows (all of its kind and of one tenant) by name; rows it cannot serve are left out.

        Called whenever a tenant's profile is loaded, so it neither waits nor connects: that is for the call.
        """
        ...


async def holdings_of(tx: Connection, tenant_id: UUID, sealer: Sealer | None) -> Holdings:
    """The tenant's secrets, opened, and its allowed hosts. What cannot be opened is left out and told in the log."""
    opened: dict[str, str] = {}
    if sealer is not None:
        for name, sealed in (await secrets.sealed_of(tx)).items():
            try:
                opened[name] = sealer.open(tenant_id, name, sealed)
            except SecretUnreadableError as error:
                log.warning("tenant %s: %s", tenant_id, error.sentence())
    return Holdings(tenant_id, opened, await functions.allowed_hosts(tx))


def callable_functions(
    rows: Sequence[FunctionRow], sources: Mapping[Kind, FunctionSource], holdings: Holdings
) -> dict[str, BusinessFunction]:
    """All enabled functions by name, each made by the source of its kind."""
    found: dict[str, BusinessFunction] = {}
    for kind, source in sources.items():
        if mine := [row for row in rows if row.kind == kind and row.enabled]:
            found |= source.functions(mine, holdings)
    sensitive = {row.name for row in rows if row.declaration.get(IDENTITY) == REQUIRED}
    for name in sensitive.intersection(found):
        found[name] = replace(found[name], needs_identity=True)
    return dict(sorted(found.items()))


def with_identity(row: FunctionRow, *, required: bool) -> FunctionRow:
    """The same function, for contacts only who have proven who they are, or for all."""
    declaration = {key: value for key, value in row.declaration.items() if key != IDENTITY}
    return replace(row, declaration=declaration | ({IDENTITY: REQUIRED} if required else {}))
