"""Functions over HTTP between the registry and a call: how they are stored, and how rows become callable again."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from flows.functions import Holdings
from store.functions import FunctionRow
from tools.declaration import BusinessFunction, NoEffectError, ToolContext
from tools.http_call import Access, HttpClients, HttpDeclaration, http_function
from tools.http_declaration import HttpDetails

log = logging.getLogger(__name__)


class NotConnectedError(NoEffectError):
    """The function was loaded from files alone, for a check or an eval: it reaches no other system from there."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is not connected to its system here.", hint="Import the tenant, then call it from a worker."
        )
        self.name = name


class HttpFunctions:
    """The FunctionSource of kind http. One per process: it holds the connections."""

    def __init__(self, clients: HttpClients) -> None:
        self._clients = clients

    def functions(self, rows: Sequence[FunctionRow], holdings: Holdings) -> Mapping[str, BusinessFunction]:
        """See FunctionSource."""
        access = Access(holdings.secrets, holdings.allowed_hosts)
        found = {}
        for row in rows:
            try:
                found[row.name] = http_function(declaration_of(row), self._clients, access)
            except (ValidationError, ValueError, KeyError, TypeError) as error:
                log.warning("function %s of tenant %s cannot be used: %s", row.name, holdings.tenant_id, error)
        return found


def unconnected(declared: HttpDeclaration) -> BusinessFunction:
    """The function as checks and evals see it; calling it raises NotConnectedError."""

    async def call(_: ToolContext, **__: Any) -> Any:
        raise NotConnectedError(declared.name)

    return dataclasses.replace(http_function(declared, HttpClients(), Access()), call=call)


def row_of(
    declared: HttpDeclaration, source: str, *, trusted: bool = False, trusted_for: Sequence[str] = ()
) -> FunctionRow:
    """The declaration as the registry keeps it."""
    function = unconnected(declared)
    details = declared.details
    return FunctionRow(
        name=declared.name,
        kind="http",
        effect=declared.effect,
        source=source,
        declaration={
            **function.json_schema()["function"],
            "timeout_seconds": details.timeout_seconds,
            "http": {
                "calls": f"{details.method} {details.url}",
                "request": details.to_json(),
                "schema": declared.schema,
            },
        },
        trusted=trusted and declared.effect == "write",
        trusted_for=tuple(trusted_for),
    )


def declaration_of(row: FunctionRow) -> HttpDeclaration:
    """What ``row_of`` stored."""
    details = row.details
    return HttpDeclaration(
        name=row.name,
        description=str(row.declaration.get("description", "")),
        effect=row.effect,
        schema=details["schema"],
        details=HttpDetails.model_validate(details["request"]),
    )
