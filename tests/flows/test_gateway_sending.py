"""Sending through gateways: receipts find their message by id alone, and a restricted number starts no new chats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from channels.base import MessageReceived, NumberRefusedError, ReceiptChanged, SessionChanged
from domain.contents import Location, Reaction
from domain.messages import Ack, Address, AddressKind, SessionStatus
from flows.approvals import Approvals
from flows.attachments import NotOfferedHereError, Offers
from flows.delivery import Delivery
from flows.desk import Actor, Desk
from flows.inbound import Inbound
from store.database import Database
from store.wakeup import Wakeup
from tests.database import make_number
from tests.flows.door import Door
from tests.scripted_gateway import ScriptedGateway

ANA, BIA = (Address(AddressKind.PHONE, f"553190000000{n}") for n in (1, 2))


@dataclass
class Clinic:
    """A gateway number, the desk, and a worker's delivery."""

    door: Door
    desk: Desk
    delivery: Delivery
    gateway: ScriptedGateway
    actor: Actor

    async def conversation(self, chat: Address) -> UUID:
        (row,) = await self.door.fetch("SELECT id FROM conversation WHERE address = $1", str(chat))
        found: UUID = row["id"]
        return found

    async def send(self) -> None:
        while await self.delivery.run_due():
            await self.delivery.wait_idle()

    async def outbox(self) -> list[tuple[str, str | None]]:
        rows = await self.door.fetch("SELECT state, ack FROM outbox_message ORDER BY message_id")
        return [tuple(row) for row in rows]


@pytest.fixture
async def clinic(owner_dsn: str, db: Database) -> AsyncIterator[Clinic]:
    number = await make_number(owner_dsn, provider="waha")
    wakeup, gateway = Wakeup(db), ScriptedGateway()
    inbound = Inbound(db, wakeup)
    door = Door(db, inbound, await inbound.session(number.session_id), owner_dsn)
    desk = Desk(db, wakeup, Approvals(db, wakeup), Offers({"waha": gateway}))
    delivery = Delivery(db, wakeup, {"waha": gateway}, patience=timedelta(0))
    yield Clinic(door, desk, delivery, gateway, Actor(number.tenant_id, number.user_id, "Ana"))
    await wakeup.close()


async def test_that_a_receipt_finds_its_message_by_id_whatever_chat_it_names(clinic: Clinic) -> None:
    for chat in (ANA, BIA):
        await clinic.door.take(clinic.door.message(chat))
        await clinic.desk.reply(clinic.actor, await clinic.conversation(chat), "Olá!")
    await clinic.send()
    first, second = sorted(clinic.gateway.sent, key=lambda message: message.to.value)
    at = datetime.now(UTC)
    await clinic.door.take(ReceiptChanged((f"sent-{second.key}",), Ack.READ, at, chat=first.to))
    assert await clinic.outbox() == [("sent", "server"), ("sent", "read")]
    await clinic.door.take(ReceiptChanged(("somebody else's",), Ack.READ, at, chat=first.to))
    assert await clinic.outbox() == [("sent", "server"), ("sent", "read")]


async def test_that_a_restricted_number_answers_but_starts_no_new_chats(clinic: Clinic) -> None:
    await clinic.door.take(clinic.door.message(ANA))
    # Begun on the phone: this contact has never written.
    await clinic.door.take(MessageReceived("p1", BIA, datetime.now(UTC), text="Promoção!", from_me=True))
    new_chat = await clinic.conversation(BIA)
    clinic.gateway.mishaps = [NumberRefusedError("Too many new chats.", status=SessionStatus.RESTRICTED)]
    await clinic.desk.reply(clinic.actor, new_chat, "Ainda hoje!")
    await clinic.send()
    assert await clinic.outbox() == [("failed", None)]
    (number,) = await clinic.door.fetch("SELECT status, status_detail FROM channel_session")
    assert tuple(number) == ("restricted", "Too many new chats.")
    await clinic.desk.reply(clinic.actor, new_chat, "Só até amanhã!")
    await clinic.desk.reply(clinic.actor, await clinic.conversation(ANA), "Em que posso ajudar?")
    await clinic.send()
    assert await clinic.outbox() == [("failed", None), ("queued", None), ("sent", "server")]
    await clinic.door.take(SessionChanged(SessionStatus.CONNECTED, datetime.now(UTC)))
    await clinic.send()
    assert await clinic.outbox() == [("failed", None), ("sent", "server"), ("sent", "server")]


async def test_that_contents_are_queued_only_where_the_gateway_takes_them(clinic: Clinic) -> None:
    await clinic.door.take(clinic.door.message(ANA, provider_id="m1"))
    conversation_id = await clinic.conversation(ANA)
    with pytest.raises(NotOfferedHereError, match=r"not offered by this gateway \(waha\)"):
        await clinic.desk.reply(clinic.actor, conversation_id, "", content=Location(-23.5, -46.6, "Loja"))
    assert await clinic.outbox() == []
    await clinic.desk.reply(clinic.actor, conversation_id, "", content=Reaction("m1", "👍"))
    await clinic.send()
    (sent,) = clinic.gateway.sent
    assert (sent.text, sent.content) == ("", Reaction("m1", "👍"))
    (row,) = await clinic.door.fetch("SELECT kind, text FROM message WHERE author = 'operator'")
    assert tuple(row) == ("reaction", "")
