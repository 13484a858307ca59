"""Linear algebra on one thread per process."""

from __future__ import annotations

from functools import cache

from threadpoolctl import threadpool_limits


@cache
def use_one_thread() -> None:
    """Keep BLAS from spreading a small matrix over all cores, in this process and from now on.

    Workers are processes, as many as there are cores. On a busy machine BLAS threads that wait for each other made the
    training of a small classifier fifty times slower, and the encoder gains nothing from a second one.
    """
    threadpool_limits(limits=1, user_api="blas")
