"""Regular expressions that others wrote: only those that end, whatever they are matched against."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

_LONGEST: Final = 300
_MANY: Final = 64
"""Repeats up to here cost little, whatever they repeat."""
_MOST_UNBOUNDED: Final = 2
"""Open repeats one after another: each is a power in the time that a mismatch takes."""
_REPEATS: Final = (codes.MAX_REPEAT, codes.MIN_REPEAT)


@lru_cache(maxsize=2048)
def usable_pattern(pattern: str) -> str | None:
    """The pattern as Python reads it; None where it is no regular expression or might take for ever."""
    if len(pattern) > _LONGEST:
        return None
    # JSON Schema means ECMA's dialect; the differences that matter for a form of a value are these.
    translated = re.sub(r"\\p\{L[a-z]?\}", r"[^\\W\\d_]", pattern).replace(r"\/", "/")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(translated)
            parsed = parser.parse(translated)
    except (re.error, RecursionError, OverflowError, Warning):
        return None
    try:
        return translated if _open_repeats(parsed, inside=False) <= _MOST_UNBOUNDED else None
    except _EndlessError:
        return None


class _EndlessError(ValueError):
    """A repeat within a repeat, or a look back at what was matched."""


def _open_repeats(parsed: Any, *, inside: bool) -> int:
    count = 0
    for operation, argument in parsed:
        if operation in _REPEATS:
            least, most, repeated = argument
            is_open = most > _MANY and most != least
            varies = most != least
            if inside and varies:
                raise _EndlessError
            count += is_open + _open_repeats(repeated, inside=inside or most > 1)
        elif operation in {codes.GROUPREF, codes.GROUPREF_EXISTS}:
            raise _EndlessError
        elif operation is codes.SUBPATTERN:
            count += _open_repeats(argument[-1], inside=inside)
        elif operation is codes.BRANCH:
            if inside and len(argument[1]) > 1 and any(len(branch) != 1 for branch in argument[1]):
                raise _EndlessError
            count += max(_open_repeats(branch, inside=inside) for branch in argument[1])
        elif operation in {codes.ASSERT, codes.ASSERT_NOT}:
            count += _open_repeats(argument[1], inside=inside)
    return count
