"""WhatsApp's own Cloud API (Meta Graph v25.0) as a gateway.

No sessions and no QR codes: the number is registered in WhatsApp Manager, and a token stands for it. Free messages
may be sent for 24 hours after the customer's last one, templates at any time (flows/templates.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from channels.base import ChannelEvent, MessageReceived, PairRate, SendRetryableError, SessionChanged, SessionRef
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
from domain.messages import Address, MediaReference, Outbound, Sent, SessionStatus

from .cloud_api_errors import NAME, judge, judge_upload, refusal
from .cloud_api_events import parse
from .cloud_api_requests import PROVIDER, check_file, request_of
from .cloud_api_templates import Definition, list_definitions
from .cloud_api_webhook import signed
from .envelope import pick
from .gateway_http import (
    LARGEST_MEDIA,
    LONGEST_LIST,
    Answer,
    GatewayHttp,
    Server,
    as_send_errors,
    base_url_of,
    key_of,
    read_file,
    sent_as,
)

BASE_URL = "https://graph.facebook.com/v25.0"
WEBHOOK_FIELDS = (
    "messages",
    "smb_message_echoes",
    "history",
    "account_update",
    "phone_number_quality_update",
    "message_template_status_update",
    "message_template_quality_update",
    "template_category_update",
)
_STATUS_FIELDS = (
    "display_phone_number,verified_name,status,quality_rating,name_status,code_verification_status,platform_type,"
    "account_mode,health_status"
)
_STATUSES = {
    "CONNECTED": SessionStatus.CONNECTED,
    "PENDING": SessionStatus.CONNECTING,
    "MIGRATED": SessionStatus.DISCONNECTED,
    "OFFLINE": SessionStatus.DISCONNECTED,
    "DISCONNECTED": SessionStatus.DISCONNECTED,
    "UNVERIFIED": SessionStatus.DISCONNECTED,
    "FLAGGED": SessionStatus.RESTRICTED,
    "RATE_LIMITED": SessionStatus.RESTRICTED,
    "RESTRICTED": SessionStatus.RESTRICTED,
    "BANNED": SessionStatus.RESTRICTED,
    "DELETED": SessionStatus.ERROR,
}
_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_MEDIA_HOSTS = ("fbsbx.com", "fbcdn.net", "whatsapp.net", "facebook.com", "whatsapp.com")
_REMEMBERED_CHATS = 10_000
_MOST_READ = 20
_SHARE_OF_TIMEOUT = 0.95


class CloudApiGateway:
    """The Cloud API for all numbers of a process (see channels.gateway.Gateway)."""

    provider = PROVIDER
    settings: tuple[Setting, ...] = (
        Setting("phone_number_id", example="106540352242922"),
        Setting("waba_id", example="102290129340398"),
        Setting("access_token", secret=True),
        Setting("app_secret", secret=True),
        Setting("verify_token", secret=True, made=True),
        Setting("base_url", required=False, default=BASE_URL, example=BASE_URL),
    )
    content_types = frozenset({"media", "location", "contact", "reaction", "buttons", "list", "template"})
    retries: Retries = "on_any_failure"
    idempotent = False
    pair_rate = PairRate(burst=45, seconds=6.0)

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
        self._last_read: OrderedDict[tuple[str, Address], str] = OrderedDict()

    def verify(self, config: Mapping[str, Any], delivery: WebhookDelivery) -> bool:
        """Meta signs with the app's secret, for all numbers of the app."""
        secret = config.get("app_secret")
        return isinstance(secret, str) and signed(secret, delivery.raw_body, delivery.headers)

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:
        """What a delivery says about this number; what is another number's is kept as Unrecognised."""
        number = session.config.get("phone_number_id")
        return parse(body, number=str(number) if isinstance(number, str | int) else "")

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Send one message. Raises SendRejectedError, SendRetryableError or SendUncertainError, nothing else."""
        deadline = asyncio.get_running_loop().time() + self.send_timeout_seconds * _SHARE_OF_TIMEOUT
        with as_send_errors():
            server, number = _server(session), _id_of(session, "phone_number_id")
        body, media_id = request_of(message, "checked first"), None
        if isinstance(message.content, Media):
            media_id = await self._upload(server, number, message.content, deadline)
            body = request_of(message, media_id)
        if message.typing_seconds > 0 and session.config.get("typing", True) is not False:
            await self._type(session, message)
        answer = await self._http.hand_over(server, "POST", f"/{number}/messages", body, deadline=deadline, judge=judge)
        items = _list(pick(answer, "messages"))
        named = pick(items[0], "id") if items else None
        return sent_as(server, named if isinstance(named, str) else None)

    async def _upload(self, server: Server, number: str, media: Media, deadline: float) -> str:
        """Meta's id for a file. Whatever goes wrong here, no message has left."""
        file = await read_file(self._media, media)
        mime = check_file(media, file)
        name = re.sub(r"[^\w.-]+", "_", media.file_name or file.file_name)[:100] or "file"
        form = httpx.Request(
            "POST",
            server.base_url,
            data={"messaging_product": "whatsapp", "type": mime},
            files={"file": (name, file.data, mime)},
        )
        left = max(deadline - asyncio.get_running_loop().time(), 0.1)
        try:
            with as_send_errors():
                answer = await self._http.post_bytes(
                    server, f"/{number}/media", form.read(), form.headers["Content-Type"], seconds=left * 0.7
                )
        except Exception as error:
            if isinstance(error.__cause__, GatewayUnavailableError):
                raise SendRetryableError(f"The file could not be uploaded: {error.__cause__}") from error
            raise
        if (judged := judge_upload(answer)) is not None:
            raise judged
        media_id = pick(answer.tidy(), "id")
        if not answer.is_success or not isinstance(media_id, str) or not media_id:
            raise SendRetryableError(f"{NAME} took the file but told no id for it ({answer.status}).")
        return media_id

    async def _type(self, session: SessionRef, message: Outbound) -> None:
        """A courtesy: whatever goes wrong with it, the message itself is sent all the same."""
        quoted = None if message.quoted_from_me else message.quoted_provider_id
        if shown_on := message.answered_provider_id or quoted:
            self._remember(session, message.to, shown_on)
        try:
            async with asyncio.timeout(2.0):
                shown = await self._show(session, message.to)
        except (TimeoutError, GatewayRefusedError, GatewayUnavailableError):
            return
        if shown:
            await asyncio.sleep(min(message.typing_seconds, self.send_timeout_seconds / 3))

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        """Subscribe the app to the account, with our webhook for it alone where Meta allows that."""
        account, number = _id_of(session, "waba_id"), _id_of(session, "phone_number_id")
        shown = await self._ask(session, f"/{number}", {"fields": _STATUS_FIELDS})
        left = []
        # An account has one override for all its numbers: the door that tells them apart, not this number's own.
        webhook_url = webhook_url.removesuffix(f"/{session.id}")
        override = {"override_callback_uri": webhook_url, "verify_token": str(session.config.get("verify_token", ""))}
        path = f"/{account}/subscribed_apps"
        try:
            await self._post(session, path, override)
        except GatewayRefusedError as error:
            await self._post(session, path, {})
            left.append(
                f"In the App Dashboard, set the webhook of WhatsApp to {webhook_url} with this number's verify_token: "
                f"Meta did not take it for the account alone ({error})."
            )
        left.append(f"In the App Dashboard, subscribe to the webhook fields {', '.join(WEBHOOK_FIELDS)}.")
        if pick(shown, "status") != "CONNECTED":
            left.append("Register the number for the Cloud API in WhatsApp Manager (it is not connected yet).")
        return SetUp(left_to_do=tuple(left))

    async def status(self, session: SessionRef) -> SessionChanged:
        """How Meta sees the number: whether it may send, its quality, and its display name's review."""
        number = _id_of(session, "phone_number_id")
        shown = await self._ask(session, f"/{number}", {"fields": _STATUS_FIELDS})
        if not isinstance(shown, dict):
            raise GatewayUnavailableError(f"{NAME} answered without a number.")
        stated = shown.get("status")
        status = _STATUSES.get(stated, SessionStatus.UNKNOWN) if isinstance(stated, str) else SessionStatus.UNKNOWN
        blocked = pick(shown, "health_status", "can_send_message") == "BLOCKED"
        if blocked and status is SessionStatus.CONNECTED:
            status = SessionStatus.RESTRICTED
        facts = [
            ("status", stated if status is not SessionStatus.CONNECTED else None),
            ("quality", shown.get("quality_rating")),
            ("name", shown.get("verified_name")),
            ("name review", shown.get("name_status")),
            ("mode", shown.get("account_mode") if shown.get("account_mode") != "LIVE" else None),
        ]
        told = [f"{name} {value}" for name, value in facts if isinstance(value, str) and value]
        if blocked:
            told.append("sending is blocked: see WhatsApp Manager")
        told += _problems(shown.get("health_status"))
        digits = re.sub(r"\D", "", str(shown.get("display_phone_number") or ""))
        return SessionChanged(status, datetime.now(UTC), ", ".join(told)[:500], account=digits or None)

    async def control(self, session: SessionRef, wish: Wish) -> None:  # noqa: ARG002
        """Numbers of the Cloud API have no session that could be started or stopped."""
        raise NotOfferedError(PROVIDER, f"To {wish} a session")

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        """Ask where the file is, and get it from there: Meta's addresses live for five minutes."""
        server, media_id = _server(session), media.extra.get("id")
        if not isinstance(media_id, str) or not _ID.fullmatch(media_id):
            raise GatewayRefusedError("This file has no id at WhatsApp.", hint="Look at it on the phone.")
        number = _id_of(session, "phone_number_id")
        info = await self._ask(session, f"/{media_id}", {"phone_number_id": number})
        url, size = pick(info, "url"), pick(info, "file_size")
        if not isinstance(url, str) or not _is_of_meta(url, server.base_url):
            raise GatewayRefusedError(f"{NAME} names an address for the file that is not Meta's.")
        if isinstance(size, int) and size > LARGEST_MEDIA:
            raise GatewayRefusedError(f"The file is larger than {LARGEST_MEDIA} bytes.")
        file = await self._http.download(server, url, headers=server.headers)
        stated = str(pick(info, "sha256")).lower()
        if re.fullmatch(r"[0-9a-f]{64}", stated) and hashlib.sha256(file.data).hexdigest() != stated:
            raise GatewayUnavailableError("The file did not arrive whole.")
        mime = pick(info, "mime_type")
        return File(file.data, mime if isinstance(mime, str) and mime else file.mime_type, media.file_name or "")

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        """Show the customer that the messages were read."""
        for provider_id in provider_ids[-_MOST_READ:]:
            await self._indicate(session, provider_id, typing=False)
            self._remember(session, chat, provider_id)

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        """Typing is shown on a message of the customer, which is read with it; it ends by itself after 25 seconds.

        Where this process marked nothing of the chat as read yet, there is nothing to show it on.
        """
        if typing:
            await self._show(session, chat)

    async def _show(self, session: SessionRef, chat: Address) -> bool:
        last = self._last_read.get((session.id, chat))
        if last is None:
            return False
        await self._indicate(session, last, typing=True)
        return True

    def _remember(self, session: SessionRef, chat: Address, provider_id: str) -> None:
        self._last_read[session.id, chat] = provider_id
        self._last_read.move_to_end((session.id, chat))
        if len(self._last_read) > _REMEMBERED_CHATS:
            self._last_read.popitem(last=False)

    async def _indicate(self, session: SessionRef, provider_id: str, *, typing: bool) -> None:
        body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": provider_id}
        if typing:
            body["typing_indicator"] = {"type": "text"}
        await self._post(session, f"/{_id_of(session, 'phone_number_id')}/messages", body)

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:  # noqa: ARG002
        """Meta tells only after sending whether somebody can be reached."""
        raise NotOfferedError(PROVIDER, "Checking a number")

    async def history(
        self,
        session: SessionRef,  # noqa: ARG002
        *,
        since: datetime,  # noqa: ARG002
        chats: Sequence[Address],  # noqa: ARG002
    ) -> AsyncIterator[MessageReceived]:
        """Messages come by webhook only (Meta repeats them for seven days)."""
        raise NotOfferedError(PROVIDER, "Reading past messages")
        yield  # makes this an iterator

    async def templates(self, session: SessionRef) -> list[Definition]:
        """All templates of the number's account. Raises GatewayRefused- or GatewayUnavailableError."""
        return await list_definitions(lambda path, params: self._ask(session, path, params), _id_of(session, "waba_id"))

    async def _ask(self, session: SessionRef, path: str, params: Mapping[str, str]) -> Any:
        return _told(await self._http.exchange(_server(session), "GET", path, params=params, longest=LONGEST_LIST))

    async def _post(self, session: SessionRef, path: str, body: Mapping[str, Any]) -> Any:
        told = _told(await self._http.exchange(_server(session), "POST", path, body=body))
        if pick(told, "success") is False:
            raise GatewayRefusedError(f"{NAME} did not do it.")
        return told


