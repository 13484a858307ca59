"""Multinomial logistic regression on a few hundred examples, in plain numpy.

scikit-learn fits the same model, at 3 s of imports and 100 MB in every worker process; here a shop's classifier
trains in tens of milliseconds. The objective is convex, so the optimum does not depend on the solver: a test checks
its gradient.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

_MEMORY: Final = 10
_GRADIENT_TOLERANCE: Final = 1e-4
_MOST_STEPS: Final = 150
_MANY: Final = 300_000
"""Rows times classes from which on 32-bit floats do: half the time, and the tolerance is far above their grain."""


def softmax(logits: Matrix) -> Matrix:
    """Probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def fit(
    features: Matrix,
    labels: npt.NDArray[np.intp],
    classes: int,
    strength: float,
    counts: Matrix | None = None,
) -> Matrix:
    """Weights of shape (features + 1, classes), the last row being the bias.

    Minimises the mean cross-entropy plus ||W||² / (2 · strength · n), as scikit-learn does with ``C=strength``; the
    bias is free. ``counts``: how many examples each row counts for (one); n is their sum.
    """
    n, width = features.shape
    kind: Any = np.float32 if n * classes > _MANY else np.float64
    features = np.asarray(features, dtype=kind)
    share: npt.NDArray[Any] = np.asarray(np.full(n, 1.0 / n) if counts is None else counts / counts.sum(), dtype=kind)
    penalty = 1.0 / (strength * (n if counts is None else float(counts.sum())))
    truth: npt.NDArray[Any] = np.zeros((n, classes), dtype=kind)
    truth[np.arange(n), labels] = 1.0

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        weights = flat.reshape(width + 1, classes)
        chances = softmax(features @ weights[:-1] + weights[-1])
        value = -(share @ np.log(np.maximum(chances[np.arange(n), labels], np.finfo(kind).tiny)))
        wrong = (chances - truth) * share[:, None]
        gradient = np.vstack((features.T @ wrong + penalty * weights[:-1], wrong.sum(axis=0)))
        return float(value + 0.5 * penalty * np.square(weights[:-1]).sum()), gradient.ravel()

    found = _lbfgs(loss, np.zeros((width + 1) * classes, dtype=kind), _MOST_STEPS)
    return np.asarray(found.reshape(width + 1, classes), dtype=np.float64)


def fit_some(
    features: Matrix,
    labels: npt.NDArray[np.intp],
    before: Matrix,
    some: npt.NDArray[np.intp],
    strength: float,
) -> Matrix:
    """What to add to the weights of ``some`` classes alone, shape (features + 1, some), the others staying as they are.

    ``before``: the logits (n, classes) so far. The same objective as :func:`fit`, but that the addition is what is kept
    small, its bias a little too: few rows shall not drag it away.
    """
    n, width = features.shape
    penalty = 1.0 / (strength * n)
    truth = (labels[:, None] == some[None, :]).astype(np.float64)

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        weights = flat.reshape(width + 1, len(some))
        logits = before.copy()
        logits[:, some] += features @ weights[:-1] + weights[-1]
        chances = softmax(logits)
        value = -np.log(np.maximum(chances[np.arange(n), labels], 1e-300)).mean()
        wrong = (chances[:, some] - truth) / n
        gradient = np.vstack((features.T @ wrong, wrong.sum(axis=0))) + penalty * weights
        return float(value + 0.5 * penalty * np.square(weights).sum()), gradient.ravel()

    return _lbfgs(loss, np.zeros((width + 1) * len(some)), _MOST_STEPS).reshape(width + 1, len(some))


def _lbfgs(loss: Callable[[Matrix], tuple[float, Matrix]], point: Matrix, max_steps: int) -> Matrix:
    """Limited-memory BFGS with backtracking (Nocedal & Wright, algorithms 3.1, 7.4 and 7.5)."""
    value, gradient = loss(point)
    pairs: deque[tuple[Matrix, Matrix, float]] = deque(maxlen=_MEMORY)
    for _ in range(max_steps):
        if np.abs(gradient).max() < _GRADIENT_TOLERANCE:
            break
        direction = -_inverse_hessian_times(gradient, pairs)
        slope = float(gradient @ direction)
        step = 1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        for _ in range(30):
            candidate = point + step * direction
            new_value, new_gradient = loss(candidate)
            if new_value <= value + 1e-4 * step * slope:
                break
            step /= 2
        else:
            break
        moved, turned = candidate - point, new_gradient - gradient
        curvature = float(moved @ turned)
        if curvature > 1e-12:
            pairs.append((moved, turned, 1.0 / curvature))
        point, value, gradient = candidate, new_value, new_gradient
    return point


def _inverse_hessian_times(gradient: Matrix, pairs: deque[tuple[Matrix, Matrix, float]]) -> Matrix:
    vector = gradient.copy()
    weights = []
    for moved, turned, inverse in reversed(pairs):
        weight = inverse * float(moved @ vector)
        weights.append(weight)
        vector -= weight * turned
    if pairs:
        moved, turned, inverse = pairs[-1]
        vector /= inverse * float(turned @ turned)
    for (moved, turned, inverse), weight in zip(pairs, reversed(weights), strict=True):
        vector += moved * (weight - inverse * float(turned @ vector))
    return vector
