"""Webhooks out, the tenant's side: endpoints, their secrets, and the log of deliveries (Standard Webhooks)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from domain.errors import ConflictError, InvalidInputError, NotFoundError
from domain.event_kinds import KINDS, wants
from domain.text import storable
from flows import notifications
from flows.versions import ANY, check_version, version_of
from store import events
from store import webhooks as store
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup
from tools.public_web import check_url
from tools.signing import new_secret

ROTATION_OVERLAP = timedelta(hours=24)
"""How long the last secret still signs after a new one was made."""
_MOST_ENDPOINTS = 20
_PATTERN = re.compile(r"\*|[a-z_]+\.(\*|[a-z_]+)")


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint just made, and the secret that its receiver checks signatures with."""

    id: UUID
    secret: str


@dataclass(frozen=True, slots=True)
class EndpointWish:
    """What shall be different of an endpoint; None: as it is. ``skip_missed``: see ``OutgoingWebhooks.enable``."""

    url: str | None = None
    kinds: Sequence[str] | None = None
    description: str | None = None
    enabled: bool | None = None
    skip_missed: bool = False


class OutgoingWebhooks:
    """What administrators do with their tenant's endpoints. ``allowed_hosts``: see tools.public_web.

    Raises NotFoundError, ConflictError (ChangedMeanwhileError where a version is passed), InvalidInputError or
    PrivateAddressError; then nothing was changed.
    """

    def __init__(self, db: Database, wakeup: Wakeup, allowed_hosts: Collection[str] = ()) -> None:
        self._db = db
        self._wakeup = wakeup
        self._allowed = allowed_hosts

    async def add(
        self, tenant_id: UUID, url: str, kinds: Sequence[str], *, description: str = "", actor: str = "system"
    ) -> NewEndpoint:
        """A new endpoint; it gets what happens from now on."""
        url, wanted = check_url(url.strip(), self._allowed), checked_kinds(kinds)
        secret = new_secret()
        async with self._db.transaction(tenant_id) as tx:
            if len(await store.endpoints(tx)) >= _MOST_ENDPOINTS:
                raise ConflictError(f"There are {_MOST_ENDPOINTS} endpoints already.", hint="Remove one first.")
            endpoint_id = await store.add_endpoint(
                tx,
                tenant_id,
                url=url,
                kinds=wanted,
                secrets=[{"secret": secret, "until": None}],
                description=_about(description),
            )
            await _changed(tx, tenant_id, endpoint_id, "added", actor, url=[None, url], kinds=[None, wanted])
        return NewEndpoint(endpoint_id, secret)

    async def rotate(
        self, tenant_id: UUID, endpoint_id: UUID, *, now: datetime | None = None, actor: str = "system"
    ) -> str:
        """A new secret; the last one signs beside it for a day, so that the receiver can change in peace."""
        secret, until = new_secret(), ((now or datetime.now(UTC)) + ROTATION_OVERLAP).isoformat()
        async with self._db.transaction(tenant_id) as tx:
            row = await _locked(tx, endpoint_id)
            kept = [{"secret": one["secret"], "until": one["until"] or until} for one in row["secrets"][:2]]
            await tx.execute(
                "UPDATE webhook_endpoint SET secrets = $2 WHERE id = $1",
                endpoint_id,
                [{"secret": secret, "until": None}, *kept],
            )
            await _changed(tx, tenant_id, endpoint_id, "changed", actor, secret=["…", "…"])
        return secret

    async def change(
        self,
        tenant_id: UUID,
        endpoint_id: UUID,
        wish: EndpointWish,
        *,
        version: str | None = ANY,
        actor: str = "system",
    ) -> None:
        """All that is wished at once, or nothing. What waits goes to the new address."""
        url = check_url(wish.url.strip(), self._allowed) if wish.url is not None else None
        wanted = checked_kinds(wish.kinds) if wish.kinds is not None else None
        async with self._db.joined(tenant_id) as tx:
            before = await _locked(tx, endpoint_id, version)
            now = {
                "url": before["url"] if url is None else url,
                "kinds": list(before["kinds"]) if wanted is None else wanted,
                "description": before["description"] if wish.description is None else _about(wish.description),
            }
            changes = {name: [before[name], value] for name, value in now.items() if before[name] != value}
            if changes:
                await tx.execute(
                    "UPDATE webhook_endpoint SET url = $2, kinds = $3, description = $4 WHERE id = $1",
                    endpoint_id,
                    *now.values(),
                )
                await _changed(tx, tenant_id, endpoint_id, "changed", actor, **changes)
            if wish.enabled is True:
                await self.enable(tenant_id, endpoint_id, skip_missed=wish.skip_missed, actor=actor)
            elif wish.enabled is False:
                await self.disable(tenant_id, endpoint_id, actor=actor)

    async def disable(
        self, tenant_id: UUID, endpoint_id: UUID, *, version: str | None = ANY, actor: str = "system"
    ) -> None:
        """Send nothing there until it is enabled; nothing is lost meanwhile."""
        async with self._db.transaction(tenant_id) as tx:
            await _locked(tx, endpoint_id, version)
            await disable(tx, tenant_id, endpoint_id, "by_hand", actor=actor)
        self._wakeup.signal(EVENTS)

    async def enable(
        self,
        tenant_id: UUID,
        endpoint_id: UUID,
        *,
        skip_missed: bool = False,
        version: str | None = ANY,
        actor: str = "system",
    ) -> None:
        """Send again. ``skip_missed``: only what happens from now on, not what happened while it was disabled."""
        async with self._db.transaction(tenant_id) as tx:
            before = await _locked(tx, endpoint_id, version)
            await tx.execute(
                """UPDATE webhook_endpoint
                      SET state = 'active', disabled_reason = '', failing_since = NULL,
                          cursor_id = CASE WHEN $2 THEN (SELECT coalesce(max(id), 0) FROM event) ELSE cursor_id END
                    WHERE id = $1""",
                endpoint_id,
                skip_missed,
            )
            await tx.execute(
                "UPDATE webhook_delivery SET next_attempt_at = now() WHERE endpoint_id = $1 AND state = 'pending'",
                endpoint_id,
            )
            changes: dict[str, list[Any]] = {"state": [before["disabled_reason"] or before["state"], "active"]}
            if skip_missed:
                changes["skip_missed"] = [False, True]
            await _changed(tx, tenant_id, endpoint_id, "enabled", actor, **changes)
        self._wakeup.signal(EVENTS)

    async def remove(
        self, tenant_id: UUID, endpoint_id: UUID, *, version: str | None = ANY, actor: str = "system"
    ) -> None:
        """Forget the endpoint and its log, if nobody changed it since ``version``."""
        async with self._db.transaction(tenant_id) as tx:
            before = await _locked(tx, endpoint_id, version)
            await tx.execute("DELETE FROM webhook_endpoint WHERE id = $1", endpoint_id)
            gone = {name: [before[name], None] for name in ("url", "kinds")}
            await _changed(tx, tenant_id, endpoint_id, "removed", actor, **gone)

    async def test(self, tenant_id: UUID, endpoint_id: UUID) -> None:
        """Send a ``webhook.test`` there, whatever events it asks for."""
        now, key = datetime.now(UTC), f"msg_{uuid4().hex}"
        body = {
            "type": "webhook.test",
            "timestamp": now.isoformat(),
            "sequence": 0,
            "data": {"tenant_id": str(tenant_id)},
        }
        async with self._db.transaction(tenant_id) as tx:
            row = await _locked(tx, endpoint_id)
            if row["state"] != "active":
                raise ConflictError("This endpoint is disabled.", hint="Enable it first.")
            await tx.execute(
                """INSERT INTO webhook_delivery (tenant_id, endpoint_id, event_id, key, kind, body)
                   VALUES ($1, $2, (SELECT least(coalesce(min(event_id), 0), 0) - 1 FROM webhook_delivery
                                     WHERE endpoint_id = $2), $3, 'webhook.test', $4)""",
                tenant_id,
                endpoint_id,
                key,
                orjson.dumps(body).decode(),
            )
        self._wakeup.signal(EVENTS)

    async def replay(self, tenant_id: UUID, delivery_id: int) -> None:
        """Send a delivery once more, under its old id: a receiver that has it already may pass it over."""
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow(
                """UPDATE webhook_delivery
                      SET state = 'pending', attempts = 0, next_attempt_at = now(), created_at = now(), ended_at = NULL
                    WHERE id = $1 AND (claimed_until IS NULL OR claimed_until < now()) RETURNING endpoint_id""",
                delivery_id,
            )
            if row is None:
                raise NotFoundError("delivery that could be sent again:", delivery_id)
            endpoint = await store.endpoint(tx, row["endpoint_id"])
            if endpoint is None or endpoint["state"] != "active":
                raise ConflictError("The endpoint of this delivery is disabled.", hint="Enable it first.")
        self._wakeup.signal(EVENTS)

    async def all(self, tenant_id: UUID) -> list[Row]:
        """The endpoints with counts of what waits and what failed."""
        async with self._db.transaction(tenant_id) as tx:
            return await store.endpoints(tx)

    async def log(
        self, tenant_id: UUID, endpoint_id: UUID, *, before: int | None = None, limit: int = 50
    ) -> tuple[Row, list[Row]]:
        """The endpoint and its deliveries, newest first, from below ``before``."""
        async with self._db.transaction(tenant_id) as tx:
            row = await store.endpoint(tx, endpoint_id)
            if row is None:
                raise NotFoundError("webhook endpoint", endpoint_id)
            return row, await store.deliveries(tx, endpoint_id, before=before, limit=min(max(limit, 1), 200))


