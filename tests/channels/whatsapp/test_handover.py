"""The way of a number's events to where they are kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from channels.base import ChannelEvent, SessionChanged
from channels.whatsapp.handover import Handover
from channels.whatsapp.spool import Spool, Spooled
from domain.messages import SessionStatus


def event(n: int) -> SessionChanged:
    return SessionChanged(SessionStatus.CONNECTED, datetime.now(UTC), str(n))


async def test_that_events_are_kept_in_order_through_failures_and_leave_the_journal_only_then(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    kept: list[str] = []
    troubles: list[int] = []
    [journal] = tmp_path.glob("*.spool")  # noqa: ASYNC240  # nothing else runs yet
    failures = 2

    async def keep(told: ChannelEvent) -> None:
        nonlocal failures
        if len(kept) == 1 and failures:
            failures -= 1
            raise ConnectionError("away")
        assert isinstance(told, SessionChanged)
        kept.append(told.detail)

    handover = Handover("number", keep, spool, lambda: troubles.append(journal.stat().st_size))
    for n in range(3):
        handover.put(event(n), spool.add(Spooled("number", 17, b"x")))
    assert not handover.is_idle
    running = asyncio.create_task(handover.run())
    await asyncio.wait_for(handover.settled(), 60)
    assert kept == ["0", "1", "2"]
    assert len(troubles) == 2
    assert all(troubles)
    assert (journal.stat().st_size, handover.is_idle) == (0, True)
    running.cancel()


async def test_that_too_much_at_once_takes_the_number_offline_and_loses_nothing(tmp_path: Path) -> None:
    kept: list[ChannelEvent] = []
    troubles: list[int] = []

    async def keep(told: ChannelEvent) -> None:
        kept.append(told)

    handover = Handover("number", keep, Spool(tmp_path), lambda: troubles.append(len(kept)))
    for n in range(1001):
        handover.put(event(n))
    assert troubles == [0]
    running = asyncio.create_task(handover.run())
    await asyncio.wait_for(handover.settled(), 60)
    assert len(kept) == 1001
    running.cancel()
