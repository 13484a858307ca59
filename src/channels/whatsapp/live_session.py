"""One number's life in a session host: opened, paired, kept online, reopened, ended.

A supervisor task opens one client after the other; a delivery task hands events over one by one, so that their order
is kept and the next is offered only when the last is durable. The library acknowledges a message to WhatsApp before
anybody could keep it; what is not durable yet stands in the host's spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import asyncpg

from channels.base import ChannelEvent, EventHandler, SessionChanged, SessionRef, Unrecognised
from domain.messages import Address, SessionStatus

from . import client_events as says
from .convert import Converted, Ignored, convert_message, convert_receipt
from .devices import DeviceStore
from .ids import Jid, parse_jid
from .neonize_client import NeonizeClient, SendFailedError
from .reading import UnreadMessages
from .spool import Spool, Spooled

log = logging.getLogger(__name__)

NEVER: Final = None
_FIRST_SIGN_SECONDS = 30.0
_GRACE_SECONDS = 5.0
"""A connection that is back by then was never reported as lost: WhatsApp closes one after every pairing."""
_LAST_SENDS_SECONDS = 10.0
_LAST_EVENTS_SECONDS = 10.0
_LONGEST_WAIT = 60.0
_LOST_PINGS = 2
_REFUSED_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class PairingLimits:
    """How long WhatsApp's codes live. The library says nothing when they run out, so time is kept here."""

    codes: int = 6
    first_seconds: float = 60.0
    next_seconds: float = 20.0

    @property
    def seconds(self) -> float:
        return self.first_seconds + (self.codes - 1) * self.next_seconds


@dataclass(slots=True)
class Opening:
    """What all sessions of a process share to open their clients.

    ``lock`` is held while a client connects or stops: the library's maps bear only one such call at a time.
    """

    devices: DeviceStore
    lock: asyncio.Lock
    proxy_url: str | None
    limits: PairingLimits
    spool: Spool
    opened: int = 0


