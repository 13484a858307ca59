"""Searching a tenant's knowledge, by meaning and by words, and the stored examples of its intents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from store.database import Connection, Row
from store.vector_widths import EMBEDDING_DIMENSIONS, PASSAGE_DIMENSIONS

EXACT_UP_TO = 2_000
"""Chunks of a tenant that are compared one by one. Above, the index of all tenants' vectors is quicker than that."""

# The question's vector stands in a subquery: a parameter's cast would otherwise be carried out anew for every row.
_FOUND = """
SELECT d.ref || '#' || c.ordinal AS ref, d.ref AS document, c.ordinal, d.title, c.heading, c.page, c.text, c.language,
       CASE WHEN c.encoder = $2 THEN 1 - (c.embedding <=> (SELECT $1::text::halfvec)) ELSE 0 END AS score,
       CASE WHEN c.encoder = $2
            THEN (SELECT 1 - min(s <=> (SELECT $1::text::halfvec)) FROM unnest(c.sentences) s) END AS nearest
  FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id
 WHERE c.id = ANY (ARRAY(
           SELECT id FROM near UNION SELECT chunk_id FROM gate.knowledge_by_words($3::text[], $4::real[], $5::int)))
"""
USE_INDEX = (
    "SET LOCAL hnsw.iterative_scan = 'relaxed_order'; SET LOCAL hnsw.ef_search = 80; SET LOCAL enable_sort = off"
)
"""The index is shared by all tenants: keep scanning until this tenant's rows fill the answer. And do use it: to the
planner, who does not know how many rows this tenant has, sorting them all looks cheaper (60 times dearer at 20,000)."""
BY_INDEX = f"""
WITH near AS MATERIALIZED (
    SELECT c.id FROM knowledge_chunk c WHERE c.encoder = $2
     ORDER BY c.embedding <=> (SELECT $1::text::halfvec) LIMIT $5::int
) {_FOUND}"""
ONE_BY_ONE = f"""
WITH own AS MATERIALIZED (
    SELECT c.id, c.embedding FROM knowledge_chunk c WHERE c.tenant_id = $6 AND c.encoder = $2
), near AS MATERIALIZED (
    SELECT id FROM own ORDER BY embedding <=> (SELECT $1::text::halfvec) LIMIT $5::int
) {_FOUND}"""


def vector_literal(vector: Sequence[float]) -> str:
    """A vector as PostgreSQL reads it (``$1::text::vector``), padded with zeros to the width of the columns."""
    padded = [*map(float, vector), *[0.0] * (EMBEDDING_DIMENSIONS - len(vector))]
    return "[" + ",".join(format(value, ".8g") for value in padded) + "]"


def passage_literal(vector: Sequence[float]) -> str:
    """A passage's or a question's vector as PostgreSQL reads it (``$1::text::halfvec``)."""
    padded = [*map(float, vector), *[0.0] * (PASSAGE_DIMENSIONS - len(vector))]
    return "[" + ",".join(format(value, ".4g") for value in padded) + "]"


def passages_literal(vectors: Iterable[Sequence[float]]) -> str:
    """Several of them (``$1::text::halfvec[]``)."""
    return "{" + ",".join(f'"{passage_literal(vector)}"' for vector in vectors) + "}"


async def frequencies(tx: Connection, tenant_id: UUID, words: Sequence[str]) -> dict[str, int]:
    """In how many chunks each of the words occurs; "" is how many there are. Words that never occur are left out."""
    rows = await tx.fetch(
        "SELECT word, chunks FROM knowledge_word WHERE tenant_id = $1 AND word = ANY ($2) AND chunks > 0",
        tenant_id,
        ["", *words],
    )
    return {row["word"]: row["chunks"] for row in rows}


async def search(
    tx: Connection,
    tenant_id: UUID,
    vector: Sequence[float],
    weights: Mapping[str, float],
    *,
    encoder: str,
    chunks: int,
    limit: int,
    exact_up_to: int = EXACT_UP_TO,
) -> list[Row]:
    """The ``limit`` chunks nearest in meaning and the ``limit`` that hold most of ``weights``' words, in no order.

    Rows of (ref, document, ordinal, title, heading, page, text, language, score, nearest): the cosines of the chunk
    and of its nearest sentence, 0 and None while it has no vectors of this encoder. ``chunks``: how many there are.
    """
    arguments = (passage_literal(vector), encoder, list(weights), list(weights.values()), limit)
    if chunks <= exact_up_to:
        return list(await tx.fetch(ONE_BY_ONE, *arguments, tenant_id))
    await tx.execute(USE_INDEX)
    return list(await tx.fetch(BY_INDEX, *arguments))


async def examples(tx: Connection) -> list[Row]:
    """All intent examples of the tenant: (intent, language, text, encoder, embedding as pgvector sends vectors).

    As text, reading the vectors of a thousand examples would take a second.
    """
    return list(
        await tx.fetch(
            "SELECT i.name AS intent, e.language, e.text, e.encoder, vector_send(e.embedding) AS embedding "
            "FROM intent_example e JOIN intent i ON i.id = e.intent_id ORDER BY i.name, e.text"
        )
    )
