"""Business functions that a person runs by hand for a conversation, with arguments from a form.

Reads run at once. A write goes by the same call row as those of the agent (flows/calls.py): the form names the call by
its number, so that sending it twice runs it once, and a crash in mid-call leaves an outcome that is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from agent.proof import proves
from agent.turn import CallResult
from domain.errors import InvalidInputError, OutdatedError
from flows import hand_identity
from flows.calls import Caller, Calls
from flows.desk import Actor
from flows.functions import FunctionSource, callable_functions, holdings_of
from flows.hand_identity import IdentityNeed, IdentityNeededError
from store import conversations, events, functions, identities
from store.database import Connection, Database, Row
from store.functions import FunctionRow, Kind
from store.secrets import Sealer
from store.wakeup import EVENTS, Wakeup

_FIRST: Final = 1_000
"""Numbers of calls by hand begin here: those of the agent, counted within a turn, never come so far."""


@dataclass(frozen=True, slots=True)
class HandCall:
    """A function that is about to be run. ``number`` names this one call, and ``after`` the message it follows."""

    function: FunctionRow
    after: int
    number: int
    identity: IdentityNeed | None = None
    """What has to be found out first; None: it may run."""


class HandCalls:
    """Offers and runs functions. ``sources`` makes them callable; it is asked only when one is run."""

    def __init__(
        self, db: Database, wakeup: Wakeup, sources: Callable[[], Mapping[Kind, FunctionSource]], sealer: Sealer
    ) -> None:
        self._db, self._wakeup, self._sources, self._sealer = db, wakeup, sources, sealer

    async def offered(self, tx: Connection) -> Sequence[FunctionRow]:
        """The functions that are switched on, by name."""
        return [row for row in await functions.every(tx) if row.enabled]

    async def prepare(self, actor: Actor, conversation_id: UUID, name: str) -> HandCall:
        """A new call. Raises NotFoundError."""
        async with self._db.transaction(actor.tenant_id) as tx:
            row = await conversations.lock(tx, conversation_id)
            found = await functions.one(tx, name)
            identity = await hand_identity.needed(tx, row, found)
            number = await tx.fetchval(
                "SELECT coalesce(max(ordinal) + 1, $4) FROM function_call WHERE conversation_id = $1 "
                "AND trigger_message_id = $2 AND function = $3 AND ordinal >= $4",
                conversation_id,
                row["last_inbound_id"],
                name,
                _FIRST,
            )
        return HandCall(found, row["last_inbound_id"], number, identity)

    async def run(
        self, actor: Actor, conversation_id: UUID, name: str, arguments: Mapping[str, Any], *, after: int, number: int
    ) -> CallResult:
        """Run it once. ``after`` and ``number`` are those of ``prepare``: the same ones again give the same outcome.

        Raises NotFoundError, InvalidInputError where it cannot be called from here, OutdatedError where the
        conversation is closed by now, IdentityNeededError where the contact's identity is not proven.
        """
        async with self._db.transaction(actor.tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            row = await functions.one(tx, name)
            if await hand_identity.needed(tx, conversation, row) is not None:
                raise IdentityNeededError(name)
        return await self._run(actor, conversation, HandCall(row, after, number), arguments)

    async def verify(
        self, actor: Actor, conversation_id: UUID, name: str, arguments: Mapping[str, Any], *, after: int, number: int
    ) -> IdentityNeed | None:
        """Try to prove the contact's identity for the function ``name`` with what the contact says.

        None: it is proven. ``after`` and ``number`` as of ``run``, for the deciding function. Raises what ``run`` does.
        """
        async with self._db.transaction(actor.tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            need = await hand_identity.needed(tx, conversation, await functions.one(tx, name))
            terms = await hand_identity.terms_of(tx, actor.tenant_id)
            if need is None or need.verify is None or terms is None or need.blocked:
                return need
            subject = hand_identity.subject_of(terms, conversation)
            attempt = hand_identity.attempt_number(arguments)
            # Counted before it is made: neither a crash nor a second try at once yields another one.
            may = await identities.count_attempt(tx, actor.tenant_id, subject, terms, attempt)
        asked = HandCall(need.verify, after, number)
        result = await self._run(actor, conversation, asked, arguments) if may else None
        proven = result is not None and proves(result)
        async with self._db.transaction(actor.tenant_id) as tx:
            if proven:
                await identities.set_verified(tx, subject, terms)
            standing = await identities.standing(tx, subject, terms)
            told = {"function": need.verify.name, "outcome": "succeeded" if proven else "refused"}
            if result is not None and need.verify.effect == "read":  # of a write its call tells
                await events.append(
                    tx,
                    actor.tenant_id,
                    "function.called",
                    conversation_id=conversation_id,
                    payload=told,
                    actor=str(actor),
                )
        self._wakeup.signal(EVENTS)
        return None if proven else IdentityNeed(need.verify, blocked=standing.blocked, failed=True)

    async def _run(self, actor: Actor, conversation: Row, call: HandCall, arguments: Mapping[str, Any]) -> CallResult:
        row = call.function
        if call.number < _FIRST:
            raise InvalidInputError("number", "no number of a call", hint="Open the form again.")
        async with self._db.transaction(actor.tenant_id) as tx:
            holdings = await holdings_of(tx, actor.tenant_id, self._sealer)
            caller = await self._caller(tx, actor, conversation, call.after)
        found = callable_functions([row], self._sources(), holdings).get(row.name)
        if found is None:
            what = "cannot be called from here"
            raise InvalidInputError(row.name, what, hint="Is it switched on, and its code allowed?")

        async def still_open(tx: Connection) -> bool:
            now = await conversations.lock(tx, conversation["id"])
            return bool(now["status"] != "closed")

        result = await Calls(self._db, caller, still_open)(found, arguments, call.number)
        self._wakeup.signal(EVENTS)
        if result.outcome == "refused":
            raise OutdatedError("conversation", "it is closed by now")
        return result

    async def _caller(self, tx: Connection, actor: Actor, conversation: Row, after: int) -> Caller:
        tenant = await tx.fetchrow("SELECT locale, timezone FROM tenant WHERE id = $1", actor.tenant_id)
        addresses = await tx.fetch(
            "SELECT kind || ':' || value AS address FROM contact_address WHERE contact_id = $1 ORDER BY kind, value",
            conversation["contact_id"],
        )
        return Caller(
            tenant_id=actor.tenant_id,
            conversation_id=conversation["id"],
            contact_id=conversation["contact_id"],
            addresses=tuple(row["address"] for row in addresses),
            language=conversation["language"] or tenant["locale"],
            timezone=ZoneInfo(tenant["timezone"]),
            now=datetime.now(UTC),
            trigger_message_id=after,
            answered_before=after,  # what the agent did for an earlier message is another call
            actor=str(actor),
        )
