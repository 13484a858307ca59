"""Messages, addresses and delivery states: the words that every channel is translated into."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.contents import Content

MAX_TEXT_BYTES = 64 * 1024
"""WhatsApp's own limit for one text message (65,536 bytes of UTF-8). A longer one is stored cut, and marked so."""


class AddressKind(StrEnum):
    """Namespaces in which a chat or a sender is named."""

    PHONE = "phone"
    """WhatsApp's own digits for a phone number (country code first, no plus), as the provider returned them."""
    LID = "lid"
    """WhatsApp's opaque linked id. Its digits are never a phone number."""
    GROUP = "group"
    BSUID = "bsuid"
    """The Cloud API's business-scoped user id: all that is known of people who hide their phone number."""
    SIMULATOR = "simulator"
    """A contact of the simulated phone."""


@dataclass(frozen=True, slots=True)
class Address:
    """One name of a contact or a group on a channel. A contact may have several."""

    kind: AddressKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``kind:value`` back; raise ValueError on anything else."""
        kind, _, value = text.partition(":")
        if not value:
            raise ValueError(f"not an address: {text!r}")
        return cls(AddressKind(kind), value)


class MessageKind(StrEnum):
    """What a message carries. Anything the provider sends that fits nowhere is UNKNOWN and stored all the same."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VOICE = "voice"
    VIDEO = "video"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    REACTION = "reaction"
    POLL = "poll"
    POLL_VOTE = "poll_vote"
    BUTTON_ANSWER = "button_answer"
    LIST_ANSWER = "list_answer"
    CALL = "call"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class Author(StrEnum):
    """Who wrote a message."""

    CONTACT = "contact"
    BOT = "bot"
    OPERATOR = "operator"
    PHONE = "phone"
    """A person of the business, typing on the paired phone."""


class OutboxState(StrEnum):
    """Life of a message on its way out."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    """A crash or a lost answer in mid-send: it may or may not have arrived. Shown to a person, never resent blindly."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    """A newer message or a person's takeover made it stale before it left."""


class Ack(StrEnum):
    """How far a sent message got. It only moves forward, in the order of this list."""

    SERVER = "server"
    DEVICE = "device"
    READ = "read"
    PLAYED = "played"


ACK_ORDER: tuple[Ack, ...] = tuple(Ack)


class SessionStatus(StrEnum):
    """State of a channel session, as people see it."""

    UNKNOWN = "unknown"
    AWAITING_QR = "awaiting_qr"
    QR_EXPIRED = "qr_expired"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    RESTRICTED = "restricted"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class MediaReference:
    """Where a media file can be fetched later; the bytes are never part of the message row."""

    mime_type: str | None = None
    file_name: str | None = None
    size_bytes: int | None = None
    url: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    """What the provider needs to fetch or decrypt it (JSON values)."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to send. ``key`` is the outbox id: a provider that knows it must not send the same key twice."""

    key: str
    to: Address
    text: str
    quoted_provider_id: str | None = None
    typing_seconds: float = 0.0
    content: Content | None = None
    """What goes out beside or instead of the text; None: the text alone."""
    quoted_from_me: bool = False
    """The quoted message is our own."""
    quoted_text: str = ""
    """The quoted message's words: WhatsApp's clients show what the quote itself carries."""
    quoted_sender: Address | None = None
    """Who wrote the quoted message, in a group."""
    answered_provider_id: str | None = None
    """The customer's newest message, where typing is to be shown: some providers show it on that."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took the message. ``provider_id`` is its id there; ``at`` is aware UTC."""

    provider_id: str
    at: datetime
