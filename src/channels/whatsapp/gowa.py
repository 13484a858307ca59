"""GOWA (aldinokemal/go-whatsapp-web-multidevice) as a gateway.

One server holds several devices, each one number. Since version 8.1 a device has a webhook of its own, which ``set_up``
registers; before, all devices share the addresses that the server was started with. Its webhooks say nothing about the
connection: ``status`` must be asked. It tells pairing codes as pictures only, so they are read (``qr_picture``).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from channels.base import ChannelEvent, MessageReceived, SessionChanged, SessionRef
from channels.gateway import (
    File,
    GatewayRefusedError,
    GatewayUnavailableError,
    MediaSource,
    NotOfferedError,
    Retries,
    Setting,
    SetUp,
    WebhookDelivery,
    Wish,
)
from domain.contents import Media
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind, MediaReference, Outbound, Sent, SessionStatus

from . import gowa_history
from .envelope import pick
from .gateway_http import GatewayHttp, Server, as_send_errors, read_file, sent_as
from .gateway_typing import type_before
from .gowa_events import Device, parse
from .gowa_http import NAME, ask, chat_of, judge, refused, server_of
from .gowa_media import static_url
from .gowa_send import CONTENT_TYPES, PROVIDER, request_of
from .ids import phone_spellings
from .qr_picture import read_qr
from .waha_envelope import read_jid, read_key

__all__ = ["GowaGateway", "verify"]

_EVENTS = "message,message.reaction,message.revoked,message.edited,message.ack,call.offer"
_LONGEST_CODE_SECONDS = 60.0


def verify(secret: str, raw_body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether GOWA signed exactly these bytes: ``X-Hub-Signature-256: sha256=<hex HMAC-SHA256>``. In constant time.

    False without a secret or a signature. ``headers`` have lower-case names.
    """
    algorithm, _, stated = headers.get("x-hub-signature-256", "").strip().partition("=")
    if not secret or not stated or algorithm.strip().lower() != "sha256":
        return False
    expected = hmac.new(secret.encode(), raw_body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), stated.strip().lower().encode("utf-8", "replace"))


