"""A session host when WhatsApp, its connection, its disk or itself fails; real clients on the loopback server."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import pytest
from bench.session_storm import play as storm

from tests.channels.whatsapp.test_session_host import CUSTOMER, SHOP, Hosts, hosts, world  # noqa: F401  # fixtures
from tests.fakewa.accounts import Device
from tests.fakewa.faults import Ending
from tests.fakewa.harness import Child, Customer, linux_only
from tests.fakewa.nodes import JID

pytestmark = [pytest.mark.neonize, linux_only]

WAIT = 60.0
UNNOTED = "before it is noted"
STEPS = ("after it is noted", "before it is kept", "after it is kept")


def device_of(hosts: Hosts) -> Device:  # noqa: F811
    return hosts.world.server.directory.device(JID(SHOP, device=1))


async def is_gone(host: Child) -> None:
    """Wait until the process has ended."""
    await asyncio.wait_for(host._process.wait(), WAIT)


async def test_that_a_message_comes_through_wherever_on_its_way_the_host_is_killed(hosts: Hosts) -> None:  # noqa: F811
    host = await hosts.paired()
    customer = await hosts.world.customer(CUSTOMER)
    await host.expect("MessageReceived", provider_id=await customer.send(SHOP, "antes"))
    for step in STEPS:
        host, sent = await dies_at(hosts, host, customer, step)
        kept = await host.expect("MessageReceived", provider_id=sent, seconds=WAIT)
        assert kept["recovered"] is True
        await host.expect("MessageReceived", provider_id=await customer.send(SHOP, "depois"), seconds=WAIT)


async def test_that_a_message_that_died_before_it_was_noted_is_told_as_lost(hosts: Hosts) -> None:  # noqa: F811
    host = await hosts.paired()
    customer = await hosts.world.customer(CUSTOMER)
    await host.expect("MessageReceived", provider_id=await customer.send(SHOP, "antes"))
    host, sent = await dies_at(hosts, host, customer, UNNOTED)
    # the library's own gap: what it decrypted and never handed over is told
    lost = await host.expect("MessageLost", provider_id=sent)
    assert lost["session"] == hosts.session
    await host.expect("MessageReceived", provider_id=await customer.send(SHOP, "depois"), seconds=WAIT)


async def dies_at(hosts: Hosts, host: Child, customer: Customer, step: str) -> tuple[Child, str]:  # noqa: F811
    """Kill the host, have its successor die at this step of a message; returns who comes next, and the message's id."""
    await host.kill()
    host = await hosts.start(die_at=step)
    sent = await customer.send(SHOP, step)
    await is_gone(host)
    seen = [event["provider_id"] for event in host.seen("MessageReceived")]
    assert (sent in seen) == (step == "after it is kept")
    return await hosts.start(), sent


async def test_that_a_host_over_its_memory_limit_ends_and_its_successor_gets_everything(hosts: Hosts) -> None:  # noqa: F811
    host = await hosts.paired()
    customer = await hosts.world.customer(CUSTOMER)
    await host.expect("MessageReceived", provider_id=await customer.send(SHOP, "antes"))
    await host.kill()
    host = await hosts.start(most_memory_mb=1)
    await host.expect("released", seconds=WAIT)
    missed = await customer.send(SHOP, "durante")
    await host.kill()
    host = await hosts.start()
    assert (await host.expect("MessageReceived", provider_id=missed, seconds=WAIT))["text"] == "durante"
    assert hosts.world.server.directory.replaced == []


async def test_that_a_connection_that_is_open_but_dead_is_found_and_made_anew(hosts: Hosts) -> None:  # noqa: F811
    host = await hosts.paired(silence=0.5, answer=2.0)
    customer = await hosts.world.customer(CUSTOMER)
    await asyncio.sleep(2)  # a server that answers is left alone
    device = device_of(hosts)
    dead = device.connection
    await device.faults.end(device, "mute")
    missed = await customer.send(SHOP, "alguém aí?")
    await host.expect("SessionChanged", status="disconnected", seconds=WAIT)
    await host.expect("MessageReceived", provider_id=missed, seconds=WAIT)
    await host.expect("SessionChanged", status="connected", seconds=WAIT)
    assert device.connection is not dead


