"""Plays one scripted conversation through a running installation, and compares what happened with the script.

The customer's side goes through the simulator's HTTP door, the operator's through the desk; what came of it is read
from the database once nothing more is under way.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from domain.errors import AtendeError
from flows.demo_scripts import DemoMessage, DemoScript, DemoStep, Expectation, OperatorAction
from flows.desk import Actor, Desk

STEP_SECONDS = 90.0
"""How long a step may take, a busy machine and the loading of the encoder included."""
_FIRST_LOOK_SECONDS = 0.05
_LONGEST_LOOK_SECONDS = 0.4

_STATE = """
SELECT c.id, c.status,
       NOT EXISTS (SELECT 1 FROM queue.procrastinate_jobs j
                    WHERE j.lock = 'conversation:' || c.id AND j.status IN ('todo', 'doing'))
   AND NOT EXISTS (SELECT 1 FROM outbox_message o
                    WHERE o.conversation_id = c.id AND o.state IN ('queued', 'sending')) AS settled,
       (SELECT s.id FROM suggestion s WHERE s.conversation_id = c.id AND s.status = 'pending'
         ORDER BY s.created_at DESC LIMIT 1) AS suggestion,
       (SELECT p.id FROM approval p WHERE p.conversation_id = c.id AND p.status = 'pending'
         ORDER BY p.created_at DESC LIMIT 1) AS approval
  FROM conversation c JOIN contact_address a ON a.contact_id = c.contact_id
 WHERE c.channel_session_id = $1 AND a.kind = 'simulator' AND a.value = $2
"""
_TURNS = """
SELECT id, decision, intent, confidence, trace, latency_ms FROM turn
 WHERE conversation_id = $1 AND status = 'decided' ORDER BY created_at
"""


class StuckError(AtendeError):
    """A step's consequences did not come to an end in time."""

    def __init__(self, script: str, step: int) -> None:
        super().__init__(
            f"In script {script}, step {step} was still under way after {STEP_SECONDS:.0f} s.",
            hint="Look at the log lines above; a worker that cannot start is the usual cause.",
        )
        self.script = script
        self.step = step


class DoorError(AtendeError):
    """The simulator's door did not take a message."""

    def __init__(self, script: str, status: int) -> None:
        super().__init__(
            f"In script {script}, the simulator's door answered {status}.", hint="See the log lines above."
        )
        self.script = script
        self.status = status


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


@dataclass(frozen=True, slots=True)
class Stage:
    """The running installation that scripts are played in. ``look`` reads all tables, the queue's included."""

    http: httpx.AsyncClient
    look: asyncpg.Pool
    desk: Desk
    numbers: Mapping[str, UUID]
    operators: Mapping[str, Actor]
    """By e-mail; the first is meant where a script names none."""


class Conversation:
    """One script on the stage."""

    def __init__(self, stage: Stage, script: DemoScript) -> None:
        self._stage = stage
        self._script = script
        self._number = stage.numbers[script.number] if script.number else next(iter(stage.numbers.values()))
        self._turns: set[UUID] = set()
        self._received = 0

    async def play(self) -> Played:
        """All steps. Raises StuckError, DoorError or what httpx and asyncpg raise when the installation fails."""
        played = Played(self._script)
        await self._catch_up()
        for position, step in enumerate(self._script.steps):
            started = time.monotonic()
            problem = await self._act(step)
            state = await self._settled(position + 1)
            turns, received = await self._news(state["id"])
            seen = StepSeen(turns, received, state["status"], time.monotonic() - started)
            problems = [problem] if problem else list(mismatches(step.expect, seen))
            played.steps.append(
                StepSeen(seen.turns, seen.received, seen.status, seen.seconds, problems=tuple(problems))
            )
            if problem:
                break
        return played

    async def _catch_up(self) -> None:
        """Pass over what an earlier script of the same customer left."""
        state = await self._state()
        if state is not None:
            await self._news(state["id"])

    async def _act(self, step: DemoStep) -> str | None:
        """Take the step; returns why it cannot be taken."""
        for message in step.say:
            await self._say(message)
        return await self._operate(step.operator) if step.operator else None

    async def _say(self, message: DemoMessage) -> None:
        contact = self._script.contact
        answer = await self._stage.http.post(
            f"/simulator/{self._number}/messages",
            json={
                "contact": contact.phone,
                "name": contact.name,
                "id": uuid.uuid4().hex,
                "text": message.text,
                "kind": message.kind.value,
            },
        )
        if not answer.is_success:
            raise DoorError(self._script.name, answer.status_code)

    async def _operate(self, action: OperatorAction) -> str | None:
        desk, state = self._stage.desk, await self._state()
        actor = self._stage.operators[action.by] if action.by else next(iter(self._stage.operators.values()))
        if state is None:
            return "there is no conversation yet"
        if action.do in {"approve", "edit", "reject"} and state["suggestion"] is None:
            return "no suggestion is pending"
        if action.do in {"approve_call", "reject_call"} and state["approval"] is None:
            return "no business function waits for approval"
        try:
            match action.do:
                case "approve":
                    await desk.approve(actor, state["suggestion"])
                case "edit":
                    await desk.approve(actor, state["suggestion"], text=action.text)
                case "reject":
                    await desk.reject(actor, state["suggestion"], action.text)
                case "approve_call" | "reject_call":
                    await desk.decide_call(actor, state["approval"], approved=action.do == "approve_call")
                case "reply":
                    await desk.reply(actor, state["id"], action.text)
                case "claim":
                    await desk.claim(actor, state["id"])
                case "return":
                    await desk.return_to_bot(actor, state["id"])
                case "close":
                    await desk.close(actor, state["id"])
        except AtendeError as error:
            return f"the operator was refused: {error}"
        return None

    async def _state(self) -> asyncpg.Record | None:
        return await self._stage.look.fetchrow(_STATE, self._number, self._script.contact.phone)

    async def _settled(self, step: int) -> asyncpg.Record:
        """The conversation once no job and no message of it is under way: both are made with what causes them."""
        end, pause = time.monotonic() + STEP_SECONDS, _FIRST_LOOK_SECONDS
        while time.monotonic() < end:
            state = await self._state()
            if state is not None and state["settled"]:
                return state
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, _LONGEST_LOOK_SECONDS)
        raise StuckError(self._script.name, step)

    async def _news(self, conversation_id: UUID) -> tuple[tuple[TurnSeen, ...], tuple[str, ...]]:
        rows = await self._stage.look.fetch(_TURNS, conversation_id)
        turns = tuple(TurnSeen.of(row) for row in rows if row["id"] not in self._turns)
        self._turns |= {row["id"] for row in rows}
        answer = await self._stage.http.get(f"/simulator/{self._number}/received", params={"after": self._received})
        answer.raise_for_status()
        arrived = answer.json()
        self._received = max([self._received, *(one["seq"] for one in arrived)])
        return turns, tuple(one["text"] for one in arrived if one["contact"] == self._script.contact.phone)


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
