"""Why a message cannot leave yet, and until when: noted on its outbox row, and read from there for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.sending_pace import Bucket, NewContactTerms, SendingPace, Waits
from store import events
from store.database import Connection, Row
from store.outbox import AHEAD, AHEAD_FOR_RATE, IS_STALE, KNOWN_TO_US, LEFT_ALREADY

_LOOKED_AT_AGAIN = timedelta(minutes=5)
"""A reason that settings may end earlier (quiet hours, caps) is looked at anew so often."""
_PHONE = timedelta(seconds=0.5)
_DAY = timedelta(hours=24)
_IN_LINE_SECONDS = 10.0


async def hold_quiet(tx: Connection, outbox_id: UUID, until: datetime, answers_within: timedelta | None) -> bool:
    """Let an automatic row wait until the quiet hours end; whether it must.

    Not what a person waits behind, not the rest of a reply that has begun, and not an answer to somebody who wrote
    within ``answers_within``.
    """
    row = await tx.fetchrow(
        f"""SELECT 1 FROM outbox_message o JOIN conversation c ON c.id = o.conversation_id
             WHERE o.id = $1 AND o.state = 'queued' AND o.not_before <= now() AND NOT o.urgent
               AND NOT {LEFT_ALREADY}
               AND NOT (o.purpose = 'reply' AND $2::interval IS NOT NULL
                        AND EXISTS (SELECT 1 FROM message m
                                     WHERE m.id = c.last_inbound_id AND m.received_at > now() - $2::interval))""",
        outbox_id,
        answers_within,
    )
    if row is None:
        return False
    await _hold(tx, outbox_id, Waits.QUIET_HOURS, until)
    return True


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a due row from leaving. ``reason`` None: nothing that is known here."""

    reason: Waits | None = None
    is_stale: bool = False


async def obstacle(tx: Connection, outbox_id: UUID, pace: SendingPace) -> Obstacle:
    """Why ``store.outbox.claim`` gave nothing."""
    row = await tx.fetchrow(
        f"""SELECT {IS_STALE} AS stale,
                   EXISTS (SELECT 1 FROM outbox_message e
                            WHERE e.conversation_id = o.conversation_id
                              AND (e.state = 'sending' OR (e.state = 'queued' AND e.message_id < o.message_id)))
                       AS behind,
                   o.origin = 'bot' AND EXISTS (
                       SELECT 1 FROM held_event h WHERE h.conversation_id = o.conversation_id) AS phone,
                   $2 AND NOT {KNOWN_TO_US} AS unknown_contact
              FROM outbox_message o JOIN conversation c ON c.id = o.conversation_id
             WHERE o.id = $1 AND o.state = 'queued' AND o.not_before <= now()""",
        outbox_id,
        pace.new_contacts is not None,
    )
    if row is None:
        return Obstacle()
    if row["stale"] or row["behind"]:
        return Obstacle(is_stale=row["stale"])
    if row["phone"]:
        return Obstacle(Waits.PHONE)
    if row["unknown_contact"]:
        return Obstacle(Waits.NEW_CONTACT_CAP)
    return Obstacle(Waits.RATE if pace.bucket else None)


async def hold_for_phone(tx: Connection, outbox_id: UUID) -> None:
    """Look again in a moment whether the conversation is a person's."""
    await _hold(tx, outbox_id, Waits.PHONE, None, look_again=_PHONE)


