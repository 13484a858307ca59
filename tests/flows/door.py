"""A number without an agent behind it: what the way in alone does."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from channels.base import ChannelEvent, MessageReceived
from domain.messages import Address, AddressKind
from flows.inbound import Inbound, Outcome
from flows.session_info import SessionInfo
from store.database import Database, Row

LID = Address(AddressKind.LID, "900100200300")
PHONE = Address(AddressKind.PHONE, "5531900000001")
GROUP = Address(AddressKind.GROUP, "120363000000000001")


@dataclass
class Door:
    """A number without any tenant behind it: what the way in alone does."""

    db: Database
    inbound: Inbound
    session: SessionInfo
    owner_dsn: str
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    async def take(self, event: ChannelEvent) -> Outcome:
        return await self.inbound.receive(self.session, event)

    def message(self, chat: Address = PHONE, text: str = "oi", **more: Any) -> MessageReceived:
        return MessageReceived(
            more.pop("provider_id", f"m{next(self._ids)}"),
            chat,
            more.pop("sent_at", datetime.now(UTC)),
            text=text,
            **more,
        )

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        async with self.db.transaction(self.session.tenant_id) as tx:
            return list(await tx.fetch(statement, *values))

    async def conversation(self) -> Row:
        """The only one there is."""
        (row,) = await self.fetch("SELECT * FROM conversation")
        return row

    async def jobs(self) -> list[Row]:
        owner = await asyncpg.connect(self.owner_dsn)
        try:
            return list(await owner.fetch("SELECT lock, status FROM queue.procrastinate_jobs"))
        finally:
            await owner.close()
