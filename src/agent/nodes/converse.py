"""The language model answers, with the business's functions as tools. Every failure ends in words or a handoff."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Final

from langgraph.runtime import Runtime

from agent.arguments import parse_spelled_arguments
from agent.authority import Authority
from agent.budgeted_model import BudgetUsedUpError
from agent.chat import HAND_OFF_REASONS, HAND_OFF_TOOL, opening_messages, requested, tool_message
from agent.confirming import ask_to_confirm
from agent.dialogue import Dialogue
from agent.drafts import hand_off, reply, written
from agent.identity import check_identity, decides_identity
from agent.language_model import LanguageModel, Message, ModelAnswer, ModelError, RequestedCall
from agent.nodes.act import ask_approval, handed_off_outcome, needs_approval
from agent.normalise import visible
from agent.outgoing import REVEALING, Outgoing
from agent.prompts import PromptLibrary
from agent.recording import record
from agent.relevance import CANDIDATES
from agent.state import Evidence, Reading, ReadyCall, TurnState, evidence_of
from agent.texts import FixedTexts
from agent.turn import CallResult, Passage, TurnContext, TurnInput
from agent.untrusted import asks_about_itself, gives_orders
from domain.decisions import HandOff, HandOffReason, ReplyMode, Source
from domain.errors import InvalidInputError
from domain.policy import UNSUPPORTED
from domain.text import storable, storable_json
from tools.declaration import BusinessFunction

_ROUNDS: Final = 5
"""Answers of the model in one turn; the last may not call anything more."""
_CORRECTIONS: Final = 3
"""Unusable calls in one turn before the model is given up."""
_PASSAGES: Final = 4
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")
_MARKS: Final = re.compile(
    r"</?(?:customer_message|customer_name|passage|conversation_summary|progress|function_result)\b[^>]{0,200}>"
)
"""Our own delimiters; a model that repeats them must not show them to a customer."""


class Converse:
    """One turn of function calling."""

    def __init__(self, prompts: PromptLibrary, texts: FixedTexts) -> None:
        self.prompts = prompts
        self.texts = texts

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        context, reading = runtime.context, state["reading"]
        if context.model is None:
            return {"step": "answer"}
        found = await context.search(reading.text, reading.language, CANDIDATES)
        likely = [p for p in found[:_PASSAGES] if p.score >= context.profile.knowledge_threshold]
        passages = [p for p in likely if not gives_orders(p.text, context.profile.functions)]
        evidence = evidence_of(state)
        for passage in likely:
            if passage not in passages:
                evidence = evidence.because("passage_gives_orders", passage.ref)
        prompt = self.prompts.of(context.profile.prompts, "converse")
        messages = opening_messages(prompt, state["turn"], context, reading, passages)
        authority = Authority(state["turn"], context, reading.language)
        guard = Outgoing.for_turn(prompt, context, reading, authority.voice, passages)
        loop = _Loop(self.texts, state["turn"], context, reading, evidence, passages, authority, guard)
        loop.probed = any(asks_about_itself(message.text) for message in state["turn"].unanswered)
        return await loop.run(context.model, messages, prompt.model)


@dataclass(slots=True)
class _Loop:
    """The tool loop of one turn and what it has gathered."""

    texts: FixedTexts
    turn: TurnInput
    context: TurnContext
    reading: Reading
    evidence: Evidence
    passages: Sequence[Passage]
    authority: Authority
    guard: Outgoing
    corrections: int = 0
    probed: bool = False
    """The customer asks how the assistant is set up: what the model tells of it, in whatever words, stays inside."""
    misled: bool = False
    """The model wanted to look up or change what the customer never named."""

    async def run(self, model: LanguageModel, messages: list[Message], options: Any) -> TurnState:
        functions = self._functions()
        tools = [*(function.json_schema() for function in functions.values()), HAND_OFF_TOOL]
        for turn in range(_ROUNDS):
            last = turn == _ROUNDS - 1
            started = perf_counter()
            try:
                answer = await model.complete(messages, tools=() if last else tools, **options)
            except BudgetUsedUpError as error:
                return hand_off(self.reading, self.evidence, HandOffReason.COST_CAP, "cost_cap", error.limit)
            except ModelError as error:
                self.evidence = self.evidence.unanswered(model.settings.model, _since(started))
                return self._give_up("model_failed", f"{error} {'; '.join(error.attempts)}")
            self.evidence = self.evidence.written_by(answer, _since(started))
            for attempt in answer.attempts:
                self.evidence = self.evidence.because("model_retried", attempt)
            if not answer.tool_calls or last:
                return self._said(answer)
            messages.append(requested(answer))
            for call in answer.tool_calls:
                ended = await self._call(call, messages)
                if ended is not None:
                    return ended
            if self.corrections > _CORRECTIONS:
                return self._give_up("model_calls_unusable", f"{self.corrections} calls could not be carried out")
        raise AssertionError("the last round always ends the loop")

    def _functions(self) -> dict[str, BusinessFunction]:
        """What the model may call: never the function that decides about identities."""
        found = self.context.profile.functions
        return {name: function for name, function in found.items() if not decides_identity(name, self.context)}

    async def _call(self, call: RequestedCall, messages: list[Message]) -> TurnState | None:
        """Carry one call out and append its outcome; a result ends the turn."""
        if call.name == "hand_off":
            return self._hand_off(call, messages)
        function = self._functions().get(call.name)
        if function is None:
            known = ", ".join([*self._functions(), "hand_off"])
            self._correct(call, messages, f"there is no function {call.name!r}; the functions are {known}")
            return None
        if call.unknown_placeholders:
            made_up = ", ".join(call.unknown_placeholders)
            self._correct(call, messages, f"{made_up} stands for nothing here; copy marks exactly or ask the customer")
            return None
        try:
            arguments = parse_spelled_arguments(function, call)
        except InvalidInputError as error:
            self._correct(call, messages, str(error))
            return None
        foreign = self.authority.foreign_value(function, arguments)
        if foreign is not None:
            self.misled = True
            self.evidence = self.evidence.because("value_not_from_customer", f"{function.name}: {foreign.name}")
            self._correct(
                call, messages, f"{foreign.name}: the customer never gave this value; ask the customer for it"
            )
            return None
        ready = ReadyCall(
            function=function.name,
            arguments=arguments,
            ordinal=sum(earlier.function == function.name for earlier in self.evidence.calls),
            intent=await self._intent_behind(function),
            language=self.reading.language,
            contact=dict(self.reading.contact or {}),
            failures=0,
        )
        unproven, self.evidence = await check_identity(
            self.texts, self.turn, self.context, self.reading, self.evidence, ready=ready, for_model=True
        )
        if unproven is not None:
            return unproven
        if needs_approval(function, self.context, ready["intent"]):
            return ask_approval(self.texts, self.context.profile, self.reading, self.evidence, ready)
        if function.effect == "write":
            grounds = await self.authority.judge(function, arguments)
            self.evidence = self.evidence.supported_by(grounds.reasons)
            if grounds.verdict != "run":
                ask = ask_to_confirm if grounds.verdict == "confirm" else ask_approval
                return ask(self.texts, self.context.profile, self.reading, self.evidence, ready)
        result = self._already(ready) or await self.context.call(function, arguments, ready["ordinal"])
        if result.outcome == "refused":
            return {"evidence": self.evidence.because("call_refused"), "void": True, "step": "decide"}
        self.evidence = record(self.evidence, function.name, arguments, result)
        if result.outcome == "succeeded":
            self.authority.learn(function, arguments, result.result)
        content = {"status": result.outcome, "code": result.error_code, "result": result.result}
        messages.append(tool_message(call, {key: value for key, value in content.items() if value is not None}))
        return handed_off_outcome(self.reading, self.evidence, result)

    async def _intent_behind(self, function: BusinessFunction) -> str | None:
        """The intent that the call is made for, where trust hangs on it: as understood here, not by the model."""
        if function.name not in self.context.profile.trusted_only_for:
            return None
        return await self.authority.intent_for(function)

    def _already(self, ready: ReadyCall) -> CallResult | None:
        """The same call with the same arguments in one turn acts once: models do repeat themselves."""
        for call in self.evidence.calls:
            same = (call.function, call.arguments) == (ready["function"], ready["arguments"])
            if same and call.outcome == "succeeded":
                return CallResult("succeeded", call.result)
        return None

    def _hand_off(self, call: RequestedCall, messages: list[Message]) -> TurnState | None:
        try:
            given = storable_json(json.loads(call.arguments or "{}"))
        except (ValueError, RecursionError):
            given = {}
        given = given if isinstance(given, dict) else {}
        named = str(given.get("reason", ""))
        # Whatever else is wrong with the call, the model wants a person: nobody gains by arguing with it.
        reason = HandOffReason(named) if named in set(HAND_OFF_REASONS) else HandOffReason.OUTSIDE_POLICY
        if not self.context.profile.hand_off.wants(reason):
            self._correct(call, messages, f"the business wants no handoff for {reason}; answer, or say what is missing")
            return None
        step = hand_off(self.reading, self.evidence, reason, "model_hands_off", named)
        return {**step, "draft": HandOff(reason, "", str(given.get("summary", ""))[:1_000])}

    def _correct(self, call: RequestedCall, messages: list[Message], problem: str) -> None:
        self.corrections += 1
        self.evidence = self.evidence.because("model_call_unusable", f"{call.name}: {problem}")
        messages.append(tool_message(call, {"status": "error", "problem": problem}))

    def _said(self, answer: ModelAnswer) -> TurnState:
        text = storable(_MARKS.sub("", _BOLD.sub(r"*\1*", answer.text)).strip())[0]
        if not visible(text).strip():
            return self._give_up("model_never_answered", "it kept calling functions")
        if answer.finish_reason in {"length", "content_filter"}:
            return self._give_up("model_answer_incomplete", answer.finish_reason)
        succeeded = [call.function for call in self.evidence.calls if call.outcome == "succeeded"]
        sources = [Source("function", name) for name in dict.fromkeys(succeeded)]
        sources += [Source("knowledge", p.ref, p.place, p.score) for p in self.passages]
        reading, evidence = self.reading, self.evidence.because("model_answered", answer.model)
        if succeeded:
            reading = replace(reading, dialogue=Dialogue())
        if not sources:
            evidence = evidence.because("unsupported", "no function result and no passage stands behind the reply")
            reading = reading.under(self.context, UNSUPPORTED)
        results = [call.result for call in self.evidence.calls if call.outcome in {"succeeded", "business_error"}]
        if self.probed and not results:
            return self._withheld(evidence.because("asks_about_itself"))
        finding = self.guard.finding(text, results, misled=self.misled)
        if finding is not None:
            evidence = evidence.because(finding.code, finding.detail)
            if finding.code in REVEALING:
                return self._withheld(evidence)
            reading = reading.capped(ReplyMode.SUGGEST)
        if answer.unknown_placeholders:
            evidence = evidence.because("placeholder_made_up", ", ".join(answer.unknown_placeholders))
            # Nobody shall get a riddle: a person puts it right.
            reading = reading.capped(ReplyMode.SUGGEST)
        return {**written(reading, evidence, text, *sources), "passages": tuple(self.passages)}

    def _withheld(self, evidence: Evidence) -> TurnState:
        """The answer would show how the assistant is set up: the customer hears kindly that this stays inside."""
        evidence = evidence.because("answer_withheld")
        if evidence.calls:
            return hand_off(self.reading, evidence, HandOffReason.OUTSIDE_POLICY, "answer_withheld")
        said = self.texts.say(self.context.profile, "about_itself", self.reading.language)
        return reply(self.reading, evidence, said, Source("answer", "about_itself"))

    def _give_up(self, code: str, detail: str) -> TurnState:
        """No usable answer. What already ran must not be lost in a passage of knowledge: then a person goes on."""
        evidence = replace(self.evidence.because(code, detail), model_failed=True)
        if evidence.calls:
            return hand_off(self.reading, evidence, HandOffReason.MODEL_FAILURE, "after_calls")
        return {"evidence": evidence, "step": "answer"}


def _since(started: float) -> float:
    """Milliseconds."""
    return round((perf_counter() - started) * 1000, 3)
