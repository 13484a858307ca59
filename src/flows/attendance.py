"""What time brings without a message: unclaimed conversations return, and so do those that somebody had on the phone;
suggestions expire, closed hours are told.

Every worker does this in turn; what each step changes is changed under the conversation's lock, so it happens once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from agent.announcing import OUTSIDE_HOURS, Announcer
from agent.hours import closed_since, unclaimed_until
from agent.policy import policy_of
from agent.texts import FixedTexts, load_texts
from agent.turn import TenantProfile
from domain.conversation import Event, Status
from domain.policy import Policy
from flows import autonomy, desk_snooze, phone
from flows.attendance_declaration import AttendanceDeclaration
from flows.notices import say
from flows.tenant_profile import profile_of
from store import conversations, events, turns
from store.database import Connection, Database, Row
from store.jobs import TURNS
from store.wakeup import EVENTS, OUTBOX, Wakeup

log = logging.getLogger(__name__)

_LOOKED_AT_AFTER = timedelta(minutes=1)
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """How the tenant stands to one conversation now, as far as fixed texts and the policy ask."""

    profile: TenantProfile
    policy: Policy
    texts: FixedTexts

    @property
    def may_announce(self) -> bool:
        """Whether something automatic that is no reply may go out by itself."""
        return self.policy.may_announce_any()


async def standing_of(
    tx: Connection, tenant: Row, conversation: Row, contact: Row, now: datetime | None = None
) -> Standing:
    """``tenant``, ``conversation``, ``contact``: whole rows."""
    number = await tx.fetchrow(
        "SELECT config ->> 'key' AS key, stopped_at FROM channel_session WHERE id = $1",
        conversation["channel_session_id"],
    )
    profile = profile_of(tenant)
    policy = policy_of(
        profile,
        now or datetime.now(UTC),
        number=number["key"],
        tags=contact["tags"],
        stopped=tenant["stopped_at"] is not None or number["stopped_at"] is not None,
    )
    return Standing(profile, policy, _texts())


async def keep_appointments(db: Database, wakeup: Wakeup, now: datetime | None = None) -> int:
    """Look after every tenant in which something waits; returns how much was done. ``now``: for trying out."""
    done = 0
    at = now or datetime.now(UTC)
    for found in await db.gate("tenants_at_the_desk", _LOOKED_AT_AFTER):
        try:
            done += await _keep(db, found["tenant_id"], at)
        except Exception:
            log.exception("the desk of tenant %s could not be looked after", found["tenant_id"])
    if done:
        wakeup.signal(EVENTS, OUTBOX)
        wakeup.turn_waits(TURNS)
    return done


async def _keep(db: Database, tenant_id: UUID, now: datetime) -> int:
    async with db.transaction(tenant_id) as tx:
        tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
        declared = AttendanceDeclaration.stored(tenant["settings"])
        expired = await tx.fetch(
            "SELECT id FROM suggestion WHERE status = 'pending' AND created_at < $1 LIMIT $2",
            now - timedelta(hours=declared.suggestions_expire_after_hours),
            _AT_ONCE,
        )
        waiting = await tx.fetch(
            """SELECT c.id, c.waiting_since, m.received_at AS last_wrote_at
                 FROM conversation c LEFT JOIN message m ON m.id = c.last_inbound_id
                WHERE c.status = 'waiting' AND c.snoozed_until IS NULL ORDER BY c.waiting_since LIMIT $1""",
            _AT_ONCE,
        )
        on_the_phone = await tx.fetch(
            "SELECT id FROM conversation WHERE resumes_at <= $1 ORDER BY resumes_at LIMIT $2", now, _AT_ONCE
        )
    async with db.transaction(tenant_id) as tx:
        done = await desk_snooze.wake_due(tx, tenant_id, now)
    for row in on_the_phone:
        async with db.transaction(tenant_id) as tx:
            done += await phone.release(tx, row["id"], now)
    for row in expired:
        async with db.transaction(tenant_id) as tx:
            done += await _expire(tx, tenant_id, row["id"])
    profile = profile_of(tenant)
    closed = closed_since(profile.hours, now, profile.timezone)
    for row in waiting:
        until = unclaimed_until(profile.hours, row["waiting_since"], profile.timezone)
        if profile.hand_off.return_unclaimed and until is not None and until <= now:
            act = _return
        elif closed is not None and row["last_wrote_at"] is not None and row["last_wrote_at"] >= closed:
            act = _tell_closed
        else:
            continue
        async with db.transaction(tenant_id) as tx:
            done += await act(tx, tenant, row["id"], now)
    return done


async def _expire(tx: Connection, tenant_id: UUID, suggestion_id: UUID) -> int:
    """Nobody judged it in time. That counts against it, and the customer's message goes to the queue of people."""
    conversation_id = await tx.fetchval("SELECT conversation_id FROM suggestion WHERE id = $1", suggestion_id)
    conversation = await conversations.lock(tx, conversation_id)
    suggestion = await tx.fetchrow("SELECT * FROM suggestion WHERE id = $1 FOR UPDATE", suggestion_id)
    if suggestion["status"] != "pending":
        return 0
    await tx.execute("UPDATE suggestion SET status = 'expired', decided_at = now() WHERE id = $1", suggestion_id)
    await autonomy.judged(tx, tenant_id, suggestion, "expired")
    await events.append(
        tx,
        tenant_id,
        "suggestion.decided",
        conversation_id=conversation_id,
        payload={"suggestion_id": str(suggestion_id), "status": "expired", "reason": None},
    )
    if conversation["status"] == Status.BOT:
        await conversations.apply(tx, conversation_id, Event.HANDED_OFF, actor="system")
        await turns.void_stale(tx, conversation_id)
        await tx.execute(
            """INSERT INTO handoff (tenant_id, conversation_id, turn_id, reason, summary, announced)
               VALUES ($1, $2, $3, 'old_message', $4, false)""",
            tenant_id,
            conversation_id,
            suggestion["turn_id"],
            suggestion["text"],
        )
    return 1


