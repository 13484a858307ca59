"""The sixteen tools of the retail domain of τ²-bench as business functions.

Names, parameters, refusals and results are those of the benchmark's own tools (sierra-research/tau2-bench, MIT licence:
README.md beside this file), so that its tasks can be run against them: ``python -m evals.tau2_retail``. What a function
writes is kept with the record of its call, or not at all: each of them may be repeated after a crash.
"""

from __future__ import annotations

import ast
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.declaration import BusinessError, Choice, Parameter, ParameterKind, ToolContext, business_function

_EVERY = 100_000
_CENT = 2


def _identifier(name: str, description: str, pattern: str | None = None) -> Parameter:
    return Parameter(name, ParameterKind.ORDER_NUMBER, description=description, pattern=pattern)


def _items(name: str, description: str) -> Parameter:
    return Parameter(
        name,
        ParameterKind.JSON,
        description=description,
        schema={"type": "array", "items": {"type": "string"}, "description": description},
    )


ORDER_ID = _identifier("order_id", "The order id, such as #W0000000, with the # at its beginning")
USER_ID = _identifier("user_id", "The user id, such as sara_doe_496")
PAYMENT = _identifier(
    "payment_method_id",
    "The payment method that pays or gets the difference, such as gift_card_0000000 or credit_card_0000000; "
    "found in the user's or the order's details",
)
ITEMS = _items("item_ids", "The items concerned, each such as 1008292230; the same one may stand there more than once")
NEW_ITEMS = _items("new_item_ids", "What they become: one for each item, in the same order and of the same product")
ADDRESS = (
    Parameter("address1", description="First line of the address, such as 123 Main St"),
    Parameter("address2", description="Second line, such as Apt 1; may be empty", required=False),
    Parameter("city", description="The city, such as San Francisco"),
    Parameter("state", description="The state, such as CA"),
    Parameter("country", description="The country, such as USA"),
    Parameter("zip", description="The zip code, such as 12345"),
)
REASON = Parameter(
    "reason",
    ParameterKind.ENUM,
    description="Why: no longer needed, or ordered by mistake",
    choices=(
        Choice("no longer needed", {"en": ["no longer needed", "don't need it", "do not need it any more"]}),
        Choice("ordered by mistake", {"en": ["ordered by mistake", "by mistake", "by accident"]}),
    ),
)


# Looking up ---------------------------------------------------------------------------------------------------------


@business_function(effect="read", parameters=[Parameter("email", ParameterKind.EMAIL, description="The user's e-mail")])
async def find_user_id_by_email(ctx: ToolContext, email: str) -> str:
    """Find the user id by e-mail. The first way to find out who a customer is."""
    for user in await ctx.records.find("users", {}, limit=_EVERY):
        if user["email"].lower() == email.lower():
            return str(user["user_id"])
    raise _refusal("user_not_found", "User not found")


@business_function(
    effect="read",
    parameters=[
        Parameter("first_name", description="First name, such as John"),
        Parameter("last_name", description="Last name, such as Doe"),
        Parameter("zip", description="Zip code of the user's address, such as 12345"),
    ],
)
async def find_user_id_by_name_zip(ctx: ToolContext, first_name: str, last_name: str, zip: str) -> str:  # noqa: A002
    """Find the user id by name and zip code, for customers who do not remember their e-mail or are not found by it."""
    for user in await ctx.records.find("users", {}, limit=_EVERY):
        name = user["name"]
        if (name["first_name"].lower(), name["last_name"].lower(), user["address"]["zip"]) == (
            first_name.lower(),
            last_name.lower(),
            zip,
        ):
            return str(user["user_id"])
    raise _refusal("user_not_found", "User not found")


@business_function(effect="read", parameters=[USER_ID])
async def get_user_details(ctx: ToolContext, user_id: str) -> dict[str, Any]:
    """A user's profile: name, address, e-mail, payment methods and order ids."""
    return await _user(ctx, user_id)


@business_function(effect="read", parameters=[ORDER_ID])
async def get_order_details(ctx: ToolContext, order_id: str) -> dict[str, Any]:
    """Status and details of an order."""
    return await _order(ctx, order_id)


