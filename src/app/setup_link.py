"""What an empty installation tells whoever started it: the link that begins the first account."""

from __future__ import annotations

from app.settings import Settings
from domain.setup_token import setup_token


def setup_lines(settings: Settings, url: str) -> list[str]:
    """Lines to print. ``url``: where the pages are reached."""
    return [
        "Set it up in the browser; this link works until the first account exists:",
        f"  {url}/setup?token={setup_token(settings.secret)}",
    ]
