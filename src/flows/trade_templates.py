"""Trades: what a business of a kind is usually asked, as files to begin with (tenants/trades).

``names`` and ``trade`` read what is shipped; ``TradeTemplates.apply`` makes it a tenant's own. A trade knows nothing
of a business: its answers hold names in braces that the tenant's answers fill, and an intent whose question nobody
answered goes to a person instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from babel.dates import get_day_names
from pydantic import Field, RootModel, ValidationError

from domain.errors import InvalidInputError, NotFoundError
from domain.text import storable
from domain.told import Told, told_of_detail
from flows.attendance_declaration import WEEKDAYS, Declared, HoursDeclaration
from flows.declared_files import FileReader
from flows.intent_files import ImportedFile, ImportedRow
from flows.intents import Intents
from flows.tenant_declaration import Identifier, IntentDeclaration, Language, Sentence
from flows.tenant_files import check_intent, fold_sentence
from flows.tenant_settings import SET_BY_HAND
from store import events
from store.database import Connection, Database
from store.wakeup import EVENTS, PROFILES, Wakeup

BUSINESS: Final = "business"
HOURS: Final = "hours"
COMMON: Final = "common"
TRADE_KEY: Final = "trade"
"""In ``tenant.settings``: which trade was applied, with which answers."""
LONGEST_ANSWER: Final = 1_000
_DESCRIPTIONS: Final = "descriptions.yaml"
_NAMED = re.compile(r"\{([a-z_]+)\}")
_LOCALES: Final = {"pt": "pt_BR", "es": "es", "en": "en"}
_CLOSED: Final = {"pt": "fechado", "es": "cerrado", "en": "closed"}
_TO: Final = {"pt": "{} a {}", "es": "{} a {}", "en": "{} to {}"}


class Question(Declared):
    """What the answers of a trade need to know of a business."""

    key: Identifier
    label: dict[Language, Sentence]
    example: dict[Language, Sentence]


class TradeFile(Declared):
    """trade.yaml."""

    title: dict[Language, Sentence]
    about: dict[Language, Sentence]
    icon: str
    persona: dict[Language, Sentence]
    questions: Annotated[tuple[Question, ...], Field(min_length=1)]


class Descriptions(RootModel[dict[Identifier, dict[Language, Sentence]]]):
    """descriptions.yaml: what intents are called in other languages than their files'."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade, read and checked. ``intents``: its own and those of every trade, by name; so are ``descriptions``."""

    name: str
    about: TradeFile
    intents: Mapping[str, IntentDeclaration]
    descriptions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TradeAnswers:
    """What an admin says of the business. ``hours``: spans such as ``09:00-18:00`` by English weekday; a day that is
    missing is closed, and no day at all means that the hours are not known yet."""

    said: Mapping[str, str] = field(default_factory=dict)
    hours: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it. ``to_people``: intents that go to a person because something is not known."""

    intents: int
    examples: int
    to_people: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """The trades there are, in the order in which they are offered."""
    found = {path.parent.name for path in _folder().glob("*/trade.yaml")}
    usual = [name for name in ("shop", "clinic", "rental", "school") if name in found]
    return (*usual, *sorted(found - set(usual)))


@cache
def trade(name: str) -> Trade:
    """A shipped trade. Raises NotFoundError, or TenantFilesError where its files are wrong."""
    if name not in names():
        raise NotFoundError("trade", name)
    return read_trade(_folder() / name, _folder() / COMMON)


def read_trade(folder: Path, common: Path) -> Trade:
    """Read and check a trade's folder. Raises TenantFilesError with everything that is wrong with it."""
    reader = FileReader(folder)
    about = reader.yaml("trade.yaml", TradeFile)
    shared = FileReader(common)
    intents = {**_intents(shared), **_intents(reader)}
    descriptions = {**_descriptions(shared, intents), **_descriptions(reader, intents)}
    if about:
        known = {BUSINESS, HOURS, *(question.key for question in about.questions)}
        for intent in intents.values():
            for language, text in intent.answer.items():
                for unknown in sorted(set(_NAMED.findall(text)) - known):
                    place = f"intents/{intent.name}.yaml"
                    what = f"needs {unknown}, which no question of trade.yaml asks for."
                    reader.problem(place, f"answer.{language}", what, "Add the question, or correct the name.")
    seen: dict[str, str] = {}
    for intent in intents.values():
        for text in (text for texts in intent.examples.values() for text in texts):
            other = seen.setdefault(fold_sentence(text), intent.name)
            if other != intent.name:
                reader.problem(
                    f"intents/{intent.name}.yaml", "examples", f"{text!r} is in {other} too.", "Keep one of them."
                )
    shared.raise_problems()
    reader.raise_problems()
    if about is None:
        raise AssertionError("a missing trade.yaml was not reported")
    return Trade(folder.name, about, dict(sorted(intents.items())), descriptions)


