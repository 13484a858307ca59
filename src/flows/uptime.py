"""How long each number was connected, from the event log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from domain.messages import SessionStatus
from store.database import Connection, Row
from store.report_figures import session_events
from store.report_sources import Question

_NEVER = timedelta(0)


async def uptime(tx: Connection, question: Question) -> list[dict[str, Any]]:
    """First the whole (all numbers' time together), then each number: seconds ``up`` of those ``known``, ``outages``.

    A number's time begins when it was made. Before its first change of status is recorded nothing is known, but for a
    simulated one, which is connected from its beginning.
    """
    rows = [_spent(row, question) for row in await session_events(tx, question)]
    up, known = sum(row["up"] for row in rows), sum(row["known"] for row in rows)
    whole = {"up": up, "known": known, "outages": sum(row["outages"] for row in rows), "share": _share(up, known)}
    return [whole, *rows]


def _spent(row: Row, question: Question) -> dict[str, Any]:
    start, end = max(question.start, row["created_at"]), min(question.end, question.now)
    up = known = _NEVER
    outages, was_up = 0, False
    for status, since, until in _spells(row, end):
        is_up = status == SessionStatus.CONNECTED
        if was_up and not is_up and since >= start:
            outages += 1
        was_up = is_up
        length = max(until - max(since, start), _NEVER)
        known += length
        up += length if is_up else _NEVER
    seconds, whole = up.total_seconds(), known.total_seconds()
    return {
        "key": str(row["id"]),
        "label": row["name"],
        "up": seconds,
        "known": whole,
        "outages": outages,
        "share": _share(seconds, whole),
    }


def _spells(row: Row, end: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """Each status with when it began and ended."""
    changes: Sequence[tuple[str, datetime]] = [(status, datetime.fromisoformat(at)) for at, status in row["changes"]]
    if row["provider"] == "simulator":
        changes = [(SessionStatus.CONNECTED, row["created_at"]), *changes]
    for (status, since), (_, until) in zip(changes, [*changes[1:], ("", end)], strict=True):
        yield status, since, min(until, end)


def _share(up: float, known: float) -> float | None:
    return up / known if known else None
