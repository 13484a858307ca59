"""The per-tenant intent classifier: from a handful of examples per intent to an intent with an honest confidence.

A message, its typos put right (:mod:`agent.typos`), is read as its sentence vector, centred on the tenant's examples,
and as its spelling (:mod:`agent.spelling`); one logistic regression over both. It is linear, so that classifying costs
the encoder's milliseconds and little more.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from agent.blas import use_one_thread
from agent.calibration import Calibration, calibrate
from agent.encoder import Encoder, EncodingFailedError, Vectors
from agent.intent_names import named_vectors
from agent.lexicon import common_words
from agent.logistic import Matrix, fit
from agent.normalise import normalise
from agent.spelling import CharNgrams
from agent.typos import Corrector
from domain.decisions import Reason

Parts = tuple[tuple[int, float], ...]
"""Width and weight of the encoders whose vectors stand side by side."""

STRENGTH: Final = 20.0
"""Inverse regularisation; 10 to 30 are equal within noise on the public sets."""
_SPELLING_WEIGHT: Final = 0.55
"""Length of the spelling part beside a sentence vector of length 1; 0.5 to 0.8 are equal within noise."""
_NAME_COUNTS: Final = 0.6
"""An intent's name is an example of it, but for less than one: it adds 0.5 to 0.8 points at 10 examples, 0.3 to 2.0
alike within noise.
"""
_MAX_RANK: Final = 640
"""Directions kept for training; only sets of thousands of examples have more, and lose nothing measurable."""
_FOLDS: Final = 4
_SEED: Final = 20_240_517
_FEW_TO_JUDGE: Final = 0.02
"""Share of the examples below which what they would say about confidence is not worth four trainings."""
_ALTERNATIVES: Final = 4
_OF_ONE_INTENT: Final = 8.0
"""With a single intent there is nothing to tell apart: the cosine to its examples, on the scale of logits."""
_CALIBRATION_OF_ONE: Final = Calibration(centre=5.5, bend=(1.0, 1.0, 0.0))
_EXACT_CONFIDENCE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Example:
    """One message that a customer might write, and what it asks for."""

    text: str
    intent: str
    language: str = "pt"


@dataclass(frozen=True, slots=True)
class Classification:
    """What a message seems to ask for. ``intent`` is None only when nothing could be read or nothing was trained."""

    intent: str | None
    confidence: float
    """Chance in [0, 1] that ``intent`` is right, messages about something else altogether counted as wrong."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """The next best intents with their chances, best first, at most four."""
    out_of_scope: float = 1.0
    """In [0, 1]: how far the message lies outside all examples. Above 0.5 lie few of the tenant's own examples."""
    reasons: tuple[Reason, ...] = ()


def vectorise(texts: Sequence[str], encoder: Encoder) -> Vectors:
    """The vectors to store for examples and to pass to :func:`train`: of the normalised texts, in order."""
    return encoder.encode([normalise(text) for text in texts])


def vectors_to_store(texts: Sequence[str], encoder: Encoder) -> tuple[str, Vectors]:
    """The vectors of :func:`vectorise` with the name of the encoder that made them: the spare where the one of choice
    fails, so that examples can be written at any time; whoever trains then asks again.
    """
    try:
        return encoder.name, vectorise(texts, encoder)
    except EncodingFailedError:
        if encoder.spare is None:
            raise
        return encoder.spare.name, vectorise(texts, encoder.spare)


def examples_digest(examples: Sequence[Example]) -> str:
    """A key that changes exactly when training would give another classifier (order does not count)."""
    rows = sorted([example.text, example.intent] for example in examples)
    return hashlib.sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest()


class Classifier(Protocol):
    """What is asked of a classifier. Usable from several threads."""

    @property
    def intents(self) -> Sequence[str]: ...

    def classify(self, text: str) -> Classification:
        """The likeliest intent of ``text``, a raw message."""
        ...

    def classify_many(self, texts: Sequence[str]) -> list[Classification]:
        """As :meth:`classify`, for several."""
        ...


