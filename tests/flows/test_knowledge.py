"""Documents from their file to the answer: only what changed is encoded, and nothing is answered without a source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from agent.encoder import Vectors
from agent.turn import Passage
from domain.errors import NotFoundError
from flows import knowledge
from flows.knowledge import FolderDocumentError, add_file
from flows.knowledge_indexing import KnowledgeIndexing
from flows.knowledge_search import KnowledgeSearch
from store import knowledge_documents
from store.database import Database
from tests.database import Number, make_number
from tests.flows.documents import pdf

RULES = """# Regras
## Piscina
A piscina abre às 8h. Crianças entram acompanhadas.
## Estacionamento
O estacionamento custa R$ 12,00 por dia.
"""


class WordEncoder:
    """A vector per word, summed: texts that share words are near. Counts what it is given."""

    dim = 64

    def __init__(self, name: str = "words") -> None:
        self.name = name
        self.seen: list[str] = []
        self.broken = False

    def encode(self, texts: Sequence[str]) -> Vectors:
        if self.broken:
            raise RuntimeError("the encoder is out of order")
        self.seen += texts
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[crc32(word.encode()) % self.dim] += 1
            row[0] += 0.01
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


class Library:
    """One tenant's documents under one encoder."""

    def __init__(self, db: Database, tenant_id: Any, encoder: WordEncoder) -> None:
        self.db, self.tenant_id, self.encoder = db, tenant_id, encoder
        self.indexing = KnowledgeIndexing(db, encoder)

    async def add(self, ref: str, text: str | bytes) -> knowledge.Added:
        data = text if isinstance(text, bytes) else text.encode()
        return await add_file(self.db, self.tenant_id, ref, data)

    async def search(self, question: str) -> list[Passage]:
        return await KnowledgeSearch(self.db, self.encoder).search(self.tenant_id, question, "pt", 5)

    async def count(self, what: str) -> int:
        async with self.db.transaction(self.tenant_id) as tx:
            return int(await tx.fetchval(f"SELECT count(*) FROM {what}"))

    async def words(self) -> dict[str, int]:
        async with self.db.transaction(self.tenant_id) as tx:
            rows = await tx.fetch("SELECT word, chunks FROM knowledge_word")
        return {row["word"]: row["chunks"] for row in rows}


@pytest.fixture
async def library(db: Database, number: Number) -> Library:
    return Library(db, number.tenant_id, WordEncoder())


async def test_that_a_document_is_found_by_its_words_at_once_and_by_meaning_once_it_is_indexed(
    library: Library,
) -> None:
    added = await library.add("regras.pdf", pdf([["Bem-vindo."], ["Piscina", "A piscina abre cedo."]], {"Piscina": 1}))
    assert (added.chunks, added.new, library.encoder.seen) == (2, 2, [])
    first = (await library.search("e a piscina?"))[0]
    assert (first.ref, first.place, first.page) == ("regras.pdf#1", "regras · Piscina · p. 2", 2)
    library.encoder.seen.clear()
    assert await library.indexing.run_due() == 1
    assert any("piscina abre cedo" in text for text in library.encoder.seen)
    again = (await library.search("e a piscina?"))[0]
    assert (again.ref, again.score > first.score) == ("regras.pdf#1", True)
    assert await library.indexing.run_due() == 0
    assert await library.count("event WHERE kind IN ('knowledge.changed', 'knowledge.indexed')") == 2


async def test_that_only_changed_pieces_are_encoded_again_and_removed_ones_leave_nothing(library: Library) -> None:
    await library.add("regras.md", RULES)
    await library.indexing.run_due()
    assert await library.count("knowledge_chunk WHERE embedding IS NOT NULL") == 2
    library.encoder.seen.clear()

    assert not (await library.add("regras.md", RULES)).changed
    moved = "# Regras\n## Bar\nO bar fecha às 22h.\n" + RULES.removeprefix("# Regras\n").replace("12,00", "15,00")
    added = await library.add("regras.md", moved)
    assert (added.chunks, added.new, added.removed) == (3, 2, 1)
    await library.indexing.run_due()
    assert not any("piscina" in text for text in library.encoder.seen)
    assert {passage.ref for passage in await library.search("piscina")} >= {"regras.md#1"}
    assert (await library.search("estacionamento 15"))[0].text == "O estacionamento custa R$ 15,00 por dia."
    assert (await library.words())[""] == 3

    await knowledge.remove(library.db, library.tenant_id, "regras.md")
    assert (await library.words(), await library.count("knowledge_chunk"), await library.search("piscina")) == (
        {},
        0,
        [],
    )
    with pytest.raises(NotFoundError):
        await knowledge.remove(library.db, library.tenant_id, "regras.md")


