"""Realtime: the websocket through which pages and programs learn what happens (docs/realtime.md).

Pages sign in with their cookie, programs with a token, in a header or in their first message. A page is told ids and
kinds and fetches the fragments that it shows through the same routes and rights as always; a program that asks for the
content gets what webhooks carry.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import uniform
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import orjson
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from domain.errors import AtendeError
from domain.roles import Right
from flows.live_events import EventFeed
from flows.live_subscribers import Listening, Subscriber, Subscription
from flows.presence import Presence
from store.outage import UNREACHABLE
from store.reach import see_as
from web.access import cookie_name, recognise
from web.services import services
from web.socket_commands import Commands, present
from web.socket_limits import Allowance, Sockets
from web.socket_messages import Authenticate, BadMessageError, error_frame, read
from web.socket_protocol import write_of

log = logging.getLogger(__name__)
router = APIRouter()

RECHECK_SECONDS: Final = 25.0
"""How long a socket may outlive its sign-in at worst; events about access have it checked at once."""
SIGN_IN_SECONDS: Final = 10.0
"""How long a socket may be open without having said who it is."""
STALLED_SECONDS: Final = 20.0
"""How long the other side may take nothing at all."""

CLOSE_SIGNED_OUT: Final = 4401
CLOSE_TOO_SLOW: Final = 4408
CLOSE_TOO_MUCH: Final = 4429
CLOSE_TRY_AGAIN: Final = 1013


class _EndedError(Exception):
    """The socket is to be closed with ``code``."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


_AUTHENTICATED = '{"type":"authenticated"}'


@dataclass(frozen=True, slots=True)
class _SignedIn:
    """Who is at the socket, and how to look again whether that still holds."""

    who: Listening
    name: str
    credential: str
    """What counts against the bound of sockets: the person or the key."""
    again: Callable[[], Awaitable[_SignedIn | None]]


