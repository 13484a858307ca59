"""What may be set of a tenant without its files: one registry, read by ``atende tenant set``, ``show`` and the rest.

A new setting is one entry of SETTINGS. What is set here wins over the tenant's files, also over later imports, until it
is set to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import ValidationError

from domain.decisions import ReplyMode
from domain.errors import AtendeError
from flows.model_declaration import (
    MODEL_KEY,
    declared_budgets,
    declared_model,
    read_address,
    read_limit,
    read_name,
    read_options,
    read_prices,
    unpriced,
)
from flows.tenant_declaration import LANGUAGES
from store import events
from store import secrets as sealed
from store.database import Connection, Database
from store.secrets import Sealer
from store.wakeup import PROFILES, Wakeup

SET_BY_HAND: Final = "set_by_hand"
"""Key in ``tenant.settings``: what was set here, as top-level keys of the settings; an import puts it on top."""

_LONGEST = 4_000

Reader = Callable[[str], Any]
"""From the text of the command line to a JSON value. Raises ValueError with what is wrong ("must be …")."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that may be set. ``key`` is its dotted path in ``tenant.settings``, unless it is a column or secret."""

    key: str
    about: str
    read: Reader
    usual: str = "-"
    """What holds where nothing is set, for people."""
    secret: bool = False
    """Kept sealed (store.secrets) under ``key``, never shown."""
    column: str = ""
    """A column of table tenant instead of its settings."""


class SettingsRefusedError(AtendeError):
    """Settings that cannot be taken; ``problems`` holds (key, what is wrong) of all. Nothing was changed."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        listed = "; ".join(f"{key} {what}" for key, what in problems)
        super().__init__(f"Nothing was changed: {listed}.", hint="Correct it and set all of them again.")
        self.problems = tuple(problems)


def text(longest: int = _LONGEST) -> Reader:
    """Any text that is not empty."""

    def read(value: str) -> str:
        if len(value) > longest or "\0" in value:
            raise ValueError(f"must be text of at most {longest} characters")
        return value

    return read


def number(least: float, most: float) -> Reader:
    """A number in [least, most]; 0,8 counts as 0.8."""

    def read(value: str) -> float:
        try:
            found = float(value.replace(",", "."))
        except ValueError:
            found = float("nan")
        if not least <= found <= most:
            raise ValueError(f"must be a number from {least:g} to {most:g}, not {value!r}")
        return found

    return read


def whole_number(least: int, most: int) -> Reader:
    """A whole number in [least, most]."""

    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}, not {value!r}")
        return int(value)

    return read


def one_of(*choices: str) -> Reader:
    """One of these words."""

    def read(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {value!r}")
        return value.lower()

    return read


def yes_or_no(value: str) -> bool:
    """A switch."""
    if value.lower() not in {"yes", "no", "true", "false", "on", "off"}:
        raise ValueError(f"must be yes or no, not {value!r}")
    return value.lower() in {"yes", "true", "on"}


def listed(choices: Sequence[str] = ()) -> Reader:
    """Words separated by commas, each one of ``choices`` where there are some."""

    def read(value: str) -> list[str]:
        found = list(dict.fromkeys(part.strip().lower() for part in value.split(",") if part.strip()))
        wrong = [part for part in found if choices and part not in choices]
        if wrong or not found:
            raise ValueError(f"must list some of {', '.join(choices)}, not {value!r}")
        return found

    return read


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"must be an IANA time zone such as America/Sao_Paulo, not {value!r}")
    return value


_MODES: Final = tuple(mode.value for mode in ReplyMode)

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("name", "what the business is called", text(200), column="name"),
    Setting("timezone", "its IANA time zone", _zone, column="timezone"),
    Setting("default_language", "the language of its files and people", one_of(*LANGUAGES), "pt"),
    Setting("languages", "in which customers are answered", listed(LANGUAGES), "pt,es,en"),
    Setting("persona", "how the assistant introduces itself, for a language model", text()),
    Setting("reply_mode", "auto, suggest or off where no rule says otherwise", one_of(*_MODES), "suggest"),
    Setting("unmatched_mode", "the same for what matched no intent", one_of(*_MODES), "as reply_mode"),
    Setting("threshold", "how sure an intent must be", number(0, 1), "0.8"),
    Setting("knowledge_threshold", "how near a passage must be to be quoted", number(0, 1), "0.5"),
    Setting("debounce.seconds", "wait after a message for the next one", number(0, 60), "3"),
    Setting("debounce.cap_seconds", "the longest such wait", number(0, 300), "12"),
    Setting("domains", "internet domains that replies may link to", listed()),
    Setting("mask_model_prompts", "hide personal data from language models", yes_or_no, "no"),
    Setting("model.name", "the language model", read_name, "the installation's"),
    Setting("model.base_url", "where it is reached, OpenAI-compatible", read_address, "the installation's"),
    Setting(MODEL_KEY, "the key for that address", text(500), "the installation's, at its own address", secret=True),
    Setting("model.fallback", "asked at the same address while that one fails", read_name),
    Setting("model.summary", "sums up long conversations", read_name, "as model.name"),
    Setting("model.timeout_seconds", "the longest wait for one answer", number(1, 120), "20"),
    Setting("model.deadline_seconds", "the longest wait with all attempts", number(1, 240), "45"),
    Setting("model.attempts", "tries of one model", whole_number(1, 6), "3"),
    Setting("model.prices", "per million tokens: model=INPUT/OUTPUT[/CACHED], …", read_prices, "tokens only"),
    Setting("model.options", "JSON object, sent with every request", read_options),
    Setting("budgets.conversation", "most per conversation: 0.50, or 20000 tokens, or both", read_limit, "no limit"),
    Setting("budgets.day", "the same per day", read_limit, "no limit"),
    Setting("budgets.month", "the same per month", read_limit, "no limit"),
)
"""Every setting there is. Others add theirs here."""


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting as people see it. ``origin``: ``set`` (by hand), ``files``, or ``usual``."""

    key: str
    value: str
    origin: str
    about: str


