"""Taking a message back before it leaves: it is held for a few seconds, and until then nothing of it has happened.

In the caller's transaction, under the conversation's lock, which whoever claims the message takes as well: either it is
withdrawn whole, or it leaves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.autonomy import Record
from domain.errors import NotFoundError, OutdatedError
from flows import autonomy
from store import autonomy as records
from store import conversations, events
from store.database import Connection, Row
from store.outbox import WITHDRAWN

HOLD_AT_MOST = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What went back to its writer. ``had_file``: something beside the text was to go out; it is not here."""

    message_id: int
    text: str
    had_file: bool


def held_for(seconds: float) -> timedelta | None:
    """How long a message waits for its writer's second thoughts; None: not at all."""
    return min(timedelta(seconds=seconds), HOLD_AT_MOST) if seconds > 0 else None


async def remembered(tx: Connection, conversation: Row, text: str) -> dict[str, Any]:
    """What a message of a person is about to change, for ``content["undo"]`` of a message that is held.

    To be asked before any of it is changed: ``text`` accepts or replaces the suggestion on offer, if there is one.
    """
    suggestion = await tx.fetchrow(
        "SELECT id, intent, text FROM suggestion WHERE conversation_id = $1 AND status = 'pending' AND fence = $2",
        conversation["id"],
        conversation["fence"],
    )
    record = None
    if suggestion is not None and suggestion["intent"] is not None:
        record = await records.locked(tx, conversation["tenant_id"], suggestion["intent"], create=False)
    return {
        "answered_upto_id": conversation["answered_upto_id"],
        "unread": conversation["unread"],
        "last_preview": conversation["last_preview"],
        "last_message_at": conversation["last_message_at"].isoformat(),
        "suggestion": {
            "id": str(suggestion["id"]),
            "intent": suggestion["intent"],
            "record": asdict(record or Record()),
            "good": text.strip() == suggestion["text"].strip(),
        }
        if suggestion is not None
        else None,
    }


async def withdraw(
    tx: Connection, conversation_id: UUID, outbox_id: UUID, user_id: UUID | None, *, actor: str
) -> Withdrawn:
    """Take a held message back, for the person who wrote it.

    The question is open again, the suggestion that it accepted or replaced is offered again unless something newer
    came, and its verdict does not count. A conversation taken over by writing stays the person's. Raises NotFoundError,
    and OutdatedError where it has left, or is on its way.
    """
    await conversations.lock(tx, conversation_id)
    row = await tx.fetchrow(
        """SELECT o.id, o.tenant_id, o.state, o.attempts, o.content <> '{}'::jsonb AS had_file, o.message_id, m.text,
                  m.user_id, m.content -> 'undo' AS undo
             FROM outbox_message o JOIN message m ON m.id = o.message_id
            WHERE o.id = $1 AND o.conversation_id = $2 FOR UPDATE OF o""",
        outbox_id,
        conversation_id,
    )
    if row is None or row["user_id"] != user_id:
        raise NotFoundError("message", outbox_id)
    if row["undo"] is None or row["state"] != "queued" or row["attempts"]:
        raise OutdatedError("message", "it has left already")
    await tx.execute(
        "UPDATE outbox_message SET state = 'cancelled', error = $2, waits_for = NULL, waits_until = NULL WHERE id = $1",
        outbox_id,
        WITHDRAWN,
    )
    await _restore(tx, conversation_id, row)
    await events.append(
        tx,
        row["tenant_id"],
        "message.withdrawn",
        conversation_id=conversation_id,
        payload={"message_id": row["message_id"], "outbox_id": str(outbox_id)},
        actor=actor,
    )
    return Withdrawn(row["message_id"], row["text"], row["had_file"])


async def _restore(tx: Connection, conversation_id: UUID, row: Row) -> None:
    undo = row["undo"]
    newest = await tx.fetchval(
        """SELECT NOT EXISTS (SELECT 1 FROM message m LEFT JOIN outbox_message o ON o.message_id = m.id
                               WHERE m.conversation_id = $1 AND m.id > $2 AND o.state IS DISTINCT FROM 'cancelled')""",
        conversation_id,
        row["message_id"],
    )
    # The fence stays: nothing was decided since that this would make stale, and a suggestion must fit it again.
    await tx.execute(
        """UPDATE conversation c
              SET answered_upto_id = CASE WHEN EXISTS (
                      SELECT 1 FROM message m LEFT JOIN outbox_message o ON o.message_id = m.id
                       WHERE m.conversation_id = $1 AND m.id > $2 AND m.author IN ('operator', 'phone')
                         AND o.state IS DISTINCT FROM 'cancelled')
                  THEN answered_upto_id ELSE least(answered_upto_id, $4) END,
                  last_preview = CASE WHEN $3 THEN $5 ELSE last_preview END,
                  last_message_at = CASE WHEN $3 THEN $6::text::timestamptz ELSE last_message_at END
            WHERE id = $1""",
        conversation_id,
        row["message_id"],
        newest,
        undo["answered_upto_id"],
        undo["last_preview"],
        undo["last_message_at"],
    )
    if undo["suggestion"]:
        await _offer_again(tx, conversation_id, row["tenant_id"], undo["suggestion"], is_current=newest)


async def _offer_again(
    tx: Connection, conversation_id: UUID, tenant_id: UUID, was: dict[str, Any], *, is_current: bool
) -> None:
    """The suggestion waits again, if no message came since; its verdict is taken back in any case."""
    await tx.execute(
        """UPDATE suggestion s
              SET status = CASE WHEN w.free THEN 'pending' ELSE 'superseded' END, fence = c.fence,
                  decided_by = NULL, decided_at = CASE WHEN NOT w.free THEN now() END, final_text = NULL
             FROM conversation c, LATERAL (SELECT $3 AND c.status <> 'closed' AND NOT EXISTS (
                      SELECT 1 FROM suggestion n WHERE n.conversation_id = $1 AND n.status = 'pending') AS free) w
            WHERE c.id = $1 AND s.id = $2 AND s.status IN ('approved', 'edited', 'superseded')""",
        conversation_id,
        UUID(was["id"]),
        is_current,
    )
    if was["intent"] is not None:
        await autonomy.taken_back(tx, tenant_id, was["intent"], Record(**was["record"]), good=was["good"])
