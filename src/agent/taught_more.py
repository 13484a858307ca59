"""A classifier that learned what changed, in a moment: the others are learned whole behind it.

Learning anew takes seconds where a tenant has a thousand examples. Until that is done, only the intents that changed
are fitted, against the rest as it was, on their examples and those that might be mistaken for them. Their spelling has
no part yet, and the calibration is the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.classifier import STRENGTH, Example, IntentClassifier, towards_from
from agent.encoder import Vectors
from agent.lexicon import common_words
from agent.logistic import fit_some
from agent.normalise import normalise
from agent.typos import Corrector

_NEIGHBOURS: Final = 256
_OTHERS: Final = 128
"""Examples of other intents: the nearest ones, and some of all."""
_MOST_CHANGED: Final = 40
"""Intents; of more, everything is learned anew at once."""
_SEED: Final = 20_240_518


def taught_more(before: IntentClassifier, examples: Sequence[Example], vectors: Vectors) -> IntentClassifier | None:
    """``before`` with what changed since; None where that is too much, or too little to tell intents apart.

    ``vectors``: the examples' rows of :func:`agent.classifier.vectorise`, of the same encoder.
    """
    texts = [normalise(example.text) for example in examples]
    kept = [place for place, text in enumerate(texts) if text]
    texts, rows = [texts[place] for place in kept], vectors[kept]
    meant = [examples[place].intent for place in kept]
    taught = frozenset(zip(texts, meant, strict=True))
    intents = sorted(set(meant))
    changed = {intent for _, intent in taught ^ before.taught}
    some = np.array([place for place, intent in enumerate(intents) if intent in changed], dtype=np.intp)
    if len(before.intents) < 2 or len(intents) < 2 or len(changed) > _MOST_CHANGED:
        return None
    model = before.model
    columns = {intent: place for place, intent in enumerate(before.intents)}
    places = np.array([columns.get(intent, -1) for intent in intents], dtype=np.intp)
    model = replace(
        model,
        by_vector=_columns(model.by_vector, places),
        by_spelling=_columns(model.by_spelling, places),
        bias=_columns(model.bias[None, :], places)[0],
    )
    if len(some):
        numbers = {intent: place for place, intent in enumerate(intents)}
        labels = np.array([numbers[intent] for intent in meant], dtype=np.intp)
        towards = towards_from(model.centre, rows, model.parts)
        near = _contested(towards, labels, some)
        logits = np.array([model.logits(texts[place], rows[place]) for place in near])
        added = fit_some(np.asarray(towards[near], dtype=np.float64), labels[near], logits, some, STRENGTH)
        by_vector, bias = model.by_vector.copy(), model.bias.copy()
        by_vector[:, some] += np.asarray(added[:-1], dtype=np.float32)
        bias[some] += added[-1]
        model = replace(model, by_vector=by_vector, bias=bias)
    corrector = Corrector(texts, common_words())
    return IntentClassifier(before.encoder, intents, model, taught, corrector)


def _columns(values: npt.NDArray[Any], places: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    """The columns at these places; zeros where there was none (-1)."""
    found = np.concatenate([values, np.zeros((len(values), 1), dtype=values.dtype)], axis=1)
    return np.asarray(found[:, places], dtype=values.dtype)


def _contested(
    towards: npt.NDArray[np.float32], labels: npt.NDArray[np.intp], some: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Places of the examples of ``some`` intents, of those nearest to them, and of a few of the rest."""
    own = np.isin(labels, some)
    others = np.flatnonzero(~own)
    if not own.any():
        return others[:_OTHERS]
    nearness = (towards[others] @ towards[own].T).max(axis=1)
    order = np.argsort(-nearness, kind="stable")
    near, rest = others[order[:_NEIGHBOURS]], others[order[_NEIGHBOURS:]]
    random = np.random.default_rng(_SEED).permutation(rest)[:_OTHERS]
    return np.sort(np.concatenate([np.flatnonzero(own), near, random]))
