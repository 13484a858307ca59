"""Is the business's team there now, since when not, and when again?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from agent.turn import BusinessHours, HolidayCalendar, Spans

_HORIZON: Final = 366
"""Days ahead and back in which an opening or a closing is looked for."""


def is_open(hours: BusinessHours, now: datetime, timezone: ZoneInfo) -> bool:
    """Whether ``now`` (aware) lies in a span of its local day. Without weekly hours a business is always open."""
    return not hours.weekly or _inside(spans_of(hours, now.astimezone(timezone).date()), now, timezone)


def names_of(hours: BusinessHours, now: datetime, timezone: ZoneInfo) -> frozenset[str]:
    """All names of hours that ``now`` lies in: ``open`` or ``closed``, and the tenant's own."""
    weekday = now.astimezone(timezone).weekday()
    own = {name for name, week in hours.named.items() if _inside(week[weekday], now, timezone)}
    return frozenset(own | {"open" if is_open(hours, now, timezone) else "closed"})


def spans_of(hours: BusinessHours, day: date) -> Spans:
    """When the business is open on that date. What is said of the date wins over holidays, and these over the week."""
    iso = day.isoformat()
    if iso in hours.special_dates:
        return hours.special_dates[iso]
    if iso in hours.closed_dates or (hours.holidays and is_holiday(hours.holidays, day)):
        return ()
    return hours.weekly[day.weekday()] if day.weekday() < len(hours.weekly) else ()


def next_opening(hours: BusinessHours, now: datetime, timezone: ZoneInfo) -> datetime | None:
    """When it opens next (aware, in its zone). None: it is open, or no opening lies within a year."""
    if is_open(hours, now, timezone):
        return None
    today = now.astimezone(timezone).date()
    for days in range(_HORIZON):
        day = today + timedelta(days=days)
        for start, _ in spans_of(hours, day):
            opening = _at(day, start, timezone)
            if opening > now:
                return opening
    return None


def closed_since(hours: BusinessHours, now: datetime, timezone: ZoneInfo) -> datetime | None:
    """When the closed time that ``now`` lies in began (aware); None while it is open. It names that closed time.

    A business that has not opened for a year counts as closed since a year ago.
    """
    if is_open(hours, now, timezone):
        return None
    today = now.astimezone(timezone).date()
    for days in range(_HORIZON):
        day = today - timedelta(days=days)
        for _, end in reversed(spans_of(hours, day)):
            closing = _until(day, end, timezone)
            # One span may end where the next day's begins: then the business did not close there.
            if closing <= now and not is_open(hours, closing, timezone):
                return closing
    return now - timedelta(days=_HORIZON)


def unclaimed_until(hours: BusinessHours, since: datetime, timezone: ZoneInfo) -> datetime | None:
    """When a conversation that has waited since then has waited too long: when the team opens again on another day.

    It has had at least the rest of one day by then, a break at noon apart; what was handed off at night is theirs for
    the whole next day. None without weekly hours, or where no such moment lies within a year.
    """
    if not hours.weekly:
        return None
    opened = since if is_open(hours, since, timezone) else next_opening(hours, since, timezone)
    again = opened
    while again is not None and opened is not None:
        closing = _closing_after(hours, again, timezone)
        again = next_opening(hours, closing, timezone) if closing else None
        if again is not None and again.date() > opened.astimezone(timezone).date():
            return again
    return None


def is_holiday(calendar: HolidayCalendar, day: date) -> bool:
    """Whether the calendar has that date."""
    return day in holidays_of(calendar, day.year)


@lru_cache(maxsize=256)
def holidays_of(calendar: HolidayCalendar, year: int) -> frozenset[date]:
    """The calendar's dates in one year, by the ``holidays`` library. Raises UnknownCalendarError."""
    import holidays  # noqa: PLC0415 - a quarter of a second, for tenants that keep a calendar only

    try:
        kept = set(holidays.country_holidays(calendar.country, subdiv=calendar.state, years=year))
        optional = (
            holidays.country_holidays(
                calendar.country, subdiv=calendar.state, years=year, categories=("optional",), language="en_US"
            )
            if calendar.optional
            else {}
        )
    except (NotImplementedError, ValueError) as error:
        raise UnknownCalendarError(str(error)) from error
    if calendar.optional:
        listed = calendar.optional
        wanted = None if isinstance(listed, bool) else {name.casefold() for name in listed}
        for day, names in optional.items():
            if wanted is None or any(name.strip().casefold() in wanted for name in str(names).split(";")):
                kept.add(day)
    return frozenset(kept)


class UnknownCalendarError(ValueError):
    """The library has no such country or state, or no optional days there."""


def _closing_after(hours: BusinessHours, opened: datetime, timezone: ZoneInfo) -> datetime | None:
    first = opened.astimezone(timezone).date()
    for days in range(_HORIZON):
        day = first + timedelta(days=days)
        for _, end in spans_of(hours, day):
            closing = _until(day, end, timezone)
            if closing > opened and not is_open(hours, closing, timezone):
                return closing
    return None


def _inside(spans: Spans, now: datetime, timezone: ZoneInfo) -> bool:
    local = now.astimezone(timezone)
    return any(_at(local.date(), start, timezone) <= now < _until(local.date(), end, timezone) for start, end in spans)


def _at(day: date, clock: str, timezone: ZoneInfo) -> datetime:
    """That local time as a moment. A time that a change of clocks skips comes later."""
    local = datetime.combine(day, time.fromisoformat(clock), timezone)
    return local.astimezone(UTC).astimezone(timezone)


def _until(day: date, end: str, timezone: ZoneInfo) -> datetime:
    """A span's end; midnight is that of the next day."""
    return _at(day + timedelta(days=1), "00:00", timezone) if end in {"24:00", "00:00"} else _at(day, end, timezone)
