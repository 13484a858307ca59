"""The third encoder: any OpenAI-compatible embedding endpoint, with a local encoder to answer while it does not.

A customer's message must not wait for an endpoint that is slow or down: one deadline over all attempts, and after a
failure nobody asks for a while; then one asks and finds out for all. Whoever calls gets EncodingFailedError at once and
takes the ``spare``; :class:`agent.spared_classifier.SparedClassifier` does so.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.encoder import Encoder, EncodingFailedError, LocalEncoder, Vectors

if TYPE_CHECKING:
    from openai import OpenAI

STORED: Final = 1_024
"""Dimensions of the vectors handed out: what the database stores. Narrower ones are padded, wider ones projected."""
_PER_REQUEST: Final = 64
_CACHED_TEXTS: Final = 4_096
_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_ATTEMPTS: Final = 2
_PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class EmbeddingEndpoint:
    """Where embeddings come from."""

    model: str
    base_url: str
    api_key: str = field(default="", repr=False)
    dimensions: int | None = None
    """Asked of models that can shorten their vectors; None: as many as they have."""
    timeout_seconds: float = 2.0
    """For one message, all attempts together. Each further request of a long list gets as much again."""
    rest_seconds: float = 20.0
    """How long nobody asks after a failure."""


class EndpointEncoder:
    """Vectors from an endpoint; ``encode`` blocks, so it is called from threads. Raises EncodingFailedError."""

    dim = STORED
    parts: Sequence[tuple[int, float]] = ((STORED, 1.0),)

    def __init__(self, endpoint: EmbeddingEndpoint, spare: LocalEncoder) -> None:
        self._endpoint = endpoint
        where = hashlib.sha256(f"{endpoint.base_url}\0{endpoint.dimensions or 0}".encode()).hexdigest()[:8]
        self.name = f"endpoint:{endpoint.model}:{where}"
        self._spare = spare
        self.spare: Encoder | None = spare
        self._seen: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()
        self._client: OpenAI | None = None
        self._width: int | None = None
        self._resting_until = -math.inf
        self._problem = ""

    @property
    def for_passages(self) -> Encoder:
        """The spare's."""
        return self._spare.for_passages

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row per text, L2-normalised, STORED wide."""
        with self._lock:
            known = {text: self._seen[text] for text in dict.fromkeys(texts) if text in self._seen}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        for start in range(0, len(new), _PER_REQUEST):
            batch = new[start : start + _PER_REQUEST]
            known |= zip(batch, self._asked(batch), strict=True)
        with self._lock:
            for text, vector in known.items():
                self._seen[text] = vector
                self._seen.move_to_end(text)
            while len(self._seen) > _CACHED_TEXTS:
                self._seen.popitem(last=False)
        return np.array([known[text] for text in texts], dtype=np.float32).reshape(len(texts), STORED)

    def forget(self) -> None:
        """Empty the memory of texts."""
        with self._lock:
            self._seen.clear()

    def _asked(self, texts: Sequence[str]) -> Vectors:
        with self._lock:
            now = time.monotonic()
            if now < self._resting_until:
                raise EncodingFailedError(f"{self._problem}, a moment ago")
            if self._problem:
                # Whoever comes first finds out whether it is back; the others go on resting meanwhile.
                self._resting_until = now + self._endpoint.rest_seconds
        try:
            vectors = _usable(self._request(texts), len(texts))
            self._check_width(vectors.shape[1])
        except EncodingFailedError as error:
            self._problem = error.problem
            self._resting_until = time.monotonic() + self._endpoint.rest_seconds
            raise
        self._problem, self._resting_until = "", -math.inf
        return _stored(vectors)

    def _check_width(self, width: int) -> None:
        if self._width not in {None, width}:
            raise EncodingFailedError(f"vectors have {width} numbers, earlier ones {self._width}")
        self._width = width

    def _request(self, texts: Sequence[str]) -> Sequence[Any]:
        """The wire's embeddings, in the order of ``texts``."""
        import openai  # noqa: PLC0415 - half a second, only where an endpoint is set

        deadline = time.monotonic() + self._endpoint.timeout_seconds
        asked = [text.encode("utf-8", "replace").decode() or " " for text in texts]
        for attempt in range(1, _ATTEMPTS + 1):
            left = max(0.05, deadline - time.monotonic())
            try:
                return _in_order(_within(left, partial(self._create, asked, left)))
            except openai.APIStatusError as error:
                problem = f"status {error.status_code}"
                again = error.status_code in _RETRYABLE or error.status_code >= 500
            except (openai.APITimeoutError, TimeoutError):
                problem, again = "no answer in time", False
            except openai.APIError as error:
                problem, again = type(error).__name__, True
            except (ValueError, TypeError, AttributeError, KeyError):
                # The client hands through whatever came as long as it was JSON.
                problem, again = "an answer that holds no embeddings", True
            if not again or attempt == _ATTEMPTS or time.monotonic() + _PAUSE_SECONDS >= deadline:
                break
            time.sleep(_PAUSE_SECONDS)
        raise EncodingFailedError(problem)

    def _create(self, texts: list[str], seconds: float) -> Any:
        import openai  # noqa: PLC0415

        dimensions = self._endpoint.dimensions or openai.omit
        create = self._connected().embeddings.create
        return create(
            model=self._endpoint.model, input=texts, dimensions=dimensions, encoding_format="base64", timeout=seconds
        )

    def _connected(self) -> OpenAI:
        with self._lock:
            if self._client is None:
                from openai import OpenAI  # noqa: PLC0415

                self._client = OpenAI(
                    api_key=self._endpoint.api_key or "none", base_url=self._endpoint.base_url, max_retries=0
                )
            return self._client


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """What ``work`` returns or raises; TimeoutError after ``seconds``, even from a server that drips its answer."""
    done: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except Exception as error:
            done.put((None, error))

    threading.Thread(target=run, name="embed", daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result


def _in_order(answer: Any) -> list[Any]:
    found = sorted(answer.data, key=lambda one: one.index)
    if [one.index for one in found] != list(range(len(found))):
        raise ValueError("indices")
    return [one.embedding for one in found]


def _usable(embeddings: Sequence[Any], wanted: int) -> Vectors:
    """The wire's embeddings (numbers, or base64 of them) as rows. Raises EncodingFailedError."""
    if len(embeddings) != wanted:
        raise EncodingFailedError(f"{len(embeddings)} vectors for {wanted} texts")
    try:
        rows = [_numbers(one) for one in embeddings]
        vectors = np.array(rows, dtype=np.float32)
    except (ValueError, TypeError, binascii.Error) as error:
        raise EncodingFailedError("an answer whose vectors cannot be read") from error
    if vectors.ndim != 2 or vectors.shape[1] == 0 or not np.isfinite(vectors).all():
        raise EncodingFailedError("vectors that are empty or not finite")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (lengths < 1e-9).any():
        raise EncodingFailedError("vectors of nothing but zeros")
    return np.asarray(vectors / lengths, dtype=np.float32)


def _numbers(embedding: Any) -> Any:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return embedding


def _stored(vectors: Vectors) -> Vectors:
    """As wide as the database stores, with nearly the same angles between them."""
    width = vectors.shape[1]
    if width <= STORED:
        return np.pad(vectors, ((0, 0), (0, STORED - width)))
    # Signs from a hash: the same projection in every process and version.
    bits = hashlib.shake_256(f"atende embeddings {width}".encode()).digest(width * STORED // 8)
    signs = np.unpackbits(np.frombuffer(bits, np.uint8)).reshape(width, STORED).astype(np.float32) * 2 - 1
    projected = vectors @ signs
    return np.asarray(projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-9))
