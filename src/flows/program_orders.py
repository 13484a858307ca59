"""What a program may ask to be sent, as it was written: its shape alone is checked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from domain.errors import InvalidInputError

_KNOWN: Final = frozenset({"to", "text", "content", "reply_to", "purpose"})
_LONGEST_TO: Final = 200


@dataclass(frozen=True, slots=True)
class Order:
    """A request as it was read."""

    to: str
    text: str
    content: dict[str, Any] | None
    reply_to: int | None
    purpose: Literal["reply", "proactive"]


def read_order(body: object) -> Order:
    """The request. Raises InvalidInputError, naming the part at fault."""
    if not isinstance(body, dict):
        raise InvalidInputError("body", "must be a JSON object")
    if unknown := body.keys() - _KNOWN:
        raise InvalidInputError(
            sorted(map(str, unknown))[0], "is not known here", hint=f"Known: {', '.join(sorted(_KNOWN))}."
        )
    to, text, content, reply_to = (body.get(name) for name in ("to", "text", "content", "reply_to"))
    if not isinstance(to, str) or not 0 < len(to) <= _LONGEST_TO:
        raise InvalidInputError("to", "must be a phone number, a conversation's id, or an address such as lid:123")
    if text is not None and not isinstance(text, str):
        raise InvalidInputError("text", "must be text")
    if content is not None and not isinstance(content, dict):
        raise InvalidInputError("content", "must be an object with a type")
    if reply_to is not None and not isinstance(reply_to, int):
        raise InvalidInputError("reply_to", "must be the id of a message")
    purpose = body.get("purpose", "proactive")
    if purpose not in ("reply", "proactive"):
        raise InvalidInputError("purpose", "must be reply or proactive")
    return Order(to.strip(), text or "", content, reply_to, purpose)


def read_id(field: str, value: object) -> UUID:
    """An id that we gave. Raises InvalidInputError."""
    try:
        return UUID(str(value))
    except ValueError:
        raise InvalidInputError(field, "must be an id as it was given") from None
