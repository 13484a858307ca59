"""Showing "typing…" while the agent works on an answer: a courtesy that never delays a reply, nor loses one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from domain.messages import Address
from flows.delivery import Delivery
from store.database import Row

log = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 0.7
"""An answer that is ready sooner needs no sign of life."""
_AGAIN_SECONDS: Final = 8.0
"""WhatsApp lets the sign fade after a while."""
_CALL_SECONDS: Final = 3.0
_LONGEST_SECONDS: Final = 90.0

Show = Callable[..., Awaitable[None]]


class TypingIndicator:
    """Starts signs of life. Channels without any are passed over; so is whatever goes wrong with one."""

    def __init__(self, delivery: Delivery, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._delivery = delivery
        self._patience = patience
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, row: Row) -> Typing:
        """The agent begins to work on the conversation. ``row``: store.turns.read. Returns at once."""
        return Typing(self, row)

    def run(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Run beside the turn; nobody waits for it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def patience(self) -> float:
        """Seconds until the sign is shown."""
        return self._patience

    async def show_for(self, tenant_id: UUID, session_id: UUID) -> tuple[Show, Any] | None:
        """How the number shows typing, with what its provider must know of it; None where it cannot or shall not."""
        route = await self._delivery.route(tenant_id, session_id)
        show: Show | None = getattr(route.sender, "show_typing", None) if route else None
        if route is None or show is None or route.session.config.get("typing", True) in (False, "false"):
            return None
        return show, route.session


class Typing:
    """One sign of life, until ``end``."""

    def __init__(self, indicator: TypingIndicator, row: Row) -> None:
        self._indicator, self._row = indicator, row
        self._task: asyncio.Task[None] | None = None
        self._shown: tuple[Show, Any] | None = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(indicator.patience, self._start)

    def end(self, *, message_follows: bool) -> None:
        """The agent is done. A message takes the sign away by itself; without one it is taken away here."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        if self._shown is not None and not message_follows:
            self._indicator.run(self._call(typing=False))

    def _start(self) -> None:
        self._task = self._indicator.run(self._keep_showing())

    async def _keep_showing(self) -> None:
        try:
            self._shown = await self._indicator.show_for(self._row["tenant_id"], self._row["channel_session_id"])
            async with asyncio.timeout(_LONGEST_SECONDS):
                while self._shown is not None:
                    await self._call(typing=True)
                    await asyncio.sleep(_AGAIN_SECONDS)
        except Exception as error:
            log.debug("typing is not shown any more: %r", error)

    async def _call(self, *, typing: bool) -> None:
        if self._shown is None:
            return
        show, session = self._shown
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                await show(session, Address.parse(self._row["address"]), typing=typing)
        except Exception as error:
            log.debug("typing could not be shown: %r", error)
