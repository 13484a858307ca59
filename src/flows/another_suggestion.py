"""Another suggestion, at an operator's wish: written by the tenant's model, checked claim by claim, never sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from agent.claims import check
from domain.decisions import Reason, ToolCall
from domain.errors import NotFoundError, OutdatedError
from domain.suggestions import Wanted, checked_wish
from domain.text import storable_json
from flows import autonomy
from flows.desk import Actor
from flows.writing_help import Opened, WritingHelp
from store import conversations, earlier, suggestions
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup


@dataclass(frozen=True, slots=True)
class _Behind:
    """What the suggestion on offer rests on."""

    suggestion: Row
    calls: Sequence[ToolCall]
    passages: Sequence[tuple[str, str]]
    sources: Sequence[Mapping[str, Any]]


class AnotherSuggestion:
    """Puts a new suggestion in place of one on offer, which is kept as superseded."""

    def __init__(self, db: Database, wakeup: Wakeup, writing: WritingHelp) -> None:
        self._db = db
        self._wakeup = wakeup
        self._writing = writing

    async def ask(self, actor: Actor, conversation_id: UUID, suggestion_id: UUID, wanted: str, words: str = "") -> UUID:
        """Ask for another one (domain.suggestions.Wanted, or the operator's own ``words``). Returns its id.

        Raises what WritingHelp raises, InvalidInputError, or OutdatedError where something newer came first, also
        while the model was writing; the former one then stays as it is.
        """
        wish, said = checked_wish(wanted, words)
        async with self._db.transaction(actor.tenant_id) as tx:
            behind = await _behind(tx, conversation_id, suggestion_id)
        former = behind.suggestion
        async with self._writing.opened(actor.tenant_id, conversation_id) as opened:
            if opened.row["fence"] != former["fence"]:
                raise OutdatedError("suggestion", "a newer message or another person came first")
            language = wish.language or opened.language(former["text"])
            text = await opened.writing.rewritten(former["text"], wanted=wish.value, words=said, language=language)
            warning = opened.guard(text, f"{former['text']}\n{said}")
            unsupported = _unsupported(text, language, opened, behind)
            model = opened.writing.model.settings.model
        explanation = _explanation(behind, wish, said, model, warning)
        async with self._db.transaction(actor.tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            current = await _pending(tx, conversation_id, suggestion_id)
            if current["fence"] != conversation["fence"]:
                raise OutdatedError("suggestion", "a newer message or another person came first")
            await autonomy.judged(tx, actor.tenant_id, current, "replaced")
            found = await suggestions.replace(
                tx,
                current,
                text,
                user_id=actor.person,
                instruction=said or wish.value,
                unsupported=unsupported,
                explanation=explanation,
                actor=str(actor),
            )
        self._wakeup.signal(EVENTS)
        return found


async def _pending(tx: Connection, conversation_id: UUID, suggestion_id: UUID) -> Row:
    row = await tx.fetchrow(
        "SELECT * FROM suggestion WHERE id = $1 AND conversation_id = $2", suggestion_id, conversation_id
    )
    if row is None:
        raise NotFoundError("suggestion", suggestion_id)
    if row["status"] != "pending":
        raise OutdatedError("suggestion", f"it is {row['status']} by now")
    return row


async def _behind(tx: Connection, conversation_id: UUID, suggestion_id: UUID) -> _Behind:
    row = await _pending(tx, conversation_id, suggestion_id)
    turn = await tx.fetchrow("SELECT decision, trace FROM turn WHERE id = $1", row["turn_id"])
    decision: Mapping[str, Any] = turn["decision"] if turn is not None else {}
    sources = row["explanation"].get("sources") or decision.get("sources") or []
    refs = [source["ref"] for source in sources if source.get("kind") == "knowledge"]
    calls = turn["trace"].get("tool_calls", ()) if turn is not None else ()
    return _Behind(row, [ToolCall(**call) for call in calls], await earlier.passages(tx, refs), sources)


def _unsupported(text: str, language: str, opened: Opened, behind: _Behind) -> list[dict[str, Any]]:
    """What of the new text neither the results, the documents nor the supported part of the former one says."""
    former = behind.suggestion
    supported = former["text"]
    for span in sorted(former["unsupported"], key=lambda one: -int(one["start"])):
        supported = supported[: span["start"]] + " " + supported[span["end"] :]
    texts = [("suggestion", supported)]
    if opened.profile.persona:
        texts.append(("persona", opened.profile.persona))
    sources = opened.sources(calls=behind.calls, passages=behind.passages, texts=texts)
    return [asdict(span) for span in check(text, language, sources).unsupported]


def _explanation(behind: _Behind, wish: Wanted, said: str, model: str, warning: str) -> dict[str, Any]:
    reasons = [Reason("asked_for", said or wish.value), Reason("model_answered", model)]
    if warning:
        reasons.append(Reason("look_twice", warning))
    kept = {name: value for name, value in behind.suggestion["explanation"].items() if name in {"confidence", "intent"}}
    found: dict[str, Any] = storable_json(
        {**kept, "reasons": [asdict(reason) for reason in reasons], "sources": list(behind.sources)}
    )
    return found
