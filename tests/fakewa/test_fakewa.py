"""The loopback server itself, with real and unmodified clients on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from . import binary_xml
from .faults import Faults, Rates
from .harness import Loopback, linux_only, loopback
from .nodes import JID, LID, Node
from .pairing import PairingRefusedError

SHOP, CUSTOMER = "5511990001111", "5511990002222"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Loopback]:
    async with loopback(tmp_path) as running:
        yield running


@pytest.mark.neonize
@linux_only
async def test_that_two_real_clients_pair_talk_reconnect_and_are_unlinked(world: Loopback) -> None:
    shop = await world.customer(SHOP, "Loja")
    customer = await world.customer(CUSTOMER)

    question = await customer.send(SHOP, "qual o horário de vocês?")
    heard = await shop.expect("message", id=question)
    assert heard["text"] == "qual o horário de vocês?"
    assert heard["sender"].split("@")[1] == LID
    assert JID(CUSTOMER).user in heard["sender_alt"]
    # A client that never announced its presence says "inactive" where a phone would say "delivered".
    await customer.expect("receipt", ids=[question], kind="inactive")

    answer = await shop.send(CUSTOMER, "das 9 às 17h")
    reply = await customer.expect("message", id=answer)
    assert reply["text"] == "das 9 às 17h"
    await customer.read(reply)
    await shop.expect("receipt", ids=[answer], kind="read")

    world.server.drop(shop.jid)
    await shop.expect("disconnected")
    await shop.expect("connected")
    thanks = await customer.send(SHOP, "obrigada")
    await shop.expect("message", id=thanks)

    await world.server.unlink(shop.jid)
    await shop.expect("logged_out")
    assert not world.server.requests.unanswered


@pytest.mark.neonize
@linux_only
async def test_that_what_was_sent_while_a_client_was_gone_reaches_it_later(world: Loopback) -> None:
    shop = await world.customer(SHOP)
    customer = await world.customer(CUSTOMER)
    await shop.kill()
    missed = await customer.send(SHOP, "alguém aí?")

    again = await world.unpaired(f"customer-{SHOP}")
    assert (await again.expect("message", id=missed))["text"] == "alguém aí?"
    assert not again.seen("qr")


@pytest.mark.neonize
@linux_only
async def test_that_an_unpatched_client_refuses_the_server(world: Loopback) -> None:
    stranger = await world.unpaired("stranger", trusting=False)
    failure = await stranger.expect("failed")
    assert "failed to verify intermediate cert signature" in failure["error"]
    assert world.server.handshakes_refused == 1


@pytest.mark.neonize
@linux_only
async def test_that_a_client_refuses_a_phone_that_did_not_see_its_code(world: Loopback) -> None:
    client = await world.unpaired("client")
    code = (await client.expect("qr"))["code"]
    with pytest.raises(PairingRefusedError):
        await world.server.scan(code, CUSTOMER, forged=True)


@pytest.mark.neonize
@linux_only
async def test_that_a_client_is_linked_by_the_code_typed_into_the_phone(world: Loopback) -> None:
    client = await world.unpaired("client")
    await client.expect("qr")
    client.tell("pair_phone", phone=CUSTOMER)
    code = (await client.expect("code"))["code"]
    linked = await world.server.enter_code(code, CUSTOMER)
    await client.expect("connected")
    assert linked == JID(CUSTOMER, device=1)


def test_that_nodes_survive_the_binary_form() -> None:
    node = Node(
        "message",
        {"to": JID("5511990001111", device=3), "id": "3EB0A1", "from": JID("12345", LID), "t": "1700000000"},
        [Node("enc", {"v": "2", "type": "pkmsg"}, bytes(range(256)) * 5), Node("body", {"text": "olá, tudo bem?"})],
    )
    assert binary_xml.unmarshal(binary_xml.marshal(node)) == node


async def test_that_a_client_that_bypasses_the_proxy_setting_is_cut_off(world: Loopback) -> None:
    host, port = world.proxy_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /ws/chat HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


def test_that_a_seed_does_the_same_to_the_same_messages_in_any_order() -> None:
    rates = Rates(delay=0.2, duplicate=0.2, reorder=0.2, drop=0.2)
    stanzas = [(JID(SHOP, device=1), f"3EB0{n}", attempt) for n in range(200) for attempt in (1, 2)]
    forwards = {stanza: Faults(7, rates).chosen(*stanza) for stanza in stanzas}
    backwards = {stanza: Faults(7, rates).chosen(*stanza) for stanza in reversed(stanzas)}
    assert forwards == backwards
    assert {kind for kind, _ in forwards.values()} == {"delay", "duplicate", "reorder", "drop", None}
    assert forwards != {stanza: Faults(8, rates).chosen(*stanza) for stanza in stanzas}


@pytest.mark.neonize
@linux_only
async def test_that_messages_arrive_whatever_is_done_to_them_on_the_way(world: Loopback) -> None:
    shop = await world.customer(SHOP)
    customer = await world.customer(CUSTOMER)
    faults = world.server.directory.faults
    faults.seed, faults.rates = 3, Rates(delay=0.25, duplicate=0.25, reorder=0.25, drop=0.1, longest_delay=0.5)
    sent = {await customer.send(SHOP, f"mensagem {n}") for n in range(20)}
    arrived: set[str] = set()
    while arrived < sent:
        arrived.add((await shop.expect("message", seconds=60))["id"])
    assert {fault for fault, device, _ in faults.done if device == str(shop.jid)} >= {"delay", "duplicate", "reorder"}
    assert not shop.seen("message")  # a copy is no second message
