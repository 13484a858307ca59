"""What is asked of a number's connection: is this phone on WhatsApp, show typing, mark as read.

A gateway is asked at once. A number whose connection a session host holds is asked through a row, which the host
answers; so neither side needs to know where the other runs. A looked-up phone number is remembered for some days.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from channels.base import SessionRef
from channels.gateway import GatewayRefusedError, GatewayUnavailableError, NotOfferedError
from channels.whatsapp.ids import canonical_phone
from domain.errors import AtendeError, ConflictError, InvalidInputError, NotFoundError
from domain.messages import Address, AddressKind
from flows.gateways import Gateways
from flows.sessions import HOSTED, SIMULATED
from store.database import Database, Row

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 12.0
_LOOK_SECONDS = 0.1
_REMEMBERED = timedelta(days=7)
_AT_ONCE = 20
_CALL_SECONDS = 20.0


class NumberNotReachableError(ConflictError):
    """The number itself is offline, or nobody who holds its connection answers."""

    def __init__(self, why: str = "") -> None:
        super().__init__(
            f"This number cannot ask WhatsApp now{f' ({why})' if why else ''}.",
            hint="See whether it is connected, and try again.",
        )


class NotOnWhatsAppError(InvalidInputError):
    """Nobody can be written to at this phone number; nothing was queued."""

    def __init__(self, phone: str) -> None:
        super().__init__("to", f"{phone} is not on WhatsApp", hint="Check the number, with country and area code.")
        self.phone = phone


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A phone number (E.164, Brazilian mobiles with their ninth digit) and its address on WhatsApp, if it has one."""

    phone: str
    address: Address | None


class Connection(Protocol):
    """What a gateway and the channel that holds connections have in common."""

    async def check_number(self, session: SessionRef, digits: str) -> Address | None: ...

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None: ...

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None: ...


