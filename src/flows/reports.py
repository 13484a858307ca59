"""Reports: figures about a tenant's work over a range of days, compared with the range before.

What a figure counts is in store/report_figures.py; here it is asked for, completed (days without anything are shown
too) and given names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.errors import InvalidInputError, NotFoundError
from domain.text import storable
from flows.report_range import DateRange, open_times, read_range
from flows.tenant_profile import profile_of
from flows.uptime import uptime
from store import report_figures as store
from store import report_sources as sources
from store.database import Connection, Database
from store.report_sources import Question, Source

Unit = Literal["count", "share", "seconds", "money", "score"]
GROUPS: Final = ("day", "number", "team", "operator", "intent", "reason")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a figure: its name in JSON and CSV, and what it measures (seconds, shares from 0 to 1 …)."""

    name: str
    unit: Unit = "count"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: its columns, how it is usually grouped, what its chart draws."""

    name: str
    headline: str
    """The column that is shown large."""
    columns: tuple[Column, ...]
    usual: str
    chart: tuple[Literal["bar", "stacked", "line"], tuple[str, ...]]
    source: Source | None
    """None: one row for each number, from the event log."""

    def takes(self, name: str) -> bool:
        """Whether it can be filtered or grouped by ``name``."""
        return name in {"number", "team"} if self.source is None else self.source.takes(name)

    def groups(self) -> tuple[str, ...]:
        """All that it can be grouped by."""
        return ("number",) if self.source is None else tuple(name for name in GROUPS if self.source.takes(name))


def _columns(counts: str, **units: Unit) -> tuple[Column, ...]:
    return tuple(Column(name, units.get(name, "count")) for name in counts.split())


_TIMES: Final[dict[str, Unit]] = {
    f"{part}{name}": "seconds" for part in ("", "open_", "shut_", "person_", "wait_") for name in ("median", "p90")
}
FIGURES: Final[dict[str, Figure]] = {
    figure.name: figure
    for figure in (
        Figure(
            "conversations",
            "opened",
            _columns("opened handed_off with_person closed"),
            "day",
            ("bar", ("opened", "handed_off")),
            sources.OPENED,
        ),
        Figure(
            "automatic_resolution",
            "share",
            _columns("closed not_yet_known known automatic with_person reopened unresolved share", share="share"),
            "day",
            ("stacked", ("automatic", "with_person", "reopened", "unresolved", "not_yet_known")),
            sources.CLOSED,
        ),
        Figure(
            "suggestions",
            "share",
            _columns(
                "eligible accepted edited rejected expired withdrawn waiting share share_with_edited",
                share="share",
                share_with_edited="share",
            ),
            "day",
            ("stacked", ("accepted", "edited", "rejected", "expired")),
            sources.SUGGESTIONS,
        ),
        Figure(
            "first_answer",
            "median",
            _columns(
                "asked answered by_bot median p90 open_count open_median open_p90 shut_count shut_median shut_p90 "
                "person_count person_median person_p90",
                **_TIMES,
            ),
            "day",
            ("line", ("median", "p90")),
            sources.OPENED,
        ),
        Figure(
            "handling",
            "median",
            _columns(
                "handled median p90 open_count open_median open_p90 shut_count shut_median shut_p90 "
                "waited wait_median wait_p90",
                **_TIMES,
            ),
            "day",
            ("line", ("median", "p90")),
            sources.CLOSED,
        ),
        Figure(
            "handoffs",
            "handoffs",
            _columns("handoffs claimed wait_median wait_p90", **_TIMES),
            "reason",
            ("bar", ("handoffs",)),
            sources.HANDOFFS,
        ),
        Figure(
            "intents",
            "share",
            _columns("turns confidence automatic suggested handed_off share", confidence="share", share="share"),
            "intent",
            ("stacked", ("automatic", "suggested", "handed_off")),
            sources.TURNS,
        ),
        Figure("costs", "cost", _columns("cost tokens calls", cost="money"), "day", ("bar", ("cost",)), sources.TURNS),
        Figure(
            "deliveries",
            "share",
            _columns("messages sent failed unknown cancelled under_way share", share="share"),
            "day",
            ("stacked", ("failed", "unknown", "cancelled")),
            sources.OUTBOX,
        ),
        Figure(
            "sessions_up",
            "share",
            _columns("up known outages share", up="seconds", known="seconds", share="share"),
            "number",
            ("bar", ("share",)),
            None,
        ),
        Figure(
            "satisfaction",
            "average",
            _columns(
                "asked answered share average score_1 score_2 score_3 score_4 score_5", share="share", average="score"
            ),
            "day",
            ("stacked", ("score_1", "score_2", "score_3", "score_4", "score_5")),
            sources.SATISFACTION,
        ),
    )
}
"""Every figure, in the order of the page."""

PARAMETERS: Final = ("from", "to", "number", "team", "operator", "intent", "by")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, as it came."""

    first: str | None = None
    last: str | None = None
    number: str | None = None
    team: str | None = None
    operator: str | None = None
    intent: str | None = None
    by: str | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Wish:
        """From a query (PARAMETERS); an empty value is none."""
        given = [query.get(name) or None for name in PARAMETERS]
        return cls(*given)

    def filters(self) -> dict[str, str]:
        """What it is narrowed to."""
        named = {"number": self.number, "team": self.team, "operator": self.operator, "intent": self.intent}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Counted:
    """A figure, counted. ``rows`` hold ``key``, ``label`` and columns; ``ignored``: filters it does not take."""

    figure: Figure
    days: DateRange
    by: str
    total: Mapping[str, Any]
    before: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    ignored: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the API: seconds, shares from 0 to 1, money in millionths."""
        earlier = self.days.before()
        return {
            "figure": self.figure.name,
            "range": {"from": str(self.days.first), "to": str(self.days.last), "timezone": self.days.zone.key},
            "before_range": {"from": str(earlier.first), "to": str(earlier.last), "timezone": self.days.zone.key},
            "by": self.by,
            "ignored_filters": list(self.ignored),
            "columns": [{"name": column.name, "unit": column.unit} for column in self.figure.columns],
            "total": dict(self.total),
            "before": dict(self.before),
            "rows": [dict(row) for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to filter by."""

    value: str
    name: str