class IntentClassifier:
    """Made by :func:`train`; immutable, usable from several threads."""

    def __init__(
        self,
        encoder: Encoder,
        intents: Sequence[str],
        model: LinearModel,
        taught: Iterable[tuple[str, str]],
        correct: Callable[[str], str],
    ) -> None:
        self.intents = tuple(intents)
        self.encoder = encoder
        self.model = model
        self.taught = frozenset(taught)
        """Normalised texts with their intents."""
        self._correct = correct
        self._known = _unambiguous(self.taught)

    def classify(self, text: str) -> Classification:
        """The likeliest intent of ``text``, a raw message."""
        return self.classify_many([text])[0]

    def classify_many(self, texts: Sequence[str]) -> list[Classification]:
        """As :meth:`classify`, with one pass of the encoder."""
        cleaned = [self._correct(normalise(text)) for text in texts]
        readable = [text for text in cleaned if text and self.intents]
        vectors = iter(self.encoder.encode(readable)) if readable else iter(())
        return [self._judge(text, next(vectors)) if text and self.intents else self._silence(text) for text in cleaned]

    def _silence(self, text: str) -> Classification:
        code = "no_examples" if text else "nothing_to_read"
        return Classification(None, 0.0, reasons=(Reason(code),))

    def _judge(self, text: str, vector: npt.NDArray[np.float32]) -> Classification:
        logits = self.model.logits(text, vector)
        chances = self.model.calibration.probabilities(logits)
        in_scope = self.model.calibration.in_scope(logits)
        exact = self._known.get(text)
        order = np.argsort(-chances, kind="stable")
        ranked = [(self.intents[place], float(chances[place]) * in_scope) for place in order[: _ALTERNATIVES + 1]]
        if exact is not None:
            others = tuple(pair for pair in ranked if pair[0] != exact)[:_ALTERNATIVES]
            reason = Reason("same_as_example", "the message equals an example of this intent")
            return Classification(exact, _EXACT_CONFIDENCE, others, 0.0, (reason,))
        intent, raw = ranked[0]
        confidence = self.model.calibration.confidence(raw)
        # The others share what the first one leaves, and never overtake it.
        scale = min(confidence / max(raw, 1e-9), (1 - confidence) / max(1 - raw, 1e-9))
        others = tuple((name, chance * scale) for name, chance in ranked[1:])
        reason = Reason("classified", f"probability {chances[order[0]]:.3f} among intents, {in_scope:.3f} in scope")
        return Classification(intent, confidence, others, 1 - in_scope, (reason,))


@dataclass(frozen=True, slots=True)
class LinearModel:
    """``logits = towards(v) · by_vector + spelling · by_spelling + bias``."""

    centre: npt.NDArray[np.float32]
    parts: Parts
    by_vector: npt.NDArray[np.float32]
    by_spelling: npt.NDArray[np.float32]
    bias: Matrix
    ngrams: CharNgrams
    calibration: Calibration

    def logits(self, text: str, vector: npt.NDArray[np.float32]) -> Matrix:
        """Of a normalised text with its vector."""
        positions, values = self.ngrams.row(text)
        scores = (
            towards_from(self.centre, vector[None, :], self.parts)[0] @ self.by_vector
            + values @ self.by_spelling[positions]
        )
        return np.asarray(scores + self.bias, dtype=np.float64)


def train(examples: Sequence[Example], encoder: Encoder, vectors: Vectors | None = None) -> IntentClassifier:
    """Fit a classifier; the same examples in the same order give the same classifier.

    ``vectors`` are the examples' rows of :func:`vectorise` where they are stored already. Examples with nothing to
    read are skipped. Works from one example on; below three per intent the confidence leans on usual values.
    """
    use_one_thread()
    texts = [normalise(example.text) for example in examples]
    kept = [place for place, text in enumerate(texts) if text]
    if vectors is not None and len(vectors) != len(examples):
        raise ValueError(f"{len(vectors)} vectors for {len(examples)} examples")
    texts = [texts[place] for place in kept]
    rows = encoder.encode(texts) if vectors is None else np.asarray(vectors, dtype=np.float32)[kept]
    intents = sorted({examples[place].intent for place in kept})
    numbers = {intent: number for number, intent in enumerate(intents)}
    labels = np.array([numbers[examples[place].intent] for place in kept], dtype=np.intp)
    named = named_vectors(intents, encoder) if len(intents) > 1 else {}
    model = _fit(_Taught(texts, rows, labels, len(intents)), named, tuple(encoder.parts))
    pairs = [(text, intents[label]) for text, label in zip(texts, labels, strict=True)]
    return IntentClassifier(encoder, intents, model, pairs, Corrector(texts, common_words()))


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    meanings: dict[str, set[str]] = defaultdict(set)
    for text, intent in pairs:
        meanings[text].add(intent)
    return {text: found.pop() for text, found in meanings.items() if len(found) == 1}


@dataclass(frozen=True, slots=True)
class _Taught:
    """Normalised texts with their vectors and the numbers of their intents."""

    texts: Sequence[str]
    rows: Vectors
    labels: npt.NDArray[np.intp]
    classes: int

    def with_names(self, names: Mapping[int, tuple[str, Vectors]]) -> _Taught:
        """With the names of intents as further examples, at the end."""
        if not names:
            return self
        return _Taught(
            [*self.texts, *(text for text, _ in names.values())],
            np.concatenate([self.rows, np.array([vector for _, vector in names.values()])]),
            np.concatenate([self.labels, np.array(list(names), dtype=np.intp)]),
            self.classes,
        )


