"""WAHA (https://waha.devlike.pro) as a gateway, whatever its engine (WEBJS, NOWEB, GOWS).

A number's settings (``SessionRef.config``): ``base_url`` and ``api_key`` of the WAHA server, ``session`` (its name
there, "default"), ``hmac_key`` (with which its webhooks are signed), ``media_base_url`` (where it keeps files, if not
with itself) and ``typing`` (false: never shown). Wire format: the server's OpenAPI document, 2026.7.1.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from channels.base import ChannelEvent, MessageReceived, SessionChanged, SessionRef, Unrecognised
from channels.gateway import (
    File,
    GatewayRefusedError,
    GatewayUnavailableError,
    MediaSource,
    Retries,
    Setting,
    SetUp,
    WebhookDelivery,
    Wish,
)
from domain.contents import Media
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind, MediaReference, Outbound, Sent, SessionStatus

from . import waha_history
from .envelope import pick
from .gateway_http import GatewayHttp, Server, as_send_errors, explanation, read_file, refusal, sent_as
from .gateway_typing import type_before
from .ids import phone_spellings
from .waha_envelope import brief, read_jid, read_key, tidy
from .waha_events import STATUS_DETAILS, STATUSES, parse
from .waha_http import NAME, chat_of, judge, long_id, name_of, server_of, step
from .waha_more_events import is_unimportant, parse_more
from .waha_send import CONTENT_TYPES, PROVIDER, request_of
from .waha_setup import EVENTS, OLDER_EVENTS, created, updated, webhook

__all__ = ["WahaGateway", "parse", "verify"]

_FILES = "/api/files/"


def verify(secret: str, raw_body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether WAHA signed exactly these bytes with ``secret``. In constant time; False without a secret or signature.

    ``X-Webhook-Hmac`` is the hexadecimal HMAC-SHA512 of the raw body; the time in ``X-Webhook-Timestamp`` is not part
    of it, so a captured webhook can be played again: the events' own ids make that harmless.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    stated = lowered.get("x-webhook-hmac", "").strip().lower()
    if not secret or not stated or lowered.get("x-webhook-hmac-algorithm", "sha512").strip().lower() != "sha512":
        return False
    expected = hmac.new(secret.encode(), raw_body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), stated.encode("utf-8", "replace"))


class WahaGateway:
    """See channels.gateway.Gateway. One for all numbers of a process."""

    provider = PROVIDER
    settings: tuple[Setting, ...] = (
        Setting("base_url", example="http://waha:3000"),
        Setting("api_key", secret=True, example="the value of WAHA_API_KEY"),
        Setting("session", required=False, default="default"),
        Setting("hmac_key", secret=True, made=True),
        Setting("media_base_url", required=False, example="https://s3.example.com"),
        Setting("typing", required=False, default="true"),
    )
    content_types = CONTENT_TYPES
    retries: Retries = "on_any_failure"
    idempotent = False

    def __init__(
        self,
        http: httpx.AsyncClient,
        media: MediaSource,
        *,
        send_timeout_seconds: float = 30.0,
        ask_timeout_seconds: float = 20.0,
    ) -> None:
        self._http = GatewayHttp(
            http, send_timeout_seconds=send_timeout_seconds, ask_timeout_seconds=ask_timeout_seconds
        )
        self._media = media
        self.send_timeout_seconds = send_timeout_seconds

    def verify(self, config: Mapping[str, Any], delivery: WebhookDelivery) -> bool:
        """Whether the delivery is signed with ``hmac_key``."""
        return verify(str(config.get("hmac_key") or ""), delivery.raw_body, delivery.headers)

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:
        """All that a decoded delivery says (see waha_events)."""
        named, ours = pick(body, "session"), session.config.get("session")
        if ours and isinstance(named, str) and named and named != str(ours):
            return [Unrecognised("event of another session", brief(tidy(body)))]
        if (more := parse_more(body)) is not None:
            return more
        if _is_our_reaction(body):
            return []
        return [event for event in parse(body) if not is_unimportant(event)]

    # Setting up and watching

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        """Create the session where it is missing, start it where it is stopped, and register our webhook."""
        server, name = server_of(session.config), name_of(session)
        key = str(session.config.get("hmac_key") or "") or secrets.token_urlsafe(32)
        known = await self._session(server, name)
        for events in (EVENTS, OLDER_EVENTS):
            entry = webhook(webhook_url, key, events)
            if known is None:
                method, path, body = "POST", "/api/sessions", created(name, entry)
            else:
                wished = updated(known.get("config"), entry, session.id)
                if wished is None:
                    break
                method, path, body = "PUT", f"/api/sessions/{step(name)}", {"config": wished}
            answer = await self._http.exchange(server, method, path, body=body)
            if answer.is_success:
                break
            if events is OLDER_EVENTS or answer.status != HTTPStatus.BAD_REQUEST:
                raise refusal(server, answer)
        if known is not None and known.get("status") in ("STOPPED", "FAILED"):
            await self.control(session, "start")
        return SetUp({"hmac_key": key, "session": name})

    async def _session(self, server: Server, name: str) -> dict[str, Any] | None:
        """What WAHA knows of the session; None where it knows none."""
        answer = await self._http.exchange(server, "GET", f"/api/sessions/{step(name)}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if not answer.is_success:
            raise refusal(server, answer)
        found = answer.tidy()
        if not isinstance(found, dict):
            raise GatewayUnavailableError(
                f"{NAME} answered with something else than JSON.", hint="Check that base_url is WAHA's own address."
            )
        return found

    async def status(self, session: SessionRef) -> SessionChanged:
        """How the session is, with the newest pairing code while it waits for a phone."""
        server, name, now = server_of(session.config), name_of(session), datetime.now(UTC)
        known = await self._session(server, name)
        if known is None:
            return SessionChanged(SessionStatus.DISCONNECTED, now, f"{NAME} knows no such session: set the number up.")
        stated = str(known.get("status"))
        status = STATUSES.get(stated, SessionStatus.UNKNOWN)
        account = pick(known, "me", "jid") or pick(known, "me", "id")
        code = await self._code(server, name) if stated == "SCAN_QR_CODE" else None
        return SessionChanged(
            status,
            now,
            detail=STATUS_DETAILS.get(stated, ""),
            qr=code,
            account=account if status is SessionStatus.CONNECTED and isinstance(account, str) else None,
        )

    async def _code(self, server: Server, name: str) -> str | None:
        path = f"/api/{step(name)}/auth/qr"
        try:
            value = pick(await self._http.ask(server, "GET", path, params={"format": "raw"}), "value")
        except GatewayRefusedError:
            return None  # paired, or the code ran out, between the two questions
        return value if isinstance(value, str) and value else None

    async def control(self, session: SessionRef, wish: Wish) -> None:
        """Start, stop, restart, log out or delete the session."""
        server, path = server_of(session.config), f"/api/sessions/{step(name_of(session))}"
        method, path = ("DELETE", path) if wish == "delete" else ("POST", f"{path}/{wish}")
        answer = await self._http.exchange(server, method, path)
        is_fulfilled = wish == "delete" and answer.status == HTTPStatus.NOT_FOUND
        is_fulfilled |= wish == "start" and "already started" in explanation(answer.tidy())
        if not (answer.is_success or is_fulfilled):
            raise refusal(server, answer)

    async def request_pairing_code(self, session: SessionRef, digits: str) -> str:
        """The code to type on the phone with this number, instead of scanning."""
        path, body = f"/api/{step(name_of(session))}/auth/request-code", {"phoneNumber": digits}
        code = pick(await self._http.ask(server_of(session.config), "POST", path, body=body), "code")
        if not isinstance(code, str) or not code:
            raise GatewayUnavailableError(f"{NAME} told no pairing code.", hint="Scan the QR code instead.")
        return code

    # Messages

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Send one message. Raises SendRejectedError, SendRetryableError or SendUncertainError, nothing else."""
        deadline = asyncio.get_running_loop().time() + self.send_timeout_seconds * 0.95
        with as_send_errors():
            server, chat = server_of(session.config), chat_of(message.to)
        file = await read_file(self._media, message.content) if isinstance(message.content, Media) else None
        request = request_of(message, name_of(session), chat, file)
        await type_before(
            session.config,
            message,
            self.send_timeout_seconds / 3,
            lambda typing: self.show_typing(session, message.to, typing=typing),
        )
        answer = await self._http.hand_over(
            server,
            request.method,
            request.path,
            request.body,
            deadline=deadline,
            judge=lambda said: judge(server, said),
        )
        found = _id_in(answer)
        if request.names_none and message.content is not None:
            # Some engines answer such a request with nothing, or with the message that it is about.
            about = getattr(message.content, "provider_id", "")
            if found in (None, about):
                found = f"{about[:120]}.{message.content.type}.{message.key}"[:200]
        return sent_as(server, found, pick(answer, "timestamp") or pick(answer, "messageTimestamp"))

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        """A customer's file, from WAHA alone: other addresses only where ``media_base_url`` allows them."""
        server, refused = server_of(session.config), None
        if media.url:
            try:
                return await self._downloaded(session, server, media.url, media)
            except GatewayRefusedError as error:
                refused = error  # gone after its time to live: WAHA can fetch it again
        key = read_key(media.extra.get("message_id"))
        chat = str(key.chat).replace("@s.whatsapp.net", "@c.us") if key and key.chat else ""
        if key is None or not chat:
            raise refused or GatewayRefusedError("This file names no message.", hint="Look at it on the phone.")
        name = step(str(media.extra["message_id"]))
        path = f"/api/{step(name_of(session))}/chats/{step(chat)}/messages/{name}"
        found = await self._http.ask(server, "GET", path, params={"downloadMedia": "true"})
        url = pick(found, "media", "url")
        if not isinstance(url, str) or not url:
            raise refused or GatewayRefusedError(f"{NAME} cannot fetch this file.", hint="Look at it on the phone.")
        return await self._downloaded(session, server, url, media)

    async def _downloaded(self, session: SessionRef, server: Server, url: str, media: MediaReference) -> File:
        allowed = _allowed(url, server.base_url, session.config.get("media_base_url"))
        if allowed is None:
            raise GatewayRefusedError(
                f"The file lies outside {NAME}.", hint="Set media_base_url to the storage that WAHA keeps files in."
            )
        file = await self._http.download(server, allowed)
        return replace(file, mime_type=media.mime_type or file.mime_type, file_name=media.file_name or "")

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        """Blue ticks."""
        name = chat_of(chat)
        ids = [long_id(name, provider_id, from_me=False) for provider_id in provider_ids]
        body = {"session": name_of(session), "chatId": name, "messageIds": ids}
        await self._http.ask(server_of(session.config), "POST", "/api/sendSeen", body=body)

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        """Typing, or no longer."""
        body = {"session": name_of(session), "chatId": chat_of(chat)}
        path = "/api/startTyping" if typing else "/api/stopTyping"
        await self._http.ask(server_of(session.config), "POST", path, body=body)

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        """The address of a phone number, as WhatsApp spells it; both spellings of a Brazilian mobile are asked for."""
        try:
            likely = phone_spellings(digits)
        except InvalidInputError:
            return None
        server = server_of(session.config)
        for spelling in likely:
            params = {"phone": spelling, "session": name_of(session)}
            found = await self._http.ask(server, "GET", "/api/contacts/check-exists", params=params)
            if pick(found, "numberExists") is True:
                jid = read_jid(pick(found, "chatId"))
                address = jid.address() if jid else None
                return address or Address(AddressKind.PHONE, spelling)
        return None

    async def other_name(self, session: SessionRef, address: Address) -> Address | None:
        """The phone of a LID, the LID of a phone; None where WAHA knows none."""
        ways = {AddressKind.LID: ("", "pn"), AddressKind.PHONE: ("pn/", "lid")}
        if address.kind not in ways:
            return None
        way, wanted = ways[address.kind]
        path = f"/api/{step(name_of(session))}/lids/{way}{step(chat_of(address))}"
        server = server_of(session.config)
        answer = await self._http.exchange(server, "GET", path)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if not answer.is_success:
            raise refusal(server, answer)
        jid = read_jid(pick(answer.tidy(), wanted))
        found = jid.address() if jid else None
        return found if found is not None and found.kind is not address.kind else None

    async def history(
        self, session: SessionRef, *, since: datetime, chats: Sequence[Address]
    ) -> AsyncIterator[MessageReceived]:
        """What WAHA keeps of its own and of ``chats``, oldest first per chat."""
        server, name = server_of(session.config), name_of(session)
        listed = await waha_history.chats(self._http, server, name, since)
        for chat in dict.fromkeys([*listed, *chats]):
            phone = await self._phone_of(session, chat)
            async for message in waha_history.messages(self._http, server, name, chat, since):
                if phone is not None and phone not in (message.chat, *message.alternates):
                    yield replace(message, alternates=(*message.alternates, phone))
                else:
                    yield message

    async def _phone_of(self, session: SessionRef, chat: Address) -> Address | None:
        """The phone of a chat that is named by its LID, so that one person's chats meet; a courtesy."""
        try:
            return await self.other_name(session, chat) if chat.kind is AddressKind.LID else None
        except (GatewayRefusedError, GatewayUnavailableError):
            return None