def endpoint_version(row: Row) -> str:
    """The version of what may be changed of an endpoint."""
    return version_of(*(row[name] for name in ("url", "description", "kinds", "state")))


def checked_kinds(kinds: Sequence[str]) -> list[str]:
    """Patterns that match at least one kind. Raises InvalidInputError, naming all that do not."""
    wanted = list(dict.fromkeys(kind.strip() for kind in kinds if kind.strip()))
    if not wanted:
        raise InvalidInputError("kinds", "names no event", hint="Use * for all.")
    wrong = [kind for kind in wanted if not _PATTERN.fullmatch(kind) or not any(wants([kind], one) for one in KINDS)]
    if wrong:
        raise InvalidInputError("kinds", f"there is no event {', '.join(wrong)}", hint=f"Known: *, {', '.join(KINDS)}.")
    return wanted


async def disable(tx: Connection, tenant_id: UUID, endpoint_id: UUID, reason: str, *, actor: str = "system") -> None:
    """Stop sending there, and tell the administrators why."""
    changed = await tx.fetchval(
        "UPDATE webhook_endpoint SET state = 'disabled', disabled_reason = $2 WHERE id = $1 AND state = 'active' "
        "RETURNING url",
        endpoint_id,
        reason,
    )
    if changed is not None:
        payload: dict[str, Any] = {"endpoint_id": str(endpoint_id), "reason": reason}
        told = {**payload, "changes": {"state": ["active", reason]}}
        await events.append(tx, tenant_id, "webhook.disabled", payload=told, actor=actor)
        if reason != "by_hand":
            await notifications.tell(tx, tenant_id, "webhook.disabled", payload={**payload, "url": changed})


async def _changed(
    tx: Connection, tenant_id: UUID, endpoint_id: UUID, what: str, actor: str, **changes: list[Any]
) -> None:
    """For the audit trail; what stayed as it was is left out."""
    different = {name: pair for name, pair in changes.items() if pair[0] != pair[1] or name == "secret"}
    payload = {"endpoint_id": str(endpoint_id), "changes": different}
    await events.append(tx, tenant_id, f"webhook.{what}", payload=payload, actor=actor)


async def _locked(tx: Connection, endpoint_id: UUID, version: str | None = ANY) -> Row:
    row = await store.endpoint(tx, endpoint_id, lock=True)
    if row is None:
        raise NotFoundError("webhook endpoint", endpoint_id)
    check_version("this webhook endpoint", version, endpoint_version(row))
    return row


def _about(description: str) -> str:
    return storable(description)[0].strip()[:200]
