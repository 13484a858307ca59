"""WAHA (https://waha.devlike.pro) as a gateway: its webhook's signature, its events, and sending through it.

A number's settings (``SessionRef.config``): ``base_url`` and ``api_key`` of the WAHA server, ``session`` (its name
there, "default"), ``hmac_key`` (checked with ``verify`` where the webhook arrives) and ``typing`` (false: never shown).
Wire format: the server's OpenAPI document, 2026.7.1.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError, SessionRef
from domain.messages import Address, AddressKind, Outbound, Sent

from .envelope import pick
from .ids import GROUP_SERVER, LEGACY_PHONE_SERVER, LID_SERVER
from .waha_envelope import read_key, read_time, tidy
from .waha_events import parse

__all__ = ["WahaSender", "new_client", "parse", "verify"]

_SERVERS = {AddressKind.PHONE: LEGACY_PHONE_SERVER, AddressKind.LID: LID_SERVER, AddressKind.GROUP: GROUP_SERVER}
_LONGEST_ANSWER = 1024 * 1024
_LONGEST_WAIT_SECONDS = 3600.0
_CLOCK_TOLERANCE = timedelta(minutes=5)
_PRESENCE_SECONDS = 2.0


def verify(secret: str, raw_body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether WAHA signed exactly these bytes with ``secret``. In constant time; False without a secret or signature.

    ``X-Webhook-Hmac`` is the hexadecimal HMAC-SHA512 of the raw body; the time in ``X-Webhook-Timestamp`` is not part
    of it, so a captured webhook can be played again: the events' own ids make that harmless.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    stated = lowered.get("x-webhook-hmac", "").strip().lower()
    if not secret or not stated or lowered.get("x-webhook-hmac-algorithm", "sha512").strip().lower() != "sha512":
        return False
    expected = hmac.new(secret.encode(), raw_body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), stated.encode("utf-8", "replace"))


def new_client() -> httpx.AsyncClient:
    """The HTTP client that all of a process's WAHA numbers share; whoever makes it closes it.

    Idle connections are dropped before Node's five seconds are over: a message written to a connection that the other
    side is just closing would have an unknown fate.
    """
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=100, keepalive_expiry=2.0))


@dataclass(frozen=True, slots=True)
class _Door:
    """Where one number's messages are handed over, and as whom."""

    base_url: str
    headers: dict[str, str]
    target: dict[str, str]
    typing: bool

    @classmethod
    def of(cls, session: SessionRef, to: Address) -> _Door:
        """Read the settings. Raises SendRejectedError for missing ones, and for an address of another channel."""
        config = session.config
        base_url, api_key = config.get("base_url"), config.get("api_key")
        if not (isinstance(base_url, str) and base_url.startswith(("http://", "https://"))):
            raise SendRejectedError(
                "This number has no address of its WAHA server.", hint="Set base_url, such as http://waha:3000."
            )
        if not (isinstance(api_key, str) and api_key.isascii() and api_key.isprintable()):
            raise SendRejectedError(
                "This number has no usable API key for its WAHA server.",
                hint="Set api_key to the value of WAHA_API_KEY.",
            )
        server = _SERVERS.get(to.kind)
        if server is None:
            raise SendRejectedError(f"{to} is not an address on WhatsApp.", hint="Answer on the channel it came from.")
        return cls(
            base_url.rstrip("/"),
            {"X-Api-Key": api_key, "Content-Type": "application/json"},
            {"session": str(config.get("session") or "default"), "chatId": f"{to.value}@{server}"},
            config.get("typing", True) is not False,
        )


