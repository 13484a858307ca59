"""Running summaries of long conversations: written after a turn, when nobody waits, and kept on the conversation."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from uuid import UUID

from agent.budgeted_model import BudgetedModel
from agent.chat_window import KEPT_MESSAGES, overflows
from agent.graph import Agent
from agent.language_model import ModelError
from agent.summary import summarise
from agent.turn import HistoryMessage, TurnInput
from domain.messages import Author, MessageKind
from flows.budgets import TurnBudget
from flows.profiles import Brain
from store import summaries
from store.database import Database, Row

log = logging.getLogger(__name__)


class Summaries:
    """Sums up what left a conversation's window. One that fails or is lost is simply due again after the next turn."""

    def __init__(self, db: Database, agent: Agent) -> None:
        self._db = db
        self._agent = agent
        self._running: dict[UUID, asyncio.Task[None]] = {}

    def start_if_due(self, row: Row, turn: TurnInput, brain: Brain, budget: TurnBudget) -> None:
        """Begin a summary if the window as the turn read it (``row``) overflowed; returns at once."""
        conversation_id: UUID = row["id"]
        if brain.model is None or conversation_id in self._running or not overflows(turn):
            return
        task = asyncio.create_task(self._run(row, turn, brain, budget), name="summary")
        self._running[conversation_id] = task
        task.add_done_callback(lambda _: self._running.pop(conversation_id, None))

    async def wait_idle(self) -> None:
        """Until no summary is being written."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def close(self) -> None:
        """Give up what is being written."""
        for task in list(self._running.values()):
            task.cancel()
        await self.wait_idle()

    async def _run(self, row: Row, turn: TurnInput, brain: Brain, budget: TurnBudget) -> None:
        try:
            await self._sum_up(row, turn, brain, budget)
        except ModelError as error:
            log.info("no summary of conversation %s for now: %s", row["id"], error)
        except Exception:
            log.exception("the summary of conversation %s failed", row["id"])
        finally:
            await budget.close()

    async def _sum_up(self, row: Row, turn: TurnInput, brain: Brain, budget: TurnBudget) -> None:
        if brain.model is None:
            return
        async with self._db.transaction(row["tenant_id"]) as tx:
            due = await summaries.due(tx, row["id"], row["window_start_id"], turn.summary_upto_id, keep=KEPT_MESSAGES)
        if due is None:
            return
        messages = [
            HistoryMessage(
                id_, Author(author), text, datetime.fromtimestamp(float(at), UTC), MessageKind(kind), bool(forwarded)
            )
            for id_, kind, text, at, author, forwarded in due["messages"]
        ]
        text = await summarise(
            self._agent.prompts.of(brain.profile.prompts, "summary"),
            BudgetedModel(brain.model, budget),
            brain.profile,
            turn,
            messages,
        )
        async with self._db.transaction(row["tenant_id"], durable=False) as tx:
            await summaries.keep(
                tx,
                row["id"],
                row["window_start_id"],
                text,
                upto_id=messages[-1].id,
                change_id=due["change_id"],
                instead_of=row["summary_upto_id"],
            )
