"""When a message may leave: its conversation's order, the number's limits, first contacts, the tenant's quiet hours.

One claim asks for all of it. What may not leave yet gets a reason and a time on its row, and no process waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.sending_pace import QuietHours, SendingPace, Waits
from flows.attendance_declaration import AttendanceDeclaration
from store import outbox, pacing
from store.database import Connection, Row

_NO_LIMITS = SendingPace()
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the number and its tenant allow."""

    pace: SendingPace = _NO_LIMITS
    quiet: QuietHours | None = None
    zone: ZoneInfo = _UTC

    @classmethod
    def of(cls, provider: str, config: Mapping[str, Any], quiet_hours: Any, timezone: str) -> Limits:
        """From the number's settings and what the tenant's say of ``quiet_hours``."""
        quiet = AttendanceDeclaration.stored({"quiet_hours": quiet_hours}).quiet_hours if quiet_hours else None
        return cls(SendingPace.of(provider, config), quiet.hours() if quiet else None, ZoneInfo(timezone))

    def quiet_until(self, now: datetime) -> datetime | None:
        """When the quiet hours of this moment end; None where there are none."""
        return self.quiet.until(now, self.zone) if self.quiet is not None else None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim came to. ``row``: to be sent, or ``barred``; ``is_stale``: overtaken, to be voided."""

    row: Row | None = None
    is_stale: bool = False


async def claim(tx: Connection, outbox_id: UUID, limits: Limits, *, lease: timedelta) -> Claimed:
    """Claim a row that is due (store.outbox.claim), or note on it why it waits."""
    if limits.quiet is not None:
        until = limits.quiet_until(datetime.now(UTC))
        if until is not None and await pacing.hold_quiet(tx, outbox_id, until, limits.quiet.answers_within):
            return Claimed()
    row = await outbox.claim(tx, outbox_id, lease=lease, pace=limits.pace)
    if row is not None:
        return Claimed(row)
    obstacle = await pacing.obstacle(tx, outbox_id, limits.pace)
    if obstacle.reason is Waits.NEW_CONTACT_CAP and limits.pace.new_contacts is not None:
        if not await pacing.admit_first_contact(tx, outbox_id, limits.pace.new_contacts):
            return Claimed()
        row = await outbox.claim(tx, outbox_id, lease=lease, pace=limits.pace)
        if row is not None:
            return Claimed(row)
        obstacle = await pacing.obstacle(tx, outbox_id, limits.pace)
    if obstacle.reason is Waits.RATE and limits.pace.bucket is not None:
        await pacing.hold_for_rate(tx, outbox_id, limits.pace.bucket)
    elif obstacle.reason is Waits.PHONE:
        await pacing.hold_for_phone(tx, outbox_id)
    return Claimed(is_stale=obstacle.is_stale)
