"""One turn: read the conversation, let the agent decide, write the decision if nothing newer happened."""

from __future__ import annotations

import dataclasses
import logging
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from agent.turn import CallFunction, HistoryMessage, TenantProfile, TurnContext, TurnInput, TurnResult
from domain.conversation import Event, Status
from domain.decisions import (
    AskApproval,
    Decision,
    HandOff,
    HandOffReason,
    Reason,
    Reply,
    StaySilent,
    Suggest,
    TurnTrace,
)
from domain.messages import Author, MessageKind
from domain.text import storable, storable_json
from flows.calls import Caller, Calls
from flows.profiles import Brain, Profiles
from store import conversations, events, turns
from store.database import Connection, Database, Row
from store.jobs import MODEL_TURNS, TURNS, enqueue_turn
from store.wakeup import EVENTS, OUTBOX, Wakeup

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
APPROVAL_LIFETIME = timedelta(hours=24)
SHIPPED_FAILURE_TEXT = {
    "pt": "Tive um problema por aqui e vou te passar para uma pessoa da equipe. Ela responde assim que possível. 🙏",
    "es": "Tuve un problema por aquí y te paso con una persona del equipo. Te responderá lo antes posible. 🙏",
    "en": "Something went wrong on my side, so I'm passing you to a person of our team. They'll reply soon. 🙏",
}
"""Said when the agent itself failed again and again, so that it cannot say it: a handoff is always announced."""


class Agent(Protocol):
    """The graph, as the flows see it."""

    async def run(self, turn_input: TurnInput, context: TurnContext) -> TurnResult: ...


class Turns:
    """Runs turns. Safe to run twice, concurrently or late: the fence lets one of them write."""

    def __init__(self, db: Database, wakeup: Wakeup, agent: Agent, profiles: Profiles) -> None:
        self._db = db
        self._wakeup = wakeup
        self._agent = agent
        self._profiles = profiles

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
        if row is None or row["status"] != Status.BOT or not row["unanswered"]:
            return
        brain = await self._profiles.get(tenant_id, row["profile_version"])
        turn_input = as_input(row)
        read_ms = (time.monotonic() - started) * 1000
        context = self._context(tenant_id, row, brain, turn_input, may_call_model=on_model_queue)
        result = await self._agent.run(turn_input, context)
        if result.void:
            log.info("turn of conversation %s is void: refused by the fence before it acted", conversation_id)
            return
        if result.needs_model or result.decision is None:
            async with self._db.transaction(tenant_id) as tx:
                await enqueue_turn(tx, tenant_id, conversation_id, queue=MODEL_TURNS, attempt=attempt)
            self._wakeup.turn_waits(MODEL_TURNS)
            return
        trace = dataclasses.replace(result.trace, stages_ms={"read": read_ms, **result.trace.stages_ms})
        await self._write(tenant_id, row, dataclasses.replace(result, trace=trace), attempt, started)

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
        )

    def _calls(
        self, tenant_id: UUID, row: Row, profile: TenantProfile, turn_input: TurnInput, now: datetime
    ) -> CallFunction:
        caller = Caller(
            tenant_id=tenant_id,
            conversation_id=row["id"],
            contact_id=row["contact_id"],
            addresses=turn_input.contact_addresses,
            language=turn_input.language or profile.default_language,
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
            )

        return Calls(self._db, caller, still_current)

    async def _queue_position(self, tenant_id: UUID) -> int | None:
        async with self._db.transaction(tenant_id) as tx:
            waiting: int = await tx.fetchval("SELECT count(*) FROM conversation WHERE status = 'waiting'")
        return waiting + 1

    async def _write(self, tenant_id: UUID, row: Row, result: TurnResult, attempt: int, started: float) -> None:
        decision = result.decision
        if decision is None:
            raise ValueError("a turn without a decision cannot be written")
        turn_id = uuid.uuid4()
        text = "" if isinstance(decision, Suggest | StaySilent) else storable(decision.text)[0]
        trace = result.trace
        async with self._db.transaction(tenant_id) as tx:
            written = await turns.decide(
                tx,
                conversation_id=row["id"],
                fence=row["fence"],
                turn_id=turn_id,
                upto_message_id=row["unanswered"][-1][0],
                answered_before=row["answered_upto_id"],
                attempt=attempt,
                language=result.language,
                text=text,
                # The announcement of a handoff is owed whatever comes next; all else gives way to newer messages.
                text_may_be_cancelled=not isinstance(decision, HandOff),
                decision=storable_json(dataclasses.asdict(decision)),
                intent=trace.intent,
                confidence=trace.confidence,
                prompt_bundle=trace.prompt_bundle,
                model=trace.model,
                trace=storable_json(dataclasses.asdict(trace)),
                dialogue=storable_json(dict(result.dialogue)),
                cost_micros=trace.cost_micros,
                latency_ms=(time.monotonic() - started) * 1000,
            )
            if written is None:
                log.info("turn of conversation %s is void: something newer happened", row["id"])
                return
            await _carry_out(
                tx, tenant_id, row["id"], turn_id, decision=decision, result=result, upto=row["unanswered"][-1][0]
            )
        self._wakeup.signal(EVENTS)
        if written["outbox_id"] is not None:
            self._wakeup.signal(OUTBOX)

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
        )
        result = TurnResult(decision, TurnTrace(language=language), language=language)
        await self._write(tenant_id, row, result, attempt, time.monotonic())


