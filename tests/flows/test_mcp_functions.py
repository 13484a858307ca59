"""An MCP server's tools in a tenant's registry: imported, kept sensitive, called by a turn under fence and record."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.encoder import default_encoder
from agent.language_model import ModelClients, ModelSettings
from flows.delivery import Delivery
from flows.functions import callable_functions, holdings_of
from flows.functions_desk import FunctionDesk
from flows.functions_mcp import McpChoices, McpFunctions, McpListing, list_server, source_of
from flows.profiles import Installation, Profiles
from flows.turn import Turns
from store import functions
from store.secrets import Sealer
from tests.database import SECRET
from tests.flows.backroom import Backroom
from tests.flows.shop import FOLDER, Shop
from tests.openai_server import ScriptedOpenAI
from tests.tools.test_mcp import command
from tools.mcp_connection import McpAccess, McpConnections
from tools.mcp_declaration import McpServer


async def test_that_a_turn_calls_an_imported_tool_once_and_a_person_may_make_it_sensitive(
    shop: Shop, backroom: Backroom, tmp_path: Path
) -> None:
    connections = McpConnections([sys.executable])
    server = McpServer(command=command(tmp_path, "small_mcp_server"), timeout_seconds=60)
    desk = FunctionDesk(shop.db, Sealer(SECRET))

    async def imported() -> McpListing:
        choices = McpChoices(binds={"phone": "contact.id"}, effects={"order_status": "read"}, trust_writes=True)
        listing = await list_server(server, connections, McpAccess(), choices)
        await desk.import_rows(shop.tenant_id, listing.rows, source_of(server, ""))
        return listing

    await imported()
    call = {"name": "cancel_order", "arguments": {"order_number": "10234"}}
    clients = ModelClients()
    async with ScriptedOpenAI([{"when": "10234", "steps": [{"tool_calls": [call]}, {"reply": "Feito."}]}]) as model:
        settings = ModelSettings("scripted", model.base_url, "key")
        installation = Installation(
            (FOLDER.parent,),
            default_encoder(),
            clients,
            default_model=settings,
            function_sources={"mcp": McpFunctions(connections)},
            sealer=Sealer(SECRET),
        )
        profiles = Profiles(shop.db, installation)
        backroom.turns = Turns(
            shop.db, backroom.wakeup, backroom.agent, profiles, Delivery(shop.db, backroom.wakeup, {})
        )
        await shop.write("maria", "zzkk vlorp: 10234")
        await backroom.rest()
        assert "10234" in (await shop.got("maria"))[-1], "it asks to confirm"
        await shop.write("maria", "sim")
        await backroom.rest()
    acts = [line.split() for line in (tmp_path / "acts").read_text().splitlines()]
    (row,) = await shop.fetch("SELECT id, status, arguments FROM function_call")
    (contact,) = await shop.fetch("SELECT id FROM contact")
    assert acts == [[f"call-{row['id']}", "10234", str(contact["id"])]]
    assert (row["status"], row["arguments"]) == ("succeeded", {"order_number": "10234"})

    await desk.require_identity(shop.tenant_id, "cancel_order")
    await imported()
    async with shop.db.transaction(shop.tenant_id) as tx:
        rows = [one for one in await functions.every(tx) if one.kind == "mcp"]
        holdings = await holdings_of(tx, shop.tenant_id, None)
    found = callable_functions(rows, {"mcp": McpFunctions(connections)}, holdings)
    assert {name: one.needs_identity for name, one in found.items()} == {"cancel_order": True, "order_status": False}
    assert all(one.trusted for one in rows if one.effect == "write")
    (tmp_path / "mood").write_text('{"tools": "fewer"}')
    await connections.aclose()
    await imported()
    async with shop.db.transaction(shop.tenant_id) as tx:
        assert [one.name for one in await functions.every(tx) if one.kind == "mcp"] == ["order_status"]
    await connections.aclose()
    await clients.aclose()
