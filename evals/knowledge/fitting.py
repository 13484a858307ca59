"""Fitting the weights of ``agent.relevance``: logistic regression of "this passage answers" on its features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.relevance import FEATURES, Question, asked_words, features, weighed
from evals.knowledge.retrieval import Case, Corpus

Matrix = npt.NDArray[np.float64]

_FOLDS = 5
_ROUNDS = 5
_SEED = 20_261_122
_STRENGTH = 1.0


@dataclass(frozen=True, slots=True)
class Judged:
    """All passages of a corpus for one question."""

    values: Matrix
    answers: Matrix


def fitted(cases: Sequence[Case], corpora: Mapping[str, Corpus]) -> Iterator[str]:
    """Lines: the weights, and how questions fare under weights that were fitted without them."""
    judged = [_judge(case, corpora[case.corpus]) for case in cases]
    weights = fit(judged)
    yield "WEIGHTS: Final = (" + ", ".join(f"{weight:.3f}" for weight in weights) + ")  # " + ", ".join(FEATURES)
    random, seen = np.random.default_rng(_SEED), list[tuple[bool, bool, bool, float]]()
    for _ in range(_ROUNDS):
        folds = random.permutation(len(judged)) % _FOLDS
        for fold in range(_FOLDS):
            held_out = fit([one for one, at in zip(judged, folds, strict=True) if at != fold])
            seen += [_outcome(one, held_out) for one, at in zip(judged, folds, strict=True) if at == fold]
    known = [one for one in seen if one[0]]
    unknown = [one for one in seen if not one[0]]
    yield (
        f"cross-validated ({_ROUNDS} times {_FOLDS} folds): recall@1 {_mean(one[1] for one in known):.1%}, recall@5 "
        f"{_mean(one[2] for one in known):.1%}"
    )
    for threshold in (0.3, 0.4, 0.5, 0.6, 0.7):
        yield (
            f"  threshold {threshold}: answered rightly {_mean(one[1] and one[3] >= threshold for one in known):.1%}, "
            f"wrongly {_mean(not one[1] and one[3] >= threshold for one in known):.1%}, imagined "
            f"{_mean(one[3] >= threshold for one in unknown):.1%}"
        )


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
    return np.concatenate([[weights[0] - plain @ mean], plain])


def _judge(case: Case, corpus: Corpus) -> Judged:
    candidates = corpus.candidates(case.question)
    asked: Question = weighed(asked_words(case.question), corpus.frequencies)
    values = np.array([features(asked, one, case.language) for one in candidates])
    return Judged(values, np.array([float(case.is_answered_by(one.passage)) for one in candidates]))


def _outcome(one: Judged, weights: Matrix) -> tuple[bool, bool, bool, float]:
    """(a passage answers, the first does, one of the first five does, the first one's chance)."""
    chances = 1 / (1 + np.exp(-one.values @ weights))
    order = np.argsort(-chances, kind="stable")
    right = one.answers[order] > 0
    return bool(right.any()), bool(right[0]), bool(right[:5].any()), float(chances[order[0]])


def _mean(values: Iterator[bool] | Sequence[bool]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
