"""Fitting the weights of ``agent.relevance``: logistic regression of "this passage answers" on its features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.relevance import FEATURES, Question, asked_words, features, weighed
from evals.knowledge.retrieval import Case, Corpus

Matrix = npt.NDArray[np.float64]

Outcome = tuple[bool, bool, bool, float]

_BESIDE = 4
_STRENGTH = 1.0
_CAUTION = 0.9
"""Taken off the log odds, so that at the product's threshold of 0.5 wrong and imagined answers stay below 3 % each on
businesses left out: logistic regression weighs a wrong answer no more than a missing one."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All passages of a corpus for one question."""

    values: Matrix
    answers: Matrix


def fitted(cases: Sequence[Case], corpora: Mapping[str, Corpus]) -> Iterator[str]:
    """Lines: the weights, and how each business's questions fare under weights that were fitted on the others'.

    Each business counts twice: alone, and with the documents of some others among its own, since scores that were
    fitted on a dozen pieces would be wrong for a hundred.
    """
    names = sorted(corpora)
    judged: list[tuple[str, bool, Judged]] = []
    for place, name in enumerate(names):
        others = [corpora[names[(place + step) % len(names)]] for step in range(1, min(_BESIDE + 1, len(names)))]
        for crowded, corpus in ((False, corpora[name]), (True, corpora[name].beside(others))):
            judged += [(name, crowded, _judge(case, corpus)) for case in cases if case.corpus == name]
    weights = fit([one for _, _, one in judged])
    yield "WEIGHTS: Final = (" + ", ".join(f"{weight:.3f}" for weight in weights) + ")  # " + ", ".join(FEATURES)
    seen: list[tuple[bool, Outcome]] = []
    for name in names:
        held_out = fit([one for other, _, one in judged if other != name])
        seen += [(crowded, _outcome(one, held_out)) for other, crowded, one in judged if other == name]
    for told, chosen in (("alone", False), (f"among those of {_BESIDE} others", True)):
        yield f"each business's documents {told}, under the weights of the {len(names) - 1} other businesses:"
        yield from _lines([one for crowded, one in seen if crowded == chosen])


def _lines(seen: Sequence[Outcome]) -> Iterator[str]:
    known, unknown = [one for one in seen if one[0]], [one for one in seen if not one[0]]
    yield f"  recall@1 {_mean([one[1] for one in known]):.1%}, recall@5 {_mean([one[2] for one in known]):.1%}"
    for threshold in (0.3, 0.4, 0.5, 0.6, 0.7):
        right = _mean([one[1] and one[3] >= threshold for one in known])
        wrong = _mean([not one[1] and one[3] >= threshold for one in known])
        imagined = _mean([one[3] >= threshold for one in unknown])
        yield f"  threshold {threshold}: answered rightly {right:.1%}, wrongly {wrong:.1%}, imagined {imagined:.1%}"


def fit(judged: Sequence[Judged]) -> Matrix:
    """Weights for ``features``, the first of them the constant; ridge on standardised values, by Newton's method."""
    values, answers = np.vstack([one.values for one in judged]), np.concatenate([one.answers for one in judged])
    mean, spread = values[:, 1:].mean(axis=0), values[:, 1:].std(axis=0) + 1e-9
    rows = np.column_stack([np.ones(len(values)), (values[:, 1:] - mean) / spread])
    penalty = _STRENGTH * np.diag([0.0, *np.ones(rows.shape[1] - 1)])
    weights = np.zeros(rows.shape[1])
    for _ in range(50):
        chances = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (chances - answers) + penalty @ weights
        curve = (rows * (chances * (1 - chances))[:, None]).T @ rows + penalty + 1e-9 * np.eye(len(weights))
        weights -= np.linalg.solve(curve, slope)
    plain = weights[1:] / spread
    return np.concatenate([[weights[0] - plain @ mean - _CAUTION], plain])


def _judge(case: Case, corpus: Corpus) -> Judged:
    candidates = corpus.candidates(case.question)
    asked: Question = weighed(asked_words(case.question), corpus.frequencies, case.question)
    values = np.array(features(asked, candidates, case.language, corpus.nearness))
    return Judged(values, np.array([float(case.is_answered_by(one.passage)) for one in candidates]))


def _outcome(one: Judged, weights: Matrix) -> Outcome:
    """(a passage answers, the first does, one of the first five does, the first one's chance)."""
    chances = 1 / (1 + np.exp(-one.values @ weights))
    order = np.argsort(-chances, kind="stable")
    right = one.answers[order] > 0
    return bool(right.any()), bool(right[0]), bool(right[:5].any()), float(chances[order[0]])


def _mean(found: Sequence[bool]) -> float:
    return sum(found) / len(found) if found else 0.0
