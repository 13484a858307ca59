"""The Cloud API's webhook: one for each app, whose deliveries are for several numbers, perhaps of several tenants.

The signature is checked over the raw body before anything of it is parsed: only a search for digits tells which
numbers' app secrets to try first. A part then goes to a number only if that number has the very secret that signed.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from channels.gateway import WebhookDelivery
from channels.whatsapp.cloud_api_webhook import WABA_PREFIX, challenge, route
from domain.errors import NotAuthenticError
from flows.deliveries import decoded_json
from flows.session_info import SessionInfo
from flows.webhooks import NumberUnknownNowError, Webhooks

PROVIDER = "cloud_api"
ROUTED_NOWHERE = "for an unknown number"
_PHONE_IDS = re.compile(rb'"phone_number_id"\s*:\s*"?(\d{3,32})')
_MOST_IDS = 100
_MOST_HASHED_BYTES = 256 * 1024 * 1024
"""How much is hashed for one delivery, with all app secrets that this installation knows."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signed:
    """Whose deliveries one app secret signs."""

    numbers: tuple[SessionInfo, ...]


class AppWebhooks:
    """Deliveries that name their number inside."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def challenged(self, query: Mapping[str, str], session_id: UUID | None = None) -> str | None:
        """The answer to Meta's question whether the URL is ours, by this (or any) number's verify token; or None."""
        if session_id is None:
            numbers = await self._webhooks.numbers_of(PROVIDER)
        else:
            numbers = [await self._webhooks.number(PROVIDER, session_id)]
        answers = [challenge(str(number.config.get("verify_token") or ""), query) for number in numbers]
        return next((answer for answer in answers if answer), None)

    async def check(self, delivery: WebhookDelivery) -> Signed:
        """Who the delivery is authentic for. Raises NotAuthenticError; nothing was parsed then.

        Raises NumberUnknownNowError where no number is known because the database is away.
        """
        for asked in (self._webhooks.numbers_of, self._webhooks.numbers_by_now):  # a number or its secret may be new
            numbers = await asked(PROVIDER)
            if (signed := await self._signer(numbers, delivery)) is not None:
                return signed
        if not numbers and self._webhooks.is_away():
            raise NumberUnknownNowError
        raise NotAuthenticError(
            "The signature of this delivery is missing or wrong.",
            hint="Set app_secret of the number to the secret of the Meta app.",
        )

    async def _signer(self, numbers: Sequence[SessionInfo], delivery: WebhookDelivery) -> Signed | None:
        named = set(_PHONE_IDS.findall(delivery.raw_body)[:_MOST_IDS])
        by_secret: dict[str, list[SessionInfo]] = {}
        for number in sorted(numbers, key=lambda number: phone_id(number).encode() not in named):
            if secret := str(number.config.get("app_secret") or ""):
                by_secret.setdefault(secret, []).append(number)
        hashed = 0
        for group in by_secret.values():
            hashed += len(delivery.raw_body)
            if hashed > _MOST_HASHED_BYTES:
                break
            if await self._webhooks.is_authentic(group[0], delivery):
                return Signed(tuple(group))
        return None

    async def receive(self, signed: Signed, body: bytes) -> Sequence[str]:
        """Make every part durable for each number that it concerns: all outcomes, in order."""
        outcomes: list[str] = []
        for key, part in _parts(body):
            concerned = [number for number in signed.numbers if key and concerns(key, number)]
            for number in concerned:
                outcomes += await self._webhooks.receive(number, part)
            if not concerned:
                outcomes += await self._quarantine(signed, key, part)
        return outcomes

    async def _quarantine(self, signed: Signed, key: str, part: bytes) -> Sequence[str]:
        """Keep what is for no number of ours. Where the app serves several tenants, nobody may read whose it is not."""
        keeper = min(signed.numbers, key=lambda number: str(number.id))
        name = f"{ROUTED_NOWHERE}: {key}" if key else "for no number"
        if len({number.tenant_id for number in signed.numbers}) > 1:
            part = orjson.dumps({"left_out": "the app serves several tenants", "for": key, "bytes": len(part)})
        return await self._webhooks.set_aside(keeper, name, part)


def phone_id(number: SessionInfo) -> str:
    """Meta's id of the number."""
    return str(number.config.get("phone_number_id") or "")


def concerns(key: str, number: SessionInfo) -> bool:
    """Whether a part that ``route`` gave this key is for the number."""
    if key.startswith(WABA_PREFIX):
        return key.removeprefix(WABA_PREFIX) == str(number.config.get("waba_id") or "")
    return key == phone_id(number)


def _parts(body: bytes) -> Iterable[tuple[str, bytes]]:
    try:
        return [(key, _encoded(part)) for key, part in route(decoded_json(body))]
    except (ValueError, RecursionError) as error:
        log.warning("an authentic delivery of an app could not be taken apart: %s", error)
        return [("", body)]


def _encoded(part: object) -> bytes:
    try:
        return orjson.dumps(part)
    except TypeError:  # half a surrogate pair, or an integer of more than 64 bits
        return json.dumps(part).encode()
