"""Pictures of contacts and names of groups: looked up when somebody writes, kept for some days, never waited for.

A session host runs this beside its connections, one question after the other: WhatsApp limits who asks too much. What
cannot be had is tried again later, and until then initials are shown. What a dead host had not looked at yet, the next
finds by itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from channels.base import ChannelEvent, MessageReceived, Profile, ProfileChanged, SessionRef
from domain import media as formats
from domain.errors import AtendeError
from domain.messages import Address
from domain.text import storable
from flows.media import limit_of
from flows.session_removal import forget_file
from store import events, profiles
from store.database import Database, Row
from store.media import MediaStore
from store.wakeup import EVENTS, Wakeup
from tools.public_web import check_url, public_client

log = logging.getLogger(__name__)

GOOD_FOR = timedelta(days=7)
AGAIN_AFTER_FAILURE = timedelta(minutes=15)
PICTURE_BYTES = 1024 * 1024
"""WhatsApp's small pictures have some kilobytes."""
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp"})
_ASK_SECONDS = 30.0
_PAUSE_SECONDS = 0.25
_AT_ONCE = 20
_SWEEP_SECONDS = 300.0
_SWEPT = timedelta(days=7)
_SWEPT_AT_ONCE = 50
_REMEMBERED = 10_000


class PictureRefusedError(AtendeError):
    """What stands where a picture should be is none that may be shown."""


class ProfileSource(Protocol):
    """The channel that holds a number's connection."""

    async def profile(self, session: SessionRef, chat: Address) -> Profile: ...


