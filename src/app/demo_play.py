"""Plays one scripted conversation through a running installation, and compares what happened with the script.

The customer's side goes through the simulator's HTTP door, the operator's through the desk; what came of it is read
from the database once nothing more is under way.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import httpx

from domain.errors import AtendeError
from flows.demo_outcomes import Played, StepSeen, TurnSeen, mismatches
from flows.demo_scripts import DemoMessage, DemoScript, DemoStep, OperatorAction
from flows.desk import Actor, Desk
from flows.stopping import KillSwitch

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
class Stage:
    """The running installation that scripts are played in. ``look`` reads all tables, the queue's included."""

    http: httpx.AsyncClient
    look: asyncpg.Pool
    desk: Desk
    numbers: Mapping[str, UUID]
    operators: Mapping[str, Actor]
    """By e-mail; the first is meant where a script names none."""
    switch: KillSwitch


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
        state = await self._state()
        actor = self._stage.operators[action.by] if action.by else next(iter(self._stage.operators.values()))
        if state is None:
            return "there is no conversation yet"
        if action.do in {"approve", "edit", "reject"} and state["suggestion"] is None:
            return "no suggestion is pending"
        if action.do in {"approve_call", "reject_call"} and state["approval"] is None:
            return "no business function waits for approval"
        try:
            await self._do(action, actor, state)
        except AtendeError as error:
            return f"the operator was refused: {error}"
        return None

    async def _do(self, action: OperatorAction, actor: Actor, state: asyncpg.Record) -> None:
        desk, switch, conversation = self._stage.desk, self._stage.switch, state["id"]
        works: dict[str, Callable[[], Awaitable[object]]] = {
            "approve": lambda: desk.approve(actor, state["suggestion"]),
            "edit": lambda: desk.approve(actor, state["suggestion"], text=action.text),
            "reject": lambda: desk.reject(actor, state["suggestion"], "other", action.text),
            "approve_call": lambda: desk.decide_call(actor, state["approval"], approved=True),
            "reject_call": lambda: desk.decide_call(actor, state["approval"], approved=False),
            "reply": lambda: desk.reply(actor, conversation, action.text),
            "claim": lambda: desk.claim(actor, conversation),
            "return": lambda: desk.return_to_bot(actor, conversation),
            "close": lambda: desk.close(actor, conversation),
            "tag": lambda: desk.tag(actor, conversation, [action.text]),
            "stop": lambda: switch.stop(actor.tenant_id, self._number, actor=str(actor)),
            "resume": lambda: switch.resume(actor.tenant_id, self._number, actor=str(actor)),
        }
        await works[action.do]()

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