async def _return(tx: Connection, tenant: Row, conversation_id: UUID, now: datetime) -> int:
    """Nobody claimed it: the agent has it again, and the customer is told if the policy lets that out."""
    conversation = await conversations.lock(tx, conversation_id)
    if conversation["status"] != Status.WAITING:
        return 0
    contact = await tx.fetchrow("SELECT * FROM contact WHERE id = $1", conversation["contact_id"])
    await conversations.apply(tx, conversation_id, Event.RETURNED, actor="system")
    await conversations.withdraw_drafts(tx, conversation_id)
    standing = await standing_of(tx, tenant, conversation, contact, now)
    if standing.may_announce:
        language = conversation["language"] or standing.profile.default_language
        text = standing.texts.say(standing.profile, "returned_unclaimed", language)
        await say(tx, conversation, text, purpose="proactive")
    return 1


async def _tell_closed(tx: Connection, tenant: Row, conversation_id: UUID, now: datetime) -> int:
    """The customer wrote again while waiting for a team that is not there: say when it is, once per closed time."""
    conversation = await conversations.lock(tx, conversation_id)
    if conversation["status"] != Status.WAITING:
        return 0
    contact = await tx.fetchrow("SELECT * FROM contact WHERE id = $1", conversation["contact_id"])
    standing = await standing_of(tx, tenant, conversation, contact, now)
    told_at = await turns.told_closed_at(tx, conversation_id)
    language = conversation["language"] or standing.profile.default_language
    text = Announcer(standing.texts).closed_notice(standing.profile, now, language, told_at)
    if not text or contact["is_group"] or not standing.may_announce:
        return 0
    await say(tx, conversation, text, notices=(OUTSIDE_HOURS,))
    return 1


@cache
def _texts() -> FixedTexts:
    return load_texts()
