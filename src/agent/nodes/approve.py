"""Wait for a person. Resuming runs the interrupted node again, so nothing else stands here."""

from __future__ import annotations

from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt

from agent.state import TurnState
from domain.errors import ConflictError


class ApprovalNotPendingError(ConflictError):
    """The approval was answered before, or its thread was pruned: there is nothing to resume."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"Approval {thread_id} is not pending.", hint="Reload: it may have been answered already.")
        self.thread_id = thread_id


async def approve(state: TurnState, config: RunnableConfig) -> TurnState:
    if "ready" not in state:  # another run came to its end and pruned the thread since it was looked at
        raise ApprovalNotPendingError(config["configurable"]["thread_id"])
    return {"approved": bool(interrupt({"function": state["ready"]["function"]}))}
