"""What may be set of a tenant without its files, changed and shown: ``atende tenant set``, ``show``, and the pages.

What is set here wins over the tenant's files, also over later imports, until it is set to nothing.
``flows.settings_known`` lists what there is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from domain.errors import AtendeError, ConflictError
from domain.told import Told, told_of, told_of_detail
from flows.attendance_declaration import AttendanceDeclaration
from flows.model_declaration import declared_budgets, declared_model, unpriced
from flows.settings_known import SETTINGS, Setting, number, read_quiet_spans, text, whole_number, written
from flows.tenant_declaration import LANGUAGES
from flows.versions import ANY, check_version, version_of
from store import events, functions
from store import secrets as sealed
from store.database import Connection, Database, Row
from store.secrets import Sealer
from store.wakeup import EVENTS, PROFILES, Wakeup
from tools.public_web import check_public, check_url

SET_BY_HAND: Final = "set_by_hand"
"""Key in ``tenant.settings``: what was set here, as top-level keys of the settings; an import puts it on top."""


class SettingsRefusedError(AtendeError):
    """Settings that cannot be taken; ``problems`` holds (key, what is wrong) of all. Nothing was changed."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        listed = "; ".join(f"{key} {what}" for key, what in problems)
        super().__init__(f"Nothing was changed: {listed}.", hint="Correct it and set all of them again.")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting as people see it. ``origin``: ``set`` (by hand), ``files``, or ``usual``."""

    key: str
    value: str
    origin: str
    about: str
    usual: str = ""
    """What holds where nothing is set."""
    secret: bool = False

    @property
    def typed(self) -> str:
        """As a form shows it: empty where nothing is set, and of a secret."""
        return "" if self.secret or self.origin == "usual" else _plain(self.value)


PRIVATE: Final = Told("public_address", "must be a public address that begins with https://")


PROGRAM_SETTINGS: Final = tuple(
    one for one in SETTINGS if not one.secret and (not one.key.startswith("model.") or one.key == "model.prices")
)
"""What a tenant's programs set. Which model is asked where, in whose name, is for its people and the installation."""


def shown_version(shown: Sequence[ShownSetting]) -> str:
    """A digest of settings as they are, to tell whether somebody changed them meanwhile."""
    state = repr(sorted((one.key, one.value, one.origin) for one in shown))
    return hashlib.sha256(state.encode()).hexdigest()[:16]


def _plain(value: str) -> str:
    return value.replace("\r\n", "\n").strip()


class TenantSettingsDesk:
    """Changes and shows a tenant's settings. Raises SettingsRefusedError or ChangedMeanwhileError; then nothing was
    changed."""

    def __init__(
        self,
        db: Database,
        wakeup: Wakeup,
        sealer: Sealer,
        known: Sequence[Setting] = SETTINGS,
        *,
        allowed_hosts: Collection[str] | None = None,
    ) -> None:
        """``allowed_hosts``: the hosts of our own network that a model's address may name, besides those that the
        tenant's functions may reach (tools.public_web); None: none is judged here, only when it is called."""
        self._known = known
        self._db = db
        self._wakeup = wakeup
        self._sealer = sealer
        self._allowed_hosts = allowed_hosts

    async def change(
        self, tenant_id: UUID, wishes: Mapping[str, str], *, actor: str, version: str | None = ANY
    ) -> None:
        """Set each key to its value, if nobody set any since ``version``; an empty value takes back what was set."""
        values = read_settings(wishes, self._known)
        async with self._db.transaction(tenant_id) as tx:
            await self._judge_address(tx, values)
            row = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
            check_version("the settings", version, settings_version(row, self._known))
            await self._write(tx, row, values, actor)
        self._wakeup.signal(PROFILES, EVENTS)

    async def save(self, tenant_id: UUID, typed: Mapping[str, str], *, version: str, actor: str) -> bool:
        """Take a form over whose fields hold ``typed``: what differs from what holds is set; returns whether any did.

        An empty field takes back what was set. Of a secret, empty keeps it. Raises ConflictError where one of these
        settings is not as in ``version`` any more.
        """
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
            shown = await self._all_shown(tx, row)
            if shown_version([one for one in shown if one.key in typed]) != version:
                raise ConflictError("Somebody changed the settings meanwhile.", hint="Look at them again, then save.")
            # what holds where nothing is set counts as untouched: choices and switches always send something
            kept = {one.key: {one.typed, one.usual} if one.origin == "usual" else {one.typed} for one in shown}
            secret = {setting.key for setting in self._known if setting.secret}
            wishes = {
                key: value
                for key, value in typed.items()
                if _plain(value) not in kept.get(key, ()) and not (key in secret and not value.strip())
            }
            if not wishes:
                return False
            values = read_settings(wishes, self._known)
            await self._judge_address(tx, values)
            await self._write(tx, row, values, actor)
        self._wakeup.signal(PROFILES, EVENTS)
        return True

    async def _write(self, tx: Connection, row: Row, values: Mapping[Setting, Any], actor: str) -> None:
        tenant_id = row["id"]
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
        changed = await tx.fetchrow(
            "UPDATE tenant SET settings = $2, profile_version = profile_version + 1, "
            "locale = coalesce($2::jsonb ->> 'default_language', locale) WHERE id = $1 RETURNING *",
            tenant_id,
            settings,
        )
        changes = {
            setting.key: [_shown(setting, dict(state), set()).value for state in (row, changed)]
            for setting in values
            if not setting.secret  # never what is sealed, neither before nor after
        }
        payload = {"keys": sorted(setting.key for setting in values), "changes": changes}
        await events.append(tx, tenant_id, "tenant.set", payload=payload, actor=actor)

    async def _judge_address(self, tx: Connection, values: Mapping[Setting, Any]) -> None:
        address = next((value for setting, value in values.items() if setting.key == "model.base_url"), None)
        if address is None or self._allowed_hosts is None:
            return
        hosts = {*self._allowed_hosts, *await functions.allowed_hosts(tx)}
        try:
            check_url(address, hosts)
            await check_public(address, hosts)
        except AtendeError as error:
            raise SettingsRefusedError([("model.base_url", PRIVATE)]) from error

    async def show(self, tenant_id: UUID) -> list[ShownSetting]:
        """All settings, those that are not set with what holds instead."""
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
            return await self._all_shown(tx, row)

    async def version(self, tenant_id: UUID) -> str:
        """The version of all that these settings hold (whether a secret is there is not part of it)."""
        async with self._db.transaction(tenant_id) as tx:
            return settings_version(await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id), self._known)

    async def _all_shown(self, tx: Connection, row: Row) -> list[ShownSetting]:
        secrets = set(await sealed.names(tx))
        return [_shown(setting, dict(row), secrets) for setting in self._known]

    async def _keep_secret(self, tx: Connection, tenant_id: UUID, name: str, value: Any) -> None:
        if value is not None:
            await sealed.put(tx, self._sealer, tenant_id, name, value)
        elif name in await sealed.names(tx):
            await sealed.remove(tx, name)


