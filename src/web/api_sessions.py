"""``/api/v1/sessions``: channel sessions (paired numbers), from the first QR code to their deletion."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import segno
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InvalidInputError
from flows.api_keys import ApiCaller
from flows.idempotency import Answered
from flows.pages import Page
from flows.session_control import ChannelSessions, Outcome
from flows.session_views import SessionView, SessionViews
from flows.sessions import number_version
from store.session_history import LogLine, SessionFigures
from web.api import Api, answer, etag, wanted_tag
from web.api_schema import Cursor, Limit, Once, made, next_links, shown
from web.api_sessions_models import OPERATIONS, Session, SetUp
from web.i18n import LANGUAGES, accepted_language, known_language, load_catalogue
from web.session_states import NEXT_STEPS

_CREATED = frozenset({"name", "provider", "settings", "start"})
_CHANGED = frozenset({"name", "groups"})
_PNG, _TEXT = "image/png", "text/plain"
_FRESH: Mapping[str, Any] = {"cache-control": "no-store", "vary": "Accept"}


def sessions_router(api: Api, once: Once, sessions: ChannelSessions, views: SessionViews) -> APIRouter:
    """List, create, read, change, pair, start, stop, restart, log out, delete; figures and log."""
    router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])
    reads, writes = Depends(api.caller("sessions:read")), Depends(api.caller("sessions:write"))
    _pairing_and_history(router, api, sessions, views)  # first: the wishes below would take their names

    async def shown(
        request: Request, caller: ApiCaller, session_id: UUID, status: int = 200, **headers: str
    ) -> Response:
        view = await views.one(caller.tenant_id, session_id)
        version = etag(number_version(view.number.name, view.number.groups))
        return answer(session_json(view, _language(request)), status, etag=version, **headers)

    async def outcome(request: Request, caller: ApiCaller, session_id: UUID, found: Outcome) -> Response:
        """202: no session host runs, and the next one does it."""
        return await shown(request, caller, session_id, 200 if found.done else 202)

    @router.get("", **OPERATIONS["list"])
    async def list_all(
        request: Request, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """All sessions, oldest first."""
        page = await views.page(caller.tenant_id, cursor=cursor, limit=limit)
        return _page(request, "sessions", page, [session_json(one, _language(request)) for one in page.items])

    @router.post("", **OPERATIONS["create"])
    async def create(request: Request, caller: ApiCaller = writes) -> Response:
        """A further session; a `neonize` one shows its QR code within seconds, unless `start` is false."""
        body = _object(await api.json(request), _CREATED)
        settings, start = body.get("settings", {}), body.get("start", True)
        if not isinstance(settings, dict) or not isinstance(start, bool):
            raise InvalidInputError("settings, start", "must be an object, and true or false")

        async def act() -> Answered:
            new = await sessions.create(
                caller.tenant_id,
                name=_words(body, "name"),
                provider=_words(body, "provider", "neonize"),
                config={str(key): value for key, value in settings.items()},
                start=start,
                actor=caller.actor,
            )
            view = await views.one(caller.tenant_id, new)
            return made(Session, session_json(view, _language(request)), location=f"/api/v1/sessions/{new}")

        return await once(request, caller, act)

    @router.get("/{session_id}", **OPERATIONS["get"])
    async def get(request: Request, session_id: UUID, caller: ApiCaller = reads) -> Response:
        """One session, with what to do next in the language of `Accept-Language` (pt, es, en)."""
        return await shown(request, caller, session_id)

    @router.patch("/{session_id}", **OPERATIONS["change"])
    async def change(request: Request, session_id: UUID, caller: ApiCaller = writes) -> Response:
        """Another name, or whether the agent answers in groups: `off`, or when it is `mentioned` or quoted."""
        version, body = wanted_tag(request), _object(await api.json(request), _CHANGED)
        groups = body.get("groups")
        name = _words(body, "name") if "name" in body else None
        await sessions.change(
            caller.tenant_id, session_id, name=name, groups=groups, actor=caller.actor, version=version
        )
        return await shown(request, caller, session_id)

    @router.delete("/{session_id}", **OPERATIONS["delete"])
    async def delete(request: Request, session_id: UUID, caller: ApiCaller = writes) -> Response:
        """End the pairing, then delete the session with its keys, conversations and files. There is no way back."""
        found = await sessions.delete(caller.tenant_id, session_id, actor=caller.actor)
        return Response(status_code=204) if found.done else await outcome(request, caller, session_id, found)

    @router.post("/{session_id}/{wish}", **OPERATIONS["act"])
    async def act(
        request: Request,
        session_id: UUID,
        wish: Literal["start", "stop", "restart", "logout"],
        caller: ApiCaller = writes,
    ) -> Response:
        """`start`, `stop` (it stays paired), `restart`, `logout` (its device is removed at WhatsApp)."""
        match wish:
            case "start":
                await sessions.start(caller.tenant_id, session_id, actor=caller.actor)
            case "stop":
                await sessions.stop(caller.tenant_id, session_id, actor=caller.actor)
            case "restart":
                await sessions.restart(caller.tenant_id, session_id, actor=caller.actor)
            case "logout":
                found = await sessions.log_out(caller.tenant_id, session_id, actor=caller.actor)
                return await outcome(request, caller, session_id, found)
        return await shown(request, caller, session_id)

    return router


def _pairing_and_history(router: APIRouter, api: Api, sessions: ChannelSessions, views: SessionViews) -> None:
    reads, writes = Depends(api.caller("sessions:read")), Depends(api.caller("sessions:write"))

    @router.get("/{session_id}/qr", **OPERATIONS["qr"])
    async def qr(request: Request, session_id: UUID, caller: ApiCaller = writes) -> Response:
        """The newest QR code: JSON with its text and a PNG as data URL; `text/plain` or `image/png` by `Accept`."""
        code = await views.qr(caller.tenant_id, session_id)
        accepts = request.headers.get("accept", "")
        if _PNG in accepts:
            return Response(qr_png(code.text), headers=_FRESH, media_type=_PNG)
        if _TEXT in accepts:
            return Response(code.text, headers=_FRESH, media_type=_TEXT)
        found = {"qr": code.text, "png": _data_url(code.text), "expires_at": code.expires_at.isoformat()}
        return answer(found, **_FRESH)

    @router.post("/{session_id}/set-up", **OPERATIONS["set_up"])
    async def set_up(session_id: UUID, caller: ApiCaller = writes) -> Response:
        """Create or attach a gateway's session there and register our webhook; doing it again changes nothing."""
        return shown(SetUp, await sessions.set_up(caller.tenant_id, session_id, actor=caller.actor))

    @router.post("/{session_id}/pair-code", **OPERATIONS["pair_code"])
    async def pair_code(request: Request, session_id: UUID, caller: ApiCaller = writes) -> Response:
        """A code to type into the phone (Linked devices → Link with phone number instead)."""
        phone = _words(_object(await api.json(request), frozenset({"phone"})), "phone")
        code = await sessions.pair_code(caller.tenant_id, session_id, phone, actor=caller.actor)
        return answer({"code": code.code, "phone": code.phone}, cache_control="no-store")

    @router.get("/{session_id}/stats", **OPERATIONS["stats"])
    async def stats(session_id: UUID, days: int = 7, caller: ApiCaller = reads) -> Response:
        """Figures of the last `days` (1 to 365)."""
        return answer(stats_json(await views.figures(caller.tenant_id, session_id, days=days)))

    @router.get("/{session_id}/log", **OPERATIONS["log"])
    async def log(
        request: Request, session_id: UUID, cursor: Cursor = None, limit: Limit = 50, caller: ApiCaller = reads
    ) -> Response:
        """Everything that happened to the session, the newest first; also of one that was deleted."""
        page = await views.log(caller.tenant_id, session_id, cursor=cursor, limit=limit)
        return _page(request, "events", page, [log_json(line) for line in page.items])


