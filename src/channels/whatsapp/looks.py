"""What a message shows of its file before the file is opened: the sender's own miniature of it, and its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.media import miniature

from .baileys import whole_number

LOOKS = ("preview", "pages")
"""Names in ``MediaReference.extra``: a small JPEG as base64; how many pages a document has."""
_MOST_PAGES = 100_000


def looks(picture: object, pages: object = None) -> dict[str, Any]:
    """Those of LOOKS that the sender's device told."""
    found: dict[str, Any] = {"preview": text} if (text := miniature(picture)) else {}
    count = whole_number(pages)
    if count is not None and 0 < count <= _MOST_PAGES:
        found["pages"] = count
    return found


def looks_of(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Those that another reader of the same message has found."""
    return {name: extra[name] for name in LOOKS if name in extra}
