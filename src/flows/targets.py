"""Service targets: within how long a customer gets a first answer, and how long one may wait in a queue.

Stored as ``targets`` in ``tenant.settings``: ``usual``, and beside it ``priority`` (by name) and ``team`` (by id), each
with ``first_answer_minutes`` and ``waiting_minutes``. What is set for a
priority or a team counts instead of what is usual; of both, the stricter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from flows.refusals import RefusedError, whole
from flows.tenant_settings import SET_BY_HAND
from flows.versions import ANY, check_version, version_of
from store import events
from store.database import Connection, Database

PRIORITIES: Final = {"urgent": 2, "high": 1, "normal": 0, "low": -1}
"""Names of conversation.priority, the most pressing first."""
FIGURES: Final = ("first_answer_minutes", "waiting_minutes")
LONGEST: Final = 60 * 24 * 30
"""Minutes."""
_KEY: Final = "targets"


@dataclass(frozen=True, slots=True)
class Target:
    """``first_answer``: from a customer's message to the first answer, by whomever. ``waiting``: from a handoff until
    somebody claims it. None: no target."""

    first_answer: timedelta | None = None
    waiting: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """All of a tenant's targets. ``version`` comes back with a change."""

    usual: Target = field(default_factory=Target)
    by_priority: Mapping[int, Target] = field(default_factory=dict)
    by_team: Mapping[UUID, Target] = field(default_factory=dict)
    version: str = ""

    def of(self, priority: int = 0, team_id: UUID | None = None) -> Target:
        """What holds for a conversation of this priority and team."""
        special = [
            found for found in (self.by_priority.get(priority), self.by_team.get(team_id or UUID(int=0))) if found
        ]
        return Target(
            _strictest((one.first_answer for one in special), self.usual.first_answer),
            _strictest((one.waiting for one in special), self.usual.waiting),
        )


def targets_of(settings: Mapping[str, Any]) -> Targets:
    """A tenant's targets, from ``tenant.settings``."""
    stored = settings.get(_KEY) or {}
    return Targets(
        _target(stored.get("usual") or {}),
        {PRIORITIES[name]: _target(one) for name, one in (stored.get("priority") or {}).items() if name in PRIORITIES},
        {UUID(team): _target(one) for team, one in (stored.get("team") or {}).items()},
        version_of(stored),
    )


async def read_targets(tx: Connection, tenant_id: UUID) -> Targets:
    """The same, read."""
    return targets_of(await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id) or {})


class ServiceTargets:
    """Shows and changes them. Raises RefusedError or ChangedMeanwhileError; then nothing was changed."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def show(self, tenant_id: UUID) -> Targets:
        """As they are; of a team that was removed nothing is shown."""
        async with self._db.transaction(tenant_id) as tx:
            found, teams = await read_targets(tx, tenant_id), await _teams(tx)
        return replace(found, by_team={team: one for team, one in found.by_team.items() if team in teams})

    async def teams(self, tenant_id: UUID) -> frozenset[UUID]:
        """Which teams may have targets of their own."""
        async with self._db.transaction(tenant_id) as tx:
            return await _teams(tx)

    async def change(
        self, tenant_id: UUID, wishes: Mapping[str, str], *, actor: str, version: str | None = ANY
    ) -> Targets:
        """Replace all of them. Keys: ``usual.first_answer_minutes``, ``priority.urgent.waiting_minutes``,
        ``team.ID.waiting_minutes`` …; empty values are no targets."""
        stored: dict[str, Any] = {}
        async with self._db.transaction(tenant_id) as tx:
            settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
            check_version("the service targets", version, version_of(settings.get(_KEY) or {}))
            teams = {str(team) for team in await _teams(tx)}
            for key, value in wishes.items():
                *place, figure = key.split(".")
                if figure not in FIGURES or not _is_known(place, teams):
                    raise RefusedError(key, "There is no such target: reload the page and try again.")
                if value.strip():
                    inner = stored
                    for part in place:
                        inner = inner.setdefault(part, {})
                    inner[figure] = whole(key, value, 1, LONGEST)
            before = settings.get(_KEY) or {}
            if before != stored:
                by_hand = {**settings.get(SET_BY_HAND, {}), _KEY: stored}
                await tx.execute(
                    "UPDATE tenant SET settings = settings || $2 WHERE id = $1",
                    tenant_id,
                    {_KEY: stored, SET_BY_HAND: by_hand},
                )
                payload = {"changes": {_KEY: [before, stored]}}
                await events.append(tx, tenant_id, "settings.targets", payload=payload, actor=actor)
        return targets_of({_KEY: stored})


async def _teams(tx: Connection) -> frozenset[UUID]:
    return frozenset(row["id"] for row in await tx.fetch("SELECT id FROM team"))


def _is_known(place: list[str], teams: set[str]) -> bool:
    match place:
        case ["usual"]:
            return True
        case ["priority", name]:
            return name in PRIORITIES
        case ["team", team]:
            return team in teams
    return False


def _target(stored: Mapping[str, Any]) -> Target:
    first, waiting = (stored.get(figure) for figure in FIGURES)
    return Target(timedelta(minutes=first) if first else None, timedelta(minutes=waiting) if waiting else None)


def _strictest(special: Iterator[timedelta | None], usual: timedelta | None) -> timedelta | None:
    """The least of what is set specially; without any, what is usual."""
    return min((one for one in special if one is not None), default=usual)
