"""Numbers (channel sessions): what providers report about their connection, and what people want of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from channels.base import SessionChanged
from domain.errors import ConflictError, InvalidInputError, NotFoundError
from domain.messages import SessionStatus
from flows.gateways import FACTORIES, completed_settings, declared_settings
from store import events
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup

if TYPE_CHECKING:
    from flows.desk import Actor

QR_LIFETIME = timedelta(seconds=60)
HOSTED = "neonize"
"""The provider whose connections we hold ourselves: its numbers are paired, and can be paused."""
SIMULATED = "simulator"
_NAME_CHARACTERS = 80


class NotHostedError(ConflictError):
    """The number's connection is somebody else's (a gateway's, or simulated)."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"The connection of this number is held by {provider}.", hint="Pair or pause it there.")
        self.provider = provider


class Numbers:
    """What administrators do with their tenant's numbers. A session host follows within some seconds.

    Raises NotFoundError, ConflictError or InvalidInputError; then nothing was changed.
    """

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def pair_again(self, actor: Actor, session_id: UUID) -> None:
        """Forget the paired device and show a new QR code; a device that still works is unlinked."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await _hosted(tx, session_id)
            # The host starts a session that gave up only when something about it changed: see SessionHost.
            await tx.execute(
                """UPDATE channel_session
                      SET account = NULL, wanted = true,
                          config = config || jsonb_build_object(
                              'pairing', coalesce((config ->> 'pairing')::integer, 0) + 1)
                    WHERE id = $1""",
                session_id,
            )
            await _reset(tx, actor, session_id, "pair_again")
        self._wakeup.signal(EVENTS)

    async def pause(self, actor: Actor, session_id: UUID) -> None:
        """Take the number offline. It stays paired, and WhatsApp keeps what is sent to it meanwhile."""
        await self._want(actor, session_id, wanted=False)

    async def resume(self, actor: Actor, session_id: UUID) -> None:
        """Bring a paused number online again."""
        await self._want(actor, session_id, wanted=True)

    async def _want(self, actor: Actor, session_id: UUID, *, wanted: bool) -> None:
        async with self._db.transaction(actor.tenant_id) as tx:
            row = await _hosted(tx, session_id)
            if row["wanted"] == wanted:
                return
            await tx.execute("UPDATE channel_session SET wanted = $2 WHERE id = $1", session_id, wanted)
            await _reset(tx, actor, session_id, "resume" if wanted else "pause")
        self._wakeup.signal(EVENTS)


async def add_number(tx: Connection, tenant_id: UUID, *, name: str, provider: str, config: Mapping[str, Any]) -> UUID:
    """A further number of the tenant; returns its id. Raises InvalidInputError, naming all faults of its settings.

    Secrets that are ours to choose are made where ``config`` gives none.
    """
    name = name.strip()
    if not 0 < len(name) <= _NAME_CHARACTERS:
        raise InvalidInputError("name", f"must have 1 to {_NAME_CHARACTERS} characters")
    providers = (HOSTED, *FACTORIES, SIMULATED)
    if provider not in providers:
        raise InvalidInputError("provider", f"must be one of {', '.join(providers)}")
    settings = completed_settings(provider, declared_settings(provider), config)
    status = SessionStatus.CONNECTED if provider == SIMULATED else SessionStatus.UNKNOWN
    session_id: UUID = await tx.fetchval(
        "INSERT INTO channel_session (tenant_id, provider, name, status, config) VALUES ($1, $2, $3, $4, $5) "
        "RETURNING id",
        tenant_id,
        provider,
        name,
        status.value,
        settings,
    )
    await events.append(tx, tenant_id, "session.added", payload={"channel_session_id": str(session_id)})
    return session_id


async def record_status(tx: Connection, tenant_id: UUID, session_id: UUID, change: SessionChanged) -> None:
    """Write the newest status (and QR code) of a number and tell everybody who looks at it."""
    await tx.execute(
        """UPDATE channel_session
              SET status = $2, status_detail = $3, status_at = $4, account = coalesce($5, account),
                  qr = $6, qr_expires_at = $7
            WHERE id = $1""",
        session_id,
        change.status.value,
        change.detail,
        change.at,
        change.account,
        change.qr,
        change.at + QR_LIFETIME if change.qr else None,
    )
    await _tell(tx, tenant_id, session_id, change.status, detail=change.detail, has_qr=change.qr is not None)


async def _hosted(tx: Connection, session_id: UUID) -> Row:
    row = await tx.fetchrow("SELECT provider, wanted FROM channel_session WHERE id = $1 FOR UPDATE", session_id)
    if row is None:
        raise NotFoundError("number", session_id)
    if row["provider"] != HOSTED:
        raise NotHostedError(row["provider"])
    return row


async def _reset(tx: Connection, actor: Actor, session_id: UUID, wish: str) -> None:
    """What was last reported is no longer so, and the host has not told anything newer yet."""
    await tx.execute(
        "UPDATE channel_session SET status = 'unknown', status_detail = '', status_at = now(), qr = NULL, "
        "qr_expires_at = NULL WHERE id = $1",
        session_id,
    )
    await _tell(tx, actor.tenant_id, session_id, SessionStatus.UNKNOWN, wish=wish, actor=str(actor))


async def _tell(
    tx: Connection,
    tenant_id: UUID,
    session_id: UUID,
    status: SessionStatus,
    *,
    actor: str = "system",
    **more: object,
) -> None:
    payload = {"channel_session_id": str(session_id), "status": status.value, "detail": "", "has_qr": False, **more}
    await events.append(tx, tenant_id, "session.status", payload=payload, actor=actor)
