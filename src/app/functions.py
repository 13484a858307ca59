"""What an administrator does with business functions from the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from app.mcp_functions import import_server, server_of
from app.numbers import prepared_database, tenants_named
from app.settings import Settings
from domain.errors import InvalidInputError
from flows.functions import FunctionSource
from flows.functions_desk import FunctionDesk, Imported, Person, needed_secrets
from flows.functions_http import HttpFunctions
from flows.functions_mcp import McpChoices, McpFunctions
from store import functions
from store.database import Database
from store.functions import FunctionRow, Kind
from store.secrets import Sealer
from tools.http_call import HttpClients
from tools.mcp_connection import McpConnections
from tools.openai_tools import functions_of_tools, is_tool_list
from tools.openapi import ImportChoices, functions_of
from tools.openapi_fetch import fetch_document
from tools.openapi_text import DocumentUnusableError, parse_document


@dataclass(frozen=True, slots=True)
class Counter:
    """One tenant's functions, with the database open."""

    desk: FunctionDesk
    db: Database
    tenant_id: UUID
    settings: Settings

    @property
    def sealer(self) -> Sealer:
        """Opens this installation's secrets."""
        return Sealer(self.settings.secret)


@asynccontextmanager
async def counter(settings: Settings, slug: str) -> AsyncIterator[Counter]:
    """Raises NotFoundError where there is no such tenant."""
    async with prepared_database(settings) as (url, db):
        tenant_id = (await tenants_named(url, slug))[0][0]
        yield Counter(FunctionDesk(db, Sealer(settings.secret)), db, tenant_id, settings)


async def import_mcp(at: Counter, origin: str, secrets: Mapping[str, str], choices: McpChoices) -> list[str]:
    """Import the tools of an MCP server; lines that tell what came of it. Raises NoEffectError if it is not reached."""
    imported, effects, notes = await import_server(at, server_of(origin, secrets), choices)
    return _report(imported, effects, choices.trust_writes) + notes


async def import_functions(
    at: Counter, origin: str, choices: ImportChoices, *, endpoint: str = "", trust_writes: bool = False
) -> list[str]:
    """Import a file or an address; lines that tell what came of it. Raises DocumentUnusableError."""
    if origin.startswith(("http://", "https://")):
        async with at.db.transaction(at.tenant_id) as tx:
            hosts = await functions.allowed_hosts(tx)
        raw, base = await fetch_document(origin, hosts)
        choices = ImportChoices(**{**_fields(choices), "base": base})
    else:
        try:
            raw = await asyncio.to_thread(Path(origin).read_bytes)
        except OSError as error:
            raise DocumentUnusableError(f"{origin} cannot be read ({error.strerror})") from None
    document = parse_document(raw)
    if is_tool_list(document):
        described = functions_of_tools(document, endpoint, choices)
        source = f"tools:{described.title}"
    else:
        described = functions_of(document, choices)
        source = f"openapi:{described.title}"
    source += f"#{choices.prefix}" if choices.prefix else ""
    imported = await at.desk.import_described(
        at.tenant_id, described, source, trust_writes=trust_writes, partly=bool(choices.only)
    )
    return _report(imported, {declared.name: declared.effect for declared in described.functions}, trust_writes)


async def listed(at: Counter) -> list[str]:
    """A line for each function, then what is missing, then hosts."""
    rows, secrets, hosts = await at.desk.all(at.tenant_id)
    lines = [f"{row.name:40}  {row.kind:6}  {row.effect:5}  {_trust(row):24}  {row.source}" for row in rows]
    missing = sorted({name for row in rows for name in needed_secrets(row)} - set(secrets))
    lines += [f"secret {name}: stored" for name in secrets] + [f"secret {name}: missing" for name in missing]
    lines += [f"allowed host {host}" for host in hosts]
    return lines or ["There are no functions yet. Import some with: atende functions import FILE --tenant SLUG"]


async def shown(at: Counter, name: str) -> list[str]:
    """One function whole, as JSON: what a model sees, and what is called. It holds no secret."""
    row = await at.desk.one(at.tenant_id, name)
    whole: dict[str, Any] = {
        "name": row.name,
        "kind": row.kind,
        "effect": row.effect,
        "source": row.source,
        "trust": _trust(row),
        "enabled": row.enabled,
        **{key: value for key, value in row.declaration.items() if key != "name"},
    }
    return json.dumps(whole, indent=2, ensure_ascii=False).splitlines()


async def tried(at: Counter, name: str, arguments: str, person: Person, *, really: bool) -> list[str]:
    """Call a function and print what came back. Raises InvalidInputError for a write without ``really``."""
    from flows.functions_python import PythonFunctions  # noqa: PLC0415 - tenants' code needs much, and only here

    row = await at.desk.one(at.tenant_id, name)
    if row.effect == "write" and not really:
        raise InvalidInputError(name, "would act", hint="Add --really if it shall.")
    try:
        given = json.loads(arguments)
    except ValueError as error:
        raise InvalidInputError("arguments", f"not valid JSON ({error})") from None
    if not isinstance(given, dict):
        raise InvalidInputError("arguments", "must be one JSON object")
    clients, servers = HttpClients(), McpConnections(at.settings.mcp_commands)
    sources: dict[Kind, FunctionSource] = {
        "python": PythonFunctions(at.settings.code_folders),
        "http": HttpFunctions(clients),
        "mcp": McpFunctions(servers),
    }
    try:
        result = await at.desk.try_out(at.tenant_id, name, given, sources=sources, person=person)
    finally:
        await clients.aclose()
        await servers.aclose()
    said = {"outcome": result.outcome, "code": result.error_code, "result": result.result}
    return json.dumps(said, indent=2, ensure_ascii=False, default=str).splitlines()


def _report(imported: Imported, effects: Mapping[str, str], trusted: bool) -> list[str]:
    lines = []
    for what, names in (("added", imported.added), ("changed", imported.changed), ("unchanged", imported.unchanged)):
        lines += [f"{what:9}  {effects[name]:5}  {name}" for name in names]
    lines += [f"removed           {name}" for name in imported.removed]
    lines += [f"left out          {operation}: {why}" for operation, why in imported.problems]
    writes = [name for name, effect in effects.items() if effect == "write"]
    if writes and not trusted:
        lines.append("Writes wait for a person's approval. Trust one with: atende functions trust NAME --tenant SLUG")
    for name in imported.missing_secrets:
        lines.append(f"The secret {name} is missing. Store it with: atende functions set-secret {name} --tenant SLUG")
    return lines or ["The document describes no function."]


def _trust(row: FunctionRow) -> str:
    if row.effect == "read":
        return "-"
    if not row.trusted:
        return "asks a person"
    return f"trusted for {', '.join(row.trusted_for)}" if row.trusted_for else "trusted"


def _fields(choices: ImportChoices) -> dict[str, Any]:
    return {name: getattr(choices, name) for name in choices.__slots__}
