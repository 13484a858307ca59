"""Whether a word of a reply means what a word of a source means, in whichever of the languages either is.

Results have English keys and states (``flavors``, ``located``), replies have the customer's words ("sabores",
"localizada"). The sentence encoder sets single words of the three languages side by side: translations and synonyms are
nearer than 0.6 to each other, other words of the same trade ("radiator", "battery") are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent.claims.phrases import STOP
from agent.claims.sources import Sources
from agent.claims.text import folded

if TYPE_CHECKING:  # the web process reads claims without an encoder, and without numpy
    from agent.encoder import Vectors

SAME: Final = 0.62
"""From here on two words are taken for one."""
FAR: Final = 0.45
"""Below this, a word speaks of something else."""
_MOST_WORDS: Final = 240
"""Words of the sources that are compared: those of results first."""
_WORD: Final = re.compile(r"[^\W\d_]{3,}")


class WordEncoder(Protocol):
    def encode(self, texts: Sequence[str]) -> Vectors: ...


class Nearness:
    """How near words are to those of ``sources``. Asks ``encoder`` (which remembers) only for a word in doubt."""

    def __init__(self, encoder: WordEncoder, sources: Sources) -> None:
        self._encoder, self._sources = encoder, sources
        self._known: dict[bool, Vectors | None] = {}

    def __call__(self, word: str, *, results: bool = False) -> float:
        """The likeness of ``word``, as written, with the nearest word of the sources, or of results alone.

        At most 1; 0 without sources.
        """
        if results not in self._known:
            words = source_words(replace(self._sources, passages=(), texts=()) if results else self._sources)
            self._known[results] = self._encoder.encode(words) if words else None
        known = self._known[results]
        return 0.0 if known is None else float((known @ self._encoder.encode([word])[0]).max())

    def heard(self, word: str) -> float:
        """The likeness of ``word`` with the nearest word that the customer wrote, or of the names in the turn."""
        said = [each for text in (*self._sources.customer, *self._sources.names) for each in _words(text[:4_000])]
        if not said:
            return 0.0
        return float((self._encoder.encode(said[:_MOST_WORDS]) @ self._encoder.encode([word])[0]).max())

    def same(self, word: str, other: str) -> bool:
        """Whether two words mean the same."""
        one, two = self._encoder.encode([word, other])
        return float(one @ two) >= SAME


def source_words(sources: Sources) -> list[str]:
    """The words of results and texts that mean something, each once."""
    found: dict[str, None] = {}
    for text in source_texts(sources):
        for word in _words(text[:4_000]):
            found.setdefault(word)
            if len(found) >= _MOST_WORDS:
                return list(found)
    return list(found)


@lru_cache(maxsize=2_048)
def _words(text: str) -> tuple[str, ...]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
    words = (match[0].lower() for match in _WORD.finditer(apart))
    return tuple(word for word in words if folded(word).text not in STOP)


def source_texts(sources: Sources) -> Iterator[str]:
    """Names, keys and texts of what succeeded, then passages and the tenant's own texts, as written."""
    for call in sources.calls:
        if call.outcome in {"succeeded", "business_error"}:
            yield call.function
            yield from _leaves(call.result)
            yield from _leaves(call.arguments)
    for _, text in (*sources.passages, *sources.texts):
        yield text


def _leaves(found: Any) -> Iterable[str]:
    if isinstance(found, Mapping):
        for key, inner in found.items():
            if inner not in (None, "", False, 0, [], {}):
                yield str(key)
                yield from _leaves(inner)
    elif isinstance(found, list | tuple):
        for inner in found:
            yield from _leaves(inner)
    elif isinstance(found, str):
        yield found
