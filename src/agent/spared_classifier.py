"""A classifier whose encoder may fail, beside one whose encoder cannot: somebody always answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agent.classifier import Classification, Classifier, Example, IntentClassifier, train
from agent.encoder import Encoder, EncodingFailedError, Vectors
from domain.decisions import Reason

log = logging.getLogger(__name__)

_LEARN_AGAIN_SECONDS: Final = 20.0


class SparedClassifier:
    """Classifies with the encoder of choice, or with its spare while that fails. Both have learned the same examples.

    Where even learning failed, it is tried again in the background while messages come.
    """

    def __init__(self, examples: Sequence[Example], encoder: Encoder, spare: IntentClassifier) -> None:
        self.intents = spare.intents
        self._examples = tuple(examples)
        self._encoder = encoder
        self._spare = spare
        self._chosen: IntentClassifier | None = None
        self._learning = threading.Lock()
        self._learn_at = 0.0
        self.learn_again_seconds = _LEARN_AGAIN_SECONDS

    def learn(self, vectors: Vectors | None = None) -> None:
        """Learn with the encoder of choice. Raises EncodingFailedError; then the spare answers."""
        self._learn_at = time.monotonic() + self.learn_again_seconds
        self._chosen = train(self._examples, self._encoder, vectors)

    def classify(self, text: str) -> Classification:
        """The likeliest intent of ``text``, a raw message."""
        return self.classify_many([text])[0]

    def classify_many(self, texts: Sequence[str]) -> list[Classification]:
        """As :meth:`classify`, for several."""
        if self._chosen is None:
            self._learn_in_background()
            return self._spared(texts, "the encoder of choice has not learned the examples yet")
        try:
            return self._chosen.classify_many(texts)
        except EncodingFailedError as error:
            return self._spared(texts, error.problem)

    def _spared(self, texts: Sequence[str], why: str) -> list[Classification]:
        reason = Reason("encoder_failed", f"{why}; classified on this machine instead")
        return [replace(one, reasons=(reason, *one.reasons)) for one in self._spare.classify_many(texts)]

    def _learn_in_background(self) -> None:
        if time.monotonic() >= self._learn_at and self._learning.acquire(blocking=False):
            threading.Thread(target=self._try_to_learn, name="learn-intents", daemon=True).start()

    def _try_to_learn(self) -> None:
        try:
            self.learn()
        except EncodingFailedError as error:
            log.warning("%s", error.sentence())
        except Exception:
            log.exception("the examples could not be learned with %s", self._encoder.name)
        finally:
            self._learning.release()


def train_spared(examples: Sequence[Example], encoder: Encoder, vectors: Vectors | None = None) -> Classifier:
    """As :func:`agent.classifier.train`; with an encoder that has a spare, the classifier has one too.

    ``vectors`` are the examples' stored vectors of ``encoder``. Never raises EncodingFailedError.
    """
    if encoder.spare is None:
        return train(examples, encoder, vectors)
    spare = train(examples, encoder.spare)
    if len(spare.intents) < 2:
        # With nothing to tell apart, only a known encoder's cosines say how near a message is.
        return spare
    both = SparedClassifier(examples, encoder, spare)
    try:
        both.learn(vectors)
    except EncodingFailedError as error:
        log.warning("%s", error.sentence())
    return both
