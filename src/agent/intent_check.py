"""Can a tenant's intents be told apart? Looked at before customers find out, by cross-validation on its own examples.

Each example is judged by a classifier trained without it. What lands in another intent shows which two are confused,
and with which sentences; what lands nowhere, or surely elsewhere, is a weak example.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.classifier import Example, train
from agent.encoder import Encoder, Vectors
from agent.normalise import normalise
from agent.phrases import small_talk

FEW: Final = 5
"""Examples below which an intent is hardly known."""
_FOLDS: Final = 4
_SEED: Final = 20_260_711
_MOST: Final = 1_200
"""Examples judged at most; training grows with their cube. Larger sets are sampled, each intent alike."""
_SHOWN: Final = 6
_CONFUSED_SHARE: Final = 0.1
_CONFUSED_COUNT: Final = 2
_NEARLY_SAME: Final = 0.93
_SURELY_OTHER: Final = 0.6
"""Confidence of the wrong intent above which the example, not the classifier, is under suspicion."""
_NOWHERE: Final = 0.05
_COURTESIES: Final = 0.25
"""Share of an intent's examples up to which greetings and thanks among them are slips; above, they are its subject."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """An example that was taken for another intent."""

    text: str
    intent: str
    taken_for: str
    confidence: float


@dataclass(frozen=True, slots=True)
class ConfusablePair:
    """Two intents that are hard to tell apart. ``share``: of the examples of both, how many changed sides."""

    intents: tuple[str, str]
    share: float
    confusions: tuple[Confusion, ...]
    nearly_same: tuple[tuple[str, str], ...] = ()
    """Pairs of examples, one of each intent, that mean nearly the same."""


@dataclass(frozen=True, slots=True)
class WeakExample:
    """An example that does not help, and why: ``unreadable``, ``courtesy`` (asks for nothing), ``looks_like`` another
    intent, ``unlike_the_others``."""

    intent: str
    text: str
    why: str
    other: str = ""


@dataclass(frozen=True, slots=True)
class TrainingCheck:
    """What the check found. ``accuracy``: share of examples that a classifier trained without them gets right."""

    intents: int
    examples: int
    judged: int
    accuracy: float | None
    confusable: tuple[ConfusablePair, ...]
    weak: tuple[WeakExample, ...]
    few: tuple[tuple[str, int], ...]
    """Intents with fewer than FEW examples, and how many they have."""

    @property
    def is_clean(self) -> bool:
        """Nothing to warn of."""
        return not (self.confusable or self.weak or self.few)

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The findings for a person at a terminal, worst first."""
        lines = [f"{self.examples} examples of {self.intents} intents."]
        if self.accuracy is not None:
            judged = f" (a sample of {self.judged})" if self.judged < self.examples else ""
            lines[0] += f" {self.accuracy:.0%} are recognised by a classifier that has not seen them{judged}."
        for pair in self.confusable:
            lines.append(f"confusable: {pair.intents[0]} and {pair.intents[1]} ({pair.share:.0%} change sides)")
            lines += [
                f"    {one.text!r} of {one.intent} is taken for {one.taken_for} ({one.confidence:.2f})"
                for one in pair.confusions[:_SHOWN]
            ]
            lines += [f"    nearly the same: {left!r} and {right!r}" for left, right in pair.nearly_same[:_SHOWN]]
        for weak in self.weak:
            lines.append(f"weak example of {weak.intent}: {weak.text!r} {_WHY[weak.why].format(weak.other)}")
        lines += [f"few examples: {name} has {count}; {FEW} or more work, ten work well" for name, count in self.few]
        return lines


_WHY: Final = {
    "unreadable": "holds nothing that could be read",
    "courtesy": "is a courtesy, as customers write it with any wish",
    "looks_like": "looks like {}",
    "unlike_the_others": "is unlike all the others",
}


def check_training(examples: Sequence[Example], encoder: Encoder, vectors: Vectors) -> TrainingCheck:
    """``vectors``: the examples' rows of ``agent.classifier.vectorise``. The same examples give the same findings."""
    sizes = Counter(example.intent for example in examples)
    few = tuple(sorted((name, count) for name, count in sizes.items() if count < FEW))
    unreadable = [WeakExample(one.intent, one.text, "unreadable") for one in examples if not normalise(one.text)]
    courtesies = _courtesies(examples, sizes)
    places = _sample([place for place, one in enumerate(examples) if normalise(one.text)], examples)
    held_out = _held_out([examples[place] for place in places], encoder, vectors[places])
    judged = [(examples[place], found) for place, found in zip(places, held_out, strict=True) if found is not None]
    wrong = [(one, found) for one, found in judged if found.intent != one.intent]
    named = {(one.intent, one.text) for one in courtesies}
    doubtful = [pair for pair in judged if (pair[0].intent, pair[0].text) not in named]
    weak = [weakness for one, found in doubtful if (weakness := _weakness(one, found)) is not None]
    return TrainingCheck(
        intents=len(sizes),
        examples=len(examples),
        judged=len(judged),
        accuracy=1 - len(wrong) / len(judged) if judged else None,
        confusable=_pairs([_confusion(one, found) for one, found in wrong], sizes, _twins(examples, places, vectors)),
        weak=(*unreadable, *courtesies, *weak),
        few=few,
    )


