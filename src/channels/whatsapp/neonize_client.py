"""The only module that imports neonize: one client, whose events are plain values and whose calls raise named errors.

neonize 0.5.2 is a Go library behind ctypes. What it does to its process, seen and worked around here and in
``neonize_channel``: it can abort the process (so it runs in session hosts only, and opens and stops one at a time); a
collected client object stops the new client of the same name (the finaliser is detached); each connection keeps one
thread of the loop's executor for life (the executor is made large); events go to the first loop it saw (reset);
exceptions of handlers vanish (caught and logged); it takes no message id (a broken send stays uncertain).
"""

from __future__ import annotations

import asyncio
import base64
import ctypes
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from domain.errors import AtendeError

from . import client_events as says
from .host_environment import missing
from .ids import Jid

log = logging.getLogger(__name__)


class NeonizeUnavailableError(AtendeError):
    """This process cannot run WhatsApp clients."""


if (_missing := missing(os.environ)) is not None:
    raise NeonizeUnavailableError(
        f"WhatsApp clients need {_missing} in their environment before their process starts.",
        hint="Start them through the session host, or set it yourself.",
    )
try:
    import pylibmagic  # noqa: F401  # ships libmagic, without which neonize's import fails
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
    from google.protobuf.message import Message as Protobuf  # type: ignore[import-untyped]
    from neonize._binder import ProxySettings
    from neonize.aioze import client as library
    from neonize.aioze import events as library_events
    from neonize.events import EVENT_TO_INT, INT_TO_EVENT, UndecryptableMessageEv
    from neonize.exc import NeonizeError
    from neonize.proto import Neonize_pb2 as proto
    from neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2 import DeviceProps
    from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import ContextInfo, ExtendedTextMessage, Message
    from neonize.utils.enum import ChatPresence, ChatPresenceMedia, ReceiptType
except (ImportError, OSError, RuntimeError) as error:
    raise NeonizeUnavailableError(
        f"The WhatsApp library cannot be loaded: {error}.",
        hint="It needs libmagic (apt install libmagic1, brew install libmagic) and a build for this platform.",
    ) from error

Report = Callable[[says.ClientEvent], None]
Keep = Callable[[int, bytes], int]

_THREADS: Final = 4096
"""Upper bound; threads start as they are needed, one per connection and one per call under way."""
_STOP_SECONDS: Final = 10
_QUIET_SECONDS: Final = 0.1
_LONGEST_DRAIN_SECONDS: Final = 3.0


class SendFailedError(Exception):
    """The library's own text of why a message was not sent, or may not have been (see ``send_errors``)."""


