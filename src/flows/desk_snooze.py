"""Conversations put aside for a while: out of the queues until a time, or until the contact writes.

A message of the contact ends it in the statement that stores the message (store/messages.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.conversation import Status
from domain.errors import InvalidInputError, OutdatedError
from store import conversations, events
from store.database import Connection

UNTIL_ANSWER = datetime(9999, 1, 1, tzinfo=UTC)
"""No time ends it, only a message of the contact."""
_AT_MOST = timedelta(days=366)
_AT_ONCE = 200


async def snooze(tx: Connection, conversation_id: UUID, until: datetime | None, *, actor: str) -> None:
    """Put aside until a time (aware, at most a year ahead; None: until the contact writes).

    Raises InvalidInputError for another time, OutdatedError for a closed conversation.
    """
    row = await conversations.lock(tx, conversation_id)
    if row["status"] == Status.CLOSED:
        raise OutdatedError("conversation", "it is closed by now")
    now = datetime.now(UTC)
    if until is not None and (until.tzinfo is None or not now < until < now + _AT_MOST):
        raise InvalidInputError("until", "must lie ahead, at most a year", hint="Choose a later time.")
    at = until or UNTIL_ANSWER
    await tx.execute("UPDATE conversation SET snoozed_until = $2 WHERE id = $1", conversation_id, at)
    payload = {"until": until.isoformat() if until else None}
    await events.append(
        tx, row["tenant_id"], "conversation.snoozed", conversation_id=conversation_id, payload=payload, actor=actor
    )


async def unsnooze(tx: Connection, conversation_id: UUID, *, actor: str) -> None:
    """Back into the queues now. Nothing to do for one that is there."""
    row = await conversations.lock(tx, conversation_id)
    if row["snoozed_until"] is not None:
        await _wake(tx, row["tenant_id"], conversation_id, by="person", actor=actor)


async def wake_due(tx: Connection, tenant_id: UUID, now: datetime) -> int:
    """Those whose time has come, some at a time; returns how many."""
    due = await tx.fetch(
        "SELECT id FROM conversation WHERE snoozed_until <= $1 ORDER BY snoozed_until LIMIT $2 FOR UPDATE SKIP LOCKED",
        now,
        _AT_ONCE,
    )
    for row in due:
        await _wake(tx, tenant_id, row["id"], by="clock", actor="system")
    return len(due)


async def _wake(tx: Connection, tenant_id: UUID, conversation_id: UUID, *, by: str, actor: str) -> None:
    await tx.execute("UPDATE conversation SET snoozed_until = NULL WHERE id = $1", conversation_id)
    await events.append(
        tx,
        tenant_id,
        "conversation.unsnoozed",
        conversation_id=conversation_id,
        payload={"by": by},
        actor=actor,
    )
