"""The audit trail as administrators read it: who did what, when, and what was before and after."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from store import audit as store
from store.database import Database, Row
from store.event_families import AUDIT_FAMILIES

FAMILIES: Final = AUDIT_FAMILIES
_PAGE: Final = 50
_AT_ONCE: Final = 1000
_ID_CHARACTERS: Final = 36
_MOST_ROWS: Final = 100_000
_COLUMNS: Final = ("id", "time", "actor", "person", "event", "field", "before", "after", "details")


@dataclass(frozen=True, slots=True)
class Change:
    """A field before and after, as JSON; None: there was nothing."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail. ``person``: the name behind ``actor``, if it is somebody of this tenant."""

    id: int
    kind: str
    actor: str
    person: str
    at: datetime
    changes: tuple[Change, ...]
    facts: Mapping[str, Any]
    """What else is known of it: JSON by name, nothing empty."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What is wanted: families of kinds, one actor, days (inclusive, in the tenant's zone)."""

    family: str = ""
    actor: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first; ``next`` is the cursor of the page after this one. ``actors``: (actor, name)."""

    entries: tuple[Entry, ...]
    next: int | None
    actors: tuple[tuple[str, str], ...]
    zone: ZoneInfo


class AuditTrail:
    """Reads the trail."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(
        self,
        tenant_id: UUID,
        wanted: AuditFilter,
        *,
        before: int | None = None,
        at_most: int = _PAGE,
        readable: bool = True,
    ) -> AuditPage:
        """The newest entries older than ``before``. ``readable``: with names instead of ids."""
        async with self._db.transaction(tenant_id) as tx:
            zone = ZoneInfo(await tx.fetchval("SELECT timezone FROM tenant WHERE id = $1", tenant_id))
            actors = [(row["actor"], row["name"]) for row in await store.actors(tx)]
            rows = await store.entries(tx, **_asked(wanted, zone), before=before, at_most=at_most + 1)
            found = [entry_of(row) for row in rows[:at_most]]
            names = await store.names(tx, [one for entry in found for one in _ids(entry)])
        more = rows[at_most - 1]["id"] if len(rows) > at_most else None
        told = [_readable(entry, names) for entry in found] if readable else found
        return AuditPage(tuple(told), more, tuple(actors), zone)

    async def as_csv(self, tenant_id: UUID, wanted: AuditFilter) -> AsyncIterator[str]:
        """All of it as CSV, the newest first, at most 100,000 entries: a line for each changed field."""
        async with self._db.transaction(tenant_id) as tx:
            zone = ZoneInfo(await tx.fetchval("SELECT timezone FROM tenant WHERE id = $1", tenant_id))
        yield "\ufeff" + _line(_COLUMNS)  # the mark by which spreadsheets know UTF-8
        before: int | None = None
        for _ in range(_MOST_ROWS // _AT_ONCE):
            async with self._db.transaction(tenant_id) as tx:
                rows = await store.entries(tx, **_asked(wanted, zone), before=before, at_most=_AT_ONCE)
            yield "".join(line for row in rows for line in _lines(entry_of(row), zone))
            if len(rows) < _AT_ONCE:
                return
            before = rows[-1]["id"]


def entry_of(row: Row | Mapping[str, Any]) -> Entry:
    """An event as a line of the trail. ``changes`` in its payload are pairs [before, after] by field."""
    payload = dict(row["payload"])
    changes = payload.pop("changes", None)
    pairs = changes if isinstance(changes, Mapping) else {}
    read = tuple(
        Change(str(field), _kept(pair[0]), _kept(pair[1]))
        for field, pair in pairs.items()
        if isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2
    )
    facts = {name: kept for name, value in payload.items() if (kept := _kept(value)) is not None}
    return Entry(row["id"], row["kind"], row["actor"], row["person"], row["created_at"], read, facts)


def _asked(wanted: AuditFilter, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "families": [wanted.family] if wanted.family in FAMILIES else None,
        "actor": wanted.actor or None,
        "since": datetime.combine(wanted.since, time(), zone) if wanted.since else None,
        "until": datetime.combine(wanted.until + timedelta(days=1), time(), zone) if wanted.until else None,
    }


def _kept(value: Any) -> Any:
    return None if value is None or value in ("", [], {}) else value


def _ids(entry: Entry) -> list[UUID]:
    found: list[UUID] = []
    _walked([*entry.facts.values(), *((one.before, one.after) for one in entry.changes)], found.append)
    return found


def _walked(value: Any, on_id: Callable[[UUID], Any]) -> Any:
    """The same JSON with each id replaced by what ``on_id`` says, if it says anything."""
    if isinstance(value, str) and len(value) == _ID_CHARACTERS:
        with contextlib.suppress(ValueError):
            return on_id(UUID(value)) or value
    if isinstance(value, list | tuple):
        return [_walked(one, on_id) for one in value]
    return {name: _walked(one, on_id) for name, one in value.items()} if isinstance(value, Mapping) else value


def _readable(entry: Entry, names: Mapping[UUID, str]) -> Entry:
    """The same for people: names of what ids stand for, where they are not said already; other ids mean nothing."""
    said = [one for one in entry.facts.values() if isinstance(one, str)]
    facts = {name: _walked(value, names.get) for name, value in entry.facts.items()}
    kept = {
        name: value
        for name, value in facts.items()
        if (value not in said if value != entry.facts[name] else not (name == "id" or name.endswith("_id")))
    }
    changes = [
        replace(one, before=_walked(one.before, names.get), after=_walked(one.after, names.get))
        for one in entry.changes
    ]
    return replace(entry, facts=kept, changes=tuple(changes))


def _said(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()


def _lines(entry: Entry, zone: ZoneInfo) -> list[str]:
    details = "; ".join(f"{name}={_said(value)}" for name, value in entry.facts.items())
    start = (entry.id, entry.at.astimezone(zone).isoformat(timespec="seconds"), entry.actor, entry.person, entry.kind)
    rows = [(one.field, _said(one.before), _said(one.after)) for one in entry.changes] or [("", "", "")]
    return [_line((*start, *row, details)) for row in rows]


def _line(values: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_harmless("" if value is None else str(value)) for value in values])
    return out.getvalue()


def _harmless(value: str) -> str:
    """A spreadsheet must not take what a customer wrote for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
