"""Deliveries from gateways: authentic first, then durable, then acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from channels.base import ChannelEvent, Unrecognised
from channels.gateway import Gateway, WebhookDelivery
from domain.errors import AtendeError, NotAuthenticError, NotFoundError
from flows.deliveries import read_delivery, session_ref
from flows.gateways import Gateways
from flows.inbound import Inbound
from flows.media import MediaFiles
from flows.session_info import SessionInfo, read_session
from store import quarantine
from store.database import Database
from store.journal import Entry, Journal, JournalFullError
from store.outage import AWAY

log = logging.getLogger(__name__)

JOURNALLED = "journalled"
_CACHED_NUMBERS = 10_000
_LOOK_AGAIN_SECONDS = 1.0
_STORE_SECONDS = 5.0
_AWAY_SECONDS = 1.0
_SHARED_SECONDS = 0.1
_HANGING_SECONDS = 15.0
"""How long nothing is asked of a database that was away, or that did not answer at all."""
_LARGE = 256 * 1024
_ASIDE = "\n"
"""In a journal's entry, between the provider and the name under which it is to be quarantined."""


class NumberUnknownNowError(AtendeError):
    """The database is away, and this process has never seen the number: nothing can be checked."""

    def __init__(self) -> None:
        super().__init__("The database cannot be reached.", hint="Send the delivery again in a moment.")


