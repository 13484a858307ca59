"""Confidence straightened by held-out examples: towards what they say where there are many, else the usual way."""

import numpy as np
import pytest

from agent.calibration import Calibration, calibrate
from agent.intent_figures import calibration_error, least_error

SEED = 20_261_123
CLASSES = 12


def messages(random, count, scale):
    """Logits of messages whose right intents are drawn from the softmax of ``scale`` times these."""
    logits = random.normal(0, 1.6, (count, CLASSES))
    chances = np.exp(scale * logits)
    chances /= chances.sum(axis=1, keepdims=True)
    labels = np.array([random.choice(CLASSES, p=row) for row in chances])
    return logits, labels


def told(calibration, logits):
    raw = calibration.probabilities(logits).max(axis=1) * np.array([calibration.in_scope(row) for row in logits])
    return np.array([calibration.confidence(chance) for chance in raw])


@pytest.mark.parametrize("scale", [0.8, 1.5, 3.0])
def test_that_many_held_out_examples_make_confidence_honest(scale):
    random = np.random.default_rng(SEED)
    calibration = calibrate(*messages(random, 1_500, scale))
    logits, labels = messages(random, 3_000, scale)
    sure, right = told(calibration, logits), logits.argmax(axis=1) == labels
    assert calibration_error(sure, right) < 0.04, f"seed {SEED}"
    assert calibration_error(told(Calibration(), logits), right) > 0.05, "the usual way would not have done here"


def test_that_confidence_grows_with_the_chance_whatever_held_out_examples_say():
    random = np.random.default_rng(SEED)
    logits, labels = messages(random, 400, 1.5)
    upside_down = (labels + 1 + (logits.argmax(axis=1) == labels)) % CLASSES
    calibration = calibrate(logits * 3, upside_down)
    found = [calibration.confidence(chance) for chance in np.linspace(0, 1, 50)]
    assert found == sorted(found)
    assert 0 <= found[0] < found[-1] <= 1


def test_that_exact_confidences_have_no_more_error_than_chance_makes():
    random = np.random.default_rng(SEED)
    sure = random.uniform(0.2, 1, 2_000)
    right = random.random(2_000) < sure
    assert calibration_error(sure, right) < 2 * least_error(sure)
    assert calibration_error(sure, right | (random.random(2_000) < 0.4)) > 3 * least_error(sure)
    assert least_error(sure[:200]) > 2 * least_error(sure), "fewer messages, more error by chance"
