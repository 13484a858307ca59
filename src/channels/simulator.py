"""The simulated phone: a sender that hands messages to the demo, and the check of what its HTTP door takes in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from channels.base import MessageReceived, SendRejectedError, SendUncertainError, SessionRef
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind, MessageKind, Outbound, Sent

_LONGEST_CONTACT = 64
_LONGEST_ID = 128
_LONGEST_NAME = 200
_FIELDS = ("contact", "id", "text", "kind", "name")

Deliver = Callable[[SessionRef, Outbound], Awaitable[None]]
"""Puts a message on the simulated phone. It keeps one message per ``Outbound.key``: a repeated key changes nothing."""


class SimulatorSender:
    """Sends to the simulated phone (see channels.base.Sender)."""

    idempotent = True
    send_timeout_seconds = 10.0

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def send(self, session: SessionRef, message: Outbound) -> Sent:
        """Hand the message over. Its id there follows from its key, so that a repeated send names the same one."""
        if message.to.kind is not AddressKind.SIMULATOR:
            raise SendRejectedError(
                f"{message.to} is not a contact of the simulated phone.", hint="Answer on the channel it came from."
            )
        try:
            await self._deliver(session, message)
        except Exception as error:
            raise SendUncertainError(f"The simulated phone failed: {error or type(error).__name__}.") from error
        return Sent(f"sim-{message.key}", datetime.now(UTC))


def parse_door_message(body: object) -> MessageReceived:
    """Read ``{contact, id, text, kind?, name?}`` (decoded JSON). Raises InvalidInputError naming the field at fault."""
    if not isinstance(body, dict):
        raise InvalidInputError("body", "must be a JSON object", hint='Send {"contact": …, "id": …, "text": …}.')
    for name in body:
        if name not in _FIELDS:
            raise InvalidInputError(
                str(name)[:_LONGEST_CONTACT] or "body", "is not known here", hint=f"Send {', '.join(_FIELDS)}."
            )
    text, kind, name = body.get("text"), body.get("kind", MessageKind.TEXT.value), body.get("name")
    if not isinstance(text, str):
        raise InvalidInputError("text", "must be a text", hint='It may be empty: "".')
    if not isinstance(kind, str) or kind not in list(MessageKind):
        raise InvalidInputError("kind", "is no kind of message", hint=f"One of: {', '.join(MessageKind)}.")
    return MessageReceived(
        provider_id=_printable("id", body.get("id"), _LONGEST_ID),
        chat=Address(AddressKind.SIMULATOR, _printable("contact", body.get("contact"), _LONGEST_CONTACT)),
        sent_at=datetime.now(UTC),
        kind=MessageKind(kind),
        text=text,
        push_name=None if name is None else _printable("name", name, _LONGEST_NAME),
    )


def _printable(field: str, value: object, longest: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable() or value.isspace():
        raise InvalidInputError(field, f"must be 1 to {longest} printable characters")
    return value
