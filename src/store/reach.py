"""Whose view of a tenant's conversations counts: the people whose reach is less than all of them.

The caller's sight is ambient (a context variable, set where a request learns who is asking), so that no flow can forget
to hand it on. ``Database.transaction`` then works as a lesser role, and the database itself hides what hangs on other
conversations: see the migration 20261121_1204_reach.sql.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from domain.roles import Reach

if TYPE_CHECKING:  # it reads the sight
    from store.database import Database


@dataclass(frozen=True, slots=True)
class Sight:
    """A person who sees only some conversations."""

    user_id: UUID
    reach: Reach
    """team or own; who sees all has no Sight."""


_sight: ContextVar[Sight | None] = ContextVar("sight", default=None)


def sight_of(user_id: UUID, reach: str) -> Sight | None:
    """The sight of a person with this reach; None: sees everything. What is no reach sees the least."""
    if reach == Reach.ALL:
        return None
    return Sight(user_id, Reach(reach) if reach in set(Reach) else Reach.OWN)


def current_sight() -> Sight | None:
    """Whose eyes the transactions of this task see with; None: the whole tenant."""
    return _sight.get()


def see_as(sight: Sight | None) -> None:
    """From here to the end of this task (and in tasks that it starts) see what ``sight`` sees."""
    _sight.set(sight)


@contextmanager
def seeing_as(sight: Sight | None) -> Iterator[None]:
    """See so within the block. ``None`` is for what the business does by itself on a limited person's occasion
    (whose turn is it next, how many wait), never for what the person is shown."""
    before = _sight.set(sight)
    try:
        yield
    finally:
        _sight.reset(before)


async def visible(
    db: Database, tenant_id: UUID, sight: Sight | None, conversation_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Which of these conversations exist in the tenant and are within ``sight``."""
    with seeing_as(sight):
        async with db.transaction(tenant_id, durable=False) as tx:
            rows = await tx.fetch("SELECT id FROM conversation WHERE id = ANY ($1::uuid[])", list(conversation_ids))
    return frozenset(row["id"] for row in rows)


async def may_see(db: Database, tenant_id: UUID, sight: Sight | None, conversation_id: UUID) -> bool:
    """Whether the conversation exists in the tenant and is within ``sight``."""
    return conversation_id in await visible(db, tenant_id, sight, [conversation_id])
