"""A stand-in for graph.facebook.com: it takes what Meta's API takes, notes it, and refuses everything else.

Shapes: https://developers.facebook.com/docs/whatsapp/cloud-api/reference (messages, media, phone numbers, templates).
What a request does wrong is an error to the caller and stands in ``problems``, which tests want empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PHONE_ID, ACCOUNT, TOKEN, APP_SECRET, VERIFY_TOKEN = "1122334455667", "102290129340398", "EAA-token", "app-secret", "vt"

Mishap = Callable[["CloudApiServer"], web.Response] | str
"""An answer in place of the right one; or "hang", "late" (answers when the caller has gone), "close" or "lie"."""


def error(status: int, code: int, details: str = "because", **headers: str) -> Callable[[Any], web.Response]:
    """Graph's error object."""
    body = {"error": {"message": f"(#{code}) {details}", "code": code, "error_data": {"details": details}}}
    return lambda _: web.json_response(body, status=status, headers=headers)


@dataclass(frozen=True)
class Taken:
    """A request as it came; of an upload the file's bytes are left out."""

    method: str
    path: str
    form: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        return {name: value for name, value in self.form.items() if not isinstance(value, tuple)}


@dataclass
class CloudApiServer:
    """``sent`` are the messages taken, ``indicated`` read and typing marks, ``files`` uploads and customers' files."""

    base_url: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    indicated: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    templates: list[dict[str, Any]] = field(default_factory=list)
    subscribed: list[dict[str, Any]] = field(default_factory=list)
    number: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    mishaps: list[Mishap] = field(default_factory=list)
    """One for each request; ``fate`` is one for all from now on."""
    fate: Mishap | None = None
    late_seconds: float = 0.0
    requests: list[Any] = field(default_factory=list)
    media_url: str = ""
    ids: Any = field(default_factory=lambda: itertools.count(1))
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def violations(self) -> list[str]:
        """The same as ``problems``, as the contract of all gateways calls it."""
        return self.problems

    def answers(self, status: int, body: Any = None, *, headers: dict[str, str] | None = None) -> None:
        """Answer this from now on."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.fate = lambda _: web.Response(status=status, text=text, content_type="application/json", headers=headers)

    def answers_html(self) -> None:
        """Answer with a page from now on."""
        self.fate = "lie"

    def hangs(self) -> None:
        """Take requests and never answer."""
        self.fate = "hang"

    def answers_late(self, seconds: float) -> None:
        """Do what is asked at once, and tell it later."""
        self.late_seconds = seconds

    @property
    def config(self) -> dict[str, Any]:
        """A number's settings here."""
        ids = {"phone_number_id": PHONE_ID, "waba_id": ACCOUNT, "access_token": TOKEN}
        return {**ids, "app_secret": APP_SECRET, "verify_token": VERIFY_TOKEN, "base_url": f"{self.base_url}/v25.0"}

    def keep(self, data: bytes, mime: str) -> str:
        """A file under a new id."""
        media_id = f"{9000 + next(self.ids)}"
        self.files[media_id] = (mime, data)
        return media_id

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        form = await _form(request, raw)
        self.requests.append(Taken(request.method, request.path, form))
        mishap = self.mishaps.pop(0) if self.mishaps else self.fate
        if callable(mishap):
            return mishap(self)
        match mishap:
            case "close":
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            case "hang":
                await self.gone.wait()
                return web.Response(status=500)
            case "lie":
                return web.Response(text="<html>all is well</html>", content_type="text/html")
            case "huge":
                return web.Response(body=b"x" * 40_000_000)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return error(401, 190, "Error validating access token")(self)
        answer = self._answer(request, form)
        if mishap == "late":
            await self.gone.wait()
        with contextlib.suppress(TimeoutError):  # no longer than the test lasts
            await asyncio.wait_for(self.gone.wait(), self.late_seconds)
        return answer

    def _answer(self, request: web.Request, form: dict[str, Any]) -> web.Response:
        parts = request.path.strip("/").split("/")
        match request.method, parts:
            case "POST", ["v25.0", str(number), "messages"] if number == PHONE_ID:
                return self._messages(form)
            case "POST", ["v25.0", str(number), "media"] if number == PHONE_ID:
                return self._upload(form)
            case "POST", ["v25.0", str(account), "subscribed_apps"] if account == ACCOUNT:
                if form and set(form) != {"override_callback_uri", "verify_token"}:
                    return self._wrong(f"subscribed_apps with {sorted(form)}")
                if form and not form["override_callback_uri"].startswith("https://"):
                    return error(400, 100, "override_callback_uri must be https")(self)
                self.subscribed.append(form)
                return web.json_response({"success": True})
            case "GET", ["v25.0", str(account), "message_templates"] if account == ACCOUNT:
                return self._list(request)
            case "GET", ["v25.0", str(number)] if number == PHONE_ID:
                known = {"id": PHONE_ID, "display_phone_number": "+55 11 99000-0000", "status": "CONNECTED"}
                return web.json_response({**known, "quality_rating": "GREEN", "name_status": "APPROVED", **self.number})
            case "GET", ["v25.0", str(media_id)] if media_id in self.files:
                mime, data = self.files[media_id]
                url = self.media_url or f"{self.base_url}/files/{media_id}"
                facts = {"mime_type": mime, "sha256": hashlib.sha256(data).hexdigest(), "file_size": len(data)}
                return web.json_response({"url": url, "id": media_id, "messaging_product": "whatsapp", **facts})
            case "GET", ["files", str(media_id)] if media_id in self.files:
                mime, data = self.files[media_id]
                return web.Response(body=data, content_type=mime.partition(";")[0])
        return error(404, 100, "Unsupported request")(self)

    def _wrong(self, problem: str) -> web.Response:
        self.problems.append(problem)
        return error(400, 100, problem)(self)

    def _list(self, request: web.Request) -> web.Response:
        """In pages of two, each with cursors, the last without ``next``."""
        start = int(request.query.get("after", "0"))
        page = self.templates[start : start + 2]
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(start + 2)}}
        if start + 2 < len(self.templates):
            paging["next"] = f"{self.base_url}/v25.0/{ACCOUNT}/message_templates?after={start + 2}"
        return web.json_response({"data": page, "paging": paging})

    def _upload(self, form: dict[str, Any]) -> web.Response:
        if form.get("messaging_product") != "whatsapp" or not isinstance(form.get("file"), tuple):
            return self._wrong("an upload without messaging_product or file")
        name, mime, data = form["file"]
        if form.get("type") != mime or not name or not data:
            return self._wrong(f"an upload as {form.get('type')} of {mime}")
        return web.json_response({"id": self.keep(data, mime)})

    def _messages(self, body: dict[str, Any]) -> web.Response:
        if body.get("messaging_product") != "whatsapp":
            return self._wrong("no messaging_product")
        if body.get("status") == "read":
            if not isinstance(body.get("message_id"), str) or not body["message_id"]:
                return self._wrong("read without a message")
            if body.get("typing_indicator", {"type": "text"}) != {"type": "text"}:
                return self._wrong("an unknown typing_indicator")
            self.indicated.append(body)
            return web.json_response({"success": True})
        if problem := _problem(body, self.files):
            return self._wrong(problem)
        self.sent.append(body)
        user = body.get("to") or body["recipient"]
        contact = {"input": user, "wa_id": user} if "to" in body else {"input": user, "user_id": user}
        named = {"id": f"wamid.{next(self.ids)}", "message_status": "accepted"}
        return web.json_response({"messaging_product": "whatsapp", "contacts": [contact], "messages": [named]})


