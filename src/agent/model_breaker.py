"""A circuit breaker for one model at one endpoint: while it keeps failing, nobody waits for it.

One per process, base address and model, shared by all tenants: whether an endpoint is up is the same for everybody,
and each process learns it within a few calls. So nothing that one tenant alone can cause may count against it: not a
rejected key, not a used-up quota, not a time-out that the tenant set too short.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """When a breaker opens, and for how long (seconds)."""

    failures: int = 5
    """Failures in a row, of all callers together."""
    open_seconds: float = 15.0
    """How long the first time; each failed probe doubles it up to ``longest_seconds``."""
    longest_seconds: float = 120.0
    counted_timeout_seconds: float = 5.0
    """A call that was given less time than this and ran out of it says nothing about the endpoint."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to make one call."""

    is_probe: bool


class CircuitBreaker:
    """Closed while calls succeed; open after failures in a row; then one caller at a time probes whether it is back."""

    def __init__(self, terms: BreakerTerms, *, clock: Callable[[], float] = monotonic, seed: int | None = None) -> None:
        self._terms = terms
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - jitter
        self._failures = 0
        self._openings = 0
        self._open_until: float | None = None
        self._probing = False

    def enter(self) -> Admission | None:
        """Leave to make a call, to be handed back with ``leave`` however it ended; None: not now."""
        if self._open_until is None:
            return Admission(is_probe=False)
        if self._probing or self._clock() < self._open_until:
            return None
        self._probing = True
        return Admission(is_probe=True)

    def leave(self, admission: Admission, served: bool | None) -> None:
        """``served``: whether the endpoint served the call; None: the call ended in a way that tells nothing of it."""
        if admission.is_probe:
            self._probing = False
        if served:
            # Also of a call that began before the others failed: it is the latest that is known.
            self._failures = self._openings = 0
            self._open_until = None
        elif served is False:
            self._failures += 1
            if admission.is_probe or (self._open_until is None and self._failures >= self._terms.failures):
                self._open()

    def _open(self) -> None:
        seconds = min(self._terms.open_seconds * 2**self._openings, self._terms.longest_seconds)
        # Processes that opened together shall not probe together.
        self._open_until = self._clock() + seconds * self._random.uniform(0.8, 1.2)
        self._openings += 1
