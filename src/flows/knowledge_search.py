"""Searching a tenant's knowledge in the database: see ``agent.relevance`` for how, ``agent.retrieval`` for its twin."""

from __future__ import annotations

import asyncio
from uuid import UUID

from agent.classifier import vectorise
from agent.encoder import Encoder
from agent.relevance import FETCHED, Candidate, asked_words, ranked, weighed
from agent.turn import Passage
from agent.word_nearness import WordNearness
from domain.text import storable
from flows.knowledge_vectors import passage_encoder
from store import knowledge
from store.database import Database, Row


class KnowledgeSearch:
    """Searches with one encoder. ``exact_up_to``: how many chunks are compared one by one instead of by the index."""

    def __init__(self, db: Database, encoder: Encoder, *, exact_up_to: int = knowledge.EXACT_UP_TO) -> None:
        self._db = db
        self._exact_up_to = exact_up_to
        self._encoder = passage_encoder(encoder)
        self._nearness = WordNearness(self._encoder)

    async def search(self, tenant_id: UUID, query: str, language: str, limit: int) -> list[Passage]:
        """The tenant's passages that answer best, with the chance that they do; best first."""
        text = storable(query)[0]
        words = asked_words(text)
        vectors = await asyncio.to_thread(vectorise, [query], self._encoder)
        async with self._db.transaction(tenant_id, durable=False) as tx:
            asked = weighed(words, await knowledge.frequencies(tx, tenant_id, words), text)
            if not asked.frequencies:
                return []
            rows = await knowledge.search(
                tx,
                tenant_id,
                vectors[0].tolist(),
                asked.to_look_up(),
                encoder=self._encoder.name,
                chunks=asked.frequencies[""],
                limit=FETCHED,
                exact_up_to=self._exact_up_to,
            )
        rows.sort(key=lambda row: (row["document"], row["ordinal"]))
        candidates = [Candidate(_passage(row), row["nearest"]) for row in rows]
        # Words that were not met before take the encoder some tenths of a second.
        return (await asyncio.to_thread(ranked, asked, candidates, language, self._nearness))[:limit]


def _passage(row: Row) -> Passage:
    title = f"{row['title']} · {row['heading']}" if row["heading"] else row["title"]
    return Passage(row["ref"], title, row["text"], float(row["score"]), row["language"], row["page"])
