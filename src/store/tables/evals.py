"""Runs of evals that were published, so that the pages can show them and how they change over time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from store.tables.columns import counter, document, moment, tenant_key, uuid_key, words


class EvalRun(SQLModel, table=True):
    """One run with its judgement. ``digest`` names its content: publishing it again changes nothing."""

    __tablename__ = "eval_run"
    __table_args__ = (
        UniqueConstraint("tenant_id", "digest"),
        Index("ix_eval_run_history", "tenant_id", "started_at"),
    )
    id: UUID = uuid_key()
    tenant_id: UUID = tenant_key()
    digest: str = words()
    started_at: datetime = moment(now=True)
    published_at: datetime = moment(now=True)
    published_by: str = words(default="")
    mode: str = words(default="")
    candidate: dict[str, Any] = document()
    """Label, hash and description of the bundle that was judged."""
    baseline: dict[str, Any] = document()
    """The same of what it was compared with; empty without a comparison."""
    verdict: str = words(default="alone")
    """As ``evaluation.gates`` says it: better, worse, different, no_difference, alone or unknown."""
    exit_code: int = counter()
    shares: list[dict[str, Any]] = document("[]")
    """The candidate's pass rates: suite, origin, cases, passed, rate, low, high, errored."""
    view: bytes = Field(default=b"", sa_column=Column(LargeBinary(), nullable=False, server_default=sql("''::bytea")))
    """What the report shows, gzipped JSON, without the transcripts."""
    packs: Any = Field(
        default=None, sa_column=Column(ARRAY(LargeBinary()), nullable=False, server_default=sql("'{}'::bytea[]"))
    )
    """The transcripts, a few cases each, gzipped JSON."""