def prepare_process(device_url: str) -> None:
    """Once per process, in its event loop, before the first client. Creates the library's tables (blocking calls)."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="whatsapp"))
    library_events.event_global_loop = loop  # the library keeps the first loop it saw, even a closed one
    try:
        library.ClientFactory.get_all_devices_from_db(device_url)  # concurrent first connections would race here
    except ValueError as error:  # the library splits Go's error text as if it were a list of devices
        raise NeonizeUnavailableError(
            "WhatsApp's device tables cannot be opened.", hint="Check that the session hosts may use their database."
        ) from error


def _proto_jid(jid: Jid) -> Any:
    return proto.JID(
        User=jid.user, Server=jid.server, Device=jid.device, RawAgent=jid.agent, Integrator=0, IsEmpty=not jid.user
    )


def _jid(value: Any) -> Jid:
    return Jid(value.User, value.Server, value.Device, value.RawAgent)


def _message(event: Any, ticket: int) -> says.Content:
    return says.Received(MessageToDict(event), ticket)


def _receipt(event: Any, ticket: int) -> says.Content:
    return says.Receipted(MessageToDict(event), ticket)


def _undecryptable(event: Any, ticket: int) -> says.Content:
    return says.Unreadable("undecryptable_message", MessageToDict(event), ticket)


_CONTENT: dict[int, Callable[[Any, int], says.Content]] = {
    EVENT_TO_INT[library_events.MessageEv]: _message,
    EVENT_TO_INT[library_events.ReceiptEv]: _receipt,
    EVENT_TO_INT[UndecryptableMessageEv]: _undecryptable,
}


def read_content(code: int, payload: bytes, ticket: int = 0) -> says.Content:
    """Decode what the library handed over, or what is in a spool; never raises."""
    try:
        return _CONTENT[code](INT_TO_EVENT[code].FromString(payload), ticket)
    except Exception as error:
        log.exception("cannot read an event with the code %d", code)
        raw = {"base64": base64.b64encode(payload).decode(), "error": str(error)}
        return says.Unreadable(f"undecodable_event_{code}", raw, ticket)


class _ReportingClient(library.NewAClient):  # type: ignore[misc]  # the library has no types
    """The library's client, with two of its ears opened.

    It has a callback for the end of pairing that does nothing; and what arrives is given to ``take_content`` in the
    library's thread, before anything else, since it has been acknowledged already.
    """

    report_login_status: Callable[[str], None]
    take_content: Callable[[int, bytes], None]

    def listen(self) -> None:
        """Before connecting."""
        others = self.event.execute

        def execute(uuid: int, binary: int, size: int, code: int) -> None:
            if code in _CONTENT:
                self.take_content(code, ctypes.string_at(binary, size))
            else:
                others(uuid, binary, size, code)

        self.event.execute = execute
        for code in _CONTENT:
            self.event.list_func[code] = None  # the library sends only what has an entry here

    def _NewAClient__onLoginStatus(self, _uuid: int, status: int) -> None:  # noqa: N802  # the library's private name
        outcome = ctypes.string_at(status).decode(errors="replace")
        library_events.event_global_loop.call_soon_threadsafe(self.report_login_status, outcome)


class NeonizeClient:
    """One client for one connection; after ``stop`` make a new one. ``report`` is called in the event loop, in order.

    ``device`` resumes a paired device, which must be in the store; without it a new device is paired and QR codes come.
    ``keep`` is called from the library's threads with whatever somebody sent, and returns a ticket to pass on.
    """

    def __init__(self, device_url: str, name: str, device: Jid | None, report: Report, keep: Keep) -> None:
        props = DeviceProps(os="Atende", platformType=DeviceProps.CHROME)
        resumed = _proto_jid(device) if device else None
        self._client = _ReportingClient(device_url, resumed, props, uuid=name, new_device=device is None)
        self._report, self._keep, self._loop = report, keep, asyncio.get_running_loop()
        self._last_event = 0.0
        self._client.report_login_status = lambda outcome: report(says.PairingEnded(outcome))
        self._client.event.qr(self._on_qr)
        self._client.take_content = self._take_content
        self._client.listen()
        for kind, handler in self._handlers().items():
            self._client.event(kind)(self._guarded(kind, handler))

    async def connect(self, proxy_url: str | None) -> None:
        """Begin to connect; what comes of it is reported."""
        task = await self._client.connect(ProxySettings(proxy_url) if proxy_url else None)
        task.add_done_callback(self._on_end)

    async def stop(self) -> None:
        """Disconnect for good. The library's thread may live on when no pairing was finished.

        Stopping throws away events that the library has acknowledged and not handed over yet: so the connection is
        closed first, and the rest is let in.
        """
        self._client._stop_finalizer.detach()  # else a later collection of this object stops its successor
        async with asyncio.timeout(_STOP_SECONDS):
            await self._client.disconnect()
            await self._drained()
            await self._client.stop()

    async def send_text(self, to: Jid, text: str, *, quoted_id: str | None = None) -> tuple[str, int]:
        """Send; returns the message id and the server's time in seconds. Raises SendFailedError."""
        if quoted_id is None:
            message = Message(conversation=text)
        else:
            context = ContextInfo(stanzaID=quoted_id, participant=str(to), quotedMessage=Message(conversation=""))
            message = Message(extendedTextMessage=ExtendedTextMessage(text=text, contextInfo=context))
        try:
            sent = await self._client.send_message(_proto_jid(to), message)
        except NeonizeError as error:
            raise SendFailedError(_text_of(error)) from error
        return sent.ID, sent.Timestamp

    async def show_typing(self, chat: Jid, *, typing: bool) -> None:
        """Show or hide "typing…" in a chat. Raises SendFailedError."""
        state = ChatPresence.CHAT_PRESENCE_COMPOSING if typing else ChatPresence.CHAT_PRESENCE_PAUSED
        try:
            await self._client.send_chat_presence(_proto_jid(chat), state, ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT)
        except NeonizeError as error:
            raise SendFailedError(_text_of(error)) from error

    async def mark_read(self, chat: Jid, sender: Jid, ids: list[str]) -> None:
        """Give messages of one sender their blue ticks. Raises SendFailedError."""
        try:
            await self._client.mark_read(
                *ids, chat=_proto_jid(chat), sender=_proto_jid(sender), receipt=ReceiptType.READ
            )
        except NeonizeError as error:
            raise SendFailedError(_text_of(error)) from error

    async def pairing_code(self, phone: str) -> str:
        """A code to type into the phone instead of scanning; only after the first QR code was shown."""
        try:
            code: str = await self._client.PairPhone(phone, show_push_notification=True)
        except NeonizeError as error:
            raise SendFailedError(_text_of(error)) from error
        return code

    async def log_out(self) -> None:
        """Unlink the device, which deletes its keys. The library reports no event for it."""
        try:
            await self._client.logout()
        except NeonizeError as error:
            raise SendFailedError(_text_of(error)) from error

    async def _drained(self) -> None:
        """Wait until nothing has arrived for a moment."""
        now = self._loop.time
        self._last_event, give_up = now(), now() + _LONGEST_DRAIN_SECONDS
        while now() < min(self._last_event + _QUIET_SECONDS, give_up):  # noqa: ASYNC110  # silence is no event
            await asyncio.sleep(_QUIET_SECONDS / 4)

    def _handlers(self) -> dict[Any, Callable[[Any], says.ClientEvent]]:
        events = library_events
        return {
            events.PairStatusEv: self._paired,
            events.ConnectedEv: lambda _: says.Connected(self._own()),
            events.DisconnectedEv: lambda _: says.Disconnected(),
            events.KeepAliveTimeoutEv: lambda event: says.KeepAliveLost(event.ErrorCount),
            events.KeepAliveRestoredEv: lambda _: says.KeepAliveRestored(),
            events.LoggedOutEv: lambda event: says.LoggedOut(_enum_name(event, "Reason")),
            events.StreamReplacedEv: lambda _: says.Replaced(),
            events.TemporaryBanEv: lambda event: says.Banned(_enum_name(event, "Code"), event.Expire),
            events.ConnectFailureEv: lambda event: says.Refused(_enum_name(event, "Reason")),
            events.ClientOutdatedEv: lambda _: says.Outdated(),
            events.StreamErrorEv: lambda event: says.Unreadable("stream_error", {"code": event.Code}),
        }

    def _guarded(self, kind: Any, handler: Callable[[Any], says.ClientEvent]) -> Any:
        """No await in here: the library runs handlers as tasks, and only so they keep their order."""

        async def run(_client: Any, event: Protobuf) -> None:
            try:
                self._report(handler(event))
            except Exception:
                log.exception("the handler of %s failed", kind.__name__)

        return run

    def _take_content(self, code: int, payload: bytes) -> None:
        """In the library's thread."""
        try:
            ticket = self._keep(code, payload)
        except OSError:
            log.exception("an event could not be noted on disk; it has only the memory now")
            ticket = 0
        self._loop.call_soon_threadsafe(self._report_content, code, payload, ticket)

    def _report_content(self, code: int, payload: bytes, ticket: int) -> None:
        self._last_event = self._loop.time()
        self._report(read_content(code, payload, ticket))

    async def _on_qr(self, _client: Any, code: bytes) -> None:
        self._report(says.QrShown(code.decode()))

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._report(says.Ended(_text_of(error)))

    @staticmethod
    def _paired(event: Any) -> says.ClientEvent:
        return says.PairingEnded(event.Error) if event.Error else says.Paired(_jid(event.ID))

    def _own(self) -> tuple[Jid, ...]:
        me = self._client.me
        return () if me is None else tuple(jid for jid in (_jid(me.JID), _jid(me.LID)) if jid.user)


def _enum_name(event: Any, field: str) -> str:
    if not event.HasField(field):
        return "no reason given"
    value: int = getattr(event, field)
    names = event.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return names[value].name.lower() if value in names else str(value)


def _text_of(error: BaseException) -> str:
    """The library's errors keep Go's text as first argument."""
    return str(error.args[0]) if error.args else str(error)
