"""A suite as a task of Inspect (inspect_ai), for those who keep results there. Needs the extra ``atende[inspect]``.

    inspect eval atende/atende_suite -T suite=evals/shop --model mockllm/model

Inspect's own model is asked nothing: the solver plays each case through the graph of production, as ``atende eval
run`` does, with the models that the bundle and the environment name. A case that cannot be played is an error of its
sample and never a wrong answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from agent.encoder import Encoder, default_encoder
from domain.errors import AtendeError
from evaluation.asked_models import Purse
from evaluation.case_player import CasePlayer
from evaluation.cases import Case
from evaluation.lineup import CANDIDATE, ModelTerms, Wanted, line_up
from evaluation.model import Mode
from evaluation.results import CaseResult
from evaluation.suites import find_suites

_RESULT = "atende_result"


class CaseErroredError(AtendeError):
    """Nothing was found out about the agent."""

    def __init__(self, result: CaseResult) -> None:
        super().__init__(f"{result.case} could not be played: {result.error}", hint="Correct this, then run it again.")
        self.result = result


@task(name="atende/atende_suite")
def atende_suite(
    suite: str, bundle: str = "", tenant: str | None = None, mode: Mode = "replay", encoder: Encoder | None = None
) -> Task:
    """All cases of one suite: a file or folder. ``bundle`` and ``tenant`` as in ``atende eval run``.

    Raises CaseFilesError and what else reading suites and bundles raises.
    """
    suites = find_suites([suite])
    wanted = Wanted(bundle, None, Path(tenant) if tenant else None)
    lineup = line_up(suites, wanted, encoder or default_encoder(), ModelTerms(mode=mode))
    cases = {(case.suite, case.name): case for one in suites for case in one.cases}
    purse = Purse()
    players = {
        one.name: CasePlayer(lineup.contenders[one.name][CANDIDATE], lineup.models[one.name][CANDIDATE], purse)
        for one in suites
    }
    return Task(
        dataset=MemoryDataset([_sample(case) for case in cases.values()], name=suites[0].name),
        solver=_played(cases, players),
        scorer=as_expected(),
        metadata={"bundle": lineup.refs[0].hash, "mode": mode},
    )


def _sample(case: Case) -> Sample:
    content = case.content
    expected = content.expect.model_dump(mode="json", exclude_defaults=True)
    customer = content.customer.goal if content.customer else ""
    said = [message.text or f"[{message.kind}]" for message in content.say]
    said += [message.text or f"[{message.kind}]" for step in content.steps for message in step.say]
    said += [message.text or f"[{message.kind}]" for line in content.script.values() for message in line.say]
    return Sample(
        id=f"{case.suite}/{case.name}",
        input="\n".join(said) or customer,
        target=str(expected),
        metadata={
            "suite": case.suite,
            "case": case.name,
            "language": content.language,
            "tags": list(content.tags),
            "critical": content.critical,
            "source": case.source,
        },
    )


@solver
def _played(cases: dict[tuple[str, str], Case], players: dict[str, CasePlayer]) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001 - Inspect's model stays unasked
        suite, name = state.metadata["suite"], state.metadata["case"]
        result = await players[suite].play(cases[suite, name], state.epoch)
        if result.status == "errored":
            raise CaseErroredError(result)
        state.messages = [message for step in result.steps for message in _messages(step)]
        texts = [turn["decision"].get("text") or turn["decision"]["kind"] for s in result.steps for turn in s["turns"]]
        state.output = ModelOutput.from_content("atende", texts[-1] if texts else "")
        state.store.set(_RESULT, {"checks": [_told(check) for check in result.checks], "status": result.status})
        return state

    return solve


def _messages(step: Any) -> list[ChatMessageUser | ChatMessageAssistant]:
    said: list[ChatMessageUser | ChatMessageAssistant] = [ChatMessageUser(content=text) for text in step["say"]]
    for turn in step["turns"]:
        decision = turn["decision"]
        said.append(ChatMessageAssistant(content=f"[{decision['kind']}] {decision.get('text', '')}".strip()))
    return said


def _told(check: Any) -> dict[str, Any]:
    return {
        "name": check.name,
        "passed": check.passed,
        "step": check.step,
        "expected": check.expected,
        "got": check.got,
    }


def _explained(check: Any) -> str:
    step = f" (step {check['step']})" if check["step"] else ""
    return f"{check['name']}{step}: expected {check['expected']}, got {check['got']}"


@scorer(metrics=[accuracy(), stderr()])
def as_expected() -> Scorer:
    """Correct where everything that the case expects holds; the explanation names what does not."""

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001 - the expectations were looked at already
        found = state.store.get(_RESULT)
        wrong = [check for check in found["checks"] if not check["passed"]]
        explained = "\n".join(_explained(one) for one in wrong)
        return Score(
            value=CORRECT if found["status"] == "passed" else INCORRECT,
            answer=state.output.completion,
            explanation=explained or "everything as expected",
            metadata={"checks": found["checks"]},
        )

    return score
