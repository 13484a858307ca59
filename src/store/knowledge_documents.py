"""Documents and their chunks: written so that what did not change keeps its vector."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from uuid import UUID

from store.database import Connection, Row

FOLDER, ADDED = "folder", "added"

Vectors = tuple[str, str]
"""Of a chunk, and of its sentences one by one, as PostgreSQL reads them (store.knowledge)."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as it is kept. ``ref`` is its name within the tenant; ``source`` is FOLDER or ADDED."""

    ref: str
    title: str
    language: str
    digest: str
    source: str
    file_name: str


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A piece of a document. ``digest`` tells what is encoded for it; ``words`` are its distinct searched words."""

    heading: str
    text: str
    page: int | None
    digest: str
    words: Collection[str]


async def lock(tx: Connection, tenant_id: UUID) -> None:
    """Writers of a tenant's knowledge go one after the other, or their counts of words could deadlock."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('knowledge ' || $1, 0))", str(tenant_id))


async def digests(tx: Connection, tenant_id: UUID) -> dict[str, Row]:
    """ref → (digest, title, language, source, indexed_with, file_name) of all documents."""
    rows = await tx.fetch(
        "SELECT ref, digest, title, language, source, indexed_with, file_name FROM knowledge_document "
        "WHERE tenant_id = $1",
        tenant_id,
    )
    return {row["ref"]: row for row in rows}


async def encoded_chunks(tx: Connection, tenant_id: UUID, refs: Sequence[str], encoder: str) -> set[tuple[str, str]]:
    """(document's ref, chunk's digest) of the chunks that have a vector of this encoder."""
    rows = await tx.fetch(
        """SELECT d.ref, c.digest FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id
            WHERE d.tenant_id = $1 AND d.ref = ANY ($2) AND c.encoder = $3""",
        tenant_id,
        list(refs),
        encoder,
    )
    return {(row["ref"], row["digest"]) for row in rows}


async def put(
    tx: Connection,
    tenant_id: UUID,
    document: StoredDocument,
    chunks: Sequence[StoredChunk],
    *,
    encoder: str = "",
    vectors: Mapping[str, Vectors] | None = None,
) -> tuple[int, int]:
    """Store or replace a document; returns how many chunks are new and how many were removed.

    A chunk whose digest was there keeps its vector, wherever it stands now. New ones take theirs from ``vectors`` (by
    digest, of ``encoder``), or wait for the indexing. Call ``lock`` first.
    """
    document_id: UUID = await tx.fetchval(
        """INSERT INTO knowledge_document (tenant_id, ref, title, language, digest, source, file_name)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (tenant_id, ref) DO UPDATE SET title = excluded.title, language = excluded.language,
               digest = excluded.digest, source = excluded.source, file_name = excluded.file_name,
               indexed_with = '', attempts = 0, next_attempt_at = now(), error = NULL, updated_at = now()
           RETURNING id""",
        tenant_id,
        document.ref,
        document.title,
        document.language,
        document.digest,
        document.source,
        document.file_name,
    )
    rows = await tx.fetch(
        "SELECT id, digest FROM knowledge_chunk WHERE document_id = $1 ORDER BY ordinal FOR UPDATE", document_id
    )
    there: defaultdict[str, list[UUID]] = defaultdict(list)
    for row in reversed(rows):
        there[row["digest"]].append(row["id"])
    kept: list[tuple[UUID, int, str, int | None, str]] = []
    added: list[tuple[int, StoredChunk]] = []
    for ordinal, chunk in enumerate(chunks):
        if there[chunk.digest]:
            kept.append((there[chunk.digest].pop(), ordinal, chunk.heading, chunk.page, document.language))
        else:
            added.append((ordinal, chunk))
    gone = [chunk_id for left in there.values() for chunk_id in left]
    await _remove_chunks(tx, tenant_id, gone)
    await tx.executemany(
        "UPDATE knowledge_chunk SET ordinal = $2, heading = $3, page = $4, language = $5 WHERE id = $1", kept
    )
    if added:
        have = vectors or {}
        new = [
            (document_id, document.language, ordinal, *_row(chunk, have.get(chunk.digest), encoder))
            for ordinal, chunk in added
        ]
        await _add_chunks(tx, tenant_id, new, Counter(chain.from_iterable(["", *chunk.words] for _, chunk in added)))
    await settle(tx, document_id, encoder)
    return len(added), len(gone)


async def remove(tx: Connection, tenant_id: UUID, refs: Collection[str]) -> list[str]:
    """Forget documents with all their chunks; returns the refs that were there. Call ``lock`` first."""
    rows = await tx.fetch(
        "SELECT id FROM knowledge_chunk WHERE document_id IN "
        "(SELECT id FROM knowledge_document WHERE tenant_id = $1 AND ref = ANY ($2))",
        tenant_id,
        list(refs),
    )
    await _remove_chunks(tx, tenant_id, [row["id"] for row in rows])
    gone = await tx.fetch(
        "DELETE FROM knowledge_document WHERE tenant_id = $1 AND ref = ANY ($2) RETURNING ref", tenant_id, list(refs)
    )
    return [row["ref"] for row in gone]


