"""What a tenant's people do with its business functions: bring them in, look, trust, try, and keep their secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from agent.turn import CallResult
from domain.errors import InvalidInputError
from flows.attempts import attempt
from flows.functions import (
    FOLDER_SOURCE,
    IDENTITY,
    REQUIRED,
    FunctionSource,
    callable_functions,
    holdings_of,
    with_identity,
)
from flows.functions_http import row_of
from store import events, functions, secrets
from store.database import Connection, Database
from store.functions import FunctionNameTakenError, FunctionRow, Kind
from store.profile_version import bump
from store.records import StoredRecords
from store.secrets import Sealer
from tools.declaration import ToolContext
from tools.http_declaration import HttpDetails
from tools.mcp_declaration import McpTool
from tools.openapi import Described

_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/\[\]-]{0,199}")
_HOST = re.compile(r"(?:\[[0-9a-f:]+\]|[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?)(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import led to: names by what happened to them."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    """Operations that are no function here, each with the reason."""
    missing_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """For whom a function is tried: what a conversation would otherwise tell."""

    addresses: tuple[str, ...] = ()
    language: str = "pt"
    timezone: str = "America/Sao_Paulo"
    contact_id: str = field(default_factory=lambda: str(uuid4()))


class FunctionDesk:
    """One transaction for each act; every worker sees the change with its next turn."""

    def __init__(self, db: Database, sealer: Sealer) -> None:
        self._db = db
        self._sealer = sealer

    async def import_described(
        self, tenant_id: UUID, described: Described, source: str, *, trust_writes: bool = False, partly: bool = False
    ) -> Imported:
        """Store what a document describes; see ``import_rows``."""
        rows = [row_of(declared, source, trusted=trust_writes) for declared in described.functions]
        return await self.import_rows(tenant_id, rows, source, problems=described.problems, partly=partly)

    async def import_rows(
        self,
        tenant_id: UUID,
        rows: Sequence[FunctionRow],
        source: str,
        *,
        problems: Sequence[tuple[str, str]] = (),
        partly: bool = False,
    ) -> Imported:
        """Store what a source offers; functions that it brought earlier and brings no more are removed.

        ``problems`` are handed on. ``partly``: only some of its functions were chosen, so the others stay. A name that
        another source uses is a problem of that function alone.
        """
        outcome: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
        found = list(problems)
        async with self._db.transaction(tenant_id) as tx:
            removed = [] if partly else await functions.remove_others(tx, source, [row.name for row in rows])
            sensitive = {row.name for row in await functions.every(tx) if row.declaration.get(IDENTITY) == REQUIRED}
            for row in (with_identity(row, required=row.name in sensitive) for row in rows):
                try:
                    outcome[await functions.put(tx, tenant_id, row, keep_trust=True)].append(row.name)
                except FunctionNameTakenError as error:
                    found.append((row.name, error.sentence()))
            stored = await secrets.names(tx)
            needed = [name for row in rows for name in needed_secrets(row)]
            if outcome["added"] or outcome["changed"] or removed:
                payload = {"source": source, **outcome, "removed": removed}
                await self._changed(tx, tenant_id, "functions.imported", payload)
        return Imported(
            added=tuple(outcome["added"]),
            changed=tuple(outcome["changed"]),
            unchanged=tuple(outcome["unchanged"]),
            removed=tuple(removed),
            problems=tuple(found),
            missing_secrets=tuple(dict.fromkeys(name for name in needed if name not in stored)),
        )

    async def all(self, tenant_id: UUID) -> tuple[list[FunctionRow], list[str], list[str]]:
        """The functions, the names of the stored secrets, and the allowed hosts."""
        async with self._db.transaction(tenant_id) as tx:
            hosts = sorted(await functions.allowed_hosts(tx))
            return await functions.every(tx), await secrets.names(tx), hosts

    async def one(self, tenant_id: UUID, name: str) -> FunctionRow:
        """One function. Raises NotFoundError."""
        async with self._db.transaction(tenant_id) as tx:
            return await functions.one(tx, name)

    async def remove(self, tenant_id: UUID, name: str) -> None:
        """Forget a function. Raises NotFoundError."""
        async with self._db.transaction(tenant_id) as tx:
            await functions.remove(tx, name)
            await self._changed(tx, tenant_id, "function.removed", {"function": name})

    async def trust(self, tenant_id: UUID, name: str, *, trusted: bool, intents: Sequence[str] = ()) -> None:
        """Let a write act without approval, for these intents or for all. Raises NotFoundError, InvalidInputError."""
        async with self._db.transaction(tenant_id) as tx:
            if (await functions.one(tx, name)).effect != "write":
                raise InvalidInputError(name, "only reads", hint="Reading needs no trust.")
            known = {row["name"] for row in await tx.fetch("SELECT name FROM intent")}
            if unknown := sorted(set(intents) - known):
                raise InvalidInputError("intents", f"there is no intent {', '.join(unknown)}")
            await functions.trust(tx, name, trusted=trusted, intents=intents)
            payload = {"function": name, "trusted": trusted, "intents": list(intents)}
            await self._changed(tx, tenant_id, "function.trusted", payload)

    async def require_identity(self, tenant_id: UUID, name: str, *, required: bool = True) -> None:
        """Let a function run only for contacts who have proven who they are, or for all. Raises NotFoundError, or
        InvalidInputError where the tenant's files say it: they would say it again."""
        async with self._db.transaction(tenant_id) as tx:
            row = await functions.one(tx, name)
            if row.source.startswith(FOLDER_SOURCE):
                raise InvalidInputError(name, "comes from the tenant's folder", hint="Say it there, and import it.")
            await functions.put(tx, tenant_id, with_identity(row, required=required), keep_trust=True)
            await self._changed(tx, tenant_id, "function.identity", {"function": name, "required": required})

    async def set_secret(self, tenant_id: UUID, name: str, value: str) -> None:
        """Store a secret sealed; its value leaves this process only in the requests that need it."""
        if not _SECRET_NAME.fullmatch(name):
            raise InvalidInputError("name", "is no name of a secret", hint="Take the name that the import printed.")
        if not value or not value.isprintable():
            raise InvalidInputError("value", "is empty or holds line breaks", hint="Give exactly the key, on one line.")
        async with self._db.transaction(tenant_id) as tx:
            await secrets.put(tx, self._sealer, tenant_id, name, value)
            await self._changed(tx, tenant_id, "secret.stored", {"secret": name})

    async def remove_secret(self, tenant_id: UUID, name: str) -> None:
        """Forget a secret. Raises NotFoundError."""
        async with self._db.transaction(tenant_id) as tx:
            await secrets.remove(tx, name)
            await self._changed(tx, tenant_id, "secret.removed", {"secret": name})

    async def allow_host(self, tenant_id: UUID, host: str, *, allowed: bool = True) -> str:
        """Let the tenant's functions reach a host without a public address, also without TLS; the host as stored.

        Only the installation's owner may: this opens the installation's own network. Raises InvalidInputError, or
        NotFoundError where a host is taken away that was never allowed.
        """
        named = host.strip().lower().rstrip(".")
        if not _HOST.fullmatch(named):
            raise InvalidInputError("host", "is no host", hint="Such as erp.internal, or 10.0.0.5:8080.")
        async with self._db.transaction(tenant_id) as tx:
            if allowed:
                await functions.allow_host(tx, tenant_id, named)
            else:
                await functions.disallow_host(tx, named)
            await self._changed(tx, tenant_id, "host.allowed" if allowed else "host.disallowed", {"host": named})
        return named

    async def try_out(
        self,
        tenant_id: UUID,
        name: str,
        arguments: Mapping[str, Any],
        *,
        sources: Mapping[Kind, FunctionSource],
        person: Person,
    ) -> CallResult:
        """Run a function once, outside any conversation. A write really acts. Raises NotFoundError."""
        async with self._db.transaction(tenant_id) as tx:
            row = await functions.one(tx, name)
            holdings = await holdings_of(tx, tenant_id, self._sealer)
        found = callable_functions([row], sources, holdings).get(name)
        if found is None:
            raise InvalidInputError(name, "cannot be called from here", hint="Is it switched on, and its code allowed?")
        records = StoredRecords(self._db, tenant_id)
        context = ToolContext(
            tenant_id=str(tenant_id),
            contact_id=person.contact_id,
            contact_addresses=person.addresses,
            language=person.language,
            timezone=ZoneInfo(person.timezone),
            now=datetime.now(UTC),
            records=records,
            idempotency_key=f"try-{uuid4().hex}",
        )
        result = await attempt(found, context, arguments)
        if result.outcome == "succeeded":
            async with self._db.transaction(tenant_id) as tx:
                await records.save(tx)
        return result

    async def _changed(self, tx: Connection, tenant_id: UUID, kind: str, payload: dict[str, Any]) -> None:
        await bump(tx, tenant_id)
        await events.append(tx, tenant_id, kind, payload=payload)


def needed_secrets(row: FunctionRow) -> tuple[str, ...]:
    """Names of the secrets that a stored function needs."""
    if row.kind == "mcp":
        return tuple(McpTool.from_json(row.details).server.secrets.values())
    if row.kind != "http":
        return ()
    return HttpDetails.model_validate(row.details["request"]).needed_secrets
