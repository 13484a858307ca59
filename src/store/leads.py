"""Leads where they begin: together with the conversation of somebody who writes for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.leads import Lead
from domain.messages import Address
from store.contacts import named_by
from store.database import Connection, Row
from store.notifications import SEES

_OPEN: Final = f"""
WITH made AS (
    INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address, team_id)
    SELECT $1, s.id, $3, $4, s.team_id FROM channel_session s WHERE s.id = $2
    ON CONFLICT DO NOTHING RETURNING id, team_id, assignee_id
), lead AS (
    UPDATE contact c
       SET lead_status = 'new', lead_source = $6, lead_score = $7, lead_reasons = $8::jsonb, lead_at = now()
      FROM made
     WHERE $5 AND c.id = $3 AND c.created_at = now() AND NOT c.is_group AND c.lead_status IS NULL
       AND NOT EXISTS (SELECT 1 FROM contact_address a JOIN channel_session s ON a.kind = 'phone'
                          AND a.value = regexp_replace(split_part(split_part(s.account, '@', 1), ':', 1),
                                                       '[^0-9]', '', 'g')
                        WHERE a.contact_id = c.id)
    RETURNING made.id, made.team_id, made.assignee_id
), told AS (
    INSERT INTO notification (tenant_id, user_id, kind, conversation_id, payload)
    SELECT $1, m.user_id, 'lead.created', lead.id,
           jsonb_build_object('contact_id', $3::uuid, 'source', $6::text, 'score', $7::integer)
      FROM lead JOIN membership m ON m.role = ANY ($9::text[]) AND {SEES.format(conversation="lead")}
)
INSERT INTO event (tenant_id, conversation_id, kind, payload)
SELECT $1, lead.id, 'lead.created',
       jsonb_build_object('contact_id', $3::uuid, 'source', $6::text, 'score', $7::integer, 'reasons', $8::jsonb)
  FROM lead
"""
"""A contact made in this very transaction was unknown before: ``created_at`` is the transaction's time. One of our own
numbers that writes to another is nobody new."""


async def open_conversation(
    tx: Connection,
    tenant_id: UUID,
    session_id: UUID,
    contact_id: UUID,
    address: Address,
    *,
    lead: Lead | None = None,
    tells: Sequence[str] = (),
) -> None:
    """The contact's conversation on this number, in its team's queue; nothing where there is one already.

    ``lead``: what a contact becomes that was made in this transaction; members of the roles ``tells`` are notified.
    One statement.
    """
    await tx.execute(
        _OPEN,
        tenant_id,
        session_id,
        contact_id,
        str(address),
        lead is not None,
        lead.source if lead else "",
        lead.score if lead else 0,
        list(lead.reasons) if lead else [],
        list(tells),
    )


async def withdraw(tx: Connection, tenant_id: UUID, chats: Sequence[Address]) -> int:
    """The past of these chats is known now: who is in it from before becoming a lead is none. Those that somebody
    worked on stay. Returns how many."""
    rows = await tx.fetch(
        f"""WITH known AS (
               UPDATE contact c
                  SET lead_status = NULL, lead_score = 0, lead_source = '', lead_reasons = '[]', lead_at = NULL
                WHERE c.id IN (SELECT contact_id FROM {named_by("$2", "$3")} n)
                  AND c.lead_status = 'new' AND c.version = 1
                  AND EXISTS (SELECT 1 FROM conversation k JOIN message m ON m.conversation_id = k.id
                               WHERE k.contact_id = c.id AND m.historical AND m.sent_at < c.lead_at)
               RETURNING c.id
           ), read AS (
               UPDATE notification n SET read_at = coalesce(n.read_at, now())
                 FROM known, conversation k
                WHERE k.contact_id = known.id AND n.conversation_id = k.id AND n.kind = 'lead.created'
           )
           INSERT INTO event (tenant_id, kind, payload)
           SELECT $1, 'lead.withdrawn', jsonb_build_object('contact_id', id) FROM known RETURNING 1""",
        tenant_id,
        [chat.kind.value for chat in chats],
        [chat.value for chat in chats],
    )
    return len(rows)


async def column(
    tx: Connection,
    status: str,
    *,
    source: str,
    words: str,
    least_score: int,
    before: tuple[datetime, UUID] | None,
    at_most: int,
) -> list[Row]:
    """Leads of one status, the newest first, with their conversation written to last."""
    return list(
        await tx.fetch(
            """SELECT c.id, coalesce(nullif(c.name, ''), c.push_name, '') AS name, c.lead_status, c.lead_score,
                      c.lead_source, c.lead_reasons, c.lead_at, c.version, k.id AS conversation_id, k.last_preview,
                      coalesce((SELECT a.value FROM contact_address a
                                 WHERE a.contact_id = c.id AND a.kind = 'phone' LIMIT 1), '') AS phone
                 FROM contact c
                 LEFT JOIN LATERAL (SELECT x.id, x.last_preview FROM conversation x WHERE x.contact_id = c.id
                                     ORDER BY x.last_message_at DESC LIMIT 1) k ON true
                WHERE c.lead_status = $1 AND ($2 = '' OR c.lead_source = $2) AND c.lead_score >= $3
                  AND ($4 = '' OR strpos(lower(concat(c.name, ' ', c.push_name)), lower($4)) > 0)
                  AND ($5::timestamptz IS NULL OR (c.lead_at, c.id) < ($5, $6::uuid))
                ORDER BY c.lead_at DESC, c.id DESC LIMIT $7""",
            status,
            source,
            least_score,
            words,
            before[0] if before else None,
            before[1] if before else None,
            at_most,
        )
    )


async def counts(tx: Connection) -> dict[str, int]:
    """How many of each status."""
    rows = await tx.fetch(
        "SELECT lead_status, count(*) AS n FROM contact WHERE lead_status IS NOT NULL GROUP BY lead_status"
    )
    return {row["lead_status"]: row["n"] for row in rows}


async def sources(tx: Connection) -> list[str]:
    """Where leads came from, the most frequent first."""
    rows = await tx.fetch(
        "SELECT lead_source FROM contact WHERE lead_status IS NOT NULL "
        "GROUP BY lead_source ORDER BY count(*) DESC, lead_source LIMIT 100"
    )
    return [row["lead_source"] for row in rows]
