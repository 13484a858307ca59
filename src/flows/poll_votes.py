"""What a vote in a poll says. WhatsApp tells hashes of the chosen options; their names stand in the poll itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from channels.base import MessageReceived
from domain.messages import MessageKind
from store.database import Connection


async def named(tx: Connection, session_id: UUID, event: MessageReceived) -> MessageReceived:
    """The event; of a vote in a known poll, with the names of what was chosen as its text ("": taken back)."""
    chosen = event.raw.get("chosen_sha256")
    if event.kind is not MessageKind.POLL_VOTE or not isinstance(chosen, list) or not event.quoted_provider_id:
        return event
    rows = await tx.fetch(
        """SELECT m.content FROM outbox_message o JOIN message m ON m.id = o.message_id
            WHERE o.channel_session_id = $1 AND o.provider_id = $2
           UNION ALL
           SELECT m.content FROM message m WHERE m.channel_session_id = $1 AND m.provider_id = $2""",
        session_id,
        event.quoted_provider_id,
    )
    names = {hashlib.sha256(name.encode()).hexdigest(): name for row in rows for name in _options(row["content"])}
    options = [names[one] for one in chosen if one in names]
    return replace(event, text=", ".join(options), raw={**event.raw, "poll_vote": {"options": options}})


def _options(content: Mapping[str, Any]) -> Iterator[str]:
    """The options of a poll: one of ours, or one that came in."""
    for part, name in (("carries", "options"), ("raw", "poll")):
        found = (content.get(part) or {}).get(name) or ()
        found = found.get("options") or () if isinstance(found, dict) else found
        yield from (option for option in found if isinstance(option, str))
