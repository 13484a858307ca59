"""A small shop in memory for the agent's tests: records, knowledge searched by shared words, a runner of functions.

Nothing here patches the agent: it is handed the same callables that the flows hand it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from agent.classifier import Classification
from agent.language_model import LanguageModel
from agent.normalise import words
from agent.turn import (
    CallResult,
    HistoryMessage,
    IntentSpec,
    Passage,
    TenantProfile,
    TurnContext,
    TurnInput,
)
from domain.decisions import ReplyMode
from domain.messages import Author, MessageKind
from tools.declaration import (
    BusinessError,
    BusinessFunction,
    Choice,
    Parameter,
    ParameterKind,
    ToolContext,
    business_function,
)

NOW = datetime(2025, 6, 11, 14, 0, tzinfo=UTC)  # a Wednesday, 11:00 in São Paulo
ZONE = ZoneInfo("America/Sao_Paulo")

ORDER = Parameter(
    "order_number",
    ParameterKind.ORDER_NUMBER,
    pattern=r"\d{5}",
    ask={"pt": "Qual é o número do pedido?", "en": "What is the order number?"},
)
REASON = Parameter(
    "reason",
    ParameterKind.ENUM,
    choices=(
        Choice("size", {"pt": ["ficou pequeno", "tamanho"], "en": ["size"]}),
        Choice("defect", {"pt": ["defeito"], "en": ["defect"]}),
    ),
)
DETAILS = Parameter("details", ParameterKind.TEXT, "o que aconteceu")


@business_function(effect="read", parameters=[ORDER])
async def order_status(ctx: ToolContext, order_number: str) -> dict[str, Any]:
    """Find where an order is."""
    order = await ctx.records.get("orders", order_number)
    if order is None:
        raise BusinessError("not_found", number=order_number)
    if order["status"] == "broken":
        raise RuntimeError("the shop's system is down: secret-internal-detail")
    return order


@business_function(effect="write", parameters=[ORDER, REASON])
async def request_exchange(ctx: ToolContext, order_number: str, reason: str) -> dict[str, Any]:
    """Open an exchange for a delivered order."""
    await ctx.records.put("exchanges", ctx.idempotency_key, {"order": order_number, "reason": reason})
    return {"protocol": "TR1"}


@business_function(effect="read", parameters=[DETAILS])
async def note_problem(ctx: ToolContext, details: str) -> dict[str, Any]:
    """Read back a description of a problem."""
    return {"details": details}


INTENTS = {
    "order_status": IntentSpec(
        "order_status",
        "Onde está um pedido",
        "order_status",
        replies={
            "ok": {
                "pt": "Pedido {{ result.number }}: {{ result.status }}.",
                "en": "Order {{ result.number }}: {{ result.status }}.",
            },
            "not_found": {"pt": "Não achei o pedido {{ result.number }}."},
        },
    ),
    "exchange": IntentSpec(
        "exchange",
        "Trocar um produto",
        "request_exchange",
        replies={"ok": {"pt": "Troca aberta, {{ contact.name }}! Protocolo {{ result.protocol }}."}},
    ),
    "problem": IntentSpec("problem", "Relatar", "note_problem", replies={"ok": {"pt": "Anotei: {{ result.details }}"}}),
    "hours": IntentSpec("hours", answer={"pt": "Das 9h às 18h.", "es": "De 9 a 18 h."}),
    "lawsuit": IntentSpec("lawsuit", "Assunto jurídico", restricted=True),
    "bye": IntentSpec("bye", action="stay_silent"),
    "broken_text": IntentSpec("broken_text", function="order_status", replies={"ok": {"pt": "{{ result.gone }}"}}),
}

KEYWORDS = {
    "cade": "order_status",
    "order?": "order_status",
    "trocar": "exchange",
    "problema": "problem",
    "horario": "hours",
    "abren": "hours",
    "juridico": "lawsuit",
    "encerrar": "bye",
    "quebrado": "broken_text",
}

KNOWLEDGE = (
    Passage("pagamento#1", "Formas de pagamento", "## Pix\nAceitamos Pix, cartão e boleto.", 0.0),
    Passage("entrega#2", "Entrega", "A transportadora faz três tentativas de entrega.", 0.0),
)


async def classify(text: str) -> Classification:
    """By keyword: certain on a word of KEYWORDS, and out of scope on anything else."""
    folded = " ".join(words(text))
    for keyword, intent in KEYWORDS.items():
        if keyword.rstrip("?") in folded.split():
            return Classification(intent, 0.95, (("hours", 0.02),), 0.05)
    return Classification("hours", 0.3, (), 0.9)


@dataclass
class MemoryRecords:
    """A tenant's records in a dictionary."""

    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    async def get(self, collection: str, key: str) -> dict[str, Any] | None:
        return self.rows.get((collection, key))

    async def find(self, collection: str, where: Mapping[str, Any], limit: int = 50) -> list[dict[str, Any]]:
        found = [row for (kept, _), row in sorted(self.rows.items()) if kept == collection]
        return [row for row in found if all(row.get(k) == v for k, v in where.items())][:limit]

    async def put(self, collection: str, key: str, value: Mapping[str, Any]) -> None:
        self.rows[collection, key] = dict(value)


