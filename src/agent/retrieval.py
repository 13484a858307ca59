"""A tenant's knowledge searched in memory, exactly as ``flows.knowledge_search`` does it in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agent.encoder import Encoder, Vectors
from agent.relevance import FETCHED, Candidate, asked_words, ranked, weighed
from agent.terms import terms
from agent.turn import Passage
from agent.word_nearness import WordNearness


class KnowledgeInMemory:
    """Some hundreds of passages with their vectors by ``encoder``: one of the whole, and one for each sentence."""

    def __init__(
        self, passages: Sequence[Passage], vectors: Sequence[tuple[Vectors, Vectors]], encoder: Encoder
    ) -> None:
        self._nearness = WordNearness(encoder)
        # Half precision, as the database keeps them.
        self._vectors = _half(np.array([whole for whole, _ in vectors], dtype=np.float32).reshape(len(vectors), -1))
        self._sentences = [_half(sentences) for _, sentences in vectors]
        self._passages = tuple(passages)
        self._held = [frozenset(terms(f"{passage.title} {passage.text}")) for passage in passages]
        self._frequencies = Counter(word for held in self._held for word in held)
        self._frequencies[""] = len(passages)

    def search(self, question: str, vector: Vectors, language: str, limit: int) -> list[Passage]:
        """The passages that answer best, with the chance that they do; ``vector`` is the question's."""
        if not self._passages:
            return []
        asked = weighed(asked_words(question), self._frequencies, question)
        wanted = asked.to_look_up()
        wish = _half(vector[None, :])[0]
        cosines = self._vectors @ wish
        near = list(np.argsort(-cosines, kind="stable")[:FETCHED])
        weights = {place: sum(wanted[word] for word in wanted if word in held) for place, held in enumerate(self._held)}
        worded = sorted((place for place in weights if weights[place] > 0), key=lambda p: (-np.float32(weights[p]), p))
        found = dict.fromkeys([*near, *worded[:FETCHED]])
        candidates = [
            Candidate(
                replace(self._passages[place], score=float(cosines[place])), float(max(self._sentences[place] @ wish))
            )
            for place in found
        ]
        return ranked(asked, candidates, language, self._nearness)[:limit]


def _half(vectors: Vectors) -> Vectors:
    halved = vectors.astype(np.float16).astype(np.float32)
    return np.asarray(halved / np.maximum(np.linalg.norm(halved, axis=-1, keepdims=True), 1e-6), dtype=np.float32)
