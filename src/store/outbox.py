"""Messages out: queued, claimed under the fence, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from domain.sending_pace import SendingPace
from store import events
from store.database import Connection, Row

_NO_LIMITS = SendingPace()

STOPPED = "automatic replies are stopped"
OPTED_OUT = "the contact wants no messages on our initiative"
WITHDRAWN = "its writer took it back"
"""Of a message that was taken back before it left: people do not see it in the thread."""

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

_OWN_MESSAGE_HELD = """o.origin = 'bot' AND EXISTS (
                    SELECT 1 FROM held_event h WHERE h.conversation_id = o.conversation_id)"""
"""Whether somebody may have taken the conversation over on the phone: nothing automatic leaves before that is known."""

_CLAIM = """
WITH o AS (
    SELECT o.id, o.tenant_id, o.conversation_id, o.channel_session_id, o.fence, o.message_id, o.origin, o.purpose,
           o.turn_id, o.urgent
      FROM outbox_message o WHERE o.id = $1 AND o.state = 'queued' AND o.not_before <= now()
), c AS (
    SELECT c.id, c.fence, c.address, c.last_inbound_id, c.status
      FROM conversation c JOIN o ON o.conversation_id = c.id FOR UPDATE OF c
){mine}, ready AS (
    SELECT o.id, o.tenant_id, o.conversation_id, o.channel_session_id, o.message_id, o.urgent, c.address, bar.barred
      FROM {from} JOIN c ON c.id = o.conversation_id CROSS JOIN LATERAL (SELECT {bar} AS barred) bar
     WHERE bar.barred IS NOT NULL
        OR (((o.fence IS NULL OR o.fence = c.fence) OR (c.status IN ('bot', 'waiting') AND {begun}))
            AND NOT EXISTS (SELECT 1 FROM outbox_message e
                             WHERE e.conversation_id = o.conversation_id
                               AND (e.state = 'sending' OR (e.state = 'queued' AND e.message_id < o.message_id)))
            AND NOT ({held}) {known})
){taken}
UPDATE outbox_message u
   SET state = CASE WHEN ready.barred IS NULL THEN 'sending' ELSE 'cancelled' END, error = ready.barred,
       attempts = u.attempts + CASE WHEN ready.barred IS NULL THEN 1 ELSE 0 END,
       sending_until = CASE WHEN ready.barred IS NULL THEN now() + $2 END, waits_for = NULL, waits_until = NULL
  FROM ready
 WHERE u.id = ready.id AND u.state = 'queued' {paid}
RETURNING ready.barred, u.fence, u.turn_id,
"""
_CLAIM = (
    _CLAIM.replace("{bar}", _BAR.format(o="o")).replace("{begun}", LEFT_ALREADY).replace("{held}", _OWN_MESSAGE_HELD)
)
_TO_SEND = """
          u.id, u.tenant_id, u.conversation_id, u.channel_session_id, u.message_id, u.attempts, u.origin, u.content,
          (SELECT c.address FROM conversation c WHERE c.id = u.conversation_id) AS address,
          (SELECT m.text FROM message m WHERE m.id = u.message_id) AS text,
          (SELECT m.quoted_provider_id FROM message m WHERE m.id = u.message_id) AS quoted_provider_id,
          (SELECT jsonb_build_object('text', q.text, 'sender', q.sender)
             FROM message m JOIN message q ON q.provider_id = m.quoted_provider_id
              AND q.channel_session_id = m.channel_session_id AND q.contact_id = m.contact_id
            WHERE m.id = u.message_id) AS quoted,
          EXISTS (SELECT 1 FROM outbox_message q JOIN message m ON m.id = u.message_id
                   WHERE q.channel_session_id = u.channel_session_id AND q.provider_id = m.quoted_provider_id)
              AS quoted_from_me,
          CASE WHEN u.origin = 'bot' THEN (
              SELECT m.provider_id FROM message m
               WHERE m.conversation_id = u.conversation_id AND m.author = 'contact' AND m.provider_id IS NOT NULL
               ORDER BY m.id DESC LIMIT 1) END AS answered_provider_id
