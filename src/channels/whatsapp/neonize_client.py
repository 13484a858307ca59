"""The only module that imports neonize: one client, whose events are plain values and whose calls raise named errors.

neonize 0.5.2 is a Go library behind ctypes. What it does to its process, seen and worked around here and in
``live_session``: it can abort the process, since it keeps its clients in maps without a lock (so it runs in session
hosts only, and a client is opened, up to ``noted``, or stopped one at a time); a
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
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from domain.errors import AtendeError

from . import client_events as says
from .host_environment import missing
from .ids import Jid
from .library_texts import enum_name, text_of
from .library_threads import LibraryThreads

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
    from google.protobuf.json_format import MessageToDict, ParseDict, ParseError  # type: ignore[import-untyped]
    from google.protobuf.message import Message as Protobuf  # type: ignore[import-untyped]
    from neonize._binder import ProxySettings, consume_bytes_struct, gocode
    from neonize.aioze import client as library
    from neonize.aioze import events as library_events
    from neonize.events import EVENT_TO_INT, INT_TO_EVENT, HistorySyncEv, UndecryptableMessageEv
    from neonize.exc import NeonizeError
    from neonize.proto import Neonize_pb2 as proto
    from neonize.proto.Neonize_pb2 import LogEntry
    from neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2 import DeviceProps
    from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import Message
    from neonize.utils.enum import ChatPresence, ChatPresenceMedia, MediaType, ReceiptType
except (ImportError, OSError, RuntimeError) as error:
    raise NeonizeUnavailableError(
        f"The WhatsApp library cannot be loaded: {error}.",
        hint="It needs libmagic (apt install libmagic1, brew install libmagic) and a build for this platform.",
    ) from error

_MEDIA_TYPES: Final = {
    "image": MediaType.MediaImage,
    "video": MediaType.MediaVideo,
    "audio": MediaType.MediaAudio,
    "document": MediaType.MediaDocument,
}
gocode.DecryptPollVote.errcheck = consume_bytes_struct  # the one function of its kind that the library forgot
_OWN_DEVICE: Final = 0
"""The first event. What the library does to its maps to open a client is done by then (goneonize/main.go: Neonize)."""
Report = Callable[[says.ClientEvent], None]
Keep = Callable[[int, bytes], int]

_THREADS: Final = 4096
"""Upper bound; threads start as they are needed, one per connection and one per call under way."""
_STOP_SECONDS: Final = 10
_QUIET_SECONDS: Final = 0.1
_SKIPPED: Final = re.compile(r"Ignoring message (\S+) from (?:\S+ in )?(\S+): .*old counter")
"""What the library says of a message whose key it has used before. It acknowledges it, and no event comes."""
_LONGEST_DRAIN_SECONDS: Final = 3.0
_NO_PICTURE: Final = ("does not have a profile picture", "has hidden their profile picture")


class SendFailedError(Exception):
    """The library's own text of why a message was not sent, or may not have been (see ``send_errors``)."""


