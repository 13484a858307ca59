"""Functions that write down when they start and end, and take as long as the records say."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from tools.declaration import ToolContext, business_function


async def _traced(ctx: ToolContext, name: str) -> float:
    control = await ctx.records.get("control", name) or {}
    _note(ctx, name, "start")
    await asyncio.sleep(float(control.get("seconds", 0)))
    _note(ctx, name, "end")
    return time.time()


def _note(ctx: ToolContext, name: str, what: str) -> None:
    with Path(os.environ["ATENDE_TEST_TRACE"]).open("a") as trace:
        trace.write(f"{time.time()} {name} {what} {ctx.contact_id} {ctx.idempotency_key} {os.getpid()}\n")


@business_function(effect="read", timeout_seconds=60)
async def slow_lookup(ctx: ToolContext) -> dict[str, Any]:
    """Look something up, slowly."""
    return {"at": await _traced(ctx, "slow_lookup")}


@business_function(effect="write", timeout_seconds=60, idempotent=True)
async def book_table(ctx: ToolContext) -> dict[str, Any]:
    """Book a table. Recognises a repeated call by its key."""
    await _traced(ctx, "book_table")
    code = ctx.idempotency_key[-6:]
    await ctx.records.put("tables", ctx.idempotency_key, {"code": code})
    return {"code": code}


@business_function(effect="write", timeout_seconds=60)
async def charge_card(ctx: ToolContext) -> dict[str, Any]:
    """Charge the card. A repeated call would charge twice."""
    await _traced(ctx, "charge_card")
    return {}
