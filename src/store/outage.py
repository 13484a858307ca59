"""What errors of the database mean: it is away for now and the same may be tried again, or it never can be."""

from __future__ import annotations

import asyncpg

UNREACHABLE: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a dying server says so on connections that asked nothing, which confuses the library
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
"""Nothing was asked, or no answer came."""

AWAY: tuple[type[Exception], ...] = (
    *UNREACHABLE,
    TimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    asyncpg.LockNotAvailableError,
)
"""The same, and whatever else is the server's trouble rather than the statement's: full disk, shutdown, fail-over."""

UNKEPT: tuple[type[Exception], ...] = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""The other side's fault: a text held NUL, which PostgreSQL keeps in no text."""
