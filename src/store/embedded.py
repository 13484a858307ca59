"""The PostgreSQL that Atende runs itself when no ``DATABASE_URL`` is set.

A small supervisor over the programs of a wheel. Its rules: a process is believed only when proved to be this cluster's
postmaster; one lock, freed by the kernel, stands before every start and stop; and whoever was killed, the server or
its host, the next ``start`` or ``ensure`` makes it whole again without loss of committed data.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from store.postgres_binaries import Binaries, ServerAccount
from store.postgres_errors import ClusterVersionError, StartFailedError
from store.postgres_folder import DataFolder
from store.postgres_process import (
    ClusterIdentity,
    Postmaster,
    StopMode,
    end_leftovers,
    polls,
    remove_stale_files,
)

SUPERUSER = "postgres"
START_SECONDS = 120
"""How long a start may take; recovery after a crash replays the log first."""

_LOCK_SECONDS = START_SECONDS + 60.0
_KEPT_LOGS = 5
_PRUNE_SECONDS = 600.0
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "autovacuum_naptime": "15s",  # a busy chat's row is rewritten with every message; looked at each minute it slows down
    "jit": "off",  # compiling costs more than it saves on short queries
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "../log",
    "log_filename": "postgresql-%Y%m%d-%H%M%S.log",
    "log_rotation_size": "10MB",
    "log_rotation_age": "0",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


@dataclass(frozen=True)
class ServerAddress:
    """Where a server listens and who owns it. Databases and roles of one server share it."""

    socket_folder: Path
    port: int
    password: str = field(repr=False)

    def url(self, database: str = "postgres", *, user: str = SUPERUSER, password: str | None = None) -> str:
        """A URL that asyncpg and psycopg take. Without ``user`` the superuser's; a named role needs its password."""
        secret = self.password if user == SUPERUSER else password
        login = quote(user, safe="") + (f":{quote(secret, safe='')}" if secret else "")
        # The port is spelled out, or a PGPORT in the environment would change it.
        return (
            f"postgresql://{login}@/{quote(database, safe='')}"
            f"?host={quote(str(self.socket_folder), safe='')}&port={self.port}"
        )


