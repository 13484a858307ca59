"""Messages on their way out, for people and programs: what waits, why and until when, and what of it is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from domain.errors import InvalidInputError, NotFoundError, OutdatedError
from domain.messages import OutboxState
from store import events, pacing
from store.database import Connection, Database
from store.pacing import Outgoing
from store.wakeup import EVENTS, OUTBOX, Wakeup

OPEN: Final = ("queued", "sending", "unknown")
"""What is not done yet."""
AT_MOST: Final = 500


class OutgoingMessages:
    """Lists and settles a tenant's outgoing messages. Raises InvalidInputError, NotFoundError or OutdatedError."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def list(
        self,
        tenant_id: UUID,
        *,
        states: Sequence[str] = OPEN,
        number: UUID | None = None,
        conversation: UUID | None = None,
        at_most: int = 100,
    ) -> list[Outgoing]:
        """Those in any of these states, oldest first: of one number, one conversation, or all."""
        wrong = sorted(set(states) - set(OutboxState))
        if wrong or not states:
            raise InvalidInputError("state", f"must be some of {', '.join(OutboxState)}")
        async with self._db.transaction(tenant_id) as tx:
            return await pacing.outgoing(
                tx, states=list(states), number=number, conversation=conversation, at_most=min(at_most, AT_MOST)
            )

    async def settle(
        self, tenant_id: UUID, outbox_id: UUID, *, arrived: bool, actor: str, user_id: UUID | None = None
    ) -> None:
        """Say what became of a message of unknown outcome: it arrived, or it shall be sent again."""
        async with self._db.transaction(tenant_id) as tx:
            await settle(tx, tenant_id, outbox_id, arrived=arrived, actor=actor, user_id=user_id)
        self._wakeup.signal(EVENTS, OUTBOX)


async def settle(
    tx: Connection, tenant_id: UUID, outbox_id: UUID, *, arrived: bool, actor: str, user_id: UUID | None
) -> None:
    """In the caller's transaction. Saying the same once more changes nothing.

    Raises NotFoundError, and OutdatedError where somebody else said otherwise first, or the provider did. Sent again,
    it goes before what still waits in its conversation; what has left meanwhile it cannot overtake any more.
    """
    settled, state = ("arrived", "sent") if arrived else ("send_again", "queued")
    row = await tx.fetchrow("SELECT * FROM outbox_message WHERE id = $1 FOR UPDATE", outbox_id)
    if row is None:
        raise NotFoundError("message", outbox_id)
    if row["settled"] == settled and row["state"] != "unknown":
        return
    if row["state"] != "unknown":
        raise OutdatedError("message", f"it is {row['state']} by now")
    await tx.execute(
        "UPDATE outbox_message SET state = $2, error = NULL, fence = NULL, urgent = true, not_before = now(), "
        "waits_for = NULL, waits_until = NULL, settled = $3, settled_by = $4, "
        "sent_at = CASE WHEN $2 = 'sent' THEN now() END, ack = CASE WHEN $2 = 'sent' THEN 'server' END "
        "WHERE id = $1",
        outbox_id,
        state,
        settled,
        user_id,
    )
    await events.append(
        tx,
        tenant_id,
        "message.status",
        conversation_id=row["conversation_id"],
        payload={"outbox_id": str(outbox_id), "state": state, "settled": settled},
        actor=actor,
    )
