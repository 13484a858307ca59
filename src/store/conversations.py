"""Conversations: found, opened, and moved from status to status by one function only."""

from __future__ import annotations

from uuid import UUID

from domain.conversation import Event, Status, next_status
from domain.errors import NotFoundError
from store import events
from store.database import Connection, Row

_EVENT_KINDS = {
    Event.HANDED_OFF: "conversation.handed_off",
    Event.CLAIMED: "conversation.claimed",
    Event.TAKEN_OVER: "conversation.taken_over",
    Event.RETURNED: "conversation.returned",
    Event.CLOSED: "conversation.closed",
    Event.REOPENED: "conversation.reopened",
}


async def lock(tx: Connection, conversation_id: UUID) -> Row:
    """The conversation's row, locked until the transaction ends. Raises NotFoundError."""
    row = await tx.fetchrow("SELECT * FROM conversation WHERE id = $1 FOR UPDATE", conversation_id)
    if row is None:
        raise NotFoundError("conversation", conversation_id)
    return row


async def apply(
    tx: Connection, conversation_id: UUID, event: Event, *, actor: str, user_id: UUID | None = None
) -> Status:
    """Move the conversation's status: the only writer of ``status``.

    Locks the row, applies the event, makes running turns stale (fence), appends the audit event. ``user_id`` becomes
    the assignee on a claim or takeover. Raises NotFoundError or TransitionNotAllowedError.
    """
    row = await lock(tx, conversation_id)
    before = Status(row["status"])
    after = next_status(before, event)
    assignee = user_id if event in {Event.CLAIMED, Event.TAKEN_OVER} else None
    await tx.execute(
        """UPDATE conversation
              SET status = $2, fence = fence + 1, assignee_id = $3,
                  waiting_since = CASE WHEN $2 = 'waiting' THEN now() END,
                  window_start_id = CASE WHEN $4 THEN
                      coalesce((SELECT max(m.id) + 1 FROM message m WHERE m.conversation_id = $1), 0)
                      ELSE window_start_id END,
                  answered_upto_id = CASE WHEN $5 THEN last_inbound_id ELSE answered_upto_id END
            WHERE id = $1""",
        conversation_id,
        after,
        assignee,
        event is Event.REOPENED,
        event in {Event.RETURNED, Event.CLOSED},
    )
    if after is not Status.WAITING:
        await tx.execute(
            """UPDATE handoff SET claimed_by = coalesce(claimed_by, $2),
                      claimed_at = CASE WHEN $2::uuid IS NULL THEN claimed_at ELSE coalesce(claimed_at, now()) END,
                      ended_at = CASE WHEN $3 THEN now() END
                WHERE conversation_id = $1 AND ended_at IS NULL""",
            conversation_id,
            assignee,
            after in {Status.BOT, Status.CLOSED},
        )
    await events.append(
        tx,
        row["tenant_id"],
        _EVENT_KINDS[event],
        conversation_id=conversation_id,
        payload={"from": before, "to": after},
        actor=actor,
    )
    return after


async def withdraw_drafts(tx: Connection, conversation_id: UUID) -> None:
    """Pending suggestions of the conversation are no longer offered."""
    await tx.execute(
        "UPDATE suggestion SET status = 'superseded', decided_at = now() "
        "WHERE conversation_id = $1 AND status = 'pending'",
        conversation_id,
    )


async def mark_answered(tx: Connection, conversation_id: UUID) -> None:
    """A person answered: no message up to now waits for the agent any more."""
    await tx.execute("UPDATE conversation SET answered_upto_id = last_inbound_id WHERE id = $1", conversation_id)
