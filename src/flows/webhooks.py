"""Deliveries from gateways: authentic first, then durable, then acknowledged."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from channels.base import ChannelEvent, Unrecognised
from channels.whatsapp import waha, waha_events
from domain.errors import NotAuthenticError, NotFoundError
from flows.inbound import Inbound, Outcome

log = logging.getLogger(__name__)

_KEPT_BODY = 16_000


@dataclass(frozen=True, slots=True)
class Gateway:
    """How one provider's webhooks are checked and read."""

    verify: Callable[[str, bytes, Mapping[str, str]], bool]
    parse: Callable[[object], list[ChannelEvent]]
    secret_key: str
    """Name of the secret in the channel session's config."""


GATEWAYS: Mapping[str, Gateway] = {"waha": Gateway(waha.verify, waha_events.parse, "hmac_key")}


class Webhooks:
    """Takes deliveries in. A return means that everything in the delivery is durable."""

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound

    async def receive(
        self, provider: str, session_id: UUID, raw_body: bytes, headers: Mapping[str, str]
    ) -> list[Outcome]:
        """Check, read and store one delivery. ``headers`` have lower-case names.

        Raises NotFoundError for an unknown number or provider and NotAuthenticError before anything is parsed. An
        authentic body that cannot be read is kept for an admin rather than refused: the gateway could only repeat it.
        Where one event fails, the others of the delivery are stored all the same before its error is raised.
        """
        gateway = GATEWAYS.get(provider)
        session = await self._inbound.session(session_id)
        if gateway is None or session.provider != provider:
            raise NotFoundError(f"{provider} number", session_id)
        secret = session.config.get(gateway.secret_key)
        if not secret or not gateway.verify(str(secret), raw_body, headers):
            raise NotAuthenticError(
                "The signature of this delivery is missing or wrong.",
                hint=f"Set the same key in the gateway's webhook and as {gateway.secret_key} of this number.",
            )
        outcomes: list[Outcome] = []
        failure: Exception | None = None
        for event in _read(gateway, raw_body):
            try:
                outcomes.append(await self._inbound.receive(session, event))
            except Exception as error:
                log.exception("an event of a delivery to %s could not be stored", session_id)
                failure = failure or error
        if failure is not None:
            raise failure
        return outcomes


def _read(gateway: Gateway, raw_body: bytes) -> list[ChannelEvent]:
    try:
        return gateway.parse(_decoded(raw_body))
    except (ValueError, RecursionError) as error:
        log.warning("an authentic delivery is no JSON: %s", error)
        kept = raw_body[:_KEPT_BODY].decode(errors="replace")
        return [Unrecognised("unreadable_body", {"error": str(error), "body": kept, "bytes": len(raw_body)})]


def _decoded(raw_body: bytes) -> Any:
    try:
        return orjson.loads(raw_body)
    except orjson.JSONDecodeError:
        # A gateway passes on what a phone sent, or cuts a name in the middle of an emoji: half a surrogate pair or one
        # bad byte is no reason to lose the customer's message. Raises ValueError or RecursionError for the rest.
        return json.loads(raw_body.decode(errors="replace"))
