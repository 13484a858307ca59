"""How fast a number may send, and when nothing automatic leaves: limits as values, without a clock of their own.

The defaults are the practice of people who run WhatsApp numbers over unofficial ways and do not get them restricted
(docs/pace.md). No practice is a guarantee.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final

from domain.errors import InvalidInputError

UNLIMITED: Final = "unlimited"
OFF: Final = "off"

UNOFFICIAL: Final = frozenset({"neonize", "waha", "evolution", "wppconnect", "gowa"})
"""Providers that act as a linked device: numbers of theirs are limited unless their settings say otherwise."""


class Waits(StrEnum):
    """Why a message waits to be sent."""

    ORDER = "order"
    """An earlier message of the same conversation has not left yet."""
    RATE = "rate"
    """The number has used up what it may send for the moment."""
    NEW_CONTACT_CAP = "new_contact_cap"
    """The number has begun as many conversations with strangers as it should."""
    QUIET_HOURS = "quiet_hours"
    OFFLINE = "offline"
    PAUSED = "paused"
    """A person took the number offline."""
    RESTRICTED = "restricted"
    """WhatsApp keeps the number from beginning conversations."""
    RECIPIENT_RATE = "recipient_rate"
    """The provider limits how often one person is written to."""
    PHONE = "phone"
    """Somebody may have taken the conversation over on the phone; it will show in a moment."""
    RETRY = "retry"
    """The last attempt certainly failed."""
    UNDO = "undo"
    """Its writer may still take it back."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: ``burst`` messages at once, refilled by ``per_minute``."""

    per_minute: float
    burst: float

    @property
    def per_second(self) -> float:
        return self.per_minute / 60


@dataclass(frozen=True, slots=True)
class NewContactTerms:
    """How many contacts who never wrote to the number it may write to first, within any 24 hours.

    ``steps`` hold while the number is new, each for ``step_days``; then ``per_day`` does. Between two first contacts
    lie ``gap``: seconds, at random between both.
    """

    per_day: int
    steps: tuple[int, ...] = ()
    step_days: int = 7
    gap: tuple[float, float] = (30.0, 60.0)

    def most(self, age: timedelta) -> int:
        """The cap for a number of this age."""
        step = max(0, int(age / timedelta(days=self.step_days))) if self.step_days else len(self.steps)
        return min(self.steps[step], self.per_day) if step < len(self.steps) else self.per_day


@dataclass(frozen=True, slots=True)
class SendingPace:
    """All limits of one number. None: none of that kind."""

    bucket: Bucket | None = None
    new_contacts: NewContactTerms | None = None

    @property
    def is_limited(self) -> bool:
        return self.bucket is not None or self.new_contacts is not None

    @classmethod
    def of(cls, provider: str, config: Mapping[str, Any]) -> SendingPace:
        """From a number's settings; what they do not say is the provider's default, and so is what makes no sense."""
        read = {name: _tolerant(name, config.get(name)) for name in PACE_SETTINGS}
        limited = provider in UNOFFICIAL
        return cls(_bucket(read, limited=limited), _new_contacts(read, limited=limited))


def read_pace_setting(name: str, text: str) -> Any:
    """The value of one of PACE_SETTINGS. Raises InvalidInputError, saying what it must be."""
    try:
        return _READERS[name](text.strip().lower())
    except (ValueError, OverflowError):
        raise InvalidInputError(name, f"must be {PACE_SETTINGS[name]}, not {text!r}") from None


PACE_SETTINGS: Final[Mapping[str, str]] = {
    "messages_per_minute": f"a number above 0, or {UNLIMITED}",
    "burst": "a whole number from 1 to 10000",
    "new_contacts_per_day": f"a whole number, or {UNLIMITED}",
    "warm_up": f"daily caps such as 10,25,60, or {OFF}",
    "warm_up_step_days": "a whole number of days from 1 to 365",
    "first_contact_gap_seconds": "seconds such as 30-60 or 45",
    "seconds_between_messages": "seconds from 0 to 86400",
}
"""Settings of a number about its pace, and what each must be."""

_PER_MINUTE: Final = 5.0
_BURST: Final = 20.0
_NEW_PER_DAY: Final = 250
_WARM_UP: Final = (10, 25, 60)
_STEP_DAYS: Final = 7
_GAP: Final = (30.0, 60.0)


