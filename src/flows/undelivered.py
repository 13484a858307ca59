"""Numbers whose messages the provider accepts and nobody gets: people are told, and nothing is sent again by itself.

A phone that is off gets its messages later, and some providers report nothing beyond their own acceptance. So a number
is suspected only where several chats wait at once, none of its messages has reached a device since, and such reports
did come for it before.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from flows import notifications
from store import events
from store.database import Database
from store.wakeup import EVENTS, Wakeup

log = logging.getLogger(__name__)

OVERDUE: Final = timedelta(minutes=10)
"""How long the report of a device may take, of all chats together."""
WATCHED: Final = timedelta(minutes=70)
"""How far back messages are looked at."""
FEWEST_CHATS: Final = 3


async def report_undelivered(db: Database, wakeup: Wakeup) -> int:
    """Tell who looks after numbers of each that reaches nobody, once until it does again; returns how many are new.
    Workers do this now and then."""
    told = 0
    for row in await db.gate("numbers_reaching_nobody", OVERDUE, WATCHED, FEWEST_CHATS):
        facts = {
            "channel_session_id": str(row["session_id"]),
            "name": row["name"],
            "state": "undelivered",
            "last_reached": row["last_reached"].isoformat(),  # the same as long as it lasts
        }
        async with db.transaction(row["tenant_id"]) as tx:
            if await notifications.tell(tx, row["tenant_id"], "session.needs_person", payload=facts, once=True):
                more = {**facts, "messages": row["messages"], "chats": row["chats"]}
                await events.append(tx, row["tenant_id"], "session.undelivered", payload=more)
                log.warning("nothing that number %s sent for a while has reached a phone", row["session_id"])
                told += 1
    if told:
        wakeup.signal(EVENTS)
    return told
