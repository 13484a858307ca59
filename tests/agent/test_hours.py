"""When the team is there: spans, holidays, exceptions, changes of clocks, and the closed times between."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.announcing import spoken
from agent.hours import (
    UnknownCalendarError,
    closed_since,
    holidays_of,
    is_open,
    names_of,
    next_opening,
    unclaimed_until,
)
from agent.turn import BusinessHours, HolidayCalendar

SP = ZoneInfo("America/Sao_Paulo")
NY = ZoneInfo("America/New_York")
DAY = (("09:00", "12:00"), ("13:30", "18:00"))
WEEK = BusinessHours((DAY, DAY, DAY, DAY, DAY, (("09:00", "13:00"),), ()))


def at(text: str, zone: ZoneInfo = SP) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("now", "open_now", "opens", "since"),
    [
        ("2026-11-23 09:00", True, None, None),
        ("2026-11-23 12:00", False, "2026-11-23 13:30", "2026-11-23 12:00"),
        ("2026-11-23 17:59", True, None, None),
        ("2026-11-23 18:00", False, "2026-11-24 09:00", "2026-11-23 18:00"),
        ("2026-11-28 13:00", False, "2026-11-30 09:00", "2026-11-28 13:00"),
        ("2026-11-29 10:00", False, "2026-11-30 09:00", "2026-11-28 13:00"),
    ],
)
def test_that_spans_have_a_beginning_an_end_and_a_next_one(
    now: str, open_now: bool, opens: str | None, since: str | None
) -> None:
    assert is_open(WEEK, at(now), SP) is open_now
    assert is_open(WEEK, at(now).astimezone(UTC), SP) is open_now
    assert next_opening(WEEK, at(now), SP) == (at(opens) if opens else None)
    assert closed_since(WEEK, at(now), SP) == (at(since) if since else None)


def test_that_who_has_no_hours_is_always_open() -> None:
    assert is_open(BusinessHours(), at("2026-12-25 03:00"), SP)
    assert closed_since(BusinessHours(), at("2026-12-25 03:00"), SP) is None
    assert unclaimed_until(BusinessHours(), at("2026-12-25 03:00"), SP) is None


def test_that_midnight_between_two_spans_is_no_closing() -> None:
    late = BusinessHours(((("18:00", "24:00"),), (("00:00", "02:00"),), (), (), (), (), ()))
    assert is_open(late, at("2026-11-23 23:59"), SP)
    assert is_open(late, at("2026-11-24 00:00"), SP)
    assert closed_since(late, at("2026-11-24 03:00"), SP) == at("2026-11-24 02:00")


BAHIA = HolidayCalendar("BR", "BA")


@pytest.mark.parametrize(
    ("calendar", "day", "closed"),
    [
        (HolidayCalendar("BR"), "2027-09-07", True),
        (HolidayCalendar("BR"), "2027-07-02", False),
        (BAHIA, "2027-07-02", True),
        (HolidayCalendar("BR"), "2027-02-09", False),
        (HolidayCalendar("BR", None, True), "2027-02-09", True),
        (HolidayCalendar("BR", None, ("Carnival",)), "2027-02-09", True),
        (HolidayCalendar("BR", None, ("Carnival",)), "2027-05-27", False),
        (HolidayCalendar("BR", None, ("corpus christi",)), "2027-05-27", True),
        (HolidayCalendar("AR"), "2027-07-09", True),
    ],
)
def test_that_national_and_state_holidays_close_and_optional_ones_where_wanted(
    calendar: HolidayCalendar, day: str, closed: bool
) -> None:
    hours = BusinessHours((DAY,) * 7, holidays=calendar)
    assert is_open(hours, at(f"{day} 10:00"), SP) is not closed


def test_that_what_is_said_of_a_date_wins_over_the_calendar_both_ways() -> None:
    hours = BusinessHours(
        (DAY,) * 7,
        closed_dates=("2027-03-03", "2027-03-04"),
        special_dates={"2027-09-07": (("10:00", "14:00"),), "2027-03-04": DAY, "2027-03-05": ()},
        holidays=HolidayCalendar("BR"),
    )
    open_at = {
        day: is_open(hours, at(f"{day} 11:00"), SP) for day in ("2027-09-07", "2027-03-03", "2027-03-04", "2027-03-05")
    }
    assert list(open_at.values()) == [True, False, True, False]
    assert next_opening(hours, at("2027-09-07 14:00"), SP) == at("2027-09-08 09:00")


def test_that_every_brazilian_state_has_a_calendar_and_an_unknown_one_is_told() -> None:
    states = re.findall("..", "ACALAMAPBACEDFESGOMAMGMSMTPAPBPEPIPRRJRNRORRRSSCSESPTO")
    assert all(date(2027, 4, 21) in holidays_of(HolidayCalendar("BR", state), 2027) for state in states)
    for unknown in (HolidayCalendar("BR", "XX"), HolidayCalendar("QQ"), HolidayCalendar("AR", None, True)):
        with pytest.raises(UnknownCalendarError):
            holidays_of(unknown, 2027)


def test_that_a_change_of_clocks_moves_the_moment_and_not_the_hour() -> None:
    hours = BusinessHours(((("09:00", "17:00"),),) * 7)
    before, after = at("2027-03-13 18:00", NY), at("2027-03-14 09:00", NY)  # clocks go forward in that night
    assert next_opening(hours, before, NY) == after
    assert after - before.astimezone(UTC) == timedelta(hours=14)
    skipped = BusinessHours(((("02:30", "17:00"),),) * 7)
    opening = next_opening(skipped, at("2027-03-14 01:59", NY), NY)
    assert opening is not None
    assert (opening.hour, opening.minute) == (3, 30)


def test_that_a_conversation_waits_at_least_one_opening_before_it_goes_back() -> None:
    assert unclaimed_until(WEEK, at("2026-11-23 10:00"), SP) == at("2026-11-24 09:00")
    assert unclaimed_until(WEEK, at("2026-11-23 17:00"), SP) == at("2026-11-24 09:00")
    assert unclaimed_until(WEEK, at("2026-11-23 22:00"), SP) == at("2026-11-25 09:00")
    assert unclaimed_until(WEEK, at("2026-11-28 20:00"), SP) == at("2026-12-01 09:00")


def test_that_named_hours_are_known_beside_open_and_closed() -> None:
    hours = BusinessHours(
        WEEK.weekly, named={"night": ((("20:00", "24:00"),),) * 7, "noon": ((("11:30", "14:00"),),) * 7}
    )
    assert names_of(hours, at("2026-11-23 11:45"), SP) == {"open", "noon"}
    assert names_of(hours, at("2026-11-23 12:15"), SP) == {"closed", "noon"}
    assert names_of(hours, at("2026-11-29 21:00"), SP) == {"closed", "night"}


@pytest.mark.parametrize(
    ("language", "now", "words"),
    [
        ("pt", "2026-11-23 08:00", "hoje às 09:00"),
        ("pt", "2026-11-23 19:00", "amanhã às 09:00"),
        ("pt", "2026-11-28 19:00", "segunda-feira, 30 de novembro às 09:00"),
        ("es", "2026-11-28 19:00", "lunes, 30 de noviembre a las 9:00"),
        ("en", "2026-11-28 19:00", "Monday, November 30 at 9:00"),
    ],
)
def test_that_the_next_opening_is_said_as_a_person_would(language: str, now: str, words: str) -> None:
    opening = next_opening(WEEK, at(now), SP)
    assert opening is not None
    assert spoken(opening, at(now), language).startswith(words)
