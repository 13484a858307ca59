"""Messages out: queued, claimed under the fence, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from store import events
from store.database import Connection, Row

STOPPED = "automatic replies are stopped"
OPTED_OUT = "the contact wants no messages on our initiative"

LEFT_ALREADY = """EXISTS (SELECT 1 FROM outbox_message left_already
                 WHERE left_already.turn_id = o.turn_id AND left_already.id <> o.id
                   AND left_already.message_id < o.message_id
                   AND left_already.state IN ('sending', 'sent', 'unknown'))"""
"""Whether an earlier part of the same reply as row ``o`` has left or may have left."""

_BAR = f"""
    CASE WHEN {{o}}.origin = 'bot'
              AND EXISTS (SELECT 1 FROM channel_session n JOIN tenant t ON t.id = n.tenant_id
                           WHERE n.id = {{o}}.channel_session_id
                             AND (t.stopped_at IS NOT NULL OR n.stopped_at IS NOT NULL)) THEN '{STOPPED}'
         WHEN {{o}}.purpose = 'proactive'
              AND EXISTS (SELECT 1 FROM conversation w JOIN contact p ON p.id = w.contact_id
                           WHERE w.id = {{o}}.conversation_id AND p.opted_out_at IS NOT NULL) THEN '{OPTED_OUT}' END
"""
"""Why a row must not be sent whatever its fence says; NULL: nothing is in its way. Never for what a person wrote."""

_CLAIM = """
WITH o AS (
    SELECT o.id, o.conversation_id, o.channel_session_id, o.fence, o.message_id, o.origin, o.purpose, o.turn_id
      FROM outbox_message o WHERE o.id = $1 AND o.state = 'queued'
), c AS (
    SELECT c.id, c.fence, c.address, c.last_inbound_id, c.status
      FROM conversation c JOIN o ON o.conversation_id = c.id FOR UPDATE OF c
), ready AS (
    SELECT o.id, o.channel_session_id, c.address, bar.barred
      FROM o JOIN c ON c.id = o.conversation_id CROSS JOIN LATERAL (SELECT {bar} AS barred) bar
     WHERE bar.barred IS NOT NULL
        OR (((o.fence IS NULL OR o.fence = c.fence) OR (c.status IN ('bot', 'waiting') AND {begun}))
            AND NOT EXISTS (SELECT 1 FROM outbox_message e
                             WHERE e.conversation_id = o.conversation_id
                               AND (e.state = 'sending' OR (e.state = 'queued' AND e.message_id < o.message_id))))
), paced AS (
    UPDATE channel_session s SET next_send_at = now() + $3
      FROM ready
     WHERE s.id = ready.channel_session_id AND s.next_send_at <= now() AND $3 > interval '0' AND ready.barred IS NULL
    RETURNING s.id
)
UPDATE outbox_message u
   SET state = CASE WHEN ready.barred IS NULL THEN 'sending' ELSE 'cancelled' END, error = ready.barred,
       attempts = u.attempts + CASE WHEN ready.barred IS NULL THEN 1 ELSE 0 END,
       sending_until = CASE WHEN ready.barred IS NULL THEN now() + $2 END
  FROM ready
 WHERE u.id = ready.id AND u.state = 'queued'
   AND (ready.barred IS NOT NULL OR $3 = interval '0' OR EXISTS (SELECT 1 FROM paced))
RETURNING ready.barred, u.fence, u.turn_id,
"""
_CLAIM = _CLAIM.replace("{bar}", _BAR.format(o="o")).replace("{begun}", LEFT_ALREADY)
_TO_SEND = """
          u.id, u.tenant_id, u.conversation_id, u.channel_session_id, u.message_id, u.attempts, u.origin, u.content,
          (SELECT c.address FROM conversation c WHERE c.id = u.conversation_id) AS address,
          (SELECT m.text FROM message m WHERE m.id = u.message_id) AS text,
          (SELECT m.quoted_provider_id FROM message m WHERE m.id = u.message_id) AS quoted_provider_id,
          EXISTS (SELECT 1 FROM outbox_message q JOIN message m ON m.id = u.message_id
                   WHERE q.channel_session_id = u.channel_session_id AND q.provider_id = m.quoted_provider_id)
              AS quoted_from_me,
          CASE WHEN u.origin = 'bot' THEN (
              SELECT m.provider_id FROM message m
               WHERE m.conversation_id = u.conversation_id AND m.author = 'contact' AND m.provider_id IS NOT NULL
               ORDER BY m.id DESC LIMIT 1) END AS answered_provider_id
