"""Acts of turns that were overtaken: what was done and would otherwise never be told goes to a person."""

from __future__ import annotations

import dataclasses

from agent.turn import TurnResult
from domain.decisions import HandOff, HandOffReason, Reason
from domain.text import storable_json
from store.database import Connection, Row


async def answering_for(
    tx: Connection, row: Row, result: TurnResult, announcement: str, *, announce: bool
) -> TurnResult:
    """``result``, or a handoff that names the acts which its reply does not know of.

    A turn that wrote to the world and was then overtaken leaves its call behind. The next turn reads the same messages
    and normally reuses that call; where the newer message made it want something else, a person must see what was done.
    ``row``: store.turns.read. ``announcement``: what the customer is told of the handoff; ``announce``: if the policy
    lets it.
    """
    calls = await tx.fetch(
        "SELECT function, arguments, status, result FROM function_call WHERE conversation_id = $1 "
        "AND trigger_message_id > $2 AND status IN ('started', 'succeeded', 'unknown') ORDER BY started_at",
        row["id"],
        row["answered_upto_id"],
    )
    known = [(call.function, storable_json(call.arguments)) for call in result.trace.tool_calls]
    untold = [call for call in calls if (call["function"], call["arguments"]) not in known]
    if not untold:
        return result
    acts = "\n".join(
        f"Done already for an earlier message, and not told to the customer: {call['function']}({call['arguments']}), "
        f"{'outcome unknown' if call['status'] == 'started' else call['status']}: {call['result'].get('value')}"
        for call in untold
    )
    reason = Reason("untold_act", ", ".join(call["function"] for call in untold))
    decision = result.decision
    if isinstance(decision, HandOff):
        handoff = dataclasses.replace(
            decision, summary=f"{acts}\n{decision.summary}", reasons=(*decision.reasons, reason)
        )
    else:
        reasons = (*(decision.reasons if decision else ()), reason)
        handoff = HandOff(HandOffReason.UNKNOWN_OUTCOME, announcement, acts, reasons, announce=announce)
        result = dataclasses.replace(result, notices=())
    return dataclasses.replace(result, decision=handoff, dialogue={}, approval=None, earns=None)
