"""Limits of a number and quiet hours, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.errors import InvalidInputError
from domain.sending_pace import PACE_SETTINGS, Bucket, NewContactTerms, QuietHours, SendingPace, read_pace_setting

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
MADRID = ZoneInfo("Europe/Madrid")
NIGHTS = QuietHours((("21:00-08:00",),) * 7)


def at(text: str, zone: ZoneInfo = SAO_PAULO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize("provider", ["neonize", "waha", "evolution", "wppconnect", "gowa"])
def test_that_unofficial_ways_are_limited_by_default_and_official_ones_are_not(provider: str) -> None:
    pace = SendingPace.of(provider, {})
    assert pace.bucket == Bucket(5, 20)
    assert pace.new_contacts == NewContactTerms(250, (10, 25, 60), 7, (30, 60))
    for free in ("cloud_api", "simulator", "webhook"):
        assert not SendingPace.of(free, {}).is_limited


def test_that_a_numbers_own_settings_win_and_nonsense_counts_as_not_said() -> None:
    own = {"messages_per_minute": "12,5", "burst": 3, "new_contacts_per_day": "40", "warm_up": "off"}
    assert SendingPace.of("cloud_api", own) == SendingPace(Bucket(12.5, 3), NewContactTerms(40))
    free = {"messages_per_minute": "unlimited", "new_contacts_per_day": "Unlimited"}
    assert not SendingPace.of("neonize", free).is_limited
    assert SendingPace.of("simulator", {"seconds_between_messages": "0.5"}).bucket == Bucket(120, 1)
    assert SendingPace.of("neonize", {"messages_per_minute": "many", "warm_up": "1;2"}) == SendingPace.of("neonize", {})


@pytest.mark.parametrize("name", PACE_SETTINGS)
@pytest.mark.parametrize("value", ["", "-1", "nan", "1e999", "10,x", "60-30", "inf"])
def test_that_a_senseless_setting_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_pace_setting(name, value)
    assert refused.value.field == name


def test_that_the_cap_grows_with_the_numbers_age_and_never_beyond_the_last() -> None:
    terms = NewContactTerms(50, (10, 25, 60), 7)
    ages = [0, 6.9, 7, 13.9, 14, 21, 400]
    assert [terms.most(timedelta(days=age)) for age in ages] == [10, 10, 25, 25, 50, 50, 50]
    assert terms.most(timedelta(days=-1)) == 10


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-05-05T20:59:59", None),
        ("2026-05-05T21:00:00", "2026-05-06T08:00:00"),
        ("2026-05-06T03:00:00", "2026-05-06T08:00:00"),
        ("2026-05-06T08:00:00", None),
    ],
)
def test_that_a_night_goes_over_midnight(now: str, until: str | None) -> None:
    assert NIGHTS.until(at(now), SAO_PAULO) == (at(until) if until else None)


def test_that_spans_that_meet_are_one_and_a_day_of_its_own_wins() -> None:
    sundays = QuietHours((*(("22:00-24:00",),) * 6, ("00:00-24:00",)))
    # Saturday night, the whole of Sunday; Monday is open from midnight on.
    assert sundays.until(at("2026-05-09T23:00:00"), SAO_PAULO) == at("2026-05-11T00:00:00")
    assert sundays.until(at("2026-05-11T00:00:00"), SAO_PAULO) is None
    always = QuietHours((("00:00-24:00",),) * 7)
    now = at("2026-05-09T23:00:00")
    end = always.until(now, SAO_PAULO)
    assert end is not None
    assert end - now > timedelta(days=7)


def test_that_the_clocks_change_by_night_moves_the_morning() -> None:
    # The night of 29 March 2026 has one hour less in Madrid.
    quiet = NIGHTS.until(at("2026-03-28T21:00:00", MADRID), MADRID)
    assert quiet == at("2026-03-29T08:00:00", MADRID)
    assert quiet - at("2026-03-28T21:00:00", MADRID) == timedelta(hours=10)
