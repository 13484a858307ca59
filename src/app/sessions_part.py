"""The session host: the process that holds the WhatsApp connections, and sends for the numbers it holds."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from app.host_name import host_name
from app.settings import Settings, make_data_dir
from channels.base import ChannelEvent, SessionRef
from domain.errors import NotFoundError
from flows.delivery import Delivery, settle_predecessor
from flows.inbound import Inbound
from store.database import Database, login_url
from store.roles import SESSIONS_ROLE
from store.wakeup import OUTBOX, Listener, Wakeup, every

log = logging.getLogger(__name__)

PROVIDER = "neonize"
_LOOK_SECONDS = 2.0
_LEASE_SECONDS = 15.0
_CONNECTIONS = 10


async def run(settings: Settings, _listening: socket.socket | None = None) -> None:
    """Hold connections until cancelled, or until the host is worn out and wants to be started afresh."""
    url = settings.need_database_url()
    db = await Database.open(url, settings.secret, max_connections=_CONNECTIONS)
    wakeup = Wakeup(db)
    try:
        with host_name(settings.data_dir / "hosts") as name:
            numbers = LeasedNumbers(db, Inbound(db, wakeup), name)
            # Without a number there is nothing to hold: neonize and its Go core are then not even loaded.
            while not await numbers.lease(1, _LEASE_SECONDS):  # noqa: ASYNC110  it happens in the database
                await asyncio.sleep(_LOOK_SECONDS)
            await _host(settings, url, numbers, db, wakeup)
    finally:
        await wakeup.close()
        await db.close()


class LeasedNumbers:
    """Where the host's leases and events are kept (``channels.whatsapp.session_host.HostStore``): in the database."""

    def __init__(self, db: Database, inbound: Inbound, host: str) -> None:
        self._db = db
        self._inbound = inbound
        self._host = host
        self._leased: frozenset[UUID] = frozenset()

    async def lease(self, capacity: int, seconds: float) -> Sequence[SessionRef]:
        """Renew this host's leases and take free numbers; returns all that this host shall run now."""
        rows = await self._db.gate("lease_sessions", self._host, PROVIDER, timedelta(seconds=seconds), capacity)
        for row in rows:
            if row["id"] not in self._leased:
                await settle_predecessor(self._db, row["tenant_id"], row["id"])
        self._leased = frozenset(row["id"] for row in rows)
        return [SessionRef(str(row["id"]), PROVIDER, row["account"], row["config"]) for row in rows]

    async def keep(self, session_id: str, event: ChannelEvent) -> None:
        """Make the event durable; what belongs to a number that was deleted has nowhere to go."""
        try:
            session = await self._inbound.session(UUID(session_id))
        except NotFoundError:
            log.warning("an event of the deleted number %s was dropped", session_id)
            return
        await self._inbound.receive(session, event)

    async def release(self) -> None:
        """Give up all leases of this host."""
        await self._db.gate("release_sessions", self._host)


async def _host(settings: Settings, url: str, numbers: LeasedNumbers, db: Database, wakeup: Wakeup) -> None:
    from channels.whatsapp.devices import DeviceStore  # noqa: PLC0415 - see run
    from channels.whatsapp.neonize_channel import NeonizeChannel  # noqa: PLC0415
    from channels.whatsapp.session_host import SessionHost  # noqa: PLC0415

    make_data_dir(settings.data_dir)
    devices = DeviceStore(login_url(url, settings.secret, SESSIONS_ROLE))
    channel = NeonizeChannel(devices, settings.data_dir / "spool", proxy_url=settings.whatsapp_proxy_url)
    await channel.prepare()
    host = SessionHost(channel, numbers)
    delivery = Delivery(db, wakeup, {}, local=host.senders)
    wakeup.listen_here(OUTBOX, delivery.more.set)
    background = [
        asyncio.create_task(work)
        for work in (
            Listener(db, {OUTBOX: delivery.more.set}).run(),
            every(0.25, delivery.run_due, wake=delivery.more),
            _pass_on(host.ready_changed, delivery.more),
        )
    ]
    try:
        await host.run()
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await delivery.wait_idle()


async def _pass_on(source: asyncio.Event, target: asyncio.Event) -> None:
    while True:
        await source.wait()
        source.clear()
        target.set()
