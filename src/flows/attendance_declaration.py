"""The part of tenant.yaml that says how the business attends: hours, reply policy, handoffs, autonomy, consent.

Also read back from ``tenant.settings``, where an import leaves it as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from agent.hours import UnknownCalendarError, holidays_of
from agent.normalise import words
from agent.turn import BusinessHours, HandOffTerms, HolidayCalendar, Spans
from domain.autonomy import AutonomyTerms
from domain.consent import ConsentWords
from domain.decisions import HandOffReason, ReplyMode
from domain.identity import IdentityTerms
from domain.policy import CLOSED, OPEN, PolicyRule
from domain.sending_pace import QuietHours, is_quiet_span
from domain.told import Told

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TRIGGERS = (
    HandOffReason.REQUESTED,
    HandOffReason.ANGER,
    HandOffReason.REPEATED_FAILURE,
    HandOffReason.LOW_CONFIDENCE,
    HandOffReason.RESTRICTED_INTENT,
    HandOffReason.VIP,
    HandOffReason.COST_CAP,
    HandOffReason.TOOL_FAILURE,
    HandOffReason.OUTSIDE_POLICY,
)
"""What a tenant may switch off. The other reasons name what only a person can settle."""

_SPAN = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d")


def _weekday(day: str) -> str:
    if day not in WEEKDAYS:
        raise ValueError(f"{day!r} is no day; write {', '.join(WEEKDAYS)}")
    return day


def _spans(spans: tuple[str, ...]) -> tuple[str, ...]:
    previous_end = ""
    for span in spans:
        if not _SPAN.fullmatch(span) or span[6:] > "24:00":
            raise ValueError(Told("hours", '{span!r} is no span of hours; write "09:00-18:00", in quotes', span=span))
        if span[:5] >= span[6:] or span[:5] < previous_end:
            raise ValueError(Told("hours", "{span!r} ends before it starts, or overlaps the span before it", span=span))
        previous_end = span[6:]
    return spans


def _quiet_spans(value: object) -> object:
    spans = (value,) if isinstance(value, str) else value
    for span in spans if isinstance(spans, list | tuple) else ():
        if not isinstance(span, str) or not is_quiet_span(span):
            raise ValueError(
                Told("quiet_spans", '{span!r} is no span of hours; write "21:00-08:00", in quotes', span=span)
            )
    return spans


def _switchable(reason: HandOffReason) -> HandOffReason:
    if reason not in TRIGGERS:
        raise ValueError(f"{reason.value} cannot be switched off; these can: {', '.join(TRIGGERS)}")
    return reason


def _folded(word: str) -> str:
    said = " ".join(words(word))
    if not said:
        raise ValueError(f"{word!r} holds no word")
    return said


def off_is_a_word(value: object) -> object:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


Weekday = Annotated[str, AfterValidator(_weekday)]
SpanList = Annotated[tuple[str, ...], AfterValidator(_spans)]
QuietSpans = Annotated[tuple[str, ...], BeforeValidator(_quiet_spans)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
Trigger = Annotated[HandOffReason, AfterValidator(_switchable)]


class Declared(BaseModel):
    """Immutable; an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class HolidaysDeclaration(Declared):
    """Public holidays to keep. ``optional``: true for all, or some by their English names (Carnival …)."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    state: Word | None = None
    optional: bool | tuple[Word, ...] = False

    @model_validator(mode="after")
    def _is_known(self) -> HolidaysDeclaration:
        try:
            holidays_of(self.calendar(), date.today().year)  # noqa: DTZ011 - any year would do
        except UnknownCalendarError as error:
            raise ValueError(str(error)) from error
        return self

    def calendar(self) -> HolidayCalendar:
        """The same as the agent reads it."""
        return HolidayCalendar(self.country, self.state, self.optional)


class HoursDeclaration(Declared):
    """Opening hours. A day that is not listed is closed; ``special_dates`` win over everything else."""

    weekly: dict[Weekday, SpanList] = {}
    closed_dates: tuple[date, ...] = ()
    special_dates: dict[date, SpanList] = {}
    holidays: HolidaysDeclaration | None = None
    named: dict[Word, dict[Weekday, SpanList]] = {}

    @field_validator("named")
    @classmethod
    def _not_ours(cls, named: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in (OPEN, CLOSED):
            if name in named:
                raise ValueError(f"{name!r} is a name of Atende's own; choose another one")
        return named

    def business_hours(self) -> BusinessHours:
        """The same hours as the agent reads them; no weekly hours at all means that the tenant has none to keep."""
        return BusinessHours(
            _week(self.weekly) if self.weekly else (),
            tuple(day.isoformat() for day in self.closed_dates),
            {day.isoformat(): _pairs(spans) for day, spans in self.special_dates.items()},
            self.holidays.calendar() if self.holidays else None,
            {name: _week(week) for name, week in self.named.items()},
        )


class PolicyRuleDeclaration(Declared):
    """One rule of the reply policy; see ``domain.policy``."""

    mode: ReplyMode
    number: Word | None = None
    intent: Word | None = None
    hours: Word | None = None
    tag: Word | None = None

    @field_validator("mode", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        return off_is_a_word(value)

    @model_validator(mode="after")
    def _has_a_condition(self) -> PolicyRuleDeclaration:
        if not self.rule().conditions:
            raise ValueError("a rule needs number, intent, hours or tag; reply_mode is the default for all else")
        return self

    def rule(self) -> PolicyRule:
        """The same as the policy reads it."""
        return PolicyRule(self.mode, self.number, self.intent, self.hours, self.tag)


class HandOffDeclaration(Declared):
    """When conversations go to a person; see ``agent.turn.HandOffTerms``."""

    triggers: dict[Trigger, bool] = {}
    vip_tags: tuple[Word, ...] = ("vip",)
    offer_first: bool = True
    return_unclaimed: bool = False
    teams: dict[Word, Word] = {}
    """Intent → the name of the team whose queue its handoffs wait in."""
    old_message_minutes: Annotated[float, Field(gt=0, le=60 * 24 * 30)] | None = 60 * 24

    def terms(self) -> HandOffTerms:
        """The same as the agent reads it."""
        return HandOffTerms(
            switched_off=frozenset(reason for reason, is_on in self.triggers.items() if not is_on),
            vip_tags=frozenset(self.vip_tags),
            offer_first=self.offer_first,
            return_unclaimed=self.return_unclaimed,
            old_after=timedelta(minutes=self.old_message_minutes) if self.old_message_minutes else None,
        )


class AutonomyDeclaration(Declared):
    """How an intent earns ``auto``; see ``domain.autonomy.AutonomyTerms``."""

    bar: Annotated[float, Field(ge=0.5, le=0.999)] = 0.9
    error: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    least_cases: Annotated[int, Field(ge=10, le=100_000)] = 50
    audit_share: Annotated[float, Field(ge=0.01, le=1)] = 0.1

    def terms(self) -> AutonomyTerms:
        """The same as the rules read it."""
        return AutonomyTerms(self.bar, self.error, self.least_cases, self.audit_share)


class ConsentDeclaration(Declared):
    """Words of the tenant's own, beside the usual ones, that stop and allow messages on the business's initiative."""

    opt_out_words: tuple[Annotated[Word, AfterValidator(_folded)], ...] = ()
    opt_in_words: tuple[Annotated[Word, AfterValidator(_folded)], ...] = ()

    def words(self) -> ConsentWords:
        """The same as the way in reads it."""
        return ConsentWords(frozenset(self.opt_out_words), frozenset(self.opt_in_words))


class IdentityDeclaration(Declared):
    """How contacts prove who they are before sensitive functions; see ``domain.identity.IdentityTerms``."""

    verify: Word
    functions: tuple[Word, ...] = ()
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    valid_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] = 60
    blocked_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] = 60 * 24
    per: Literal["conversation", "contact"] = "conversation"

    def terms(self) -> IdentityTerms:
        """The same as the agent reads it."""
        return IdentityTerms(
            verify=self.verify,
            functions=frozenset(self.functions),
            attempts=self.attempts,
            valid_minutes=self.valid_minutes,
            blocked_minutes=self.blocked_minutes,
            per_contact=self.per == "contact",
        )


class QuietHoursDeclaration(Declared):
    """When nothing automatic leaves; see ``domain.sending_pace.QuietHours``.

    ``daily`` counts on every day that ``weekly`` does not name; a span belongs to the day on which it begins.
    ``answers``: at_once (an answer to who wrote within ``just_wrote_minutes`` leaves) or wait.
    """

    daily: QuietSpans = ()
    weekly: dict[Weekday, QuietSpans] = {}
    answers: Literal["at_once", "wait"] = "at_once"
    just_wrote_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 10

    def hours(self) -> QuietHours:
        """The same as delivery reads it."""
        return QuietHours(
            tuple(self.weekly.get(day, self.daily) for day in WEEKDAYS),
            timedelta(minutes=self.just_wrote_minutes) if self.answers == "at_once" else None,
        )


class PhoneTakeoverDeclaration(Declared):
    """What follows when somebody types on the paired phone: the agent is silent in that conversation until a person
    returns it, or, with ``release_after_minutes``, until so long after the last message typed there."""

    release_after_minutes: Annotated[float, Field(ge=1, le=60 * 24 * 30)] | None = None

    @property
    def lasts(self) -> timedelta | None:
        """The same as a duration; None: until a person returns it."""
        return None if self.release_after_minutes is None else timedelta(minutes=self.release_after_minutes)


class AttendanceDeclaration(Declared):
    """All of it; tenant.yaml adds the rest."""

    hours: HoursDeclaration = HoursDeclaration()
    policy: tuple[PolicyRuleDeclaration, ...] = ()
    announce_under: tuple[Literal[ReplyMode.SUGGEST, ReplyMode.OFF], ...] = ()
    handoff: HandOffDeclaration = HandOffDeclaration()
    autonomy: AutonomyDeclaration | None = None
    consent: ConsentDeclaration = ConsentDeclaration()
    identity: IdentityDeclaration | None = None
    suggestions_expire_after_hours: Annotated[float, Field(gt=0, le=24 * 30)] = 24
    quiet_hours: QuietHoursDeclaration | None = None
    phone_takeover: PhoneTakeoverDeclaration = PhoneTakeoverDeclaration()

    @field_validator("announce_under", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        return [off_is_a_word(mode) for mode in value] if isinstance(value, list | tuple) else value

    def profile_fields(self) -> dict[str, Any]:
        """Fields of ``agent.turn.TenantProfile``."""
        return {
            "hours": self.hours.business_hours(),
            "policy_rules": tuple(declared.rule() for declared in self.policy),
            "announce_under": frozenset(self.announce_under),
            "hand_off": self.handoff.terms(),
            "autonomy": self.autonomy.terms() if self.autonomy else None,
            "consent": self.consent.words(),
            "identity": self.identity.terms() if self.identity else None,
        }

    @classmethod
    def stored(cls, settings: Mapping[str, Any]) -> AttendanceDeclaration:
        """From ``tenant.settings``; what is missing there has its default."""
        return cls.model_validate({name: settings[name] for name in cls.model_fields if name in settings})


def _week(week: Mapping[str, tuple[str, ...]]) -> tuple[Spans, ...]:
    return tuple(_pairs(week.get(day, ())) for day in WEEKDAYS)


def _pairs(spans: tuple[str, ...]) -> Spans:
    return tuple((span[:5], span[6:]) for span in spans)
