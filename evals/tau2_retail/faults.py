"""What may go wrong while a task is played, by a seeded chance: functions that fail, workers that die at any step.

A death is a BaseException: nothing of ours catches it, so that what was not committed is lost, as in a kill. It strikes
before a transaction of the worker, before its commit or after it, and before or after a function has acted.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from evals.tau2_retail.tasks import Data
from flows.functions import FunctionSource, Holdings
from store.database import Connection, Database
from store.functions import FunctionRow
from tools.declaration import BusinessFunction, NoEffectError, ToolContext
from tools.records import InMemoryRecords


class Died(BaseException):
    """The worker was killed here."""


class SystemDownError(Exception):
    """The shop's system broke off; nobody knows whether it acted."""


class OutsideShop:
    """A system of the business's own: what it does is done at once, whatever becomes of who asked.

    It knows a call again by its idempotency key, as such systems should, and counts what it did.
    """

    def __init__(self, *, is_used: bool = False) -> None:
        self.is_used = is_used
        self.acts: Counter[str] = Counter()
        self._done: dict[str, Any] = {}
        self._records = InMemoryRecords()

    def open(self, data: Data) -> None:
        """Begin anew with this data."""
        if self.is_used:
            self._records = InMemoryRecords(data)
            self._done.clear()
            self.acts.clear()

    def data(self) -> Data:
        return {name: dict(rows) for name, rows in self._records._collections.items()}

    def knows(self, idempotency_key: str) -> bool:
        """What an operator sees who looks there: whether this call was carried out."""
        return idempotency_key in self._done

    async def do(self, function: BusinessFunction, context: ToolContext, arguments: dict[str, Any]) -> Any:
        key = context.idempotency_key
        if function.effect == "write" and key in self._done:
            return self._done[key]
        result = await function.call(dataclasses.replace(context, records=self._records), **arguments)
        if function.effect == "write":
            self._done[key] = result
            self.acts[function.name] += 1
        return result


@dataclass
class Faults:
    """How often what happens; ``Faults()`` lets everything go well."""

    seed: int = 0
    deaths: float = 0.0
    """Chance of a death at each step of a worker."""
    failures: float = 0.0
    """Chance that a function fails, before or after it acted, or that the model answers with an error at first."""
    doubles: float = 0.0
    """Chance that a job runs twice at once, that a message comes twice, or that a live worker is taken for dead."""
    outside: OutsideShop = field(default_factory=OutsideShop)
    seen: Counter[str] = field(default_factory=Counter)
    """What happened how often."""
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  repeatable, not secret

    def begin(self, task: str) -> None:
        """From here on chance depends on the seed and this task alone, so that one task can be played again."""
        self._random = random.Random(f"{self.seed}/{task}")  # noqa: S311

    def happens(self, chance: float, what: str) -> bool:
        struck = chance > 0 and self._random.random() < chance
        self.seen[what] += struck
        return struck

    def may_die(self, where: str) -> None:
        if self.happens(self.deaths, f"died {where}"):
            raise Died(where)

    def for_model(self) -> list[dict[str, Any]]:
        """What the model answers first: an error that is worth another try."""
        mishaps: Sequence[dict[str, Any]] = ({"status": 500}, {"reset": True}, {"empty_choices": True, "reply": "x"})
        return [self._random.choice(mishaps)] if self.happens(self.failures, "model failed at first") else []

    async def around(self, function: BusinessFunction, context: ToolContext, arguments: dict[str, Any]) -> Any:
        """Run a function with what may go wrong before and after it acts."""
        self.may_die("before acting")
        if self.happens(self.failures, "function failed before acting"):
            raise NoEffectError("the shop's system is not reached")
        if self.outside.is_used:
            result = await self.outside.do(function, context, arguments)
        else:
            result = await function.call(context, **arguments)
        self.may_die("after acting")
        if self.happens(self.failures, "function failed after acting"):
            raise SystemDownError("the answer was lost")
        return result


class MortalDatabase(Database):
    """A worker's handle on the database: it may die at the edges of every transaction."""

    faults: Faults

    @classmethod
    def over(cls, db: Database, faults: Faults) -> Self:
        made = cls(db._pool, db._limited, db.queue_url)
        made.faults = faults
        return made

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID, *, durable: bool = True) -> AsyncIterator[Connection]:
        self.faults.may_die("before a transaction")
        async with super().transaction(tenant_id, durable=durable) as connection:
            yield connection
            self.faults.may_die("before a commit")
        self.faults.may_die("after a commit")


class FaultyFunctions:
    """The tenant's own functions, run with what may go wrong. A flows.functions.FunctionSource."""

    def __init__(self, inner: FunctionSource, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    def functions(self, rows: Sequence[FunctionRow], holdings: Holdings) -> Mapping[str, BusinessFunction]:
        return {name: self._faulty(function) for name, function in self._inner.functions(rows, holdings).items()}

    def _faulty(self, function: BusinessFunction) -> BusinessFunction:
        async def call(context: ToolContext, **arguments: Any) -> Any:
            return await self._faults.around(function, context, arguments)

        return dataclasses.replace(function, call=call)
