"""Lists in parts: how many rows a part may have, and the opaque cursor that leads to the next."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import orjson

from domain.errors import InvalidInputError

Item = TypeVar("Item")

USUAL: Final = 50
MOST: Final = 200
"""Rows of a page, at most."""
_LONGEST: Final = 1000
_LAST_ID: Final = 2**63


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list; ``next_cursor`` None: there is no more."""

    items: list[Item]
    next_cursor: str | None


def page_of(found: Sequence[Item], limit: int, place: Callable[[Item], Sequence[object]]) -> Page[Item]:
    """A page of the first ``limit`` rows; one more was asked for. ``place``: what the next page begins after."""
    shown = list(found[:limit])
    return Page(shown, cursor_of(place(shown[-1])) if len(found) > limit and shown else None)


def checked_limit(given: int) -> int:
    """Rows wanted. Raises InvalidInputError."""
    if not 0 < given <= MOST:
        raise InvalidInputError("limit", f"must be 1 to {MOST}")
    return given


def cursor_of(place: Sequence[object]) -> str:
    """A place in a list as a text for the caller: points in time, ids, numbers, texts."""
    values = [
        one.isoformat() if isinstance(one, datetime) else one if isinstance(one, int) else str(one) for one in place
    ]
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def place_in(cursor: str | None, *kinds: type[Any]) -> tuple[Any, ...] | None:
    """What ``cursor_of`` was given, as values of ``kinds``; None without a cursor. Raises InvalidInputError."""
    if not cursor:
        return None
    bad = InvalidInputError("cursor", "is none of ours", hint="Send next_cursor of the page before, as it is.")
    try:
        packed = base64.b64decode(cursor[:_LONGEST] + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = orjson.loads(packed)
        if isinstance(values, list) and len(values) == len(kinds):
            return tuple(_READERS[kind](value) for kind, value in zip(kinds, values, strict=True))
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError):
        raise bad from None
    raise bad


def _moment(value: Any) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(value)
    return at


def _id(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _LAST_ID:
        raise ValueError(value)
    return value


def _words(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value


_READERS: Final[dict[type[Any], Callable[[Any], Any]]] = {datetime: _moment, int: _id, str: _words, UUID: UUID}
