"""Holds reading to linear growth: an endless text must not cost more than its share, on however busy a machine."""

import time
from collections.abc import Callable

TIMES_LONGER = 8
ALLOWED = 24  # linear costs 8 times as much and quadratic 64 times; caches and a busy machine lie between
TRIES = 6
AT_ONCE = 0.05  # CPU seconds; what costs less at full length is cheap however it grew on the way


def assert_linear(work: Callable[[str], object], text: str) -> None:
    """Fails when ``work(text)`` costs far more CPU than eight times the work for an eighth of it, in each of six tries.

    Only a ratio of CPU time within one run is looked at, and the best of several, so that a slow or busy machine
    cannot fail it; quadratic reading fails all of them.
    """
    short = text[: len(text) // TIMES_LONGER]
    work(short)  # patterns are compiled and caches filled before anything is measured
    seen = []
    for _ in range(TRIES):
        part, whole = _cpu(work, short), _cpu(work, text)
        if whole < AT_ONCE or whole < ALLOWED * part:
            return
        seen.append(f"{part:.3f} s, then {whole:.3f} s")
    raise AssertionError(f"{TIMES_LONGER} times the text, far more than {TIMES_LONGER} times the work: {seen}")


def _cpu(work: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    work(text)
    return time.thread_time() - began
