"""Conversations, suggestions, handoffs and events as a tenant's programs read them. The desk's flows change them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.conversation import Status
from domain.errors import InvalidInputError
from flows import traces
from flows.pages import Page, checked_limit, page_of, place_in
from flows.trace_list import anonymous
from store import conversation_records, numbers, thread
from store.conversation_records import (
    ConversationFilter,
    ConversationRecord,
    EventRecord,
    HandoffRecord,
    NoteRecord,
    SuggestionRecord,
    TurnRecord,
)
from store.database import Connection, Database
from store.thread import PendingApproval, ThreadMessage

_MOST_KINDS: Final = 50


class ConversationViews:
    """Reads only. Raises NotFoundError, also for another tenant's, and InvalidInputError."""

    def __init__(self, db: Database, secret: bytes) -> None:
        """``secret`` decides which names stand for names where personal data are left out."""
        self._db = db
        self._secret = secret

    async def page(
        self, tenant_id: UUID, wanted: ConversationFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[ConversationRecord]:
        """Conversations, the latest message first."""
        if wrong := sorted(set(wanted.statuses or ()) - set(Status)):
            raise InvalidInputError("status", f"there is no {', '.join(wrong)}", hint=f"Known: {', '.join(Status)}.")
        before, limit = place_in(cursor, datetime, UUID), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            if wanted.session_id is not None:
                await numbers.number(tx, wanted.session_id)
            found = await conversation_records.listed(tx, wanted, before=before, limit=limit + 1)
        return page_of(found, limit, lambda one: (one.last_message_at, one.id))

    async def get(self, tenant_id: UUID, conversation_id: UUID) -> ConversationRecord:
        """One conversation."""
        async with self._db.transaction(tenant_id) as tx:
            return await conversation_records.one(tx, conversation_id)

    async def chat(self, tenant_id: UUID, session_id: UUID, chat: str) -> UUID:
        """The conversation of a number that ``chat`` names, by its id or an address (``lid:…``, ``phone:…``)."""
        async with self._db.transaction(tenant_id) as tx:
            await numbers.number(tx, session_id)
            return await conversation_records.in_chat(tx, session_id, chat)

    async def messages(
        self, tenant_id: UUID, conversation_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[ThreadMessage]:
        """Messages as they stand now, the newest first."""
        (before,), limit = place_in(cursor, int) or (None,), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            await conversation_records.one(tx, conversation_id)
            found = await thread.messages(tx, conversation_id, before=before, limit=limit + 1)
        return page_of(found[::-1], limit, lambda one: (one.id,))

    async def notes(
        self, tenant_id: UUID, conversation_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[NoteRecord]:
        """Notes of colleagues, the newest first."""
        (before,), limit = place_in(cursor, int) or (None,), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            await conversation_records.one(tx, conversation_id)
            found = await conversation_records.notes(tx, conversation_id, before=before, limit=limit + 1)
        return page_of(found, limit, lambda one: (one.id,))

    async def turns(
        self, tenant_id: UUID, conversation_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[TurnRecord]:
        """Runs of the agent, the newest first."""
        before, limit = place_in(cursor, datetime, UUID), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            await conversation_records.one(tx, conversation_id)
            found = await conversation_records.turns(tx, conversation_id, before=before, limit=limit + 1)
        return page_of(found, limit, lambda one: (one.created_at, one.id))

    async def trace(self, tenant_id: UUID, turn_id: UUID, *, reveal: bool) -> dict[str, Any]:
        """Why a turn did what it did, without personal data, names included, unless ``reveal``."""
        async with self._db.transaction(tenant_id) as tx:
            return await (traces.explain(tx, turn_id, reveal=True) if reveal else anonymous(tx, turn_id, self._secret))

    async def approvals(self, tenant_id: UUID, conversation_id: UUID) -> list[PendingApproval]:
        """Calls of business functions that wait for a person, the oldest first."""
        async with self._db.transaction(tenant_id) as tx:
            await conversation_records.one(tx, conversation_id)
            return await thread.pending_approvals(tx, conversation_id)

    async def suggestions(
        self,
        tenant_id: UUID,
        *,
        status: str | None = None,
        conversation_id: UUID | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[SuggestionRecord]:
        """Suggestions, the newest first."""
        before, limit = place_in(cursor, datetime, UUID), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            await _known(tx, conversation_id)
            found = await conversation_records.suggestions(
                tx, status=status, conversation_id=conversation_id, before=before, limit=limit + 1
            )
        return page_of(found, limit, lambda one: (one.created_at, one.id))

    async def suggestion(self, tenant_id: UUID, suggestion_id: UUID) -> SuggestionRecord:
        """One suggestion."""
        async with self._db.transaction(tenant_id) as tx:
            return await conversation_records.suggestion(tx, suggestion_id)

    async def handoffs(
        self,
        tenant_id: UUID,
        *,
        state: str | None = None,
        conversation_id: UUID | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[HandoffRecord]:
        """Handoffs, the newest first. ``state``: waiting, claimed or ended."""
        before, limit = place_in(cursor, datetime, UUID), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            await _known(tx, conversation_id)
            found = await conversation_records.handoffs(
                tx, state=state, conversation_id=conversation_id, before=before, limit=limit + 1
            )
        return page_of(found, limit, lambda one: (one.created_at, one.id))

    async def handoff(self, tenant_id: UUID, handoff_id: UUID) -> HandoffRecord:
        """One handoff."""
        async with self._db.transaction(tenant_id) as tx:
            return await conversation_records.handoff(tx, handoff_id)

    async def events(
        self,
        tenant_id: UUID,
        *,
        after: int = 0,
        kinds: Sequence[str] = (),
        conversation_id: UUID | None = None,
        limit: int = 50,
    ) -> Page[EventRecord]:
        """Events from after ``after``, oldest first. ``kinds``: names, or ``message.*``; the page's cursor is an id."""
        limit = checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            await _known(tx, conversation_id)
            found = await conversation_records.events(
                tx, after=after, kinds=_patterns(kinds), conversation_id=conversation_id, limit=limit + 1
            )
        return page_of(found, limit, lambda one: (one.id,))


async def _known(tx: Connection, conversation_id: UUID | None) -> None:
    if conversation_id is not None:
        await conversation_records.one(tx, conversation_id)


def _patterns(kinds: Sequence[str]) -> list[str] | None:
    wanted = [kind.strip() for kind in kinds if kind.strip()]
    if len(wanted) > _MOST_KINDS:
        raise InvalidInputError("kinds", f"may name {_MOST_KINDS} at most")
    if wrong := [kind for kind in wanted if not kind.replace(".*", "").replace(".", "").replace("_", "").isalnum()]:
        raise InvalidInputError(
            "kinds", f"{wrong[0]!r} is no kind of event", hint="Such as message.received, message.*"
        )
    patterns = [kind.replace("\\", "").replace("_", "\\_").replace("*", "%") for kind in wanted]
    return patterns or None
