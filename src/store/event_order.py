"""How far the event log may be read: ids are drawn when an event is written and appear when its transaction commits.

So a higher id may be there while a lower one is still to come. A reader that went past it would never tell it. Ids come
from one sequence without steps: as long as they follow each other, nothing is missing. At a gap the reader waits until
every transaction that may have drawn one of its ids has ended; what is then not there was rolled back.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from store.database import Database

_BEGIN_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.02


class EventOrder:
    """One reader's knowledge of how far the log is complete."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._begun = False
        self._mark: tuple[int, int] | None = None
        """An id, and a transaction that began after all ids up to it were drawn."""
        self.complete = 0
        """No event with this id or a lower one can come any more."""
        self.has_gap = False
        """Whether there is more than is complete: look again soon."""

    async def look(self) -> int:
        """How far the log is complete now."""
        if not self._begun:
            await self._begin()
        row = (await self._db.gate("event_horizon", self.complete))[0]
        if self._mark is not None and row["oldest_open"] >= self._mark[1]:
            self.complete, self._mark = max(self.complete, self._mark[0]), None
        self.complete = max(self.complete, row["unbroken"])
        self.has_gap = row["newest"] > self.complete
        if self.has_gap and self._mark is None:
            self._mark = (row["newest"], (await self._db.gate("transaction_now"))[0]["transaction_now"])
        return self.complete

    async def _begin(self) -> None:
        """Go to the log's end, or as near as those who write just now allow in a moment."""
        self.complete = (await self._db.gate("old_event_id"))[0]["old_event_id"]
        self._begun = True
        newest = (await self._db.gate("event_horizon", self.complete))[0]["newest"]
        until = time.monotonic() + _BEGIN_SECONDS
        while await self.look() < newest and time.monotonic() < until:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(_LOOK_SECONDS)