@router.websocket("/ws")
async def live(websocket: WebSocket) -> None:
    """The protocol is told in docs/realtime.md."""
    sockets: Sockets = websocket.app.state.sockets
    code = CLOSE_TOO_MUCH
    with sockets.place(websocket) as place:
        await websocket.accept()
        if place is not None:
            code = await _serve(websocket, sockets)
    if websocket.application_state is WebSocketState.CONNECTED and websocket.client_state is WebSocketState.CONNECTED:
        with suppress(RuntimeError, TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(SIGN_IN_SECONDS):
                await websocket.close(code)


async def _serve(websocket: WebSocket, sockets: Sockets) -> int:
    """Everything between accepting and closing; the code to close with."""
    try:
        signed_in = await _sign_in(websocket)
        if signed_in is None:
            return CLOSE_SIGNED_OUT
        sockets.known(websocket)
        with sockets.of(signed_in.credential) as allowed:
            return await _Conversation(websocket, signed_in).run() if allowed else CLOSE_TOO_MUCH
    except _EndedError as ended:
        return ended.code
    except UNREACHABLE:
        return CLOSE_TRY_AGAIN
    except (WebSocketDisconnect, RuntimeError):
        return 1000


async def _sign_in(websocket: WebSocket) -> _SignedIn | None:
    """Whoever it is: by header, by cookie (only from a page of ours), or by the first message."""
    header = websocket.headers.get("authorization", "")
    if header:
        scheme, _, token = header.partition(" ")
        return await _by_token(websocket, token.strip()) if scheme.lower() == "bearer" else None
    if websocket.cookies.get(cookie_name(services(websocket).access)):
        origin = websocket.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != websocket.headers.get("host"):
            return None  # another site's page, acting with this browser's cookies
        return await _by_cookie(websocket)
    with suppress(TimeoutError, BadMessageError):
        async with asyncio.timeout(SIGN_IN_SECONDS):
            message = read(await websocket.receive_text())
        if isinstance(message, Authenticate) and (found := await _by_token(websocket, message.token)) is not None:
            await websocket.send_text(_AUTHENTICATED)
            return found
    return None


async def _by_cookie(websocket: WebSocket) -> _SignedIn | None:
    visitor = await recognise(websocket)
    if visitor is None or not visitor.role:
        return None
    rights = frozenset(right for right in Right if visitor.may(right))
    who = Listening(visitor.tenant_id, visitor.user_id, rights, visitor.sight)
    return _SignedIn(who, visitor.name, f"user {visitor.user_id}", lambda: _by_cookie(websocket))


async def _by_token(websocket: WebSocket, token: str) -> _SignedIn | None:
    sockets: Sockets = websocket.app.state.sockets
    caller = await sockets.recognise(websocket, token)
    if caller is None:
        return None
    user_id, sight = getattr(caller, "user_id", None), getattr(caller, "sight", None)
    see_as(sight)
    rights = frozenset(caller.scopes)
    if user_id is None and Right.EVENTS_READ in rights:  # of a key that one scope means all events, as for a webhook
        rights |= {right for right in Right if right.endswith(":read")}
    who = Listening(caller.tenant_id, user_id, rights, sight)
    credential = f"user {user_id}" if user_id else f"key {caller.key_id}"
    return _SignedIn(who, caller.name, credential, lambda: _by_token(websocket, token))


def tell_who_is_there(feed: EventFeed, presence: Presence, tenant_id: UUID, conversation_id: UUID) -> None:
    """Tell those who have the conversation open who else has."""
    there = [one for one in feed.of(tenant_id) if one.here == conversation_id]
    if there:
        frame = orjson.dumps(present(presence, tenant_id, conversation_id)).decode()
        for subscriber in there:
            subscriber.put(frame)


class _Conversation:
    """One socket's talk: a reader of what the other side asks, and a writer of all that it is told."""

    def __init__(self, websocket: WebSocket, signed_in: _SignedIn) -> None:
        self._websocket = websocket
        self._signed_in = signed_in
        self._socket = uuid4().hex[:12]
        self._feed: EventFeed = websocket.app.state.feed
        self._allowance = Allowance()

    async def run(self) -> int:
        """Until one side ends it; the code to close with."""
        async with self._feed.subscriber(self._signed_in.who, write_of(self._websocket)) as subscriber:
            state = self._websocket.app.state
            commands = Commands(services(self._websocket).db, self._feed, state.presence, subscriber, self._socket)
            commands.name = self._signed_in.name
            tasks = [
                asyncio.create_task(self._write(subscriber)),
                asyncio.create_task(self._read(subscriber, commands)),
                asyncio.create_task(self._guard(subscriber)),
                asyncio.create_task(subscriber.cut.wait()),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                commands.leave()
        if subscriber.cut.is_set():
            return CLOSE_TOO_SLOW
        for result in results:
            if isinstance(result, _EndedError):
                return result.code
            if isinstance(result, UNREACHABLE):
                return CLOSE_TRY_AGAIN
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | RuntimeError):
                log.warning("A websocket ended with an error", exc_info=result)
                return 1011
        return 1000

    async def _write(self, subscriber: Subscriber) -> None:
        while True:
            item = await subscriber.next()
            if subscriber.recheck:  # told by an event: nothing more leaves before it is known who is there
                subscriber.recheck = False
                await self._check(subscriber)
            if isinstance(item, Subscription):
                await self._catch_up(subscriber, item)
            elif item is not None:
                await self._send(item)

    async def _guard(self, subscriber: Subscriber) -> None:
        """Look now and then, whatever events tell: a sign-in also ends by itself."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS * uniform(0.7, 1.0))  # noqa: S311 - not all at the same moment
            await self._check(subscriber)

    async def _catch_up(self, subscriber: Subscriber, subscription: Subscription) -> None:
        async for frame in self._feed.caught_up(subscriber, subscription):
            if subscriber.subscriptions.get(subscription.name) is not subscription:
                return
            await self._send(frame)
        if not subscription.told_ready:
            subscription.told_ready = True
            await self._send(subscription.ready())

    async def _send(self, frame: str) -> None:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                await self._websocket.send_text(frame)
        except TimeoutError:
            raise _EndedError(CLOSE_TOO_SLOW) from None

    async def _check(self, subscriber: Subscriber) -> None:
        """Whether the sign-in still holds. Lesser rights or another reach count from now on."""
        now = await self._signed_in.again()
        if now is None or now.who.tenant_id != subscriber.who.tenant_id:
            raise _EndedError(CLOSE_SIGNED_OUT)
        subscriber.who = now.who

    async def _read(self, subscriber: Subscriber, commands: Commands) -> None:
        while True:
            text = await self._websocket.receive_text()
            if not self._allowance.take():
                raise _EndedError(CLOSE_TOO_MUCH)
            try:
                message = read(text)
                if isinstance(message, Authenticate):
                    await self._authenticate_again(subscriber, message)
                else:
                    await commands.carry_out(message)
            except AtendeError as error:
                subscriber.put(error_frame(error))

    async def _authenticate_again(self, subscriber: Subscriber, message: Authenticate) -> None:
        """A fresh token, before the last one ends: the subscriptions go on."""
        now = await _by_token(self._websocket, message.token)
        before = self._signed_in
        if now is None or (now.who.tenant_id, now.credential) != (before.who.tenant_id, before.credential):
            raise _EndedError(CLOSE_SIGNED_OUT)
        self._signed_in, subscriber.who = now, now.who
        subscriber.put(_AUTHENTICATED)
