"""What an administrator does from the command line: migrate, import a tenant, explain a turn."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from agent.encoder import default_encoder
from app.postgres import running_postgres
from app.settings import Settings
from domain.errors import NotFoundError
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from store.database import Database, Row
from store.migrate import migrate


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[tuple[str, Database]]:
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
    declaration = await asyncio.to_thread(load_tenant, folder)
    passwords = {user.email: secrets.token_urlsafe(12) for user in declaration.settings.users}
    async with _database(settings) as (url, db):
        logins = {email: await db.gate("find_login", email) for email in passwords}
        imported = await import_tenant(
            url,
            db,
            declaration,
            default_encoder(),
            today=datetime.now(ZoneInfo(declaration.settings.timezone)).date(),
            passwords=passwords,
        )
    did = "imported" if imported.changed else "unchanged since its last import"
    lines = [f"{declaration.settings.name} ({declaration.settings.slug}): {did}."]
    lines += [f"  number {key}: {number}" for key, number in imported.numbers.items()]
    lines += [f"  new login {email}  {passwords[email]}" for email, known in logins.items() if not known]
    if not any(folder.is_relative_to(allowed) for allowed in settings.code_folders) and declaration.functions:
        lines.append(f"  Its functions run only where ATENDE_TENANT_FOLDERS holds {folder.parent}.")
    return lines


async def explain_turn(settings: Settings, turn_id: UUID) -> list[str]:
    """A turn's explanation, line by line. Raises NotFoundError."""
    async with _database(settings) as (url, db):
        for tenant_id in await _tenants(url):
            async with db.transaction(tenant_id) as tx:
                row = await tx.fetchrow("SELECT * FROM turn WHERE id = $1", turn_id)
            if row is not None:
                return _explanation(row)
    raise NotFoundError("turn", turn_id)


async def _tenants(url: str) -> list[UUID]:
    owner = await asyncpg.connect(url)  # the list is closed to the application's own role
    try:
        return [row["tenant_id"] for row in await owner.fetch("SELECT tenant_id FROM gate.list_tenants()")]
    finally:
        await owner.close()


def _explanation(row: Row) -> list[str]:
    decision, trace = row["decision"], row["trace"]
    confidence = f"{row['confidence']:.2f}" if row["confidence"] is not None else "-"
    lines = [
        f"turn          {row['id']} (attempt {row['attempt']}, {row['status']})",
        f"written       {row['created_at']:%Y-%m-%d %H:%M:%S} UTC",
        f"conversation  {row['conversation_id']}",
        f"intent        {row['intent'] or '-'} with confidence {confidence}, language {row['language'] or '-'}",
        f"decision      {decision.get('kind', '-')}{_named(decision, 'reason')}{_named(decision, 'function')}",
    ]
    lines += [f"  because     {reason['code']}: {reason['detail']}" for reason in decision.get("reasons", ())]
    if text := decision.get("text"):
        lines.append(f"text          {text!r}")
    lines += [
        f"source        {source['kind']} {source['ref']} {source['title']}" for source in decision.get("sources", ())
    ]
    for call in trace.get("tool_calls", ()):
        arguments, result = (json.dumps(call[key], ensure_ascii=False) for key in ("arguments", "result"))
        lines.append(f"call          {call['function']}({arguments}) {call['outcome']} in {call['duration_ms']:.0f} ms")
        lines.append(f"  result      {result}")
    for claim in trace.get("claims", ()):
        lines.append(f"claim         {claim['kind']} {claim['text']!r}: {claim['supported_by'] or 'UNSUPPORTED'}")
    stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in trace.get("stages_ms", {}).items())
    return [
        *lines,
        f"latency       {row['latency_ms']:.0f} ms ({stages})",
        f"cost          {row['cost_micros'] / 1e6:.6f}, model {row['model'] or 'none'}",
        f"prompts       {row['prompt_bundle'] or '-'}",
    ]


def _named(values: Mapping[str, Any], key: str) -> str:
    return f" ({key} {values[key]})" if values.get(key) else ""
