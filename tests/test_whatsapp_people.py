"""Who writes, with real clients: a contact that WhatsApp moves from its phone number to a LID, and groups."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from flows.session_control import ChannelSessions
from store.database import Row
from store.media import MediaFolder
from store.wakeup import Wakeup
from tests.fakewa.accounts import Picture
from tests.fakewa.harness import Customer, linux_only
from tests.flows.shop import eventually
from tests.sample_files import PICTURE
from tests.test_whatsapp_end_to_end import ANSWER, ASK, CUSTOMER, PATIENCE, SHOP, PairedShop, paired

__all__ = ["paired"]
pytestmark = [pytest.mark.neonize, linux_only]

FRIEND = "5511990004444"


async def contacts(shop: PairedShop) -> dict[UUID, set[str]]:
    """Each contact with its addresses."""
    found: dict[UUID, set[str]] = {}
    for row in await shop.shop.fetch("SELECT contact_id, kind, value FROM contact_address"):
        found.setdefault(row["contact_id"], set()).add(f"{row['kind']}:{row['value']}")
    return found


async def conversations(shop: PairedShop) -> Sequence[Row]:
    return await shop.shop.fetch(
        "SELECT c.id, c.address, (SELECT array_agg(m.text ORDER BY m.id) FROM message m WHERE m.conversation_id = c.id "
        "AND m.author = 'contact') AS heard FROM conversation c ORDER BY c.created_at"
    )


async def test_that_a_contact_who_moves_to_a_lid_keeps_its_history_and_is_answered_where_it_wrote(
    paired: PairedShop,
) -> None:
    await paired.pair()
    directory = paired.world.server.directory
    maria = directory.account(CUSTOMER)
    maria.writes_by_phone, maria.tells_both_names = True, False  # WhatsApp has not moved her yet
    customer = await paired.world.customer(CUSTOMER, "Maria")
    await paired.is_answered(customer, await customer.send(SHOP, ASK))
    assert [set(names) for names in (await contacts(paired)).values()] == [{f"phone:{CUSTOMER}"}]

    # From one message to the next she writes as a LID, and nobody says who that is.
    maria.writes_by_phone = False
    await paired.is_answered(customer, await customer.send(SHOP, ASK))
    assert sorted(map(sorted, (await contacts(paired)).values())) == [[f"lid:{maria.lid}"], [f"phone:{CUSTOMER}"]]
    assert len(await conversations(paired)) == 2

    # Now it is told: one contact with both names, one conversation with all that was said.
    maria.tells_both_names = True
    await paired.is_answered(customer, await customer.send(SHOP, ASK))
    assert list((await contacts(paired)).values()) == [{f"lid:{maria.lid}", f"phone:{CUSTOMER}"}]
    (conversation,) = await conversations(paired)
    assert conversation["heard"] == [ASK] * 3
    assert conversation["address"] == f"lid:{maria.lid}"
    assert [row["push_name"] for row in await paired.shop.fetch("SELECT push_name FROM contact")] == ["Maria"]
    await asyncio.sleep(1)  # for what should not come
    assert not customer.seen("message")
    states = await paired.shop.fetch("SELECT state, count(*) AS n FROM outbox_message GROUP BY state")
    assert [(row["state"], row["n"]) for row in states] == [("sent", 3)]


async def test_that_a_group_is_heard_and_answered_only_where_the_business_says_so_and_when_meant(
    paired: PairedShop,
) -> None:
    await paired.pair()
    server = paired.world.server
    maria, pedro = await asyncio.gather(
        paired.world.customer(CUSTOMER, "Maria"), paired.world.customer(FRIEND, "Pedro")
    )
    group = server.groups.create("Condomínio", CUSTOMER, FRIEND, SHOP)
    us = f"{server.directory.account(SHOP).lid}@lid"

    unheard = await maria.send_group(group.jid.user, f"@{us} {ASK}", mention=us)
    await _stored(paired, unheard)
    assert not await paired.shop.fetch("SELECT 1 FROM turn")

    control = ChannelSessions(paired.shop.db, Wakeup(paired.shop.db), MediaFolder(paired.world.folder / "media"))
    await control.change(paired.shop.tenant_id, paired.session_id, groups="mentioned", actor="test")
    await asyncio.sleep(5.5)  # the host knows a number's settings for five seconds
    aside = await pedro.send_group(group.jid.user, ASK)
    await _stored(paired, aside)
    meant = await maria.send_group(group.jid.user, f"@{us} {ASK}", mention=us)
    reply = await _answered(maria)
    assert reply["chat"] == str(group.jid)
    quoted = reply["content"]["extendedTextMessage"]["contextInfo"]
    assert (quoted["stanzaID"], quoted["quotedMessage"]) == (meant, {"conversation": f"@{us} {ASK}"})
    assert quoted["participant"] == f"{server.directory.account(CUSTOMER).lid}@lid"
    assert (await _answered(pedro))["id"] == reply["id"]  # everybody there reads it
    await pedro.send_group(group.jid.user, ASK, quote=reply["id"], author=us)
    await _answered(pedro)

    (conversation,) = await conversations(paired)
    assert conversation["address"] == f"group:{group.jid.user}"
    said = await paired.shop.fetch(
        "SELECT sender, content ->> 'sender_name' AS name, content ? 'aside' AS aside FROM message "
        "WHERE author = 'contact' ORDER BY id"
    )
    names = {number: f"lid:{server.directory.account(number).lid}" for number in (CUSTOMER, FRIEND)}
    assert [tuple(row.values()) for row in said] == [
        (names[CUSTOMER], "Maria", True),
        (names[FRIEND], "Pedro", True),
        (names[CUSTOMER], "Maria", False),
        (names[FRIEND], "Pedro", False),
    ]


async def _stored(paired: PairedShop, provider_id: str) -> None:
    await paired.wait_until("SELECT 1 FROM message WHERE provider_id = $1", provider_id, what="the message")


async def _answered(customer: Customer) -> dict[str, Any]:
    """The shop's reply; what other members say is passed over."""
    while True:
        message = await customer.expect("message", seconds=PATIENCE)
        if message["text"] == ANSWER:
            return message


