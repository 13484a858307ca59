"""What supervision says: presence, how waits stand, how queues are served."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from web.i18n import N_

PRESENCE: Final = {
    "here": (N_("There"), "green"),
    "away": (N_("Away"), "orange"),
    "absent": (N_("No page open"), "secondary"),
}
STANDING: Final = {
    "over": (N_("Target missed"), "red"),
    "near": (N_("Target near"), "orange"),
    "fine": (N_("Within the target"), "green"),
    "none": (N_("No target"), "secondary"),
}
ASSIGNMENT: Final = {"by_hand": N_("by hand"), "round_robin": N_("by turns")}
PRIORITY: Final = {2: (N_("Urgent"), "red"), 1: (N_("High"), "orange"), -1: (N_("Low"), "secondary")}


def within(target: timedelta) -> str:
    """A target as it is written: 30 min, 4 h, 1 h 30 min, 2 d."""
    whole = int(target.total_seconds() // 60)
    days, rest = divmod(whole, 1440)
    hours, minutes = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"
