"""Where conversations are played: one tenant in memory, the production graph, a clock, and who waits for a person."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from agent.classifier import Classification
from agent.graph import Agent
from agent.language import detect_language
from agent.language_model import LanguageModel
from agent.turn import CallFunction, CallResult, Passage, TurnContext
from domain.conversation import Event, Status
from domain.policy import Policy
from evaluation.conversation import Conversation
from evaluation.tenant import OfflineTenant
from flows.demo_scripts import DemoMessage, OperatorAction
from tools.declaration import BusinessFunction, ToolContext

_MOVES: Final = {"claim": Event.CLAIMED, "return": Event.RETURNED, "close": Event.CLOSED}

PolicyAt = Callable[[datetime], Policy]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What surrounds a conversation beside the tenant itself. All of it may be left as it is."""

    model: LanguageModel | None = None
    policy: PolicyAt | None = None
    """None: what the profile alone says, for an untagged contact of no number in particular."""
    passages: tuple[Passage, ...] = ()
    """Found first, whatever is searched for."""
    classify: Callable[[str], Awaitable[Classification]] | None = None
    """In place of the tenant's own."""
    canary: str = ""
    """See TurnContext: one that stays the same, for requests that are recorded."""


@dataclass(slots=True)
class Stage:
    """Conversations of one tenant, by key. They share its records, as in production."""

    tenant: OfflineTenant
    agent: Agent
    clock: Callable[[], datetime]
    around: Circumstances = field(default_factory=Circumstances)
    conversations: dict[str, Conversation] = field(default_factory=dict)

    async def say(self, conversation: Conversation, messages: Sequence[DemoMessage]) -> None:
        """The customer writes in quick succession; the agent answers all at once, unless a person holds it."""
        for message in messages:
            conversation.receive(message, self.clock(), forwarded=bool(getattr(message, "forwarded", False)))
        if conversation.unanswered():
            await self._turn(conversation)

    async def operate(self, action: OperatorAction, conversation: Conversation) -> str:
        """A person acts in the inbox; returns why that cannot be done, or "". Raises AtendeError when refused."""
        now, text = self.clock(), action.text.strip()
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

    async def _turn(self, conversation: Conversation) -> None:
        started = time.perf_counter()
        turn = conversation.as_input()
        trigger = turn.unanswered[-1].id
        language = detect_language(
            "\n".join(message.text for message in turn.unanswered),
            turn.language or self.tenant.profile.default_language,
            self.tenant.profile.languages,
        )
        result = await self.agent.run(turn, self._context(conversation, trigger, language))
        thread_id = None
        if result.approval is not None:
            thread_id = str(uuid.uuid4())
            await self.agent.start_approval(thread_id, result.approval)
        took = (time.perf_counter() - started) * 1000
        conversation.decide(result, self.clock(), upto=trigger, latency_ms=took, thread_id=thread_id)

    async def _decide_call(self, conversation: Conversation, *, approved: bool) -> None:
        started = time.perf_counter()
        call = conversation.take_call(approved=approved)
        language = conversation.language or self.tenant.profile.default_language
        context = self._context(conversation, call.trigger_message_id, language)
        result = await self.agent.resume_approval(call.thread_id, approved=approved, context=context)
        await self.agent.prune_approval(call.thread_id)
        conversation.settle(result, self.clock(), latency_ms=(time.perf_counter() - started) * 1000)

    def _context(self, conversation: Conversation, trigger: int, language: str) -> TurnContext:
        now = self.clock()
        return TurnContext(
            profile=self.tenant.profile,
            classify=self.around.classify or self.tenant.classify,
            search=self._search if self.around.passages else self.tenant.search,
            call=self._calls(conversation, trigger, language, now),
            now=now,
            model=self.around.model,
            queue_position=self._queue_position,
            identity=conversation.identity,
            policy=self.around.policy(now) if self.around.policy else None,
            canary=self.around.canary,
        )

    async def _search(self, query: str, language: str, limit: int) -> Sequence[Passage]:
        found = await self.tenant.search(query, language, limit)
        return [*self.around.passages, *found][:limit]

    def _calls(self, conversation: Conversation, trigger: int, language: str, now: datetime) -> CallFunction:
        tenant = self.tenant

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

    async def _queue_position(self, _intent: str | None) -> int:
        return 1 + sum(one.status is Status.WAITING for one in self.conversations.values())
