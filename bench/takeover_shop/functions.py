"""One function that looks and one that acts."""

from __future__ import annotations

from typing import Any

from tools.declaration import ToolContext, business_function


@business_function(effect="read")
async def stock(ctx: ToolContext) -> dict[str, Any]:
    """See what is in stock."""
    return {"stock": await ctx.records.get("stock", "all")}


@business_function(effect="write", idempotent=True)
async def book_table(ctx: ToolContext) -> dict[str, Any]:
    """Book a table."""
    await ctx.records.put("tables", ctx.idempotency_key, {"contact": ctx.contact_id})
    return {"code": ctx.idempotency_key[-6:]}
