"""Passages of knowledge as they are read and sent: without the line ends that only their source file has."""

from __future__ import annotations

import re

_WRAPPED = re.compile(r"(?<=[^\s.!?:;|])[ \t]*\n[ \t]*(?=[^\s\-*•>|#\d])")


def flowing(text: str) -> str:
    """The text with the lines of a sentence joined; paragraphs, lists and tables stay."""
    return _WRAPPED.sub(" ", text)
