"""How many calls of the API a credential may make, and the headers that tell it.

Counted in this process. The headers are those of the IETF's draft (draft-ietf-httpapi-ratelimit-headers), ``RateLimit``
and ``RateLimit-Policy``, and beside them the three fields of its earlier versions, which most clients read.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import AtendeError

WINDOW_SECONDS: Final = 60
_MOST: Final = 10_000
"""Credentials that are remembered; the one that was quiet longest is forgotten first."""
_STATE: Final = "rate"


class TooManyCallsError(AtendeError):
    """The credential has used up its calls; there is another one in ``seconds``."""

    def __init__(self, limit: int, seconds: int) -> None:
        super().__init__(
            f"This credential made more than {limit} calls a minute.", hint=f"Try again in {seconds} seconds."
        )
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Standing:
    """How a credential stands after a call. ``reset``: seconds until it has all its calls again."""

    limit: int
    remaining: int
    reset: int
    wait: int
    """Seconds until the next call is taken; 0: this one was."""

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"calls";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"calls";r={self.remaining};t={self.reset}',
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


class Rates:
    """A bucket for each credential: ``limit`` calls at once, filled again evenly within a minute."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When each bucket is full again: all that there is to know of one."""

    def take(self, credential: str) -> Standing:
        """Count a call, unless there is none left: a refused one costs nothing."""
        now, each = self._clock(), WINDOW_SECONDS / self._limit
        full_at = max(self._full_at.get(credential, now), now)
        after = full_at + each
        late = after - now - WINDOW_SECONDS
        taken = late <= each / 1000  # what is lost in adding up is no call
        if taken:
            full_at = self._full_at[credential] = after
            self._full_at.move_to_end(credential)
            while len(self._full_at) > _MOST:
                self._full_at.popitem(last=False)
        missing = full_at - now
        left = max(0, math.floor((WINDOW_SECONDS - missing) / each + 0.001))
        return Standing(self._limit, left, math.ceil(missing), 0 if taken else max(1, math.ceil(late)))


class RateHeaders:
    """Adds to each answer how its credential stands, where one was counted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            standing: Standing | None = scope.get("state", {}).get(_STATE)
            if message["type"] == "http.response.start" and standing is not None:
                headers = MutableHeaders(scope=message)
                for name, value in standing.headers().items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def note(state: object, standing: Standing) -> None:
    """Have the answer to this request (its ``state``) tell it. Raises TooManyCallsError where there is none left."""
    setattr(state, _STATE, standing)
    if standing.wait:
        raise TooManyCallsError(standing.limit, standing.wait)
