"""Rows that only grow, and for how long each is kept. What people and customers said and did is not among them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from flows.access_tokens import STAY
from flows.session_removal import forget_file
from store.database import Database
from store.media import MediaStore

log = logging.getLogger(__name__)

KEPT: Final[Mapping[str, timedelta]] = {
    "idempotent_request": timedelta(days=7),
    "operator_send": timedelta(days=3),
    "webhook_delivery": timedelta(days=30),
    "notification": timedelta(days=90),
    "channel_request": timedelta(days=8),
    "session_request": timedelta(days=1),
    "invitation": timedelta(days=90),
    "login_attempt": timedelta(days=1),
    "login_session": timedelta(days=1),
    "spent_token": STAY + timedelta(days=1),
}
"""By table, since when: a request was carried out, a page sent, a delivery ended, a notification was read, a question
to a number's connection was asked (answers about phones count for seven days), a link was used or ran out, an attempt
to sign in was made, a sign-in ran out, a refresh token was exchanged (it would have run out by then)."""
UNSENT_FILES_KEPT: Final = timedelta(days=30)
"""How long a file that a program handed in can be sent. What was sent stays with its messages."""
_AT_ONCE: Final = 1000


async def forget_outlived(db: Database) -> int:
    """Delete what is older; returns how many rows."""
    gone = 0
    for table, kept in KEPT.items():
        try:
            while (rows := (await db.gate("forget_outlived", table, kept, _AT_ONCE))[0][0]) > 0:
                gone += rows
                if rows < _AT_ONCE:
                    break
        except Exception:  # one table's trouble must not keep the others
            log.exception("what is old in %s could not be forgotten", table)
    return gone


async def forget_unsent_files(db: Database, media: MediaStore) -> int:
    """Forget files that were handed in, and whose time to be sent is over; returns how many."""
    gone = 0
    while rows := await db.gate("unsent_files", UNSENT_FILES_KEPT, _AT_ONCE):
        for row in rows:
            async with db.transaction(row["tenant_id"]) as tx:
                await tx.execute("DELETE FROM media_file WHERE id = $1 AND message_id IS NULL", row["id"])
            await forget_file(db, media, row["tenant_id"], row["sha256"])
        gone += len(rows)
    return gone
