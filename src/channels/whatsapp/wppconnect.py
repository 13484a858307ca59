"""WPPConnect Server (https://github.com/wppconnect-team/wppconnect-server, 2.10) as a gateway.

A number's settings (``SessionRef.config``): ``base_url``, ``session`` (its name there), ``secret_key`` (the server's,
by which setting up makes itself the ``token`` of this session; either will do), ``webhook_secret`` and ``typing``
(false: never shown). The gateway signs nothing and sends no header of ours: the secret stands at the end of the
webhook's address. It never tries a delivery twice, so that reconciliation (``history``) is a need here.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
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
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind, MediaReference, Outbound, Sent, SessionStatus

from .envelope import pick
from .gateway_http import (
    LARGEST_MEDIA,
    GatewayHttp,
    Server,
    as_send_errors,
    base_url_of,
    key_of,
    refusal,
    sent_as,
)
from .ids import phone_spellings
from .waha_envelope import read_jid
from .wppconnect_chats import Chats, ask
from .wppconnect_events import parse
from .wppconnect_sending import PROVIDER, chat_id, check_done, is_misread, judge, named, request_for, target

REGISTERED = "registered_webhook"
"""Where setting up keeps the address that the session was started with: a session is told it only then."""

_STATUSES = {
    "CONNECTED": SessionStatus.CONNECTED,
    "INITIALIZING": SessionStatus.CONNECTING,
    "QRCODE": SessionStatus.AWAITING_QR,
    "PHONECODE": SessionStatus.AWAITING_QR,
    "CLOSED": SessionStatus.DISCONNECTED,
}
_LEFT_TO_DO = (
    "In WPPConnect's configuration set webhook.onSelfMessage to true, or what people type on the paired phone is seen "
    "only by reconciliation.",
    "In WPPConnect's configuration set webhook.readMessage to false, or every message is marked as read at once.",
    "In WPPConnect's configuration set webhook.autoDownload to false: Atende fetches files when it needs them.",
)


class WppconnectGateway:
    """One for all WPPConnect numbers of a process (see channels.gateway.Gateway)."""

    provider = PROVIDER
    idempotent = False
    retries: Retries = "never"
    content_types = frozenset({"media", "location", "contact", "reaction", "poll", "list", "edit", "revoke"})
    settings = (
        Setting("base_url", example="http://wppconnect:21465"),
        Setting("session", example="loja"),
        Setting("secret_key", required=False, secret=True, example="the value of SECRET_KEY"),
        Setting("token", required=False, secret=True),
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
        """Whether the delivery came to the address that only this gateway knows."""
        secret = config.get("webhook_secret")
        if not isinstance(secret, str) or not secret:
            return False
        return hmac.compare_digest(delivery.path_secret.encode("utf-8", "replace"), secret.encode())

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:
        """See wppconnect_events."""
        return parse(body, session)

    # Setting up and watching

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        """Make a token, and start the session with our webhook; one that runs with another is started again."""
        secret = str(session.config.get("webhook_secret") or "") or secrets.token_urlsafe(32)
        ending = f"/{quote(secret, safe='')}"
        url = webhook_url if webhook_url.endswith(ending) else f"{webhook_url.rstrip('/')}{ending}"
        token = await self._token(session)
        server, path = _server(session, token), _path(session)
        state = await self._state(server, path)
        if state in (None, "CLOSED") or session.config.get(REGISTERED) != url:
            if state not in (None, "CLOSED"):
                await ask(self._http, server, "POST", f"{path}/close-session")
            await self._start(server, path, url)
        return SetUp({"token": token, "webhook_secret": secret, REGISTERED: url}, _LEFT_TO_DO)

    async def _token(self, session: SessionRef) -> str:
        """The token we have, if the gateway takes it, or a new one. Tokens of a session do not end each other."""
        server, path = Server("WPPConnect", _base_url(session), key_name="secret_key or token"), _path(session)
        if session.config.get("token"):
            token = key_of(session.config, "token", server.name)
            answer = await self._http.exchange(_server(session, token), "GET", f"{path}/status-session")
            if answer.status != HTTPStatus.UNAUTHORIZED or not session.config.get("secret_key"):
                return token
        if not session.config.get("secret_key"):
            raise GatewayRefusedError(
                "This number has neither the secret_key of its WPPConnect server nor a token.", hint="Set secret_key."
            )
        key = quote(key_of(session.config, "secret_key", server.name), safe="")
        answer = await self._http.exchange(server, "POST", f"{path}/{key}/generate-token")
        if answer.status == HTTPStatus.BAD_REQUEST:
            raise GatewayRefusedError("WPPConnect refused our key (400).", hint="Check secret_key of this number.")
        if not answer.is_success:
            raise refusal(server, answer)
        token = pick(answer.tidy(), "token")
        if not isinstance(token, str) or not token:
            raise GatewayUnavailableError("WPPConnect gave no token.", hint="Check base_url.")
        return token

    async def _start(self, server: Server, path: str, url: object) -> None:
        # Without an address the gateway takes the one that it kept.
        body = {"webhook": url, "waitQrCode": False} if isinstance(url, str) and url else {}
        await ask(self._http, server, "POST", f"{path}/start-session", body=body)

    async def _state(self, server: Server, path: str) -> str | None:
        found = await ask(self._http, server, "GET", f"{path}/status-session")
        if not isinstance(found, dict) or "status" not in found:
            raise GatewayUnavailableError("WPPConnect does not tell the state of the session.")
        state = found["status"]
        return state if isinstance(state, str) else None

    async def status(self, session: SessionRef) -> SessionChanged:
        """How the session is, with the newest code while it waits for one."""
        server, path, now = _server(session), _path(session), datetime.now(UTC)
        found = await ask(self._http, server, "GET", f"{path}/status-session")
        state, code = pick(found, "status"), pick(found, "urlcode")
        if not isinstance(found, dict) or "status" not in found:
            raise GatewayUnavailableError("WPPConnect does not tell the state of the session.")
        status = _STATUSES.get(state, SessionStatus.UNKNOWN) if isinstance(state, str) else SessionStatus.DISCONNECTED
        if status is SessionStatus.AWAITING_QR:
            return SessionChanged(status, now, qr=code if isinstance(code, str) and code else None)
        if status is not SessionStatus.CONNECTED:
            unknown = f"WPPConnect reports the state {str(state)[:100]}." if status is SessionStatus.UNKNOWN else ""
            return SessionChanged(status, now, unknown)
        # It says CONNECTED also where its browser is gone.
        alive = await ask(self._http, server, "GET", f"{path}/check-connection-session")
        if pick(alive, "status") is not True:
            return SessionChanged(SessionStatus.DISCONNECTED, now, "WPPConnect lost its browser: restart the number.")
        return SessionChanged(status, now, account=None if session.account else await self._account(server, path))

    async def _account(self, server: Server, path: str) -> str | None:
        """The paired number's JID: no webhook tells it."""
        with suppress(GatewayRefusedError, GatewayUnavailableError):
            jid = read_jid(pick(await ask(self._http, server, "GET", f"{path}/get-phone-number"), "response"))
            if jid:
                return str(jid)
        return None

    async def control(self, session: SessionRef, wish: Wish) -> None:
        """Start, stop, restart, log out or delete the session."""
        server, path = _server(session), _path(session)
        if wish in ("stop", "restart") and await self._state(server, path) not in (None, "CLOSED"):
            await ask(self._http, server, "POST", f"{path}/close-session")
        if wish in ("start", "restart"):
            await self._start(server, path, session.config.get(REGISTERED))
        if wish in ("logout", "delete"):
            # The gateway forgets the session with it. 404: it does not run, so that there is nothing to log out.
            answer = await self._http.exchange(server, "POST", f"{path}/logout-session")
            if not answer.is_success and answer.status != HTTPStatus.NOT_FOUND:
                raise refusal(server, answer)

    # Sending

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Send one message. Raises SendRejectedError, SendRetryableError or SendUncertainError, nothing else."""
        deadline = asyncio.get_running_loop().time() + self.send_timeout_seconds * 0.95
        with as_send_errors():
            server, path = _server(session), _path(session)
        chat = chat_id(message.to)

        async def find(provider_id: str, from_me: bool) -> str | None:
            return await Chats(self._http, server, path).long_id(chat, provider_id, from_me=from_me)

        try:
            async with asyncio.timeout(self.send_timeout_seconds / 2):
                request = await request_for(message, self._media, find)
        except TimeoutError as error:
            raise SendRetryableError("WPPConnect takes too long to look up what the message is about.") from error
        if session.config.get("typing", True) not in (False, "false") and message.typing_seconds > 0:
            await self._seem_to_type(session, message.to, min(message.typing_seconds, self.send_timeout_seconds / 3))
        found = await self._http.hand_over(
            server, "POST", f"{path}/{request.path}", request.body, deadline=deadline, judge=judge
        )
        if request.id_is_ours:
            check_done(found)
            return sent_as(server, f"{request.path}-{message.key}")
        return sent_as(server, named(found))

    async def _seem_to_type(self, session: SessionRef, to: Address, seconds: float) -> None:
        """A courtesy: whatever goes wrong with it, the message itself is sent all the same."""
        with suppress(GatewayRefusedError, GatewayUnavailableError, SendRejectedError):
            await self.show_typing(session, to, typing=True)
            await asyncio.sleep(seconds)
            await self.show_typing(session, to, typing=False)

    # Courtesies, files, numbers, history

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        """A customer's file: from the gateway's own store if it keeps one, else through WhatsApp Web."""
        server = _server(session)
        if media.url:
            try:
                file = await self._http.download(server, media.url)
                return File(file.data, media.mime_type or file.mime_type, media.file_name or "")
            except GatewayRefusedError:
                pass  # addresses of the store expire
        name = media.extra.get("message_id")
        if not isinstance(name, str) or not name:
            raise GatewayRefusedError("This file cannot be asked for: its message is not known.")
        path = f"{_path(session)}/get-media-by-message/{quote(name, safe='')}"
        found = await ask(self._http, server, "GET", path, longest=LARGEST_MEDIA * 4 // 3 + 4096)
        encoded = pick(found, "base64")
        try:
            data = base64.b64decode(encoded.rpartition(",")[2], validate=True) if isinstance(encoded, str) else b""
        except binascii.Error:
            data = b""
        if not data:
            raise GatewayUnavailableError("WPPConnect gave no file for this message.", hint="Try again later.")
        mime = pick(found, "mimetype")
        return File(data, media.mime_type or (mime if isinstance(mime, str) else ""), media.file_name or "")

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        """Blue ticks for the whole chat: the gateway knows no single messages here."""
        if provider_ids:
            await ask(self._http, _server(session), "POST", f"{_path(session)}/send-seen", body=_target(chat))

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        """Shown until it is taken back or a message is sent."""
        if is_misread(chat):
            raise NotOfferedError(PROVIDER, "Typing to somebody whose phone number is not known")
        await ask(
            self._http, _server(session), "POST", f"{_path(session)}/typing", body={**_target(chat), "value": typing}
        )

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        """The address of a number on WhatsApp. Brazilian mobiles are asked for with and without their ninth digit."""
        try:
            spellings = phone_spellings(digits)
        except InvalidInputError:
            return None
        for spelling in spellings:
            found = await ask(self._http, _server(session), "GET", f"{_path(session)}/check-number-status/{spelling}")
            exists = pick(found, "response", "numberExists")
            if not isinstance(exists, bool):
                raise GatewayUnavailableError("WPPConnect does not tell whether the number is on WhatsApp.")
            jid = read_jid(pick(found, "response", "id")) if exists else None
            address = jid.address() if jid else None
            if address and address.kind is not AddressKind.GROUP:
                return address
        return None

    async def history(
        self, session: SessionRef, *, since: datetime, chats: Sequence[Address]
    ) -> AsyncIterator[MessageReceived]:
        """What WhatsApp Web knows from ``since`` on: of all chats with news, or of ``chats`` where it lists none."""
        kept = Chats(self._http, _server(session), _path(session))
        for chat in await kept.with_news(since, chats):
            for message in await kept.messages_since(session, chat, since):
                yield message


def _base_url(session: SessionRef) -> str:
    return base_url_of(session.config, "WPPConnect", "http://wppconnect:21465")


def _server(session: SessionRef, token: str | None = None) -> Server:
    url = _base_url(session)
    if token is None:
        if not session.config.get("token"):
            raise GatewayRefusedError("This number has no token of its WPPConnect server.", hint="Set the number up.")
        token = key_of(session.config, "token", "WPPConnect")
    return Server("WPPConnect", url, {"Authorization": f"Bearer {token}"}, "secret_key or token")


def _path(session: SessionRef) -> str:
    """Where the session's routes begin. Raises GatewayRefusedError where its name is missing."""
    name = session.config.get("session")
    # What follows a colon in it would be taken for a token.
    if not isinstance(name, str) or not name.strip() or ":" in name or name in (".", ".."):
        raise GatewayRefusedError("This number has no session at WPPConnect.", hint="Set session to its name there.")
    return f"/api/{quote(name, safe='')}"


def _target(chat: Address) -> dict[str, Any]:
    try:
        return target(chat)
    except SendRejectedError as error:
        raise GatewayRefusedError(str(error), hint=error.hint) from error