class TenantSettingsDesk:
    """Changes and shows a tenant's settings. Raises SettingsRefusedError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup, sealer: Sealer, known: Sequence[Setting] = SETTINGS) -> None:
        self._known = known
        self._db = db
        self._wakeup = wakeup
        self._sealer = sealer

    async def change(self, tenant_id: UUID, wishes: Mapping[str, str], *, actor: str) -> None:
        """Set each key to its value; an empty value takes back what was set."""
        values = read_settings(wishes, self._known)
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT settings FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
            settings = dict(row["settings"])
            by_hand = dict(settings.get(SET_BY_HAND, {}))
            for setting, value in values.items():
                if setting.secret:
                    await self._keep_secret(tx, tenant_id, setting.key, value)
                elif setting.column:
                    await tx.execute(f"UPDATE tenant SET {setting.column} = $2 WHERE id = $1", tenant_id, value)
                else:
                    _place(settings, by_hand, setting.key, value)
            _check(settings)
            settings[SET_BY_HAND] = by_hand
            await tx.execute(
                "UPDATE tenant SET settings = $2, profile_version = profile_version + 1, "
                "locale = coalesce($2::jsonb ->> 'default_language', locale) WHERE id = $1",
                tenant_id,
                settings,
            )
            keys = sorted(setting.key for setting in values)  # never values: one may be a secret
            await events.append(tx, tenant_id, "tenant.set", payload={"keys": keys}, actor=actor)
        self._wakeup.signal(PROFILES)

    async def show(self, tenant_id: UUID) -> list[ShownSetting]:
        """All settings, those that are not set with what holds instead."""
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
            secrets = set(await sealed.names(tx))
        return [_shown(setting, dict(row), secrets) for setting in self._known]

    async def _keep_secret(self, tx: Connection, tenant_id: UUID, name: str, value: Any) -> None:
        if value is not None:
            await sealed.put(tx, self._sealer, tenant_id, name, value)
        elif name in await sealed.names(tx):
            await sealed.remove(tx, name)


def read_settings(wishes: Mapping[str, str], among: Sequence[Setting] = SETTINGS) -> dict[Setting, Any]:
    """The values by setting; None takes back. Raises SettingsRefusedError with all that is wrong."""
    known = {setting.key: setting for setting in among}
    problems: list[tuple[str, str]] = []
    values: dict[Setting, Any] = {}
    for key, wish in wishes.items():
        setting = known.get(key)
        if setting is None:
            problems.append((key, f"is no setting; there are {', '.join(known)}"))
        elif not wish.strip() and setting.column:
            problems.append((key, "is always needed"))
        else:
            try:
                values[setting] = setting.read(wish.strip()) if wish.strip() else None
            except ValueError as error:
                problems.append((key, str(error)))
    if problems:
        raise SettingsRefusedError(problems)
    return values


def _place(settings: dict[str, Any], by_hand: dict[str, Any], key: str, value: Any) -> None:
    """Write ``value`` at the dotted ``key``; None: remove it. ``by_hand`` keeps the whole top-level key."""
    first, *rest = key.split(".")
    if not rest:
        if value is None:
            settings.pop(first, None)
            by_hand.pop(first, None)
        else:
            settings[first] = by_hand[first] = value
        return
    inner = dict(settings.get(first) or {})
    if value is None:
        inner.pop(rest[0], None)
    else:
        inner[rest[0]] = value
    settings[first] = by_hand[first] = inner
    if not inner:
        settings.pop(first)
        by_hand.pop(first)


def _check(settings: Mapping[str, Any]) -> None:
    """What settings demand of each other."""
    default, languages = settings.get("default_language", "pt"), settings.get("languages", list(LANGUAGES))
    if default not in languages:
        raise SettingsRefusedError([("languages", f"must hold the default language {default}")])
    debounce = settings.get("debounce") or {}
    if debounce.get("cap_seconds", 12) < debounce.get("seconds", 3):
        raise SettingsRefusedError([("debounce.cap_seconds", "must not be smaller than debounce.seconds")])
    try:
        model, budgets = declared_model(settings), declared_budgets(settings)
    except ValidationError as error:
        raise SettingsRefusedError([("model", str(detail["msg"])) for detail in error.errors()]) from error
    if unpriced_models := unpriced(model, budgets):
        problem = f"must name a price for {', '.join(unpriced_models)}, since budgets limit money"
        raise SettingsRefusedError([("model.prices", problem)])


def _shown(setting: Setting, row: Mapping[str, Any], secrets: set[str]) -> ShownSetting:
    if setting.secret:
        value, origin = ("(kept sealed)", "set") if setting.key in secrets else (setting.usual, "usual")
        return ShownSetting(setting.key, value, origin, setting.about)
    if setting.column:
        return ShownSetting(setting.key, str(row[setting.column]), "set", setting.about)
    found: Any = row["settings"]
    for part in setting.key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if found is None:
        return ShownSetting(setting.key, setting.usual, "usual", setting.about)
    by_hand = setting.key.split(".")[0] in row["settings"].get(SET_BY_HAND, {})
    shown = ",".join(map(str, found)) if isinstance(found, list) else str(found)
    return ShownSetting(setting.key, shown, "set" if by_hand else "files", setting.about)
