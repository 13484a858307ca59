"""A bundle written into a tenant's rows, as an import writes a folder: what does not differ stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from agent.classifier import vectors_to_store
from agent.encoder import Encoder
from agent.prompts import PromptLibrary
from flows import autonomy
from flows.bundle_content import SETTINGS, BundleContent
from flows.functions import WITHHELD, WORDING
from flows.functions_described import wording_of
from flows.knowledge import Prepared, prepared_documents
from flows.knowledge_snapshot import declared
from flows.knowledge_vectors import passage_encoder
from flows.live_tenant import own_prompts
from flows.tenant_settings import SET_BY_HAND
from store import bundles, knowledge, knowledge_documents
from store.database import Connection, Database
from store.knowledge_documents import StoredDocument

PUBLISHED_OVER: Final = "published_over"
"""In ``tenant.settings``: version of the folder that was imported when the bundle was published. Importing the same
folder again, as a demo does every day, must not undo the publication."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What took the encoder's time, made before the transaction."""

    documents: tuple[Prepared, ...]
    reader: str
    """Name of the passages' encoder."""
    vectors: Mapping[str, str]
    """Of examples that are new, by text."""
    made_by: str


async def prepared(db: Database, tenant_id: UUID, content: BundleContent, encoder: Encoder) -> Ready:
    """Encode what the tenant does not have yet. Raises KeyError where a document of the bundle was not kept."""
    reader = passage_encoder(encoder)
    async with db.transaction(tenant_id) as tx:
        kept = await bundles.documents(tx, tenant_id, [one.digest for one in content.documents])
        there = {(row["intent"], row["text"]) for row in await knowledge.examples(tx)}
    documents = await prepared_documents(db, tenant_id, declared(content.documents, kept), reader)
    new = sorted({text for intent, _, text in content.examples() if (intent, text) not in there})
    made_by, literals = encoder.name, dict[str, str]()
    if new:
        made_by, vectors = await asyncio.to_thread(vectors_to_store, new, encoder)
        literals = {text: knowledge.vector_literal(vector.tolist()) for text, vector in zip(new, vectors, strict=True)}
    return Ready(tuple(documents), reader.name, literals, made_by)


async def write_content(
    tx: Connection, tenant_id: UUID, content: BundleContent, ready: Ready, *, library: PromptLibrary
) -> None:
    """Make the tenant's rows what the bundle says. Call within the transaction of the publication."""
    await tx.fetchval("SELECT 1 FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
    await _settings(tx, tenant_id, content)
    await _functions(tx, tenant_id, content)
    await _intents(tx, tenant_id, content, ready)
    await _documents(tx, tenant_id, content, ready)
    own = own_prompts(content.prompts, library)
    await bundles.set_wordings(tx, tenant_id, {name: prompt.source for name, prompt in own.items()})


async def _settings(tx: Connection, tenant_id: UUID, content: BundleContent) -> None:
    before = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id)
    settings = {key: value for key, value in before.items() if key not in SETTINGS} | dict(content.settings)
    # What was set by hand wins over later imports: it must not bring back what this publication replaces.
    by_hand = {
        key: settings[key] if key in SETTINGS else value
        for key, value in before.get(SET_BY_HAND, {}).items()
        if key not in SETTINGS or key in settings
    }
    settings[PUBLISHED_OVER] = (before.get("import") or {}).get("version", "")
    if SET_BY_HAND in before:
        settings[SET_BY_HAND] = by_hand
    await tx.execute(
        "UPDATE tenant SET settings = $2, locale = coalesce($2::jsonb ->> 'default_language', locale) WHERE id = $1",
        tenant_id,
        settings,
    )


async def _functions(tx: Connection, tenant_id: UUID, content: BundleContent) -> None:
    for row in await tx.fetch("SELECT name, declaration FROM business_function WHERE tenant_id = $1", tenant_id):
        declaration: dict[str, Any] = {
            key: value for key, value in row["declaration"].items() if key not in {WORDING, WITHHELD}
        }
        part = content.functions.get(row["name"])
        if part is None:
            declaration[WITHHELD] = True
        elif part.wording != wording_of(declaration):
            declaration[WORDING] = part.wording.model_dump()
        await tx.execute(
            """UPDATE business_function SET declaration = $3, trusted = $4, trusted_for = $5, updated_at = now()
                WHERE tenant_id = $1 AND name = $2
                  AND (declaration, trusted, trusted_for) IS DISTINCT FROM ($3::jsonb, $4::bool, $5::jsonb)""",
            tenant_id,
            row["name"],
            declaration,
            part is not None and part.trusted,
            list(part.trusted_for) if part else [],
        )


async def _intents(tx: Connection, tenant_id: UUID, content: BundleContent, ready: Ready) -> None:
    await tx.execute("DELETE FROM intent WHERE tenant_id = $1 AND name <> ALL ($2)", tenant_id, list(content.intents))
    rows = await tx.fetch("SELECT name, declaration FROM intent WHERE tenant_id = $1", tenant_id)
    known = {row["name"]: row["declaration"] for row in rows}
    for name, whole in content.intents.items():
        declaration = {key: value for key, value in whole.items() if key != "examples"}
        if name in known and known[name] != declaration:
            await autonomy.intent_changed(tx, tenant_id, name)
        intent_id = await tx.fetchval(
            """INSERT INTO intent (tenant_id, name, declaration) VALUES ($1, $2, $3)
               ON CONFLICT (tenant_id, name) DO UPDATE SET declaration = excluded.declaration, updated_at = now(),
                   version = intent.version + (intent.declaration <> excluded.declaration)::int
               RETURNING id""",
            tenant_id,
            name,
            declaration,
        )
        sentences = [(language, text) for language, texts in whole.get("examples", {}).items() for text in texts]
        await tx.execute(
            "DELETE FROM intent_example WHERE intent_id = $1 AND text <> ALL ($2)",
            intent_id,
            [text for _, text in sentences],
        )
        await tx.executemany(
            """INSERT INTO intent_example (tenant_id, intent_id, language, text, encoder, embedding)
               VALUES ($1, $2, $3, $4, CASE WHEN $6::text IS NULL THEN '' ELSE $5 END, $6::text::vector)
               ON CONFLICT (intent_id, text) DO UPDATE SET language = excluded.language""",
            [
                (tenant_id, intent_id, language, text, ready.made_by, ready.vectors.get(text))
                for language, text in sentences
            ],
        )


async def _documents(tx: Connection, tenant_id: UUID, content: BundleContent, ready: Ready) -> None:
    await knowledge_documents.lock(tx, tenant_id)
    known = await knowledge_documents.digests(tx, tenant_id)
    wanted = {one.ref: one for one in content.documents}
    await knowledge_documents.remove(tx, tenant_id, [ref for ref in known if ref not in wanted])
    for one in ready.documents:
        part = wanted[one.document.ref]
        before = known.get(part.ref)
        if before is not None and (before["digest"], before["language"]) == (part.digest, part.language):
            continue
        document = StoredDocument(part.ref, part.title, part.language, part.digest, part.source, part.file_name)
        await knowledge_documents.put(tx, tenant_id, document, one.chunks, encoder=ready.reader, vectors=one.vectors)
