"""Prompt bundles as people handle them on a page: reworded into a draft, with the evals that speak for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from agent.bundle import bundle_parts
from agent.prompts import Prompt, PromptError, check_own, read_prompt
from domain.errors import InvalidInputError
from domain.text import storable
from domain.told import Told
from flows.bundle_content import BundleContent, FunctionPart
from flows.bundle_difference import differences
from flows.bundles import BundleDesk, Evidence
from flows.live_tenant import LiveTenant
from flows.profiles import Profiles
from store import eval_runs
from store.database import Database

LONGEST_PROMPT: Final = 40_000
_RUNS: Final = 200


THRESHOLDS: Final = {"threshold": "0.8", "knowledge_threshold": "0.5"}
"""The thresholds that a draft may change, with what holds where nothing is set. Modes and rules of the reply policy are
no part of it: they take the right to change the policy, and have a page of their own."""
_LONGEST_DESCRIPTION: Final = 2_000


@dataclass(frozen=True, slots=True)
class Wording:
    """What a draft may change, as it is in force: prompt files by name, and how the assistant introduces itself."""

    prompts: Mapping[str, str]
    persona: str
    thresholds: Mapping[str, str] = field(default_factory=dict)
    """From 0 to 1, by name of THRESHOLDS, as typed."""
    functions: Mapping[str, FunctionWords] = field(default_factory=dict)
    """How functions are described to a model, by name. What is missing stays as it is."""


@dataclass(frozen=True, slots=True)
class FunctionWords:
    """A function's description, and those of its parameters by name."""

    description: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tools:
    """What editing needs; made when first asked for, since it loads the encoder."""

    desk: BundleDesk
    profiles: Profiles


class BundleEditing:
    """Raises NotFoundError, InvalidInputError, and what BundleDesk raises; then nothing was changed."""

    def __init__(self, db: Database, tools: Callable[[], Tools]) -> None:
        self._db = db
        self._make = tools
        self._made: Tools | None = None

    @property
    def desk(self) -> BundleDesk:
        """The desk that publishes."""
        return self._tools.desk

    @property
    def _tools(self) -> Tools:
        if self._made is None:
            self._made = self._make()
        return self._made

    async def wording(self, tenant_id: UUID) -> Wording:
        """What is in force."""
        live = await self._tools.profiles.live(tenant_id)
        settings, content = live.tenant["settings"], _content(live)
        return Wording(
            _sources(live),
            str(settings.get("persona", "")),
            {name: f"{settings[name]:g}" if name in settings else usual for name, usual in THRESHOLDS.items()},
            {name: FunctionWords(one.description, one.parameters) for name, one in sorted(content.functions.items())},
        )

    async def preview(self, tenant_id: UUID, wanted: Wording) -> list[str]:
        """What the draft would change, as ``BundleDesk.diff`` tells it; nothing is stored."""
        live = await self._tools.profiles.live(tenant_id)
        return list(differences(_content(live), _edited(live, wanted)))

    async def draft(self, tenant_id: UUID, wanted: Wording, *, description: str, actor: str) -> tuple[str, bool]:
        """Store what is in force with another wording; the hash, and whether it is new. Customers notice nothing.

        A prompt that is changed needs a new version in its head, so that a trace tells which one ran.
        """
        live = await self._tools.profiles.live(tenant_id)
        edited = _edited(live, wanted)
        would_be = live.under(edited)
        parts = bundle_parts(would_be.library, would_be.profile(), would_be.model())
        return await self.desk.draft(
            tenant_id, replace(edited, contents=parts), {}, description=description, actor=actor
        )

    async def passed_runs(self, tenant_id: UUID, name: str) -> list[Mapping[str, Any]]:
        """The published runs of evals that exactly this bundle passed, the newest first; none was simulated."""
        async with self._db.transaction(tenant_id) as tx:
            rows = await eval_runs.history(tx, _RUNS)
        return [
            {"id": row["id"], "started_at": row["started_at"], "mode": row["mode"], "shares": row["shares"]}
            for row in rows
            if row["candidate"].get("hash") == name
            and row["exit_code"] == 0
            and all(share["origin"] != "simulated" for share in row["shares"])
        ]

    async def publish(self, tenant_id: UUID, name: str, *, run: str, reason: str, anyway: bool, actor: str) -> str:
        """Put it in force for all contacts: with a passed run of ``passed_runs``, or a reason, which is kept."""
        row, _ = await self.desk.content(tenant_id, name)
        evidence = Evidence(reason=reason)
        found = [one for one in await self.passed_runs(tenant_id, row["hash"]) if str(one["id"]) == run]
        if found and not reason.strip():
            one = found[0]
            told = {
                "id": str(one["id"]),
                "suites": [share["suite"] for share in one["shares"]],
                "mode": one["mode"],
                "started_at": one["started_at"].isoformat(),
            }
            evidence = Evidence(evaluated=row["hash"], run=told)
        return await self.desk.publish(tenant_id, row["hash"], evidence, actor=actor, anyway=anyway)


