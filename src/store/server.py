"""Whether a PostgreSQL server that somebody else runs is fit for Atende, told in words a person can act on."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from store.postgres_errors import ServerUnusableError

OLDEST_SERVER = 15
OLDEST_VECTOR = (0, 8)
"""Searches of one tenant in a shared index need iterative scans, which came with pgvector 0.8."""


@dataclass(frozen=True)
class ServerInfo:
    """A server that is fit. ``vector`` is the pgvector version that the database has, or else would get."""

    version: str
    major: int
    vector: str
    vector_installed: bool


class ServerAddressError(ServerUnusableError):
    """The address itself cannot be read; it is not repeated, since it may hold a password."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"DATABASE_URL is not an address of a PostgreSQL server: {problem}.",
            hint="Write it as postgresql://user:password@host:5432/database.",
        )
        self.problem = problem


class ServerUnreachableError(ServerUnusableError):
    """Nothing usable answers at the address."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"The PostgreSQL server at {place} cannot be reached ({reason}).",
            hint="Check that it runs and that host, port and firewall are right, "
            "or unset DATABASE_URL to use the embedded server.",
        )
        self.place = place
        self.reason = reason


class ServerLoginError(ServerUnusableError):
    """The server refuses the user or the password."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"The PostgreSQL server at {place} refuses the login ({reason}).",
            hint="Check user and password in DATABASE_URL and the server's pg_hba.conf.",
        )
        self.place = place
        self.reason = reason


class DatabaseMissingError(ServerUnusableError):
    """The server is there, the database is not."""

    def __init__(self, place: str, database: str) -> None:
        super().__init__(
            f"The PostgreSQL server at {place} has no database {database!r}.",
            hint=f'Create it (CREATE DATABASE "{database}"), or correct the name in DATABASE_URL.',
        )
        self.place = place
        self.database = database


class ServerTooOldError(ServerUnusableError):
    """The server's major version is below the least that Atende works with."""

    def __init__(self, place: str, version: str, oldest: int) -> None:
        super().__init__(
            f"The PostgreSQL server at {place} is version {version}; Atende needs {oldest} or newer.",
            hint="Upgrade it, or point DATABASE_URL to a newer server.",
        )
        self.place = place
        self.version = version
        self.oldest = oldest


class VectorMissingError(ServerUnusableError):
    """The server has no pgvector to offer."""

    def __init__(self, place: str, major: int) -> None:
        super().__init__(
            f"The PostgreSQL server at {place} does not have the pgvector extension.",
            hint=f"Install it on the server (on Debian and Ubuntu: apt install postgresql-{major}-pgvector).",
        )
        self.place = place


class VectorForbiddenError(ServerUnusableError):
    """pgvector is there, but this user may not (or cannot) create it in this database."""

    def __init__(self, place: str, user: str, database: str, reason: str) -> None:
        super().__init__(
            f"The user {user!r} cannot create the pgvector extension in {database!r} at {place} ({reason}).",
            hint="Let an administrator run there: CREATE EXTENSION vector.",
        )
        self.place = place
        self.user = user
        self.database = database
        self.reason = reason


class VectorTooOldError(ServerUnusableError):
    """The database's pgvector is below the least that Atende works with."""

    def __init__(self, place: str, version: str, available: str) -> None:
        needed = ".".join(str(part) for part in OLDEST_VECTOR)
        update = "run in that database: ALTER EXTENSION vector UPDATE."
        new_enough = _numbers(available) >= OLDEST_VECTOR
        super().__init__(
            f"The pgvector at {place} is version {version}; Atende needs {needed} or newer.",
            hint=f"R{update[1:]}"
            if new_enough
            else f"Install pgvector {needed} on the server; if it had one, {update}",
        )
        self.place = place
        self.version = version
        self.available = available


async def check_server(dsn: str, *, oldest: int = OLDEST_SERVER, seconds: float = 10) -> ServerInfo:
    """Connect to ``dsn`` and see that server, login, database and pgvector are fit; nothing is changed.

    ``dsn`` may name a driver (``postgresql+asyncpg://``). ``oldest`` is the least major version, ``seconds`` the
    patience. Raises a subclass of ServerUnusableError.
    """
    dsn = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", dsn.strip())
    place = _place(dsn)
    db = await _connect(dsn, place, seconds)
    try:
        return await _look(db, place, oldest)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ServerUnreachableError(place, _reason(error, seconds)) from error
    finally:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await db.close(timeout=seconds)


async def _connect(dsn: str, place: str, seconds: float) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(dsn, timeout=seconds, command_timeout=seconds)
    except asyncpg.InvalidAuthorizationSpecificationError as error:  # wrong passwords included
        raise ServerLoginError(place, _one_line(error)) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseMissingError(place, _database(dsn, error)) from error
    except (asyncpg.ClientConfigurationError, ValueError) as error:
        raise ServerAddressError(_one_line(error)) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ServerUnreachableError(place, _reason(error, seconds)) from error


async def _look(db: asyncpg.Connection, place: str, oldest: int) -> ServerInfo:
    number, version, user, database = await db.fetchrow(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"
        " current_user::text, current_database()::text"
    )
    if number // 10000 < oldest:
        raise ServerTooOldError(place, version, oldest)
    vector = await db.fetchrow(
        "SELECT default_version, installed_version FROM pg_available_extensions WHERE name = 'vector'"
    )
    if vector is None:
        raise VectorMissingError(place, number // 10000)
    available, installed = vector
    if _numbers(installed or available) < OLDEST_VECTOR:
        raise VectorTooOldError(place, installed or available, available)
    if installed is None:
        try:  # nothing tells for sure but trying; the transaction is never committed
            await db.execute("BEGIN; CREATE EXTENSION vector; ROLLBACK")
        except asyncpg.PostgresError as error:
            raise VectorForbiddenError(place, user, database, _one_line(error)) from error
    return ServerInfo(version, number // 10000, installed or available, installed is not None)


def _place(dsn: str) -> str:
    """Host and port, or the socket's folder: enough to know which server is meant, and no password."""
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError as error:
        raise ServerAddressError("its host and port cannot be read") from error
    if parts.scheme not in ("postgresql", "postgres"):
        raise ServerAddressError("it does not begin with postgresql://")
    query = parse_qs(parts.query)
    host = unquote(parts.hostname or "") or query.get("host", ["localhost"])[0]
    return host if host.startswith("/") else f"{host}:{port or query.get('port', ['5432'])[0]}"


def _database(dsn: str, error: Exception) -> str:
    named = re.search(r'"([^"]+)"', str(error))  # the server's message is translated, the quoted name is not
    return unquote(urlsplit(dsn).path.lstrip("/")) or (named[1] if named else "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _reason(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, socket.gaierror):
        return "its host name is not known"
    if isinstance(error, FileNotFoundError):
        return "no server has its socket there"
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return "connection refused"
    return _one_line(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
