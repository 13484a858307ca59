"""WhatsApp through neonize: numbers that this process holds the connections of.

One NeonizeChannel per process, one LiveSession per number. Only session hosts make one (see ``session_host``).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from channels.base import (
    ChannelEvent,
    EventHandler,
    MessageReceived,
    Profile,
    SendRejectedError,
    SendRetryableError,
    SessionRef,
)
from channels.gateway import File, GatewayRefusedError, GatewayUnavailableError, MediaSource, NotOfferedError
from domain.contents import Media
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind, MediaReference, Outbound, Sent

from .content_events import convert_content, opened
from .convert import Ignored
from .device_pool import DevicePool
from .devices import SCHEMA, DeviceStore
from .ids import jid_of, phone_spellings
from .live_session import LiveSession
from .neonize_client import SendFailedError, prepare_process, read_content
from .opening import Opening, WatchLimits
from .outgoing import UPLOADED_AS, Chat, UploadedFile, built
from .pairing_limits import PairingLimits
from .send_errors import ASK_AGAIN, REACH_OUT_LIMIT, download_error, send_error, server_error
from .spool import Spool, abandoned, read

log = logging.getLogger(__name__)

_DOWNLOADED_AS = {"ptvMessage": "videoMessage"}
"""The library knows the files of these parts under another name only."""
_WITHOUT_TYPING = frozenset({"reaction", "edit", "revoke"})
"""Nobody is seen typing these."""


class NeonizeChannel:
    """Fulfils ``channels.base.Channel``. Make it in the event loop that will use it and await ``prepare`` first.

    ``spool`` is a folder of this machine's session hosts that outlives them: what was acknowledged and not yet kept is
    noted there, and ``recover`` finds what a killed host left. ``proxy_url`` (http, https or socks5) carries all
    connections, unless a session's config has its own ``proxy_url``. ``media`` has the files of messages that go out.
    """

    idempotent = False
    send_timeout_seconds = 90.0
    """The library itself gives up after 75 s without an acknowledgement."""

    def __init__(
        self,
        devices: DeviceStore,
        spool: Path,
        *,
        proxy_url: str | None = None,
        limits: PairingLimits | None = None,
        watch: WatchLimits | None = None,
        media: MediaSource | None = None,
    ) -> None:
        self._media = media
        self._devices, self._spool_folder = devices, spool
        self._pool = DevicePool(devices.url, SCHEMA, on_outage=self._on_outage)
        self._opening = Opening(devices, asyncio.Lock(), proxy_url, limits or PairingLimits(), Spool(spool), self._pool)
        self._opening.watch = watch or WatchLimits()
        self._opening.usable.set()
        self._suspended = False
        self._live: dict[str, LiveSession] = {}

    async def prepare(self) -> None:
        """Set up this process and the device tables. Raises what asyncpg raises when the database cannot be used."""
        await self._pool.open()
        async with self._devices.preparing():
            await prepare_process(self._pool.library_url("prepare"))

    async def note_kept(self) -> None:
        """Do this now and then: it bounds what a successor of this process must look through for lost messages."""
        accounts = [account for live in self._live.values() if live.ready and (account := live.kept_all)]
        if accounts and not self._pool.away:
            await self._devices.note_kept(accounts)

    async def close(self) -> None:
        """Close the connections to the device tables, after the last ``stop``."""
        await self._pool.close()

    def suspend(self, *, suspended: bool) -> None:
        """Keep all numbers offline for as long as nothing can be stored; WhatsApp then keeps their messages."""
        self._suspended = suspended
        self._on_outage(self._pool.away)

    def _on_outage(self, away: bool) -> None:
        if not (away or self._suspended):
            self._opening.usable.set()
        elif self._opening.usable.is_set():
            self._opening.usable.clear()
            for live in self._live.values():
                live.go_offline()

    async def recover(self, keep: Callable[[str, ChannelEvent], Awaitable[None]]) -> int:
        """Hand over what killed hosts left, as (session id, event); await it before the first start. Returns how many.

        Some of it may have been kept already. A spool is removed when all of it is kept; raises what ``keep`` raises.
        """
        count = 0
        for path in abandoned(self._spool_folder):
            for spooled in read(path):
                event = convert_content(read_content(spooled.code, spooled.payload))
                if isinstance(event, MessageReceived):
                    event = replace(event, recovered=True)
                if not isinstance(event, Ignored):
                    await keep(spooled.session_id, await opened(event, None))
                    count += 1
            path.unlink(missing_ok=True)
        return count

    @property
    def opened(self) -> int:
        """Connections opened since the process began. Each leaks a little: recycle the process after some hundreds."""
        return self._opening.opened

    @property
    def hanging(self) -> int:
        """Threads that the library will never give back: one for each pairing that nobody finished."""
        return self._opening.hanging

    @property
    def ready(self) -> frozenset[str]:
        """The sessions that are online and can send."""
        return frozenset(session_id for session_id, live in self._live.items() if live.ready)

    @property
    def alive(self) -> frozenset[str]:
        """The sessions whose server has answered lately."""
        return frozenset(session_id for session_id, live in self._live.items() if live.alive)

    @property
    def ended(self) -> frozenset[str]:
        """The sessions that gave up for good; starting them again is a person's decision."""
        return frozenset(session_id for session_id, live in self._live.items() if live.ended)

    def quiet_seconds(self, session_id: str) -> float:
        """How long nothing has come for the number; infinite for one that does not run."""
        live = self._live.get(session_id)
        return math.inf if live is None else live.handover.quiet_seconds

    async def start(self, session: SessionRef, on_event: EventHandler) -> None:
        """Resume the number's device, or pair a new one where ``session.account`` is None; returns at once.

        What happens comes as events, in order, one after the other. While ``on_event`` fails, the number goes offline
        and WhatsApp keeps its messages. Starting a session again first stops what runs of it.
        """
        await self.stop(session.id)

        async def hand_over(event: ChannelEvent) -> None:
            live = self._live.get(session.id)
            await on_event(await opened(event, live.client if live is not None and live.ready else None))

        self._live[session.id] = live = LiveSession(self._opening, session, hand_over)
        live.start()

    async def stop(self, session_id: str, *, at_once: bool = False) -> None:
        """Take the number offline (its device stays paired) once its last events are kept. Unknown ids are fine.

        ``at_once``: a send under way is cut off, and the events are kept when they can be.
        """
        live = self._live.pop(session_id, None)
        if live is not None:
            await live.stop(at_once=at_once)

    async def unlink(self, session_id: str, *, ends: bool = True) -> bool:
        """Unlink the device from the phone and delete its keys; afterwards only pairing anew helps.

        ``ends`` False: that follows at once. Returns whether WhatsApp was told: a number that is offline stays in the
        phone's list of devices.
        """
        live = self._live.pop(session_id, None)
        if live is None:
            return False
        told = await live.unlink(ends=ends)
        if live.account is not None:
            await self._devices.forget(live.account)
        return told

    def shows_code(self, session_id: str) -> bool:
        """Whether the session shows a QR code now, so that a code for the phone can be asked for."""
        live = self._live.get(session_id)
        return live is not None and live.pairing

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
        try:
            to = jid_of(message.to)
        except InvalidInputError as error:
            raise SendRejectedError(str(error)) from error
        live = self._need_ready(session.id)
        own = next((jid_of(address) for address in live.own if address.kind is message.to.kind), None)
        file = await self._uploaded(live, message.content) if isinstance(message.content, Media) else None
        content = built(message, Chat(to, own), file)
        if message.content is None or message.content.type not in _WITHOUT_TYPING:
            await live.attend(to, message.typing_seconds)
        live = self._need_ready(session.id)
        try:
            provider_id, seconds = await live.send(to, content)
        except SendFailedError as error:
            if server_error(str(error)) == REACH_OUT_LIMIT:
                live.restrict()
            raise send_error(str(error)) from error
        return Sent(provider_id, datetime.fromtimestamp(seconds, UTC) if seconds else datetime.now(UTC))

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        """The bytes of a customer's file. Raises GatewayRefusedError (WhatsApp has it no more, or it is damaged) or
        GatewayUnavailableError. The library cannot ask the phone to upload a file again."""
        live = self._live.get(session.id)
        if live is None or not live.ready:
            raise GatewayUnavailableError("The number is not connected to WhatsApp.")
        fields = {**media.extra, "URL": media.url, "mimetype": media.mime_type, "fileLength": media.size_bytes}
        part = fields.pop("part", None)
        if not isinstance(part, str) or not fields.get("mediaKey"):
            raise GatewayRefusedError("The message carries no key for its file.", hint=ASK_AGAIN)
        known = {name: value for name, value in fields.items() if value is not None}
        try:
            data = await live.client.download(_DOWNLOADED_AS.get(part, part), known)
        except SendFailedError as error:
            raise download_error(str(error)) from error
        return File(data, media.mime_type or "", media.file_name or "")

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        """Give messages their blue ticks; in a group, those that came since the host started. Raises
        GatewayUnavailableError."""
        try:
            live, to = self._need_ready(session.id), jid_of(chat)
            await live.attend(to, 0.0)
            if chat.kind is not AddressKind.GROUP and provider_ids:
                await live.client.mark_read(to, to, list(provider_ids))
        except (SendFailedError, SendRetryableError) as error:
            raise GatewayUnavailableError(str(error)) from error

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        """Show or hide "typing…". Raises GatewayUnavailableError."""
        try:
            await self._need_ready(session.id).client.show_typing(jid_of(chat), typing=typing)
        except (SendFailedError, SendRetryableError) as error:
            raise GatewayUnavailableError(str(error)) from error

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        """The address of a phone number on WhatsApp, as WhatsApp names it; None where it has none.

        A Brazilian mobile is asked for with and without its ninth digit. Raises InvalidInputError for what is no phone
        number, and GatewayUnavailableError.
        """
        spellings = phone_spellings(digits)
        try:
            found = await self._need_ready(session.id).client.on_whatsapp(spellings)
        except (SendFailedError, SendRetryableError) as error:
            raise GatewayUnavailableError(str(error)) from error
        return next((found[one].address() for one in spellings if one in found), None)

    async def profile(self, session: SessionRef, chat: Address) -> Profile:
        """What WhatsApp shows of a contact or a group. Raises GatewayUnavailableError or InvalidInputError."""
        jid, name = jid_of(chat), None
        try:
            client = self._need_ready(session.id).client
            if chat.kind is AddressKind.GROUP:
                try:
                    name = await client.group_name(jid)
                except SendFailedError as error:  # who left a group may not ask; its picture may still be seen
                    log.info("the name of %s could not be asked: %s", chat, error)
            picture = await client.picture(jid)
        except (SendFailedError, SendRetryableError) as error:
            raise GatewayUnavailableError(str(error)) from error
        return Profile(name, *picture) if picture else Profile(name)

    async def _uploaded(self, live: LiveSession, media: Media) -> UploadedFile:
        if self._media is None:
            raise NotOfferedError("neonize", "media")
        file = await self._media.read(media)
        try:
            return UploadedFile(file.data, await live.client.upload(file.data, UPLOADED_AS[media.kind]))
        except SendFailedError as error:  # so the message itself has certainly not left
            raise SendRetryableError(f"WhatsApp did not take the file ({error}).", after_seconds=5) from error

    def _need_ready(self, session_id: str) -> LiveSession:
        live = self._live.get(session_id)
        if live is None or not live.ready:
            raise SendRetryableError("The number is not connected to WhatsApp.", after_seconds=5)
        return live
