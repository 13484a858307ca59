"""A stand-in for WPPConnect Server 2.10.4. Shapes: its src/swagger.json and what its controllers read besides."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from channels.base import SessionRef
from domain.messages import Address, AddressKind
from tests.gateways.stand_in import Handler, Request, StandIn

SECRET_KEY = "the server's secret/key"
TOKEN = "$2b$10$the_token-of.loja"
SECRET = "the webhook's secret"
OWN = "5511900000000@c.us"

TEXT = {"type": "string"}
WORDS = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}
NUMBER = {"type": "string", "pattern": r"^[\d-]+$"}
LONG_ID = {"type": "string", "pattern": r"^(true|false)_[\w-]+@(c\.us|lid|g\.us)_[^_]+(_[\w-]+@(c\.us|lid)|_out)?$"}
PERSON = {"type": "string", "pattern": r"^\d+@c\.us$"}
DATA_URL = {"type": "string", "pattern": r"^data:[\w.+-]+/[\w.+-]+[^,\s]*;base64,[A-Za-z0-9+/]+={0,2}$"}


def an_object(required: str, **properties: Any) -> dict[str, Any]:
    """An object with these properties and no others; ``required`` names some of them."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


TO = {"phone": NUMBER, "isGroup": FLAG, "isNewsletter": FLAG, "isLid": FLAG}
ROW = an_object("rowId title", rowId=WORDS, title=WORDS, description=TEXT)
SECTION = an_object("title rows", title=WORDS, rows={"type": "array", "minItems": 1, "items": ROW})
KINDS = {"enum": ["image", "video", "audio", "document", "auto-detect"]}
MESSAGES: Mapping[str, dict[str, Any]] = {
    "send-message": an_object("phone message", **TO, message=TEXT, options=an_object("", quotedMsg=LONG_ID)),
    "send-file-base64": an_object(
        "phone base64",
        **TO,
        filename=WORDS,
        caption=TEXT,
        base64=DATA_URL,
        quotedMessageId=LONG_ID,
        options=an_object("", type=KINDS),
    ),
    "send-voice-base64": an_object("phone base64Ptt", **TO, base64Ptt=DATA_URL, quotedMessageId=LONG_ID),
    "send-sticker": an_object("phone path", **TO, path=DATA_URL),
    "send-location": an_object("phone lat lng", **TO, lat=WORDS, lng=WORDS, title=TEXT, address=TEXT),
    "contact-vcard": an_object(
        "phone contactsId", **TO, contactsId={"type": "string", "pattern": r"^\d+@c\.us$"}, name=TEXT
    ),
    "send-poll-message": an_object(
        "phone name choices",
        **TO,
        name=TEXT,
        choices={"type": "array", "items": TEXT, "minItems": 2, "maxItems": 12},
        options=an_object("", selectableCount={"type": "integer", "minimum": 0}),
    ),
    "send-list-message": an_object(
        "phone sections",
        **TO,
        description=TEXT,
        buttonText=WORDS,
        sections={"type": "array", "minItems": 1, "items": SECTION},
    ),
}
OTHERS: Mapping[str, dict[str, Any]] = {
    "react-message": an_object("msgId reaction", msgId=LONG_ID, reaction=TEXT),
    "delete-message": an_object("phone messageId", **TO, messageId=LONG_ID, onlyLocal=FLAG, deleteMediaInDevice=FLAG),
    "typing": an_object("phone value", **TO, value=FLAG),
    "send-seen": an_object("phone", **TO),
}
START = an_object("", webhook=WORDS, waitQrCode=FLAG, proxy={"type": "object"}, phone=TEXT)


@dataclass(slots=True)
class Session:
    """One session of the server."""

    status: str | None = "CONNECTED"
    urlcode: str = ""
    webhook: str = ""
    is_alive: bool = True
    starts: int = 0