async def _form(request: web.Request, raw: bytes) -> dict[str, Any]:
    if request.content_type == "application/json":
        body = await request.json()
        return body if isinstance(body, dict) else {}
    if request.content_type == "multipart/form-data":
        fields: dict[str, Any] = {}
        boundary = re.search(r"boundary=(\S+)", request.headers["Content-Type"])
        assert boundary is not None
        for part in raw.split(f"--{boundary[1]}".encode())[1:-1]:
            head, _, data = part.strip(b"\r\n").partition(b"\r\n\r\n")
            name = re.search(rb'name="(\w+)"', head)
            file, mime = re.search(rb'filename="([^"]*)"', head), re.search(rb"Content-Type: (.*)", head)
            assert name is not None
            if file and mime:
                fields[name[1].decode()] = (file[1].decode(), mime[1].decode().strip(), data)
            else:
                fields[name[1].decode()] = data.decode()
        return fields
    return {}


_COMMON = {"messaging_product", "recipient_type", "to", "recipient", "type", "context", "biz_opaque_callback_data"}


def _problem(body: dict[str, Any], files: dict[str, Any]) -> str:
    """What is wrong with a message, by Meta's reference; "" for a right one."""
    kind = body.get("type")
    named = [name for name in ("to", "recipient") if name in body]
    if len(named) != 1 or not isinstance(body[named[0]], str):
        return "not exactly one of to and recipient"
    phone = re.fullmatch(r"\d{5,20}", body.get("to", ""))
    bsuid = re.fullmatch(r"[A-Z]{2}\.(ENT\.)?\w+", body.get("recipient", ""))
    if not (phone or bsuid or body.get("recipient_type") == "group"):
        return f"nobody has the address {body[named[0]]}"
    if set(body) - _COMMON != {kind} or not isinstance(kind, str):
        return f"fields {sorted(set(body) - _COMMON)} with the type {kind}"
    if len(body.get("biz_opaque_callback_data", "")) > 512:
        return "biz_opaque_callback_data is too long"
    if "context" in body and set(body["context"]) != {"message_id"}:
        return "a strange context"
    part = body[kind]
    match kind:
        case "text":
            return "" if set(part) <= {"body", "preview_url"} and 0 < len(part["body"]) <= 4096 else "text"
        case "image" | "video" | "document" | "sticker" | "audio":
            allowed = {"document": {"id", "caption", "filename"}, "audio": {"id", "voice"}, "sticker": {"id"}}
            known = set(part) <= allowed.get(kind, {"id", "caption"}) and part.get("id") in files
            return "" if known and len(part.get("caption", "")) <= 1024 else f"{kind}: {part}"
        case "location":
            return (
                "" if {"latitude", "longitude"} <= set(part) <= {"latitude", "longitude", "name", "address"} else kind
            )
        case "contacts":
            names = all(c["name"]["formatted_name"] and len(c["name"]) > 1 for c in part)
            return "" if names and all(p["phone"].startswith("+") for c in part for p in c["phones"]) else kind
        case "reaction":
            return "" if set(part) == {"message_id", "emoji"} else kind
        case "interactive":
            return _interactive_problem(part)
        case "template":
            return _template_problem(part)
    return f"there is no type {kind}"


