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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from agent.blas import use_one_thread
from agent.calibration import Calibration, calibrate
from agent.encoder import Encoder, EncodingFailedError, Vectors
from agent.lexicon import common_words
from agent.logistic import Matrix, fit
from agent.normalise import normalise
from agent.spelling import CharNgrams
from agent.typos import Corrector
from domain.decisions import Reason

Parts = tuple[tuple[int, float], ...]
"""Width and weight of the encoders whose vectors stand side by side."""

_STRENGTH: Final = 20.0
"""Inverse regularisation; 10 to 30 are equal within noise on the public sets."""
_SPELLING_WEIGHT: Final = 0.55
"""Length of the spelling part beside a sentence vector of length 1; 0.5 to 0.8 are equal within noise."""
_MAX_RANK: Final = 640
"""Directions kept for training; only sets of thousands of examples have more, and lose nothing measurable."""
_FOLDS: Final = 4
_SEED: Final = 20_240_517
_ALTERNATIVES: Final = 4
_OF_ONE_INTENT: Final = 8.0
"""With a single intent there is nothing to tell apart: the cosine to its examples, on the scale of logits."""
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
        model: _Model,
        known: Mapping[str, str],
        correct: Callable[[str], str],
    ) -> None:
        self.intents = tuple(intents)
        self._encoder = encoder
        self._correct = correct
        self._model = model
        self._known = known

    def classify(self, text: str) -> Classification:
        """The likeliest intent of ``text``, a raw message."""
        return self.classify_many([text])[0]

    def classify_many(self, texts: Sequence[str]) -> list[Classification]:
        """As :meth:`classify`, with one pass of the encoder."""
        cleaned = [self._correct(normalise(text)) for text in texts]
        readable = [text for text in cleaned if text and self.intents]
        vectors = iter(self._encoder.encode(readable)) if readable else iter(())
        return [self._judge(text, next(vectors)) if text and self.intents else self._silence(text) for text in cleaned]

    def _silence(self, text: str) -> Classification:
        code = "no_examples" if text else "nothing_to_read"
        return Classification(None, 0.0, reasons=(Reason(code),))

    def _judge(self, text: str, vector: npt.NDArray[np.float32]) -> Classification:
        logits = self._model.logits(text, vector)
        chances = self._model.calibration.probabilities(logits)
        in_scope = self._model.calibration.in_scope(logits)
        exact = self._known.get(text)
        order = np.argsort(-chances, kind="stable")
        ranked = [(self.intents[place], float(chances[place]) * in_scope) for place in order[: _ALTERNATIVES + 1]]
        if exact is not None:
            others = tuple(pair for pair in ranked if pair[0] != exact)[:_ALTERNATIVES]
            reason = Reason("same_as_example", "the message equals an example of this intent")
            return Classification(exact, _EXACT_CONFIDENCE, others, 0.0, (reason,))
        intent, raw = ranked[0]
        confidence = self._model.calibration.confidence(raw)
        # The others share what the first one leaves, and never overtake it.
        scale = min(confidence / max(raw, 1e-9), (1 - confidence) / max(1 - raw, 1e-9))
        others = tuple((name, chance * scale) for name, chance in ranked[1:])
        reason = Reason("classified", f"probability {chances[order[0]]:.3f} among intents, {in_scope:.3f} in scope")
        return Classification(intent, confidence, others, 1 - in_scope, (reason,))


