"""The explanation of a turn: one value for the command line, the inbox and the interface, masked unless asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.errors import ConflictError, InvalidInputError, NotFoundError
from domain.personal_data import redact_json
from store import traces
from store.database import Connection, Row

Explanation = dict[str, Any]
"""JSON values: ``turn``, ``received``, ``understood``, ``decision``, ``model``, ``tool_calls``, ``writes``,
``approvals``, ``suggestions``, ``handoffs``, ``sent``, ``timings`` and what else the trace holds. See ``explain``."""

_UNMASKED = frozenset(
    {"id", "conversation_id", "message_id", "outbox_id", "asked_by_turn", "prompt_bundle", "provider_id"}
)
_SHORTEST_ID = 4
_SHOWN_CANDIDATES = 5


class AmbiguousIdError(ConflictError):
    """Several things begin with the id that was given; ``candidates`` are some of them."""

    def __init__(self, kind: str, beginning: str, candidates: Sequence[UUID]) -> None:
        shown = ", ".join(str(candidate) for candidate in candidates[:_SHOWN_CANDIDATES])
        super().__init__(f"Several {kind}s begin with {beginning}: {shown}.", hint="Give more of the id.")
        self.candidates = tuple(candidates)


async def explain(
    tx: Connection, turn_id: UUID, *, conversation_id: UUID | None = None, reveal: bool = False
) -> Explanation:
    """A turn's explanation, masked unless ``reveal``. Raises NotFoundError, also for another tenant's.

    ``conversation_id``: the turn must be one of this conversation.
    """
    turn = await traces.turn(tx, turn_id)
    if turn is None or conversation_id not in {None, turn["conversation_id"]}:
        raise NotFoundError("turn", turn_id)
    explanation: Explanation = _plain(_explanation(turn, await traces.around(tx, turn)))
    return explanation if reveal else _masked(explanation)


def _explanation(turn: Row, around: Mapping[str, Any]) -> Explanation:
    trace, decision = dict(turn["trace"]), turn["decision"]
    known = {
        name: trace.pop(name, default)
        for name, default in (
            ("alternatives", []),
            ("tool_calls", []),
            ("model_calls", []),
            ("stages_ms", {}),
            ("input_tokens", 0),
            ("output_tokens", 0),
            ("masked", False),
        )
    }
    for told_above in ("prompt_bundle", "model", "intent", "confidence", "language", "cost_micros", "approval_id"):
        trace.pop(told_above, None)
    return {
        "turn": {
            "id": turn["id"],
            "conversation_id": turn["conversation_id"],
            "status": turn["status"],
            "attempt": turn["attempt"],
            "at": turn["created_at"],
            "tenant": turn["tenant"],
            "number": turn["number"],
            "provider": turn["number_provider"],
            "contact": turn["contact"],
        },
        "received": around["received"],
        "understood": {
            "language": turn["language"],
            "intent": turn["intent"],
            "intent_title": turn["intent_title"],
            "confidence": turn["confidence"],
            "alternatives": [
                {"intent": name, "probability": share}
                for name, share in known["alternatives"]
                if name != turn["intent"]
            ],
        },
        "decision": decision,
        "model": {
            "prompt_bundle": turn["prompt_bundle"],
            "name": turn["model"],
            "calls": known["model_calls"],
            "input_tokens": known["input_tokens"],
            "output_tokens": known["output_tokens"],
            "cost_micros": turn["cost_micros"],
            "masked": known["masked"],
        },
        "tool_calls": known["tool_calls"],
        **{name: around[name] for name in ("writes", "approvals", "suggestions", "handoffs", "sent")},
        "timings": {
            "total_ms": turn["latency_ms"],
            "stages_ms": known["stages_ms"],
            "waited_ms": _waited(turn, around["received"]),
        },
        **trace,
    }


def _waited(turn: Row, received: Sequence[Mapping[str, Any]]) -> float | None:
    """From the last message's arrival until the turn began: debounce and queue."""
    if not received:
        return None
    since: float = (turn["created_at"] - received[-1]["received_at"]).total_seconds() * 1000
    return max(0.0, round(since - float(turn["latency_ms"]), 1))


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value


def _masked(value: Any, key: str = "") -> Any:
    """Everything but ids: masking those would cut the thread from one record to the next."""
    match value:
        case Mapping():
            return {name: item if name in _UNMASKED else _masked(item, str(name)) for name, item in value.items()}
        case list():
            return [_masked(item, key) for item in value]
        case _:
            return redact_json({key: value})[key]


async def find_turns(tx: Connection, given: str) -> list[UUID]:
    """Turns whose id is or begins with what was given."""
    return await traces.turns_by_id(tx, id_beginning("turn", given))


async def find_turns_of_message(tx: Connection, message_id: int) -> list[UUID] | None:
    """The turns behind a message; None where this tenant has no such message."""
    return await traces.turns_of_message(tx, message_id)


async def find_turns_of_conversation(tx: Connection, given: str, *, limit: int) -> list[UUID] | None:
    """The last turns of the conversation whose id is or begins so; None: there is none. Raises AmbiguousIdError."""
    found = await traces.conversations_by_id(tx, id_beginning("conversation", given))
    if len(found) > 1:
        raise AmbiguousIdError("conversation", given, found)
    return await traces.turns_of_conversation(tx, found[0], limit=limit) if found else None


def id_beginning(kind: str, given: str) -> str:
    """A whole or short id in the form in which it is looked up. Raises InvalidInputError."""
    bare = given.strip().lower().replace("-", "")
    if not _SHORTEST_ID <= len(bare) <= 32 or not set(bare) <= set("0123456789abcdef"):
        raise InvalidInputError(
            kind,
            f"{given!r} is no id",
            hint=f"Give the id that the inbox shows, or at least its first {_SHORTEST_ID} digits.",
        )
    return bare
