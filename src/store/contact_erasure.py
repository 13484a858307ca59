"""Everything about one contact, forgotten; and the hashes of addresses that nobody may begin to write to again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from store.contact_records import one
from store.database import Connection

_COST = 2**12
"""Of scrypt: some 10 ms for one address, so years for all phone numbers of a country."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Counts of what went, and digests of files that nothing may name any more."""

    conversations: int
    messages: int
    files: list[str]


def digest(tenant_id: UUID, address: str) -> str:
    """The hash of an address (``kind:value``) that survives its erasure."""
    return hashlib.scrypt(address.encode(), salt=tenant_id.bytes, n=_COST, r=8, p=1, dklen=24).hex()


async def is_suppressed(tx: Connection, tenant_id: UUID, addresses: Sequence[str]) -> bool:
    """Whether somebody with one of these addresses was erased. Costs nothing while nobody was."""
    if await tx.fetchval("SELECT 1 FROM suppressed_address LIMIT 1") is None:
        return False
    digests = [digest(tenant_id, address) for address in addresses]
    return await tx.fetchval("SELECT 1 FROM suppressed_address WHERE digest = ANY ($1) LIMIT 1", digests) is not None


async def erase(tx: Connection, tenant_id: UUID, contact_id: UUID, digests: Sequence[str]) -> Erased:
    """Forget the contact; ``digests`` of its addresses stay. Raises NotFoundError."""
    contact = await one(tx, contact_id, lock=True)
    addresses = contact.addresses
    values = [address.partition(":")[2] for address in addresses]
    conversations = [
        row["id"]
        for row in await tx.fetch(
            "SELECT id FROM conversation WHERE contact_id = $1 ORDER BY id FOR UPDATE", contact_id
        )
    ]
    await tx.executemany(
        "INSERT INTO suppressed_address (tenant_id, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [(tenant_id, one_digest) for one_digest in digests],
    )
    in_groups = await _said_in_groups(tx, contact_id, addresses)
    counted = await tx.fetchrow(
        """SELECT (SELECT count(*) FROM message WHERE conversation_id = ANY ($1)) AS messages,
                  (SELECT coalesce(array_agg(DISTINCT f.sha256) FILTER (WHERE f.sha256 IS NOT NULL), '{}')
                     FROM media_file f JOIN message m ON m.id = f.message_id
                    WHERE m.conversation_id = ANY ($1) OR m.id = ANY ($2)) AS files,
                  (SELECT coalesce(array_agg(sha256) FILTER (WHERE sha256 IS NOT NULL), '{}')
                     FROM contact_profile WHERE contact_id = $3) AS pictures,
                  (SELECT coalesce(array_agg(DISTINCT split_part(content ->> 'ref', '/', 2)), '{}')
                     FROM outbox_message WHERE conversation_id = ANY ($1) AND content ? 'ref') AS sent""",
        conversations,
        in_groups,
        contact_id,
    )
    await _copies(tx, tenant_id, contact_id, conversations, values)
    await _groups(tx, in_groups)
    await tx.execute("SELECT gate.forget_in_events($1, $2, $3, $4)", tenant_id, contact_id, conversations, addresses)
    await tx.execute("SELECT gate.forget_approvals($1, $2)", tenant_id, conversations)
    await tx.execute(
        "DELETE FROM identity_check WHERE subject_id = $1 OR subject_id = ANY ($2)", contact_id, conversations
    )
    await tx.execute("DELETE FROM message_change WHERE contact_id = $1", contact_id)
    await tx.execute("DELETE FROM conversation WHERE id = ANY ($1)", conversations)
    await tx.execute("DELETE FROM contact WHERE id = $1", contact_id)
    files = {*counted["files"], *counted["pictures"], *counted["sent"]}
    return Erased(len(conversations), counted["messages"] + len(in_groups), sorted(files))


async def _said_in_groups(tx: Connection, contact_id: UUID, addresses: Sequence[str]) -> list[int]:
    rows = await tx.fetch(
        "SELECT id FROM message WHERE sender = ANY ($1) AND contact_id <> $2", list(addresses), contact_id
    )
    return [row["id"] for row in rows]


async def _copies(
    tx: Connection, tenant_id: UUID, contact_id: UUID, conversations: Sequence[UUID], values: Sequence[str]
) -> None:
    """What was copied elsewhere: to be posted, to be understood, to be played again, to be told."""
    await tx.execute(
        "DELETE FROM webhook_delivery WHERE conversation_id = ANY ($1) OR position($2 in body) > 0",
        conversations,
        str(contact_id),
    )
    await tx.execute("DELETE FROM eval_case WHERE conversation_id = ANY ($1)", conversations)
    await tx.execute(
        "DELETE FROM notification WHERE conversation_id = ANY ($1) OR payload ->> 'contact_id' = $2",
        conversations,
        str(contact_id),
    )
    await tx.execute(
        "DELETE FROM idempotent_request WHERE answer ->> 'conversation_id' = ANY ($1) "
        "OR position($2 in answer::text) > 0",
        [str(one_id) for one_id in conversations],
        str(contact_id),
    )
    await tx.execute("DELETE FROM held_event WHERE conversation_id = ANY ($1)", conversations)
    for value in values:
        await tx.execute("DELETE FROM held_event WHERE position($1 in body::text) > 0", value)
        await tx.execute("DELETE FROM quarantined_event WHERE position(convert_to($1, 'UTF8') in body) > 0", value)
        await tx.execute("DELETE FROM idempotent_request WHERE position($1 in answer::text) > 0", value)
        await tx.execute("DELETE FROM channel_request WHERE position($1 in payload::text || answer::text) > 0", value)
        await tx.execute("DELETE FROM simulator_delivery WHERE tenant_id = $1 AND contact = $2", tenant_id, value)


async def _groups(tx: Connection, message_ids: Sequence[int]) -> None:
    """What the contact said among others stays as an empty message; what was noted of it goes."""
    if not message_ids:
        return
    places = await tx.fetch(
        """SELECT conversation_id, min(id) AS first FROM message WHERE id = ANY ($1) GROUP BY conversation_id""",
        message_ids,
    )
    await tx.execute(
        """DELETE FROM message_change x USING message m
            WHERE m.id = ANY ($1) AND x.channel_session_id = m.channel_session_id AND x.contact_id = m.contact_id
              AND x.provider_id = m.provider_id""",
        message_ids,
    )
    await tx.execute("DELETE FROM media_file WHERE message_id = ANY ($1)", message_ids)
    await tx.execute(
        "UPDATE message SET text = '', content = '{}', sender = NULL, kind = 'text' WHERE id = ANY ($1)", message_ids
    )
    for place in places:
        group = place["conversation_id"]
        await tx.execute(
            "UPDATE conversation SET last_preview = '', summary = '', summary_upto_id = 0 WHERE id = $1", group
        )
        await tx.execute(
            """UPDATE turn SET trace = '{}', dialogue = '{}', decision = decision - 'text' - 'summary'
                WHERE conversation_id = $1 AND upto_message_id >= $2""",
            group,
            place["first"],
        )
        await tx.execute("DELETE FROM webhook_delivery WHERE conversation_id = $1", group)
