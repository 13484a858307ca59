"""Turns: what the agent reads, and its decision written under the fence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from store import events
from store.database import Connection, Row
from store.outbox import LEFT_ALREADY
from store.summaries import CHANGES

HISTORY_LENGTH = 31
"""One more than the agent shows a language model (agent.chat_window), so that it notices what it leaves out."""

_TOLD_CLOSED = """SELECT max(b.received_at) FROM message b JOIN outbox_message o ON o.message_id = b.id
         WHERE b.conversation_id = c.id AND b.content ? 'notices' AND b.content -> 'notices' ? 'outside_hours'
           AND o.state NOT IN ('cancelled', 'failed')"""

_CHANGED_SINCE = CHANGES.format(
    what="1", conversation="c.id", first="c.window_start_id", last="c.summary_upto_id AND x.id > c.summary_change_id"
)
_SUMMARY = f"""CASE WHEN c.summary_upto_id > 0 AND c.summary_upto_id >= c.window_start_id
                       AND NOT EXISTS ({_CHANGED_SINCE})
                  THEN c.summary END"""
"""None of an earlier window's, and none of what was edited or taken back since."""
_WORDS = "concat_ws(E'\\n', nullif({m}.text, ''), {m}.transcript ->> 'text')"
"""What a message says, with what was read from its file (flows.transcripts)."""

_READ = f"""
SELECT c.id, c.tenant_id, c.fence, c.status, c.language, c.answered_upto_id, c.last_inbound_id, c.address,
       c.contact_id, c.channel_session_id, c.window_start_id,
       c.summary_upto_id, {_SUMMARY} AS summary,
       t.profile_version, t.settings, k.name, k.push_name, k.is_group, k.tags, n.config ->> 'key' AS number_key,
       (t.stopped_at IS NOT NULL OR n.stopped_at IS NOT NULL) AS stopped,
       (c.drafts_upto_id > 0 AND c.drafts_upto_id >= c.last_inbound_id) AS drafts_only,
       coalesce((SELECT jsonb_agg(a.intent) FROM intent_autonomy a
                  WHERE a.tenant_id = c.tenant_id AND a.state = 'promoted'), '[]') AS promoted,
       (SELECT array_agg(a.kind || ':' || a.value ORDER BY a.kind DESC, a.value)
          FROM contact_address a WHERE a.contact_id = c.contact_id) AS addresses,
       coalesce((SELECT jsonb_agg(jsonb_build_array(m.id, m.kind, {_WORDS.format(m="m")}, extract(epoch FROM m.sent_at),
                                                    m.content #> '{{raw,forwarded}}', m.transcript) ORDER BY m.id)
          FROM message_as_changed m
         WHERE m.conversation_id = c.id AND m.id > c.answered_upto_id AND m.author = 'contact' AND NOT m.historical
           AND NOT m.revoked AND m.kind NOT IN ('reaction', 'system', 'poll_vote', 'call')
           AND (m.kind <> 'text' OR btrim(m.text) <> '') AND NOT m.content ? 'command'
           AND NOT m.content ? 'aside'), '[]') AS unanswered,
       coalesce((SELECT jsonb_agg(jsonb_build_array(h.id, h.kind, {_WORDS.format(m="h")}, extract(epoch FROM h.sent_at),
                                                    h.author,
                                                    h.content #> '{{raw,forwarded}}')
                                  ORDER BY h.id)
          FROM (SELECT m.* FROM message_as_changed m
                  LEFT JOIN outbox_message o ON o.message_id = m.id
                 WHERE m.conversation_id = c.id AND m.id >= c.window_start_id AND NOT m.revoked
                   AND (m.author <> 'contact' OR m.id <= c.answered_upto_id)
                   AND (o.state IS NULL OR o.state NOT IN ('cancelled', 'failed'))
                 ORDER BY m.id DESC LIMIT $2) h), '[]') AS history,
       (SELECT jsonb_build_array(l.dialogue) FROM turn l
         WHERE l.conversation_id = c.id AND l.status = 'decided' AND l.upto_message_id >= c.window_start_id
         ORDER BY l.upto_message_id DESC, l.created_at DESC LIMIT 1) AS dialogue,
       EXISTS (SELECT 1 FROM message b JOIN outbox_message o ON o.message_id = b.id
                WHERE b.conversation_id = c.id AND b.id >= c.window_start_id
                  AND b.content ? 'notices' AND b.content -> 'notices' ? 'disclosure'
                  AND o.state NOT IN ('cancelled', 'failed')) AS has_disclosed,
       ({_TOLD_CLOSED}) AS told_closed_at,
       EXISTS (SELECT 1 FROM outbox_message o
                WHERE o.conversation_id = c.id AND o.state = 'queued' AND o.fence <> c.fence
                  AND NOT {LEFT_ALREADY}) AS has_stale,
       EXISTS (SELECT 1 FROM function_call f
                WHERE f.conversation_id = c.id AND f.trigger_message_id > c.answered_upto_id) AS has_acted
  FROM conversation c
  JOIN tenant t ON t.id = c.tenant_id
  JOIN contact k ON k.id = c.contact_id
  JOIN channel_session n ON n.id = c.channel_session_id
 WHERE c.id = ANY ($1)
"""

