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
_USUAL_BEND: Final = (0.4, 0.9, 0.05)
_AT_MOST_TIMES: Final = 1.25
_TRUST_IN_USUAL_BEND: Final = 45.0
"""How held-out confidences of four public sets had to be straightened, and the weight of that, in examples.

Few examples tell a bend badly: pulled less towards it, or towards leaving confidences as they come, the error on
messages was greater on every set (simulated tenants of 4 to 25 intents: 2.4 to 1.1 points).
"""
_USUAL_EVIDENCE: Final = (3.3, 1.1)
# Chosen on simulated tenants (4 to 25 intents, 4 to 10 examples) drawn from the training pools of public sets, with
# the other intents as strangers: messages in scope stay calibrated within 3 points, and 94 % of what passes 0.8 is
# right with one message in five a stranger. No distance to centroids or examples told strangers better than the logit.
_GATE_AT: Final = -1.8
_GATE_STEEPNESS: Final = 2.5


@dataclass(frozen=True, slots=True)
class Calibration:
    """``temperature`` divides logits; ``centre`` and ``spread`` describe the highest logit of messages that are in
    scope; ``bend`` straightens what comes of both (beta calibration: the weights of ln p and of -ln(1 - p), and a
    constant; 1, 1, 0 leave it as it is).
    """

    temperature: float = _USUAL_TEMPERATURE
    centre: float = _USUAL_EVIDENCE[0]
    spread: float = _USUAL_EVIDENCE[1]
    bend: tuple[float, float, float] = _USUAL_BEND

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
        bent = float(_straightened(_logs(np.array([chance])), np.array(self.bend))[0])
        # Held-out examples are all in scope. What is hardly so must not seem likelier by what they say of the unsure.
        return min(bent, _AT_MOST_TIMES * chance)


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
    return replace(found, bend=_bend(raw, logits.argmax(axis=1) == labels))


def _bend(raw: Matrix, right: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Beta calibration (Kull et al. 2017) of held-out confidences, pulled towards the usual one.

    The gate makes messages in scope look less sure than they are, the more so the more intents there are, and most of
    all those that look unsure already, which is why a straight line through the log odds does not do.
    """
    logs, usual = _logs(raw), np.array(_USUAL_BEND)
    found = usual.copy()
    for _ in range(30):
        expected = _straightened(logs, found)
        gradient = logs.T @ (expected - right) + _TRUST_IN_USUAL_BEND * (found - usual)
        curvature = (logs * (expected * (1 - expected))[:, None]).T @ logs + _TRUST_IN_USUAL_BEND * np.eye(3)
        step = np.linalg.solve(curvature, gradient)
        found -= step
        if np.abs(step).max() < 1e-6:
            break
    # More sure before is never less sure afterwards.
    return max(0.1, float(found[0])), max(0.1, float(found[1])), float(found[2])


def _straightened(logs: Matrix, bend: Matrix) -> Matrix:
    return np.asarray(1 / (1 + np.exp(-np.clip(logs @ bend, -50.0, 50.0))))


def _logs(chances: Matrix) -> Matrix:
    clipped = np.clip(chances, 1e-6, 1 - 1e-6)
    return np.column_stack([np.log(clipped), -np.log(1 - clipped), np.ones(len(clipped))])
