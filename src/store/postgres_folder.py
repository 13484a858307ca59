"""The embedded server's data folder: its layout, its locks, its password and where its socket lies.

```
<data folder>/
  lock       held while the server is started or stopped
  in-use     held (shared) by every process that uses the server
  password   of the superuser, readable by the owner of this folder only
  server/    or a link to a folder that the server's account can reach
    cluster/   what PostgreSQL calls its data directory
    log/       the server's log, bounded
    run/       the socket, unless its path is too long for one
```
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from store.postgres_binaries import ROOT_STATE, ServerAccount
from store.postgres_errors import DataFolderError, FolderBusyError
from store.postgres_process import polls

# The kernel takes 107 bytes (macOS 103) for a socket's path; drivers split a host at commas and differ about escapes.
_LONGEST_SOCKET_PATH = 100
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./ -]+")
_SOCKET_FILE = ".s.PGSQL.5432"
_ORPHAN_SECONDS = 10.0


class DataFolder:
    """The folder that belongs to one embedded server. Nothing is written before ``prepare`` or ``locked``."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._share: int | None = None

    @property
    def server(self) -> Path:
        return (self.path / "server").resolve()

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory, without links: a process is compared with it."""
        return self.server / "cluster"

    @property
    def log(self) -> Path:
        return self.server / "log"

    @property
    def password_file(self) -> Path:
        return self.path / "password"

    @contextlib.contextmanager
    def locked(self, *, seconds: float) -> Iterator[None]:
        """Hold the start-and-stop lock. The kernel frees it when the process dies. Raises FolderBusyError."""
        self._make()
        with self._open("lock") as file:
            if not _take(file, fcntl.LOCK_EX, seconds=seconds):
                raise FolderBusyError(self.path, seconds)
            yield

    def share(self) -> None:
        """Mark that this process uses the server, until ``unshare`` or the end of the process."""
        if self._share is None:
            with self._open("in-use") as file:
                _take(file, fcntl.LOCK_SH, seconds=0)
                self._share = os.dup(file)

    def unshare(self) -> bool:
        """Take the mark back; True when no other process uses the server. Call it with the lock held."""
        if self._share is not None:
            os.close(self._share)
            self._share = None
        with self._open("in-use") as file:
            return _take(file, fcntl.LOCK_EX, seconds=0)

    def account(self) -> ServerAccount:
        """The account that owns the cluster, or else the one that will. Raises DataFolderError, AccountMissingError."""
        try:
            owner = self.cluster.stat().st_uid
        except FileNotFoundError:
            return ServerAccount.current()
        except PermissionError as error:
            raise self._foreign() from error
        if os.geteuid() not in (0, owner):
            raise self._foreign()
        return ServerAccount.of(owner)

    def prepare(self, account: ServerAccount) -> None:
        """Create what is missing, with the permissions that ``account`` needs and no wider."""
        link = self.path / "server"
        if link.is_symlink() and not link.exists():
            raise DataFolderError(
                self.path,
                f"its files were moved to {link.readlink()}, which is gone",
                hint=f"Bring that folder back, or remove {link} to begin with empty data.",
            )
        if not link.exists():
            self._make_server(account)
        elif not account.can_enter(self.server):
            raise DataFolderError(
                self.path,
                f"the account {account.name}, which owns the data, may not enter {self.server}",
                hint=f"Let it pass (chmod o+x) through the folders above, or move the data and link {link} to them.",
            )
        for name in ("log", "run"):
            folder = self.server / name
            if not folder.exists():
                folder.mkdir(mode=0o700)
                _give(folder, account)

    def password(self) -> str:
        """The superuser's password, made on the first call."""
        with contextlib.suppress(FileNotFoundError):
            return self.password_file.read_text().strip()
        # Written apart and renamed, so that a crash leaves either no password or a whole one.
        handle, name = tempfile.mkstemp(prefix="password-", dir=self.path)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self.password_file)
        _sync(self.path)
        return self.password_file.read_text().strip()

    @contextlib.contextmanager
    def password_for(self, account: ServerAccount) -> Iterator[Path]:
        """A short-lived copy of the password that ``account`` can read, for the program that makes the cluster."""
        handle, name = tempfile.mkstemp(prefix="password-", dir=self.server)
        try:
            os.write(handle, self.password().encode())
            os.close(handle)
            _give(Path(name), account)
            yield Path(name)
        finally:
            Path(name).unlink()

    def socket_folder(self, account: ServerAccount) -> Path:
        """A folder only ``account`` can enter, with a path short enough for a socket; made if missing."""
        inside = self.server / "run"
        if _fits(inside):
            return inside
        digest = hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:16]
        # Not XDG_RUNTIME_DIR: that one goes at logout, and a server may stay.
        for base in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - a folder of our own in it, checked below
            folder = Path(base, f"atende-{account.uid}-{digest}").absolute()
            if _fits(folder):
                return _private(folder, account)
        raise DataFolderError(self.path, "no short enough path for its socket was found", hint="Set TMPDIR to /tmp.")

    @contextlib.contextmanager
    def new_cluster(self, account: ServerAccount) -> Iterator[Path]:
        """An empty folder that becomes the cluster if the block ends well: a crash leaves no half-made cluster."""
        self._remove_unfinished()
        folder = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self.server))
        _give(folder, account)
        try:
            yield folder
            folder.rename(self.cluster)
            _sync(self.server)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _remove_unfinished(self) -> None:
        """Remove what a killed start left. Its orphaned initdb may still write there, until it misses its files."""
        for _ in polls(_ORPHAN_SECONDS, every=0.05):
            left = list(self.server.glob("unfinished-*"))
            if not left:
                return
            for unfinished in left:
                shutil.rmtree(unfinished, ignore_errors=True)

    def prune_logs(self, *, keep: int) -> None:
        """Remove all but the newest ``keep`` log files."""
        for old in sorted(self.log.glob("postgresql-*.log"))[:-keep]:
            old.unlink(missing_ok=True)

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True)
        except FileExistsError:
            if not self.path.is_dir():
                raise DataFolderError(self.path, "it is not a folder", hint="Choose another path.") from None
            return
        except OSError as error:
            raise DataFolderError(
                self.path, f"it cannot be made ({error.strerror})", hint="Choose a path you may write."
            ) from error
        # Root only passes the server's account through; nobody else can list or read what is inside.
        self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def _make_server(self, account: ServerAccount) -> None:
        link = self.path / "server"
        if account.can_enter(self.path):
            link.mkdir(mode=0o711 if account.is_other else 0o700)
            return
        # Under a folder of root's own (/root): its permissions stay, the files go to where the account can reach.
        ROOT_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
        target = Path(tempfile.mkdtemp(prefix="postgres-", dir=ROOT_STATE))
        target.chmod(0o711)
        if not account.can_enter(target):
            target.rmdir()
            raise DataFolderError(
                self.path,
                f"the account {account.name}, which runs PostgreSQL for root, can enter neither it nor {ROOT_STATE}",
                hint="Choose a folder under one that all may enter, for example /srv.",
            )
        link.symlink_to(target)

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[int]:
        try:
            file = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except PermissionError as error:
            raise self._foreign() from error
        try:
            yield file
        finally:
            os.close(file)

    def _foreign(self) -> DataFolderError:
        return DataFolderError(
            self.path,
            "it belongs to another account",
            hint="Start as the account that made it, or choose another folder.",
        )


def _take(file: int, kind: int, *, seconds: float) -> bool:
    for _ in polls(seconds, every=0.02):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return True
    return False


def _sync(folder: Path) -> None:
    """Write the folder's entries to disk, so that a rename outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _give(folder: Path, account: ServerAccount) -> None:
    if account.is_other:
        os.chown(folder, account.uid, account.gid)


def _fits(folder: Path) -> bool:
    path = str(folder / _SOCKET_FILE)
    return len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(path) is not None


def _private(folder: Path, account: ServerAccount) -> Path:
    """Make ``folder`` for ``account`` alone, or make sure that it is so; shared folders may hold somebody's trap."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _give(folder, account)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise DataFolderError(
            folder,
            f"it must be a folder that only {account.name} can enter, for the server's socket",
            hint="Remove it: somebody else made it.",
        )
    return folder