def as_input(row: Row) -> TurnInput:
    """The conversation as read, in the agent's terms."""
    return TurnInput(
        conversation_id=str(row["id"]),
        history=tuple(
            HistoryMessage(id_, Author(author), text, datetime.fromtimestamp(float(at), UTC), MessageKind(kind))
            for id_, kind, text, at, author in row["history"]
        ),
        unanswered=tuple(
            HistoryMessage(id_, Author.CONTACT, text, datetime.fromtimestamp(float(at), UTC), MessageKind(kind))
            for id_, kind, text, at in row["unanswered"]
        ),
        contact_id=str(row["contact_id"]),
        contact_name=row["name"] or row["push_name"],
        contact_addresses=tuple(row["addresses"] or ()),
        language=row["language"],
        dialogue=row["dialogue"][0] if row["dialogue"] else {},
        is_first_reply=not row["has_replied"],
    )


async def _carry_out(
    tx: Connection,
    tenant_id: UUID,
    conversation_id: UUID,
    turn_id: UUID,
    *,
    decision: Decision,
    result: TurnResult,
    upto: int,
) -> None:
    """The rows that a decision needs beside the turn and its message, in the same transaction."""
    payload: dict[str, Any]
    match decision:
        case Suggest(text=text):
            fence = await tx.fetchval("SELECT fence FROM conversation WHERE id = $1", conversation_id)
            suggestion_id = await tx.fetchval(
                "INSERT INTO suggestion (tenant_id, conversation_id, turn_id, text, fence) "
                "VALUES ($1, $2, $3, $4, $5) RETURNING id",
                tenant_id,
                conversation_id,
                turn_id,
                storable(text)[0],
                fence,
            )
            kind, payload = "suggestion.created", {"suggestion_id": str(suggestion_id)}
        case AskApproval(function=function, arguments=arguments):
            approval_id = await tx.fetchval(
                """INSERT INTO approval (tenant_id, conversation_id, turn_id, function, arguments, upto_message_id,
                                         language, expires_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8) RETURNING id""",
                tenant_id,
                conversation_id,
                turn_id,
                function,
                storable_json(arguments),
                upto,
                result.language,
                APPROVAL_LIFETIME,
            )
            kind, payload = "approval.created", {"approval_id": str(approval_id), "function": function}
        case HandOff(reason=reason, text=text, summary=summary):
            await conversations.apply(tx, conversation_id, Event.HANDED_OFF, actor="bot")
            await tx.execute(
                "INSERT INTO handoff (tenant_id, conversation_id, turn_id, reason, summary, announcement) "
                "VALUES ($1, $2, $3, $4, $5, $6)",
                tenant_id,
                conversation_id,
                turn_id,
                reason.value,
                storable(summary)[0],
                storable(text)[0],
            )
            return
        case Reply() | StaySilent():
            return
    await events.append(tx, tenant_id, kind, conversation_id=conversation_id, payload=payload, actor="bot")
