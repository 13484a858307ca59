"""A pytest plugin: files ``*.eval.yaml`` (``.yml``, ``.jsonl``) beside a team's tests, each case a test.

It comes with the package and does nothing where there is no such file; only then is anything else of Atende imported.
Cases are played as ``atende eval run`` plays them: recorded answers by default, ``--eval-mode live`` asks the model of
ATENDE_MODEL, ``--eval-bundle`` plays another bundle. A case that fails is a failed test; one about which nothing was
found out (recording missing, endpoint down) is an error of its set-up. ``-m eval_critical`` chooses the critical ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from evaluation.cases import Case, Suite
    from evaluation.lineup import Lineup
    from evaluation.results import CaseResult

_ENDINGS: Final = (".eval.yaml", ".eval.yml", ".eval.jsonl")
_ENCODER: Final = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options in a group of their own."""
    group = parser.getgroup("evals", "cases of conversations (atende)")
    modes = ("replay", "live", "simulated")
    group.addoption("--eval-mode", choices=modes, default="replay", help="as with atende eval run")
    group.addoption("--eval-bundle", default="", help="what is played: a bundle file or a folder")
    group.addoption("--eval-tenant", default=None, type=Path, help="the tenant's folder, in place of the files' own")


def pytest_configure(config: pytest.Config) -> None:
    """The marker of critical cases."""
    config.addinivalue_line("markers", "eval_critical: a case that may never fail, by its file")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Files of cases."""
    return CaseFile.from_parent(parent, path=file_path) if file_path.name.endswith(_ENDINGS) else None


class CaseFile(pytest.File):
    """A suite."""

    def collect(self) -> Iterable[pytest.Item]:
        """Its cases. Mistakes in the file are told with their lines."""
        from app.settings import shipped_tenants  # noqa: PLC0415 - see the module
        from domain.errors import AtendeError  # noqa: PLC0415
        from evaluation.suites import load_suite  # noqa: PLC0415

        try:
            suite = load_suite(self.path, shipped_tenants())
        except AtendeError as error:
            raise self.CollectError(error.sentence()) from error
        playing = _Playing(self.config, suite)
        for case in suite.cases:
            item: CaseItem = CaseItem.from_parent(self, name=case.name, case=case, playing=playing)
            if case.content.critical:
                item.add_marker("eval_critical")
            yield item


class CaseItem(pytest.Item):
    """A case. It is played in the set-up, and judged in the test."""

    def __init__(self, *, case: Case, playing: _Playing, **named: Any) -> None:
        super().__init__(**named)
        self._case, self._playing = case, playing
        self._result: CaseResult | None = None

    def setup(self) -> None:
        """Play it."""
        from domain.errors import AtendeError  # noqa: PLC0415 - see the module

        try:
            self._result = self._playing.play(self._case)
        except AtendeError as error:
            pytest.fail(self._said(error.sentence()), pytrace=False)
        if self._result.status == "errored":
            pytest.fail(self._said(self._result.error), pytrace=False)

    def runtest(self) -> None:
        """Every expectation must hold."""
        if self._result is not None and self._result.status != "passed":
            pytest.fail(self._said(*_told(self._result)), pytrace=False)

    def _said(self, *lines: str) -> str:
        return "\n".join((self._case.source, *lines))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case is written."""
        return self._case.found.path, self._case.found.line() - 1, self.name


class _Playing:
    """A suite that is made ready at its first case."""

    def __init__(self, config: pytest.Config, suite: Suite) -> None:
        self._config, self._suite = config, suite
        self._lineup: Lineup | None = None

    def play(self, case: Case) -> CaseResult:
        """Raises AtendeError where the suite cannot be made ready."""
        from evaluation.runner import Terms, run_cases  # noqa: PLC0415 - see the module

        if self._lineup is None:
            self._lineup = self._ready()
        run = run_cases(self._lineup.only(case), Terms(mode=self._config.getoption("--eval-mode")))
        return run.results[0]

    def _ready(self) -> Lineup:
        from app.encoders import encoder_of  # noqa: PLC0415 - see the module
        from app.eval_run import model_terms  # noqa: PLC0415
        from app.settings import load_settings  # noqa: PLC0415
        from evaluation.lineup import Wanted, line_up  # noqa: PLC0415

        settings = load_settings()
        encoder = self._config.stash.setdefault(_ENCODER, encoder_of(settings))
        wanted = Wanted(self._config.getoption("--eval-bundle"), tenant=self._config.getoption("--eval-tenant"))
        return line_up([self._suite], wanted, encoder, model_terms(settings, self._config.getoption("--eval-mode")))


def _told(result: CaseResult) -> Iterator[str]:
    for place, step in enumerate(result.steps, 1):
        if step["operator"]:
            yield f"  {place}  operator  {step['operator']['do']}"
        yield from (f"  {place}  customer  {text}" for text in step["say"])
        for turn in step["turns"]:
            decision = turn["decision"]
            yield f"  {place}  agent     [{decision['kind']}] {decision.get('text', '')}"
    for check in result.checks:
        if not check.passed:
            where = f"step {check.step}: " if check.step else ""
            yield f"✗ {where}{check.name}: expected {check.expected}, got {check.got}"
