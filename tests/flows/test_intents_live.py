"""What is declared counts for the next message, in every process, without a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from agent.encoder import default_encoder
from agent.language_model import ModelClients
from flows.intents import Intents
from flows.profiles import Installation, Profiles
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from store.database import Database
from store.wakeup import Wakeup
from tests.flows.shop import FOLDER, Shop, eventually, open_shop
from tests.worker_process import workers

PARCEL = {
    "name": "parcel",
    "examples": ["onde anda a minha encomenda?", "cadê o meu pacote?", "o pacote já foi enviado?", "rastrear pacote"],
    "function": "slow_lookup",
    "replies": {"ok": {"pt": "O pacote está a caminho."}},
    "reply_mode": "auto",
}


@pytest.fixture
async def shop(owner_dsn: str, db: Database) -> AsyncIterator[Shop]:
    async with open_shop(owner_dsn, db) as opened:
        yield opened


@pytest.fixture
async def intents(db: Database) -> AsyncIterator[Intents]:
    wakeup = Wakeup(db)
    yield Intents(db, wakeup)
    await wakeup.close()


async def test_that_two_worker_processes_serve_a_new_intent_at_once_and_forget_it_at_once(
    owner_dsn: str, shop: Shop, intents: Intents, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    trace.touch()
    with workers(owner_dsn, FOLDER.parent, trace, 2) as running:
        await shop.write("before", "faz a consulta lenta")

        async def answered(contact: str) -> bool:
            return bool(await shop.got(contact))

        await eventually(lambda: answered("before"), within=60)
        await intents.create(shop.tenant_id, PARCEL, actor="x")
        contacts: list[str] = []
        pids: set[str] = set()
        # Who takes a job is chance: write until each process has had one. Not one answer may come from the old state.
        while len(pids) < 2:
            assert len(contacts) < 200, "one of the two workers takes no jobs"
            batch = [f"c{len(contacts) + n}" for n in range(6)]
            contacts += batch
            for contact in batch:
                await shop.write(contact, "onde anda a minha encomenda?")
            for contact in batch:
                await eventually(lambda contact=contact: answered(contact), within=60, what=contact)  # type: ignore[misc]
                assert await shop.got(contact) == ["O pacote está a caminho."]
            pids = {line.split()[5] for line in trace.read_text().splitlines()[2:]}
        assert pids == {str(worker.process.pid) for worker in running}
        await intents.delete(shop.tenant_id, "parcel", version=None, actor="x")
        ran = len(trace.read_text().splitlines())
        for n in range(6):
            await shop.write(f"after{n}", "onde anda a minha encomenda?")
        for n in range(6):
            await eventually(lambda n=n: answered(f"after{n}"), within=60)  # type: ignore[misc]
            assert await shop.got(f"after{n}") != ["O pacote está a caminho."]
        assert len(trace.read_text().splitlines()) == ran


async def test_that_a_process_learns_of_a_change_before_a_message_asks(
    db: Database, shop: Shop, intents: Intents
) -> None:
    profiles = Profiles(db, Installation((FOLDER.parent,), default_encoder(), ModelClients()))

    async def version() -> int:
        return int((await shop.fetch("SELECT profile_version FROM tenant"))[0]["profile_version"])

    first = await version()
    await profiles.get(shop.tenant_id, first)
    await profiles.refresh()
    assert [key[1] for key in profiles._brains] == [first]
    await intents.create(shop.tenant_id, PARCEL, actor="x")
    for threshold in (0.1, 0.2, 0.3):
        await profiles.refresh()
        body = {**PARCEL, "threshold": threshold}
        await intents.replace(shop.tenant_id, "parcel", body, version=None, actor="x")
    await profiles.refresh()
    newest = await version()
    assert sorted(key[1] for key in profiles._brains) == [newest - 1, newest]
    brain = profiles._brains[shop.tenant_id, newest]
    assert brain.profile.intents["parcel"].threshold == 0.3
    assert (await brain.classify("onde anda a minha encomenda?")).intent == "parcel"


async def test_that_an_import_of_the_folder_leaves_what_was_declared_by_hand(
    owner_dsn: str, db: Database, shop: Shop, intents: Intents
) -> None:
    await intents.create(shop.tenant_id, PARCEL, actor="x")
    changed = {"name": "slow_lookup", "examples": ["consulta"], "answer": "Só amanhã."}
    await intents.replace(shop.tenant_id, "slow_lookup", changed, version=None, actor="x")
    declaration = replace(load_tenant(FOLDER), version="another")
    assert (await import_tenant(owner_dsn, db, declaration, default_encoder(), today=date.today())).changed  # noqa: DTZ011
    stored = {one.declaration.name: one for one in await intents.all(shop.tenant_id)}
    assert set(stored) == {"parcel", "slow_lookup", "book_table", "charge_card"}
    assert stored["slow_lookup"].declaration.answer == {"pt": "Só amanhã."}
    assert (stored["slow_lookup"].source, stored["book_table"].source) == ("api", "files")
    # Deleted here, it is the files' again at their next import.
    await intents.delete(shop.tenant_id, "slow_lookup", version=None, actor="x")
    again = replace(declaration, version="a third")
    await import_tenant(owner_dsn, db, again, default_encoder(), today=date.today())  # noqa: DTZ011
    assert (await intents.get(shop.tenant_id, "slow_lookup")).declaration.function == "slow_lookup"
