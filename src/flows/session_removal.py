"""A number is deleted: its conversations, files and requests go with it; what happened stays in the event log."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.errors import NotFoundError
from store import events
from store.database import Connection, Database
from store.media import MediaStore


@dataclass(frozen=True, slots=True)
class Removed:
    """What went: counts of conversations, messages and files."""

    conversations: int
    messages: int
    files: int


async def remove_session(db: Database, media: MediaStore, tenant_id: UUID, session_id: UUID, *, actor: str) -> Removed:
    """Delete a number that nothing runs any more. Raises NotFoundError."""
    async with db.transaction(tenant_id) as tx:
        row = await tx.fetchrow(
            "SELECT name, provider, account FROM channel_session WHERE id = $1 FOR UPDATE", session_id
        )
        if row is None:
            raise NotFoundError("number", session_id)
        counted = await tx.fetchrow(
            """SELECT (SELECT count(*) FROM conversation WHERE channel_session_id = $1) AS conversations,
                      (SELECT count(*) FROM message WHERE channel_session_id = $1) AS messages,
                      (SELECT coalesce(array_agg(DISTINCT sha256) FILTER (WHERE sha256 IS NOT NULL), '{}')
                         FROM media_file WHERE channel_session_id = $1) AS files,
                      (SELECT coalesce(array_agg(DISTINCT split_part(content ->> 'ref', '/', 2)), '{}')
                         FROM outbox_message WHERE channel_session_id = $1 AND content ? 'ref') AS sent""",
            session_id,
        )
        pictures = await tx.fetch(
            """DELETE FROM contact_profile p USING conversation c
                WHERE c.channel_session_id = $1 AND p.contact_id = c.contact_id
                  AND NOT EXISTS (SELECT 1 FROM conversation o
                                   WHERE o.contact_id = p.contact_id AND o.channel_session_id <> $1)
            RETURNING p.sha256""",
            session_id,
        )
        await _forget_conversations(tx, tenant_id, session_id)
        await tx.execute("DELETE FROM channel_session WHERE id = $1", session_id)
        files = {*counted["files"], *counted["sent"]}
        removed = Removed(counted["conversations"], counted["messages"], len(files))
        payload = {
            "channel_session_id": str(session_id),
            "name": row["name"],
            "provider": row["provider"],
            "account": row["account"],
            "conversations": removed.conversations,
            "messages": removed.messages,
            "files": removed.files,
            "changes": {"name": [row["name"], None], "account": [row["account"], None]},
        }
        await events.append(tx, tenant_id, "session.deleted", payload=payload, actor=actor)
    for sha256 in {*files, *(row["sha256"] for row in pictures if row["sha256"])}:
        await forget_file(db, media, tenant_id, sha256)
    return removed


async def _forget_conversations(tx: Connection, tenant_id: UUID, session_id: UUID) -> None:
    """What hangs on the number's conversations without a foreign key."""
    ids = [row["id"] for row in await tx.fetch("SELECT id FROM conversation WHERE channel_session_id = $1", session_id)]
    await tx.execute("SELECT gate.forget_approvals($1, $2)", tenant_id, ids)
    await tx.execute("DELETE FROM identity_check WHERE subject_id = ANY ($1)", ids)


async def forget_file(db: Database, media: MediaStore, tenant_id: UUID, sha256: str) -> None:
    """Delete a file that no row of the tenant names any more.

    Files are stored before the row that names them: one that is named a moment later is put back.
    """
    if await _is_named(db, tenant_id, sha256):
        return
    try:
        data = await media.get(tenant_id, sha256)
    except NotFoundError:
        return
    await media.delete(tenant_id, sha256)
    if await _is_named(db, tenant_id, sha256):
        await media.put(tenant_id, data)


async def _is_named(db: Database, tenant_id: UUID, sha256: str) -> bool:
    async with db.transaction(tenant_id) as tx:
        return await named(tx, tenant_id, sha256)


async def named(tx: Connection, tenant_id: UUID, sha256: str) -> bool:
    """Whether a message, a message on its way out or a contact has this file."""
    found: bool = await tx.fetchval(
        """SELECT EXISTS (SELECT 1 FROM media_file WHERE sha256 = $1)
               OR EXISTS (SELECT 1 FROM contact_profile WHERE sha256 = $1)
               OR EXISTS (SELECT 1 FROM outbox_message WHERE content ->> 'ref' = $2)""",
        sha256,
        f"{tenant_id}/{sha256}",
    )
    return found
