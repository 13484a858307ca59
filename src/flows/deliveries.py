"""Deliveries as they come: from bytes to channel events, whatever the bytes are."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

import orjson

from channels.base import ChannelEvent, SessionRef, Unrecognised
from channels.gateway import Gateway, WebhookDelivery
from flows.session_info import SessionInfo

log = logging.getLogger(__name__)

UNREADABLE = "unreadable_body"


def session_ref(session: SessionInfo) -> SessionRef:
    """The number as its gateway needs to know it."""
    return SessionRef(str(session.id), session.provider, session.account, dict(session.config))


def delivered(body: bytes, headers: Iterable[tuple[str, str]], path_secret: str = "") -> WebhookDelivery:
    """A delivery as it came."""
    return WebhookDelivery(body, {name.lower(): value for name, value in headers}, path_secret)


def read_delivery(gateway: Gateway, session: SessionRef, body: bytes) -> list[ChannelEvent]:
    """The events of an authentic delivery; what cannot be read is Unrecognised. Never raises."""
    try:
        decoded = decoded_json(body)
    except (ValueError, RecursionError) as error:
        log.info("an authentic delivery is no JSON: %s", error)
        return [Unrecognised(UNREADABLE, {})]
    try:
        return gateway.parse(decoded, session)
    except Exception as error:
        log.exception("an authentic delivery could not be read")
        return [Unrecognised(f"unreadable: {type(error).__name__}", {})]


def decoded_json(body: bytes) -> Any:
    """JSON as tolerantly as possible. Raises ValueError or RecursionError for what is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # A gateway passes on what a phone sent, or cuts a name in the middle of an emoji: half a surrogate pair or one
        # bad byte is no reason to lose the customer's message.
        return json.loads(body.decode(errors="replace"))
