"""WAHA's HTTP API (its OpenAPI document, 2026.7.1; the devlikeapro/waha-docs repository)."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from .published import ANYTHING, AnyOf, Operation
from .recording import Asked, PublishedStandIn

_TO: dict[str, Any] = {"chatId!": str, "session!": str}
_ANSWER = {**_TO, "reply_to": str}
_NEW = {**_ANSWER, "id": str}
_FILE = AnyOf(
    (
        {"mimetype!": str, "filename": str, "url!": str},
        {"mimetype!": str, "filename": str, "data!": str},
    )
)
_HOOK = {
    "url!": str,
    "events!": [str],
    "hmac": {"key": str},
    "retries": {"delaySeconds": float, "attempts": float, "policy": ("linear", "exponential", "constant")},
    "customHeaders": [{"name!": str, "value!": str}],
}
_CONFIG = {
    "metadata": ANYTHING,
    "proxy": ANYTHING,
    "debug": bool,
    "ignore": ANYTHING,
    "client": ANYTHING,
    "noweb": {"store": {"enabled!": bool, "fullSync!": bool}, "markOnline!": bool},
    "gows": ANYTHING,
    "webjs": ANYTHING,
    "webhooks": [_HOOK],
}
_ROW = {"title!": str, "rowId!": str, "description": str}
_LIST = {
    "title!": str,
    "description": str,
    "footer": str,
    "button!": str,
    "sections!": [{"title!": str, "rows!": [_ROW]}],
}

OPERATIONS = {
    "POST /api/sessions": Operation({"name": str, "start": bool, "apps": ANYTHING, "config": _CONFIG}),
    "GET /api/sessions/{session}": Operation(),
    "PUT /api/sessions/{session}": Operation({"apps": ANYTHING, "config": _CONFIG}),
    "DELETE /api/sessions/{session}": Operation(),
    "POST /api/sessions/{session}/start": Operation(),
    "POST /api/sessions/{session}/stop": Operation(),
    "POST /api/sessions/{session}/restart": Operation(),
    "POST /api/sessions/{session}/logout": Operation(),
    "GET /api/{session}/auth/qr": Operation(query={"format": str}, required_query=frozenset({"format"})),
    "POST /api/{session}/auth/request-code": Operation({"phoneNumber!": str, "method": str}),
    "POST /api/sendText": Operation({**_NEW, "text!": str, "linkPreview": bool, "linkPreviewHighQuality": bool}),
    "POST /api/sendImage": Operation({**_ANSWER, "file!": _FILE, "caption": str}),
    "POST /api/sendFile": Operation({**_ANSWER, "file!": _FILE, "caption": str}),
    "POST /api/sendVoice": Operation({**_ANSWER, "file!": _FILE, "convert!": bool}),
    "POST /api/sendVideo": Operation({**_ANSWER, "file!": _FILE, "convert!": bool, "asNote": bool, "caption": str}),
    "POST /api/sendLocation": Operation({**_NEW, "latitude!": float, "longitude!": float, "title!": str}),
    "POST /api/sendContactVcard": Operation({**_NEW, "contacts!": [{"vcard!": str}]}),
    "POST /api/sendPoll": Operation({**_NEW, "poll!": {"name!": str, "options!": [str], "multipleAnswers!": bool}}),
    "POST /api/sendList": Operation({**_ANSWER, "message!": _LIST}),
    "PUT /api/reaction": Operation({"messageId!": str, "reaction!": str, "session!": str}),
    "PUT /api/{session}/chats/{chatId}/messages/{messageId}": Operation({"text!": str, "linkPreview": bool}),
    "DELETE /api/{session}/chats/{chatId}/messages/{messageId}": Operation(),
    "GET /api/{session}/chats/{chatId}/messages/{messageId}": Operation(query={"downloadMedia": bool, "merge": bool}),
    "POST /api/sendSeen": Operation({**_TO, "messageIds": [str], "participant": str}),
    "POST /api/startTyping": Operation(_TO),
    "POST /api/stopTyping": Operation(_TO),
    "GET /api/contacts/check-exists": Operation(
        query={"phone": str, "session": str}, required_query=frozenset({"phone", "session"})
    ),
    "GET /api/{session}/lids/{lid}": Operation(),
    "GET /api/{session}/lids/pn/{phoneNumber}": Operation(),
    "GET /api/{session}/chats/overview": Operation(query={"merge": bool, "limit": int, "offset": int}),
    "GET /api/{session}/chats/{chatId}/messages": Operation(
        query={
            "sortBy": str,
            "sortOrder": str,
            "downloadMedia": bool,
            "merge": bool,
            "limit": int,
            "offset": int,
            "filter.timestamp.gte": int,
            "filter.timestamp.lte": int,
            "filter.fromMe": bool,
        },
        required_query=frozenset({"limit"}),
    ),
}
EVENTS = frozenset(
    {
        "session.status", "message", "message.reaction", "message.any", "message.ack", "message.ack.group",
        "message.waiting", "message.revoked", "message.edited", "state.change", "group.join", "group.leave",
        "group.v2.join", "group.v2.leave", "group.v2.update", "group.v2.participants", "presence.update", "poll.vote",
        "poll.vote.failed", "chat.archive", "call.received", "call.accepted", "call.rejected", "label.upsert",
        "label.deleted", "label.chat.added", "label.chat.deleted", "event.response", "event.response.failed",
        "engine.event",
    }
)  # fmt: skip


class WahaServer(PublishedStandIn):
    """One server with its sessions. ``events``: those it knows, as older versions know fewer."""

    operations = OPERATIONS

    def __init__(self, api_key: str = "segredo") -> None:
        super().__init__()
        self._api_key = api_key
        self.events = EVENTS
        self.sessions: dict[str, dict[str, Any]] = {}
        self.code = "https://wa.me/settings/linked_devices#2@abc,def,1"
        self.on_whatsapp: dict[str, str] = {}
        """Chat ids of the numbers that WhatsApp knows, by the asked spelling."""
        self.lids: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.stored: dict[str, list[dict[str, Any]]] = {}
        self.sent: list[Asked] = []
        self.quiet = False
        """Answer reactions, edits and revokes with nothing, as WEBJS does."""

    def start(self, name: str = "default", status: str = "WORKING", **fields: Any) -> None:
        """A session is there."""
        me = {"id": "551140000000@c.us", "jid": "551140000000:9@s.whatsapp.net", "lid": "169000086490092@lid"}
        self.sessions[name] = {"name": name, "status": status, "config": {}, "me": me, **fields}

    def static(self, path: str) -> web.Response | None:
        data = self.files.get(path)
        return None if data is None else web.Response(body=data, content_type="image/jpeg")

    def refused(self, asked: Asked) -> web.Response | None:
        if asked.headers.get("X-Api-Key") != self._api_key:
            return _said(401, "Unauthorized")
        return None

    async def answer(self, asked: Asked) -> web.StreamResponse:
        method, path = asked.name.split()
        if path.startswith("/api/sessions"):
            return self._sessions(method, path, asked)
        named = asked.match.get("session") or (asked.body or {}).get("session") or asked.query.get("session", "")
        session = self.sessions.get(named)
        if session is None:
            return _said(404, "Session not found")
        if "/auth/" in path:
            return self._auth(path, session)
        if session["status"] != "WORKING":
            facts = {"session": named, "status": session["status"]}
            return web.json_response({"error": "Session status is not as expected.", **facts}, status=422)
        if "/chats/" in path:
            return self._chats(method, path, asked)
        if "/lids/" in path:
            return self._lid(asked)
        if path.endswith("check-exists"):
            chat = self.on_whatsapp.get(asked.query["phone"])
            return web.json_response({"numberExists": chat is not None, **({"chatId": chat} if chat else {})})
        if path.endswith(("Typing", "sendSeen")):
            return web.json_response({"result": True}, status=201)
        return self._taken(asked, (asked.body or {}).get("chatId", ""), 200 if method == "PUT" else 201)

    def _sessions(self, method: str, path: str, asked: Asked) -> web.Response:
        config = (asked.body or {}).get("config") or {}
        unknown = [e for hook in config.get("webhooks", []) for e in hook["events"] if e not in self.events]
        if unknown:
            return _said(400, f"each value in events must be one of the known ones, not {unknown}")
        if path == "/api/sessions":
            if asked.body["name"] in self.sessions:
                return _said(422, f"Session '{asked.body['name']}' already exists. Use PUT to update it.")
            self.start(asked.body["name"], "STARTING", config=config)
            return web.json_response(self.sessions[asked.body["name"]], status=201)
        session = self.sessions.get(unquote(asked.match["session"]))
        if session is None:
            return _said(404, "Session not found")
        if method == "PUT":
            session["config"] = config
        if method == "DELETE":
            del self.sessions[session["name"]]
        if method == "POST":
            wish = path.rsplit("/", 1)[1]
            session["status"] = {"start": "WORKING", "restart": "WORKING", "stop": "STOPPED"}.get(wish, "SCAN_QR_CODE")
        return web.json_response(session, status=201 if method == "POST" else 200)

    def _auth(self, path: str, session: dict[str, Any]) -> web.Response:
        if session["status"] != "SCAN_QR_CODE":
            return _said(422, "Can't get QR code, session is not in SCAN_QR_CODE")
        return web.json_response({"value": self.code} if path.endswith("/qr") else {"code": "ABCD-1234"})

    def _lid(self, asked: Asked) -> web.Response:
        name = unquote(asked.match.get("lid") or asked.match["phoneNumber"])
        for lid, phone in self.lids.items():
            if name in (lid, phone):
                return web.json_response({"lid": lid, "pn": phone})
        return web.json_response({"lid": name, "pn": None} if "@lid" in name else {"lid": None, "pn": name})

    def _chats(self, method: str, path: str, asked: Asked) -> web.Response:
        offset, limit = int(asked.query.get("offset", 0)), int(asked.query.get("limit", 20))
        if path.endswith("/overview"):
            rows: list[Any] = [
                {"id": chat, "name": "", "lastMessage": {"timestamp": max(m["timestamp"] for m in kept)}}
                for chat, kept in self.stored.items()
            ]
            return web.json_response(rows[offset : offset + limit])
        chat = unquote(asked.match["chatId"])
        if path.endswith("/messages"):
            since = int(asked.query.get("filter.timestamp.gte", 0))
            kept = [m for m in self.stored.get(chat, []) if m["timestamp"] >= since]
            rows = sorted(kept, key=lambda m: -float(m["timestamp"]))
            return web.json_response(rows[offset : offset + limit])
        if method == "GET":
            name = unquote(asked.match["messageId"])
            found = next((m for m in self.stored.get(chat, []) if m["id"] == name), None)
            return _said(404, "Message not found") if found is None else web.json_response(found)
        return self._taken(asked, chat, 200)

    def _taken(self, asked: Asked, chat: str, status: int) -> web.Response:
        for file in [(asked.body or {}).get("file") or {}]:
            base64.b64decode(file.get("data", ""), validate=True)
        self.sent.append(asked)
        if self.quiet and not asked.name.startswith("POST"):
            return web.Response(status=status)
        return web.json_response({"id": f"true_{chat or 'x@c.us'}_3EB0{len(self.sent):016X}"}, status=status)


def _said(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
