"""How long a pairing may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PairingLimits:
    """How long WhatsApp's codes live. The library says nothing when they run out, so time is kept here."""

    codes: int = 6
    first_seconds: float = 60.0
    next_seconds: float = 20.0
    margin_seconds: float = 10.0
    """The library counts the same time, and only when it ends the pairing by itself does it give its thread back. So it
    gets this much longer."""

    def lifetime(self, number: int) -> float:
        """Seconds that the code with this number, counted from 1, can be scanned."""
        return self.first_seconds if number == 1 else self.next_seconds

    @property
    def patience(self) -> float:
        """Seconds from the first code until the pairing is ended from here."""
        return self.first_seconds + (self.codes - 1) * self.next_seconds + self.margin_seconds
