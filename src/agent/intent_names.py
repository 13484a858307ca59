"""What an intent's name says, as one more example of it: "order_status" is about the status of an order."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from agent.encoder import Encoder, Vectors
from agent.lexicon import common_words
from agent.normalise import normalise

_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_LETTERS: Final = re.compile(r"[\W\d_]+")
_SHORTEST_WORD: Final = 3
_REMEMBERED: Final = 4_096

_vectors: OrderedDict[tuple[str, str], Vectors] = OrderedDict()
_lock = threading.Lock()


def readable_name(name: str) -> str:
    """The words of a name, or "" where it has none of three languages ("intent_17", "xpto"): it would only mislead."""
    said = normalise(_NO_LETTERS.sub(" ", _HUMP.sub(" ", name)))
    known = any(len(word) >= _SHORTEST_WORD and word in common_words() for word in said.split() if word != "intent")
    return said if known else ""


def named_vectors(names: Sequence[str], encoder: Encoder) -> dict[int, tuple[str, Vectors]]:
    """Readable names by their place in ``names``, with their vectors, which this process remembers.

    None for an encoder behind a network, which is asked for examples only.
    """
    if encoder.spare is not None:
        return {}
    texts = {place: text for place, name in enumerate(names) if (text := readable_name(name))}
    with _lock:
        # One by one: the last digits of a vector hang on what was encoded along with it, and a process that knew some
        # of the names already would classify a hair differently from one that did not.
        for text in sorted(set(texts.values())):
            if (encoder.name, text) not in _vectors:
                _vectors[encoder.name, text] = encoder.encode([text])[0]
        found = {place: (text, _vectors[encoder.name, text]) for place, text in texts.items()}
        while len(_vectors) > _REMEMBERED:
            _vectors.popitem(last=False)
    return found
