"""The budget of one turn's calls to language models, held and counted in the database."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

from agent.language_model import Usage
from agent.turn import TenantProfile
from domain.budgets import Amount, Budgets, Span, spans_at
from domain.decisions import HandOffReason
from flows import notifications
from store import events, spending
from store.database import Connection, Database, Row
from store.together import Together

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.3
_HELD_FOR: Final = timedelta(minutes=5)
"""Longer than any call can take with all its attempts (flows.model_declaration bounds them)."""


class _Refused(Exception):  # noqa: N818 - no error: it rolls back what was begun
    pass


class Spendings:
    """Counts for all turns of this process: those that come together share a transaction, since they all change the
    rows of the tenant's day and month. Where they cannot all hold what they want, each is asked alone."""

    def __init__(self, db: Database) -> None:
        self.db = db
        # Not worth waiting for the disk: should the server die at this moment, a few calls go uncounted.
        self._together = Together(db, self._exchange, order=lambda _: 0, durable=False)

    async def exchange(self, tenant_id: UUID, wish: spending.Exchange) -> bool:
        """Whether it was done; False: a limit speaks against it."""
        try:
            await self._together.do(tenant_id, (tenant_id, wish))
        except _Refused:
            return False
        return True

    async def _exchange(self, tx: Connection, items: Sequence[tuple[UUID, spending.Exchange]]) -> list[None]:
        if not await spending.exchange(tx, items[0][0], [wish for _, wish in items], held_for=_HELD_FOR):
            raise _Refused
        return [None] * len(items)


class TurnBudget:
    """Counts one turn's calls against the tenant's limits (agent.budgeted_model.Budget). ``close`` it when it ends.

    Where other turns' running calls are what stands in the way, it waits for them a while: they mostly use less than
    the most that was held for them.
    """

    def __init__(
        self,
        spendings: Spendings,
        tenant_id: UUID,
        spans: Iterable[tuple[Span, str]],
        budgets: Budgets,
        *,
        patience_seconds: float = 10.0,
    ) -> None:
        self._spendings, self._db = spendings, spendings.db
        self._tenant_id = tenant_id
        self._spans = tuple(spans)
        self._budgets = budgets
        self._patience = patience_seconds
        self._used, self._calls, self._held = Amount(), 0, Amount()

    @property
    def is_limited(self) -> bool:
        """Whether anything need be held."""
        return self._budgets.are_any

    async def is_used_up(self) -> bool:
        """Whether a limit is reached already, for what cannot be estimated before."""
        if not self.is_limited:
            return False
        async with self._db.transaction(self._tenant_id) as tx:
            limit, is_final = await spending.obstacle(
                tx, self._tenant_id, self._spans, self._budgets, wanted=self._used + Amount(1, 1), own=self._held
            )
            if is_final and limit:
                await self._reached(tx, limit)
        return is_final

    async def hold(self, most: Usage) -> str | None:
        """Hold so much for the next call; None: held, else the limit that speaks against it, for a person."""
        wanted = Amount(most.cost_micros, most.input_tokens + most.output_tokens)
        until = monotonic() + self._patience
        while not await self._exchange(wanted):
            async with self._db.transaction(self._tenant_id) as tx:
                limit, is_final = await spending.obstacle(
                    tx, self._tenant_id, self._spans, self._budgets, wanted=self._used + wanted, own=self._held
                )
                if is_final and limit:
                    await self._reached(tx, limit)
            if is_final or monotonic() > until:
                return limit or "held by other turns"
            await asyncio.sleep(random.uniform(0.5, 1.5) * _POLL_SECONDS)  # noqa: S311 - jitter
        self._held = wanted
        return None

    def spend(self, usage: Usage) -> None:
        """Note what a call used; it is written with the next one, or in the end."""
        self._used += Amount(usage.cost_micros, usage.input_tokens + usage.output_tokens)
        self._calls += 1

    async def close(self) -> None:
        """Write what was used and give back what is held. Never raises: a turn shall not fail because of its count."""
        if not (self._calls or self._held):
            return
        try:
            await self._exchange(Amount())
        except Exception:
            log.exception("what a turn's calls used could not be counted: %s", self._used)

    async def _reached(self, tx: Connection, limit: str) -> None:
        """Tell of a day's or a month's budget, once. A conversation's is told by its handoff."""
        for span, key in self._spans:
            if span is not Span.CONVERSATION and limit.endswith(f"per {span}"):
                payload = {"span": span.value, "key": key}
                if await notifications.tell(tx, self._tenant_id, "budget.reached", payload=payload, once=True):
                    await events.append(tx, self._tenant_id, "budget.reached", payload={**payload, "limit": limit})

    async def _exchange(self, wanted: Amount) -> bool:
        wish = spending.Exchange(self._spans, self._budgets, self._used, self._calls, self._held, wanted)
        if not await self._spendings.exchange(self._tenant_id, wish):
            return False
        self._used, self._calls, self._held = Amount(), 0, Amount()
        return True


def turn_budget(spendings: Spendings, row: Row, profile: TenantProfile) -> TurnBudget:
    """The budget of a turn on the conversation as read (store.turns.read)."""
    local = datetime.now(UTC).astimezone(profile.timezone)
    budgets = profile.budgets if profile.hand_off.wants(HandOffReason.COST_CAP) else Budgets()
    return TurnBudget(spendings, row["tenant_id"], spans_at(local, row["id"], row["window_start_id"]), budgets)
