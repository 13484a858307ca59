"""Pieces of documents as vectors, and a tenant's documents searched without a database."""

from __future__ import annotations

from collections.abc import Sequence

from agent.classifier import vectorise
from agent.encoder import Encoder, Vectors
from agent.retrieval import KnowledgeInMemory
from flows.knowledge_chunks import Chunk
from flows.tenant_declaration import KnowledgeDocument


def passage_encoder(encoder: Encoder) -> Encoder:
    """What encodes passages and questions about them where ``encoder`` reads messages: itself, unless it names another.

    The weights of agent.relevance hold for the encoder that they were fitted with.
    """
    chosen: Encoder = getattr(encoder, "for_passages", encoder)
    return chosen


def encode_chunk(chunk: Chunk, document: str, encoder: Encoder) -> tuple[Vectors, Vectors]:
    """A chunk's own vector and those of its sentences. Some 10 to 40 ms of the encoder's time."""
    rows = vectorise([chunk.encoded(document), *chunk.sentences()], encoder)
    return rows[0], rows[1:]


def in_memory(declared: Sequence[KnowledgeDocument], encoder: Encoder) -> KnowledgeInMemory:
    """The documents as the database would find them."""
    ordered = sorted(declared, key=lambda document: document.ref)
    passages = [passage for document in ordered for passage in document.passages()]
    vectors = [encode_chunk(chunk, document.title, encoder) for document in ordered for chunk in document.chunks]
    return KnowledgeInMemory(passages, vectors, encoder)
