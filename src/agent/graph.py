"""The agent: one graph for a turn, and the same graph made durable where a person must approve an action.

    START ── understand ─┬──────── END      understand  language, person asked for, intent, parameters
                         ├─ act ───── END      act         run the function, or ask for approval
                         ├─ several ─ END      several     the wishes of one message, one reply
                         ├─ converse ─ END     converse    the language model, with functions
                         │     ↓
                         └─ answer ── END      answer      knowledge, one question back, or a person

    START ── approve ── act ── END             approve     wait for a person (durable runs only)

Whichever step is the last ends with ``Decide``: reply policy and announcements. It is no node of its own, because going
from one node to the next costs LangGraph 0.4 ms and Decide 0.1.

A turn runs without a checkpointer over state read from our own tables. An approval has a thread of its own, which holds
the ready call as JSON and nothing else.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from time import perf_counter
from typing import Any, Final, Protocol, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from agent.bundle import bundle_hash
from agent.dialogue import Dialogue
from agent.masked_model import masked
from agent.nodes.act import Act
from agent.nodes.answer import Answer
from agent.nodes.approve import ApprovalNotPendingError, approve
from agent.nodes.converse import Converse
from agent.nodes.decide import Decide
from agent.nodes.several import Several
from agent.nodes.understand import Understand
from agent.prompts import PromptLibrary, load_prompts
from agent.state import Evidence, Reading, ReadyCall, TurnState, evidence_of
from agent.texts import FixedTexts, load_texts
from agent.turn import TurnContext, TurnInput, TurnResult
from domain.decisions import AskApproval, Decision, HandOff, Suggest, TurnTrace

Builder = StateGraph[TurnState, TurnContext, TurnState, TurnState]
Compiled = CompiledStateGraph[TurnState, TurnContext, TurnState, TurnState]


class Node(Protocol):
    """A step of the graph: what it returns is merged into the state."""

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState: ...


def build_graph(prompts: PromptLibrary, texts: FixedTexts) -> Builder:
    """The graph of a turn, before it is compiled."""
    decide = Decide(prompts, texts)
    graph: Builder = StateGraph(TurnState, context_schema=TurnContext)
    graph.add_node("understand", _step("understand", Understand(texts), decide))
    graph.add_node("act", _step("act", Act(texts), decide))
    graph.add_node("several", _step("several", Several(texts), decide))
    graph.add_node("converse", _step("converse", Converse(prompts, texts), decide))
    graph.add_node("answer", _step("answer", Answer(texts), decide))
    graph.add_edge(START, "understand")
    graph.add_conditional_edges("understand", _next, _STEPS)
    graph.add_conditional_edges("converse", _next, {"answer": "answer", "decide": END})
    return graph


def build_approval_graph(prompts: PromptLibrary, texts: FixedTexts) -> Builder:
    """What follows a person's answer: the step ``act`` of the turn, made durable."""
    graph: Builder = StateGraph(TurnState, context_schema=TurnContext)
    graph.add_node("approve", approve)
    graph.add_node("act", _step("act", Act(texts), Decide(prompts, texts)))
    graph.add_edge(START, "approve")
    graph.add_edge("approve", "act")
    return graph


_STEPS: Final[dict[Hashable, str]] = {
    "act": "act",
    "several": "several",
    "converse": "converse",
    "answer": "answer",
    "decide": END,
}


# A router is a coroutine: LangGraph hands plain functions to a thread, which costs more than the node before them.
async def _next(state: TurnState) -> str:
    return state["step"]


