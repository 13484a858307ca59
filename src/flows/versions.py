"""Versions of what people and programs edit: a digest of just what can be edited.

Where a row has a counter of its own (contacts, intents, canned replies) that is the version. What is made of several
rows, or of a part of the tenant's settings, has a digest: every writer changes it, also an import and the command line.
"""

from __future__ import annotations

import hashlib
from typing import Final

import orjson

from domain.errors import ChangedMeanwhileError

ANY: Final = None
"""Instead of a version: whatever is there may be overwritten."""

NONE_YET: Final = ""
"""The version of what does not exist: a change based on it makes something new."""


def version_of(*edited: object) -> str:
    """16 hexadecimal digits."""
    written = orjson.dumps(edited, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return hashlib.sha256(written).hexdigest()[:16]


def check_version(what: str, based_on: str | None, now: str) -> None:
    """Raise ChangedMeanwhileError unless the change is based on the version that holds now, or on any."""
    if based_on is not ANY and based_on != now:
        raise ChangedMeanwhileError(what)
