"""An MCP server of the shop written by hand, which starts at once: for tests in which servers die again and again.

    python -m tests.tools.small_mcp_server --acts FILE --mood FILE

Speaks JSON-RPC over its standard streams as protocol 2025-06-18 has it. ``--acts`` and ``--mood`` as in
tests.tools.mcp_server; mood ``garbage`` writes something that is no JSON before the answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

acts, mood_file = Path(sys.argv[2]), Path(sys.argv[4])


def mood() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(mood_file.read_text() or "{}") if mood_file.exists() else {}
    return found


def trouble(when: str) -> None:
    now = mood()
    if now.get("when", "before") == when and now.get("die"):
        mood_file.write_text("{}")  # only once
        os._exit(1)
    if when == "before":
        time.sleep(now.get("hold", 0))
        if now.get("garbage"):
            print("Listening for orders …", flush=True)  # noqa: T201  what a careless server does


def tool(name: str, **properties: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}}
    required = [key for key in properties if key != "phone"]
    return {"name": name, "description": f"The shop's {name}.", "inputSchema": schema | {"required": required}}


def tools() -> list[dict[str, Any]]:
    found = [tool("orderStatus", order_number="string")]
    if mood().get("tools") == "changed":
        return [*found, tool("cancelOrder", order_number="string", account="string")]
    return (
        found
        if mood().get("tools") == "fewer"
        else [*found, tool("cancelOrder", order_number="string", phone="string")]
    )


def called(name: str, arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    trouble("before")
    if name == "cancelOrder":
        with acts.open("a") as file:
            file.write(f"{meta.get('atende/idempotencyKey', '')} {arguments['order_number']} {arguments['phone']}\n")
        trouble("after")
    text = json.dumps({"number": arguments["order_number"], "status": "shipped"})
    return {"content": [{"type": "text", "text": text}]}


for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
    match asked["method"]:
        case "initialize":
            info = {"name": "shop", "version": "1"}
            answer["result"] = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": info,
            }
        case "tools/list":
            answer["result"] = {"tools": tools()}
        case "tools/call":
            params = asked["params"]
            answer["result"] = called(params["name"], params.get("arguments") or {}, params.get("_meta") or {})
        case _:
            answer["error"] = {"code": -32601, "message": "Method not found"}
    print(json.dumps(answer), flush=True)  # noqa: T201  the protocol
    if mood().get("announce"):
        mood_file.write_text(json.dumps({**mood(), "announce": False}))
        changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        print(json.dumps(changed), flush=True)  # noqa: T201  the protocol
