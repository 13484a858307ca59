"""A stand-in for Evolution API 2.3.7. Shapes: the server's src/validate/*.schema.ts, strict about unknown names."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from channels.base import SessionRef
from domain.messages import Address, AddressKind
from tests.gateways.stand_in import Handler, Request, StandIn

KEY = "the server's key"
SECRET = "the webhook's secret"
OWN = "5511900000000@s.whatsapp.net"
KINDS = {"s.whatsapp.net": AddressKind.PHONE, "lid": AddressKind.LID, "g.us": AddressKind.GROUP}

TEXT = {"type": "string"}
WORDS = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}


def an_object(required: str, **properties: Any) -> dict[str, Any]:
    """An object with these properties and no others; ``required`` names some of them."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def a_list(items: Mapping[str, Any], **limits: int) -> dict[str, Any]:
    """An array of such items."""
    return {"type": "array", "items": items, **limits}


JID = {"type": "string", "pattern": r"^[\w-]+@(s\.whatsapp\.net|lid|g\.us)$"}
KEY_OF_MESSAGE = an_object("id remoteJid fromMe", id=WORDS, remoteJid=JID, fromMe=FLAG, participant=WORDS)
QUOTED = an_object("key", key=an_object("id", id=WORDS, remoteJid=TEXT, fromMe=FLAG), message={"type": "object"})
TARGET = {"number": JID, "delay": {"type": "integer", "minimum": 0}, "quoted": QUOTED}
BASE64 = {"type": "string", "pattern": r"^[A-Za-z0-9+/]+={0,2}$"}
EVENTS_TEXT = """
APPLICATION_STARTUP QRCODE_UPDATED MESSAGES_SET MESSAGES_UPSERT MESSAGES_EDITED MESSAGES_UPDATE MESSAGES_DELETE
SEND_MESSAGE SEND_MESSAGE_UPDATE CONTACTS_SET CONTACTS_UPSERT CONTACTS_UPDATE PRESENCE_UPDATE CHATS_SET
CHATS_UPSERT CHATS_UPDATE CHATS_DELETE GROUPS_UPSERT GROUP_UPDATE GROUP_PARTICIPANTS_UPDATE CONNECTION_UPDATE
LABELS_EDIT LABELS_ASSOCIATION CALL TYPEBOT_START TYPEBOT_CHANGE_STATUS REMOVE_INSTANCE LOGOUT_INSTANCE
INSTANCE_CREATE INSTANCE_DELETE STATUS_INSTANCE
"""
EVENTS = EVENTS_TEXT.split()
WEBHOOK = an_object(
    "enabled url",
    enabled=FLAG,
    url=WORDS,
    headers={"type": "object"},
    byEvents=FLAG,
    base64=FLAG,
    events=a_list({"enum": EVENTS}),
)
ROW = an_object("title rowId", title=WORDS, rowId=WORDS, description=WORDS)
BUTTON = an_object(
    "type", type={"enum": ["reply", "copy", "url", "call", "pix"]}, displayText=TEXT, id=WORDS, url=WORDS
)
MESSAGES: dict[str, dict[str, Any]] = {
    "sendText": an_object("number text", **TARGET, text=TEXT, linkPreview=FLAG),
    "sendMedia": an_object(
        "number mediatype media",
        **TARGET,
        mediatype={"enum": ["image", "document", "video", "audio"]},
        mimetype=TEXT,
        media=BASE64,
        fileName={"type": "string", "pattern": r"\.\w+$"},
        caption=TEXT,
    ),
    "sendWhatsAppAudio": an_object("number audio", **TARGET, audio=BASE64, encoding=FLAG),
    "sendSticker": an_object("number sticker", **TARGET, sticker=BASE64),
    "sendLocation": an_object(
        "number latitude longitude name address",
        **TARGET,
        latitude={"type": "number"},
        longitude={"type": "number"},
        name=TEXT,
        address=TEXT,
    ),
    "sendContact": an_object(
        "number contact",
        number=JID,
        contact=a_list(
            an_object(
                "fullName phoneNumber",
                fullName=WORDS,
                wuid={"type": "string", "minLength": 10, "pattern": r"\d+"},
                phoneNumber={"type": "string", "minLength": 10},
            ),
            minItems=1,
        ),
    ),
    "sendReaction": an_object("key reaction", key=KEY_OF_MESSAGE, reaction=TEXT),
    "sendPoll": an_object(
        "number name selectableCount values",
        **TARGET,
        name=TEXT,
        selectableCount={"type": "integer", "minimum": 0, "maximum": 10},
        values=a_list(TEXT, minItems=2, maxItems=10),
    ),
    "sendList": an_object(
        "number title footerText buttonText sections",
        **TARGET,
        title=TEXT,
        description=TEXT,
        footerText=TEXT,
        buttonText=TEXT,
        sections=a_list(an_object("title rows", title=WORDS, rows=a_list(ROW, minItems=1)), minItems=1),
    ),
    "sendButtons": an_object(
        "number title buttons",
        **TARGET,
        title=TEXT,
        description=TEXT,
        footer=TEXT,
        buttons=a_list(BUTTON, minItems=1, maxItems=3),
    ),
}
CREATE = an_object(
    "instanceName integration",
    instanceName=WORDS,
    integration={"enum": ["WHATSAPP-BAILEYS", "WHATSAPP-BUSINESS", "EVOLUTION"]},
    qrcode=FLAG,
    token=TEXT,
    number={"type": "string", "pattern": r"^\d+[\.@\w-]+"},
    webhook=WEBHOOK,
)
PRESENCES = {"enum": ["unavailable", "available", "composing", "recording", "paused"]}
WHERE = an_object("", key=an_object("", id=WORDS, remoteJid=WORDS, fromMe=FLAG), messageTimestamp={"type": "object"})
FIND = an_object("", where=WHERE, page={"type": "integer", "minimum": 1}, offset={"type": "integer", "minimum": 1})


