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
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import asyncpg

from channels.base import EventHandler, SessionChanged, SessionRef
from domain.messages import Address, SessionStatus

from . import client_events as says
from .content_events import convert_content
from .convert import Ignored
from .doubts import Doubts
from .handover import Handover
from .ids import Jid, parse_jid
from .neonize_client import NeonizeClient, SendFailedError
from .opening import Opening, ended
from .reading import UnreadMessages
from .reconnecting import OneTimer, Reconnecting, Restriction
from .silence import Silence
from .spool import Spooled

log = logging.getLogger(__name__)

NEVER: Final = None
_FIRST_SIGN_SECONDS = 30.0
_LOCKED_SECONDS = 1.0
"""A slow server must not hold up the other numbers. By then the library only has to read its maps once more."""
_GRACE_SECONDS = 5.0
"""A connection that is back by then was never reported as lost: WhatsApp closes one after every pairing."""
_LAST_SENDS_SECONDS = 10.0
_LAST_EVENTS_SECONDS = 10.0
_REFUSED_WAIT = 60.0


class LiveSession:
    """One number. ``start`` it once; after ``stop`` or ``unlink`` it is done."""

    def __init__(self, opening: Opening, session: SessionRef, on_event: EventHandler) -> None:
        self._opening, self._session = opening, session
        self.handover = Handover(session.id, on_event, opening.spool, lambda: self.go_offline(1.0))
        self._account = session.account
        self._new_account: str | None = None
        self._own: tuple[Address, ...] = ()
        self._client: NeonizeClient | None = None
        self._online = False
        self._told: SessionStatus | None = None
        self._unread = UnreadMessages()
        self._sign = asyncio.Event()
        self._over: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        self._timer = OneTimer()
        self._doubts = Doubts(opening.devices, self.handover.put, seconds=opening.watch.doubt)
        self._silence = Silence(opening.watch, lambda: self.client.ask_for_a_sign(), self._on_silence)  # noqa: PLW0108  # each has its client
        self._reconnecting = Reconnecting(opening.watch)
        self._restriction = Restriction(opening.watch.restricted, self._restriction_over, session.config)
        self._number = self._sends = self._codes = 0
        self._no_send = asyncio.Event()
        self._no_send.set()
        self._stopping = False
        self._loop = asyncio.get_running_loop()
        self._name = ""
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def ready(self) -> bool:
        """Whether it is online."""
        return self._online and self._client is not None and not self._stopping

    @property
    def alive(self) -> bool:
        """Whether it is online and its server has said something lately."""
        return self.ready and self._silence.is_short

    @property
    def kept_all(self) -> str | None:
        """The account, if everything that came for it is kept."""
        return self._account if self.handover.is_idle and self._doubts.has_looked else None

    @property
    def pairing(self) -> bool:
        """Whether it shows a QR code."""
        return self._told is SessionStatus.AWAITING_QR and self._client is not None

    @property
    def ended(self) -> bool:
        """Whether it gave up for good: nobody scanned, or the phone unlinked it. Start a new one to try again."""
        return bool(self._tasks) and self._tasks[1].done()

    @property
    def account(self) -> str | None:
        """The paired device, also one that was paired a moment ago."""
        return self._account

    @property
    def own(self) -> tuple[Address, ...]:
        """The number's own addresses, once it has been online."""
        return self._own

    @property
    def client(self) -> NeonizeClient:
        if self._client is None:
            raise RuntimeError("no client is open")
        return self._client

    def start(self) -> None:
        name = self._session.id
        self._tasks = [
            asyncio.create_task(self.handover.run(), name=f"events of {name}"),
            asyncio.create_task(self._supervise(), name=f"connection of {name}"),
        ]

    async def stop(self, *, at_once: bool = False) -> None:
        deliver, supervise = self._tasks
        self._stopping = True
        self._doubts.forget()
        if not at_once:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SENDS_SECONDS):
                    await self._no_send.wait()  # cut off, its outcome would stay unknown
        await ended(supervise)
        await self._close()
        try:
            async with asyncio.timeout(0 if at_once else _LAST_EVENTS_SECONDS):
                await self.handover.settled()
        except TimeoutError:
            log.warning("%d events of %s are not kept yet", self.handover.waiting + 1, self._session.id)
            self._opening.leave(deliver, self.handover)
        else:
            await ended(deliver)

    async def unlink(self, *, ends: bool = True) -> bool:
        """End the pairing and stop; whether WhatsApp was told, so that the phone no longer lists the device.

        ``ends`` False: it is paired anew right away.
        """
        told = False
        if self.ready:
            try:
                await self.client.log_out()
                told = True
            except SendFailedError as error:
                log.warning("%s could not be unlinked at WhatsApp: %s", self._session.id, error)
        self.tell(SessionStatus.DISCONNECTED, "The number was unlinked.", ended=ends, unlinked=True)
        await self.stop()
        return told

    async def send(self, to: Jid, content: Mapping[str, Any]) -> tuple[str, int]:
        """As NeonizeClient.send; a stop waits for it."""
        self._sends += 1
        self._no_send.clear()
        try:
            return await self.client.send(to, content)
        finally:
            self._sends -= 1
            if not self._sends:
                self._no_send.set()

    async def attend(self, chat: Jid, typing_seconds: float) -> None:
        """As UnreadMessages.attend."""
        await self._unread.attend(self.client, chat, typing_seconds, lambda: self.ready)

    def go_offline(self, seconds: float = 0.0) -> None:
        """Close the client for so long, and until ``Opening.usable`` is set; nobody needs to be told."""
        if not self._stopping and not self.ended:
            self._reconnecting.forgiven()
            self._finish(seconds)

    def tell(
        self,
        status: SessionStatus,
        detail: str = "",
        *,
        qr: str | None = None,
        ended: bool = False,
        unlinked: bool = False,
    ) -> None:
        """Queue the status behind what came before it."""
        self._told = status
        # Told once: repeated later, it would undo a person's wish to pair anew that came in between.
        account = self._new_account
        if status is SessionStatus.CONNECTED:
            self._new_account = None
        lives = self._opening.limits.lifetime(self._codes) if qr else None
        till = self._restriction.until if status is SessionStatus.RESTRICTED else None
        self.handover.put(SessionChanged(status, datetime.now(UTC), detail, qr, account, ended, unlinked, lives, till))

    async def _supervise(self) -> None:
        while True:
            await self._opening.usable.wait()
            self._over = asyncio.get_running_loop().create_future()
            await self._open()
            wait = await self._over
            await self._close()
            if wait is NEVER:
                return
            await self.handover.settled()  # while events cannot be kept, WhatsApp keeps the next ones
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311  # only spreads reconnects

    async def _open(self) -> None:
        self._reconnecting.begun()
        self._sign.clear()
        try:
            async with self._opening.turns:
                if not await self._may_open():
                    return
                async with self._opening.lock:
                    await self._connect()
            async with asyncio.timeout(_FIRST_SIGN_SECONDS):
                await self._sign.wait()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._lost(f"The connection could not be opened: {error or type(error).__name__}.")

    async def _connect(self) -> None:
        number = self._number = self._opening.opened = self._opening.opened + 1
        self._name = f"{self._session.id}/{number}"
        client = self._client = NeonizeClient(
            self._opening.pool.library_url(self._name),
            self._name,
            parse_jid(self._account) if self._account else None,
            partial(self._on, number),
            self._note,
        )
        await client.connect(self._session.config.get("proxy_url") or self._opening.proxy_url)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOCKED_SECONDS):
                await client.noted.wait()

    async def _may_open(self) -> bool:
        if self._told is not SessionStatus.DISCONNECTED:
            self.tell(SessionStatus.CONNECTING)
        if self._account is None:
            return True
        if await self._opening.devices.holds(self._account):
            await self._doubts.look(self._account)
            return True
        self._end(SessionStatus.DISCONNECTED, "The phone no longer lists this device. Pair it again.", unlinked=True)
        return False

    async def _close(self) -> None:
        self._online = False
        self._timer.cancel()
        self._silence.ignore()
        client, self._client = self._client, None
        if client is None:
            return
        self._opening.hanging += self._account is None
        try:
            async with self._opening.lock:
                await client.disconnect()
            await client.drained()
            async with self._opening.lock:
                await client.stop()
        except TimeoutError:
            log.warning("a client of %s did not stop in time", self._session.id)
        finally:
            self._opening.pool.sever(self._name)

    def _lost(self, detail: str) -> None:
        """Reopen after a while, longer each time; after too many failures in a row, only after a rest."""
        wait, rest = self._reconnecting.failed()
        if rest:
            self.tell(SessionStatus.ERROR, f"{detail} {rest}")
        elif self._told is not SessionStatus.DISCONNECTED:
            self.tell(SessionStatus.DISCONNECTED, detail)
        self._finish(wait)

    def _end(self, status: SessionStatus, detail: str, *, wait: float | None = NEVER, unlinked: bool = False) -> None:
        self.tell(status, detail, ended=wait is NEVER, unlinked=unlinked)
        self._finish(wait)

    def _finish(self, wait: float | None) -> None:
        self._online = False
        self._sign.set()
        if not self._over.done():
            self._over.set_result(wait)

    def _codes_expired(self) -> None:
        self._end(SessionStatus.QR_EXPIRED, "Nobody scanned the code in time.")

    def _grace_over(self) -> None:
        self._lost("The connection to WhatsApp is lost; trying again.")

    def _on(self, number: int, event: says.ClientEvent) -> None:
        if isinstance(event, says.Content):
            self._silence.broken()
            self._on_content(event)  # also what a client that is being closed still hands over
        elif isinstance(event, says.Skipped):
            self._doubts.skipped(event)
        elif number == self._number and self._client is not None:
            self._sign.set()
            self._silence.broken()
            self._on_connection(event)

    def _note(self, code: int, payload: bytes) -> int:
        """In the library's thread."""
        try:
            return self._opening.spool.add(Spooled(self._session.id, code, payload))
        except OSError:
            self._loop.call_soon_threadsafe(self.go_offline, 1.0)  # what is not noted stays with WhatsApp
            raise

    def _on_content(self, content: says.Content) -> None:
        event = convert_content(content, own=self._own)
        if isinstance(event, Ignored):
            log.debug("ignored: %s", event.reason)
            self._opening.spool.done(content.ticket)
        else:
            self.handover.put(event, content.ticket)
        if isinstance(content, says.Received):
            self._unread.add(content.message)

    def _on_connection(self, event: says.ConnectionEvent) -> None:  # noqa: PLR0912  # one switch names every event
        match event:
            case says.QrShown(code):
                if self._told is not SessionStatus.AWAITING_QR:
                    self._timer.set(self._opening.limits.patience, self._codes_expired)
                    self._codes = 0
                self._codes += 1
                self.tell(SessionStatus.AWAITING_QR, qr=code)
            case says.PairingEnded("success"):
                self._timer.cancel()
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
                pass  # any sign of life does, see _on
            case says.Disconnected():
                self._is_offline()
            case says.KeepAliveLost():
                self._silence.doubt()
            case says.LoggedOut(reason):
                detail = f"The phone unlinked this device ({reason}). Pair it again."
                self._end(SessionStatus.DISCONNECTED, detail, unlinked=True)
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
        self._online = True
        self._reconnecting.online()
        self._timer.cancel()
        self._silence.watch()
        if self._restriction.holds:
            self._tell_restricted()
        elif self._told is not SessionStatus.CONNECTED:
            self.tell(SessionStatus.CONNECTED)

    def _is_offline(self) -> None:
        self._online = False
        self._silence.ignore()
        if self._told in (SessionStatus.CONNECTED, SessionStatus.RESTRICTED):
            self._timer.set(_GRACE_SECONDS, self._grace_over)

    def restrict(self) -> None:
        """WhatsApp refused to let it begin a chat. Chats that exist go on."""
        self._restriction.begin()
        self._tell_restricted()

    def _tell_restricted(self) -> None:
        self.tell(SessionStatus.RESTRICTED, "WhatsApp limits how many new chats this number may start.")

    def _on_silence(self) -> None:
        if self.ready:
            self._lost("WhatsApp does not answer any more; connecting anew.")

    def _restriction_over(self) -> None:
        if self._told is SessionStatus.RESTRICTED and self.ready:
            self.tell(SessionStatus.CONNECTED)
