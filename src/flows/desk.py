"""What operators do: answer, decide on suggestions and approvals, claim, return and close conversations.

Every action locks the conversation and goes through the same fence as a turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from domain import content_rules
from domain.content_words import described, message_kind
from domain.contents import Content, as_json
from domain.conversation import ClosingReason, Event, Status
from domain.errors import InvalidInputError, NotAllowedError, NotFoundError, OutdatedError
from domain.messages import MAX_TEXT_BYTES
from domain.suggestions import RejectReason, checked_reason
from domain.text import storable
from flows import autonomy, desk_closing, desk_contact, desk_undo, service_window
from flows.approvals import Approvals
from flows.attachments import Attachment, Offers, note_sent
from flows.desk_assignment import check_seen
from flows.outgoing import settle
from store import conversations, events, operator_sends, outbox, turns
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, OUTBOX, Wakeup

_KEY_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a signed-in person, or a program of the tenant's. Tenant and user come from the credential."""

    tenant_id: UUID
    user_id: UUID | None
    """None: a program, which is nobody in particular."""
    name: str

    @property
    def person(self) -> UUID:
        """The person, for what only people do. Raises NotAllowedError for a program."""
        if self.user_id is None:
            raise NotAllowedError("people")
        return self.user_id

    def __str__(self) -> str:
        return f"user:{self.user_id}" if self.user_id is not None else f"api key {self.name}"


@dataclass(frozen=True, slots=True)
class _Said:
    """What a person sends. ``undo`` is what it changes, where it may still be taken back."""

    text: str
    content: Content | None = None
    turn_id: UUID | None = None
    quoted: str | None = None
    hold: timedelta | None = None
    undo: dict[str, Any] | None = None


