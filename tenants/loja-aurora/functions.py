"""What Loja Aurora's assistant can look up and do. The data behind it are the files in ``data/``.

A business with a system of its own would call that system here instead of reading ``ctx.records``.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from tools.declaration import BusinessError, Choice, Parameter, ParameterKind, ToolContext, business_function

EXCHANGE_DAYS = 30
"""Days after delivery in which the shop exchanges an article."""
REGRET_DAYS = 7
"""Days after delivery in which the law lets a customer give anything back (CDC, art. 49)."""

WEEKDAYS = {
    "pt": ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "domingo"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

ORDER_NUMBER = Parameter(
    "order_number",
    ParameterKind.ORDER_NUMBER,
    description="Number of the order, five digits, for example 10234. It is in the confirmation e-mail.",
    pattern=r"\d{5}",
    ask={
        "pt": "Me passa o número do pedido? São 5 dígitos e ele está no e-mail de confirmação 😊",
        "es": "¿Me pasas el número del pedido? Son 5 dígitos y está en el correo de confirmación 😊",
        "en": "Could you send me the order number? It has 5 digits and is in your confirmation e-mail 😊",
    },
)
CPF = Parameter(
    "cpf",
    ParameterKind.CPF,
    description="CPF of the person who placed the order",
    ask={
        "pt": "E o CPF de quem fez a compra? É só para eu confirmar que o pedido é seu.",
        "es": "¿Y el CPF de quien hizo la compra? Es solo para confirmar que el pedido es tuyo.",
        "en": "And the CPF of the person who bought it? I only need it to confirm that the order is yours.",
    },
)


def _choice(value: str, pt: str, es: str, en: str) -> Choice:
    return Choice(value, {"pt": pt.split("|"), "es": es.split("|"), "en": en.split("|")})


PRODUCT_LINES = (
    _choice("camiseta", "camiseta|camisetas|blusinha", "camiseta|camisetas|remera", "t-shirt|tshirt|tee"),
    _choice("camisa", "camisa|camisas|camisa social", "camisa|camisas", "shirt|shirts"),
    _choice("vestido", "vestido|vestidos|vestidinho", "vestido|vestidos", "dress|dresses"),
    _choice("calça", "calça|calças|calça jeans", "pantalón|pantalones|jeans", "pants|trousers|jeans"),
    _choice("saia", "saia|saias", "falda|faldas", "skirt|skirts"),
    _choice("jaqueta", "jaqueta|jaquetas|casaco", "chaqueta|chaquetas|campera", "jacket|jackets|coat"),
    _choice("moletom", "moletom|moletons|blusa de frio", "sudadera|sudaderas|buzo", "hoodie|hoodies|sweatshirt"),
    _choice("pijama", "pijama|pijamas", "pijama|pijamas", "pajamas|pyjamas"),
    _choice("tênis", "tênis", "zapatillas|zapatilla|tenis", "sneakers|sneaker|running shoes"),
    _choice("sandália", "sandália|sandálias|rasteirinha", "sandalia|sandalias", "sandal|sandals"),
    _choice("bolsa", "bolsa|bolsas", "bolso|bolsos|cartera", "handbag|purse|bag"),
    _choice("mochila", "mochila|mochilas", "mochila|mochilas", "backpack|backpacks"),
    _choice("boné", "boné|bonés", "gorra|gorras", "cap|caps"),
    _choice("meia", "meia|meias", "calcetín|calcetines|medias", "sock|socks"),
)
# One letter alone is too often a word ("p" is "para"), so a size must be said as one.
LETTER_SIZES = tuple(
    _choice(
        size,
        "|".join(form.format(size) for form in ("tamanho {}", "tam {}", "no {}", "número {}")),
        "|".join(form.format(size) for form in ("talla {}", "talle {}", "en {}")),
        f"size {size}|in {size}|{english}",
    )
    for size, english in (("PP", "extra small"), ("P", "small"), ("M", "medium"), ("G", "large"), ("GG", "extra large"))
)
SHOE_SIZES = tuple(
    _choice(
        str(size), f"{size}|tamanho {size}|número {size}", f"{size}|talla {size}|número {size}", f"{size}|size {size}"
    )
    for size in range(34, 45)
)


@business_function(effect="read", parameters=[ORDER_NUMBER])
async def order_status(ctx: ToolContext, order_number: str) -> dict[str, Any]:
    """Find where an order is and when it should arrive. Use when the customer asks about an order already placed."""
    order = await _order(ctx, order_number)
    expected = _date(order.get("expected_on"))
    delivered = _date(order.get("delivered_on"))
    today = _today(ctx)
    return {
        "number": order["number"],
        "status": order["status"],
        "late": bool(expected and expected < today and order["status"] in {"preparing", "shipped", "out_for_delivery"}),
        "expected_on": order.get("expected_on"),
        "expected_text": _day(expected, ctx.language) if expected else "",
        "delivered_text": _day(delivered, ctx.language) if delivered else "",
        "carrier": order.get("carrier") or "",
        "tracking_code": order.get("tracking_code") or "",
        "city": order.get("city") or "",
    }


@business_function(
    effect="read",
    parameters=[
        Parameter(
            "cep",
            ParameterKind.CEP,
            description="Brazilian postal code (CEP) of the delivery address, eight digits",
            ask={
                "pt": "Qual é o CEP da entrega? Assim eu já vejo o prazo e o frete pra você 🚚",
                "es": "¿Cuál es el CEP (código postal) de la entrega? Así veo el plazo y el costo del envío 🚚",
                "en": "What is the delivery postal code (CEP)? Then I can check the time and the shipping cost 🚚",
            },
        )
    ],
)
async def delivery_estimate(ctx: ToolContext, cep: str) -> dict[str, Any]:
    """Tell how long delivery takes and what it costs for a postal code (CEP). Use before a purchase."""
    digits = re.sub(r"\D", "", cep)
    if len(digits) != 8:
        raise BusinessError("invalid_cep", cep=cep)
    for region in await ctx.records.find("delivery_regions", {}, limit=200):
        if region["first_cep"] <= digits <= region["last_cep"]:
            break
    else:
        raise BusinessError("not_served", cep=f"{digits[:5]}-{digits[5:]}")
    latest = _add_business_days(_today(ctx), region["days_max"])
    return {
        "cep": f"{digits[:5]}-{digits[5:]}",
        "region": region["name"],
        "days_min": region["days_min"],
        "days_max": region["days_max"],
        "latest_text": _day(latest, ctx.language),
        "price_text": _money(region["price_cents"]),
        "free_from_text": _money(region["free_from_cents"]) if region.get("free_from_cents") else "",
    }


@business_function(effect="read")
async def opening_hours(ctx: ToolContext) -> dict[str, Any]:
    """Tell the opening hours of the attendance team and whether it is open now."""
    hours = await ctx.records.get("tenant", "hours")
    if hours is None:
        raise BusinessError("not_found")
    weekly: list[list[list[str]]] = hours["weekly"]
    closed: list[str] = hours["closed_dates"]
    now = ctx.now.astimezone(ctx.timezone)
    spans = [] if now.date().isoformat() in closed else weekly[now.weekday()]
    opens = _next_opening(now, weekly, closed)
    return {
        "open_now": any(_time(start) <= now.time() < _time(end) for start, end in spans),
        "closes_at": next((end for start, end in spans if _time(start) <= now.time() < _time(end)), ""),
        "next_opening_text": f"{_day(opens.date(), ctx.language)} {opens:%H:%M}" if opens else "",
        "week": _week_lines(weekly, ctx.language),
    }


@business_function(
    effect="write",
    idempotent=True,
    parameters=[
        ORDER_NUMBER,
        Parameter(
            "reason",
            ParameterKind.ENUM,
            description="Why the customer wants to exchange it",
            ask={
                "pt": "E qual o motivo da troca: tamanho, defeito, produto errado ou desistência?",
                "es": "¿Y cuál es el motivo del cambio: talla, defecto, producto equivocado o arrepentimiento?",
                "en": "And what is the reason: size, defect, wrong item or change of mind?",
            },
            choices=(
                _choice(
                    "size",
                    "tamanho|ficou grande|ficou pequeno|ficou pequena|apertado|apertada|não serviu|largo|larga",
                    "talla|me queda grande|me queda chico|no me quedó|ajustado",
                    "size|too big|too small|too tight|doesn't fit|does not fit",
                ),
                _choice(
                    "defect",
                    "defeito|rasgado|rasgada|furado|furada|descosturado|quebrado|quebrada|manchado|manchada",
                    "defecto|defectuoso|roto|rota|manchado|descosido",
                    "defect|defective|broken|torn|stained|damaged",
                ),
                _choice(
                    "wrong_item",
                    "produto errado|veio errado|veio errada|veio trocado|cor errada|outro produto",
                    "producto equivocado|equivocado|color equivocado",
                    "wrong item|wrong product|wrong color|wrong colour",
                ),
                _choice(
                    "regret",
                    "desistência|desisti|arrependi|não gostei|não quero mais",
                    "arrepentimiento|me arrepentí|no me gustó",
                    "change of mind|changed my mind|don't like it|did not like",
                ),
            ),
        ),
    ],
)
async def request_exchange(ctx: ToolContext, order_number: str, reason: str) -> dict[str, Any]:
    """Open an exchange for a delivered order and return its protocol. Use when the customer wants to exchange it."""
    done = await ctx.records.get("exchanges", ctx.idempotency_key)
    if done is not None:
        return _exchange_answer(done)
    order = await _order(ctx, order_number)
    if order["status"] != "delivered":
        raise BusinessError("not_delivered", number=order["number"], status=order["status"])
    delivered = _date(order.get("delivered_on")) or _today(ctx)
    limit = REGRET_DAYS if reason == "regret" else EXCHANGE_DAYS
    if (_today(ctx) - delivered).days > limit:
        raise BusinessError("deadline_passed", number=order["number"], days=limit, since=_day(delivered, ctx.language))
    for other in await ctx.records.find("exchanges", {"order_number": order["number"]}, limit=1):
        raise BusinessError("already_requested", number=order["number"], protocol=other["protocol"])
    exchange = {
        "protocol": "TR" + str(int(hashlib.sha256(ctx.idempotency_key.encode()).hexdigest(), 16) % 1_000_000).zfill(6),
        "order_number": order["number"],
        "reason": reason,
        "contact_id": ctx.contact_id,
        "requested_at": ctx.now.isoformat(),
    }
    await ctx.records.put("exchanges", ctx.idempotency_key, exchange)
    return _exchange_answer(exchange)


@business_function(
    effect="read",
    parameters=[
        ORDER_NUMBER,
        CPF,
        Parameter(
            "document",
            ParameterKind.ENUM,
            description="Which document: the tax invoice (nota fiscal) or the payment slip (boleto)",
            required=False,
            choices=(
                _choice("nota_fiscal", "nota fiscal|nota|nf|nfe|danfe", "factura|comprobante", "invoice|receipt"),
                _choice("boleto", "boleto|código de barras", "boleto|cupón de pago", "boleto|payment slip|bank slip"),
            ),
        ),
    ],
)
async def invoice_copy(ctx: ToolContext, order_number: str, cpf: str, document: str | None = None) -> dict[str, Any]:
    """Get the link to the second copy of a tax invoice or a boleto. Needs the order number and the buyer's CPF."""
    order = await ctx.records.get("orders", _digits(order_number))
    # The same answer for "no such order" and "not this CPF": nobody learns here which orders exist.
    if order is None or order["cpf"] != _digits(cpf):
        raise BusinessError("not_found", number=_digits(order_number))
    invoice = await ctx.records.get("invoices", order["number"]) or {}
    if document is None:
        document = "nota_fiscal" if invoice.get("nota_fiscal_url") else "boleto"
    url = invoice.get(f"{document}_url")
    if not url:
        raise BusinessError("not_issued", number=order["number"], document=document)
    return {
        "number": order["number"],
        "document": document,
        "url": url,
        "total_text": _money(order["total_cents"]),
        "due_text": _day(due, ctx.language) if document == "boleto" and (due := _date(invoice.get("due_on"))) else "",
    }


