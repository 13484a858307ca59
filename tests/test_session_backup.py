"""A session's encrypted backup: exported from one installation, brought back on another, never running in both."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from flows.session_control import ChannelSessions
from store.database import Database
from store.embedded import EmbeddedPostgres
from store.media import MediaFolder
from store.wakeup import Wakeup
from tests.app.serving import atende
from tests.database import SECRET, make_number, new_database, opened
from tests.fakewa.harness import linux_only, loopback
from tests.flows.shop import eventually
from tests.test_whatsapp_end_to_end import session_host

pytestmark = [pytest.mark.neonize, linux_only]

SHOP, CUSTOMER = "5511990001111", "5511990002222"
PASSWORD = "uma senha bem comprida"
PATIENCE = 60.0


async def run(dsn: str, *arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    """A command of the installation with this database."""
    settings = {"DATABASE_URL": dsn, "ATENDE_SECRET": SECRET.decode(), "ATENDE_BACKUP_PASSWORD": password}
    return await asyncio.to_thread(atende, "session", *arguments, **settings)


class Session:
    """A session of one installation."""

    def __init__(self, db: Database, tenant_id: UUID, session_id: str, folder: Path) -> None:
        self.db, self.tenant_id, self.id = db, tenant_id, session_id
        self.control = ChannelSessions(db, Wakeup(db), MediaFolder(folder / "media"))

    async def value(self, statement: str, *more: object) -> object:
        async with self.db.transaction(self.tenant_id) as tx:
            return await tx.fetchval(statement, UUID(self.id), *more)

    async def becomes(self, status: str) -> None:
        async def there() -> bool:
            return (
                await self.value(
                    "SELECT status FROM channel_session WHERE id = $1",
                )
                == status
            )

        await eventually(there, within=PATIENCE, what=f"status {status}")

    async def details(self) -> set[object]:
        """Every reason that was ever given for its states."""
        async with self.db.transaction(self.tenant_id) as tx:
            rows = await tx.fetch(
                "SELECT payload ->> 'detail' AS detail FROM event WHERE payload ->> 'channel_session_id' = $1", self.id
            )
        return {row["detail"] for row in rows}


async def test_that_an_exported_session_is_brought_back_elsewhere_with_its_pairing_and_without_a_twin(
    owner_dsn: str, db: Database, migrated: EmbeddedPostgres, tmp_path: Path
) -> None:
    file = tmp_path / "vendas.backup"
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    tenant = await make_number(owner_dsn)
    control = ChannelSessions(db, Wakeup(db), MediaFolder(old / "media"))
    made = str(await control.create(tenant.tenant_id, name="Vendas", actor="test"))
    here = Session(db, tenant.tenant_id, made, old)
    with new_database(migrated) as other_dsn:
        async with loopback(tmp_path) as world, session_host(world, owner_dsn, old), opened(other_dsn) as other_db:
            there_tenant = await make_number(other_dsn, "filial")
            await here.becomes("awaiting_qr")
            code = str(await here.value("SELECT qr FROM channel_session WHERE id = $1"))
            device = await world.server.scan(code, SHOP, name="Loja")
            await here.becomes("connected")
            customer = await world.customer(CUSTOMER, "Maria")
            first = await customer.send(SHOP, "antes")
            stored = "SELECT 1 FROM message WHERE channel_session_id = $1 AND provider_id = $2"

            async def arrived() -> bool:
                return bool(await here.value(stored, first))

            await eventually(arrived, within=PATIENCE, what="the first message")
            exported = await run(owner_dsn, "export", made, str(file))
            assert exported.returncode == 0, exported.stderr
            assert "WARNING: one device has one connection" in exported.stdout
            assert world.server.directory.device(device).connection is None  # stopped before its keys were read
            assert file.stat().st_mode & 0o077 == 0
            again = await run(owner_dsn, "export", made, str(file))
            assert (again.returncode, "exists already" in again.stderr) == (2, True)
            between = await customer.send(SHOP, "durante a mudança")

            wrong = await run(other_dsn, "import", str(file), "--tenant", "filial", "--yes", password="não é esta")
            assert (wrong.returncode, "The password is wrong" in wrong.stderr) == (2, True)
            brought = await run(other_dsn, "import", str(file), "--tenant", "filial", "--yes")
            assert brought.returncode == 0, brought.stderr
            assert "WARNING: one device has one connection" in brought.stdout
            found = re.search(r"Brought back as ([0-9a-f-]{36})", brought.stdout)
            assert found
            twice = await run(other_dsn, "import", str(file), "--tenant", "filial", "--yes")
            assert (twice.returncode, "in use here already" in twice.stderr) == (2, True)

            there = Session(other_db, there_tenant.tenant_id, found[1], new)
            async with session_host(world, other_dsn, new):
                await there.control.start(there.tenant_id, UUID(there.id), actor="test")
                await there.becomes("connected")

                async def moved() -> bool:
                    return bool(await there.value(stored, between))

                await eventually(moved, within=PATIENCE, what="what was sent in between")
                assert await there.value("SELECT name FROM channel_session WHERE id = $1") == "Vendas"
                told = await here.details() | await there.details()
            assert "Another process connected with this device." not in told
            assert not await here.value(stored, between)
            assert list(world.server.directory.account(SHOP).devices) == [device.device]  # no second device
