"""WAHA as a gateway, as far as it goes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from channels.base import ChannelEvent, MessageReceived, SessionChanged, SessionRef
from channels.gateway import (
    File,
    GatewayUnavailableError,
    MediaSource,
    Retries,
    Setting,
    SetUp,
    WebhookDelivery,
    Wish,
)
from domain.messages import Address, MediaReference

from . import waha, waha_events


class WahaGateway(waha.WahaSender):
    """WAHA."""

    provider = "waha"
    settings = (
        Setting("base_url", example="http://waha:3000"),
        Setting("api_key", secret=True),
        Setting("hmac_key", secret=True, made=True),
        Setting("session", default="default"),
    )
    content_types: frozenset[str] = frozenset()
    retries: Retries = "on_any_failure"

    def __init__(self, http: httpx.AsyncClient, media: MediaSource) -> None:
        super().__init__(http)

    def verify(self, config: Mapping[str, Any], delivery: WebhookDelivery) -> bool:
        return waha.verify(str(config.get("hmac_key") or ""), delivery.raw_body, delivery.headers)

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:
        return waha_events.parse(body)

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        return SetUp()

    async def status(self, session: SessionRef) -> SessionChanged:
        raise GatewayUnavailableError("no")

    async def control(self, session: SessionRef, wish: Wish) -> None:
        raise GatewayUnavailableError("no")

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        raise GatewayUnavailableError("no")

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        raise GatewayUnavailableError("no")

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        raise GatewayUnavailableError("no")

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        raise GatewayUnavailableError("no")

    async def history(
        self, session: SessionRef, *, since: datetime, chats: Sequence[Address]
    ) -> AsyncIterator[MessageReceived]:
        raise GatewayUnavailableError("no")
        yield