def _bucket(read: Mapping[str, Any], *, limited: bool) -> Bucket | None:
    per_minute = read["messages_per_minute"]
    if per_minute is None and read["seconds_between_messages"] is not None:
        seconds = read["seconds_between_messages"]
        return Bucket(60 / seconds, read["burst"] or 1.0) if seconds > 0 else None
    if per_minute is None and not limited:
        return None
    if per_minute == math.inf:
        return None
    return Bucket(per_minute or _PER_MINUTE, read["burst"] or _BURST)


def _new_contacts(read: Mapping[str, Any], *, limited: bool) -> NewContactTerms | None:
    per_day = read["new_contacts_per_day"]
    if per_day == math.inf or (per_day is None and not limited):
        return None
    return NewContactTerms(
        per_day=_NEW_PER_DAY if per_day is None else int(per_day),
        steps=_WARM_UP if read["warm_up"] is None else read["warm_up"],
        step_days=read["warm_up_step_days"] or _STEP_DAYS,
        gap=_GAP if read["first_contact_gap_seconds"] is None else read["first_contact_gap_seconds"],
    )


def _tolerant(name: str, value: Any) -> Any:
    """The value, or None for what is missing or makes no sense: a message must not be stuck for a typing error."""
    if value is None or value == "":
        return None
    try:
        return read_pace_setting(name, str(value))
    except InvalidInputError:
        return None


def _between(text: str, least: float, most: float) -> float:
    value = float(text.replace(",", "."))
    if not least <= value <= most:
        raise ValueError(text)
    return value


def _whole(text: str, least: int, most: int) -> int:
    value = _between(text, least, most)
    if value != int(value):
        raise ValueError(text)
    return int(value)


def _per_minute(text: str) -> float:
    return math.inf if text == UNLIMITED else _between(text, 0.001, 1_000_000)


def _per_day(text: str) -> float:
    return math.inf if text == UNLIMITED else _whole(text, 0, 1_000_000)


def _steps(text: str) -> tuple[int, ...]:
    return () if text == OFF else tuple(_whole(part, 0, 1_000_000) for part in text.split(","))


def _gap(text: str) -> tuple[float, float]:
    first, dash, last = text.partition("-")
    least = _between(first, 0, 86_400)
    most = _between(last, least, 86_400) if dash else least
    return (least, most)


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "messages_per_minute": _per_minute,
    "burst": lambda text: float(_whole(text, 1, 10_000)),
    "new_contacts_per_day": _per_day,
    "warm_up": _steps,
    "warm_up_step_days": lambda text: _whole(text, 1, 365),
    "first_contact_gap_seconds": _gap,
    "seconds_between_messages": lambda text: _between(text, 0, 86_400),
}

# Quiet hours --------------------------------------------------------------------------------------------------------

_SPAN: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nothing automatic leaves; what people write does. ``weekly``: spans by the weekday (0: Monday) on which they
    begin, "21:00-08:00" ends on the next day.

    ``answers_within``: an answer to somebody who wrote no longer ago than this leaves all the same, for who writes is
    awake; None: answers wait, too.
    """

    weekly: tuple[tuple[str, ...], ...]
    answers_within: timedelta | None = timedelta(minutes=10)

    def until(self, now: datetime, zone: tzinfo) -> datetime | None:
        """When it is over, aware; None: it is not quiet now. A week without an end ends after a week, to begin anew."""
        end = now
        for _ in range(14):
            later = self._end_of_span(end, zone)
            if later is None:
                break
            end = later
        return end if end > now else None

    def _end_of_span(self, at: datetime, zone: tzinfo) -> datetime | None:
        today = at.astimezone(zone).date()
        ends = [
            end
            for day in (today - _DAY, today)
            for span in self.weekly[day.weekday()]
            for begin, end in (_moments(span, day, zone),)
            if begin <= at < end
        ]
        return max(ends, default=None)


def is_quiet_span(text: str) -> bool:
    """Whether the text is a span of hours such as 21:00-08:00."""
    found = _SPAN.fullmatch(text)
    return found is not None and text[6:] <= "24:00" and text[:5] != text[6:]


def _moments(span: str, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    begins, ends = span[:5], span[6:]
    end_day = day + _DAY if ends == "24:00" or ends <= begins else day
    begin = datetime.combine(day, time.fromisoformat(begins), zone)
    end = datetime.combine(end_day, time.fromisoformat("00:00" if ends == "24:00" else ends), zone)
    return begin, end
