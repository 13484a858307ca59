"""Episodes: a conversation from one opening to its closing, kept for reports.

A row is written in the transaction of a change of status (``applied``), never when a message arrives. An open
conversation whose status never changed has none yet: ``episodes_within`` reads it from its messages.
"""

from __future__ import annotations

from uuid import UUID

from domain.conversation import Status
from store.database import Connection, Row

_OF = "m.conversation_id = e.conversation_id AND m.id >= e.first_message_id AND NOT m.historical"
_WITHIN = "(e.last_message_id IS NULL OR m.id <= e.last_message_id)"

_FIRST_LIVE = """(SELECT m.id, m.received_at FROM message m
                   WHERE m.conversation_id = c.id AND NOT m.historical ORDER BY m.id LIMIT 1)"""

_ANSWERS = f"""
  LEFT JOIN LATERAL (
       SELECT m.id, m.received_at AS at FROM message m
        WHERE {_OF} AND {_WITHIN} AND m.author = 'contact' AND m.kind <> 'reaction'
        ORDER BY m.id LIMIT 1) asked ON true
  LEFT JOIN LATERAL (
       SELECT coalesce(o.sent_at, m.received_at) AS at, CASE WHEN m.author = 'bot' THEN 'bot' ELSE 'person' END AS by
         FROM message m LEFT JOIN outbox_message o ON o.message_id = m.id
        WHERE {_OF} AND {_WITHIN} AND m.id > asked.id AND m.author IN ('bot', 'operator', 'phone')
          AND (o.id IS NULL OR o.state = 'sent') AND m.content ->> 'program' IS NULL
        ORDER BY m.id LIMIT 1) answered ON true
  LEFT JOIN LATERAL (
       SELECT coalesce(o.sent_at, m.received_at) AS at
         FROM message m LEFT JOIN outbox_message o ON o.message_id = m.id
        WHERE {_OF} AND {_WITHIN} AND m.id > asked.id AND m.author IN ('operator', 'phone')
          AND (o.id IS NULL OR o.state = 'sent') AND m.content ->> 'program' IS NULL
        ORDER BY m.id LIMIT 1) written ON true
"""
"""Of an episode ``e``: when the contact first wrote, when the first answer left and when a person's first one did."""

_TOOK_PART = """(
    SELECT coalesce(jsonb_agg(DISTINCT t.person ORDER BY t.person)
                        FILTER (WHERE t.person IS NOT NULL), '[]') AS persons,
           count(*) > 0 AS any
      FROM (SELECT jsonb_array_elements_text(e.persons) AS person WHERE {needed}
            UNION ALL SELECT m.user_id::text FROM message m
                       WHERE {needed} AND m.conversation_id = e.conversation_id AND m.id >= e.first_message_id
                         AND m.author IN ('operator', 'phone') AND NOT m.historical AND m.content ->> 'program' IS NULL
            UNION ALL SELECT s.decided_by::text FROM suggestion s
                       WHERE {needed} AND s.conversation_id = e.conversation_id AND s.decided_at >= e.opened_at
                         AND s.decided_by IS NOT NULL
            UNION ALL SELECT a.decided_by::text FROM approval a
                       WHERE {needed} AND a.conversation_id = e.conversation_id AND a.decided_at >= e.opened_at
                         AND a.decided_by IS NOT NULL) t)"""
"""Of an open episode ``e``: who took part so far, and whether anybody did (on the paired phone nobody knows who)."""
_ANYBODY = """(
    SELECT e.persons AS persons, e.closed_at IS NULL AND (e.persons <> '[]'
        OR EXISTS (SELECT 1 FROM message m
                    WHERE m.conversation_id = e.conversation_id AND m.id >= e.first_message_id
                      AND m.author IN ('operator', 'phone') AND NOT m.historical AND m.content ->> 'program' IS NULL)
        OR EXISTS (SELECT 1 FROM suggestion s
                    WHERE s.conversation_id = e.conversation_id AND s.decided_at >= e.opened_at
                      AND s.decided_by IS NOT NULL)
        OR EXISTS (SELECT 1 FROM approval a
                    WHERE a.conversation_id = e.conversation_id AND a.decided_at >= e.opened_at
                      AND a.decided_by IS NOT NULL)) AS any)"""
"""Only whether anybody took part; ``persons`` are those known before."""