def filled(found: Trade, business: str, answers: TradeAnswers, language: str = "pt") -> dict[str, IntentDeclaration]:
    """The trade's intents with what is known of the business; where something is missing, a person answers.

    ``language`` is that of their descriptions, which people read.
    """
    told = {name: words[language] for name, words in found.descriptions.items() if language in words}
    return {
        name: _filled(intent, business, answers).model_copy(update={"description": told.get(name, intent.description)})
        for name, intent in found.intents.items()
    }


class TradeTemplates:
    """Makes a trade a tenant's own. Intents count at once, in every process."""

    def __init__(self, db: Database, wakeup: Wakeup, intents: Intents) -> None:
        self._db = db
        self._wakeup = wakeup
        self._intents = intents

    async def apply(self, tenant_id: UUID, name: str, answers: TradeAnswers, *, actor: str) -> Applied:
        """Bring the trade's intents, hours and persona; again with other answers, or another trade, replaces them.

        Intents that the tenant has besides stay as they are. Raises NotFoundError, or InvalidInputError for answers
        that cannot be taken (``field`` is the question's key, or ``hours``); then nothing was changed.
        """
        found = trade(name)
        said = TradeAnswers(_read(found, answers.said), answers.hours)
        hours = _hours(answers.hours)
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT name, locale, settings FROM tenant WHERE id = $1", tenant_id)
        if row is None:
            raise NotFoundError("tenant", tenant_id)
        ours = filled(found, row["name"], said, row["locale"])
        report = await self._intents.bring(tenant_id, _as_file(name, ours), replace=True, actor=actor, check=False)
        former = row["settings"].get(TRADE_KEY, {}).get("name", "")
        async with self._db.transaction(tenant_id) as tx:
            if former and former != name and former in names():
                gone = sorted(trade(former).intents.keys() - ours.keys())
                await tx.execute("DELETE FROM intent WHERE tenant_id = $1 AND name = ANY ($2)", tenant_id, gone)
            persona = found.about.persona.get(row["locale"]) or next(iter(found.about.persona.values()))
            changes: dict[str, Any] = {"persona": _fill(persona, {BUSINESS: row["name"]})}
            if hours is not None:
                changes["hours"] = hours
            noted = {TRADE_KEY: {"name": name, "answers": dict(said.said)}}
            await _set(tx, tenant_id, changes, noted)
            payload = {"trade": name, "intents": len(ours)}
            await events.append(tx, tenant_id, "trade.applied", payload=payload, actor=actor)
        self._wakeup.signal(PROFILES, EVENTS)
        waiting = tuple(sorted(key for key, one in ours.items() if found.intents[key].action != one.action))
        return Applied(len(ours), report.examples_added, waiting)


async def _set(tx: Connection, tenant_id: UUID, changes: Mapping[str, Any], noted: Mapping[str, Any]) -> None:
    settings = dict(await tx.fetchval("SELECT settings FROM tenant WHERE id = $1 FOR UPDATE", tenant_id))
    by_hand = {**settings.get(SET_BY_HAND, {}), **changes}
    await tx.execute(
        "UPDATE tenant SET settings = settings || $2, profile_version = profile_version + 1 WHERE id = $1",
        tenant_id,
        {**changes, **noted, SET_BY_HAND: by_hand},
    )


