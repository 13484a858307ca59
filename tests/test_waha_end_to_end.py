"""A business behind WAHA, whole: the real web process, a real worker process, and a recording stand-in for WAHA."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from aiohttp import web

from channels.whatsapp.waha import WahaGateway
from flows import decisions
from flows.delivery import Delivery
from flows.gateways import gateway_client
from store.database import Database
from store.wakeup import Wakeup
from tests.flows.shop import FOLDER, Shop, eventually, open_shop
from tests.gateways.files import Files
from tests.waha_webhooks import CHAT, KEY, LID, ack, message, signature, webhook
from tests.web.part import running_web
from tests.worker_process import workers

API_KEY = "the key of this server"
ASK = "faz a consulta lenta"
DONE = "A consulta terminou."


@dataclass
class Waha:
    """The stand-in: keeps every request, and does what the test says before it answers a sendText."""

    requests: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    before_answer: Callable[[str, web.Request], Awaitable[web.StreamResponse | None]] | None = None
    """Called with the new message's id; what it returns is answered instead."""
    base_url: str = ""
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append((request.path, body, request.headers.get("X-Api-Key")))
        if request.path != "/api/sendText":
            return web.json_response({"result": True})
        provider_id = f"3EB0{next(self._ids):04}"
        if self.before_answer and (answer := await self.before_answer(provider_id, request)):
            return answer
        message_id = f"true_{body['chatId']}_{provider_id}"
        return web.json_response({"id": message_id, "timestamp": datetime.now(UTC).timestamp()}, status=201)

    @property
    def texts(self) -> list[str]:
        return [body["text"] for path, body, _ in self.requests if path == "/api/sendText"]


