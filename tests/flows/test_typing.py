"""The sign that an answer is on its way: shown while the agent works, and never in the way of the answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from channels.base import SessionRef
from domain.messages import Address
from flows.delivery import Delivery
from flows.typing import TypingIndicator
from tests.flows.backroom import Backroom, Gateway
from tests.flows.shop import Shop


@dataclass
class TypingGateway(Gateway):
    """A provider that shows typing, or fails to in some way."""

    trouble: str = ""
    shown: list[tuple[str, bool]] = field(default_factory=list)

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        self.shown.append((str(chat), typing))
        if self.trouble == "fails":
            raise RuntimeError("typing is broken")
        if self.trouble == "hangs":
            await asyncio.Event().wait()


def typing_through(backroom: Backroom, gateway: Gateway) -> Backroom:
    """The same worker, whose number shows typing at once."""
    worker = backroom.with_sender(gateway)
    worker.turns._typing = TypingIndicator(
        Delivery(backroom.shop.db, backroom.wakeup, {"simulator": gateway}), patience=0
    )
    return worker


@pytest.mark.parametrize("trouble", ["", "fails", "hangs"])
async def test_that_typing_is_shown_while_the_agent_works_and_its_failure_holds_nothing_up(
    shop: Shop, backroom: Backroom, trace: Path, trouble: str
) -> None:
    gateway = TypingGateway(trouble=trouble)
    await shop.take_seconds("slow_lookup", 0.5)
    await shop.write("maria", "consulta lenta")
    await typing_through(backroom, gateway).rest()
    assert gateway.texts == ["A consulta terminou."]
    assert gateway.shown == [("simulator:maria", True)]


async def test_that_nobody_sees_typing_where_no_answer_may_come_by_itself(
    shop: Shop, backroom: Backroom, trace: Path
) -> None:
    gateway = TypingGateway()
    worker = typing_through(backroom, gateway)
    await shop.take_seconds("slow_lookup", 0.5)
    await shop.set(pacing={"show_typing": False})
    await shop.write("maria", "consulta lenta")
    await worker.rest()
    await shop.set(pacing={}, reply_mode="suggest")
    await shop.write("jose", "consulta lenta")
    await worker.rest()
    assert gateway.shown == []
    assert await shop.fetch("SELECT 1 FROM suggestion WHERE status = 'pending'")