class Reports:
    """Counts figures. Raises InvalidInputError for a range or filter that makes no sense."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._db = db
        self._clock = clock

    async def days(self, tenant_id: UUID, wish: Wish) -> DateRange:
        """The days that are asked for."""
        async with self._db.transaction(tenant_id) as tx:
            zone = await tx.fetchval("SELECT timezone FROM tenant WHERE id = $1", tenant_id)
        return read_range(wish.first, wish.last, ZoneInfo(zone), self._clock())

    async def choices(self, tenant_id: UUID) -> dict[str, list[Choice]]:
        """What there is to filter by: numbers, teams, operators, intents."""
        async with self._db.transaction(tenant_id) as tx:
            found = {
                "number": await tx.fetch("SELECT id::text AS value, name FROM channel_session ORDER BY name, id"),
                "team": await tx.fetch("SELECT id::text AS value, name FROM team ORDER BY name, id"),
                "operator": await tx.fetch(
                    """SELECT u.id::text AS value, u.name FROM user_account u JOIN membership m ON m.user_id = u.id
                        WHERE m.tenant_id = $1 ORDER BY u.name, u.id""",
                    tenant_id,
                ),
                "intent": await tx.fetch("SELECT name AS value, name FROM intent ORDER BY name"),
            }
        return {name: [Choice(row["value"], row["name"]) for row in rows] for name, rows in found.items()}

    async def count(self, tenant_id: UUID, name: str, wish: Wish) -> Counted:
        """One figure over the range, grouped, and in total for the range before. Raises NotFoundError, too."""
        figure = FIGURES.get(name)
        if figure is None:
            raise NotFoundError("figure", name)
        by = wish.by if wish.by in figure.groups() else figure.usual
        if wish.by and wish.by not in GROUPS:
            raise InvalidInputError("by", f"must be one of {', '.join(GROUPS)}")
        async with self._db.transaction(tenant_id) as tx:
            # One view of the rows for all parts of it: totals and rows must agree while messages come in.
            await tx.execute(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                "SET LOCAL max_parallel_workers_per_gather = 2"
            )
            tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
            days = read_range(wish.first, wish.last, ZoneInfo(tenant["timezone"]), self._clock())
            ignored = tuple(key for key in wish.filters() if not figure.takes(key))
            hours = profile_of(tenant).hours
            question = _question(wish, days, self._clock(), ignored, open_times(hours, days))
            earlier = replace(
                question, start=days.before().start, end=days.before().end, hours=open_times(hours, days.before())
            )
            if figure.source is None:
                spells = await uptime(tx, question)
                return Counted(figure, days, by, spells[0], (await uptime(tx, earlier))[0], spells[1:], ignored)
            (before,) = await store.COUNTS[name](tx, earlier)
            total, rows = await store.both(tx, name, figure.source, replace(question, by=by))
            names = await _names(tx, by, [row["key"] for row in rows])
        labelled = [
            {**_without_key(row), "key": row["key"], "label": names.get(row["key"] or "", row["key"])} for row in rows
        ]
        if by == "day":
            labelled = _every_day(figure, days, labelled)
        elif by in {"reason", "intent"}:
            labelled.sort(key=lambda row: (-(row[figure.columns[0].name] or 0), row["key"] or ""))
        return Counted(figure, days, by, _without_key(total), _without_key(before), labelled, ignored)


def _question(wish: Wish, days: DateRange, now: datetime, ignored: Sequence[str], hours: str) -> Question:
    def identity(name: str, value: str | None) -> UUID | None:
        if value is None or name in ignored:
            return None
        try:
            return UUID(value)
        except ValueError:
            raise InvalidInputError(name, f"{value[:40]!r} is no id", hint="Choose one of the list.") from None

    return Question(
        days.start,
        days.end,
        days.zone.key,
        now,
        identity("number", wish.number),
        identity("team", wish.team),
        identity("operator", wish.operator),
        None if "intent" in ignored or wish.intent is None else storable(wish.intent)[0],
        hours=hours,
    )


async def _names(tx: Connection, by: str, keys: Sequence[str | None]) -> dict[str, str]:
    wanted = [UUID(key) for key in keys if key] if by in {"number", "team", "operator"} else []
    if not wanted:
        return {}
    table = {"number": "channel_session", "team": "team", "operator": "user_account"}[by]
    return {
        str(row["id"]): row["name"]
        for row in await tx.fetch(f"SELECT id, name FROM {table} WHERE id = ANY ($1::uuid[])", wanted)
    }


def _every_day(figure: Figure, days: DateRange, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    known = {row["key"]: row for row in rows}
    nothing = {column.name: 0 if column.unit in {"count", "money"} else None for column in figure.columns}
    return [known.get(day, {"key": day, **nothing, "label": day}) for day in days.each()]


def _without_key(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"key", "whole"}}