def _is_our_reaction(body: object) -> bool:
    """A reaction that was sent through WAHA itself: not all engines named it when it was sent, so it would look like
    one of a person on the phone."""
    if pick(body, "event") != "message.reaction":
        return False
    return pick(body, "payload", "fromMe") is True and pick(body, "payload", "source") == "api"


def _id_in(answer: Any) -> str | None:
    """What an engine calls a message that it sent: the id stands in one of several places."""
    places = (pick(answer, "id"), pick(answer, "key"), pick(answer, "_data", "Info"), pick(answer, "_data", "key"))
    return next((key.id for place in (*places, pick(answer, "_data", "id")) if (key := read_key(place))), None)


def _allowed(url: str, base_url: str, media_base_url: object) -> str | None:
    """The address to fetch a file from; None for one that is neither WAHA's nor its storage's.

    WAHA names itself as WAHA_BASE_URL says, which is localhost unless somebody set it: the path is what counts.
    """
    try:
        parts = urlsplit(url)
        home = urlsplit(base_url)
        storage = urlsplit(str(media_base_url)) if media_base_url else None
    except ValueError:
        return None
    steps = parts.path.split("/")
    if ".." in steps or parts.username is not None:
        return None
    if storage is not None and (parts.scheme, parts.netloc) == (storage.scheme, storage.netloc):
        return url
    if _FILES in parts.path:
        query = f"?{parts.query}" if parts.query else ""
        return f"{base_url}{parts.path[parts.path.index(_FILES) :]}{query}"
    return url if (parts.scheme, parts.netloc) == (home.scheme, home.netloc) else None