PICTURES = "https://pps.whatsapp.net"


async def test_that_contacts_get_their_picture_and_groups_their_name_and_no_message_waits_for_either(
    paired: PairedShop,
) -> None:
    await paired.pair()
    server = paired.world.server
    maria_account, media = server.directory.account(CUSTOMER), MediaFolder(paired.world.folder / "data" / "media")
    server.media.files = {"/maria.png": PICTURE, "/page.png": b"<!doctype html><script>alert(1)</script>"}
    server.directory.account(FRIEND).picture = Picture("1", "https://127.0.0.1/inside.png")
    maria_account.picture = Picture("1", f"{PICTURES}/maria.png")
    maria, pedro = await asyncio.gather(
        paired.world.customer(CUSTOMER, "Maria"), paired.world.customer(FRIEND, "Pedro")
    )
    await paired.is_answered(maria, await maria.send(SHOP, ASK))
    await paired.is_answered(pedro, await pedro.send(SHOP, ASK))
    (seen,) = await _profiles(paired, "Maria", "p.sha256 IS NOT NULL")
    assert await media.get(paired.shop.tenant_id, seen["sha256"]) == PICTURE
    assert seen["mime_type"] == "image/png"
    (refused,) = await _profiles(paired, "Pedro", "p.look_again_at > now()")  # asked, and left for later
    assert refused["sha256"] is None

    # Another picture is told, but what stands there is a page: the old one stays. Then it is taken away.
    maria_account.picture = Picture("2", f"{PICTURES}/page.png")
    asked = len(server.media.requests)
    server.tell_of_picture(CUSTOMER, SHOP)
    await eventually(_has_more(server.media.requests, asked), within=PATIENCE, what="the question for the picture")
    maria_account.picture = None
    assert (await _profiles(paired, "Maria", "true"))[0]["sha256"] == seen["sha256"]
    server.tell_of_picture(CUSTOMER, SHOP)
    await _profiles(paired, "Maria", "p.sha256 IS NULL")
    await eventually(_is_gone(media, paired.shop.tenant_id, seen["sha256"]), within=PATIENCE, what="the file's end")

    group = server.groups.create("Condomínio", CUSTOMER, FRIEND, SHOP)
    group.picture = Picture("7", f"{PICTURES}/maria.png")
    await _stored(paired, await maria.send_group(group.jid.user, "bom dia"))
    assert (await _profiles(paired, "Condomínio", "p.sha256 IS NOT NULL"))[0]["is_group"]
    server.groups.rename(group, "Condomínio Azul")
    await _profiles(paired, "Condomínio Azul", "true")
    told = await paired.shop.fetch("SELECT count(*) AS n FROM event WHERE kind = 'contact.profile'")
    assert told[0]["n"] == 4
    assert (await _profiles(paired, "Pedro", "true"))[0]["sha256"] is None  # nothing inside our own network


async def _profiles(paired: PairedShop, name: str, condition: str) -> Sequence[Row]:
    """The profile of the contact with this name, once it is so."""
    statement = (
        "SELECT p.*, c.is_group FROM contact_profile p JOIN contact c ON c.id = p.contact_id "
        f"WHERE c.push_name = $1 AND {condition}"
    )
    await paired.wait_until(statement, name, what=f"the profile of {name} where {condition}")
    return await paired.shop.fetch(statement, name)


def _has_more(things: Sequence[object], than: int) -> Callable[[], Awaitable[bool]]:
    async def more() -> bool:
        return len(things) > than

    return more


def _is_gone(media: MediaFolder, tenant_id: UUID, sha256: str) -> Callable[[], Awaitable[bool]]:
    async def gone() -> bool:
        return media.path(tenant_id, sha256) is None

    return gone
