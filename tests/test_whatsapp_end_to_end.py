"""WhatsApp from end to end: the product's own worker and session host, PostgreSQL, and a customer with a real client.

The one thing that is not real is the server in the middle (tests/fakewa), which cannot read what passes through it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.children import Child, Plan
from app.process import Orders
from app.settings import Settings
from channels.whatsapp.host_environment import HOST_ENVIRONMENT
from domain.contents import Media
from domain.messages import Address, AddressKind
from flows.channel_requests import ChannelRequests
from flows.sessions import Numbers, add_number
from store.database import Database, Row
from store.media import MediaFolder
from store.wakeup import Wakeup
from tests.database import SECRET
from tests.fakewa.harness import Customer, Loopback, linux_only, loopback
from tests.fakewa.nodes import JID
from tests.flows.shop import FOLDER, Shop, eventually, open_shop
from tests.sample_files import PICTURE, VOICE
from tests.worker_process import WorkerProcess

pytestmark = [pytest.mark.neonize, linux_only]

SHOP, CUSTOMER = "5511990001111", "5511990002222"
ASK, ANSWER = "faz a consulta lenta", "A consulta terminou."
PATIENCE = 60.0
"""Seconds: longer than a killed host's lease, on a busy machine."""


class PairedShop:
    """The shop's WhatsApp number, its session host, and how they are looked at."""

    def __init__(self, shop: Shop, world: Loopback, session_id: UUID, host: Child) -> None:
        self.shop, self.world, self.session_id, self.host = shop, world, session_id, host

    async def number(self) -> Row:
        return (await self.shop.fetch("SELECT * FROM channel_session WHERE id = $1", self.session_id))[0]

    async def reaches(self, status: str) -> Row:
        """Wait until the number has this status."""

        async def there() -> bool:
            return bool((await self.number())["status"] == status)

        await eventually(there, within=PATIENCE, what=f"status {status}")
        return await self.number()

    async def pair(self) -> JID:
        """Scan the code that the number shows now."""
        shown = await self.reaches("awaiting_qr")
        device = await self.world.server.scan(shown["qr"], SHOP, name="Loja")
        await self.reaches("connected")
        return device

    async def wait_until(self, statement: str, *values: Any, what: str) -> None:
        """Wait until the statement finds a row."""

        async def found() -> bool:
            return bool(await self.shop.fetch(statement, *values))

        await eventually(found, within=PATIENCE, what=what)

    async def is_answered(self, customer: Customer, question: str) -> dict[str, Any]:
        """The customer gets the answer to the message with this id."""
        reply = await customer.expect("message", seconds=PATIENCE)
        assert reply["text"] == ANSWER, question
        return reply

    async def codes_shown(self) -> int:
        shown = await self.shop.fetch("SELECT count(*) AS n FROM event WHERE payload ->> 'status' = 'awaiting_qr'")
        return int(shown[0]["n"])

    async def kill_host(self, device: JID) -> int:
        """kill -9; returns who it was."""
        victim = self.host.pid
        assert victim
        os.kill(victim, signal.SIGKILL)

        async def gone() -> bool:
            return self.world.server.directory.device(device).connection is None

        await eventually(gone, within=60, what="the host's end")
        return victim


