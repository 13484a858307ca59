"""How well and how fast a classifier reads messages: the figures that ``atende bench intents`` and the evals report.

All shares are fractions of 1. A message in scope has one right intent; one out of scope has none.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.classifier import Classification, Example, IntentClassifier, train, vectorise
from agent.encoder import Encoder
from agent.normalise import normalise

Numbers = npt.NDArray[np.float64]
_ANSWERED: Final = 0.8
"""The threshold of a tenant that sets none."""
_TIMED: Final = 300
_UNTIMED: Final = 5
_DRAWS: Final = 40
_SEED: Final = 20_261_123


def sample(examples: Sequence[Example], shots: int, seed: int) -> list[Example]:
    """At most ``shots`` examples of each intent, the same ones for the same seed whatever else is in the file."""
    by_intent: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_intent[example.intent].append(example)
    chosen: list[Example] = []
    for intent in sorted(by_intent):
        pool = by_intent[intent]
        random = np.random.default_rng([seed, *intent.encode()])
        chosen += [pool[place] for place in sorted(random.permutation(len(pool))[:shots])]
    return chosen


def auroc(inside: Sequence[float], outside: Sequence[float]) -> float:
    """Chance that a message in scope scores lower than one out of scope, ties counted half."""
    both = np.concatenate([inside, outside])
    order = both.argsort(kind="stable")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    for value in np.unique(both):
        same = both == value
        ranks[same] = ranks[same].mean()
    beyond = ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2
    return float(beyond / (len(inside) * len(outside)))


def calibration_error(confidences: Numbers, right: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error: the mean gap between confidence and being right, over bins of equal width."""
    places = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = [
        abs(confidences[places == one].mean() - right[places == one].mean()) * (places == one).sum()
        for one in np.unique(places)
    ]
    return float(sum(gaps) / len(right))


def least_error(confidences: Numbers) -> float:
    """The calibration error to expect of as many messages with these very confidences if each of them were exact.

    Bins of a few messages are off by chance: what :func:`calibration_error` finds beyond this is the classifier's.
    """
    random = np.random.default_rng(_SEED)
    draws = [calibration_error(confidences, random.random(len(confidences)) < confidences) for _ in range(_DRAWS)]
    return float(np.mean(draws))


def coverage(confidences: Numbers, right: npt.NDArray[np.bool_], precision: float = 0.95) -> float:
    """Largest share of messages that can be answered with at least this precision by raising the threshold."""
    order = np.argsort(-confidences, kind="stable")
    precisions = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precisions >= precision)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0


def judge(found: Sequence[Classification], intents: Sequence[str]) -> dict[str, float]:
    """Figures over messages in scope with their right intents."""
    right = np.array([one.intent == intent for one, intent in zip(found, intents, strict=True)])
    sure = np.array([one.confidence for one in found], dtype=np.float64)
    above = sure >= _ANSWERED
    return {
        "accuracy": float(right.mean()),
        "ece": calibration_error(sure, right),
        "ece_by_chance": least_error(sure),
        "coverage_at_95_precision": coverage(sure, right),
        "answered_at_0.8": float(above.mean()),
        "precision_at_0.8": float(right[above].mean()) if above.any() else 1.0,
    }


def judge_scope(inside: Sequence[Classification], outside: Sequence[Classification]) -> dict[str, float]:
    """How well messages out of scope are told from those in scope."""
    kept = float(np.quantile([one.out_of_scope for one in inside], 0.95))
    return {
        "oos_auroc": auroc([one.out_of_scope for one in inside], [one.out_of_scope for one in outside]),
        "oos_recall_at_95_kept": float(np.mean([one.out_of_scope > kept for one in outside])),
        "oos_answered_at_0.8": float(np.mean([one.confidence >= _ANSWERED for one in outside])),
    }


def latency(classifier: IntentClassifier, texts: Sequence[str], encoder: Encoder) -> dict[str, float]:
    """Milliseconds of one call, message by message, none of them known to the encoder's memory; and its CPU time, which
    does not wait for what else the machine does.
    """
    chosen = list({normalise(text): text for text in texts}.values())[: _TIMED + _UNTIMED]
    forget = getattr(encoder, "forget", None)
    if forget is not None:
        forget()
    spent = []
    for text in chosen:
        began, worked = time.perf_counter(), time.thread_time()
        classifier.classify(text)
        spent.append(((time.perf_counter() - began) * 1_000, (time.thread_time() - worked) * 1_000))
    timed = np.array(spent[_UNTIMED:] or spent)
    figures: dict[str, float] = {}
    for name, values in zip(("latency", "cpu"), timed.T, strict=True):
        figures |= {
            f"{name}_p50_ms": float(np.quantile(values, 0.5)),
            f"{name}_p99_ms": float(np.quantile(values, 0.99)),
        }
    return figures


class Tally:
    """What came of messages over several measurements, by form: folds of a cross-validation are one set of messages."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[list[Classification], list[str]]] = defaultdict(lambda: ([], []))

    def add(self, form: str, found: Sequence[Classification], intents: Sequence[str]) -> None:
        """Messages in one ``form`` ("" for as they are) with their right intents."""
        self._seen[form][0].extend(found)
        self._seen[form][1].extend(intents)

    def figures(self) -> dict[str, dict[str, float]]:
        """Those of :func:`judge`, by form."""
        return {form: judge(found, intents) for form, (found, intents) in self._seen.items()}


def measure(
    taught: Sequence[Example],
    asked: Sequence[Example],
    outside: Sequence[str],
    encoder: Encoder,
    variants: Mapping[str, Sequence[str]] | None = None,
    *,
    tally: Tally | None = None,
) -> dict[str, Any]:
    """Train on ``taught``, then read ``asked`` (and its ``variants``, in the same order) and ``outside``."""
    tally = tally or Tally()
    vectors = vectorise([example.text for example in taught], encoder)
    began = time.perf_counter()
    classifier = train(taught, encoder, vectors)
    figures: dict[str, Any] = {"train_seconds": time.perf_counter() - began}
    intents = [example.intent for example in asked]
    found = classifier.classify_many([example.text for example in asked])
    figures |= judge(found, intents)
    tally.add("", found, intents)
    if outside:
        figures |= judge_scope(found, classifier.classify_many(outside))
    for name, texts in (variants or {}).items():
        read = classifier.classify_many(texts)
        figures[f"accuracy_{name}"] = judge(read, intents)["accuracy"]
        tally.add(name, read, intents)
    return figures | latency(classifier, [example.text for example in asked], encoder)
