"""Tools of MCP servers between the server, the registry and a call."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agent.untrusted import gives_orders
from domain.text import storable
from flows.functions import Holdings
from store.functions import FunctionRow
from tools.declaration import BusinessFunction, Effect
from tools.http_assembly import NotImportableError, assemble
from tools.http_declaration import BodyFormat
from tools.import_choices import unmet
from tools.mcp_call import mcp_function
from tools.mcp_connection import McpAccess, McpConnections
from tools.mcp_declaration import McpServer, McpTool, digest_of
from tools.openapi import LONGEST_NAME, RESERVED_NAMES, tool_name
from tools.openapi_schema import Schemas
from tools.schema import SchemaUnusableError, check_schema, seen_by_models

if TYPE_CHECKING:
    from mcp.types import Tool

log = logging.getLogger(__name__)

_LONGEST_DESCRIPTION = 800
_BARE = frozenset({"type", "properties", "required", "title", "description", "additionalProperties"})
"""What a schema may hold that wants no arguments."""
_HINTS = ("read_only_hint", "destructive_hint", "idempotent_hint", "open_world_hint")


class McpFunctions:
    """The FunctionSource of kind mcp. One per process: it holds the connections."""

    def __init__(self, connections: McpConnections) -> None:
        self._connections = connections

    def functions(self, rows: Sequence[FunctionRow], holdings: Holdings) -> Mapping[str, BusinessFunction]:
        """See FunctionSource."""
        access = access_of(holdings)
        found = {}
        for row in rows:
            try:
                tool = McpTool.from_json(row.details)
                description = str(row.declaration.get("description", ""))
                found[row.name] = mcp_function(
                    row.name, description, row.effect, tool, connections=self._connections, access=access
                )
            except (ValidationError, ValueError, KeyError, TypeError) as error:
                log.warning("function %s of tenant %s cannot be used: %s", row.name, holdings.tenant_id, error)
        return found


@dataclass(frozen=True, slots=True)
class McpChoices:
    """What whoever imports a server decides; the server itself decides nothing about trust or effects."""

    prefix: str = ""
    binds: Mapping[str, str] = field(default_factory=dict)
    """Values of the context by parameter name; ``function:name`` for one function alone."""
    effects: Mapping[str, Effect] = field(default_factory=dict)
    only: frozenset[str] = frozenset()
    """Names of the functions wanted; none named: all."""
    idempotent: frozenset[str] = frozenset()
    """Functions whose server recognises the key of a call that comes again."""
    trust_writes: bool = False
    trust_hints: bool = False
    """Believe the server where it says that a tool only reads."""


@dataclass(frozen=True, slots=True)
class McpListing:
    """What a server offers: rows for the registry, and by tool why others are no functions."""

    rows: tuple[FunctionRow, ...]
    problems: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """By function: what its server says of it, where that was not believed."""


def access_of(holdings: Holdings) -> McpAccess:
    """What a tenant's connections may use."""
    return McpAccess(holdings.secrets, holdings.allowed_hosts, str(holdings.tenant_id))


async def list_server(
    server: McpServer, connections: McpConnections, access: McpAccess, choices: McpChoices
) -> McpListing:
    """Ask the server for its tools. Raises NoEffectError where it cannot be reached."""
    connection = await connections.get(server, access)
    found, problems, notes, seen = list[FunctionRow](), list[tuple[str, str]](), list[tuple[str, str]](), set[str]()
    for tool in await connection.tools():
        name = choices.prefix + tool_name(tool.name)
        if choices.only and name not in choices.only:
            continue
        try:
            row = _row(name, tool, server, choices)
        except (NotImportableError, SchemaUnusableError, ValidationError, ValueError) as error:
            problems.append((tool.name, str(error)))
            continue
        if name in seen:
            problems.append((tool.name, "another tool of the server has the same name here"))
            continue
        seen.add(name)
        found.append(row)
        if row.effect == "write" and tool.annotations is not None and tool.annotations.read_only_hint:
            notes.append((name, "its server says that it only reads; if so: --effect " + name + "=read"))
    problems += unmet(
        {*choices.only, *choices.effects, *choices.idempotent},
        choices.binds,
        {row.name: McpTool.from_json(row.declaration["mcp"]).parts for row in found},
    )
    return McpListing(tuple(found), tuple(problems), tuple(notes))


def source_of(server: McpServer, prefix: str) -> str:
    """``business_function.source`` of this server's functions."""
    return f"mcp:{server.place}" + (f"#{prefix}" if prefix else "")


def _row(name: str, tool: Tool, server: McpServer, choices: McpChoices) -> FunctionRow:
    if len(name) > LONGEST_NAME or name in RESERVED_NAMES:
        raise NotImportableError(f"it cannot be called {name}; give a --prefix")
    description = " ".join(storable(tool.description or tool.title or "")[0].split())[:_LONGEST_DESCRIPTION]
    if not description:
        raise NotImportableError("it has no description, so no model could know when to use it")
    stated = _without_notes(tool.input_schema)
    # What a tool says of itself is read by language models: words to them are no description.
    if name not in choices.only and any(gives_orders(text) for text in (description, *_texts(stated))):
        raise NotImportableError(f"its description speaks to language models; read it, then name it: --only {name}")
    binds = {
        parameter.partition(":")[2] or parameter: bound
        for parameter, bound in choices.binds.items()
        if ":" not in parameter or parameter.partition(":")[0] == name
    }
    schemas = Schemas(stated)
    schema = {"type": "object", "properties": {}, **schemas.convert(stated)}
    known = {key: bound for key, bound in binds.items() if key.partition(".")[0] in schema["properties"]}
    takes: tuple[BodyFormat, Any] | None = None
    if schema["properties"] or not _BARE.issuperset(schema):
        takes = ("json", schema)
    assembled = assemble([], takes, definitions=schemas.definitions, binds=known)
    check_schema(assembled.schema)
    hints = {hint: value for hint in _HINTS if (value := getattr(tool.annotations, hint, None)) is not None}
    effect = choices.effects.get(name) or ("read" if choices.trust_hints and hints.get("read_only_hint") else "write")
    declared = McpTool(
        server=server,
        tool=tool.name,
        arguments=dict(assembled.schema),
        parts=assembled.parts,
        digest=digest_of(tool.input_schema),
        idempotent=name in choices.idempotent,
        hints=hints,
    )
    return FunctionRow(
        name=name,
        kind="mcp",
        effect=effect,
        source=source_of(server, choices.prefix),
        declaration={
            "name": name,
            "description": description,
            "parameters": seen_by_models(assembled.schema),
            "timeout_seconds": server.timeout_seconds,
            "mcp": declared.to_json(),
        },
        trusted=choices.trust_writes and effect == "write",
    )


def _without_notes(schema: Any) -> Any:
    """Without Atende's own notes: a server must not say what of the customer is filled into its parameters."""
    if isinstance(schema, Mapping):
        return {key: _without_notes(value) for key, value in schema.items() if not str(key).startswith("x-atende-")}
    return [_without_notes(value) for value in schema] if isinstance(schema, list) else schema


def _texts(schema: Any) -> list[str]:
    if isinstance(schema, Mapping):
        return [text for value in schema.values() for text in _texts(value)]
    if isinstance(schema, list):
        return [text for value in schema for text in _texts(value)]
    return [schema] if isinstance(schema, str) else []
