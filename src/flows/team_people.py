"""The people who work for a tenant: invited by a one-time link, given a role and a reach, taken out again.

There is no mail server to rely on: a link is shown once to whoever made it, who passes it on. A link sets the password
of somebody new; who has a login already joins with the own password, which no link of any tenant can change.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from domain.conversation import Event
from domain.errors import NotFoundError
from domain.roles import Reach, Role
from flows.desk import Actor
from flows.refusals import RefusedError, line, whole
from flows.sign_in import NoBusinessError, SignIn, WrongCredentialsError, hashed
from flows.versions import ANY, check_version, version_of
from store import conversations, events
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup

LINK_DAYS: Final = 7
LEAST_PASSWORD: Final = 10
_MOST_PEOPLE: Final = 2000
_MOST_SKILLS: Final = 30
_EMAIL: Final = re.compile(r"[^@\s<>\"',;:()\[\]\\]{1,64}@[^@\s.<>\"',;:()\[\]\\]+(\.[^@\s.<>\"',;:()\[\]\\]+)+")
_TEAMS: Final = """
coalesce((SELECT jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) ORDER BY t.name)
            FROM team_member tm JOIN team t ON t.id = tm.team_id WHERE tm.user_id = m.user_id), '[]') AS teams"""


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link just made. ``token`` is shown this once; only its digest is kept."""

    id: UUID
    token: str
    email: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody shall be: as a form gives it."""

    role: str = Role.OPERATOR.value
    reach: str = Reach.ALL.value
    teams: Sequence[UUID] = ()
    capacity: str = "0"
    skills: str = ""


@dataclass(frozen=True, slots=True)
class OpenLink:
    """What a link's page shows. ``is_new``: it makes a login; ``sets_password``: it gives one a new password."""

    email: str
    name: str
    tenant_name: str
    tenant_locale: str
    is_new: bool
    sets_password: bool

    @property
    def asks_new_password(self) -> bool:
        return self.is_new or self.sets_password


