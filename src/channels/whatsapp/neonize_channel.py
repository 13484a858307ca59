"""WhatsApp through neonize: numbers that this process holds the connections of.

One NeonizeChannel per process, one LiveSession per number. Only session hosts make one (see ``session_host``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from channels.base import (
    ChannelEvent,
    EventHandler,
    SendRejectedError,
    SendRetryableError,
    SessionRef,
)
from channels.gateway import NotOfferedError
from domain.errors import InvalidInputError
from domain.messages import Outbound, Sent, SessionStatus

from .convert import Ignored
from .devices import DeviceStore
from .ids import jid_of
from .live_session import LiveSession, Opening, PairingLimits, convert_content
from .neonize_client import SendFailedError, prepare_process, read_content
from .send_errors import REACH_OUT_LIMIT, send_error, server_error
from .spool import Spool, abandoned, read


class NeonizeChannel:
    """Fulfils ``channels.base.Channel``. Make it in the event loop that will use it and await ``prepare`` first.

    ``spool`` is a folder of this machine's session hosts that outlives them: what was acknowledged and not yet kept is
    noted there, and ``recover`` finds what a killed host left. ``proxy_url`` (http, https or socks5) carries all
    connections, unless a session's config has its own ``proxy_url``.
    """

    idempotent = False
    send_timeout_seconds = 90.0
    """The library itself gives up after 75 s without an acknowledgement."""

    def __init__(
        self, devices: DeviceStore, spool: Path, *, proxy_url: str | None = None, limits: PairingLimits | None = None
    ) -> None:
        self._devices, self._spool_folder = devices, spool
        self._opening = Opening(devices, asyncio.Lock(), proxy_url, limits or PairingLimits(), Spool(spool))
        self._live: dict[str, LiveSession] = {}

    async def prepare(self) -> None:
        """Set up this process and the device tables. Raises what asyncpg raises when the database cannot be used."""
        await self._devices.prepare()
        prepare_process(self._devices.library_url)

    async def recover(self, keep: Callable[[str, ChannelEvent], Awaitable[None]]) -> int:
        """Hand over what killed hosts left, as (session id, event); await it before the first start. Returns how many.

        Some of it may have been kept already. A spool is removed when all of it is kept; raises what ``keep`` raises.
        """
        count = 0
        for path in abandoned(self._spool_folder):
            for spooled in read(path):
                event = convert_content(read_content(spooled.code, spooled.payload))
                if not isinstance(event, Ignored):
                    await keep(spooled.session_id, event)
                    count += 1
            path.unlink(missing_ok=True)
        return count

    @property
    def opened(self) -> int:
        """Connections opened since the process began. Each leaks a little: recycle the process after some hundreds."""
        return self._opening.opened

    @property
    def ready(self) -> frozenset[str]:
        """The sessions that are online and can send."""
        return frozenset(session_id for session_id, live in self._live.items() if live.ready)

    @property
    def ended(self) -> frozenset[str]:
        """The sessions that gave up for good; starting them again is a person's decision."""
        return frozenset(session_id for session_id, live in self._live.items() if live.ended)

    async def start(self, session: SessionRef, on_event: EventHandler) -> None:
        """Resume the number's device, or pair a new one where ``session.account`` is None; returns at once.

        What happens comes as events, in order, one after the other. While ``on_event`` fails, the number goes offline
        and WhatsApp keeps its messages. Starting a session again first stops what runs of it.
        """
        await self.stop(session.id)
        self._live[session.id] = live = LiveSession(self._opening, session, on_event)
        live.start()

    async def stop(self, session_id: str) -> None:
        """Take the number offline (its device stays paired) once its last events are kept. Unknown ids are fine."""
        live = self._live.pop(session_id, None)
        if live is not None:
            await live.stop()

    async def unlink(self, session_id: str) -> None:
        """Unlink the device from the phone and delete its keys; afterwards only pairing anew helps."""
        live = self._live.pop(session_id, None)
        if live is not None:
            await live.unlink()

    async def pairing_code(self, session_id: str, phone: str) -> str:
        """The code to type into the phone with that number (E.164), while a QR code is shown.

        Raises InvalidInputError when none is, or when WhatsApp refuses.
        """
        live = self._live.get(session_id)
        if live is None or not live.pairing:
            raise InvalidInputError("session", "it shows no QR code now", hint="Start pairing it first.")
        try:
            return await live.client.pairing_code(phone.lstrip("+"))
        except SendFailedError as error:
            raise InvalidInputError("phone", f"WhatsApp gives no pairing code: {error}") from error

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Mark the chat read, show "typing…" for as long as asked, and send. Raises as Sender.send says."""
        if message.content is not None:
            raise NotOfferedError("neonize", message.content.type)
        try:
            to = jid_of(message.to)
        except InvalidInputError as error:
            raise SendRejectedError(str(error)) from error
        live = self._need_ready(session.id)
        await live.attend(to, message.typing_seconds)
        live = self._need_ready(session.id)
        try:
            provider_id, seconds = await live.send_text(to, message.text, quoted_id=message.quoted_provider_id)
        except SendFailedError as error:
            if server_error(str(error)) == REACH_OUT_LIMIT:
                live.tell(SessionStatus.RESTRICTED, "WhatsApp limits how many new chats this number may start.")
            raise send_error(str(error)) from error
        return Sent(provider_id, datetime.fromtimestamp(seconds, UTC) if seconds else datetime.now(UTC))

    def _need_ready(self, session_id: str) -> LiveSession:
        live = self._live.get(session_id)
        if live is None or not live.ready:
            raise SendRetryableError("The number is not connected to WhatsApp.", after_seconds=5)
        return live
