"""One turn: read the conversation, let the agent decide, write the decision if nothing newer happened."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from agent.graph import Agent
from agent.language import detect_language
from agent.policy import policy_of
from agent.turn import CallFunction, HistoryMessage, Spent, TenantProfile, TurnContext, TurnInput, TurnResult
from domain.conversation import Status
from domain.decisions import AskApproval, HandOff, HandOffReason, Reason, Reply, ReplyMode, TurnTrace
from domain.messages import Author, MessageKind
from domain.policy import Policy
from flows import decisions, observed, untold
from flows.calls import Caller, Calls
from flows.delivery import Delivery
from flows.profiles import Brain, Profiles
from flows.transcripts import ReadingLimits, Transcripts, unread, with_costs
from flows.typing import TypingIndicator
from store import conversations, turns
from store.database import Connection, Database, Row
from store.jobs import MODEL_TURNS, TURNS, enqueue_turn
from store.wakeup import EVENTS, Wakeup

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
_SOON = 0.02
SHIPPED_FAILURE_TEXT = {
    "pt": "Tive um problema por aqui e vou te passar para uma pessoa da equipe. Ela responde assim que possível. 🙏",
    "es": "Tuve un problema por aquí y te paso con una persona del equipo. Te responderá lo antes posible. 🙏",
    "en": "Something went wrong on my side, so I'm passing you to a person of our team. They'll reply soon. 🙏",
}
"""Said when the agent itself failed again and again, so that it cannot say it: a handoff is always announced."""


class Turns:
    """Runs turns. Safe to run twice, concurrently or late: the fence lets one of them write."""

    def __init__(self, db: Database, wakeup: Wakeup, agent: Agent, profiles: Profiles, delivery: Delivery) -> None:
        self._db = db
        self._wakeup = wakeup
        self._delivery = delivery
        self._agent = agent
        self._profiles = profiles
        self._typing = TypingIndicator(delivery)
        self._transcripts = Transcripts(db, profiles.media_store, agent.prompts)

    async def run(
        self, tenant_id: UUID, conversation_id: UUID, *, attempt: int = 1, on_model_queue: bool = False
    ) -> None:
        """Run the conversation's turn if a message waits. A failure enqueues its own follow-up and never raises."""
        try:
            await self._run(tenant_id, conversation_id, attempt, on_model_queue)
        except Exception as error:
            log.exception("turn of conversation %s failed (attempt %d)", conversation_id, attempt)
            await self._after_failure(tenant_id, conversation_id, attempt, error, on_model_queue)

    async def _run(self, tenant_id: UUID, conversation_id: UUID, attempt: int, on_model_queue: bool) -> None:
        started = time.monotonic()
        row = await self._read(tenant_id, conversation_id)
        if row is None or row["status"] != Status.BOT:
            return
        if not row["unanswered"]:
            if row["last_inbound_id"] > row["answered_upto_id"]:
                async with self._db.transaction(tenant_id) as tx:
                    await turns.nothing_to_answer(tx, conversation_id, row["fence"])
            return
        brain = await self._profiles.get(tenant_id, row["profile_version"])
        if brain.reader is not None and unread(row) and await self._may_read(tenant_id, row, brain.profile):
            await self._after_reading(tenant_id, row, brain, attempt, on_model_queue=on_model_queue)
            return
        turn_input = as_input(row)
        read_ms = (time.monotonic() - started) * 1000
        context = self._context(tenant_id, row, brain, turn_input, may_call_model=on_model_queue)
        typing = self._typing.begin(row) if self._shows_typing(row, context.policy, on_model_queue) else None
        follows = False
        try:
            result = await observed.run_agent(self._agent, tenant_id, turn_input, context)
            follows = result.needs_model or isinstance(result.decision, Reply | HandOff | AskApproval)
        finally:
            if typing is not None:
                typing.end(message_follows=follows)
        if result.void:
            log.info("turn of conversation %s is void: refused by the fence before it acted", conversation_id)
            await self._again_if_stopped(tenant_id, row, attempt)
            return
        if result.needs_model or result.decision is None:
            await self._where_it_may_wait(tenant_id, conversation_id, attempt)
            return
        trace = dataclasses.replace(result.trace, stages_ms={"read": read_ms, **result.trace.stages_ms})
        result = with_costs(row, dataclasses.replace(result, trace=trace))
        await self._write(tenant_id, row, result, attempt, started)

    def _shows_typing(self, row: Row, policy: Policy | None, on_model_queue: bool) -> bool:
        """Whether the customer may see that an answer is coming: only where one may go out by itself."""
        if policy is None or row["stopped"] or row["settings"].get("pacing", {}).get("show_typing", True) is not True:
            return False
        return policy.choose().mode is ReplyMode.AUTO if on_model_queue else policy.may_reply_any()

    async def _where_it_may_wait(
        self, tenant_id: UUID, conversation_id: UUID, attempt: int, wait: timedelta | None = None
    ) -> None:
        async with self._db.transaction(tenant_id) as tx:
            await enqueue_turn(tx, tenant_id, conversation_id, queue=MODEL_TURNS, wait=wait, attempt=attempt)
        if wait is None:
            # Not before this job is done: the two share the conversation's lock.
            asyncio.get_running_loop().call_later(_SOON, self._wakeup.turn_waits, MODEL_TURNS)

    async def _after_reading(
        self, tenant_id: UUID, row: Row, brain: Brain, attempt: int, *, on_model_queue: bool
    ) -> None:
        """Have the customer's files read, then run the turn on what the conversation is by then."""
        if not on_model_queue or brain.reader is None:
            await self._where_it_may_wait(tenant_id, row["id"], attempt)
            return
        language = row["language"] or brain.profile.default_language
        policy = policy_for(row, brain.profile, datetime.now(UTC))
        typing = self._typing.begin(row) if self._shows_typing(row, policy, on_model_queue=True) else None
        try:
            late = await self._transcripts.read(row, brain.reader, brain.profile, language)
        finally:
            if typing is not None:
                typing.end(message_follows=True)
        if late is not None:
            # The job ends meanwhile: a late file delays this conversation only, and holds no place in the queue.
            await self._where_it_may_wait(tenant_id, row["id"], attempt, late)
            return
        self._wakeup.signal(EVENTS)
        await self._run(tenant_id, row["id"], attempt, on_model_queue)

    async def _may_read(self, tenant_id: UUID, row: Row, profile: TenantProfile) -> bool:
        """Whether files go to the endpoint: not where personal data must not, nor beyond what may be spent."""
        if profile.mask_model_prompts or not ReadingLimits.of(row["settings"]).enabled:
            return False
        terms = profile.hand_off
        if terms.cost_per_day_micros is None and terms.cost_per_conversation_micros is None:
            return True
        spent = await self._spent(tenant_id, row["id"], datetime.now(profile.timezone))
        return not (
            (terms.cost_per_day_micros is not None and spent.today_micros >= terms.cost_per_day_micros)
            or (
                terms.cost_per_conversation_micros is not None
                and spent.conversation_micros >= terms.cost_per_conversation_micros
            )
        )

    async def _read(self, tenant_id: UUID, conversation_id: UUID) -> Row | None:
        async with self._db.transaction(tenant_id) as tx:
            row = await turns.read(tx, conversation_id)
            if row is not None and row["has_stale"]:
                # An earlier reply was overtaken before it left: take it back first, then answer everything at once.
                await conversations.lock(tx, conversation_id)
                await turns.void_stale(tx, conversation_id)
                row = await turns.read(tx, conversation_id)
        return row

    def _context(
        self, tenant_id: UUID, row: Row, brain: Brain, turn_input: TurnInput, *, may_call_model: bool
    ) -> TurnContext:
        profile = brain.profile
        now = datetime.now(UTC)
        return TurnContext(
            profile=profile,
            classify=brain.classify,
            search=brain.search,
            call=self._calls(tenant_id, row, profile, turn_input, now),
            now=now,
            model=brain.model,
            may_call_model=may_call_model,
            queue_position=lambda: self._queue_position(tenant_id),
            policy=policy_for(row, profile, now),
            spent=lambda: self._spent(tenant_id, row["id"], now.astimezone(profile.timezone)),
        )

    def _calls(
        self, tenant_id: UUID, row: Row, profile: TenantProfile, turn_input: TurnInput, now: datetime
    ) -> CallFunction:
        caller = Caller(
            tenant_id=tenant_id,
            conversation_id=row["id"],
            contact_id=row["contact_id"],
            addresses=turn_input.contact_addresses,
            language=detect_language(
                "\n".join(message.text for message in turn_input.unanswered),
                turn_input.language or profile.default_language,
                profile.languages,
            ),
            timezone=profile.timezone,
            now=now,
            trigger_message_id=turn_input.unanswered[-1].id,
            answered_before=row["answered_upto_id"],
        )

        async def still_current(tx: Connection) -> bool:
            return (
                await tx.fetchval(
                    "SELECT 1 FROM conversation WHERE id = $1 AND fence = $2 AND status = 'bot' FOR UPDATE",
                    row["id"],
                    row["fence"],
                )
                is not None
                # A turn that began before the kill switch must not act any more; the next one asks a person first.
                and (row["stopped"] or not await turns.is_stopped(tx, row["id"]))
            )

        return Calls(self._db, caller, still_current)

    async def _spent(self, tenant_id: UUID, conversation_id: UUID, now: datetime) -> Spent:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        async with self._db.transaction(tenant_id) as tx:
            return Spent(*await turns.spent(tx, conversation_id, since=midnight))

    async def _queue_position(self, tenant_id: UUID) -> int | None:
        async with self._db.transaction(tenant_id) as tx:
            waiting: int = await tx.fetchval("SELECT count(*) FROM conversation WHERE status = 'waiting'")
        return waiting + 1

    async def _write(self, tenant_id: UUID, row: Row, result: TurnResult, attempt: int, started: float) -> None:
        approval_id: UUID | None = None
        if row["has_acted"]:
            brain = await self._profiles.get(tenant_id, row["profile_version"])
            announcement = self._agent.texts.say(brain.profile, "hand_off", result.language)
            async with self._db.transaction(tenant_id) as tx:
                announce = policy_for(row, brain.profile, datetime.now(UTC)).may_announce_any()
                result = await untold.answering_for(tx, row, result, announcement, announce=announce)
        if result.approval is not None:
            # The durable graph commits by itself, so it goes first: an approval without its thread could not resume.
            approval_id = uuid.uuid4()
            await self._agent.start_approval(str(approval_id), result.approval)
        async with self._db.transaction(tenant_id) as tx:
            written = await decisions.write(
                tx,
                row,
                result,
                upto_message_id=row["unanswered"][-1][0],
                attempt=attempt,
                latency_ms=(time.monotonic() - started) * 1000,
                approval_id=approval_id,
            )
        if written is None:
            log.info("turn of conversation %s is void: something newer happened", row["id"])
            await self._again_if_stopped(tenant_id, row, attempt)
            if approval_id is not None:
                await self._agent.prune_approval(str(approval_id))
            return
        self._wakeup.signal(EVENTS)
        if written["outbox_id"] is not None:
            self._delivery.start(tenant_id, row["id"], written["channel_session_id"], written["outbox_id"])

    async def _again_if_stopped(self, tenant_id: UUID, row: Row, attempt: int) -> None:
        """The kill switch came in between: the turn runs again and reads it."""
        async with self._db.transaction(tenant_id) as tx:
            if row["stopped"] or not await turns.is_stopped(tx, row["id"]):
                return
            await enqueue_turn(tx, tenant_id, row["id"], attempt=attempt)
        asyncio.get_running_loop().call_later(_SOON, self._wakeup.turn_waits, TURNS)

    async def _after_failure(
        self, tenant_id: UUID, conversation_id: UUID, attempt: int, error: Exception, on_model_queue: bool
    ) -> None:
        """Try again later; after the last attempt give the conversation to a person, announced."""
        if attempt < MAX_ATTEMPTS:
            async with self._db.transaction(tenant_id) as tx:
                await enqueue_turn(
                    tx,
                    tenant_id,
                    conversation_id,
                    queue=MODEL_TURNS if on_model_queue else TURNS,
                    wait=timedelta(seconds=2.0**attempt),
                    cap=timedelta(minutes=5),
                    attempt=attempt + 1,
                )
            return
        row = await self._read(tenant_id, conversation_id)
        if row is None or row["status"] != Status.BOT or not row["unanswered"]:
            return
        language = row["language"] or "pt"
        decision = HandOff(
            reason=HandOffReason.TOOL_FAILURE,
            text=SHIPPED_FAILURE_TEXT.get(language, SHIPPED_FAILURE_TEXT["pt"]),
            summary=f"The agent failed {attempt} times on this message ({type(error).__name__}); please answer it.",
            reasons=(Reason("agent_failed", f"{type(error).__name__}: {error}"),),
            announce=not row["stopped"] and _announces(row["settings"]),
        )
        result = TurnResult(decision, TurnTrace(language=language), language=language)
        await self._write(tenant_id, row, result, attempt, time.monotonic())


