"""Retrieval in memory finds what PostgreSQL finds: evals and canaries see the passages of production."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.classifier import vectorise
from agent.encoder import default_encoder
from agent.relevance import CANDIDATES
from flows.bundle_content import DocumentPart
from flows.knowledge import prepared_documents, put_folder
from flows.knowledge_search import KnowledgeSearch
from flows.knowledge_snapshot import declared as of_bundle
from flows.knowledge_vectors import in_memory, passage_encoder
from flows.tenant_declaration import KnowledgeDocument
from flows.tenant_files import load_tenant
from flows.tenant_texts import read_knowledge
from store import bundles
from store.database import Database
from tests.database import Number, make_number

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "evals" / "knowledge"
TOLERANCE = 2e-3
"""Of a chance: both keep vectors in half precision, but multiply them in another order."""
FROM_AURORA = (
    "vocês embrulham pra presente? quanto custa o embrulho?",
    "ONDE VOCÊS FICAM???",
    "o q acontece se eu n estiver em casa qnd o carteiro passar",
    "¿hacen envíos a otros países?",
    "how do I wash the linen shirt without ruining it?",
    "qual a capital da França?",
    "12345",
    "🙂",
    "troca",
    "a e o de",
)


def documents() -> tuple[KnowledgeDocument, ...]:
    """Those of three businesses: Portuguese, Spanish and English, Markdown, HTML, CSV and text."""
    found = {document.ref: document for document in load_tenant(ROOT / "tenants" / "loja-aurora").knowledge}
    for path in sorted((SUITE / "documents").rglob("*.*")):
        document = read_knowledge(path, "pt")
        found[f"{path.parent.name}-{document.ref}"] = KnowledgeDocument(
            f"{path.parent.name}-{document.ref}",
            document.title,
            document.language,
            document.file_name,
            document.digest,
            document.chunks,
        )
    return tuple(found.values())


def questions() -> list[tuple[str, str]]:
    """(language, question): every third of the measured ones, and some that lead nowhere."""
    lines = (SUITE / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    measured = [json.loads(line) for line in lines][::3]
    return [(one.get("language", "pt"), one["question"]) for one in measured] + [("pt", one) for one in FROM_AURORA]


async def test_that_the_snapshot_in_memory_finds_what_postgresql_finds_in_the_same_order(
    db: Database, number: Number, owner_dsn: str
) -> None:
    encoder = default_encoder()
    reader = passage_encoder(encoder)
    declared, asked = documents(), questions()
    assert len(asked) >= 30
    # Another tenant's documents of the same words lie in the same index: they must not count.
    others = (await make_number(owner_dsn, "others")).tenant_id
    prepared = await prepared_documents(db, number.tenant_id, declared, reader)
    for tenant_id in (number.tenant_id, others):
        async with db.transaction(tenant_id) as tx:
            await put_folder(tx, tenant_id, prepared, reader.name)
    async with db.transaction(number.tenant_id) as tx:
        await bundles.keep_live_documents(tx, number.tenant_id)
        kept = await bundles.documents(tx, number.tenant_id, [one.digest for one in declared])
    memory = in_memory(declared, reader)
    parts = [DocumentPart(d.ref, d.digest, d.title, d.language, d.file_name, "folder") for d in declared]
    assert of_bundle(parts, kept) == list(declared)  # what a bundle stores is searched alike, then
    one_by_one, by_index = KnowledgeSearch(db, encoder), KnowledgeSearch(db, encoder, exact_up_to=0)
    found_any = 0
    for language, question in asked:
        expected = await one_by_one.search(number.tenant_id, question, language, CANDIDATES)
        vector = vectorise([question], reader)[0]
        for way, found in (
            ("memory", memory.search(question, vector, language, CANDIDATES)),
            ("the index", await by_index.search(number.tenant_id, question, language, CANDIDATES)),
        ):
            assert [one.ref for one in found] == [one.ref for one in expected], (way, question)
            assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=TOLERANCE), way
            assert [(one.title, one.text, one.page) for one in found] == [
                (one.title, one.text, one.page) for one in expected
            ]
        found_any += bool(expected and expected[0].score > 0.25)
    assert found_any > len(asked) / 3
