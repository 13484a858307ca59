"""What happens to a message as spans (domain.telemetry): received, answered by the agent, sent."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain import telemetry
from domain.messages import Outbound, Sent
from domain.telemetry import Origin
from store.database import Database, Row

if TYPE_CHECKING:  # the way in shall not load the agent
    from agent.graph import Agent
    from agent.turn import TurnContext, TurnInput, TurnResult
    from flows.session_info import SessionInfo
    from store.messages import NewMessage

AGENT_NAME = "atende"


def received(session: SessionInfo, stored: Row, message: NewMessage, *, started_ns: int) -> None:
    """The first span of a message's trace; the turn and the delivery find it by the message's id."""
    if telemetry.is_on():
        telemetry.began(
            Origin(session.tenant_id, stored["id"]),
            f"receive {session.provider}",
            attributes={
                "messaging.system": session.provider,
                "messaging.operation.name": "receive",
                "messaging.operation.type": "receive",
                "messaging.message.id": str(stored["id"]),
                "messaging.message.body.size": len(message.text.encode()),
                "gen_ai.conversation.id": str(stored["conversation_id"]),
                "atende.tenant.id": str(session.tenant_id),
                "atende.message.kind": message.kind,
                "atende.turn.enqueued": stored["enqueued"],
            },
            started_ns=started_ns,
        )


async def run_agent(agent: Agent, tenant_id: UUID, turn: TurnInput, context: TurnContext) -> TurnResult:
    """``agent.run`` in a span that follows the messages it answers."""
    if not telemetry.is_on():
        return await agent.run(turn, context)
    model = context.model.settings if context.model else None
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai" if model else AGENT_NAME,
        "gen_ai.agent.name": AGENT_NAME,
        "gen_ai.conversation.id": turn.conversation_id,
        "atende.tenant.id": str(tenant_id),
    }
    if model:
        attributes["gen_ai.request.model"] = model.model
    origins = [Origin(tenant_id, message.id) for message in turn.unanswered]
    with telemetry.span(f"invoke_agent {AGENT_NAME}", attributes=attributes, origins=origins) as span:
        result = await agent.run(turn, context)
        span.set(_outcome(result))
        if telemetry.shows_content():
            said = [{"role": "user", "parts": [{"type": "text", "content": m.text}]} for m in turn.unanswered]
            span.set({"gen_ai.input.messages": telemetry.words(said)})
    return result


def _outcome(result: TurnResult) -> dict[str, Any]:
    trace, decision = result.trace, result.decision
    outcome: dict[str, Any] = {
        "atende.decision": decision.kind if decision else "needs_model" if result.needs_model else "void",
        "atende.prompt_bundle": trace.prompt_bundle,
        "atende.language": trace.language,
        "gen_ai.usage.input_tokens": trace.input_tokens,
        "gen_ai.usage.output_tokens": trace.output_tokens,
        "atende.cost_micros": trace.cost_micros,
    }
    if trace.intent:
        outcome["atende.intent"] = trace.intent
    if trace.confidence is not None:
        outcome["atende.confidence"] = trace.confidence
    if trace.model:
        outcome["gen_ai.response.model"] = trace.model
    if decision:
        outcome["atende.reasons"] = [reason.code for reason in decision.reasons]
    return outcome


async def send(db: Database, row: Row, provider: str, message: Outbound, sending: Awaitable[Sent]) -> Sent:
    """Await ``sending`` in a span that follows the message which it answers. Raises what ``sending`` raises."""
    if not telemetry.is_on():
        return await sending
    attributes: dict[str, Any] = {
        "messaging.system": provider,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.message.id": message.key,
        "gen_ai.conversation.id": str(row["conversation_id"]),
        "atende.tenant.id": str(row["tenant_id"]),
        "atende.origin": row["origin"],
        "atende.attempt": row["attempts"],
    }
    with telemetry.span(f"send {provider}", kind="producer", attributes=attributes, origins=await _origin(db, row)):
        return await sending


async def _origin(db: Database, row: Row) -> list[Origin]:
    """The message that the sent one answers: what its turn had read, or the last one of the conversation."""
    async with db.transaction(row["tenant_id"]) as tx:
        message_id = await tx.fetchval(
            """SELECT coalesce(t.upto_message_id,
                               (SELECT max(i.id) FROM message i WHERE i.conversation_id = m.conversation_id
                                   AND i.author = 'contact' AND i.id < m.id))
                 FROM message m LEFT JOIN turn t ON t.id = m.turn_id WHERE m.id = $1""",
            row["message_id"],
        )
    return [Origin(row["tenant_id"], message_id)] if message_id else []
