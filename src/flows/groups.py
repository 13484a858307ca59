"""Groups: what is said there is stored and shown, and the agent keeps out unless the number may answer and is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.base import MessageReceived
from domain.messages import AddressKind

ANSWERS_WHEN_MENTIONED = "mentioned"
"""The value of ``groups`` in a number's config with which the agent answers who mentions or quotes it."""


def is_group(event: MessageReceived) -> bool:
    """Whether it was said in a group."""
    return event.chat.kind is AddressKind.GROUP


def may_answer(config: Mapping[str, Any]) -> bool:
    """Whether the agent may answer in the number's groups at all."""
    return bool(config.get("groups") == ANSWERS_WHEN_MENTIONED)


def is_addressed(event: MessageReceived, config: Mapping[str, Any], *, quotes_us: bool) -> bool:
    """Whether a message is meant for us: any in a chat of two; in a group one that mentions or quotes us, if we may."""
    if not is_group(event):
        return True
    return may_answer(config) and (event.mentions_me or quotes_us)


def depends_on_quote(event: MessageReceived, config: Mapping[str, Any]) -> bool:
    """Whether it must be looked up whose message it quotes before ``is_addressed`` can tell."""
    return is_group(event) and may_answer(config) and not event.mentions_me and event.quoted_provider_id is not None
