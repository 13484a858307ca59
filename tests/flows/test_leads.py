"""Who writes for the first time becomes a lead, once, and nobody else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from channels.base import HistoryReceived
from domain.errors import ConflictError, NotFoundError
from domain.leads import BASE, POINTS, FirstMessage, advertisement_of, code_of, lead_of
from domain.messages import Address, AddressKind
from flows.desk import Actor
from flows.leads import LeadFilter, Leads
from flows.refusals import RefusedError
from store.database import Database
from store.wakeup import Wakeup
from tests.database import Number, make_number
from tests.flows.door import GROUP, LID, PHONE, Door

OTHER = Address(AddressKind.PHONE, "5531900000002")


@pytest.fixture
async def admin(owner_dsn: str, number: Number) -> UUID:
    """The number's person, promoted."""
    owner = await asyncpg.connect(owner_dsn)
    try:
        await owner.execute("SELECT gate.put_member($1, $2, 'admin')", number.tenant_id, number.user_id)
    finally:
        await owner.close()
    return number.user_id


async def _leads(door: Door) -> list[tuple[str, int]]:
    rows = await door.fetch("SELECT lead_source, lead_score FROM contact WHERE lead_status = 'new' ORDER BY lead_at")
    return [(row["lead_source"], row["lead_score"]) for row in rows]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({}, ""),
        ({"raw": "x"}, ""),
        ({"raw": {"referral": {}}}, ""),
        ({"raw": {"referral": {"headline": "Promo  de\nNatal", "source_id": "12"}}}, "Promo de Natal"),
        ({"raw": {"referral": {"source_id": 120}}}, "120"),
        ({"raw": {"referral": {"advertisement": {"title": "Vitrine", "mediaType": 1}}}}, "Vitrine"),
        ({"raw": {"referral": {"advertisement": [{"sourceURL": "https://fb.me/x"}]}}}, "https://fb.me/x"),
        ({"raw": {"referral": "instagram"}}, "instagram"),
        ({"raw": {"referral": {"a": {"b": {"c": {"d": {"e": {"f": {"title": "deep"}}}}}}}}}, "advertisement"),
        ({"raw": {"referral": ["x", None, True]}}, "advertisement"),
        ({"raw": {"referral": {"title": "x" * 500}}}, "x" * 120),
    ],
)
def test_that_an_advertisement_is_named_whatever_the_gateway_calls_it(content: dict[str, Any], name: str) -> None:
    assert advertisement_of(content) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Oi! ref: NATAL10", "NATAL10"),
        ("código=vitrine-2 quero saber", "vitrine-2"),
        ("quero o #vestido", "vestido"),
        ("meu pedido é o #1234", ""),
        ("oi", ""),
        ("ref: ", ""),
        ("a#b", ""),
    ],
)
def test_that_a_code_is_told_from_an_order_number(text: str, code: str) -> None:
    assert code_of(text) == code


def test_that_the_score_is_the_sum_of_its_reasons() -> None:
    plain = lead_of(FirstMessage("oi", {}, "Vendas"))
    assert (plain.source, plain.score, plain.reasons) == ("Vendas", BASE, ())
    keen = lead_of(FirstMessage("Olá! Qual o PREÇO do vestido azul?", {"raw": {"referral": "ad"}}, "Vendas", "Bia"))
    assert keen.reasons == ("advertisement", "buying_words", "question", "detail", "name")
    assert keen.score == BASE + sum(POINTS[reason] for reason in keen.reasons)
    everything = FirstMessage(
        "quanto custa? quero comprar hoje cod: a1", {"raw": {"referral": "ad"}}, "V", "B", has_file=True
    )
    assert lead_of(everything).score == 100


async def test_that_a_first_message_makes_a_lead_once_and_tells_those_concerned(
    door: Door, admin: UUID, number: Number, owner_dsn: str
) -> None:
    await make_number(owner_dsn, "other")
    first = door.message(LID, "quanto custa? ref: natal", alternates=(PHONE,), push_name="Bia")
    assert await door.take(first) == "stored"
    assert await door.take(first) == "duplicate"
    await door.take(door.message(PHONE, "alô?"))
    assert await _leads(door) == [("#natal", BASE + 20 + 25 + 10 + 5)]
    told = await door.fetch("SELECT user_id, kind, conversation_id, payload FROM notification")
    assert [(row["user_id"], row["kind"]) for row in told] == [(admin, "lead.created")]
    conversation = await door.conversation()
    assert told[0]["conversation_id"] == conversation["id"]
    events = await door.fetch("SELECT payload FROM event WHERE kind = 'lead.created'")
    assert [event["payload"]["reasons"] for event in events] == [["code", "buying_words", "question", "name"]]


