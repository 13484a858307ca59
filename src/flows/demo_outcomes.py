"""What came of a scripted conversation, and how it differs from its script.

Shared by all that play scripts: the whole product (``atende demo --check``) and the graph alone (``evals/offline.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.demo_scripts import DemoScript, Expectation


@dataclass(frozen=True, slots=True)
class TurnSeen:
    """A turn that decided something, as its row tells it."""

    decision: str
    text: str
    intent: str | None
    confidence: float | None
    handoff_reason: str | None
    functions: tuple[str, ...]
    calls: tuple[str, ...]
    reasons: tuple[str, ...]
    latency_ms: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> TurnSeen:
        decision, trace = row["decision"], row["trace"]
        calls = trace.get("tool_calls", ())
        functions = [call["function"] for call in calls]
        if decision.get("function"):
            functions.append(decision["function"])
        return cls(
            decision=decision["kind"],
            text=decision.get("text", ""),
            intent=row["intent"],
            confidence=row["confidence"],
            handoff_reason=decision.get("reason"),
            functions=tuple(dict.fromkeys(functions)),
            calls=tuple(_call(call) for call in calls),
            reasons=tuple(f"{reason['code']}: {reason['detail']}" for reason in decision.get("reasons", ())),
            latency_ms=row["latency_ms"],
        )


@dataclass(frozen=True, slots=True)
class StepSeen:
    """What came of one step. ``seconds``: from its first message until nothing more was under way."""

    turns: tuple[TurnSeen, ...]
    received: tuple[str, ...]
    status: str
    seconds: float
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Played:
    """A script as it went. It stops at the first step that cannot be taken."""

    script: DemoScript
    steps: list[StepSeen] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not any(step.problems for step in self.steps) and len(self.steps) == len(self.script.steps)


def mismatches(expect: Expectation, seen: StepSeen) -> Iterator[str]:
    """What differs from the script, in words; nothing: all is as it should be."""
    last = seen.turns[-1] if seen.turns else None
    decision = last.decision if last else "none"
    if expect.decision is not None and decision != expect.decision:
        yield f"decision {decision} instead of {expect.decision}"
    if expect.intent is not None and (last.intent if last else None) != expect.intent:
        yield f"intent {last.intent if last else None} instead of {expect.intent}"
    if expect.handoff_reason and (last.handoff_reason if last else None) not in list(expect.handoff_reason):
        wanted = " or ".join(expect.handoff_reason)
        yield f"handoff reason {last.handoff_reason if last else None} instead of {wanted}"
    if expect.function is not None and (last is None or expect.function not in last.functions):
        yield f"functions {list(last.functions) if last else []} without {expect.function}"
    text = last.text if last else ""
    yield from (f"the text lacks {part!r}: {text!r}" for part in expect.contains if not _holds(text, part))
    yield from (f"the text has {part!r}: {text!r}" for part in expect.lacks if _holds(text, part))
    if expect.turns is not None and len(seen.turns) != expect.turns:
        yield f"{len(seen.turns)} turns instead of {expect.turns}"
    if expect.status is not None and seen.status != expect.status:
        yield f"status {seen.status} instead of {expect.status}"
    if expect.received is not None:
        yield from _received(expect.received, seen.received)


def _received(expected: tuple[str, ...], received: tuple[str, ...]) -> Iterator[str]:
    if len(received) != len(expected):
        yield f"{len(received)} messages reached the customer instead of {len(expected)}: {list(received)}"
        return
    for part, text in zip(expected, received, strict=True):
        if not _holds(text, part):
            yield f"the customer got {text!r} without {part!r}"


def _holds(text: str, part: str) -> bool:
    return part.casefold() in text.casefold()


def _call(call: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call["arguments"].items())
    return f"{call['function']}({arguments}) {call['outcome']}"


def as_document(played: Sequence[Played], seconds: float) -> dict[str, Any]:
    """Scripts as they went, as JSON values: what both players print with ``--json``."""
    return {
        "scripts": len(played),
        "as_scripted": sum(one.passed for one in played),
        "seconds": round(seconds, 1),
        "conversations": [
            {
                "name": one.script.name,
                "title": one.script.title,
                "as_scripted": one.passed,
                "steps": [
                    {
                        "say": [message.text or f"[{message.kind}]" for message in step.say],
                        "operator": step.operator.do if step.operator else None,
                        **dataclasses.asdict(seen),
                    }
                    for step, seen in zip(one.script.steps, one.steps, strict=False)
                ],
            }
            for one in played
        ],
    }
