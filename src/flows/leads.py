"""Leads: people who wrote for the first time. They begin in the way in (flows.inbound); here people work on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.errors import ChangedMeanwhileError, NotFoundError
from domain.leads import FirstMessage, Lead, LeadStatus, lead_of
from domain.messages import AddressKind, Author
from flows.notifications import concerned
from flows.refusals import RefusedError, whole
from flows.session_info import SessionInfo
from store import events
from store import leads as store
from store.database import Connection, Database, Row
from store.messages import NewMessage
from store.wakeup import EVENTS, Wakeup

if TYPE_CHECKING:
    from flows.desk import Actor

TELLS: Final = concerned("lead.created")
_PAGE: Final = 50


def lead_from(session: SessionInfo, message: NewMessage, push_name: str | None) -> Lead | None:
    """What the writer would be as a lead; None: a group, one of the past, our own words, or the business's own people.

    Whether somebody is new shows only in the database: see store.leads.
    """
    if message.author != Author.CONTACT.value or message.historical or message.chat.kind is AddressKind.GROUP:
        return None
    if message.chat.value in staff_of(session.settings):
        return None
    first = FirstMessage(message.text, message.content, session.name, push_name, has_file="media" in message.content)
    return lead_of(first)


def staff_of(settings: Mapping[str, Any]) -> frozenset[str]:
    """Telephones of the business's own people (``leads.staff`` in the tenant's settings), digits only."""
    listed = (settings.get("leads") or {}).get("staff") or ()
    return frozenset("".join(char for char in str(phone) if char.isdigit()) for phone in listed)


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """What the page shows."""

    source: str = ""
    words: str = ""
    least_score: int = 0


@dataclass(frozen=True, slots=True)
class Board:
    """Leads by status, how many there are of each, and where they came from."""

    columns: dict[str, list[Row]]
    counts: dict[str, int]
    sources: list[str]


class Leads:
    """Shows leads and changes them. Raises NotFoundError, ConflictError or RefusedError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def board(self, tenant_id: UUID, wanted: LeadFilter) -> Board:
        """The newest of each status."""
        async with self._db.transaction(tenant_id) as tx:
            columns = {status.value: await _column(tx, status, wanted, None) for status in LeadStatus}
            return Board(columns, await store.counts(tx), await store.sources(tx))

    async def more(
        self, tenant_id: UUID, status: LeadStatus, wanted: LeadFilter, before: tuple[datetime, UUID]
    ) -> list[Row]:
        """The next ones of a column."""
        async with self._db.transaction(tenant_id) as tx:
            return await _column(tx, status, wanted, before)

    async def change(self, actor: Actor, contact_id: UUID, *, status: str, score: str, version: int) -> None:
        """Another status or score, if nobody changed the contact since ``version``."""
        if status not in set(LeadStatus):
            raise RefusedError("status", "Choose one of the statuses.")
        points = whole("score", score, 0, 100)
        async with self._db.transaction(actor.tenant_id) as tx:
            row = await tx.fetchrow(
                "SELECT lead_status, lead_score, version FROM contact "
                "WHERE id = $1 AND lead_status IS NOT NULL FOR UPDATE",
                contact_id,
            )
            if row is None:
                raise NotFoundError("lead", contact_id)
            if row["version"] != version:
                raise ChangedMeanwhileError("this contact")
            changes = {
                name: [before, now]
                for name, before, now in (
                    ("status", row["lead_status"], status),
                    ("score", row["lead_score"], points),
                )
                if before != now
            }
            if not changes:
                return
            await tx.execute(
                "UPDATE contact SET lead_status = $2, lead_score = $3, version = version + 1 WHERE id = $1",
                contact_id,
                status,
                points,
            )
            payload = {"contact_id": str(contact_id), "changes": changes}
            await events.append(tx, actor.tenant_id, "lead.changed", payload=payload, actor=str(actor))
        self._wakeup.signal(EVENTS)


async def _column(
    tx: Connection, status: LeadStatus, wanted: LeadFilter, before: tuple[datetime, UUID] | None
) -> list[Row]:
    return await store.column(
        tx,
        status.value,
        source=wanted.source,
        words=wanted.words,
        least_score=wanted.least_score,
        before=before,
        at_most=_PAGE,
    )
