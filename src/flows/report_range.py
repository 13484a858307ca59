"""The days a report is about, in the tenant's own zone, and when the business was open in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from agent.hours import spans_of
from agent.turn import BusinessHours
from domain.errors import InvalidInputError

USUAL_DAYS: Final = 30
MOST_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class DateRange:
    """Whole local days, ``first`` to ``last`` inclusive."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        """The first moment (aware)."""
        return _midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    def each(self) -> list[str]:
        """Every day as ``2026-11-22``."""
        return [(self.first + timedelta(days=day)).isoformat() for day in range(self.days)]

    def before(self) -> DateRange:
        """As many days, right before."""
        return DateRange(self.first - timedelta(days=self.days), self.first - timedelta(days=1), self.zone)


def read_range(first: str | None, last: str | None, zone: ZoneInfo, now: datetime) -> DateRange:
    """From two dates as people give them; without, the last 30 days to today. Raises InvalidInputError."""
    today = now.astimezone(zone).date()
    end = _date("to", last) or max(today, _date("from", first) or today)
    start = _date("from", first) or end - timedelta(days=USUAL_DAYS - 1)
    if start > end:
        raise InvalidInputError("from", "is later than the last day", hint="Choose a first day before the last one.")
    if (end - start).days >= MOST_DAYS:
        raise InvalidInputError("from", f"more than {MOST_DAYS} days", hint="Choose a shorter range.")
    return DateRange(start, end, zone)


def open_times(hours: BusinessHours, days: DateRange) -> str:
    """When the business is open on these days and the two weeks before, as PostgreSQL's tstzmultirange.

    The business's hours as they are now: what they were then is not kept. Without weekly hours it is always open.
    """
    if not hours.weekly:
        return "{(,)}"
    spells = []
    for back in range(-15, days.days + 1):
        day = days.first + timedelta(days=back)
        for start, end in spans_of(hours, day):
            closing = (
                _midnight(day + timedelta(days=1), days.zone) if end in {"24:00", "00:00"} else _at(day, end, days)
            )
            spells.append(f"[{_at(day, start, days).isoformat()},{closing.isoformat()})")
    return "{" + ",".join(spells) + "}"


def _date(name: str, value: str | None) -> date | None:
    if not value or not value.strip():
        return None
    try:
        found = date.fromisoformat(value.strip())
    except ValueError:
        raise InvalidInputError(name, f"{value[:40]!r} is no date", hint="Write it as 2026-11-22.") from None
    if not date(2000, 1, 1) <= found <= date(2199, 12, 31):
        raise InvalidInputError(name, f"{value[:40]!r} is out of range", hint="Choose a date of this century.")
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # By way of UTC: where clocks change at midnight, a local midnight that does not exist comes an hour later.
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def _at(day: date, clock: str, days: DateRange) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), days.zone).astimezone(UTC)