def settings_version(row: Row, known: Sequence[Setting]) -> str:
    """The version of the settings among ``known``; ``row``: the tenant's."""
    return version_of(*((one.key, _shown(one, dict(row), set()).value) for one in known if not one.secret))


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
            problems.append((key, Told("needed", "is always needed")))
        else:
            try:
                values[setting] = setting.read(wish.strip()) if wish.strip() else None
            except ValueError as error:
                problems.append((key, told_of(error)))
    if problems:
        raise SettingsRefusedError(problems)
    return values


def _place(settings: dict[str, Any], by_hand: dict[str, Any], key: str, value: Any) -> None:
    """Write ``value`` at the dotted ``key``; None: remove it. ``by_hand`` keeps the whole top-level key."""
    first, *rest = key.split(".")
    found = _placed(settings.get(first), rest, value)
    if found is None or found == {}:
        settings.pop(first, None)
        by_hand.pop(first, None)
    else:
        settings[first] = by_hand[first] = found


def _placed(found: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    inner = dict(found) if isinstance(found, Mapping) else {}
    below = _placed(inner.pop(path[0], None), path[1:], value)
    return inner if below is None or below == {} else {**inner, path[0]: below}


def _check(settings: Mapping[str, Any]) -> None:
    """What settings demand of each other."""
    default, languages = settings.get("default_language", "pt"), settings.get("languages", list(LANGUAGES))
    if default not in languages:
        raise SettingsRefusedError(
            [("languages", Told("default_of_languages", "must hold the default language {language}", language=default))]
        )
    debounce = settings.get("debounce") or {}
    if debounce.get("cap_seconds", 10) < debounce.get("seconds", 1):
        raise SettingsRefusedError(
            [("debounce.cap_seconds", Told("longest_wait", "must not be smaller than debounce.seconds"))]
        )
    for name, own in (settings.get("texts") or {}).items():
        if isinstance(own, Mapping) and own and default not in own:
            # Customers of every language would read the one that there is.
            needed = Told("main_language_first", "is needed, since another language has own words")
            raise SettingsRefusedError([(f"texts.{name}.{default}", needed)])
    try:
        model, budgets = declared_model(settings), declared_budgets(settings)
        AttendanceDeclaration.stored(settings)
    except ValidationError as error:
        raise SettingsRefusedError([("model", told_of_detail(dict(detail))) for detail in error.errors()]) from error
    if unpriced_models := unpriced(model, budgets):
        english = "must name a price for {models}, since budgets limit money"
        problem = Told("prices_first", english, models=", ".join(unpriced_models))
        raise SettingsRefusedError([("model.prices", problem)])


def _shown(setting: Setting, row: Mapping[str, Any], secrets: set[str]) -> ShownSetting:
    def shown(value: str, origin: str) -> ShownSetting:
        return ShownSetting(setting.key, value, origin, setting.about, setting.usual, setting.secret)

    if setting.secret:
        return shown("(kept sealed)", "set") if setting.key in secrets else shown(setting.usual, "usual")
    if setting.column:
        return shown(str(row[setting.column]), "set")
    found: Any = row["settings"]
    for part in setting.key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if found is None or found == {}:
        return shown(setting.usual, "usual")
    by_hand = setting.key.split(".")[0] in row["settings"].get(SET_BY_HAND, {})
    return shown((setting.write or written)(found), "set" if by_hand else "files")


__all__ = [
    "PRIVATE",
    "PROGRAM_SETTINGS",
    "SETTINGS",
    "SET_BY_HAND",
    "Setting",
    "SettingsRefusedError",
    "ShownSetting",
    "TenantSettingsDesk",
    "number",
    "read_quiet_spans",
    "read_settings",
    "settings_version",
    "shown_version",
    "text",
    "whole_number",
]
