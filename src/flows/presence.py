"""Who has which conversation open, and who is typing there: told among web processes, kept nowhere.

An ephemeral channel beside the event log. Each process tells the others what its own sockets said (a NOTIFY of its own,
never inside a business transaction), repeats it while it lasts, and forgets what was not repeated.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import orjson

from store.database import Database
from store.wakeup import PRESENCE, Listener

log = logging.getLogger(__name__)

TELL_SECONDS: Final = 0.15
"""How long changes are collected before other processes are told."""
REPEAT_SECONDS: Final = 15.0
FORGET_SECONDS: Final = 40.0
"""What another process said and has not repeated for so long is over: that process is gone."""
TYPING_SECONDS: Final = 6.0
"""How long somebody counts as typing after having said so."""
_LARGEST: Final = 7_500
"""Bytes; PostgreSQL carries less than 8,000 with one NOTIFY."""
_MOST: Final = 20_000
"""Places of other processes' sockets that are remembered."""
_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has a conversation open."""

    user_id: UUID
    name: str
    typing: bool


@dataclass(slots=True)
class _Place:
    """Where one socket is. ``heard_at`` is by this process's clock; own places are always fresh."""

    tenant_id: UUID
    user_id: UUID
    name: str
    conversation_id: UUID
    typing_until: float
    heard_at: float
    own: bool


Changed = Callable[[UUID, UUID], None]
"""Called with tenant and conversation whose people changed."""


class Presence:
    """All places that this process knows of, its own sockets' and those of others."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._process = uuid4().hex[:12]
        self._places: dict[str, _Place] = {}
        self._there: dict[tuple[UUID, UUID], set[str]] = {}
        self._untold: set[str] = set()
        self._wake = asyncio.Event()
        self.on_change: Changed = lambda *_: None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell and listen while the block runs."""
        listener = Listener(self._db, {PRESENCE: self._ask_for_all}, {PRESENCE: self._heard})
        tasks = [asyncio.create_task(self._tell()), asyncio.create_task(listener.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def put(
        self, socket: str, tenant_id: UUID, user_id: UUID, name: str, conversation_id: UUID | None, *, typing: bool
    ) -> None:
        """The person at ``socket`` has this conversation open; None: none any more."""
        key = f"{self._process}.{socket}"
        if conversation_id is None:
            self._remove(key)
        else:
            until = time.monotonic() + TYPING_SECONDS if typing else 0.0
            self._set(key, _Place(tenant_id, user_id, name[:_NAME], conversation_id, until, 0.0, own=True))
        self._untold.add(key)
        self._wake.set()

    def people(self, tenant_id: UUID, conversation_id: UUID) -> list[Person]:
        """Who has the conversation open, each once, by name."""
        return self._people(self._there.get((tenant_id, conversation_id), ()))

    def everywhere(self, tenant_id: UUID) -> dict[UUID, list[Person]]:
        """All conversations of the tenant that somebody has open."""
        return {
            conversation: self._people(keys)
            for (tenant, conversation), keys in self._there.items()
            if tenant == tenant_id
        }

    def _people(self, keys: Sequence[str] | set[str] | tuple[()]) -> list[Person]:
        now = time.monotonic()
        found: dict[UUID, Person] = {}
        for key in keys:
            place = self._places[key]
            typing = place.typing_until > now or (place.user_id in found and found[place.user_id].typing)
            found[place.user_id] = Person(place.user_id, place.name, typing)
        return sorted(found.values(), key=lambda person: (person.name, str(person.user_id)))

    def _set(self, key: str, place: _Place) -> None:
        before = self._places.get(key)
        was_typing = before is not None and before.typing_until > time.monotonic()
        if before is not None and before.conversation_id != place.conversation_id:
            self._remove(key)
            before = None
        self._places[key] = place
        self._there.setdefault((place.tenant_id, place.conversation_id), set()).add(key)
        if before is None or was_typing != (place.typing_until > 0) or before.name != place.name:
            self.on_change(place.tenant_id, place.conversation_id)

    def _remove(self, key: str) -> None:
        place = self._places.pop(key, None)
        if place is None:
            return
        where = (place.tenant_id, place.conversation_id)
        keys = self._there[where]
        keys.discard(key)
        if not keys:
            del self._there[where]
        self.on_change(*where)

    async def _tell(self) -> None:
        repeat_at = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(TELL_SECONDS)
            now = time.monotonic()
            if now >= repeat_at:
                repeat_at = now + REPEAT_SECONDS
                self._untold |= {key for key, place in self._places.items() if place.own}
            self._forget(now)
            untold, self._untold = self._untold, set()
            if untold:
                await self._notify([self._saying(key) for key in sorted(untold)])

    def _forget(self, now: float) -> None:
        for key, place in list(self._places.items()):
            if not place.own and place.heard_at < now - FORGET_SECONDS:
                self._remove(key)
            elif 0 < place.typing_until <= now:
                place.typing_until = 0.0
                self.on_change(place.tenant_id, place.conversation_id)

    def _saying(self, key: str) -> list[Any]:
        place = self._places.get(key)
        if place is None:
            return [key]
        typing = place.typing_until > time.monotonic()
        return [key, str(place.tenant_id), str(place.user_id), place.name, str(place.conversation_id), typing]

    async def _notify(self, sayings: list[list[Any]]) -> None:
        texts, batch, size = [], list[list[Any]](), 0
        for saying in sayings:
            length = len(orjson.dumps(saying)) + 1
            if batch and size + length > _LARGEST:
                texts.append(orjson.dumps(batch).decode())
                batch, size = [], 0
            batch.append(saying)
            size += length
        texts.append(orjson.dumps(batch).decode())
        try:
            async with self._db.raw() as connection:
                await connection.execute("SELECT pg_notify($1, t) FROM unnest($2::text[]) t", PRESENCE, texts)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            log.warning("presence not told; it is repeated", exc_info=True)

    def _ask_for_all(self) -> None:
        """The connection is new: say everything at once, and have others do so."""
        self._untold |= {key for key, place in self._places.items() if place.own} | {f"{self._process}.?"}
        self._wake.set()

    def _heard(self, payload: str) -> None:
        try:
            sayings = orjson.loads(payload)
            for saying in sayings:
                self._take(saying)
        except (ValueError, TypeError, IndexError):
            log.warning("a presence notice could not be read")

    def _take(self, saying: list[Any]) -> None:
        key = str(saying[0])
        if key.startswith(f"{self._process}."):
            return
        if key.endswith(".?"):
            self._untold |= {mine for mine, place in self._places.items() if place.own}
            self._wake.set()
        elif len(saying) == 1:
            self._remove(key)
        elif key in self._places or len(self._places) < _MOST:
            now = time.monotonic()
            _, tenant, user, name, conversation, typing = saying
            until = now + TYPING_SECONDS if typing else 0.0
            self._set(key, _Place(UUID(tenant), UUID(user), str(name), UUID(conversation), until, now, own=False))
