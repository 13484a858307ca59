"""The seam between Atende and the world of messages.

A provider turns whatever it receives into channel events and sends Outbound messages. It knows no database and no
tenant: flows give it a handler and a SessionRef. One contract suite (tests/channels/contract.py) runs against all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from domain.errors import AtendeError
from domain.messages import Ack, Address, MediaReference, MessageKind, Outbound, Sent, SessionStatus


@dataclass(frozen=True, slots=True)
class SessionRef:
    """One paired number, as a provider needs to know it."""

    id: str
    """ChannelSession id (UUID text)."""
    provider: str
    account: str | None = None
    """The provider's own name of the paired device (a JID with device number for neonize), once known."""
    config: dict[str, Any] = field(default_factory=dict)
    """Provider settings: base URL, API key, proxy URL …"""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message in a chat of ours, from the contact or (``from_me``) from our own number.

    Times are aware UTC. ``alternates`` are other addresses of the same contact (LID and phone). ``raw`` keeps what the
    typed fields do not (JSON values): an ad's referral, the content of an unknown kind.
    """

    provider_id: str
    chat: Address
    sent_at: datetime
    kind: MessageKind = MessageKind.TEXT
    text: str = ""
    sender: Address | None = None
    """Who wrote, where that differs from ``chat`` (groups)."""
    alternates: tuple[Address, ...] = ()
    push_name: str | None = None
    quoted_provider_id: str | None = None
    media: MediaReference | None = None
    from_me: bool = False
    historical: bool = False
    """Recovered history: stored, starts no turn."""
    mentions_me: bool = False
    """It mentions our number, or quotes a message of ours, as far as its provider says so."""
    recovered: bool = False
    """From the journal of a session host that died: newer messages of its chat may have been stored meanwhile."""
    awaiting: str = ""
    """Set where there is no content yet, with the reason: it may come later under the same id, and completes it."""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageLost:
    """The provider's library told WhatsApp that it has this message, and never handed it over: nobody can read it.

    It may turn out to be known after all; then this says nothing.
    """

    provider_id: str
    chat: str
    """The chat as the library names it, for a person to look at."""
    at: datetime


@dataclass(frozen=True, slots=True)
class HistoryReceived:
    """A piece of a number's past, told all at once: every message is historical, oldest first in each chat."""

    messages: tuple[MessageReceived, ...]


@dataclass(frozen=True, slots=True)
class ReceiptChanged:
    """Messages of ours got further. An ack may arrive before the send call returned: it is kept and applied then."""

    provider_ids: tuple[str, ...]
    ack: Ack
    at: datetime
    chat: Address | None = None
    key: str | None = None
    """``Outbound.key`` of the (only) message, where the provider gives it back: it settles a send of unknown fate."""


@dataclass(frozen=True, slots=True)
class SendFailed:
    """The provider says later that a message it had accepted will not arrive."""

    provider_ids: tuple[str, ...]
    at: datetime
    detail: str = ""
    key: str | None = None
    """As in ReceiptChanged."""


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The text of an earlier message was changed by its author."""

    provider_id: str
    chat: Address
    text: str
    at: datetime
    alternates: tuple[Address, ...] = ()
    from_me: bool = False


@dataclass(frozen=True, slots=True)
class MessageRevoked:
    """An earlier message was deleted for everyone."""

    provider_id: str
    chat: Address
    at: datetime
    alternates: tuple[Address, ...] = ()
    from_me: bool = False


@dataclass(frozen=True, slots=True)
class ContactTyping:
    """The contact is typing, or recording a voice note, at this moment: there is more to come. Nothing to keep."""

    chat: Address
    at: datetime


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """A contact has another picture, or a group another name or picture: what is known of it must be asked anew."""

    chat: Address
    at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """What a provider shows of a contact, or a group. ``picture_id`` changes with the picture; None: we see none."""

    name: str | None = None
    """Of a group; None where it could not be asked."""
    picture_id: str | None = None
    picture_url: str = ""


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The connection's state. ``qr`` is the raw text of the newest code while AWAITING_QR."""

    status: SessionStatus
    at: datetime
    detail: str = ""
    qr: str | None = None
    account: str | None = None
    """Set only by a new pairing: what SessionRef.account must be from now on."""
    ended: bool = False
    """Nothing tries any more: only a person can bring it back."""
    unlinked: bool = False
    """The paired device is gone, at WhatsApp and here: SessionRef.account must be None from now on."""
    qr_seconds: float | None = None
    """How long ``qr`` can be scanned; None: as long as WhatsApp's codes usually can."""
    restricted_until: datetime | None = None
    """While RESTRICTED: when that is taken to be over, for the config of the SessionRef that comes next."""


@dataclass(frozen=True, slots=True)
class TemplateChanged:
    """What WhatsApp says about one of the number's message templates. None: not said, so unchanged."""

    name: str
    language: str
    at: datetime
    status: str | None = None
    """As Meta names it: APPROVED, REJECTED, PAUSED, DISABLED, PENDING …"""
    category: str | None = None
    quality: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """An event this version does not know: kept for an admin, never dropped in silence."""

    name: str
    raw: dict[str, Any]


ChannelEvent = (
    MessageReceived
    | MessageLost
    | HistoryReceived
    | ReceiptChanged
    | SendFailed
    | MessageEdited
    | MessageRevoked
    | ContactTyping
    | ProfileChanged
    | SessionChanged
    | TemplateChanged
    | Unrecognised
)

EventHandler = Callable[[ChannelEvent], Awaitable[None]]
"""Returns only after the event is durable; raises if it could not be kept."""


class SendRejectedError(AtendeError):
    """The message was certainly not sent and never will be (bad recipient, refused content)."""


class NumberRefusedError(SendRejectedError):
    """The message was not sent, and nothing else of this number will be: ``status`` is how the number is now."""

    def __init__(self, message: str, *, status: SessionStatus, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class SendRetryableError(AtendeError):
    """The message was certainly not sent; trying later may help. ``after_seconds`` is the provider's wish, if any."""

    def __init__(self, message: str, *, after_seconds: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.after_seconds = after_seconds


class SendUncertainError(AtendeError):
    """The connection broke after the message may have left: it is not known whether it arrived."""


@dataclass(frozen=True, slots=True)
class PairRate:
    """How often a provider lets one person be written to: ``burst`` at once, then one every ``seconds``.

    A sender that has one tells it as ``pair_rate``; delivery waits rather than have the provider refuse.
    """

    burst: int
    seconds: float


class Sender(Protocol):
    """The sending half of a provider: all that delivery needs."""

    idempotent: bool
    """True if sending the same ``Outbound.key`` again is a no-op at the provider: then a crash may be retried."""
    send_timeout_seconds: float

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Send one message. Raises SendRejectedError, SendRetryableError or SendUncertainError, nothing else."""
        ...


class Channel(Sender, Protocol):
    """A provider that holds a live connection (neonize). Gateways and the simulator are plain Senders."""

    async def start(self, session: SessionRef, on_event: EventHandler) -> None: ...

    async def stop(self, session_id: str) -> None: ...