"""
_CLAIM += _TO_SEND


async def claim(tx: Connection, outbox_id: UUID, *, lease: timedelta, pace: timedelta) -> Row | None:
    """Move one row from queued to sending, if it is its turn, its fence still holds and the number's pace allows it.

    Of a reply in several messages the fence holds for all once the first has left: what a customer writes meanwhile
    does not cut it off, a person who takes over does (``turns.void_stale`` cancels the rest with the takeover).
    ``lease``: after this time the attempt counts as dead. Returns what to send, or None. Where ``barred`` is set, the
    row was cancelled instead (STOPPED or OPTED_OUT), by the same statement, and nothing may be sent.
    """
    return await tx.fetchrow(_CLAIM, outbox_id, lease, pace)


async def bar(tx: Connection, outbox_id: UUID) -> Row | None:
    """Cancel a waiting row that must not be sent (see ``claim``) at once; None if nothing bars it, or it is no longer
    waiting."""
    return await tx.fetchrow(
        f"""UPDATE outbox_message u SET state = 'cancelled', error = bar.barred
              FROM outbox_message q CROSS JOIN LATERAL (SELECT {_BAR.format(o="q")} AS barred) bar
             WHERE q.id = $1 AND u.id = q.id AND u.state = 'queued' AND bar.barred IS NOT NULL
            RETURNING bar.barred, u.fence, u.turn_id, {_TO_SEND}""",
        outbox_id,
    )


async def rest_of_reply(tx: Connection, outbox_id: UUID) -> tuple[str, bool]:
    """The text of what the kill switch keeps back of this row's reply, and whether an earlier part of it has left."""
    row = await tx.fetchrow(
        f"""SELECT {LEFT_ALREADY} AS has_begun,
                   (SELECT string_agg(m.text, E'\n\n' ORDER BY p.message_id)
                      FROM outbox_message p JOIN message m ON m.id = p.message_id
                     WHERE p.id = o.id OR (p.turn_id = o.turn_id
                           AND (p.state = 'queued' OR (p.state = 'cancelled' AND p.error = $2)))) AS rest
              FROM outbox_message o WHERE o.id = $1""",
        outbox_id,
        STOPPED,
    )
    return (row["rest"], row["has_begun"]) if row else ("", False)


async def is_stale(tx: Connection, outbox_id: UUID) -> bool:
    """Whether a waiting row was overtaken: its conversation's fence is another one by now."""
    found = await tx.fetchval(
        "SELECT 1 FROM outbox_message o JOIN conversation c ON c.id = o.conversation_id "
        "WHERE o.id = $1 AND o.state = 'queued' AND o.fence <> c.fence "
        f"AND NOT (c.status IN ('bot', 'waiting') AND {LEFT_ALREADY})",
        outbox_id,
    )
    return found is not None


async def claim_again(tx: Connection, outbox_id: UUID, *, lease: timedelta) -> Row | None:
    """Take a row whose attempt died over, to repeat it; for providers where a repeated send is harmless.

    It stays ``sending`` all the while: it may have arrived, so nothing newer can cancel it any more. Where it is barred
    by now, it becomes ``unknown`` instead, for a person to settle.
    """
    row = await tx.fetchrow(
        f"""UPDATE outbox_message u
               SET attempts = u.attempts + 1, sending_until = now() + $2, error = bar.barred,
                   state = CASE WHEN bar.barred IS NULL THEN 'sending' ELSE 'unknown' END
              FROM outbox_message q CROSS JOIN LATERAL (SELECT {_BAR.format(o="q")} AS barred) bar
             WHERE q.id = $1 AND u.id = q.id AND u.state = 'sending' AND u.sending_until < now()
            RETURNING bar.barred, {_TO_SEND}""",
        outbox_id,
        lease,
    )
    return row if row is not None and row["barred"] is None else None


async def repeat_later(tx: Connection, outbox_id: UUID, *, wait: timedelta, error: str) -> None:
    """The attempt may have arrived, and repeating it is harmless: ``claim_again`` gives it out after ``wait``."""
    await tx.execute(
        "UPDATE outbox_message SET sending_until = now() + $2, error = $3 WHERE id = $1 AND state = 'sending'",
        outbox_id,
        wait,
        error,
    )


