"""Traces for people who are no operators: personal data masked for good, and other names in the place of names."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.personal_data import redact
from domain.personal_data.names import NameWords, PersonNames
from flows.traces import Explanation, explain
from store import trace_list
from store.database import Connection, Row
from store.trace_list import Wanted

PAGE: Final = 40
_SHOWN: Final = 300
_NO_TEXT: Final = frozenset(
    {"id", "conversation_id", "message_id", "outbox_id", "asked_by_turn", "prompt_bundle", "provider_id", "kind"}
    | {"status", "state", "ack", "code", "outcome", "function", "provider", "intent", "language", "supported_by"}
)
"""Keys whose values are words of ours: a contact who is called like one of them changes none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One turn of the list: its row, and the customer's words as they may be read."""

    row: Row
    said: str


async def recent(
    tx: Connection, wanted: Wanted, key: bytes, *, before: tuple[datetime, UUID] | None = None, limit: int = PAGE
) -> tuple[list[Line], bool]:
    """The last turns, and whether there are more. ``key`` decides which names stand for names."""
    rows = await trace_list.recent(tx, wanted, before=before, limit=limit + 1)
    return [_line(row, key) for row in rows[:limit]], len(rows) > limit


async def anonymous(tx: Connection, turn_id: UUID, key: bytes) -> Explanation:
    """A turn's explanation, masked, the contact's name left out and other persons' replaced. Raises NotFoundError."""
    masked = await explain(tx, turn_id)
    names = NameWords(_choice(key, str(masked["turn"]["conversation_id"])), keep=[masked["turn"]["tenant"] or ""])
    names.learn(masked["turn"]["contact"] or "")
    for text in _texts(masked):
        names.learn_from_text(text)
    for name in PersonNames.in_json([masked["tool_calls"], masked["writes"], masked["approvals"], masked["handoffs"]]):
        names.learn(name)
    explanation: Explanation = _renamed(masked, names)
    explanation["turn"]["contact"] = "[NAME]"
    return explanation


def _line(row: Row, key: bytes) -> Line:
    text = redact((row["text"] or "")[:_SHOWN])
    names = NameWords(_choice(key, str(row["conversation_id"])))
    for name in (row["contact"], row["push_name"]):
        names.learn(name or "")
    names.learn_from_text(text)
    return Line(row, names.replace(text))


def _choice(key: bytes, conversation: str) -> Callable[[str, int], int]:
    def choice(subject: str, among: int) -> int:
        drawn = hmac.new(key, f"{conversation}\0{subject}".encode(), hashlib.sha256).digest()
        return int.from_bytes(drawn[:8]) % among

    return choice


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for name, item in value.items():
                if name not in _NO_TEXT:
                    yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def _renamed(value: Any, names: NameWords) -> Any:
    match value:
        case str():
            return names.replace(value)
        case Mapping():
            return {name: item if name in _NO_TEXT else _renamed(item, names) for name, item in value.items()}
        case list():
            return [_renamed(item, names) for item in value]
    return value
