"""Contacts and their addresses: one person, several names on WhatsApp."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.conversation import Event, Status
from domain.messages import Address, AddressKind
from store import conversations, episodes, events, turns
from store.contact_erasure import is_suppressed
from store.database import Connection
from store.jobs import enqueue_turn


def named_by(kinds: str, values: str) -> str:
    """SQL of the contacts (``contact_id``) that two arrays of address kinds and values name, for a FROM clause.

    Each address is looked up by its key. A plain join would be planned for arrays of any length, and read all contacts:
    26 ms instead of 0.15 with 20,000 of them.
    """
    return f"""(SELECT t.contact_id FROM unnest({kinds}::text[], {values}::text[]) w(kind, value)
                CROSS JOIN LATERAL (SELECT a.contact_id FROM contact_address a
                                     WHERE a.kind = w.kind AND a.value = w.value LIMIT 1) t)"""


async def resolve(
    tx: Connection, tenant_id: UUID, addresses: Sequence[Address], *, push_name: str | None = None
) -> UUID:
    """The contact with these addresses, made or merged as needed. ``addresses`` all name the same person.

    A mapping between a LID and a phone that arrives later merges two contacts into the older one. Serialised per
    address, so that two first messages at the same moment make one contact.
    """
    wanted = sorted({(address.kind.value, address.value) for address in addresses})
    for kind, value in wanted:  # sorted: two transactions take the locks in the same order
        await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))", f"{tenant_id}:{kind}:{value}")
    found = await tx.fetch(
        f"""SELECT DISTINCT c.id, c.created_at FROM {named_by("$1", "$2")} a
             CROSS JOIN LATERAL (SELECT id, created_at FROM contact t WHERE t.id = a.contact_id LIMIT 1) c
             ORDER BY c.created_at, c.id""",
        [kind for kind, _ in wanted],
        [value for _, value in wanted],
    )
    if found:
        contact_id: UUID = found[0]["id"]
        for twin in found[1:]:
            await merge(tx, tenant_id, into=contact_id, twin=twin["id"])
    else:
        is_group = any(address.kind is AddressKind.GROUP for address in addresses)
        contact_id = await tx.fetchval(
            "INSERT INTO contact (tenant_id, push_name, is_group, opted_out_at) "
            "VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END) RETURNING id",
            tenant_id,
            push_name,
            is_group,
            await is_suppressed(tx, tenant_id, [f"{kind}:{value}" for kind, value in wanted]),
        )
    await tx.executemany(
        "INSERT INTO contact_address (tenant_id, kind, value, contact_id) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING",
        [(tenant_id, kind, value, contact_id) for kind, value in wanted],
    )
    if push_name:
        await tx.execute(
            "UPDATE contact SET push_name = $2 WHERE id = $1 AND push_name IS DISTINCT FROM $2", contact_id, push_name
        )
    return contact_id


async def merge(tx: Connection, tenant_id: UUID, *, into: UUID, twin: UUID) -> None:
    """Two contacts turned out to be one person: keep both histories under ``into``.

    A message that both know (the same provider id on the same number) is kept once. Where both have a conversation on
    a number, the twin's messages and work move to the kept one, which takes over the more human status of the two.
    """
    await tx.execute("UPDATE contact_address SET contact_id = $1 WHERE contact_id = $2", into, twin)
    pairs = await tx.fetch(
        """SELECT t.id AS twin, k.id AS kept FROM conversation t
           LEFT JOIN conversation k ON k.channel_session_id = t.channel_session_id AND k.contact_id = $1
            WHERE t.contact_id = $2 ORDER BY t.id FOR UPDATE OF t""",
        into,
        twin,
    )
    for pair in pairs:
        if pair["kept"] is None:
            await tx.execute("UPDATE message SET contact_id = $1 WHERE conversation_id = $2", into, pair["twin"])
            await tx.execute(
                "UPDATE conversation SET contact_id = $1, fence = fence + 1 WHERE id = $2", into, pair["twin"]
            )
        else:
            await _join_conversations(tx, into, kept=pair["kept"], twin=pair["twin"])
        # A running turn is stale now, and the twin's waiting one finds no conversation.
        conversation = await conversations.lock(tx, pair["kept"] or pair["twin"])
        if conversation["status"] == Status.BOT and conversation["last_inbound_id"] > conversation["answered_upto_id"]:
            await enqueue_turn(tx, tenant_id, conversation["id"])
    await tx.execute("UPDATE message_change SET contact_id = $1 WHERE contact_id = $2", into, twin)
    await tx.execute("UPDATE consent_entry SET contact_id = $1 WHERE contact_id = $2", into, twin)
    await tx.execute("UPDATE task SET contact_id = $1 WHERE contact_id = $2", into, twin)
    await tx.execute(
        "UPDATE contact_profile SET contact_id = $1 "
        "WHERE contact_id = $2 AND NOT EXISTS (SELECT 1 FROM contact_profile WHERE contact_id = $1)",
        into,
        twin,
    )
    # One of the two said no: that holds for the person. Tags are what somebody called either.
    await tx.execute(
        """UPDATE contact k SET opted_out_at = coalesce(k.opted_out_at, t.opted_out_at),
                  tags = (SELECT coalesce(jsonb_agg(DISTINCT tag), '[]')
                            FROM jsonb_array_elements_text(k.tags || t.tags) tag)
             FROM contact t WHERE k.id = $1 AND t.id = $2""",
        into,
        twin,
    )
    await tx.execute("DELETE FROM contact WHERE id = $1", twin)
    await events.append(tx, tenant_id, "contact.merged", payload={"into": str(into), "twin": str(twin)})


_MORE_HUMAN = {
    (Status.BOT, Status.HUMAN): Event.TAKEN_OVER,
    (Status.WAITING, Status.HUMAN): Event.TAKEN_OVER,
    (Status.CLOSED, Status.HUMAN): Event.TAKEN_OVER,
    (Status.BOT, Status.WAITING): Event.HANDED_OFF,
    (Status.CLOSED, Status.BOT): Event.REOPENED,
}
"""What moves the kept conversation (first) to where its twin (second) already was."""


_DESK = ("conversation_note", "task", "notification", "satisfaction_answer")
"""What people noted of a conversation."""


async def _join_conversations(tx: Connection, into: UUID, *, kept: UUID, twin: UUID) -> None:
    row = await conversations.lock(tx, kept)
    other = await conversations.lock(tx, twin)
    await episodes.join(tx, kept=row, twin=other)
    # Replies that wait to be sent are taken back while each conversation still knows what they answered.
    await tx.execute("UPDATE conversation SET fence = fence + 1 WHERE id IN ($1, $2)", kept, twin)
    await turns.void_stale(tx, kept)
    await turns.void_stale(tx, twin)
    answered_copies = await tx.fetchval(
        """WITH copies AS (
               DELETE FROM message t USING message k, conversation c
                WHERE t.conversation_id = $2 AND k.conversation_id = $1 AND t.provider_id = k.provider_id
                  AND c.id = t.conversation_id
               RETURNING k.id, t.id <= c.answered_upto_id AS answered)
           SELECT coalesce(array_agg(id) FILTER (WHERE answered), '{}') FROM copies""",
        kept,
        twin,
    )
    inbound = await tx.fetchrow(
        """SELECT coalesce(max(m.id) FILTER (WHERE m.id <= c.last_inbound_id), 0) AS last,
                  min(m.id) FILTER (WHERE m.id > c.answered_upto_id AND m.id <> ALL ($3::bigint[])) AS unanswered
             FROM message m JOIN conversation c ON c.id = m.conversation_id
            WHERE c.id IN ($1, $2) AND m.author = 'contact' AND NOT m.historical""",
        kept,
        twin,
        answered_copies,
    )
    await tx.execute(
        "UPDATE message SET conversation_id = $1, contact_id = $3 WHERE conversation_id = $2", kept, twin, into
    )
    await conversations.withdraw_drafts(tx, twin)
    for table in ("outbox_message", "turn", "function_call", "approval", "suggestion", "handoff", *_DESK):
        await tx.execute(f"UPDATE {table} SET conversation_id = $1 WHERE conversation_id = $2", kept, twin)
    await tx.execute(
        """UPDATE conversation k
              SET fence = k.fence + t.fence + 1, unread = k.unread + t.unread,
                  last_inbound_id = $3::bigint,
                  answered_upto_id = coalesce($4::bigint - 1, $3),
                  last_message_at = greatest(k.last_message_at, t.last_message_at),
                  last_preview = CASE WHEN t.last_message_at > k.last_message_at THEN t.last_preview
                                      ELSE k.last_preview END,
                  address = CASE WHEN t.last_message_at > k.last_message_at THEN t.address ELSE k.address END
             FROM conversation t WHERE k.id = $1 AND t.id = $2""",
        kept,
        twin,
        inbound["last"],
        inbound["unanswered"],
    )
    await tx.execute("DELETE FROM conversation WHERE id = $1", twin)
    if event := _MORE_HUMAN.get((Status(row["status"]), Status(other["status"]))):
        await conversations.apply(tx, kept, event, actor="system", user_id=other["assignee_id"])
