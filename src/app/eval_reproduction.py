"""Proposed cases are played, to see whether the failure that they are about shows: a loop of every worker.

Here and not in the flows, because the flows know no evaluation.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from app.eval_stored_tenant import stored_contender
from domain.errors import AtendeError
from evaluation.asked_models import Purse
from evaluation.case_files import CaseReader, Located
from evaluation.case_player import CasePlayer
from evaluation.cases import Case, CaseContent
from evaluation.results import CaseResult
from flows.eval_cases import CasePlaying
from flows.profiles import Profiles
from store.database import Database, Row

log = logging.getLogger(__name__)

SUITE: Final = "from-work"
_MOST_MICROS: Final = 200_000
"""What playing one case may cost with a tenant's language model, in millionths of its prices' currency."""
_LONGEST: Final = 600


class Reproduction:
    """Plays what is due."""

    def __init__(self, db: Database, profiles: Profiles, playing: CasePlaying) -> None:
        self._db = db
        self._profiles = profiles
        self._playing = playing

    async def run_due(self) -> int:
        """Play due cases; returns how many."""
        due = await self._playing.due()
        for row in due:
            try:
                result = await self._play(row)
            except AtendeError as error:
                await self._playing.played(row, "errored", (), error.sentence())
            except Exception as error:
                log.exception("case %s could not be played", row["id"])
                await self._playing.played(row, "errored", (), f"{type(error).__name__}: {error}")
            else:
                await self._note(row, result)
        return len(due)

    async def _play(self, row: Row) -> CaseResult:
        case = read_case(row["content"]["case"])
        happened = row["content"]["happened"]
        contender, models = await stored_contender(self._db, self._profiles, row["tenant_id"], happened["calls"])
        return await CasePlayer(contender, models, Purse(_MOST_MICROS)).play(case, 1)

    async def _note(self, row: Row, result: CaseResult) -> None:
        difference = [
            {
                "name": f"{check.name}" + (f" (step {check.step})" if check.step else ""),
                "passed": check.passed,
                "expected": check.expected[:_LONGEST],
                "got": check.got[:_LONGEST],
            }
            for check in result.checks
        ]
        match result.status:
            case "errored":
                await self._playing.played(row, "errored", difference, result.error)
            case "failed":
                await self._playing.played(row, "reproduced", difference)
            case "passed":
                note = "The assistant does what is expected by now, or what is expected does not tell the failure."
                await self._playing.played(row, "not_reproduced", difference, note)


def read_case(content: Mapping[str, Any]) -> Case:
    """A stored case. Raises CaseFilesError."""
    reader = CaseReader()
    found = Located(Path(f"{content.get('name', 'case')}.yaml"), dict(content), 1)
    read = reader.model(found, CaseContent)
    reader.raise_problems()
    if read is None:
        raise ValueError("a case that is none, with no mistake")
    return Case(SUITE, read, found)


def case_problems(content: Mapping[str, Any]) -> Sequence[str]:
    """What is wrong with a case as a suite would hold it; nothing: it can be played."""
    reader = CaseReader()
    reader.model(Located(Path("case.yaml"), dict(content), 1), CaseContent)
    return [f"{problem.key}: {problem.what} {problem.todo}".strip() for problem in reader.problems]
