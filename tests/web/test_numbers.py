"""The numbers' page: the code to scan, what to do next, and what administrators may do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import asyncpg
import httpx
import pytest

from channels.base import MessageLost, MessageReceived, SessionChanged
from domain.messages import Address, AddressKind, SessionStatus
from flows.sessions import QR_LIFETIME, add_number
from tests.database import Number
from tests.web.site import Site
from web.i18n import LANGUAGES, load_catalogue
from web.session_states import GROUPS, NEXT_STEPS
from web.thread_labels import SYSTEM_LINES

CODE = "https://wa.me/settings/linked_devices#2@cmVm,bm9pc2U=,aWRlbnRpdHk=,YWR2,1"


@pytest.fixture
async def number(site: Site, shop: Number) -> UUID:
    """A number of the shop that a session host holds."""
    async with site.db.transaction(shop.tenant_id) as tx:
        session_id = await add_number(tx, shop.tenant_id, name="Vendas", provider="neonize", config={})
    assert await site.db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)
    return session_id


async def promote(site: Site, shop: Number) -> None:
    """Make the operator an administrator."""
    owner = await asyncpg.connect(site.owner_dsn)
    try:
        await owner.execute("SELECT gate.put_member($1, $2, 'admin')", shop.tenant_id, shop.user_id)
    finally:
        await owner.close()


@pytest.fixture
async def admin(site: Site, shop: Number, operator: httpx.AsyncClient) -> httpx.AsyncClient:
    """The operator's browser, promoted."""
    await promote(site, shop)
    return operator


async def report(site: Site, number: UUID, status: SessionStatus, **more: Any) -> None:
    """What a session host would tell."""
    change = SessionChanged(status, more.pop("at", datetime.now(UTC)), **more)
    await site.inbound.receive(await site.inbound.session(number), change)


async def fetch(site: Site, shop: Number, statement: str) -> list[Any]:
    async with site.db.transaction(shop.tenant_id) as tx:
        return list(await tx.fetch(statement))


async def row(site: Site, shop: Number, number: UUID) -> Any:
    async with site.db.transaction(shop.tenant_id) as tx:
        return await tx.fetchrow("SELECT * FROM channel_session WHERE id = $1", number)


