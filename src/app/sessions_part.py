"""The session host: the process that holds the WhatsApp connections, and sends for the numbers it holds."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from app.heartbeat import beat, loading
from app.held_connections import HeldConnections
from app.host_name import Neighbours, host_name
from app.media_store import media_store
from app.settings import Settings, make_data_dir
from channels.base import ChannelEvent, SessionRef
from domain.errors import NotFoundError
from flows.channel_requests import HostRequests
from flows.delivery import Delivery, settle_predecessor
from flows.inbound import Inbound
from flows.media import MediaFetching, MediaFiles
from flows.people import People
from flows.session_requests import SessionRequests
from store.database import Database, login_url
from store.outage import AWAY
from store.roles import SESSIONS_ROLE
from store.wakeup import NUMBERS, OUTBOX, Listener, Wakeup, every

if TYPE_CHECKING:
    from channels.whatsapp.session_host import Holds

log = logging.getLogger(__name__)

PROVIDER = "neonize"
_LOOK_SECONDS = 2.0
_LEASE_SECONDS = 12.0
_CONNECTIONS = 10
_NOTED_SECONDS = 15.0
_PAIRING_SECONDS = 200.0
"""Longer than the codes of a pairing live: one under way is not cut short."""
_STARTING_SECONDS = 5.0
"""So long the other hosts of an installation may take to come up; they are counted in meanwhile."""
_REQUESTS_SECONDS = 0.5
_PEOPLE_SECONDS = 5.0


async def run(settings: Settings, _listening: socket.socket | None = None) -> None:
    """Hold connections until cancelled, or until the host is worn out and wants to be started afresh."""
    await hold(settings, "paired" if settings.pairing_apart else "all")


async def hold(settings: Settings, holds: Holds) -> None:
    """The same, for the numbers that it shall hold (``channels.whatsapp.session_host.Holds``)."""
    is_pairing = holds == "unpaired"
    url = settings.need_database_url()
    db = await Database.open(url, settings.secret, max_connections=_CONNECTIONS, lazy=True)
    wakeup = Wakeup(db)
    heart = asyncio.create_task(beat(), name="heartbeat")
    try:
        folder = settings.data_dir / ("pairing-hosts" if is_pairing else "hosts")
        neighbours = Neighbours(folder, 1 if is_pairing else settings.session_hosts)
        with host_name(neighbours.folder) as name:
            numbers = LeasedNumbers(db, Inbound(db, wakeup), name, neighbours)
            numbers.holds = holds
            # Without a number there is nothing to hold: neonize and its Go core are then not even loaded.
            while not await _has_one(numbers):  # noqa: ASYNC110  it happens in the database
                await asyncio.sleep(_LOOK_SECONDS / 2)
            await _host(settings, url, numbers, db, wakeup)
    finally:
        await wakeup.close()
        await db.close()
        heart.cancel()


async def _has_one(numbers: LeasedNumbers) -> bool:
    """Whether there is a number to hold. While the database is away there is none; ending would not bring it back."""
    try:
        return bool(await numbers.lease(1, _LEASE_SECONDS))
    except AWAY as error:
        log.warning("the database cannot be reached: %s", error or type(error).__name__)
        return False


class LeasedNumbers:
    """Where the host's leases and events are kept (``channels.whatsapp.session_host.HostStore``): in the database."""

    def __init__(self, db: Database, inbound: Inbound, host: str, neighbours: Neighbours) -> None:
        self._db = db
        self._inbound = inbound
        self.host = host
        self._neighbours = neighbours
        self._leased: frozenset[UUID] = frozenset()
        self._born = time.monotonic()
        self.holds: Holds = "all"
        self.people: People | None = None
        """Who wants to know who wrote."""

    async def lease(self, capacity: int, seconds: float, alive: Collection[str] = ()) -> Sequence[SessionRef]:
        """Renew this host's leases and take free numbers; returns all that this host shall run now."""
        hosts = await self._count_hosts()
        rows = await self._db.gate(
            "lease_sessions",
            self.host,
            PROVIDER,
            timedelta(seconds=seconds),
            capacity,
            hosts,
            [UUID(session_id) for session_id in alive],
            self.holds,
        )
        for row in rows:
            if row["id"] not in self._leased:
                await settle_predecessor(self._db, row["tenant_id"], row["id"])
        self._leased = frozenset(row["id"] for row in rows)
        return [SessionRef(str(row["id"]), PROVIDER, row["account"], row["config"]) for row in rows]

    async def _count_hosts(self) -> int:
        """How many hosts this machine has. The numbers of those that died are free at once: that is certain here."""
        living = 1 + await self._neighbours.count(self.host, self._succeed)
        starting = time.monotonic() - self._born < _STARTING_SECONDS
        return max(living, self._neighbours.expected if starting else 1)

    async def _succeed(self, dead_host: str) -> None:
        await self._db.gate("release_sessions", dead_host)

    async def keep(self, session_id: str, event: ChannelEvent) -> None:
        """Make the event durable; what belongs to a number that was deleted has nowhere to go."""
        try:
            session = await self._inbound.session(UUID(session_id))
        except NotFoundError:
            log.warning("an event of the deleted number %s was dropped", session_id)
            return
        await self._inbound.receive(session, event)
        if self.people is not None:
            self.people.noticed(session.tenant_id, session.id, event)

    async def let_go(self, session_id: str) -> None:
        """Let a host of the other kind have the number."""
        await self._db.gate("pass_session_on", self.host, UUID(session_id))
        self._leased -= {UUID(session_id)}

    async def release(self) -> None:
        """Give up all leases of this host."""
        await self._db.gate("release_sessions", self.host)


