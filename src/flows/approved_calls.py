"""Business functions that a person decided about: carried out once, in line with the conversation's turns."""

from __future__ import annotations

import dataclasses
import logging
import time
from datetime import UTC, datetime
from uuid import UUID

from agent.graph import Agent
from agent.nodes.approve import ApprovalNotPendingError
from agent.turn import TurnContext, TurnResult
from domain.conversation import Status
from domain.decisions import HandOff, Reply, Suggest
from flows import decisions
from flows.calls import Caller, Calls
from flows.delivery import Delivery
from flows.profiles import Profiles
from flows.turn_input import as_input, policy_for
from store import conversations, events, turns
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup

log = logging.getLogger(__name__)


class ApprovedCalls:
    """Carries decided approvals out. Safe to run again after a crash at any point: the call row acts once."""

    def __init__(self, db: Database, wakeup: Wakeup, agent: Agent, profiles: Profiles, delivery: Delivery) -> None:
        self._db = db
        self._wakeup = wakeup
        self._delivery = delivery
        self._agent = agent
        self._profiles = profiles

    async def run(self, tenant_id: UUID, approval_id: UUID) -> None:
        """Resume the durable graph with the person's answer, and write what came of it."""
        started = time.monotonic()
        async with self._db.transaction(tenant_id) as tx:
            approval = await tx.fetchrow(
                "SELECT a.*, t.upto_message_id AS trigger_message_id, t.answered_before FROM approval a "
                "JOIN turn t ON t.id = a.turn_id WHERE a.id = $1",
                approval_id,
            )
            if approval is None or approval["settled_at"]:
                return
            if approval["status"] == "expired":
                await self._end(tx, tenant_id, approval, "expired")
            row = await turns.read(tx, approval["conversation_id"])
        if approval["status"] == "expired":
            await self._agent.prune_approval(str(approval_id))
        if row is None or approval["status"] not in {"approved", "rejected"}:
            return
        try:
            result = await self._resume(tenant_id, approval, row)
        except ApprovalNotPendingError:
            log.info("approval %s is being carried out by another run", approval_id)
            return
        if result.void or result.decision is None:
            log.warning("approval %s is no longer in force; nothing was done", approval_id)
            return
        result = dataclasses.replace(result, trace=dataclasses.replace(result.trace, approval_id=str(approval_id)))
        async with self._db.transaction(tenant_id) as tx:
            written = await self._settle(tx, tenant_id, approval, result, (time.monotonic() - started) * 1000)
        self._wakeup.signal(EVENTS)
        if written and written["outbox_id"] is not None:
            self._delivery.start(tenant_id, row["id"], written["channel_session_id"], written["outbox_id"])
        await self._agent.prune_approval(str(approval_id))

    async def _resume(self, tenant_id: UUID, approval: Row, row: Row) -> TurnResult:
        brain = (await self._profiles.get(tenant_id, row["profile_version"])).for_contact(row["contact_id"])
        now = datetime.now(UTC)
        turn_input = as_input(row)
        caller = Caller(
            tenant_id=tenant_id,
            conversation_id=row["id"],
            contact_id=row["contact_id"],
            addresses=turn_input.contact_addresses,
            language=row["language"] or brain.profile.default_language,
            timezone=brain.profile.timezone,
            now=now,
            trigger_message_id=approval["trigger_message_id"],
            answered_before=approval["answered_before"],
        )

        async def still_approved(tx: Connection) -> bool:
            found = await tx.fetchval(
                "SELECT 1 FROM approval WHERE id = $1 AND status = 'approved' AND settled_at IS NULL FOR UPDATE",
                approval["id"],
            )
            return found is not None

        context = TurnContext(
            profile=brain.profile,
            classify=brain.classify,
            search=brain.search,
            call=Calls(self._db, caller, still_approved),
            now=now,
            policy=policy_for(row, brain.profile, now),
            is_first_reply=turn_input.is_first_reply,
        )
        thread, approved = str(approval["id"]), approval["status"] == "approved"
        try:
            return await self._agent.resume_approval(thread, approved=approved, context=context)
        except ApprovalNotPendingError:
            # A run got to its end but died before its outcome was written, or the thread is gone: from the start again.
            async with self._db.transaction(tenant_id) as tx:
                if await tx.fetchval("SELECT settled_at FROM approval WHERE id = $1", approval["id"]) is not None:
                    raise
            await self._agent.prune_approval(thread)
            await self._agent.start_approval(thread, approval["call"])
            return await self._agent.resume_approval(thread, approved=approved, context=context)

    async def _end(self, tx: Connection, tenant_id: UUID, approval: Row, status: str) -> bool:
        """Note what became of it; whether nobody had yet."""
        ended = await tx.fetchval(
            "UPDATE approval SET status = $2, settled_at = now() WHERE id = $1 AND settled_at IS NULL RETURNING id",
            approval["id"],
            status,
        )
        if ended is not None:
            await events.append(
                tx,
                tenant_id,
                "approval.settled",
                conversation_id=approval["conversation_id"],
                payload={"approval_id": str(approval["id"]), "status": status},
                actor="bot",
            )
        return ended is not None

    async def _settle(
        self, tx: Connection, tenant_id: UUID, approval: Row, result: TurnResult, latency_ms: float
    ) -> Row | None:
        """Write the outcome once, and tell the customer, or the operator where a person holds the conversation."""
        await conversations.lock(tx, approval["conversation_id"])
        calls = result.trace.tool_calls
        if approval["status"] == "approved":
            status = "executed" if calls and calls[-1].outcome in {"succeeded", "business_error"} else "failed"
        else:
            status = "rejected"
        if not await self._end(tx, tenant_id, approval, status):
            return None
        row = await turns.read(tx, approval["conversation_id"])
        if row is None:
            return None
        if row["status"] == Status.BOT:
            # Newer messages stay unanswered by this: their own turn reads them with the outcome in its history.
            written = await decisions.write(
                tx, row, result, upto_message_id=row["answered_upto_id"], latency_ms=latency_ms, must_be_told=True
            )
            if written is not None:
                return written
            # Only the kill switch can be in the way under this lock: then the outcome is for an operator to tell.
        if isinstance(result.decision, Reply | Suggest | HandOff) and row["status"] != Status.CLOSED:
            marks = result.decision.unsupported if isinstance(result.decision, Suggest) else ()
            await decisions.suggest(
                tx, tenant_id, row["id"], result.decision.text, turn_id=approval["turn_id"], unsupported=marks
            )
        return None
