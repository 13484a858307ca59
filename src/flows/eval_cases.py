"""From work to cases: an edited or rejected suggestion, or a bad turn, becomes a case that a person reviews.

A case enters a suite only once it was played and showed the failure it is about, or when a person says why it should
all the same. Playing is not done here: the flows know no evaluation. A worker takes due cases (app.eval_reproduction).
"""

from __future__ import annotations

import copy
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from domain.errors import ConflictError, InvalidInputError, NotFoundError
from domain.text import storable
from flows.desk import Actor
from flows.eval_drafts import Draft, Seen, drafted, learned
from store import eval_cases, eval_sources, events
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup

Reproduction = Literal["reproduced", "not_reproduced", "errored"]
CheckCase = Callable[[Mapping[str, Any]], Sequence[str]]
"""What is wrong with a case as a suite would hold it, in sentences; nothing: it can be played."""

_ORIGINS: Final = {"edited": "edited", "rejected": "rejected"}
_LONGEST: Final = 2_000
_MOST_LINES: Final = 20
_LEASE: Final = timedelta(minutes=5)
MOST_TURNS: Final = 5_000
"""That are read for one suite."""


class CaseNotReproducedError(ConflictError):
    """The case was not seen to fail as it did at work."""

    def __init__(self, reproduction: str) -> None:
        said = "has not been played yet" if reproduction == "waiting" else "did not show the failure when it was played"
        super().__init__(
            f"The case {said}.",
            hint="Change what is expected of it, or accept it all the same and say why.",
        )
        self.reproduction = reproduction


class CaseDecidedError(ConflictError):
    """Somebody accepted or dropped the case already."""

    def __init__(self, state: str) -> None:
        super().__init__(f"The case is {state} by now.", hint="Put it back into the queue to change it.")
        self.state = state


