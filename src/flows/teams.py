"""Teams: people who share a queue, the numbers whose conversations begin in it, and the intents handed off to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from domain.errors import NotFoundError
from flows.desk import Actor
from flows.refusals import RefusedError, line
from flows.tenant_settings import SET_BY_HAND
from flows.versions import ANY, check_version, version_of
from store import events, profile_version
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, PROFILES, Wakeup

ASSIGNMENTS: Final = ("by_hand", "round_robin")
_MOST: Final = 100


class Teams:
    """Raises RefusedError, NotFoundError or ChangedMeanwhileError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def all(self, tenant_id: UUID) -> list[Row]:
        """Every team with its people, numbers (id and name), intents, and how many conversations wait in its queue."""
        async with self._db.transaction(tenant_id) as tx:
            return await _read(tx)

    async def choices(self, tenant_id: UUID) -> Mapping[str, list[Row]]:
        """What a team may have: ``people`` (user_id, name), ``numbers`` (id, name, team_id), ``intents`` (name)."""
        async with self._db.transaction(tenant_id) as tx:
            return {
                "people": list(
                    await tx.fetch(
                        "SELECT m.user_id, u.name FROM membership m JOIN user_account u ON u.id = m.user_id "
                        "WHERE m.role <> 'prompt_engineer' ORDER BY lower(u.name), u.id"
                    )
                ),
                "numbers": list(
                    await tx.fetch("SELECT id, name, team_id FROM channel_session ORDER BY lower(name), id")
                ),
                "intents": list(await tx.fetch("SELECT name FROM intent ORDER BY name")),
            }

    async def create(self, actor: Actor, *, name: str, description: str = "") -> UUID:
        """A new team without anybody in it."""
        name, description = line("name", name, 60), line("description", description, 200, needed=False)
        async with self._db.transaction(actor.tenant_id) as tx:
            if await tx.fetchval("SELECT count(*) FROM team") >= _MOST:
                raise RefusedError("name", "There are too many teams already. Remove some first.")
            await _free(tx, name, None)
            try:
                team_id: UUID = await tx.fetchval(
                    "INSERT INTO team (tenant_id, name, description) VALUES ($1, $2, $3) RETURNING id",
                    actor.tenant_id,
                    name,
                    description,
                )
            except asyncpg.UniqueViolationError:
                raise _taken(name) from None
            payload = {"team_id": str(team_id), "name": name, "changes": {"name": [None, name]}}
            await events.append(tx, actor.tenant_id, "team.created", payload=payload, actor=str(actor))
        self._wakeup.signal(EVENTS)
        return team_id

    async def change(
        self,
        actor: Actor,
        team_id: UUID,
        *,
        name: str,
        description: str,
        assignment: str,
        people: Sequence[UUID],
        numbers: Sequence[UUID],
        intents: Sequence[str],
        version: str | None = ANY,
    ) -> None:
        """All of a team, if nobody changed it since ``version``. A number belongs to one team at most, and so does an
        intent: it leaves its former one.

        Conversations that exist stay where they are.
        """
        name, description = line("name", name, 60), line("description", description, 200, needed=False)
        if assignment not in ASSIGNMENTS:
            raise RefusedError("assignment", "Choose how conversations are assigned.")
        async with self._db.transaction(actor.tenant_id) as tx:
            await tx.execute("SELECT 1 FROM tenant WHERE id = $1 FOR NO KEY UPDATE", actor.tenant_id)
            before = await _one(tx, team_id)
            check_version(before["name"], version, team_version(before))
            await _free(tx, name, team_id)
            await _put_people(tx, actor.tenant_id, team_id, people)
            await _put_numbers(tx, team_id, numbers)
            await _put_intents(tx, actor.tenant_id, before["name"], name, intents)
            try:
                await tx.execute(
                    "UPDATE team SET name = $2, description = $3, assignment = $4 WHERE id = $1",
                    team_id,
                    name,
                    description,
                    assignment,
                )
            except asyncpg.UniqueViolationError:
                raise _taken(name) from None
            changes = _differences(before, await _one(tx, team_id))
            if changes:
                payload = {"team_id": str(team_id), "name": name, "changes": changes}
                await events.append(tx, actor.tenant_id, "team.changed", payload=payload, actor=str(actor))
        self._wakeup.signal(EVENTS)
        self._wakeup.signal(PROFILES)

    async def remove(self, actor: Actor, team_id: UUID, *, version: str | None = ANY) -> None:
        """The team is no more, if nobody changed it since ``version``. Its conversations and numbers belong to nobody's
        team."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await tx.execute("SELECT 1 FROM tenant WHERE id = $1 FOR NO KEY UPDATE", actor.tenant_id)
            before = await _one(tx, team_id)
            check_version(before["name"], version, team_version(before))
            await _put_intents(tx, actor.tenant_id, before["name"], before["name"], ())
            await tx.execute("DELETE FROM team WHERE id = $1", team_id)
            payload = {"team_id": str(team_id), "changes": _differences(before, None)}
            await events.append(tx, actor.tenant_id, "team.removed", payload=payload, actor=str(actor))
        self._wakeup.signal(EVENTS)


def team_version(row: Row) -> str:
    """The version of what may be changed of a team; ``row``: as ``Teams.all`` gives it."""
    lists = [sorted(one["id"] for one in row[name]) for name in ("people", "numbers")]
    return version_of(row["name"], row["description"], row["assignment"], *lists, row["intents"])


def team_for(settings: Mapping[str, Any], intent: str | None) -> str | None:
    """The name of the team that an intent is handed off to (``handoff.teams`` of the tenant's settings), if any."""
    found = ((settings.get("handoff") or {}).get("teams") or {}).get(intent or "")
    return found if isinstance(found, str) else None


async def queue_for_intent(tx: Connection, conversation_id: UUID, team: str) -> None:
    """A handoff names a team: its queue is where the conversation waits. A team that is no more changes nothing."""
    await tx.execute(
        "UPDATE conversation SET team_id = t.id FROM team t WHERE conversation.id = $1 AND t.name = $2",
        conversation_id,
        team,
    )


_TEAMS: Final = """
SELECT t.id, t.name, t.description, t.assignment,
       coalesce((SELECT jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name) ORDER BY lower(u.name), u.id)
                   FROM team_member tm JOIN user_account u ON u.id = tm.user_id
                  WHERE tm.team_id = t.id), '[]') AS people,
       coalesce((SELECT jsonb_agg(jsonb_build_object('id', s.id, 'name', s.name) ORDER BY lower(s.name), s.id)
                   FROM channel_session s WHERE s.team_id = t.id), '[]') AS numbers,
       coalesce((SELECT jsonb_agg(i.key ORDER BY i.key)
                   FROM tenant x, jsonb_each_text(coalesce(x.settings #> '{handoff,teams}', '{}')) i
                  WHERE i.value = t.name), '[]') AS intents,
       (SELECT count(*) FROM conversation c WHERE c.team_id = t.id AND c.status = 'waiting') AS waiting,
       (SELECT count(*) FROM conversation c WHERE c.team_id = t.id AND c.status = 'human') AS held
  FROM team t
"""


async def _read(tx: Connection) -> list[Row]:
    return list(await tx.fetch(f"{_TEAMS} ORDER BY lower(t.name), t.id"))


async def _one(tx: Connection, team_id: UUID) -> Row:
    row = await tx.fetchrow(f"{_TEAMS} WHERE t.id = $1", team_id)
    if row is None:
        raise NotFoundError("team", team_id)
    return row


async def _free(tx: Connection, name: str, team_id: UUID | None) -> None:
    if await tx.fetchval(
        "SELECT 1 FROM team WHERE lower(name) = lower($1) AND ($2::uuid IS NULL OR id <> $2)", name, team_id
    ):
        raise _taken(name)


def _taken(name: str) -> RefusedError:
    return RefusedError("name", "There is a team called %(name)s already.", name=name)


async def _put_people(tx: Connection, tenant_id: UUID, team_id: UUID, people: Sequence[UUID]) -> None:
    known = {
        row["user_id"] for row in await tx.fetch("SELECT user_id FROM membership WHERE user_id = ANY ($1)", people)
    }
    for one in people:
        if one not in known:
            raise NotFoundError("person", one)
    await tx.execute("DELETE FROM team_member WHERE team_id = $1 AND user_id <> ALL ($2)", team_id, list(people))
    await tx.executemany(
        "INSERT INTO team_member (tenant_id, team_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [(tenant_id, team_id, one) for one in people],
    )


async def _put_numbers(tx: Connection, team_id: UUID, numbers: Sequence[UUID]) -> None:
    known = {row["id"] for row in await tx.fetch("SELECT id FROM channel_session WHERE id = ANY ($1)", list(numbers))}
    for one in numbers:
        if one not in known:
            raise NotFoundError("number", one)
    await tx.execute(
        "UPDATE channel_session SET team_id = NULL WHERE team_id = $1 AND id <> ALL ($2)", team_id, list(numbers)
    )
    await tx.execute("UPDATE channel_session SET team_id = $1 WHERE id = ANY ($2)", team_id, list(numbers))


async def _put_intents(tx: Connection, tenant_id: UUID, former: str, name: str, intents: Sequence[str]) -> None:
    settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id)
    known = {row["name"] for row in await tx.fetch("SELECT name FROM intent WHERE name = ANY ($1)", list(intents))}
    for one in intents:
        if one not in known:
            raise NotFoundError("intent", one)
    handoff = settings.get("handoff") or {}
    before = handoff.get("teams") or {}
    kept = {intent: team for intent, team in before.items() if team != former and intent not in intents}
    now = {**kept, **dict.fromkeys(intents, name)}
    if now == before:
        return
    changed = {**handoff, "teams": now}
    by_hand = {**settings.get(SET_BY_HAND, {}), "handoff": changed}
    await tx.execute(
        "UPDATE tenant SET settings = settings || $2 WHERE id = $1",
        tenant_id,
        {"handoff": changed, SET_BY_HAND: by_hand},
    )
    await profile_version.bump(tx, tenant_id)


def _differences(before: Row, now: Row | None) -> dict[str, list[Any]]:
    def said(row: Row | None, name: str) -> Any:
        value = row[name] if row is not None else None
        return [one["name"] if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value

    names = ("name", "description", "assignment", "people", "numbers", "intents")
    return {name: [said(before, name), said(now, name)] for name in names if said(before, name) != said(now, name)}