@pytest.fixture
async def paired(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[PairedShop]:
    """A shop whose number waits to be paired, with a worker and a session host under the supervisor's eyes."""
    worker = WorkerProcess(owner_dsn, FOLDER.parent, trace=tmp_path / "trace")  # it loads while the rest comes up
    try:
        async with (
            loopback(tmp_path) as world,
            session_host(world, owner_dsn, tmp_path) as host,
            open_shop(owner_dsn, db) as shop,
        ):
            async with db.transaction(shop.tenant_id) as tx:
                session_id = await add_number(tx, shop.tenant_id, name="Vendas", provider="neonize", config={})
            await asyncio.to_thread(worker.wait_ready)
            yield PairedShop(shop, world, session_id, host)
    finally:
        worker.kill()
        if worker.process.stdout:
            worker.process.stdout.close()


@asynccontextmanager
async def session_host(world: Loopback, owner_dsn: str, folder: Path) -> AsyncIterator[Child]:
    """The session host as ``atende serve`` runs it: started again whenever it dies."""
    settings = Settings(
        database_url=owner_dsn,
        secret_text=SECRET.decode(),
        data_dir=folder / "data",
        whatsapp_proxy_url=world.proxy_url,
    )
    host = Child(Plan("sessions", "sessions", {**world.environment(), **HOST_ENVIRONMENT}))
    keeper = asyncio.create_task(host.keep_running(Orders(settings.handed_over())))
    try:
        yield host
    finally:
        await host.end()
        await keeper


async def test_that_a_number_is_paired_answers_and_survives_the_death_of_its_host(paired: PairedShop) -> None:
    device = await paired.pair()
    assert (await paired.number())["account"] == str(device)
    customer = await paired.world.customer(CUSTOMER, "Maria")

    first = await customer.send(SHOP, ASK)
    reply = await paired.is_answered(customer, first)
    sent = "SELECT 1 FROM outbox_message WHERE provider_id = $1 AND state = 'sent'"
    await paired.wait_until(sent, reply["id"], what="the record of the reply")
    await customer.read(reply)
    await paired.wait_until(f"{sent} AND ack = 'read'", reply["id"], what="the customer's read receipt")

    codes = await paired.codes_shown()
    victim = await paired.kill_host(device)
    second = await customer.send(SHOP, ASK)
    await paired.is_answered(customer, second)
    third = await customer.send(SHOP, ASK)
    await paired.is_answered(customer, third)
    assert paired.host.pid != victim

    await asyncio.sleep(1)  # for what should not come
    assert not customer.seen("message")
    answered = await paired.shop.fetch(
        "SELECT m.provider_id, m.id = t.upto_message_id AS last FROM message m "
        "JOIN turn t ON t.upto_message_id = m.id WHERE m.author = 'contact' AND t.status = 'decided' ORDER BY m.id"
    )
    assert [row["provider_id"] for row in answered] == [first, second, third]
    states = await paired.shop.fetch("SELECT state FROM outbox_message")
    assert [row["state"] for row in states] == ["sent"] * 3
    assert await paired.codes_shown() == codes

    # Once more, now while a reply is on its way: whether it arrived nobody knows, so it is not sent again.
    relay = paired.world.server.relay
    await paired.shop.take_seconds("slow_lookup", 1.5)
    await customer.send(SHOP, ASK)
    relay.hold_acks = True
    await paired.is_answered(customer, "in mid-send")
    await paired.kill_host(device)
    relay.hold_acks = False
    relay.held.clear()
    await paired.wait_until("SELECT 1 FROM outbox_message WHERE state = 'unknown'", what="the unknown outcome")
    await paired.shop.take_seconds("slow_lookup", 0)
    await paired.is_answered(customer, await customer.send(SHOP, ASK))
    assert not customer.seen("message")


async def test_that_a_message_typed_on_the_paired_phone_takes_over_and_an_unlinked_phone_is_told(
    paired: PairedShop,
) -> None:
    device = await paired.pair()
    customer = await paired.world.customer(CUSTOMER, "Maria")
    await paired.is_answered(customer, await customer.send(SHOP, ASK))
    taken = "SELECT 1 FROM message m JOIN conversation c ON c.id = m.conversation_id WHERE m.provider_id = $1"
    # The phone itself, which is the number's first device, and then another companion of it, such as WhatsApp Web.
    for primary, text in ((True, "Oi, Maria, aqui é a Ana!"), (False, "E aqui o Rui.")):
        phone = await paired.world.customer(SHOP, "Loja", primary=primary)
        typed = await phone.send(CUSTOMER, text)
        assert (await customer.expect("message", id=typed))["text"] == text
        await paired.wait_until(f"{taken} AND m.author = 'phone' AND c.status = 'human'", typed, what="the takeover")
    takeovers = "SELECT 1 FROM event WHERE kind = 'conversation.taken_over'"
    assert len(await paired.shop.fetch(takeovers)) == 1
    ignored = await customer.send(SHOP, ASK)
    await paired.wait_until(taken, ignored, what="the message to the person")

    await paired.world.server.unlink(device)
    gone = await paired.reaches("disconnected")
    assert "Pair it again" in gone["status_detail"]
    assert not customer.seen("message")  # the person answers, not the agent
    assert len(await paired.shop.fetch("SELECT 1 FROM outbox_message")) == 1

    numbers = Numbers(paired.shop.db, Wakeup(paired.shop.db))
    await numbers.pair_again(paired.shop.operator, paired.session_id)
    again = await paired.pair()
    assert again != device
    assert (await paired.number())["account"] == str(again)


async def test_that_files_come_and_go_and_a_phone_number_is_looked_up(paired: PairedShop) -> None:
    await paired.pair()
    customer, shop = await paired.world.customer(CUSTOMER, "Maria"), paired.shop
    fields = await customer.upload(PICTURE, "MediaImage")
    sent = await customer.send_content(SHOP, {"imageMessage": {**fields, "mimetype": "text/html", "caption": ASK}})
    kept = "SELECT 1 FROM media_file f JOIN message m ON m.id = f.message_id WHERE m.provider_id = $1 "
    await paired.wait_until(f"{kept} AND f.state = 'stored'", sent, what="the customer's picture")
    (file,) = await shop.fetch("SELECT * FROM media_file")
    assert (file["mime_type"], file["size_bytes"]) == ("image/png", len(PICTURE))
    store = MediaFolder(paired.world.folder / "data" / "media")
    assert await store.get(shop.tenant_id, file["sha256"]) == PICTURE
    await paired.is_answered(customer, sent)

    voice = Media("voice", f"{shop.tenant_id}/{await store.put(shop.tenant_id, VOICE)}", "audio/ogg")
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    await shop.desk.reply(shop.operator, conversation["id"], "", content=voice)
    note = await customer.expect("message", seconds=PATIENCE)
    assert note["content"]["audioMessage"]["PTT"]
    assert await customer.download(note) == VOICE

    requests = ChannelRequests(shop.db, {}, patience=PATIENCE)
    for phone, found in ((f"+{CUSTOMER}", Address(AddressKind.PHONE, CUSTOMER)), ("+5511988887777", None)):
        assert (await requests.check_number(shop.tenant_id, paired.session_id, phone)).address == found
