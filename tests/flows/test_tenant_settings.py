"""What is set of a tenant without its files: all or nothing, for good, and secrets never in the clear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date

import asyncpg
import pytest

from agent.encoder import default_encoder
from domain.decisions import ReplyMode
from flows.tenant_files import load_tenant
from flows.tenant_settings import SETTINGS, Setting, SettingsRefusedError, TenantSettingsDesk, read_settings, text
from flows.tenants import import_tenant
from store.database import Database
from store.secrets import Sealer, SecretUnreadableError, sealed_of
from store.wakeup import Wakeup
from tests.database import SECRET, Number, make_number
from tests.flows.shop import FOLDER


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[TenantSettingsDesk]:
    wakeup = Wakeup(db)
    yield TenantSettingsDesk(db, wakeup, Sealer(SECRET))
    await wakeup.close()


async def _settings(db: Database, number: Number) -> tuple[int, dict[str, object]]:
    async with db.transaction(number.tenant_id) as tx:
        row = await tx.fetchrow("SELECT profile_version, settings FROM tenant")
    return row["profile_version"], row["settings"]


async def test_that_what_is_set_counts_at_once_and_is_shown_with_where_it_comes_from(
    db: Database, number: Number, desk: TenantSettingsDesk
) -> None:
    before, _ = await _settings(db, number)
    await desk.change(
        number.tenant_id,
        {"threshold": "0,85", "reply_mode": "AUTO", "debounce.cap_seconds": "20", "languages": "pt, en"},
        actor="x",
    )
    after, settings = await _settings(db, number)
    assert after == before + 1
    assert settings["threshold"] == 0.85
    assert settings["debounce"] == {"seconds": 0, "cap_seconds": 20}
    shown = {one.key: (one.value, one.origin) for one in await desk.show(number.tenant_id)}
    assert shown["reply_mode"] == ("auto", "set")
    assert shown["languages"] == ("pt, en", "set")
    assert shown["knowledge_threshold"] == ("0.5", "usual")
    await desk.change(number.tenant_id, {"reply_mode": ""}, actor="x")
    assert "reply_mode" not in (await _settings(db, number))[1]


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"threshold": "2", "reply_mode": "always", "colour": "red"}, {"threshold", "reply_mode", "colour"}),
        ({"timezone": "Brasilia"}, {"timezone"}),
        ({"name": ""}, {"name"}),
        ({"languages": "pt,de"}, {"languages"}),
        ({"threshold": "nan"}, {"threshold"}),
    ],
)
async def test_that_all_faults_are_named_together_and_nothing_is_changed(
    db: Database, number: Number, desk: TenantSettingsDesk, wishes: dict[str, str], named: set[str]
) -> None:
    before = await _settings(db, number)
    with pytest.raises(SettingsRefusedError) as caught:
        await desk.change(number.tenant_id, {"persona": "kind", **wishes}, actor="x")
    assert {key for key, _ in caught.value.problems} == named
    assert await _settings(db, number) == before


async def test_that_settings_are_held_against_each_other(number: Number, desk: TenantSettingsDesk) -> None:
    with pytest.raises(SettingsRefusedError, match=r"debounce\.cap_seconds"):
        await desk.change(number.tenant_id, {"debounce.cap_seconds": "2", "debounce.seconds": "5"}, actor="x")
    with pytest.raises(SettingsRefusedError, match="languages"):
        await desk.change(number.tenant_id, {"languages": "en"}, actor="x")


async def test_that_an_import_of_the_files_leaves_what_was_set_by_hand(
    owner_dsn: str, db: Database, desk: TenantSettingsDesk
) -> None:
    declaration, today = load_tenant(FOLDER), date.today()  # noqa: DTZ011
    assert declaration.settings.reply_mode is ReplyMode.AUTO
    imported = await import_tenant(owner_dsn, db, declaration, default_encoder(), today=today)
    await desk.change(imported.tenant_id, {"reply_mode": "off"}, actor="x")
    changed = replace(declaration, version="another")
    assert (await import_tenant(owner_dsn, db, changed, default_encoder(), today=today)).changed
    shown = {one.key: (one.value, one.origin) for one in await desk.show(imported.tenant_id)}
    assert shown["reply_mode"] == ("off", "set")


async def test_that_a_secret_is_sealed_at_rest_and_never_shown(owner_dsn: str, db: Database, number: Number) -> None:
    secret = Setting("probe_key", "a key for this test", text(), secret=True)
    wakeup = Wakeup(db)
    desk = TenantSettingsDesk(db, wakeup, Sealer(SECRET), (*SETTINGS, secret))
    await desk.change(number.tenant_id, {"probe_key": "sk-very-secret"}, actor="x")
    async with db.transaction(number.tenant_id) as tx:
        kept = (await sealed_of(tx))["probe_key"]
    assert Sealer(SECRET).open(number.tenant_id, "probe_key", kept) == "sk-very-secret"
    with pytest.raises(SecretUnreadableError):
        Sealer(b"another installation").open(number.tenant_id, "probe_key", kept)
    owner = await asyncpg.connect(owner_dsn)
    tables = [row[0] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    everything = [str(await owner.fetch(f'SELECT * FROM "{table}"')) for table in tables]
    await owner.close()
    assert not any("sk-very-secret" in dump for dump in everything)
    assert "sk-very-secret" not in str(await desk.show(number.tenant_id))
    await desk.change(number.tenant_id, {"probe_key": ""}, actor="x")
    async with db.transaction(number.tenant_id) as tx:
        assert await sealed_of(tx) == {}
    await wakeup.close()


async def test_that_a_sealed_row_copied_to_another_tenant_or_name_opens_nothing(owner_dsn: str) -> None:
    ours, theirs = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    sealer = Sealer(SECRET)
    sealed = sealer.seal(ours.tenant_id, "model_key", "sk-1")
    assert sealer.open(ours.tenant_id, "model_key", sealed) == "sk-1"
    assert sealer.seal(ours.tenant_id, "model_key", "sk-1") != sealed
    for tenant_id, name, row in (
        (theirs.tenant_id, "model_key", sealed),
        (ours.tenant_id, "other", sealed),
        (ours.tenant_id, "model_key", sealed[:-4] + "AAA="),
        (ours.tenant_id, "model_key", "no base64 at all"),
    ):
        with pytest.raises(SecretUnreadableError):
            sealer.open(tenant_id, name, row)


def test_that_every_setting_of_the_registry_says_what_it_is_and_has_a_key_of_its_own() -> None:
    keys = [setting.key for setting in SETTINGS]
    assert len(keys) == len(set(keys))
    assert all(setting.about for setting in SETTINGS)
    with pytest.raises(SettingsRefusedError, match="is no setting"):
        read_settings({"x" * 200: "1"})
