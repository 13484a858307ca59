"""What is finished of a run, kept line by line, so that a run that was killed goes on where it was.

The first line says which run it is; each further one is a finished case. A case whose line is whole is never played
again, unless it errored: then nothing was found out about it yet.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from domain.errors import AtendeError
from evaluation.results import CaseResult, case_result

_FORMAT: Final = 1

Key = tuple[str, str, str, int]
"""Suite, case, bundle and epoch."""


class OtherRunError(AtendeError):
    """The journal belongs to a run of other cases, bundles or terms: its results must not be mixed with these."""

    def __init__(self, path: Path, different: Mapping[str, tuple[Any, Any]]) -> None:
        told = "; ".join(f"{name} was {was}, is {now}" for name, (was, now) in different.items())
        super().__init__(
            f"{path} is the journal of another run: {told}.",
            hint="Name another file with --resume, or delete this one to begin anew.",
        )
        self.path = path


class NotAJournalError(AtendeError):
    """The file holds something else, which must not be written over."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(
            f"{path}:{line}: is no line of a journal of an eval run.",
            hint="Name a file that does not exist yet, or one that --resume wrote.",
        )
        self.path = path


class JournalInUseError(AtendeError):
    """Two runs at once would play the same cases twice and write into each other's lines."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is kept by another run that is still going on.",
            hint="Wait until it has ended, or name another file with --resume.",
        )
        self.path = path


class Journal:
    """Use it with ``with``. ``run``: what the run is, as JSON values; all of it must be the same to resume."""

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self._path, self._run = path, dict(run)
        self._file: IO[bytes] | None = None
        self.finished: dict[Key, CaseResult] = {}
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.seconds = 0.0
        """Already spent on what is finished."""
        self.cost_micros = 0
        """What models have cost so far, also for what errored."""

    def __enter__(self) -> Journal:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b")
        try:
            self._lock()
            whole = self._read(self._file)
            # A line that the end of the process cut off is no line.
            self._file.truncate(whole)
            if whole == 0:
                self._write({"journal": _FORMAT, "started_at": self.started_at, "run": self._run})
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def keep(self, result: CaseResult, seconds: float) -> None:
        """Note a finished case. ``seconds``: since this run began, before it was resumed included."""
        self._write({"seconds": round(seconds, 3), "result": asdict(result)})

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            raise ValueError("the journal is not open")
        self._file.write(json.dumps(line, ensure_ascii=False).encode(errors="surrogatepass") + b"\n")
        self._file.flush()

    def _lock(self) -> None:
        """For this process alone, not for its forks: theirs may outlive it, and it is to be resumed at once."""
        if self._file is None:
            return
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalInUseError(self._path) from error

    def _read(self, file: IO[bytes]) -> int:
        """Reads what is finished; returns how many bytes are whole lines. Raises OtherRunError, NotAJournalError."""
        file.seek(0)
        whole, content = 0, file.read()
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):
                break
            try:
                self._take(json.loads(line), number)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise NotAJournalError(self._path, number) from error
            whole += len(line)
        if whole == 0 and content and not content.startswith(b'{"journal"'):
            raise NotAJournalError(self._path, 1)
        return whole

    def _take(self, line: dict[str, Any], number: int) -> None:
        if number > 1:
            result = case_result(line["result"])
            self.seconds = max(self.seconds, float(line["seconds"]))
            self.cost_micros += result.cost_micros
            key = (result.suite, result.case, result.bundle, result.epoch)
            self.finished.pop(key, None)
            if result.status != "errored":
                self.finished[key] = result
            return
        if line["journal"] != _FORMAT:
            raise ValueError("another format")
        self.started_at = str(line["started_at"])
        was: dict[str, Any] = line["run"]
        now: dict[str, Any] = json.loads(json.dumps(self._run))
        different = {
            name: (was.get(name), now.get(name)) for name in was.keys() | now.keys() if was.get(name) != now.get(name)
        }
        if different:
            raise OtherRunError(self._path, dict(sorted(different.items())))
