"""How a GOWA server is asked, and what its refusals mean.

Every answer is ``{"code", "message", "results"}``. Its 401 means two things: our password is wrong, or its own
connection with WhatsApp is down (code AUTHENTICATION_ERROR). Its 500 carries whatsmeow's error as text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from channels.base import SendRejectedError, SendRetryableError
from channels.gateway import GatewayRefusedError, GatewayUnavailableError
from domain.errors import InvalidInputError
from domain.messages import Address

from .envelope import pick
from .gateway_http import (
    LONGEST_ANSWER,
    Answer,
    GatewayHttp,
    SendError,
    Server,
    base_url_of,
    explanation,
    key_of,
    refusal,
    send_error,
)
from .ids import jid_of
from .send_errors import REACH_OUT_LIMIT, server_error
from .send_errors import send_error as library_error

NAME = "GOWA"
_DOWN = frozenset({"AUTHENTICATION_ERROR", "INVALID_WA_CLI", "DEVICE_MANAGER_UNAVAILABLE"})
_NO_DEVICE = frozenset({"DEVICE_NOT_FOUND", "DEVICE_ID_REQUIRED"})
_UNKNOWN_THERE = ("not found", "does not contain downloadable media", "does not belong to chat")


def server_of(config: Mapping[str, Any], device: str | None = None) -> Server:
    """A number's server. ``device`` overrides the setting ``device_id``; without one the server's only device is meant.

    Raises GatewayRefusedError for settings that cannot be used.
    """
    headers: dict[str, str] = {}
    if config.get("username") or config.get("password"):
        credentials = f"{key_of(config, 'username', NAME)}:{key_of(config, 'password', NAME)}"
        headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    device = str(config.get("device_id") or "") if device is None else device
    if device:
        # It is unquoted there as a query is, in which a plus sign is a space.
        headers["X-Device-Id"] = quote(device, safe="@:.-_")
    return Server(NAME, base_url_of(config, NAME, "http://gowa:3000"), headers, key_name="password")


def chat_of(address: Address) -> str:
    """A chat as GOWA names it. Raises GatewayRefusedError for an address of another channel."""
    try:
        return str(jid_of(address))
    except InvalidInputError as error:
        raise GatewayRefusedError(
            f"{address} is not an address on WhatsApp.", hint="Answer on the channel it came from."
        ) from error


async def ask(
    http: GatewayHttp,
    server: Server,
    method: str,
    path: str,
    *,
    body: Any = None,
    params: Mapping[str, str] | None = None,
    longest: int = LONGEST_ANSWER,
) -> Any:
    """The ``results`` of a 2xx answer. Raises GatewayRefusedError or GatewayUnavailableError."""
    answer = await http.exchange(server, method, path, body=body, params=params, longest=longest)
    if not answer.is_success:
        raise refused(server, answer)
    said = answer.tidy()
    if not isinstance(said, dict):
        raise GatewayUnavailableError(
            f"{NAME} answered with something else than JSON.", hint="Check that base_url is GOWA's own address."
        )
    return said.get("results")


def code_of(answer: Answer) -> str:
    """GOWA's name for the outcome, such as SUCCESS; "" where it tells none."""
    code = pick(answer.tidy(), "code")
    return code if isinstance(code, str) else ""


def refused(server: Server, answer: Answer) -> GatewayRefusedError | GatewayUnavailableError:
    """What an answer other than 2xx means for a question."""
    code, said = code_of(answer), explanation(answer.tidy())
    if code in _DOWN:
        return GatewayUnavailableError(
            f"{NAME} is not connected with WhatsApp{said}.", hint="Restart the device there, or pair it again."
        )
    if code in _NO_DEVICE:
        return GatewayRefusedError(f"{NAME} does not know this device{said}.", hint="Check device_id, or set it up.")
    if answer.status == 500 and any(known in said for known in _UNKNOWN_THERE):
        return GatewayRefusedError(f"{NAME} does not have it{said}.")
    return refusal(server, answer)


def judge(server: Server, answer: Answer) -> SendError | None:
    """What an answer means for a message; None for success."""
    if answer.is_success:
        return None
    code, said = code_of(answer), explanation(answer.tidy())
    text = pick(answer.tidy(), "message")
    text = text if isinstance(text, str) else ""
    if code in _DOWN:
        return SendRetryableError(
            f"{NAME} is not connected with WhatsApp{said}.", hint="Restart the device there, or pair it again."
        )
    if code in _NO_DEVICE:
        return SendRetryableError(f"{NAME} does not know this device{said}.", hint="Check device_id, or set it up.")
    if code == "WA_REACHOUT_TIMELOCK" or server_error(text) == REACH_OUT_LIMIT:
        return library_error(f"server returned error {REACH_OUT_LIMIT}")
    if code == "UPLOAD_MEDIA_ERROR":
        return SendRetryableError(f"{NAME} could not upload the file{said}.")
    if code == "INVALID_JID":
        return SendRejectedError(f"The recipient cannot be reached on WhatsApp{said}.", hint="Check the number.")
    if text == "Whatsapp client is not initialized":
        return SendRetryableError(f"{NAME} is not connected with WhatsApp{said}.", hint="Restart the device there.")
    if answer.status == 500 and code == "INTERNAL_SERVER_ERROR" and text:
        return library_error(text)
    return send_error(server, answer)