@dataclass
class World:
    """One shop, one contact. ``outcomes`` forces the outcome of a function by name; ``calls`` is what ran."""

    profile: TenantProfile = field(
        default_factory=lambda: TenantProfile(
            "tenant-1",
            "Loja Teste",
            "1",
            ZONE,
            reply_mode=ReplyMode.AUTO,
            intents=INTENTS,
            functions={f.name: f for f in (order_status, request_exchange, note_problem)},
        )
    )
    records: MemoryRecords = field(
        default_factory=lambda: MemoryRecords(
            {
                ("orders", "12345"): {"number": "12345", "status": "a caminho"},
                ("orders", "66666"): {"number": "66666", "status": "broken"},
            }
        )
    )
    model: LanguageModel | None = None
    may_call_model: bool = True
    outcomes: dict[str, CallResult] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)
    classified: list[str] = field(default_factory=list)
    queue: int | None = None
    knowledge: Sequence[Passage] = KNOWLEDGE
    now: datetime = NOW

    async def call(self, function: BusinessFunction, arguments: Mapping[str, Any], ordinal: int) -> CallResult:
        self.calls.append((function.name, dict(arguments), ordinal))
        if function.name in self.outcomes:
            return self.outcomes[function.name]
        context = ToolContext("tenant-1", "contact-1", (), "pt", ZONE, NOW, self.records, f"key-{len(self.calls)}")
        try:
            return CallResult("succeeded", await function.call(context, **arguments), duration_ms=1.0)
        except BusinessError as error:
            return CallResult("business_error", error.data, error.code)
        except RuntimeError as error:
            return CallResult("failed", error_code=type(error).__name__)

    async def classify(self, text: str) -> Classification:
        self.classified.append(text)
        return await classify(text)

    async def search(self, query: str, language: str, limit: int) -> Sequence[Passage]:
        asked = {word for word in words(query) if len(word) > 2}
        scored = [
            replace(p, score=len(asked & set(words(f"{p.title} {p.text}"))) / max(1, len(asked)))
            for p in self.knowledge
        ]
        return sorted(scored, key=lambda p: -p.score)[:limit]

    async def queue_position(self, _intent: str | None) -> int | None:
        return self.queue

    def context(self) -> TurnContext:
        return TurnContext(
            self.profile,
            self.classify,
            self.search,
            self.call,
            self.now,
            self.model,
            self.may_call_model,
            self.queue_position,
        )


def said(*texts: str, kind: MessageKind = MessageKind.TEXT, **rest: Any) -> TurnInput:
    """A turn in which the contact wrote ``texts``; ``rest`` sets fields of TurnInput."""
    unanswered = tuple(HistoryMessage(100 + index, Author.CONTACT, text, NOW, kind) for index, text in enumerate(texts))
    return TurnInput("conversation-1", rest.pop("history", ()), unanswered, "contact-1", contact_name="Ana", **rest)
