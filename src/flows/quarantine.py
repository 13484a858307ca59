"""Deliveries that nobody understood: read again after an upgrade, or thrown away by an administrator."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from channels.base import Unrecognised
from flows.deliveries import read_delivery, session_ref
from flows.gateways import Gateways
from flows.inbound import Inbound
from flows.media import MediaFiles
from store import quarantine
from store.database import Database


@dataclass(frozen=True, slots=True)
class Replayed:
    """``understood`` were stored and left the quarantine; ``left`` are still in it."""

    understood: int
    left: int


class Quarantine:
    """What administrators do with their tenant's quarantine. Raises NotFoundError."""

    def __init__(self, db: Database, inbound: Inbound, gateways: Gateways, media: MediaFiles) -> None:
        self._db, self._inbound, self._gateways, self._media = db, inbound, gateways, media

    async def replay(self, tenant_id: UUID, quarantined_id: UUID) -> bool:
        """Read one again; whether all of it is understood by now, stored, and out of quarantine.

        What was stored before, by the rest of its delivery or by hand, is not stored twice.
        """
        async with self._db.transaction(tenant_id) as tx:
            item = await quarantine.one(tx, quarantined_id)
        gateway = self._gateways.get(item.provider)
        if gateway is None or not item.is_whole:
            return False
        session = await self._inbound.session(item.channel_session_id)
        events = read_delivery(gateway, session_ref(session), item.body)
        if any(isinstance(event, Unrecognised) for event in events):
            return False
        for event in events:
            await self._inbound.receive(session, await self._media.without_inline(tenant_id, event))
        await self.discard(tenant_id, quarantined_id)
        return True

    async def replay_all(self, tenant_id: UUID, *, name: str | None = None) -> Replayed:
        """Read all of the tenant's (of one name) again, the oldest first."""
        async with self._db.transaction(tenant_id) as tx:
            ids = await quarantine.replayable(tx, name=name)
        understood = sum([await self.replay(tenant_id, quarantined_id) for quarantined_id in ids])
        async with self._db.transaction(tenant_id) as tx:
            return Replayed(understood, await quarantine.waiting(tx))

    async def discard(self, tenant_id: UUID, quarantined_id: UUID) -> None:
        """Throw one away."""
        async with self._db.transaction(tenant_id) as tx:
            await quarantine.remove(tx, quarantined_id)