class WahaSender:
    """Sends text through WAHA (see channels.base.Sender). One for all numbers of a process."""

    idempotent = False

    def __init__(self, client: httpx.AsyncClient, *, send_timeout_seconds: float = 30.0) -> None:
        self._client = client
        self.send_timeout_seconds = send_timeout_seconds

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Send one message. Raises SendRejectedError, SendRetryableError or SendUncertainError, nothing else."""
        door = _Door.of(session, message.to)
        deadline = asyncio.get_running_loop().time() + self.send_timeout_seconds * 0.95
        if door.typing and message.typing_seconds > 0:
            await self._show_typing(door, min(message.typing_seconds, self.send_timeout_seconds / 3))
        body = {**door.target, "text": message.text}
        if reply_to := _reply_to(message, door.target["chatId"]):
            body["reply_to"] = reply_to
        try:
            async with asyncio.timeout_at(deadline):
                response, answer = await self._post(door, "sendText", body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise SendRetryableError(
                f"WAHA cannot be reached at {door.base_url} ({type(error).__name__}).",
                hint="Check that it runs and that base_url is right.",
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise SendRejectedError(f"WAHA cannot be asked: {error}.", hint="Check base_url and api_key.") from error
        except (TimeoutError, httpx.HTTPError) as error:
            raise SendUncertainError(
                f"WAHA did not answer ({type(error).__name__}): the message may have been sent.",
                hint="Look at the phone before sending it again.",
            ) from error
        _raise_for_status(response, answer)
        return _sent(answer)

    async def _post(self, door: _Door, action: str, body: dict[str, str]) -> tuple[httpx.Response, Any]:
        """The response and its JSON (None where it is none, or too long to be an answer)."""
        timeout = httpx.Timeout(self.send_timeout_seconds, connect=5.0, pool=5.0)
        content = json.dumps(body).encode()
        url, received = f"{door.base_url}/api/{action}", bytearray()
        async with self._client.stream("POST", url, content=content, headers=door.headers, timeout=timeout) as response:
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > _LONGEST_ANSWER:
                    return response, None
        try:
            return response, tidy(json.loads(received))
        except (ValueError, RecursionError):
            return response, None

    async def _show_typing(self, door: _Door, seconds: float) -> None:
        """A courtesy: whatever goes wrong with it, the message itself is sent all the same."""
        for action, pause in (("startTyping", seconds), ("stopTyping", 0.0)):
            try:
                async with asyncio.timeout(_PRESENCE_SECONDS):
                    await self._post(door, action, door.target)
            except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
                return
            await asyncio.sleep(pause)


def _reply_to(message: Outbound, chat_id: str) -> str | None:
    """WEBJS finds a quoted message only by its long id, which the other engines take apart at the underscores."""
    quoted = message.quoted_provider_id
    if not quoted or "_" in quoted:
        return None
    # In a group the long id ends with its author, whom we do not know here.
    return quoted if message.to.kind is AddressKind.GROUP else f"false_{chat_id}_{quoted}"


def _explanation(answer: Any) -> str:
    """What the gateway says about its refusal, as a part of a sentence."""
    said = pick(answer, "message") or pick(answer, "error")
    if isinstance(said, list):
        said = "; ".join(item for item in said if isinstance(item, str))
    said = pick(said, "message") if isinstance(said, dict) else said
    return f": {' '.join(said.split())[:200]}" if isinstance(said, str) and said.strip() else ""


def _raise_for_status(response: httpx.Response, answer: Any) -> None:
    status, said = response.status_code, _explanation(answer)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        raise SendUncertainError(
            f"WAHA failed with {status}{said}: the message may have been sent.",
            hint="Look at the phone before sending it again.",
        )
    if response.is_success:
        return
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise SendRejectedError(f"WAHA refused our API key ({status}).", hint="Check api_key of this number.")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise SendRetryableError(
            f"WAHA asks for fewer messages{said}.", after_seconds=_retry_after(response.headers.get("Retry-After"))
        )
    if status == HTTPStatus.NOT_FOUND or (status == HTTPStatus.UNPROCESSABLE_ENTITY and _is_about_session(answer)):
        raise SendRetryableError(
            f"WAHA's session is not working ({status}){said}.", hint="Start it in WAHA, and check its name in session."
        )
    raise SendRejectedError(f"WAHA refused the message ({status}){said}.")


def _is_about_session(answer: Any) -> bool:
    """Whether a refusal is about the session's state (``status`` names it), not about the message."""
    return isinstance(pick(answer, "status"), str) or "session" in _explanation(answer).lower()


def _retry_after(value: str | None) -> float | None:
    """Seconds from now, of either form of the header; None for an absent or a senseless one."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS) if math.isfinite(seconds) else None


def _sent(answer: Any) -> Sent:
    """What an engine returns for a sent message: its id stands in one of several places."""
    places = (pick(answer, "id"), pick(answer, "key"), pick(answer, "_data", "Info"), pick(answer, "_data", "key"))
    key = next((key for place in (*places, pick(answer, "_data", "id")) if (key := read_key(place))), None)
    if key is None:
        raise SendUncertainError(
            "WAHA took the message but told no id for it.", hint="Look at the phone before sending it again."
        )
    now = datetime.now(UTC)
    at = read_time(pick(answer, "timestamp")) or read_time(pick(answer, "messageTimestamp")) or now
    return Sent(key.id, at if abs(at - now) < _CLOCK_TOLERANCE else now)
