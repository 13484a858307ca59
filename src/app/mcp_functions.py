"""Importing an MCP server's tools from the command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from domain.errors import InvalidInputError
from flows.functions import holdings_of
from flows.functions_mcp import McpChoices, access_of, list_server, source_of
from tools.mcp_connection import McpConnections
from tools.mcp_declaration import McpServer

if TYPE_CHECKING:
    from app.functions import Counter
    from flows.functions_desk import Imported

ORIGIN = "mcp+"
"""``mcp+https://host/mcp`` is a server at an address, ``mcp+stdio:PROGRAM ARGUMENTS`` one that is started."""


def server_of(origin: str, secrets: Mapping[str, str]) -> McpServer:
    """The server that an origin names; ``secrets``: names of secrets by header or variable."""
    place = origin.removeprefix(ORIGIN)
    command: tuple[str, ...] = ()
    url = place
    if place.startswith("stdio:"):
        command, url = tuple(shlex.split(place.removeprefix("stdio:"))), ""
    elif not place.startswith(("http://", "https://")):
        raise InvalidInputError(origin, "is no MCP server", hint="Such as mcp+https://host/mcp or mcp+stdio:PROGRAM.")
    try:
        return McpServer(url=url, command=command, secrets=dict(secrets))
    except ValidationError as error:
        raise InvalidInputError(origin, f"is no MCP server ({error.errors()[0]['msg']})") from None


async def import_server(
    at: Counter, server: McpServer, choices: McpChoices
) -> tuple[Imported, dict[str, str], list[str]]:
    """Import its tools: what came of it, the effect of each function, and lines about what was not believed."""
    async with at.db.transaction(at.tenant_id) as tx:
        holdings = await holdings_of(tx, at.tenant_id, at.sealer)
    connections = McpConnections(at.settings.mcp_commands)
    try:
        listing = await list_server(server, connections, access_of(holdings), choices)
    finally:
        await connections.aclose()
    imported = await at.desk.import_rows(
        at.tenant_id,
        listing.rows,
        source_of(server, choices.prefix),
        problems=listing.problems,
        partly=bool(choices.only),
    )
    notes = [f"note              {name}: {text}" for name, text in listing.notes]
    return imported, {row.name: row.effect for row in listing.rows}, notes
