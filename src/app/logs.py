"""One readable line per log record, with the process's name and without what customers wrote.

Messages of library exceptions may quote rows, texts or phone numbers; so an exception is told by its class and the
place it came from, except at level ``debug``. Whatever the level and whoever logs, personal data are masked in the
finished line: a filter on records would not see tracebacks, nor what stands in their arguments.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

from domain.errors import AtendeError
from domain.personal_data import redact

_OURS = Path(__file__).parents[1]
_QUIET = ("alembic", "httpx", "httpx2", "httpcore", "httpcore2", "mcp", "openai", "asyncio", "procrastinate", "uvicorn")
_Info = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class OneLine(logging.Formatter):
    """``12:34:56 worker WARNING flows.turn: message``; a person's screen is no place for dates."""

    def __init__(self, process: str, *, whole_tracebacks: bool) -> None:
        super().__init__(f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        self._whole = whole_tracebacks

    def formatException(self, ei: _Info) -> str:  # noqa: N802 - logging's own name
        """The exception in one line, or whole."""
        if self._whole or ei[1] is None:
            return super().formatException(ei)
        return describe(ei[1])

    def format(self, record: logging.LogRecord) -> str:
        """The record; a caller's line breaks become visible instead of looking like further records."""
        text = redact(super().format(record))
        return text if self._whole else text.replace("\n", " | ").replace("\r", " ")


def describe(error: BaseException) -> str:
    """Class and place of an exception and of its causes; the words only of errors that are ours or the system's."""
    parts = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        words = f" ({current})" if isinstance(current, AtendeError | OSError | ImportError) else ""
        parts.append(f"{type(current).__module__}.{type(current).__qualname__}{words}{_place(current)}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return " from ".join(parts)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_OURS)]
    if not frames:
        return ""
    frame = (ours or frames)[-1]
    return f" at {Path(frame.filename).name}:{frame.lineno} in {frame.name}"


def configure_logging(process: str, level: str) -> None:
    """Send all records of this process to stderr, libraries' from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(process, whole_tracebacks=level == "debug"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.captureWarnings(True)
