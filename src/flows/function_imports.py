"""Bringing business functions in from a page: an API's description, an MCP server, one request declared by hand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from agent.turn import CallResult
from domain.errors import InvalidInputError
from flows.function_forms import arguments_schema, checked
from flows.functions import FunctionSource, holdings_of
from flows.functions_desk import SYSTEM, FunctionDesk, Imported, Person, needed_secrets
from flows.functions_files import HttpFunctionFile, http_declaration
from flows.functions_http import declaration_of, row_of
from flows.functions_mcp import McpChoices, access_of, list_server, source_of
from store import functions
from store.database import Database
from store.functions import FunctionRow, Kind
from store.secrets import Sealer
from tools.http_assembly import NotImportableError
from tools.http_request import build_request
from tools.mcp_connection import McpConnections
from tools.mcp_declaration import McpServer
from tools.openai_tools import functions_of_tools, is_tool_list
from tools.openapi import ImportChoices, functions_of
from tools.openapi_fetch import fetch_document
from tools.openapi_text import parse_document
from tools.schema import SchemaUnusableError

BY_HAND = "hand:"
"""``business_function.source`` of a function declared on a page: this, then its name."""
_HIDDEN = "******"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a call would send, its secrets hidden. ``where``: method and address, or the tool."""

    where: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try."""

    result: CallResult
    milliseconds: float


class FunctionImports:
    """Raises NotFoundError, InvalidInputError, DocumentUnusableError or NoEffectError; then nothing was changed."""

    def __init__(
        self,
        db: Database,
        sealer: Sealer,
        sources: Mapping[Kind, FunctionSource],
        servers: McpConnections | None = None,
    ) -> None:
        self.desk = FunctionDesk(db, sealer)
        self._db = db
        self._sealer = sealer
        self._sources = sources
        self._servers = servers

    async def document(
        self,
        tenant_id: UUID,
        raw: bytes,
        *,
        prefix: str = "",
        endpoint: str = "",
        server: str = "",
        actor: str = SYSTEM,
    ) -> Imported:
        """OpenAPI 3, or a list of OpenAI tools that are called at ``endpoint``. Each write waits for approval."""
        return await self._described(tenant_id, raw, ImportChoices(prefix=prefix, server=server), endpoint, actor)

    async def address(
        self, tenant_id: UUID, url: str, *, prefix: str = "", endpoint: str = "", actor: str = SYSTEM
    ) -> Imported:
        """The same from a public address, or one of an allowed host."""
        async with self._db.transaction(tenant_id) as tx:
            hosts = await functions.allowed_hosts(tx)
        raw, base = await fetch_document(url, hosts)
        return await self._described(tenant_id, raw, ImportChoices(prefix=prefix, base=base), endpoint, actor)

    async def mcp(
        self, tenant_id: UUID, url: str, *, prefix: str = "", secret: tuple[str, str] = ("", ""), actor: str = SYSTEM
    ) -> Imported:
        """The tools of an MCP server; ``secret``: header (or ``bearer``) and the name of the stored secret."""
        if self._servers is None or not url.startswith(("http://", "https://")):
            raise InvalidInputError("url", "is no MCP server", hint="Such as https://host/mcp.")
        try:
            server = McpServer(url=url, secrets={secret[0]: secret[1]} if all(secret) else {})
        except ValidationError as error:
            raise InvalidInputError("url", f"is no MCP server ({error.errors()[0]['msg']})") from None
        async with self._db.transaction(tenant_id) as tx:
            holdings = await holdings_of(tx, tenant_id, self._sealer)
        listing = await list_server(server, self._servers, access_of(holdings), McpChoices(prefix=prefix))
        source = source_of(server, prefix)
        return await self.desk.import_rows(tenant_id, listing.rows, source, problems=listing.problems, actor=actor)

    async def declare(self, tenant_id: UUID, fields: Mapping[str, Any], *, actor: str = SYSTEM) -> Imported:
        """One request, with the fields of a file of functions/. Declaring it again changes it."""
        try:
            declared = http_declaration(HttpFunctionFile.model_validate(dict(fields)))
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInputError(".".join(map(str, first["loc"])), str(first["msg"])) from None
        except (NotImportableError, SchemaUnusableError) as error:
            raise InvalidInputError("parameters", f"cannot be used: {error}") from None
        source = f"{BY_HAND}{declared.name}"
        found = await self.desk.import_rows(tenant_id, [row_of(declared, source)], source, actor=actor)
        if found.problems:
            raise InvalidInputError("name", found.problems[0][1])
        return found

    async def preview(self, tenant_id: UUID, name: str, arguments: Mapping[str, Any]) -> Preview:
        """What a call would send. Raises InvalidInputError for arguments that it would not take."""
        row = await self.desk.one(tenant_id, name)
        if row.kind != "http":
            return Preview(f"{row.kind}: {row.name}", {}, "")
        # Signed with a key that is hidden here, a signature would only mislead.
        details = declaration_of(row).details.model_copy(update={"sign_with": ""})
        hidden = dict.fromkeys(needed_secrets(row), _HIDDEN)
        given = checked(arguments_schema(row), arguments)
        context = self.desk.context(tenant_id, Person(addresses=("phone:+5511999990000",)))
        made = build_request(details, given, context, hidden, is_write=row.effect == "write")
        return Preview(f"{details.method} {made.url}", dict(made.headers), (made.body or b"").decode(errors="replace"))

    async def try_out(self, tenant_id: UUID, name: str, arguments: Mapping[str, Any], person: Person) -> Tried:
        """Really call it; a write acts."""
        started = time.monotonic()
        result = await self.desk.try_out(tenant_id, name, arguments, sources=self._sources, person=person)
        return Tried(result, (time.monotonic() - started) * 1000)

    async def _described(
        self, tenant_id: UUID, raw: bytes, choices: ImportChoices, endpoint: str, actor: str
    ) -> Imported:
        document = parse_document(raw)
        if is_tool_list(document):
            described, kind = functions_of_tools(document, endpoint, choices), "tools"
        else:
            described, kind = functions_of(document, choices), "openapi"
        source = f"{kind}:{described.title}" + (f"#{choices.prefix}" if choices.prefix else "")
        return await self.desk.import_described(tenant_id, described, source, actor=actor)


def without_details(row: FunctionRow) -> FunctionRow:
    """The row as a page shows it: what its kind needs to call is told apart."""
    return replace(row, declaration={key: value for key, value in row.declaration.items() if key != row.kind})
