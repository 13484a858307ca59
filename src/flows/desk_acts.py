"""What people do with conversations and contacts beside answering, each act in a transaction of its own.

Each appends one event (kind, actor) with its change. What other flows do in their own transactions stands in
desk_assignment, desk_closing, desk_snooze, desk_marks, desk_contact and desk_undo.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from domain.errors import NotFoundError
from flows import desk_assignment, desk_closing, desk_contact, desk_marks, desk_snooze, desk_undo
from flows.desk import Actor
from flows.desk_undo import Withdrawn
from store import conversations
from store.database import Connection, Database, Row
from store.jobs import TURNS
from store.wakeup import EVENTS, OUTBOX, Wakeup


class DeskActs:
    """The acts of signed-in people. Raises NotFoundError, ConflictError, NotAllowedError or InvalidInputError; then
    nothing was changed.

    ``seen``: what the person saw of the conversation (desk_assignment.standing); OutdatedError where that no longer
    holds. ``supervises``: whether the person may move what a colleague holds.
    """

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def assign(
        self,
        actor: Actor,
        conversation_id: UUID,
        user_id: UUID,
        *,
        seen: str | None = None,
        note: str = "",
        supervises: bool = True,
    ) -> None:
        """Make the conversation a person's, the actor's own or another's."""
        async with self._conversation(actor, conversation_id) as (tx, row):
            desk_assignment.check_may_move(row, actor.user_id, supervises=supervises)
            await desk_assignment.assign(tx, conversation_id, user_id, actor=str(actor), seen=seen, note=note)

    async def transfer(
        self,
        actor: Actor,
        conversation_id: UUID,
        team_id: UUID | None,
        *,
        seen: str | None = None,
        note: str = "",
        supervises: bool = True,
    ) -> None:
        """Put the conversation into a team's queue, or everybody's."""
        async with self._conversation(actor, conversation_id) as (tx, row):
            desk_assignment.check_may_move(row, actor.user_id, supervises=supervises)
            await desk_assignment.transfer(tx, conversation_id, team_id, actor=str(actor), seen=seen, note=note)

    async def undo_closing(self, actor: Actor, conversation_id: UUID) -> None:
        """The closing was a slip: everything is again what it was."""
        async with self._conversation(actor, conversation_id) as (tx, _):
            await desk_closing.undo(tx, conversation_id, actor=str(actor))
        self._wakeup.signal(OUTBOX)
        self._wakeup.turn_waits(TURNS)

    async def reopen(self, actor: Actor, conversation_id: UUID) -> None:
        """A closed conversation is the actor's."""
        async with self._conversation(actor, conversation_id) as (tx, _):
            await desk_closing.reopen(tx, conversation_id, actor.person, actor=str(actor))

    async def withdraw(self, actor: Actor, conversation_id: UUID, outbox_id: UUID) -> Withdrawn:
        """Take back a message of the actor's own that is still held."""
        async with self._conversation(actor, conversation_id) as (tx, _):
            taken_back = await desk_undo.withdraw(tx, conversation_id, outbox_id, actor.user_id, actor=str(actor))
        self._wakeup.signal(OUTBOX)  # what waited behind it
        return taken_back

    async def snooze(self, actor: Actor, conversation_id: UUID, until: datetime | None) -> None:
        """Put aside until a time, or (None) until the contact writes."""
        async with self._conversation(actor, conversation_id) as (tx, _):
            await desk_snooze.snooze(tx, conversation_id, until, actor=str(actor))

    async def unsnooze(self, actor: Actor, conversation_id: UUID) -> None:
        """Back into the queues now."""
        async with self._conversation(actor, conversation_id) as (tx, _):
            await desk_snooze.unsnooze(tx, conversation_id, actor=str(actor))

    async def label(
        self, actor: Actor, conversation_id: UUID, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> None:
        """Put labels on the conversation and take others off."""
        async with self._conversation(actor, conversation_id) as (tx, row):
            await desk_marks.label(tx, row, add=add, remove=remove, actor=str(actor))

    async def prioritise(self, actor: Actor, conversation_id: UUID, priority: str) -> None:
        """``priority``: low, normal, high or urgent."""
        async with self._conversation(actor, conversation_id) as (tx, row):
            await desk_marks.prioritise(tx, row, priority, actor=str(actor))

    async def note(self, actor: Actor, conversation_id: UUID, text: str) -> int:
        """A note for colleagues in the thread; returns its id."""
        async with self._conversation(actor, conversation_id) as (tx, row):
            return await desk_marks.add_note(tx, row, text, actor=str(actor))

    async def mark_unread(self, actor: Actor, conversation_id: UUID) -> None:
        """Shown as unread until somebody opens it."""
        async with self._conversation(actor, conversation_id) as (tx, row):
            await desk_marks.mark_unread(tx, row, actor=str(actor))

    async def rename(self, actor: Actor, contact_id: UUID, name: str, *, conversation_id: UUID | None = None) -> None:
        """Call the contact so; empty: as WhatsApp does. ``conversation_id``, here and below: where it was done."""
        async with self._contact(actor, contact_id, conversation_id) as (tx, row):
            await desk_contact.rename(tx, row, name, actor=str(actor), conversation_id=conversation_id)

    async def tag(
        self, actor: Actor, contact_id: UUID, tags: Sequence[str], *, conversation_id: UUID | None = None
    ) -> None:
        """Call the contact by these tags and no others."""
        async with self._contact(actor, contact_id, conversation_id) as (tx, row):
            await desk_contact.tag(tx, row, tags, actor=str(actor), conversation_id=conversation_id)

    async def set_fields(
        self, actor: Actor, contact_id: UUID, fields: Mapping[str, str], *, conversation_id: UUID | None = None
    ) -> None:
        """Set these of the business's own fields; an empty value takes one away."""
        async with self._contact(actor, contact_id, conversation_id) as (tx, row):
            await desk_contact.set_fields(tx, row, fields, actor=str(actor), conversation_id=conversation_id)

    async def set_lead(
        self, actor: Actor, contact_id: UUID, status: str | None, *, conversation_id: UUID | None = None
    ) -> None:
        """How far the contact is as a buyer; None: it is no lead."""
        async with self._contact(actor, contact_id, conversation_id) as (tx, row):
            await desk_contact.set_lead(tx, row, status, actor=str(actor), conversation_id=conversation_id)

    async def set_opt_out(
        self, actor: Actor, contact_id: UUID, *, opted_out: bool, conversation_id: UUID | None = None
    ) -> None:
        """The contact told a person whether it wants messages on the business's initiative."""
        async with self._contact(actor, contact_id, conversation_id) as (tx, row):
            await desk_contact.set_opt_out(
                tx, row, opted_out=opted_out, actor=str(actor), conversation_id=conversation_id
            )

    async def add_task(
        self,
        actor: Actor,
        contact_id: UUID,
        title: str,
        due_at: datetime | None,
        *,
        assignee_id: UUID | None = None,
        conversation_id: UUID | None = None,
    ) -> UUID:
        """Something to be done for the contact; returns its id."""
        async with self._contact(actor, contact_id, conversation_id) as (tx, row):
            return await desk_contact.add_task(
                tx,
                row,
                title,
                due_at,
                actor=str(actor),
                assignee_id=assignee_id,
                conversation_id=conversation_id,
            )

    async def settle_task(self, actor: Actor, task_id: UUID, *, done: bool) -> None:
        """Tick a task off, or take the tick back."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await desk_contact.settle_task(tx, task_id, done=done, actor=str(actor))
        self._wakeup.signal(EVENTS)

    @asynccontextmanager
    async def _conversation(self, actor: Actor, conversation_id: UUID) -> AsyncIterator[tuple[Connection, Row]]:
        async with self._db.transaction(actor.tenant_id) as tx:
            yield tx, await conversations.lock(tx, conversation_id)
        self._wakeup.signal(EVENTS)

    @asynccontextmanager
    async def _contact(
        self, actor: Actor, contact_id: UUID, conversation_id: UUID | None
    ) -> AsyncIterator[tuple[Connection, Row]]:
        """The conversation first, as everywhere; it must be the contact's own."""
        async with self._db.transaction(actor.tenant_id) as tx:
            if conversation_id is not None:
                conversation = await conversations.lock(tx, conversation_id)
                if conversation["contact_id"] != contact_id:
                    raise NotFoundError("contact", contact_id)
            yield tx, await desk_contact.lock(tx, contact_id)
        self._wakeup.signal(EVENTS)
