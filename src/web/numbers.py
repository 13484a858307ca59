"""The numbers' page: how each is connected, what to do next, and the code that a phone scans to link it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from uuid import UUID

import segno
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import NotAllowedError, NotFoundError
from flows.sessions import HOSTED, Numbers
from store import numbers as store
from web.access import CurrentVisitor, Visitor
from web.errors import QrExpiredError
from web.pages import pages
from web.services import services


@dataclass(frozen=True, slots=True)
class Card:
    """A number and the key of its sentence in ``labels.NEXT_STEPS``."""

    number: store.Number

    @property
    def is_hosted(self) -> bool:
        """Whether pairing and pausing it is our matter."""
        return self.number.provider == HOSTED

    @property
    def state(self) -> str:
        if not self.is_hosted:
            return "simulated" if self.number.provider == "simulator" else "gateway"
        if not self.number.wanted:
            return "paused"
        return self.number.status if self.number.held else "unheld"

    @property
    def shown_code(self) -> store.QrCode | None:
        code = self.number.qr
        return code if code is not None and not code.expired and self.number.wanted else None


def numbers_router(numbers: Numbers) -> APIRouter:
    """The page and its actions. Everybody of the tenant may look, administrators may act."""
    router = APIRouter(prefix="/numbers")

    @router.get("")
    async def show_numbers(request: Request, visitor: CurrentVisitor) -> Response:
        return await _answer(request, visitor, "numbers/page.html")

    @router.get("/list")
    async def show_list(request: Request, visitor: CurrentVisitor) -> Response:
        """The part of the page that changes."""
        return await _answer(request, visitor, "numbers/list.html")

    @router.get("/{session_id}/qr.svg")
    async def show_code(request: Request, visitor: CurrentVisitor, session_id: UUID) -> Response:
        """The newest code as an image. 404: none is shown now. 410: it ran out."""
        async with services(request).db.transaction(visitor.tenant_id) as tx:
            code = (await store.number(tx, session_id)).qr
        if code is None:
            raise NotFoundError("QR code of", session_id)
        if code.expired:
            raise QrExpiredError
        return Response(drawn(code.text), media_type="image/svg+xml")

    @router.post("/{session_id}/pair")
    async def pair_again(request: Request, visitor: CurrentVisitor, session_id: UUID) -> Response:
        await _administered(request, visitor, session_id)
        await numbers.pair_again(visitor.actor, session_id)
        return await _answer(request, visitor, "numbers/list.html")

    @router.post("/{session_id}/pause")
    async def pause(request: Request, visitor: CurrentVisitor, session_id: UUID) -> Response:
        await _administered(request, visitor, session_id)
        await numbers.pause(visitor.actor, session_id)
        return await _answer(request, visitor, "numbers/list.html")

    @router.post("/{session_id}/resume")
    async def resume(request: Request, visitor: CurrentVisitor, session_id: UUID) -> Response:
        await _administered(request, visitor, session_id)
        await numbers.resume(visitor.actor, session_id)
        return await _answer(request, visitor, "numbers/list.html")

    return router


def drawn(code: str) -> bytes:
    """A QR code as SVG: black on white with its quiet zone, whatever the page's theme, or phones cannot read it."""
    out = io.BytesIO()
    segno.make_qr(code, error="m").save(out, kind="svg", border=4, light="#fff", xmldecl=False, omitsize=True)
    return out.getvalue()


async def _administered(request: Request, visitor: Visitor, session_id: UUID) -> None:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        await store.number(tx, session_id)  # another tenant's must look like none, whoever asks
    if visitor.role != "admin":
        raise NotAllowedError("administrators")


async def _answer(request: Request, visitor: Visitor, template: str) -> Response:
    last_event = request.app.state.feed.cursor  # before reading: what comes later is told by the websocket
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        cards = [Card(number) for number in await store.all_numbers(tx)]
    return pages(request).render(request, template, cards=cards, last_event=last_event, may_act=visitor.role == "admin")
