"""A suggestion on demand: the agent looks at a conversation now, and what it would say is only offered to operators.

The last message of the contact is marked: whatever the reply policy says, what answers up to it is a suggestion at
most. A newer message is under the policy again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from agent.turn import TurnResult
from domain.conversation import Status
from domain.decisions import AskApproval, HandOff, Reply, Suggest
from domain.errors import ConflictError
from store import conversations, events, turns
from store.database import Database, Row
from store.jobs import TURNS, enqueue_turn
from store.wakeup import EVENTS, Wakeup


class NothingToSuggestError(ConflictError):
    """The agent has nothing to answer here, or may not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """``suggestion_id``: it is there already; None: the agent looks at it now."""

    suggestion_id: UUID | None


class SuggestNow:
    """Asks the agent for a suggestion. Raises NotFoundError or NothingToSuggestError."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db, self._wakeup = db, wakeup

    async def ask(self, tenant_id: UUID, conversation_id: UUID, *, actor: str) -> Asked:
        """Have the last message of the contact looked at. An automatic reply that has not left is taken back."""
        async with self._db.transaction(tenant_id) as tx:
            row = await conversations.lock(tx, conversation_id)
            ready: UUID | None = await tx.fetchval(
                "SELECT id FROM suggestion WHERE conversation_id = $1 AND status = 'pending' AND fence = $2",
                conversation_id,
                row["fence"],
            )
            if ready is not None:
                return Asked(ready)
            if row["status"] != Status.BOT:
                raise NothingToSuggestError(
                    f"The agent does not hold this conversation: it is {row['status']}.", hint="Return it to the agent."
                )
            if not row["last_inbound_id"]:
                raise NothingToSuggestError("The contact has not written yet.", hint="Wait for a message.")
            await conversations.raise_fence(tx, conversation_id)
            await turns.void_stale(tx, conversation_id)
            answered = await tx.fetchval(
                "SELECT 1 FROM message WHERE conversation_id = $1 AND id > $2 AND author <> 'contact' "
                "AND NOT EXISTS (SELECT 1 FROM outbox_message o WHERE o.message_id = message.id "
                "AND o.state = 'cancelled') LIMIT 1",
                conversation_id,
                row["last_inbound_id"],
            )
            if answered is not None:
                raise NothingToSuggestError("The last message is answered already.", hint="Wait for the next one.")
            for turn in await tx.fetch(
                "SELECT id FROM turn WHERE conversation_id = $1 AND upto_message_id = $2 AND status = 'decided'",
                conversation_id,
                row["last_inbound_id"],
            ):
                await turns.void(tx, turn["id"])  # what it answered is open again
            await tx.execute(
                "UPDATE conversation SET drafts_upto_id = last_inbound_id, "
                "answered_upto_id = least(answered_upto_id, last_inbound_id - 1) WHERE id = $1",
                conversation_id,
            )
            await enqueue_turn(tx, tenant_id, conversation_id)
            await events.append(tx, tenant_id, "suggestion.asked", conversation_id=conversation_id, actor=actor)
        self._wakeup.signal(EVENTS)
        self._wakeup.turn_waits(TURNS)
        return Asked(None)


def at_most_suggested(row: Row, result: TurnResult) -> TurnResult:
    """The turn's result without anything that would go out by itself, where only a suggestion was asked for.

    The policy sees to it already; this holds whatever a graph decides. ``row``: store.turns.read.
    """
    if not row["drafts_only"]:
        return result
    match result.decision:
        case Reply() as reply:
            return replace(result, decision=Suggest(reply.text, reply.reasons, reply.sources))
        case HandOff() as handoff:
            return replace(result, decision=replace(handoff, announce=False))
        case AskApproval() as asked:
            return replace(result, decision=replace(asked, text=""))
        case _:
            return result
