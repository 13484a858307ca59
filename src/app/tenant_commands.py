"""``atende tenant``: make a business and set what it needs, without files. ``import`` stands in app.cli."""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from app.tenant_work import ACTOR, DataDir, Tenant, TenantWork, run_for, settings_for
from domain.errors import ConflictError, InvalidInputError

if TYPE_CHECKING:
    from app.settings import Settings
    from flows.tenant_settings import TenantSettingsDesk
    from store.database import Database
    from store.wakeup import Wakeup

commands = typer.Typer(help="Businesses: from folders of plain files, or set here.", no_args_is_help=True)

Pairs = Annotated[list[str], typer.Argument(metavar="KEY=VALUE…", help="See `atende tenant show` for the keys.")]
MaybePairs = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE…", help="Settings to begin with.", show_default=False)
]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help='What the business is called, such as "Loja Nova".')],
    pairs: MaybePairs = None,
    *,
    slug: Annotated[str | None, typer.Option("--slug", help="Its short name; made of the name otherwise.")] = None,
    admin: Annotated[
        str | None, typer.Option("--admin", help="E-mail of who administers it; a new login's password is printed.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a new business. Its settings are the usual ones, and those given as KEY=VALUE."""
    from flows.tenant_settings import read_settings  # noqa: PLC0415

    wishes = parsed(pairs or [])
    read_settings(wishes)  # before anything is made
    chosen = slug or slug_of(name)
    if not _SLUG.fullmatch(chosen) or len(chosen) > 60:
        raise InvalidInputError("slug", f"{chosen!r} is none", hint="Use a-z, 0-9 and -, such as loja-nova.")
    if admin is not None and not _EMAIL.fullmatch(admin):
        raise InvalidInputError("admin", f"{admin!r} is no e-mail address")
    new = _NewTenant(chosen, name.strip(), admin)
    password = asyncio.run(_create(new, wishes, data_dir))
    print(f"{new.name} ({chosen}) was created.")
    if password:
        print(f"  new login {admin}  {password}")
    print(f"Next: atende intents import FILE --tenant {chosen}; atende session create --tenant {chosen} --name …")


@commands.command("set")
def set_values(pairs: Pairs, *, tenant: Tenant, data_dir: DataDir = None) -> None:
    """Set one or several things, all or none. KEY= takes back what was set. It counts at once, in every process."""
    wishes = parsed(pairs)

    async def work(found: TenantWork) -> list[str]:
        desk = _desk(found)
        await desk.change(found.tenant_id, wishes, actor=ACTOR)
        return [
            f"{one.key} = {one.value}" + (" (the usual)" if one.origin == "usual" else "")
            for one in await desk.show(found.tenant_id)
            if one.key in wishes
        ]

    run_for(tenant, data_dir, work)


@commands.command()
def show(*, tenant: Tenant, data_dir: DataDir = None) -> None:
    """List every setting: its value, where that comes from (set, files, usual), and what it means."""

    async def work(found: TenantWork) -> list[str]:
        shown = await _desk(found).show(found.tenant_id)
        return [f"{one.key:22}  {one.value:24}  {one.origin:5}  {one.about}" for one in shown]

    run_for(tenant, data_dir, work)


def parsed(pairs: list[str]) -> dict[str, str]:
    """KEY=VALUE texts as a mapping. Raises InvalidInputError."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InvalidInputError("settings", f"{pair!r} is not KEY=VALUE", hint="Such as threshold=0.85.")
        if key.strip() in found:
            raise InvalidInputError("settings", f"{key.strip()} is there twice", hint="Give it once.")
        found[key.strip()] = value
    return found


def slug_of(name: str) -> str:
    """The name in small letters without accents, words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:60].strip("-")


@dataclass(frozen=True, slots=True)
class _NewTenant:
    slug: str
    name: str
    admin: str | None


async def _create(new: _NewTenant, wishes: dict[str, str], data_dir: Path | None) -> str | None:
    """Make it; returns the password of a login that did not exist before."""
    import asyncpg  # noqa: PLC0415

    from app.administration import open_database  # noqa: PLC0415
    from store.wakeup import Wakeup  # noqa: PLC0415

    if not new.name or len(new.name) > 200:
        raise InvalidInputError("name", "must have 1 to 200 characters")
    settings = settings_for(data_dir)
    language = wishes.get("default_language", "").strip().lower() or "pt"
    async with open_database(settings) as (url, db):
        owner = await asyncpg.connect(url)
        try:
            async with owner.transaction():
                # Two at once: the second must find the first one's slug taken.
                await owner.execute("SELECT pg_advisory_xact_lock(hashtext('create tenant'))")
                if new.slug in {row["slug"] for row in await owner.fetch("SELECT slug FROM gate.list_tenants()")}:
                    raise ConflictError(f"There is a tenant {new.slug} already.", hint="Choose another --slug.")
                tenant_id = await owner.fetchval(
                    "SELECT gate.put_tenant($1, $2, $3, 'America/Sao_Paulo')", new.slug, new.name, language
                )
                password = await _admin(owner, tenant_id, new.admin, language) if new.admin else None
        finally:
            await owner.close()
        wakeup = Wakeup(db)
        try:
            if wishes:
                await _desk_of(db, wakeup, settings).change(tenant_id, wishes, actor=ACTOR)
        finally:
            await wakeup.close()
    return password


async def _admin(owner: Any, tenant_id: UUID, email: str, language: str) -> str | None:
    from argon2 import PasswordHasher  # noqa: PLC0415

    known = await owner.fetchval("SELECT EXISTS (SELECT 1 FROM gate.find_login($1))", email)
    password = secrets.token_urlsafe(12)
    hashed = "" if known else await asyncio.to_thread(PasswordHasher().hash, password)
    if known:  # an existing person's name and password stay
        user_id = await owner.fetchval("SELECT user_id FROM gate.find_login($1)", email)
    else:
        user_id = await owner.fetchval(
            "SELECT gate.put_user($1, $2, $3, $4)", email, email.partition("@")[0], hashed, language
        )
    await owner.execute("SELECT gate.put_member($1, $2, 'admin')", tenant_id, user_id)
    return None if known else password


def _desk(found: TenantWork) -> TenantSettingsDesk:
    return _desk_of(found.db, found.wakeup, found.settings)


def _desk_of(db: Database, wakeup: Wakeup, settings: Settings) -> TenantSettingsDesk:
    from flows.tenant_settings import TenantSettingsDesk  # noqa: PLC0415
    from store.secrets import Sealer  # noqa: PLC0415

    return TenantSettingsDesk(db, wakeup, Sealer(settings.secret))
