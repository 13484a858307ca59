"""What the agent knows of a tenant: intents, functions, knowledge, prompts, and the tenant's own small data."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import HALFVEC, Vector
from sqlalchemy import Column, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import (
    document,
    moment,
    reference,
    tenant_key,
    uuid_key,
    words,
)
from store.vector_widths import EMBEDDING_DIMENSIONS, PASSAGE_DIMENSIONS


def _embedding() -> Any:
    return Field(default=None, sa_column=Column(Vector(EMBEDDING_DIMENSIONS), nullable=True))


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
    __table_args__ = (UniqueConstraint("intent_id", "text"),)
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
    """Of the file's bytes and of how it was read."""
    source: str = words(default="folder")
    """``folder``: of the tenant's folder, where alone it changes; ``added``: by hand."""
    file_name: str = words(default="")
    indexed_with: str = Field(
        default="", sa_column=Column(Text(), nullable=False, server_default=sql("''"), index=True)
    )
    """The encoder of all its chunks' vectors; "" while some have none."""
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    next_attempt_at: datetime = moment(now=True)
    """When a worker may (again) index it; a worker that begins moves it on, so that no other does the same."""
    error: str | None = words(nullable=True)
    updated_at: datetime = moment(now=True)


class KnowledgeChunk(SQLModel, table=True):
    """A piece of a document, searched by vector and by words."""

    __tablename__ = "knowledge_chunk"
    __table_args__ = (
        Index("ix_knowledge_chunk_document", "document_id", "ordinal"),
        Index(
            "ix_knowledge_chunk_embedding",
            "embedding",
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "halfvec_cosine_ops"},
        ),
        Index("ix_knowledge_chunk_words", "words", postgresql_using="gin"),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key(index=True)
    document_id: UUID = reference("knowledge_document")
    ordinal: int = Field()
    heading: str = words(default="")
    page: int | None = Field(default=None)
    text: str = words()
    language: str = words(default="pt")
    digest: str = words(default="")
    """Of what is encoded: a chunk with the same one keeps its vector, wherever it moves."""
    encoder: str = words(default="")
    embedding: Any = Field(default=None, sa_column=Column(HALFVEC(PASSAGE_DIMENSIONS), nullable=True))
    """Half precision: a row then fits where the database keeps it in one piece, and a search reads half as much."""
    sentences: Any = Field(default=None, sa_column=Column(ARRAY(HALFVEC(PASSAGE_DIMENSIONS)), nullable=True))
    """Of its sentences one by one, for judging what was found: one of them answers, not all."""
    words: Any = Field(default=None, sa_column=Column(TSVECTOR(), nullable=False, server_default=sql("''::tsvector")))
    """``agent.terms`` of title, heading and text, each behind a mark of its tenant (store.knowledge)."""


class KnowledgeWord(SQLModel, table=True):
    """In how many chunks of the tenant a word occurs; the word "" stands for all chunks."""

    __tablename__ = "knowledge_word"
    tenant_id: UUID = tenant_key(primary=True)
    word: str = Field(primary_key=True)
    chunks: int = Field(sa_column_kwargs={"server_default": sql("0")})