class TeamPeople:
    """Raises RefusedError, NotFoundError or ChangedMeanwhileError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup, secret: bytes) -> None:
        self._db = db
        self._wakeup = wakeup
        self._sign_in = SignIn(db, secret)

    async def all(self, tenant_id: UUID) -> list[Row]:
        """Everybody with role, reach, teams (id and name) and how many open conversations are theirs, by name."""
        async with self._db.transaction(tenant_id) as tx:
            return list(
                await tx.fetch(
                    f"""SELECT m.user_id, u.name, u.email, m.role, m.reach, m.capacity, m.skills, m.away_at, m.seen_at,
                              (SELECT count(*) FROM conversation c
                                WHERE c.assignee_id = m.user_id AND c.status = 'human') AS open, {_TEAMS}
                         FROM membership m JOIN user_account u ON u.id = m.user_id ORDER BY lower(u.name), u.id"""
                )
            )

    async def one(self, tenant_id: UUID, user_id: UUID) -> Row:
        """One of them."""
        found = next((row for row in await self.all(tenant_id) if row["user_id"] == user_id), None)
        if found is None:
            raise NotFoundError("person", user_id)
        return found

    async def links(self, tenant_id: UUID) -> list[Row]:
        """Links that may still be used, the newest first."""
        async with self._db.transaction(tenant_id) as tx:
            return list(
                await tx.fetch(
                    """SELECT id, email, name, role, user_id, expires_at FROM invitation
                        WHERE ended_at IS NULL AND expires_at > now() ORDER BY created_at DESC"""
                )
            )

    async def invite(self, actor: Actor, *, email: str, name: str, wish: Wish) -> NewLink:
        """A link that lets somebody join. An earlier one for the same e-mail is taken back."""
        address = checked_email(email)
        name = line("name", name, 80)
        role, reach = _checked_role(wish.role), _checked_reach(wish.reach)
        async with self._db.transaction(actor.tenant_id) as tx:
            await _lock(tx, actor.tenant_id)
            if await tx.fetchval("SELECT 1 FROM user_account WHERE email = $1", address):
                raise RefusedError("email", "%(email)s works here already.", email=address)
            if await tx.fetchval("SELECT count(*) FROM membership") >= _MOST_PEOPLE:
                raise RefusedError("email", "There are too many people already. Remove some first.")
            teams = await _checked_teams(tx, wish.teams)
            await tx.execute("UPDATE invitation SET ended_at = now() WHERE email = $1 AND ended_at IS NULL", address)
            link = await _make_link(
                tx, actor, email=address, name=name, role=role, reach=reach, teams=[str(team) for team in teams]
            )
            payload = {"email": address, "name": name, "role": role, "reach": reach}
            await events.append(tx, actor.tenant_id, "invitation.created", payload=payload, actor=str(actor))
        return link

    async def password_link(self, actor: Actor, user_id: UUID) -> NewLink:
        """A link that sets a new password of somebody who works for this tenant alone."""
        async with self._db.transaction(actor.tenant_id) as tx:
            person = await _member(tx, user_id)
            await tx.execute("UPDATE invitation SET ended_at = now() WHERE user_id = $1 AND ended_at IS NULL", user_id)
            link = await _make_link(
                tx, actor, email=person["email"], name=person["name"], role=person["role"], user_id=user_id
            )
            payload = {"email": person["email"], "user_id": str(user_id)}
            await events.append(tx, actor.tenant_id, "invitation.password", payload=payload, actor=str(actor))
        return link

    async def take_back(self, actor: Actor, link_id: UUID) -> None:
        """The link works no more."""
        async with self._db.transaction(actor.tenant_id) as tx:
            email = await tx.fetchval(
                "UPDATE invitation SET ended_at = now() WHERE id = $1 AND ended_at IS NULL RETURNING email", link_id
            )
            if email is None:
                raise NotFoundError("invitation", link_id)
            await events.append(
                tx, actor.tenant_id, "invitation.taken_back", payload={"email": email}, actor=str(actor)
            )

    async def change(self, actor: Actor, user_id: UUID, wish: Wish, *, version: str | None = ANY) -> None:
        """Another role, reach, teams, capacity or skills, if nobody changed the person since ``version``.

        The last administrator stays one.
        """
        role, reach = _checked_role(wish.role), _checked_reach(wish.reach)
        capacity, skills = whole("capacity", wish.capacity or "0", 0, 1000), checked_skills(wish.skills)
        async with self._db.transaction(actor.tenant_id) as tx:
            await _lock(tx, actor.tenant_id)
            before = await _member(tx, user_id)
            check_version(before["name"], version, person_version(before))
            teams = await _checked_teams(tx, wish.teams)
            if before["role"] == Role.ADMIN and role != Role.ADMIN:
                await _another_administrator(tx, user_id)
            await tx.execute(
                "UPDATE membership SET role = $2, reach = $3, capacity = $4, skills = $5 WHERE user_id = $1",
                user_id,
                role,
                reach,
                capacity,
                skills,
            )
            had = {UUID(team["id"]) for team in before["teams"]}
            await tx.execute("DELETE FROM team_member WHERE user_id = $1 AND team_id <> ALL ($2)", user_id, teams)
            await tx.executemany(
                "INSERT INTO team_member (tenant_id, team_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                [(actor.tenant_id, team, user_id) for team in teams],
            )
            now = {"role": role, "reach": reach, "capacity": capacity, "skills": skills}
            changes: dict[str, list[Any]] = {
                name: [before[name], value] for name, value in now.items() if before[name] != value
            }
            if had != set(teams):
                names = {row["id"]: row["name"] for row in await tx.fetch("SELECT id, name FROM team")}
                changes["teams"] = [sorted(names[one] for one in had), sorted(names[one] for one in teams)]
            if changes:
                payload = {"user_id": str(user_id), "name": before["name"], "changes": changes}
                await events.append(tx, actor.tenant_id, "person.changed", payload=payload, actor=str(actor))
        self._wakeup.signal(EVENTS)

    async def remove(self, actor: Actor, user_id: UUID, *, version: str | None = ANY) -> int:
        """Out of this tenant, at once; the login stays. Open conversations wait for somebody else: returns how many."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await _lock(tx, actor.tenant_id)
            person = await _member(tx, user_id)
            check_version(person["name"], version, person_version(person))
            if person["role"] == Role.ADMIN:
                await _another_administrator(tx, user_id)
            held = await tx.fetch(
                "SELECT id, status FROM conversation WHERE assignee_id = $1 ORDER BY id FOR UPDATE", user_id
            )
            returned = 0
            for row in held:
                if row["status"] == "human":
                    await conversations.apply(tx, row["id"], Event.HANDED_OFF, actor=str(actor))
                    await tx.execute(
                        "UPDATE handoff SET claimed_by = NULL, claimed_at = NULL "
                        "WHERE conversation_id = $1 AND ended_at IS NULL",
                        row["id"],
                    )
                    returned += 1
            await tx.execute("UPDATE conversation SET assignee_id = NULL WHERE assignee_id = $1", user_id)
            await tx.execute("UPDATE task SET assignee_id = NULL WHERE assignee_id = $1 AND done_at IS NULL", user_id)
            await tx.execute("UPDATE invitation SET ended_at = now() WHERE user_id = $1 AND ended_at IS NULL", user_id)
            for table in ("team_member", "canned_reply", "notification", "membership"):
                await tx.execute(f"DELETE FROM {table} WHERE user_id = $1", user_id)
            payload = {
                "user_id": str(user_id),
                "name": person["name"],
                "email": person["email"],
                "changes": {"role": [person["role"], None]},
                "conversations": returned,
            }
            await events.append(tx, actor.tenant_id, "person.removed", payload=payload, actor=str(actor))
        self._wakeup.signal(EVENTS)
        return returned

    async def look_at(self, token: str) -> OpenLink:
        """What a link is for. Raises NotFoundError: used, taken back, past its time, or never made."""
        rows = await self._db.gate("find_invitation", digest(token))
        if not rows:
            raise NotFoundError("link", "of this address")
        return OpenLink(**dict(rows[0]))

    async def use(self, token: str, *, name: str, password: str, address: str) -> OpenLink:
        """Join, or set the new password. ``password``: the new one, or the own of somebody who has a login.

        ``address``: whence, for the limit on attempts. Raises also TooManyAttemptsError.
        """
        link = await self.look_at(token)
        kept: str | None = None
        if link.asks_new_password:
            name = line("name", name, 80) if link.is_new and not link.sets_password else link.name
            kept = await hashed(checked_password(password, link.email))
        else:
            try:
                await self._sign_in.check_password(link.email, password, address)
            except NoBusinessError:
                pass  # the right person; this link is what lets them in somewhere
            except WrongCredentialsError:
                raise RefusedError(
                    "password", "The password is wrong. It is the one that you sign in with already."
                ) from None
        try:
            rows = await self._db.gate("use_invitation", digest(token), name or link.name, kept)
        except asyncpg.InsufficientPrivilegeError:
            raise RefusedError(
                "password", "This login belongs to another business, too: only its owner changes the password."
            ) from None
        if not rows[0]["use_invitation"]:
            raise NotFoundError("link", "of this address")
        self._wakeup.signal(EVENTS)
        return link


