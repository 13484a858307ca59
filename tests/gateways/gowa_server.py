"""GOWA's HTTP API, version 9.2 (docs/openapi.yaml and src/validations of aldinokemal/go-whatsapp-web-multidevice)."""

from __future__ import annotations

import base64
import io
from typing import Any
from urllib.parse import unquote, unquote_plus

import segno
from aiohttp import web

from .published import Operation
from .recording import Asked, StandIn

_PHONE = {"phone!": str}
_FORM_TRUTH = ("true", "false")
_LISTING = {"limit": int, "offset": int}
_HOOK = {"webhook_secret": str, "webhook_events": str, "webhook_insecure_skip_verify": bool}

OPERATIONS = {
    "GET /app/login": Operation(),
    "GET /app/passkey": Operation(),
    "GET /app/logout": Operation(),
    "GET /app/reconnect": Operation(),
    "GET /app/devices": Operation(),
    "GET /devices": Operation(),
    "POST /devices": Operation({"device_id": str, "webhook_url": str, **_HOOK}),
    "DELETE /devices/{device_id}": Operation(),
    "PATCH /devices/{device_id}/webhook": Operation({"webhook_url!": str, **_HOOK}),
    "GET /user/info": Operation(query={"phone": str}, required_query=frozenset({"phone"})),
    "GET /user/check": Operation(query={"phone": str}, required_query=frozenset({"phone"})),
    "POST /send/message": Operation(
        {
            "phone!": str,
            "message!": str,
            "reply_message_id": str,
            "is_forwarded": bool,
            "duration": int,
            "mentions": [str],
        }
    ),
    "POST /send/image": Operation(
        form={**_PHONE, "caption": str, "reply_message_id": str, "view_once": _FORM_TRUTH, "hd": _FORM_TRUTH},
        files=frozenset({"image"}),
    ),
    "POST /send/video": Operation(
        form={**_PHONE, "caption": str, "reply_message_id": str, "view_once": _FORM_TRUTH, "gif_playback": _FORM_TRUTH},
        files=frozenset({"video"}),
    ),
    "POST /send/audio": Operation(
        form={**_PHONE, "ptt": _FORM_TRUTH, "reply_message_id": str}, files=frozenset({"audio"})
    ),
    "POST /send/file": Operation(form={**_PHONE, "caption": str, "reply_message_id": str}, files=frozenset({"file"})),
    "POST /send/sticker": Operation(form=_PHONE, files=frozenset({"sticker"})),
    "POST /send/contact": Operation({"phone!": str, "contact_name!": str, "contact_phone!": str}),
    "POST /send/location": Operation({"phone!": str, "latitude!": str, "longitude!": str}),
    "POST /send/poll": Operation({"phone!": str, "question!": str, "options!": [str], "max_answer!": int}),
    "POST /send/chat-presence": Operation({"phone!": str, "action!": ("start", "stop")}),
    "POST /message/{message_id}/reaction": Operation({"phone!": str, "emoji!": str}),
    "POST /message/{message_id}/update": Operation({"phone!": str, "message!": str}),
    "POST /message/{message_id}/revoke": Operation(_PHONE),
    "POST /message/{message_id}/read": Operation(_PHONE),
    "GET /message/{message_id}/download": Operation(query={"phone": str}, required_query=frozenset({"phone"})),
    "GET /chats": Operation(query=_LISTING),
    "GET /chat/{chat_jid}/messages": Operation(query={**_LISTING, "start_time": str, "end_time": str}),
}
MIME_TYPES = {
    "image": ("image/jpeg", "image/png"),
    "video": ("video/mp4", "video/x-matroska", "video/avi", "video/x-msvideo"),
    "audio": ("audio/aac", "audio/amr", "audio/m4a", "audio/mp3", "audio/mpeg", "audio/ogg", "audio/wav"),
    "sticker": ("image/jpeg", "image/png", "image/webp", "image/gif"),
}
MOST_PER_PAGE = 100


