"""Speed of the knowledge search among many chunks and many tenants. JSON.

    python bench/knowledge.py [--chunks 20000] [--others 20] [--searches 300] [--explain]

One tenant with ``--chunks`` chunks beside ``--others`` with 200 each, in a PostgreSQL of its own. Vectors and words are
made up (clustered, as real ones are; words by Zipf's law), so the encoder takes no part: what is measured is the
transaction of a search as the application runs it, under row-level security. ``recall`` is the share of the 16 truly
nearest chunks that the index finds. ``cpu_ms`` of this process and ``server_cpu_ms`` of the database do not depend on
what else the machine does. ``--explain`` prints the plans instead of timing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np
import psutil

sys.path.pop(0)  # this folder: it has an agent.py
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.database import SECRET, make_number

from agent.encoder import Vectors
from agent.relevance import FETCHED, weighed
from store import knowledge, knowledge_documents
from store.database import Connection, Database
from store.embedded import EmbeddedPostgres
from store.knowledge import passage_literal
from store.knowledge_documents import ADDED, StoredChunk, StoredDocument
from store.migrate import migrate

ENCODER = "made-up"
DIMENSIONS = 512
OF_OTHERS = 200
IN_A_DOCUMENT = 200
VOCABULARY = 30_000


class Library:
    """Made-up chunks: a vector near one of some hundred topics, and words of which a few are everywhere."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.topics = self._unit(self.numbers.normal(size=(400, DIMENSIONS)))
        ranks = np.arange(1, VOCABULARY + 1)
        self.chances = 1 / ranks / (1 / ranks).sum()

    def vectors(self, count: int) -> Vectors:
        """Unit vectors."""
        chosen = self.topics[self.numbers.integers(len(self.topics), size=count)]
        return self._unit(chosen + 0.06 * self.numbers.normal(size=(count, DIMENSIONS)))

    def words(self, count: int) -> list[str]:
        """Distinct words, the common ones likelier."""
        return sorted({f"w{number}" for number in self.numbers.choice(VOCABULARY, size=count, p=self.chances)})

    def _unit(self, rows: np.ndarray) -> Vectors:
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


async def fill(db: Database, tenant_id: UUID, library: Library, chunks: int) -> Vectors:
    """Store documents of made-up chunks; returns their vectors."""
    kept = []
    for number in range(0, chunks, IN_A_DOCUMENT):
        count = min(IN_A_DOCUMENT, chunks - number)
        rows = library.vectors(count)
        kept.append(rows)
        pieces = [
            StoredChunk(f"Heading {n}", "x" * 450, None, f"{number}-{n}", library.words(60)) for n in range(count)
        ]
        vectors = {}
        for piece, row in zip(pieces, rows, strict=True):
            literal = passage_literal(row.tolist())
            vectors[piece.digest] = (literal, "{" + ",".join([f'"{literal}"'] * 4) + "}")
        document = StoredDocument(f"{number:06}.md", "A document", "pt", "digest", ADDED, "")
        async with db.transaction(tenant_id) as tx:
            await knowledge_documents.put(tx, tenant_id, document, pieces, encoder=ENCODER, vectors=vectors)
    return np.vstack(kept)


async def search(tx: Connection, tenant_id: UUID, wish: Vectors, words: list[str]) -> list[str]:
    """As flows.knowledge_search does it; returns the refs."""
    asked = weighed(words, await knowledge.frequencies(tx, tenant_id, words))
    rows = await knowledge.search(
        tx,
        tenant_id,
        wish.tolist(),
        asked.to_look_up(),
        encoder=ENCODER,
        chunks=asked.frequencies[""],
        limit=FETCHED,
    )
    return [row["ref"] for row in rows]


