"""The kill switch: nothing automatic leaves a tenant's numbers, or one of them, until somebody resumes it.

It is looked at when a turn reads, again by the statement that writes its decision, and once more by the statement that
claims its message for sending. What people write is never touched. When ``stop`` returns, every automatic message has
either been taken back or had been claimed for sending before.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.conversation import Status
from domain.errors import NotFoundError
from flows import decisions, notifications
from store import conversations, events, outbox, turns
from store.database import Connection, Database, Row
from store.jobs import TURNS, enqueue_turn
from store.wakeup import EVENTS, Wakeup


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop led to: messages taken back, and automatic ones that were on their way already."""

    taken_back: int
    on_their_way: int


class KillSwitch:
    """Stops and resumes a tenant's automatic messages. ``number``: only of that channel session."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def stop(self, tenant_id: UUID, number: UUID | None = None, *, actor: str) -> Stopped:
        """From the commit on, turns decide only suggestions. Safe to repeat. Raises NotFoundError."""
        await self._set(tenant_id, number, actor=actor, stopped=True)
        # After that commit: a claim that still saw the switch off, of a row that it could see, meets us at the row.
        async with self._db.transaction(tenant_id) as tx:
            queued = await tx.fetch(
                "SELECT id, conversation_id FROM outbox_message WHERE state = 'queued' AND origin = 'bot' "
                "AND ($1::uuid IS NULL OR channel_session_id = $1) ORDER BY message_id",
                number,
            )
        taken_back = 0
        for row in queued:
            async with self._db.transaction(tenant_id) as tx:
                taken_back += await _take_back(tx, row)
        async with self._db.transaction(tenant_id) as tx:
            leaving = await tx.fetchval(
                "SELECT count(*) FROM outbox_message WHERE state = 'sending' AND origin = 'bot' "
                "AND ($1::uuid IS NULL OR channel_session_id = $1)",
                number,
            )
        self._wakeup.signal(EVENTS)
        self._wakeup.turn_waits(TURNS)
        return Stopped(taken_back, leaving)

    async def resume(self, tenant_id: UUID, number: UUID | None = None, *, actor: str) -> None:
        """Automatic messages go out again, from the next turn on. What was suggested meanwhile stays a suggestion."""
        await self._set(tenant_id, number, actor=actor, stopped=False)
        self._wakeup.signal(EVENTS)

    async def _set(self, tenant_id: UUID, number: UUID | None, *, actor: str, stopped: bool) -> None:
        async with self._db.transaction(tenant_id) as tx:
            table, key = ("tenant", tenant_id) if number is None else ("channel_session", number)
            found = await tx.fetchrow(f"SELECT stopped_at, name FROM {table} WHERE id = $1 FOR NO KEY UPDATE", key)
            if found is None:
                raise NotFoundError("number", key)
            if (found["stopped_at"] is not None) == stopped:
                return
            await tx.execute(
                f"UPDATE {table} SET stopped_at = CASE WHEN $2 THEN clock_timestamp() END WHERE id = $1", key, stopped
            )
            await events.append(
                tx,
                tenant_id,
                "policy.stopped" if stopped else "policy.resumed",
                payload={
                    "number": str(number) if number else None,
                    "name": found["name"] if number else None,
                    "changes": {"stopped": [not stopped, stopped]},
                },
                actor=actor,
            )
            if stopped:
                told = {"number": str(number) if number else None, "name": found["name"] if number else None}
                await notifications.tell(tx, tenant_id, "policy.stopped", payload={**told, "actor": actor})


async def offer_instead(tx: Connection, row: Row) -> bool:
    """An automatic message was cancelled by the switch: give what it would have said to people.

    ``row``: the cancelled outbox row (store.outbox.claim). A reply's turn is void and runs again, now under the switch.
    What reports something that did happen (a handoff, an approved action) cannot be undone, so its text is suggested;
    so is the rest of a reply of which a part has left.
    Returns whether a turn waits. The caller holds the conversation's lock.
    """
    tenant_id, conversation_id = row["tenant_id"], row["conversation_id"]
    await events.append(
        tx,
        tenant_id,
        "message.status",
        conversation_id=conversation_id,
        payload={"outbox_id": str(row["id"]), "state": "cancelled", "error": row["barred"]},
    )
    rest, has_begun = await outbox.rest_of_reply(tx, row["id"])
    if row["fence"] is not None and row["turn_id"] is not None and not has_begun:
        await turns.void(tx, row["turn_id"])
        if not await turns.waits(tx, conversation_id):
            return False
        await enqueue_turn(tx, tenant_id, conversation_id)
        return True
    if not has_begun:
        await tx.execute("UPDATE handoff SET announced = false WHERE turn_id = $1", row["turn_id"])
    conversation = await conversations.lock(tx, conversation_id)
    if conversation["status"] != Status.CLOSED and row["barred"] == outbox.STOPPED:
        await decisions.suggest(tx, tenant_id, conversation_id, rest, turn_id=row["turn_id"])
    return False


async def _take_back(tx: Connection, queued: Row) -> int:
    """Cancel one queued message, unless a claim came first."""
    await conversations.lock(tx, queued["conversation_id"])
    row = await outbox.bar(tx, queued["id"])
    if row is None:
        return 0
    await offer_instead(tx, row)
    return 1
