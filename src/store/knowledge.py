"""Searching a tenant's knowledge: by meaning and by words."""

from __future__ import annotations

from collections.abc import Sequence

from store.database import Connection, Row
from store.tables.columns import EMBEDDING_DIMENSIONS

_SEARCH = """
WITH wanted AS (
    SELECT $1::text::vector AS embedding,
           websearch_to_tsquery(CASE $3 WHEN 'es' THEN 'spanish'::regconfig WHEN 'en' THEN 'english'::regconfig
                                ELSE 'portuguese'::regconfig END, $2) AS words
), near AS (
    SELECT c.id FROM knowledge_chunk c, wanted w WHERE c.encoder = $5
     ORDER BY c.embedding <=> w.embedding LIMIT $4 * 4
), worded AS (
    SELECT c.id FROM knowledge_chunk c, wanted w WHERE c.words @@ w.words AND c.encoder = $5
     ORDER BY ts_rank(c.words, w.words) DESC LIMIT $4 * 4
)
SELECT d.ref || '#' || c.ordinal AS ref,
       d.title || CASE WHEN c.heading = '' THEN '' ELSE ' · ' || c.heading END AS title, c.text, c.language,
       1 - (c.embedding <=> w.embedding) AS score
  FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id, wanted w
 WHERE c.id IN (SELECT id FROM near UNION SELECT id FROM worded)
 ORDER BY c.embedding <=> w.embedding LIMIT $4
"""


def vector_literal(vector: Sequence[float]) -> str:
    """A vector as PostgreSQL reads it (``$1::text::vector``), padded with zeros to the width of the columns."""
    padded = [*map(float, vector), *[0.0] * (EMBEDDING_DIMENSIONS - len(vector))]
    return "[" + ",".join(format(value, ".8g") for value in padded) + "]"


async def search(
    tx: Connection, vector: Sequence[float], query: str, *, language: str, encoder: str, limit: int
) -> list[Row]:
    """Chunks nearest to the query: (ref, title, text, language, score); score is the cosine similarity."""
    # The index is shared by all tenants: keep scanning until this tenant's rows fill the answer.
    await tx.execute("SET LOCAL hnsw.iterative_scan = 'relaxed_order'")
    return list(await tx.fetch(_SEARCH, vector_literal(vector), query[:1000], language, limit, encoder))


async def examples(tx: Connection) -> list[Row]:
    """All intent examples of the tenant with vectors: (intent, language, text, encoder, embedding as text)."""
    return list(
        await tx.fetch(
            "SELECT i.name AS intent, e.language, e.text, e.encoder, e.embedding::text AS embedding "
            "FROM intent_example e JOIN intent i ON i.id = e.intent_id ORDER BY i.name, e.text"
        )
    )
