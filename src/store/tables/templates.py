"""Message templates: what WhatsApp has approved for a number to say when its customer has been silent for a day."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import SQLModel, UniqueConstraint

from store.tables.columns import document, moment, reference, tenant_key, uuid_key, words


class MessageTemplate(SQLModel, table=True):
    """A template as Meta described it at the last synchronisation, with what was reported about it since."""

    __tablename__ = "message_template"
    __table_args__ = (UniqueConstraint("channel_session_id", "name", "language"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    channel_session_id: UUID = reference("channel_session")
    name: str = words()
    language: str = words()
    status: str = words(default="UNKNOWN")
    """As Meta names it; only APPROVED ones can be sent. MISSING: the last synchronisation did not show it any more."""
    category: str = words(default="")
    quality: str = words(default="")
    reason: str = words(default="")
    """Why it was rejected or paused."""
    definition: dict[str, Any] = document()
    """Its texts and variables (channels.whatsapp.cloud_api_templates.Definition as JSON)."""
    changed_at: datetime = moment(now=True)
    """When its state was last reported: an older report does not undo a newer one."""
    synced_at: datetime | None = moment(nullable=True)