def _read(found: Trade, said: Mapping[str, str]) -> dict[str, str]:
    kept = {}
    for question in found.about.questions:
        text = storable(said.get(question.key, ""))[0].strip()
        if len(text) > LONGEST_ANSWER:
            raise InvalidInputError(
                question.key,
                Told("too_long", "is longer than {most} characters", most=LONGEST_ANSWER),
                hint="Shorten it.",
            )
        # Braces would name something else to fill in, or be taken for a template.
        if text := text.replace("{", "(").replace("}", ")"):
            kept[question.key] = text
    return kept


def _hours(weekly: Mapping[str, Sequence[str]]) -> dict[str, Any] | None:
    open_days = {day: list(spans) for day, spans in weekly.items() if spans}
    if not open_days:
        return None
    try:
        found: dict[str, Any] = HoursDeclaration.model_validate({"weekly": open_days}).model_dump(mode="json")
    except ValidationError as error:
        raise InvalidInputError(
            HOURS, told_of_detail(dict(error.errors()[0])), hint="Write them as 09:00-18:00."
        ) from None
    return found


def hours_text(weekly: Mapping[str, Sequence[str]], language: str) -> str:
    """Opening hours for customers, days with the same hours in one line."""
    days = get_day_names("wide", locale=_LOCALES[language])
    lines = []
    for spans, group in groupby(range(7), key=lambda day: tuple(weekly.get(WEEKDAYS[day], ()))):
        same = [days[day] for day in group]
        named = same[0] if len(same) == 1 else _TO[language].format(same[0], same[-1])
        said = ", ".join(span.replace("-", "–") for span in spans) or _CLOSED[language]
        lines.append(f"• {named}: {said}")
    return "\n".join(lines)


def _filled(intent: IntentDeclaration, business: str, answers: TradeAnswers) -> IntentDeclaration:
    needed = {name for text in intent.answer.values() for name in _NAMED.findall(text)}
    known = {BUSINESS, *answers.said, *([HOURS] if any(answers.hours.values()) else [])}
    if needed - known:
        return intent.model_copy(update={"answer": {}, "action": "hand_off"})
    answer = {
        language: _fill(
            text,
            {**answers.said, BUSINESS: business, HOURS: hours_text(answers.hours, language) if HOURS in needed else ""},
        )
        for language, text in intent.answer.items()
    }
    return intent.model_copy(update={"answer": answer})


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _NAMED.sub(lambda name: values.get(name[1], name[0]), text)


def _as_file(name: str, intents: Mapping[str, IntentDeclaration]) -> ImportedFile:
    rows = [
        ImportedRow(0, intent.name, text, language)
        for intent in intents.values()
        for language, texts in intent.examples.items()
        for text in texts
    ]
    fields = {
        intent.name: (0, intent.model_dump(mode="json", exclude={"name", "examples"})) for intent in intents.values()
    }
    return ImportedFile(f"trade {name}", tuple(rows), fields)


def _intents(reader: FileReader) -> dict[str, IntentDeclaration]:
    found = {}
    for file in reader.files("intents", ".yaml"):
        intent = reader.yaml(file, IntentDeclaration)
        if intent is not None:
            check_intent(reader, file, intent, ())
            found[intent.name] = intent
    reader.raise_problems()
    return found


def _descriptions(reader: FileReader, intents: Mapping[str, IntentDeclaration]) -> dict[str, dict[Language, str]]:
    if not (reader.folder / _DESCRIPTIONS).exists():
        return {}
    found = reader.yaml(_DESCRIPTIONS, Descriptions)
    told: dict[str, dict[Language, str]] = dict(found.root) if found else {}
    for unknown in sorted(told.keys() - intents.keys()):
        reader.problem(_DESCRIPTIONS, unknown, "is no intent of this trade.", "Correct the name, or remove it.")
    return told


def _folder() -> Path:
    """Inside an installed wheel, or beside ``src`` in a checkout."""
    shipped = Path(__file__).parents[1] / "app" / "tenants" / "trades"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "tenants" / "trades"
