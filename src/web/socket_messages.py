"""What may be said over the websocket, and the errors that answer what may not (docs/realtime.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from domain.errors import AtendeError, ConflictError, InvalidInputError, NotAllowedError, NotFoundError
from flows.outgoing_webhooks import checked_kinds

LARGEST: Final = 16 * 1024
"""Characters of one message."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class BadMessageError(AtendeError):
    """A message that is not understood. ``about`` names the subscription that it was about, if it did."""

    def __init__(self, what: str, *, hint: str = "See docs/realtime.md.", about: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.about = about


class SubscriptionError(AtendeError):
    """A subscription that cannot be made: ``about`` names it, ``reason`` says why."""

    def __init__(self, about: str, reason: AtendeError) -> None:
        super().__init__(str(reason), hint=reason.hint)
        self.about = about
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Authenticate:
    token: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    name: str
    after: int | None
    kinds: tuple[str, ...]
    session_id: UUID | None
    conversation_id: UUID | None
    full: bool


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    name: str


@dataclass(frozen=True, slots=True)
class BePresent:
    """Which conversation the person has open, and whether the person is typing there."""

    conversation_id: UUID | None
    typing: bool


@dataclass(frozen=True, slots=True)
class Ping:
    pass


Message = Authenticate | Subscribe | Unsubscribe | BePresent | Ping


def read(text: str) -> Message:
    """One message of the other side. Raises BadMessageError and SubscriptionError."""
    if len(text) > LARGEST:
        raise BadMessageError(f"The message has more than {LARGEST} characters.")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadMessageError("The message is not JSON.") from None
    if not isinstance(found, dict):
        raise BadMessageError("The message is not a JSON object.")
    match found.get("type"):
        case "authenticate" if isinstance(found.get("token"), str):
            return Authenticate(found["token"])
        case "subscribe":
            return _subscribe(found)
        case "unsubscribe":
            return Unsubscribe(_name(found))
        case "presence":
            return BePresent(_id(found, "conversation_id"), found.get("typing") is True)
        case "ping":
            return Ping()
    raise BadMessageError(f"There is no message {str(found.get('type'))[:40]!r} of this form.")


def error_frame(error: AtendeError) -> str:
    """The answer to a message that could not be carried out."""
    reason = error.reason if isinstance(error, SubscriptionError) else error
    kinds: dict[type[AtendeError], str] = {
        NotFoundError: "not_found",
        NotAllowedError: "not_allowed",
        ConflictError: "too_many",
        InvalidInputError: "invalid",
        BadMessageError: "invalid",
    }
    code = next((code for kind, code in kinds.items() if isinstance(reason, kind)), "failed")
    answer = {"type": "error", "code": code, "detail": str(error), "hint": error.hint}
    return orjson.dumps({**answer, "subscription": getattr(error, "about", None)}).decode()


def _subscribe(found: dict[str, Any]) -> Subscribe:
    name = _name(found)
    session_id, conversation_id = _id(found, "session_id"), _id(found, "conversation_id")
    if session_id and conversation_id:
        raise BadMessageError("Name a number or a conversation, not both.", about=name)
    after = found.get("after")
    if after is not None and (not isinstance(after, int) or isinstance(after, bool) or not 0 <= after < 2**63):
        raise BadMessageError("after must be the id of the last event that you have.", about=name)
    kinds = found.get("kinds", ["*"])
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise BadMessageError("kinds must be a list of names.", about=name)
    content = found.get("content", "full")
    if content not in {"full", "none"}:
        raise BadMessageError("content must be full or none.", about=name)
    try:
        wanted = tuple(kinds) if kinds == ["*"] else tuple(checked_kinds(kinds))
    except InvalidInputError as error:
        raise SubscriptionError(name, error) from None
    return Subscribe(name, after, wanted, session_id, conversation_id, content == "full")


def _name(found: dict[str, Any]) -> str:
    name = found.get("subscription", "all")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadMessageError("subscription must be a name of up to 64 letters, digits and _ . : -")
    return name


def _id(found: dict[str, Any], field: str) -> UUID | None:
    given = found.get(field)
    if given is None:
        return None
    try:
        return UUID(given)
    except (ValueError, AttributeError, TypeError):
        about = found.get("subscription")
        # What is not even an id belongs to nothing: as unknown as another tenant's.
        raise SubscriptionError(
            about if isinstance(about, str) else "all", NotFoundError(field.removesuffix("_id"), str(given)[:64])
        ) from None