"""
_CLAIM += _TO_SEND

KNOWN_TO_US = """(c.last_inbound_id > 0
             OR EXISTS (SELECT 1 FROM message w WHERE w.conversation_id = c.id AND w.author = 'contact')
             OR EXISTS (SELECT 1 FROM first_contact f WHERE f.conversation_id = c.id))"""
"""Whether conversation ``c`` is none that the business begins just now."""

AHEAD = """w.channel_session_id = o.channel_session_id AND w.state = 'queued' AND w.id <> o.id
          AND (NOT w.urgent, w.message_id) < (NOT o.urgent, o.message_id)
          AND w.not_before > now() - interval '5 s'
          AND (w.waits_for = {reason}
               OR (w.waits_for IS NULL AND w.not_before <= now()
                   AND NOT EXISTS (SELECT 1 FROM outbox_message e
                                    WHERE e.conversation_id = w.conversation_id AND e.state IN ('queued', 'sending')
                                      AND e.message_id < w.message_id)))"""
"""Whether row ``w`` of the same number comes before row ``o`` where both wait for the same: people's first, then the
oldest. Nobody waits for one that is overdue: something else keeps it, or the process that would send it is gone."""

AHEAD_FOR_RATE = "(SELECT count(*) FROM outbox_message w WHERE " + AHEAD.format(reason="'rate'") + ")"

_TOKENS = (
    "least($3::float8, p.tokens + greatest(extract(epoch FROM clock_timestamp() - p.refilled_at), 0) * $4::float8)"
)
_MINE = """, mine AS (
    SELECT u.id FROM c JOIN outbox_message u ON u.conversation_id = c.id
     WHERE u.id = $1 AND u.state = 'queued' AND u.not_before <= now() FOR UPDATE OF u
)"""
"""The row as it is after the wait for its conversation: another process may have claimed it."""
_TAKEN = f"""
, taken AS (
    INSERT INTO number_pace AS p (channel_session_id, tenant_id, tokens, refilled_at)
    SELECT o.channel_session_id, o.tenant_id, $3::float8 - 1, clock_timestamp() FROM ready o
     WHERE o.barred IS NULL AND $3 IS NOT NULL
       AND ($3 >= 1 + {AHEAD_FOR_RATE}
            OR EXISTS (SELECT 1 FROM number_pace x WHERE x.channel_session_id = o.channel_session_id))
    ON CONFLICT (channel_session_id) DO UPDATE SET tokens = {_TOKENS} - 1, refilled_at = clock_timestamp()
     WHERE {_TOKENS} >= 1 + (SELECT {AHEAD_FOR_RATE} FROM ready o)
    RETURNING p.channel_session_id
)"""
"""One token, refilled by time in the same statement; those who wait before it in line get theirs first.

