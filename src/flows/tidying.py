"""What becomes due by itself once nobody writes: quiet conversations are closed, absent people's work goes back to the
queue, contacts are asked how it was, and what reports read again and again is written down.

Every worker does this in turn; each step is done under its conversation's lock, so it happens once.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.conversation import ClosingReason, Status
from flows import absence, desk_closing, satisfaction
from flows.attachments import Offers
from store import conversations, episodes
from store.database import Connection, Database
from store.wakeup import EVENTS, Wakeup

log = logging.getLogger(__name__)

QUIET_AFTER: Final = timedelta(hours=24)
"""Since the last message, unless the tenant says otherwise (``closing.quiet_minutes``)."""
_AT_ONCE: Final = 200

_QUIET: Final = """
SELECT c.id FROM conversation c
 WHERE (c.status = 'closed') IS FALSE AND c.status = 'bot' AND c.last_inbound_id > 0
   AND c.answered_upto_id >= c.last_inbound_id
   AND c.last_message_at < now() - $1::interval AND (c.snoozed_until IS NULL OR c.snoozed_until <= now())
   AND ($2::uuid IS NULL OR c.id = $2)
   AND NOT EXISTS (SELECT 1 FROM suggestion s WHERE s.conversation_id = c.id AND s.status = 'pending')
   AND NOT EXISTS (SELECT 1 FROM approval a WHERE a.conversation_id = c.id AND a.status IN ('pending', 'approved'))
   AND NOT EXISTS (SELECT 1 FROM outbox_message o
                    WHERE o.conversation_id = c.id AND o.state IN ('queued', 'sending', 'unknown'))
 ORDER BY c.last_message_at LIMIT $3
"""


class Tidying:
    """Looks after every tenant in which something is due."""

    def __init__(self, db: Database, wakeup: Wakeup, offers: Offers) -> None:
        self._db = db
        self._wakeup = wakeup
        self._offers = offers

    async def run_due(self) -> int:
        """Returns how much was done."""
        done = 0
        for row in await self._db.gate("tenants_to_tidy", absence.ABSENT_AFTER, QUIET_AFTER):
            try:
                done += await self.tidy(row["tenant_id"])
            except Exception:
                log.exception("tenant %s could not be tidied", row["tenant_id"])
        return done

    async def tidy(self, tenant_id: UUID) -> int:
        """One tenant; returns how much was done."""
        done = await absence.return_of_absent(self._db, self._wakeup, tenant_id)
        done += await self._close_quiet(tenant_id)
        done += await satisfaction.ask_due(self._db, self._wakeup, self._offers, tenant_id)
        async with self._db.transaction(tenant_id) as tx:
            await episodes.settle(tx)
        return done

    async def _close_quiet(self, tenant_id: UUID) -> int:
        async with self._db.transaction(tenant_id) as tx:
            minutes = await tx.fetchval(
                "SELECT settings -> 'closing' ->> 'quiet_minutes' FROM tenant WHERE id = $1", tenant_id
            )
            after = timedelta(minutes=float(minutes)) if minutes else QUIET_AFTER
            quiet = await tx.fetch(_QUIET, after, None, _AT_ONCE)
        closed = 0
        for row in quiet:
            async with self._db.transaction(tenant_id) as tx:
                conversation = await conversations.lock(tx, row["id"])
                if conversation["status"] == Status.BOT and await tx.fetchval(_QUIET, after, row["id"], 1):
                    await desk_closing.close(tx, row["id"], await _reason(tx, row["id"]), actor="system")
                    closed += 1
        if closed:
            self._wakeup.signal(EVENTS)
        return closed


async def _reason(tx: Connection, conversation_id: UUID) -> ClosingReason:
    """Resolved only where the customer got an answer and nothing was left open: honest figures depend on it."""
    row = await tx.fetchrow(
        """SELECT (SELECT t.dialogue FROM turn t WHERE t.conversation_id = c.id AND t.status = 'decided'
                    ORDER BY t.upto_message_id DESC, t.created_at DESC LIMIT 1) AS dialogue,
                  EXISTS (SELECT 1 FROM outbox_message o
                           WHERE o.conversation_id = c.id AND o.message_id > c.window_start_id AND o.state = 'sent')
                      AS answered
             FROM conversation c WHERE c.id = $1""",
        conversation_id,
    )
    dialogue = row["dialogue"] or {} if row else {}
    if dialogue.get("waiting") or dialogue.get("confirm") or dialogue.get("identity") or dialogue.get("offered"):
        return ClosingReason.NO_ANSWER
    return ClosingReason.RESOLVED if row and row["answered"] else ClosingReason.OTHER
