"""Words that stop and allow messages on the business's initiative: before the agent, once, on record."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.messages import Address, AddressKind, MessageKind
from flows.inbound import Inbound
from flows.notices import say
from flows.stopping import KillSwitch
from store import contacts, conversations
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop

LOOK_UP = "faz a consulta lenta"
DONE = "A consulta terminou."


async def ledger(shop: Shop) -> list[tuple[bool, str]]:
    rows = await shop.fetch("SELECT granted, said FROM consent_entry ORDER BY id")
    return [(row["granted"], row["said"]) for row in rows]


async def opted_out(shop: Shop) -> list[bool]:
    return [row["opted_out_at"] is not None for row in await shop.fetch("SELECT opted_out_at FROM contact")]


async def setting(shop: Shop, **settings: Any) -> None:
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || $1, profile_version = profile_version + 1", settings)
    shop.inbound = Inbound(shop.db, shop.inbound._wakeup)
    shop.session = await shop.inbound.session(shop.session.id)


WORDS = {
    "SAIR": "Pronto",
    "sair": "Pronto",
    "  Parar! ": "Pronto",
    "PARE 🙏": "Pronto",
    "Descadastrar.": "Pronto",
    "remover": "Pronto",
    "STOP": "Pronto",
    "Baja": "Listo",
    "dar de baja": "Listo",
    "Unsubscribe": "Done",
    "𝗦𝗔𝗜𝗥": "Pronto",
}


async def test_that_a_whole_message_opts_out_whatever_its_case_and_is_confirmed_in_its_language(
    shop: Shop, backroom: Backroom
) -> None:
    for contact, text in enumerate(WORDS):
        await shop.write(f"c{contact}", text)
    await backroom.rest()
    for contact, start in enumerate(WORDS.values()):
        (confirmation,) = await shop.got(f"c{contact}")
        assert confirmation.startswith(start)
    assert await opted_out(shop) == [True] * len(WORDS)
    assert [granted for granted, _ in await ledger(shop)] == [False] * len(WORDS)
    assert await shop.fetch("SELECT 1 FROM turn") == []
    for row in await shop.fetch("SELECT purpose, text_version, channel FROM consent_entry"):
        assert (row["purpose"], row["channel"]) == ("proactive_messages", "simulator")
        assert row["text_version"].startswith("opt_out_confirmed/")


async def test_that_anything_else_is_for_the_agent(shop: Shop, backroom: Backroom) -> None:
    others = ["quero sair da fila", "CANCELAR", "não quero parar", "stop it please now", "voltar", "start"]
    for contact, text in enumerate(others):
        await shop.write(f"c{contact}", text)
    await backroom.rest()
    assert await ledger(shop) == []
    assert len(await shop.fetch("SELECT 1 FROM turn")) == len(others)


async def test_that_cancelar_opts_out_only_where_the_tenant_says_so(shop: Shop, backroom: Backroom) -> None:
    await setting(shop, consent={"opt_out_words": ["cancelar"], "opt_in_words": ["quero sim"]})
    await shop.write("maria", "Cancelár!")
    await shop.write("maria", "QUERO SIM")
    await backroom.rest()
    assert await ledger(shop) == [(False, "cancelar"), (True, "quero sim")]
    assert await opted_out(shop) == [False]


async def test_that_it_is_confirmed_once_and_voltar_opts_in_again(shop: Shop, backroom: Backroom) -> None:
    for text in ("SAIR", "SAIR", "PARAR"):
        await shop.write("maria", text)
    await backroom.rest()
    assert len(await shop.got("maria")) == 1
    for text in ("VOLTAR", "voltar"):
        await shop.write("maria", text)
    await backroom.rest()
    assert await ledger(shop) == [(False, "sair"), (True, "voltar")]
    assert (await opted_out(shop), len(await shop.fetch("SELECT 1 FROM turn"))) == ([False], 1)
    assert "volta a receber" in (await shop.got("maria"))[1]


async def test_that_two_at_the_same_moment_and_a_repeated_delivery_count_once(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", "oi")
    await asyncio.gather(*(shop.write("maria", "SAIR", provider_id=name) for name in ("a", "a", "b", "c")))
    await backroom.rest()
    assert await ledger(shop) == [(False, "sair")]
    assert sum("VOLTAR" in text for text in await shop.got("maria")) == 1


async def test_that_an_answer_to_the_customers_own_message_still_goes_out(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", LOOK_UP)
    await shop.write("maria", "SAIR")
    await backroom.rest()
    assert sorted(text[:8] for text in await shop.got("maria")) == ["A consul", "Pronto, "]
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    assert (await shop.got("maria")).count(DONE) == 2


async def test_that_a_message_on_the_businesss_initiative_is_not_sent_even_if_it_was_queued_before(
    shop: Shop, backroom: Backroom
) -> None:
    await shop.write("maria", LOOK_UP)
    await backroom.rest()
    async with shop.db.transaction(shop.tenant_id) as tx:
        (found,) = await tx.fetch("SELECT id FROM conversation")
        await say(tx, await conversations.lock(tx, found["id"]), "Promoção!", purpose="proactive")
    await shop.write("maria", "SAIR")
    await backroom.rest()
    assert not any("Promoção" in text for text in await shop.got("maria"))
    assert len(await shop.got("maria")) == 2
    (row,) = await shop.fetch("SELECT state, error FROM outbox_message WHERE purpose = 'proactive'")
    assert tuple(row) == ("cancelled", "the contact wants no messages on our initiative")
    assert await shop.fetch("SELECT 1 FROM suggestion") == []


@pytest.mark.parametrize("holder", ["waiting", "human", "closed"])
async def test_that_it_works_whoever_holds_the_conversation(shop: Shop, backroom: Backroom, holder: str) -> None:
    await shop.write("maria", "quero falar com um atendente")
    await backroom.rest()
    (row,) = await shop.fetch("SELECT id FROM conversation")
    if holder == "human":
        await shop.desk.claim(shop.operator, row["id"])
    if holder == "closed":
        await shop.desk.close(shop.operator, row["id"])
    await shop.write("maria", "SAIR")
    await backroom.rest()
    assert await opted_out(shop) == [True]
    assert (await shop.got("maria"))[-1].startswith("Pronto")


async def test_that_a_word_that_came_while_we_were_away_counts_unless_something_newer_was_said(
    shop: Shop, backroom: Backroom
) -> None:
    now = datetime.now(UTC)
    await shop.write("maria", "SAIR", historical=True, sent_at=now - timedelta(hours=3))
    assert (await opted_out(shop), await shop.got("maria")) == ([True], [])
    await shop.write("maria", "VOLTAR")
    await shop.write("maria", "SAIR", historical=True, sent_at=now - timedelta(hours=2))
    await backroom.rest()
    assert await opted_out(shop) == [False]


async def test_that_neither_a_group_nor_the_business_itself_opts_out(shop: Shop, backroom: Backroom) -> None:
    from channels.base import MessageReceived  # noqa: PLC0415

    group = Address(AddressKind.GROUP, "120363000000000001")
    await shop.inbound.receive(shop.session, MessageReceived("g1", group, datetime.now(UTC), text="SAIR"))
    await shop.write("maria", "oi")
    await shop.write("maria", "SAIR", from_me=True)
    await shop.write("maria", "SAIR", kind=MessageKind.IMAGE)
    assert await ledger(shop) == []


async def test_that_the_no_of_one_name_holds_for_the_person(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", "oi")
    await shop.write("maria-lid", "SAIR")
    async with shop.db.transaction(shop.tenant_id) as tx:
        names = [Address(AddressKind.SIMULATOR, name) for name in ("maria", "maria-lid")]
        await contacts.resolve(tx, shop.tenant_id, names)
    assert (await opted_out(shop), await ledger(shop)) == ([True], [(False, "sair")])


@pytest.mark.parametrize("case", ["suggest", "suggest, announced", "stopped"])
async def test_that_the_policy_also_holds_for_the_receipt(shop: Shop, backroom: Backroom, case: str) -> None:
    await setting(
        shop,
        reply_mode="auto" if case == "stopped" else "suggest",
        announce_under=["suggest"] if "announced" in case else [],
    )
    if case == "stopped":
        await KillSwitch(shop.db, backroom.wakeup).stop(shop.tenant_id, actor="test")
    await shop.write("maria", "SAIR")
    await backroom.rest()
    assert await opted_out(shop) == [True]
    said = len(await shop.got("maria"))
    offered = len(await shop.fetch("SELECT 1 FROM suggestion WHERE status = 'pending'"))
    assert (said, offered) == ((1, 0) if "announced" in case else (0, 1))
