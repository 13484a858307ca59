"""What a tenant's people do with its business functions: bring them in, look, trust, try, and keep their secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from agent.turn import CallResult
from domain.errors import InvalidInputError
from flows.attempts import attempt
from flows.function_versions import differences, function_version, imported_differences
from flows.functions import (
    FOLDER_SOURCE,
    IDENTITY,
    REQUIRED,
    FunctionSource,
    callable_functions,
    holdings_of,
    with_identity,
)
from flows.functions_files import HttpFunctionFile, http_declaration
from flows.functions_http import row_of
from flows.versions import ANY, NONE_YET, check_version
from store import events, functions, secrets
from store.database import Connection, Database
from store.functions import Change, FunctionNameTakenError, FunctionRow, Kind
from store.profile_version import bump
from store.records import StoredRecords
from store.secrets import Sealer
from tools.declaration import ToolContext
from tools.http_assembly import NotImportableError
from tools.http_call import HttpDeclaration
from tools.http_declaration import HttpDetails
from tools.mcp_declaration import McpTool
from tools.openapi import Described
from tools.schema import SchemaUnusableError

SYSTEM: Final = "system"
SEALED: Final = "…"
"""What the audit trail shows of a secret."""
DECLARED: Final = "declared"
"""``business_function.source`` of functions that people and programs declared one by one."""
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
class FunctionWish:
    """What shall be different of a function; None: as it is. ``trusted_for``: the intents, with ``trusted``."""

    trusted: bool | None = None
    trusted_for: Sequence[str] = ()
    needs_identity: bool | None = None
    enabled: bool | None = None


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
        self,
        tenant_id: UUID,
        described: Described,
        source: str,
        *,
        trust_writes: bool = False,
        partly: bool = False,
        actor: str = SYSTEM,
    ) -> Imported:
        """Store what a document describes; see ``import_rows``."""
        rows = [row_of(declared, source, trusted=trust_writes) for declared in described.functions]
        found = described.problems
        return await self.import_rows(tenant_id, rows, source, problems=found, partly=partly, actor=actor)

    async def import_rows(
        self,
        tenant_id: UUID,
        rows: Sequence[FunctionRow],
        source: str,
        *,
        problems: Sequence[tuple[str, str]] = (),
        partly: bool = False,
        actor: str = SYSTEM,
    ) -> Imported:
        """Store what a source offers; functions that it brought earlier and brings no more are removed.

        ``problems`` are handed on. ``partly``: only some of its functions were chosen, so the others stay. A name that
        another source uses is a problem of that function alone.
        """
        outcome: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
        found = list(problems)
        async with self._db.transaction(tenant_id) as tx:
            before = {row.name: row for row in await functions.every(tx)}
            removed = [] if partly else await functions.remove_others(tx, source, [row.name for row in rows])
            sensitive = {row.name for row in before.values() if row.declaration.get(IDENTITY) == REQUIRED}
            for row in (with_identity(row, required=row.name in sensitive) for row in rows):
                try:
                    outcome[await functions.put(tx, tenant_id, row, keep_trust=True)].append(row.name)
                except FunctionNameTakenError as error:
                    found.append((row.name, error.sentence()))
            stored = await secrets.names(tx)
            needed = [name for row in rows for name in needed_secrets(row)]
            if outcome["added"] or outcome["changed"] or removed:
                payload: dict[str, Any] = {"source": source, **outcome, "removed": removed}
                now = {row.name: row for row in await functions.every(tx)}
                names = {*outcome["added"], *outcome["changed"], *removed}
                payload["changes"] = imported_differences(before, now, names)
                await self._changed(tx, tenant_id, "functions.imported", payload, actor)
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

    async def declare(
        self, tenant_id: UUID, name: str, declared: Mapping[str, Any], *, version: str | None = ANY, actor: str = SYSTEM
    ) -> Change:
        """A function over HTTP, described as a file of functions/ does; one of that name is replaced, if nobody changed
        it since ``version`` (NONE_YET: if there is none).

        Raises InvalidInputError, and FunctionNameTakenError where another source brought one of its name.
        """
        row = row_of(_read(name, declared), DECLARED)
        async with self._db.transaction(tenant_id) as tx:
            before = await functions.find(tx, name, lock=True)
            check_version(f"the function {name}", version, function_version(before) if before else NONE_YET)
            required = before is not None and before.declaration.get(IDENTITY) == REQUIRED
            change = await functions.put(tx, tenant_id, with_identity(row, required=required), keep_trust=True)
            if change != "unchanged":
                payload = {
                    "source": DECLARED,
                    change: [name],
                    "changes": differences(before, await functions.find(tx, name)),
                }
                await self._changed(tx, tenant_id, "functions.imported", payload, actor)
        return change

    async def change(
        self, tenant_id: UUID, name: str, wish: FunctionWish, *, version: str | None = ANY, actor: str = SYSTEM
    ) -> None:
        """All that is wished at once, or nothing. Raises NotFoundError, InvalidInputError, ChangedMeanwhileError."""
        async with self._db.joined(tenant_id) as tx:
            check_version(f"the function {name}", version, function_version(await functions.one(tx, name, lock=True)))
            if wish.trusted is not None:
                await self.trust(tenant_id, name, trusted=wish.trusted, intents=wish.trusted_for, actor=actor)
            if wish.needs_identity is not None:
                await self.require_identity(tenant_id, name, required=wish.needs_identity, actor=actor)
            if wish.enabled is not None:
                await self.switch(tenant_id, name, enabled=wish.enabled, actor=actor)

    async def switch(self, tenant_id: UUID, name: str, *, enabled: bool, actor: str = SYSTEM) -> None:
        """Let the agent use a function, or no more, whatever is imported later. Raises NotFoundError."""
        async with self._db.transaction(tenant_id) as tx:
            before = await functions.one(tx, name, lock=True)
            if before.enabled != enabled:
                await functions.switch(tx, name, enabled=enabled)
                await self._altered(tx, tenant_id, "function.switched", before, actor)

    async def remove(self, tenant_id: UUID, name: str, *, version: str | None = ANY, actor: str = SYSTEM) -> None:
        """Forget a function, if nobody changed it since ``version``. Raises NotFoundError."""
        async with self._db.transaction(tenant_id) as tx:
            before = await functions.one(tx, name, lock=True)
            check_version(f"the function {name}", version, function_version(before))
            await functions.remove(tx, name)
            payload = {"function": name, "changes": differences(before, None)}
            await self._changed(tx, tenant_id, "function.removed", payload, actor)

    async def trust(
        self,
        tenant_id: UUID,
        name: str,
        *,
        trusted: bool,
        intents: Sequence[str] = (),
        version: str | None = ANY,
        actor: str = SYSTEM,
    ) -> None:
        """Let a write act without approval, for these intents or for all. Raises NotFoundError, InvalidInputError."""
        async with self._db.transaction(tenant_id) as tx:
            before = await functions.one(tx, name, lock=True)
            check_version(f"the function {name}", version, function_version(before))
            if before.effect != "write":
                raise InvalidInputError(name, "only reads", hint="Reading needs no trust.")
            known = {row["name"] for row in await tx.fetch("SELECT name FROM intent")}
            if unknown := sorted(set(intents) - known):
                raise InvalidInputError("intents", f"there is no intent {', '.join(unknown)}")
            await functions.trust(tx, name, trusted=trusted, intents=intents)
            await self._altered(tx, tenant_id, "function.trusted", before, actor)

    async def require_identity(
        self,
        tenant_id: UUID,
        name: str,
        *,
        required: bool = True,
        version: str | None = ANY,
        actor: str = SYSTEM,
    ) -> None:
        """Let a function run only for contacts who have proven who they are, or for all. Raises NotFoundError, or
        InvalidInputError where the tenant's files say it: they would say it again."""
        async with self._db.transaction(tenant_id) as tx:
            row = await functions.one(tx, name, lock=True)
            check_version(f"the function {name}", version, function_version(row))
            if row.source.startswith(FOLDER_SOURCE):
                raise InvalidInputError(name, "comes from the tenant's folder", hint="Say it there, and import it.")
            await functions.put(tx, tenant_id, with_identity(row, required=required), keep_trust=True)
            await self._altered(tx, tenant_id, "function.identity", row, actor)

    async def set_secret(self, tenant_id: UUID, name: str, value: str, *, actor: str = SYSTEM) -> None:
        """Store a secret sealed; its value leaves this process only in the requests that need it."""
        if not _SECRET_NAME.fullmatch(name):
            raise InvalidInputError("name", "is no name of a secret", hint="Take the name that the import printed.")
        if not value or not value.isprintable():
            raise InvalidInputError("value", "is empty or holds line breaks", hint="Give exactly the key, on one line.")
        async with self._db.transaction(tenant_id) as tx:
            there = name in await secrets.names(tx)
            await secrets.put(tx, self._sealer, tenant_id, name, value)
            payload = {"secret": name, "changes": {"value": [SEALED if there else None, SEALED]}}
            await self._changed(tx, tenant_id, "secret.stored", payload, actor)

    async def remove_secret(self, tenant_id: UUID, name: str, *, actor: str = SYSTEM) -> None:
        """Forget a secret. Raises NotFoundError."""
        async with self._db.transaction(tenant_id) as tx:
            await secrets.remove(tx, name)
            payload = {"secret": name, "changes": {"value": [SEALED, None]}}
            await self._changed(tx, tenant_id, "secret.removed", payload, actor)

    async def allow_host(self, tenant_id: UUID, host: str, *, allowed: bool = True) -> str:
        """Let the tenant's functions reach a host without a public address, also without TLS; the host as stored.

        Only the installation's owner may: this opens the installation's own network. Raises InvalidInputError, or
        NotFoundError where a host is taken away that was never allowed.
        """
        named = host.strip().lower().rstrip(".")
        if not _HOST.fullmatch(named):
            raise InvalidInputError("host", "is no host", hint="Such as erp.internal, or 10.0.0.5:8080.")
        async with self._db.transaction(tenant_id) as tx:
            there = named in await functions.allowed_hosts(tx)
            if allowed:
                await functions.allow_host(tx, tenant_id, named)
            else:
                await functions.disallow_host(tx, named)
            payload = {"host": named, "changes": {"allowed": [there, allowed]}}
            await self._changed(tx, tenant_id, "host.allowed" if allowed else "host.disallowed", payload, SYSTEM)
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
        context = self.context(tenant_id, person, records)
        result = await attempt(found, context, arguments)
        if result.outcome == "succeeded":
            async with self._db.transaction(tenant_id) as tx:
                await records.save(tx)
        return result

    def context(self, tenant_id: UUID, person: Person, records: StoredRecords | None = None) -> ToolContext:
        """What a conversation with ``person`` would give a function."""
        return ToolContext(
            tenant_id=str(tenant_id),
            contact_id=person.contact_id,
            contact_addresses=person.addresses,
            language=person.language,
            timezone=ZoneInfo(person.timezone),
            now=datetime.now(UTC),
            records=records or StoredRecords(self._db, tenant_id),
            idempotency_key=f"try-{uuid4().hex}",
        )

    async def _altered(self, tx: Connection, tenant_id: UUID, kind: str, before: FunctionRow, actor: str) -> None:
        changes = differences(before, await functions.one(tx, before.name))
        if changes:
            await self._changed(tx, tenant_id, kind, {"function": before.name, "changes": changes}, actor)

    async def _changed(self, tx: Connection, tenant_id: UUID, kind: str, payload: dict[str, Any], actor: str) -> None:
        await bump(tx, tenant_id)
        await events.append(tx, tenant_id, kind, payload=payload, actor=actor)


def _read(name: str, declared: Mapping[str, Any]) -> HttpDeclaration:
    try:
        return http_declaration(HttpFunctionFile.model_validate({**declared, "name": name}))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInputError(place, f"{first['msg'][:1].lower()}{first['msg'][1:]}") from None
    except (NotImportableError, SchemaUnusableError) as error:
        raise InvalidInputError("parameters", f"cannot be used: {error}") from None


def needed_secrets(row: FunctionRow) -> tuple[str, ...]:
    """Names of the secrets that a stored function needs."""
    if row.kind == "mcp":
        return tuple(McpTool.from_json(row.details).server.secrets.values())
    if row.kind != "http":
        return ()
    return HttpDetails.model_validate(row.details["request"]).needed_secrets
