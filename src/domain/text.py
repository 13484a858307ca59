"""Text from outside, made storable without losing what a person would read."""

from __future__ import annotations

from typing import Any

from domain.messages import MAX_TEXT_BYTES


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


def storable_json(value: Any) -> Any:
    """The same for all texts in a JSON value, keys included. Numbers that JSON cannot carry (NaN) become None."""
    match value:
        case str():
            return storable(value)[0]
        case dict():
            return {storable(str(key))[0]: storable_json(item) for key, item in value.items()}
        case list() | tuple():
            return [storable_json(item) for item in value]
        case float():
            return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124  NaN is unequal to itself
        case None | bool() | int():
            return value
        case _:
            return str(value)
