"""``make events``: the list of events in docs/outgoing-webhooks.md, as domain/event_kinds.py tells it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from domain.event_kinds import markdown


def main() -> None:
    """Replace the table in the file that is named."""
    file = Path(sys.argv[1])
    text, tables = re.subn(
        r"\| event \| tells of \|\n(?:\|.*\n)+", lambda _: f"{markdown()}\n", file.read_text("utf-8")
    )
    if tables != 1:
        raise SystemExit(f"{file} has no list of events")
    file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