async def _host(settings: Settings, url: str, numbers: LeasedNumbers, db: Database, wakeup: Wakeup) -> None:
    loading()
    from channels.whatsapp.devices import DeviceStore  # noqa: PLC0415 - see run
    from channels.whatsapp.neonize_channel import NeonizeChannel  # noqa: PLC0415
    from channels.whatsapp.session_host import HostLimits, SessionHost  # noqa: PLC0415

    make_data_dir(settings.data_dir)
    devices = DeviceStore(login_url(url, settings.secret, SESSIONS_ROLE))
    media = MediaFiles(db, media_store(settings))
    channel = NeonizeChannel(devices, settings.data_dir / "spool", proxy_url=settings.whatsapp_proxy_url, media=media)
    await channel.prepare()
    limits = HostLimits(
        lease_seconds=_LEASE_SECONDS,
        look_seconds=_LOOK_SECONDS,
        most_memory_mb=settings.session_host_memory_mb,
        holds=numbers.holds,
    )
    if limits.holds == "unpaired":
        limits = replace(limits, unsettled_seconds=_PAIRING_SECONDS)
    host = SessionHost(channel, numbers, limits)
    delivery = Delivery(db, wakeup, {}, local=host.senders)
    held = HeldConnections(host, channel, devices)
    requests = SessionRequests(db, wakeup, media.store, held, numbers.host)

    def channels() -> dict[UUID, NeonizeChannel]:
        return dict.fromkeys(host.senders(), channel)

    questions = HostRequests(db, channels)
    people = numbers.people = People(db, wakeup, media.store, channels, proxy_url=settings.whatsapp_proxy_url)
    fetching = MediaFetching(db, wakeup, {}, media.store, local=channels)
    wakeup.listen_here(OUTBOX, delivery.more.set)
    background = [
        asyncio.create_task(work)
        for work in (
            Listener(db, {OUTBOX: delivery.more.set, NUMBERS: host.look}).run(),
            every(0.25, delivery.run_due, wake=delivery.more),
            every(_NOTED_SECONDS, channel.note_kept),
            every(1, fetching.run_due),
            every(0.25, questions.run_due),
            every(_PEOPLE_SECONDS, people.run_due, wake=people.more),
            _pass_on(host.ready_changed, delivery.more),
            every(_REQUESTS_SECONDS, requests.run_due),
        )
    ]
    try:
        await host.run()
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await requests.close()
        await delivery.wait_idle()
        await channel.close()


async def _pass_on(source: asyncio.Event, target: asyncio.Event) -> None:
    while True:
        await source.wait()
        source.clear()
        target.set()