def next_step(state: str, language: str) -> str:
    """What to do next in a state of a session, for a person."""
    return load_catalogue(language).gettext(NEXT_STEPS[state])


def session_json(view: SessionView, language: str) -> dict[str, Any]:
    """A session as programs get it. No key or password of a gateway is in it."""
    number = view.number
    shows_code = number.qr is not None and not number.qr.expired and number.wanted
    return {
        "id": str(number.id),
        "name": number.name,
        "provider": number.provider,
        "account": number.account,
        "phone": number.phone,
        "status": number.status,
        "state": view.state,
        "next_step": next_step(view.state, language),
        "detail": number.detail,
        "wanted": number.wanted,
        "held": number.held,
        "groups": number.groups,
        "qr_expires_at": number.qr.expires_at.isoformat() if shows_code and number.qr else None,
        "left_to_do": list(number.left_to_do),
        "status_at": number.status_at.isoformat() if number.status_at else None,
        "created_at": number.created_at.isoformat() if number.created_at else None,
    }


def stats_json(figures: SessionFigures) -> dict[str, Any]:
    """Figures of a session."""
    return {
        "days": figures.days,
        "messages_in": figures.messages_in,
        "messages_out": figures.messages_out,
        "waiting": figures.waiting,
        "unknown": figures.unknown,
        "failed": figures.failed,
        "uptime": None if figures.uptime is None else round(figures.uptime, 4),
        "reconnects": figures.reconnects,
        "qr_codes": figures.qr_codes,
        "pairings": figures.pairings,
        "last_connected_at": figures.last_connected_at.isoformat() if figures.last_connected_at else None,
        "last_message_at": figures.last_message_at.isoformat() if figures.last_message_at else None,
    }


def log_json(line: LogLine) -> dict[str, Any]:
    """A line of a session's log."""
    return {
        "id": line.id,
        "kind": line.kind,
        "actor": line.actor,
        "at": line.at.isoformat(),
        "details": line.details,
    }


def qr_png(code: str) -> bytes:
    """A QR code as PNG, with its quiet zone."""
    out = io.BytesIO()
    segno.make_qr(code, error="m").save(out, kind="png", scale=6, border=4)
    return out.getvalue()


def _data_url(code: str) -> str:
    url: str = segno.make_qr(code, error="m").png_data_uri(scale=6, border=4)
    return url


def _page(request: Request, name: str, page: Page[Any], items: list[dict[str, Any]]) -> Response:
    address, links = next_links(request, page.next_cursor)
    return answer({name: items, "next_cursor": page.next_cursor, "next": address}, 200, **links)


def _language(request: Request) -> str:
    asked = known_language(request.query_params.get("language"))
    return asked or accepted_language(request.headers.get("accept-language", "")) or next(iter(LANGUAGES))


def _object(body: Any, fields: frozenset[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidInputError("body", "must be an object")
    if unknown := sorted(set(body) - fields):
        raise InvalidInputError(", ".join(unknown), "is not known here", hint=f"Known: {', '.join(sorted(fields))}.")
    return body


def _words(body: dict[str, Any], field: str, default: str | None = None) -> str:
    value = body.get(field, default)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(field, "must be a text")
    return value
