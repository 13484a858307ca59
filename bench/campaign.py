"""One provider's fuzz campaign: what is sent, what must have come of it, and what is wrong."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
from bench.deliveries import OTHER_PHONE_ID, PROFILES, Delivery, Fuzz

from channels.base import MessageReceived, SessionRef, Unrecognised
from channels.gateway import Gateway
from domain.text import storable_key
from flows.deliveries import read_delivery

CONNECTIONS = 16
LIMIT = 24 * 1024 * 1024
_REFUSALS = {401, 404, 413, 429}
_ATTEMPTS = 3
"""Of a delivery whose connection broke: it was not acknowledged, so a gateway repeats it."""


@dataclass
class Report:
    """What happened. ``faults`` is empty in a good campaign."""

    provider: str
    seed: int
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    messages: int = 0
    quarantined: int = 0
    faults: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        requests = sum(sum(counter.values()) for counter in self.statuses.values())
        statuses = {kind: dict(counter) for kind, counter in sorted(self.statuses.items())}
        return {**vars(self), "statuses": statuses, "requests": requests, "faults": self.faults[:20]}


@dataclass(frozen=True)
class Ground:
    """Where a campaign takes place: the server, the number, and the owner's look at the database."""

    client: aiohttp.ClientSession
    owner: asyncpg.Connection
    gateway: Gateway
    number: UUID

    async def play(self, *, seed: int, requests: int) -> Report:
        """Send everything, then compare what is stored with what was signed."""
        report = Report(self.gateway.provider, seed)
        profile = PROFILES[self.gateway.provider]
        deliveries = list(Fuzz(profile, self.number, seed).deliveries(requests, largest=LIMIT))
        waiting = iter(deliveries)
        await asyncio.gather(*(self._send(waiting, report) for _ in range(CONNECTIONS)))
        await self._compare([delivery for delivery in deliveries if delivery.signed], report)
        return report

    async def _send(self, deliveries: Iterable[Delivery], report: Report) -> None:
        for delivery in deliveries:
            status = await self._post(delivery)
            if status is None:
                report.faults.append(f"{delivery.kind}: no answer in {_ATTEMPTS} attempts")
                continue
            report.statuses.setdefault(delivery.kind, Counter())[status] += 1
            is_refusal = delivery.kind == "oversized" or not delivery.signed
            if (status not in _REFUSALS) if is_refusal else (status != 200):
                report.faults.append(f"{delivery.kind}: {status} for {delivery.body[:300]!r}")

    async def _post(self, delivery: Delivery) -> int | None:
        for _ in range(_ATTEMPTS):
            try:
                async with self.client.post(
                    delivery.path, data=io.BytesIO(delivery.body), headers=delivery.headers
                ) as answer:
                    await answer.read()
                    return answer.status
            except aiohttp.ClientError:
                # A server that refuses an oversized body by its length does not read it: the writer may see a reset.
                if delivery.kind == "oversized":
                    return 413
        return None

    async def _compare(self, signed: list[Delivery], report: Report) -> None:
        config = PROFILES[self.gateway.provider].config
        session = SessionRef(str(self.number), self.gateway.provider, None, config)
        expected: set[str] = set()
        unknown = 0
        for delivery in signed:
            if delivery.kind == "oversized":
                continue
            if not delivery.path.startswith(f"/webhooks/{self.gateway.provider}/") and OTHER_PHONE_ID in str(
                delivery.body
            ):
                unknown += 1
                continue
            for event in read_delivery(self.gateway, session, delivery.body):
                if isinstance(event, MessageReceived):
                    expected.add(storable_key(event.provider_id))
                unknown += isinstance(event, Unrecognised)
        stored = [row["provider_id"] for row in await self.owner.fetch(
            "SELECT provider_id FROM message WHERE channel_session_id = $1", self.number
        )]  # fmt: skip
        held = await self.owner.fetch(
            "SELECT key FROM held_event WHERE channel_session_id = $1 AND kind = 'own_message'", self.number
        )
        found = {*stored, *(row["key"] for row in held)}
        report.messages, report.quarantined = len(stored), await self._quarantined()
        report.faults += [f"lost: {lost}" for lost in sorted(expected - found)]
        report.faults += [f"from nowhere: {more}" for more in sorted(found - expected)]
        genuine = [provider_id for provider_id in stored if provider_id.removeprefix("wamid.")[0] in "GB"]
        report.faults += [f"stored twice: {twice}" for twice, n in Counter(genuine).items() if n > 1]
        if report.quarantined != unknown:
            report.faults.append(f"{unknown} events were not understood, {report.quarantined} are in quarantine")
        failed = await self.owner.fetch(
            "SELECT name, error, count FROM quarantined_event WHERE channel_session_id = $1 AND error IS NOT NULL",
            self.number,
        )
        report.faults += [f"{row['name']} {row['count']}×: {row['error']}" for row in failed]

    async def _quarantined(self) -> int:
        counted = "SELECT coalesce(sum(count), 0) FROM quarantined_event WHERE channel_session_id = $1"
        return int(await self.owner.fetchval(counted, self.number))
