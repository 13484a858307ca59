"""Serve several wishes of one message, and answer them in one: what can be done now, then the one open question.

Only one thing can be open at a time: one question, one approval. What has to wait behind it is kept in the dialogue
and served when it is settled. Where one wish needs a person, the conversation goes to one: the customer reads what the
others came to and what happens now, the operator what is done and what is left.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from langgraph.runtime import Runtime

from agent.collecting import collect
from agent.dialogue import Dialogue
from agent.drafts import hand_off, reply, silent
from agent.nodes.act import Act
from agent.policy import is_audited
from agent.state import Evidence, Reading, TurnState, evidence_of
from agent.texts import FixedTexts
from agent.turn import TurnContext, TurnInput
from agent.wishes import Wish
from agent.wording import worded
from domain.decisions import AskApproval, HandOff, HandOffReason, Reason, Reply, ReplyMode, Source, StaySilent
from domain.policy import STRICTNESS

_REFERS_BACK: Final = re.compile(
    r"\b(?:del[ea]s?|nel[ea]s?|ess[ea]s?|dess[ea]s?|mesm[oa]s?|est[ea]s?|dest[ea]s?|es[ae]|mism[oa]|it|its|that|this|same)\b",
    re.IGNORECASE,
)
"""Words by which a wish takes a value from the one before it ("e qual o prazo dele?")."""


@dataclass(slots=True)
class _Served:
    """The turn, and what its wishes have come to so far."""

    turn: TurnInput
    reading: Reading
    runtime: Runtime[TurnContext]
    evidence: Evidence
    answers: list[tuple[str, ReplyMode]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    modes: list[tuple[ReplyMode, str]] = field(default_factory=list)
    question: tuple[str, Dialogue] | None = None
    """What only the customer can answer: it comes last, and alone."""
    welcome: Dialogue | None = None
    """After a refusal ("no such order"): a corrected value may come, but is not due."""
    approval: TurnState | None = None
    persons: list[tuple[TurnState, str]] = field(default_factory=list)
    later: list[Wish] = field(default_factory=list)
    left_out: bool = False
    calls: Counter[str] = field(default_factory=Counter)


class Several:
    """The node between understanding several wishes and deciding about one reply."""

    def __init__(self, texts: FixedTexts) -> None:
        self.texts = texts
        self._act = Act(texts)

    async def __call__(self, state: TurnState, *, runtime: Runtime[TurnContext]) -> TurnState:
        reading, wishes = state["reading"], state["wishes"]
        evidence = evidence_of(state).because("several_wishes", ", ".join(wish.name for wish in wishes))
        served = _Served(state["turn"], reading, runtime, evidence)
        for place, wish in enumerate(wishes):
            step = self._drafted(wish, " ".join(one.text for one in wishes[:place]), served)
            if step is not None and "ready" in step:
                step = await self._acted(wish, step, served)
            if step is None:
                continue
            if step.get("void"):
                return step
            self._take(wish, step, served)
        classification = next((wish.classification for wish in wishes if wish.classification), reading.classification)
        reading = replace(reading, intent=None, classification=classification, dialogue=Dialogue())
        return self._together(reading, served, runtime.context)

    def _drafted(self, wish: Wish, before: str, served: _Served) -> TurnState | None:
        """What the wish leads to by itself: a draft, or a ready call; None where nothing is to be said or done now."""
        context, reading, spec = served.runtime.context, served.reading, wish.spec
        if wish.person is not None:
            return hand_off(replace(reading, intent=None), served.evidence, wish.person, "person_requested")
        if wish.step is not None:
            return wish.step
        if spec is None:
            raise ValueError("a wish is served by an intent, a step or a person")
        own = replace(reading, text=wish.text, classification=wish.classification, dialogue=Dialogue())
        own = own.served_by(spec, context)
        if spec.restricted or spec.action == "hand_off":
            default = HandOffReason.RESTRICTED_INTENT if spec.restricted else HandOffReason.REQUESTED
            text = worded(self.texts, context.profile, spec.answer, reading.language, alone=True)
            reason = spec.hand_off_reason or default
            return hand_off(own, served.evidence, reason, "intent_hands_off", spec.name, text=text)
        if spec.action == "stay_silent":
            return None
        if own.mode is ReplyMode.OFF:
            served.evidence = served.evidence.because("policy_off", spec.name)
            served.left_out = True
            return None
        if spec.function:
            return self._collected(own, before, served, context)
        text = worded(self.texts, context.profile, spec.answer, reading.language)
        return reply(own, served.evidence.because("fixed_answer", spec.name), text, Source("answer", spec.name))

    async def _acted(self, wish: Wish, step: TurnState, served: _Served) -> TurnState | None:
        """The call made, or put before whoever must agree; None: it waits for another act to be confirmed first."""
        ready = step["ready"]
        function = served.runtime.context.profile.functions.get(ready["function"])
        if function is not None and function.effect == "write" and served.question and served.question[1].confirm:
            served.later.append(wish)  # one yes never confirms two acts
            return None
        ordinal = served.calls[ready["function"]]
        served.calls[ready["function"]] += 1
        run: TurnState = {
            "turn": served.turn,
            "reading": step["reading"],
            "evidence": replace(step["evidence"], reasons=_added(served.evidence, step["evidence"])),
            "ready": {**ready, "ordinal": ordinal},
        }
        if step.get("confirmed"):
            run["confirmed"] = True
        run["evidence"] = replace(run["evidence"], calls=served.evidence.calls)
        return {**run, **await self._act(run, runtime=served.runtime)}

    def _collected(self, own: Reading, before: str, served: _Served, context: TurnContext) -> TurnState:
        """The function's values out of the wish's own words; out of those before it only where it points back."""
        step = collect(self.texts, context, own, served.evidence)
        if "ready" in step or not before or not _REFERS_BACK.search(own.text):
            return step
        return collect(self.texts, context, replace(own, text=f"{own.text}\n{before}"), served.evidence)

    def _take(self, wish: Wish, step: TurnState, served: _Served) -> None:
        reading, draft, context = step["reading"], step["draft"], served.runtime.context
        found = step["evidence"]
        calls = found.calls if len(found.calls) > len(served.evidence.calls) else served.evidence.calls
        served.evidence = replace(served.evidence, reasons=_added(served.evidence, found), calls=calls)
        if isinstance(draft, StaySilent):
            return
        mode = ReplyMode.SUGGEST if is_audited(reading, served.turn, context) else reading.mode
        served.modes.append((mode, f"{wish.name} {reading.rule}".strip()))
        if isinstance(draft, HandOff) or (isinstance(draft, AskApproval) and served.approval is not None):
            served.persons.append((step, wish.name))
        elif isinstance(draft, AskApproval):
            served.approval = step
        elif isinstance(draft, Reply):
            served.sources += draft.sources
            self._say(wish, draft.text, reading.dialogue, mode, served)

    def _say(self, wish: Wish, text: str, dialogue: Dialogue, mode: ReplyMode, served: _Served) -> None:
        if not (dialogue.waiting or dialogue.confirm):
            served.answers.append((text, mode))
            if dialogue.asked:
                served.welcome = served.welcome or dialogue
        elif served.question is None:
            served.question = (text, dialogue)
        else:
            served.later.append(wish)

    def _together(self, reading: Reading, served: _Served, context: TurnContext) -> TurnState:
        modes = served.modes
        if not modes:
            return silent(reading, served.evidence, "policy_off" if served.left_out else "intent_stays_silent")
        mode, rule = min(modes, key=lambda one: STRICTNESS[one[0]])
        if served.left_out:
            mode = min(mode, ReplyMode.SUGGEST, key=STRICTNESS.__getitem__)
        reading = replace(reading, mode=mode, rule=rule)
        if served.persons or (served.approval is not None and mode is not ReplyMode.AUTO and len(modes) > 1):
            return self._to_person(reading, served, context)
        texts = [text for text, _ in served.answers]
        if served.approval is not None:
            draft = served.approval["draft"]
            texts += [draft.text] if isinstance(draft, AskApproval) else []
        if served.question is not None:
            question, dialogue = served.question
            if served.later:
                texts.append(self.texts.say(context.profile, "later_wish", reading.language))
            texts.append(question)
            later = tuple({"intent": one.spec.name, "text": one.text} for one in served.later if one.spec)
            reading = replace(reading, dialogue=replace(dialogue, later=later))
        elif served.welcome is not None:
            reading = replace(reading, dialogue=served.welcome)
        text = "\n\n".join(dict.fromkeys(texts))
        if served.approval is not None:
            draft = served.approval["draft"]
            if isinstance(draft, AskApproval):
                return {
                    "reading": reading,
                    "evidence": served.evidence,
                    "ready": served.approval["ready"],
                    "draft": replace(draft, text=text),
                    "step": "decide",
                }
        return reply(reading, served.evidence, text, *served.sources)

    def _to_person(self, reading: Reading, served: _Served, context: TurnContext) -> TurnState:
        """The customer reads what may go out by itself, and what happens now; the operator reads all of it."""
        profile, language = context.profile, reading.language
        step, name = served.persons[0] if served.persons else (served.approval or {}, "approval")
        draft = step["draft"]
        reason = draft.reason if isinstance(draft, HandOff) else HandOffReason.OUTSIDE_POLICY
        own = f"hand_off_{reason}"
        said = [text for text, mode in served.answers if mode is ReplyMode.AUTO]
        key = own if self.texts.has(profile, own) else ("hand_off_rest" if said else "hand_off")
        announcement = (draft.text if isinstance(draft, HandOff) else "") or self.texts.say(profile, key, language)
        done = [text for text, _ in served.answers]
        open_ = [name, *(other for _, other in served.persons[1:]), *(one.name for one in served.later)]
        waiting = [one["draft"] for one in (served.approval, *(one for one, _ in served.persons)) if one]
        acts = [f"{one.function}({_listed(one.arguments)})" for one in waiting if isinstance(one, AskApproval)]
        if served.question is not None and served.question[1].intent:
            open_.append(served.question[1].intent)
        summary = self.texts.say(
            profile,
            "summary_several",
            profile.default_language,
            done=[_short(text) for text in done],
            told=len(said) == len(done),
            open=list(dict.fromkeys(open_)),
            acts=acts,
        )
        values = served.question[1].values if served.question else step["reading"].dialogue.values
        reading = replace(
            step["reading"],
            mode=step["reading"].mode if served.persons else reading.mode,
            text=reading.text,
            dialogue=Dialogue(values=values),
        )
        text = "\n\n".join([*said, announcement])
        return {
            "reading": reading,
            "evidence": served.evidence.because("one_wish_needs_a_person", name),
            "draft": HandOff(reason, text, summary),
            "step": "decide",
        }


def _added(evidence: Evidence, more: Evidence) -> tuple[Reason, ...]:
    """The reasons of both, each once: a wish's own are built on those of the wishes before it, or on none."""
    return tuple(dict.fromkeys((*evidence.reasons, *more.reasons)))


def _listed(arguments: object) -> str:
    return ", ".join(f"{key}={value}" for key, value in arguments.items()) if isinstance(arguments, dict) else ""


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 160 else f"{plain[:157]}…"
