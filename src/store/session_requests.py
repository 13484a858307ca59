"""What people want done at once to numbers whose connection a session host holds, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from store.database import Connection, Row

RequestKind = Literal["pair_code", "stop", "restart", "logout", "delete"]


async def add(
    tx: Connection, tenant_id: UUID, session_id: UUID, kind: RequestKind, *, actor: str, **argument: object
) -> UUID:
    """Ask for something; one that waits already for the same is that one. Old ones are forgotten."""
    await tx.execute(
        "DELETE FROM session_request WHERE channel_session_id = $1 AND created_at < now() - interval '10 minutes' "
        "AND state <> 'waiting'",
        session_id,
    )
    waiting: UUID | None = await tx.fetchval(
        "SELECT id FROM session_request WHERE channel_session_id = $1 AND kind = $2 AND argument = $3 "
        "AND state = 'waiting'",
        session_id,
        kind,
        argument,
    )
    if waiting is not None:
        return waiting
    added: UUID = await tx.fetchval(
        "INSERT INTO session_request (tenant_id, channel_session_id, kind, argument, actor) "
        "VALUES ($1, $2, $3, $4, $5) RETURNING id",
        tenant_id,
        session_id,
        kind,
        argument,
        actor,
    )
    return added


async def look(tx: Connection, request_id: UUID) -> Row | None:
    """(state, result) of a request; None once its number is gone."""
    return await tx.fetchrow("SELECT state, result FROM session_request WHERE id = $1", request_id)


async def settle(tx: Connection, request_id: UUID, result: Mapping[str, Any], *, failed: bool = False) -> None:
    """Say what came of a request that waits."""
    await tx.execute(
        "UPDATE session_request SET state = $2, result = $3 WHERE id = $1 AND state = 'waiting'",
        request_id,
        "failed" if failed else "done",
        dict(result),
    )


async def withdraw(tx: Connection, request_id: UUID) -> bool:
    """Nobody waits for it any more; whether it was still to be done."""
    found = await tx.fetchval(
        "UPDATE session_request SET state = 'failed', result = '{\"error\": \"withdrawn\"}' "
        "WHERE id = $1 AND state = 'waiting' RETURNING 1",
        request_id,
    )
    return found is not None
