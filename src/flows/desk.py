"""What operators do: answer, decide on suggestions and approvals, claim, return and close conversations.

Every action locks the conversation and goes through the same fence as a turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from domain.conversation import Event, Status
from domain.errors import InvalidInputError, NotFoundError, OutdatedError
from domain.messages import MAX_TEXT_BYTES
from domain.text import storable
from flows import autonomy
from flows.approvals import Approvals
from store import conversations, events, outbox, turns
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, OUTBOX, Wakeup

_MOST_TAGS = 20
_TAG_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Actor:
    """The signed-in person who acts. Tenant and user come from the credential."""

    tenant_id: UUID
    user_id: UUID
    name: str

    def __str__(self) -> str:
        return f"user:{self.user_id}"


class Desk:
    """The operators' actions. Raises NotFoundError, ConflictError or InvalidInputError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup, approvals: Approvals) -> None:
        self._db = db
        self._wakeup = wakeup
        self._approvals = approvals

    async def approve(self, actor: Actor, suggestion_id: UUID, *, text: str | None = None) -> None:
        """Send a suggestion, as it is or with the operator's own ``text``."""
        async with self._db.transaction(actor.tenant_id) as tx:
            suggestion, conversation = await self._pending(tx, suggestion_id)
            if suggestion["fence"] != conversation["fence"]:
                raise OutdatedError("suggestion", "a newer message or another person came first")
            final = checked_text(text) if text is not None else suggestion["text"]
            edited = final != suggestion["text"]
            await turns.void_stale(tx, conversation["id"])
            await self._decide_suggestion(tx, actor, suggestion, "edited" if edited else "approved", final_text=final)
            await self._say(tx, actor, conversation, final, turn_id=suggestion["turn_id"])
        self._wakeup.signal(EVENTS, OUTBOX)

    async def reject(self, actor: Actor, suggestion_id: UUID, reason: str) -> None:
        """Turn a suggestion down; the conversation stays where it is."""
        async with self._db.transaction(actor.tenant_id) as tx:
            suggestion, _ = await self._pending(tx, suggestion_id)
            await self._decide_suggestion(tx, actor, suggestion, "rejected", reason=storable(reason)[0][:2000])
        self._wakeup.signal(EVENTS)

    async def reply(self, actor: Actor, conversation_id: UUID, text: str) -> int:
        """Write to the customer. Where the agent or nobody holds the conversation, the operator takes it over."""
        final = checked_text(text)
        async with self._db.transaction(actor.tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            if conversation["status"] != Status.HUMAN or conversation["assignee_id"] is None:
                await conversations.apply(
                    tx, conversation_id, Event.TAKEN_OVER, actor=str(actor), user_id=actor.user_id
                )
            await turns.void_stale(tx, conversation_id)
            await autonomy.replaced(tx, conversation, final)
            await conversations.withdraw_drafts(tx, conversation_id)
            message_id = await self._say(tx, actor, conversation, final)
        self._wakeup.signal(EVENTS, OUTBOX)
        return message_id

    async def claim(self, actor: Actor, conversation_id: UUID) -> None:
        """Make the conversation this operator's."""
        await self._move(actor, conversation_id, Event.CLAIMED)

    async def return_to_bot(self, actor: Actor, conversation_id: UUID) -> None:
        """Give the conversation back to the agent."""
        await self._move(actor, conversation_id, Event.RETURNED)

    async def close(self, actor: Actor, conversation_id: UUID) -> None:
        """The conversation is done; the contact's next message reopens it."""
        await self._move(actor, conversation_id, Event.CLOSED)

    async def mark_read(self, actor: Actor, conversation_id: UUID) -> None:
        """The operator has seen the conversation."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await tx.execute("UPDATE conversation SET unread = 0 WHERE id = $1 AND unread > 0", conversation_id)

    async def tag(self, actor: Actor, conversation_id: UUID, tags: Sequence[str]) -> None:
        """Call the conversation's contact by these tags and no others; the reply policy and handoffs ask for them."""
        wanted = list(dict.fromkeys(storable(" ".join(tag.split()).lower())[0] for tag in tags if tag.strip()))
        if len(wanted) > _MOST_TAGS or any(len(tag) > _TAG_CHARACTERS for tag in wanted):
            raise InvalidInputError(
                "tags", f"at most {_MOST_TAGS} tags of {_TAG_CHARACTERS} characters", hint="Use fewer or shorter ones."
            )
        async with self._db.transaction(actor.tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            await tx.execute("UPDATE contact SET tags = $2 WHERE id = $1", conversation["contact_id"], wanted)
            await events.append(
                tx,
                actor.tenant_id,
                "contact.tagged",
                conversation_id=conversation_id,
                payload={"contact_id": str(conversation["contact_id"]), "tags": wanted},
                actor=str(actor),
            )
        self._wakeup.signal(EVENTS)

    async def decide_call(self, actor: Actor, approval_id: UUID, *, approved: bool) -> None:
        """Let a business function run with its exact parameters, or refuse it."""
        await self._approvals.decide(actor.tenant_id, approval_id, user_id=actor.user_id, approved=approved)

    async def settle_unknown(self, actor: Actor, outbox_id: UUID, *, arrived: bool) -> None:
        """Say what became of a message whose outcome is unknown: it arrived, or it shall be sent again."""
        async with self._db.transaction(actor.tenant_id) as tx:
            row = await tx.fetchrow("SELECT * FROM outbox_message WHERE id = $1 FOR UPDATE", outbox_id)
            if row is None:
                raise NotFoundError("message", outbox_id)
            if row["state"] != "unknown":
                raise OutdatedError("message", f"it is {row['state']} by now")
            await tx.execute(
                "UPDATE outbox_message SET state = $2, error = NULL, fence = NULL, not_before = now(), "
                "sent_at = CASE WHEN $2 = 'sent' THEN now() END WHERE id = $1",
                outbox_id,
                "sent" if arrived else "queued",
            )
            await events.append(
                tx,
                actor.tenant_id,
                "message.status",
                conversation_id=row["conversation_id"],
                payload={"outbox_id": str(outbox_id), "state": "sent" if arrived else "queued"},
                actor=str(actor),
            )
        self._wakeup.signal(EVENTS, OUTBOX)

    async def _move(self, actor: Actor, conversation_id: UUID, event: Event) -> None:
        async with self._db.transaction(actor.tenant_id) as tx:
            await conversations.apply(tx, conversation_id, event, actor=str(actor), user_id=actor.user_id)
            await turns.void_stale(tx, conversation_id)
            await conversations.withdraw_drafts(tx, conversation_id)
        self._wakeup.signal(EVENTS, OUTBOX)

    async def _pending(self, tx: Connection, suggestion_id: UUID) -> tuple[Row, Row]:
        row = await tx.fetchrow("SELECT * FROM suggestion WHERE id = $1", suggestion_id)
        if row is None:
            raise NotFoundError("suggestion", suggestion_id)
        conversation = await conversations.lock(tx, row["conversation_id"])
        row = await tx.fetchrow("SELECT * FROM suggestion WHERE id = $1 FOR UPDATE", suggestion_id)
        if row["status"] != "pending":
            raise OutdatedError("suggestion", f"it is {row['status']} by now")
        return row, conversation

    async def _decide_suggestion(
        self,
        tx: Connection,
        actor: Actor,
        suggestion: Row,
        status: Literal["approved", "edited", "rejected"],
        *,
        final_text: str | None = None,
        reason: str | None = None,
    ) -> None:
        await tx.execute(
            "UPDATE suggestion SET status = $2, decided_by = $3, decided_at = now(), final_text = $4, "
            "reject_reason = $5 WHERE id = $1",
            suggestion["id"],
            status,
            actor.user_id,
            final_text,
            reason,
        )
        await autonomy.judged(tx, actor.tenant_id, suggestion, status)
        await events.append(
            tx,
            actor.tenant_id,
            "suggestion.decided",
            conversation_id=suggestion["conversation_id"],
            payload={"suggestion_id": str(suggestion["id"]), "status": status, "reason": reason},
            actor=str(actor),
        )

    async def _say(
        self, tx: Connection, actor: Actor, conversation: Row, text: str, *, turn_id: UUID | None = None
    ) -> int:
        message_id: int = await tx.fetchval(
            """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, user_id,
                                    turn_id, sent_at)
               VALUES ($1, $2, $3, $4, 'operator', $5, $6, $7, now()) RETURNING id""",
            actor.tenant_id,
            conversation["id"],
            conversation["channel_session_id"],
            conversation["contact_id"],
            text,
            actor.user_id,
            turn_id,
        )
        await outbox.add(tx, conversation=conversation, message_id=message_id, origin="operator", fence=None)
        await tx.execute(
            "UPDATE conversation SET fence = fence + 1, answered_upto_id = last_inbound_id, unread = 0, "
            "last_message_at = now(), last_preview = left($2, 120) WHERE id = $1",
            conversation["id"],
            text,
        )
        await events.append(
            tx,
            actor.tenant_id,
            "message.queued",
            conversation_id=conversation["id"],
            payload={"message_id": message_id},
            actor=str(actor),
        )
        return message_id


def checked_text(text: str) -> str:
    """The operator's text, or InvalidInputError: empty, or longer than WhatsApp takes."""
    text = text.strip()
    if not text:
        raise InvalidInputError("text", "the message is empty", hint="Write something before you send.")
    if len(text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise InvalidInputError(
            "text", f"the message is longer than {MAX_TEXT_BYTES} bytes", hint="Split it into several messages."
        )
    return storable(text)[0]