class ChannelRequests:
    """Asks. Raises NumberNotReachableError, InvalidInputError or NotFoundError."""

    def __init__(self, db: Database, gateways: Gateways, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._db, self._gateways, self._patience = db, gateways, patience

    async def check_number(self, tenant_id: UUID, session_id: UUID, phone: str) -> LookedUp:
        """Where a phone number is on WhatsApp; a Brazilian mobile is found with and without its ninth digit."""
        canonical = canonical_phone(phone)
        number = await self._number(tenant_id, session_id)
        if number["provider"] == SIMULATED:
            return LookedUp(canonical, Address(AddressKind.PHONE, canonical[1:]))
        known = await self._remembered(tenant_id, session_id, canonical)
        found = known if known is not None else await self._ask(tenant_id, number, "check_number", {"phone": canonical})
        address = found.get("address")
        return LookedUp(canonical, Address.parse(address) if address else None)

    async def show_typing(self, tenant_id: UUID, session_id: UUID, chat: Address, *, typing: bool) -> None:
        """Show or hide "typing…" in a chat."""
        number = await self._number(tenant_id, session_id)
        if number["provider"] != SIMULATED:
            await self._ask(tenant_id, number, "typing", {"chat": str(chat), "typing": typing})

    async def mark_read(self, tenant_id: UUID, session_id: UUID, chat: Address) -> None:
        """Give the chat's newest messages of the customer their blue ticks."""
        number = await self._number(tenant_id, session_id)
        async with self._db.transaction(tenant_id) as tx:
            rows = await tx.fetch(
                """SELECT m.provider_id FROM contact_address a
                     JOIN message m ON m.contact_id = a.contact_id AND m.channel_session_id = $1
                    WHERE a.kind = $2 AND a.value = $3 AND m.author = 'contact' AND m.provider_id IS NOT NULL
                      AND NOT m.historical
                    ORDER BY m.id DESC LIMIT 20""",
                session_id,
                chat.kind.value,
                chat.value,
            )
        ids = [row["provider_id"] for row in reversed(rows)]
        if number["provider"] != SIMULATED and ids:
            await self._ask(tenant_id, number, "read", {"chat": str(chat), "ids": ids})

    async def _number(self, tenant_id: UUID, session_id: UUID) -> Row:
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow(
                "SELECT id, provider, account, config FROM channel_session WHERE id = $1", session_id
            )
        if row is None:
            raise NotFoundError("number", session_id)
        return row

    async def _remembered(self, tenant_id: UUID, session_id: UUID, phone: str) -> dict[str, Any] | None:
        async with self._db.transaction(tenant_id) as tx:
            found: dict[str, Any] | None = await tx.fetchval(
                """SELECT answer FROM channel_request
                    WHERE channel_session_id = $1 AND kind = 'check_number' AND state = 'done'
                      AND payload ->> 'phone' = $2 AND answer ->> 'address' IS NOT NULL
                      AND created_at > now() - $3::interval
                    ORDER BY created_at DESC LIMIT 1""",
                session_id,
                phone,
                _REMEMBERED,
            )
        return found

    async def _ask(self, tenant_id: UUID, number: Row, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        gateway = self._gateways.get(number["provider"])
        if gateway is None and number["provider"] != HOSTED:
            raise NumberNotReachableError
        async with self._db.transaction(tenant_id) as tx:
            await tx.execute(
                "DELETE FROM channel_request WHERE channel_session_id = $1 AND created_at < now() - $2::interval",
                number["id"],
                _REMEMBERED,
            )
            request_id: UUID = await tx.fetchval(
                "INSERT INTO channel_request (tenant_id, channel_session_id, kind, payload) VALUES ($1, $2, $3, $4) "
                "RETURNING id",
                tenant_id,
                number["id"],
                kind,
                payload,
            )
        if gateway is not None:
            await _answer(self._db, tenant_id, request_id, gateway)
        answered = await self._answered(tenant_id, request_id)
        if answered["state"] != "done":
            raise NumberNotReachableError(str(answered["answer"].get("error", "")))
        answer: dict[str, Any] = answered["answer"]
        return answer

    async def _answered(self, tenant_id: UUID, request_id: UUID) -> Row:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while True:
                    async with self._db.transaction(tenant_id) as tx:
                        row = await tx.fetchrow("SELECT state, answer FROM channel_request WHERE id = $1", request_id)
                    if row["state"] != "wanted":
                        return row
                    await asyncio.sleep(_LOOK_SECONDS)
        raise NumberNotReachableError


class HostRequests:
    """Answers what is asked of the numbers whose connection this process holds: a loop of every session host."""

    def __init__(self, db: Database, local: Callable[[], Mapping[UUID, Connection]]) -> None:
        self._db, self._local = db, local

    async def run_due(self) -> int:
        """Answer what waits; returns how many."""
        local = self._local()
        if not local:
            return 0
        due = await self._db.gate("due_requests", list(local), _AT_ONCE)
        answered = [self._one(row["tenant_id"], row["id"]) for row in due]
        return sum(await asyncio.gather(*answered))

    async def _one(self, tenant_id: UUID, request_id: UUID) -> bool:
        async with self._db.transaction(tenant_id) as tx:
            session_id = await tx.fetchval("SELECT channel_session_id FROM channel_request WHERE id = $1", request_id)
        connection = self._local().get(session_id)
        return connection is not None and await _answer(self._db, tenant_id, request_id, connection)


async def _answer(db: Database, tenant_id: UUID, request_id: UUID, connection: Connection) -> bool:
    async with db.transaction(tenant_id) as tx:
        row = await tx.fetchrow(
            """SELECT r.kind, r.payload, s.id AS session_id, s.provider, s.account, s.config
                 FROM channel_request r JOIN channel_session s ON s.id = r.channel_session_id
                WHERE r.id = $1 AND r.state = 'wanted'""",
            request_id,
        )
    if row is None:
        return False
    session = SessionRef(str(row["session_id"]), row["provider"], row["account"], row["config"])
    state, answer = "done", dict[str, Any]()
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            answer = await _carry_out(connection, session, row["kind"], row["payload"])
    except (GatewayRefusedError, GatewayUnavailableError, NotOfferedError, InvalidInputError) as error:
        state, answer = "failed", {"error": str(error)[:500]}
    except Exception as error:  # a provider's bug must not end the loop that answers all
        log.warning("request %s failed: %r", request_id, error)
        state, answer = "failed", {"error": type(error).__name__}
    async with db.transaction(tenant_id) as tx:
        await tx.execute(
            "UPDATE channel_request SET state = $2, answer = $3 WHERE id = $1 AND state = 'wanted'",
            request_id,
            state,
            answer,
        )
    return True


async def _carry_out(
    connection: Connection, session: SessionRef, kind: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    match kind:
        case "check_number":
            found = await connection.check_number(session, payload["phone"].lstrip("+"))
            return {"address": str(found) if found else None}
        case "typing":
            await connection.show_typing(session, Address.parse(payload["chat"]), typing=payload["typing"])
        case "read":
            await connection.mark_read(session, Address.parse(payload["chat"]), payload["ids"])
        case _:
            raise AtendeError(f"nobody can do {kind}")
    return {}
