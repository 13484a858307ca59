"""A person or a program gives a conversation to people, as the agent does: with what they should know."""

from __future__ import annotations

from uuid import UUID

from domain.conversation import Event, Status
from domain.errors import NotFoundError, OutdatedError
from domain.text import storable
from flows.desk import Actor
from store import conversations, turns
from store.database import Database
from store.wakeup import EVENTS, OUTBOX, Wakeup


class HandingOff:
    """Raises NotFoundError, or OutdatedError where people have it already."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db, self._wakeup = db, wakeup

    async def hand_off(
        self, actor: Actor, conversation_id: UUID, *, summary: str, next_step: str, team_id: UUID | None = None
    ) -> UUID:
        """The agent is silent from now on, and the conversation waits in a queue (``team_id`` None: where it is).

        Returns the handoff. The customer is told nothing by this.
        """
        async with self._db.transaction(actor.tenant_id) as tx:
            row = await conversations.lock(tx, conversation_id)
            if row["status"] != Status.BOT:
                raise OutdatedError("conversation", f"it is {row['status']} by now")
            if team_id is not None:
                if await tx.fetchval("SELECT 1 FROM team WHERE id = $1", team_id) is None:
                    raise NotFoundError("team", team_id)
                await tx.execute("UPDATE conversation SET team_id = $2 WHERE id = $1", conversation_id, team_id)
            await conversations.apply(tx, conversation_id, Event.HANDED_OFF, actor=str(actor))
            await turns.void_stale(tx, conversation_id)
            await conversations.withdraw_drafts(tx, conversation_id)
            found: UUID = await tx.fetchval(
                """INSERT INTO handoff (tenant_id, conversation_id, reason, summary, next_step, announced)
                   VALUES ($1, $2, 'by_hand', $3, $4, false) RETURNING id""",
                actor.tenant_id,
                conversation_id,
                storable(summary.strip())[0],
                storable(next_step.strip())[0],
            )
        self._wakeup.signal(EVENTS, OUTBOX)
        return found
