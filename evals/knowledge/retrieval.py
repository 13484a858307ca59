"""The ways of searching that are compared, over documents in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent.classifier import vectorise
from agent.encoder import Encoder, Vectors
from agent.normalise import fold
from agent.relevance import CANDIDATES, Candidate, asked_words
from agent.retrieval import KnowledgeInMemory
from agent.terms import terms
from agent.turn import Passage
from agent.word_nearness import WordNearness
from flows.knowledge_apart import read_document
from flows.knowledge_chunks import Chunk, cut
from flows.knowledge_vectors import encode_chunk

HERE = Path(__file__).parent
CORPORA = {
    "loja-aurora": HERE.parents[1] / "tenants" / "loja-aurora" / "knowledge",
    **{
        folder.name: folder
        for part in ("documents", "wide_documents", "blind_documents")
        for folder in sorted((HERE / part).iterdir())
    },
}


@dataclass(frozen=True, slots=True)
class Case:
    """A question. ``answers``: words of the passage that answers it; any of them; none where no document does."""

    id: str
    corpus: str
    language: str
    question: str
    answers: tuple[str, ...]

    def is_answered_by(self, passage: Passage) -> bool:
        """Whether the passage holds the answer."""
        text = " ".join(fold(passage.text).split())
        return any(" ".join(fold(answer).split()) in text for answer in self.answers)


def read_cases(file: Path) -> list[Case]:
    """One JSON object per line. Raises ValueError for a line that is none."""
    cases = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
                case = Case(row["id"], row["corpus"], row["language"], row["question"], tuple(row["answers"]))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{file}:{number}: {error!r}") from error
            if case.corpus not in CORPORA:
                raise ValueError(f"{file}:{number}: unknown corpus {case.corpus}; there are {', '.join(CORPORA)}")
            cases.append(case)
    return cases


def passages_of(folder: Path) -> tuple[list[Passage], list[tuple[Chunk, str]]]:
    """The folder's chunks as passages, and as chunks with their document's title."""
    passages, chunks = [], []
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        parts = file.name.split(".")
        language = parts[-2] if len(parts) > 2 else "pt"
        document = read_document(file.name, file.read_bytes())
        for position, chunk in enumerate(cut(document)):
            ref = f"{file.name}#{position}"
            passages.append(Passage(ref, chunk.title(document.title), chunk.text, 0.0, language, chunk.page))
            chunks.append((chunk, document.title))
    return passages, chunks


Search = Callable[[str, str], Sequence[Passage]]
"""(question, language) → passages, best first, with a score that may be compared with a threshold."""


class Corpus:
    """One business's documents under each way of searching."""

    def __init__(
        self, passages: Sequence[Passage], vectors: Sequence[tuple[Vectors, Vectors]], encoder: Encoder
    ) -> None:
        self.passages, self.stored = passages, vectors
        self._encoder = encoder
        self.nearness = WordNearness(encoder)
        self._vectors = np.array([whole for whole, _ in vectors])
        self._sentences = [sentences for _, sentences in vectors]
        self._hybrid = KnowledgeInMemory(self.passages, vectors, encoder)
        self._counts = [Counter(terms(f"{one.title} {one.text}")) for one in self.passages]
        self.frequencies = Counter(word for counts in self._counts for word in counts)
        self.frequencies[""] = len(self.passages)
        self._average = sum(map(Counter.total, self._counts)) / max(1, len(self._counts))

    @classmethod
    def of(cls, folder: Path, encoder: Encoder) -> Corpus:
        """Those of a folder."""
        passages, chunks = passages_of(folder)
        return cls(passages, [encode_chunk(chunk, title, encoder) for chunk, title in chunks], encoder)

    def beside(self, others: Sequence[Corpus]) -> Corpus:
        """With the documents of others among its own, as a larger business has more of them."""
        both = [self, *others]
        passages = [passage for one in both for passage in one.passages]
        return Corpus(passages, [vectors for one in both for vectors in one.stored], self._encoder)

    def ways(self) -> Mapping[str, Search]:
        """By name; ``hybrid`` is the product's."""
        return {"hybrid": self.hybrid, "rrf": self.fused, "vector": self.by_vector, "text": self.by_text}

    def hybrid(self, question: str, language: str) -> Sequence[Passage]:
        """As the agent searches."""
        return self._hybrid.search(question, vectorise([question], self._encoder)[0], language, CANDIDATES)

    def candidates(self, question: str) -> list[Candidate]:
        """Every passage with its nearness, unjudged."""
        vector = vectorise([question], self._encoder)[0]
        return [
            Candidate(replace(passage, score=float(whole @ vector)), float(max(sentences @ vector)))
            for passage, whole, sentences in zip(self.passages, self._vectors, self._sentences, strict=True)
        ]

    def by_vector(self, question: str, language: str) -> Sequence[Passage]:  # noqa: ARG002
        """By cosine alone."""
        return self._best(np.asarray(self._vectors @ vectorise([question], self._encoder)[0], dtype=np.float64))

    def by_text(self, question: str, language: str) -> Sequence[Passage]:  # noqa: ARG002
        """By words alone: BM25."""
        return self._best(np.array(self._bm25(question)))

    def fused(self, question: str, language: str) -> Sequence[Passage]:  # noqa: ARG002
        """Reciprocal rank fusion of the two, with the usual constant of 60."""
        vector = self._vectors @ vectorise([question], self._encoder)[0]
        scores = np.zeros(len(self.passages))
        for one in (vector, np.array(self._bm25(question))):
            for rank, place in enumerate(np.argsort(-one, kind="stable"), 1):
                scores[place] += 1 / (60 + rank) if one[place] > 0 else 0
        return self._best(scores)

    def _best(self, scores: npt.NDArray[np.float64]) -> list[Passage]:
        order = np.argsort(-scores, kind="stable")[:CANDIDATES]
        return [replace(self.passages[place], score=float(scores[place])) for place in order]

    def _bm25(self, question: str) -> list[float]:
        total, scores = len(self.passages), []
        for counts in self._counts:
            score, length = 0.0, counts.total()
            for word in asked_words(question):
                if counts[word]:
                    rarity = log(1 + (total - self.frequencies[word] + 0.5) / (self.frequencies[word] + 0.5))
                    often = counts[word]
                    score += rarity * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * length / self._average))
            scores.append(score)
        return scores