class GowaGateway:
    """See channels.gateway.Gateway. One for all numbers of a process."""

    provider = PROVIDER
    settings: tuple[Setting, ...] = (
        Setting("base_url", example="http://gowa:3000"),
        Setting("username", required=False, example="atende"),
        Setting("password", required=False, secret=True),
        Setting("device_id", required=False, example="loja"),
        Setting("webhook_secret", secret=True, made=True),
    )
    content_types = CONTENT_TYPES
    retries: Retries = "on_any_failure"
    idempotent = False

    def __init__(self, http: httpx.AsyncClient, media: MediaSource, *, send_timeout_seconds: float = 30.0) -> None:
        self._http = GatewayHttp(http, send_timeout_seconds=send_timeout_seconds)
        self._media = media
        self.send_timeout_seconds = send_timeout_seconds
        self._codes: dict[str, tuple[str, float]] = {}
        """Pairing codes and until when they hold: asking GOWA for the next one breaks the pairing off."""

    def verify(self, config: Mapping[str, Any], delivery: WebhookDelivery) -> bool:
        """Whether the delivery is signed with ``webhook_secret``."""
        return verify(str(config.get("webhook_secret") or ""), delivery.raw_body, delivery.headers)

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:
        """All that a decoded delivery says (see gowa_events)."""
        base_url, name = session.config.get("base_url"), session.config.get("device_id")
        return parse(body, Device(str(base_url or ""), str(name or ""), session.account or ""))

    # Setting up and watching

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        """Create or attach the device, and register our webhook with it."""
        secret = str(session.config.get("webhook_secret") or "") or secrets.token_urlsafe(32)
        config: dict[str, Any] = {"webhook_secret": secret}
        devices = await self._devices(session)
        if devices is None:
            return SetUp(config, (_by_hand(webhook_url),))
        device = _chosen(devices, session) or await self._created(session)
        config["device_id"] = device
        hook = {"webhook_url": webhook_url, "webhook_secret": secret, "webhook_events": _EVENTS}
        server, path = server_of(session.config, device), f"/devices/{quote(device, safe='@:')}/webhook"
        answer = await self._http.exchange(server, "PATCH", path, body=hook)
        if answer.status in (404, 405, 501):
            return SetUp(config, (_by_hand(webhook_url),))
        if not answer.is_success:
            raise refused(server, answer)
        return SetUp(config)

    async def _devices(self, session: SessionRef) -> list[Any] | None:
        """What GOWA knows of its devices; None for versions that have just one."""
        server = server_of(session.config, "")
        answer = await self._http.exchange(server, "GET", "/devices")
        if answer.status in (404, 405):
            return None
        if not answer.is_success:
            raise refused(server, answer)
        found = pick(answer.tidy(), "results")
        return [device for device in found if _id(device)] if isinstance(found, list) else []

    async def _created(self, session: SessionRef) -> str:
        wished = str(session.config.get("device_id") or "") or f"atende-{session.id[:8]}"
        made = await ask(self._http, server_of(session.config, ""), "POST", "/devices", body={"device_id": wished})
        return _id(made) or wished

    async def status(self, session: SessionRef) -> SessionChanged:
        """How the device is, with its newest pairing code while it waits for a phone."""
        devices = await self._devices(session)
        if devices is None:
            return await self._status_of_the_only_one(session)
        device = next((item for item in devices if _id(item) == _chosen(devices, session)), None)
        now = datetime.now(UTC)
        if device is None:
            return SessionChanged(SessionStatus.DISCONNECTED, now, f"{NAME} knows no such device: set the number up.")
        state, jid = pick(device, "state"), read_jid(pick(device, "jid"))
        if state == "logged_in":
            self._codes.pop(session.id, None)
            return SessionChanged(SessionStatus.CONNECTED, now, account=str(jid) if jid else None)
        if jid is None:
            return await self._pairing(session, server_of(session.config, _id(device)))
        if state in ("connecting", "connected"):
            return SessionChanged(SessionStatus.CONNECTING, now)
        said = f"{NAME} has no connection with WhatsApp: restart the device there, or pair the number again."
        return SessionChanged(SessionStatus.DISCONNECTED, now, said)

    async def _status_of_the_only_one(self, session: SessionRef) -> SessionChanged:
        """Before version 8 a device is listed once it is paired."""
        server = server_of(session.config)
        devices = await ask(self._http, server, "GET", "/app/devices")
        paired = devices[0] if isinstance(devices, list) and devices else None
        if paired is None:
            return await self._pairing(session, server)
        jid = read_jid(pick(paired, "device"))
        return SessionChanged(SessionStatus.CONNECTED, datetime.now(UTC), account=str(jid) if jid else None)

    async def _pairing(self, session: SessionRef, server: Server) -> SessionChanged:
        now, moment = datetime.now(UTC), time.monotonic()
        answer = await self._http.exchange(server, "GET", "/app/passkey")
        passkey = pick(answer.tidy(), "results", "status") if answer.is_success else None
        if passkey not in (None, "none"):
            said = f"WhatsApp asks for a passkey: finish the pairing in {NAME}."
            return SessionChanged(SessionStatus.AWAITING_QR, now, said)
        known, until = self._codes.get(session.id, ("", 0.0))
        if moment < until:
            return SessionChanged(SessionStatus.AWAITING_QR, now, qr=known)
        answer = await self._http.exchange(server, "GET", "/app/login")
        if pick(answer.tidy(), "code") in ("ALREADY_LOGGED_IN", "SESSION_SAVED_ERROR"):
            return SessionChanged(SessionStatus.CONNECTING, now)
        if not answer.is_success:
            raise refused(server, answer)
        login = pick(answer.tidy(), "results")
        code = await self._code(server, str(pick(login, "qr_link") or ""))
        if code is None:
            return SessionChanged(SessionStatus.AWAITING_QR, now, f"Scan the code that {NAME}'s own page shows.")
        lasts = pick(login, "qr_duration")
        seconds = float(lasts) if isinstance(lasts, int | float) and lasts > 0 else 20.0
        self._codes[session.id] = (code, moment + min(seconds, _LONGEST_CODE_SECONDS))
        return SessionChanged(SessionStatus.AWAITING_QR, now, qr=code)

    async def _code(self, server: Server, link: str) -> str | None:
        """The text of the code behind a link, whose host is how GOWA sees itself and not always how we see it."""
        try:
            path = urlsplit(link).path
        except ValueError:
            return None
        url = static_url(server.base_url, path)
        if url is None:
            return None
        try:
            picture = await self._http.download(server, url, longest=1024 * 1024)
        except (GatewayRefusedError, GatewayUnavailableError):
            return None
        return await asyncio.to_thread(read_qr, picture.data)

    async def control(self, session: SessionRef, wish: Wish) -> None:
        """Reconnect, log out or delete the device. GOWA cannot stop one."""
        server = server_of(session.config)
        device = str(session.config.get("device_id") or "")
        match wish:
            case "start" | "restart":
                await ask(self._http, server, "GET", "/app/reconnect")
            case "logout":
                self._codes.pop(session.id, None)
                await ask(self._http, server, "GET", "/app/logout")
            case "delete":
                if not device:
                    raise GatewayRefusedError("This number names no device.", hint="Set device_id, or set it up.")
                self._codes.pop(session.id, None)
                await ask(self._http, server, "DELETE", f"/devices/{quote(device, safe='@:')}")
            case "stop":
                raise NotOfferedError(PROVIDER, "Stopping a device")

    # Messages

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Send one message. Raises SendRejectedError, SendRetryableError or SendUncertainError, nothing else."""
        deadline = asyncio.get_running_loop().time() + self.send_timeout_seconds * 0.95
        with as_send_errors():
            server, phone = server_of(session.config), chat_of(message.to)
        file = await read_file(self._media, message.content) if isinstance(message.content, Media) else None
        request = request_of(message, phone, file)
        await type_before(
            session.config,
            message,
            self.send_timeout_seconds / 3,
            lambda typing: self.show_typing(session, message.to, typing=typing),
        )
        answer = await self._http.hand_over(
            server, "POST", request.path, request.body, deadline=deadline, judge=lambda said: judge(server, said)
        )
        key = read_key(pick(answer, "results", "message_id"))
        return sent_as(server, key.id if key else None)

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        """A customer's file: from GOWA's folder, or fetched by it from WhatsApp first."""
        server = server_of(session.config)
        path = media.extra.get("path")
        url = static_url(server.base_url, path) if isinstance(path, str) else None
        if url is not None:
            try:
                return self._named(await self._http.download(server, url), media)
            except GatewayRefusedError:
                pass  # swept away there: it can be had from WhatsApp again
        message_id, chat = media.extra.get("message_id"), media.extra.get("chat")
        if not (isinstance(message_id, str) and message_id and isinstance(chat, str)):
            raise GatewayRefusedError("This file names no message to fetch it from.", hint="Look at it on the phone.")
        found = await ask(
            self._http, server, "GET", f"/message/{quote(message_id, safe='')}/download", params={"phone": chat}
        )
        stated = pick(found, "file_path") or urlsplit(str(pick(found, "file_url") or "")).path
        url = static_url(server.base_url, stated) if isinstance(stated, str) else None
        if url is None:
            raise GatewayRefusedError(f"{NAME} does not tell where the file lies.", hint="Look at it on the phone.")
        return self._named(await self._http.download(server, url), media)

    @staticmethod
    def _named(file: File, media: MediaReference) -> File:
        served = "" if file.mime_type.startswith("application/octet-stream") else file.mime_type
        return replace(file, mime_type=media.mime_type or served, file_name=media.file_name or "")

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        """Blue ticks, one request a message."""
        server, phone = server_of(session.config), {"phone": chat_of(chat)}
        for provider_id in provider_ids:
            await ask(self._http, server, "POST", f"/message/{quote(provider_id, safe='')}/read", body=phone)

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        """Typing, or no longer."""
        body = {"phone": chat_of(chat), "action": "start" if typing else "stop"}
        await ask(self._http, server_of(session.config), "POST", "/send/chat-presence", body=body)

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        """The address of a phone number. GOWA says yes to both spellings of a Brazilian mobile: only that which has
        devices is the real one."""
        server, found = server_of(session.config), []
        try:
            likely = phone_spellings(digits)
        except InvalidInputError:
            return None
        for spelling in likely:
            answer = await ask(self._http, server, "GET", "/user/check", params={"phone": spelling})
            if pick(answer, "is_on_whatsapp") is True:
                found.append(spelling)
        if len(found) > 1:
            for spelling in found:
                try:
                    info = await ask(self._http, server, "GET", "/user/info", params={"phone": spelling})
                except (GatewayRefusedError, GatewayUnavailableError):
                    continue
                people = pick(info, "data")
                if isinstance(people, list) and any(pick(person, "devices") for person in people):
                    return Address(AddressKind.PHONE, spelling)
        return Address(AddressKind.PHONE, found[0]) if found else None

    async def history(
        self, session: SessionRef, *, since: datetime, chats: Sequence[Address]
    ) -> AsyncIterator[MessageReceived]:
        """What GOWA keeps of its own and of ``chats``, oldest first per chat."""
        server = server_of(session.config)
        listed = await gowa_history.chats(self._http, server, since)
        for chat in dict.fromkeys([*listed, *(chat_of(address) for address in chats)]):
            async for message in gowa_history.messages(self._http, server, chat, since):
                yield message


def _id(device: Any) -> str:
    found = pick(device, "id") or pick(device, "device")
    return found if isinstance(found, str) else ""


def _chosen(devices: list[Any], session: SessionRef) -> str:
    """The id of this number's device; "" for one that must be made. Raises GatewayRefusedError for an open choice."""
    wished = str(session.config.get("device_id") or "")
    ids = [_id(device) for device in devices]
    if wished:
        jid = read_jid(wished)
        by_jid = (_id(d) for d in devices if jid is not None and read_jid(pick(d, "jid")) == jid)
        return wished if wished in ids else next(by_jid, "")
    if len(ids) > 1:
        raise GatewayRefusedError(
            f"{NAME} has several devices.", hint=f"Set device_id to one of: {', '.join(ids[:10])}."
        )
    return ids[0] if ids else ""


def _by_hand(webhook_url: str) -> str:
    return (
        f"This version of {NAME} takes its webhook from its start only: start it with --webhook={webhook_url} and"
        " --webhook-secret set to webhook_secret of this number (or WHATSAPP_WEBHOOK and WHATSAPP_WEBHOOK_SECRET)."
    )
