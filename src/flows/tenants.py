"""Bring a declared tenant into the database, or bring what is there up to its files.

An import never takes anything from customers or people: conversations, users, numbers and records stay; what the
agent knows (intents, examples, functions, knowledge) becomes what the files say.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from argon2 import PasswordHasher

from agent.classifier import vectors_to_store
from agent.encoder import Encoder
from domain.messages import SessionStatus
from flows import autonomy
from flows.bundle_writing import PUBLISHED_OVER
from flows.functions import FOLDER_SOURCE
from flows.functions_http import row_of
from flows.knowledge import prepared_documents, put_folder
from flows.knowledge_vectors import passage_encoder
from flows.opening_hours import put_record
from flows.tenant_declaration import (
    IntentDeclaration,
    TenantDeclaration,
    seed_records,
)
from flows.tenant_settings import SET_BY_HAND
from store import bundles, events, functions, knowledge
from store.database import Connection, Database
from store.functions import FunctionRow

HASHER = PasswordHasher()
"""Slow on purpose."""
_OWN_TABLES = {"slug", "name", "timezone", "users", "numbers", "trusted_writes"}


@dataclass(frozen=True, slots=True)
class ImportedTenant:
    """What an import led to. ``numbers``: channel session ids by the keys of tenant.yaml."""

    tenant_id: UUID
    numbers: Mapping[str, UUID] = field(default_factory=dict)
    changed: bool = True
    """False: the same files had been imported already, and nothing was written."""


def demo_passwords(declaration: TenantDeclaration) -> dict[str, str]:
    """The public passwords of an example tenant, by e-mail. Only a demo may pass them on to ``import_tenant``."""
    return {user.email: user.demo_password for user in declaration.settings.users if user.demo_password}


async def import_tenant(
    owner_dsn: str,
    db: Database,
    declaration: TenantDeclaration,
    encoder: Encoder,
    *,
    today: date,
    passwords: Mapping[str, str] | None = None,
) -> ImportedTenant:
    """Create or update the tenant; does nothing if these files were imported already today with this encoder.

    ``owner_dsn`` reaches the database as the role that migrated it: making tenants and users is closed to the
    application's own role. ``passwords`` by e-mail are for users who do not exist yet; a new user without one cannot
    sign in. Existing passwords stay.
    """
    tenant_id = await _people(owner_dsn, declaration, passwords or {})
    stamp = _stamp(declaration, encoder, today)
    async with db.transaction(tenant_id) as tx:
        settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", tenant_id)
        numbers = await _known_numbers(tx, tenant_id)
    if settings.get("import") == stamp:
        return ImportedTenant(tenant_id, numbers, changed=False)
    # The slow part, before the transaction: encoding some hundred sentences takes seconds.
    made_by, examples = await _example_vectors(declaration, encoder)
    reader = passage_encoder(encoder)
    documents = await prepared_documents(db, tenant_id, declaration.knowledge, reader)
    async with db.transaction(tenant_id) as tx:
        # Two imports at once, for instance of two processes that start: one after the other.
        before = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1 FOR UPDATE", tenant_id)
        numbers = await _put_numbers(tx, tenant_id, declaration)
        await _put_records(tx, tenant_id, declaration, today)
        if before.get(PUBLISHED_OVER) == declaration.version:
            # A bundle was published over these very files: only a change of theirs takes its place.
            await tx.execute("UPDATE tenant SET settings = settings || $2 WHERE id = $1", tenant_id, {"import": stamp})
            return ImportedTenant(tenant_id, numbers)
        await _put_functions(tx, tenant_id, declaration)
        await _put_intents(tx, tenant_id, declaration, made_by, examples)
        await put_folder(tx, tenant_id, documents, reader.name)
        await bundles.set_wordings(tx, tenant_id, {name: one.source for name, one in declaration.prompts.items()})
        await tx.execute(
            "UPDATE tenant SET settings = (settings - $3) || $2, profile_version = profile_version + 1 WHERE id = $1",
            tenant_id,
            {**_settings(declaration), **before.get(SET_BY_HAND, {}), "import": stamp},
            PUBLISHED_OVER,
        )
        if by_hand := before.get(SET_BY_HAND, {}).get("hours"):
            await put_record(tx, tenant_id, by_hand)  # the files' own hours were written with their records
        await events.append(tx, tenant_id, "tenant.imported", payload={"version": declaration.version})
    return ImportedTenant(tenant_id, numbers)


def _stamp(declaration: TenantDeclaration, encoder: Encoder, today: date) -> dict[str, str]:
    stamp = {"version": declaration.version, "encoder": encoder.name, "folder": str(declaration.folder)}
    fixed = seed_records(declaration, today) == seed_records(declaration, today + timedelta(days=1))
    return stamp if fixed else stamp | {"day": today.isoformat()}


def _settings(declaration: TenantDeclaration) -> dict[str, Any]:
    """tenant.yaml without what has a table of its own, and without passwords."""
    settings = declaration.settings.model_dump(mode="json", exclude=_OWN_TABLES)
    return settings | {"version": declaration.version}


async def _people(owner_dsn: str, declaration: TenantDeclaration, passwords: Mapping[str, str]) -> UUID:
    settings = declaration.settings
    owner = await asyncpg.connect(owner_dsn)
    try:
        async with owner.transaction():
            tenant_id: UUID = await owner.fetchval(
                "SELECT gate.put_tenant($1, $2, $3, $4)",
                settings.slug,
                settings.name,
                settings.default_language,
                settings.timezone,
            )
            for user in settings.users:
                known = await owner.fetchval("SELECT EXISTS (SELECT 1 FROM gate.find_login($1))", user.email)
                password = passwords.get(user.email) or secrets.token_urlsafe(32)
                # Slow on purpose, so only for a new user: an existing one's password is never touched.
                hashed = "" if known else await asyncio.to_thread(HASHER.hash, password)
                user_id = await owner.fetchval(
                    "SELECT gate.put_user($1, $2, $3, $4)", user.email, user.name, hashed, settings.default_language
                )
                await owner.execute("SELECT gate.put_member($1, $2, $3)", tenant_id, user_id, user.role)
    finally:
        await owner.close()
    return tenant_id


async def _known_numbers(tx: Connection, tenant_id: UUID) -> dict[str, UUID]:
    rows = await tx.fetch(
        "SELECT id, config ->> 'key' AS key FROM channel_session WHERE tenant_id = $1 AND config ? 'key'", tenant_id
    )
    return {row["key"]: row["id"] for row in rows}


async def _put_numbers(tx: Connection, tenant_id: UUID, declaration: TenantDeclaration) -> dict[str, UUID]:
    known = await _known_numbers(tx, tenant_id)
    for number in declaration.settings.numbers:
        config = {"key": number.key, "team": number.team, **number.pace}
        if number.key in known:
            await tx.execute(
                """UPDATE channel_session SET name = $2, provider = $3, config = config || $4, wanted = true
                    WHERE id = $1""",
                known[number.key],
                number.name,
                number.provider,
                config,
            )
        else:
            # A simulated phone has nothing to pair and no host that would report it.
            status = SessionStatus.CONNECTED if number.provider == "simulator" else SessionStatus.UNKNOWN
            known[number.key] = await tx.fetchval(
                """INSERT INTO channel_session (tenant_id, provider, name, status, config, created_at)
                   VALUES ($1, $2, $3, $4, $5, clock_timestamp()) RETURNING id""",
                tenant_id,
                number.provider,
                number.name,
                status.value,
                config,
            )
    declared = {number.key for number in declaration.settings.numbers}
    # A number that left the files keeps its conversations; hosts only stop connecting it.
    for key in known.keys() - declared:
        await tx.execute("UPDATE channel_session SET wanted = false WHERE id = $1", known.pop(key))
    return known


async def _put_functions(tx: Connection, tenant_id: UUID, declaration: TenantDeclaration) -> None:
    source = f"{FOLDER_SOURCE}{declaration.folder}"
    # A folder that moved brings the same functions: what an older path brought is its own earlier import.
    await tx.execute(
        "UPDATE business_function SET source = $2 WHERE tenant_id = $1 AND source LIKE $3 || '%'",
        tenant_id,
        source,
        FOLDER_SOURCE,
    )
    await functions.remove_others(tx, source, list(declaration.functions))
    trust = declaration.settings.trust
    for function in declaration.functions.values():
        trusted, intents = function.name in trust, trust.get(function.name, ())
        if over_http := declaration.http_functions.get(function.name):
            row = row_of(over_http, source, trusted=trusted, trusted_for=intents)
        else:
            row = FunctionRow(
                name=function.name,
                kind=function.kind,
                effect=function.effect,
                source=source,
                declaration=function.json_schema()["function"] | {"timeout_seconds": function.timeout_seconds},
                trusted=trusted,
                trusted_for=intents,
            )
        await functions.put(tx, tenant_id, row)


async def _put_intents(
    tx: Connection,
    tenant_id: UUID,
    declaration: TenantDeclaration,
    encoder: str,
    vectors: Mapping[str, str],
) -> None:
    await tx.execute(
        "DELETE FROM intent WHERE tenant_id = $1 AND name <> ALL ($2) AND source = 'files'",
        tenant_id,
        list(declaration.intents),
    )
    by_hand = {row["name"] for row in await tx.fetch("SELECT name FROM intent WHERE source <> 'files'")}
    for intent in declaration.intents.values():
        if intent.name in by_hand:
            continue  # it was changed through the API or an import of examples, and belongs there until it is deleted
        declared = intent.model_dump(mode="json", exclude={"examples"})
        before = await tx.fetchval("SELECT declaration FROM intent WHERE name = $1", intent.name)
        if before is not None and before != declared:
            await autonomy.intent_changed(tx, tenant_id, intent.name)
        intent_id = await tx.fetchval(
            """INSERT INTO intent (tenant_id, name, declaration) VALUES ($1, $2, $3)
               ON CONFLICT (tenant_id, name) DO UPDATE SET declaration = excluded.declaration, updated_at = now(),
                   version = intent.version + 1
               RETURNING id""",
            tenant_id,
            intent.name,
            declared,
        )
        rows = [(tenant_id, intent_id, language, text, encoder, vectors[text]) for language, text in _sentences(intent)]
        await tx.execute(
            "DELETE FROM intent_example WHERE intent_id = $1 AND text <> ALL ($2)", intent_id, [row[3] for row in rows]
        )
        await tx.executemany(
            """INSERT INTO intent_example (tenant_id, intent_id, language, text, encoder, embedding)
               VALUES ($1, $2, $3, $4, $5, $6::text::vector)
               ON CONFLICT (intent_id, text) DO UPDATE SET language = excluded.language, encoder = excluded.encoder,
                   embedding = excluded.embedding""",
            rows,
        )


async def _put_records(tx: Connection, tenant_id: UUID, declaration: TenantDeclaration, today: date) -> None:
    """Seeds overwrite the records of the same key; what functions wrote under other keys stays."""
    await tx.executemany(
        """INSERT INTO business_record (tenant_id, collection, key, value) VALUES ($1, $2, $3, $4)
           ON CONFLICT (tenant_id, collection, key) DO UPDATE SET value = excluded.value""",
        [
            (tenant_id, collection, key, value)
            for collection, records in seed_records(declaration, today).items()
            for key, value in records.items()
        ],
    )


def _sentences(intent: IntentDeclaration) -> list[tuple[str, str]]:
    return [(language, text) for language, texts in intent.examples.items() for text in texts]


async def _example_vectors(declaration: TenantDeclaration, encoder: Encoder) -> tuple[str, dict[str, str]]:
    """By text, with the name of the encoder that made them."""
    texts = [text for intent in declaration.intents.values() for _, text in _sentences(intent)]
    made_by, vectors = await asyncio.to_thread(vectors_to_store, texts, encoder)
    return made_by, {
        text: knowledge.vector_literal(vector.tolist()) for text, vector in zip(texts, vectors, strict=True)
    }