@pytest.fixture
async def waha() -> AsyncIterator[Waha]:
    stand_in = Waha()
    application = web.Application()
    application.router.add_post("/{path:.*}", stand_in.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stand_in
    await runner.cleanup()


@dataclass
class Clinic:
    """The slow shop, whose number is WAHA's."""

    shop: Shop
    waha: Waha
    client: httpx.AsyncClient
    session_id: UUID
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    async def deliver(self, body: bytes) -> str:
        """WAHA posts a webhook; returns what became of it."""
        answer = await self.client.post(f"/webhooks/waha/{self.session_id}", content=body, headers=signature(body))
        assert answer.status_code == 200, answer.text
        (outcome,) = answer.json()["stored"]
        return str(outcome)

    async def write(self, text: str = ASK, *, chat: str = CHAT, other: str = LID) -> None:
        """The customer writes."""
        body = webhook(message(f"C{next(self._ids)}", text, chat=chat, other=other))
        assert await self.deliver(body) == "stored"

    async def conversation(self) -> Any:
        (row,) = await self.shop.fetch("SELECT * FROM conversation")
        return row

    async def outbox(self) -> list[tuple[str, str | None, str | None]]:
        """All messages out: (state, provider id, ack)."""
        rows = await self.shop.fetch("SELECT state, provider_id, ack FROM outbox_message ORDER BY message_id")
        return [(row["state"], row["provider_id"], row["ack"]) for row in rows]

    async def states(self, *expected: str, within: float = 60) -> None:
        """Wait until the messages out have these states."""

        async def so() -> bool:
            return tuple(state for state, _, _ in await self.outbox()) == expected

        await eventually(so, within=within, what=f"outbox {expected}")

    async def held(self) -> int:
        return len(await self.shop.fetch("SELECT 1 FROM held_event"))


@asynccontextmanager
async def clinic_behind(waha: Waha, owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[Clinic]:
    config = {"base_url": waha.base_url, "api_key": API_KEY, "hmac_key": KEY, "session": "default"}
    async with open_shop(owner_dsn, db) as shop:
        async with db.transaction(shop.tenant_id) as tx:
            await tx.execute("UPDATE channel_session SET provider = 'waha', config = config || $1", config)
        async with running_web(owner_dsn, folder) as client:
            yield Clinic(shop, waha, client, shop.session.id)


@pytest.fixture
async def clinic(
    waha: Waha, owner_dsn: str, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Clinic]:
    """The business and its web process; no worker yet."""
    monkeypatch.setenv("NO_PROXY", "*")  # the machine's proxy has no part in this
    (tmp_path / "trace").touch()
    async with clinic_behind(waha, owner_dsn, db, tmp_path) as opened:
        yield opened


@pytest.fixture
def worker(clinic: Clinic, owner_dsn: str, tmp_path: Path) -> Any:
    """A real worker process."""
    with workers(owner_dsn, FOLDER.parent, tmp_path / "trace", 1) as (process,):
        yield process


async def test_that_a_customer_of_a_waha_number_is_answered_and_the_receipts_are_followed(
    clinic: Clinic, worker: Any
) -> None:
    await clinic.write()
    await clinic.states("sent")
    assert [request for request in clinic.waha.requests if "Typing" not in request[0]] == [
        ("/api/sendText", {"session": "default", "chatId": CHAT, "text": DONE}, API_KEY),
    ]
    assert await clinic.outbox() == [("sent", "3EB00000", "server")]
    for name, expected in (("DEVICE", "device"), ("READ", "read"), ("DEVICE", "read")):
        assert await clinic.deliver(ack("3EB00000", name)) == "changed"
        assert await clinic.outbox() == [("sent", "3EB00000", expected)]
    assert await clinic.held() == 0
    await clinic.write()
    await clinic.states("sent", "sent")
    assert clinic.waha.texts == [DONE, DONE]


ECHOES: dict[str, tuple[bool, bool, bool]] = {
    # whether the customer's LID is known, whether the echo's chat is the LID, and whether it tells the other name
    "by phone": (True, False, False),
    "by the known LID": (True, True, False),
    "by a new LID with its phone": (False, True, True),
    "by a new LID alone": (False, True, False),
}


async def test_that_the_echo_of_our_own_reply_is_no_takeover_although_it_comes_before_the_answer(
    clinic: Clinic, worker: Any
) -> None:
    for number, (case, (is_known, by_lid, tells_other)) in enumerate(ECHOES.items()):
        phone, lid = f"551199000{number:04}@c.us", f"14900000000{number:04}@lid"
        chat, other = (lid, phone) if by_lid else (phone, lid)
        echo = {"chat": chat, "other": other if tells_other else ""}
        said: list[str] = []

        async def echo_first(provider_id: str, _: web.Request) -> None:
            said.append(await clinic.deliver(webhook(message(provider_id, DONE, from_me=True, **echo))))  # noqa: B023
            said.append(await clinic.deliver(ack(provider_id, "DEVICE", chat=echo["chat"])))  # noqa: B023

        clinic.waha.before_answer = echo_first
        await clinic.write(chat=phone, other=lid if is_known else "")
        await clinic.states(*["sent"] * (number + 1))
        assert said == ["held", "changed"], case
        provider_id = f"3EB0{number:04}"

        async def was_told(told: tuple[str, str, str] = ("sent", provider_id, "device")) -> bool:
            return (await clinic.outbox())[-1] == told

        await eventually(was_told, within=60, what=f"the held receipt: {case}")
        assert await clinic.deliver(webhook(message(provider_id, DONE, from_me=True, **echo))) == "duplicate", case
    assert await clinic.held() == 0
    rows = await clinic.shop.fetch(
        "SELECT c.status, m.author FROM message m JOIN conversation c ON c.id = conversation_id"
    )
    assert sorted((row["status"], row["author"]) for row in rows) == [("bot", "bot")] * 4 + [("bot", "contact")] * 4


async def test_that_a_person_who_types_on_the_phone_takes_the_conversation_over(clinic: Clinic, worker: Any) -> None:
    async def busy(_: str, __: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "slow down"}, status=429, headers={"Retry-After": "1"})

    clinic.waha.before_answer = busy
    await clinic.write()

    async def refused() -> bool:
        return len(clinic.waha.texts) == 1 and [state for state, _, _ in await clinic.outbox()] == ["queued"]

    await eventually(refused, within=60, what="a reply that waits")
    conversation = await clinic.conversation()
    async with clinic.shop.db.transaction(clinic.shop.tenant_id) as tx:
        await decisions.suggest(tx, clinic.shop.tenant_id, conversation["id"], "Posso ajudar?", turn_id=None)
    clinic.waha.before_answer = None
    typed = webhook(message("PHONE1", "Oi, aqui é a Rita!", from_me=True))
    assert [await clinic.deliver(typed), await clinic.deliver(typed)] == ["stored", "duplicate"]
    assert (await clinic.conversation())["status"] == "human"
    assert await clinic.outbox() == [("cancelled", None, None)]
    assert [row["status"] for row in await clinic.shop.fetch("SELECT status FROM suggestion")] == ["superseded"]
    await clinic.write("e agora a consulta lenta?")
    await asyncio.sleep(2)  # longer than the reply was asked to wait, and than a turn takes
    assert len(clinic.waha.texts) == 1
    authors = [row["author"] for row in await clinic.shop.fetch("SELECT author FROM message ORDER BY id")]
    assert authors == ["contact", "bot", "phone", "contact"]


async def test_that_a_reply_whose_answer_was_lost_is_never_sent_again(clinic: Clinic, worker: Any) -> None:
    async def reset(_: str, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    clinic.waha.before_answer = reset
    heard, unheard = CHAT, "5511990003333@c.us"
    await clinic.write(chat=unheard, other="")
    await clinic.states("unknown")
    await clinic.write(chat=heard)
    await clinic.states("unknown", "unknown")
    clinic.waha.before_answer = None
    # Of one of them the phone tells later, by its LID, that it was sent; of the other nothing is ever heard.
    echo = webhook(message("3EB00001", DONE, chat=LID, other=CHAT, from_me=True))
    assert await clinic.deliver(echo) == "held"
    await clinic.states("unknown", "sent", within=60)
    assert await clinic.deliver(ack("3EB00001", "READ")) == "changed"
    assert await clinic.outbox() == [("unknown", None, None), ("sent", "3EB00001", "read")]
    await asyncio.sleep(2)  # a round of everything that a worker does from time to time
    assert clinic.waha.texts == [DONE, DONE]
    for chat, other in ((unheard, ""), (heard, LID)):
        await clinic.write(chat=chat, other=other)
    await clinic.states("unknown", "sent", "sent", "sent")
    assert clinic.waha.texts == [DONE] * 4
    assert {row["status"] for row in await clinic.shop.fetch("SELECT status FROM conversation")} == {"bot"}


async def test_that_a_message_that_waha_takes_for_ever_to_answer_is_never_sent_again(clinic: Clinic) -> None:
    released = asyncio.Event()

    async def hang(_: str, __: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.json_response({"message": "too late"}, status=500)

    clinic.waha.before_answer = hang
    await clinic.write()
    await clinic.shop.desk.reply(clinic.shop.operator, (await clinic.conversation())["id"], "Um momento.")
    wakeup = Wakeup(clinic.shop.db)
    async with gateway_client() as http:
        sender = WahaGateway(http, Files(), send_timeout_seconds=0.5)
        delivery = Delivery(clinic.shop.db, wakeup, {"waha": sender})
        for _ in range(3):
            await delivery.run_due()
            await delivery.wait_idle()
            await delivery.settle_overdue()
    released.set()
    await wakeup.close()
    assert await clinic.outbox() == [("unknown", None, None)]
    assert clinic.waha.texts == ["Um momento."]
    (row,) = await clinic.shop.fetch("SELECT error FROM outbox_message")
    assert "may have been sent" in row["error"]