class Desk:
    """The operators' actions. Raises NotFoundError, ConflictError or InvalidInputError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup, approvals: Approvals, offers: Offers | None = None) -> None:
        self._db = db
        self._wakeup = wakeup
        self._approvals = approvals
        self._offers = offers or Offers({})

    async def approve(
        self,
        actor: Actor,
        suggestion_id: UUID,
        *,
        text: str | None = None,
        hold: timedelta | None = None,
        key: str = "",
    ) -> int:
        """Send a suggestion, as it is or with the operator's own ``text``; returns the message.

        ``hold``: how long the operator may take it back (``DeskActs.withdraw``) before it leaves. ``key``: as of
        ``reply``.
        """
        async with self._db.transaction(actor.tenant_id) as tx:
            row, conversation = await self._locked(tx, suggestion_id)
            if (sent := await self._sent_before(tx, actor, key, conversation["id"])) is not None:
                return sent
            suggestion = _pending(row)
            if suggestion["fence"] != conversation["fence"]:
                raise OutdatedError("suggestion", "a newer message or another person came first")
            final = checked_text(text) if text is not None else suggestion["text"]
            await service_window.check(tx, conversation, final)
            edited = final != suggestion["text"]
            undo = await desk_undo.remembered(tx, conversation, final) if hold else None
            await turns.void_stale(tx, conversation["id"])
            await self._decide_suggestion(tx, actor, suggestion, "edited" if edited else "approved", final_text=final)
            turn_id = suggestion["turn_id"]
            quoted = await turns.answered_in_group(tx, turn_id) if turn_id is not None else None
            said = _Said(final, turn_id=turn_id, quoted=quoted, hold=hold, undo=undo)
            message_id = await self._say(tx, actor, conversation, said)
            await self._note_sent(tx, actor, key, message_id)
        self._wakeup.signal(EVENTS, OUTBOX)
        return message_id

    async def reject(self, actor: Actor, suggestion_id: UUID, reason: str, note: str = "") -> None:
        """Turn a suggestion down (domain.suggestions.RejectReason); the conversation stays where it is."""
        why = checked_reason(reason, note)
        async with self._db.transaction(actor.tenant_id) as tx:
            suggestion = _pending((await self._locked(tx, suggestion_id))[0])
            await self._decide_suggestion(tx, actor, suggestion, "rejected", why=why)
        self._wakeup.signal(EVENTS)

    async def reply(
        self,
        actor: Actor,
        conversation_id: UUID,
        text: str,
        *,
        content: Content | None = None,
        attachment: Attachment | None = None,
        hold: timedelta | None = None,
        key: str = "",
    ) -> int:
        """Write to the customer. Where the agent or nobody holds the conversation, the operator takes it over.

        ``key`` is the page's own for this sending: a repetition under it sends nothing and gives the first one's
        message. Returns the message's id.

        ``content`` or ``attachment`` goes out with the text, which may then be empty; raises NotOfferedHereError where
        the number's gateway does not take it. ``hold`` as in ``approve``.
        """
        carried = attachment.media if attachment is not None else content
        final = checked_text(text) if carried is None or text.strip() else ""
        async with self._db.transaction(actor.tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            if (sent := await self._sent_before(tx, actor, key, conversation_id)) is not None:
                return sent
            if carried is not None:
                await self._offers.check(tx, conversation["channel_session_id"], carried.type)
                content_rules.check(carried, final)
            await service_window.check(tx, conversation, final)
            undo = await desk_undo.remembered(tx, conversation, final) if hold else None
            if conversation["status"] != Status.HUMAN or conversation["assignee_id"] is None:
                await conversations.apply(
                    tx, conversation_id, Event.TAKEN_OVER, actor=str(actor), user_id=actor.user_id
                )
            await turns.void_stale(tx, conversation_id)
            await autonomy.replaced(tx, conversation, final)
            await conversations.withdraw_drafts(tx, conversation_id)
            said = _Said(final, content=carried, hold=hold, undo=undo)
            message_id = await self._say(tx, actor, conversation, said)
            if attachment is not None:
                session_id = conversation["channel_session_id"]
                await note_sent(tx, actor.tenant_id, session_id, message_id, attachment)
            await self._note_sent(tx, actor, key, message_id)
        self._wakeup.signal(EVENTS, OUTBOX)
        return message_id

    async def claim(self, actor: Actor, conversation_id: UUID, *, seen: str | None = None) -> None:
        """Make the conversation this operator's.

        ``seen``, here and below: what the operator saw of it (desk_assignment.standing); OutdatedError where that no
        longer holds.
        """
        await self._move(actor, conversation_id, Event.CLAIMED, seen)

    async def return_to_bot(self, actor: Actor, conversation_id: UUID, *, seen: str | None = None) -> None:
        """Give the conversation back to the agent."""
        await self._move(actor, conversation_id, Event.RETURNED, seen)

    async def close(
        self,
        actor: Actor,
        conversation_id: UUID,
        reason: str = ClosingReason.RESOLVED,
        *,
        seen: str | None = None,
        note: str = "",
    ) -> None:
        """The conversation is done; the contact's next message reopens it. See desk_closing."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await desk_closing.close(tx, conversation_id, reason, actor=str(actor), seen=seen, note=note)
        self._wakeup.signal(EVENTS, OUTBOX)

    async def mark_read(self, actor: Actor, conversation_id: UUID) -> None:
        """The operator has seen the conversation."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await tx.execute("UPDATE conversation SET unread = 0 WHERE id = $1 AND unread > 0", conversation_id)

    async def tag(self, actor: Actor, conversation_id: UUID, tags: Sequence[str]) -> None:
        """Call the conversation's contact by these tags and no others (desk_contact.tag)."""
        async with self._db.transaction(actor.tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            contact = await desk_contact.lock(tx, conversation["contact_id"])
            await desk_contact.tag(tx, contact, tags, actor=str(actor), conversation_id=conversation_id)
        self._wakeup.signal(EVENTS)

    async def decide_call(self, actor: Actor, approval_id: UUID, *, approved: bool) -> None:
        """Let a business function run with its exact parameters, or refuse it."""
        await self._approvals.decide(
            actor.tenant_id, approval_id, user_id=actor.user_id, approved=approved, actor=str(actor)
        )

    async def settle_unknown(self, actor: Actor, outbox_id: UUID, *, arrived: bool) -> None:
        """Say what became of a message whose outcome is unknown: it arrived, or it shall be sent again.

        Saying the same once more changes nothing. Raises OutdatedError where somebody else said otherwise first, or the
        provider did.
        """
        async with self._db.transaction(actor.tenant_id) as tx:
            await settle(tx, actor.tenant_id, outbox_id, arrived=arrived, actor=str(actor), user_id=actor.user_id)
        self._wakeup.signal(EVENTS, OUTBOX)

    async def _move(self, actor: Actor, conversation_id: UUID, event: Event, seen: str | None) -> None:
        async with self._db.transaction(actor.tenant_id) as tx:
            await check_seen(tx, await conversations.lock(tx, conversation_id), seen)
            await conversations.apply(tx, conversation_id, event, actor=str(actor), user_id=actor.user_id)
            await turns.void_stale(tx, conversation_id)
            await conversations.withdraw_drafts(tx, conversation_id)
        self._wakeup.signal(EVENTS, OUTBOX)

    async def _sent_before(self, tx: Connection, actor: Actor, key: str, conversation_id: UUID) -> int | None:
        """The message that was sent under the key; None: nothing was, and the key is this sending's now."""
        if not key or actor.user_id is None:
            return None
        if len(key) > _KEY_CHARACTERS or storable(key)[0] != key:
            raise InvalidInputError("key", "it is no key", hint="Reload the page and try again.")
        found = await operator_sends.begin(tx, actor.tenant_id, actor.user_id, key, conversation_id)
        if found is None:
            return None
        if found["conversation_id"] != conversation_id or found["message_id"] is None:
            raise InvalidInputError("key", "it was used for something else", hint="Reload the page and try again.")
        message_id: int = found["message_id"]
        return message_id

    async def _note_sent(self, tx: Connection, actor: Actor, key: str, message_id: int) -> None:
        if key and actor.user_id is not None:
            await operator_sends.note(tx, actor.user_id, key, message_id)

    async def _locked(self, tx: Connection, suggestion_id: UUID) -> tuple[Row, Row]:
        row = await tx.fetchrow("SELECT * FROM suggestion WHERE id = $1", suggestion_id)
        if row is None:
            raise NotFoundError("suggestion", suggestion_id)
        conversation = await conversations.lock(tx, row["conversation_id"])
        return await tx.fetchrow("SELECT * FROM suggestion WHERE id = $1 FOR UPDATE", suggestion_id), conversation

    async def _decide_suggestion(
        self,
        tx: Connection,
        actor: Actor,
        suggestion: Row,
        status: Literal["approved", "edited", "rejected"],
        *,
        final_text: str | None = None,
        why: tuple[RejectReason | None, str] = (None, ""),
    ) -> None:
        reason, note = why
        await tx.execute(
            "UPDATE suggestion SET status = $2, decided_by = $3, decided_at = now(), final_text = $4, "
            "reject_reason = $5, reject_note = $6 WHERE id = $1",
            suggestion["id"],
            status,
            actor.user_id,
            final_text,
            reason,
            note,
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

    async def _say(self, tx: Connection, actor: Actor, conversation: Row, said: _Said) -> int:
        carried = as_json(said.content) if said.content is not None else None
        kept = {**({"carries": carried} if carried else {}), **({"undo": said.undo} if said.undo else {})}
        message_id: int = await tx.fetchval(
            """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, user_id,
                                    turn_id, kind, content, quoted_provider_id, sent_at)
               VALUES ($1, $2, $3, $4, 'operator', $5, $6, $7, $8, $9, $10, now()) RETURNING id""",
            actor.tenant_id,
            conversation["id"],
            conversation["channel_session_id"],
            conversation["contact_id"],
            said.text,
            actor.user_id,
            said.turn_id,
            message_kind(said.content).value,
            kept,
            said.quoted,
        )
        await outbox.add(
            tx,
            conversation=conversation,
            message_id=message_id,
            origin="operator",
            fence=None,
            content=carried,
            hold=said.hold,
        )
        await tx.execute(
            "UPDATE conversation SET fence = fence + 1, answered_upto_id = last_inbound_id, unread = 0, "
            "last_message_at = now(), last_preview = left($2, 120) WHERE id = $1",
            conversation["id"],
            described(said.content, said.text),
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


def _pending(suggestion: Row) -> Row:
    if suggestion["status"] != "pending":
        raise OutdatedError("suggestion", f"it is {suggestion['status']} by now")
    return suggestion


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
