"""How a WAHA server is asked, how it names chats and messages, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from channels.base import SendRejectedError, SendRetryableError, SessionRef
from channels.gateway import GatewayRefusedError
from domain.messages import Address, AddressKind

from .envelope import pick
from .gateway_http import Answer, SendError, Server, base_url_of, explanation, key_of, send_error
from .ids import GROUP_SERVER, LEGACY_PHONE_SERVER, LID_SERVER

NAME = "WAHA"
_SERVERS = {AddressKind.PHONE: LEGACY_PHONE_SERVER, AddressKind.LID: LID_SERVER, AddressKind.GROUP: GROUP_SERVER}


def server_of(config: Mapping[str, Any]) -> Server:
    """A number's server. Raises GatewayRefusedError for settings that cannot be used."""
    base_url = base_url_of(config, NAME, "http://waha:3000")
    return Server(NAME, base_url, {"X-Api-Key": key_of(config, "api_key", NAME)})


def name_of(session: SessionRef) -> str:
    """The session's name at WAHA."""
    return str(session.config.get("session") or "default")


def chat_of(address: Address) -> str:
    """A chat as WAHA names it. Raises GatewayRefusedError for an address of another channel."""
    server = _SERVERS.get(address.kind)
    if server is None:
        raise GatewayRefusedError(
            f"{address} is not an address on WhatsApp to {NAME}.", hint="Answer on the channel it came from."
        )
    return f"{address.value}@{server}"


def step(text: str) -> str:
    """A name as one step of a path."""
    return quote(text, safe="@")


def long_id(chat: str, provider_id: str, *, from_me: bool) -> str:
    """The id by which every engine finds a message. One with an underscore, which some would take apart, stays bare."""
    return provider_id if "_" in provider_id else f"{'true' if from_me else 'false'}_{chat}_{provider_id}"


def judge(server: Server, answer: Answer) -> SendError | None:
    """What an answer means for a message where the general rules would be wrong."""
    said = explanation(answer.tidy())
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return SendRejectedError(f"{NAME} refused our API key ({answer.status}).", hint="Check api_key of this number.")
    is_about_session = isinstance(pick(answer.tidy(), "status"), str) or "session" in said.lower()
    if answer.status == HTTPStatus.NOT_FOUND or (answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and is_about_session):
        return SendRetryableError(
            f"{NAME}'s session is not working ({answer.status}){said}.",
            hint="Start it in WAHA, and check its name in session.",
        )
    return None if answer.is_success else send_error(server, answer)
