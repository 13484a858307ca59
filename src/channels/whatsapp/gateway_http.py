"""How gateways are spoken to over HTTP: one request, one answer of limited size, and what a failure means.

Two ways of asking. ``ask`` is for whatever may be repeated: it raises GatewayRefusedError or GatewayUnavailableError.
``hand_over`` is for messages, where it matters whether one may have left: it raises SendRejectedError,
SendRetryableError or SendUncertainError, nothing else. Redirects are never followed: they would take a key elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError
from channels.gateway import File, GatewayRefusedError, GatewayUnavailableError, MediaSource
from domain.contents import Media
from domain.errors import AtendeError
from domain.messages import Sent

from .waha_envelope import read_time, tidy

LONGEST_ANSWER = 1024 * 1024
LONGEST_LIST = 16 * 1024 * 1024
LARGEST_MEDIA = 100 * 1024 * 1024
"""WhatsApp's own limit for most files; documents may be larger, and then stay on the phone."""

_LONGEST_WAIT_SECONDS = 3600.0
_CLOCK_TOLERANCE = timedelta(minutes=5)
_LOOK = "Look at the phone before sending it again."


class NotReachedError(GatewayUnavailableError):
    """The request certainly did not arrive."""


class NoAnswerError(GatewayUnavailableError):
    """The request may have arrived: what became of it is not known."""


SendError = SendRejectedError | SendRetryableError | SendUncertainError


@dataclass(frozen=True, slots=True)
class Server:
    """One number's gateway: its name in sentences, its address, and the headers that prove who we are."""

    name: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    key_name: str = "api_key"
    """The setting to look at when the gateway refuses us."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A body that is no JSON, such as a form with a file."""

    data: bytes
    content_type: str


