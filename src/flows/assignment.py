"""Waiting conversations given to people by turns: to who is there, has room, and knows what they are about.

Only in queues that ask for it: a team's ``assignment`` is round_robin, or (for conversations of no team) the tenant's.
Workers look every second, so that a conversation that begins to wait, a person who comes back and one who has room
again are all found the same way. One look at a time works for a tenant (an advisory lock), and it passes over
conversations that somebody is just acting on: whoever claims one keeps it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from domain.roles import Right, roles_with
from flows import desk_assignment, notifications
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup

log = logging.getLogger(__name__)

ACTOR: Final = "assignment"
SEEN_WITHIN: Final = timedelta(minutes=5)
"""Only who had a page open so lately gets something assigned. Times of pages are kept to the minute."""
_AT_ONCE: Final = 50
_LOCK: Final = 7_204_551
"""Advisory lock class of this module, with the tenant's hash as the second key."""

_CONVERSATIONS: Final = """
SELECT c.id, c.team_id, c.priority, c.labels, c.language,
       (SELECT t.intent FROM turn t WHERE t.conversation_id = c.id AND t.intent IS NOT NULL
         ORDER BY t.upto_message_id DESC LIMIT 1) AS intent
  FROM conversation c LEFT JOIN team q ON q.id = c.team_id
 WHERE c.status = 'waiting' AND (c.snoozed_until IS NULL OR c.snoozed_until <= now())
   AND coalesce(q.assignment, $1) = 'round_robin'
 ORDER BY c.priority DESC, c.waiting_since, c.id LIMIT $2
   FOR UPDATE OF c SKIP LOCKED
"""
_PEOPLE: Final = """
SELECT m.user_id, m.capacity, m.skills, m.assigned_at,
       m.away_at IS NULL AND m.seen_at > now() - $1::interval AS is_here,
       (SELECT count(*) FROM conversation c WHERE c.assignee_id = m.user_id AND c.status = 'human'
           AND (c.snoozed_until IS NULL OR c.snoozed_until <= now())) AS open,
       ARRAY(SELECT t.team_id FROM team_member t WHERE t.user_id = m.user_id) AS teams
  FROM membership m WHERE m.tenant_id = current_tenant() AND m.role = ANY ($2)
"""


@dataclass(slots=True)
class Person:
    """Somebody who answers customers, as assignment sees them."""

    user_id: UUID
    capacity: int
    """0: no limit."""
    skills: frozenset[str]
    is_here: bool
    open: int
    teams: frozenset[UUID] = frozenset()
    assigned_at: datetime | None = None
    _turn: int = field(default=0)

    def may_serve(self, team_id: UUID | None) -> bool:
        """Whether conversations of this queue are the person's business."""
        return team_id is None or team_id in self.teams

    @property
    def has_room(self) -> bool:
        return self.capacity == 0 or self.open < self.capacity

    def took_one(self, turn: int) -> None:
        """One more is the person's; others come before the person now."""
        self.open += 1
        self._turn = turn

    @property
    def place(self) -> tuple[int, float, str]:
        """Whose turn is next comes first: who got something longest ago."""
        return self._turn, self.assigned_at.timestamp() if self.assigned_at else 0.0, str(self.user_id)


def needs_of(conversation: Mapping[str, Any]) -> frozenset[str]:
    """What somebody could be skilled in: its labels, its intent, its language."""
    words = [*conversation["labels"], conversation["intent"], conversation["language"]]
    return frozenset(word.strip().casefold() for word in words if word and word.strip())


def choose(people: Sequence[Person], team_id: UUID | None, needs: frozenset[str]) -> Person | None:
    """Whose it is. Who has the most of the skills that it needs and that anybody present has; among them whose turn it
    is. None where nobody of the queue is there, or the skilled ones who are there have no room: it waits for them.
    """
    here = [person for person in people if person.is_here and person.may_serve(team_id)]
    if not here:
        return None
    most = max(len(person.skills & needs) for person in here)
    able = [person for person in here if len(person.skills & needs) == most and person.has_room]
    return min(able, key=lambda person: person.place, default=None)


class Assignment:
    """Looks for waiting conversations and gives them to people."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def run_due(self) -> int:
        """Look after every tenant in which something waits to be assigned; returns how many were."""
        done = 0
        for row in await self._db.gate("tenants_to_assign"):
            try:
                done += len(await self.assign(row["tenant_id"]))
            except Exception:
                log.exception("waiting conversations of tenant %s could not be assigned", row["tenant_id"])
        return done

    async def assign(self, tenant_id: UUID) -> list[tuple[UUID, UUID]]:
        """Give what waits to who may take it; (conversation, person) of each."""
        async with self._db.transaction(tenant_id) as tx:
            mine = await tx.fetchval(
                "SELECT pg_try_advisory_xact_lock($1::integer, hashtext($2::text))", _LOCK, str(tenant_id)
            )
            given = await _assign(tx, tenant_id) if mine else []
        if given:
            self._wakeup.signal(EVENTS)
        return given


async def _assign(tx: Connection, tenant_id: UUID) -> list[tuple[UUID, UUID]]:
    usual = await tx.fetchval("SELECT settings ->> 'assignment' FROM tenant WHERE id = $1", tenant_id)
    waiting = await tx.fetch(_CONVERSATIONS, usual or "by_hand", _AT_ONCE)
    if not waiting:
        return []
    people = await present_people(tx)
    given = []
    for turn, conversation in enumerate(waiting, 1):
        person = choose(people, conversation["team_id"], needs_of(conversation))
        if person is None:
            continue
        person.took_one(turn)
        await desk_assignment.assign(tx, conversation["id"], person.user_id, actor=ACTOR)
        await tx.execute(
            "UPDATE membership SET assigned_at = clock_timestamp() WHERE user_id = $1 AND tenant_id = $2",
            person.user_id,
            tenant_id,
        )
        await notifications.tell(
            tx, tenant_id, "conversation.assigned", users=[person.user_id], conversation_id=conversation["id"]
        )
        given.append((conversation["id"], person.user_id))
    return given


async def present_people(tx: Connection) -> list[Person]:
    """Everybody who answers customers, whether there or not."""
    roles = [role.value for role in roles_with(Right.MESSAGES_WRITE)]
    return [_person(row) for row in await tx.fetch(_PEOPLE, SEEN_WITHIN, roles)]


def _person(row: Row) -> Person:
    return Person(
        row["user_id"],
        row["capacity"],
        frozenset(skill.strip().casefold() for skill in row["skills"]),
        bool(row["is_here"]),
        row["open"],
        frozenset(row["teams"]),
        row["assigned_at"],
    )
