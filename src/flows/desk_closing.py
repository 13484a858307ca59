"""Closing a conversation with a reason, taking that back, reopening. In the caller's transaction, under the lock."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from domain.conversation import ClosingReason, Event, Status
from domain.errors import InvalidInputError, OutdatedError
from flows.desk_assignment import check_seen
from flows.desk_marks import add_note
from store import conversations, turns
from store.database import Connection
from store.jobs import enqueue_turn

UNDO_WITHIN = timedelta(seconds=60)
"""How long a closing may be taken back. Pages offer it for a few seconds."""
_CHANGED = (
    "status",
    "assignee_id",
    "waiting_since",
    "resumes_at",
    "snoozed_until",
    "unread",
    "closed_at",
    "closed_reason",
    "answered_upto_id",
)
"""Columns that a closing changes, or that change soon after it."""


async def close(
    tx: Connection,
    conversation_id: UUID,
    reason: str = ClosingReason.RESOLVED,
    *,
    actor: str,
    seen: str | None = None,
    note: str = "",
) -> None:
    """The conversation is done; the contact's next message reopens it. ``note`` is for colleagues.

    Raises InvalidInputError for a reason that is none, OutdatedError where ``seen`` (desk_assignment.standing) no
    longer holds, TransitionNotAllowedError where it is closed already.
    """
    if reason not in set(ClosingReason):
        raise InvalidInputError("reason", f"must be one of {', '.join(ClosingReason)}")
    before = await conversations.lock(tx, conversation_id)
    await check_seen(tx, before, seen)
    if note.strip() and before["status"] != Status.CLOSED:
        await add_note(tx, before, note, actor=actor)
    handoff = await tx.fetchval(
        "SELECT jsonb_build_object('id', id, 'claimed_by', claimed_by, 'claimed_at', claimed_at) FROM handoff "
        "WHERE conversation_id = $1 AND ended_at IS NULL ORDER BY created_at DESC LIMIT 1",
        conversation_id,
    )
    draft = await tx.fetchval(
        "SELECT id FROM suggestion WHERE conversation_id = $1 AND status = 'pending' AND fence = $2",
        conversation_id,
        before["fence"],
    )
    await conversations.apply(tx, conversation_id, Event.CLOSED, actor=actor, told={"reason": reason})
    await turns.void_stale(tx, conversation_id)
    await conversations.withdraw_drafts(tx, conversation_id)
    was = {name: str(before[name]) if before[name] is not None else None for name in _CHANGED}
    await tx.execute(
        """UPDATE conversation SET closed_reason = $2,
                  undo = $3::jsonb || jsonb_build_object(
                      'fence', fence, 'handoff', $4::jsonb, 'suggestion_id', $5::uuid, 'answered_upto_id',
                      least(($3::jsonb ->> 'answered_upto_id')::bigint, answered_upto_id))
            WHERE id = $1""",
        conversation_id,
        reason,
        was,
        handoff,
        draft,
    )


async def undo(tx: Connection, conversation_id: UUID, *, actor: str) -> Status:
    """The closing was a slip: status, holder, waiting time, handoff and offered suggestion are again what they were.

    Raises OutdatedError where it is too late, or something newer came: a message, another person's act.
    """
    row = await conversations.lock(tx, conversation_id)
    if row["status"] != Status.CLOSED or row["undo"].get("fence") != row["fence"]:
        raise OutdatedError("closing", "something newer came first")
    if await tx.fetchval("SELECT $1::timestamptz < now() - $2::interval", row["closed_at"], UNDO_WITHIN):
        raise OutdatedError("closing", "it was too long ago: reopen the conversation instead")
    status = await conversations.undo_closing(tx, row, actor=actor)
    await turns.void_stale(tx, conversation_id)  # what the closing itself had queued: a question, a farewell
    await tx.execute(
        """UPDATE suggestion s SET status = 'pending', decided_at = NULL, fence = c.fence
             FROM conversation c
            WHERE c.id = $1 AND s.conversation_id = $1 AND s.id = $2 AND s.status = 'superseded'""",
        conversation_id,
        UUID(row["undo"]["suggestion_id"]) if row["undo"]["suggestion_id"] else None,
    )
    if status is Status.BOT and await turns.waits(tx, conversation_id):
        await enqueue_turn(tx, row["tenant_id"], conversation_id)
    return status


async def reopen(tx: Connection, conversation_id: UUID, user_id: UUID, *, actor: str) -> None:
    """A closed conversation is this person's again. Raises OutdatedError where it is not closed any more."""
    row = await conversations.lock(tx, conversation_id)
    if row["status"] != Status.CLOSED:
        raise OutdatedError("conversation", f"it is {row['status']} by now")
    await conversations.apply(tx, conversation_id, Event.CLAIMED, actor=actor, user_id=user_id)
