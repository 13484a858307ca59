"""Numbers (channel sessions): what providers report about their connection, and what people want of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from channels.base import SessionChanged
from domain.errors import ConflictError, InvalidInputError, NotFoundError
from domain.messages import SessionStatus
from domain.text import storable
from domain.told import Told
from flows import notifications
from flows.gateways import FACTORIES, completed_settings, declared_settings
from flows.groups import ANSWERS_WHEN_MENTIONED
from flows.versions import ANY, check_version, version_of
from store import events
from store.database import Connection, Database, Row
from store.numbers import Number
from store.wakeup import EVENTS, Wakeup

if TYPE_CHECKING:
    from flows.desk import Actor

QR_LIFETIME = timedelta(seconds=60)
HOSTED = "neonize"
"""The provider whose connections we hold ourselves: its numbers are paired, and can be paused."""
SIMULATED = "simulator"
GROUPS = ("off", ANSWERS_WHEN_MENTIONED)
"""What the agent does in groups: nothing, or answer when it is mentioned or quoted. Kept in a number's config."""
_NAME_CHARACTERS = 80
_NEED_A_PERSON = frozenset({SessionStatus.RESTRICTED, SessionStatus.QR_EXPIRED})
"""States that pass only when somebody does something; a removed device shows otherwise."""


class NotHostedError(ConflictError):
    """The number's connection is somebody else's (a gateway's, or simulated)."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"The connection of this number is held by {provider}.", hint="Pair or pause it there.")
        self.provider = provider


class Numbers:
    """What administrators do with their tenant's numbers on the page. A session host follows within some seconds.

    Raises NotFoundError, ConflictError or InvalidInputError; then nothing was changed.
    """

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def pair_again(self, actor: Actor, session_id: UUID) -> None:
        """Forget the paired device and show a new QR code; a device that still works is unlinked."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await hosted(tx, session_id)
            # The host starts a session that gave up only when something about it changed: see SessionHost.
            await tx.execute(
                """UPDATE channel_session
                      SET account = NULL, wanted = true, ended_at = NULL,
                          config = config || jsonb_build_object(
                              'pairing', coalesce((config ->> 'pairing')::integer, 0) + 1)
                    WHERE id = $1""",
                session_id,
            )
            await reset(tx, actor.tenant_id, session_id, "pair_again", actor=str(actor))
        self._wakeup.signal(EVENTS)

    async def change_groups(self, actor: Actor, session_id: UUID, groups: str) -> None:
        """What the agent does in groups (one of GROUPS). Raises NotFoundError or InvalidInputError."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await change(tx, actor.tenant_id, session_id, name=None, groups=groups, actor=str(actor))
        self._wakeup.signal(EVENTS)

    async def pause(self, actor: Actor, session_id: UUID) -> None:
        """Take the number offline. It stays paired, and WhatsApp keeps what is sent to it meanwhile."""
        await self._want(actor.tenant_id, session_id, wanted=False, actor=str(actor))

    async def resume(self, actor: Actor, session_id: UUID) -> None:
        """Bring a paused number online again."""
        await self._want(actor.tenant_id, session_id, wanted=True, actor=str(actor))

    async def _want(self, tenant_id: UUID, session_id: UUID, *, wanted: bool, actor: str) -> None:
        async with self._db.transaction(tenant_id) as tx:
            changed = await (start if wanted else pause)(tx, tenant_id, session_id, actor=actor)
        if changed:
            self._wakeup.signal(EVENTS)


async def start(tx: Connection, tenant_id: UUID, session_id: UUID, *, actor: str) -> bool:
    """Let a hosted number be brought online: with its paired device, else a code is shown. Whether that is news.

    Raises NotFoundError or NotHostedError.
    """
    row = await hosted(tx, session_id)
    if row["wanted"] and row["ended_at"] is None:
        return False
    # The host starts one that gave up only when something about it changed: see SessionHost.
    await tx.execute(
        """UPDATE channel_session
              SET wanted = true, ended_at = NULL,
                  config = config || jsonb_build_object('starts', coalesce((config ->> 'starts')::integer, 0) + 1)
            WHERE id = $1""",
        session_id,
    )
    await reset(tx, tenant_id, session_id, "resume", actor=actor)
    return True


async def pause(tx: Connection, tenant_id: UUID, session_id: UUID, *, actor: str) -> bool:
    """Let a hosted number be taken offline; it stays paired. Whether that is news. Raises as ``start``."""
    row = await hosted(tx, session_id)
    if not row["wanted"]:
        return False
    await tx.execute("UPDATE channel_session SET wanted = false WHERE id = $1", session_id)
    await reset(tx, tenant_id, session_id, "pause", actor=actor)
    return True


async def add_number(
    tx: Connection, tenant_id: UUID, *, name: str, provider: str, config: Mapping[str, Any], actor: str = "system"
) -> UUID:
    """A further number of the tenant; returns its id. Raises InvalidInputError, naming all faults of its settings.

    Secrets that are ours to choose are made where ``config`` gives none.
    """
    name = _checked_name(name)
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
    changes = {"name": [None, name], "provider": [None, provider]}
    payload = {"channel_session_id": str(session_id), "name": name, "provider": provider, "changes": changes}
    await events.append(tx, tenant_id, "session.added", payload=payload, actor=actor)
    return session_id


def number_version(name: str, groups: str) -> str:
    """The version of what people change of a number."""
    return version_of(name, groups)


async def change(
    tx: Connection,
    tenant_id: UUID,
    session_id: UUID,
    *,
    name: str | None,
    groups: object,
    actor: str,
    version: str | None = ANY,
) -> None:
    """Another name, or another way with groups (one of GROUPS), if nobody changed either since ``version``; None leaves
    it as it is.

    Raises NotFoundError, InvalidInputError or ChangedMeanwhileError.
    """
    if groups is not None and groups not in GROUPS:
        raise InvalidInputError("groups", f"must be one of {', '.join(GROUPS)}")
    before = await tx.fetchrow(
        "SELECT name, coalesce(config ->> 'groups', 'off') AS groups FROM channel_session WHERE id = $1 FOR UPDATE",
        session_id,
    )
    if before is None:
        raise NotFoundError("number", session_id)
    check_version(before["name"], version, number_version(before["name"], before["groups"]))
    wished = {"name": _checked_name(name) if name is not None else None, "groups": groups}
    changes = {key: [before[key], value] for key, value in wished.items() if value not in {None, before[key]}}
    if not changes:
        return
    await tx.execute(
        "UPDATE channel_session SET name = coalesce($2, name), config = config || $3 WHERE id = $1",
        session_id,
        wished["name"],
        {} if groups is None else {"groups": groups},
    )
    payload = {"channel_session_id": str(session_id), "changes": changes}
    await events.append(tx, tenant_id, "session.changed", payload=payload, actor=actor)


def _checked_name(name: str) -> str:
    name = storable(name)[0].strip()
    if not 0 < len(name) <= _NAME_CHARACTERS:
        raise InvalidInputError("name", Told("characters", "must have 1 to {most} characters", most=_NAME_CHARACTERS))
    return name


async def record_status(tx: Connection, tenant_id: UUID, session_id: UUID, change: SessionChanged) -> None:
    """Write the newest status (and QR code) of a number and tell everybody who looks at it."""
    lifetime = QR_LIFETIME if change.qr_seconds is None else timedelta(seconds=change.qr_seconds)
    before = await tx.fetchrow(
        """WITH before AS (SELECT id, status, account, lease_owner FROM channel_session WHERE id = $1 FOR UPDATE)
           UPDATE channel_session s
              SET status = $2, status_detail = $3, status_at = $4,
                  account = CASE WHEN $8 THEN NULL ELSE coalesce($5, s.account) END,
                  qr = $6, qr_expires_at = $7, ended_at = CASE WHEN $9 THEN now() END,
                  restricted_until = CASE WHEN $2 = 'connected' THEN NULL ELSE coalesce($10, s.restricted_until) END
             FROM before WHERE s.id = before.id
        RETURNING before.status, before.account, before.lease_owner, s.name""",
        session_id,
        change.status.value,
        change.detail,
        change.at,
        change.account,
        change.qr,
        change.at + lifetime if change.qr else None,
        change.unlinked,
        change.ended,
        change.restricted_until,
    )
    if before is None:
        return
    more: dict[str, object] = {"before": before["status"], "at": change.at.isoformat()}
    if before["lease_owner"]:
        more["host"] = before["lease_owner"]
    if change.account is not None and change.account != before["account"]:
        more["paired"] = change.account
    if change.unlinked:
        more["unlinked"] = before["account"]
    if change.ended:
        more["ended"] = True
    has_qr = change.qr is not None
    facts = {"detail": change.detail, "has_qr": has_qr, **more}
    await _tell(tx, tenant_id, session_id, change.status, facts)
    is_new = change.status.value != before["status"]
    if change.unlinked or change.ended or (is_new and change.status in _NEED_A_PERSON):
        state = _ended_state(change.status, paired=not change.unlinked) if change.ended or change.unlinked else None
        told = {"channel_session_id": str(session_id), "name": before["name"], "state": state or change.status.value}
        await notifications.tell(tx, tenant_id, "session.needs_person", payload=told)


def state_of(number: Number) -> str:
    """The key of a number's sentence that says what to do next (web.labels.NEXT_STEPS)."""
    if number.provider == SIMULATED:
        return "simulated"
    if number.provider != HOSTED:
        return "gateway" if number.status == SessionStatus.UNKNOWN else number.status
    if not number.wanted:
        return "paused" if number.account else "stopped"
    if number.ended:
        return _ended_state(number.status, paired=bool(number.account))
    return number.status if number.held else "unheld"


