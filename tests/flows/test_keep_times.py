"""Rows that only grow are deleted once they have outlived their use, and never before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from domain.errors import NotFoundError
from flows.keep_times import KEPT, UNSENT_FILES_KEPT, forget_outlived, forget_unsent_files
from store.database import Database
from store.media import MediaFolder
from store.wakeup import Wakeup
from tests.database import Number, make_number
from tests.store.test_isolation import _sample
from tests.web.site import Site

SINCE = {
    "idempotent_request": "created_at",
    "operator_send": "created_at",
    "webhook_delivery": "ended_at",
    "notification": "read_at",
    "channel_request": "created_at",
    "session_request": "created_at",
    "invitation": "ended_at",
    "login_attempt": "since",
    "login_session": "expires_at",
    "spent_token": "spent_at",
}
"""What says since when a row is kept."""
OVER = {"webhook_delivery": "state = 'delivered'", "session_request": "state = 'done'"}
"""What must hold for it to be over."""


Made = dict[tuple[str, UUID], dict[str, Any]]


async def _row(owner: asyncpg.Connection, table: str, number: Number, name: str, made: Made) -> str:
    """A row of the table; returns the condition that finds it."""
    tenant, user = number.tenant_id, number.user_id
    if table == "login_attempt":
        await owner.execute("INSERT INTO login_attempt (key, attempts) VALUES ($1, 1)", name)
    elif table == "login_session":
        await owner.execute(
            "INSERT INTO login_session (token_hash, user_id, expires_at) VALUES ($1, $2, now() + interval '9 days')",
            name,
            user,
        )
    elif table == "spent_token":
        login = await owner.fetchval(
            "INSERT INTO login_session (token_hash, user_id, expires_at) VALUES ($1, $2, now() + interval '9 days') "
            "RETURNING id",
            f"of {name}",
            user,
        )
        await owner.execute("INSERT INTO spent_token (token_hash, login_session_id) VALUES ($1, $2)", name, login)
    else:
        made |= {("tenant", tenant): {"id": tenant}, ("user_account", tenant): {"id": user}}
        await _sample(owner, table, tenant, made)
        if table in OVER:
            await owner.execute(f"UPDATE {table} SET {OVER[table]} WHERE tenant_id = $1", tenant)
        return "tenant_id = '" + str(tenant) + "'"
    return ("key" if table == "login_attempt" else "token_hash") + f" = '{name}'"


async def test_that_each_row_is_kept_for_its_time_and_no_longer(owner_dsn: str, db: Database) -> None:
    assert set(SINCE) == set(KEPT), "say what its keep time counts from"
    old, young = await make_number(owner_dsn, "old"), await make_number(owner_dsn, "young")
    owner = await asyncpg.connect(owner_dsn)
    try:
        left: dict[str, tuple[str, str]] = {}
        made: Made = {}
        for table, kept in KEPT.items():
            gone = await _row(owner, table, old, f"old {table}", made)
            stays = await _row(owner, table, young, f"young {table}", made)
            for which, age in ((gone, kept + timedelta(minutes=5)), (stays, kept - timedelta(minutes=5))):
                await owner.execute(f"UPDATE {table} SET {SINCE[table]} = $1 WHERE {which}", datetime.now(UTC) - age)
            left[table] = (gone, stays)
        assert await forget_outlived(db) >= len(KEPT)
        for table, (gone, stays) in left.items():
            assert not await owner.fetchval(f"SELECT count(*) FROM {table} WHERE {gone}"), f"{table} keeps the old"
            assert await owner.fetchval(f"SELECT count(*) FROM {table} WHERE {stays}"), f"{table} forgot the young"
    finally:
        await owner.close()


async def test_that_what_is_not_over_stays_however_old_it_is(owner_dsn: str, db: Database) -> None:
    tenant = await make_number(owner_dsn, "waiting")
    owner = await asyncpg.connect(owner_dsn)
    ages = {
        "webhook_delivery": "created_at = now() - interval '9 years', state = 'pending', ended_at = NULL",
        "session_request": "created_at = now() - interval '9 years', state = 'waiting'",
        "notification": "created_at = now() - interval '9 years', read_at = NULL",
    }
    made: Made = {}
    try:
        for table, age in ages.items():
            await _row(owner, table, tenant, table, made)
            await owner.execute(f"UPDATE {table} SET {age} WHERE tenant_id = $1", tenant.tenant_id)
        await forget_outlived(db)
        for table in ages:
            assert await owner.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant.tenant_id), table
    finally:
        await owner.close()


async def test_that_a_file_that_was_handed_in_and_never_sent_goes_and_what_was_sent_stays(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    tenant = await make_number(owner_dsn, "files")
    media = MediaFolder(tmp_path)
    message = await Site("", None, db, Wakeup(db), owner_dsn).message(tenant)
    kept: dict[str, str] = {}
    for name, age, is_sent in (
        ("old", UNSENT_FILES_KEPT + timedelta(hours=1), False),
        ("young", UNSENT_FILES_KEPT - timedelta(hours=1), False),
        ("sent", UNSENT_FILES_KEPT + timedelta(days=900), True),
        ("both", UNSENT_FILES_KEPT + timedelta(hours=1), False),
        ("both", UNSENT_FILES_KEPT + timedelta(hours=1), True),
    ):
        kept[name] = await media.put(tenant.tenant_id, name.encode())
        async with db.transaction(tenant.tenant_id) as tx:
            await tx.execute(
                "INSERT INTO media_file (tenant_id, channel_session_id, state, sha256, created_at, message_id) "
                "VALUES ($1, $2, 'stored', $3, now() - $4::interval, "
                "CASE WHEN $5 THEN (SELECT id FROM message WHERE conversation_id = $6) END)",
                tenant.tenant_id,
                tenant.session_id,
                kept[name],
                age,
                is_sent,
                message,
            )
    assert await forget_unsent_files(db, media) == 2
    with pytest.raises(NotFoundError):
        await media.get(tenant.tenant_id, kept.pop("old"))
    for name, sha256 in kept.items():
        assert await media.get(tenant.tenant_id, sha256) == name.encode()
    async with db.transaction(tenant.tenant_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM media_file") == 3
