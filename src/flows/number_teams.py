"""Which team a number belongs to: conversations on it come to that team's queue."""

from __future__ import annotations

from uuid import UUID

from domain.errors import NotFoundError
from flows.gateways import FACTORIES, declared_settings
from store import events
from store.database import Connection, Database

GATEWAYS = tuple(FACTORIES)
"""Providers that are gateways, in the order in which they are offered."""


def settings_of(provider: str) -> list[tuple[str, bool, bool, str]]:
    """What a number of this gateway is told, its pace apart: (name, needed from people, secret, example)."""
    own = [one for one in declared_settings(provider) if one not in declared_settings("")]
    return [
        (one.name, one.required and not one.made and one.default is None, one.secret, one.example or one.default or "")
        for one in own
        if not one.made
    ]


async def teams(tx: Connection) -> list[tuple[UUID, str]]:
    """The tenant's teams, by name."""
    return [(row["id"], row["name"]) for row in await tx.fetch("SELECT id, name FROM team ORDER BY name")]


async def team_and_config(tx: Connection, session_id: UUID) -> tuple[UUID | None, dict[str, object]]:
    """The team of a number, and its settings. Raises NotFoundError."""
    row = await tx.fetchrow("SELECT team_id, config FROM channel_session WHERE id = $1", session_id)
    if row is None:
        raise NotFoundError("number", session_id)
    return row["team_id"], dict(row["config"])


async def put_in_team(db: Database, tenant_id: UUID, session_id: UUID, team_id: UUID | None, *, actor: str) -> None:
    """Give the number to a team; None: to nobody's. Raises NotFoundError."""
    async with db.transaction(tenant_id) as tx:
        named = await tx.fetchval("SELECT name FROM team WHERE id = $1", team_id) if team_id is not None else None
        if team_id is not None and named is None:
            raise NotFoundError("team", team_id)
        before = await tx.fetchrow(
            "SELECT s.id, t.name AS team FROM channel_session s LEFT JOIN team t ON t.id = s.team_id "
            "WHERE s.id = $1 FOR UPDATE OF s",
            session_id,
        )
        if before is None:
            raise NotFoundError("number", session_id)
        await tx.execute("UPDATE channel_session SET team_id = $2 WHERE id = $1", session_id, team_id)
        payload = {
            "channel_session_id": str(session_id),
            "team": str(team_id) if team_id else None,
            "changes": {"team": [before["team"], named]},
        }
        await events.append(tx, tenant_id, "session.changed", payload=payload, actor=actor)