@dataclass(slots=True)
class Instance:
    """One instance of the server."""

    state: str = "close"
    code: str = ""
    webhook: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class EvolutionServer(StandIn):
    """``on_whatsapp``: JID by the JID asked for. ``records``: what its database kept, newest first."""

    instances: dict[str, Instance] = field(default_factory=lambda: {"loja": Instance("open")})
    on_whatsapp: dict[str, str] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    creating_answers_forbidden: bool = False
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def session(self, **config: Any) -> SessionRef:
        """A number at this server."""
        values = {"base_url": self.base_url, "api_key": KEY, "instance": "loja", "webhook_secret": SECRET, **config}
        return SessionRef("s1", "evolution", config=values)

    def arrived(self) -> list[tuple[Address, str]]:
        """Who got which text."""
        pairs = [(body["number"].split("@"), body["text"]) for body in self.bodies("/message/sendText/")]
        return [(Address(KINDS[server], user), text) for (user, server), text in pairs]

    def application(self) -> web.Application:
        """The routes of the server that Atende uses."""
        application = web.Application(client_max_size=200 * 1024 * 1024)

        def route(method: str, path: str, handler: Handler, shape: Mapping[str, Any] | None = None) -> None:
            self.route(application, method, path, self._guarded(handler), shape)

        for name, shape in MESSAGES.items():
            route("POST", f"/message/{name}/{{instance}}", self._send, shape)
        route("POST", "/instance/create", self._create, CREATE)
        route("GET", "/instance/connectionState/{instance}", self._state)
        route("GET", "/instance/connect/{instance}", self._connect)
        route("GET", "/instance/fetchInstances", self._fetch)
        route("POST", "/instance/restart/{instance}", self._restart)
        route("DELETE", "/instance/logout/{instance}", self._logout)
        route("DELETE", "/instance/delete/{instance}", self._delete)
        route("POST", "/webhook/set/{instance}", self._set_webhook, an_object("webhook", webhook=WEBHOOK))
        route("POST", "/chat/whatsappNumbers/{instance}", self._check, an_object("numbers", numbers=a_list(TEXT)))
        route(
            "POST",
            "/chat/markMessageAsRead/{instance}",
            self._done,
            an_object("readMessages", readMessages=a_list(KEY_OF_MESSAGE, minItems=1)),
        )
        presence = an_object("number presence delay", number=JID, presence=PRESENCES, delay={"type": "number"})
        route("POST", "/chat/sendPresence/{instance}", self._done, presence)
        route("POST", "/chat/findMessages/{instance}", self._find, FIND)
        edit = an_object("number text key", number=JID, text=WORDS, key=KEY_OF_MESSAGE)
        route("POST", "/chat/updateMessage/{instance}", self._send, edit)
        route("DELETE", "/chat/deleteMessageForEveryone/{instance}", self._send, KEY_OF_MESSAGE)
        media = an_object("message", message={"type": "object", "required": ["key"]}, convertToMp4=FLAG)
        route("POST", "/chat/getBase64FromMediaMessage/{instance}", self._media, media)
        route("GET", "/store/{file}", self._stored)
        return application

    def _guarded(self, handler: Handler) -> Handler:
        """The gateway's own guards: the key first, then whether the instance exists."""

        async def guarded(request: Request) -> web.StreamResponse:
            if request.path.startswith("/store/"):
                return await handler(request)
            if request.headers.get("apikey") != KEY:
                return refused(401, "Unauthorized", "Unauthorized")
            name = request.match.get("instance")
            if name is not None and name not in self.instances:
                return refused(404, "Not Found", [f'The "{name}" instance does not exist'])
            return await handler(request)

        return guarded

    async def _send(self, request: Request) -> web.StreamResponse:
        chat = request.body.get("number") or request.body.get("remoteJid") or request.body["key"]["remoteJid"]
        name = f"3EB0{next(self.numbers):08d}"
        answer = {
            "key": {"remoteJid": chat, "fromMe": True, "id": name},
            "pushName": "Você",
            "status": "PENDING",
            "message": {},
            "messageType": "conversation",
            "messageTimestamp": int(time.time()),
            "source": "web",
        }
        return web.json_response(answer, status=201)

    async def _create(self, request: Request) -> web.StreamResponse:
        name = request.body["instanceName"]
        if name in self.instances or self.creating_answers_forbidden:
            self.instances.setdefault(name, Instance("connecting", "2@new"))
            return refused(403, "Forbidden", [f'This name "{name}" is already in use.'])
        self.instances[name] = Instance("connecting", "2@new", request.body.get("webhook") or {})
        answer = {
            "instance": {"instanceName": name, "status": "connecting"},
            "hash": "A1B2",
            "qrcode": {"code": "2@new"},
        }
        return web.json_response(answer, status=201)

    async def _state(self, request: Request) -> web.StreamResponse:
        name = request.match["instance"]
        return web.json_response({"instance": {"instanceName": name, "state": self.instances[name].state}})

    async def _connect(self, request: Request) -> web.StreamResponse:
        instance = self.instances[request.match["instance"]]
        if instance.state == "open":
            return await self._state(request)
        if instance.state == "close":
            instance.state, instance.code = "connecting", "2@new"
        code = instance.code or None
        return web.json_response(
            {"pairingCode": None, "code": code, "base64": "data:image/png;base64,AA==", "count": 1}
        )

    async def _fetch(self, request: Request) -> web.StreamResponse:
        name = request.query["instanceName"]
        return web.json_response(
            [{"id": "i1", "name": name, "connectionStatus": "open", "ownerJid": OWN, "token": "T"}]
        )

    async def _restart(self, request: Request) -> web.StreamResponse:
        name = request.match["instance"]
        if self.instances[name].state == "close":
            return web.json_response({"error": True, "message": f'The "{name}" instance is not connected'})
        return web.json_response({"instance": {"instanceName": name, "status": "connecting"}})

    async def _logout(self, request: Request) -> web.StreamResponse:
        name = request.match["instance"]
        if self.instances[name].state == "close":
            return refused(400, "Bad Request", [f'The "{name}" instance is not connected'])
        self.instances[name].state = "close"
        return web.json_response({"status": "SUCCESS", "error": False, "response": {"message": "Instance logged out"}})

    async def _delete(self, request: Request) -> web.StreamResponse:
        del self.instances[request.match["instance"]]
        return web.json_response({"status": "SUCCESS", "error": False, "response": {"message": "Instance deleted"}})

    async def _set_webhook(self, request: Request) -> web.StreamResponse:
        self.instances[request.match["instance"]].webhook = request.body["webhook"]
        return web.json_response({"id": "cm1", **request.body["webhook"]}, status=201)

    async def _check(self, request: Request) -> web.StreamResponse:
        found = []
        for number in request.body["numbers"]:
            jid = self.on_whatsapp.get(number)
            found.append({"jid": jid or number, "exists": jid is not None, "number": number})
        return web.json_response(found)

    async def _done(self, request: Request) -> web.StreamResponse:
        return web.json_response({"message": "Read messages", "read": "success"}, status=201)

    async def _find(self, request: Request) -> web.StreamResponse:
        size, page = request.body.get("offset", 50), request.body.get("page", 1)
        records = self.records[size * (page - 1) : size * page]
        pages = -(-len(self.records) // size)
        answer = {"total": len(self.records), "pages": pages, "currentPage": page, "records": records}
        return web.json_response({"messages": answer})

    async def _media(self, request: Request) -> web.StreamResponse:
        data = self.files.get(request.body["message"]["key"]["id"])
        if data is None:
            return refused(400, "Bad Request", ["Message not found"])
        answer = {
            "mediaType": "imageMessage",
            "fileName": "A.jpeg",
            "size": {"fileLength": str(len(data))},
            "mimetype": "image/jpeg",
            "base64": base64.b64encode(data).decode(),
            "buffer": None,
        }
        return web.json_response(answer, status=201)

    async def _stored(self, request: Request) -> web.StreamResponse:
        assert "apikey" not in request.headers or request.headers["apikey"] == KEY
        data = self.files.get(request.match["file"])
        if data is None:
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        return web.Response(body=data, content_type="image/jpeg")


def refused(status: int, error: str, message: Any) -> web.Response:
    """A refusal in the gateway's words."""
    return web.json_response({"status": status, "error": error, "response": {"message": message}}, status=status)
