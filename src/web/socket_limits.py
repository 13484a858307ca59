"""What sockets may cost: how many there may be, how much each may say, and whose tokens they bring."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import WebSocket
from starlette.requests import HTTPConnection

from flows.access_tokens import looks_like_access_token
from flows.api_keys import ApiCaller
from web.floods import source_of
from web.security import Throttle

MOST_SOCKETS: Final = 5_000
"""Of one process."""
MOST_OF_ONE: Final = 200
"""Of one person or key."""
MOST_STRANGERS: Final = 100
"""From one source, not signed in yet."""
_BURST: Final = 60
_PER_SECOND: Final = 10.0

Recognise = Callable[[str], Awaitable[ApiCaller | None]]


class Sockets:
    """All sockets of this process, counted. ``keys`` and ``tokens`` say whose an API key and an access token is."""

    def __init__(self, keys: Recognise, tokens: Recognise) -> None:
        self._keys, self._tokens = keys, tokens
        self._open = 0
        self._strangers: Counter[str] = Counter()
        self._credentials: Counter[str] = Counter()
        self._failures = Throttle(limit=60, seconds=60)

    @contextmanager
    def place(self, connection: WebSocket) -> Iterator[str | None]:
        """A place for a socket of which nothing is known yet; None: there is none left."""
        source = source_of(connection)
        if self._open >= MOST_SOCKETS or self._strangers[source] >= MOST_STRANGERS:
            yield None
            return
        self._open += 1
        self._strangers[source] += 1
        connection.state.is_stranger = True
        try:
            yield source
        finally:
            self._open -= 1
            self._known(connection, source)

    @contextmanager
    def of(self, credential: str) -> Iterator[bool]:
        """Count a socket for a person or key; False: it has as many as it may."""
        if self._credentials[credential] >= MOST_OF_ONE:
            yield False
            return
        self._credentials[credential] += 1
        try:
            yield True
        finally:
            self._credentials[credential] -= 1
            if not self._credentials[credential]:
                del self._credentials[credential]

    def known(self, connection: WebSocket) -> None:
        """The socket has said whose it is: it takes no stranger's place any more."""
        self._known(connection, source_of(connection))

    async def recognise(self, connection: HTTPConnection, token: str) -> ApiCaller | None:
        """Whose token this is. A source that tries too many that are nobody's is not listened to for a while."""
        source = source_of(connection)
        if self._failures.seconds_to_wait(source):
            return None
        caller = await (self._tokens if looks_like_access_token(token) else self._keys)(token)
        if caller is None:
            self._failures.failed(source)
        return caller

    def _known(self, connection: WebSocket, source: str) -> None:
        if connection.state.is_stranger:
            connection.state.is_stranger = False
            self._strangers[source] -= 1
            if not self._strangers[source]:
                del self._strangers[source]


class Allowance:
    """How much one socket may say: a burst, then so many messages a second."""

    def __init__(self) -> None:
        self._left = float(_BURST)
        self._at = time.monotonic()

    def take(self) -> bool:
        """Count one message; False: it was too much."""
        now = time.monotonic()
        self._left = min(_BURST, self._left + (now - self._at) * _PER_SECOND) - 1
        self._at = now
        return self._left >= 0
