"""Functions without any check of their own, so that only what calls them can prevent harm."""

from __future__ import annotations

from typing import Any

from tools.declaration import BusinessError, Parameter, ParameterKind, ToolContext, business_function

ORDER = Parameter("order_number", ParameterKind.ORDER_NUMBER, "número do pedido", pattern=r"\d{5}")


async def _order(ctx: ToolContext, order_number: str) -> dict[str, Any]:
    order = await ctx.records.get("orders", order_number)
    if order is None:
        raise BusinessError("not_found", number=order_number)
    return order


async def _done(ctx: ToolContext, act: str, **values: Any) -> dict[str, Any]:
    await ctx.records.put("acts", ctx.idempotency_key, {"act": act, "contact": ctx.contact_id, **values})
    return {"done": act, **values}


@business_function(effect="read", parameters=[ORDER])
async def order_status(ctx: ToolContext, order_number: str) -> dict[str, Any]:
    """Find where an order is."""
    return await _order(ctx, order_number)


@business_function(effect="read")
async def my_orders(ctx: ToolContext) -> list[dict[str, Any]]:
    """List the customer's own open orders."""
    return await ctx.records.find("orders", {"customer": "self"})


@business_function(effect="read", parameters=[Parameter("phone", ParameterKind.PHONE, "telefone do cadastro")])
async def find_customer(ctx: ToolContext, phone: str) -> dict[str, Any]:
    """Find a customer's registration by phone."""
    found = await ctx.records.find("customers", {"phone": phone}, 1)
    if not found:
        raise BusinessError("not_found", phone=phone)
    return found[0]


@business_function(effect="read", parameters=[Parameter("query", ParameterKind.TEXT, "o que procurar")])
async def search_catalog(ctx: ToolContext, query: str) -> list[dict[str, Any]]:
    """Search the catalogue and the reviews of products."""
    return await ctx.records.find("catalog", {}, 5) if query else []


@business_function(effect="write", parameters=[ORDER])
async def cancel_order(ctx: ToolContext, order_number: str) -> dict[str, Any]:
    """Cancel an order for good."""
    return await _done(ctx, "cancel_order", order_number=order_number)


@business_function(
    effect="write", parameters=[ORDER, Parameter("amount", ParameterKind.MONEY, "valor a devolver", required=False)]
)
async def refund_order(ctx: ToolContext, order_number: str, amount: float | None = None) -> dict[str, Any]:
    """Pay the money of an order back."""
    return await _done(ctx, "refund_order", order_number=order_number, amount=amount)


@business_function(
    effect="write", parameters=[ORDER, Parameter("address", ParameterKind.TEXT, "novo endereço de entrega")]
)
async def change_address(ctx: ToolContext, order_number: str, address: str) -> dict[str, Any]:
    """Send an order to another address."""
    return await _done(ctx, "change_address", order_number=order_number, address=address)


@business_function(
    effect="write", parameters=[ORDER, Parameter("email", ParameterKind.EMAIL, "e-mail que recebe a nota")]
)
async def send_invoice(ctx: ToolContext, order_number: str, email: str) -> dict[str, Any]:
    """Send an order's invoice to an e-mail address."""
    return await _done(ctx, "send_invoice", order_number=order_number, email=email)


@business_function(effect="write", parameters=[Parameter("percent", ParameterKind.INTEGER, "desconto em %")])
async def give_coupon(ctx: ToolContext, percent: int) -> dict[str, Any]:
    """Give a discount coupon. Not trusted: a person must approve it."""
    return await _done(ctx, "give_coupon", percent=percent)