class TooManyTurnsError(ConflictError):
    """More turns than are read at once: a part of them would look like all."""

    def __init__(self, most: int) -> None:
        super().__init__(f"That time has more than {most:,} turns.", hint="Take a shorter time, and the rest after it.")
        self.most = most


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reviewer says of a case; texts one per line. None leaves the part as it is."""

    title: str | None = None
    decision: str | None = None
    intent: str | None = None
    contains: str | None = None
    lacks: str | None = None
    reply: str | None = None


class EvalCases:
    """The review queue. ``secret``: the installation's, from which stand-ins are derived."""

    def __init__(self, db: Database, wakeup: Wakeup, secret: bytes, check: CheckCase) -> None:
        self._db = db
        self._wakeup = wakeup
        self._secret = secret
        self._check = check

    async def propose(self, actor: Actor, conversation_id: UUID, turn_id: UUID, note: str = "") -> UUID:
        """Make a case of a turn; the id of the one that is there already where somebody did. Raises NotFoundError."""
        note = storable(note.strip())[0][:_LONGEST]
        async with self._db.transaction(actor.tenant_id) as tx:
            seen = await _seen(tx, turn_id)
            if seen.turn["conversation_id"] != conversation_id:
                raise NotFoundError("turn", turn_id)
            if not seen.asked:
                raise InvalidInputError(
                    "turn", "it answers no message that is still there", hint="Choose another turn of the conversation."
                )
            status = seen.suggestion["status"] if seen.suggestion is not None else ""
            origin = _ORIGINS.get(status, "bad_turn")
            draft = await self._draft(tx, seen, origin, note)
            new = eval_cases.NewCase(conversation_id, turn_id, origin, draft.content, draft.replaced, draft.note)
            case_id = await eval_cases.propose(tx, actor.tenant_id, actor.person, new)
            if case_id is None:
                known = await eval_cases.of_turn(tx, turn_id)
                if known is None:  # dropped with its turn between the two statements
                    raise NotFoundError("turn", turn_id)
                case_id = UUID(str(known["id"]))
                if draft.happened["operator_text"] and not known["content"]["happened"]["operator_text"]:
                    # Proposed before anybody had answered the customer: now it is known what a good reply was.
                    await eval_cases.drafted_again(tx, case_id, new)
                return case_id
            await self._tell(tx, actor, "proposed", case_id, conversation_id=conversation_id)
        self._wakeup.signal(EVENTS)
        return case_id

    async def change(self, actor: Actor, case_id: UUID, wanted: Wanted) -> None:
        """Expect something else of a proposed case. Raises NotFoundError, CaseDecidedError or InvalidInputError."""
        async with self._db.transaction(actor.tenant_id) as tx:
            row = await self._proposed(tx, case_id)
            content = copy.deepcopy(row["content"])
            _expect(content["case"], content["happened"], wanted)
            await self._write(tx, actor, case_id, content)
        self._wakeup.signal(EVENTS)

    async def hide(self, actor: Actor, case_id: UUID, text: str, instead: str) -> None:
        """Replace what is still in the case and should not be: a name that no rule knows, for one."""
        text, instead = text.strip(), storable(instead.strip())[0]
        if len(text) < 2 or not instead:
            raise InvalidInputError(
                "text", "nothing to replace", hint="Write what to hide, and what stands there then."
            )
        async with self._db.transaction(actor.tenant_id) as tx:
            row = await self._proposed(tx, case_id)
            content = _replaced(row["content"], text, instead)
            if content == row["content"]:
                raise InvalidInputError("text", f"the case does not have {text!r}", hint="Write it as it stands there.")
            await self._write(tx, actor, case_id, content)
        self._wakeup.signal(EVENTS)

    async def accept(self, actor: Actor, case_id: UUID, *, reason: str = "", force: bool = False) -> None:
        """Let the case into the suite. Raises CaseNotReproducedError where it was not reproduced, unless forced."""
        reason = storable(reason.strip())[0][:_LONGEST]
        async with self._db.transaction(actor.tenant_id) as tx:
            row = await self._proposed(tx, case_id)
            reproduced = row["reproduction"] == "reproduced"
            if not reproduced and not force:
                raise CaseNotReproducedError(row["reproduction"])
            if not reproduced and not reason:
                raise InvalidInputError("reason", "a reason is needed", hint="Say why it should enter all the same.")
            await eval_cases.decide(tx, case_id, "accepted", user_id=actor.person, reason=reason, forced=not reproduced)
            await self._tell(tx, actor, "accepted", case_id, reason=reason, forced=not reproduced)
        self._wakeup.signal(EVENTS)

    async def drop(self, actor: Actor, case_id: UUID, reason: str) -> None:
        """Keep the case out of the suite. Raises InvalidInputError without a reason."""
        reason = storable(reason.strip())[0][:_LONGEST]
        if not reason:
            raise InvalidInputError("reason", "a reason is needed", hint="Say why it is dropped.")
        async with self._db.transaction(actor.tenant_id) as tx:
            await self._proposed(tx, case_id)
            await eval_cases.decide(tx, case_id, "dropped", user_id=actor.person, reason=reason)
            await self._tell(tx, actor, "dropped", case_id, reason=reason)
        self._wakeup.signal(EVENTS)

    async def reopen(self, actor: Actor, case_id: UUID) -> None:
        """Put a decided case back into the queue; it is played again. A proposed one is only played again."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await eval_cases.lock(tx, case_id)
            await eval_cases.reopen(tx, case_id)
            await self._tell(tx, actor, "reopened", case_id)
        self._wakeup.signal(EVENTS)

    async def _proposed(self, tx: Connection, case_id: UUID) -> Row:
        row = await eval_cases.lock(tx, case_id)
        if row["state"] != "proposed":
            raise CaseDecidedError(row["state"])
        return row

    async def _write(self, tx: Connection, actor: Actor, case_id: UUID, content: dict[str, Any]) -> None:
        if problems := self._check(content["case"]):
            raise InvalidInputError("case", problems[0], hint="Nothing was changed.")
        await eval_cases.change(tx, case_id, content)
        await self._tell(tx, actor, "changed", case_id)

    async def _tell(self, tx: Connection, actor: Actor, what: str, case_id: UUID, **payload: Any) -> None:
        conversation_id = payload.pop("conversation_id", None)
        await events.append(
            tx,
            actor.tenant_id,
            f"eval_case.{what}",
            conversation_id=conversation_id,
            payload={"case_id": str(case_id), **payload},
            actor=str(actor),
        )

    # ----------------------------------------------------------------------------------------------------- from turns
    async def _draft(self, tx: Connection, seen: Seen, origin: str, note: str = "") -> Draft:
        conversation = str(seen.turn["conversation_id"])
        key = hmac.new(self._secret, f"stand-ins of {conversation}".encode(), hashlib.sha256).digest()
        stand_ins = learned(seen, key)
        records = await eval_sources.records(tx, sorted(stand_ins.originals))
        for row in records:
            stand_ins.learn_json({row["key"]: row["value"]})
        return drafted(seen, stand_ins, records, origin=origin, note=note)

    async def of_time(
        self, tenant_id: UUID, since: datetime, until: datetime, *, every: bool = False, most: int = MOST_TURNS
    ) -> AsyncIterator[Draft]:
        """Cases of all turns of that time whose outcome people approved, corrected or let stand.

        Left out, unless ``every`` is asked for: what was rejected or is still pending, and turns that were proposed as
        cases. Raises TooManyTurnsError.
        """
        async with self._db.transaction(tenant_id) as tx:
            turn_ids = await eval_sources.turns_between(tx, since, until, limit=most + 1)
        if len(turn_ids) > most:
            raise TooManyTurnsError(most)
        for turn_id in turn_ids:
            async with self._db.transaction(tenant_id) as tx:
                seen = await _seen(tx, turn_id)
                origin = "automatic" if every else _kept_as(seen)
                if origin is None or not seen.asked:
                    continue
                if not every and await eval_cases.of_turn(tx, turn_id) is not None:
                    continue
                draft = await self._draft(tx, seen, origin)
            yield draft


class CasePlaying:
    """What a worker needs of the queue: due cases, and a place for what came of them."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def due(self, at_most: int = 4) -> list[Row]:
        """Due cases, each taken for a few minutes: whoever dies over one leaves it to the next."""
        taken = []
        for row in await self._db.gate("due_eval_cases", at_most):
            async with self._db.transaction(row["tenant_id"]) as tx:
                case = await eval_cases.claim(tx, row["case_id"], _LEASE)
            if case is not None:
                taken.append(case)
        return taken

    async def played(
        self, case: Row, reproduction: Reproduction, difference: Sequence[Mapping[str, Any]], note: str = ""
    ) -> None:
        """Note whether the failure was seen. ``difference``: see store.tables.evaluation."""
        async with self._db.transaction(case["tenant_id"]) as tx:
            kept = await eval_cases.played(
                tx,
                case["id"],
                case["revision"],
                reproduction=reproduction,
                difference=[dict(one) for one in difference],
                note=storable(note)[0][:_LONGEST],
            )
            if kept:
                await events.append(
                    tx,
                    case["tenant_id"],
                    "eval_case.played",
                    payload={"case_id": str(case["id"]), "reproduction": reproduction},
                )
        self._wakeup.signal(EVENTS)