The row stays locked until the claim commits, never while anything waits for a token.
"""
_PAID = "AND (ready.barred IS NOT NULL OR $3 IS NULL OR EXISTS (SELECT 1 FROM taken))"
_PLAIN = {"{from}": "o", "{mine}": "", "{taken}": "", "{paid}": "", "{known}": ""}
_PACED = {
    "{from}": "o JOIN mine ON mine.id = o.id",
    "{mine}": _MINE,
    "{taken}": _TAKEN,
    "{paid}": _PAID,
    "{known}": f"AND (NOT $5 OR {KNOWN_TO_US})",
}


def _claim_statement(*, paced: bool) -> str:
    """``_CLAIM`` for a number without limits or with them."""
    parts = _PACED if paced else _PLAIN
    statement = _CLAIM
    for mark, part in parts.items():
        statement = statement.replace(mark, part)
    return statement


async def claim(tx: Connection, outbox_id: UUID, *, lease: timedelta, pace: SendingPace = _NO_LIMITS) -> Row | None:
    """Move one row from queued to sending, if it is its turn, its fence still holds and the number's pace allows it.

    Of a reply in several messages the fence holds for all once the first has left: what a customer writes meanwhile
    does not cut it off, a person who takes over does (``turns.void_stale`` cancels the rest with the takeover).
    ``lease``: after this time the attempt counts as dead. Returns what to send, or None. Where ``barred`` is set, the
    row was cancelled instead (STOPPED or OPTED_OUT), by the same statement, and nothing may be sent.
    """
    if not pace.is_limited:
        return await tx.fetchrow(_claim_statement(paced=False), outbox_id, lease)
    bucket = pace.bucket
    return await tx.fetchrow(
        _claim_statement(paced=True),
        outbox_id,
        lease,
        bucket.burst if bucket else None,
        bucket.per_second if bucket else 0.0,
        pace.new_contacts is not None,
    )


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


IS_STALE = f"(o.fence IS NOT NULL AND o.fence <> c.fence AND NOT (c.status IN ('bot', 'waiting') AND {LEFT_ALREADY}))"
"""Whether the waiting row ``o`` was overtaken: its conversation ``c`` has another fence by now."""


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
        "UPDATE outbox_message SET not_before = greatest(not_before, now() + $2), waits_for = 'recipient_rate', "
        "waits_until = greatest(not_before, now() + $2) WHERE id = $1 AND state = 'queued'",
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
    hold: timedelta | None = None,
) -> UUID:
    """Queue a stored message for sending. ``content``: what goes out beside its text (domain.contents as JSON).

    ``hold``: how long its writer may take it back, before it is due.
    """
    outbox_id: UUID = await tx.fetchval(
        """INSERT INTO outbox_message
               (tenant_id, conversation_id, channel_session_id, message_id, turn_id, origin, fence, content, purpose,
                urgent, not_before, waits_for, waits_until)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $6 <> 'bot', now() + coalesce($10, interval '0'),
                   CASE WHEN $10::interval IS NOT NULL THEN 'undo' END, now() + $10) RETURNING id""",
        conversation["tenant_id"],
        conversation["id"],
        conversation["channel_session_id"],
        message_id,
        turn_id,
        origin,
        fence,
        dict(content or {}),
        purpose,
        hold,
    )
    if origin != "bot":
        # A person writes: automatic messages before this one wait for the morning no longer, nor at the line's end.
        await tx.execute(
            "UPDATE outbox_message SET urgent = true, waits_for = NULL, waits_until = NULL, "
            "not_before = CASE WHEN waits_for IN ('quiet_hours', 'rate') THEN now() ELSE not_before END "
            "WHERE conversation_id = $1 AND state = 'queued' AND NOT urgent",
            conversation["id"],
        )
    return outbox_id


_MARK_SENT = """
WITH i AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) i(id, provider_id, at)
), o AS (
    UPDATE outbox_message u
       SET state = 'sent', provider_id = i.provider_id, sent_at = i.at, ack = coalesce(u.ack, 'server'), error = NULL,
           waits_for = NULL, waits_until = NULL,
           repeats = CASE WHEN u.state = 'sending' THEN u.repeats ELSE greatest(u.repeats - 1, 0) END
      FROM i WHERE u.id = i.id AND u.provider_id IS NULL
       AND (u.state IN ('sending', 'unknown', 'queued') OR (u.state = 'sent' AND u.settled = 'arrived'))
    RETURNING u.id, u.tenant_id, u.conversation_id, u.channel_session_id, u.state, u.error, u.provider_id
), e AS (
    INSERT INTO event (tenant_id, conversation_id, kind, payload)
    SELECT tenant_id, conversation_id, 'message.status', jsonb_build_object('outbox_id', id, 'state', state) FROM o
)
SELECT o.*,
       EXISTS (SELECT 1 FROM held_event h
                WHERE h.channel_session_id = o.channel_session_id AND h.key = o.provider_id) AS has_held,
       (SELECT q.id FROM outbox_message q
         WHERE q.conversation_id = o.conversation_id AND q.state = 'queued' AND q.not_before <= now() AND q.id <> o.id
         ORDER BY q.message_id LIMIT 1) AS next_id
  FROM o
