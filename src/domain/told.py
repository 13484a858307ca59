"""Sentences in English for programs and the command line, which pages can say in other languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Told(str):
    """``english`` with ``values`` filled in for its names in braces: everywhere a plain text.

    Besides, it says what ``kind`` of sentence it is, by which pages find their own words for it
    (web/complaints.py): nobody has to recognise it by its wording.
    """

    kind: str
    values: Mapping[str, str]

    def __new__(cls, kind: str, english: str, /, **values: object) -> Told:
        told = super().__new__(cls, english.format(**values))
        told.kind = kind
        told.values = {name: str(value) for name, value in values.items()}
        return told


def told_of(error: BaseException) -> str:
    """What an error says, still as Told where it was raised with one."""
    said = error.args[0] if error.args else None
    return said if isinstance(said, Told) else str(error)


def told_of_detail(detail: Mapping[str, Any]) -> str:
    """The same of one of pydantic's errors."""
    return told_of(detail["ctx"]["error"]) if detail["type"] == "value_error" else str(detail["msg"])
