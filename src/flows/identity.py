"""Proven identities and used attempts of contacts, in the database."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.identity import IdentityStanding, IdentityTerms
from store import identities
from store.database import Database


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """The IdentityCheck of one turn (agent.turn): each question and each note is a transaction of its own."""

    db: Database
    tenant_id: UUID
    subject_id: UUID
    """The conversation, or the contact where the tenant lets an identity count for all of its conversations."""
    terms: IdentityTerms
    message_id: int
    """The message that is being answered: a turn that runs again for it uses up no further attempt."""

    async def standing(self) -> IdentityStanding:
        """See IdentityCheck."""
        async with self.db.transaction(self.tenant_id) as tx:
            return await identities.standing(tx, self.subject_id, self.terms)

    async def begin(self) -> bool:
        """See IdentityCheck."""
        async with self.db.transaction(self.tenant_id) as tx:
            return await identities.count_attempt(tx, self.tenant_id, self.subject_id, self.terms, self.message_id)

    async def passed(self) -> None:
        """See IdentityCheck."""
        async with self.db.transaction(self.tenant_id) as tx:
            await identities.set_verified(tx, self.subject_id, self.terms)


def identity_of(
    db: Database,
    tenant_id: UUID,
    terms: IdentityTerms | None,
    *,
    conversation_id: UUID,
    contact_id: UUID,
    message_id: int,
) -> StoredIdentity | None:
    """None where the tenant has no way to check identities."""
    if terms is None:
        return None
    subject = contact_id if terms.per_contact else conversation_id
    return StoredIdentity(db, tenant_id, subject, terms, message_id)