class GowaServer(StandIn):
    """One server with some devices. ``old``: as before version 8 (one device, webhooks by flags)."""

    operations = OPERATIONS

    def __init__(self, username: str = "atende", password: str = "segredo", *, old: bool = False) -> None:
        super().__init__()
        self._credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
        self.old = old
        self.devices: dict[str, dict[str, Any]] = {}
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.codes: list[str] = []
        """Pairing codes shown so far: each login breaks the pairing before it off."""
        self.passkey = "none"
        self.on_whatsapp: dict[str, list[Any]] = {}
        """Numbers that WhatsApp says yes to, with their devices."""
        self.files: dict[str, bytes] = {}
        self.chats: dict[str, list[dict[str, Any]]] = {}
        self.media_of: dict[str, str] = {}
        self.sent: list[Asked] = []

    def pair(self, device: str = "loja", jid: str = "551140000000@s.whatsapp.net") -> None:
        """The device is there, and connected."""
        self.devices[device] = {"id": device, "state": "logged_in", "jid": jid, "display_name": "Loja"}

    def static(self, path: str) -> web.Response | None:
        if not path.startswith("/statics/"):
            return None
        data = self.files.get(path[1:])
        return web.Response(status=404, text="Not Found") if data is None else web.Response(body=data)

    def refused(self, asked: Asked) -> web.Response | None:
        if asked.headers.get("Authorization") != f"Basic {self._credentials}":
            return web.Response(status=401, text="Unauthorized", headers={"WWW-Authenticate": "basic"})
        if asked.name.split()[1].startswith("/devices"):
            return _said(404, "NOT_FOUND", "Cannot find it") if self.old else None
        stated = unquote_plus(asked.headers.get("X-Device-Id", ""))
        if self.old or stated in self.devices or (not stated and len(self.devices) == 1):
            return None
        if stated:
            return _said(404, "DEVICE_NOT_FOUND", "device not found; create a device first")
        return _said(400, "DEVICE_ID_REQUIRED", "device_id is required via X-Device-Id header or device_id query")

    async def answer(self, asked: Asked) -> web.StreamResponse:
        method, path = asked.name.split()
        match path.split("/")[1]:
            case "devices":
                return self._devices(method, path, asked)
            case "app":
                return self._app(path, asked)
            case "user":
                return self._user(path, asked)
            case "chats" | "chat":
                return self._stored(path, asked)
            case _ if self._device(asked).get("state") != "logged_in" and not self.old:
                return _said(401, "AUTHENTICATION_ERROR", "you are not connect to services server, please reconnect")
            case "message":
                return self._on_message(path, asked)
            case _:
                return self._sent(path, asked)

    def _device(self, asked: Asked) -> dict[str, Any]:
        stated = unquote_plus(asked.headers.get("X-Device-Id", ""))
        return self.devices.get(stated) or next(iter(self.devices.values()), {})

    def _devices(self, method: str, path: str, asked: Asked) -> web.Response:
        device = unquote(asked.steps.get("device_id", ""))
        if path == "/devices" and method == "GET":
            return _done(list(self.devices.values()))
        if path == "/devices":
            made = asked.body.get("device_id") or "generated"
            if made in self.devices:
                return _said(500, "INTERNAL_SERVER_ERROR", f"device {made} already exists")
            self.devices[made] = {"id": made, "state": "disconnected", "created_at": "2026-03-04T12:00:00Z"}
            return _done(self.devices[made])
        if device not in self.devices:
            return _said(404, "NOT_FOUND", "device not found")
        if method == "DELETE":
            del self.devices[device]
            return _done(None)
        self.webhooks[device] = asked.body
        return _done({"device_id": device, **asked.body})

    def _app(self, path: str, asked: Asked) -> web.Response:
        device = self._device(asked)
        if path == "/app/devices":
            return _done([{"name": "Loja", "device": d["jid"]} for d in self.devices.values() if d.get("jid")])
        if path == "/app/passkey":
            return _said(404, "NOT_FOUND", "Cannot GET") if self.old else _done({"status": self.passkey})
        if path == "/app/login":
            if device.get("state") == "logged_in":
                return _said(400, "ALREADY_LOGGED_IN", "you are already logged in.")
            self.codes.append(f"https://wa.me/settings/linked_devices#2@{len(self.codes)}abcDEF+/=,x,y,1")
            out = io.BytesIO()
            segno.make(self.codes[-1], error="m").save(out, kind="png", scale=7, border=4)
            name = f"statics/qrcode/scan-qr-{len(self.codes)}.png"
            self.files[name] = out.getvalue()
            return _done({"qr_link": f"http://localhost:3000/{name}", "qr_duration": 30})
        if path == "/app/logout":
            device.pop("jid", None)
        device["state"] = "disconnected" if path == "/app/logout" else "logged_in"
        return _done({"device_id": device.get("id")})

    def _user(self, path: str, asked: Asked) -> web.Response:
        phone = asked.query["phone"].partition("@")[0]
        if path == "/user/check":
            return _done({"is_on_whatsapp": phone in self.on_whatsapp})
        if phone not in self.on_whatsapp:
            return _said(400, "INVALID_JID", f"Phone {phone} is not on whatsapp")
        return _done({"data": [{"name": "", "devices": self.on_whatsapp[phone]}]})

    def _stored(self, path: str, asked: Asked) -> web.Response:
        limit, offset = int(asked.query.get("limit", 25)), int(asked.query.get("offset", 0))
        if not 1 <= limit <= MOST_PER_PAGE:
            return _said(400, "VALIDATION_ERROR", "limit: must be no greater than 100.")
        if path == "/chats":
            last = {jid: max(m["timestamp"] for m in rows) for jid, rows in self.chats.items()}
            rows = [{"jid": jid, "name": "", "last_message_time": at} for jid, at in last.items()]
        else:
            kept = self.chats.get(unquote(asked.steps["chat_jid"]), [])
            start = asked.query.get("start_time", "")
            rows = sorted((m for m in kept if m["timestamp"] >= start), key=lambda m: m["timestamp"], reverse=True)
        pages = {"limit": limit, "offset": offset, "total": len(rows)}
        return _done({"data": rows[offset : offset + limit], "pagination": pages})

    def _on_message(self, path: str, asked: Asked) -> web.Response:
        message_id = unquote(asked.steps["message_id"])
        if path.endswith("/download"):
            if message_id not in self.media_of:
                return _said(500, "INTERNAL_SERVER_ERROR", f"message with ID {message_id} not found")
            name = self.media_of[message_id]
            link = {"file_path": name, "file_url": f"http://localhost:3000/{name}"}
            return _done({"message_id": message_id, "status": "ok", "media_type": "image", **link})
        if path.endswith("/read"):
            return _done({"message_id": message_id, "status": "Mark as read success"})
        return self._sent(path, asked)

    def _sent(self, path: str, asked: Asked) -> web.Response:
        kind = path.rsplit("/", 1)[1]
        if kind == "chat-presence":
            return _done({"message_id": "chat-presence-start", "status": "ok"})
        upload = asked.files.get(kind)
        if kind in MIME_TYPES and (upload is None or upload.mime_type not in MIME_TYPES[kind]):
            self.wrong.append(f"{asked.name}: {upload} is refused by its type")
            return _said(400, "VALIDATION_ERROR", f"your {kind} is not allowed.")
        self.sent.append(asked)
        return _done({"message_id": f"3EB0{len(self.sent):016X}", "status": "Message sent"})


def _done(results: Any) -> web.Response:
    return web.json_response({"code": "SUCCESS", "message": "ok", "results": results})


def _said(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
