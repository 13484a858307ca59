"""Who has proven who they are."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from store.tables.columns import counter, moment, tenant_key


class IdentityCheck(SQLModel, table=True):
    """Attempts to prove an identity, and until when it counts as proven. Never what was said to prove it."""

    __tablename__ = "identity_check"
    tenant_id: UUID = tenant_key(primary=True)
    subject_id: UUID = Field(primary_key=True)
    """A conversation, or a contact where the tenant lets it count for all of its conversations."""
    attempts: int = counter()
    """In a row without success."""
    message_id: int = counter()
    """The message that brought the last attempt."""
    tried_at: datetime = moment(now=True)
    verified_until: datetime | None = moment(nullable=True)
