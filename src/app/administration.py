"""What an administrator does from the command line: migrate, import a tenant."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from app.encoders import encoder_of
from app.numbers import tenants_named
from app.postgres import running_postgres
from app.settings import Settings
from flows.functions import FOLDER_SOURCE
from flows.tenant_files import load_tenant, slug_of
from flows.tenants import import_tenant
from store import functions
from store.database import Database
from store.migrate import migrate


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[tuple[str, Database]]:
    """The migrated database; the embedded server runs for as long as it is needed."""
    async with running_postgres(settings) as url:
        await asyncio.to_thread(migrate, url, settings.secret)
        db = await Database.open(url, settings.secret, max_connections=2)
        try:
            yield url, db
        finally:
            await db.close()


async def migrate_database(settings: Settings) -> None:
    """Bring the database to this version. Raises ServerUnusableError."""
    async with running_postgres(settings) as url:
        await asyncio.to_thread(migrate, url, settings.secret)


async def import_folder(settings: Settings, folder: Path) -> list[str]:
    """Import a tenant folder; returns lines that tell what came of it. Raises TenantFilesError."""
    async with open_database(settings) as (url, db):
        declaration = await asyncio.to_thread(load_tenant, folder, await _imported_functions(url, db, folder))
        passwords = {user.email: secrets.token_urlsafe(12) for user in declaration.settings.users}
        logins = {email: await db.gate("find_login", email) for email in passwords}
        imported = await import_tenant(
            url,
            db,
            declaration,
            encoder_of(settings),
            today=datetime.now(ZoneInfo(declaration.settings.timezone)).date(),
            passwords=passwords,
        )
    did = "imported" if imported.changed else "unchanged since its last import"
    lines = [f"{declaration.settings.name} ({declaration.settings.slug}): {did}."]
    lines += [f"  number {key}: {number}" for key, number in imported.numbers.items()]
    lines += [f"  new login {email}  {passwords[email]}" for email, known in logins.items() if not known]
    in_python = declaration.functions.keys() - declaration.http_functions.keys()
    if not any(folder.is_relative_to(allowed) for allowed in settings.code_folders) and in_python:
        lines.append(f"  Its functions run only where ATENDE_TENANT_FOLDERS holds {folder.parent}.")
    return lines


async def _imported_functions(url: str, db: Database, folder: Path) -> list[str]:
    """Names of the functions that the folder's tenant has from elsewhere, if it exists already."""
    for tenant_id, slug in await tenants_named(url, None):
        if slug == slug_of(folder):
            async with db.transaction(tenant_id) as tx:
                return [row.name for row in await functions.every(tx) if not row.source.startswith(FOLDER_SOURCE)]
    return []