def _courtesies(examples: Sequence[Example], sizes: Counter[str]) -> list[WeakExample]:
    """Greetings and thanks among the examples of an intent that is about something else."""
    found = [one for one in examples if normalise(one.text) and small_talk(one.text)]
    counts = Counter(one.intent for one in found)
    return [
        WeakExample(one.intent, one.text, "courtesy")
        for one in found
        if counts[one.intent] <= _COURTESIES * sizes[one.intent]
    ]


@dataclass(frozen=True, slots=True)
class _Found:
    intent: str | None
    confidence: float
    own: float
    """The chance that it gave the example's own intent."""


class _Remembered:
    """The encoder, with what it has encoded already: classifying an example costs no second pass."""

    def __init__(self, encoder: Encoder, texts: Sequence[str], vectors: Vectors) -> None:
        self.name, self.dim, self.parts = encoder.name, encoder.dim, encoder.parts
        self.spare, self.for_passages = encoder.spare, encoder.for_passages
        self._encoder = encoder
        self._rows = dict(zip(texts, vectors, strict=True))

    def encode(self, texts: Sequence[str]) -> Vectors:
        if all(text in self._rows for text in texts):
            return np.array([self._rows[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dim)
        return self._encoder.encode(texts)


def _held_out(examples: Sequence[Example], encoder: Encoder, vectors: Vectors) -> list[_Found | None]:
    """Each example's judgement by a classifier without it; None where its intent has no other example."""
    if len({one.intent for one in examples}) < 2:
        return [None] * len(examples)
    remembered = _Remembered(encoder, [normalise(one.text) for one in examples], vectors)
    folds = _folds(examples)
    found: list[_Found | None] = [None] * len(examples)
    for fold in range(_FOLDS):
        judged, others = np.flatnonzero(folds == fold).tolist(), np.flatnonzero(folds != fold).tolist()
        if len(judged) == 0:
            continue
        classifier = train([examples[place] for place in others], remembered, vectors[others])
        results = classifier.classify_many([examples[place].text for place in judged])
        for place, result in zip(judged, results, strict=True):
            own = examples[place].intent
            chances = dict([(result.intent, result.confidence), *result.alternatives])
            found[place] = _Found(result.intent, result.confidence, chances.get(own, 0.0))
    return found


def _folds(examples: Sequence[Example]) -> npt.NDArray[np.intp]:
    random = np.random.default_rng(_SEED)
    folds = np.full(len(examples), -1, dtype=np.intp)
    by_intent: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(examples):
        by_intent[one.intent].append(place)
    for offset, places in enumerate(by_intent[name] for name in sorted(by_intent)):
        if len(places) > 1:
            folds[random.permutation(places)] = (np.arange(len(places)) + offset) % _FOLDS
    return folds


def _sample(places: list[int], examples: Sequence[Example]) -> list[int]:
    if len(places) <= _MOST:
        return places
    share = max(2, _MOST // len({examples[place].intent for place in places}))
    random = np.random.default_rng(_SEED)
    taken: Counter[str] = Counter()
    kept = []
    for place in random.permutation(places).tolist():
        if taken[examples[place].intent] < share:
            taken[examples[place].intent] += 1
            kept.append(place)
    return sorted(kept)


def _confusion(example: Example, found: _Found) -> Confusion:
    return Confusion(example.text, example.intent, found.intent or "", round(found.confidence, 3))


def _pairs(
    confusions: Sequence[Confusion],
    sizes: Counter[str],
    twins: dict[tuple[str, str], list[tuple[str, str]]],
) -> tuple[ConfusablePair, ...]:
    met: dict[tuple[str, str], list[Confusion]] = defaultdict(list)
    for one in confusions:
        if one.taken_for:
            met[_ordered(one.intent, one.taken_for)].append(one)
    pairs = []
    for intents in met.keys() | twins.keys():
        found = sorted(met.get(intents, ()), key=lambda one: (-one.confidence, one.text))
        share = len(found) / (sizes[intents[0]] + sizes[intents[1]])
        often = len(found) >= _CONFUSED_COUNT and share >= _CONFUSED_SHARE
        if often or intents in twins:
            same = tuple(twins.get(intents, ()))
            pairs.append(ConfusablePair(intents, round(share, 3), tuple(found), same))
    return tuple(sorted(pairs, key=lambda pair: (-pair.share, -len(pair.nearly_same), pair.intents)))


def _twins(
    examples: Sequence[Example], places: Sequence[int], vectors: Vectors
) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Examples of two intents that mean nearly the same, by the pair of intents."""
    if not places:
        return {}
    rows = vectors[list(places)] - vectors[list(places)].mean(axis=0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    near: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for left, right in np.argwhere(np.triu(rows @ rows.T, 1) >= _NEARLY_SAME).tolist():
        one, other = examples[places[left]], examples[places[right]]
        if one.intent != other.intent:
            first, second = sorted((one, other), key=lambda each: each.intent)
            near[first.intent, second.intent].append((first.text, second.text))
    return near


def _weakness(example: Example, found: _Found) -> WeakExample | None:
    if found.intent == example.intent:
        return None
    if found.confidence >= _SURELY_OTHER and found.intent:
        return WeakExample(example.intent, example.text, "looks_like", found.intent)
    if found.own < _NOWHERE:
        return WeakExample(example.intent, example.text, "unlike_the_others")
    return None


def _ordered(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
