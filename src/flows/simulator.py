"""The simulated phones: what they received is kept in the database, so that any process can send to them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from channels.base import MessageReceived, SessionRef
from channels.simulator import parse_door_message
from domain.content_words import described
from domain.errors import NotFoundError
from domain.messages import Outbound
from flows.inbound import Inbound
from flows.session_info import SessionInfo
from store.database import Connection, Database, Row
from store.together import Together


class SimulatedPhones:
    """The far side of the simulator's sender."""

    def __init__(self, db: Database, inbound: Inbound) -> None:
        self._db = db
        self._inbound = inbound
        self._delivering = Together(db, _deliver_together, order=lambda delivered: delivered[2])

    async def deliver(self, session: SessionRef, message: Outbound) -> None:
        """Put a message on the simulated phone; the same key twice is one message."""
        info = await self._inbound.session(UUID(session.id))
        text = described(message.content, message.text)
        await self._delivering.do(info.tenant_id, (info.tenant_id, info.id, message.key, message.to.value, text))

    async def received(self, session_id: UUID, *, after: int = 0, limit: int = 500) -> list[Row]:
        """What the number's simulated phones got, in order: (seq, contact, text, at).

        Raises NotFoundError if it is no such number.
        """
        info = await self._inbound.session(session_id)
        _check_simulated(info)
        async with self._db.transaction(info.tenant_id) as tx:
            return list(
                await tx.fetch(
                    "SELECT id AS seq, contact, text, at FROM simulator_delivery "
                    "WHERE channel_session_id = $1 AND id > $2 ORDER BY id LIMIT $3",
                    session_id,
                    after,
                    limit,
                )
            )


async def _deliver_together(tx: Connection, batch: Sequence[tuple[UUID, UUID, str, str, str]]) -> list[None]:
    await tx.execute(
        "INSERT INTO simulator_delivery (tenant_id, channel_session_id, key, contact, text) "
        "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) ON CONFLICT (key) DO NOTHING",
        *(list(column) for column in zip(*batch, strict=True)),
    )
    return [None] * len(batch)


def read_door_message(session: SessionInfo, body: object) -> MessageReceived:
    """A message for the simulator's HTTP door. Raises InvalidInputError; NotFoundError if it is no such number."""
    _check_simulated(session)
    return parse_door_message(body)


def _check_simulated(session: SessionInfo) -> None:
    if session.provider != "simulator":
        raise NotFoundError("simulated number", session.id)
