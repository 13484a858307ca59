"""Preparing a database: migrations, and the example tenant where the demo is wanted."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import yaml

from app.encoders import encoder_of
from app.prepared import Login, Prepared, fingerprint
from app.settings import Settings
from flows.canned import CannedReplies
from flows.demo_scripts import DemoScript, load_demo
from flows.desk import Actor
from flows.tenant_files import load_tenant
from flows.tenants import ImportedTenant, demo_passwords, import_tenant
from store.database import Database
from store.migrate import migrate

log = logging.getLogger(__name__)


async def run(settings: Settings, _listening: socket.socket | None = None) -> None:
    """Migrate, seed the demo if wanted, and note what was done. Safe to run again at any time."""
    url = settings.need_database_url()
    wanted = fingerprint(settings)
    await asyncio.to_thread(migrate, url, settings.secret)
    prepared = Prepared(wanted, revision=await asyncio.to_thread(_revision, url))
    if settings.demo:
        prepared = await _demo(settings, url, prepared)
    prepared.write(settings.data_dir)


async def _demo(settings: Settings, url: str, prepared: Prepared) -> Prepared:
    declaration = await asyncio.to_thread(load_tenant, settings.demo_folder)
    print(f"  teaching the assistant of {declaration.settings.name} …", flush=True)
    db = await Database.open(url, settings.secret, max_connections=2)
    try:
        imported: ImportedTenant = await import_tenant(
            url,
            db,
            declaration,
            encoder_of(settings),
            today=datetime.now(ZoneInfo(declaration.settings.timezone)).date(),
            passwords=demo_passwords(declaration),
        )
        await _canned(db, imported.tenant_id, settings.demo_folder / "canned_replies.yaml")
    finally:
        await db.close()
    return Prepared(
        prepared.fingerprint,
        revision=prepared.revision,
        tenant=declaration.settings.slug,
        logins=tuple(
            Login(user.email, user.demo_password, user.name, user.role)
            for user in declaration.settings.users
            if user.demo_password
        ),
        numbers={key: str(number) for key, number in imported.numbers.items()},
        ideas=_ideas(load_demo(settings.demo_folder, declaration)),
    )


async def _canned(db: Database, tenant_id: UUID, file: Path) -> None:
    """The texts that operators insert by a shortcut, unless the tenant has some already, or no such file."""
    if not await asyncio.to_thread(file.is_file):
        return
    texts: dict[str, str] = yaml.safe_load(await asyncio.to_thread(file.read_text, encoding="utf-8"))
    replies = CannedReplies(db)
    actor = Actor(tenant_id, None, "demo")
    if not await replies.of(actor):
        for shortcut, text in texts.items():
            await replies.create(actor, shortcut, text, shared=True, shares=True)


def _ideas(scripts: Sequence[DemoScript]) -> tuple[str, ...]:
    """The opening messages of scripts, one for each kind of decision that they lead to."""
    found: dict[str | None, str] = {}
    for script in scripts:
        opening = script.steps[0]
        if len(opening.say) == 1 and opening.say[0].text:
            found.setdefault(opening.expect.decision, opening.say[0].text)
    return tuple(found.values())


def _revision(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as db:
        row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""
