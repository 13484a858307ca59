"""What a browser calls itself, in the words that people know."""

from __future__ import annotations

import re

_DEVICES = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")


def device(name: str) -> str:
    """A User-Agent as ``Chrome · Linux``; else its beginning."""
    browser = next((known for mark, known in _DEVICES if mark in name), "")
    system = next((known for known in _SYSTEMS if known in name), "")
    short = " · ".join(filter(None, (browser, {"Macintosh": "macOS"}.get(system, system))))
    return short or re.sub(r"[^\w./ -]", "", name)[:60]
