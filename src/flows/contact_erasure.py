"""A contact is erased: who it was and all that was said is gone, for good (LGPD, art. 18, VI).

Gone are its addresses and names, conversations with messages, files and drafts, what the agent noted of them, what it
wrote in groups, and copies of it: deliveries to webhooks, unread deliveries of gateways, test cases. What the event log
knows of it keeps when and of which kind, without content, so that figures stay true. A slow hash of each address
survives: the business must not begin to write to somebody who asked to be forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flows.session_removal import forget_file
from store import contact_erasure, contact_records, events
from store.contact_erasure import Erased
from store.database import Connection, Database
from store.media import MediaStore
from store.wakeup import EVENTS, Wakeup


@dataclass(frozen=True, slots=True)
class ErasedContact:
    """What went: counts."""

    conversations: int
    messages: int
    files: int


class ContactErasure:
    """Erases contacts. Raises NotFoundError."""

    def __init__(self, db: Database, wakeup: Wakeup, media: MediaStore) -> None:
        self._db, self._wakeup, self._media = db, wakeup, media

    async def erase(self, tenant_id: UUID, contact_id: UUID, *, actor: str) -> ErasedContact:
        """Erase one contact. What is being sent to it at this moment may still arrive; nothing later does."""
        async with self._db.transaction(tenant_id) as tx:
            contact = await contact_records.one(tx, contact_id)
        digests = await asyncio.to_thread(suppression_digests, tenant_id, contact.addresses)

        async def work(tx: Connection) -> Erased:
            found = await contact_erasure.erase(tx, tenant_id, contact_id, digests)
            payload = {
                "contact_id": str(contact_id),
                "conversations": found.conversations,
                "messages": found.messages,
                "files": len(found.files),
            }
            await events.append(tx, tenant_id, "contact.erased", payload=payload, actor=actor)
            return found

        found = await self._db.retried(tenant_id, work)
        self._wakeup.signal(EVENTS)
        for sha256 in found.files:
            await forget_file(self._db, self._media, tenant_id, sha256)
        return ErasedContact(found.conversations, found.messages, len(found.files))


def suppression_digests(tenant_id: UUID, addresses: Sequence[str]) -> list[str]:
    """What survives of addresses: hashes too slow to try all phone numbers on, different for each tenant."""
    return [contact_erasure.digest(tenant_id, address) for address in addresses]
