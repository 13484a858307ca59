"""Which live processes are our PostgreSQL, and how they are ended.

A ``postmaster.pid`` proves nothing: after a crash its number may belong to any other program. A process counts as ours
only when it runs as the cluster's owner and either carries the cluster's name on its command line, or works in the
cluster's folder under the name ``postgres``. Nothing else is ever signalled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import psycopg

StopMode = Literal["smart", "fast", "immediate"]

_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_READY = ("ready", "standby")


@dataclass(frozen=True)
class ClusterIdentity:
    """What tells this cluster's processes from all others: its folder, its owner, and a name made from the folder."""

    cluster: Path
    uid: int

    @property
    def name(self) -> str:
        """Passed as ``cluster_name``, so it is in the postmaster's arguments and in the title of every child."""
        return "atende_" + hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:16]

    def is_postmaster(self, process: psutil.Process) -> bool:
        """Whether the process is this cluster's postmaster and alive."""
        return self._is_ours(process) and not process.cmdline()[0].startswith("postgres: ")

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.uids().effective != self.uid or _is_dead(process):
            return False
        arguments = process.cmdline()
        if not arguments:
            return False
        if f"cluster_name={self.name}" in arguments or arguments[0].startswith(f"postgres: {self.name}: "):
            return Path(arguments[0]).name.startswith("postgres")
        # Started by hand, or the folder was renamed meanwhile. Root in a container may not be allowed to look.
        with contextlib.suppress(psutil.AccessDenied, OSError):
            return process.name() == "postgres" and Path(process.cwd()) == self.cluster
        return False

    def processes(self) -> list[psutil.Process]:
        """All live processes of this cluster, the postmaster's orphans included."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error), process.oneshot():
                if self._is_ours(process):
                    found.append(process)
        return found


@dataclass(frozen=True)
class Postmaster:
    """A live process that was proved to be the cluster's postmaster. ``ready``: it has accepted connections."""

    process: psutil.Process
    socket_folder: Path
    port: int
    ready: bool

    @classmethod
    def find(cls, identity: ClusterIdentity) -> Postmaster | None:
        """The postmaster that ``postmaster.pid`` names, if that really is one of this cluster."""
        try:
            lines = (identity.cluster / "postmaster.pid").read_text(errors="replace").splitlines()
            process = psutil.Process(int(lines[0]))
            if not identity.is_postmaster(process):
                return None
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        lines += [""] * (8 - len(lines))  # the file grows while the server starts
        port = int(lines[3]) if lines[3].isdigit() else 5432
        return cls(process, Path(lines[4]), port, lines[7].strip() in _READY)

    def is_serving(self) -> bool:
        """Whether it still lives and its socket is there; about 0.05 ms. A later process with its number is not it."""
        return not _is_dead(self.process) and (self.socket_folder / f".s.PGSQL.{self.port}").exists()

    def answers(self) -> bool:
        """Whether it takes connections now; the login is not tried."""
        address = f"host='{self.socket_folder}' port={self.port} connect_timeout=2"
        return psycopg.pq.PGconn.ping(address.encode()) == psycopg.pq.Ping.OK

    def stop(self, mode: StopMode, *, seconds: float) -> bool:
        """Ask it to stop and wait; True when it and its children are gone."""
        with contextlib.suppress(psutil.Error):
            family = [self.process, *self.process.children(recursive=True)]
            self.process.send_signal(_SIGNALS[mode])
            return wait_until_dead(family, seconds=seconds)
        return wait_until_dead([self.process], seconds=seconds)


def end_leftovers(identity: ClusterIdentity, *, patience: float) -> None:
    """End what a killed postmaster left behind: they leave by themselves within ``patience`` seconds, or are made to.

    While one of them lives, a new postmaster refuses to start (they still hold the shared memory). SIGQUIT is an
    immediate shutdown, after which the server recovers from its log; SIGKILL is for those that ignore it.
    """
    for wait, last_resort in ((patience, signal.SIGQUIT), (5.0, signal.SIGKILL), (5.0, None)):
        left = identity.processes()
        if not left or wait_until_dead(left, seconds=wait) or last_resort is None:
            return
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.send_signal(last_resort)


def remove_stale_files(cluster: Path, socket_folder: Path) -> None:
    """Remove the lock files of a server that is proved dead; a live foreign process with its number would block it."""
    for stale in (cluster / "postmaster.pid", *_socket_files(socket_folder)):
        stale.unlink(missing_ok=True)


def wait_until_dead(processes: list[psutil.Process], *, seconds: float) -> bool:
    """Wait until none lives; False when the time is over. Zombies count as dead: not every PID 1 collects them."""
    return any(all(_is_dead(process) for process in processes) for _ in polls(seconds, every=0.02))


def polls(seconds: float, *, every: float) -> Iterator[None]:
    """Yield at once, then every ``every`` seconds, the last time when ``seconds`` are over."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        yield
        time.sleep(min(every, left))
    yield


def _socket_files(folder: Path) -> Iterator[Path]:
    yield from folder.glob(".s.PGSQL.*")


def _is_dead(process: psutil.Process) -> bool:
    try:
        if not process.is_running():
            return True
        if process.status() != psutil.STATUS_ZOMBIE:
            return False
    except psutil.NoSuchProcess:
        return True
    with contextlib.suppress(ChildProcessError):  # as PID 1 of a container we inherit it, and must collect it
        os.waitpid(process.pid, os.WNOHANG)
    return True