async def admit_first_contact(tx: Connection, outbox_id: UUID, terms: NewContactTerms) -> bool:
    """Count a conversation that the business begins, if the number's cap allows it; else its row waits.

    The number's row stays locked until the transaction ends, so that two first contacts at once are counted as two.
    """
    number = await tx.fetchrow(_NUMBER, outbox_id)
    if number is None:
        return False
    most = terms.most(number["now"] - number["new_since"])
    used = await tx.fetchrow(
        "SELECT count(*) AS n, (array_agg(at ORDER BY at DESC))[greatest($2, 1)] + $3::interval AS free_at "
        "FROM first_contact WHERE channel_session_id = $1 AND at > now() - $3::interval",
        number["channel_session_id"],
        most,
        _DAY,
    )
    ahead = await tx.fetchval(_STRANGERS_AHEAD, outbox_id)
    if used["n"] + ahead >= most:
        # Those before it in line take what is left of today.
        free_at = used["free_at"] or number["now"] + _DAY
        await _hold(tx, outbox_id, Waits.NEW_CONTACT_CAP, free_at if most else None)
        return False
    if number["next_first_contact_at"] > number["now"] or (ahead and terms.gap[1] > 0):
        await _hold(tx, outbox_id, Waits.NEW_CONTACT_CAP, number["next_first_contact_at"])
        return False
    await tx.execute(
        "INSERT INTO first_contact (conversation_id, tenant_id, channel_session_id) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING",
        number["conversation_id"],
        number["tenant_id"],
        number["channel_session_id"],
    )
    await tx.execute(
        "UPDATE number_pace SET next_first_contact_at = clock_timestamp() + make_interval(secs => $2 + random() * $3) "
        "WHERE channel_session_id = $1",
        number["channel_session_id"],
        terms.gap[0],
        terms.gap[1] - terms.gap[0],
    )
    return True


_STRANGERS_AHEAD = f"""
    SELECT count(*) FROM outbox_message o
      JOIN outbox_message w ON {AHEAD.replace("{reason}", "'new_contact_cap'")}
      JOIN conversation c ON c.id = w.conversation_id
     WHERE o.id = $1 AND NOT {KNOWN_TO_US}"""

_NUMBER = """
    INSERT INTO number_pace AS p (channel_session_id, tenant_id, tokens, refilled_at, phone, new_since)
    SELECT o.channel_session_id, o.tenant_id, 0, to_timestamp(0),
           split_part(split_part(coalesce(s.account, ''), '@', 1), ':', 1), s.created_at
      FROM outbox_message o JOIN channel_session s ON s.id = o.channel_session_id WHERE o.id = $1
    ON CONFLICT (channel_session_id) DO UPDATE
       SET new_since = CASE WHEN p.phone NOT IN ('', excluded.phone) AND excluded.phone <> '' THEN now()
                            WHEN p.phone = '' THEN least(p.new_since, excluded.new_since) ELSE p.new_since END,
           phone = coalesce(nullif(excluded.phone, ''), p.phone)
    RETURNING p.channel_session_id, p.tenant_id, p.next_first_contact_at, p.new_since, now() AS now,
              (SELECT conversation_id FROM outbox_message WHERE id = $1) AS conversation_id
"""
"""The number's row, locked. Another paired phone is a new number; while no phone is known, its age is the row's."""


async def hold_for_rate(tx: Connection, outbox_id: UUID, bucket: Bucket) -> None:
    """Wait for a token: those of people first, then the oldest. Each row gets the time at which its own is expected."""
    wait = await tx.fetchval(
        f"""SELECT greatest(1 + {AHEAD_FOR_RATE} - least($2::float8, coalesce(p.tokens, $2::float8)
                   + greatest(extract(epoch FROM clock_timestamp() - coalesce(p.refilled_at, now())), 0)
                   * $3::float8), 0) / $3::float8
              FROM outbox_message o LEFT JOIN number_pace p ON p.channel_session_id = o.channel_session_id
             WHERE o.id = $1""",
        outbox_id,
        bucket.burst,
        bucket.per_second,
    )
    # A little late is on time; a little early would be asked in vain.
    seconds = min(max(float(wait or 0.0), 0.0) + 0.02, _DAY.total_seconds())
    # Who stands far behind looks in between: those before it may have been taken back.
    look_again = min(seconds, max(1 / bucket.per_second, _IN_LINE_SECONDS))
    await _hold(tx, outbox_id, Waits.RATE, timedelta(seconds=seconds), look_again=timedelta(seconds=look_again))


