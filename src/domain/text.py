"""Text from outside, made storable without losing what a person would read."""

from __future__ import annotations

import hashlib
from typing import Any

from domain.messages import MAX_TEXT_BYTES

_DEEPEST = 64
_LONGEST_KEY = 256
_TOO_DEEP = "(left out: nested too deeply)"
_SAFE_INTEGER = 2**63


def storable(text: str) -> tuple[str, list[str]]:
    """Return text that PostgreSQL can hold and a list of what had to be changed (empty for nearly all).

    NUL characters and lone surrogates, which no database text can carry, become U+FFFD; more than MAX_TEXT_BYTES is
    cut at a character boundary. Zero-width and right-to-left characters stay: they are part of what was written.
    """
    problems: list[str] = []
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
        problems.append("nul_characters_replaced")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        text = "".join("\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)
        data = text.encode()
        problems.append("invalid_unicode_replaced")
    if len(data) > MAX_TEXT_BYTES:
        problems.append(f"cut_from_{len(data)}_bytes")
        text = data[:MAX_TEXT_BYTES].decode(errors="ignore")
    return text, problems


def storable_key(text: str) -> str:
    """An id from outside as a key: itself, unless it is no storable text or too long for an index.

    What must be changed gets a digest of the original, so that different ids stay different.
    """
    kept, problems = storable(text)
    if not problems and len(kept) <= _LONGEST_KEY:
        return text
    return f"{kept[:_LONGEST_KEY]}~{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:32]}"


def storable_json(value: Any, *, depth: int = 0) -> Any:
    """The same for all texts in a JSON value, keys included.

    Numbers that JSON cannot carry (NaN) become None, integers beyond 64 bits text; what is nested too deeply to be
    written or read again is left out.
    """
    match value:
        case str():
            return storable(value)[0]
        case dict() | list() | tuple() if depth >= _DEEPEST:
            return _TOO_DEEP
        case dict():
            return {storable(str(key))[0]: storable_json(item, depth=depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [storable_json(item, depth=depth + 1) for item in value]
        case float():
            return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124  NaN is unequal to itself
        case int() if abs(value) >= _SAFE_INTEGER:
            return str(value)
        case None | bool() | int():
            return value
        case _:
            return str(value)
