"""Opening hours as an administrator edits them: the very same settings that tenant.yaml declares, under ``hours``.

Both go through flows.attendance_declaration; what is changed here is kept over later imports of the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ValidationError

from agent.hours import UnknownCalendarError, holidays_of, next_opening
from agent.templates import TemplateFailedError, variables_of
from agent.texts import load_texts
from flows.attendance_declaration import WEEKDAYS, HolidaysDeclaration, HoursDeclaration
from flows.refusals import RefusedError, prose
from flows.tenant_declaration import LANGUAGES, OWN_COLLECTION, hours_record
from flows.tenant_settings import SET_BY_HAND
from flows.versions import check_version, version_of
from flows.written_hours import read_spans
from store import events
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, PROFILES, Wakeup

COUNTRIES: Final = ("BR", "AR", "BO", "CL", "CO", "CR", "DO", "EC", "ES", "MX", "PE", "PT", "PY", "US", "UY", "VE")
"""What the page offers; files may name any country that the ``holidays`` library knows."""
BRAZILIAN_STATES: Final = (
    "AC",
    "AL",
    "AM",
    "AP",
    "BA",
    "CE",
    "DF",
    "ES",
    "GO",
    "MA",
    "MG",
    "MS",
    "MT",
    "PA",
    "PB",
    "PE",
    "PI",
    "PR",
    "RJ",
    "RN",
    "RO",
    "RR",
    "RS",
    "SC",
    "SE",
    "SP",
    "TO",
)
OFF_HOURS: Final = "outside_hours"
_KEPT: Final = "as_it_is"
"""The choice of optional holidays that keeps some of them, named in the files."""
_DATE: Final = re.compile(r"(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4}))\s*(.*)")
_MOST_DATES: Final = 400


@dataclass(frozen=True, slots=True)
class HoursView:
    """What the page shows. ``version`` comes back with a change: a digest of what the page can change."""

    timezone: str
    version: str
    declared: HoursDeclaration
    messages: Mapping[str, str]
    """The tenant's own wording of the off-hours message, by language; what is missing is ``usual_messages``."""
    usual_messages: Mapping[str, str]
    languages: tuple[str, ...]
    opens: datetime | None
    holidays: tuple[date, ...]
    """The next ones."""

    @property
    def weekly(self) -> dict[str, str]:
        """Spans of each weekday as text; empty: closed."""
        return {day: ", ".join(self.declared.weekly.get(day, ())) for day in WEEKDAYS}

    @property
    def dates(self) -> str:
        """Own dates, one a line; a date alone is closed."""
        special = {day: ", ".join(spans) for day, spans in self.declared.special_dates.items()}
        closed = dict.fromkeys(self.declared.closed_dates, "")
        return "\n".join(f"{day.isoformat()} {spans}".rstrip() for day, spans in sorted({**closed, **special}.items()))

    @property
    def optional(self) -> str:
        """none, all, or ``as_it_is`` where the files name some."""
        if self.declared.holidays is None or self.declared.holidays.optional is False:
            return "none"
        return "all" if self.declared.holidays.optional is True else _KEPT


@dataclass(frozen=True, slots=True)
class HoursForm:
    """What comes back from it. ``weekly``: by weekday; ``messages``: by language."""

    timezone: str
    weekly: Mapping[str, str]
    dates: str = ""
    country: str = ""
    state: str = ""
    optional: str = "none"
    messages: Mapping[str, str] | None = None


class OpeningHours:
    """Shows and changes them. Raises RefusedError or ChangedMeanwhileError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def show(self, tenant_id: UUID) -> HoursView:
        """As they are."""
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT settings, timezone FROM tenant WHERE id = $1", tenant_id)
        return _view(row)

    async def change(self, tenant_id: UUID, form: HoursForm, *, version: str | None, actor: str) -> None:
        """Take over the whole form, if nobody changed the tenant's settings since ``version``."""
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT settings, timezone FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
            check_version("the opening hours", version, _version(row))
            settings = row["settings"]
            before = _declared(settings)
            declared = read_form(form, before)
            texts = _texts(settings, form)
            hours = declared.model_dump(mode="json")
            changes = _changes(row, hours, texts, form.timezone)
            if not changes:
                return
            changed = {"hours": hours, "texts": texts}
            by_hand = {**settings.get(SET_BY_HAND, {}), **changed, "timezone": form.timezone}
            await tx.execute(
                "UPDATE tenant SET settings = settings || $2, timezone = $3, profile_version = profile_version + 1 "
                "WHERE id = $1",
                tenant_id,
                {**changed, SET_BY_HAND: by_hand},
                form.timezone,
            )
            await put_record(tx, tenant_id, hours)
            await events.append(tx, tenant_id, "settings.hours", payload={"changes": changes}, actor=actor)
        self._wakeup.signal(PROFILES)
        self._wakeup.signal(EVENTS)


def read_form(form: HoursForm, before: HoursDeclaration) -> HoursDeclaration:
    """The form as the files would declare it; named hours stay as they were. Raises RefusedError."""
    if form.timezone not in available_timezones():
        raise RefusedError("timezone", "There is no time zone %(name)s. Choose one of the list.", name=form.timezone)
    weekly = {day: spans for day in WEEKDAYS if (spans := read_spans(day, form.weekly.get(day, "")))}
    closed, special = _dates(form.dates)
    try:
        holidays = _holidays(form, before.holidays)
        return HoursDeclaration(
            weekly=weekly, closed_dates=closed, special_dates=special, holidays=holidays, named=before.named
        )
    except (ValidationError, UnknownCalendarError) as error:
        # Spans and dates were looked at above.
        raise RefusedError(
            "state", "The holidays of %(place)s are not known.", place=f"{form.country} {form.state}".strip()
        ) from error


