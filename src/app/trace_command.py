"""``atende trace``: find the turns that were meant, in whichever tenant they are, and explain them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.administration import open_database
from app.settings import Settings
from app.trace_text import lines_of
from domain.errors import InvalidInputError, NotFoundError
from flows import traces
from flows.traces import AmbiguousIdError, Explanation
from store.database import Connection, Database

_MOST_TURNS = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to explain: a turn, a message or a conversation. Ids of turns and conversations may be short."""

    turn: str | None = None
    message: int | None = None
    conversation: str | None = None
    last: int = _MOST_TURNS
    """At most this many turns of a conversation."""
    reveal: bool = False

    def check(self) -> None:
        """Raises InvalidInputError unless exactly one thing is asked for."""
        if sum(given is not None for given in (self.turn, self.message, self.conversation)) != 1:
            raise InvalidInputError(
                "trace",
                "name one thing to explain",
                hint="Say: atende trace TURN, or --message ID, or --conversation ID.",
            )


async def explain(settings: Settings, wanted: Wanted) -> list[Explanation]:
    """The explanations, oldest first. Raises NotFoundError, AmbiguousIdError or InvalidInputError."""
    wanted.check()
    async with open_database(settings) as (url, db):
        return await explain_in(url, db, wanted)


async def explain_in(owner_url: str, db: Database, wanted: Wanted) -> list[Explanation]:
    """The same in an open database; ``owner_url`` reaches it as the role that migrated it."""
    if wanted.turn is not None:
        tenant_id, turn_ids = await _by_turn(owner_url, db, wanted.turn)
    elif wanted.message is not None:
        message_id = wanted.message
        if not 0 <= message_id < 2**63:
            raise NotFoundError("message", message_id)
        tenant_id, turn_ids = await _first(
            owner_url, db, "message", message_id, lambda tx: traces.find_turns_of_message(tx, message_id)
        )
    else:
        conversation, last = wanted.conversation or "", wanted.last
        traces.id_beginning("conversation", conversation)
        tenant_id, turn_ids = await _first(
            owner_url,
            db,
            "conversation",
            conversation,
            lambda tx: traces.find_turns_of_conversation(tx, conversation, limit=last),
        )
    async with db.transaction(tenant_id) as tx:
        return [await traces.explain(tx, turn_id, reveal=wanted.reveal) for turn_id in turn_ids]


def lines(explanations: list[Explanation], *, as_json: bool) -> list[str]:
    """What is printed: for a person, or one JSON list."""
    if as_json:
        return [json.dumps(explanations, ensure_ascii=False, indent=2)]
    if not explanations:
        return ["No turn of the agent read this (yet)."]
    printed: list[str] = []
    for explanation in explanations:
        printed += [*([""] if printed else []), *lines_of(explanation)]
    return printed


async def _by_turn(owner_url: str, db: Database, given: str) -> tuple[UUID, list[UUID]]:
    found: list[tuple[UUID, UUID]] = []
    for tenant_id in await _tenants(owner_url):
        async with db.transaction(tenant_id) as tx:
            found += [(tenant_id, turn_id) for turn_id in await traces.find_turns(tx, given)]
    if not found:
        raise NotFoundError("turn", given)
    if len(found) > 1:
        raise AmbiguousIdError("turn", given, [turn_id for _, turn_id in found])
    return found[0][0], [found[0][1]]


async def _first(
    owner_url: str, db: Database, kind: str, key: object, find: Callable[[Connection], Awaitable[list[UUID] | None]]
) -> tuple[UUID, list[UUID]]:
    for tenant_id in await _tenants(owner_url):
        async with db.transaction(tenant_id) as tx:
            turn_ids = await find(tx)
        if turn_ids is not None:
            return tenant_id, turn_ids
    raise NotFoundError(kind, key)


async def _tenants(owner_url: str) -> list[UUID]:
    owner = await asyncpg.connect(owner_url)  # the list is closed to the application's own role
    try:
        return [row["tenant_id"] for row in await owner.fetch("SELECT tenant_id FROM gate.list_tenants()")]
    finally:
        await owner.close()