async def _hold(
    tx: Connection,
    outbox_id: UUID,
    reason: Waits,
    until: datetime | timedelta | None,
    *,
    look_again: timedelta = _LOOKED_AT_AGAIN,
) -> None:
    """Keep a queued row from being due, and tell people when the reason is a new one."""
    moment, lasts = (None, until) if isinstance(until, timedelta) else (until, None)
    row = await tx.fetchrow(
        """UPDATE outbox_message u
              SET waits_for = $2, waits_until = coalesce($3, clock_timestamp() + $4),
                  not_before = least($3, clock_timestamp() + $5)
             FROM outbox_message q
            WHERE u.id = $1 AND q.id = u.id AND u.state = 'queued'
        RETURNING u.tenant_id, u.conversation_id, q.waits_for IS DISTINCT FROM $2 AS is_news""",
        outbox_id,
        reason.value,
        moment,
        lasts,
        look_again,
    )
    if row is not None and row["is_news"]:
        await events.append(
            tx,
            row["tenant_id"],
            "message.status",
            conversation_id=row["conversation_id"],
            payload={"outbox_id": str(outbox_id), "state": "queued", "waits_for": reason.value},
        )


# For people ---------------------------------------------------------------------------------------------------------

WAITS_FOR = """CASE WHEN o.state IS DISTINCT FROM 'queued' THEN NULL
    WHEN EXISTS (SELECT 1 FROM outbox_message e
                  WHERE e.conversation_id = o.conversation_id
                    AND (e.state = 'sending' OR (e.state = 'queued' AND e.message_id < o.message_id))) THEN 'order'
    WHEN NOT n.wanted THEN 'paused'
    WHEN n.status IN ('disconnected', 'error', 'awaiting_qr', 'qr_expired')
         OR (n.provider = 'neonize' AND n.status IN ('unknown', 'connecting')) THEN 'offline'
    WHEN n.status = 'restricted'
         AND EXISTS (SELECT 1 FROM conversation r WHERE r.id = o.conversation_id AND r.last_inbound_id = 0)
         AND NOT EXISTS (SELECT 1 FROM message w WHERE w.conversation_id = o.conversation_id AND w.author = 'contact')
         THEN 'restricted'
    ELSE o.waits_for END"""
"""Why the queued row ``o`` of the number ``n`` (channel_session) waits; NULL: it is about to leave."""

WAITS_UNTIL = f"CASE WHEN ({WAITS_FOR}) = o.waits_for THEN o.waits_until END"
"""Until when, where that is known."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way out, as people see it. ``waits_for``: domain.sending_pace.Waits."""

    id: UUID
    conversation_id: UUID
    number_id: UUID
    number: str
    contact: str
    origin: str
    state: str
    ack: str | None
    waits_for: str | None
    waits_until: datetime | None
    error: str | None
    attempts: int
    text: str
    queued_at: datetime
    sent_at: datetime | None


async def outgoing(
    tx: Connection, *, states: list[str], number: UUID | None, conversation: UUID | None, at_most: int
) -> list[Outgoing]:
    """Messages in any of these states, those that wait longest first."""
    rows: list[Row] = await tx.fetch(
        f"""SELECT o.id, o.conversation_id, n.id AS number_id, n.name AS number,
                   coalesce(p.name, p.push_name, c.address) AS contact, o.origin, o.state, o.ack,
                   {WAITS_FOR} AS waits_for, {WAITS_UNTIL} AS waits_until, o.error, o.attempts, m.text, o.queued_at,
                   o.sent_at
              FROM outbox_message o
              JOIN message m ON m.id = o.message_id
              JOIN conversation c ON c.id = o.conversation_id
              JOIN contact p ON p.id = c.contact_id
              JOIN channel_session n ON n.id = o.channel_session_id
             WHERE o.state = ANY ($1) AND ($2::uuid IS NULL OR n.id = $2)
               AND ($3::uuid IS NULL OR o.conversation_id = $3)
             ORDER BY o.message_id LIMIT $4""",
        states,
        number,
        conversation,
        at_most,
    )
    return [Outgoing(**dict[str, Any](row)) for row in rows]