def _holidays(form: HoursForm, before: HolidaysDeclaration | None) -> HolidaysDeclaration | None:
    if not form.country.strip():
        return None
    optional: Any = form.optional == "all"
    if form.optional == _KEPT and before is not None:
        optional = before.optional
    return HolidaysDeclaration(
        country=form.country.strip().upper(), state=form.state.strip().upper() or None, optional=optional
    )


def _dates(text: str) -> tuple[tuple[date, ...], dict[date, tuple[str, ...]]]:
    closed: list[date] = []
    special: dict[date, tuple[str, ...]] = {}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _MOST_DATES:
        raise RefusedError("dates", "There are too many dates: at most %(most)s.", most=_MOST_DATES)
    for line in lines:
        found = _DATE.fullmatch(line)
        day = _day(found) if found else None
        if found is None or day is None:
            raise RefusedError(
                "dates", "%(text)s is no date. Write it like 2026-12-24, or 2026-12-24 09:00-12:00.", text=line[:40]
            )
        if day in closed or day in special:
            raise RefusedError("dates", "%(day)s is there twice.", day=day.isoformat())
        if spans := read_spans("dates", found[7]):
            special[day] = spans
        else:
            closed.append(day)
    return tuple(closed), special


def _day(found: re.Match[str]) -> date | None:
    parts = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[4])
    try:
        return date(int(parts[0]), int(parts[1]), int(parts[2]))
    except ValueError:
        return None


def _texts(settings: Mapping[str, Any], form: HoursForm) -> dict[str, Any]:
    texts = dict(settings.get("texts") or {})
    if form.messages is None:
        return texts
    own = {
        language: prose("messages", words, 1000)
        for language, words in form.messages.items()
        if language in LANGUAGES and words.strip()
    }
    default = settings.get("default_language", LANGUAGES[0])
    if own and default not in own:
        raise RefusedError("messages", "The message needs at least the business's own language.")
    for words in own.values():
        try:
            unknown = variables_of(OFF_HOURS, words) - {"opens"}
        except TemplateFailedError:
            unknown = frozenset({"{{ }}"})
        if unknown:
            raise RefusedError(
                "messages", "There is no variable %(name)s here: only {{ opens }}.", name=", ".join(sorted(unknown))
            )
    texts.pop(OFF_HOURS, None)
    return {**texts, OFF_HOURS: own} if own else texts


def _changes(row: Row, hours: Mapping[str, Any], texts: Mapping[str, Any], timezone: str) -> dict[str, list[Any]]:
    before = _declared(row["settings"]).model_dump(mode="json")
    changes = {name: [before[name], hours[name]] for name in hours if before[name] != hours[name]}
    said = (row["settings"].get("texts") or {}).get(OFF_HOURS)
    if said != texts.get(OFF_HOURS):
        changes["message"] = [said, texts.get(OFF_HOURS)]
    if row["timezone"] != timezone:
        changes["timezone"] = [row["timezone"], timezone]
    return changes


async def put_record(tx: Connection, tenant_id: UUID, declared: Mapping[str, Any]) -> None:
    """Functions read the hours as a record (flows.tenant_declaration.seed_records)."""
    hours = HoursDeclaration.model_validate(declared).business_hours()
    await tx.execute(
        "DELETE FROM business_record WHERE tenant_id = $1 AND collection = $2 AND key = 'hours'",
        tenant_id,
        OWN_COLLECTION,
    )
    if hours.weekly:
        await tx.execute(
            "INSERT INTO business_record (tenant_id, collection, key, value) VALUES ($1, $2, 'hours', $3)",
            tenant_id,
            OWN_COLLECTION,
            hours_record(hours, datetime.now(UTC).year),
        )


def _version(row: Row) -> str:
    said = (row["settings"].get("texts") or {}).get(OFF_HOURS)
    shown = [_declared(row["settings"]).model_dump(mode="json"), said, row["timezone"]]
    return version_of(*shown)


def _declared(settings: Mapping[str, Any]) -> HoursDeclaration:
    return HoursDeclaration.model_validate(settings.get("hours") or {})


def _view(row: Row) -> HoursView:
    settings, zone = row["settings"], ZoneInfo(row["timezone"])
    declared, now = _declared(settings), datetime.now(UTC)
    today = now.astimezone(zone).date()
    upcoming: list[date] = []
    if declared.holidays is not None:
        calendar = declared.holidays.calendar()
        upcoming = sorted(
            day for year in (today.year, today.year + 1) for day in holidays_of(calendar, year) if day >= today
        )
    return HoursView(
        timezone=row["timezone"],
        version=_version(row),
        declared=declared,
        messages=dict((settings.get("texts") or {}).get(OFF_HOURS) or {}),
        usual_messages=load_texts().wording[OFF_HOURS],
        languages=tuple(settings.get("languages") or LANGUAGES),
        opens=next_opening(declared.business_hours(), now, zone) if declared.weekly else None,
        holidays=tuple(upcoming[:12]),
    )