class People:
    """Looks at the contacts of the numbers (``local``) whose connection this process holds.

    ``proxy_url`` carries the requests for pictures, unless a number has its own.
    """

    def __init__(
        self,
        db: Database,
        wakeup: Wakeup,
        store: MediaStore,
        local: Callable[[], Mapping[UUID, ProfileSource]],
        *,
        proxy_url: str | None = None,
    ) -> None:
        self._db, self._wakeup, self._store, self._local, self._proxy = db, wakeup, store, local, proxy_url
        self._waiting: OrderedDict[tuple[UUID, Address], UUID] = OrderedDict()
        self._known: OrderedDict[tuple[UUID, Address], float] = OrderedDict()
        self._tenants: dict[UUID, UUID] = {}
        self._swept: dict[UUID, float] = {}
        self.more = asyncio.Event()
        """Set when there is somebody to look at."""

    def noticed(self, tenant_id: UUID, session_id: UUID, event: ChannelEvent) -> None:
        """Somebody wrote, or has changed: look soon. Costs nothing for who was looked at lately."""
        place = (session_id, event.chat) if isinstance(event, MessageReceived | ProfileChanged) else None
        if place is None or (isinstance(event, MessageReceived) and event.historical):
            return
        if isinstance(event, ProfileChanged):
            self._known.pop(place, None)
        elif self._known.get(place, 0.0) > time.monotonic():
            return
        self._tenants[session_id] = tenant_id
        self._want(tenant_id, *place)

    async def run_due(self) -> int:
        """Look at some who wait; returns how many were asked about."""
        await self._sweep()
        asked = 0
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            (session_id, chat), tenant_id = self._waiting.popitem(last=False)
            try:
                if await self._look(tenant_id, session_id, chat):
                    asked += 1
                    await asyncio.sleep(_PAUSE_SECONDS)
            except Exception as error:  # one contact's trouble must not keep the others from being seen
                log.info("could not look at %s: %r", chat, error)
        if self._waiting:
            self.more.set()
        return asked

    def _want(self, tenant_id: UUID, session_id: UUID, chat: Address) -> None:
        if len(self._waiting) < _REMEMBERED:  # the rest is found by a sweep
            self._waiting[session_id, chat] = tenant_id
            self.more.set()

    async def _sweep(self) -> None:
        """Those that a failure or a dead host left: now and then, for each number."""
        now = time.monotonic()
        for session_id in self._local():
            if self._swept.get(session_id, 0.0) > now:
                continue
            self._swept[session_id] = now + _SWEEP_SECONDS
            if session_id not in self._tenants:
                found = await self._db.gate("channel_session", session_id)
                if not found:
                    continue
                self._tenants[session_id] = found[0]["tenant_id"]
            tenant_id = self._tenants[session_id]
            async with self._db.transaction(tenant_id) as tx:
                left = await profiles.due(tx, session_id, since=_SWEPT, at_most=_SWEPT_AT_ONCE)
            for chat in left:
                self._want(tenant_id, session_id, chat)

    async def _look(self, tenant_id: UUID, session_id: UUID, chat: Address) -> bool:
        source = self._local().get(session_id)
        if source is None:
            return False  # offline, or another host's by now: the sweep after that finds it
        async with self._db.transaction(tenant_id) as tx:
            row = await profiles.claim(tx, session_id, chat, AGAIN_AFTER_FAILURE)
            limit = min(await limit_of(tx), PICTURE_BYTES) if row is not None else 0
        self._remember((session_id, chat))
        if row is None:
            return False
        session = SessionRef(str(session_id), row["provider"], row["account"], row["config"])
        async with asyncio.timeout(_ASK_SECONDS):
            seen = await source.profile(session, chat)
            picture = await self._picture(row, seen, limit)
        await self._keep(tenant_id, row, seen, picture)
        return True

    def _remember(self, place: tuple[UUID, Address]) -> None:
        self._known[place] = time.monotonic() + AGAIN_AFTER_FAILURE.total_seconds()
        self._known.move_to_end(place)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _picture(self, row: Row, seen: Profile, limit: int) -> tuple[str, str, str] | None:
        if seen.picture_id is None:
            return None
        picture_id = storable(seen.picture_id)[0][:200]
        if picture_id == row["picture_id"] and row["sha256"]:
            return picture_id, row["sha256"], row["mime_type"]
        data = await _fetched(seen.picture_url, row["config"].get("proxy_url") or self._proxy, limit)
        mime = formats.sniff(data)
        if mime not in _SHOWN:
            raise PictureRefusedError(f"the profile picture is {mime}")
        return picture_id, await self._store.put(row["tenant_id"], data), mime

    async def _keep(self, tenant_id: UUID, row: Row, seen: Profile, picture: tuple[str, str, str] | None) -> None:
        name = storable(" ".join(seen.name.split()))[0][:200] if seen.name else None
        async with self._db.transaction(tenant_id) as tx:
            news = await profiles.keep(tx, row, name=name, picture=picture, good_for=GOOD_FOR)
            if news:
                payload = {"contact_id": str(row["contact_id"])}
                await events.append(
                    tx, tenant_id, "contact.profile", conversation_id=row["conversation_id"], payload=payload
                )
        if news:
            self._wakeup.signal(EVENTS)
        if row["sha256"] and (picture is None or picture[1] != row["sha256"]):
            await forget_file(self._db, self._store, tenant_id, row["sha256"])


async def _fetched(url: str, proxy_url: str | None, limit: int) -> bytes:
    """The bytes at a public address. Through a proxy, the proxy alone may stand in our own network.

    Raises PictureRefusedError, InvalidInputError, PrivateAddressError, OSError or aiohttp's errors.
    """
    proxy = urlsplit(proxy_url) if proxy_url else None
    if proxy is not None and proxy.scheme not in {"http", "https"}:
        # Never around the number's proxy: where it stands would be told.
        raise PictureRefusedError(f"pictures cannot be fetched through a {proxy.scheme} proxy")
    inside = [proxy.hostname] if proxy is not None and proxy.hostname else []
    async with (
        public_client(inside, timeout_seconds=20.0) as http,
        http.get(check_url(url), allow_redirects=False, proxy=proxy_url) as answer,
    ):
        if answer.status != 200:
            raise PictureRefusedError(f"its server answered {answer.status}")
        data = bytearray()
        async for part in answer.content.iter_chunked(64 * 1024):
            data += part
            if len(data) > limit:
                raise PictureRefusedError(f"the profile picture is larger than {limit} bytes")
    return bytes(data)