def _problems(health: object) -> list[str]:
    """What Meta says stands in the way of sending, of the number, its account or its business."""
    texts = [
        pick(error, "error_description")
        for entity in _list(pick(health, "entities"))
        for error in _list(pick(entity, "errors"))
    ]
    return list(dict.fromkeys(text for text in texts if isinstance(text, str) and text))[:3]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _told(answer: Answer) -> Any:
    if not answer.is_success:
        raise refusal(answer)
    return answer.tidy()


def _server(session: SessionRef) -> Server:
    config = {**session.config, "base_url": session.config.get("base_url") or BASE_URL}
    for name in ("phone_number_id", "waba_id"):
        _id_of(session, name)
    key_of(config, "app_secret", NAME)
    token = key_of(config, "access_token", NAME)
    return Server(NAME, base_url_of(config, NAME, BASE_URL), {"Authorization": f"Bearer {token}"}, "access_token")


def _id_of(session: SessionRef, name: str) -> str:
    """An id that stands in a path. Raises GatewayRefusedError."""
    value = session.config.get(name)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _ID.fullmatch(text):
        raise GatewayRefusedError(f"This number has no usable {name}.", hint=f"Copy {name} from WhatsApp Manager.")
    return text


def _is_of_meta(url: str, base_url: str) -> bool:
    """Whether our token may go there: Meta's own hosts over TLS, or wherever Graph itself is (a proxy, a stand-in)."""
    try:
        there, graph = urlsplit(url), urlsplit(base_url)
        host = (there.hostname or "").lower()
        if (there.scheme, there.netloc) == (graph.scheme, graph.netloc):
            return True
    except ValueError:
        return False
    return there.scheme == "https" and any(host == known or host.endswith(f".{known}") for known in _MEDIA_HOSTS)