class EmbeddedPostgres:
    """One server over one data folder. Blocking calls; from asyncio use ``asyncio.to_thread``.

    Several processes may hold one of these over the same folder: the first to start runs the server, the others adopt
    it. ``binaries`` is a folder of PostgreSQL programs (15 or newer, with pgvector) to use instead of the wheel's;
    ``settings`` overrides server settings. Raises subclasses of ``EmbeddedPostgresError``.
    """

    def __init__(
        self, data_dir: Path, *, binaries: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._folder = DataFolder(data_dir)
        self._binaries = binaries
        self._settings = {**_SETTINGS, **(settings or {})}
        self._postmaster: Postmaster | None = None
        self._pruned = 0.0

    @property
    def data_dir(self) -> Path:
        """The data folder, absolute."""
        return self._folder.path

    @property
    def address(self) -> ServerAddress:
        """Where the running server listens. Raises RuntimeError when it does not run."""
        if not self.is_running() or self._postmaster is None:
            raise RuntimeError("the embedded PostgreSQL is not running: call start() first")
        return ServerAddress(self._postmaster.socket_folder, self._postmaster.port, self._folder.password())

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None when it does not run."""
        return self._postmaster.process.pid if self.is_running() and self._postmaster else None

    def start(self) -> ServerAddress:
        """Bring the server up, or adopt the one that already runs; make the cluster on the first start."""
        with self._folder.locked(seconds=_LOCK_SECONDS):
            account = self._folder.account()
            self._folder.prepare(account)
            self._postmaster = self._adopt(account) or self._launch(account)
            self._folder.share()
        self._prune_logs()
        return self.address

    def ensure(self) -> ServerAddress:
        """Start the server unless it runs. Cheap while it does: a supervisor may call this every second."""
        if not self.is_running():
            return self.start()
        if time.monotonic() - self._pruned > _PRUNE_SECONDS:
            self._prune_logs()
        return self.address

    def is_running(self) -> bool:
        """Whether this cluster's postmaster lives, whoever started it."""
        if self._postmaster is None or not self._postmaster.is_serving():
            found = Postmaster.find(self._identity()) if self._folder.cluster.exists() else None
            self._postmaster = found if found and found.ready and found.is_serving() else None
        return self._postmaster is not None

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server, whoever started it, and return when it is gone; harder when it does not obey."""
        if not self._folder.path.is_dir():
            return
        with self._folder.locked(seconds=_LOCK_SECONDS):
            self._stop(mode)
            self._folder.unshare()

    def release(self) -> bool:
        """Stop using the server, and stop it if no other live process uses it. True when it was stopped."""
        if not self._folder.path.is_dir():
            return False
        with self._folder.locked(seconds=_LOCK_SECONDS):
            last = self._folder.unshare()
            if last:
                self._stop("fast")
        return last

    def create_database(self, name: str) -> str:
        """Create the database unless it exists; returns the superuser's URL of it."""
        address = self.address
        # It may be there, and another process may make it in the same moment.
        known = contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
        with psycopg.connect(address.url(), autocommit=True) as db, known:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return address.url(name)

    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, ending its connections."""
        with psycopg.connect(self.address.url(), autocommit=True) as db:
            db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _identity(self, account: ServerAccount | None = None) -> ClusterIdentity:
        return ClusterIdentity(self._folder.cluster, (account or self._folder.account()).uid)

    def _adopt(self, account: ServerAccount) -> Postmaster | None:
        """The running postmaster, waiting while it starts or stops. None: there is none (any more)."""
        identity = self._identity(account)
        for _ in polls(START_SECONDS, every=0.05):
            found = Postmaster.find(identity)
            if found is None:
                return None
            if found.ready and not found.is_serving():  # its socket was swept from a temporary folder
                self._stop("fast")
                return None
            # The ready mark outlives a kill by a moment, and a crash of one connection restarts all behind it.
            if found.ready and found.answers():
                return found
        raise StartFailedError(self.data_dir, f"get ready within {START_SECONDS} s", self._log_tail())

    def _launch(self, account: ServerAccount) -> Postmaster:
        identity = self._identity(account)
        socket_folder = self._folder.socket_folder(account)
        end_leftovers(identity, patience=2.0)
        remove_stale_files(self._folder.cluster, socket_folder)
        binaries = self._matching_binaries(account)
        if not self._folder.cluster.exists():
            self._init(account, binaries)
        settings = self._settings | {
            "unix_socket_directories": f'"{socket_folder}"',
            "cluster_name": identity.name,  # the proof by which its processes are recognised
        }
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        # Paths relative to the cluster: pg_ctl hands them to a shell, which would expand what a user's path may hold.
        start = ["start", "-w", "-t", str(START_SECONDS), "-D", ".", "-l", "../log/startup.log", "-o", options]
        (self._folder.log / "startup.log").unlink(missing_ok=True)
        self._run("start", account, [binaries.folder / "pg_ctl", *start], folder=self._folder.cluster)
        postmaster = Postmaster.find(identity)
        if postmaster is None or not postmaster.ready:
            raise StartFailedError(self.data_dir, "stay up after its start", self._log_tail())
        return postmaster

    def _matching_binaries(self, account: ServerAccount) -> Binaries:
        version = self._folder.cluster / "PG_VERSION"
        written_by = int(version.read_text()) if version.exists() else None
        binaries = Binaries.find(account, folder=self._binaries, major=written_by)
        if written_by is not None and binaries.major != written_by:
            raise ClusterVersionError(self._folder.cluster, written_by, binaries.major)
        return binaries

    def _init(self, account: ServerAccount, binaries: Binaries) -> None:
        with self._folder.new_cluster(account) as folder, self._folder.password_for(account) as password_file:
            # From 17 on PostgreSQL brings its own C.UTF-8, the same on every system.
            builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            arguments = [
                *(builtin if binaries.major >= 17 else ["--locale=C.UTF-8"]),
                "--encoding=UTF8",
                "--data-checksums",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--no-instructions",
                *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
            ]
            command: list[str | Path] = [binaries.folder / "initdb", *arguments, f"--pgdata={folder}"]
            self._run("create its cluster", account, command, folder=folder)

    def _run(self, step: str, account: ServerAccount, command: list[str | Path], *, folder: Path) -> None:
        try:
            finished = account.run(command, folder=folder, seconds=START_SECONDS + 30)
        except (OSError, subprocess.SubprocessError) as error:
            raise StartFailedError(self.data_dir, step, str(error)) from error
        if finished.status != 0:
            raise StartFailedError(self.data_dir, step, f"{finished.output}\n{self._log_tail()}")

    def _stop(self, mode: StopMode) -> None:
        if not self._folder.cluster.exists():
            return
        identity = self._identity()
        postmaster = Postmaster.find(identity)
        if postmaster:
            attempts: tuple[tuple[StopMode, float], ...] = ((mode, START_SECONDS), ("immediate", 30.0))
            any(postmaster.stop(one, seconds=seconds) for one, seconds in attempts)
        end_leftovers(identity, patience=2.0)
        self._postmaster = None

    def _log_tail(self) -> str:
        files = [self._folder.log / "startup.log", *sorted(self._folder.log.glob("postgresql-*.log"))[-1:]]
        lines = [
            line for file in files if file.exists() for line in file.read_text(errors="replace").splitlines()[-20:]
        ]
        return "\n".join(lines)

    def _prune_logs(self) -> None:
        self._folder.prune_logs(keep=_KEPT_LOGS)
        self._pruned = time.monotonic()
