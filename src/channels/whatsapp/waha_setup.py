"""What a WAHA session must be told so that it reports to us; its other settings are somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EVENTS = (
    "message.any",
    "message.ack",
    "message.ack.group",
    "message.reaction",
    "message.edited",
    "message.revoked",
    "message.waiting",
    "session.status",
    "poll.vote",
    "poll.vote.failed",
    "event.response",
    "event.response.failed",
    "call.received",
    "presence.update",
)
OLDER_EVENTS = ("message.any", "message.ack", "message.reaction", "message.revoked", "session.status")
"""For servers that refuse the whole list because of a name they do not know."""

_RETRIES = {"policy": "exponential", "delaySeconds": 2, "attempts": 15}
_NEW = {"noweb": {"markOnline": True, "store": {"enabled": True, "fullSync": False}}}
"""Without its store NOWEB can tell neither chats nor messages."""


def webhook(url: str, key: str, events: tuple[str, ...] = EVENTS) -> dict[str, Any]:
    """Our entry in the session's webhooks."""
    return {"url": url, "events": list(events), "hmac": {"key": key}, "retries": dict(_RETRIES)}


def created(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The request for a new session that starts at once."""
    return {"name": name, "start": True, "config": {**_NEW, "webhooks": [dict(entry)]}}


def updated(config: object, entry: Mapping[str, Any], session_id: str) -> dict[str, Any] | None:
    """The session's settings with our webhook among the others; None where it is there already.

    An older address of ours is recognised by ``session_id``, which stands in it.
    """
    known = dict(config) if isinstance(config, dict) else {}
    hooks = known.get("webhooks")
    hooks = [hook for hook in hooks if isinstance(hook, dict)] if isinstance(hooks, list) else []
    ours = [hook for hook in hooks if hook.get("url") == entry["url"] or session_id in str(hook.get("url"))]
    if len(ours) == 1 and all(_same(ours[0].get(name), value) for name, value in entry.items()):
        return None
    others = [hook for hook in hooks if hook not in ours]
    return {**known, "webhooks": [*others, dict(entry)]}


def _same(stated: object, wished: object) -> bool:
    """Whether a setting is as wished, whatever the server adds to it."""
    if isinstance(wished, dict):
        return isinstance(stated, dict) and all(_same(stated.get(name), value) for name, value in wished.items())
    if isinstance(wished, list):
        return isinstance(stated, list) and set(map(str, stated)) >= set(map(str, wished))
    return stated == wished
