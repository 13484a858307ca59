"""The numbers' page: how each is connected, what to do next, and the code that a phone scans to link it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import segno
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import NotFoundError
from domain.roles import Right
from flows.gateway_numbers import GatewayNumbers
from flows.quarantine import Quarantine
from flows.sessions import HOSTED, SIMULATED, Numbers, state_of
from store import inbox
from store import numbers as store
from store import quarantine as quarantine_store
from web.access import CurrentVisitor, Visitor, needs
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
    def is_gateway(self) -> bool:
        """Whether a gateway holds its connection."""
        return not self.is_hosted and self.number.provider != SIMULATED

    @property
    def state(self) -> str:
        return state_of(self.number)

    @property
    def shown_code(self) -> store.QrCode | None:
        code = self.number.qr
        return code if code is not None and not code.expired and self.number.wanted else None


def gateways_router(gateways: GatewayNumbers, quarantine: Quarantine) -> APIRouter:
    """What administrators do with numbers behind gateways, and with deliveries that nobody understood."""
    router = APIRouter(prefix="/numbers")

    @router.get("/quarantine")
    async def show_quarantine(request: Request, visitor: CurrentVisitor) -> Response:
        _need_admin(visitor)
        return await _quarantined(request, visitor)

    @router.post("/quarantine/{quarantined_id}/replay")
    async def replay(request: Request, visitor: CurrentVisitor, quarantined_id: UUID) -> Response:
        """Read it again, as this version does."""
        _need_admin(visitor)
        await quarantine.replay(visitor.tenant_id, quarantined_id)
        return await _quarantined(request, visitor)

    @router.post("/quarantine/{quarantined_id}/discard")
    async def discard(request: Request, visitor: CurrentVisitor, quarantined_id: UUID) -> Response:
        _need_admin(visitor)
        await quarantine.discard(visitor.tenant_id, quarantined_id)
        return await _quarantined(request, visitor)

    @router.post("/{session_id}/set-up")
    async def set_up(request: Request, visitor: CurrentVisitor, session_id: UUID) -> Response:
        await _administered(request, visitor, session_id)
        await gateways.set_up(visitor.tenant_id, session_id, actor=str(visitor.actor))
        return await _answer(request, visitor, "numbers/list.html")

    @router.post("/{session_id}/control")
    async def control(
        request: Request, visitor: CurrentVisitor, session_id: UUID, wish: Annotated[str, Form()]
    ) -> Response:
        await _administered(request, visitor, session_id)
        await gateways.control(visitor.tenant_id, session_id, wish, actor=str(visitor.actor))
        return await _answer(request, visitor, "numbers/list.html")

    return router


def numbers_router(numbers: Numbers) -> APIRouter:
    """The page and its actions. Everybody of the tenant may look, administrators may act."""
    router = APIRouter(prefix="/numbers")

    @router.get("", dependencies=[needs(Right.SESSIONS_READ)])
    async def show_numbers(request: Request, visitor: CurrentVisitor) -> Response:
        return await _answer(request, visitor, "numbers/page.html")

    @router.get("/list", dependencies=[needs(Right.SESSIONS_READ)])
    async def show_list(request: Request, visitor: CurrentVisitor) -> Response:
        """The part of the page that changes."""
        return await _answer(request, visitor, "numbers/list.html")

    @router.get("/{session_id}/qr.svg", dependencies=[needs(Right.SESSIONS_READ)])
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

    @router.post("/{session_id}/groups")
    async def change_groups(
        request: Request, visitor: CurrentVisitor, session_id: UUID, groups: Annotated[str, Form()]
    ) -> Response:
        """Whether the assistant answers in groups: ``off`` or ``mentioned``."""
        await _administered(request, visitor, session_id)
        await numbers.change_groups(visitor.actor, session_id, groups)
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
    _need_admin(visitor)


def _need_admin(visitor: Visitor) -> None:
    visitor.need(Right.SESSIONS_WRITE)


async def _quarantined(request: Request, visitor: Visitor) -> Response:
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        found = await quarantine_store.newest(tx)
        space = await inbox.workspace(tx)
    fragment = request.headers.get("hx-request") == "true"
    template = "numbers/quarantined.html" if fragment else "numbers/quarantine.html"
    zone, last_event = ZoneInfo(space.timezone), request.app.state.feed.cursor
    return pages(request).render(request, template, found=found, zone=zone, last_event=last_event)


async def _answer(request: Request, visitor: Visitor, template: str) -> Response:
    last_event = request.app.state.feed.cursor  # before reading: what comes later is told by the websocket
    async with services(request).db.transaction(visitor.tenant_id) as tx:
        cards = [Card(number) for number in await store.all_numbers(tx)]
        quarantined = await quarantine_store.waiting(tx)
        zone = ZoneInfo((await inbox.workspace(tx)).timezone)
    return pages(request).render(
        request,
        template,
        cards=cards,
        last_event=last_event,
        may_act=visitor.may(Right.SESSIONS_WRITE),
        quarantined=quarantined,
        zone=zone,
    )