_EPISODES = """
    SELECT e.conversation_id, e.channel_session_id, e.opened_at, e.first_message_id, e.last_message_id,
           e.handed_off_at, e.taken_at, e.closed_at, e.closed_by, e.reopened_at, e.team_id,
           CASE WHEN e.reopened_at IS NULL THEN coalesce(e.closed_reason, c.closed_reason)
                ELSE e.closed_reason END AS closed_reason,
           e.persons, e.by_person {known}
      FROM conversation_episode e JOIN conversation c ON c.id = e.conversation_id
     WHERE e.settled AND {range}
    UNION ALL
    SELECT e.conversation_id, e.channel_session_id, e.opened_at, e.first_message_id, e.last_message_id,
           e.handed_off_at, e.taken_at, e.closed_at, e.closed_by, e.reopened_at, e.team_id, e.closed_reason,
           CASE WHEN e.closed_at IS NULL THEN took.persons ELSE e.persons END AS persons,
           e.by_person OR coalesce(took.any, false) AS by_person {answered}
      FROM (
        SELECT e.conversation_id, e.channel_session_id, e.opened_at, e.first_message_id, e.last_message_id,
               e.handed_off_at, e.taken_at, e.closed_at, e.closed_by, e.reopened_at,
               CASE WHEN e.closed_at IS NULL THEN c.team_id ELSE e.team_id END AS team_id,
               CASE WHEN e.reopened_at IS NULL THEN coalesce(e.closed_reason, c.closed_reason)
                    ELSE e.closed_reason END AS closed_reason,
               CASE WHEN e.closed_at IS NULL AND c.assignee_id IS NOT NULL AND NOT e.persons ? c.assignee_id::text
                    THEN e.persons || to_jsonb(c.assignee_id::text) ELSE e.persons END AS persons,
               e.by_person
          FROM conversation_episode e JOIN conversation c ON c.id = e.conversation_id
         WHERE NOT e.settled AND {range}
        UNION ALL
        SELECT e.* FROM (
            SELECT c.id AS conversation_id, c.channel_session_id, f.received_at AS opened_at,
                   f.id AS first_message_id, NULL::bigint AS last_message_id, NULL::timestamptz AS handed_off_at,
                   NULL::timestamptz AS taken_at, NULL::timestamptz AS closed_at, NULL AS closed_by,
                   NULL::timestamptz AS reopened_at, c.team_id, NULL AS closed_reason, '[]'::jsonb AS persons,
                   false AS by_person
              FROM conversation c CROSS JOIN LATERAL {first_live} f
             WHERE c.status <> 'closed'
               AND NOT EXISTS (SELECT 1 FROM conversation_episode x WHERE x.conversation_id = c.id)) e
         WHERE {range}) e
      {answers}
      LEFT JOIN LATERAL {took_part} took ON true
"""
"""What is settled stands in its row; only what is not is looked at again, which costs ten times as much."""
_KNOWN = ", e.asked_at, e.first_answer_at, e.first_answer_by, e.first_person_at"
_ANSWERED = """, asked.at AS asked_at, answered.at AS first_answer_at, answered.by AS first_answer_by,
           written.at AS first_person_at"""


def episodes_within(condition: str, *, answers: bool, persons: bool = True) -> str:
    """SQL: all episodes of the tenant for which ``condition`` (on ``e.opened_at``, ``e.closed_at``) holds.

    ``answers``: with when the contact asked and was answered, which costs a look at the messages of what is unsettled.
    ``persons``: who took part so far in what is open, which costs more than whether anybody did.
    """
    return _EPISODES.format(
        range=condition,
        first_live=_FIRST_LIVE,
        took_part=_TOOK_PART.format(needed="e.closed_at IS NULL") if persons else _ANYBODY,
        known=_KNOWN if answers else "",
        answered=_ANSWERED if answers else "",
        answers=_ANSWERS if answers else "",
    )


async def applied(tx: Connection, row: Row, before: Status, after: Status, *, actor: str, user_id: UUID | None) -> None:
    """Keep the conversation's episode in step with a change of its status. ``row``: as it was before, locked."""
    conversation_id = row["id"]
    if before is Status.CLOSED:
        await _begin(tx, row)
    else:
        await _ensure_open(tx, conversation_id)
    await tx.execute(
        """UPDATE conversation_episode
              SET handed_off_at = CASE WHEN $2 THEN coalesce(handed_off_at, now()) ELSE handed_off_at END,
                  taken_at = CASE WHEN $3 THEN coalesce(taken_at, now()) ELSE taken_at END,
                  by_person = by_person OR $3,
                  persons = CASE WHEN $4::text IS NULL OR persons ? $4 THEN persons
                                 ELSE persons || to_jsonb($4::text) END
            WHERE conversation_id = $1 AND closed_at IS NULL""",
        conversation_id,
        after is Status.WAITING,
        after is Status.HUMAN,
        str(user_id) if after is Status.HUMAN and user_id is not None else None,
    )
    if after is Status.CLOSED:
        await _end(tx, conversation_id, actor)


async def _ensure_open(tx: Connection, conversation_id: UUID) -> None:
    """The row of an episode that has none yet, because nothing but messages came."""
    await tx.execute(
        f"""INSERT INTO conversation_episode (tenant_id, conversation_id, channel_session_id, opened_at,
                                              first_message_id)
            SELECT c.tenant_id, c.id, c.channel_session_id, coalesce(f.received_at, now()), coalesce(f.id, 0)
              FROM conversation c LEFT JOIN LATERAL {_FIRST_LIVE} f ON true
             WHERE c.id = $1
               AND NOT EXISTS (SELECT 1 FROM conversation_episode x
                                WHERE x.conversation_id = c.id AND x.closed_at IS NULL)""",
        conversation_id,
    )


