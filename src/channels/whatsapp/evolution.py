"""Evolution API (https://github.com/evolution-foundation/evolution-api, 2.3.x) as a gateway.

A number's settings (``SessionRef.config``): ``base_url`` and ``api_key`` (the server's global key, or the instance's
own where the instance exists already), ``instance`` (its name there), ``webhook_secret`` and ``typing`` (false: never
shown). The gateway signs nothing: it sends back a header that we register, or, where somebody configured ``jwt_key``,
a short-lived token made with the same secret. Neither is bound to the body.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from channels.base import ChannelEvent, MessageReceived, SendRejectedError, SessionChanged, SessionRef
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
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind, MediaReference, Outbound, Sent, SessionStatus

from .envelope import pick
from .evolution_events import parse, parse_message
from .evolution_sending import PROVIDER, chat_jid, judge, request_for
from .gateway_http import (
    LARGEST_MEDIA,
    LONGEST_ANSWER,
    LONGEST_LIST,
    GatewayHttp,
    NoAnswerError,
    Server,
    as_send_errors,
    base_url_of,
    explanation,
    key_of,
    refusal,
    sent_as,
)
from .ids import phone_spellings
from .json_web_token import is_valid
from .waha_envelope import read_jid

HEADER = "x-atende-secret"
EVENTS = (
    "QRCODE_UPDATED",
    "MESSAGES_UPSERT",
    "MESSAGES_EDITED",
    "MESSAGES_UPDATE",
    "MESSAGES_DELETE",
    "SEND_MESSAGE",
    "SEND_MESSAGE_UPDATE",
    "CONNECTION_UPDATE",
    "CALL",
    "PRESENCE_UPDATE",
    "STATUS_INSTANCE",
    "LOGOUT_INSTANCE",
    "REMOVE_INSTANCE",
    "INSTANCE_DELETE",
)

_TOKEN_LEEWAY_SECONDS = 1800
"""The gateway makes the token once and then tries the delivery for up to half an hour; the token lives ten minutes."""

_STATES = {
    "open": SessionStatus.CONNECTED,
    "connecting": SessionStatus.CONNECTING,
    "close": SessionStatus.DISCONNECTED,
}
_TYPING_MILLISECONDS, _TYPING_PATIENCE_SECONDS = 10_000, 2.0
_PAGE, _MOST_PAGES = 100, 200


class EvolutionGateway:
    """One for all Evolution numbers of a process (see channels.gateway.Gateway)."""

    provider = PROVIDER
    idempotent = False
    retries: Retries = "not_on_4xx"
    content_types = frozenset({"media", "location", "contact", "reaction", "poll", "buttons", "list", "edit", "revoke"})
    settings = (
        Setting("base_url", example="http://evolution:8080"),
        Setting("api_key", secret=True, example="the value of AUTHENTICATION_API_KEY"),
        Setting("instance", example="loja"),
        Setting("webhook_secret", secret=True, made=True),
        Setting("typing", required=False, default="true"),
    )

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
        """Whether the delivery carries our header, or a token signed with the same secret."""
        secret = config.get("webhook_secret")
        if not isinstance(secret, str) or not secret:
            return False
        known = secret.encode("utf-8", "replace")
        stated = delivery.headers.get(HEADER, "")
        scheme, _, token = delivery.headers.get("authorization", "").strip().partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        same = [hmac.compare_digest(given.encode("utf-8", "replace"), known) for given in (stated, bearer)]
        return any([*same, is_valid(bearer, known, leeway_seconds=_TOKEN_LEEWAY_SECONDS)])

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:
        """See evolution_events."""
        return parse(body, session)

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        """Create the instance where it is missing, start it where it is closed, and register our webhook."""
        server, instance = _server(session), _instance(session)
        stated = session.config.get("webhook_secret")
        secret = key_of(session.config, "webhook_secret", server.name) if stated else secrets.token_urlsafe(32)
        done = SetUp({"webhook_secret": secret})
        webhook = {
            "enabled": True,
            "url": webhook_url,
            "headers": {"X-Atende-Secret": secret},
            "byEvents": False,
            "base64": False,
            "events": list(EVENTS),
        }
        state = await self._state(session)
        if state is None and await self._create(server, session, webhook):
            return done
        await self._ask(server, "POST", f"/webhook/set/{instance}", body={"webhook": webhook})
        if state == "close":
            await self._ask(server, "GET", f"/instance/connect/{instance}")
        return done

    async def _create(self, server: Server, session: SessionRef, webhook: Mapping[str, Any]) -> bool:
        """Whether the instance was created; False where somebody else just did."""
        body = {
            "instanceName": session.config["instance"],
            "integration": "WHATSAPP-BAILEYS",
            "qrcode": True,
            "webhook": webhook,
        }
        answer = await self._http.exchange(server, "POST", "/instance/create", body=body)
        if answer.is_success:
            return True
        if answer.status == HTTPStatus.FORBIDDEN and "in use" in explanation(answer.tidy()):
            return False
        raise refusal(server, answer)

    async def _state(self, session: SessionRef) -> str | None:
        """The connection's state there; None where there is no such instance."""
        server = _server(session)
        answer = await self._http.exchange(server, "GET", f"/instance/connectionState/{_instance(session)}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if not answer.is_success:
            raise refusal(server, answer)
        body = answer.tidy()
        if not isinstance(pick(body, "instance"), dict):
            raise GatewayUnavailableError(f"{server.name} does not tell the state of the instance.")
        state = pick(body, "instance", "state")
        return state if isinstance(state, str) else "close"  # known to its database, not loaded

    async def status(self, session: SessionRef) -> SessionChanged:
        """How the instance is, with the newest code while it waits for one."""
        state, now = await self._state(session), datetime.now(UTC)
        if state is None:
            return SessionChanged(SessionStatus.DISCONNECTED, now, "Evolution has no such instance: set it up.")
        if state == "connecting":
            found = await self._ask(_server(session), "GET", f"/instance/connect/{_instance(session)}")
            code = pick(found, "code") or pick(found, "qrcode", "code")
            if isinstance(code, str) and code:
                return SessionChanged(SessionStatus.AWAITING_QR, now, qr=code)
        status = _STATES.get(state, SessionStatus.UNKNOWN)
        unknown = f"Evolution reports the state {state[:100]}." if status is SessionStatus.UNKNOWN else ""
        is_new = status is SessionStatus.CONNECTED and session.account is None
        return SessionChanged(status, now, unknown, account=await self._account(session) if is_new else None)

    async def _account(self, session: SessionRef) -> str | None:
        """The paired number's JID, for installations that no webhook reaches."""
        with suppress(GatewayRefusedError, GatewayUnavailableError):
            path = f"/instance/fetchInstances?instanceName={_instance(session)}"
            listed = await self._ask(_server(session), "GET", path, longest=LONGEST_LIST)
            owner = pick(listed[0], "ownerJid") if isinstance(listed, list) and listed else None
            if jid := read_jid(owner):
                return str(jid)
        return None

    async def control(self, session: SessionRef, wish: Wish) -> None:
        """Start, restart, log out or delete the instance. It cannot be stopped without logging out."""
        server, instance = _server(session), _instance(session)
        match wish:
            case "start":
                await self._ask(server, "GET", f"/instance/connect/{instance}")
            case "restart":
                running = await self._state(session) not in (None, "close")
                method, path = ("POST", "restart") if running else ("GET", "connect")
                await self._ask(server, method, f"/instance/{path}/{instance}")
            case "logout" | "delete":
                answer = await self._http.exchange(server, "DELETE", f"/instance/{wish}/{instance}")
                done = wish == "delete" and answer.status == HTTPStatus.NOT_FOUND
                if not answer.is_success and not done and "not connected" not in explanation(answer.tidy()):
                    raise refusal(server, answer)
            case "stop":
                raise NotOfferedError(PROVIDER, "Stopping a number without logging it out")

    async def _ask(
        self, server: Server, method: str, path: str, *, body: Any = None, longest: int = LONGEST_ANSWER
    ) -> Any:
        """As GatewayHttp.ask, but this gateway also says 200 with ``{"error": true}``."""
        found = await self._http.ask(server, method, path, body=body, longest=longest)
        if isinstance(found, dict) and found.get("error") is True:
            raise GatewayRefusedError(f"{server.name} refuses{explanation(found)}.")
        return found

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Send one message. Raises SendRejectedError, SendRetryableError or SendUncertainError, nothing else."""
        deadline = asyncio.get_running_loop().time() + self.send_timeout_seconds * 0.95
        with as_send_errors():
            server, instance = _server(session), _instance(session)
        try:
            shown = session.config.get("typing", True) not in (False, "false")
            seconds = min(max(message.typing_seconds, 0.0), self.send_timeout_seconds / 3) if shown else 0.0
            request = await request_for(message, self._media, delay_ms=round(seconds * 1000))
        except InvalidInputError as error:
            raise SendRejectedError(f"{error}.", hint="Answer on the channel it came from.") from error
        path = f"{request.path}/{instance}"
        found = await self._http.hand_over(server, request.method, path, request.body, deadline=deadline, judge=judge)
        name = pick(found, "key", "id")
        is_ours = isinstance(name, str) and pick(found, "key", "fromMe") is not False
        return sent_as(server, name if is_ours else None, pick(found, "messageTimestamp"))

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        """A customer's file: from the gateway's own store if it keeps one, else through the gateway from WhatsApp."""
        server = _server(session)
        if media.url:
            try:
                file = await self._http.download(server, media.url)
                return File(file.data, media.mime_type or file.mime_type, media.file_name or "")
            except GatewayRefusedError:
                pass  # addresses of the store expire
        key, content = pick(media.extra, "key"), pick(media.extra, "message")
        if not isinstance(pick(key, "id"), str):
            raise GatewayRefusedError("This file cannot be asked for: its message is not known.")
        message = {"key": key, **({"message": content} if isinstance(content, dict) and content else {})}
        path = f"/chat/getBase64FromMediaMessage/{_instance(session)}"
        body = {"message": message, "convertToMp4": False}
        found = await self._ask(server, "POST", path, body=body, longest=LARGEST_MEDIA * 4 // 3 + 4096)
        encoded = pick(found, "base64")
        try:
            data = base64.b64decode(encoded, validate=True) if isinstance(encoded, str) else b""
        except binascii.Error:
            data = b""
        if not data:
            raise GatewayUnavailableError(f"{server.name} gave no file for this message.", hint="Try again later.")
        mime, name = pick(found, "mimetype"), pick(found, "fileName")
        return File(
            data,
            media.mime_type or (mime if isinstance(mime, str) else ""),
            media.file_name or (name if isinstance(name, str) else ""),
        )

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        """Blue ticks. Evolution leaves out chats that it knows by LID only."""
        if not provider_ids:
            return
        keys = [{"remoteJid": _jid(chat), "fromMe": False, "id": name} for name in dict.fromkeys(provider_ids)]
        path = f"/chat/markMessageAsRead/{_instance(session)}"
        await self._ask(_server(session), "POST", path, body={"readMessages": keys})

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        """Shown for ten seconds at most. The gateway answers only when they are over; nobody waits for that."""
        milliseconds, presence = (_TYPING_MILLISECONDS, "composing") if typing else (0, "paused")
        body = {"number": _jid(chat), "presence": presence, "delay": milliseconds}
        server, path = _server(session), f"/chat/sendPresence/{_instance(session)}"
        try:
            answer = await self._http.exchange(server, "POST", path, body=body, seconds=_TYPING_PATIENCE_SECONDS)
        except NoAnswerError:
            return
        if not answer.is_success:
            raise refusal(server, answer)

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        """The address of a number on WhatsApp. Brazilian mobiles are asked for with and without their ninth digit."""
        try:
            numbers = [f"{spelling}@s.whatsapp.net" for spelling in phone_spellings(digits)]
        except InvalidInputError:
            return None
        path = f"/chat/whatsappNumbers/{_instance(session)}"
        found = await self._ask(_server(session), "POST", path, body={"numbers": numbers})
        if not isinstance(found, list):
            raise GatewayUnavailableError("Evolution does not tell whether the number is on WhatsApp.")
        existing = {item.get("number"): item for item in found if isinstance(item, dict) and item.get("exists") is True}
        for number in numbers:
            jid = read_jid(pick(existing.get(number), "jid"))
            address = jid.address() if jid else None
            if address and address.kind is not AddressKind.GROUP:
                return address
        return None

    async def history(
        self,
        session: SessionRef,
        *,
        since: datetime,
        chats: Sequence[Address],  # noqa: ARG002  the gateway lists all by itself
    ) -> AsyncIterator[MessageReceived]:
        """What the gateway's own database kept from ``since`` on, of all chats, oldest first."""
        server, path, now = _server(session), f"/chat/findMessages/{_instance(session)}", datetime.now(UTC)
        limits = {"gte": since.astimezone(UTC).isoformat(), "lte": (now + timedelta(minutes=5)).isoformat()}
        found: dict[tuple[Address, str], MessageReceived] = {}
        for page in range(1, _MOST_PAGES + 1):
            body = {"where": {"messageTimestamp": limits}, "page": page, "offset": _PAGE}
            listed = await self._ask(server, "POST", path, body=body, longest=LONGEST_LIST)
            records = pick(listed, "messages", "records")
            if not isinstance(records, list):
                raise GatewayUnavailableError(f"{server.name} does not list its messages.")
            messages = [one for record in records if (one := parse_message(record, session, received_at=now))]
            for message in messages:
                if message.sent_at >= since:
                    found.setdefault((message.chat, message.provider_id), message)
            pages = pick(listed, "messages", "pages")
            # Newest first: a server that does not know the limits is not read to its first day.
            is_past = bool(messages) and all(one.sent_at < since for one in messages)
            if not records or is_past or not isinstance(pages, int) or page >= pages:
                break
        for message in sorted(found.values(), key=lambda one: one.sent_at):
            yield message


def _server(session: SessionRef) -> Server:
    url = base_url_of(session.config, "Evolution", "http://evolution:8080")
    return Server("Evolution", url, {"apikey": key_of(session.config, "api_key", "Evolution")})


def _instance(session: SessionRef) -> str:
    """The instance's name as a part of a path. Raises GatewayRefusedError where it is missing."""
    name = session.config.get("instance")
    if not isinstance(name, str) or not name.strip() or name in (".", ".."):
        raise GatewayRefusedError("This number has no instance at Evolution.", hint="Set instance to its name there.")
    return quote(name, safe="")


def _jid(chat: Address) -> str:
    try:
        return chat_jid(chat)
    except InvalidInputError as error:
        raise GatewayRefusedError(f"{error}.") from error
