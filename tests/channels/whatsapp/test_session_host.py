"""A session host with the real library, against the loopback WhatsApp server and a real customer."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.whatsapp.host_environment import HOST_ENVIRONMENT
from store.embedded import EmbeddedPostgres
from tests.fakewa.harness import Child, Loopback, linux_only, loopback
from tests.fakewa.login import BANNED
from tests.fakewa.nodes import JID

pytestmark = [pytest.mark.neonize, linux_only]

SHOP, CUSTOMER = "5511990001111", "554490000784"


class Hosts:
    """Starts session hosts that share one database and one store."""

    def __init__(self, world: Loopback, database_url: str) -> None:
        self.world, self._database_url = world, database_url
        self.session = str(uuid.uuid4())

    async def start(
        self,
        *,
        qr_seconds: float = 60,
        environment: dict[str, str] | None = None,
        watch: dict[str, float] | None = None,
        **more: object,
    ) -> Child:
        chosen = HOST_ENVIRONMENT if environment is None else environment
        options = json.dumps({"qr_seconds": qr_seconds, "watch": watch or {}, **more})
        folder = str(self.world.folder)
        host = await self.world.child(
            "host",
            *("-m", "tests.channels.whatsapp.host_process"),
            *(self._database_url, self.world.proxy_url, folder, options),
            environment={**self.world.environment(), **chosen},
        )
        if environment is None:
            await host.expect("leased")
        return host

    async def paired(self, **watch: float) -> Child:
        """A host whose one number, SHOP, is online."""
        host = await self.start(watch=watch)
        host.tell("want", session=self.session)
        shown = await host.expect("SessionChanged", status="awaiting_qr")
        await self.world.server.scan(shown["qr"], SHOP, name="Loja")
        await host.expect("SessionChanged", status="connected")
        return host


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Loopback]:
    async with loopback(tmp_path) as running:
        yield running


@pytest.fixture
async def hosts(world: Loopback, postgres: EmbeddedPostgres) -> AsyncIterator[Hosts]:
    name = f"devices_{uuid.uuid4().hex}"
    yield Hosts(world, postgres.create_database(name))
    await world.close()  # the children hold connections to it
    postgres.drop_database(name)


async def test_that_a_number_is_paired_and_talks_with_a_customer(hosts: Hosts) -> None:
    host = await hosts.start()
    host.tell("want", session=hosts.session)
    await host.expect("SessionChanged", status="connecting", account=None)
    shown = await host.expect("SessionChanged", status="awaiting_qr")
    device = await hosts.world.server.scan(shown["qr"], SHOP, name="Loja")
    await host.expect("SessionChanged", status="connected", account=str(device))

    customer = await hosts.world.customer(CUSTOMER, "Maria")
    question = await customer.send(SHOP, "vocês abrem sábado?")
    heard = await host.expect("MessageReceived", provider_id=question)
    assert (heard["text"], heard["kind"], heard["from_me"]) == ("vocês abrem sábado?", "text", False)
    assert {heard["chat"]["kind"], *(other["kind"] for other in heard["alternates"])} == {"lid", "phone"}
    assert heard["alternates"][0]["value"] == CUSTOMER

    chat = f"{heard['chat']['kind']}:{heard['chat']['value']}"
    host.tell("send", session=hosts.session, to=chat, text="abrimos, das 9 às 13h", quoted_provider_id=question)
    answer = (await host.expect("sent"))["id"]
    reply = await customer.expect("message", id=answer)
    assert reply["text"] == "abrimos, das 9 às 13h"
    await customer.expect("receipt", ids=[question], kind="read")  # whoever answers has read
    await host.expect("ReceiptChanged", provider_ids=[answer], ack="device")
    await customer.read(reply)
    await host.expect("ReceiptChanged", provider_ids=[answer], ack="read")


async def test_that_a_killed_host_resumes_without_a_code_and_gets_what_was_sent_meanwhile(hosts: Hosts) -> None:
    host = await hosts.paired()
    customer = await hosts.world.customer(CUSTOMER)
    await host.expect("MessageReceived", provider_id=await customer.send(SHOP, "antes"))
    await host.kill()
    missed = await customer.send(SHOP, "durante")

    host = await hosts.start()
    await host.expect("SessionChanged", status="connected")
    assert (await host.expect("MessageReceived", provider_id=missed))["text"] == "durante"
    later = await customer.send(SHOP, "depois")
    assert (await host.expect("MessageReceived", provider_id=later))["text"] == "depois"
    statuses = {event["status"] for event in host.seen("SessionChanged")}
    assert "awaiting_qr" not in statuses


async def test_that_what_cannot_be_kept_for_a_while_is_not_lost_not_even_by_a_kill(hosts: Hosts) -> None:
    host = await hosts.paired(doubt=600)  # told meanwhile, a suspected loss would take it offline too
    customer = await hosts.world.customer(CUSTOMER)
    host.tell("break_store", failing=True)
    sent = [await customer.send(SHOP, f"mensagem {number}") for number in range(5)]
    device = hosts.world.server.directory.device(JID(SHOP, device=1))
    async with asyncio.timeout(60):
        while device.connection:  # noqa: ASYNC110  # the server plays no events of its own
            await asyncio.sleep(0.05)
    host.tell("send", session=hosts.session, to=f"phone:{CUSTOMER}", text="?")
    assert (await host.expect("refused"))["error"] == "SendRetryableError"
    host.tell("break_store", failing=False)
    kept = [(await host.expect("MessageReceived"))["provider_id"] for _ in sent]
    assert kept == sent

    await host.expect("SessionChanged", status="connected")
    host.tell("break_store", failing=True)
    acknowledged = await customer.send(SHOP, "mensagem 5")
    await customer.expect("receipt", ids=[acknowledged])  # WhatsApp believes that we have it, and forgets it
    await host.kill()
    host = await hosts.start()
    await host.expect("MessageReceived", provider_id=acknowledged)


async def test_that_a_code_nobody_scans_expires_and_a_new_wish_shows_a_new_one(hosts: Hosts) -> None:
    host = await hosts.start(qr_seconds=1)
    host.tell("want", session=hosts.session)
    first = await host.expect("SessionChanged", status="awaiting_qr")
    await host.expect("SessionChanged", status="qr_expired")
    await host.expect("leased", sessions=[hosts.session])
    host.tell("unwant", session=hosts.session)
    await host.expect("leased", sessions=[])
    host.tell("want", session=hosts.session)
    second = await host.expect("SessionChanged", status="awaiting_qr")
    assert second["qr"] != first["qr"]


async def test_that_a_host_ends_itself_after_pairings_that_ran_out_and_keeps_no_connection_of_them(
    hosts: Hosts,
) -> None:
    hosts.world.server.qr_codes = 1  # after the only one the library ends the pairing by itself, in 20 seconds
    host = await hosts.start()
    hung_up, timed_out = hosts.session, str(uuid.uuid4())
    host.tell("want", session=timed_out)
    await host.expect("SessionChanged", session=timed_out, status="awaiting_qr")
    host.tell("want", session=hung_up)
    shown = await host.expect("SessionChanged", session=hung_up, status="awaiting_qr")
    host.tell("hanging")
    held = await host.expect("hanging")
    assert (held["sockets"], held["calls"], held["known"]) == (2, 2, 0)
    hosts.world.server.pairing.hang_up(shown["qr"])
    assert (await host.expect("SessionChanged", session=hung_up, status="qr_expired", seconds=60))["ended"]
    assert (await host.expect("SessionChanged", session=timed_out, status="qr_expired", seconds=60))["ended"]
    await host.expect("worn_out", seconds=60)
    host.tell("hanging")
    left = await host.expect("hanging")
    # The library keeps a thread for each in a loop that waits for a pairing: only the process's end frees it.
    assert (left["sockets"], left["calls"], left["known"]) == (0, 2, 2)
    codes = [event for event in host.seen("SessionChanged") if event["status"] == "awaiting_qr"]
    assert codes == []  # one attempt each, and nobody begins another


async def test_that_an_unlinked_number_ends_and_is_paired_anew_only_on_demand(hosts: Hosts) -> None:
    host = await hosts.paired()
    await hosts.world.server.unlink(JID(SHOP, device=1))
    gone = await host.expect("SessionChanged", status="disconnected")
    assert "Pair it again" in gone["detail"]
    host.tell("send", session=hosts.session, to=f"phone:{CUSTOMER}", text="?")
    assert (await host.expect("refused"))["error"] == "SendRetryableError"
    host.tell("want", session=hosts.session)
    await host.expect("SessionChanged", status="awaiting_qr")


async def test_that_a_connected_number_is_unlinked_and_paired_anew_on_demand(hosts: Hosts) -> None:
    host = await hosts.paired()
    host.tell("pair_again", session=hosts.session)
    await host.expect("SessionChanged", status="disconnected", account=None)
    shown = await host.expect("SessionChanged", status="awaiting_qr", account=None)
    assert hosts.world.server.directory.account(SHOP).devices == {}
    device = await hosts.world.server.scan(shown["qr"], SHOP)
    await host.expect("SessionChanged", status="connected", account=str(device))


async def test_that_a_dropped_connection_comes_back_without_a_word(hosts: Hosts) -> None:
    host = await hosts.paired()
    customer = await hosts.world.customer(CUSTOMER)
    hosts.world.server.drop(JID(SHOP, device=1))
    missed = await customer.send(SHOP, "caiu?")
    await host.expect("MessageReceived", provider_id=missed)
    assert {event["status"] for event in host.seen("SessionChanged")} == {"connecting"}  # from before the pairing


async def test_that_a_number_is_paired_by_the_code_typed_into_the_phone(hosts: Hosts) -> None:
    host = await hosts.start()
    host.tell("want", session=hosts.session)
    await host.expect("SessionChanged", status="awaiting_qr")
    host.tell("pairing_code", session=hosts.session, phone=f"+{SHOP}")
    code = (await host.expect("code"))["code"]
    await hosts.world.server.enter_code(code, SHOP)
    await host.expect("SessionChanged", status="connected")


async def test_that_the_customer_sees_somebody_type_and_no_bot(hosts: Hosts) -> None:
    host = await hosts.paired()
    customer = await hosts.world.customer(CUSTOMER)
    host.tell("send", session=hosts.session, to=f"phone:{CUSTOMER}", text="olá!", typing_seconds=0.3)
    await customer.expect("typing")
    assert not customer.seen("message")
    await customer.expect("message", id=(await host.expect("sent"))["id"])
    relayed = [node for _, node in hosts.world.server.relay.transcript if node.tag == "message"]
    assert relayed
    assert not [node for node in relayed if node.child("bot")]  # it would show an "AI" badge

    for nobody in ("phone:5511980000000", "simulator:maria"):
        host.tell("send", session=hosts.session, to=nobody, text="oi")
        assert (await host.expect("refused"))["error"] == "SendRejectedError"


async def test_that_a_host_without_its_environment_says_so_in_one_sentence(hosts: Hosts) -> None:
    host = await hosts.start(environment={})
    with pytest.raises(AssertionError, match="NEONIZE_BOT_TAG=off in their environment before their process starts"):
        await host.expect("leased")


async def test_that_a_banned_number_says_so_and_is_not_paired_anew(hosts: Hosts) -> None:
    host = await hosts.paired()
    await host.kill()
    hosts.world.server.login_failure = BANNED
    host = await hosts.start()
    told = await host.expect("SessionChanged", status="restricted")
    assert "2.0 hours (send_to_too_many_people)" in told["detail"]
    assert not [event for event in host.seen("SessionChanged") if event["status"] == "awaiting_qr"]


async def test_that_a_stopping_host_waits_for_the_message_on_its_way(hosts: Hosts) -> None:
    host = await hosts.paired()
    await hosts.world.customer(CUSTOMER)
    relay = hosts.world.server.relay
    relay.hold_acks = True
    host.tell("send", session=hosts.session, to=f"phone:{CUSTOMER}", text="um momento")
    async with asyncio.timeout(60):
        while not relay.held:  # noqa: ASYNC110  # the server plays no events of its own
            await asyncio.sleep(0.05)
    host.tell("stop")
    await asyncio.sleep(0.5)
    relay.release_acks()
    await host.expect("sent")
    await host.expect("stopped")


async def test_that_a_stopped_host_gives_up_its_leases_and_goes_offline(hosts: Hosts) -> None:
    host = await hosts.paired()
    host.tell("stop")
    await host.expect("released")
    await host.expect("stopped")
    assert hosts.world.server.directory.device(JID(SHOP, device=1)).connection is None
