"""Background work ends when it is told to, whatever happens at that moment."""

from __future__ import annotations

import asyncio

import pytest

from store.wakeup import every


@pytest.mark.parametrize("steps", range(6))
async def test_that_work_woken_at_the_moment_of_its_cancellation_ends(steps: int) -> None:
    wake = asyncio.Event()

    async def work() -> None:
        pass

    task = asyncio.create_task(every(0.05, work, wake=wake))
    await asyncio.sleep(0.01)
    wake.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()