async def _seen(tx: Connection, turn_id: UUID) -> Seen:
    turn = await eval_sources.turn(tx, turn_id)
    if turn is None:
        raise NotFoundError("turn", turn_id)
    around = await eval_sources.around(tx, turn)
    return Seen(turn, **around, staff=await eval_sources.names_of_people(tx))


def _kept_as(seen: Seen) -> str | None:
    """As what a turn enters a regression suite; None: nobody stood by what it decided."""
    if seen.suggestion is not None:
        status = seen.suggestion["status"]
        return status if status in {"approved", "edited"} else None
    return "automatic" if seen.turn["decision"].get("kind") not in {None, "suggest"} else None


def _expect(case: dict[str, Any], happened: dict[str, Any], wanted: Wanted) -> None:
    expect = dict(case.get("expect", {}))
    if wanted.title is not None:
        case["title"] = storable(wanted.title.strip())[0][:_LONGEST]
    if wanted.reply is not None:
        happened["operator_text"] = storable(wanted.reply.strip())[0][:_LONGEST]
    for name, value in (("decision", wanted.decision), ("intent", wanted.intent)):
        if value is not None:
            expect.pop(name, None)
            if value.strip():
                words = [word.strip() for word in value.split(",") if word.strip()]
                expect[name] = words if len(words) > 1 else words[0]
    for name, value in (("contains", wanted.contains), ("lacks", wanted.lacks)):
        if value is not None:
            expect.pop(name, None)
            if lines := [storable(line.strip())[0][:_LONGEST] for line in value.splitlines() if line.strip()]:
                expect[name] = lines[:_MOST_LINES]
    if not expect:
        raise InvalidInputError("expect", "nothing is expected of the case", hint="Fill in at least one field.")
    case["expect"] = expect


def _replaced(value: Any, text: str, instead: str) -> Any:
    match value:
        case str():
            return value.replace(text, instead)
        case Mapping():
            return {_replaced(name, text, instead): _replaced(item, text, instead) for name, item in value.items()}
        case list():
            return [_replaced(item, text, instead) for item in value]
        case _:
            return value