@business_function(
    effect="read",
    parameters=[_identifier("product_id", "The product id, such as 6086499569; it is no item id")],
)
async def get_product_details(ctx: ToolContext, product_id: str) -> dict[str, Any]:
    """A product with all its variants, their options, prices and availability."""
    return await _product(ctx, product_id)


@business_function(
    effect="read", parameters=[_identifier("item_id", "The item id, such as 6086499569; it is no product id")]
)
async def get_item_details(ctx: ToolContext, item_id: str) -> dict[str, Any]:
    """One item (a variant of a product): options, price and availability."""
    for product in await ctx.records.find("products", {}, limit=_EVERY):
        if item_id in product["variants"]:
            found: dict[str, Any] = product["variants"][item_id]
            return found
    raise _refusal("item_not_found", "Item not found")


@business_function(effect="read")
async def list_all_product_types(ctx: ToolContext) -> str:
    """Name and product id of all product types, as a JSON object sorted by name. There are 50 in the whole shop."""
    products = await ctx.records.find("products", {}, limit=_EVERY)
    return json.dumps({product["name"]: product["product_id"] for product in products}, sort_keys=True)


@business_function(
    effect="read", parameters=[Parameter("expression", description="Such as 2 + 2: numbers, + - * /, brackets, spaces")]
)
async def calculate(ctx: ToolContext, expression: str) -> str:  # noqa: ARG001
    """Calculate the result of a mathematical expression, rounded to two digits."""
    if not set(expression) <= set("0123456789+-*/(). "):
        raise _refusal("invalid_expression", "Invalid characters in expression")
    try:
        return str(round(float(_value(ast.parse(expression.strip(), mode="eval").body)), _CENT))
    except (SyntaxError, ValueError, ArithmeticError, RecursionError) as error:
        raise _refusal("invalid_expression", str(error)) from error


@business_function(
    effect="read", parameters=[Parameter("summary", description="A summary of the user's issue, for the person")]
)
async def transfer_to_human_agents(ctx: ToolContext, summary: str) -> str:  # noqa: ARG001
    """Note that a person is needed: asked for, or nothing else here can solve the issue. Then hand off."""
    return "Transfer successful"


# Acting -------------------------------------------------------------------------------------------------------------


@business_function(effect="write", idempotent=True, parameters=[ORDER_ID, REASON])
async def cancel_pending_order(ctx: ToolContext, order_id: str, reason: str) -> dict[str, Any]:
    """Cancel a pending order and refund it: at once to a gift card, within 5 to 7 business days otherwise."""
    order = await _order(ctx, order_id)
    if order["status"] != "pending":
        raise _refusal("not_pending", "Non-pending order cannot be cancelled")
    if reason not in {choice.value for choice in REASON.choices}:
        raise _refusal("invalid_reason", "Invalid reason")
    user = await _user(ctx, order["user_id"])
    refunds = [_transaction("refund", paid["amount"], paid["payment_method_id"]) for paid in order["payment_history"]]
    for refund in refunds:
        _add_to_gift_card(_payment_method(user, refund["payment_method_id"]), refund["amount"])
    order |= {"status": "cancelled", "cancel_reason": reason}
    order["payment_history"] += refunds
    await _keep(ctx, order, user)
    return order


@business_function(effect="write", idempotent=True, parameters=[ORDER_ID, *ADDRESS])
async def modify_pending_order_address(ctx: ToolContext, order_id: str, **address: str) -> dict[str, Any]:
    """Change the shipping address of a pending order."""
    order = await _order(ctx, order_id)
    if "pending" not in order["status"]:
        raise _refusal("not_pending", "Non-pending order cannot be modified")
    order["address"] = {"address2": "", **address}
    await _keep(ctx, order)
    return order


@business_function(effect="write", idempotent=True, parameters=[USER_ID, *ADDRESS])
async def modify_user_address(ctx: ToolContext, user_id: str, **address: str) -> dict[str, Any]:
    """Change the default address of a user."""
    user = await _user(ctx, user_id)
    user["address"] = {"address2": "", **address}
    await ctx.records.put("users", user_id, user)
    return user


