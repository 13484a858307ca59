"""Plays scripted conversations through the production graph, with everything around it in memory."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from langgraph.checkpoint.memory import InMemorySaver

from agent.encoder import Encoder
from agent.graph import build_agent
from agent.language import detect_language
from agent.turn import CallFunction, CallResult, TurnContext
from domain.conversation import Event, Status
from domain.errors import AtendeError
from evals.conversation import Conversation
from evals.tenant import OfflineTenant
from flows.demo_outcomes import Played, StepSeen, mismatches
from flows.demo_scripts import DemoScript, DemoStep, OperatorAction
from flows.tenant_declaration import TenantDeclaration
from tools.declaration import BusinessFunction, ToolContext

log = logging.getLogger(__name__)

_MOVES: Final = {"claim": Event.CLAIMED, "return": Event.RETURNED, "close": Event.CLOSED}

OnStep = Callable[[DemoScript, int, StepSeen], None]
"""Told of each step once it is over: the script, the step's position from 1, and what came of it."""


class Player:
    """One tenant and its customers. Scripts of one phone on one number continue one conversation."""

    def __init__(self, declaration: TenantDeclaration, encoder: Encoder, clock: Callable[[], datetime]) -> None:
        today = clock().astimezone(ZoneInfo(declaration.settings.timezone)).date()
        self._tenant = OfflineTenant(declaration, encoder, today=today)
        self._first_number = declaration.settings.numbers[0].key
        self._agent = build_agent(InMemorySaver())
        self._clock = clock
        self._conversations: dict[str, Conversation] = {}

    async def play(self, script: DemoScript, on_step: OnStep) -> Played:
        """All steps, up to one that cannot be taken."""
        key = f"{script.number or self._first_number}/{script.contact.phone}"
        conversation = self._conversations.setdefault(key, Conversation(key, script.contact))
        conversation.contact = script.contact
        played = Played(script)
        for position, step in enumerate(script.steps, 1):
            turns, received, started = len(conversation.turns), len(conversation.received), time.perf_counter()
            problem = await self._try(step, conversation)
            seen = StepSeen(
                turns=tuple(conversation.turns[turns:]),
                received=tuple(conversation.received[received:]),
                status=conversation.status,
                seconds=time.perf_counter() - started,
            )
            problems = (problem,) if problem else tuple(mismatches(step.expect, seen))
            played.steps.append(replace(seen, problems=problems))
            on_step(script, position, played.steps[-1])
            if problem:
                break
        return played

    async def _try(self, step: DemoStep, conversation: Conversation) -> str:
        """Take the step; returns why it cannot be taken, or ""."""
        try:
            return await self._act(step, conversation)
        except AtendeError as error:
            what = "the operator was refused" if step.operator else "the turn failed"
            return f"{what}: {error.sentence()}"
        except Exception as error:  # what breaks the graph is a finding about this script, not the end of the run
            log.exception("a turn failed")
            return f"the turn failed: {type(error).__name__}: {error}"

    async def _act(self, step: DemoStep, conversation: Conversation) -> str:
        if step.operator:
            return await self._operate(step.operator, conversation)
        for message in step.say:
            conversation.receive(message, self._clock())
        if conversation.unanswered():
            await self._turn(conversation)
        return ""

    async def _turn(self, conversation: Conversation) -> None:
        started = time.perf_counter()
        turn = conversation.as_input()
        trigger = turn.unanswered[-1].id
        language = detect_language(
            "\n".join(message.text for message in turn.unanswered),
            turn.language or self._tenant.profile.default_language,
            self._tenant.profile.languages,
        )
        result = await self._agent.run(turn, self._context(conversation, trigger, language))
        thread_id = None
        if result.approval is not None:
            thread_id = str(uuid.uuid4())
            await self._agent.start_approval(thread_id, result.approval)
        took = (time.perf_counter() - started) * 1000
        conversation.decide(result, self._clock(), upto=trigger, latency_ms=took, thread_id=thread_id)

    async def _operate(self, action: OperatorAction, conversation: Conversation) -> str:
        now, text = self._clock(), action.text.strip()
        if not conversation.messages:
            return "there is no conversation yet"
        match action.do:
            case "approve" | "edit" | "reject" if conversation.suggestion is None:
                return "no suggestion is pending"
            case "approve_call" | "reject_call" if not conversation.calls:
                return "no business function waits for approval"
            case "approve" | "edit":
                conversation.approve(now, text if action.do == "edit" else "")
            case "reject":
                conversation.suggestion = None
            case "approve_call" | "reject_call":
                await self._decide_call(conversation, approved=action.do == "approve_call")
            case "reply":
                conversation.reply(text, now)
            case "claim" | "return" | "close":
                conversation.move(_MOVES[action.do])
                conversation.suggestion = None
        return ""

    async def _decide_call(self, conversation: Conversation, *, approved: bool) -> None:
        started = time.perf_counter()
        call = conversation.take_call(approved=approved)
        language = conversation.language or self._tenant.profile.default_language
        context = self._context(conversation, call.trigger_message_id, language)
        result = await self._agent.resume_approval(call.thread_id, approved=approved, context=context)
        await self._agent.prune_approval(call.thread_id)
        conversation.settle(result, self._clock(), latency_ms=(time.perf_counter() - started) * 1000)

    def _context(self, conversation: Conversation, trigger: int, language: str) -> TurnContext:
        now = self._clock()
        return TurnContext(
            profile=self._tenant.profile,
            classify=self._tenant.classify,
            search=self._tenant.search,
            call=self._calls(conversation, trigger, language, now),
            now=now,
            queue_position=self._queue_position,
            identity=conversation.identity,
        )

    def _calls(self, conversation: Conversation, trigger: int, language: str, now: datetime) -> CallFunction:
        tenant = self._tenant

        async def call(function: BusinessFunction, arguments: Mapping[str, Any], ordinal: int) -> CallResult:
            started = time.perf_counter()
            context = ToolContext(
                tenant_id=tenant.profile.id,
                contact_id=f"contact-{conversation.contact.phone}",
                contact_addresses=conversation.addresses,
                language=language,
                timezone=tenant.profile.timezone,
                now=now,
                records=tenant.records,
                idempotency_key=f"{conversation.id}/{trigger}/{function.name}/{ordinal}",
            )
            result = await tenant.call(function, arguments, context)
            return replace(result, duration_ms=(time.perf_counter() - started) * 1000)

        return call

    async def _queue_position(self) -> int:
        return 1 + sum(one.status is Status.WAITING for one in self._conversations.values())


async def play_scripts(
    declaration: TenantDeclaration,
    scripts: Sequence[DemoScript],
    encoder: Encoder,
    clock: Callable[[], datetime],
    on_step: OnStep = lambda *_: None,
) -> list[Played]:
    """One after the other, in the order given, over one set of records. Raises EncoderUnavailableError."""
    player = Player(declaration, encoder, clock)
    return [await player.play(script, on_step) for script in scripts]
