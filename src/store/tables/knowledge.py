"""What the agent knows of a tenant: intents, functions, knowledge, prompts, and the tenant's own small data."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import Vector
from sqlalchemy import Column, Computed, Index
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import EMBEDDING_DIMENSIONS, document, moment, reference, tenant_key, uuid_key, words


def _embedding() -> Any:
    return Field(default=None, sa_column=Column(Vector(EMBEDDING_DIMENSIONS), nullable=True))


def _hnsw(name: str) -> Index:
    return Index(name, "embedding", postgresql_using="hnsw", postgresql_ops={"embedding": "vector_cosine_ops"})


class Intent(SQLModel, table=True):
    """One thing customers want. ``declaration`` holds the fields of agent.turn.IntentSpec as JSON."""

    __tablename__ = "intent"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    name: str = words()
    declaration: dict[str, Any] = document()
    source: str = words(default="files")
    """``files``: the tenant's folder owns it. ``api``: it was declared or changed by hand, and an import leaves it."""
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """Counts changes; who replaces the intent names the one it read."""
    updated_at: datetime = moment(now=True)


class IntentExample(SQLModel, table=True):
    """A sentence that means an intent, with its vector (of the encoder named, zero-padded)."""

    __tablename__ = "intent_example"
    __table_args__ = (UniqueConstraint("intent_id", "text"), _hnsw("ix_intent_example_embedding"))
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    intent_id: UUID = reference("intent")
    language: str = words(default="pt")
    text: str = words()
    encoder: str = words(default="")
    embedding: Any = _embedding()


class BusinessRecord(SQLModel, table=True):
    """The tenant's own small business data, for tenants without a system of their own."""

    __tablename__ = "business_record"
    tenant_id: UUID = tenant_key(primary=True)
    collection: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    value: dict[str, Any] = document()


class KnowledgeDocument(SQLModel, table=True):
    """A document that replies may cite."""

    __tablename__ = "knowledge_document"
    __table_args__ = (UniqueConstraint("tenant_id", "ref"),)
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    ref: str = words()
    title: str = words()
    language: str = words(default="pt")
    digest: str = words()
    updated_at: datetime = moment(now=True)


class KnowledgeChunk(SQLModel, table=True):
    """A piece of a document, searched by vector and by words."""

    __tablename__ = "knowledge_chunk"
    __table_args__ = (
        UniqueConstraint("document_id", "ordinal"),
        _hnsw("ix_knowledge_chunk_embedding"),
        Index("ix_knowledge_chunk_words", "words", postgresql_using="gin"),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    document_id: UUID = reference("knowledge_document")
    ordinal: int = Field()
    heading: str = words(default="")
    text: str = words()
    language: str = words(default="pt")
    encoder: str = words(default="")
    embedding: Any = _embedding()
    words: Any = Field(
        default=None,
        sa_column=Column(
            TSVECTOR(),
            Computed(
                "to_tsvector(CASE language WHEN 'es' THEN 'spanish'::regconfig WHEN 'en' THEN 'english'::regconfig "
                "ELSE 'portuguese'::regconfig END, heading || ' ' || text)",
                persisted=True,
            ),
        ),
    )


class PromptBundle(SQLModel, table=True):
    """What a turn was run with: prompts, tools, model settings and thresholds, under their hash."""

    __tablename__ = "prompt_bundle"
    tenant_id: UUID = tenant_key(primary=True)
    hash: str = Field(primary_key=True)
    content: dict[str, Any] = document()
    first_used_at: datetime = moment(now=True)