@business_function(effect="write", idempotent=True, parameters=[ORDER_ID, PAYMENT])
async def modify_pending_order_payment(ctx: ToolContext, order_id: str, payment_method_id: str) -> dict[str, Any]:
    """Change the payment method of a pending order; what was paid goes back to the old one."""
    order = await _order(ctx, order_id)
    if "pending" not in order["status"]:
        raise _refusal("not_pending", "Non-pending order cannot be modified")
    user = await _user(ctx, order["user_id"])
    method = _payment_method(user, payment_method_id)
    history = order["payment_history"]
    if len(history) != 1 or history[0]["transaction_type"] != "payment":
        raise _refusal("payments_unclear", "There should be exactly one payment for a pending order")
    before, amount = history[0]["payment_method_id"], history[0]["amount"]
    if before == payment_method_id:
        raise _refusal("same_payment", "The new payment method should be different from the current one")
    _check_balance(method, amount, "Insufficient gift card balance to pay for the order")
    order["payment_history"] += [
        _transaction("payment", amount, payment_method_id),
        _transaction("refund", amount, before),
    ]
    _add_to_gift_card(method, -amount)
    _add_to_gift_card(_payment_method(user, before), amount)
    await _keep(ctx, order, user)
    return order


@business_function(effect="write", idempotent=True, parameters=[ORDER_ID, ITEMS, NEW_ITEMS, PAYMENT])
async def modify_pending_order_items(
    ctx: ToolContext, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> dict[str, Any]:
    """Change items of a pending order into others of the same product. Possible only once for an order."""
    order = await _order(ctx, order_id)
    if order["status"] != "pending":
        raise _refusal("not_pending", "Non-pending order cannot be modified")
    _check_counts(order, item_ids, "{} not found")
    if len(item_ids) != len(new_item_ids):
        raise _refusal("numbers_differ", "The number of items to be exchanged should match")
    if any(old == new for old, new in zip(item_ids, new_item_ids, strict=True)):
        raise _refusal("same_item", "The new item id should be different from the old item id")
    difference, variant = await _price_difference(ctx, order, item_ids, new_item_ids)
    user = await _user(ctx, order["user_id"])
    method = _payment_method(user, payment_method_id)
    _check_balance(method, difference, "Insufficient gift card balance to pay for the new item")
    kind = "payment" if difference > 0 else "refund"
    order["payment_history"].append(_transaction(kind, abs(difference), payment_method_id))
    _add_to_gift_card(method, -difference)
    for old, new in zip(item_ids, new_item_ids, strict=True):
        # As the benchmark has it: every item gets the price and the options of the last variant.
        _item(order, old).update(item_id=new, price=variant["price"], options=variant["options"])
    order["status"] = "pending (item modified)"
    await _keep(ctx, order, user)
    return order


@business_function(effect="write", idempotent=True, parameters=[ORDER_ID, ITEMS, NEW_ITEMS, PAYMENT])
async def exchange_delivered_order_items(
    ctx: ToolContext, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> dict[str, Any]:
    """Exchange items of a delivered order for others of the same product. Possible only once for an order."""
    order = await _order(ctx, order_id)
    if order["status"] != "delivered":
        raise _refusal("not_delivered", "Non-delivered order cannot be exchanged")
    _check_counts(order, item_ids, "Number of {} not found.")
    if len(item_ids) != len(new_item_ids):
        raise _refusal("numbers_differ", "The number of items to be exchanged should match.")
    difference, _ = await _price_difference(ctx, order, item_ids, new_item_ids)
    difference = round(difference, _CENT)
    method = _payment_method(await _user(ctx, order["user_id"]), payment_method_id)
    _check_balance(method, difference, "Insufficient gift card balance to pay for the price difference")
    order |= {
        "status": "exchange requested",
        "exchange_items": sorted(item_ids),
        "exchange_new_items": sorted(new_item_ids),
        "exchange_payment_method_id": payment_method_id,
        "exchange_price_difference": difference,
    }
    await _keep(ctx, order)
    return order


@business_function(effect="write", idempotent=True, parameters=[ORDER_ID, ITEMS, PAYMENT])
async def return_delivered_order_items(
    ctx: ToolContext, order_id: str, item_ids: list[str], payment_method_id: str
) -> dict[str, Any]:
    """Return items of a delivered order; the refund goes to the original payment method or to a gift card."""
    order = await _order(ctx, order_id)
    if order["status"] != "delivered":
        raise _refusal("not_delivered", "Non-delivered order cannot be returned")
    method = _payment_method(await _user(ctx, order["user_id"]), payment_method_id)
    if not _is_gift_card(method) and payment_method_id != order["payment_history"][0]["payment_method_id"]:
        raise _refusal("other_payment", "Payment method should be the original payment method")
    _check_counts(order, item_ids, "Some item not found")
    order |= {
        "status": "return requested",
        "return_items": sorted(item_ids),
        "return_payment_method_id": payment_method_id,
    }
    await _keep(ctx, order)
    return order


# What they share ----------------------------------------------------------------------------------------------------


def _refusal(code: str, message: str) -> BusinessError:
    return BusinessError(code, message=message)


async def _user(ctx: ToolContext, user_id: str) -> dict[str, Any]:
    user = await ctx.records.get("users", user_id)
    if user is None:
        raise _refusal("user_not_found", "User not found")
    return user


async def _order(ctx: ToolContext, order_id: str) -> dict[str, Any]:
    order = await ctx.records.get("orders", order_id)
    if order is None:
        raise _refusal("order_not_found", "Order not found")
    return order


async def _product(ctx: ToolContext, product_id: str) -> dict[str, Any]:
    product = await ctx.records.get("products", product_id)
    if product is None:
        raise _refusal("product_not_found", "Product not found")
    return product


async def _keep(ctx: ToolContext, order: Mapping[str, Any], user: Mapping[str, Any] | None = None) -> None:
    await ctx.records.put("orders", order["order_id"], order)
    if user is not None:
        await ctx.records.put("users", user["user_id"], user)


def _item(order: Mapping[str, Any], item_id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = next((item for item in order["items"] if item["item_id"] == item_id), None)
    if found is None:
        raise _refusal("item_not_found", f"Item {item_id} not found")
    return found


def _check_counts(order: Mapping[str, Any], item_ids: Sequence[str], problem: str) -> None:
    there = [item["item_id"] for item in order["items"]]
    for item_id in item_ids:
        if item_ids.count(item_id) > there.count(item_id):
            raise _refusal("item_not_found", problem.format(item_id))


async def _price_difference(
    ctx: ToolContext, order: Mapping[str, Any], item_ids: Sequence[str], new_item_ids: Sequence[str]
) -> tuple[float, dict[str, Any]]:
    """What the new items cost more than the old ones, unrounded, and the last new variant."""
    difference, variant = 0.0, {}
    for old, new in zip(item_ids, new_item_ids, strict=True):
        item = _item(order, old)
        variants = (await _product(ctx, item["product_id"]))["variants"]
        if new not in variants:
            raise _refusal("variant_not_found", "Variant not found")
        variant = variants[new]
        if not variant["available"]:
            raise _refusal("not_available", f"New item {new} not found or available")
        difference += variant["price"] - item["price"]
    return difference, variant


def _payment_method(user: Mapping[str, Any], payment_method_id: str) -> dict[str, Any]:
    if payment_method_id not in user["payment_methods"]:
        raise _refusal("payment_method_not_found", "Payment method not found")
    found: dict[str, Any] = user["payment_methods"][payment_method_id]
    return found


def _is_gift_card(method: Mapping[str, Any]) -> bool:
    return bool(method["source"] == "gift_card")


def _check_balance(method: Mapping[str, Any], amount: float, problem: str) -> None:
    if _is_gift_card(method) and method["balance"] < amount:
        raise _refusal("balance_too_low", problem)


def _add_to_gift_card(method: dict[str, Any], amount: float) -> None:
    """Other methods settle on their own."""
    if _is_gift_card(method):
        method["balance"] = round(method["balance"] + amount, _CENT)


def _transaction(kind: str, amount: float, payment_method_id: str) -> dict[str, Any]:
    return {"transaction_type": kind, "amount": amount, "payment_method_id": payment_method_id}


_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left), _value(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
    raise ValueError("Only numbers, + - * / and brackets can be calculated")
