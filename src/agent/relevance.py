"""How well a passage answers a question: nearness in meaning and shared words together.

Either alone misleads: the encoder takes "frete" and "troca" of one shop for near, and shared words miss every
paraphrase. Candidates come from both (the nearest, and those that hold most of the question's rare words); then each is
judged by both. The score is a chance, fitted on the questions of evals/knowledge, that the passage answers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent.terms import terms
from agent.turn import Passage

CANDIDATES: Final = 8
"""Passages that a turn asks for."""
FETCHED: Final = 16
"""Of each kind, the nearest in meaning and those with most of the words, before they are judged."""
_MOST_WORDS: Final = 24
_SATURATION: Final = 1.2
_LENGTH_COUNTS: Final = 0.75
_USUAL_LENGTH: Final = 40
"""Searched words of a passage, for BM25: of documents in general, so that one tenant's need not be averaged."""
_LOOKED_UP: Final = 300
"""Chunks that the words to look up may occur in, all together: "the" would be found everywhere and tell nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question's words with their weights: the rarer in the tenant's documents, the more one tells."""

    weights: Mapping[str, float]
    frequencies: Mapping[str, int]
    """In how many chunks each word occurs; "" is how many there are."""

    def to_look_up(self) -> dict[str, float]:
        """The words worth searching by, rarest first, until they would bring too many chunks."""
        found: dict[str, float] = {}
        room = _LOOKED_UP
        for word in sorted(self.weights, key=lambda word: (self.frequencies.get(word, 0), word)):
            occurs = self.frequencies.get(word, 0)
            if occurs == 0:
                continue
            if found and occurs > room:
                break
            found[word] = self.weights[word]
            room -= occurs
        return found


def asked_words(text: str) -> list[str]:
    """The distinct words of a question that are looked up, in order."""
    return list(dict.fromkeys(terms(text)))[:_MOST_WORDS]


def weighed(words: Sequence[str], frequencies: Mapping[str, int]) -> Question:
    """The question with weights by how rare each word is (BM25's inverse document frequency)."""
    total = frequencies.get("", 0)
    weights = {
        word: math.log(1 + (total - frequencies.get(word, 0) + 0.5) / (frequencies.get(word, 0) + 0.5))
        for word in words
    }
    return Question(weights, frequencies)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that was fetched, its ``score`` still the cosine; ``nearest`` is that of its nearest sentence."""

    passage: Passage
    nearest: float | None = None


def ranked(question: Question, candidates: Sequence[Candidate], language: str) -> list[Passage]:
    """The passages with the chance in (0, 1) that each answers as their score; best first."""
    judged = [replace(one.passage, score=_chance(features(question, one, language))) for one in candidates]
    return sorted(judged, key=lambda passage: (-passage.score, passage.ref))


def features(question: Question, candidate: Candidate, language: str) -> tuple[float, ...]:
    """What the chance is made of; ``FEATURES`` names them."""
    passage, cosine = candidate.passage, max(0.0, candidate.passage.score)
    counts, titled = Counter(terms(f"{passage.title} {passage.text}")), set(terms(passage.title))
    total = sum(question.weights.values()) or 1.0
    length = _LENGTH_COUNTS * counts.total() / _USUAL_LENGTH + 1 - _LENGTH_COUNTS
    bm25 = sum(
        weight * counts[word] * (1 + _SATURATION) / (counts[word] + _SATURATION * length)
        for word, weight in question.weights.items()
    )
    share = sum(weight for word, weight in question.weights.items() if counts[word]) / total
    headed = sum(weight for word, weight in question.weights.items() if word in titled) / total
    nearest = cosine if candidate.nearest is None else max(0.0, candidate.nearest)
    return (1.0, max(cosine, nearest), bm25, share, headed, float(passage.language == language))


def _chance(values: Sequence[float]) -> float:
    return 1 / (1 + math.exp(-sum(weight * value for weight, value in zip(WEIGHTS, values, strict=True))))


FEATURES: Final = ("one", "nearest", "bm25", "share", "headed", "language")
"""Nearness of the passage and of its nearest sentence; its BM25; the share of the question's weight that it holds, and
that its title and headings hold; whether it is in the question's language."""
WEIGHTS: Final = (-9.579, 10.141, 0.581, 1.303, 0.547, 1.971)
"""Logistic regression on the labelled questions; ``python -m evals.knowledge --fit`` prints them anew."""