async def measure(db: Database, tenant_id: UUID, held: Vectors, library: Library, searches: int) -> dict[str, float]:
    """Milliseconds of a whole search, transaction included, one after the other."""
    async with db.raw() as tx:
        server = psutil.Process(await tx.fetchval("SELECT pg_backend_pid()"))
    wishes = [(library.vectors(1)[0], library.words(6)) for _ in range(searches)]
    took, answers = [], []
    cpu, server_cpu = time.process_time(), sum(server.cpu_times()[:2])
    for wish, words in wishes:
        started = time.perf_counter()
        async with db.transaction(tenant_id, durable=False) as tx:
            answers.append(set(await search(tx, tenant_id, wish, words)))
        took.append((time.perf_counter() - started) * 1000)
    own, its = time.process_time() - cpu, sum(server.cpu_times()[:2]) - server_cpu
    found = 0
    for (wish, _), refs in zip(wishes, answers, strict=True):
        nearest = np.argsort(-(held @ wish))[:FETCHED]
        found += sum(f"{n // IN_A_DOCUMENT * IN_A_DOCUMENT:06}.md#{n % IN_A_DOCUMENT}" in refs for n in nearest)
    took.sort()
    return {
        "cpu_ms": round(own / searches * 1000, 2),
        "server_cpu_ms": round(its / searches * 1000, 2),
        "p10_ms": round(took[len(took) // 10], 2),
        "p50_ms": round(took[len(took) // 2], 2),
        "p99_ms": round(took[int(len(took) * 0.99)], 2),
        "recall": round(found / searches / FETCHED, 3),
    }


async def inside(dsn: str, tenant_id: UUID, words: list[str]) -> list[str]:
    """The plan of the function's body, under the policies of the role that owns it."""
    owner = await asyncpg.connect(dsn)
    try:
        async with owner.transaction():
            source = await owner.fetchval("SELECT prosrc FROM pg_proc WHERE oid = 'gate.knowledge_by_words'::regproc")
            body = source.partition("RETURN QUERY")[2].rpartition(";\nEND")[0]
            await owner.execute(f"SET LOCAL ROLE atende_gate; SET LOCAL app.tenant_id = '{tenant_id}'")
            await owner.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            for name, mark in (("asked", "$1::text[]"), ("weights", "$2::real[]"), ("at_most", "$3::int")):
                body = re.sub(rf"\b{name}\b", mark, body)
            plan = await owner.fetch(
                f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) {body}", words, [1.0, 2.0, 3.0], FETCHED
            )
            return [line[0] for line in plan]
    finally:
        await owner.close()


async def explain(db: Database, dsn: str, tenants: dict[str, UUID], library: Library) -> None:
    """Print the plans of the whole statement, of what the gate's function runs inside, and of what it spares."""
    wish, words = passage_literal(library.vectors(1)[0].tolist()), [f"w{n}" for n in (300, 2_000, 15_000)]
    arguments = (wish, ENCODER, words, [1.0, 2.0, 3.0], FETCHED)
    for size, tenant_id in tenants.items():
        async with db.transaction(tenant_id) as tx:
            if size == "large":
                await tx.execute(knowledge.USE_INDEX)
                statement, given = knowledge.BY_INDEX, arguments
            else:
                statement, given = knowledge.ONE_BY_ONE, (*arguments, tenant_id)
            for _ in range(3):  # the first one plans, and warms up
                plan = await tx.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) {statement}", *given)
        print(f"\n{size}:\n" + "\n".join(line[0].replace(wish, "…") for line in plan))
    print("\nInside gate.knowledge_by_words, as its owner:")
    print("\n".join(await inside(dsn, tenants["large"], words)))
    print("\nThe same condition on words without that function, under row-level security:")
    async with db.transaction(tenants["large"]) as tx:
        plain = await tx.fetch(
            "EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) SELECT id FROM knowledge_chunk WHERE words @@ $1::text::tsquery",
            f"'{str(tenants['large'])[:8]}:w2000'",
        )
        print("\n".join(line[0] for line in plain))


async def main(chunks: int, others: int, searches: int, *, plans: bool) -> None:
    """Fill a database and search it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - nothing else runs yet
        server = EmbeddedPostgres(Path(folder) / "postgres")
        await asyncio.to_thread(server.start)
        try:
            dsn = server.create_database("bench")
            await asyncio.to_thread(migrate, dsn, SECRET)
            db = await Database.open(dsn, SECRET, max_connections=1)
            library = Library(seed=20_261_122)
            began = time.perf_counter()
            owner = await asyncpg.connect(dsn)
            definition = await owner.fetchval("SELECT pg_get_indexdef('public.ix_knowledge_chunk_embedding'::regclass)")
            await owner.execute("DROP INDEX ix_knowledge_chunk_embedding")
            large = (await make_number(dsn, "large")).tenant_id
            held = await fill(db, large, library, chunks)
            small = [(await make_number(dsn, f"small-{n}")).tenant_id for n in range(others)]
            kept = [await fill(db, tenant, library, OF_OTHERS) for tenant in small]
            await owner.execute("SET maintenance_work_mem = '512MB'")
            await owner.execute(definition)
            await owner.execute("ANALYZE")
            await owner.close()
            filled = time.perf_counter() - began
            if plans:
                await explain(db, dsn, {"large": large, "small": small[0]}, library)
            else:
                await measure(db, large, held, library, 30)
                result = {
                    "load_average": os.getloadavg()[0],
                    "chunks": chunks,
                    "others": f"{others} tenants of {OF_OTHERS}",
                    "filling_s": round(filled, 1),
                    "large": await measure(db, large, held, library, searches),
                    "small": await measure(db, small[0], kept[0], library, searches) if small else None,
                }
                print(json.dumps(result, indent=2))
            await db.close()
        finally:
            await asyncio.to_thread(server.stop, "immediate")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--others", type=int, default=20)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--explain", action="store_true")
    given = parser.parse_args()
    asyncio.run(main(given.chunks, given.others, given.searches, plans=given.explain))
