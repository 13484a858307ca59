"""What people want of a number's connection, whoever holds it: created, started, stopped, paired, unlinked, deleted.

A gateway is told at once. A hosted number is changed in its row, which its session host follows, or by a request that
the host carries out within a second; whoever asked waits for the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from channels.whatsapp.ids import canonical_phone
from domain.errors import AtendeError, ConflictError, InvalidInputError
from flows import sessions
from flows.gateway_numbers import GatewayFailedError, GatewayNumbers, SetUpReport
from flows.session_removal import remove_session
from flows.sessions import HOSTED, SIMULATED, NotHostedError, add_number
from flows.versions import ANY
from store import events, numbers, session_requests
from store.database import Connection, Database
from store.media import MediaStore
from store.session_requests import RequestKind
from store.wakeup import EVENTS, Wakeup

_LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 25.0
"""How long an answer is waited for: a host that has just taken the number needs some seconds to connect."""


class NoHostError(ConflictError):
    """No session host did it in time."""

    def __init__(self) -> None:
        super().__init__(
            "No session host runs this number now.", hint="Check that Atende runs (atende serve), then try again."
        )


class SessionRefusedError(ConflictError):
    """The session host tried and could not; its words are the message."""


class AlreadyLinkedError(ConflictError):
    """A phone is linked: it must be unlinked before another can be."""

    def __init__(self, account: str) -> None:
        super().__init__(f"A phone is linked already ({account}).", hint="Log the session out first.")


@dataclass(frozen=True, slots=True)
class PairingCode:
    """What to type into the phone, under Linked devices → Link with phone number instead."""

    code: str
    phone: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """``done`` False: a host does it as soon as one runs. ``told``: WhatsApp was told; the phone lists it no more."""

    done: bool
    told: bool = False


class ChannelSessions:
    """Raises NotFoundError, ConflictError or InvalidInputError; then nothing was changed, unless it says so."""

    def __init__(self, db: Database, wakeup: Wakeup, media: MediaStore, gateways: GatewayNumbers | None = None) -> None:
        self._db, self._wakeup, self._media, self._gateways = db, wakeup, media, gateways
        self.patience = PATIENCE_SECONDS

    async def create(
        self,
        tenant_id: UUID,
        *,
        name: str,
        provider: str = HOSTED,
        config: Mapping[str, Any] | None = None,
        start: bool = True,
        actor: str,
    ) -> UUID:
        """A further number of the tenant; a hosted one is brought online unless ``start`` is False."""
        async with self._db.transaction(tenant_id) as tx:
            session_id = await add_number(tx, tenant_id, name=name, provider=provider, config=config or {}, actor=actor)
            if not start and provider == HOSTED:
                await tx.execute("UPDATE channel_session SET wanted = false WHERE id = $1", session_id)
        self._wakeup.signal(EVENTS)
        return session_id

    async def change(
        self,
        tenant_id: UUID,
        session_id: UUID,
        *,
        name: str | None = None,
        groups: object = None,
        actor: str,
        version: str | None = ANY,
    ) -> None:
        """Another name, or another way with groups (``sessions.GROUPS``), if nobody changed either since ``version``;
        None leaves it as it is."""
        async with self._db.transaction(tenant_id) as tx:
            await sessions.change(tx, tenant_id, session_id, name=name, groups=groups, actor=actor, version=version)
        self._wakeup.signal(EVENTS)

    async def set_up(self, tenant_id: UUID, session_id: UUID, *, actor: str) -> SetUpReport:
        """Create or attach it at its gateway and register our webhook there; doing it again changes nothing.

        Raises GatewayFailedError.
        """
        async with self._db.transaction(tenant_id) as tx:
            provider = (await numbers.number(tx, session_id)).provider
        if provider in {HOSTED, SIMULATED} or self._gateways is None:
            raise InvalidInputError("session", f"its provider {provider} is no gateway", hint="Start it instead.")
        return await self._gateways.set_up(tenant_id, session_id, actor=actor)

    async def start(self, tenant_id: UUID, session_id: UUID, *, actor: str) -> None:
        """Bring it online: with the paired device, else a QR code is shown. One that runs is left alone."""
        if await self._at_gateway(tenant_id, session_id, "start", actor):
            return
        async with self._db.transaction(tenant_id) as tx:
            await sessions.start(tx, tenant_id, session_id, actor=actor)
        self._wakeup.signal(EVENTS)

    async def stop(self, tenant_id: UUID, session_id: UUID, *, actor: str) -> None:
        """Take it offline. It stays paired, and WhatsApp keeps what is sent to it meanwhile.

        Returns once its host has let it go; without a host that answers, the end of its lease is the proof.
        """
        if await self._at_gateway(tenant_id, session_id, "stop", actor):
            return
        request = None
        async with self._db.transaction(tenant_id) as tx:
            await sessions.pause(tx, tenant_id, session_id, actor=actor)
            if await self._is_run(tx, session_id):
                request = await self._ask(tx, tenant_id, session_id, "stop", actor=actor)
        self._wakeup.signal(EVENTS)
        if request is not None:
            with contextlib.suppress(NoHostError, SessionRefusedError):
                await self._answer(tenant_id, request)

    async def restart(self, tenant_id: UUID, session_id: UUID, *, actor: str) -> Outcome:
        """Close its connection and open it anew; one that is stopped is started."""
        if await self._at_gateway(tenant_id, session_id, "restart", actor):
            return Outcome(done=True)
        async with self._db.transaction(tenant_id) as tx:
            if await sessions.start(tx, tenant_id, session_id, actor=actor):
                request = None
            else:
                request = await self._ask(tx, tenant_id, session_id, "restart", actor=actor)
        self._wakeup.signal(EVENTS)
        if request is None:
            return Outcome(done=True)
        await self._answer(tenant_id, request)
        return Outcome(done=True)

    async def pair_code(self, tenant_id: UUID, session_id: UUID, phone: str, *, actor: str) -> PairingCode:
        """A code to type into the phone with that number, instead of scanning; starts what is stopped."""
        digits = canonical_phone(phone)
        async with self._db.transaction(tenant_id) as tx:
            row = await sessions.hosted(tx, session_id)
            if row["account"] is not None:
                raise AlreadyLinkedError(row["account"])
            await sessions.start(tx, tenant_id, session_id, actor=actor)
            request = await self._ask(tx, tenant_id, session_id, "pair_code", actor=actor, phone=digits)
        self._wakeup.signal(EVENTS)
        result = await self._answer(tenant_id, request)
        return PairingCode(str((result or {}).get("code", "")), digits)

    async def log_out(self, tenant_id: UUID, session_id: UUID, *, actor: str) -> Outcome:
        """End the pairing at WhatsApp and forget its keys; the number stays, without a phone."""
        if await self._at_gateway(tenant_id, session_id, "logout", actor):
            return Outcome(done=True, told=True)
        async with self._db.transaction(tenant_id) as tx:
            row = await sessions.hosted(tx, session_id)
            if not await self._is_run(tx, session_id) and row["account"] is None:
                await sessions.pause(tx, tenant_id, session_id, actor=actor)
                return Outcome(done=True)
            request = await self._ask_a_host(tx, tenant_id, session_id, "logout", actor=actor)
        return await self._outcome(tenant_id, request)

    async def delete(self, tenant_id: UUID, session_id: UUID, *, actor: str) -> Outcome:
        """End the pairing, then delete the number with its conversations and files.

        A gateway that cannot be reached does not keep the number here.
        """
        async with self._db.transaction(tenant_id) as tx:
            number = await numbers.number(tx, session_id)
            is_run = await self._is_run(tx, session_id)
            request = None
            if number.provider == HOSTED and (is_run or number.account is not None):
                await sessions.hosted(tx, session_id)
                request = await self._ask_a_host(tx, tenant_id, session_id, "delete", actor=actor)
        if request is not None:
            return await self._outcome(tenant_id, request)
        told = False
        if number.provider not in {HOSTED, SIMULATED}:
            with contextlib.suppress(GatewayFailedError):
                told = await self._at_gateway(tenant_id, session_id, "delete", actor)
        await remove_session(self._db, self._media, tenant_id, session_id, actor=actor)
        self._wakeup.signal(EVENTS)
        return Outcome(done=True, told=told)

    async def _at_gateway(self, tenant_id: UUID, session_id: UUID, wish: str, actor: str) -> bool:
        """Tell the gateway that holds the number, if one does."""
        async with self._db.transaction(tenant_id) as tx:
            provider = (await numbers.number(tx, session_id)).provider
        if provider == HOSTED:
            return False
        if provider == SIMULATED or self._gateways is None:
            raise NotHostedError(provider)
        await self._gateways.control(tenant_id, session_id, wish, actor=actor)
        return True

    async def _ask(
        self, tx: Connection, tenant_id: UUID, session_id: UUID, kind: RequestKind, *, actor: str, **argument: object
    ) -> UUID:
        payload = {"channel_session_id": str(session_id), "wish": kind, **argument}
        await events.append(tx, tenant_id, "session.asked", payload=payload, actor=actor)
        return await session_requests.add(tx, tenant_id, session_id, kind, actor=actor, **argument)

    async def _ask_a_host(
        self, tx: Connection, tenant_id: UUID, session_id: UUID, kind: RequestKind, *, actor: str
    ) -> UUID:
        """The same, and some host shall take the number for it."""
        await tx.execute(
            """UPDATE channel_session
                  SET wanted = true, ended_at = NULL,
                      config = config || jsonb_build_object('starts', coalesce((config ->> 'starts')::integer, 0) + 1)
                WHERE id = $1 AND (NOT wanted OR ended_at IS NOT NULL)""",
            session_id,
        )
        return await self._ask(tx, tenant_id, session_id, kind, actor=actor)

    @staticmethod
    async def _is_run(tx: Connection, session_id: UUID) -> bool:
        found: bool = await tx.fetchval(
            "SELECT coalesce(lease_until > now(), false) FROM channel_session WHERE id = $1", session_id
        )
        return found

    async def _outcome(self, tenant_id: UUID, request: UUID) -> Outcome:
        self._wakeup.signal(EVENTS)
        result = await self._look(tenant_id, request)
        self._wakeup.signal(EVENTS)
        return Outcome(done=False) if result is None else Outcome(done=True, told=bool(result.get("told", False)))

    async def _answer(self, tenant_id: UUID, request: UUID) -> Mapping[str, Any] | None:
        """What the host answers; a request that nobody took is withdrawn. Raises NoHostError, SessionRefusedError."""
        result = await self._look(tenant_id, request)
        if result is not None:
            return result
        async with self._db.transaction(tenant_id) as tx:
            undone = await session_requests.withdraw(tx, request)
            row = await session_requests.look(tx, request)
        if undone:
            raise NoHostError
        return row["result"] if row else None

    async def _look(self, tenant_id: UUID, request: UUID) -> Mapping[str, Any] | None:
        """The result; None while there is none in time. A number that is gone answers with ``deleted``."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self.patience
        while True:
            async with self._db.transaction(tenant_id) as tx:
                row = await session_requests.look(tx, request)
            if row is None:
                return {"deleted": True, "told": await self._told_when_deleted(tenant_id, request)}
            if row["state"] == "failed":
                raise _refused(row["result"])
            if row["state"] == "done":
                found: Mapping[str, Any] = row["result"]
                return found
            if loop.time() >= give_up:
                return None
            await asyncio.sleep(_LOOK_SECONDS)

    async def _told_when_deleted(self, tenant_id: UUID, request: UUID) -> bool:
        """Its request went with the number; what came of it stands in the log."""
        async with self._db.transaction(tenant_id) as tx:
            found = await tx.fetchval(
                "SELECT 1 FROM event WHERE tenant_id = $1 AND kind = 'session.logged_out' "
                "AND payload ->> 'request_id' = $2 AND payload ->> 'told' = 'true'",
                tenant_id,
                str(request),
            )
        return found is not None


def _refused(result: Mapping[str, Any]) -> AtendeError:
    if result.get("field"):
        return InvalidInputError(str(result["field"]), str(result.get("error", "")), hint=str(result.get("hint", "")))
    return SessionRefusedError(str(result.get("error", "It did not work.")), hint=str(result.get("hint", "")))