def _interactive_problem(part: dict[str, Any]) -> str:
    if not set(part) <= {"type", "body", "action", "footer"} or not part["body"]["text"]:
        return "interactive"
    if len(part.get("footer", {}).get("text", "")) > 60:
        return "footer"
    action = part["action"]
    if part["type"] == "button":
        replies = [button["reply"] for button in action["buttons"] if button["type"] == "reply"]
        right = 1 <= len(replies) <= 3 and len(part["body"]["text"]) <= 1024
        return "" if right and all(len(r["title"]) <= 20 and len(r["id"]) <= 256 for r in replies) else "buttons"
    rows = [row for section in action["sections"] for row in section["rows"]]
    right = 1 <= len(rows) <= 10 and len(action["button"]) <= 20 and len({row["id"] for row in rows}) == len(rows)
    sizes = all(len(r["title"]) <= 24 and len(r["id"]) <= 200 and len(r.get("description", "")) <= 72 for r in rows)
    return "" if part["type"] == "list" and right and sizes else "list"


def _template_problem(part: dict[str, Any]) -> str:
    if not set(part) <= {"name", "language", "components"} or set(part["language"]) != {"code"}:
        return "template"
    for component in part.get("components", []):
        if component["type"] == "button" and (
            component["sub_type"] not in ("url", "copy_code") or "index" not in component
        ):
            return "template button"
        if component["type"] not in ("header", "body", "button") or not component["parameters"]:
            return "template component"
        for parameter in component["parameters"]:
            text = parameter.get("text") or parameter.get("coupon_code")
            if not text or re.search(r"[\n\t]| {5,}", text):
                return "template parameter"
    return ""


@asynccontextmanager
async def running_cloud_api() -> AsyncIterator[CloudApiServer]:
    """The stand-in on a loopback port of its own."""
    server = CloudApiServer()
    app = web.Application(client_max_size=120 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = runner.addresses[0]
    server.base_url = f"http://{address[0]}:{address[1]}"
    try:
        yield server
    finally:
        server.gone.set()
        await runner.cleanup()