def person_version(row: Row) -> str:
    """The version of what administrators may change of a person; ``row``: as ``TeamPeople.one`` gives it."""
    return version_of(
        *(row[name] for name in ("role", "reach", "capacity", "skills")), sorted(team["id"] for team in row["teams"])
    )


def digest(token: str) -> str:
    """What is kept of a link's token: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def checked_email(email: str) -> str:
    """In lower case. Raises RefusedError."""
    address = email.strip().lower()
    if len(address) > 254 or not address.isprintable() or not _EMAIL.fullmatch(address):
        raise RefusedError("email", "This is no e-mail address. Write it like ana@example.com.")
    return address


def checked_password(password: str, email: str) -> str:
    """Raises RefusedError for one that is guessed at once."""
    if not LEAST_PASSWORD <= len(password) <= 1000:
        raise RefusedError("password", "A password needs at least %(least)s characters.", least=LEAST_PASSWORD)
    folded = password.casefold()
    if (
        len(set(folded)) < 5
        or folded in {email, email.partition("@")[0]}
        or folded.startswith(("12345678", "password", "senha"))
    ):
        raise RefusedError("password", "This password is too easy to guess. Choose another one.")
    return password


def checked_skills(skills: str) -> list[str]:
    """Words separated by commas, folded, each once. Raises RefusedError."""
    found = list(dict.fromkeys(filter(None, (" ".join(part.split()).casefold() for part in skills.split(",")))))
    if len(found) > _MOST_SKILLS or any(len(part) > 40 or not part.isprintable() for part in found):
        raise RefusedError("skills", "Write at most 30 skills of at most 40 characters, separated by commas.")
    return found


async def _lock(tx: Connection, tenant_id: UUID) -> None:
    """One change of people at a time: two administrators must not remove each other."""
    await tx.execute("SELECT 1 FROM tenant WHERE id = $1 FOR NO KEY UPDATE", tenant_id)


async def _member(tx: Connection, user_id: UUID) -> Row:
    row = await tx.fetchrow(
        f"SELECT m.*, u.name, u.email, {_TEAMS} FROM membership m JOIN user_account u ON u.id = m.user_id "
        "WHERE m.user_id = $1",
        user_id,
    )
    if row is None:
        raise NotFoundError("person", user_id)
    return row


async def _another_administrator(tx: Connection, user_id: UUID) -> None:
    if not await tx.fetchval("SELECT 1 FROM membership WHERE role = 'admin' AND user_id <> $1 LIMIT 1", user_id):
        raise RefusedError("role", "This is the last administrator. Make somebody else one first.")


async def _make_link(
    tx: Connection,
    actor: Actor,
    *,
    email: str,
    name: str,
    role: str,
    reach: str = "all",
    teams: Sequence[str] = (),
    user_id: UUID | None = None,
) -> NewLink:
    token = secrets.token_urlsafe(32)
    link_id = await tx.fetchval(
        """INSERT INTO invitation (tenant_id, token_hash, user_id, email, name, role, reach, teams, created_by,
                                   expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id""",
        actor.tenant_id,
        digest(token),
        user_id,
        email,
        name,
        role,
        reach,
        list(teams),
        str(actor),
        datetime.now(UTC) + timedelta(days=LINK_DAYS),
    )
    return NewLink(link_id, token, email)


async def _checked_teams(tx: Connection, teams: Sequence[UUID]) -> list[UUID]:
    wanted = list(dict.fromkeys(teams))
    known = {row["id"] for row in await tx.fetch("SELECT id FROM team WHERE id = ANY ($1)", wanted)}
    for team in wanted:
        if team not in known:
            raise NotFoundError("team", team)
    return wanted


def _checked_role(role: str) -> str:
    if role not in set(Role):
        raise RefusedError("role", "Choose one of the roles.")
    return role


def _checked_reach(reach: str) -> str:
    if reach not in set(Reach):
        raise RefusedError("reach", "Choose which conversations the person sees.")
    return reach
