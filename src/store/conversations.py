"""Conversations: found, opened, and moved from status to status by one function only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.conversation import Event, Status, next_status
from domain.errors import NotFoundError
from store import episodes, events
from store.database import Connection, Row

_EVENT_KINDS = {
    Event.HANDED_OFF: "conversation.handed_off",
    Event.CLAIMED: "conversation.claimed",
    Event.ASSIGNED: "conversation.assigned",
    Event.TRANSFERRED: "conversation.transferred",
    Event.TAKEN_OVER: "conversation.taken_over",
    Event.RETURNED: "conversation.returned",
    Event.RELEASED: "conversation.released",
    Event.CLOSED: "conversation.closed",
    Event.REOPENED: "conversation.reopened",
    Event.CLOSING_UNDONE: "conversation.closing_undone",
}


async def lock(tx: Connection, conversation_id: UUID) -> Row:
    """The conversation's row, locked until the transaction ends. Raises NotFoundError."""
    row = await tx.fetchrow("SELECT * FROM conversation WHERE id = $1 FOR UPDATE", conversation_id)
    if row is None:
        raise NotFoundError("conversation", conversation_id)
    return row


async def apply(
    tx: Connection,
    conversation_id: UUID,
    event: Event,
    *,
    actor: str,
    user_id: UUID | None = None,
    told: Mapping[str, Any] | None = None,
) -> Status:
    """Move the conversation's status: the only writer of ``status``, with ``undo_closing``.

    Locks the row, applies the event, makes running turns stale (fence), appends the audit event. ``user_id`` becomes
    the assignee on a claim, an assignment or a takeover; ``told`` is what the event tells besides. A closed
    conversation sleeps no more, and one that waits already keeps its place. Raises NotFoundError or
    TransitionNotAllowedError.
    """
    row = await lock(tx, conversation_id)
    before = Status(row["status"])
    after = next_status(before, event)
    assignee = user_id if event in {Event.CLAIMED, Event.ASSIGNED, Event.TAKEN_OVER} else None
    await tx.execute(
        """UPDATE conversation
              SET status = $2, fence = fence + 1, assignee_id = $3, resumes_at = NULL,
                  waiting_since = CASE WHEN $2 = 'waiting' THEN coalesce(waiting_since, now()) END,
                  snoozed_until = CASE WHEN $2 <> 'closed' THEN snoozed_until END,
                  closed_at = CASE WHEN $2 = 'closed' THEN now() ELSE closed_at END,
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
    await episodes.applied(tx, row, before, after, actor=actor, user_id=user_id)
    await events.append(
        tx,
        row["tenant_id"],
        _EVENT_KINDS[event],
        conversation_id=conversation_id,
        payload={**(told or {}), "from": before, "to": after},
        actor=actor,
    )
    return after


async def undo_closing(tx: Connection, row: Row, *, actor: str) -> Status:
    """Make a closed conversation again what ``row["undo"]`` says it was. The caller holds the lock, and has looked
    whether anything came since. Raises TransitionNotAllowedError.
    """
    was = row["undo"]
    after = next_status(Status(row["status"]), Event.CLOSING_UNDONE, former=Status(was["status"]))
    await tx.execute(
        """UPDATE conversation
              SET status = $2, fence = fence + 1, undo = '{}', closed_at = (w ->> 'closed_at')::timestamptz,
                  closed_reason = w ->> 'closed_reason', assignee_id = (w ->> 'assignee_id')::uuid,
                  waiting_since = (w ->> 'waiting_since')::timestamptz,
                  resumes_at = (w ->> 'resumes_at')::timestamptz,
                  snoozed_until = (w ->> 'snoozed_until')::timestamptz, unread = (w ->> 'unread')::integer,
                  answered_upto_id = (w ->> 'answered_upto_id')::bigint
             FROM (SELECT $3::jsonb AS w) undone WHERE id = $1""",
        row["id"],
        after,
        was,
    )
    await episodes.closing_undone(tx, row["id"])
    await tx.execute(
        """UPDATE handoff h SET ended_at = NULL, claimed_by = w.claimed_by, claimed_at = w.claimed_at
             FROM jsonb_to_record($2::jsonb -> 'handoff') w(id uuid, claimed_by uuid, claimed_at timestamptz)
            WHERE h.conversation_id = $1 AND h.id = w.id""",
        row["id"],
        was,
    )
    await events.append(
        tx,
        row["tenant_id"],
        _EVENT_KINDS[Event.CLOSING_UNDONE],
        conversation_id=row["id"],
        payload={"from": row["status"], "to": after},
        actor=actor,
    )
    return after


async def raise_fence(tx: Connection, conversation_id: UUID) -> None:
    """Make void what was decided so far. The caller holds the lock."""
    await tx.execute("UPDATE conversation SET fence = fence + 1 WHERE id = $1", conversation_id)


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