async def prepare_process(device_url: str) -> None:
    """Once per process, in its event loop, before the first client. Creates the library's tables."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(LibraryThreads(_THREADS, thread_name_prefix="whatsapp"))
    library_events.event_global_loop = loop  # the library keeps the first loop it saw, even a closed one
    try:
        # Concurrent first connections would race here. In a thread: this loop may be what serves the database.
        await asyncio.to_thread(library.ClientFactory.get_all_devices_from_db, device_url)
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
    return says.Undecryptable(MessageToDict(event), ticket)


def _history(event: Any, ticket: int) -> says.Content:
    return says.History(MessageToDict(event.Data), ticket)


_CONTENT: dict[int, Callable[[Any, int], says.Content]] = {
    EVENT_TO_INT[library_events.MessageEv]: _message,
    EVENT_TO_INT[library_events.ReceiptEv]: _receipt,
    EVENT_TO_INT[UndecryptableMessageEv]: _undecryptable,
    EVENT_TO_INT[HistorySyncEv]: _history,
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
    on_noted: Callable[[], object]
    take_content: Callable[[int, bytes], None]

    def listen(self) -> None:
        """Before connecting."""
        others = self.event.execute

        def execute(uuid: int, binary: int, size: int, code: int) -> None:
            if code == _OWN_DEVICE:
                self.on_noted()
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
        self.noted = asyncio.Event()  # the library has this client in its maps, and no more to do there by itself
        self._client.on_noted = partial(self._loop.call_soon_threadsafe, self.noted.set)
        self._client.report_login_status = lambda outcome: report(says.PairingEnded(outcome))
        self._client.event.qr(self._on_qr)
        self._client.take_content = self._take_content
        self._client.listen()
        for kind, handler in self._handlers().items():
            self._client.event(kind)(self._guarded(kind, handler))

    async def connect(self, proxy_url: str | None) -> None:
        """Begin to connect; what comes of it is reported. One client of a process at a time, until ``noted``."""
        # The library gives all clients one function for their logs, taken from its module as each connects.
        shared = library.log_whatsmeow
        library.log_whatsmeow = partial(self._on_log, shared)
        try:
            task = await self._client.connect(ProxySettings(proxy_url) if proxy_url else None)
        finally:
            library.log_whatsmeow = shared
        task.add_done_callback(self._on_end)

    async def disconnect(self) -> None:
        """Close the connection. Await ``drained`` before ``stop``: stopping throws away events that the library has
        acknowledged and not handed over yet. Raises TimeoutError."""
        self._client._stop_finalizer.detach()  # else a later collection of this object stops its successor
        async with asyncio.timeout(_STOP_SECONDS):
            await self._client.disconnect()

    async def stop(self) -> None:
        """End it for good. The library's thread may live on when no pairing was finished. Raises TimeoutError."""
        async with asyncio.timeout(_STOP_SECONDS):
            await self._client.stop()

    async def send(self, to: Jid, content: Mapping[str, Any]) -> tuple[str, int]:
        """Send a message in its JSON form (see ``outgoing``); returns its id and the server's time in seconds.

        Raises SendFailedError, like all that follow.
        """
        with _named():
            sent = await self._client.send_message(_proto_jid(to), ParseDict(content, Message()))
        return sent.ID, sent.Timestamp

    async def upload(self, data: bytes, kind: str) -> dict[str, Any]:
        """Put a file on WhatsApp's media host; returns the fields by which a message names it."""
        with _named():
            done = await self._client.upload(data, _MEDIA_TYPES[kind])
        raw = {"mediaKey": done.MediaKey, "fileEncSHA256": done.FileEncSHA256, "fileSHA256": done.FileSHA256}
        encoded = {name: base64.b64encode(value).decode() for name, value in raw.items()}
        return {"URL": done.url, "directPath": done.DirectPath, "fileLength": done.FileLength, **encoded}

    async def download(self, part: str, fields: Mapping[str, Any]) -> bytes:
        """Fetch and decrypt the file of a received message. ``part``: its content's name (imageMessage …)."""
        with _named():
            data: bytes = await self._client.download_any(
                ParseDict({part: fields}, Message(), ignore_unknown_fields=True)
            )
        return data

    async def decrypt_vote(self, message: Mapping[str, Any]) -> list[str]:
        """The SHA-256 (hexadecimal) of each option that a vote chose."""
        with _named():
            vote = await self._client.decrypt_poll_vote(ParseDict(message, proto.Message(), ignore_unknown_fields=True))
        return [option.hex() for option in vote.selectedOptions]

    async def on_whatsapp(self, numbers: Sequence[str]) -> dict[str, Jid]:
        """Which of these phone numbers (digits) WhatsApp knows, and as whom."""
        with _named():
            answers = await self._client.is_on_whatsapp(*(f"+{number}" for number in numbers))
        return {answer.Query.lstrip("+"): _jid(answer.JID).bare() for answer in answers if answer.IsIn}

    async def picture(self, of: Jid) -> tuple[str, str] | None:
        """Id and address of somebody's (or a group's) small profile picture; None where we may see none."""
        # Never with the id that we have: the library answers "unchanged" with nothing, and may fall over it.
        try:
            with _named():
                found = await self._client.get_profile_picture(
                    _proto_jid(of), proto.GetProfilePictureParams(Preview=True)
                )
        except SendFailedError as error:
            if any(sign in str(error) for sign in _NO_PICTURE):
                return None
            raise
        return (found.ID, found.URL) if found.ID and found.URL else None

    async def group_name(self, group: Jid) -> str:
        """What a group is called (its subject)."""
        with _named():
            info = await self._client.get_group_info(_proto_jid(group))
        return str(info.GroupName.Name)

    async def show_typing(self, chat: Jid, *, typing: bool) -> None:
        """Show or hide "typing…" in a chat."""
        state = ChatPresence.CHAT_PRESENCE_COMPOSING if typing else ChatPresence.CHAT_PRESENCE_PAUSED
        with _named():
            await self._client.send_chat_presence(_proto_jid(chat), state, ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT)

    async def mark_read(self, chat: Jid, sender: Jid, ids: list[str]) -> None:
        """Give messages of one sender their blue ticks."""
        with _named():
            await self._client.mark_read(
                *ids, chat=_proto_jid(chat), sender=_proto_jid(sender), receipt=ReceiptType.READ
            )

    async def ask_for_a_sign(self) -> None:
        """Returns when the server has answered a question."""
        with _named():
            await self._client.get_blocklist()

    async def pairing_code(self, phone: str) -> str:
        """A code to type into the phone instead of scanning; only after the first QR code was shown."""
        with _named():
            code: str = await self._client.PairPhone(phone, show_push_notification=True)
        return code

    async def log_out(self) -> None:
        """Unlink the device, which deletes its keys. The library reports no event for it."""
        with _named():
            await self._client.logout()

    async def drained(self) -> None:
        """Wait until nothing has arrived for a moment."""
        now = self._loop.time
        self._last_event, give_up = now(), now() + _LONGEST_DRAIN_SECONDS
        while now() < min(self._last_event + _QUIET_SECONDS, give_up):  # noqa: ASYNC110  # silence is no event
            await asyncio.sleep(_QUIET_SECONDS / 4)

    def _handlers(self) -> dict[Any, Callable[[Any], says.ClientEvent | None]]:
        events = library_events
        return {
            events.PairStatusEv: self._paired,
            events.ConnectedEv: lambda _: says.Connected(self._own()),
            events.DisconnectedEv: lambda _: says.Disconnected(),
            events.KeepAliveTimeoutEv: lambda event: says.KeepAliveLost(event.ErrorCount),
            events.KeepAliveRestoredEv: lambda _: says.KeepAliveRestored(),
            events.LoggedOutEv: lambda event: says.LoggedOut(enum_name(event, "Reason")),
            events.StreamReplacedEv: lambda _: says.Replaced(),
            events.TemporaryBanEv: lambda event: says.Banned(enum_name(event, "Code"), event.Expire),
            events.ConnectFailureEv: lambda event: says.Refused(enum_name(event, "Reason")),
            events.ClientOutdatedEv: lambda _: says.Outdated(),
            events.StreamErrorEv: lambda event: says.Unreadable("stream_error", {"code": event.Code}),
            events.GroupInfoEv: lambda event: says.ProfileChanged(_jid(event.JID)) if event.HasField("Name") else None,
            events.PictureEv: lambda event: says.ProfileChanged(_jid(event.JID)),
        }

    def _guarded(self, kind: Any, handler: Callable[[Any], says.ClientEvent | None]) -> Any:
        """No await in here: the library runs handlers as tasks, and only so they keep their order."""

        async def run(_client: Any, event: Protobuf) -> None:
            try:
                if (told := handler(event)) is not None:
                    self._report(told)
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

    def _on_log(self, pass_on: Callable[[int, int], None], binary: int, size: int) -> None:
        """In the library's thread."""
        pass_on(binary, size)
        try:
            entry = LogEntry.FromString(ctypes.string_at(binary, size))
            if found := _SKIPPED.match(entry.Message):
                self._loop.call_soon_threadsafe(self._report, says.Skipped(found[1], found[2]))
        except Exception:
            log.exception("a line of the library's log could not be read")

    async def _on_qr(self, _client: Any, code: bytes) -> None:
        self.noted.set()
        self._report(says.QrShown(code.decode()))

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self.noted.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._report(says.Ended(text_of(error)))

    @staticmethod
    def _paired(event: Any) -> says.ClientEvent:
        return says.PairingEnded(event.Error) if event.Error else says.Paired(_jid(event.ID))

    def _own(self) -> tuple[Jid, ...]:
        me = self._client.me
        return () if me is None else tuple(jid for jid in (_jid(me.JID), _jid(me.LID)) if jid.user)


@contextmanager
def _named() -> Iterator[None]:
    """The library's errors as ours."""
    try:
        yield
    except (NeonizeError, ParseError) as error:
        raise SendFailedError(text_of(error)) from error