@dataclass(slots=True)
class WppconnectServer(StandIn):
    """``messages``: by chat, oldest first. ``listed``: its chats, None where listing fails."""

    sessions: dict[str, Session] = field(default_factory=lambda: {"loja": Session()})
    on_whatsapp: dict[str, str] = field(default_factory=dict)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    listed: list[dict[str, Any]] | None = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    tokens: int = 0
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def session(self, **config: Any) -> SessionRef:
        """A number at this server."""
        values = {"base_url": self.base_url, "session": "loja", "token": TOKEN, "webhook_secret": SECRET, **config}
        return SessionRef("s1", "wppconnect", account=OWN, config=values)

    def arrived(self) -> list[tuple[Address, str]]:
        """Who got which text."""
        bodies = self.bodies("/send-message")
        kinds = {(True, False): AddressKind.GROUP, (False, True): AddressKind.LID, (False, False): AddressKind.PHONE}
        return [(Address(kinds[body["isGroup"], body["isLid"]], body["phone"]), body["message"]) for body in bodies]

    def application(self) -> web.Application:
        """The routes of the server that Atende uses."""
        application = web.Application(client_max_size=200 * 1024 * 1024)
        base = "/api/{session}"

        def route(
            method: str, path: str, handler: Handler, shape: Mapping[str, Any] | None = None, *, running: bool = True
        ) -> None:
            self.route(application, method, f"{base}/{path}", self._guarded(handler, running=running), shape)

        for name, shape in MESSAGES.items():
            route("POST", name, self._send, shape)
        for name, shape in OTHERS.items():
            route("POST", name, self._done, shape)
        route("POST", "edit-message", self._edit, an_object("id newText", id=LONG_ID, newText=WORDS))
        self.route(application, "POST", f"{base}/{{secret}}/generate-token", self._token, None)
        route("GET", "status-session", self._state, running=False)
        route("GET", "check-connection-session", self._alive, running=False)
        route("POST", "start-session", self._start, START, running=False)
        route("POST", "close-session", self._close, running=False)
        route("POST", "logout-session", self._logout)
        route("GET", "check-number-status/{phone}", self._check)
        route("GET", "get-phone-number", self._own_number)
        route("GET", "get-messages/{chat}", self._list_messages)
        route("POST", "list-chats", self._list_chats, an_object("", onlyUsers=FLAG, count={"type": "integer"}))
        route("GET", "get-media-by-message/{message}", self._media, running=False)
        return application

    def _guarded(self, handler: Handler, *, running: bool) -> Handler:
        """The gateway's own guards: the token first, then whether the session runs."""

        async def guarded(request: Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return web.json_response({"error": "Check that the Session and Token are correct"}, status=401)
            session = self.sessions.get(request.match["session"])
            if running and (session is None or session.status != "CONNECTED"):
                said = "A sessão do WhatsApp não está ativa."
                answer = {"response": None, "status": "Disconnected", "message": said}
                return web.json_response(answer, status=404)
            return await handler(request)

        return guarded

    def _named(self, request: Request) -> str:
        server = "g.us" if request.body.get("isGroup") else "lid" if request.body.get("isLid") else "c.us"
        return f"true_{request.body['phone']}@{server}_3EB0{next(self.numbers):08d}_out"

    async def _send(self, request: Request) -> web.StreamResponse:
        message = {"id": self._named(request), "ack": 1}
        response: Any = message if request.path.endswith("contact-vcard") else [message]
        status = 200 if request.path.endswith("contact-vcard") else 201
        return web.json_response({"status": "success", "response": response, "mapper": "return"}, status=status)

    async def _edit(self, request: Request) -> web.StreamResponse:
        message = {"id": request.body["id"], "body": request.body["newText"]}
        return web.json_response({"status": "success", "response": message, "mapper": "return"}, status=201)

    async def _done(self, request: Request) -> web.StreamResponse:
        return web.json_response({"status": "success", "response": {"message": "Reaction sended"}})

    async def _token(self, request: Request) -> web.StreamResponse:
        if request.match["secret"] != SECRET_KEY:
            return web.json_response({"response": False, "message": "The SECRET_KEY is incorrect"}, status=400)
        self.tokens += 1
        name = request.match["session"]
        answer = {"status": "success", "session": name, "token": TOKEN, "full": f"{name}:{TOKEN}"}
        return web.json_response(answer, status=201)

    async def _state(self, request: Request) -> web.StreamResponse:
        session = self.sessions.get(request.match["session"])
        if session is None or session.status is None:
            return web.json_response({"status": "CLOSED", "qrcode": None})
        answer = {"status": session.status, "qrcode": None, "urlcode": session.urlcode, "version": "2.10.4"}
        return web.json_response(answer)

    async def _alive(self, request: Request) -> web.StreamResponse:
        is_alive = self.sessions[request.match["session"]].is_alive
        return web.json_response({"status": is_alive, "message": "Connected" if is_alive else "Disconnected"})

    async def _start(self, request: Request) -> web.StreamResponse:
        session = self.sessions.setdefault(request.match["session"], Session(None))
        answer = await self._state(request)
        if session.status in (None, "CLOSED"):
            session.status, session.starts = "INITIALIZING", session.starts + 1
            session.webhook = request.body.get("webhook", session.webhook)
        return answer

    async def _close(self, request: Request) -> web.StreamResponse:
        self.sessions[request.match["session"]].status = None
        return web.json_response({"status": True, "message": "Session successfully closed"})

    async def _logout(self, request: Request) -> web.StreamResponse:
        del self.sessions[request.match["session"]]
        return web.json_response({"status": True, "message": "Session successfully closed"})

    async def _check(self, request: Request) -> web.StreamResponse:
        phone = request.match["phone"]
        found = self.on_whatsapp.get(phone)
        user, _, server = (found or f"{phone}@c.us").partition("@")
        wid = {"server": server, "user": user, "_serialized": f"{user}@{server}"}
        response = {"id": wid, "isBusiness": False, "canReceiveMessage": bool(found), "numberExists": bool(found)}
        return web.json_response({"status": "success", "response": response})

    async def _own_number(self, request: Request) -> web.StreamResponse:
        return web.json_response({"status": "success", "response": OWN, "mapper": "device"})

    async def _list_messages(self, request: Request) -> web.StreamResponse:
        kept = self.messages.get(request.match["chat"])
        if kept is None:
            return web.json_response({"status": "error", "response": "Error on open list", "error": {}}, status=401)
        assert request.query["direction"] == "before"
        names = [message["id"] for message in kept]
        end = names.index(request.query["id"]) if "id" in request.query else len(kept)
        return web.json_response(
            {"status": "success", "response": kept[max(0, end - int(request.query["count"])) : end]}
        )

    async def _list_chats(self, request: Request) -> web.StreamResponse:
        if self.listed is None:
            return web.json_response({"status": "error", "message": "Error on get all chats"}, status=400)
        return web.json_response(self.listed)

    async def _media(self, request: Request) -> web.StreamResponse:
        data = self.files.get(request.match["message"])
        if data is None:
            return web.json_response({"status": "error", "message": "Message not found"}, status=400)
        return web.json_response({"base64": base64.b64encode(data).decode(), "mimetype": "image/jpeg"})
