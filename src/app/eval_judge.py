"""Carries ``atende eval judge`` out: the model that judges rubrics, held to what people said of the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from app.eval_run import NoLiveModelError, RecordAloneError, model_terms
from app.settings import load_settings
from evaluation.agreement import Agreement, agreement
from evaluation.case_files import CaseReader
from evaluation.expectations import Declared
from evaluation.judging import Judge
from evaluation.model import EvalModels, Mode
from evaluation.recordings import Recordings
from evaluation.suites import EmptySuiteError

EXIT_BELOW: Final = 1
_AT_ONCE: Final = 8


class LabelledLine(Declared):
    """One line of a conversation."""

    sender: Annotated[Literal["customer", "agent", "operator"], Field(alias="from")]
    text: str


class Labelled(Declared):
    """A conversation, a rubric's question, and what people said. ``label``: yes or no, or a score from 0 to 1."""

    ask: Annotated[str, Field(min_length=1)]
    conversation: str | tuple[LabelledLine, ...]
    label: bool | Annotated[float, Field(ge=0, le=1)]
    id: str = ""

    @property
    def text(self) -> str:
        """As the judge reads it."""
        if isinstance(self.conversation, str):
            return self.conversation
        return "\n".join(f"{line.sender}: {line.text}" for line in self.conversation)


def judge_labels(
    path: Path, *, at_least: float, mode: Mode, record: bool, seed: int, minimum: float | None, as_json: bool
) -> int:
    """Ask, compare, print; returns the exit code. Raises CaseFilesError, and ModelError or what replay raises."""
    if record and mode != "live":
        raise RecordAloneError
    reader = CaseReader()
    found = [reader.model(document, Labelled) for document in reader.documents(path)]
    reader.raise_problems()
    items = [one for one in found if one is not None]
    if not items:
        raise EmptySuiteError(path)
    scores = asyncio.run(_scores(items, path, mode, record=record))
    people = [one.label if isinstance(one.label, bool) else one.label >= at_least for one in items]
    result = agreement([score >= at_least for score in scores], people, seed=seed)
    if as_json:
        judged = [
            {"id": one.id or str(place), "label": one.label, "score": score}
            for place, (one, score) in enumerate(zip(items, scores, strict=True), 1)
        ]
        print(json.dumps({"at_least": at_least, **asdict(result), "judged": judged}, ensure_ascii=False, indent=1))
    else:
        print("\n".join(_told(result)))
    low = result.kappa_low
    return EXIT_BELOW if minimum is not None and (low is None or low < minimum) else 0


async def _scores(items: Sequence[Labelled], path: Path, mode: Mode, *, record: bool) -> list[float]:
    terms = model_terms(load_settings(), mode, record=record)
    settings = terms.judge or terms.default
    if settings is None or not settings.model:
        raise NoLiveModelError
    recordings = Recordings.of(path.parent / "recordings")
    models = EvalModels(mode, record=record)
    judge = Judge(models.model(settings, recordings))
    limit = asyncio.Semaphore(_AT_ONCE)

    async def score(one: Labelled) -> float:
        async with limit:
            return (await judge.score(one.ask, one.text)).score

    try:
        return await asyncio.gather(*(score(one) for one in items))
    finally:
        recordings.save()
        await models.aclose()


def _told(result: Agreement) -> list[str]:
    kappa = (
        f"{result.kappa:.2f} ({result.kappa_low:.2f} to {result.kappa_high:.2f})"
        if result.kappa is not None and result.kappa_low is not None and result.kappa_high is not None
        else "unknown: all verdicts are the same, so chance explains them"
    )
    return [
        f"{result.items} conversations judged",
        f"same verdict: {result.raw:.1%} ({result.raw_low:.1%} to {result.raw_high:.1%})",
        f"Cohen's kappa: {kappa}",
        f"both yes {result.both_yes}, both no {result.both_no}, only the judge {result.only_judge}, only people "
        f"{result.only_people}",
    ]
