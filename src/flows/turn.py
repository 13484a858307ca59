"""One turn: read the conversation, let the agent decide, write the decision if nothing newer happened."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from agent.budgeted_model import BudgetedModel
from agent.graph import Agent
from agent.language import detect_language
from agent.language_model import Usage
from agent.turn import CallFunction, TenantProfile, TurnContext, TurnInput, TurnResult
from domain.conversation import Status
from domain.decisions import AskApproval, HandOff, HandOffReason, Reason, Reply, ReplyMode, TurnTrace
from domain.policy import Policy
from flows import decisions, observed, untold
from flows.budgets import Spendings, TurnBudget, turn_budget
from flows.calls import Caller, Calls
from flows.delivery import Delivery, Route
from flows.identity import identity_of
from flows.profiles import Brain, Profiles
from flows.suggest_now import at_most_suggested
from flows.summaries import Summaries
from flows.teams import team_for
from flows.transcripts import ReadingLimits, Transcripts, unread, with_costs
from flows.turn_input import as_input, policy_for
from flows.typing import TypingIndicator
from store import conversations, turns
from store.database import Connection, Database, Row
from store.jobs import MODEL_TURNS, TURNS, enqueue_turn
from store.together import Together
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Run:
    """One run of a turn; ``started`` is of ``time.monotonic``."""

    attempt: int
    on_model_queue: bool
    may_call_model: bool
    started: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Decided:
    """A decision about to be written. ``route``: how its message leaves, where this process can send it."""

    row: Row
    result: TurnResult
    attempt: int
    latency_ms: float
    approval_id: UUID | None
    route: Route | None


class Turns:
    """Runs turns. Safe to run twice, concurrently or late: the fence lets one of them write."""

    def __init__(self, db: Database, wakeup: Wakeup, agent: Agent, profiles: Profiles, delivery: Delivery) -> None:
        self._db = db
        self._wakeup = wakeup
        self._delivery = delivery
        self._agent = agent
        self._profiles = profiles
        self.summaries = Summaries(db, agent)
        self._typing = TypingIndicator(delivery)
        self._transcripts = Transcripts(db, profiles.media_store, agent.prompts)
        self._spendings = Spendings(db)
        self._reading = Together(db, turns.read_many, order=str)
        self._writing = Together(db, self._write_together, order=lambda decided: str(decided.row["id"]), at_most=8)
        self.model_places = 0
        """How many turns of the quick queue may wait for a language model where they are, in this process. The rest
        moves to the model's queue. The quick queue must have so many places more than others need."""

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
        has_place = not on_model_queue and self.model_places > 0
        self.model_places -= has_place
        try:
            run = _Run(attempt, on_model_queue, on_model_queue or has_place, time.monotonic())
            await self._run_once(tenant_id, conversation_id, run)
        finally:
            self.model_places += has_place

    async def _run_once(self, tenant_id: UUID, conversation_id: UUID, run: _Run) -> None:
        row = await self._read(tenant_id, conversation_id)
        if row is None or row["status"] != Status.BOT:
            return
        if not row["unanswered"]:
            if row["last_inbound_id"] > row["answered_upto_id"]:
                async with self._db.transaction(tenant_id) as tx:
                    await turns.nothing_to_answer(tx, conversation_id, row["fence"])
            return
        brain = (await self._profiles.get(tenant_id, row["profile_version"])).for_contact(row["contact_id"])
        budget = turn_budget(self._spendings, row, brain.profile)
        try:
            if brain.reader is not None and unread(row) and await self._may_read(row, brain.profile, budget):
                await self._after_reading(tenant_id, row, brain, budget, run)
            else:
                await self._decide(tenant_id, row, brain, budget, run)
        finally:
            await budget.close()

    async def _decide(self, tenant_id: UUID, row: Row, brain: Brain, budget: TurnBudget, run: _Run) -> None:
        turn_input = as_input(row)
        read_ms = (time.monotonic() - run.started) * 1000
        context = self._context(tenant_id, row, brain, turn_input, budget, may_call_model=run.may_call_model)
        typing = self._typing.begin(row) if self._shows_typing(row, context.policy, run.on_model_queue) else None
        follows = False
        try:
            result = await observed.run_agent(self._agent, tenant_id, turn_input, context)
            follows = result.needs_model or isinstance(result.decision, Reply | HandOff | AskApproval)
        finally:
            if typing is not None:
                typing.end(message_follows=follows)
        if result.void:
            log.info("turn of conversation %s is void: refused by the fence before it acted", row["id"])
            await self._again_if_stopped(tenant_id, row, run.attempt)
            return
        if result.needs_model or result.decision is None:
            await self._where_it_may_wait(tenant_id, row["id"], run.attempt)
            return
        trace = dataclasses.replace(result.trace, stages_ms={"read": read_ms, **result.trace.stages_ms})
        result = with_costs(row, dataclasses.replace(result, trace=trace))
        await self._write(tenant_id, row, result, run.attempt, run.started)
        if any(call.finish_reason != "error" for call in trace.model_calls):
            # Where a model answers only: whoever is served without one needs no summary.
            self.summaries.start_if_due(row, turn_input, brain, turn_budget(self._spendings, row, brain.profile))

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

    async def _after_reading(self, tenant_id: UUID, row: Row, brain: Brain, budget: TurnBudget, run: _Run) -> None:
        """Have the customer's files read, then run the turn on what the conversation is by then."""
        if not run.on_model_queue or brain.reader is None:
            await self._where_it_may_wait(tenant_id, row["id"], run.attempt)
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
            await self._where_it_may_wait(tenant_id, row["id"], run.attempt, late)
            return
        self._wakeup.signal(EVENTS)
        budget.spend(Usage(cost_micros=await self._transcripts.cost_micros(row)))
        await budget.close()
        await self._run_once(tenant_id, row["id"], run)

    async def _may_read(self, row: Row, profile: TenantProfile, budget: TurnBudget) -> bool:
        """Whether files go to the endpoint: not where personal data must not, nor beyond what may be spent."""
        if profile.mask_model_prompts or not ReadingLimits.of(row["settings"]).enabled:
            return False
        return not await budget.is_used_up()

    async def _read(self, tenant_id: UUID, conversation_id: UUID) -> Row | None:
        row = await self._reading.do(tenant_id, conversation_id)
        if row is not None and row["has_stale"]:
            # An earlier reply was overtaken before it left: take it back first, then answer everything at once.
            async with self._db.transaction(tenant_id) as tx:
                await conversations.lock(tx, conversation_id)
                await turns.void_stale(tx, conversation_id)
                row = await turns.read(tx, conversation_id)
        return row

    def _context(
        self,
        tenant_id: UUID,
        row: Row,
        brain: Brain,
        turn_input: TurnInput,
        budget: TurnBudget,
        *,
        may_call_model: bool,
    ) -> TurnContext:
        profile = brain.profile
        now = datetime.now(UTC)
        return TurnContext(
            profile=profile,
            classify=brain.classify,
            search=brain.search,
            call=self._calls(tenant_id, row, profile, turn_input, now),
            now=now,
            model=BudgetedModel(brain.model, budget) if brain.model else None,
            may_call_model=may_call_model,
            queue_position=lambda intent: self._queue_position(row, intent),
            # One who proves who it is in a group would prove it for all of them: there a person looks.
            identity=None
            if row["is_group"]
            else identity_of(
                self._db,
                tenant_id,
                profile.identity,
                conversation_id=row["id"],
                contact_id=row["contact_id"],
                message_id=turn_input.unanswered[-1].id,
            ),
            policy=policy_for(row, profile, now),
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

    async def _queue_position(self, row: Row, intent: str | None) -> int | None:
        """Behind those who wait in the queue that it would come to and are served before it."""
        async with self._db.transaction(row["tenant_id"]) as tx:
            waiting: int = await tx.fetchval(
                """WITH own AS (SELECT c.priority, coalesce(q.id, c.team_id) AS team_id
                                  FROM conversation c LEFT JOIN team q ON q.name = $2 AND q.tenant_id = c.tenant_id
                                 WHERE c.id = $1)
                   SELECT count(*) FROM conversation c, own
                    WHERE c.status = 'waiting' AND c.team_id IS NOT DISTINCT FROM own.team_id
                      AND c.priority >= own.priority AND (c.snoozed_until IS NULL OR c.snoozed_until <= now())""",
                row["id"],
                team_for(row["settings"], intent),
            )
        return waiting + 1

    async def _write(self, tenant_id: UUID, row: Row, result: TurnResult, attempt: int, started: float) -> None:
        approval_id: UUID | None = None
        if row["has_acted"]:
            brain = (await self._profiles.get(tenant_id, row["profile_version"])).for_contact(row["contact_id"])
            announcement = self._agent.texts.say(brain.profile, "hand_off", result.language)
            async with self._db.transaction(tenant_id) as tx:
                announce = policy_for(row, brain.profile, datetime.now(UTC)).may_announce_any()
                result = await untold.answering_for(tx, row, result, announcement, announce=announce)
        result = at_most_suggested(row, result)
        if result.approval is not None:
            # The durable graph commits by itself, so it goes first: an approval without its thread could not resume.
            approval_id = uuid.uuid4()
            await self._agent.start_approval(str(approval_id), result.approval)
        route = await self._delivery.route(tenant_id, row["channel_session_id"])
        decided = _Decided(row, result, attempt, (time.monotonic() - started) * 1000, approval_id, route)
        written, claimed = await self._writing.do(tenant_id, decided)
        if written is None:
            log.info("turn of conversation %s is void: something newer happened", row["id"])
            await self._again_if_stopped(tenant_id, row, attempt)
            if approval_id is not None:
                await self._agent.prune_approval(str(approval_id))
            return
        self._wakeup.signal(EVENTS)
        if route is not None and claimed is not None:
            self._delivery.send_claimed(route, claimed)
        elif written["outbox_id"] is not None:
            self._delivery.start(tenant_id, row["id"], written["channel_session_id"], written["outbox_id"])

    async def _write_together(self, tx: Connection, batch: Sequence[_Decided]) -> list[tuple[Row | None, Row | None]]:
        """For each what was written of it (None: it is void), and its message where it was claimed at once."""
        return [await self._write_one(tx, decided) for decided in batch]

    async def _write_one(self, tx: Connection, decided: _Decided) -> tuple[Row | None, Row | None]:
        row = decided.row
        written = await decisions.write(
            tx,
            row,
            decided.result,
            upto_message_id=row["unanswered"][-1][0],
            attempt=decided.attempt,
            latency_ms=decided.latency_ms,
            approval_id=decided.approval_id,
        )
        if written is None or written["outbox_id"] is None or decided.route is None:
            return written, None
        return written, await self._delivery.claim_at_once(tx, decided.route, row["id"], written["outbox_id"])

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


def _announces(settings: Mapping[str, Any]) -> bool:
    """Whether handoffs are announced by the tenant's default, where its profile may be what failed."""
    mode = settings.get("reply_mode", "suggest")
    return mode == "auto" or mode in settings.get("announce_under", ())