def _step(name: str, node: Node, decide: Decide) -> Node:
    """A node that notes how long it took and, where no other follows, decides."""

    async def run(state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        update = await _timed(name, node, state, runtime)
        if update.get("step", "decide") != "decide":
            return update
        decided = await _timed("decide", decide, cast("TurnState", {**state, **update}), runtime)
        return {**update, **decided}

    return run


async def _timed(stage: str, node: Node, state: TurnState, runtime: Runtime[TurnContext]) -> TurnState:
    started = perf_counter()
    update = await node(state, runtime=runtime)
    evidence = update.get("evidence") or evidence_of(state)
    return {**update, "evidence": evidence.took(stage, (perf_counter() - started) * 1000)}


class Agent:
    """Runs turns. Holds no state of any conversation; one per process is enough.

    ``saver`` is needed for approvals only. Its tables hold customers' data and know no tenant: hand in one whose
    serializer encrypts, or whose tables are isolated.
    """

    def __init__(
        self, prompts: PromptLibrary, texts: FixedTexts, saver: BaseCheckpointSaver[Any] | None = None
    ) -> None:
        self.prompts = prompts
        self.texts = texts
        self._saver = saver
        self._turn = build_graph(prompts, texts).compile(name="turn")
        self._approval = build_approval_graph(prompts, texts).compile(saver, name="approval") if saver else None
        self._bundles: dict[tuple[str, str, str], str] = {}

    async def run(self, turn: TurnInput, context: TurnContext) -> TurnResult:
        """Decide about the unanswered messages. Sends nothing, saves nothing."""
        context = masked(turn, context)
        return self._result(await self._turn.ainvoke({"turn": turn}, context=context), context)

    async def start_approval(self, thread_id: str, approval: Mapping[str, Any]) -> None:
        """Store the call of an AskApproval under a fresh ``thread_id``; ``approval`` is ``TurnResult.approval``."""
        await self._durable.ainvoke({"ready": cast(ReadyCall, dict(approval))}, _config(thread_id), durability="exit")

    async def resume_approval(self, thread_id: str, *, approved: bool, context: TurnContext) -> TurnResult:
        """A person has answered: act, or tell the customer that it was not granted. Prune the thread afterwards.

        Raises ApprovalNotPendingError when it was answered before. A run that died in between may be resumed again: the
        flows' call row keeps the action from happening twice.
        """
        waiting = await self._durable.aget_state(_config(thread_id))
        if waiting.next != ("approve",):
            raise ApprovalNotPendingError(thread_id)
        state = await self._durable.ainvoke(
            Command(resume=approved), _config(thread_id), context=context, durability="exit"
        )
        if "reading" not in state:  # another run got to its end and pruned the thread since it was looked at
            raise ApprovalNotPendingError(thread_id)
        return self._result(state, context)

    async def prune_approval(self, thread_id: str) -> None:
        """Forget an approval that was carried out, expired or was overtaken."""
        if self._saver is not None:
            await self._saver.adelete_thread(thread_id)

    @property
    def _durable(self) -> Compiled:
        if self._approval is None:
            raise ValueError("this agent was built without a saver: it cannot keep approvals")
        return self._approval

    def _result(self, state: Mapping[str, Any], context: TurnContext) -> TurnResult:
        found = cast(TurnState, state)
        evidence, reading = evidence_of(found), found["reading"]
        needs_model, void = found.get("needs_model", False), found.get("void", False)
        decision = None if needs_model or void else found["draft"]
        dialogue = Dialogue() if isinstance(decision, HandOff) else reading.dialogue
        return TurnResult(
            decision,
            self._trace(found, evidence, context),
            dialogue=dialogue.to_json(),
            language=reading.language,
            needs_model=needs_model,
            void=void,
            approval=dict(found["ready"]) if isinstance(decision, AskApproval) else None,
            notices=found.get("notices", ()),
            earns=_earns(reading, decision),
        )

    def _trace(self, state: TurnState, evidence: Evidence, context: TurnContext) -> TurnTrace:
        reading = state["reading"]
        found = reading.classification
        intent = reading.intent.name if reading.intent else found.intent if found else None
        return TurnTrace(
            prompt_bundle=self._bundle(context),
            model=evidence.model,
            intent=intent,
            confidence=found.confidence if found else None,
            alternatives=found.alternatives if found else (),
            language=reading.language,
            tool_calls=evidence.calls,
            input_tokens=evidence.usage.input_tokens,
            output_tokens=evidence.usage.output_tokens,
            cost_micros=evidence.usage.cost_micros,
            stages_ms=dict(evidence.stages_ms or {}),
            claims=state.get("ledger", ()),
            model_calls=evidence.model_calls,
            masked=context.profile.mask_model_prompts and bool(evidence.model_calls),
        )

    def _bundle(self, context: TurnContext) -> str:
        """Hashing the whole bundle in every turn would cost more than the turn: once per version of a profile."""
        profile, settings = context.profile, context.model.settings if context.model else None
        key = (profile.id, profile.version, str(settings.fingerprint()) if settings else "")
        if key not in self._bundles:
            if len(self._bundles) > _MOST_BUNDLES:
                self._bundles.clear()
            self._bundles[key] = bundle_hash(self.prompts, profile, settings)
        return self._bundles[key]


def _earns(reading: Reading, decision: Decision | None) -> str | None:
    """The intent that the verdict on this suggestion says something about: one that would go out under ``auto``."""
    if reading.intent is None or not isinstance(decision, Suggest) or decision.unsupported:
        return None
    return reading.intent.name


_MOST_BUNDLES = 1_000


def _config(thread_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id}}


def build_agent(saver: BaseCheckpointSaver[Any] | None = None) -> Agent:
    """The agent over the shipped prompts and texts."""
    return Agent(load_prompts(), load_texts(), saver)
