"""A tenant's knowledge: documents brought in, listed, searched and removed.

A file is read and cut here, in whichever process was asked; its new pieces are encoded later by a worker
(``flows.knowledge_indexing``). Until then their words are found already, their meaning is not.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from agent.encoder import Encoder
from agent.language import detect_language
from agent.terms import terms
from domain.errors import ConflictError, NotFoundError
from domain.text import storable
from flows.knowledge_apart import read_document
from flows.knowledge_chunks import Chunk, cut
from flows.knowledge_files import READER
from flows.knowledge_indexing import chunk_vectors
from flows.tenant_declaration import KnowledgeDocument
from store import events, knowledge_documents
from store.database import Connection, Database, Row
from store.knowledge_documents import ADDED, FOLDER, StoredChunk, StoredDocument, Vectors
from store.profile_version import bump

_LANGUAGE_READ = 3_000


class FolderDocumentError(ConflictError):
    """A document that belongs to the tenant's folder: changed by hand, the next import undoes it."""

    def __init__(self, ref: str) -> None:
        super().__init__(
            f"{ref} belongs to the tenant's folder.",
            hint="Change the file in its knowledge/ and run: atende tenant import FOLDER",
        )
        self.ref = ref


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document read and cut, with the vectors that were already worth making."""

    document: StoredDocument
    chunks: tuple[StoredChunk, ...]
    vectors: dict[str, Vectors] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding a file. ``new`` chunks wait for the indexing."""

    ref: str
    title: str
    language: str
    chunks: int
    new: int
    removed: int
    changed: bool = True
    notes: tuple[str, ...] = ()


async def add_file(db: Database, tenant_id: UUID, ref: str, data: bytes, language: str | None = None) -> Added:
    """Bring a file in, or up to date. ``ref``, its name within the tenant, ends as the file does.

    Raises DocumentUnreadableError, or FolderDocumentError where the tenant's folder has a document of this name.
    """
    ref = storable(ref)[0]
    async with db.transaction(tenant_id) as tx:
        settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id)
        known = (await knowledge_documents.digests(tx, tenant_id)).get(ref)
    if known is not None and known["source"] == FOLDER:
        raise FolderDocumentError(ref)
    digest = hashlib.sha256(f"{READER} {language or ''} ".encode() + data).hexdigest()
    if known is not None and known["digest"] == digest:
        return Added(ref, known["title"], known["language"], 0, 0, 0, changed=False)
    found = await asyncio.to_thread(read_document, ref, data)
    if language is None:
        sample = "\n".join(block.text for block in found.blocks[:40])[:_LANGUAGE_READ]
        allowed = settings.get("languages", ("pt", "es", "en"))
        language = detect_language(sample, settings.get("default_language", "pt"), allowed)
    document = StoredDocument(ref, storable(found.title)[0], language, digest, ADDED, ref.rpartition("/")[2])
    chunks = _stored(document.title, cut(found))
    async with db.transaction(tenant_id) as tx:
        await knowledge_documents.lock(tx, tenant_id)
        new, removed = await knowledge_documents.put(tx, tenant_id, document, chunks)
        await bump(tx, tenant_id)
        await events.append(tx, tenant_id, "knowledge.changed", payload={"ref": ref, "new": new, "removed": removed})
    return Added(ref, document.title, language, len(chunks), new, removed, notes=found.notes)


async def remove(db: Database, tenant_id: UUID, ref: str) -> None:
    """Forget a document that was added. Raises NotFoundError or FolderDocumentError."""
    async with db.transaction(tenant_id) as tx:
        await knowledge_documents.lock(tx, tenant_id)
        known = (await knowledge_documents.digests(tx, tenant_id)).get(ref)
        if known is None:
            raise NotFoundError("knowledge document", ref)
        if known["source"] == FOLDER:
            raise FolderDocumentError(ref)
        await knowledge_documents.remove(tx, tenant_id, [ref])
        await bump(tx, tenant_id)
        await events.append(tx, tenant_id, "knowledge.removed", payload={"ref": ref})


async def documents(db: Database, tenant_id: UUID) -> list[Row]:
    """All documents, with how many ``chunks`` each has and how many of them are ``waiting`` for a vector."""
    async with db.transaction(tenant_id) as tx:
        return await knowledge_documents.listed(tx, tenant_id)


# The tenant's folder -------------------------------------------------------------------------------------------------
async def prepared_documents(
    db: Database, tenant_id: UUID, declared: Sequence[KnowledgeDocument], encoder: Encoder
) -> list[Prepared]:
    """A folder's documents with vectors for those chunks that have none yet. The slow part, outside a transaction."""
    async with db.transaction(tenant_id) as tx:
        there = await knowledge_documents.encoded_chunks(tx, tenant_id, [one.ref for one in declared], encoder.name)
    vectors: dict[str, Vectors] = {}
    prepared = []
    for document in declared:
        for chunk in document.chunks:
            digest = chunk.digest(document.title)
            if (document.ref, digest) not in there and digest not in vectors:
                vectors[digest] = await asyncio.to_thread(chunk_vectors, chunk, document.title, encoder)
        chunks = _stored(document.title, document.chunks)
        stored = StoredDocument(
            document.ref, document.title, document.language, document.digest, FOLDER, document.file_name
        )
        own = {chunk.digest: vectors[chunk.digest] for chunk in chunks if chunk.digest in vectors}
        prepared.append(Prepared(stored, chunks, own))
    return prepared


async def put_folder(tx: Connection, tenant_id: UUID, prepared: Sequence[Prepared], encoder: str) -> None:
    """Make the folder's documents what they are now; documents that were added by hand stay."""
    await knowledge_documents.lock(tx, tenant_id)
    known = await knowledge_documents.digests(tx, tenant_id)
    declared = {one.document.ref for one in prepared}
    gone = [ref for ref, row in known.items() if row["source"] == FOLDER and ref not in declared]
    await knowledge_documents.remove(tx, tenant_id, gone)
    for one in prepared:
        before = known.get(one.document.ref)
        same = before is not None and (before["digest"], before["source"], before["indexed_with"]) == (
            one.document.digest,
            FOLDER,
            encoder,
        )
        if not same:
            await knowledge_documents.put(tx, tenant_id, one.document, one.chunks, encoder=encoder, vectors=one.vectors)


def _stored(title: str, chunks: Sequence[Chunk]) -> tuple[StoredChunk, ...]:
    return tuple(
        StoredChunk(
            storable(chunk.heading)[0],
            storable(chunk.text)[0],
            chunk.page,
            chunk.digest(title),
            frozenset(terms(f"{chunk.title(title)} {chunk.text}")),
        )
        for chunk in chunks
    )