def form(fields: Mapping[str, str], name: str, file: File) -> Encoded:
    """A form (multipart) of text fields and one file in the field ``name``."""
    parts = {name: (file.file_name or "file", file.data, file.mime_type or "application/octet-stream")}
    request = httpx.Request("POST", "http://form", data=dict(fields), files=parts)
    return Encoded(request.read(), request.headers["Content-Type"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway answered. ``cut``: more than was asked for; ``data`` is then only the beginning."""

    status: int
    headers: httpx.Headers
    data: bytes
    cut: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> Any:
        """The decoded JSON as it came; None where it is none."""
        try:
            return None if self.cut else json.loads(self.data)
        except (ValueError, RecursionError):
            return None

    def tidy(self) -> Any:
        """The same, safe to be walked and stored."""
        return tidy(self.json())


def base_url_of(config: Mapping[str, Any], name: str, example: str) -> str:
    """The setting ``base_url`` without its last slash. Raises GatewayRefusedError where it is missing or no URL."""
    url = config.get("base_url")
    try:
        usable = isinstance(url, str) and url.startswith(("http://", "https://")) and bool(urlsplit(url).hostname)
    except ValueError:
        usable = False
    if not usable or not isinstance(url, str):
        raise GatewayRefusedError(
            f"This number has no address of its {name} server.", hint=f"Set base_url, such as {example}."
        )
    return url.strip().rstrip("/")


def key_of(config: Mapping[str, Any], setting: str, name: str) -> str:
    """A secret that can stand in a header. Raises GatewayRefusedError where it is missing or cannot."""
    key = config.get(setting)
    if not (isinstance(key, str) and key and key.isascii() and key.isprintable()):
        raise GatewayRefusedError(f"This number has no usable {setting} for its {name} server.", hint=f"Set {setting}.")
    return key.strip()


class GatewayHttp:
    """The shared client's way to any gateway. Timeouts in seconds."""

    def __init__(
        self, client: httpx.AsyncClient, *, send_timeout_seconds: float = 30.0, ask_timeout_seconds: float = 20.0
    ) -> None:
        self._client = client
        self.send_timeout_seconds = send_timeout_seconds
        self.ask_timeout_seconds = ask_timeout_seconds

    async def exchange(
        self,
        server: Server,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        longest: int = LONGEST_ANSWER,
        seconds: float | None = None,
    ) -> Answer:
        """One request and its answer, whatever the status. ``path`` begins with a slash; ``body`` is sent as JSON,
        unless it is Encoded.

        Raises GatewayRefusedError (it cannot even be asked), NotReachedError or NoAnswerError.
        """
        wait = self.ask_timeout_seconds if seconds is None else seconds
        headers, content = dict(server.headers), None
        if isinstance(body, Encoded):
            headers["Content-Type"], content = body.content_type, body.data
        elif body is not None:
            headers["Content-Type"], content = "application/json", json.dumps(body).encode()
        request = {"method": method, "url": f"{server.base_url}{path}", "params": params, "content": content}
        return await self._stream(server, {**request, "headers": headers}, longest, wait)

    async def _stream(self, server: Server, request: Mapping[str, Any], longest: int, wait: float) -> Answer:
        timeout = httpx.Timeout(wait, connect=min(5.0, wait), pool=min(5.0, wait))
        received = bytearray()
        try:
            async with asyncio.timeout(wait), self._client.stream(**request, timeout=timeout) as response:
                async for chunk in response.aiter_bytes():
                    received += chunk
                    if len(received) > longest:
                        return Answer(response.status_code, response.headers, bytes(received[:longest]), cut=True)
                return Answer(response.status_code, response.headers, bytes(received))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise NotReachedError(
                f"{server.name} cannot be reached at {server.base_url} ({type(error).__name__}).",
                hint="Check that it runs and that base_url is right.",
            ) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
            raise GatewayRefusedError(
                f"{server.name} cannot be asked ({type(error).__name__}).",
                hint=f"Check base_url and {server.key_name}.",
            ) from error
        except (TimeoutError, httpx.HTTPError) as error:
            raise NoAnswerError(f"{server.name} did not answer ({type(error).__name__}).") from error

    async def ask(
        self,
        server: Server,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        longest: int = LONGEST_ANSWER,
    ) -> Any:
        """The JSON of a 2xx answer (tidy; None where it is none). Raises GatewayRefused- or GatewayUnavailableError."""
        answer = await self.exchange(server, method, path, body=body, params=params, longest=longest)
        if not answer.is_success:
            raise refusal(server, answer)
        return answer.tidy()

    async def hand_over(
        self,
        server: Server,
        method: str,
        path: str,
        body: Any,
        *,
        deadline: float,
        judge: Callable[[Answer], SendError | None] | None = None,
    ) -> Any:
        """Hand a message over; the JSON of a 2xx answer (tidy, None where it is none).

        ``deadline`` is the loop's time. ``judge`` may know better what this gateway means by an answer, success
        included; where it returns None the general rules hold.
        """
        left = max(deadline - asyncio.get_running_loop().time(), 0.1)
        with as_send_errors():
            answer = await self.exchange(server, method, path, body=body, seconds=left)
        if judge is not None and (judged := judge(answer)) is not None:
            raise judged
        if not answer.is_success:
            raise send_error(server, answer)
        return answer.tidy()

    async def download(
        self, server: Server, url: str, *, longest: int = LARGEST_MEDIA, headers: Mapping[str, str] | None = None
    ) -> File:
        """A file that the gateway keeps. Our key goes along only to the gateway's own address.

        Raises GatewayRefusedError (gone, refused, too large) or GatewayUnavailableError.
        """
        same = _origin(url) == _origin(server.base_url)
        sent = {**(server.headers if same else {}), **(headers or {})}
        request = {"method": "GET", "url": url, "headers": sent}
        answer = await self._stream(server, request, longest, max(self.ask_timeout_seconds, 60.0))
        if not answer.is_success:
            raise refusal(server, answer)
        if answer.cut:
            raise GatewayRefusedError(f"The file is larger than {longest} bytes.", hint="Look at it on the phone.")
        return File(answer.data, answer.headers.get("Content-Type", "").strip())


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()


@contextmanager
def as_send_errors() -> Iterator[None]:
    """Turn what ``exchange`` and the reading of settings raise into what a sender may raise."""
    try:
        yield
    except NoAnswerError as error:
        raise SendUncertainError(f"{error} The message may have been sent.", hint=_LOOK) from error
    except GatewayUnavailableError as error:
        raise SendRetryableError(str(error), hint=error.hint) from error
    except GatewayRefusedError as error:
        raise SendRejectedError(str(error), hint=error.hint) from error


def explanation(answer: Any) -> str:
    """What a gateway's JSON says about its refusal, as a part of a sentence: ": so and so", or nothing."""
    said = _said(answer, 4)
    return f": {' '.join(said.split())[:200]}" if said.strip() else ""


def _said(value: Any, depth: int) -> str:
    match value:
        case str():
            return value
        case list() if depth:
            return "; ".join(text for item in value[:5] if (text := _said(item, depth - 1)))
        case dict() if depth:
            named = (value.get(name) for name in ("message", "response", "error", "detail", "mensagem"))
            return next((text for item in named if item and (text := _said(item, depth - 1))), "")
        case _:
            return ""


def refusal(server: Server, answer: Answer) -> GatewayRefusedError | GatewayUnavailableError:
    """What an answer other than 2xx means for a question that may be repeated."""
    status, said = answer.status, explanation(answer.tidy())
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return GatewayRefusedError(
            f"{server.name} refused our key ({status}){said}.", hint=f"Check {server.key_name} of this number."
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return GatewayRefusedError(
            f"{server.name} answers with a redirect ({status}).", hint="Set base_url to the address it redirects to."
        )
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or status >= 500:
        return GatewayUnavailableError(f"{server.name} failed with {status}{said}.", hint="Try again later.")
    return GatewayRefusedError(f"{server.name} refuses ({status}){said}.")


def send_error(server: Server, answer: Answer) -> SendError:
    """What an answer other than 2xx means for a message."""
    status, said = answer.status, explanation(answer.tidy())
    if status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT:
        return SendUncertainError(
            f"{server.name} failed with {status}{said}: the message may have been sent.", hint=_LOOK
        )
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return SendRejectedError(
            f"{server.name} refused our key ({status}){said}.", hint=f"Check {server.key_name} of this number."
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return SendRetryableError(
            f"{server.name} asks for fewer messages{said}.", after_seconds=retry_after(answer.headers)
        )
    if status == HTTPStatus.NOT_FOUND:
        return SendRetryableError(
            f"{server.name} does not know this session ({status}){said}.", hint="Set the number up again."
        )
    return SendRejectedError(f"{server.name} refused the message ({status}){said}.")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from now, of either form of the header Retry-After; None for an absent or a senseless one."""
    value = headers.get("Retry-After")
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


def sent_as(server: Server, provider_id: str | None, stated_time: object = None) -> Sent:
    """The message as the gateway names it; without a name its fate is uncertain. A strange clock is not believed."""
    if not provider_id:
        raise SendUncertainError(f"{server.name} took the message but told no id for it.", hint=_LOOK)
    now = datetime.now(UTC)
    at = read_time(stated_time)
    return Sent(provider_id, at if at and abs(at - now) < _CLOCK_TOLERANCE else now)


async def read_file(source: MediaSource, media: Media) -> File:
    """The bytes to send. Raises SendRejectedError for a file that cannot be had, SendRetryableError for a fault."""
    try:
        return await source.read(media)
    except AtendeError as error:
        raise SendRejectedError(f"The file cannot be sent: {error}", hint=error.hint) from error
    except (OSError, TimeoutError) as error:
        raise SendRetryableError(f"The file could not be read ({type(error).__name__}).") from error
