"""Who is there: people say that they go away and come back, and who has had no page open for a while is absent.

What an absent person held and what waits for an answer returns to its queue; the rest stays the person's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from domain.errors import NotFoundError
from flows import desk_assignment, notifications
from flows.desk import Actor
from store import events
from store.database import Connection, Database
from store.wakeup import EVENTS, Wakeup

ABSENT_AFTER: Final = timedelta(minutes=10)
"""Without any page open, unless the tenant says otherwise (``presence.absent_after_minutes``)."""
_AT_ONCE: Final = 200


class Absence:
    """Going away and coming back."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def is_away(self, actor: Actor) -> bool:
        """Whether the person said so."""
        async with self._db.transaction(actor.tenant_id) as tx:
            return await _away_at(tx, actor.user_id) is not None

    async def colleague(self, actor: Actor, user_id: UUID) -> Actor:
        """Somebody of the same tenant. Raises NotFoundError."""
        async with self._db.transaction(actor.tenant_id) as tx:
            name = await tx.fetchval(
                """SELECT u.name FROM membership m JOIN user_account u ON u.id = m.user_id
                    WHERE m.user_id = $1 AND m.tenant_id = $2""",
                user_id,
                actor.tenant_id,
            )
        if name is None:
            raise NotFoundError("user", user_id)
        return Actor(actor.tenant_id, user_id, name)

    async def go_away(self, actor: Actor, *, by: Actor | None = None) -> int:
        """Nothing is assigned to the person any more; returns how many conversations went back to their queues.

        ``by``: who says so, if not the person.
        """
        async with self._db.transaction(actor.tenant_id) as tx:
            if await _set_away(tx, actor, away=True):
                await _announce(tx, actor, "away", by or actor)
            returned = await give_back(tx, actor.tenant_id, actor.user_id, actor=str(by or actor), because="away")
        self._wakeup.signal(EVENTS)
        return returned

    async def come_back(self, actor: Actor, *, by: Actor | None = None) -> None:
        """The person is there again."""
        async with self._db.transaction(actor.tenant_id) as tx:
            if await _set_away(tx, actor, away=False, seen=by is None):
                await _announce(tx, actor, "back", by or actor)
        self._wakeup.signal(EVENTS)


async def give_back(tx: Connection, tenant_id: UUID, user_id: UUID | None, *, actor: str, because: str) -> int:
    """Return the person's conversations that wait for an answer to their queues, with a notification to the person
    and to who supervises. ``because``: away or absent. Returns how many."""
    rows = await tx.fetch(
        """SELECT id, team_id FROM conversation
            WHERE assignee_id = $1 AND status = 'human' AND last_inbound_id > answered_upto_id
              AND (snoozed_until IS NULL OR snoozed_until <= now())
            ORDER BY last_message_at LIMIT $2 FOR UPDATE SKIP LOCKED""",
        user_id,
        _AT_ONCE,
    )
    for row in rows:
        await desk_assignment.transfer(tx, row["id"], row["team_id"], actor=actor)
    if rows and user_id is not None:
        name = await tx.fetchval("SELECT name FROM user_account WHERE id = $1", user_id)
        payload: dict[str, Any] = {"count": len(rows), "because": because, "user_id": str(user_id), "name": name}
        await notifications.tell(tx, tenant_id, "conversations.returned", users=[user_id], payload=payload)
        await notifications.tell(tx, tenant_id, "colleague.left_work", payload=payload)
    return len(rows)


async def return_of_absent(db: Database, wakeup: Wakeup, tenant_id: UUID) -> int:
    """Conversations of people who are gone without saying so, and what reached who had said so; returns how many."""
    returned = 0
    async with db.transaction(tenant_id) as tx:
        gone = await tx.fetch(
            """SELECT m.user_id, m.away_at IS NOT NULL AS said_so FROM membership m
                 JOIN tenant t ON t.id = m.tenant_id
                WHERE m.tenant_id = $1
                  AND (m.away_at IS NOT NULL
                       OR m.seen_at < now() - coalesce(make_interval(
                           mins => (t.settings -> 'presence' ->> 'absent_after_minutes')::integer), $2::interval))
                  AND EXISTS (SELECT 1 FROM conversation c
                               WHERE c.assignee_id = m.user_id AND c.status = 'human'
                                 AND c.last_inbound_id > c.answered_upto_id)""",
            tenant_id,
            ABSENT_AFTER,
        )
    for row in gone:
        async with db.transaction(tenant_id) as tx:
            because = "away" if row["said_so"] else "absent"
            given = await give_back(tx, tenant_id, row["user_id"], actor="system", because=because)
            if given:
                payload = {"user_id": str(row["user_id"]), "state": because}
                await events.append(tx, tenant_id, "presence.changed", payload=payload)
            returned += given
    if returned:
        wakeup.signal(EVENTS)
    return returned


async def _away_at(tx: Connection, user_id: UUID | None) -> Any:
    return await tx.fetchval(
        "SELECT away_at FROM membership WHERE user_id = $1 AND tenant_id = current_tenant()", user_id
    )


async def _set_away(tx: Connection, actor: Actor, *, away: bool, seen: bool = False) -> bool:
    """Whether that is news. ``seen``: the person said so just now."""
    done = await tx.execute(
        """UPDATE membership SET away_at = CASE WHEN $3 THEN now() END,
                  seen_at = CASE WHEN $4 THEN now() ELSE seen_at END
            WHERE user_id = $1 AND tenant_id = $2 AND (away_at IS NULL) = $3""",
        actor.user_id,
        actor.tenant_id,
        away,
        seen,
    )
    return str(done) == "UPDATE 1"


async def _announce(tx: Connection, actor: Actor, state: str, by: Actor) -> None:
    payload = {"user_id": str(actor.user_id), "name": actor.name, "state": state}
    await events.append(tx, actor.tenant_id, "presence.changed", payload=payload, actor=str(by))
