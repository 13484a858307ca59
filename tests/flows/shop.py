"""A running shop for tests: the slow shop's folder imported, customers who write, and what they got back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from agent.encoder import accurate_encoder
from channels.base import MessageReceived
from domain.messages import Address, AddressKind
from flows.approvals import Approvals
from flows.desk import Actor, Desk
from flows.inbound import Inbound
from flows.session_info import SessionInfo
from flows.simulator import SimulatedPhones
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from store.database import Database, Row
from store.wakeup import Wakeup

FOLDER = Path(__file__).parent / "slow_shop"


@dataclass
class Shop:
    """One imported tenant and the ways into it that tests use."""

    db: Database
    tenant_id: UUID
    session: SessionInfo
    inbound: Inbound
    phones: SimulatedPhones
    desk: Desk
    operator: Actor
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    async def write(self, contact: str, text: str, *, provider_id: str | None = None, **more: Any) -> str:
        """The customer writes; returns what the inbound flow said."""
        event = MessageReceived(
            provider_id=provider_id or f"test-{next(self._ids)}",
            chat=Address(AddressKind.SIMULATOR, contact),
            sent_at=more.pop("sent_at", datetime.now(UTC)),
            text=text,
            **more,
        )
        return await self.inbound.receive(self.session, event)

    async def got(self, contact: str) -> list[str]:
        """What the customer's phone received so far."""
        return [row["text"] for row in await self.phones.received(self.session.id) if row["contact"] == contact]

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        """Read the shop's rows."""
        async with self.db.transaction(self.tenant_id) as tx:
            return list(await tx.fetch(statement, *values))

    async def take_seconds(self, function: str, seconds: float) -> None:
        """Make a function of the slow shop take this long from now on."""
        async with self.db.transaction(self.tenant_id) as tx:
            await tx.execute(
                "INSERT INTO business_record (tenant_id, collection, key, value) VALUES ($1, 'control', $2, $3) "
                "ON CONFLICT (tenant_id, collection, key) DO UPDATE SET value = excluded.value",
                self.tenant_id,
                function,
                {"seconds": seconds},
            )

    async def debounce(self, seconds: float, cap_seconds: float) -> None:
        """Set how long turns wait for further messages."""
        await self.set(debounce={"seconds": seconds, "cap_seconds": cap_seconds})

    async def set(self, **settings: Any) -> None:
        """Change settings of the tenant, as an import of a changed tenant.yaml would."""
        async with self.db.transaction(self.tenant_id) as tx:
            await tx.execute(
                "UPDATE tenant SET settings = settings || $2, profile_version = profile_version + 1 WHERE id = $1",
                self.tenant_id,
                settings,
            )
        self.inbound = Inbound(self.db, self.inbound._wakeup)
        self.session = await self.inbound.session(self.session.id)


@asynccontextmanager
async def open_shop(owner_dsn: str, db: Database, folder: Path = FOLDER) -> AsyncIterator[Shop]:
    """Import the tenant and hand out its shop."""
    imported = await import_tenant(owner_dsn, db, load_tenant(folder), accurate_encoder(), today=date.today())  # noqa: DTZ011
    wakeup = Wakeup(db)
    inbound = Inbound(db, wakeup)
    async with db.transaction(imported.tenant_id) as tx:
        user_id = await tx.fetchval("SELECT user_id FROM membership WHERE role = 'operator' LIMIT 1")
    yield Shop(
        db,
        imported.tenant_id,
        await inbound.session(next(iter(imported.numbers.values()))),
        inbound,
        SimulatedPhones(db, inbound),
        Desk(db, wakeup, Approvals(db, wakeup)),
        Actor(imported.tenant_id, user_id, "Rui"),
    )
    await wakeup.close()


async def eventually(check: Callable[[], Awaitable[bool]], *, within: float, what: str = "it") -> float:
    """Wait until ``check`` holds; returns the seconds it took, fails after ``within``."""
    started = time.monotonic()
    while not await check():
        if time.monotonic() - started > within:
            raise AssertionError(f"{what} did not happen within {within} s")
        await asyncio.sleep(0.05)
    return time.monotonic() - started
