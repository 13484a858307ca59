"""What WhatsApp Web keeps behind WPPConnect: chats and their messages, for reconciliation and to name messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from channels.base import MessageReceived, SendRetryableError, SessionRef
from channels.gateway import GatewayRefusedError, GatewayUnavailableError
from domain.messages import Address, AddressKind

from .envelope import pick
from .evolution_envelope import moment
from .gateway_http import LONGEST_ANSWER, LONGEST_LIST, GatewayHttp, Server, explanation, refusal
from .waha_envelope import read_jid, read_key
from .wppconnect_events import parse_message
from .wppconnect_sending import chat_id

_RECENT, _PAGE, _MOST_PAGES, _MOST_CHATS = 50, 100, 20, 1000
_CLOCKS_DIFFER = timedelta(minutes=5)


async def ask(
    http: GatewayHttp, server: Server, method: str, path: str, *, body: Any = None, longest: int = LONGEST_ANSWER
) -> Any:
    """As GatewayHttp.ask, but for this gateway 404 means a session that does not run."""
    answer = await http.exchange(server, method, path, body=body, longest=longest)
    if answer.status == HTTPStatus.NOT_FOUND:
        said = explanation(answer.tidy())
        raise GatewayUnavailableError(f"The number is not connected in WPPConnect{said}.", hint="Start it.")
    if not answer.is_success:
        raise refusal(server, answer)
    return answer.tidy()


class Chats:
    """One session's chats. ``path`` is where its routes begin."""

    def __init__(self, http: GatewayHttp, server: Server, path: str) -> None:
        self._http, self._server, self._path = http, server, path

    async def long_id(self, chat: str, provider_id: str, *, from_me: bool) -> str | None:
        """The gateway's own id of a recent message: it may name the chat by LID, and ends with a group's author.

        None where it is not among the last ones. Raises SendRetryableError.
        """
        try:
            listed = await self._messages(chat, _RECENT)
        except GatewayUnavailableError as error:
            raise SendRetryableError(str(error), hint=error.hint) from error
        except GatewayRefusedError:
            return None
        for item in listed:
            name, key = _name(item), read_key(pick(item, "id"))
            if key and name and key.id == provider_id and (key.from_me is True) == from_me:
                return name
        return None

    async def with_news(self, since: datetime, known: Sequence[Address]) -> list[str]:
        """The chats with messages since then; ``known`` where the gateway lists none."""
        path = f"{self._path}/list-chats"
        try:
            listed = await ask(self._http, self._server, "POST", path, body={}, longest=LONGEST_LIST)
        except GatewayRefusedError:
            listed = None
        if not isinstance(listed, list):
            return [chat_id(chat) for chat in known if chat.kind is not AddressKind.SIMULATOR]
        found = []
        for item in listed[:_MOST_CHATS]:
            jid, last = read_jid(pick(item, "id")), moment(pick(item, "t"))
            if jid and jid.address() and (last is None or last >= since - _CLOCKS_DIFFER):
                found.append(str(jid))
        return found

    async def messages_since(self, session: SessionRef, chat: str, since: datetime) -> list[MessageReceived]:
        """A chat's messages from then on, oldest first."""
        now, before = datetime.now(UTC), None
        found: dict[str, MessageReceived] = {}
        for _ in range(_MOST_PAGES):
            listed = await self._messages(chat, _PAGE, before)
            messages = [one for item in listed if (one := parse_message(item, session, received_at=now))]
            found.update({one.provider_id: one for one in messages if one.sent_at >= since})
            oldest = listed[0] if listed else None
            first, at = _name(oldest), moment(pick(oldest, "t"))
            if len(listed) < _PAGE or first is None or first == before or (at and at < since):
                break
            before = first
        return sorted(found.values(), key=lambda one: one.sent_at)

    async def _messages(self, chat: str, count: int, before: str | None = None) -> list[Any]:
        """Some of a chat's messages, oldest first: the last ones, or those before the one with this long id."""
        query = {"count": str(count), "direction": "before", **({"id": before} if before else {})}
        path = f"{self._path}/get-messages/{quote(chat, safe='')}"
        answer = await self._http.exchange(self._server, "GET", path, params=query, longest=LONGEST_LIST)
        body = answer.tidy()
        if answer.status == HTTPStatus.UNAUTHORIZED and pick(body, "status") == "error":
            return []  # no such chat; a refused token looks otherwise
        if answer.status == HTTPStatus.NOT_FOUND:
            raise GatewayUnavailableError("The number is not connected in WPPConnect.", hint="Start it.")
        if not answer.is_success:
            raise refusal(self._server, answer)
        listed = pick(body, "response")
        if not isinstance(listed, list):
            raise GatewayUnavailableError("WPPConnect does not list its messages.")
        return listed


def _name(item: Any) -> str | None:
    """A message's long id."""
    stated = pick(item, "id")
    name = stated if isinstance(stated, str) else pick(stated, "_serialized")
    return name if isinstance(name, str) and name else None
