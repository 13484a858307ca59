"""A tenant's channel sessions as programs and people at a terminal see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import AtendeError, InvalidInputError, NotFoundError
from flows.pages import Page, checked_limit, page_of, place_in
from flows.sessions import state_of
from store import numbers, session_history
from store.database import Database
from store.numbers import Number, QrCode
from store.session_history import LogLine, SessionFigures


class QrCodeExpiredError(AtendeError):
    """The newest code can no longer be scanned, and no other is shown."""

    def __init__(self) -> None:
        super().__init__("The QR code has expired.", hint="Wait for the next one, or start the session again.")


class NoQrCodeError(NotFoundError):
    """The number shows no code now; its state says why."""

    def __init__(self, session_id: UUID, state: str) -> None:
        super().__init__("QR code of", f"{session_id} (its state is {state})")
        self.hint = "Start the session; a code is there within seconds, unless a phone is linked already."


@dataclass(frozen=True, slots=True)
class SessionView:
    """A number and the key of the sentence that says what to do next."""

    number: Number
    state: str


class SessionViews:
    """Reads only. Raises NotFoundError, also for another tenant's, and InvalidInputError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, tenant_id: UUID, *, cursor: str | None = None, limit: int = 50) -> Page[SessionView]:
        """The numbers, oldest first."""
        after, limit = place_in(cursor, datetime, UUID), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            found = await numbers.numbers_after(tx, after, limit + 1)
        shown = [SessionView(number, state_of(number)) for number in found]
        return page_of(shown, limit, lambda one: (one.number.created_at, one.number.id))

    async def one(self, tenant_id: UUID, session_id: UUID) -> SessionView:
        """One number."""
        async with self._db.transaction(tenant_id) as tx:
            number = await numbers.number(tx, session_id)
        return SessionView(number, state_of(number))

    async def qr(self, tenant_id: UUID, session_id: UUID) -> QrCode:
        """The newest code. Raises NoQrCodeError or QrCodeExpiredError."""
        view = await self.one(tenant_id, session_id)
        if view.number.qr is None and view.state == "qr_expired":
            raise QrCodeExpiredError
        if view.number.qr is None or not view.number.wanted:
            raise NoQrCodeError(session_id, view.state)
        if view.number.qr.expired:
            raise QrCodeExpiredError
        return view.number.qr

    async def figures(self, tenant_id: UUID, session_id: UUID, *, days: int = 7) -> SessionFigures:
        """Statistics of one number."""
        if not 0 < days <= 365:
            raise InvalidInputError("days", "must be 1 to 365")
        async with self._db.transaction(tenant_id) as tx:
            await numbers.number(tx, session_id)
            return await session_history.figures(tx, tenant_id, session_id, days=days)

    async def log(
        self, tenant_id: UUID, session_id: UUID, *, cursor: str | None = None, limit: int = 50
    ) -> Page[LogLine]:
        """What happened to one number, the newest first. A deleted number's log can still be read."""
        (before,), limit = place_in(cursor, int) or (None,), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            found = await session_history.log(tx, tenant_id, session_id, before=before, limit=limit + 1)
            if not found:
                await numbers.number(tx, session_id)
        return page_of(found, limit, lambda line: (line.id,))
