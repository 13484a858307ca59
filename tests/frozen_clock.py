"""A clock of our own inside a test's database: whatever the application writes is dated by it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from urllib.parse import urlsplit

import asyncpg


class FrozenClock:
    """``public.now()`` in front of PostgreSQL's own, and as the default of every column that takes the time."""

    def __init__(self, owner: asyncpg.Connection) -> None:
        self._owner = owner
        self.now: datetime | None = None

    @classmethod
    async def install(cls, owner_dsn: str, at: datetime) -> FrozenClock:
        """Before the application connects: its connections find this clock first."""
        owner = await asyncpg.connect(owner_dsn)
        await owner.execute(
            """CREATE TABLE public.clock (at timestamptz NOT NULL);
               INSERT INTO public.clock VALUES (pg_catalog.now());
               GRANT SELECT ON public.clock TO PUBLIC;
               CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM public.clock'"""
        )
        defaults = await owner.fetch(
            """SELECT table_name, column_name FROM information_schema.columns
                WHERE table_schema = 'public' AND column_default = 'now()'"""
        )
        for row in defaults:
            await owner.execute(f"ALTER TABLE {row[0]} ALTER COLUMN {row[1]} SET DEFAULT public.now()")
        await owner.execute(f'ALTER DATABASE "{urlsplit(owner_dsn).path[1:]}" SET search_path = public, pg_catalog')
        clock = cls(owner)
        await clock.set(at)
        return clock

    async def set(self, at: datetime) -> None:
        """It is ``at`` now."""
        self.now = at
        await self._owner.execute("UPDATE public.clock SET at = $1", at)

    async def close(self) -> None:
        """The test is over."""
        await asyncio.shield(self._owner.close())
