"""The seam to a gateway: somebody else's WhatsApp server, reached over HTTP and answering with webhooks.

A gateway is stateless here: all it needs is in ``SessionRef.config``. Flows own transactions, doors and jobs.
One contract suite (tests/channels/contract.py) runs against all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from channels.base import ChannelEvent, MessageReceived, Sender, SendRejectedError, SessionChanged, SessionRef
from domain.contents import Media
from domain.errors import AtendeError
from domain.messages import Address, MediaReference

Wish = Literal["start", "stop", "restart", "logout", "delete"]
Retries = Literal["never", "not_on_4xx", "on_any_failure"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a number at this gateway. ``made``: a secret that Atende makes itself where none is given."""

    name: str
    required: bool = True
    secret: bool = False
    made: bool = False
    default: str | None = None
    example: str = ""


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """A delivery as it came. ``headers`` have lower-case names; ``path_secret`` stood behind the id in the URL."""

    raw_body: bytes
    headers: Mapping[str, str]
    path_secret: str = ""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What setting a number up did. ``config`` is to be merged into the number's (a token that the gateway gave).

    ``left_to_do``: sentences (English) for what the gateway's API cannot do and a person must.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    left_to_do: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes and what is known of them."""

    data: bytes
    mime_type: str = ""
    file_name: str = ""


class NotOfferedError(SendRejectedError):
    """This gateway cannot do that, whoever asks."""

    def __init__(self, provider: str, what: str) -> None:
        super().__init__(f"{what} is not offered by this gateway ({provider}).", hint="Send it as text, or by phone.")
        self.provider, self.what = provider, what


class GatewayRefusedError(AtendeError):
    """The gateway says no, and will say so again: a wrong key, a missing session, an unknown file."""


class GatewayUnavailableError(AtendeError):
    """The gateway does not answer, or not sensibly. Trying later may help."""


class MediaSource(Protocol):
    """Where senders get the files of a message that goes out."""

    async def read(self, media: Media) -> File: ...


class Gateway(Sender, Protocol):
    """A provider behind HTTP. Beside ``send``, every method raises GatewayRefusedError, GatewayUnavailableError or
    NotOfferedError, nothing else; ``parse`` and ``verify`` never raise."""

    provider: str
    settings: tuple[Setting, ...]
    content_types: frozenset[str]
    """What ``send`` takes beside text: keys of domain.contents.CONTENT_TYPES (``media`` stands for all its kinds that
    are not refused with NotOfferedError)."""
    retries: Retries
    """What this gateway does about a delivery that was not answered with 2xx; the door's answers depend on it."""

    def verify(self, config: Mapping[str, Any], delivery: WebhookDelivery) -> bool:
        """Whether the delivery is authentic, in constant time, over the raw body. False without a secret."""
        ...

    def parse(self, body: object, session: SessionRef) -> list[ChannelEvent]:
        """All that a decoded delivery says. Known and unimportant: nothing; not understood: Unrecognised."""
        ...

    async def set_up(self, session: SessionRef, webhook_url: str) -> SetUp:
        """Create or attach the session there and register our webhook. Doing it again changes nothing."""
        ...

    async def status(self, session: SessionRef) -> SessionChanged:
        """How the session is, with the newest QR code (raw text) while it waits for one."""
        ...

    async def control(self, session: SessionRef, wish: Wish) -> None:
        """Start, stop, restart, log out or delete the session there."""
        ...

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File:
        """The bytes of a customer's file."""
        ...

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None: ...

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None: ...

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        """The address of a phone number on WhatsApp, as the gateway names it; None where it has none."""
        ...

    def history(
        self, session: SessionRef, *, since: datetime, chats: Sequence[Address]
    ) -> AsyncIterator[MessageReceived]:
        """Messages from ``since`` on, in and out, oldest first per chat: for reconciliation. ``chats`` are those known
        to us, for gateways that cannot list all."""
        ...