@dataclass(frozen=True, slots=True)
class _Model:
    """``logits = towards(v) · by_vector + spelling · by_spelling + bias``."""

    centre: npt.NDArray[np.float32]
    parts: Parts
    by_vector: npt.NDArray[np.float32]
    by_spelling: npt.NDArray[np.float32]
    bias: Matrix
    ngrams: CharNgrams
    calibration: Calibration

    def logits(self, text: str, vector: npt.NDArray[np.float32]) -> Matrix:
        positions, values = self.ngrams.row(text)
        scores = (
            _towards(vector[None, :], self.centre, self.parts)[0] @ self.by_vector
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
    model = _fit(texts, rows, labels, len(intents), tuple(encoder.parts))
    known = _unambiguous(texts, [intents[label] for label in labels])
    return IntentClassifier(encoder, intents, model, known, Corrector(texts, common_words()))


def _unambiguous(texts: Sequence[str], intents: Sequence[str]) -> dict[str, str]:
    meanings: dict[str, set[str]] = defaultdict(set)
    for text, intent in zip(texts, intents, strict=True):
        meanings[text].add(intent)
    return {text: found.pop() for text, found in meanings.items() if len(found) == 1}


def _fit(texts: Sequence[str], rows: Vectors, labels: npt.NDArray[np.intp], classes: int, parts: Parts) -> _Model:
    ngrams = CharNgrams(texts)
    spelling = ngrams.matrix(texts) * np.float32(_SPELLING_WEIGHT)
    if classes < 2:
        return _single(rows, ngrams, classes, parts)
    centre = rows.mean(axis=0)
    towards = _towards(rows, centre, parts)
    kernel = np.asarray(towards @ towards.T + spelling @ spelling.T, dtype=np.float64)
    # Logistic regression depends on the examples through their inner products only: train in their span, then map
    # back.
    coordinates, span = _span(kernel)
    weights = fit(coordinates, labels, classes, _STRENGTH)
    duals = np.asarray(span @ weights[:-1], dtype=np.float32)
    calibration = calibrate(*_held_out(coordinates, labels, classes))
    by_spelling = np.asarray(_SPELLING_WEIGHT * (spelling.T @ duals), dtype=np.float32)
    by_vector = np.asarray(towards.T @ duals, dtype=np.float32)
    return _Model(centre, parts, by_vector, by_spelling, weights[-1], ngrams, calibration)


def _single(rows: Vectors, ngrams: CharNgrams, classes: int, parts: Parts) -> _Model:
    width = rows.shape[1] if rows.ndim == 2 else 0
    direction = rows.sum(axis=0)[:, None] if classes else np.zeros((width, 0), dtype=np.float32)
    # Cosines of the first part alone: those of others may all be high, and nothing centres them here.
    first, weight = parts[0]
    direction[first:] = 0
    norm = (float(np.linalg.norm(direction)) or 1.0) * math.sqrt(weight)
    by_vector = np.asarray(direction * (_OF_ONE_INTENT / norm), dtype=np.float32)
    nothing = np.zeros((len(ngrams), classes), dtype=np.float32)
    return _Model(
        np.zeros(width, dtype=np.float32), parts, by_vector, nothing, np.zeros(classes), ngrams, Calibration(centre=5.5)
    )


def _span(kernel: Matrix) -> tuple[Matrix, Matrix]:
    """The examples' coordinates in their own span, and ``span`` with kernel @ span = these coordinates."""
    values, directions = np.linalg.eigh(kernel)
    strong = np.flatnonzero(values > 1e-6 * values[-1])[-_MAX_RANK:]
    roots = np.sqrt(values[strong])
    return directions[:, strong] * roots, directions[:, strong] / roots


def _held_out(coordinates: Matrix, labels: npt.NDArray[np.intp], classes: int) -> tuple[Matrix, npt.NDArray[np.intp]]:
    """Logits of examples from models trained without them. An intent's only example is always trained on, never
    judged.
    """
    folds = _folds(labels)
    scores, truth = [np.empty((0, classes))], [np.empty(0, dtype=np.intp)]
    for fold in range(_FOLDS):
        judged, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(judged) == 0:
            continue
        # Coordinates tell nothing of labels, and what is learned lies in the span of the others by itself.
        weights = fit(coordinates[others], labels[others], classes, _STRENGTH)
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


def _towards(rows: Vectors, centre: npt.NDArray[np.float32], parts: Parts) -> npt.NDArray[np.float32]:
    """Directions from the centre, each part with a length of its own: some encoders' vectors all lie together."""
    moved = rows - centre
    start = 0
    for width, weight in parts:
        part = moved[:, start : start + width]
        part *= math.sqrt(weight) / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-6)
        start += width
    return np.asarray(moved, dtype=np.float32)
