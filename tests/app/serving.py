"""``atende serve`` as a real process, for tests: on a data folder of its own and a free port."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from store.embedded import EmbeddedPostgres

ATENDE = Path(sys.executable).parent / "atende"
READY_SECONDS = 100.0
_READY = re.compile(r"ready after ([\d.]+) s: (http://[^/\s]+)")


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without settings of Atende but ``settings``."""
    foreign = ("ATENDE_", "DATABASE_URL", "OPENAI_", "PG")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | settings


def atende(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [ATENDE, *arguments], env=environment(**settings), capture_output=True, text=True, check=False, timeout=100
    )


class Serving:
    """A running ``atende serve``. ``seconds``: how long it took to be ready, by its own words."""

    def __init__(self, data_dir: Path, process: subprocess.Popen[str]) -> None:
        self.data_dir = data_dir
        self.process = process
        self.lines: list[str] = []
        self.url, self.seconds = "", 0.0

    def wait_until_ready(self) -> None:
        """Read its lines up to the last of its greeting."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if found := _READY.search(line):
                self.seconds, self.url = float(found[1]), found[2]
            if line.startswith("Ctrl-C"):
                return
        raise AssertionError(f"atende serve ended with {self.process.wait()}:\n{self.told()}")

    def told(self) -> str:
        """What it and its children wrote."""
        return "\n".join(self.lines) + "\n" + (self.data_dir.parent / "stderr.txt").read_text(errors="replace")

    def get(self, path: str) -> Any:
        """Decoded JSON from its pages."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send JSON, get JSON."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def number(self) -> str:
        """The id of the demo tenant's first number."""
        numbers: dict[str, str] = json.loads((self.data_dir / "prepared.json").read_text())["numbers"]
        return next(iter(numbers.values()))

    def pid_of(self, part: str) -> int | None:
        """The process that runs a part."""
        return next((process.pid for process in processes(self.data_dir) if process.cmdline()[-1] == part), None)

    def postgres_pid(self) -> int | None:
        """The postmaster."""
        return EmbeddedPostgres(self.data_dir / "postgres").pid

    def ask_to_stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(40)
        finally:
            assert self.process.stdout is not None
            self.lines += self.process.stdout.read().splitlines()


@contextlib.contextmanager
def serving(data_dir: Path, *options: str) -> Iterator[Serving]:
    """Start it and wait until it is ready; at the end nothing of it is left, whatever happened."""
    with (data_dir.parent / "stderr.txt").open("a") as errors:
        process = subprocess.Popen(
            [ATENDE, "serve", "--port", "0", *options],
            env=environment(ATENDE_DATA_DIR=str(data_dir)),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    running = Serving(data_dir, process)
    try:
        running.wait_until_ready()
        yield running
    except BaseException:
        print(running.told())  # noqa: T201 - pytest shows it with the failure
        raise
    finally:
        process.kill()
        process.communicate()
        for left in processes(data_dir):
            left.kill()
        EmbeddedPostgres(data_dir / "postgres").stop("immediate")


def processes(data_dir: Path) -> list[psutil.Process]:
    """The live child processes of installations on this data folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = "app.process" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
            if ours and process.environ().get("ATENDE_DATA_DIR") == str(data_dir):
                found.append(process)
    return found


def eventually(what: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Wait until ``what`` returns something true; returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found := what():
                return found
        time.sleep(0.1)
    raise AssertionError(f"did not happen within {seconds:.0f} s")