_DECIDE = """
WITH c AS (
    UPDATE conversation SET fence = fence + 1, answered_upto_id = $4, language = $5,
           last_message_at = CASE WHEN $6 = '' THEN last_message_at ELSE now() END,
           last_preview = CASE WHEN $6 = '' THEN last_preview ELSE left($6, 120) END
     WHERE id = $1 AND fence = $2 AND status = 'bot'
       AND ($6 = '' OR NOT EXISTS (SELECT 1 FROM channel_session n JOIN tenant b ON b.id = n.tenant_id
                                    WHERE n.id = conversation.channel_session_id
                                      AND (b.stopped_at IS NOT NULL OR n.stopped_at IS NOT NULL)))
    RETURNING id, tenant_id, fence, channel_session_id, contact_id, address
), t AS (
    INSERT INTO turn (id, tenant_id, conversation_id, upto_message_id, answered_before, fence, status, attempt,
                      decision, intent, confidence, language, prompt_bundle, model, trace, dialogue, cost_micros,
                      latency_ms)
    SELECT $3, c.tenant_id, c.id, $4, $7, $2, 'decided', $8, $9, $10, $11, $5, $12, $13, $14, $15, $16, $17 FROM c
), s AS (
    UPDATE suggestion SET status = 'superseded', decided_at = now()
      FROM c WHERE suggestion.conversation_id = c.id AND suggestion.status = 'pending'
), a AS (
    UPDATE approval SET upto_message_id = $4
      FROM c WHERE approval.conversation_id = c.id AND approval.status = 'pending'
), m AS (
    INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, turn_id, sent_at,
                         content, quoted_provider_id)
    SELECT c.tenant_id, c.id, c.channel_session_id, c.contact_id, 'bot', p.part ->> 'text', $3, now(),
           CASE WHEN p.part -> 'notices' = '[]' THEN '{}' ELSE p.part - 'text' END,
           CASE WHEN c.address LIKE 'group:%' AND p.position = 1
                THEN (SELECT q.provider_id FROM message q WHERE q.id = $4 AND q.author = 'contact') END
      FROM c, jsonb_array_elements($19::jsonb) WITH ORDINALITY p(part, position)
     WHERE $6 <> '' ORDER BY p.position
    RETURNING id
), o AS (
    INSERT INTO outbox_message (tenant_id, conversation_id, channel_session_id, message_id, turn_id, origin, fence)
    SELECT c.tenant_id, c.id, c.channel_session_id, m.id, $3, 'bot', CASE WHEN $18 THEN c.fence END FROM c, m
     ORDER BY m.id
    RETURNING id, message_id
), e AS (
    INSERT INTO event (tenant_id, conversation_id, kind, payload, actor)
    SELECT c.tenant_id, c.id, 'turn.decided',
           jsonb_build_object('turn_id', $3, 'decision', $9::jsonb ->> 'kind', 'intent', $10::text), 'bot' FROM c
)
SELECT c.fence, c.channel_session_id, (SELECT o.id FROM o ORDER BY o.message_id LIMIT 1) AS outbox_id FROM c
"""


async def read(tx: Connection, conversation_id: UUID) -> Row | None:
    """``read_many`` for one conversation."""
    return (await read_many(tx, [conversation_id]))[0]


async def read_many(tx: Connection, conversation_ids: Sequence[UUID]) -> list[Row | None]:
    """Everything a turn needs, in one statement and therefore of one moment. None if there is no such conversation.

    ``unanswered``: [[id, kind, text, epoch seconds, forwarded, transcript] …]; ``history`` likewise, with the author in
    place of the last two but one and without transcripts. A file's transcript is part of its message's text.
    """
    rows = {row["id"]: row for row in await tx.fetch(_READ, conversation_ids, HISTORY_LENGTH)}
    return [rows.get(conversation_id) for conversation_id in conversation_ids]


async def decide(
    tx: Connection,
    *,
    conversation_id: UUID,
    fence: int,
    turn_id: UUID,
    upto_message_id: int,
    answered_before: int,
    attempt: int,
    language: str,
    text: str,
    text_may_be_cancelled: bool,
    decision: dict[str, Any],
    intent: str | None,
    confidence: float | None,
    prompt_bundle: str,
    model: str | None,
    trace: dict[str, Any],
    dialogue: dict[str, Any],
    cost_micros: int,
    latency_ms: float,
    parts: list[dict[str, Any]],
) -> Row | None:
    """Write a turn's decision if the conversation is still as the turn read it; None (nothing written) if not.

    ``text`` goes to the customer ("" sends nothing), as the messages ``parts``: [{text, notices}, …], each with a row
    of its own in the outbox. Returns the new (fence, channel_session_id, outbox_id of the first part). Everything
    that makes the fence differ voids the turn: a newer message, a person, another run of the same turn. So does the
    kill switch where there is a text (``is_stopped``). In a group the first part quotes what it answers.
    """
    return await tx.fetchrow(
        _DECIDE,
        conversation_id,
        fence,
        turn_id,
        upto_message_id,
        language,
        text,
        answered_before,
        attempt,
        decision,
        intent,
        confidence,
        prompt_bundle,
        model,
        trace,
        dialogue,
        cost_micros,
        latency_ms,
        text_may_be_cancelled,
        parts,
    )


