"""Wait for a person. Resuming runs the interrupted node again, so nothing else stands here."""

from __future__ import annotations

from langgraph.types import interrupt

from agent.state import TurnState


async def approve(state: TurnState) -> TurnState:
    return {"approved": bool(interrupt({"function": state["ready"]["function"]}))}
