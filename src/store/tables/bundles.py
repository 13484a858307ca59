"""Prompt bundles: what turns ran with, what is drafted, and which of them a tenant's customers meet."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Float, Index
from sqlmodel import Field, SQLModel

from store.tables.columns import document, moment, sequence_key, tenant_key, words


class PromptBundle(SQLModel, table=True):
    """Everything that a turn was, or would be, run with, under its hash: enough to explain it and to go back to it.

    ``content`` is flows.bundle_content.BundleContent as JSON; documents lie in BundleDocument.
    """

    __tablename__ = "prompt_bundle"
    tenant_id: UUID = tenant_key(primary=True)
    hash: str = Field(primary_key=True)
    description: str = words(default="")
    parts: dict[str, str] = document()
    """Hash of each part."""
    content: dict[str, Any] = document()
    created_by: str = words(default="")
    """Who drafted it; "": nobody, it was in use."""
    created_at: datetime = moment(now=True)
    first_used_at: datetime = moment(nullable=True)
    """When a worker first had it ready for turns."""


class BundleDocument(SQLModel, table=True):
    """A document as bundles name it, by its digest, so that knowledge can be gone back to."""

    __tablename__ = "bundle_document"
    tenant_id: UUID = tenant_key(primary=True)
    digest: str = Field(primary_key=True)
    title: str = words(default="")
    chunks: list[Any] = document("[]")
    """[heading, text, page] of each piece, in order."""


class BundleRelease(SQLModel, table=True):
    """One step in the life of a tenant's bundles. Never changed: the newest tell what is in force."""

    __tablename__ = "bundle_release"
    __table_args__ = (Index("ix_bundle_release_tenant", "tenant_id", "id"),)
    id: int = sequence_key()
    tenant_id: UUID = tenant_key()
    hash: str = words()
    kind: str = words()
    """``published``, ``rolled_back`` (both: in force from here on), ``canary`` (for a share), ``canary_ended``."""
    share: float = Field(default=1.0, sa_column=Column(Float(), nullable=False, server_default="1"))
    """Of contacts that meet it, 0 to 1."""
    evidence: dict[str, Any] = document()
    """What spoke for it: the eval's run, or the reason why there was none."""
    actor: str = words(default="system")
    created_at: datetime = moment(now=True)


class PromptWording(SQLModel, table=True):
    """A tenant's own wording of one of Atende's prompts, in force: the whole file, front matter included."""

    __tablename__ = "prompt_wording"
    tenant_id: UUID = tenant_key(primary=True)
    name: str = Field(primary_key=True)
    source: str = words()
    updated_at: datetime = moment(now=True)