def policy_for(row: Row, profile: TenantProfile, now: datetime) -> Policy:
    """The reply policy for the conversation as read."""
    return policy_of(
        profile,
        now,
        number=row["number_key"],
        tags=row["tags"],
        promoted=row["promoted"],
        stopped=row["stopped"],
    )


def _announces(settings: Mapping[str, Any]) -> bool:
    """Whether handoffs are announced by the tenant's default, where its profile may be what failed."""
    mode = settings.get("reply_mode", "suggest")
    return mode == "auto" or mode in settings.get("announce_under", ())


def as_input(row: Row) -> TurnInput:
    """The conversation as read, in the agent's terms."""
    return TurnInput(
        conversation_id=str(row["id"]),
        history=tuple(
            HistoryMessage(
                id_, Author(author), text, datetime.fromtimestamp(float(at), UTC), MessageKind(kind), bool(forwarded)
            )
            for id_, kind, text, at, author, forwarded in row["history"]
        ),
        unanswered=tuple(
            HistoryMessage(
                id_, Author.CONTACT, text, datetime.fromtimestamp(float(at), UTC), MessageKind(kind), bool(forwarded)
            )
            for id_, kind, text, at, forwarded, _ in row["unanswered"]
        ),
        contact_id=str(row["contact_id"]),
        contact_name=row["name"] or row["push_name"],
        contact_addresses=tuple(row["addresses"] or ()),
        language=row["language"],
        dialogue=row["dialogue"][0] if row["dialogue"] else {},
        is_first_reply=not row["has_disclosed"],
        told_closed_at=row["told_closed_at"],
    )
