"""From scores to honest numbers: how sure the classifier may call itself, and how far a message lies from all it
knows.

Both are learned from the tenant's own examples, each scored by a model that has not seen it (cross-validation), and
pulled towards values measured on public data where a tenant has too few examples to tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.logistic import Matrix, softmax

_USUAL_TEMPERATURE: Final = 0.45
_TRUST_IN_USUAL: Final = 10.0
"""Weight of the usual values, in examples."""
_TRUST_IN_RAW: Final = 30.0
"""Weight of confidences as they come, before they are straightened, in examples."""
_USUAL_EVIDENCE: Final = (3.3, 1.1)
# Chosen on simulated tenants (4 to 25 intents, 4 to 10 examples) drawn from the training pools of public sets, with
# the other intents as strangers: messages in scope stay calibrated within 3 points, and 94 % of what passes 0.8 is
# right with one message in five a stranger. No distance to centroids or examples told strangers better than the logit.
_GATE_AT: Final = -1.8
_GATE_STEEPNESS: Final = 2.5


@dataclass(frozen=True, slots=True)
class Calibration:
    """``temperature`` divides logits; ``centre`` and ``spread`` describe the highest logit of messages that are in
    scope; ``slope`` and ``offset`` straighten the log odds of what comes of both.
    """

    temperature: float = _USUAL_TEMPERATURE
    centre: float = _USUAL_EVIDENCE[0]
    spread: float = _USUAL_EVIDENCE[1]
    slope: float = 1.0
    offset: float = 0.0

    def probabilities(self, logits: Matrix) -> Matrix:
        """Chance of each intent, given that the message is about one of them."""
        return softmax(logits / self.temperature)

    def in_scope(self, logits: Matrix) -> float:
        """Chance in [0, 1] that the message is about one of the intents at all: 0.5 where few of the own examples
        lie.
        """
        depth = (float(logits.max()) - self.centre) / self.spread
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, _GATE_STEEPNESS * (depth - _GATE_AT)))))

    def confidence(self, chance: float) -> float:
        """The chance that the likeliest intent is right, from its share of :meth:`probabilities` times that of
        :meth:`in_scope`.
        """
        return float(_straightened(np.array([chance]), self.slope, self.offset)[0])


def calibrate(logits: Matrix, labels: npt.NDArray[np.intp]) -> Calibration:
    """Fit on held-out logits (n, classes) of the tenant's examples; with none, the usual values."""
    n = len(labels)
    if n == 0:
        return Calibration()
    grid = np.exp(np.linspace(math.log(0.1), math.log(2.5), 60))
    penalty = _TRUST_IN_USUAL * np.square(np.log(grid / _USUAL_TEMPERATURE))
    surprise = [-np.log(np.maximum(softmax(logits / t)[np.arange(n), labels], 1e-12)).sum() for t in grid]
    temperature = float(grid[int(np.argmin(surprise + penalty))])
    highest = logits.max(axis=1)
    share = n / (n + _TRUST_IN_USUAL)
    centre = share * float(highest.mean()) + (1 - share) * _USUAL_EVIDENCE[0]
    spread = math.sqrt(share * float(highest.var()) + (1 - share) * _USUAL_EVIDENCE[1] ** 2)
    found = Calibration(temperature, centre, max(spread, 0.1))
    raw = found.probabilities(logits).max(axis=1) * np.array([found.in_scope(row) for row in logits])
    return replace(found, **_straighten(raw, logits.argmax(axis=1) == labels))


def _straighten(raw: Matrix, right: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Platt's scaling of held-out confidences, pulled towards leaving them as they are.

    The gate makes messages in scope look less sure than they are, the more so the more intents there are.
    """
    odds = _log_odds(raw)
    found = np.array([1.0, 0.0])
    for _ in range(30):
        expected = _straightened(raw, *found)
        weight = expected * (1 - expected)
        missed = expected - right
        gradient = np.array([missed @ odds, missed.sum()]) + _TRUST_IN_RAW * (found - (1.0, 0.0))
        across = weight @ odds
        curvature = np.array([[weight @ odds**2, across], [across, weight.sum()]]) + _TRUST_IN_RAW * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        found -= step
        if np.abs(step).max() < 1e-6:
            break
    return {"slope": max(0.2, float(found[0])), "offset": float(found[1])}


def _straightened(raw: Matrix, slope: float, offset: float) -> Matrix:
    return np.asarray(1 / (1 + np.exp(-(slope * _log_odds(raw) + offset))))


def _log_odds(chances: Matrix) -> Matrix:
    clipped = np.clip(chances, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))