def _fit(taught: _Taught, names: Mapping[int, tuple[str, Vectors]], parts: Parts) -> LinearModel:
    ngrams, classes = CharNgrams(taught.texts), taught.classes
    if classes < 2:
        return _single(taught.rows, ngrams, classes, parts)
    centre = taught.rows.mean(axis=0)
    counts = np.concatenate([np.ones(len(taught.texts)), np.full(len(names), _NAME_COUNTS)])
    taught = taught.with_names(names)
    labels, spelling = taught.labels, ngrams.rows(taught.texts)
    towards = towards_from(centre, taught.rows, parts)
    kernel = np.asarray(towards @ towards.T + _SPELLING_WEIGHT**2 * spelling.products(), dtype=np.float64)
    # Logistic regression depends on the examples through their inner products only: train in their span, then map
    # back.
    coordinates, span = _span(kernel)
    weights = fit(coordinates, labels, classes, STRENGTH, counts)
    duals = np.asarray(span @ weights[:-1], dtype=np.float32)
    calibration = calibrate(*_held_out(coordinates, labels, classes, counts))
    by_spelling = np.asarray(_SPELLING_WEIGHT**2 * spelling.combined(duals), dtype=np.float32)
    by_vector = np.asarray(towards.T @ duals, dtype=np.float32)
    return LinearModel(centre, parts, by_vector, by_spelling, weights[-1], ngrams, calibration)


def _single(rows: Vectors, ngrams: CharNgrams, classes: int, parts: Parts) -> LinearModel:
    width = rows.shape[1] if rows.ndim == 2 else 0
    direction = rows.sum(axis=0)[:, None] if classes else np.zeros((width, 0), dtype=np.float32)
    # Cosines of the first part alone: those of others may all be high, and nothing centres them here.
    first, weight = parts[0]
    direction[first:] = 0
    norm = (float(np.linalg.norm(direction)) or 1.0) * math.sqrt(weight)
    by_vector = np.asarray(direction * (_OF_ONE_INTENT / norm), dtype=np.float32)
    nothing = np.zeros((len(ngrams), classes), dtype=np.float32)
    return LinearModel(
        np.zeros(width, dtype=np.float32), parts, by_vector, nothing, np.zeros(classes), ngrams, _CALIBRATION_OF_ONE
    )


def _span(kernel: Matrix) -> tuple[Matrix, Matrix]:
    """The examples' coordinates in their own span, and ``span`` with kernel @ span = these coordinates."""
    values, directions = np.linalg.eigh(kernel)
    strong = np.flatnonzero(values > 1e-6 * values[-1])[-_MAX_RANK:]
    roots = np.sqrt(values[strong])
    return directions[:, strong] * roots, directions[:, strong] / roots


def _held_out(
    coordinates: Matrix, labels: npt.NDArray[np.intp], classes: int, counts: Matrix
) -> tuple[Matrix, npt.NDArray[np.intp]]:
    """Logits of examples from models trained without them. An intent's only example is always trained on, never
    judged; so are names, the rows that do not count as one. None at all where only few could be judged.
    """
    examples = int((counts == 1).sum())
    folds = np.concatenate([_folds(labels[:examples]), np.full(len(labels) - examples, -1)])
    scores, truth = [np.empty((0, classes))], [np.empty(0, dtype=np.intp)]
    if (folds >= 0).sum() < _FEW_TO_JUDGE * examples:
        return scores[0], truth[0]
    for fold in range(_FOLDS):
        judged, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(judged) == 0:
            continue
        # Coordinates tell nothing of labels, and what is learned lies in the span of the others by itself.
        weights = fit(coordinates[others], labels[others], classes, STRENGTH, counts[others])
        scores.append(coordinates[judged] @ weights[:-1] + weights[-1])
        truth.append(labels[judged])
    return np.concatenate(scores), np.concatenate(truth)


def _folds(labels: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    random = np.random.default_rng(_SEED)
    folds = np.full(len(labels), -1, dtype=np.intp)
    sizes = Counter(labels.tolist())
    for label in sorted(label for label, size in sizes.items() if size > 1):
        places = random.permutation(np.flatnonzero(labels == label))
        folds[places] = (np.arange(len(places)) + label) % _FOLDS
    return folds


def towards_from(centre: npt.NDArray[np.float32], rows: Vectors, parts: Parts) -> npt.NDArray[np.float32]:
    """Directions from the centre, each part with a length of its own: some encoders' vectors all lie together."""
    moved = rows - centre
    start = 0
    for width, weight in parts:
        part = moved[:, start : start + width]
        part *= math.sqrt(weight) / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-6)
        start += width
    return np.asarray(moved, dtype=np.float32)
