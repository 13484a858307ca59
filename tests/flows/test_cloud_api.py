"""What is special about numbers of WhatsApp's own API: the 24-hour window, templates, the pair rate, and our own key
in receipts."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from channels.base import MessageReceived, PairRate, ReceiptChanged, SendFailed, TemplateChanged
from channels.whatsapp.cloud_api import CloudApiGateway
from domain.errors import InvalidInputError, NotFoundError
from domain.messages import Ack, Address, AddressKind
from flows.service_window import WindowClosedError
from flows.templates import TemplateNotSendableError, Templates
from tests.flows.backroom import Backroom
from tests.flows.cloud_shop import cloud_backroom
from tests.flows.shop import Shop
from tests.gateways.cloud_api_server import CloudApiServer, error, running_cloud_api
from tests.gateways.files import Files

MARIA = Address(AddressKind.PHONE, "5511990001111")
LOOK_UP = "quero a consulta lenta"
_ids = itertools.count(1)


@pytest.fixture
async def graph() -> AsyncIterator[CloudApiServer]:
    async with running_cloud_api() as server:
        yield server
        assert server.problems == []


@pytest.fixture
async def cloud(shop: Shop, backroom: Backroom, graph: CloudApiServer) -> AsyncIterator[Backroom]:
    async with cloud_backroom(shop, backroom, graph) as opened:
        yield opened


async def write(shop: Shop, text: str, *, hours_ago: float = 0) -> UUID:
    sent_at = datetime.now(UTC) - timedelta(hours=hours_ago)
    event = MessageReceived(f"wamid.in{next(_ids)}", MARIA, sent_at, text=text)
    assert await shop.inbound.receive(shop.session, event) == "stored"
    (row,) = await shop.fetch("SELECT id FROM conversation")
    found: UUID = row["id"]
    return found


async def outbox(shop: Shop) -> list[Any]:
    return await shop.fetch("SELECT * FROM outbox_message ORDER BY message_id")


async def test_that_a_reply_within_the_window_carries_our_key(
    shop: Shop, cloud: Backroom, graph: CloudApiServer
) -> None:
    await write(shop, LOOK_UP, hours_ago=23)
    await cloud.rest()
    (row,) = await outbox(shop)
    (sent,) = graph.sent
    assert (sent["to"], sent["biz_opaque_callback_data"]) == (MARIA.value, str(row["id"]))
    assert (row["state"], row["provider_id"]) == ("sent", "wamid.1")


async def test_that_an_automatic_reply_outside_the_window_waits_for_a_person_with_the_reason(
    shop: Shop, cloud: Backroom, graph: CloudApiServer
) -> None:
    await write(shop, LOOK_UP, hours_ago=25)
    await cloud.rest()
    assert graph.sent == []
    assert await outbox(shop) == []
    (turn,) = await shop.fetch("SELECT decision FROM turn")
    assert turn["decision"]["reasons"][-1]["code"] == "window_closed"
    waiting = await shop.fetch("SELECT id FROM suggestion WHERE status = 'pending'")
    handed_off = await shop.fetch("SELECT announcement FROM handoff")
    assert len(waiting) + len(handed_off) == 1
    assert all(row["announcement"] == "" for row in handed_off)
    for row in waiting:
        with pytest.raises(WindowClosedError):
            await shop.desk.approve(shop.operator, row["id"])


async def test_that_a_person_learns_of_the_closed_window_before_anything_is_queued(
    shop: Shop, cloud: Backroom, graph: CloudApiServer
) -> None:
    conversation = await write(shop, "oi", hours_ago=24.1)
    with pytest.raises(WindowClosedError, match="24 hours"):
        await shop.desk.reply(shop.operator, conversation, "bom dia")
    assert await outbox(shop) == []
    (row,) = await shop.fetch("SELECT status, assignee_id FROM conversation")
    assert row["assignee_id"] is None
    await write(shop, "estou aqui")
    with pytest.raises(InvalidInputError, match="4096"):
        await shop.desk.reply(shop.operator, conversation, "x" * 4097)
    await shop.desk.reply(shop.operator, conversation, "bom dia")
    await cloud.deliver()
    assert [sent["text"]["body"] for sent in graph.sent] == ["bom dia"]


async def test_that_other_providers_have_no_window(shop: Shop, backroom: Backroom) -> None:
    await shop.write("maria", "oi", sent_at=datetime.now(UTC) - timedelta(days=3))
    (row,) = await shop.fetch("SELECT id FROM conversation")
    await shop.desk.reply(shop.operator, row["id"], "x" * 5000)
    await backroom.deliver()
    assert await shop.got("maria") == ["x" * 5000]


async def test_that_a_window_that_closes_on_the_way_fails_with_the_way_out(
    shop: Shop, cloud: Backroom, graph: CloudApiServer
) -> None:
    conversation = await write(shop, "oi")
    await shop.desk.reply(shop.operator, conversation, "bom dia")
    graph.mishaps = [error(400, 131047, "Re-engagement message")]
    await cloud.deliver()
    (row,) = await outbox(shop)
    assert row["state"] == "failed"
    assert "template" in row["error"]


async def test_that_a_refused_number_says_so_on_itself(shop: Shop, cloud: Backroom, graph: CloudApiServer) -> None:
    conversation = await write(shop, "oi")
    for code, status in ((368, "restricted"), (190, "error")):
        graph.mishaps = [error(401, code, "no more")]
        await shop.desk.reply(shop.operator, conversation, "bom dia")
        await cloud.deliver()
        (number,) = await shop.fetch("SELECT status, status_detail FROM channel_session")
        assert number["status"] == status
        assert str(code) in number["status_detail"]


async def test_that_one_person_is_not_written_to_faster_than_whatsapp_allows(
    shop: Shop, backroom: Backroom, graph: CloudApiServer
) -> None:
    async with cloud_backroom(shop, backroom, graph, rate=PairRate(burst=2, seconds=0.4)) as cloud:
        conversation = await write(shop, "oi")
        for text in "abcde":
            await shop.desk.reply(shop.operator, conversation, text)
        left: list[float] = []
        started = time.monotonic()
        while len(left) < 5:
            before = len(graph.sent)
            await cloud.deliver()
            left += [time.monotonic() - started] * (len(graph.sent) - before)
    assert [sent["text"]["body"] for sent in graph.sent] == list("abcde")
    assert left[-1] > 3 * 0.4, left  # two at once, three that each waited their turn
    assert all(row["attempts"] == 1 for row in await outbox(shop))


async def test_that_whatsapps_own_limit_makes_it_wait_and_not_fail(
    shop: Shop, cloud: Backroom, graph: CloudApiServer
) -> None:
    conversation = await write(shop, "oi")
    await shop.desk.reply(shop.operator, conversation, "bom dia")
    graph.mishaps = [error(400, 131056)]
    await cloud.deliver()
    (row,) = await outbox(shop)
    assert row["state"] == "queued"
    assert row["not_before"] - datetime.now(UTC) > timedelta(seconds=6)


async def unknown(shop: Shop, cloud: Backroom, graph: CloudApiServer) -> Any:
    """A message whose answer never came."""
    conversation = await write(shop, "oi")
    await shop.desk.reply(shop.operator, conversation, "bom dia")
    graph.mishaps = ["close"]
    await cloud.deliver()
    (row,) = await outbox(shop)
    assert (row["state"], row["provider_id"]) == ("unknown", None)
    return row


async def test_that_a_receipt_with_our_key_settles_a_message_of_unknown_fate(
    shop: Shop, cloud: Backroom, graph: CloudApiServer
) -> None:
    row = await unknown(shop, cloud, graph)
    now = datetime.now(UTC)
    for event in (
        ReceiptChanged(("wamid.X",), Ack.DEVICE, now),  # no key: nobody knows yet whose this is
        ReceiptChanged(("wamid.Y",), Ack.READ, now, key="not an id of ours"),
        ReceiptChanged(("wamid.Z",), Ack.READ, now, key=str(uuid4())),
    ):
        await shop.inbound.receive(shop.session, event)
    assert (await outbox(shop))[0]["state"] == "unknown"
    await shop.inbound.receive(shop.session, ReceiptChanged(("wamid.X",), Ack.SERVER, now, key=str(row["id"])))
    (row,) = await outbox(shop)
    # The receipt that came first counts as well, although it could not be placed then.
    assert (row["state"], row["provider_id"], row["ack"]) == ("sent", "wamid.X", "device")
    await shop.inbound.receive(shop.session, ReceiptChanged(("wamid.V",), Ack.READ, now, key=str(row["id"])))
    (row,) = await outbox(shop)
    assert (row["provider_id"], row["ack"]) == ("wamid.X", "device")


async def test_that_a_failure_with_our_key_settles_it_too_and_nothing_is_sent_twice(
    shop: Shop, cloud: Backroom, graph: CloudApiServer
) -> None:
    row = await unknown(shop, cloud, graph)
    failure = SendFailed(("wamid.X",), datetime.now(UTC), "not on WhatsApp (131026)", key=str(row["id"]))
    await shop.inbound.receive(shop.session, failure)
    (row,) = await outbox(shop)
    assert (row["state"], row["error"]) == ("failed", "not on WhatsApp (131026)")


async def test_that_a_message_to_be_sent_again_is_not_when_its_receipt_comes_first(
    shop: Shop, cloud: Backroom, graph: CloudApiServer
) -> None:
    row = await unknown(shop, cloud, graph)
    await shop.desk.settle_unknown(shop.operator, row["id"], arrived=False)
    receipt = ReceiptChanged(("wamid.X",), Ack.READ, datetime.now(UTC), key=str(row["id"]))
    await shop.inbound.receive(shop.session, receipt)
    await cloud.deliver()
    assert graph.sent == []
    (row,) = await outbox(shop)
    assert (row["state"], row["ack"]) == ("sent", "read")


async def test_that_another_number_cannot_settle_it(shop: Shop, cloud: Backroom, graph: CloudApiServer) -> None:
    row = await unknown(shop, cloud, graph)
    async with shop.db.transaction(shop.tenant_id) as tx:
        other = await tx.fetchval(
            "INSERT INTO channel_session (tenant_id, provider, name) VALUES ($1, 'cloud_api', 'x') RETURNING id",
            shop.tenant_id,
        )
    receipt = ReceiptChanged(("wamid.X",), Ack.READ, datetime.now(UTC), key=str(row["id"]))
    await shop.inbound.receive(await shop.inbound.session(other), receipt)
    assert (await outbox(shop))[0]["state"] == "unknown"


ORDER = {
    "name": "pedido",
    "language": "pt_BR",
    "status": "APPROVED",
    "category": "UTILITY",
    "quality_score": {"score": "GREEN"},
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Olá {{1}}"},
        {"type": "BODY", "text": "Seu pedido {{1}} chega {{2}}."},
        {"type": "FOOTER", "text": "Loja Aurora"},
        {
            "type": "BUTTONS",
            "buttons": [
                {"type": "QUICK_REPLY", "text": "Falar"},
                {"type": "URL", "text": "Ver", "url": "https://loja.example/{{1}}"},
            ],
        },
    ],
}
NAMED = {
    "name": "aviso",
    "language": "pt_BR",
    "status": "APPROVED",
    "parameter_format": "NAMED",
    "components": [{"type": "BODY", "text": "Oi {{nome}}, seu código é {{codigo}}. Até já, {{nome}}!"}],
}
PICTURE = {
    "name": "foto",
    "language": "en",
    "status": "APPROVED",
    "components": [{"type": "HEADER", "format": "IMAGE"}],
}
PAUSED = {"name": "pausado", "language": "pt_BR", "status": "PAUSED", "components": [{"type": "BODY", "text": "Oi"}]}


@pytest.fixture
async def templates(shop: Shop, cloud: Backroom) -> AsyncIterator[Templates]:
    async with httpx.AsyncClient(verify=False) as http:
        yield Templates(shop.db, cloud.wakeup, CloudApiGateway(http, Files()))


async def states(shop: Shop) -> dict[str, str]:
    return {row["name"]: row["status"] for row in await shop.fetch("SELECT name, status FROM message_template")}


async def test_that_templates_are_synchronised_and_the_newest_report_wins(
    shop: Shop, graph: CloudApiServer, templates: Templates
) -> None:
    graph.templates = [ORDER, NAMED, PICTURE, PAUSED]
    found = await templates.sync(shop.tenant_id, shop.session.id)
    assert (found.total, found.approved) == (4, 3)
    now = datetime.now(UTC) - timedelta(seconds=0.95)  # Meta cuts the second off
    change = TemplateChanged("pedido", "pt_BR", now, status="DISABLED", quality="RED", reason="low quality")
    await shop.inbound.receive(shop.session, change)
    late = TemplateChanged("pedido", "pt_BR", now - timedelta(hours=1), status="APPROVED")
    await shop.inbound.receive(shop.session, late)
    await shop.inbound.receive(shop.session, TemplateChanged("novo", "pt_BR", now, status="PENDING"))
    wanted = {"pedido": "DISABLED", "aviso": "APPROVED", "foto": "APPROVED", "pausado": "PAUSED", "novo": "PENDING"}
    assert await states(shop) == wanted
    graph.templates = [ORDER]
    await asyncio.sleep(0.1)
    await templates.sync_all()
    assert await states(shop) == dict.fromkeys(wanted, "MISSING") | {"pedido": "APPROVED"}
    graph.mishaps = [error(401, 190)]
    assert await templates.sync_all() == 0
    assert (await states(shop))["pedido"] == "APPROVED"
    listed = await templates.list(shop.tenant_id, shop.session.id)
    assert [row["name"] for row in listed] == sorted(wanted)
    with pytest.raises(NotFoundError):
        await templates.sync(shop.tenant_id, uuid4())


async def test_that_a_template_reaches_the_customer_outside_the_window(
    shop: Shop, cloud: Backroom, graph: CloudApiServer, templates: Templates
) -> None:
    graph.templates = [ORDER, NAMED]
    await templates.sync(shop.tenant_id, shop.session.id)
    conversation = await write(shop, "oi", hours_ago=100)
    await templates.send(shop.operator, conversation, "pedido", "pt_BR", ["Ana", "42", "hoje\n à noite", "42"])
    await templates.send(shop.operator, conversation, "aviso", "pt_BR", ["Ana", "7"])
    await cloud.deliver()
    first, second = (sent["template"] for sent in graph.sent)
    assert first["components"] == [
        {"type": "header", "parameters": [{"type": "text", "text": "Ana"}]},
        {"type": "body", "parameters": [{"type": "text", "text": "42"}, {"type": "text", "text": "hoje à noite"}]},
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "42"}]},
    ]
    named = [(p["parameter_name"], p["text"]) for p in second["components"][0]["parameters"]]
    assert named == [("nome", "Ana"), ("codigo", "7")]
    texts = await shop.fetch("SELECT text FROM message WHERE author = 'operator' ORDER BY id")
    assert [row["text"] for row in texts] == [
        "Olá Ana\n\nSeu pedido 42 chega hoje à noite.\n\nLoja Aurora",
        "Oi Ana, seu código é 7. Até já, Ana!",
    ]
    (row,) = await shop.fetch("SELECT status, assignee_id FROM conversation")
    assert (row["status"], row["assignee_id"]) == ("human", shop.operator.user_id)


async def test_that_a_template_that_cannot_be_sent_queues_nothing(
    shop: Shop, graph: CloudApiServer, templates: Templates
) -> None:
    graph.templates = [ORDER, PICTURE, PAUSED]
    await templates.sync(shop.tenant_id, shop.session.id)
    conversation = await write(shop, "oi")
    for name, values, kind in (
        ("pedido", ["Ana"], InvalidInputError),
        ("pedido", ["Ana", " ", "x", "y"], InvalidInputError),
        ("foto", [], InvalidInputError),
        ("pausado", [], TemplateNotSendableError),
        ("nada", [], NotFoundError),
    ):
        language = "en" if name == "foto" else "pt_BR"
        with pytest.raises(kind):  # type: ignore[call-overload]
            await templates.send(shop.operator, conversation, name, language, values)
    with pytest.raises(NotFoundError):
        await templates.send(shop.operator, uuid4(), "pedido", "pt_BR", [])
    assert await outbox(shop) == []
