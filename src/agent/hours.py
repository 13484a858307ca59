"""Is the business's team there now?"""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from agent.turn import BusinessHours


def is_open(hours: BusinessHours, now: datetime, timezone: ZoneInfo) -> bool:
    """Whether ``now`` (aware) lies in a span of its local day. Without weekly hours a business is always open."""
    if not hours.weekly:
        return True
    local = now.astimezone(timezone)
    if local.date().isoformat() in hours.closed_dates:
        return False
    spans = hours.weekly[local.weekday()] if local.weekday() < len(hours.weekly) else ()
    return any(time.fromisoformat(start) <= local.time() < _until(end) for start, end in spans)


def _until(end: str) -> time:
    return time.max if end in {"24:00", "00:00"} else time.fromisoformat(end)
