"""Supervision: who works on what, which queues are overloaded, who waits for how long against the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from domain.roles import Right, roles_with
from flows.assignment import SEEN_WITHIN
from flows.targets import Targets, targets_of
from store import supervision as store
from store.database import Database, Row

Standing = Literal["none", "fine", "near", "over"]
"""Against its target: there is none, it is far, three quarters of it are used up, it is missed."""
NEAR: Final = 0.75
_MOST_WAITING: Final = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation in which a customer waits: in a queue, or for the answer of who has it."""

    id: UUID
    contact: str
    number: str
    team_id: UUID | None
    team: str | None
    assignee: str | None
    priority: int
    preview: str
    since: datetime
    target: timedelta | None
    standing: Standing

    @property
    def overdue(self) -> float:
        """Shares of the target that have gone by; without one, by the time alone and after all others."""
        return _used(self.since, self.target, datetime.now(UTC)) if self.target else 0.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A person who answers customers."""

    user_id: UUID
    name: str
    role: str
    presence: Literal["here", "away", "absent"]
    since: datetime | None
    """Away or absent since then; None: never seen."""
    open: int
    unanswered: int
    capacity: int
    """0: no limit."""
    teams: tuple[str, ...]
    team_ids: frozenset[UUID]
    skills: tuple[str, ...]

    @property
    def is_full(self) -> bool:
        return 0 < self.capacity <= self.open

    @property
    def room(self) -> int | None:
        """How many more the person takes; None: no limit."""
        return max(0, self.capacity - self.open) if self.capacity else None


@dataclass(frozen=True, slots=True)
class Queue:
    """A team's queue, or (id None) everybody's."""

    id: UUID | None
    name: str | None
    assignment: str
    waiting: int
    over: int
    longest: datetime | None
    here: int
    room: int | None
    """How many more those who are there take together; None: somebody of them has no limit."""

    @property
    def is_overloaded(self) -> bool:
        """More wait than can be taken, or a target is missed."""
        return self.over > 0 or (self.waiting > 0 and self.room is not None and self.waiting > self.room)


@dataclass(frozen=True, slots=True)
class View:
    """All of it, as of one moment."""

    workers: Sequence[Worker]
    queues: Sequence[Queue]
    waiting: Sequence[Waiting]
    more_waiting: int
    """How many more wait than are listed."""


class Supervision:
    """Reads it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def view(self, tenant_id: UUID) -> View:
        """As it is now."""
        now = datetime.now(UTC)
        async with self._db.transaction(tenant_id) as tx:
            tenant = await tx.fetchrow("SELECT settings FROM tenant WHERE id = $1", tenant_id)
            people = await store.people(tx, [role.value for role in roles_with(Right.MESSAGES_WRITE)])
            teams = await store.teams(tx)
            rows = await store.waiting(tx)
        settings = tenant["settings"]
        targets = targets_of(settings)
        workers = [_worker(row, now) for row in people]
        found = sorted((_waiting(row, targets, now) for row in rows), key=lambda one: (-one.overdue, one.since))
        queues = [
            _queue(team, found, workers)
            for team in [
                {"id": None, "name": None, "assignment": settings.get("assignment", "by_hand")},
                *map(dict, teams),
            ]
        ]
        return View(workers, queues, found[:_MOST_WAITING], max(0, len(found) - _MOST_WAITING))


def _worker(row: Row, now: datetime) -> Worker:
    is_here = row["seen_at"] is not None and row["seen_at"] > now - SEEN_WITHIN
    presence: Literal["here", "away", "absent"] = "away" if row["away_at"] else "here" if is_here else "absent"
    return Worker(
        row["user_id"],
        row["name"],
        row["role"],
        presence,
        row["away_at"] or (None if is_here else row["seen_at"]),
        row["open"],
        row["unanswered"],
        row["capacity"],
        tuple(row["teams"]),
        frozenset(row["team_ids"]),
        tuple(row["skills"]),
    )


def _waiting(row: Row, targets: Targets, now: datetime) -> Waiting:
    target = targets.of(row["priority"], row["team_id"])
    limit = target.first_answer if row["assignee"] else target.waiting
    return Waiting(
        row["id"],
        row["contact"],
        row["number"],
        row["team_id"],
        row["team"],
        row["assignee"],
        row["priority"],
        row["preview"],
        row["since"],
        limit,
        standing_of(row["since"], limit, now),
    )


def standing_of(since: datetime, target: timedelta | None, now: datetime) -> Standing:
    """How a wait stands against its target."""
    if target is None:
        return "none"
    used = _used(since, target, now)
    return "over" if used >= 1 else "near" if used >= NEAR else "fine"


def _used(since: datetime, target: timedelta | None, now: datetime) -> float:
    return (now - since) / target if target else 0.0


def _queue(team: Mapping[str, Any], waiting: Sequence[Waiting], workers: Sequence[Worker]) -> Queue:
    own = [one for one in waiting if one.assignee is None and one.team_id == team["id"]]
    members = [one for one in workers if team["id"] is None or team["id"] in one.team_ids]
    here = [one for one in members if one.presence == "here"]
    rooms = [one.room for one in here]
    return Queue(
        team["id"],
        team["name"],
        team["assignment"],
        len(own),
        sum(one.standing == "over" for one in own),
        min((one.since for one in own), default=None),
        len(here),
        None if None in rooms else sum(room or 0 for room in rooms),
    )