async def test_that_groups_history_own_messages_own_numbers_and_staff_are_no_leads(door: Door, number: Number) -> None:
    async with door.db.transaction(number.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || $1", {"leads": {"staff": ["+55 31 90000-0002"]}})
        await tx.execute("UPDATE channel_session SET account = '5531900000009:12@s.whatsapp.net'")
    door.inbound.forget(number.session_id)
    object.__setattr__(door, "session", await door.inbound.session(number.session_id))
    past = datetime.now(UTC) - timedelta(days=30)
    await door.take(door.message(GROUP, "oi", sender=PHONE))
    await door.take(HistoryReceived((door.message(PHONE, "oi", sent_at=past, historical=True),)))
    await door.take(door.message(PHONE, "voltei"))
    await door.take(door.message(OTHER, "sou da loja"))
    await door.take(door.message(Address(AddressKind.PHONE, "5531900000009"), "eu mesmo"))
    await door.take(door.message(Address(AddressKind.PHONE, "5531900000003"), "falei", from_me=True))
    assert await _leads(door) == []
    assert await door.fetch("SELECT 1 FROM notification") == []


async def test_that_a_past_that_comes_later_takes_the_lead_back_unless_somebody_works_on_it(
    door: Door, admin: UUID, number: Number
) -> None:
    past = datetime.now(UTC) - timedelta(days=30)
    for chat in (PHONE, OTHER):
        await door.take(door.message(chat, "oi"))
    leads, ana = Leads(door.db, Wakeup(door.db)), Actor(number.tenant_id, admin, "Ana")
    board = await leads.board(number.tenant_id, LeadFilter())
    worked_on = board.columns["new"][0]["id"]
    await leads.change(ana, worked_on, status="qualified", score="80", version=1)
    await door.take(
        HistoryReceived(tuple(door.message(c, "antes", sent_at=past, historical=True) for c in (PHONE, OTHER)))
    )
    board = await leads.board(number.tenant_id, LeadFilter())
    assert board.counts == {"qualified": 1}
    assert [row["read_at"] is None for row in await door.fetch("SELECT * FROM notification ORDER BY id")] == [
        False,
        True,
    ]


async def test_that_a_lead_is_changed_by_one_person_at_a_time_and_told(
    door: Door, admin: UUID, number: Number, owner_dsn: str
) -> None:
    await door.take(door.message(PHONE, "oi", push_name="Bia"))
    leads, ana = Leads(door.db, Wakeup(door.db)), Actor(number.tenant_id, admin, "Ana")
    (row,) = (await leads.board(number.tenant_id, LeadFilter(words="bi", least_score=5))).columns["new"]
    assert (await leads.board(number.tenant_id, LeadFilter(source="nowhere"))).columns["new"] == []
    await leads.change(ana, row["id"], status="won", score="90", version=row["version"])
    with pytest.raises(ConflictError):
        await leads.change(ana, row["id"], status="lost", score="90", version=row["version"])
    for status, score in (("lucky", "1"), ("won", "101"), ("won", "-1"), ("won", "ten")):
        with pytest.raises(RefusedError):
            await leads.change(ana, row["id"], status=status, score=score, version=2)
    other = await make_number(owner_dsn, "other")
    with pytest.raises(NotFoundError):
        await leads.change(Actor(other.tenant_id, other.user_id, "x"), row["id"], status="won", score="1", version=2)
    (event,) = await door.fetch("SELECT payload, actor FROM event WHERE kind = 'lead.changed'")
    assert event["payload"]["changes"]["status"] == ["new", "won"]
    assert event["actor"] == f"user:{admin}"


async def test_that_a_new_conversation_starts_in_the_queue_of_its_numbers_team(door: Door, db: Database) -> None:
    async with db.transaction(door.session.tenant_id) as tx:
        team = await tx.fetchval(
            "INSERT INTO team (tenant_id, name) VALUES ($1, 'Sales') RETURNING id", door.session.tenant_id
        )
        await tx.execute("UPDATE channel_session SET team_id = $1", team)
    await door.take(door.message())
    assert (await door.conversation())["team_id"] == team
