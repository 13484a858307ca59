"""What a tenant folder declares, as immutable values. Reading and checking the files is ``flows.tenant_files``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from agent.bundle import documents_version, examples_version
from agent.hours import holidays_of, spans_of
from agent.pacing import SPLIT_CHARACTERS
from agent.prompts import Prompt
from agent.turn import BusinessHours, IntentSpec, Passage, TenantProfile
from domain.decisions import HandOffReason, ReplyMode
from domain.errors import InvalidInputError
from domain.roles import Role
from domain.sending_pace import PACE_SETTINGS, read_pace_setting
from domain.told import Told
from flows.attendance_declaration import AttendanceDeclaration, Declared, off_is_a_word
from flows.knowledge_chunks import Chunk
from flows.model_declaration import BudgetsDeclaration, ModelDeclaration
from tools.declaration import BusinessFunction
from tools.http_call import HttpDeclaration

LANGUAGES = ("pt", "es", "en")
"""What the classifier, the texts and the pages speak; the first is the project's first language."""

OWN_COLLECTION = "tenant"
"""Records that Atende itself derives from tenant.yaml, so that functions can read them (key ``hours``)."""

_RELATIVE_DAY = re.compile(r"today([+-]\d{1,4})?")

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Domain = Annotated[str, StringConstraints(pattern=r"^([a-z0-9-]+\.)+[a-z]{2,}$", to_lower=True, max_length=253)]
Sentence = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Probability = Annotated[float, Field(ge=0, le=1)]


def _supported(language: str) -> str:
    if language not in LANGUAGES:
        raise ValueError(f"{language!r} is not supported; choose from {', '.join(LANGUAGES)}")
    return language


Language = Annotated[str, AfterValidator(_supported)]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone; use an IANA name such as America/Sao_Paulo")
    return name


class DebounceDeclaration(Declared):
    """How long a turn waits for further messages, in seconds: since the last one, and at most since the first one.

    ``complete_seconds`` after a whole sentence (None: a second, or ``seconds`` if that is less), ``fragment_seconds``
    after a greeting or half a sentence (None: twice ``seconds``), ``typing_seconds`` since the customer was last seen
    typing. With ``seconds`` 0 nothing waits.
    """

    seconds: Annotated[float, Field(ge=0, le=60)] = 3.0
    complete_seconds: Annotated[float, Field(ge=0, le=60)] | None = None
    fragment_seconds: Annotated[float, Field(ge=0, le=60)] | None = None
    typing_seconds: Annotated[float, Field(ge=0, le=60)] | None = None
    cap_seconds: Annotated[float, Field(ge=0, le=300)] = 12.0

    @model_validator(mode="after")
    def _cap_is_not_smaller(self) -> DebounceDeclaration:
        if self.cap_seconds < self.seconds:
            raise ValueError(Told("longest_wait", "cap_seconds must not be smaller than seconds"))
        return self


class PacingDeclaration(Declared):
    """How automatic replies arrive. ``split_characters``: longer ones come in several messages; 0: never split.

    ``show_typing``: whether the customer sees that an answer is on its way while the agent is still working on it.
    """

    split_characters: Annotated[int, Field(ge=0, le=20_000)] = SPLIT_CHARACTERS
    show_typing: bool = True


class MediaReadingDeclaration(Declared):
    """What of customers' voice notes, pictures and documents may be put into words, where the installation can.

    ``wait_seconds``: how long a turn waits for a file that its gateway does not hand out yet. Files beyond the limits
    go to a person.
    """

    enabled: bool = True
    longest_characters: Annotated[int, Field(ge=100, le=20_000)] = 4_000
    most_megabytes: Annotated[float, Field(gt=0, le=100)] = 16
    most_files: Annotated[int, Field(ge=1, le=20)] = 5
    wait_seconds: Annotated[float, Field(ge=0, le=900)] = 60


class NumberDeclaration(Declared):
    """A WhatsApp number (channel session). ``key`` names it within the tenant."""

    key: Slug
    name: Sentence
    provider: Sentence
    team: str = ""
    pace: dict[str, str | float] = Field(default_factory=dict)
    """How fast it may send; names and values as in domain.sending_pace."""

    @field_validator("pace")
    @classmethod
    def _is_a_pace(cls, pace: dict[str, str | float]) -> dict[str, str | float]:
        for name, value in pace.items():
            if name not in PACE_SETTINGS:
                raise ValueError(f"{name!r} is no setting of a pace; there are {', '.join(PACE_SETTINGS)}")
            try:
                read_pace_setting(name, f"{value:g}" if isinstance(value, float) else value)
            except InvalidInputError as error:
                raise ValueError(f"{name} {error.problem}") from error
        return pace


