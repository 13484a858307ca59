"""Who works on what, for supervision. Every function takes a connection inside ``Database.transaction(tenant_id)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from store.database import Connection, Row
from store.inbox import CONTACT_NAME

AWAKE: Final = "(c.snoozed_until IS NULL OR c.snoozed_until <= now())"
_MOST: Final = 5_000


async def people(tx: Connection, roles: Sequence[str]) -> list[Row]:
    """Members with these roles: presence, capacity, skills, teams, how many conversations they have and owe answers."""
    rows: list[Row] = await tx.fetch(
        f"""SELECT m.user_id, u.name, m.role, m.capacity, m.skills, m.away_at, m.seen_at,
                   count(c.id) FILTER (WHERE {AWAKE}) AS open,
                   count(c.id) FILTER (WHERE {AWAKE} AND c.last_inbound_id > c.answered_upto_id) AS unanswered,
                   ARRAY(SELECT t.name FROM team_member x JOIN team t ON t.id = x.team_id
                          WHERE x.user_id = m.user_id ORDER BY t.name) AS teams,
                   ARRAY(SELECT x.team_id FROM team_member x WHERE x.user_id = m.user_id) AS team_ids
              FROM membership m JOIN user_account u ON u.id = m.user_id
              LEFT JOIN conversation c ON c.assignee_id = m.user_id AND c.status = 'human'
             WHERE m.tenant_id = current_tenant() AND m.role = ANY ($1)
             GROUP BY m.id, u.id ORDER BY lower(u.name), u.id""",
        list(roles),
    )
    return rows


async def teams(tx: Connection) -> list[Row]:
    """Every team: id, name, assignment."""
    rows: list[Row] = await tx.fetch("SELECT id, name, assignment FROM team ORDER BY lower(name), id")
    return rows


async def waiting(tx: Connection) -> list[Row]:
    """Conversations in which a customer waits, with since when: in a queue since the handoff, or with a person since
    the first message that has no answer. The longest first."""
    rows: list[Row] = await tx.fetch(
        f"""SELECT c.id, {CONTACT_NAME} AS contact, n.name AS number, c.team_id, q.name AS team, u.name AS assignee,
                   c.priority, c.last_preview AS preview,
                   CASE WHEN c.status = 'waiting' THEN coalesce(c.waiting_since, c.last_message_at)
                        ELSE coalesce(first.received_at, c.last_message_at) END AS since
              FROM conversation c
              JOIN contact p ON p.id = c.contact_id JOIN channel_session n ON n.id = c.channel_session_id
              LEFT JOIN team q ON q.id = c.team_id LEFT JOIN user_account u ON u.id = c.assignee_id
              LEFT JOIN LATERAL (SELECT m.received_at FROM message m
                                  WHERE m.conversation_id = c.id AND m.id > c.answered_upto_id
                                    AND m.author = 'contact' AND NOT m.historical
                                  ORDER BY m.id LIMIT 1) first ON c.status = 'human'
             WHERE {AWAKE} AND (c.status = 'waiting'
                                OR (c.status = 'human' AND c.last_inbound_id > c.answered_upto_id))
             ORDER BY since LIMIT {_MOST}"""
    )
    return rows