async def listed(tx: Connection, tenant_id: UUID) -> list[Row]:
    """All documents with their numbers of chunks (``chunks``) and of those without a vector (``waiting``)."""
    return list(
        await tx.fetch(
            """SELECT d.*, count(c.id) AS chunks, count(c.id) FILTER (WHERE c.embedding IS NULL) AS waiting
                 FROM knowledge_document d LEFT JOIN knowledge_chunk c ON c.document_id = d.id
                WHERE d.tenant_id = $1 GROUP BY d.id ORDER BY d.ref COLLATE "C" """,
            tenant_id,
        )
    )


# Indexing ------------------------------------------------------------------------------------------------------------
async def claim(tx: Connection, document_id: UUID, encoder: str, lease: timedelta) -> Row | None:
    """Take a document to index it; None if another worker has it, or nothing is left to do."""
    return await tx.fetchrow(
        """UPDATE knowledge_document SET attempts = attempts + 1, next_attempt_at = now() + $3
            WHERE id = $1 AND indexed_with <> $2 AND next_attempt_at <= now() RETURNING ref, attempts""",
        document_id,
        encoder,
        lease,
    )


async def unencoded(tx: Connection, document_id: UUID, encoder: str, limit: int) -> list[Row]:
    """Chunks without a vector of this encoder: (id, digest, title of the document, heading, text, page)."""
    return list(
        await tx.fetch(
            """SELECT c.id, c.digest, d.title, c.heading, c.text, c.page
                 FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id
                WHERE c.document_id = $1 AND c.encoder <> $2 ORDER BY c.ordinal LIMIT $3""",
            document_id,
            encoder,
            limit,
        )
    )


async def set_vectors(tx: Connection, encoder: str, vectors: Sequence[tuple[UUID, str, str, str]]) -> None:
    """(chunk, digest it was encoded for, vectors): a chunk that was replaced meanwhile stays as it is."""
    await tx.executemany(
        "UPDATE knowledge_chunk SET encoder = $5, embedding = $3::text::halfvec, sentences = $4::text::halfvec[] "
        "WHERE id = $1 AND digest = $2",
        [(*row, encoder) for row in vectors],
    )


async def settle(tx: Connection, document_id: UUID, encoder: str) -> bool:
    """Note the document as indexed if all its chunks have vectors of ``encoder``; returns whether they have."""
    done = await tx.fetchval(
        """UPDATE knowledge_document d SET indexed_with = $2, attempts = 0, error = NULL, next_attempt_at = now()
            WHERE d.id = $1 AND $2 <> ''
              AND NOT EXISTS (SELECT 1 FROM knowledge_chunk c WHERE c.document_id = d.id AND c.encoder <> $2)
           RETURNING true""",
        document_id,
        encoder,
    )
    return bool(done)


async def extend(tx: Connection, document_id: UUID, lease: timedelta) -> None:
    """The worker that claimed it is still at it."""
    await tx.execute("UPDATE knowledge_document SET next_attempt_at = now() + $2 WHERE id = $1", document_id, lease)


async def postpone(tx: Connection, document_id: UUID, error: str, wait: timedelta) -> None:
    """Indexing failed: note why, and when it is tried again."""
    await tx.execute(
        "UPDATE knowledge_document SET error = $2, next_attempt_at = now() + $3 WHERE id = $1", document_id, error, wait
    )


def _row(chunk: StoredChunk, vectors: Vectors | None, encoder: str) -> tuple[object, ...]:
    return (
        chunk.heading,
        chunk.page,
        chunk.text,
        chunk.digest,
        encoder if vectors else "",
        *(vectors or (None, None)),
        list(chunk.words),
    )


async def _add_chunks(tx: Connection, tenant_id: UUID, rows: Sequence[tuple[object, ...]], words: Counter[str]) -> None:
    await tx.executemany(
        """INSERT INTO knowledge_chunk
               (tenant_id, document_id, language, ordinal, heading, page, text, digest, encoder, embedding,
                sentences, words)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::halfvec,
                   $11::text::halfvec[],
                   array_to_tsvector(ARRAY(SELECT left($1::uuid::text, 8) || ':' || w FROM unnest($12::text[]) w)))""",
        [(tenant_id, *row) for row in rows],
    )
    await tx.execute(
        """INSERT INTO knowledge_word (tenant_id, word, chunks) SELECT $1, * FROM unnest($2::text[], $3::int[])
           ON CONFLICT (tenant_id, word) DO UPDATE SET chunks = knowledge_word.chunks + excluded.chunks""",
        tenant_id,
        list(words),
        list(words.values()),
    )


async def _remove_chunks(tx: Connection, tenant_id: UUID, chunk_ids: Sequence[UUID]) -> None:
    if not chunk_ids:
        return
    await tx.execute(
        """WITH gone AS (
               DELETE FROM knowledge_chunk WHERE id = ANY ($2) RETURNING words
           ), lost AS (
               SELECT substr(w, 10) AS word, count(*) AS chunks FROM gone, unnest(tsvector_to_array(words)) w GROUP BY 1
               UNION ALL SELECT '', count(*) FROM gone
           )
           UPDATE knowledge_word k SET chunks = k.chunks - lost.chunks FROM lost
            WHERE k.tenant_id = $1 AND k.word = lost.word""",
        tenant_id,
        list(chunk_ids),
    )
    await tx.execute("DELETE FROM knowledge_word WHERE tenant_id = $1 AND chunks <= 0", tenant_id)