class Webhooks:
    """Takes deliveries in. Whatever ``receive`` returns for is durable: in the database, or in the journal."""

    def __init__(self, db: Database, inbound: Inbound, gateways: Gateways, journal: Journal, media: MediaFiles) -> None:
        self._db, self._inbound, self._gateways, self._journal, self._media = db, inbound, gateways, journal, media
        self._known: OrderedDict[UUID, SessionInfo] = OrderedDict()
        self._directories: dict[str, tuple[float, tuple[SessionInfo, ...]]] = {}
        self._asking: dict[str, asyncio.Task[Sequence[SessionInfo]]] = {}
        self._looked_again: dict[UUID, float] = {}
        self._away_until = 0.0

    @property
    def providers(self) -> frozenset[str]:
        """The gateways that are known here."""
        return frozenset(self._gateways)

    def gateway(self, provider: str) -> Gateway:
        """Raises NotFoundError."""
        gateway = self._gateways.get(provider)
        if gateway is None:
            raise NotFoundError("gateway", provider)
        return gateway

    async def warm_up(self) -> None:
        """Learn all numbers, so that their deliveries can be checked when the database goes away."""
        for provider in self._gateways:
            await self.numbers_of(provider)

    def is_known(self, session_id: UUID) -> bool:
        """Whether looking the number up costs nothing."""
        return session_id in self._known

    async def number(self, provider: str, session_id: UUID) -> SessionInfo:
        """The number that a delivery is for; remembered for when the database is away.

        Raises NotFoundError, or NumberUnknownNowError where nobody can tell.
        """
        self.gateway(provider)
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                session = await self._lookup(session_id)
        except AWAY as error:
            self._mark_away(error)
            known = self._known.get(session_id)
            if known is None:
                raise NumberUnknownNowError from error
            session = known
        except NotFoundError:
            self._known.pop(session_id, None)
            raise NotFoundError(f"{provider} number", session_id) from None
        if session.provider != provider:
            raise NotFoundError(f"{provider} number", session_id)
        return session

    async def _lookup(self, session_id: UUID) -> SessionInfo:
        known = self._known.get(session_id)
        if known is not None and self.is_away():
            return known
        session = await self._inbound.session(session_id)
        self._know(session)
        return session

    def _know(self, session: SessionInfo) -> None:
        self._known[session.id] = session
        self._known.move_to_end(session.id)
        while len(self._known) > _CACHED_NUMBERS:
            self._known.popitem(last=False)

    async def is_authentic(self, session: SessionInfo, delivery: WebhookDelivery) -> bool:
        """Whether the delivery is authentic for the number as it was last known."""
        return await _verified(self.gateway(session.provider), session, delivery)

    async def check(self, session: SessionInfo, delivery: WebhookDelivery) -> SessionInfo:
        """The number as it is now, if the delivery is authentic. Raises NotAuthenticError; nothing was parsed then."""
        gateway = self.gateway(session.provider)
        if await _verified(gateway, session, delivery):
            return session
        # Its key may have been changed a moment ago. Asked at most once a second, whatever is thrown at us.
        now = time.monotonic()
        if self._looked_again.get(session.id, 0.0) + _LOOK_AGAIN_SECONDS < now and not self.is_away():
            self._looked_again[session.id] = now
            self._inbound.forget(session.id)
            newest = await self.number(session.provider, session.id)
            if newest.config != session.config and await _verified(gateway, newest, delivery):
                return newest
        names = [setting.name for setting in gateway.settings if setting.made] or [
            setting.name for setting in gateway.settings if setting.secret
        ]
        raise NotAuthenticError(
            "The signature or secret of this delivery is missing or wrong.",
            hint=f"Set the same in the gateway's webhook and as {' or '.join(names)} of this number.",
        )

    async def receive(self, session: SessionInfo, body: bytes) -> Sequence[str]:
        """Make an authentic delivery durable: an outcome for each of its events, or ``JOURNALLED``.

        Raises JournalFullError if it can be kept nowhere.
        """
        if not self._journal.waits_for(session.id) and not self.is_away():
            try:
                return await self._store(session, body)
            except AWAY as error:
                self._mark_away(error)
                log.warning("the database is away (%r); deliveries go to the journal", error)
        try:
            await self._journal.add(Entry(session.id, session.provider, body, datetime.now(UTC)))
        except JournalFullError:
            if self.gateway(session.provider).retries == "never":
                log.exception("a delivery to %s is lost until the gateway is asked for its history", session.id)
            raise
        return [JOURNALLED]

    async def set_aside(self, session: SessionInfo, name: str, body: bytes) -> Sequence[str]:
        """Make a delivery durable that is not for this number, nor for any that we know."""
        if not self.is_away():
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    await self._quarantine(session, name, body)
            except AWAY as error:
                self._mark_away(error)
            else:
                return ["kept"]
        await self._journal.add(Entry(session.id, f"{session.provider}{_ASIDE}{name}", body, datetime.now(UTC)))
        return [JOURNALLED]

    async def _store(self, session: SessionInfo, body: bytes) -> list[str]:
        """Store all of a delivery; raises only errors of ``AWAY``. What cannot be stored is quarantined."""
        outcomes: list[str] = []
        async with asyncio.timeout(_STORE_SECONDS):
            for event in await self._events(session, body):
                if isinstance(event, Unrecognised):
                    await self._quarantine(session, event.name, body)
                    outcomes.append("kept")
                    continue
                try:
                    outcomes.append(await self._store_event(session, event))
                except NotFoundError:
                    raise
                except AWAY:
                    raise
                except Exception as error:
                    log.exception("an event of a delivery to %s could not be stored", session.id)
                    await self._quarantine(session, f"failed: {type(event).__name__}", body, error=repr(error))
                    outcomes.append("kept")
        return outcomes

    async def _store_event(self, session: SessionInfo, event: ChannelEvent) -> str:
        """Store one event; what two deliveries at the same moment spoil for each other is tried again."""
        event = await self._media.without_inline(session.tenant_id, event)
        try:
            return await self._inbound.receive(session, event)
        except asyncpg.IntegrityConstraintViolationError:
            return await self._inbound.receive(session, event)

    async def _events(self, session: SessionInfo, body: bytes) -> list[ChannelEvent]:
        gateway, reference = self.gateway(session.provider), session_ref(session)
        if len(body) > _LARGE:
            return await asyncio.to_thread(read_delivery, gateway, reference, body)
        return read_delivery(gateway, reference, body)

    async def _quarantine(self, session: SessionInfo, name: str, body: bytes, *, error: str | None = None) -> None:
        async with self._db.transaction(session.tenant_id) as tx:
            await quarantine.keep(
                tx, session.tenant_id, session.id, provider=session.provider, name=name, body=body, error=error
            )

    # The journal --------------------------------------------------------------------------------------------------

    async def adopt(self) -> None:
        """Take over what processes that are gone had not stored yet."""
        if found := await self._journal.adopt():
            log.warning("%d deliveries were left in the journal by a process that is gone", found)

    async def drain(self) -> int:
        """Store what the journal holds, of this process and of those before it; returns how many.

        Raises nothing while the database is away: what is left is tried again by the next call.
        """
        await self.adopt()
        if not self._journal.waiting:
            return 0
        try:
            count = await self._journal.drain(self._keep)
        except AWAY as error:
            log.info("the journal waits for the database: %r", error)
            return 0
        log.info("stored %d deliveries from the journal", count)
        return count

    async def _keep(self, entry: Entry) -> None:
        try:
            session = await self._inbound.session(entry.session_id)
            _, aside, name = entry.provider.partition(_ASIDE)
            if aside:
                await self._quarantine(session, name, entry.body)
            else:
                await self._store(session, entry.body)
        except NotFoundError:
            log.warning("a delivery to the deleted number %s was dropped", entry.session_id)
        self._away_until = 0.0

    def is_away(self) -> bool:
        """Whether the database could not be reached a moment ago."""
        return time.monotonic() < self._away_until

    def _mark_away(self, error: Exception) -> None:
        pause = _HANGING_SECONDS if isinstance(error, TimeoutError) else _AWAY_SECONDS
        self._away_until = time.monotonic() + pause

    # One webhook for many numbers ---------------------------------------------------------------------------------

    async def numbers_of(self, provider: str, *, no_older_than: float = 5.0) -> Sequence[SessionInfo]:
        """All numbers of a provider, of every tenant, as they were at most so many seconds ago, or last known."""
        self.gateway(provider)
        at, numbers = self._directories.get(provider, (0.0, ()))
        asked_at = time.monotonic()
        if at + no_older_than < asked_at and not self.is_away():
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    rows = await self._db.gate("channel_sessions", provider)
            except AWAY as error:
                self._mark_away(error)
            else:
                numbers = tuple(read_session(row["id"], row) for row in rows)
                self._directories[provider] = (asked_at, numbers)
                for number in numbers:
                    self._know(number)
        return numbers

    async def numbers_by_now(self, provider: str) -> Sequence[SessionInfo]:
        """The same, asked for after this call. All who call within a tenth of a second share one question."""
        asking = self._asking.get(provider)
        if asking is None:
            asking = self._asking[provider] = asyncio.create_task(self._ask_soon(provider))
        return await asyncio.shield(asking)

    async def _ask_soon(self, provider: str) -> Sequence[SessionInfo]:
        await asyncio.sleep(_SHARED_SECONDS)
        del self._asking[provider]  # who calls from here on may know of something newer
        return await self.numbers_of(provider, no_older_than=0.0)


async def _verified(gateway: Gateway, session: SessionInfo, delivery: WebhookDelivery) -> bool:
    if len(delivery.raw_body) > _LARGE:  # hashing megabytes would hold up everybody else
        return await asyncio.to_thread(gateway.verify, session.config, delivery)
    return gateway.verify(session.config, delivery)
