"""Plays one case under one bundle, and says what came of it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from agent.language_model import LanguageModel, ModelError
from domain.conversation import Status as ConversationStatus
from domain.errors import AtendeError, ConflictError
from evaluation.asked_models import Asked, Models, Purse, WatchedModel
from evaluation.cases import Case, Customer, Line, Said, Step
from evaluation.checking import checks, holds
from evaluation.customers import PlayedCustomer, next_line
from evaluation.expectations import Expectation, Rubric
from evaluation.judging import Judge, transcript
from evaluation.results import CaseResult, Check, Origin, Status
from evaluation.seen import Records, Seen, SeenTurn
from evaluation.staging import Contender, Scene
from flows.demo_scripts import OperatorAction

log = logging.getLogger(__name__)

_BETWEEN_MESSAGES: Final = timedelta(seconds=30)
Role = Literal["customer", "judge"]


class NoModelError(ModelError):
    """A case needs a model for the customer or for the judge, and there is none in this mode."""

    def __init__(self, role: Role) -> None:
        what = "plays its customer" if role == "customer" else "judges its rubric"
        super().__init__(
            f"The case needs a model that {what}, and this run has none.",
            hint=f"Name one (ATENDE_EVAL_{role.upper()}_MODEL, or ATENDE_MODEL) and use --mode live.",
        )


@dataclass(slots=True)
class _Played:
    """A case as far as it has come."""

    scene: Scene
    before: Records
    checks: list[Check] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def seen(self, results: int = 0, received: int = 0, before: Records | None = None) -> Seen:
        """What came since that many results and received messages."""
        scene = self.scene
        return Seen(
            turns=tuple(
                SeenTurn(result, latency)
                for result, latency in scene.conversation.results[results:]
                if result.decision is not None
            ),
            received=tuple(scene.conversation.received[received:]),
            status=scene.conversation.status,
            opted_out=scene.opted_out,
            before=self.before if before is None else before,
            after=scene.stage.tenant.records.all,
            today=scene.today,
        )


class CasePlayer:
    """One bundle's cases. Holds nothing of a case once it is over, so they may be played at the same time."""

    def __init__(self, contender: Contender, models: Models, purse: Purse) -> None:
        self._contender, self._models, self._purse = contender, models, purse

    async def play(self, case: Case, epoch: int) -> CaseResult:
        """Never raises for what the case, the bundle or a model does: then the result is ``errored``."""
        started, asked = time.perf_counter(), Asked()
        played: _Played | None = None
        error = ""
        try:
            model = self._watched(self._models.agent(case, epoch), asked)
            scene = Scene.of(case, self._contender, model, asked)
            played = _Played(scene, scene.stage.tenant.records.all)
            await self._steps(case, epoch, played)
            await self._judge(case, epoch, played, case.content.expect, 0)
        except AtendeError as raised:
            error = raised.sentence()
        except Exception as raised:  # what breaks the graph is told with the case, and ends no run
            log.exception("case %s of %s could not be played", case.name, case.suite)
            error = f"{type(raised).__name__}: {raised}"
        if asked.failure is not None:
            error = asked.failure.sentence()
        return self._result(case, epoch, played, asked, error=error, seconds=time.perf_counter() - started)

    async def _steps(self, case: Case, epoch: int, played: _Played) -> None:
        steps = self._simulated(case, epoch, played) if case.content.customer else _written(case, played)
        taken = 0
        async for name, step in steps:
            taken += 1
            conversation = played.scene.conversation
            results, received = len(conversation.results), len(conversation.received)
            before = played.scene.stage.tenant.records.all
            started = time.perf_counter()
            if taken > 1:
                played.scene.wait(step.after)
            problem = await _take(played.scene, step)
            seen = played.seen(results, received, before)
            played.steps.append(_document(name, step, seen, time.perf_counter() - started))
            if problem:
                played.checks.append(
                    Check("operator", False, taken, step.operator.do if step.operator else "", problem)
                )
                break
            played.checks += checks(step.expect, seen, taken)
            await self._judge(case, epoch, played, step.expect, taken)
        played.checks += checks(case.content.expect, played.seen(), 0)

    async def _simulated(self, case: Case, epoch: int, played: _Played) -> AsyncIterator[tuple[str, Step]]:
        customer = case.content.customer
        if customer is None:
            raise ValueError("only a case with a customer is simulated")
        model = self._watched(self._models.customer(case, epoch), played.scene.asked)
        if model is None:
            raise NoModelError("customer")
        conversation = played.scene.conversation
        language = case.content.language or self._contender.tenant.profile.default_language
        person = PlayedCustomer(customer, language, model)
        for _ in range(customer.turns):
            text = await person.writes(conversation.messages)
            if text is None:
                return
            yield "customer", Step(say=(Said(text=text),), after=_BETWEEN_MESSAGES)
            if customer.operator == "approves":
                for action in _pending(played.scene):
                    yield "operator", Step(operator=action)
            if _is_over(customer, played):
                return

    async def _judge(self, case: Case, epoch: int, played: _Played, expect: Expectation, step: int) -> None:
        if not expect.rubric:
            return
        model = self._watched(self._models.judge(case, epoch), played.scene.asked)
        if model is None:
            raise NoModelError("judge")
        judge, conversation = Judge(model), played.scene.conversation
        pending = conversation.suggestion.text if conversation.suggestion else ""
        said = transcript(conversation.messages, pending)
        for rubric in expect.rubric:
            verdict = await judge.score(rubric.ask, said)
            name = _score_name(rubric, step)
            played.scores[name] = verdict.score
            got = f"{verdict.score:g}: {verdict.reason}"
            passed = verdict.score >= rubric.at_least
            played.checks.append(Check(f"rubric: {rubric.title}", passed, step, f"at least {rubric.at_least:g}", got))

    def _watched(self, model: LanguageModel | None, asked: Asked) -> LanguageModel | None:
        return WatchedModel(model, self._purse, asked) if model is not None else None

    def _result(
        self, case: Case, epoch: int, played: _Played | None, asked: Asked, *, error: str, seconds: float
    ) -> CaseResult:
        seen = played.seen() if played else None
        found = tuple(played.checks) if played else ()
        status: Status = "errored" if error else "passed" if all(check.passed for check in found) else "failed"
        expected, got = _intents(case, played)
        return CaseResult(
            suite=case.suite,
            case=case.name,
            bundle=self._contender.ref.label,
            epoch=epoch,
            status=status,
            origin=self._origin(asked),
            critical=case.content.critical,
            tags=case.content.tags,
            language=case.content.language or (seen.last.result.language if seen and seen.last else ""),
            checks=found,
            scores=dict(played.scores) if played else {},
            steps=tuple(played.steps) if played else (),
            error=error,
            seconds=round(seconds, 4),
            latency_ms=round(seen.latency_ms, 1) if seen else 0.0,
            cost_micros=asked.cost_micros,
            model_calls=asked.calls + asked.scripted,
            expected_intent=expected,
            intent=got.result.trace.intent if got else None,
            confidence=got.result.trace.confidence if got else None,
            source=case.source,
        )

    def _origin(self, asked: Asked) -> Origin:
        if asked.scripted:
            return "simulated"
        return self._models.origin if asked.calls else "local"


