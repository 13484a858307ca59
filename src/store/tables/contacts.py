"""Contacts: their addresses, what WhatsApp shows of them, and what they allowed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKey, Index, Uuid
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from store.tables.columns import (
    counter,
    document,
    moment,
    reference,
    sequence_key,
    tenant_key,
    uuid_key,
    words,
)


class Contact(SQLModel, table=True):
    """A person (or a group) who writes to the tenant. Never keyed by phone number: see ContactAddress."""

    __tablename__ = "contact"
    __table_args__ = (
        Index(
            "ix_contact_words",
            sql("tenant_words(tenant_id, (coalesce(name, '') || ' ') || coalesce(push_name, ''))"),
            postgresql_using="gin",
        ),
        Index(
            "ix_contact_lead", "tenant_id", "lead_status", "lead_at", postgresql_where=sql("lead_status IS NOT NULL")
        ),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    name: str | None = words(nullable=True)
    push_name: str | None = words(nullable=True)
    is_group: bool = Field(default=False, sa_column_kwargs={"server_default": sql("false")})
    opted_out_at: datetime | None = moment(nullable=True)
    """Since when the contact wants no messages on the business's initiative; ConsentEntry has the history."""
    tags: list[str] = document("[]")
    """What operators call the contact (vip …); the reply policy and handoffs ask for them."""
    fields: dict[str, Any] = document()
    """What the business keeps of the contact: names and values of its own."""
    lead_status: str | None = words(nullable=True)
    """new, qualified, won or lost; None: never was a lead."""
    lead_score: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    lead_source: str = words(default="")
    """Where it came from: the number's name, an advertisement, a code in the first message."""
    lead_reasons: list[str] = document("[]")
    """What the score was counted from (domain.leads)."""
    lead_at: datetime | None = moment(nullable=True)
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """Grows with what people change of it."""
    created_at: datetime = moment(now=True)


class ContactProfile(SQLModel, table=True):
    """What WhatsApp shows of a contact or a group, as it was looked up last; the name stands on the contact."""

    __tablename__ = "contact_profile"
    contact_id: UUID = Field(
        sa_column=Column(Uuid(), ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, nullable=False)
    )
    tenant_id: UUID = tenant_key(index=True)
    picture_id: str | None = words(nullable=True)
    """WhatsApp's; it changes with the picture."""
    sha256: str | None = words(nullable=True)
    """The picture in the media store."""
    mime_type: str = words(default="")
    look_again_at: datetime = moment(now=True)


class ContactAddress(SQLModel, table=True):
    """One name of a contact on WhatsApp: its LID, its phone as WhatsApp returned it …"""

    __tablename__ = "contact_address"
    __table_args__ = (
        Index("ix_contact_address_words", sql("address_words(tenant_id, kind, value)"), postgresql_using="gin"),
    )
    tenant_id: UUID = tenant_key(primary=True)
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    contact_id: UUID = reference("contact", index=True)
    created_at: datetime = moment(now=True)


class ConsentEntry(SQLModel, table=True):
    """The ledger of consent: what a contact allowed or stopped, in which words, and which text was shown."""

    __tablename__ = "consent_entry"
    __table_args__ = (Index("ix_consent_entry_contact", "contact_id", "id"),)
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    contact_id: UUID = reference("contact")
    purpose: str = words()
    granted: bool = Field()
    said: str = words()
    """The contact's own word, folded."""
    text_version: str = words()
    """Key and digest of the text that the contact was shown."""
    channel: str = words()
    """The provider it came by; or who of the business noted it."""
    channel_session_id: UUID | None = Field(default=None, nullable=True)
    message_id: int = counter()
    at: datetime = moment()
    """When the contact said so."""
    created_at: datetime = moment(now=True)


class SuppressedAddress(SQLModel, table=True):
    """What survives of a contact who was erased: a slow hash of each address, so that nobody begins to write there."""

    __tablename__ = "suppressed_address"
    tenant_id: UUID = tenant_key(primary=True)
    digest: str = Field(primary_key=True)
    """Of store.contact_erasure.digest."""
    created_at: datetime = moment(now=True)