@pytest.mark.parametrize("how", ["515", "503"])
async def test_that_a_restart_that_whatsapp_asks_for_is_no_alarm(hosts: Hosts, how: Ending) -> None:  # noqa: F811
    host = await hosts.paired()
    customer = await hosts.world.customer(CUSTOMER)
    device = device_of(hosts)
    await device.faults.end(device, how)
    missed = await customer.send(SHOP, "e agora?")
    await host.expect("MessageReceived", provider_id=missed, seconds=WAIT)
    assert {event["status"] for event in host.seen("SessionChanged")} == {"connecting"}  # from before the pairing


async def test_that_another_log_in_of_the_device_ends_it_for_good(hosts: Hosts) -> None:  # noqa: F811
    host = await hosts.paired()
    device = device_of(hosts)
    await device.faults.end(device, "replaced")
    gone = await host.expect("SessionChanged", status="disconnected", seconds=WAIT)
    assert "Another process" in gone["detail"]


async def test_that_new_chats_wait_while_whatsapp_refuses_them_and_others_go_on(hosts: Hosts) -> None:  # noqa: F811
    host = await hosts.paired(restricted=4.0)
    known = await hosts.world.customer(CUSTOMER)
    await hosts.world.customer("5521988887777")
    heard = await host.expect("MessageReceived", provider_id=await known.send(SHOP, "oi"), seconds=WAIT)
    hosts.world.server.directory.faults.refuse_new_chats = True
    host.tell("send", session=hosts.session, to="phone:5521988887777", text="promoção!")
    refused = await host.expect("refused", seconds=WAIT)
    assert refused["error"] == "SendRejectedError"
    await host.expect("SessionChanged", status="restricted", seconds=WAIT)
    chat = f"{heard['chat']['kind']}:{heard['chat']['value']}"
    host.tell("send", session=hosts.session, to=chat, text="olá")
    await known.expect("message", id=(await host.expect("sent", seconds=WAIT))["id"])
    device = device_of(hosts)
    await device.faults.end(device, "cut")  # a new connection lifts no restriction
    await host.expect("MessageReceived", provider_id=await known.send(SHOP, "oi?"), seconds=WAIT)
    assert not [event for event in host.seen("SessionChanged") if event["status"] == "connected"]
    await host.expect("SessionChanged", status="connected", seconds=WAIT)


async def test_that_the_next_host_knows_that_whatsapp_refuses_new_chats(hosts: Hosts) -> None:  # noqa: F811
    host = await hosts.paired(restricted=600.0)
    await hosts.world.customer(CUSTOMER)
    hosts.world.server.directory.faults.refuse_new_chats = True
    host.tell("send", session=hosts.session, to=f"phone:{CUSTOMER}", text="promoção!")
    told = await host.expect("SessionChanged", status="restricted", seconds=WAIT)
    await host.kill()
    host = await hosts.start()
    again = await host.expect("SessionChanged", status="restricted", seconds=WAIT)
    assert abs(datetime.fromisoformat(again["restricted_until"]) - datetime.fromisoformat(told["restricted_until"])) < (
        timedelta(seconds=1)
    )
    assert not [event for event in host.seen("SessionChanged") if event["status"] == "connected"]


async def test_that_reconnecting_pauses_after_too_many_failures_and_says_so(hosts: Hosts) -> None:  # noqa: F811
    host = await hosts.paired(failures=2, pause=1.0, stable=0.0)
    hosts.world.server.closed = True
    device = device_of(hosts)
    await device.faults.end(device, "cut")
    paused = await host.expect("SessionChanged", status="error", seconds=WAIT)
    assert "in a row failed" in paused["detail"]
    hosts.world.server.closed = False
    await host.expect("SessionChanged", status="connected", seconds=WAIT)


async def test_that_many_numbers_of_one_host_may_reopen_at_once_and_stay_who_they_are() -> None:
    report = await storm(numbers=6, rounds=3, seed=1)
    told = json.dumps(report, indent=1)
    assert not report["error"], told
    assert report["connections_opened"] >= 24, told
    assert report["mixed_up"] == report["two_log_ins_of_one_device"] == 0, told