async def test_that_another_encoder_indexes_everything_anew_while_words_keep_finding(library: Library) -> None:
    await library.add("regras.md", RULES)
    await library.indexing.run_due()
    other = Library(library.db, library.tenant_id, WordEncoder("another"))
    assert (await other.search("piscina"))[0].ref == "regras.md#0"
    assert await other.indexing.run_due() == 1
    assert await library.count("knowledge_chunk WHERE encoder = 'another'") == 2
    assert (await other.search("piscina"))[0].ref == "regras.md#0"


async def test_that_a_document_that_cannot_be_indexed_is_tried_later_and_holds_up_no_other(
    library: Library,
) -> None:
    await library.add("a.md", RULES)
    library.encoder.broken = True
    assert await library.indexing.run_due() == 0
    library.encoder.broken = False
    await library.add("b.md", RULES)
    assert await library.indexing.run_due() == 1
    (failed, good) = await knowledge.documents(library.db, library.tenant_id)
    assert (failed["ref"], failed["waiting"], failed["error"]) == (
        "a.md",
        2,
        "RuntimeError: the encoder is out of order",
    )
    assert (good["waiting"], good["error"]) == (0, None)
    async with library.db.transaction(library.tenant_id) as tx:
        await knowledge_documents.postpone(tx, failed["id"], "again", timedelta(0))
    assert await library.indexing.run_due() == 1


async def test_that_a_worker_that_died_over_a_document_leaves_it_to_the_next(library: Library) -> None:
    await library.add("a.md", RULES)
    async with library.db.transaction(library.tenant_id) as tx:
        row = await tx.fetchval("SELECT id FROM knowledge_document")
        assert await knowledge_documents.claim(tx, row, "words", timedelta(minutes=3))
    assert await library.indexing.run_due() == 0
    async with library.db.transaction(library.tenant_id) as tx:
        await knowledge_documents.extend(tx, row, timedelta(0))
    assert await library.indexing.run_due() == 1


async def test_that_tenants_share_an_index_and_see_only_their_own(owner_dsn: str, library: Library) -> None:
    theirs = Library(library.db, (await make_number(owner_dsn, "other")).tenant_id, library.encoder)
    await library.add("regras.md", RULES)
    await theirs.add("regras.md", RULES.replace("8h", "9h"))
    await library.indexing.run_due()
    assert {passage.text for passage in await theirs.search("piscina 9h") if "piscina" in passage.text} == {
        "A piscina abre às 9h. Crianças entram acompanhadas."
    }
    async with library.db.transaction(library.tenant_id) as tx:
        found = await tx.fetch("SELECT * FROM gate.knowledge_by_words(ARRAY['piscin'], ARRAY[1.0]::real[], 50)")
        own = await tx.fetch("SELECT id FROM knowledge_chunk WHERE text LIKE '%piscina%'")
    assert {row["chunk_id"] for row in found} == {row["id"] for row in own}
    async with library.db.raw() as tx:
        assert await tx.fetch("SELECT * FROM gate.knowledge_by_words(ARRAY['piscin'], ARRAY[1.0]::real[], 50)") == []


async def test_that_the_large_tenants_way_finds_what_the_small_ones_way_finds(
    library: Library,
) -> None:
    for number in range(30):
        await library.add(f"{number:02}.md", f"# Assunto {number}\n\nO assunto {number} trata do tema{number} aqui.\n")
    await library.indexing.run_all()
    one_by_one = await library.search("tema17")
    by_index = KnowledgeSearch(library.db, library.encoder, exact_up_to=0)
    found = await by_index.search(library.tenant_id, "tema17", "pt", 5)
    assert found[0].ref == one_by_one[0].ref == "17.md#0"


async def test_that_the_folders_documents_are_not_changed_by_hand(library: Library) -> None:
    document = knowledge_documents.StoredDocument("regras.md", "Regras", "pt", "x", knowledge_documents.FOLDER, "")
    async with library.db.transaction(library.tenant_id) as tx:
        await knowledge_documents.put(tx, library.tenant_id, document, [])
    for attempt in (library.add("regras.md", RULES), knowledge.remove(library.db, library.tenant_id, "regras.md")):
        with pytest.raises(FolderDocumentError, match="belongs to the tenant's folder"):
            await attempt
