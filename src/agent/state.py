"""What flows through the graph. Only ``ready`` and ``approved`` are ever stored; the rest lives for one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypedDict

from langgraph.channels import UntrackedValue

from agent.classifier import Classification
from agent.dialogue import Dialogue
from agent.language_model import ModelAnswer, Usage
from agent.policy import policy_in
from agent.turn import IntentSpec, Passage, TurnContext, TurnInput
from domain.decisions import Claim, Decision, ModelCall, Reason, ReplyMode, ToolCall
from domain.policy import STRICTNESS

Step = Literal["act", "several", "converse", "answer", "decide"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the turn is about, as far as it is known."""

    text: str
    """All unanswered texts, one per line."""
    language: str
    mode: ReplyMode
    dialogue: Dialogue
    """As it will be remembered."""
    classification: Classification | None = None
    intent: IntentSpec | None = None
    """The intent being served; None while nothing matched confidently."""
    contact: Mapping[str, Any] | None = None
    rule: str = ""
    """Which rule of the reply policy gave ``mode``, for a person."""
    at_most: ReplyMode = ReplyMode.AUTO
    """A limit that no rule of the policy can lift."""

    def served_by(self, spec: IntentSpec, context: TurnContext) -> Reading:
        """With the intent that is served, and the policy's mode for it."""
        return replace(self, intent=spec).under(context, spec.name)

    def under(self, context: TurnContext, intent: str | None) -> Reading:
        """With the policy's mode for ``intent``; None: for what matched none."""
        choice = policy_in(context).choose(intent)
        return replace(self, mode=choice.mode, rule=choice.rule).capped(self.at_most)

    def capped(self, at_most: ReplyMode) -> Reading:
        """With that limit, beside any before."""
        limit = min(at_most, self.at_most, key=STRICTNESS.__getitem__)
        return replace(self, mode=min(self.mode, limit, key=STRICTNESS.__getitem__), at_most=limit)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What explains the turn so far; nodes hand it on with their part added."""

    reasons: tuple[Reason, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    model_calls: tuple[ModelCall, ...] = ()
    model_failed: bool = False
    stages_ms: Mapping[str, float] | None = None

    def because(self, code: str, detail: str = "") -> Evidence:
        return replace(self, reasons=(*self.reasons, Reason(code, detail)))

    def supported_by(self, reasons: tuple[Reason, ...]) -> Evidence:
        return replace(self, reasons=(*self.reasons, *reasons))

    def called(self, call: ToolCall) -> Evidence:
        return replace(self, calls=(*self.calls, call))

    def answered(self, answer: ModelAnswer, milliseconds: float) -> Evidence:
        """With what a language model used for an answer. ``model`` stays the one that wrote, whoever reads it again."""
        usage = answer.usage
        call = ModelCall(
            answer.model, answer.finish_reason, usage.input_tokens, usage.output_tokens, usage.cost_micros, milliseconds
        )
        calls = (*self.model_calls, call)
        return replace(self, usage=self.usage + usage, model_calls=calls)

    def written_by(self, answer: ModelAnswer, milliseconds: float) -> Evidence:
        """As ``answered``, by the model that writes the reply."""
        return replace(self.answered(answer, milliseconds), model=answer.model)

    def unanswered(self, model: str, milliseconds: float) -> Evidence:
        """With a language model's failure."""
        call = ModelCall(model, "error", duration_ms=milliseconds)
        return replace(self, model_calls=(*self.model_calls, call))

    def took(self, stage: str, milliseconds: float) -> Evidence:
        return replace(self, stages_ms={**(self.stages_ms or {}), stage: round(milliseconds, 3)})


class ReadyCall(TypedDict):
    """A business function with all it needs: about to run, or waiting for a person. JSON values only."""

    function: str
    arguments: dict[str, Any]
    ordinal: int
    """0 for the first call of this function in the turn, 1 for the second …"""
    intent: str | None
    language: str
    contact: dict[str, Any]
    """``id`` and ``name``, for the reply's template."""
    failures: int


class TurnState(TypedDict, total=False):
    """The graph's state. A run starts with ``turn``; an approval's run with ``ready`` alone."""

    ready: ReadyCall
    approved: bool
    turn: Annotated[TurnInput, UntrackedValue]
    wishes: Annotated[tuple[Any, ...], UntrackedValue]
    """Several wishes of one message (agent.wishes.Wish)."""
    reading: Annotated[Reading, UntrackedValue]
    draft: Annotated[Decision, UntrackedValue]
    """A decision before the reply policy; a HandOff still without its announcement."""
    evidence: Annotated[Evidence, UntrackedValue]
    from_template: Annotated[bool, UntrackedValue]
    """The draft's text is the tenant's own or Atende's, filled with results: supported by the way it was made. All else
    is checked claim by claim."""
    passages: Annotated[tuple[Passage, ...], UntrackedValue]
    """The knowledge that a language model was shown."""
    ledger: Annotated[tuple[Claim, ...], UntrackedValue]
    """The claims of a checked draft."""
    step: Annotated[Step, UntrackedValue]
    """The node that goes on."""
    needs_model: Annotated[bool, UntrackedValue]
    void: Annotated[bool, UntrackedValue]
    confirmed: Annotated[bool, UntrackedValue]
    """The customer has just said yes to exactly the ready call."""
    notices: Annotated[tuple[str, ...], UntrackedValue]
    """See TurnResult."""


def evidence_of(state: TurnState) -> Evidence:
    return state.get("evidence") or Evidence()
