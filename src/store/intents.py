"""A tenant's intents and their examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from store.database import Connection, Row

BY_HAND = "api"
"""``intent.source`` of what was declared or changed by people and programs rather than by the tenant's folder."""

_ALL = """
SELECT i.id, i.name, i.declaration, i.source, i.version, i.updated_at,
       coalesce((SELECT jsonb_agg(jsonb_build_array(e.language, e.text) ORDER BY e.language, e.text)
                   FROM intent_example e WHERE e.intent_id = i.id), '[]') AS examples
  FROM intent i
"""


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """An example with its vector (as PostgreSQL reads it) under the encoder named; "" and None: not encoded yet."""

    language: str
    text: str
    encoder: str = ""
    embedding: str | None = None


async def every(tx: Connection) -> list[Row]:
    """All intents by name: (id, name, declaration, source, version, updated_at, examples as [language, text])."""
    return list(await tx.fetch(f"{_ALL} ORDER BY i.name"))


async def one(tx: Connection, name: str) -> Row | None:
    """The same of one intent; None where there is none of that name."""
    return await tx.fetchrow(f"{_ALL} WHERE i.name = $1", name)


async def known_vectors(tx: Connection, texts: Sequence[str], encoder: str) -> set[str]:
    """Which of these texts are stored with a vector of this encoder."""
    rows = await tx.fetch(
        "SELECT DISTINCT text FROM intent_example WHERE text = ANY ($1) AND encoder = $2 AND embedding IS NOT NULL",
        list(texts),
        encoder,
    )
    return {row["text"] for row in rows}


async def put(tx: Connection, tenant_id: UUID, name: str, declaration: Mapping[str, Any]) -> UUID:
    """Create the intent, or raise its version with another declaration. From now on it is people's, not the files'."""
    intent_id: UUID = await tx.fetchval(
        """INSERT INTO intent (tenant_id, name, declaration, source) VALUES ($1, $2, $3, $4)
           ON CONFLICT (tenant_id, name) DO UPDATE SET declaration = excluded.declaration, source = excluded.source,
               version = intent.version + 1, updated_at = now()
           RETURNING id""",
        tenant_id,
        name,
        dict(declaration),
        BY_HAND,
    )
    return intent_id


async def put_examples(
    tx: Connection, tenant_id: UUID, intent_id: UUID, rows: Sequence[ExampleRow], *, only: bool
) -> None:
    """Add these examples; ``only``: the intent has no others afterwards. A text that is there keeps its vector."""
    if only:
        await tx.execute(
            "DELETE FROM intent_example WHERE intent_id = $1 AND text <> ALL ($2)",
            intent_id,
            [row.text for row in rows],
        )
    await tx.executemany(
        """INSERT INTO intent_example (tenant_id, intent_id, language, text, encoder, embedding)
           VALUES ($1, $2, $3, $4, $5, $6::text::vector)
           ON CONFLICT (intent_id, text) DO UPDATE SET language = excluded.language,
               encoder = CASE WHEN excluded.embedding IS NULL THEN intent_example.encoder ELSE excluded.encoder END,
               embedding = coalesce(excluded.embedding, intent_example.embedding)""",
        [(tenant_id, intent_id, row.language, row.text, row.encoder, row.embedding) for row in rows],
    )


async def delete(tx: Connection, name: str) -> None:
    """Forget the intent and its examples."""
    await tx.execute("DELETE FROM intent WHERE name = $1", name)


async def function_names(tx: Connection) -> set[str]:
    """The business functions that an intent may name."""
    return {row["name"] for row in await tx.fetch("SELECT name FROM business_function WHERE enabled")}


async def profile_changed(tx: Connection, tenant_id: UUID) -> None:
    """Let every process know, with the commit, that what the agent knows of this tenant is another thing now."""
    await tx.execute("UPDATE tenant SET profile_version = profile_version + 1 WHERE id = $1", tenant_id)
