"""A gateway that does what a test says: the whole protocol, without HTTP. Its webhooks are signed like WAHA's."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from channels.base import ChannelEvent, MessageReceived, SessionChanged, SessionRef, Unrecognised
from channels.gateway import (
    File,
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
from domain.messages import Address, AddressKind, MediaReference, MessageKind, Outbound, Sent, SessionStatus

KEY = "the scripted key"


@dataclass
class ScriptedGateway:
    """``told`` is its history, ``files`` what can be fetched, ``mishaps`` are raised one per question."""

    provider: str = "waha"
    settings: tuple[Setting, ...] = (
        Setting("base_url", example="http://gateway:3000"),
        Setting("api_key", secret=True),
        Setting("hmac_key", secret=True, made=True),
    )
    content_types: frozenset[str] = frozenset({"media", "reaction"})
    retries: Retries = "on_any_failure"
    idempotent: bool = False
    send_timeout_seconds: float = 5.0
    media: MediaSource | None = None
    told: list[MessageReceived] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    state: SessionChanged = field(default_factory=lambda: SessionChanged(SessionStatus.CONNECTED, datetime.now(UTC)))
    mishaps: list[Exception] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    sent: list[Outbound] = field(default_factory=list)
    sent_files: list[bytes] = field(default_factory=list)
    understands: frozenset[str] = frozenset({"message"})

    def _ask(self, what: str, detail: Any = None) -> None:
        self.asked.append((what, detail))
        if self.mishaps:
            raise self.mishaps.pop(0)

    def questions(self, what: str) -> list[Any]:
        """The details of all questions of a kind."""
        return [detail for asked, detail in self.asked if asked == what]

    def verify(self, config: Mapping[str, Any], delivery: WebhookDelivery) -> bool:
        secret = str(config.get("hmac_key") or "")
        wanted = hmac.new(secret.encode(), delivery.raw_body, hashlib.sha256).hexdigest()
        return bool(secret) and hmac.compare_digest(wanted, delivery.headers.get("x-signature", ""))

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:
        if not isinstance(body, dict) or body.get("event") not in self.understands:
            return [Unrecognised(str(body.get("event") if isinstance(body, dict) else "no object"), {})]
        extra = {name: body[name] for name in ("base64", "preview", "pages") if body.get(name) is not None}
        media = (
            MediaReference(body.get("mime"), body.get("name"), None, body.get("url"), extra) if "mime" in body else None
        )
        return [
            MessageReceived(
                body["id"],
                Address(AddressKind.PHONE, body.get("from", "5531900000001")),
                datetime.now(UTC),
                kind=MessageKind(body.get("kind", "text")),
                text=body.get("text", ""),
                media=media,
            )
        ]

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        self._ask("send", message.text)
        if isinstance(message.content, Media) and self.media is not None:
            self.sent_files.append((await self.media.read(message.content)).data)
        self.sent.append(message)
        return Sent(f"sent-{message.key}", datetime.now(UTC))

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        self._ask("set_up", webhook_url)
        return SetUp({"token": "given"}, ("Switch it on in the menu.",))

    async def status(self, session: SessionRef) -> SessionChanged:
        self._ask("status")
        return self.state

    async def control(self, session: SessionRef, wish: Wish) -> None:
        self._ask("control", wish)

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        self._ask("fetch_media", media.url)
        if media.url not in self.files:
            raise GatewayUnavailableError("There is no such file yet.")
        return self.files[media.url]

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        raise NotOfferedError(self.provider, "read receipts")

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        raise NotOfferedError(self.provider, "typing")

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        return None

    async def history(
        self, session: SessionRef, *, since: datetime, chats: Sequence[Address]
    ) -> AsyncIterator[MessageReceived]:
        self._ask("history", (since, list(chats)))
        for message in list(self.told):
            yield message


def signed(body: dict[str, Any] | bytes, key: str = KEY) -> tuple[bytes, dict[str, str]]:
    """A body and the headers that prove it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return raw, {"x-signature": hmac.new(key.encode(), raw, hashlib.sha256).hexdigest()}
