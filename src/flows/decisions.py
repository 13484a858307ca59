"""Writing what the agent decided: the turn, what the customer gets and what waits for a person, all or nothing."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from agent.pacing import SPLIT_CHARACTERS, split
from agent.turn import TurnResult
from domain.conversation import Event
from domain.decisions import AskApproval, Decision, HandOff, Reply, Span, StaySilent, Suggest
from domain.text import storable, storable_json
from flows import service_window
from flows.teams import queue_for_intent, team_for
from store import conversations, events, turns
from store.database import Connection, Row

APPROVAL_LIFETIME = timedelta(hours=24)


async def write(
    tx: Connection,
    row: Row,
    result: TurnResult,
    *,
    upto_message_id: int,
    attempt: int = 1,
    latency_ms: float = 0.0,
    approval_id: UUID | None = None,
    must_be_told: bool = False,
) -> Row | None:
    """Write the decision if the conversation is still as ``row`` (store.turns.read) shows it; None if it is not.

    None, too, where the kill switch bars what it would say (``turns.is_stopped``).
    ``must_be_told``: the text reports something that did happen, so that nothing newer may cancel it.
    """
    result = await service_window.within(tx, row, result)
    decision = result.decision
    if decision is None:
        raise ValueError("a turn without a decision cannot be written")
    turn_id = uuid.uuid4()
    trace = result.trace
    text = _said_by_itself(decision)
    written = await turns.decide(
        tx,
        conversation_id=row["id"],
        fence=row["fence"],
        turn_id=turn_id,
        upto_message_id=upto_message_id,
        answered_before=row["answered_upto_id"],
        attempt=attempt,
        language=result.language,
        text=text,
        # The announcement of a handoff is owed whatever comes next; all else gives way to newer messages.
        text_may_be_cancelled=not (must_be_told or isinstance(decision, HandOff)),
        decision=storable_json(dataclasses.asdict(decision)),
        intent=trace.intent,
        confidence=trace.confidence,
        prompt_bundle=trace.prompt_bundle,
        model=trace.model,
        trace=storable_json(dataclasses.asdict(trace)),
        dialogue=storable_json(dict(result.dialogue)),
        cost_micros=trace.cost_micros,
        latency_ms=latency_ms,
        parts=_parts(text, row["settings"], result.notices),
    )
    if written is not None:
        await _carry_out(tx, row, turn_id, result, upto=upto_message_id, approval_id=approval_id)
    return written


def _said_by_itself(decision: Decision) -> str:
    """What goes to the customer without a person."""
    if isinstance(decision, Suggest | StaySilent) or (isinstance(decision, HandOff) and not decision.announce):
        return ""
    return storable(decision.text)[0]


def _parts(text: str, settings: Mapping[str, Any], notices: Sequence[str]) -> list[dict[str, Any]]:
    """The messages that the text is sent in, each with what it says besides: a cancelled part has not said it."""
    limit = settings.get("pacing", {}).get("split_characters", SPLIT_CHARACTERS)
    texts = split(text, int(limit))
    parts: list[dict[str, Any]] = [{"text": part, "notices": []} for part in texts]
    for notice in notices if parts else ():
        # The disclosure opens a text; all else is added to its end (agent.announcing).
        parts[0 if notice == "disclosure" else -1]["notices"].append(notice)
    return parts


async def suggest(
    tx: Connection,
    tenant_id: UUID,
    conversation_id: UUID,
    text: str,
    *,
    turn_id: UUID | None,
    intent: str | None = None,
    unsupported: Sequence[Span] = (),
    origin: str = "agent",
    explanation: Mapping[str, Any] | None = None,
) -> UUID:
    """Offer a text to the operators, in place of any that was offered before. The caller holds the lock.

    ``intent``: whose record the verdict on it adds to (flows.autonomy). ``unsupported``: parts of the text that the
    operator should look at before it goes out. ``origin``: the name of the program that proposes it, with its
    ``explanation`` (confidence from 0 to 1, reasons and sources as a decision has them, all optional).
    """
    await conversations.withdraw_drafts(tx, conversation_id)
    suggestion_id: UUID = await tx.fetchval(
        """INSERT INTO suggestion (tenant_id, conversation_id, turn_id, text, intent, unsupported, fence, origin,
                                   explanation)
           SELECT $1, $2, $3, $4, $5, $6, fence, $7, $8 FROM conversation WHERE id = $2 RETURNING id""",
        tenant_id,
        conversation_id,
        turn_id,
        storable(text)[0],
        intent,
        [dataclasses.asdict(span) for span in unsupported],
        origin,
        storable_json(dict(explanation or {})),
    )
    await events.append(
        tx,
        tenant_id,
        "suggestion.created",
        conversation_id=conversation_id,
        payload={"suggestion_id": str(suggestion_id)},
        actor="bot" if origin == "agent" else f"api:{origin}",
    )
    return suggestion_id


async def _carry_out(
    tx: Connection,
    row: Row,
    turn_id: UUID,
    result: TurnResult,
    *,
    upto: int,
    approval_id: UUID | None,
) -> None:
    """The rows that a decision needs beside the turn and its message."""
    tenant_id, conversation_id = row["tenant_id"], row["id"]
    match result.decision:
        case Suggest(text=text, unsupported=unsupported):
            await suggest(
                tx,
                tenant_id,
                conversation_id,
                text,
                turn_id=turn_id,
                intent=result.earns,
                unsupported=unsupported,
            )
        case AskApproval(function=function, arguments=arguments):
            await tx.execute(
                """INSERT INTO approval (id, tenant_id, conversation_id, turn_id, function, arguments, call,
                                         upto_message_id, expires_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9)""",
                approval_id,
                tenant_id,
                conversation_id,
                turn_id,
                function,
                storable_json(arguments),
                storable_json(result.approval),
                upto,
                APPROVAL_LIFETIME,
            )
            await events.append(
                tx,
                tenant_id,
                "approval.created",
                conversation_id=conversation_id,
                payload={"approval_id": str(approval_id), "function": function},
                actor="bot",
            )
        case HandOff() as handoff:
            await conversations.apply(tx, conversation_id, Event.HANDED_OFF, actor="bot")
            if team := team_for(row["settings"], result.trace.intent):
                await queue_for_intent(tx, conversation_id, team)
            await tx.execute(
                """INSERT INTO handoff (tenant_id, conversation_id, turn_id, reason, summary, collected, next_step,
                                        announcement, announced)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
                tenant_id,
                conversation_id,
                turn_id,
                handoff.reason.value,
                storable(handoff.summary)[0],
                storable_json(dict(handoff.collected)),
                storable(handoff.next_step)[0],
                storable(handoff.text)[0],
                handoff.announce,
            )
            if not handoff.announce:
                # The policy lets nothing out by itself; one click of an operator's does.
                await suggest(tx, tenant_id, conversation_id, handoff.text, turn_id=turn_id)
        case Reply() | StaySilent() | None:
            pass
