"""From what a neonize client hands over to channel events, with what only the library can read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from channels.base import ChannelEvent, MessageReceived, ProfileChanged, Unrecognised
from domain.messages import Address, MessageKind

from . import client_events as says
from .convert import Converted, Ignored, convert_message, convert_receipt, convert_undecryptable
from .history import convert_history
from .neonize_client import NeonizeClient

log = logging.getLogger(__name__)

_VOTE_SECONDS = 10.0
VOTE: Final = "vote_as_received"
"""Where an encrypted vote travels until a client has opened it; never handed over."""


def convert_content(content: says.Content, own: Collection[Address] = ()) -> Converted:
    """What somebody sent as a channel event."""
    now = datetime.now(UTC)
    match content:
        case says.Received(message):
            converted = convert_message(message, received_at=now, own=own)
            if isinstance(converted, MessageReceived) and converted.kind is MessageKind.POLL_VOTE:
                converted.raw[VOTE] = message
            return converted
        case says.History(history):
            return convert_history(history, received_at=now, own=own)
        case says.Undecryptable(message):
            return convert_undecryptable(message, received_at=now)
        case says.Receipted(receipt):
            return convert_receipt(receipt, received_at=now)
        case says.ProfileChanged(jid):
            address = jid.address()
            return ProfileChanged(address, now) if address else Ignored(f"the profile of {jid} changed")
        case says.Unreadable(name, raw):
            return Unrecognised(name, raw)


async def opened(event: ChannelEvent, client: NeonizeClient | None) -> ChannelEvent:
    """The event with the options that a vote chose, as hashes (flows.poll_votes knows their names).

    Without a client, or where the library lacks the poll's key, the vote stays closed: it is kept all the same.
    """
    if not isinstance(event, MessageReceived) or VOTE not in event.raw:
        return event
    raw = dict(event.raw)
    vote = raw.pop(VOTE)
    if client is not None:
        try:
            async with asyncio.timeout(_VOTE_SECONDS):
                raw["chosen_sha256"] = await client.decrypt_vote(vote)
        except Exception as error:  # whatever is wrong with it, what comes after it must not wait
            log.warning("a vote could not be read: %r", error)
    return replace(event, raw=raw)
