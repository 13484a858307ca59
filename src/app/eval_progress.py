"""How far a run of evals is: a bar on a terminal, a line now and then elsewhere, both on stderr."""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Any, Final

from evaluation.results import CaseResult

_LINE_EVERY_SECONDS: Final = 15.0
_DRAWN_EVERY_SECONDS: Final = 0.1


class Progress:
    """Use it with ``with``. ``total``: results that are awaited."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._counted: Counter[str] = Counter()
        self._bar: Any = None
        self._task: Any = None
        self._told = time.monotonic()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415 - takes a while, and only a terminal needs it
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
            from rich.progress import Progress as Bar  # noqa: PLC0415

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
                # It would draw in a thread of its own, and the run's processes are forks.
                auto_refresh=False,
            )
            self._bar.start()
            self._task = self._bar.add_task("playing", total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def finished(self, result: CaseResult) -> None:
        """One more."""
        self._counted[result.status] += 1
        if self._bar is not None:
            now = time.monotonic()
            due = now - self._told > _DRAWN_EVERY_SECONDS or self._counted.total() == self._total
            self._told = now if due else self._told
            self._bar.update(self._task, advance=1, description=self._said(), refresh=due)
        elif time.monotonic() - self._told > _LINE_EVERY_SECONDS:
            self._told = time.monotonic()
            print(f"{self._counted.total()} of {self._total}: {self._said()}", file=sys.stderr, flush=True)

    def _said(self) -> str:
        bad = [f"{self._counted[status]} {status}" for status in ("failed", "errored") if self._counted[status]]
        return ", ".join([f"{self._counted['passed']} passed", *bad])
