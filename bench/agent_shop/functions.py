"""Functions of the measured business: one answers at once, one asks its system over HTTP."""

from __future__ import annotations

import os
from typing import Any

import aiohttp

from tools.declaration import Parameter, ParameterKind, ToolContext, business_function

NUMBER = Parameter(
    "order_number", ParameterKind.ORDER_NUMBER, pattern=r"\d{5}", ask={"pt": "Qual é o número do pedido?"}
)
_sessions: list[aiohttp.ClientSession] = []


@business_function(effect="read", parameters=[NUMBER])
async def order_status(ctx: ToolContext, order_number: str) -> dict[str, Any]:
    """Find where an order is."""
    await ctx.records.get("orders", order_number)
    return {"number": order_number, "status": "a caminho"}


@business_function(effect="read", parameters=[NUMBER])
async def invoice_of(ctx: ToolContext, order_number: str) -> dict[str, Any]:
    """Find the invoice of an order. Use when the customer asks for an invoice or a receipt."""
    _ = ctx
    if not _sessions:
        _sessions.append(aiohttp.ClientSession(os.environ["BENCH_ENDPOINT"]))
    async with _sessions[0].get(f"/invoices/{order_number}") as answer:
        found: dict[str, Any] = await answer.json()
        return found