async def hold_back(tx: Connection, outbox_id: UUID, conversation_id: UUID, *, burst: int, window: timedelta) -> bool:
    """Let a waiting row wait on while ``burst`` messages left its conversation within ``window``; whether it must."""
    await tx.execute("SELECT 1 FROM conversation WHERE id = $1 FOR UPDATE", conversation_id)
    wait = await tx.fetchval(
        "SELECT o.sent_at + $3::interval - now() FROM outbox_message o "
        "WHERE o.conversation_id = $1 AND o.sent_at > now() - $3::interval "
        "ORDER BY o.sent_at DESC OFFSET $2 - 1 LIMIT 1",
        conversation_id,
        burst,
        window,
    )
    if wait is None:
        return False
    await tx.execute(
        "UPDATE outbox_message SET not_before = greatest(not_before, now() + $2) WHERE id = $1 AND state = 'queued'",
        outbox_id,
        wait,
    )
    return True


async def add(
    tx: Connection,
    *,
    conversation: Row,
    message_id: int,
    origin: str,
    fence: int | None,
    turn_id: UUID | None = None,
    content: Mapping[str, Any] | None = None,
    purpose: Literal["reply", "proactive"] = "reply",
) -> UUID:
    """Queue a stored message for sending. ``content``: what goes out beside its text (domain.contents as JSON)."""
    outbox_id: UUID = await tx.fetchval(
        """INSERT INTO outbox_message
               (tenant_id, conversation_id, channel_session_id, message_id, turn_id, origin, fence, content, purpose)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id""",
        conversation["tenant_id"],
        conversation["id"],
        conversation["channel_session_id"],
        message_id,
        turn_id,
        origin,
        fence,
        dict(content or {}),
        purpose,
    )
    return outbox_id


_MARK_SENT = """
WITH o AS (
    UPDATE outbox_message SET state = 'sent', provider_id = $2, sent_at = $3, ack = 'server', error = NULL
     WHERE id = $1 AND state IN ('sending', 'unknown', 'queued')
    RETURNING id, tenant_id, conversation_id, channel_session_id, state, error
), e AS (
    INSERT INTO event (tenant_id, conversation_id, kind, payload)
    SELECT tenant_id, conversation_id, 'message.status', jsonb_build_object('outbox_id', id, 'state', state) FROM o
)
SELECT o.*,
       EXISTS (SELECT 1 FROM held_event h WHERE h.channel_session_id = o.channel_session_id AND h.key = $2) AS has_held,
       (SELECT q.id FROM outbox_message q
         WHERE q.conversation_id = o.conversation_id AND q.state = 'queued' AND q.not_before <= now() AND q.id <> o.id
         ORDER BY q.message_id LIMIT 1) AS next_id
  FROM o
"""


async def mark_sent(tx: Connection, outbox_id: UUID, *, provider_id: str, at: datetime) -> Row | None:
    """The provider took it. Also true news for a row that was given up as unknown in the meantime.

    Returns the row with ``has_held`` (events wait for this provider id) and ``next_id``, the next due row of its
    conversation.
    """
    return await tx.fetchrow(_MARK_SENT, outbox_id, provider_id, at)


async def mark_failed(tx: Connection, outbox_id: UUID, error: str) -> Row | None:
    """It was certainly not sent and never will be."""
    return await _settle(
        tx,
        outbox_id,
        "UPDATE outbox_message SET state = 'failed', error = $2 WHERE id = $1 AND state = 'sending' RETURNING *",
        error,
    )


async def mark_unknown(tx: Connection, outbox_id: UUID, error: str) -> Row | None:
    """It may or may not have been sent: a person must look."""
    return await _settle(
        tx,
        outbox_id,
        "UPDATE outbox_message SET state = 'unknown', error = $2 WHERE id = $1 AND state = 'sending' RETURNING *",
        error,
    )


async def requeue(tx: Connection, outbox_id: UUID, *, wait: timedelta, error: str) -> Row | None:
    """It was certainly not sent: try later."""
    return await _settle(
        tx,
        outbox_id,
        "UPDATE outbox_message SET state = 'queued', not_before = now() + $2, error = $3 "
        "WHERE id = $1 AND state = 'sending' RETURNING *",
        wait,
        error,
    )


async def _settle(tx: Connection, outbox_id: UUID, statement: str, *values: object) -> Row | None:
    row = await tx.fetchrow(statement, outbox_id, *values)
    if row is not None:
        await events.append(
            tx,
            row["tenant_id"],
            "message.status",
            conversation_id=row["conversation_id"],
            payload={"outbox_id": str(outbox_id), "state": row["state"], "error": row["error"]},
        )
    return row
