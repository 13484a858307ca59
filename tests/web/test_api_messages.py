"""``/api/v1/sessions/…`` as a tenant's program uses it: messages and files out, numbers looked up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from channels.base import SessionRef
from channels.gateway import GatewayUnavailableError
from domain.messages import Address
from flows.api_keys import SCOPES, ApiKeys
from flows.channel_requests import HostRequests
from store.database import Database, Row
from store.wakeup import every
from tests.database import Number, make_number, new_database, opened
from tests.sample_files import PAPER, PICTURE, VOICE
from tests.web.part import running_web

PHONE = "5531990002222"
ON_WHATSAPP = "553190002222"
"""The same person's number without the ninth digit, as WhatsApp has it."""


_slugs = itertools.count(1)


def _slug() -> str:
    """Every test has a tenant of its own in the module's one database."""
    return f"shop-{next(_slugs)}"


@dataclass
class Phone:
    """A number's connection in its session host, as far as these tests ask it. ``offline`` answers nothing."""

    offline: bool = False
    asked: list[tuple[str, Any]] = field(default_factory=list)

    async def check_number(self, session: SessionRef, digits: str) -> Address | None:
        self._note("check", digits)
        return Address.parse(f"phone:{ON_WHATSAPP}") if digits == PHONE else None

    async def show_typing(self, session: SessionRef, chat: Address, *, typing: bool) -> None:
        self._note("typing", (str(chat), typing))

    async def mark_read(self, session: SessionRef, chat: Address, provider_ids: Sequence[str]) -> None:
        self._note("read", (str(chat), list(provider_ids)))

    def _note(self, what: str, of: Any) -> None:
        if self.offline:
            raise GatewayUnavailableError("The number is not connected to WhatsApp.")
        self.asked.append((what, of))


@dataclass
class Shop:
    """A tenant whose number is held by a session host, with a program that has a key."""

    program: httpx.AsyncClient
    number: Number
    db: Database
    phone: Phone

    @property
    def path(self) -> str:
        return f"/api/v1/sessions/{self.number.session_id}"

    async def send(self, key: str = "k1", **body: Any) -> httpx.Response:
        return await self.program.post(f"{self.path}/messages", json=body, headers={"Idempotency-Key": key})

    async def file(self, data: bytes, name: str = "") -> str:
        answer = await self.program.post(f"{self.path}/files", params={"name": name}, content=data)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        async with self.db.transaction(self.number.tenant_id) as tx:
            return list(await tx.fetch(statement, *values))

    async def queued(self) -> list[Row]:
        return await self.fetch(
            "SELECT m.text, m.kind, m.author, m.quoted_provider_id, o.content, o.state, o.purpose, c.address, c.status "
            "FROM outbox_message o JOIN message m ON m.id = o.message_id "
            "JOIN conversation c ON c.id = o.conversation_id ORDER BY m.id"
        )


@pytest.fixture(scope="module")
async def part(migrated: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """One web process for the whole module."""
    with new_database(migrated) as dsn:
        async with running_web(dsn, tmp_path_factory.mktemp("web")) as stranger:
            yield dsn, stranger


@pytest.fixture
async def shop(part: tuple[str, httpx.AsyncClient]) -> AsyncIterator[Shop]:
    dsn, stranger = part
    async with opened(dsn) as db:
        number, phone = await make_number(dsn, _slug()), Phone()
        async with db.transaction(number.tenant_id) as tx:
            await tx.execute("UPDATE channel_session SET provider = 'neonize'")
        host = HostRequests(db, lambda: {number.session_id: phone})
        answering = asyncio.create_task(every(0.05, host.run_due))
        token = (await ApiKeys(db).create(number.tenant_id, "crm", list(SCOPES), actor="x")).token
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url=stranger.base_url, headers=headers, trust_env=False, timeout=60
        ) as program:
            yield Shop(program, number, db, phone)
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering


async def test_that_a_message_to_a_new_number_is_looked_up_and_queued_once(shop: Shop) -> None:
    first = await shop.send(to="+55 31 9000-2222", text="Seu pedido saiu para entrega.")
    assert first.status_code == 202, first.text
    again = await shop.send(to="+55 31 9000-2222", text="Seu pedido saiu para entrega.")
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    (row,) = await shop.queued()
    assert (row["text"], row["author"], row["purpose"]) == ("Seu pedido saiu para entrega.", "operator", "proactive")
    assert (row["address"], row["status"], row["state"]) == (f"phone:{ON_WHATSAPP}", "bot", "queued")
    assert shop.phone.asked == [("check", PHONE)]
    other = await shop.send(to=PHONE, text="outra coisa")
    assert (other.status_code, "idempotency key" in other.json()["detail"]) == (409, True)
    later = (await shop.send("k2", to=PHONE, text="mais uma")).json()
    assert later["conversation_id"] == first.json()["conversation_id"]
    assert len(shop.phone.asked) == 1, "who is known is not looked up again"


async def test_that_twenty_copies_at_once_are_one_message(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.send(to=PHONE, text="uma vez só") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}, {answer.text for answer in answers}
    assert len({answer.json()["message_id"] for answer in answers}) == 1
    assert len(await shop.queued()) == 1


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "not on WhatsApp": ({"to": "+55 11 98888-7777", "text": "oi"}, 422, "is not on WhatsApp"),
    "no phone number": ({"to": "123", "text": "oi"}, 422, "is no phone number"),
    "nobody known": ({"to": "lid:77", "text": "oi"}, 422, "nobody is known"),
    "another conversation": ({"to": "00000000-0000-4000-8000-000000000001", "text": "oi"}, 404, "no conversation"),
    "empty": ({"to": PHONE, "text": "  "}, 422, "empty"),
    "too long": ({"to": PHONE, "text": "x" * 70_000}, 422, "longer"),
    "unknown field": ({"to": PHONE, "txt": "oi"}, 422, "txt"),
    "no place": ({"to": PHONE, "content": {"type": "location", "latitude": 123, "longitude": 0}}, 422, "not on earth"),
    "no number in a card": ({"to": PHONE, "content": {"type": "contact", "name": "A", "phone": "12"}}, 422, "phone"),
    "one option": ({"to": PHONE, "text": "?", "content": {"type": "poll", "options": ["a"]}}, 422, "2 to 12"),
    "no options": ({"to": PHONE, "text": "?", "content": {"type": "poll", "options": 7}}, 422, "content"),
    "text as reaction": ({"to": PHONE, "content": {"type": "reaction", "message": 1, "emoji": "ok"}}, 404, "message"),
    "four buttons": (
        {"to": PHONE, "text": "?", "content": {"type": "buttons", "choices": [{"id": n, "title": n} for n in "abcd"]}},
        422,
        "1 to 3",
    ),
    "a template": ({"to": PHONE, "content": {"type": "template", "name": "a", "language": "pt"}}, 422, "not offered"),
    "unknown content": ({"to": PHONE, "content": {"type": "hologram"}}, 422, "hologram"),
    "foreign fields": ({"to": PHONE, "content": {"type": "media", "ref": "x/y", "kind": "image"}}, 422, "file"),
    "no such file": (
        {"to": PHONE, "content": {"type": "media", "file": "00000000-0000-4000-8000-000000000001"}},
        404,
        "no file",
    ),
    "link elsewhere": (
        {"to": PHONE, "text": "oi", "content": {"type": "link_preview", "url": "https://x.example", "title": "X"}},
        422,
        "address",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_that_what_cannot_be_sent_is_refused_before_anything_is_queued(shop: Shop, name: str) -> None:
    body, status, says = REFUSED[name]
    answer = await shop.send(**body)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text
    assert await shop.queued() == []
    assert await shop.fetch("SELECT 1 FROM idempotent_request") == [], "corrected, it may be sent under the same key"


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_that_a_message_needs_a_key(shop: Shop, key: str) -> None:
    answer = await shop.send(key, to=PHONE, text="oi")
    assert (answer.status_code, "Idempotency-Key" in answer.text) == (422, True)


async def test_that_files_are_sniffed_and_sent_as_what_they_are(shop: Shop) -> None:
    made = await shop.program.post(f"{shop.path}/files", params={"name": "../x.html"}, content=PICTURE)
    assert made.json().items() >= {"mime_type": "image/png", "name": "x.html", "sends_as": "image"}.items()
    voice, paper = await shop.file(VOICE, "nota.ogg"), await shop.file(PAPER, "c.pdf")
    for n, content in enumerate(({"file": made.json()["id"]}, {"file": voice, "kind": "voice"}, {"file": paper})):
        answer = await shop.send(f"k{n}", to=PHONE, content={"type": "media", **content})
        assert answer.status_code == 202, answer.text
    kinds = [(row["kind"], row["content"]["mime_type"]) for row in await shop.queued()]
    assert kinds == [("image", "image/png"), ("voice", "audio/ogg"), ("document", "application/pdf")]
    assert len(await shop.fetch("SELECT 1 FROM media_file WHERE message_id IS NOT NULL AND state = 'stored'")) == 3


async def test_that_a_file_of_the_wrong_type_or_size_is_refused(shop: Shop) -> None:
    paper, fake = await shop.file(PAPER), await shop.file(b"OggS" + bytes(100))
    for file, kind, says in ((paper, "image", "application/pdf as image"), (fake, "voice", "Ogg with Opus")):
        answer = await shop.send(to=PHONE, content={"type": "media", "file": file, "kind": kind})
        assert (answer.status_code, says in answer.text) == (422, True), answer.text
    async with shop.db.transaction(shop.number.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || $1", {"media": {"limit_bytes": 100}})
    for data, status in ((b"x" * 101, 413), (b"", 422), (b"MZ program", 422)):
        assert (await shop.program.post(f"{shop.path}/files", content=data)).status_code == status
    assert await shop.queued() == []


async def test_that_replies_reactions_edits_and_revokes_name_messages_by_our_ids(shop: Shop) -> None:
    first = (await shop.send(to=PHONE, text="oi")).json()
    place = first["conversation_id"]
    assert "not been sent yet" in (await shop.send("k2", to=place, text="x", reply_to=first["message_id"])).text
    async with shop.db.transaction(shop.number.tenant_id) as tx:
        await tx.execute("UPDATE outbox_message SET state = 'sent', provider_id = '3EB0OURS'")
        asked = await tx.fetchval(
            "INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, author, text, "
            "provider_id, sent_at) SELECT tenant_id, conversation_id, channel_session_id, contact_id, 'contact', "
            "'tem?', '3EB0THEIRS', now() FROM message RETURNING id"
        )
    ours = first["message_id"]
    bodies: list[dict[str, Any]] = [
        {"text": "tem", "reply_to": asked},
        {"content": {"type": "reaction", "message": asked, "emoji": "👍"}},
        {"content": {"type": "reaction", "message": ours, "emoji": ""}},
        {"text": "olá", "content": {"type": "edit", "message": ours}},
        {"content": {"type": "revoke", "message": ours}},
    ]
    for n, body in enumerate(bodies):
        answer = await shop.send(f"m{n}", to=place, purpose="reply", **body)
        assert answer.status_code == 202, answer.text
    rows = (await shop.queued())[1:]
    assert rows[0]["quoted_provider_id"] == "3EB0THEIRS"
    assert [(row["content"].get("provider_id"), row["content"].get("from_me")) for row in rows[1:]] == [
        ("3EB0THEIRS", False),
        ("3EB0OURS", True),
        ("3EB0OURS", None),
        ("3EB0OURS", None),
    ]
    theirs = await shop.send("m9", to=place, content={"type": "revoke", "message": asked})
    assert (theirs.status_code, "our own" in theirs.text) == (422, True)


async def test_that_buttons_say_that_they_are_shown_as_numbered_text(shop: Shop) -> None:
    choices = [{"id": "s", "title": "Sim"}, {"id": "n", "title": "Não"}]
    answer = await shop.send(to=PHONE, text="Confirma?", content={"type": "buttons", "choices": choices})
    assert answer.json()["shown_as"] == "numbered_text"


async def test_that_a_link_s_card_is_read_from_its_page_which_must_be_public(shop: Shop) -> None:
    for url in ("https://127.0.0.1/x", "http://shop.example/", "https://10.0.0.1/"):
        refused = await shop.send(to=PHONE, text=f"veja {url}", content={"type": "link_preview", "url": url})
        assert refused.status_code == 422, refused.text
    assert await shop.queued() == []
    card = {"type": "link_preview", "url": "https://x.example", "title": "Loja"}
    assert (await shop.send(to=PHONE, text="veja https://x.example", content=card)).status_code == 202


async def test_that_who_opted_out_is_sent_answers_only(shop: Shop) -> None:
    assert (await shop.send(to=PHONE, text="oi")).status_code == 202
    async with shop.db.transaction(shop.number.tenant_id) as tx:
        await tx.execute("UPDATE contact SET opted_out_at = now()")
    refused = await shop.send("k2", to=PHONE, text="promoção!")
    assert (refused.status_code, "no more messages" in refused.text) == (409, True)
    assert (await shop.send("k3", to=PHONE, text="respondendo", purpose="reply")).status_code == 202


async def test_that_numbers_are_looked_up_typing_is_shown_and_chats_are_read(shop: Shop) -> None:
    for asked, address in (("+5531990002222", f"phone:{ON_WHATSAPP}"), ("+55 11 98888-7777", None)):
        found = (await shop.program.get(f"{shop.path}/numbers/{asked}")).json()
        assert (found["on_whatsapp"], found["address"]) == (address is not None, address)
    assert (await shop.program.get(f"{shop.path}/numbers/12")).status_code == 422
    chat = f"{shop.path}/chats/phone:{ON_WHATSAPP}"
    assert (await shop.program.post(f"{chat}/typing", json={"typing": True})).status_code == 204
    await shop.send(to=PHONE, text="oi")
    async with shop.db.transaction(shop.number.tenant_id) as tx:
        await tx.execute("UPDATE message SET author = 'contact', provider_id = '3EB0X'")
    assert (await shop.program.post(f"{chat}/read")).status_code == 204
    assert shop.phone.asked[-2:] == [
        ("typing", (f"phone:{ON_WHATSAPP}", True)),
        ("read", (f"phone:{ON_WHATSAPP}", ["3EB0X"])),
    ]
    shop.phone.offline = True
    away = await shop.program.get(f"{shop.path}/numbers/+5511977776666")
    assert (away.status_code, "not connected" in away.json()["detail"]) == (409, True)


async def test_that_nothing_of_another_tenant_is_found(shop: Shop, part: tuple[str, httpx.AsyncClient]) -> None:
    theirs = await make_number(part[0], _slug())
    file = await shop.file(PAPER)
    foreign = f"/api/v1/sessions/{theirs.session_id}"
    body = {"to": PHONE, "text": "oi"}
    headers = {"Idempotency-Key": "k"}
    for answer in (
        await shop.program.post(f"{foreign}/messages", json=body, headers=headers),
        await shop.program.post(f"{foreign}/files", content=PAPER),
        await shop.program.get(f"{foreign}/numbers/{PHONE}"),
    ):
        assert answer.status_code == 404, answer.text
    token = (await ApiKeys(shop.db).create(theirs.tenant_id, "crm", list(SCOPES), actor="x")).token
    async with shop.db.transaction(theirs.tenant_id) as tx:
        await tx.execute("UPDATE channel_session SET provider = 'simulator'")
    stolen = await shop.program.post(
        f"{foreign}/messages",
        json={"to": PHONE, "content": {"type": "media", "file": file}},
        headers={**headers, "Authorization": f"Bearer {token}"},
    )
    assert (stolen.status_code, UUID(file).hex in stolen.text.replace("-", "")) == (404, True)
