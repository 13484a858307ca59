"""Words that are no slips: the frequent ones of Portuguese, Spanish and English.

The lists come inside the wheel ``pyspellchecker`` (MIT; counted in film subtitles). Its own correcting is not used: it
would put every name and product right.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib import resources
from typing import Final

import orjson

from agent.normalise import strip_accents

_LANGUAGES: Final = ("pt", "es", "en")
_LEAST: Final = 100
"""How often a word was counted at least. All others have the count 50, among them many slips."""


@cache
def common_words() -> frozenset[str]:
    """About 94,000 words in lower case, without accents. Takes a second and 10 MB, once per process."""
    folder = resources.files("spellchecker") / "resources"
    found: set[str] = set()
    for language in _LANGUAGES:
        counted = orjson.loads(gzip.decompress((folder / f"{language}.json.gz").read_bytes()))
        found.update(strip_accents(word) for word, count in counted.items() if count >= _LEAST)
    return frozenset(found)
