"""Any service that speaks docs/generic-webhook.md: a microservice of the business's own in front of WhatsApp.

It signs its events; we send with ``Authorization: Bearer``, name the tenant in ``X-Tenant-Id`` and every message by
``Idempotency-Key``. Only sending is required of it: whatever else it lacks it answers with 404, 405 or 501.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from channels.base import (
    ChannelEvent,
    MessageReceived,
    SendRejectedError,
    SendRetryableError,
    SessionChanged,
    SessionRef,
)
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
from domain.contents import LinkPreview, Media, Template
from domain.messages import Address, AddressKind, MediaReference, Outbound, Sent, SessionStatus

from .envelope import pick
from .gateway_http import (
    LARGEST_MEDIA,
    LONGEST_ANSWER,
    LONGEST_LIST,
    Answer,
    GatewayHttp,
    SendError,
    Server,
    as_send_errors,
    base_url_of,
    explanation,
    key_of,
    read_file,
    refusal,
    retry_after,
    sent_as,
)
from .generic_webhook_events import parse, read_address, read_message, read_state, verify
from .waha_envelope import read_time

PROVIDER = "webhook"
NAME = "The service"
_NAMES = {AddressKind.PHONE: "phone", AddressKind.LID: "lid", AddressKind.GROUP: "group"}
_MISSING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_MOST_PAGES = 1000
_PRESENCE_SECONDS = 2.0
_SHARE_OF_TIMEOUT = 0.95


class GenericWebhookGateway:
    """The generic contract for all numbers of a process (see channels.gateway.Gateway)."""

    provider = PROVIDER
    settings: tuple[Setting, ...] = (
        Setting("base_url", example="https://whatsapp.internal.example/api"),
        Setting("api_key", secret=True),
        Setting("webhook_secret", secret=True, made=True),
        Setting("tenant", required=False, default="default", example="loja-aurora"),
        Setting("session", required=False, default="default", example="vendas"),
    )
    content_types = frozenset({"media", "location", "contact", "reaction", "poll", "buttons", "list", "edit", "revoke"})
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
        """Standard Webhooks, or a plain HMAC-SHA256, with ``webhook_secret``."""
        return verify(config.get("webhook_secret"), delivery.raw_body, delivery.headers)

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:  # noqa: ARG002
        """All that a delivery says."""
        return parse(body)

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Send one message. Raises SendRejectedError, SendRetryableError or SendUncertainError, nothing else."""
        deadline = asyncio.get_running_loop().time() + self.send_timeout_seconds * _SHARE_OF_TIMEOUT
        with as_send_errors():
            server, path = _server(session), _path(session)
        body = await self._body(message)
        if message.typing_seconds > 0:
            await self._type(session, message)
        named = Server(server.name, server.base_url, {**server.headers, "Idempotency-Key": _header(message.key)})
        answer = await self._http.hand_over(named, "POST", f"{path}/messages", body, deadline=deadline, judge=_judge)
        provider_id = pick(answer, "id")
        return sent_as(server, provider_id if isinstance(provider_id, str) else None, pick(answer, "timestamp"))

    async def _body(self, message: Outbound) -> dict[str, Any]:
        to = _NAMES.get(message.to.kind)
        if to is None:
            raise SendRejectedError(f"{message.to} is not an address on WhatsApp.")
        body: dict[str, Any] = {"key": message.key, "to": {to: message.to.value}, "type": "text", "text": message.text}
        if message.quoted_provider_id:
            body["quoted"] = {"id": message.quoted_provider_id, "from_me": message.quoted_from_me}
        match message.content:
            case None:
                return body
            case Template() | LinkPreview():
                raise NotOfferedError(PROVIDER, f"A {message.content.type.replace('_', ' ')}")
            case Media() as media:
                file = await read_file(self._media, media)
                if len(file.data) > LARGEST_MEDIA:
                    raise SendRejectedError(f"The file is larger than {LARGEST_MEDIA} bytes.")
                facts = {"mime_type": media.mime_type, "file_name": media.file_name}
                data = base64.b64encode(file.data).decode()
                return {**body, "type": media.kind, "media": {**facts, "data": data}}
            case content:
                fields = {name: value for name, value in asdict(content).items() if name != "type"}
                if "provider_id" in fields:
                    fields["message_id"] = fields.pop("provider_id")
                return {**body, "type": content.type, content.type: fields}

    async def _type(self, session: SessionRef, message: Outbound) -> None:
        """A courtesy: whatever goes wrong with it, the message itself is sent all the same."""
        try:
            async with asyncio.timeout(_PRESENCE_SECONDS):
                await self.show_typing(session, message.to, typing=True)
        except (TimeoutError, GatewayRefusedError, GatewayUnavailableError, NotOfferedError):
            return
        await asyncio.sleep(min(message.typing_seconds, self.send_timeout_seconds / 3))

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        """Tell the service the number's webhook and its secret, where it takes that."""
        webhook = {"url": webhook_url, "secret": str(session.config.get("webhook_secret") or "")}
        try:
            await self._ask(session, "PUT", "", what="Setting up", body={"webhook": webhook})
        except NotOfferedError:
            todo = f"Configure the service to send its events to {webhook_url}, signed with webhook_secret."
            return SetUp(left_to_do=(todo,))
        return SetUp()

    async def status(self, session: SessionRef) -> SessionChanged:
        """How the service says the number is; unknown where it has no answer to that."""
        try:
            told = await self._ask(session, "GET", "", what="A status")
        except NotOfferedError:
            return SessionChanged(SessionStatus.UNKNOWN, datetime.now(UTC), "The service tells no status.")
        state = read_state(told, datetime.now(UTC)) if isinstance(told, dict) else None
        if state is None:
            raise GatewayUnavailableError(f"{NAME} answered without a status.")
        return state

    async def control(self, session: SessionRef, wish: Wish) -> None:
        """Start, stop, restart, log out or delete the number there."""
        if wish == "delete":
            await self._ask(session, "DELETE", "", what="Deleting a number")
        else:
            await self._ask(session, "POST", f"/{wish}", what=f"To {wish} a number", body={})

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        """From the address that the event named (our key goes only to the service itself), or by the file's id."""
        server = _server(session)
        if media.url:
            url = media.url if "://" in media.url else f"{server.base_url}/{media.url.lstrip('/')}"
        elif isinstance(media_id := media.extra.get("id"), str) and media_id:
            url = f"{server.base_url}{_path(session)}/media/{quote(media_id, safe='')}"
        else:
            raise GatewayRefusedError("This file has neither an address nor an id.", hint="Look at it on the phone.")
        file = await self._http.download(server, url)
        return File(file.data, media.mime_type or file.mime_type, media.file_name or "")

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        """Show the customer that messages were read."""
        body = {"chat": _named(chat), "ids": list(provider_ids)}
        await self._ask(session, "POST", "/read", what="Marking as read", body=body)

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        """Show or stop showing "typing…"."""
        body = {"chat": _named(chat), "typing": typing}
        await self._ask(session, "POST", "/typing", what="Showing typing", body=body)

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        """The address of a phone number on WhatsApp; None where it has none."""
        told = await self._ask(session, "GET", f"/contacts/{quote(digits, safe='')}", what="Checking a number")
        exists = pick(told, "exists")
        if not isinstance(exists, bool):
            raise GatewayUnavailableError(f"{NAME} did not tell whether {digits} is on WhatsApp.")
        if not exists:
            return None
        return read_address(pick(told, "chat")) or Address(AddressKind.PHONE, digits)

    async def history(
        self,
        session: SessionRef,
        *,
        since: datetime,
        chats: Sequence[Address],  # noqa: ARG002  the service lists all chats
    ) -> AsyncIterator[MessageReceived]:
        """Messages from ``since`` on, page by page, oldest first."""
        cursor = ""
        for _ in range(_MOST_PAGES):
            params = {"since": since.astimezone(UTC).isoformat(), **({"cursor": cursor} if cursor else {})}
            page = await self._ask(session, "GET", "/messages", what="Reading past messages", params=params)
            items, following = pick(page, "messages"), pick(page, "next")
            if not isinstance(items, list):
                raise GatewayUnavailableError(f"{NAME} answered without a list of messages.")
            for item in items:
                at = read_time(pick(item, "timestamp")) or datetime.now(UTC)
                message = read_message(item, at) if isinstance(item, dict) else None
                if message is not None and message.sent_at >= since:
                    yield message
            if not isinstance(following, str) or not following or following == cursor:
                return
            cursor = following

    async def _ask(
        self,
        session: SessionRef,
        method: str,
        path: str,
        *,
        what: str,
        body: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON. Raises NotOfferedError where the service has no such path."""
        server, longest = _server(session), LONGEST_LIST if method == "GET" else LONGEST_ANSWER
        answer = await self._http.exchange(
            server, method, f"{_path(session)}{path}", body=body, params=params, longest=longest
        )
        if answer.status in _MISSING or pick(answer.tidy(), "error", "code") == "not_offered":
            raise NotOfferedError(PROVIDER, what)
        if not answer.is_success:
            raise refusal(server, answer)
        return answer.tidy()


def _judge(answer: Answer) -> SendError | None:
    """What the contract's own error codes mean; without one the general rules of HTTP hold."""
    code = pick(answer.tidy(), "error", "code")
    if answer.is_success or not isinstance(code, str):
        return NotOfferedError(PROVIDER, "This") if answer.status == HTTPStatus.NOT_IMPLEMENTED else None
    said = f"{NAME} did not take the message ({code[:50]}){explanation(answer.tidy())}"
    match code:
        case "not_offered":
            return NotOfferedError(PROVIDER, "This kind of message")
        case "rejected" | "invalid_recipient":
            return SendRejectedError(said)
        case "unavailable" | "session_not_connected" | "rate_limited":
            return SendRetryableError(said, after_seconds=retry_after(answer.headers))
        case _:
            return None


def _server(session: SessionRef) -> Server:
    key = key_of(session.config, "api_key", NAME)
    headers = {
        "Authorization": f"Bearer {key}",
        "X-Tenant-Id": _header(str(session.config.get("tenant") or "default")),
    }
    return Server(NAME, base_url_of(session.config, NAME, "https://whatsapp.internal.example/api"), headers)


def _path(session: SessionRef) -> str:
    return f"/sessions/{quote(str(session.config.get('session') or 'default'), safe='')}"


def _header(value: str) -> str:
    """Text that can stand in a header whatever it is."""
    return value if value.isascii() and value.isprintable() else quote(value, safe="")


def _named(chat: Address) -> dict[str, str]:
    name = _NAMES.get(chat.kind)
    if name is None:
        raise GatewayRefusedError(f"{chat} is not an address on WhatsApp.")
    return {name: chat.value}
