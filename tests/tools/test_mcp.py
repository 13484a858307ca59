"""MCP servers as a source of functions: real server processes that die, hang, change and are started again."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from agent.turn import CallResult
from app.mcp_functions import server_of
from domain.errors import InvalidInputError
from flows.attempts import attempt
from flows.functions import Holdings
from flows.functions_mcp import McpChoices, McpFunctions, McpListing, access_of, list_server
from tools.declaration import NoEffectError, ToolContext
from tools.mcp_connection import CommandNotAllowedError, McpConnections, ServerNotReachedError
from tools.mcp_declaration import McpServer
from tools.records import InMemoryRecords

KEY = "the shop's secret key"
CHECKOUT = Path(__file__).parents[2]


@dataclass
class Shop:
    """A server that a test talks to, and what it did."""

    folder: Path
    connections: McpConnections
    server: McpServer
    holdings: Holdings
    listing: McpListing = field(default_factory=lambda: McpListing(()))

    def is_in(self, mood: Mapping[str, Any]) -> None:
        """What goes wrong from now on."""
        (self.folder / "mood").write_text(json.dumps(mood))

    @property
    def acts(self) -> list[list[str]]:
        file = self.folder / "acts"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    async def imported(self, **choices: Any) -> None:
        effects = choices.pop("effects", {"order_status": "read"})
        access = access_of(self.holdings)
        self.listing = await list_server(
            self.server,
            self.connections,
            access,
            McpChoices(effects=effects, binds={"phone": "contact.phone"}, **choices),
        )

    async def call(self, name: str, key: str = "key-1", **arguments: Any) -> CallResult:
        """As a turn calls it, under the rules that turn what it does into an outcome."""
        function = McpFunctions(self.connections).functions(self.listing.rows, self.holdings)[name]
        records = InMemoryRecords()
        context = ToolContext(
            "shop", "contact", ("phone:5511988880001",), "pt", ZoneInfo("UTC"), datetime.now(UTC), records, key
        )
        return await attempt(function, context, arguments)


def command(folder: Path, module: str = "mcp_server") -> tuple[str, ...]:
    return (sys.executable, "-m", f"tests.tools.{module}", "--acts", f"{folder}/acts", "--mood", f"{folder}/mood")


@pytest.fixture
async def connections() -> AsyncIterator[McpConnections]:
    made = McpConnections([sys.executable])
    yield made
    await made.aclose()


@pytest.fixture
def shop(tmp_path: Path, connections: McpConnections) -> Shop:
    """A server that is started by us, over its standard streams."""
    server = McpServer(
        command=command(tmp_path), secrets={"SHOP_KEY": "shop-key"}, most_bytes=4_000, timeout_seconds=60
    )
    return Shop(tmp_path, connections, server, Holdings(uuid4(), {"shop-key": KEY}))


@pytest.fixture
def small_shop(tmp_path: Path, connections: McpConnections) -> Shop:
    """A server that starts at once."""
    server = McpServer(command=command(tmp_path, "small_mcp_server"), timeout_seconds=60)
    return Shop(tmp_path, connections, server, Holdings(uuid4()))


async def test_that_tools_become_functions_that_write_unless_the_tenant_says_otherwise(shop: Shop) -> None:
    await shop.imported(effects={})
    rows = {row.name: row for row in shop.listing.rows}
    assert {name: row.effect for name, row in rows.items()} == dict.fromkeys(
        ("order_status", "cancel_order", "plain_text"), "write"
    )
    assert [name for name, _ in shop.listing.notes] == ["order_status"]
    assert [name for name, _ in shop.listing.problems] == ["helpful"], "a description that gives orders"
    assert rows["cancel_order"].declaration["parameters"]["required"] == ["order_number"]
    assert "phone" not in rows["cancel_order"].declaration["parameters"]["properties"], "the context fills it in"
    assert KEY not in str(rows)
    await shop.imported(effects={}, trust_hints=True, only=frozenset({"order_status", "helpful"}))
    assert {row.name: row.effect for row in shop.listing.rows} == {"order_status": "read", "helpful": "read"}


async def test_that_a_tool_is_called_with_context_secret_and_key(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATENDE_SECRET", "of the installation")
    await shop.imported()
    found = await shop.call("order_status", order_number="123")
    assert found.result == {"number": "123", "status": "shipped", "note": "", "echo": "***"}
    done = await shop.call("cancel_order", key="key-7", order_number="123")
    assert (done.outcome, done.result) == ("succeeded", {"cancelled": "123"})
    assert shop.acts == [["key-7", "123", "+5511988880001"]]
    words = await shop.call("plain_text")
    assert words.result == {"result": "just words"}
    named = await shop.call("cancel_order", order_number="123", phone="+551100000000")
    assert (named.outcome, named.error_code) == ("business_error", "invalid_argument")
    shop.is_in({"refuse": True})
    refused = await shop.call("order_status", order_number="9")
    assert (refused.outcome, refused.error_code) == ("business_error", "tool_error")
    assert "no such order" in refused.result["message"]
    shop.is_in({"size": 5_000})
    assert (await shop.call("order_status", order_number="9")).error_code == "answer_too_large"


async def test_that_a_server_that_dies_is_started_again_and_nothing_is_done_twice(small_shop: Shop) -> None:
    shop = small_shop
    await shop.imported()
    shop.is_in({"die": True})
    assert (await shop.call("order_status", order_number="1")).outcome == "succeeded", "reading may be repeated"
    shop.is_in({"die": True, "when": "after"})
    lost = await shop.call("cancel_order", order_number="1")
    assert (lost.outcome, lost.error_code) == ("unknown", "connection_lost")
    assert len(shop.acts) == 1
    assert (await shop.call("cancel_order", key="key-2", order_number="2")).outcome == "succeeded"
    await shop.imported(idempotent=frozenset({"cancel_order"}))
    shop.is_in({"die": True, "when": "after"})
    again = await shop.call("cancel_order", key="key-3", order_number="3")
    assert again.outcome == "succeeded"
    assert [act[0] for act in shop.acts] == ["key-1", "key-2", "key-3", "key-3"], "the server knows the key again"


async def test_that_a_tool_which_changed_since_a_person_looked_at_it_is_not_called(small_shop: Shop) -> None:
    shop = small_shop
    await shop.imported()
    for tools in ("changed", "fewer"):
        await shop.connections.aclose()
        shop.is_in({"tools": tools})
        outcome = await shop.call("cancel_order", order_number="1")
        assert (outcome.outcome, outcome.error_code) == ("failed", "no_effect"), tools
    shop.is_in({})
    await shop.connections.aclose()
    assert (await shop.call("order_status", order_number="1")).outcome == "succeeded"
    shop.is_in({"tools": "changed", "announce": True, "garbage": True})
    told = await shop.call("order_status", order_number="1")
    assert told.result == {"number": "1", "status": "shipped"}, "what is no JSON is passed over"
    connection = await shop.connections.get(shop.server, access_of(shop.holdings))
    async with asyncio.timeout(30):
        while connection.knows_tools:  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
    outcome = await shop.call("cancel_order", order_number="1")
    assert (outcome.outcome, outcome.error_code) == ("failed", "no_effect"), "the server said that its tools changed"
    assert shop.acts == []


async def test_that_an_answer_that_does_not_come_is_not_waited_for(small_shop: Shop) -> None:
    shop = small_shop
    await shop.imported()
    shop.server = shop.server.model_copy(update={"timeout_seconds": 4.0})
    await shop.imported()
    shop.is_in({"hold": 60})
    late = await asyncio.gather(
        shop.call("order_status", order_number="1"), shop.call("cancel_order", order_number="1")
    )
    assert [(one.outcome, one.error_code) for one in late] == [("failed", "timeout"), ("unknown", "timeout")]
    assert shop.acts == []


async def test_that_only_programs_which_the_owner_named_are_started(small_shop: Shop, tmp_path: Path) -> None:
    shop = small_shop
    nobody = McpConnections()
    with pytest.raises(CommandNotAllowedError):
        await nobody.get(shop.server, access_of(shop.holdings))
    missing = McpServer(command=(sys.executable, str(tmp_path / "missing.py")))
    with pytest.raises(ServerNotReachedError):
        await shop.connections.get(missing, access_of(shop.holdings))
    with pytest.raises(InvalidInputError):
        server_of("mcp+ftp://host", {})
    assert server_of("mcp+stdio:shop --port '1 2'", {}).command == ("shop", "--port", "1 2")


# Over HTTP ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[[int], Any]]:
    """Start the server at a port; started again, the one before is killed."""
    running: list[subprocess.Popen[bytes]] = []

    async def start(port: int) -> None:
        for process in running:
            process.kill()
            process.wait()
        running.append(
            subprocess.Popen([*command(tmp_path), "--http", str(port)], cwd=CHECKOUT, stderr=subprocess.DEVNULL)
        )
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return

    yield start
    for process in running:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


async def test_that_a_server_over_http_is_guarded_and_may_be_started_anew(
    tmp_path: Path, connections: McpConnections, serve: Callable[[int], Any]
) -> None:
    port = free_port()
    server = McpServer(url=f"http://127.0.0.1:{port}/mcp", secrets={"X-Shop-Key": "shop-key"}, timeout_seconds=60)
    holdings = Holdings(uuid4(), {"shop-key": KEY}, frozenset({f"127.0.0.1:{port}"}))
    shop = Shop(tmp_path, connections, server, holdings)
    with pytest.raises(NoEffectError):  # nothing listens there yet
        await shop.imported()
    await serve(port)
    for address in (server.url, f"https://localhost:{port}/mcp"):
        elsewhere = server.model_copy(update={"url": address})
        with pytest.raises(NoEffectError, match=r"no public address|must begin with https"):
            await connections.get(elsewhere, access_of(Holdings(uuid4(), {"shop-key": KEY})))
    await shop.imported()
    found = await shop.call("order_status", order_number="1")
    assert (found.outcome, found.result["echo"]) == ("succeeded", "***"), "the header came, its value is blotted out"
    await serve(port)
    done = await shop.call("cancel_order", order_number="1")
    assert done.outcome in {"succeeded", "unknown", "failed"}
    if done.outcome != "succeeded":
        done = await shop.call("cancel_order", key="key-2", order_number="1")
    assert done.outcome == "succeeded"
    assert len(shop.acts) == 1, "what was turned away did not act"
