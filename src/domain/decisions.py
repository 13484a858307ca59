"""What the agent may decide about a turn. A decision is a value: flows carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class HandOffReason(StrEnum):
    """Why a conversation goes to a person (the standard triggers)."""

    REQUESTED = "requested"
    ANGER = "anger"
    REPEATED_FAILURE = "repeated_failure"
    LOW_CONFIDENCE = "low_confidence"
    RESTRICTED_INTENT = "restricted_intent"
    VIP = "vip"
    COST_CAP = "cost_cap"
    TOOL_FAILURE = "tool_failure"
    MODEL_FAILURE = "model_failure"
    OUTSIDE_POLICY = "outside_policy"
    MEDIA = "media"
    UNKNOWN_OUTCOME = "unknown_outcome"
    """A business function may or may not have acted; only a person may settle that."""
    OLD_MESSAGE = "old_message"


class ReplyMode(StrEnum):
    """The tenant's reply policy for an intent or as the default."""

    OFF = "off"
    SUGGEST = "suggest"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the explanation: a stable ``code`` for machines, ``detail`` for a person (English)."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement of the reply comes from."""

    kind: Literal["function", "knowledge", "answer"]
    ref: str
    """Function name, ``document#chunk``, or intent name."""
    title: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text that no source of its turn supports: ``text[start:end]``, in characters."""

    start: int
    end: int
    kind: str
    """What it claims: ``action``, ``promise``, ``status``, ``fact``, or the kind of a value (``money``, ``date`` …)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry of a reply's claim ledger: a part of the text, and the source behind it if there is one."""

    start: int
    end: int
    kind: str
    text: str
    supported_by: str | None = None
    """A function's name or ``document#chunk``; ``customer`` for what is only repeated."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Send ``text`` to the customer without a person."""

    text: str
    reasons: tuple[Reason, ...] = ()
    sources: tuple[Source, ...] = ()
    kind: Literal["reply"] = "reply"


@dataclass(frozen=True, slots=True)
class Suggest:
    """Offer ``text`` to an operator, who accepts, edits or rejects it."""

    text: str
    reasons: tuple[Reason, ...] = ()
    sources: tuple[Source, ...] = ()
    unsupported: tuple[Span, ...] = ()
    """What nothing in the turn supports; in order, without overlaps. Shown to the operator."""
    kind: Literal["suggest"] = "suggest"


@dataclass(frozen=True, slots=True)
class AskApproval:
    """A business function that writes waits for a person. ``text`` tells the customer so ("" sends nothing)."""

    function: str
    arguments: dict[str, Any]
    text: str
    reasons: tuple[Reason, ...] = ()
    kind: Literal["ask_approval"] = "ask_approval"


@dataclass(frozen=True, slots=True)
class HandOff:
    """Give the conversation to a person. ``text`` is the announcement to the customer and is never empty."""

    reason: HandOffReason
    text: str
    summary: str
    """For the operator: what the customer wants."""
    reasons: tuple[Reason, ...] = ()
    collected: Mapping[str, Any] = field(default_factory=dict)
    """The parameters that the customer has given so far (JSON values)."""
    next_step: str = ""
    """For the operator: what to do first."""
    announce: bool = True
    """Whether the policy lets the announcement go out by itself; if not, it is offered as a suggestion."""
    kind: Literal["hand_off"] = "hand_off"


@dataclass(frozen=True, slots=True)
class StaySilent:
    """Say nothing (a thank-you, a reaction, policy off)."""

    reasons: tuple[Reason, ...] = ()
    kind: Literal["stay_silent"] = "stay_silent"


Decision = Reply | Suggest | AskApproval | HandOff | StaySilent


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A business function call of this turn as the trace shows it."""

    function: str
    arguments: dict[str, Any]
    outcome: Literal["succeeded", "business_error", "failed", "unknown", "awaiting_approval"]
    result: Any = None
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One answer of the language model in this turn, or the lack of one (``finish_reason`` "error")."""

    model: str
    finish_reason: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class TurnTrace:
    """All that explains a turn (promise 3 of the design)."""

    prompt_bundle: str = ""
    model: str | None = None
    intent: str | None = None
    confidence: float | None = None
    alternatives: tuple[tuple[str, float], ...] = ()
    language: str = "pt"
    tool_calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0
    """Millionths of the currency in which the tenant's model prices are given."""
    stages_ms: dict[str, float] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    """The claim ledger of what a language model wrote; empty for texts that are made from templates."""
    model_calls: tuple[ModelCall, ...] = ()
    masked: bool = False
    """Whether the language model saw placeholders instead of personal data."""
    approval_id: str | None = None
    """The approval that this turn carried out, if it is one's outcome."""
