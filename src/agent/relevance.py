"""How well a passage answers a question: nearness in meaning and shared words together.

Either alone misleads: the encoder takes "frete" and "troca" of one shop for near, and shared words miss every
paraphrase; words of the same meaning stand between the two. Candidates are the nearest, and those that hold most of the
question's rare words; then each is judged by everything. The score is a chance, fitted on the questions of
evals/knowledge and tried on trades left out of the fitting, that the passage answers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.answer_kinds import asked_kinds, gives
from agent.terms import plain_terms, stem, terms
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
_HEAVY: Final = 5.0
"""Weight of a word that is in none of some hundred chunks."""
_USUAL_NEARNESS: Final = 0.16
"""Of a passage that does not answer, to a question of the same business."""
_LOOKED_UP: Final = 300
"""Chunks that the words to look up may occur in, all together: "the" would be found everywhere and tell nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question's words with their weights: the rarer in the tenant's documents, the more one tells."""

    weights: Mapping[str, float]
    frequencies: Mapping[str, int]
    """In how many chunks each word occurs; "" is how many there are."""
    text: str = ""

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


def weighed(words: Sequence[str], frequencies: Mapping[str, int], text: str = "") -> Question:
    """The question ``text`` with these words, weighted by how rare each is (BM25's inverse document frequency)."""
    total = frequencies.get("", 0)
    weights = {
        word: math.log(1 + (total - frequencies.get(word, 0) + 0.5) / (frequencies.get(word, 0) + 0.5))
        for word in words
    }
    return Question(weights, frequencies, text)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that was fetched, its ``score`` still the cosine; ``nearest`` is that of its nearest sentence."""

    passage: Passage
    nearest: float | None = None

    @property
    def nearness(self) -> float:
        """Of the whole or of its nearest sentence, whichever is nearer; not below 0."""
        return max(0.0, self.passage.score, self.passage.score if self.nearest is None else self.nearest)


Nearness = Callable[[Sequence[str], Sequence[str]], npt.NDArray[np.float32]]
"""How near words are to others, in [0, 1]: :class:`agent.word_nearness.WordNearness`."""


def ranked(question: Question, candidates: Sequence[Candidate], language: str, nearness: Nearness) -> list[Passage]:
    """The passages with the chance in (0, 1) that each answers as their score; best first."""
    rows = features(question, candidates, language, nearness)
    judged = [replace(one.passage, score=_chance(row)) for one, row in zip(candidates, rows, strict=True)]
    return sorted(judged, key=lambda passage: (-passage.score, passage.ref))


def features(
    question: Question, candidates: Sequence[Candidate], language: str, nearness: Nearness
) -> list[tuple[float, ...]]:
    """What the chance of each is made of; ``FEATURES`` names them."""
    said = [plain_terms(f"{one.passage.title} {one.passage.text}") for one in candidates]
    means = _means(question, said, nearness)
    nearby = sorted(candidates, key=lambda one: (-one.passage.score, one.passage.ref))[:FETCHED]
    own = sum(one.passage.language == language for one in nearby[:CANDIDATES]) / max(1, len(nearby[:CANDIDATES]))
    others = sorted((one.nearness for one in nearby), reverse=True)[1:]
    # Where there are hardly any others, the best passage is not ahead of all it might be compared with.
    usual = (sum(others) + _USUAL_NEARNESS * (FETCHED - 1 - len(others))) / (FETCHED - 1)
    kinds = asked_kinds(question.text)
    return [
        (
            *_of_words(question, Counter(map(stem, words)), set(terms(one.passage.title))),
            one.nearness,
            0.0 if one.passage.language == language else own,
            meant,
            gives(one.passage.text, kinds),
            one.nearness - usual,
            missing,
        )
        for one, words, (meant, missing) in zip(candidates, said, means, strict=True)
    ]


def _of_words(question: Question, counts: Counter[str], titled: set[str]) -> tuple[float, float, float, float]:
    total = sum(question.weights.values()) or 1.0
    length = _LENGTH_COUNTS * counts.total() / _USUAL_LENGTH + 1 - _LENGTH_COUNTS
    bm25 = sum(
        weight * counts[word] * (1 + _SATURATION) / (counts[word] + _SATURATION * length)
        for word, weight in question.weights.items()
    )
    share = sum(weight for word, weight in question.weights.items() if counts[word]) / total
    headed = sum(weight for word, weight in question.weights.items() if word in titled) / total
    # By the weight of the rarest word there could be: a tenant with many documents has greater ones.
    return 1.0, bm25 / math.log(question.frequencies.get("", 0) + 1.5), share, headed


def _means(question: Question, said: Sequence[Sequence[str]], nearness: Nearness) -> list[tuple[float, float]]:
    """Of each text: the share of the question's weight that it holds in words of the same meaning, in whatever
    language; and the weight of the word that it lacks most.
    """
    asked = {stem(word): word for word in reversed(plain_terms(question.text)) if stem(word) in question.weights}
    words = sorted({word for text in said for word in text})
    places, stems = {word: place for place, word in enumerate(words)}, [stem(word) for word in words]
    near = nearness(list(asked.values()), words)
    same = np.array([[other == word for other in stems] for word in asked], dtype=np.float32).reshape(near.shape)
    near = np.maximum(near, same)
    weights = np.array([question.weights[word] for word in asked])
    total = float(weights.sum()) or 1.0
    found = []
    for text in said:
        held = near[:, sorted({places[word] for word in text})].max(axis=1) if text and asked else np.zeros(len(asked))
        missing = float((weights * (1 - held)).max(initial=0.0))
        found.append((float(weights @ held) / total, missing / _HEAVY))
    return found


def _chance(values: Sequence[float]) -> float:
    return 1 / (1 + math.exp(-sum(weight * value for weight, value in zip(WEIGHTS, values, strict=True))))


FEATURES: Final = ("one", "bm25", "share", "headed", "nearest", "elsewhere", "meant", "given", "ahead", "missing")
"""The passage's BM25, as if all tenants had as many documents; the share of the question's weight that it holds, and
that its title and headings hold; nearness of the passage or its nearest sentence; whether it is in another language
although others near the question are in its own; the share of the question's weight that it holds in words of that
meaning; whether it gives an amount, a time … where one is asked for; how far it is nearer than the others; the weight
of the word that it lacks most.
"""
WEIGHTS: Final = (-6.914, 1.657, -2.565, 0.304, -7.726, -6.001, 5.351, 1.073, 21.378, 1.488)
"""Logistic regression on the labelled questions, the constant lowered for caution; ``python -m evals.knowledge --fit``
prints them anew.
"""