class LiveSession:
    """One number. ``start`` it once; after ``stop`` or ``unlink`` it is done."""

    def __init__(self, opening: Opening, session: SessionRef, on_event: EventHandler) -> None:
        self._opening, self._session, self._on_event = opening, session, on_event
        self._account = session.account
        self._new_account: str | None = None
        self._own: tuple[Address, ...] = ()
        self._client: NeonizeClient | None = None
        self._online = False
        self._told: SessionStatus | None = None
        self._events: asyncio.Queue[tuple[ChannelEvent, int]] = asyncio.Queue()
        self._unread = UnreadMessages()
        self._sign = asyncio.Event()
        self._over: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._attempts = self._number = self._sends = 0
        self._no_send = asyncio.Event()
        self._no_send.set()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def ready(self) -> bool:
        """Whether it is online."""
        return self._online and self._client is not None and not self._stopping

    @property
    def pairing(self) -> bool:
        """Whether it shows a QR code."""
        return self._told is SessionStatus.AWAITING_QR and self._client is not None

    @property
    def ended(self) -> bool:
        """Whether it gave up for good: nobody scanned, or the phone unlinked it. Start a new one to try again."""
        return bool(self._tasks) and self._tasks[1].done()

    @property
    def client(self) -> NeonizeClient:
        if self._client is None:
            raise RuntimeError("no client is open")
        return self._client

    def start(self) -> None:
        name = self._session.id
        self._tasks = [
            asyncio.create_task(self._deliver(), name=f"events of {name}"),
            asyncio.create_task(self._supervise(), name=f"connection of {name}"),
        ]

    async def stop(self) -> None:
        deliver, supervise = self._tasks
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SENDS_SECONDS):
                await self._no_send.wait()  # cut off, its outcome would stay unknown
        await _cancelled(supervise)
        await self._close()
        try:
            async with asyncio.timeout(_LAST_EVENTS_SECONDS):
                await self._events.join()
        except TimeoutError:
            log.exception(
                "%d events of %s could not be kept and wait on disk", self._events.qsize() + 1, self._session.id
            )
        await _cancelled(deliver)

    async def unlink(self) -> None:
        if self.ready:
            with contextlib.suppress(SendFailedError):
                await self.client.log_out()
        self.tell(SessionStatus.DISCONNECTED, "The number was unlinked.")
        await self.stop()

    async def send_text(self, to: Jid, text: str, *, quoted_id: str | None) -> tuple[str, int]:
        """As NeonizeClient.send_text; a stop waits for it."""
        self._sends += 1
        self._no_send.clear()
        try:
            return await self.client.send_text(to, text, quoted_id=quoted_id)
        finally:
            self._sends -= 1
            if not self._sends:
                self._no_send.set()

    async def attend(self, chat: Jid, typing_seconds: float) -> None:
        """Mark what waits in the chat as read and show "typing…". Fails silently: the message matters more."""
        try:
            for sender, ids in self._unread.take(chat):
                await self.client.mark_read(chat, sender, ids)
            if typing_seconds > 0:
                await self.client.show_typing(chat, typing=True)
                await asyncio.sleep(typing_seconds)
                if self.ready:
                    await self.client.show_typing(chat, typing=False)
        except SendFailedError as error:
            log.info("could not show attention in %s: %s", chat, error)

    def tell(self, status: SessionStatus, detail: str = "", *, qr: str | None = None) -> None:
        """Queue the status behind what came before it."""
        self._told = status
        # Told once: repeated later, it would undo a person's wish to pair anew that came in between.
        account = self._new_account
        if status is SessionStatus.CONNECTED:
            self._new_account = None
        change = SessionChanged(status, datetime.now(UTC), detail, qr, account)
        self._events.put_nowait((change, 0))

    # One client after the other ----------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        while True:
            self._over = asyncio.get_running_loop().create_future()
            await self._open()
            wait = await self._over
            await self._close()
            if wait is NEVER:
                return
            await self._events.join()  # while events cannot be kept, WhatsApp keeps the next ones
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311  # only spreads reconnects

    async def _open(self) -> None:
        self._attempts += 1
        self._sign.clear()
        async with self._opening.lock:
            try:
                if not await self._may_open():
                    return
                self._opening.opened += 1
                number = self._number = self._opening.opened
                self._client = NeonizeClient(
                    self._opening.devices.library_url,
                    f"{self._session.id}/{number}",
                    parse_jid(self._account) if self._account else None,
                    partial(self._on, number),
                    self._note,
                )
                proxy_url = self._session.config.get("proxy_url") or self._opening.proxy_url
                await self._client.connect(proxy_url)
                async with asyncio.timeout(_FIRST_SIGN_SECONDS):
                    await self._sign.wait()
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._lost(f"The connection could not be opened: {error or type(error).__name__}.")

    async def _may_open(self) -> bool:
        if self._told is not SessionStatus.DISCONNECTED:
            self.tell(SessionStatus.CONNECTING)
        if self._account is None or await self._opening.devices.holds(self._account):
            return True
        self._end(SessionStatus.DISCONNECTED, "The phone no longer has this device linked. Pair it again.")
        return False

    async def _close(self) -> None:
        self._online = False
        self._set_timer(None)
        client, self._client = self._client, None
        if client is None:
            return
        async with self._opening.lock:
            try:
                await client.stop()
            except TimeoutError:
                log.warning("a client of %s did not stop in time", self._session.id)

    def _lost(self, detail: str) -> None:
        """Reopen after a while, longer each time."""
        if self._told is not SessionStatus.DISCONNECTED:
            self.tell(SessionStatus.DISCONNECTED, detail)
        self._finish(min(2.0 ** (self._attempts - 1), _LONGEST_WAIT))

    def _end(self, status: SessionStatus, detail: str, *, wait: float | None = NEVER) -> None:
        self.tell(status, detail)
        self._finish(wait)

    def _finish(self, wait: float | None) -> None:
        self._online = False
        self._sign.set()
        if not self._over.done():
            self._over.set_result(wait)

    def _set_timer(self, seconds: float | None, then: str = "") -> None:
        """One timer at a time: for the codes' end while pairing, for a broken connection's grace afterwards."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            action = self._codes_expired if then == "codes" else self._grace_over
            self._timer = asyncio.get_running_loop().call_later(seconds, action)

    def _codes_expired(self) -> None:
        self._end(SessionStatus.QR_EXPIRED, "Nobody scanned the code in time.")

    def _grace_over(self) -> None:
        self.tell(SessionStatus.DISCONNECTED, "The connection to WhatsApp is lost; trying again.")

    # What the client says ----------------------------------------------------------------------------------------

    def _on(self, number: int, event: says.ClientEvent) -> None:
        if isinstance(event, says.Content):
            self._on_content(event)  # also what a client that is being closed still hands over
        elif number == self._number and self._client is not None:
            self._sign.set()
            self._on_connection(event)

    def _note(self, code: int, payload: bytes) -> int:
        """In the library's thread."""
        return self._opening.spool.add(Spooled(self._session.id, code, payload))

    def _on_content(self, content: says.Content) -> None:
        event = convert_content(content, own=self._own)
        if isinstance(event, Ignored):
            log.debug("ignored: %s", event.reason)
            self._opening.spool.done(content.ticket)
        else:
            self._events.put_nowait((event, content.ticket))
        if isinstance(content, says.Received):
            self._unread.add(content.message)

    def _on_connection(self, event: says.ConnectionEvent) -> None:  # noqa: PLR0912  # one switch names every event
        match event:
            case says.QrShown(code):
                if self._told is not SessionStatus.AWAITING_QR:
                    self._set_timer(self._opening.limits.seconds, "codes")
                self.tell(SessionStatus.AWAITING_QR, qr=code)
            case says.PairingEnded("success"):
                self._set_timer(None)
            case says.PairingEnded("timeout"):
                self._codes_expired()
            case says.PairingEnded(outcome):
                self._end(
                    SessionStatus.QR_EXPIRED, f"WhatsApp did not finish the pairing ({outcome}). Scan a new code."
                )
            case says.Paired(jid):
                self._account = self._new_account = str(jid)
                self.tell(SessionStatus.CONNECTING)
            case says.Connected(own):
                self._own = tuple(address for jid in own if (address := jid.address()) is not None)
                self._is_online()
            case says.KeepAliveRestored():
                self._is_online()
            case says.Disconnected():
                self._is_offline()
            case says.KeepAliveLost(count):
                if count >= _LOST_PINGS:
                    self._is_offline()
            case says.LoggedOut(reason):
                self._end(SessionStatus.DISCONNECTED, f"The phone unlinked this device ({reason}). Pair it again.")
            case says.Replaced():
                self._end(SessionStatus.DISCONNECTED, "Another process connected with this device.")
            case says.Banned(reason, seconds):
                detail = f"WhatsApp has banned the number for {seconds / 3600:.1f} hours ({reason})."
                self._end(SessionStatus.RESTRICTED, detail, wait=max(seconds, _REFUSED_WAIT))
            case says.Refused(reason):
                self._end(SessionStatus.ERROR, f"WhatsApp refused the connection ({reason}).", wait=_REFUSED_WAIT)
            case says.Outdated():
                self._end(SessionStatus.ERROR, "WhatsApp no longer accepts this version. Update Atende.")
            case says.Ended(error):
                self._lost(f"WhatsApp cannot be reached: {error}.")

    def _is_online(self) -> None:
        self._online, self._attempts = True, 0
        self._set_timer(None)
        if self._told is not SessionStatus.CONNECTED:
            self.tell(SessionStatus.CONNECTED)

    def _is_offline(self) -> None:
        self._online = False
        if self._told is SessionStatus.CONNECTED:
            self._set_timer(_GRACE_SECONDS)

    # Handing over ------------------------------------------------------------------------------------------------

    async def _deliver(self) -> None:
        while True:
            event, ticket = await self._events.get()
            failures = 0
            while not await self._delivered(event):
                self._finish(1.0)  # offline, so that WhatsApp keeps what comes meanwhile
                failures += 1
                await asyncio.sleep(min(0.25 * 2**failures, 10.0))
            self._opening.spool.done(ticket)
            self._events.task_done()

    async def _delivered(self, event: ChannelEvent) -> bool:
        try:
            await self._on_event(event)
        except Exception:
            log.exception("an event of %s could not be kept; trying again", self._session.id)
            return False
        return True


def convert_content(content: says.Content, own: Collection[Address] = ()) -> Converted:
    """What somebody sent as a channel event."""
    now = datetime.now(UTC)
    match content:
        case says.Received(message):
            return convert_message(message, received_at=now, own=own)
        case says.Receipted(receipt):
            return convert_receipt(receipt, received_at=now)
        case says.Unreadable(name, raw):
            return Unrecognised(name, raw)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