async def answered_in_group(tx: Connection, turn_id: UUID) -> str | None:
    """The provider's id of the message that a turn answered, where that was said in a group: an answer quotes it."""
    found: str | None = await tx.fetchval(
        """SELECT q.provider_id FROM turn t JOIN conversation c ON c.id = t.conversation_id
             JOIN message q ON q.id = t.upto_message_id AND q.author = 'contact'
            WHERE t.id = $1 AND c.address LIKE 'group:%'""",
        turn_id,
    )
    return found


async def told_closed_at(tx: Connection, conversation_id: UUID) -> datetime | None:
    """When the customer was last told that the team is closed."""
    at: datetime | None = await tx.fetchval(
        f"SELECT ({_TOLD_CLOSED}) FROM conversation c WHERE c.id = $1", conversation_id
    )
    return at


async def is_stopped(tx: Connection, conversation_id: UUID) -> bool:
    """Whether the kill switch keeps automatic messages from this conversation."""
    found = await tx.fetchval(
        "SELECT 1 FROM conversation c JOIN channel_session n ON n.id = c.channel_session_id "
        "JOIN tenant t ON t.id = c.tenant_id "
        "WHERE c.id = $1 AND (t.stopped_at IS NOT NULL OR n.stopped_at IS NOT NULL)",
        conversation_id,
    )
    return found is not None


async def nothing_to_answer(tx: Connection, conversation_id: UUID, fence: int) -> None:
    """All that was unanswered has been revoked, or was stored already: nothing waits, unless something newer came."""
    await tx.execute(
        """WITH c AS (
               UPDATE conversation SET answered_upto_id = last_inbound_id
                WHERE id = $1 AND fence = $2 AND status = 'bot' RETURNING id, answered_upto_id)
           UPDATE approval a SET upto_message_id = c.answered_upto_id
             FROM c WHERE a.conversation_id = c.id AND a.status = 'pending'""",
        conversation_id,
        fence,
    )


async def void_stale(tx: Connection, conversation_id: UUID) -> bool:
    """Cancel automatic messages that became stale before they left; their turns count as if they had not been.

    The caller holds the conversation's lock. A turn of which a part has left already stays: the rest of it follows
    (store.outbox.claim), unless a person has the conversation now. Returns whether a message of the contact waits for
    an answer again and the agent may give it.
    """
    cancelled = await tx.fetch(
        f"""UPDATE outbox_message o SET state = 'cancelled', error = 'a newer message or a person came first'
             FROM conversation c
            WHERE o.conversation_id = $1 AND c.id = $1 AND o.state = 'queued' AND o.fence <> c.fence
              AND (c.status IN ('human', 'closed') OR NOT {LEFT_ALREADY})
        RETURNING o.id, o.turn_id, o.tenant_id, {LEFT_ALREADY} AS left_already""",
        conversation_id,
    )
    for row in cancelled:
        if not row["left_already"]:
            await void(tx, row["turn_id"])
        await events.append(
            tx,
            row["tenant_id"],
            "message.status",
            conversation_id=conversation_id,
            payload={"outbox_id": str(row["id"]), "state": "cancelled"},
        )
    return bool(cancelled) and await waits(tx, conversation_id)


async def void(tx: Connection, turn_id: UUID) -> None:
    """Undo what the turn decided: its messages are unanswered again. The caller holds the lock."""
    await tx.execute(
        """WITH voided AS (
               UPDATE turn SET status = 'voided' WHERE id = $1 AND status = 'decided'
               RETURNING conversation_id, answered_before, upto_message_id
           ), unsent AS (
               UPDATE outbox_message SET state = 'cancelled', error = 'its turn was taken back'
                WHERE turn_id = $1 AND state = 'queued'
           ), expired AS (
               UPDATE approval SET status = 'expired', decided_at = now() WHERE turn_id = $1 AND status = 'pending')
           UPDATE conversation c SET answered_upto_id = v.answered_before
             FROM voided v WHERE c.id = v.conversation_id AND c.answered_upto_id = v.upto_message_id""",
        turn_id,
    )


async def waits(tx: Connection, conversation_id: UUID) -> bool:
    """Whether a message of the contact waits for an answer that the agent may give."""
    found = await tx.fetchval(
        "SELECT 1 FROM conversation WHERE id = $1 AND status = 'bot' AND last_inbound_id > answered_upto_id",
        conversation_id,
    )
    return found is not None
