"""What language models cost."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from store.tables.columns import counter, moment, tenant_key


class ModelSpending(SQLModel, table=True):
    """Use of language models in one span: a day or month of the tenant's own time, or a conversation's window.

    Also counted are calls whose turn was voided or never got to its end: they cost as much as others.
    """

    __tablename__ = "model_spending"
    tenant_id: UUID = tenant_key(primary=True)
    span: str = Field(primary_key=True)
    """day, month or conversation."""
    key: str = Field(primary_key=True)
    """``2026-11-22``, ``2026-11``, or ``<conversation>/<first message of its window>``."""
    cost_micros: int = counter()
    tokens: int = counter()
    calls: int = counter()
    held_micros: int = counter()
    held_tokens: int = counter()
    """What running calls may use at most: counts against the limits until they end."""
    held_until: datetime = moment(now=True)
    """After this nobody can be holding anything: what is still held was left behind by a process that died."""
