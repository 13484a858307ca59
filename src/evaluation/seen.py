"""What came of a step or of a whole case, in the terms in which expectations ask about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from agent.turn import TurnResult
from domain.conversation import Status
from domain.decisions import AskApproval, Decision, HandOff, Reason, Reply, Source, Suggest, ToolCall

Records = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class SeenTurn:
    """One run of the agent that decided something."""

    result: TurnResult
    latency_ms: float

    @property
    def decision(self) -> Decision:
        """Never missing: a turn without a decision is not seen."""
        if self.result.decision is None:
            raise ValueError("a turn without a decision")
        return self.result.decision

    @property
    def text(self) -> str:
        """The reply, suggestion or announcement; "" for silence."""
        return getattr(self.decision, "text", "")

    @property
    def handoff_reason(self) -> str | None:
        return self.decision.reason if isinstance(self.decision, HandOff) else None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return self.decision.reasons

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """Functions that ran, then the one that waits for approval."""
        ran = self.result.trace.tool_calls
        if isinstance(self.decision, AskApproval):
            asked = ToolCall(self.decision.function, self.decision.arguments, "awaiting_approval")
            ran = (*(call for call in ran if call.outcome != "awaiting_approval"), asked)
        return ran

    @property
    def sources(self) -> Iterator[str]:
        """Refs of what the text was made from."""
        given: Sequence[Source] = self.decision.sources if isinstance(self.decision, Reply | Suggest) else ()
        yield from (source.ref for source in given)
        yield from (call.function for call in self.result.trace.tool_calls if call.outcome == "succeeded")

    @property
    def collected(self) -> dict[str, Any]:
        """Parameters that are known by now, wherever they were kept."""
        found: dict[str, Any] = {}
        for call in self.calls:
            found |= call.arguments
        if isinstance(self.decision, HandOff):
            found |= self.decision.collected
        return found | dict(self.result.dialogue.get("values") or {})

    @property
    def asked(self) -> str | None:
        """The parameter that the customer was asked for."""
        asked: str | None = self.result.dialogue.get("asked")
        return asked

    def as_document(self) -> dict[str, Any]:
        """As JSON values, for the report."""
        return {
            "decision": asdict(self.decision),
            "trace": asdict(self.result.trace),
            "language": self.result.language,
            "asked": self.asked,
            "latency_ms": round(self.latency_ms, 1),
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one step, or of all steps together. ``before`` and ``after``: the business data around it."""

    turns: tuple[SeenTurn, ...]
    received: tuple[str, ...]
    status: Status
    opted_out: bool
    before: Records
    after: Records
    today: date

    @property
    def last(self) -> SeenTurn | None:
        """The turn that decided last."""
        return self.turns[-1] if self.turns else None

    @property
    def texts(self) -> tuple[str, ...]:
        """All that the agent would say, and all that reached the customer, each once."""
        said = (turn.text for turn in self.turns)
        return tuple(dict.fromkeys(text for text in (*said, *self.received) if text))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """Functions that ran or wait, in order. One that was approved counts once, with what came of it."""
        every = [call for turn in self.turns for call in turn.calls]
        return tuple(
            call
            for place, call in enumerate(every)
            if call.outcome != "awaiting_approval"
            or not any((one.function, one.arguments) == (call.function, call.arguments) for one in every[place + 1 :])
        )

    @property
    def cost_micros(self) -> int:
        return sum(turn.result.trace.cost_micros for turn in self.turns)

    @property
    def latency_ms(self) -> float:
        """Of the slowest turn; 0 where there was none."""
        return max((turn.latency_ms for turn in self.turns), default=0.0)

    @property
    def model_calls(self) -> int:
        return sum(len(turn.result.trace.model_calls) for turn in self.turns)
