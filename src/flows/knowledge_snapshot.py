"""A stored snapshot of a tenant's knowledge, searched in memory: for contacts who meet a bundle that is only tried."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from agent.classifier import vectorise
from agent.encoder import Encoder
from agent.retrieval import KnowledgeInMemory
from agent.turn import Passage
from flows.bundle_content import DocumentPart
from flows.knowledge_chunks import Chunk
from flows.knowledge_vectors import in_memory, passage_encoder
from flows.tenant_declaration import KnowledgeDocument

MOST_CHUNKS = 2_000
"""Pieces of a snapshot that differs from the tenant's knowledge: each is encoded anew by every process."""


class Knowledge(Protocol):
    """Where passages come from."""

    async def search(self, tenant_id: UUID, query: str, language: str, limit: int) -> Sequence[Passage]: ...


class Snapshot:
    """Searches as flows.knowledge_search does, without the database."""

    def __init__(self, knowledge: KnowledgeInMemory, encoder: Encoder) -> None:
        self._knowledge = knowledge
        self._encoder = encoder

    async def search(self, tenant_id: UUID, query: str, language: str, limit: int) -> Sequence[Passage]:  # noqa: ARG002
        """The passages that answer best, with the chance that they do; best first."""
        vectors = await asyncio.to_thread(vectorise, [query], self._encoder)
        return self._knowledge.search(query, vectors[0], language, limit)


def declared(parts: Sequence[DocumentPart], kept: Mapping[str, Mapping[str, Any]]) -> list[KnowledgeDocument]:
    """The documents of a bundle with their pieces, from rows (title, chunks) by digest. Raises KeyError."""
    return [
        KnowledgeDocument(
            one.ref,
            one.title,
            one.language,
            one.file_name,
            one.digest,
            tuple(Chunk(heading, text, page) for heading, text, page in kept[one.digest]["chunks"]),
        )
        for one in parts
    ]


def snapshot(parts: Sequence[DocumentPart], kept: Mapping[str, Mapping[str, Any]], encoder: Encoder) -> Snapshot:
    """Make the snapshot searchable: some 10 to 40 ms of the encoder's time for each piece."""
    reader = passage_encoder(encoder)
    return Snapshot(in_memory(declared(parts, kept), reader), reader)