def _content(live: LiveTenant) -> BundleContent:
    return live.content(bundle_parts(live.library, live.profile(), live.model()))


def _edited(live: LiveTenant, wanted: Wording) -> BundleContent:
    before, content = _sources(live), _content(live)
    reworded = {
        name: _checked(name, text, before[name], live).source for name, text in wanted.prompts.items() if name in before
    }
    settings = {**content.settings, "persona": storable(wanted.persona)[0].replace("\r\n", "\n").strip()}
    for name, text in wanted.thresholds.items():
        if name in settings or float(THRESHOLDS[name]) != _threshold(name, text):
            settings[name] = _threshold(name, text)
    functions = {
        name: _described(name, part, wanted.functions[name]) if name in wanted.functions else part
        for name, part in content.functions.items()
    }
    return replace(content, prompts={**content.prompts, **reworded}, settings=settings, functions=functions)


def _threshold(name: str, text: str) -> float:
    try:
        found = float(text.strip().replace(",", "."))
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise InvalidInputError(name, f"must be a number from 0 to 1, not {text[:40]!r}")
    return found


def _described(name: str, part: FunctionPart, words: FunctionWords) -> FunctionPart:
    found = {key: words.parameters.get(key, text).strip() for key, text in part.parameters.items()}
    description = words.description.replace("\r\n", "\n").strip()
    for place, text in ((name, description), *((f"{name}.{key}", text) for key, text in found.items())):
        if len(text) > _LONGEST_DESCRIPTION or storable(text)[0] != text:
            raise InvalidInputError(
                place, Told("too_long", "is longer than {most} characters", most=_LONGEST_DESCRIPTION)
            )
    if not description:
        raise InvalidInputError(name, Told("needed", "is missing"))
    return replace(part, description=description, parameters=found)


def _sources(live: LiveTenant) -> dict[str, str]:
    own = {name: prompt.source for name, prompt in live.prompts.items()}
    return {name: own.get(name, prompt.source) for name, prompt in sorted(live.library.prompts.items())}


def _checked(name: str, text: str, before: str, live: LiveTenant) -> Prompt:
    source = storable(text)[0].replace("\r\n", "\n").strip() + "\n"
    if len(source) > LONGEST_PROMPT:
        raise InvalidInputError(name, Told("too_long", "is longer than {most} characters", most=LONGEST_PROMPT))
    path = Path(f"prompts/{name}.md.j2")
    try:
        prompt = read_prompt(path, source)
        check_own(prompt, live.library)
    except PromptError as error:
        raise InvalidInputError(name, str(error)) from None
    old = read_prompt(path, before)
    if prompt.name != name:
        raise InvalidInputError(name, "must keep its name")
    if prompt.source.strip() == old.source.strip():
        return old
    if prompt.version == old.version:
        english = "was changed and is version {version} still: raise the version in its head"
        raise InvalidInputError(name, Told("raise_version", english, version=old.version))
    return prompt
