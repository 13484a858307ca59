"""Throwaway PostgreSQL servers for tests.

As a program it is a host process that a test can kill: ``python -m tests.postgres <data folder>`` starts the server,
prints one line of JSON and waits until its standard input ends. It never stops the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from store.embedded import EmbeddedPostgres
from store.postgres_errors import ServerUnusableError

FAST: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}
"""Quick, and safe as long as no test cuts the power: what was committed outlives the server's own death."""

REPOSITORY = Path(__file__).parent.parent
_PREFIX = "atende-test-"
_ABANDONED_SECONDS = 600
_ROOM = 4_000_000_000


def _memory() -> Path | None:
    folder = Path("/dev/shm")
    with contextlib.suppress(OSError):
        if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > _ROOM:
            return folder
    return None


MEMORY = _memory()
"""Where the system keeps files in memory, if there is room: a database of seven hundred files is copied ten times as
fast there. Benches stay on the disk."""


@contextlib.contextmanager
def open_folder(parent: Path | None = None) -> Iterator[Path]:
    """A temporary folder that every account may enter, with a short path. pytest's own are closed to other accounts."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def running_server(
    settings: Mapping[str, str] = FAST, *, binaries: Path | None = None, parent: Path | None = None
) -> Iterator[EmbeddedPostgres]:
    """A server in a temporary folder (in ``parent``), gone with its data at the end."""
    with open_folder(parent) as folder:
        server = EmbeddedPostgres(folder / "postgres", binaries=binaries, settings=settings)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def sweep_abandoned_servers() -> None:
    """Stop and remove what a killed test run left behind; servers that a live process uses stay."""
    parents = {Path(tempfile.gettempdir()), MEMORY or Path(tempfile.gettempdir())}
    for folder in (found for parent in parents for found in parent.glob(f"{_PREFIX}*")):
        with contextlib.suppress(OSError):
            found = folder.stat()
            if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _ABANDONED_SECONDS:
                continue
            if all(EmbeddedPostgres(data.parent).release() for data in folder.glob("*/server")):
                shutil.rmtree(folder)


def host_process(data_dir: Path, *, account: str = "") -> subprocess.Popen[str]:
    """Start a host of its own for the server in ``data_dir``; as root it can become another account."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.postgres", str(data_dir), account],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def report(host: subprocess.Popen[str]) -> dict[str, object]:
    """What the host printed: ``pid`` of the postmaster, ``uid`` of the host and ``url``; or ``error`` and ``kind``."""
    assert host.stdout is not None
    found: dict[str, object] = json.loads(host.stdout.readline())
    return found


def end(host: subprocess.Popen[str], *, kill: bool = False) -> None:
    """End the host, leaving its server alone: politely, or with SIGKILL."""
    if kill:
        host.kill()
    host.communicate()


def _become(account: str) -> None:
    """Give up root for good. The interpreter may lie where only root can read, so it is loaded before."""
    entry = pwd.getpwnam(account)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _host(data_dir: Path, account: str) -> None:
    if account:
        _become(account)
    server = EmbeddedPostgres(data_dir, settings=FAST)
    try:
        address = server.start()
        found: dict[str, object] = {"pid": server.pid, "uid": os.geteuid(), "url": address.url()}
    except ServerUnusableError as error:
        found = {"error": error.sentence(), "kind": type(error).__name__}
    print(json.dumps(found), flush=True)  # noqa: T201 - read by report()
    sys.stdin.read()


if __name__ == "__main__":
    _host(Path(sys.argv[1]), sys.argv[2])
