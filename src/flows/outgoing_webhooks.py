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
from domain.text import storable
from store import events
from store import webhooks as store
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup
from tools.public_web import check_url
from tools.signing import new_secret

KINDS = (
    "message.received",
    "message.queued",
    "message.status",
    "message.edited",
    "message.revoked",
    "message.other_content",
    "conversation.handed_off",
    "conversation.claimed",
    "conversation.taken_over",
    "conversation.returned",
    "conversation.closed",
    "conversation.reopened",
    "suggestion.created",
    "suggestion.decided",
    "approval.created",
    "approval.decided",
    "approval.settled",
    "function.called",
    "turn.decided",
    "contact.merged",
    "session.added",
    "session.status",
    "webhook.disabled",
    "webhook.test",
)
"""The events that an endpoint may ask for, by name, as ``message.*`` or as ``*``. Kinds that a later version adds come
with ``*`` too."""
ROTATION_OVERLAP = timedelta(hours=24)
"""How long the last secret still signs after a new one was made."""
_MOST_ENDPOINTS = 20
_PATTERN = re.compile(r"\*|[a-z_]+\.(\*|[a-z_]+)")


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint just made, and the secret that its receiver checks signatures with."""

    id: UUID
    secret: str


class OutgoingWebhooks:
    """What administrators do with their tenant's endpoints. Raises NotFoundError, ConflictError, InvalidInputError or
    PrivateAddressError; then nothing was changed. ``allowed_hosts``: see tools.public_web."""

    def __init__(self, db: Database, wakeup: Wakeup, allowed_hosts: Collection[str] = ()) -> None:
        self._db = db
        self._wakeup = wakeup
        self._allowed = allowed_hosts

    async def add(self, tenant_id: UUID, url: str, kinds: Sequence[str], *, description: str = "") -> NewEndpoint:
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
                description=storable(description)[0].strip()[:200],
            )
        return NewEndpoint(endpoint_id, secret)

    async def rotate(self, tenant_id: UUID, endpoint_id: UUID, *, now: datetime | None = None) -> str:
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
        return secret

    async def change(self, tenant_id: UUID, endpoint_id: UUID, *, url: str, kinds: Sequence[str]) -> None:
        """Another address or other events. What waits goes to the new address."""
        url, wanted = check_url(url.strip(), self._allowed), checked_kinds(kinds)
        async with self._db.transaction(tenant_id) as tx:
            await _locked(tx, endpoint_id)
            await tx.execute("UPDATE webhook_endpoint SET url = $2, kinds = $3 WHERE id = $1", endpoint_id, url, wanted)

    async def disable(self, tenant_id: UUID, endpoint_id: UUID) -> None:
        """Send nothing there until it is enabled; nothing is lost meanwhile."""
        async with self._db.transaction(tenant_id) as tx:
            await _locked(tx, endpoint_id)
            await disable(tx, tenant_id, endpoint_id, "by_hand")
        self._wakeup.signal(EVENTS)

    async def enable(self, tenant_id: UUID, endpoint_id: UUID, *, skip_missed: bool = False) -> None:
        """Send again. ``skip_missed``: only what happens from now on, not what happened while it was disabled."""
        async with self._db.transaction(tenant_id) as tx:
            await _locked(tx, endpoint_id)
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
        self._wakeup.signal(EVENTS)

    async def remove(self, tenant_id: UUID, endpoint_id: UUID) -> None:
        """Forget the endpoint and its log."""
        async with self._db.transaction(tenant_id) as tx:
            await _locked(tx, endpoint_id)
            await tx.execute("DELETE FROM webhook_endpoint WHERE id = $1", endpoint_id)

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


def checked_kinds(kinds: Sequence[str]) -> list[str]:
    """Patterns that match at least one kind. Raises InvalidInputError, naming all that do not."""
    wanted = list(dict.fromkeys(kind.strip() for kind in kinds if kind.strip()))
    if not wanted:
        raise InvalidInputError("kinds", "names no event", hint="Use * for all.")
    wrong = [kind for kind in wanted if not _PATTERN.fullmatch(kind) or not any(wants([kind], one) for one in KINDS)]
    if wrong:
        raise InvalidInputError("kinds", f"there is no event {', '.join(wrong)}", hint=f"Known: *, {', '.join(KINDS)}.")
    return wanted


def wants(patterns: Sequence[str], kind: str) -> bool:
    """Whether an endpoint with these patterns gets events of this kind."""
    return any(one in {"*", kind} or (one.endswith(".*") and kind.startswith(one[:-1])) for one in patterns)


async def disable(tx: Connection, tenant_id: UUID, endpoint_id: UUID, reason: str) -> None:
    """Stop sending there, and tell the administrators why."""
    changed = await tx.fetchval(
        "UPDATE webhook_endpoint SET state = 'disabled', disabled_reason = $2 WHERE id = $1 AND state = 'active' "
        "RETURNING url",
        endpoint_id,
        reason,
    )
    if changed is not None:
        payload: dict[str, Any] = {"endpoint_id": str(endpoint_id), "reason": reason}
        await events.append(tx, tenant_id, "webhook.disabled", payload=payload)


async def _locked(tx: Connection, endpoint_id: UUID) -> Row:
    row = await store.endpoint(tx, endpoint_id, lock=True)
    if row is None:
        raise NotFoundError("webhook endpoint", endpoint_id)
    return row
