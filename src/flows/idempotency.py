"""Requests of programs that are carried out once, however often they are sent: remembered under a key they choose.

What was done and what was answered are written in one transaction, so that a crash leaves both or neither. A request
that was refused is not remembered: the next one under its key is looked at anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson

from domain.errors import ConflictError, InvalidInputError
from store.database import Connection, Database

_LONGEST_KEY: Final = 255


class KeyReusedError(ConflictError):
    """One idempotency key, two different requests."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} was used for another request.", hint="Choose a new key for a new request."
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as JSON; ``repeated``: it was given before, and nothing was done now."""

    body: dict[str, Any]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    repeated: bool = False
    shown_once: dict[str, Any] = field(default_factory=dict)
    """What belongs to ``body`` but is never kept, such as a secret: a repeated answer lacks it."""


DONE: Final = Answered({}, 204)
"""Nothing to tell."""


class IdempotentRequests:
    """Carries requests out once for each key of a tenant."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def once(self, tenant_id: UUID, key: str, asked: object, act: Callable[[], Awaitable[Answered]]) -> Answered:
        """What ``act`` answers, or answered before. ``asked``: all that makes the request what it is, as JSON.

        ``act`` may call flows that write: their transactions become part of the one that remembers. It must not wait
        for another process, which would not see what it has written. Raises KeyReusedError and InvalidInputError, and
        what ``act`` raises.
        """
        key, digest = checked_key(key), digest_of(asked)
        async with self._db.joined(tenant_id) as tx:
            before = await reserve(tx, tenant_id, key, digest)
            if before is not None:
                return Answered(before["body"], before["status"], before["headers"], repeated=True)
            answered = await act()
            await keep(tx, key, {"status": answered.status, "headers": answered.headers, "body": answered.body})
        return answered


def digest_of(asked: object) -> str:
    """What tells requests apart."""
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def checked_key(key: str) -> str:
    """The idempotency key. Raises InvalidInputError."""
    key = key.strip()
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise InvalidInputError(
            "Idempotency-Key",
            f"must be 1 to {_LONGEST_KEY} printable characters",
            hint="Choose one for each request (an order's id, a UUID): sent again, it is carried out once.",
        )
    return key


async def answered(tx: Connection, key: str, digest: str) -> dict[str, Any] | None:
    """What was answered under this key; None: nothing yet. Raises KeyReusedError."""
    row = await tx.fetchrow("SELECT digest, answer FROM idempotent_request WHERE key = $1", key)
    if row is None:
        return None
    if row["digest"] != digest:
        raise KeyReusedError(key)
    answer: dict[str, Any] = row["answer"]
    return answer


async def reserve(tx: Connection, tenant_id: UUID, key: str, digest: str) -> dict[str, Any] | None:
    """Take the key for this request; what was answered if it is taken. Waits for a twin that is being carried out."""
    reserved = await tx.fetchval(
        "INSERT INTO idempotent_request (tenant_id, key, digest) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING RETURNING key",
        tenant_id,
        key,
        digest,
    )
    return None if reserved is not None else await answered(tx, key, digest) or {}


async def keep(tx: Connection, key: str, answer: dict[str, Any]) -> None:
    """Remember the answer to the request that reserved the key."""
    await tx.execute("UPDATE idempotent_request SET answer = $2 WHERE key = $1", key, answer)