@business_function(
    effect="read",
    parameters=[
        Parameter(
            "product",
            ParameterKind.ENUM,
            description="Kind of article the customer looks for",
            choices=PRODUCT_LINES,
            ask={
                "pt": "Qual produto você procura? Por exemplo: vestido, calça, tênis, bolsa…",
                "es": "¿Qué producto buscas? Por ejemplo: vestido, pantalón, zapatillas, bolso…",
                "en": "What are you looking for? For example: dress, pants, sneakers, bag…",
            },
        ),
        Parameter(
            "size",
            ParameterKind.ENUM,
            description="Size, if the customer said one: PP, P, M, G, GG for clothes, 34 to 44 for shoes and pants",
            required=False,
            choices=(*LETTER_SIZES, *SHOE_SIZES),
        ),
    ],
)
async def product_availability(ctx: ToolContext, product: str, size: str | None = None) -> dict[str, Any]:
    """Look up which articles of a kind are in stock, in which sizes and at what price."""
    wanted = set(_fold(product).split())
    catalogue = await ctx.records.find("products", {}, limit=500)
    matches = [item for item in catalogue if wanted <= set(_fold(f"{item['line']} {item['name']}").split())]
    if not matches:
        raise BusinessError("not_found", product=product)
    in_stock = [(item, [name for name, count in item["stock"].items() if count > 0]) for item in matches]
    in_stock = [(item, sizes) for item, sizes in in_stock if sizes]
    if not in_stock:
        raise BusinessError("out_of_stock", product=product)
    fitting = [(item, sizes) for item, sizes in in_stock if size is None or size.upper() in sizes or sizes == ["U"]]
    if not fitting:
        others = sorted({name for _, sizes in in_stock for name in sizes})
        raise BusinessError("size_unavailable", product=product, size=size, sizes=others)
    return {
        "product": product,
        "size": size or "",
        "items": [
            {"name": item["name"], "price_text": _money(item["price_cents"]), "sizes": [] if sizes == ["U"] else sizes}
            for item, sizes in fitting[:5]
        ],
    }


