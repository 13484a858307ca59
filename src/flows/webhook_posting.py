"""Webhooks out, the machine's side: events become deliveries, deliveries are posted until somebody takes them.

The delivery table is the queue: rows are claimed with a lease, so a killed worker's attempt is repeated. A receiver
may therefore see a delivery twice, always under the same ``webhook-id``.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import perf_counter
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from domain.errors import AtendeError
from domain.event_kinds import wants
from flows.outgoing_webhooks import disable
from store import webhooks as store
from store.database import Database, Row
from store.event_order import EventOrder
from tools.public_web import check_url
from tools.signing import signature_headers

log = logging.getLogger(__name__)

RETRIES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 36000))
"""Waits after the first, second … failed attempt; together 23 h 43 min. Then the delivery has failed."""
GIVE_UP_AFTER = timedelta(hours=23)
"""An endpoint that took nothing for so long, until a delivery had failed for good, is disabled."""
_BATCH = 200
_CONCURRENCY = 50
_TIMEOUT_SECONDS = 15.0
_LEASE = timedelta(seconds=45)
_KEPT_ANSWER = 500
_GONE = 410
_REST_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Result:
    """An attempt: HTTP status, what went wrong (None: nothing), and when the receiver wants to be asked again."""

    status: int | None
    error: str | None
    wish: timedelta | None


class WebhookPosting:
    """Runs in every worker. ``http``: see tools.public_web.public_client."""

    def __init__(self, db: Database, http: aiohttp.ClientSession, allowed_hosts: Collection[str] = ()) -> None:
        self._db = db
        self._http = http
        self._allowed = allowed_hosts
        self._order = EventOrder(db)
        self._running: dict[int, asyncio.Task[None]] = {}
        self.more = asyncio.Event()
        """Set when something may be due; the owner's loop waits for it (see store.wakeup.every)."""

    async def run_due(self) -> int:
        """Turn new events into deliveries and start posting what is due; returns how many were started."""
        upto = await self._order.look()
        for row in await self._db.gate("webhooks_behind", upto):
            while await self._fan_out(row["tenant_id"], row["endpoint_id"], upto) == _BATCH:
                pass
        room = _CONCURRENCY - len(self._running)
        due = await self._db.gate("due_webhooks", room) if room > 0 else []
        for row in due:
            if row["delivery_id"] not in self._running:
                self._start(row["tenant_id"], row["delivery_id"])
        if not due:
            await asyncio.sleep(_REST_SECONDS)  # every event of the installation wakes this: look for many at once
        return len(due)

    async def wait_idle(self) -> None:
        """Wait until nothing is being posted by this process."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    def _start(self, tenant_id: UUID, delivery_id: int) -> None:
        task = asyncio.create_task(self._deliver(tenant_id, delivery_id), name="webhook")
        self._running[delivery_id] = task

        def ended(_: object) -> None:
            del self._running[delivery_id]
            self.more.set()

        task.add_done_callback(ended)

    async def _fan_out(self, tenant_id: UUID, endpoint_id: UUID, upto: int) -> int:
        """Make deliveries of the endpoint's next events; returns how many events were looked at."""
        async with self._db.transaction(tenant_id) as tx:
            endpoint = await store.behind(tx, endpoint_id)
            if endpoint is None:
                return 0
            found = await store.events_after(tx, endpoint["cursor_id"], upto, _BATCH)
            rows = [
                (row["id"], f"msg_{row['id']}_{endpoint_id.hex[:12]}", row["conversation_id"], row["kind"], body(row))
                for row in found
                if wants(endpoint["kinds"], row["kind"])
            ]
            if found:
                await store.advance(tx, tenant_id, endpoint_id, found[-1]["id"], rows)
        return len(found)

    async def _deliver(self, tenant_id: UUID, delivery_id: int) -> None:
        try:
            async with self._db.transaction(tenant_id, durable=False) as tx:
                row = await store.claim(tx, delivery_id, _LEASE)
            if row is not None:
                started = perf_counter()
                result = await self._post(row)
                await self._record(tenant_id, row, result, (perf_counter() - started) * 1000)
        except Exception:
            # The row keeps its claim until the lease ends, and is due again then.
            log.exception("webhook delivery %s failed", delivery_id)

    async def _post(self, row: Row) -> _Result:
        now = datetime.now(UTC)
        payload = row["body"].encode()
        headers = {"Content-Type": "application/json", "User-Agent": "Atende-Webhooks/1"}
        headers |= signed(row["key"], now, payload, row["secrets"])
        try:
            async with self._http.post(
                check_url(row["url"], self._allowed),
                data=payload,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
            ) as answer:
                said = (await answer.content.read(_KEPT_ANSWER)).decode(errors="replace").replace("\0", "")
                if 200 <= answer.status < 300:
                    return _Result(answer.status, None, None)
                moved = " Redirects are not followed: set the new address." if 300 <= answer.status < 400 else ""
                return _Result(
                    answer.status, f"answered {answer.status}.{moved} {said}".strip(), _retry_after(answer.headers)
                )
        except AtendeError as error:
            return _Result(None, error.sentence(), None)
        except TimeoutError:
            return _Result(None, f"no answer within {_TIMEOUT_SECONDS:.0f} s", None)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _Result(None, f"{type(error).__name__}: {error}"[:_KEPT_ANSWER], None)

    async def _record(self, tenant_id: UUID, row: Row, result: _Result, ms: float) -> None:
        status, error, wish = result.status, result.error, result.wish
        wait = timedelta(0)
        state = "delivered" if error is None else "failed"
        if error is not None and status != _GONE and row["attempts"] <= len(RETRIES):
            state = "pending"
            wait = max(RETRIES[row["attempts"] - 1] * random.uniform(0.9, 1.1), wish or timedelta(0))  # noqa: S311
        async with self._db.transaction(tenant_id) as tx:
            await store.record(tx, row["id"], state=state, status=status, error=error, ms=ms, wait=wait)
            since = await store.note_health(tx, row["endpoint_id"], works=error is None)
            if status == _GONE:
                await disable(tx, tenant_id, row["endpoint_id"], "gone")
            elif state == "failed" and since is not None and datetime.now(UTC) - since > GIVE_UP_AFTER:
                await disable(tx, tenant_id, row["endpoint_id"], "failing")


def body(event: Mapping[str, Any]) -> str:
    """The JSON text of an event: ``type``, ``timestamp``, ``sequence`` (grows within a conversation) and ``data``."""
    about = {key: event[key] for key in ("conversation", "message", "suggestion", "handoff") if event[key] is not None}
    data = {**event["payload"], "actor": event["actor"], **about}
    return orjson.dumps(
        {"type": event["kind"], "timestamp": event["created_at"], "sequence": event["id"], "data": data},
        default=str,
        option=orjson.OPT_UTC_Z,
    ).decode()


def signed(key: str, at: datetime, payload: bytes, secrets: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The headers of Standard Webhooks (https://www.standardwebhooks.com), one signature for each valid secret."""
    valid = [one["secret"] for one in secrets if not one["until"] or datetime.fromisoformat(one["until"]) > at]
    return signature_headers(key, at, payload, valid)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value) if value.replace(".", "", 1).isdigit() else None
        if seconds is None and value:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), 3600.0)) if seconds is not None else None
