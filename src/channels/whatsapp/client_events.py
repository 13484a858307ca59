"""What a neonize client reports, as plain values: the words between ``neonize_client`` and ``neonize_channel``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .ids import Jid


@dataclass(frozen=True, slots=True)
class QrShown:
    """A new code to scan; the one before it is void. ``code`` is the text that the picture encodes."""

    code: str


@dataclass(frozen=True, slots=True)
class PairingEnded:
    """No more codes come: ``outcome`` is "success", "timeout", "error", or the library's name of another reason."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Paired:
    """The phone accepted; the connection follows. ``jid`` names the new device."""

    jid: Jid


@dataclass(frozen=True, slots=True)
class Connected:
    """Online. The number's own JIDs, where known."""

    own: tuple[Jid, ...] = ()


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection broke; the library reconnects by itself."""


@dataclass(frozen=True, slots=True)
class KeepAliveLost:
    """The server has not answered ``count`` pings in a row."""

    count: int


@dataclass(frozen=True, slots=True)
class KeepAliveRestored:
    """It answers again."""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The phone unlinked the device, whose keys are gone now."""

    reason: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another process logged in with the same device."""


@dataclass(frozen=True, slots=True)
class Banned:
    """WhatsApp shut the number out for ``seconds`` (0: it did not say)."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """WhatsApp refused the connection."""

    reason: str


@dataclass(frozen=True, slots=True)
class Outdated:
    """WhatsApp no longer talks with this version of the library."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message, as the library's dictionary (see ``convert``). ``ticket`` is the spool's; 0 for none."""

    message: dict[str, Any]
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class Receipted:
    """A receipt, as the library's dictionary."""

    receipt: dict[str, Any]
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class Undecryptable:
    """A message that could not be decrypted (its content may come later), or that WhatsApp shows on the phone only."""

    message: dict[str, Any]
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """A piece of the number's past, as the phone tells it after a pairing (WhatsApp's HistorySync)."""

    history: dict[str, Any]
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """Somebody has another picture, or a group another name, picture or members."""

    jid: Jid
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something arrived that nobody can decode."""

    name: str
    raw: dict[str, Any]
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """The library will not hand this message over: its key was used already, by a process that may have died since."""

    message_id: str
    chat: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The library gave up connecting."""

    error: str


ConnectionEvent = (
    QrShown
    | PairingEnded
    | Paired
    | Connected
    | Disconnected
    | KeepAliveLost
    | KeepAliveRestored
    | LoggedOut
    | Replaced
    | Banned
    | Refused
    | Outdated
    | Ended
)
Content = Received | Receipted | Undecryptable | History | ProfileChanged | Unreadable
"""What somebody sent; acknowledged already, so it must not be lost."""
ClientEvent = ConnectionEvent | Content | Skipped
