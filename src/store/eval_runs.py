"""Published runs of evals: stored whole, listed by their figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.errors import NotFoundError
from store.database import Connection, Row

_LISTED = "id, started_at, published_at, published_by, mode, candidate, baseline, verdict, exit_code, shares"


@dataclass(frozen=True, slots=True)
class NewRun:
    """What is stored of a run; see ``store.tables.evals.EvalRun``."""

    digest: str
    started_at: datetime
    mode: str
    candidate: dict[str, Any]
    baseline: dict[str, Any]
    verdict: str
    exit_code: int
    shares: list[dict[str, Any]]
    view: bytes
    packs: Sequence[bytes]


async def add(tx: Connection, tenant_id: UUID, run: NewRun, *, by: str) -> tuple[UUID, bool]:
    """Its id, and whether it is new: the same content is stored once."""
    row = await tx.fetchrow(
        """INSERT INTO eval_run (tenant_id, digest, started_at, published_by, mode, candidate, baseline, verdict,
                                 exit_code, shares, view, packs)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
           ON CONFLICT (tenant_id, digest) DO NOTHING RETURNING id""",
        tenant_id,
        run.digest,
        run.started_at,
        by,
        run.mode,
        run.candidate,
        run.baseline,
        run.verdict,
        run.exit_code,
        run.shares,
        run.view,
        list(run.packs),
    )
    if row is not None:
        return row["id"], True
    found: UUID = await tx.fetchval("SELECT id FROM eval_run WHERE digest = $1", run.digest)
    return found, False


async def history(tx: Connection, limit: int) -> list[Row]:
    """The newest runs first, without what their reports show."""
    return list(await tx.fetch(f"SELECT {_LISTED} FROM eval_run ORDER BY started_at DESC, id LIMIT $1", limit))


async def one(tx: Connection, run_id: UUID) -> Row:
    """A run with ``view``, without its transcripts. Raises NotFoundError."""
    row = await tx.fetchrow(f"SELECT {_LISTED}, view FROM eval_run WHERE id = $1", run_id)
    if row is None:
        raise NotFoundError("eval run", run_id)
    return row


async def pack(tx: Connection, run_id: UUID, number: int) -> bytes:
    """One pack of transcripts, from 0. Raises NotFoundError."""
    found: bytes | None = await tx.fetchval("SELECT packs[$2] FROM eval_run WHERE id = $1", run_id, number + 1)
    if found is None:
        raise NotFoundError("pack of transcripts", number)
    return found