class UserDeclaration(Declared):
    """Somebody who logs in. ``demo_password`` is public by nature: imports outside a demo must not use it."""

    name: Sentence
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", to_lower=True)]
    role: Role
    demo_password: Annotated[str, StringConstraints(min_length=8)] | None = None


class TrustedWrite(Declared):
    """A write that acts without approval where one of these intents asks for it."""

    function: Identifier
    intents: Annotated[tuple[Identifier, ...], Field(min_length=1)]


class TenantSettings(AttendanceDeclaration):
    """tenant.yaml."""

    slug: Slug
    name: Sentence
    default_language: Language
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    timezone: Annotated[str, AfterValidator(_known_zone)]
    persona: str = ""
    mask_model_prompts: bool = False
    second_reading: bool = True
    reply_mode: ReplyMode = ReplyMode.SUGGEST
    threshold: Probability = 0.8
    knowledge_threshold: Probability = 0.5
    unmatched_mode: ReplyMode | None = None
    debounce: DebounceDeclaration = DebounceDeclaration()
    pacing: PacingDeclaration = PacingDeclaration()
    media_reading: MediaReadingDeclaration = MediaReadingDeclaration()
    texts: dict[str, dict[Language, Sentence]] = Field(default_factory=dict)
    trusted_writes: tuple[Identifier | TrustedWrite, ...] = ()
    domains: tuple[Domain, ...] = ()
    model: ModelDeclaration = ModelDeclaration()
    budgets: BudgetsDeclaration = BudgetsDeclaration()
    numbers: Annotated[tuple[NumberDeclaration, ...], Field(min_length=1)]
    users: tuple[UserDeclaration, ...] = ()

    @field_validator("reply_mode", "unmatched_mode", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        return off_is_a_word(value)

    @property
    def trust(self) -> dict[str, tuple[str, ...]]:
        """The trusted writes with the intents they are trusted for; (): whichever intent they serve."""
        return {one: () for one in self.trusted_writes if isinstance(one, str)} | {
            one.function: one.intents for one in self.trusted_writes if isinstance(one, TrustedWrite)
        }


class IntentDeclaration(Declared):
    """One file of intents/. See ``agent.turn.IntentSpec`` for what serves an intent."""

    name: Identifier
    description: Sentence
    examples: dict[Language, Annotated[tuple[Sentence, ...], Field(min_length=1)]]
    function: Identifier | None = None
    answer: dict[Language, Sentence] = Field(default_factory=dict)
    replies: dict[Identifier, dict[Language, Sentence]] = Field(default_factory=dict)
    action: Literal["serve", "hand_off", "stay_silent"] = "serve"
    threshold: Probability | None = None
    reply_mode: ReplyMode | None = None
    restricted: bool = False
    hand_off_reason: HandOffReason | None = None

    @field_validator("reply_mode", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: object) -> object:
        return off_is_a_word(value)

    def spec(self) -> IntentSpec:
        """The intent as the agent reads it."""
        return IntentSpec(
            name=self.name,
            description=self.description,
            function=self.function,
            answer=self.answer,
            replies=self.replies,
            action=self.action,
            threshold=self.threshold,
            reply_mode=self.reply_mode,
            restricted=self.restricted,
            hand_off_reason=self.hand_off_reason,
        )


@dataclass(frozen=True, slots=True)
class KnowledgeDocument:
    """One file of knowledge/. ``ref`` is its file name without the ending."""

    ref: str
    title: str
    language: Language
    file_name: str
    digest: str
    chunks: tuple[Chunk, ...]

    def passages(self) -> tuple[Passage, ...]:
        """Its chunks as a search finds them; ``ref`` is ``document#position``, from 0."""
        return tuple(
            Passage(f"{self.ref}#{position}", chunk.title(self.title), chunk.text, 0.0, self.language, chunk.page)
            for position, chunk in enumerate(self.chunks)
        )


@dataclass(frozen=True, slots=True)
class TenantDeclaration:
    """A whole tenant folder, read and checked. ``version`` is a digest of its content (demo scripts apart)."""

    folder: Path
    settings: TenantSettings
    version: str
    intents: Mapping[str, IntentDeclaration]
    functions: Mapping[str, BusinessFunction]
    knowledge: tuple[KnowledgeDocument, ...]
    http_functions: Mapping[str, HttpDeclaration] = field(default_factory=dict)
    """Those of ``functions`` that are requests, as declared."""
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    """The tenant's own wording of Atende's prompts, by name."""
    records: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    """As written in data/: days relative to the import are still words. ``seed_records`` resolves them."""

    def passages(self) -> tuple[Passage, ...]:
        """All chunks of all documents, in the order in which the database takes them."""
        documents = sorted(self.knowledge, key=lambda document: document.ref)
        return tuple(passage for document in documents for passage in document.passages())


def seed_records(declaration: TenantDeclaration, today: date) -> dict[str, dict[str, dict[str, Any]]]:
    """The records to start with, by collection and key.

    A value ``today``, ``today-3`` or ``today+5`` becomes that ISO date, so that example data never grow old. The
    collection ``tenant`` is added: its record ``hours`` holds tenant.yaml's opening hours.
    """
    hours = declaration.settings.hours.business_hours()
    seeds = {
        collection: {
            key: {name: resolve_days(value, today) for name, value in record.items()} for key, record in rows.items()
        }
        for collection, rows in declaration.records.items()
    }
    if hours.weekly:
        seeds[OWN_COLLECTION] = {"hours": hours_record(hours, today.year)}
    return seeds


def hours_record(hours: BusinessHours, year: int) -> dict[str, Any]:
    """Opening hours as functions read them: the record ``hours`` of the collection ``tenant``."""
    weekly = [[list(span) for span in day] for day in hours.weekly]
    return {"weekly": weekly, "closed_dates": _closed_dates(hours, year)}


def _closed_dates(hours: BusinessHours, year: int) -> list[str]:
    """Dates on which the business is closed, holidays of this year and the next included."""
    closed = {*hours.closed_dates, *hours.special_dates}
    if hours.holidays:
        closed |= {day.isoformat() for each in (year, year + 1) for day in holidays_of(hours.holidays, each)}
    return sorted(day for day in closed if not spans_of(hours, date.fromisoformat(day)))


def to_profile(declaration: TenantDeclaration, tenant_id: str) -> TenantProfile:
    """The tenant as the agent reads it. Needs no database, so that evals can use it."""
    settings = declaration.settings
    return TenantProfile(
        id=tenant_id,
        name=settings.name,
        version=declaration.version,
        timezone=ZoneInfo(settings.timezone),
        languages=settings.languages,
        default_language=settings.default_language,
        reply_mode=settings.reply_mode,
        threshold=settings.threshold,
        knowledge_threshold=settings.knowledge_threshold,
        unmatched_mode=settings.unmatched_mode,
        intents={name: intent.spec() for name, intent in declaration.intents.items()},
        functions=dict(sorted(declaration.functions.items())),
        trusted_writes=frozenset(settings.trust),
        trusted_only_for={name: frozenset(intents) for name, intents in settings.trust.items() if intents},
        texts=settings.texts,
        persona=settings.persona,
        domains=frozenset(settings.domains),
        **settings.profile_fields(),
        budgets=settings.budgets.budgets(),
        mask_model_prompts=settings.mask_model_prompts,
        second_reading=settings.second_reading,
        prompts=declaration.prompts,
        documents_version=documents_version((one.ref, one.language, one.digest) for one in declaration.knowledge),
        examples_version=examples_version(
            (intent.name, language, text)
            for intent in declaration.intents.values()
            for language, texts in intent.examples.items()
            for text in texts
        ),
    )


def resolve_days(value: Any, today: date) -> Any:
    """``today``, ``today-3`` and the like in JSON values become ISO dates."""
    if isinstance(value, str) and (match := _RELATIVE_DAY.fullmatch(value)):
        return (today + timedelta(days=int(match[1] or 0))).isoformat()
    if isinstance(value, dict):
        return {name: resolve_days(item, today) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve_days(item, today) for item in value]
    return value
