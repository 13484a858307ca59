"""Business functions that wait for a person: the answer of an operator. The worker carries it out (approved_calls)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from domain.errors import NotFoundError, OutdatedError
from store import conversations, events
from store.database import Database
from store.jobs import TURNS, enqueue_approval
from store.wakeup import EVENTS, Wakeup


class Approvals:
    """Takes a person's answer about a waiting call; the worker carries it out in line with the conversation's turns."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def decide(
        self, tenant_id: UUID, approval_id: UUID, *, user_id: UUID | None, approved: bool, actor: str = ""
    ) -> None:
        """Approve or refuse; ``user_id`` None: a program does (``actor``).

        Raises NotFoundError, or OutdatedError when it was answered, expired or overtaken.
        """
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow("SELECT * FROM approval WHERE id = $1", approval_id)
            if row is None:
                raise NotFoundError("approval", approval_id)
            conversation = await conversations.lock(tx, row["conversation_id"])
            row = await tx.fetchrow("SELECT * FROM approval WHERE id = $1 FOR UPDATE", approval_id)
            if row["status"] != "pending":
                raise OutdatedError("approval", f"it is {row['status']} by now")
            if row["expires_at"] < datetime.now(UTC):
                raise OutdatedError("approval", "it expired")
            if approved and conversation["last_inbound_id"] > max(
                row["upto_message_id"], conversation["answered_upto_id"]
            ):
                raise OutdatedError("approval", "the customer wrote again; read it, then decide")
            await tx.execute(
                "UPDATE approval SET status = $2, decided_by = $3, decided_at = now() WHERE id = $1",
                approval_id,
                "approved" if approved else "rejected",
                user_id,
            )
            # From now on a person stands by the turn that asked: a newer message must not undo it and ask again.
            await tx.execute(
                "UPDATE outbox_message SET fence = NULL WHERE turn_id = $1 AND state = 'queued'", row["turn_id"]
            )
            await events.append(
                tx,
                tenant_id,
                "approval.decided",
                conversation_id=row["conversation_id"],
                payload={"approval_id": str(approval_id), "approved": approved},
                actor=actor or f"user:{user_id}",
            )
            await enqueue_approval(tx, tenant_id, row["conversation_id"], approval_id)
        self._wakeup.signal(EVENTS)
        self._wakeup.turn_waits(TURNS)
