"""Files as people speak of them: what kind one is, how large, and whether it can be looked at here."""

from __future__ import annotations

import re

from babel.numbers import format_decimal

from domain import media

SHOWN_FILES = media.SHOWN
"""MIME types that a page shows by itself."""
READ_FILES = media.READ_IN_TAB
"""MIME types that a tab of their own shows."""
_TYPES = {
    media.UNKNOWN: "",
    "text/plain": "TXT",
    "application/msword": "DOC",
    "application/vnd.ms-excel": "XLS",
    "application/vnd.ms-powerpoint": "PPT",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "DOCX",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "XLSX",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PPTX",
    "application/vnd.oasis.opendocument.text": "ODT",
    "application/vnd.oasis.opendocument.spreadsheet": "ODS",
}
_KIND = re.compile(r"^\[\w+\]\s*")
_LONGEST_TYPE = 8
_STEP = 1000


def captioned(preview: str) -> str:
    """A list's line about a file without the kind that other systems are told in words: ``[document] menu.pdf``."""
    return _KIND.sub("", preview)


def file_type(mime_type: str) -> str:
    """As people call a type, which is mostly how its files end; "" for bytes of no known type."""
    known = _TYPES.get(mime_type, mime_type.rpartition("/")[2].upper())
    return known if len(known) <= _LONGEST_TYPE else ""


def file_size(size_bytes: int, locale: str) -> str:
    """12 bytes, 3,4 kB, 1,2 MB."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB"):
        if size < _STEP:
            break
        size, unit = size / _STEP, larger
    return f"{format_decimal(size, '#,##0' if unit == 'bytes' else '#,##0.#', locale=locale)} {unit}"