"""


async def mark_sent(tx: Connection, outbox_id: UUID, *, provider_id: str, at: datetime) -> Row | None:
    """The provider took it. Also true news for a row that was given up as unknown in the meantime, and then settled.

    Returns the row with ``has_held`` (events wait for this provider id) and ``next_id``, the next due row of its
    conversation.
    """
    return (await mark_many_sent(tx, [(outbox_id, provider_id, at)]))[0]


async def mark_many_sent(tx: Connection, sent: Sequence[tuple[UUID, str, datetime]]) -> list[Row | None]:
    """``mark_sent`` for rows of different conversations: (row, provider's id, time) each."""
    rows = await tx.fetch(_MARK_SENT, *(list(column) for column in zip(*sent, strict=True)))
    found = {row["id"]: row for row in rows}
    return [found.get(outbox_id) for outbox_id, _, _ in sent]


async def add_alias(tx: Connection, outbox_id: UUID, provider_id: str) -> None:
    """A further attempt of this row has arrived, too: its id names a message of ours."""
    await tx.execute(
        """WITH a AS (
           INSERT INTO outbox_alias (tenant_id, channel_session_id, provider_id, outbox_id)
           SELECT o.tenant_id, o.channel_session_id, $2::text, o.id FROM outbox_message o
            WHERE o.id = $1 AND o.provider_id IS DISTINCT FROM $2::text ON CONFLICT DO NOTHING
           RETURNING outbox_id)
           UPDATE outbox_message SET repeats = greatest(repeats - 1, 0) FROM a WHERE id = a.outbox_id""",
        outbox_id,
        provider_id,
    )


async def mark_failed(tx: Connection, outbox_id: UUID, error: str, *, attempt: int) -> Row | None:
    """It was certainly not sent and never will be. ``attempt``: which one failed; another's outcome stays open."""
    return await _settle(
        tx,
        outbox_id,
        "UPDATE outbox_message SET state = 'failed', error = $2 WHERE id = $1 AND state = 'sending' "
        "AND attempts = $3 RETURNING *",
        error,
        attempt,
    )


async def mark_unknown(tx: Connection, outbox_id: UUID, error: str, *, attempt: int | None = None) -> Row | None:
    """It may or may not have been sent: a person must look. ``attempt`` None: whichever there is."""
    return await _settle(
        tx,
        outbox_id,
        "UPDATE outbox_message SET state = 'unknown', error = $2, settled = NULL, settled_by = NULL, "
        "repeats = repeats + 1 WHERE id = $1 AND state = 'sending' AND attempts = coalesce($3, attempts) RETURNING *",
        error,
        attempt,
    )


async def requeue(tx: Connection, outbox_id: UUID, *, wait: timedelta, error: str, attempt: int) -> Row | None:
    """It was certainly not sent: try later."""
    return await _settle(
        tx,
        outbox_id,
        "UPDATE outbox_message SET state = 'queued', not_before = now() + $2, error = $3, waits_for = 'retry', "
        "waits_until = now() + $2 WHERE id = $1 AND state = 'sending' AND attempts = $4 RETURNING *",
        wait,
        error,
        attempt,
    )


async def _settle(tx: Connection, outbox_id: UUID, statement: str, *values: object) -> Row | None:
    row = await tx.fetchrow(statement, outbox_id, *values)
    if row is not None:
        told = {"outbox_id": str(outbox_id), "state": row["state"], "error": row["error"]}
        conversation_id = row["conversation_id"]
        await events.append(tx, row["tenant_id"], "message.status", conversation_id=conversation_id, payload=told)
    return row