async def _order(ctx: ToolContext, order_number: str) -> dict[str, Any]:
    order = await ctx.records.get("orders", _digits(order_number))
    if order is None:
        raise BusinessError("not_found", number=_digits(order_number) or order_number)
    return order


def _exchange_answer(exchange: Mapping[str, Any]) -> dict[str, Any]:
    return {"protocol": exchange["protocol"], "number": exchange["order_number"], "reason": exchange["reason"]}


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _today(ctx: ToolContext) -> date:
    return ctx.now.astimezone(ctx.timezone).date()


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _time(text: str) -> time:
    return time.fromisoformat(text)


def _day(day: date, language: str) -> str:
    weekday = WEEKDAYS.get(language, WEEKDAYS["pt"])[day.weekday()]
    if language == "en":
        return f"{weekday}, {MONTHS_EN[day.month - 1]} {day.day}"
    return f"{weekday}, {day:%d/%m}"


def _money(cents: int) -> str:
    whole, rest = divmod(cents, 100)
    return f"R$ {whole:,}".replace(",", ".") + f",{rest:02d}"


def _add_business_days(day: date, count: int) -> date:
    while count > 0:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


def _next_opening(now: datetime, weekly: list[list[list[str]]], closed: list[str]) -> datetime | None:
    for ahead in range(15):
        day = now.date() + timedelta(days=ahead)
        for start, _ in [] if day.isoformat() in closed else weekly[day.weekday()]:
            opens = datetime.combine(day, _time(start), tzinfo=now.tzinfo)
            if opens > now:
                return opens
    return None


def _week_lines(weekly: list[list[list[str]]], language: str) -> list[str]:
    """Neighbouring days with the same hours share a line ("segunda a sexta: 09:00 às 18:00")."""
    names = WEEKDAYS.get(language, WEEKDAYS["pt"])
    until = {"en": " to "}.get(language, " a ")
    between = {"en": " to ", "es": " a "}.get(language, " às ")
    groups: list[tuple[int, int]] = []
    for day in range(7):
        if not weekly[day]:
            continue
        if groups and groups[-1][1] == day - 1 and weekly[day] == weekly[groups[-1][0]]:
            groups[-1] = (groups[-1][0], day)
        else:
            groups.append((day, day))
    return [
        (names[first] if first == last else f"{names[first]}{until}{names[last]}")
        + ": "
        + ", ".join(f"{start}{between}{end}" for start, end in weekly[first])
        for first, last in groups
    ]