async def _written(case: Case, played: _Played) -> AsyncIterator[tuple[str, Step]]:
    """The steps of a case whose customer is written down."""
    content = case.content
    if content.say:
        yield "", Step(say=content.say)
    for step in content.steps:
        yield "", step
    if not content.script:
        return
    name, line = next(iter(content.script.items()))
    for _ in range(content.most_steps):
        conversation = played.scene.conversation
        results, received = len(conversation.results), len(conversation.received)
        yield name, line
        seen = played.seen(results, received)
        going = next_line(line, seen)
        if going == "":
            return
        if going is None:
            wanted = " or ".join(turn.go or "end" for turn in line.next)
            last = seen.last.decision.kind if seen.last else "none"
            said = " / ".join(seen.texts) or "nothing said"
            played.checks.append(Check("script", False, len(played.steps), f"a branch ({wanted})", f"{last}: {said}"))
            return
        name, line = going, content.script[going]
    played.checks.append(
        Check("script", False, 0, f"an end within {content.most_steps} steps", f"still going on at {name}")
    )


async def _take(scene: Scene, step: Step) -> str:
    """Take the step; returns why the operator cannot do it, or ""."""
    if step.operator is None:
        await scene.say(step.say)
        return ""
    try:
        return await scene.operate(step.operator)
    except ConflictError as error:
        return f"the operator was refused: {error.sentence()}"


def _pending(scene: Scene) -> Iterator[OperatorAction]:
    """What an operator who agrees with everything does now."""
    if scene.conversation.calls:
        yield OperatorAction(do="approve_call")
    if scene.conversation.suggestion is not None and scene.conversation.status is ConversationStatus.BOT:
        yield OperatorAction(do="approve")


def _is_over(customer: Customer, played: _Played) -> bool:
    if customer.stops_when is not None and holds(customer.stops_when, played.seen()):
        return True
    return played.scene.conversation.status is not ConversationStatus.BOT


def _score_name(rubric: Rubric, step: int) -> str:
    return f"{rubric.title} (step {step})" if step else rubric.title


def _intents(case: Case, played: _Played | None) -> tuple[str | None, SeenTurn | None]:
    """The first intent that the case expects, and the turn that it is about."""
    content = case.content
    steps: tuple[Step, ...] = (*content.steps, *content.script.values())
    places = [place for place, step in enumerate(steps) if step.expect.intent]
    turns = played.seen().turns if played else ()
    if content.say or not places:
        expected = content.expect.intent
        turn = turns[0] if turns and content.say else turns[-1] if turns else None
        return (expected[0] if len(expected) == 1 else None), turn
    expected = steps[places[0]].expect.intent
    if not isinstance(steps[places[0]], Line) and played and places[0] < len(played.steps):
        decided = sum(len(step["turns"]) for step in played.steps[: places[0] + 1])
        return (expected[0] if len(expected) == 1 else None), turns[decided - 1] if 0 < decided <= len(turns) else None
    return None, turns[0] if turns else None


def _document(name: str, step: Step, seen: Seen, seconds: float) -> dict[str, Any]:
    """The step as JSON values, for the report."""
    document = {
        **({"line": name} if name else {}),
        "say": [message.text or f"[{message.kind}]" for message in step.say],
        "operator": step.operator.model_dump(exclude_defaults=True) if step.operator else None,
        "turns": [turn.as_document() for turn in seen.turns],
        "received": list(seen.received),
        "status": str(seen.status),
        "seconds": round(seconds, 4),
    }
    # Functions may have returned dates and the like.
    plain: dict[str, Any] = json.loads(json.dumps(document, default=str, ensure_ascii=False))
    return plain