async def _begin(tx: Connection, row: Row) -> None:
    await tx.execute(
        """UPDATE conversation_episode SET reopened_at = coalesce(reopened_at, now()), closed_reason = $2
            WHERE id = (SELECT max(x.id) FROM conversation_episode x
                         WHERE x.conversation_id = $1 AND x.closed_at IS NOT NULL)""",
        row["id"],
        row["closed_reason"],
    )
    await tx.execute(
        """INSERT INTO conversation_episode (tenant_id, conversation_id, channel_session_id, first_message_id)
           SELECT $1, $2, $3, coalesce(max(m.id), 0) + 1 FROM message m WHERE m.conversation_id = $2
           ON CONFLICT DO NOTHING""",
        row["tenant_id"],
        row["id"],
        row["channel_session_id"],
    )


async def _end(tx: Connection, conversation_id: UUID, actor: str) -> None:
    """Close the open episode, with all who took part. An answer may still be on its way out: see ``settle``."""
    await tx.execute(
        f"""WITH e AS (
               SELECT e.*, c.team_id AS queue,
                      (SELECT coalesce(max(m.id), 0) FROM message m WHERE m.conversation_id = $1) AS upto
                 FROM conversation_episode e JOIN conversation c ON c.id = e.conversation_id
                WHERE e.conversation_id = $1 AND e.closed_at IS NULL)
           UPDATE conversation_episode x
              SET closed_at = now(), closed_by = $2, team_id = e.queue, last_message_id = e.upto,
                  persons = CASE WHEN $2 NOT LIKE 'user:%' OR took.persons ? substr($2, 6) THEN took.persons
                                 ELSE took.persons || to_jsonb(substr($2, 6)) END,
                  by_person = x.by_person OR took.any OR $2 LIKE 'user:%'
             FROM e CROSS JOIN LATERAL {_TOOK_PART.format(needed="true")} took WHERE x.id = e.id""",
        conversation_id,
        actor,
    )


async def closing_undone(tx: Connection, conversation_id: UUID) -> None:
    """The last closing was a slip: its episode goes on."""
    await tx.execute(
        """UPDATE conversation_episode
              SET closed_at = NULL, closed_by = NULL, closed_reason = NULL, last_message_id = NULL, settled = false
            WHERE id = (SELECT max(x.id) FROM conversation_episode x WHERE x.conversation_id = $1)
              AND closed_at IS NOT NULL""",
        conversation_id,
    )


async def settle(tx: Connection, at_once: int = 500) -> int:
    """Write down what the answers of episodes closed a while ago say; returns how many. Changes no figure."""
    done = await tx.fetch(
        f"""WITH due AS (
                SELECT * FROM conversation_episode
                 WHERE NOT settled AND closed_at < now() - interval '10 minutes'
                 ORDER BY closed_at LIMIT $1 FOR UPDATE SKIP LOCKED
            ), known AS (
                SELECT e.id, asked.at AS asked_at, answered.at AS answered_at, answered.by, written.at AS written_at
                  FROM due e {_ANSWERS})
            UPDATE conversation_episode x
               SET settled = true, asked_at = k.asked_at, first_answer_at = k.answered_at, first_answer_by = k.by,
                   first_person_at = k.written_at
              FROM known k WHERE x.id = k.id RETURNING x.id""",
        at_once,
    )
    return len(done)


async def join(tx: Connection, *, kept: Row, twin: Row) -> None:
    """Two conversations become one: their episodes too. Of two open ones the earlier begins the joint one.

    ``kept``, ``twin``: the conversations' rows, before anything of the twin's moves.
    """
    for row in (kept, twin):
        if row["status"] != Status.CLOSED:
            await _ensure_open(tx, row["id"])
    await tx.execute(
        """WITH gone AS (
               DELETE FROM conversation_episode t
                WHERE t.conversation_id = $2 AND t.closed_at IS NULL
                  AND EXISTS (SELECT 1 FROM conversation_episode k
                               WHERE k.conversation_id = $1 AND k.closed_at IS NULL)
               RETURNING *)
           UPDATE conversation_episode k
              SET opened_at = least(k.opened_at, t.opened_at),
                  first_message_id = least(k.first_message_id, t.first_message_id),
                  handed_off_at = least(k.handed_off_at, t.handed_off_at), taken_at = least(k.taken_at, t.taken_at),
                  by_person = k.by_person OR t.by_person,
                  persons = (SELECT coalesce(jsonb_agg(DISTINCT person), '[]')
                               FROM jsonb_array_elements(k.persons || t.persons) person)
             FROM gone t WHERE k.conversation_id = $1 AND k.closed_at IS NULL""",
        kept["id"],
        twin["id"],
    )
    await tx.execute(
        """UPDATE conversation_episode e
              SET conversation_id = $1, closed_reason = coalesce(e.closed_reason, c.closed_reason)
             FROM conversation c WHERE e.conversation_id = $2 AND c.id = $2""",
        kept["id"],
        twin["id"],
    )
