"""Showing "typing…" before a message: a courtesy that never holds the message back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from domain.errors import AtendeError
from domain.messages import Outbound

_CALL_SECONDS = 2.0


async def type_before(
    config: Mapping[str, Any], message: Outbound, longest: float, show: Callable[[bool], Awaitable[object]]
) -> None:
    """Show typing for as long as ``message`` wishes, at most ``longest`` seconds. Off where the setting ``typing`` is
    false, and for what nobody types (a reaction, a revoke). Whatever goes wrong with it is passed over."""
    seconds = min(message.typing_seconds, longest)
    silent = message.content is not None and message.content.type in ("reaction", "edit", "revoke")
    if seconds <= 0 or silent or config.get("typing", True) is False:
        return
    for typing, pause in ((True, seconds), (False, 0.0)):
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                await show(typing)
        except (TimeoutError, AtendeError):
            return
        await asyncio.sleep(pause)
