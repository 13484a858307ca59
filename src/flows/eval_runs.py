"""Runs of evals on the pages: published from the command line, read by administrators."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from store import eval_runs
from store.database import Database, Row
from store.eval_runs import NewRun

HISTORY: Final = 50
"""Runs that the history goes back."""
_MOST_PACKS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Course:
    """The pass rates of one suite over time, oldest first, of one origin: others are another figure."""

    suite: str
    origin: str
    points: Sequence[Mapping[str, Any]]
    """``run`` (its row), ``rate``, ``low``, ``high``, ``cases``."""


class EvalRuns:
    """One tenant's published runs. Raises NotFoundError for another tenant's as for none."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def publish(self, tenant_id: UUID, run: NewRun, *, by: str) -> tuple[UUID, bool]:
        """Its id, and whether it is new."""
        async with self._db.transaction(tenant_id) as tx:
            return await eval_runs.add(tx, tenant_id, run, by=by)

    async def history(self, tenant_id: UUID) -> tuple[list[Row], list[Course]]:
        """The newest runs, and how each suite's pass rate went."""
        async with self._db.transaction(tenant_id) as tx:
            rows = await eval_runs.history(tx, HISTORY)
        courses: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for row in reversed(rows):
            for share in row["shares"]:
                if share["rate"] is not None:
                    courses.setdefault((share["suite"], share["origin"]), []).append({**share, "run": row})
        return rows, [Course(*key, points) for key, points in sorted(courses.items())]

    async def view(self, tenant_id: UUID, run_id: UUID) -> dict[str, Any]:
        """What the run's report shows, without transcripts."""
        async with self._db.transaction(tenant_id) as tx:
            row = await eval_runs.one(tx, run_id)
        view: dict[str, Any] = json.loads(gzip.decompress(row["view"]))
        return view

    async def pack(self, tenant_id: UUID, run_id: UUID, number: int) -> bytes:
        """Some cases' transcripts, gzipped JSON."""
        async with self._db.transaction(tenant_id) as tx:
            await eval_runs.one(tx, run_id)
            return await eval_runs.pack(tx, run_id, min(max(0, number), _MOST_PACKS))
