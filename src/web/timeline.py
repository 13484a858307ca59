"""A conversation in reading order: messages grouped by writer, day breaks, and what happened in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from store.notes import Note
from store.thread import SystemLine, ThreadMessage

_SAME_GROUP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Day:
    """A break before the first entry of a day."""

    at: datetime
    kind: str = "day"


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message; ``first`` and ``last`` of a run by the same writer decide on name and tail."""

    message: ThreadMessage
    first: bool
    last: bool
    kind: str = "bubble"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the system."""

    line: SystemLine
    kind: str = "line"


@dataclass(frozen=True, slots=True)
class NoteEntry:
    """A note for colleagues."""

    note: Note
    kind: str = "note"


Entry = Day | Bubble | Line | NoteEntry
_Item = ThreadMessage | SystemLine | Note


def timeline(
    messages: Sequence[ThreadMessage], lines: Sequence[SystemLine], zone: ZoneInfo, notes: Sequence[Note] = ()
) -> list[Entry]:
    """Merge messages (in their own order, which is the order of writing) with lines and notes, by time."""
    items: list[_Item] = []
    waiting: list[SystemLine | Note] = sorted([*lines, *notes], key=lambda one: one.at)
    for message in messages:
        while waiting and waiting[0].at < message.sent_at:
            items.append(waiting.pop(0))
        if message.content.get("late"):
            items.append(SystemLine(0, "message.late", None, message.sent_at))
        items.append(message)
    items.extend(waiting)

    entries: list[Entry] = []
    day = None
    for index, item in enumerate(items):
        at = item.sent_at if isinstance(item, ThreadMessage) else item.at
        if at.astimezone(zone).date() != day:
            day = at.astimezone(zone).date()
            entries.append(Day(at))
        if isinstance(item, SystemLine):
            entries.append(Line(item))
            continue
        if isinstance(item, Note):
            entries.append(NoteEntry(item))
            continue
        before = items[index - 1] if index else None
        after = items[index + 1] if index + 1 < len(items) else None
        entries.append(Bubble(item, first=not _together(before, item, zone), last=not _together(item, after, zone)))
    return entries


def _together(one: _Item | None, other: _Item | None, zone: ZoneInfo) -> bool:
    if not isinstance(one, ThreadMessage) or not isinstance(other, ThreadMessage):
        return False
    return (
        (one.author, one.writer, one.sender) == (other.author, other.writer, other.sender)
        and abs(other.sent_at - one.sent_at) < _SAME_GROUP
        and one.sent_at.astimezone(zone).date() == other.sent_at.astimezone(zone).date()
    )
