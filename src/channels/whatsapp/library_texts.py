"""What the library calls things, and what it says of its errors."""

from __future__ import annotations

from typing import Any


def enum_name(event: Any, field: str) -> str:
    """The name of an event's enumerated field, in small letters; its number where it has none."""
    if not event.HasField(field):
        return "no reason given"
    value: int = getattr(event, field)
    names = event.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return names[value].name.lower() if value in names else str(value)


def text_of(error: BaseException) -> str:
    """The library's errors keep Go's text as first argument, or the answer that holds it."""
    told = error.args[0] if error.args else error
    return str(getattr(told, "Error", told))