def _ended_state(status: str, *, paired: bool) -> str:
    """Who lost its device was unlinked; who has it and still gave up lost it to another connection."""
    if status != SessionStatus.DISCONNECTED:
        return str(status)
    return "replaced" if paired else "unlinked"


async def hosted(tx: Connection, session_id: UUID) -> Row:
    """The number's row, locked. Raises NotFoundError or NotHostedError."""
    row = await tx.fetchrow(
        "SELECT provider, name, wanted, account, status, ended_at FROM channel_session WHERE id = $1 FOR UPDATE",
        session_id,
    )
    if row is None:
        raise NotFoundError("number", session_id)
    if row["provider"] != HOSTED:
        raise NotHostedError(row["provider"])
    return row


async def reset(tx: Connection, tenant_id: UUID, session_id: UUID, wish: str, *, actor: str) -> None:
    """What was last reported is no longer so, and the host has not told anything newer yet."""
    await tx.execute(
        "UPDATE channel_session SET status = 'unknown', status_detail = '', status_at = now(), qr = NULL, "
        "qr_expires_at = NULL WHERE id = $1",
        session_id,
    )
    await _tell(tx, tenant_id, session_id, SessionStatus.UNKNOWN, {"wish": wish}, actor=actor)


async def _tell(
    tx: Connection,
    tenant_id: UUID,
    session_id: UUID,
    status: SessionStatus,
    facts: Mapping[str, object],
    *,
    actor: str = "system",
) -> None:
    payload = {"channel_session_id": str(session_id), "status": status.value, "detail": "", "has_qr": False, **facts}
    await events.append(tx, tenant_id, "session.status", payload=payload, actor=actor)