async def test_that_the_code_is_shown_to_scan_as_long_as_it_lives(
    site: Site, operator: httpx.AsyncClient, number: UUID
) -> None:
    path = f"/numbers/{number}/qr.svg"
    assert (await operator.get(path)).status_code == 404
    await report(site, number, SessionStatus.AWAITING_QR, qr=CODE)
    page = unescape((await operator.get("/numbers")).text)
    assert "abra Dispositivos conectados e toque em Conectar dispositivo" in page
    source = page.split('class="qr" src="')[1].split('"')[0]
    assert source.startswith(f"{path}?code=")
    assert CODE not in page
    image = await operator.get(source)
    assert image.headers["content-type"] == "image/svg+xml"
    assert image.headers["cache-control"] == "no-store"
    assert ElementTree.fromstring(image.text).tag == "{http://www.w3.org/2000/svg}svg"
    assert not {"style", "onload", "<script"} & set(image.text.replace("=", " ").split())

    await report(site, number, SessionStatus.AWAITING_QR, qr=CODE, at=datetime.now(UTC) - QR_LIFETIME)
    assert (await operator.get(path)).status_code == 410
    assert 'class="qr"' not in (await operator.get("/numbers/list")).text
    await report(site, number, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
    assert (await operator.get(path)).status_code == 404
    assert "+5511990001111" in (await operator.get("/numbers/list")).text


@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_that_every_state_says_what_to_do_next(
    site: Site, operator: httpx.AsyncClient, number: UUID, language: str
) -> None:
    operator.cookies.set("atende_language", language)
    catalogue = load_catalogue(language)
    for status in SessionStatus:
        await report(site, number, status)
        page = unescape((await operator.get("/numbers/list")).text)
        assert catalogue.gettext(NEXT_STEPS[status.value]) in page
    sentences = [catalogue.gettext(sentence) for sentence in NEXT_STEPS.values()]
    assert len(set(sentences)) == len(NEXT_STEPS)  # each state has its own
    assert language == "en" or not set(sentences) & set(NEXT_STEPS.values())  # and in each language


async def test_that_a_number_without_a_host_is_not_called_connected(
    site: Site, operator: httpx.AsyncClient, number: UUID
) -> None:
    await report(site, number, SessionStatus.CONNECTED)
    await site.db.gate("release_sessions", "host")
    page = (await operator.get("/numbers/list")).text
    assert 'data-state="unheld"' in page
    assert "Conectado" not in page.split(f"number-{number}")[1]


async def test_that_an_administrator_pairs_a_number_again(
    site: Site, admin: httpx.AsyncClient, shop: Number, number: UUID
) -> None:
    await report(site, number, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
    page = (await admin.post(f"/numbers/{number}/pair")).text
    assert 'data-state="unknown"' in page
    assert "+5511990001111" not in page
    first = await row(site, shop, number)
    await admin.post(f"/numbers/{number}/pair")
    second = await row(site, shop, number)
    assert (first["account"], second["account"]) == (None, None)
    assert first["config"] != second["config"]  # so that the host sees a new wish each time


async def test_that_an_administrator_pauses_and_resumes_a_number(
    site: Site, admin: httpx.AsyncClient, shop: Number, number: UUID
) -> None:
    await report(site, number, SessionStatus.CONNECTED, account="5511990001111:1@s.whatsapp.net")
    assert 'data-state="paused"' in (await admin.post(f"/numbers/{number}/pause")).text
    assert not await site.db.gate("lease_sessions", "host", "neonize", timedelta(minutes=1), 10)
    assert 'data-state="unknown"' in (await admin.post(f"/numbers/{number}/resume")).text
    assert (await row(site, shop, number))["account"] == "5511990001111:1@s.whatsapp.net"


async def test_that_only_administrators_act_and_only_on_numbers_that_we_connect(
    site: Site, operator: httpx.AsyncClient, shop: Number, number: UUID
) -> None:
    before = await row(site, shop, number)
    for action in ("pair", "pause", "resume"):
        answer = await operator.post(f"/numbers/{number}/{action}")
        assert answer.status_code == 403
        assert "Seu perfil não inclui isto" in answer.text
    assert f"/numbers/{number}/pair" not in (await operator.get("/numbers/list")).text
    assert await row(site, shop, number) == before


async def test_that_a_simulated_phone_cannot_be_paired(admin: httpx.AsyncClient, shop: Number) -> None:
    assert f"/numbers/{shop.session_id}/" not in (await admin.get("/numbers")).text
    assert (await admin.post(f"/numbers/{shop.session_id}/pair")).status_code == 409


async def test_that_an_administrator_decides_what_the_assistant_does_in_groups(
    site: Site, operator: httpx.AsyncClient, shop: Number, number: UUID
) -> None:
    assert (await operator.post(f"/numbers/{number}/groups", data={"groups": "mentioned"})).status_code == 403
    page = (await operator.get("/numbers/list")).text
    assert 'data-groups="off"' in page
    assert f"/numbers/{number}/groups" not in page
    await promote(site, shop)
    for groups in ("mentioned", "off", "mentioned"):
        page = (await operator.post(f"/numbers/{number}/groups", data={"groups": groups})).text
        assert f'data-groups="{groups}"' in page
        assert (await row(site, shop, number))["config"]["groups"] == groups
    for language in LANGUAGES:
        operator.cookies.set("atende_language", language)
        assert load_catalogue(language).gettext(GROUPS["mentioned"]) in unescape((await operator.get("/numbers")).text)
    assert (await operator.post(f"/numbers/{number}/groups", data={"groups": "always"})).status_code == 422
    assert (await row(site, shop, number))["config"]["groups"] == "mentioned"


async def test_that_what_came_late_or_was_lost_is_told_in_the_conversation_and_losses_at_the_number_too(
    site: Site, operator: httpx.AsyncClient, shop: Number, number: UUID
) -> None:
    session, now = await site.inbound.session(number), datetime.now(UTC)
    chat = Address(AddressKind.LID, "123456789")

    async def write(provider_id: str, minutes: int, **more: Any) -> None:
        sent_at = now - timedelta(minutes=minutes)
        await site.inbound.receive(session, MessageReceived(provider_id, chat, sent_at, text=provider_id, **more))

    async def thread() -> str:
        (found,) = await fetch(site, shop, "SELECT id FROM conversation WHERE address = 'lid:123456789'")
        return unescape((await operator.get(f"/inbox/{found['id']}/live")).text)

    # The first of a contact is lost, so that there is no conversation yet; and one of somebody else.
    await site.inbound.receive(session, MessageLost("first", "123456789:7@lid", now))
    await site.inbound.receive(session, MessageLost("other", "5511977776666@s.whatsapp.net", now))
    await write("newer", 1)
    await write("journalled", 5, recovered=True)
    assert 'data-lost="2"' in (await operator.get("/numbers/list")).text
    assert 'role="alert" data-lost="2"' in (await operator.get("/numbers")).text
    for language in LANGUAGES:
        operator.cookies.set("atende_language", language)
        page = await thread()
        for kind in ("message.late", "message.lost"):
            assert page.count(load_catalogue(language).gettext(SYSTEM_LINES[kind][0])) == 1, (language, kind)
        assert page.index(load_catalogue(language).gettext(SYSTEM_LINES["message.late"][0])) < page.index("journalled")

    await site.inbound.receive(session, MessageLost("second", "123456789@lid", now))  # to a conversation that is there
    assert (await thread()).count(SYSTEM_LINES["message.lost"][0]) == 2
    (told,) = await fetch(site, shop, "SELECT * FROM event WHERE payload ->> 'provider_id' = 'second'")
    assert told["conversation_id"] is not None
    await write("first", 9)  # it came after all
    await write("second", 9)
    assert SYSTEM_LINES["message.lost"][0] not in await thread()
    assert 'data-lost="1"' in (await operator.get("/numbers/list")).text
