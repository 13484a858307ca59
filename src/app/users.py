"""People, as whoever operates the installation handles them: made, given roles, let in again.

Everything here works as the owner of the database; the application's own role may not.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from domain.errors import ConflictError, InvalidInputError, NotFoundError
from domain.roles import Reach, Role
from flows.sign_in import hashed

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MOST_EMAIL = 320


@dataclass(frozen=True, slots=True)
class Place:
    """What somebody is to be in a business, named by its slug."""

    tenant: str
    role: str
    reach: str | None = None
    """None: as it is; all for who is new there."""


async def create(owner_dsn: str, *, email: str, name: str, place: Place | None, platform: bool) -> list[str]:
    """A new person; returns lines that tell the password, this once. Raises InvalidInputError, ConflictError and
    NotFoundError.
    """
    email = checked_email(email)
    if place is None and not platform:
        raise InvalidInputError(
            "tenant", "is missing", hint="Give --tenant and --role, or --platform-admin for who runs the platform."
        )
    password = secrets.token_urlsafe(12)
    password_hash = await hashed(password)
    async with _owner(owner_dsn) as owner:
        tenant_id = await _tenant(owner, place) if place else None
        if await owner.fetchval("SELECT EXISTS (SELECT 1 FROM gate.find_login($1))", email):
            raise ConflictError(
                f"There is a user {email} already.", hint="Give a role with: atende user role, or another e-mail."
            )
        shown = " ".join(name.split())[:200] or email.partition("@")[0]
        user = await owner.fetchval("SELECT gate.put_user($1, $2, $3, NULL)", email, shown, password_hash)
        if place and tenant_id:
            await _put(owner, user, tenant_id, place)
        if platform:
            await owner.execute("SELECT gate.put_platform($1, true)", user)
    what = [f"{place.role} of {place.tenant}"] if place else []
    what += ["platform administrator"] if platform else []
    return [f"{email} was created: {', '.join(what)}.", f"  password, shown this once  {password}"]


async def give_role(owner_dsn: str, email: str, place: Place) -> list[str]:
    """What a person is in a business from now on. Raises InvalidInputError and NotFoundError."""
    async with _owner(owner_dsn) as owner:
        user, tenant_id = await _user(owner, email), await _tenant(owner, place)
        await _put(owner, user, tenant_id, place)
    reach = f", sees {place.reach}" if place.reach else ""
    return [f"{email} is {place.role} of {place.tenant} from now on{reach}."]


async def reset_password(owner_dsn: str, email: str) -> list[str]:
    """Another password, which ends all of the person's sign-ins. Raises NotFoundError."""
    password = secrets.token_urlsafe(12)
    password_hash = await hashed(password)
    async with _owner(owner_dsn) as owner:
        await owner.execute("SELECT gate.set_password($1, $2)", await _user(owner, email), password_hash)
    return [f"{email} has a new password, and was signed out everywhere.", f"  password, shown this once  {password}"]


async def make_platform_admin(owner_dsn: str, email: str, *, runs: bool) -> list[str]:
    """Let a person run the platform, or no more. Raises NotFoundError."""
    async with _owner(owner_dsn) as owner:
        await owner.execute("SELECT gate.put_platform($1, $2)", await _user(owner, email), runs)
    return [f"{email} {'runs the platform from now on' if runs else 'does not run the platform any more'}."]


async def remove_second_factor(owner_dsn: str, email: str) -> list[str]:
    """For who lost the phone and the recovery codes. Raises NotFoundError."""
    async with _owner(owner_dsn) as owner:
        was_on = await owner.fetchval("SELECT gate.drop_second_factor($1)", await _user(owner, email))
    return [f"The second factor of {email} {'was removed' if was_on else 'was off already'}."]


async def listed(owner_dsn: str, tenant: str | None) -> list[str]:
    """Everybody, or those of a business: what they are where, and when they were here last. Raises NotFoundError."""
    async with _owner(owner_dsn) as owner:
        tenant_id = await _tenant(owner, Place(tenant, Role.ADMIN)) if tenant else None
        rows = await owner.fetch("SELECT * FROM gate.list_users($1)", tenant_id)
    return [_line(row) for row in rows] or ["There are no users yet. Make one with: atende user create EMAIL"]


def checked_email(email: str) -> str:
    """The address in its one form. Raises InvalidInputError."""
    known = email.strip().lower()
    if not _EMAIL.fullmatch(known) or len(known) > _MOST_EMAIL:
        raise InvalidInputError("email", f"{email!r} is no e-mail address")
    return known


def _line(row: Any) -> str:
    places = [
        f"{one['role']} of {one['slug']}" + ("" if one["reach"] == Reach.ALL else f" (sees {one['reach']})")
        for one in orjson.loads(row["memberships"])
    ]
    places += ["platform administrator"] if row["runs_platform"] else []
    used = f"last used {row['used_at']:%Y-%m-%d %H:%M} UTC" if row["used_at"] else "not signed in"
    second = "second factor" if row["second_factor"] else "password only"
    return f"{row['email']:32}  {second:13}  {used:28}  {', '.join(places) or 'in no business'}  {row['name']}"


@asynccontextmanager
async def _owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    owner = await asyncpg.connect(dsn)
    try:
        async with owner.transaction():
            yield owner
    finally:
        await owner.close()


async def _user(owner: asyncpg.Connection, email: str) -> UUID:
    found: UUID | None = await owner.fetchval("SELECT user_id FROM gate.find_login($1)", checked_email(email))
    if found is None:
        raise NotFoundError("user", f"{email} (atende user list shows them)")
    return found


async def _tenant(owner: asyncpg.Connection, place: Place) -> UUID:
    _known("role", place.role, list(Role))
    if place.reach is not None:
        _known("reach", place.reach, list(Reach))
    rows = await owner.fetch("SELECT tenant_id, slug FROM gate.list_tenants()")
    for row in rows:
        if row["slug"] == place.tenant:
            return UUID(str(row["tenant_id"]))
    known = ", ".join(row["slug"] for row in rows) or "none"
    raise NotFoundError("tenant", f"{place.tenant} (there are: {known})")


def _known(field: str, given: str, choices: Sequence[str]) -> None:
    if given not in choices:
        raise InvalidInputError(field, f"there is no {given!r}", hint=f"Known: {', '.join(choices)}.")


async def _put(owner: asyncpg.Connection, user: UUID, tenant_id: UUID, place: Place) -> None:
    await owner.execute("SELECT gate.put_member($1, $2, $3)", tenant_id, user, place.role)
    if place.reach is not None:
        await owner.execute("SELECT gate.put_reach($1, $2, $3)", tenant_id, user, place.reach)
