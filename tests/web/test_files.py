"""Files from the customer to the screen and from the operator to the gateway, and what administrators see."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from channels.gateway import File, GatewayRefusedError
from domain.media import sniff
from domain.messages import Address
from flows.attachments import Attachments, Offers
from flows.delivery import Delivery
from flows.gateway_numbers import GatewayNumbers, WebhookAddress
from flows.inbound import Inbound
from flows.media import MediaFetching, MediaFiles
from flows.quarantine import Quarantine
from flows.session_removal import remove_session
from flows.webhooks import Webhooks
from store import messages, profiles
from store.database import Database
from store.journal import Journal
from store.media import MediaFolder
from store.wakeup import Wakeup
from tests.database import Number
from tests.scripted_gateway import KEY, ScriptedGateway, signed
from tests.web.site import Site, csrf_token, running_site
from web.media import media_router
from web.numbers import gateways_router
from web.webhooks import webhook_router

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
PDF = b"%PDF-1.7\n" + bytes(64)
NOTE = base64.b64encode(b"OggS" + bytes(64)).decode()
PAGE = b"<!doctype html><script>alert(document.cookie)</script>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


@dataclass
class Clinic:
    """A tenant whose number is behind a scripted gateway, with the web and the worker's parts over it."""

    site: Site
    number: Number
    browser: httpx.AsyncClient
    gateway: ScriptedGateway
    delivery: Delivery
    fetching: MediaFetching
    folder: Path

    async def deliver(self, **body: Any) -> list[str]:
        """The gateway posts a signed webhook; returns the outcomes."""
        raw, headers = signed({"event": "message", **body})
        async with httpx.AsyncClient(base_url=self.site.url) as client:
            answer = await client.post(f"/webhooks/waha/{self.number.session_id}", content=raw, headers=headers)
        assert answer.status_code == 200, answer.text
        outcomes: list[str] = answer.json()["stored"]
        return outcomes

    async def fetch(self, statement: str) -> list[Any]:
        async with self.site.db.transaction(self.number.tenant_id) as tx:
            return list(await tx.fetch(statement))

    async def thread(self) -> str:
        (row,) = await self.fetch("SELECT id FROM conversation")
        return (await self.browser.get(f"/inbox/{row['id']}/live")).text

    async def attach(self, data: bytes, name: str, mime: str = "", text: str = "") -> httpx.Response:
        (row,) = await self.fetch("SELECT id FROM conversation")
        files = {"file": (name, data, mime)}
        return await self.browser.post(f"/inbox/{row['id']}/attachments", data={"text": text}, files=files)

    async def become(self, role: str) -> None:
        owner = await asyncpg.connect(self.site.owner_dsn)
        await owner.execute("SELECT gate.put_member($1, $2, $3)", self.number.tenant_id, self.number.user_id, role)
        await owner.close()


@pytest.fixture
async def clinic(owner_dsn: str, db: Database, tmp_path: Path) -> AsyncIterator[Clinic]:
    wakeup = Wakeup(db)
    inbound = Inbound(db, wakeup)
    media = MediaFiles(db, MediaFolder(tmp_path / "media"))
    gateway = ScriptedGateway(media=media)
    gateways = {"waha": gateway}
    offers, journal = Offers(gateways), Journal(tmp_path / "journal")
    address = WebhookAddress("https://atende.example", is_public=True)
    routers = (
        webhook_router(Webhooks(db, inbound, gateways, journal, media)),
        media_router(media.store, Attachments(db, media, offers)),
        gateways_router(
            GatewayNumbers(db, inbound, wakeup, gateways, address), Quarantine(db, inbound, gateways, media)
        ),
    )
    async with running_site(db, owner_dsn, *routers, offers=offers) as site:
        number = await site.number()
        async with db.transaction(number.tenant_id) as tx:
            config = {"hmac_key": KEY, "base_url": "http://127.0.0.1:9", "api_key": "k"}
            await tx.execute("UPDATE channel_session SET provider = 'waha', config = $1", config)
        async with site.client() as browser:
            await site.sign_in(browser)
            browser.headers["X-CSRF-Token"] = csrf_token((await browser.get("/inbox")).text)
            browser.headers["HX-Request"] = "true"
            delivery = Delivery(db, wakeup, gateways, patience=timedelta(0))
            fetching = MediaFetching(db, wakeup, gateways, media.store)
            yield Clinic(site, number, browser, gateway, delivery, fetching, tmp_path / "media")
    await journal.close()
    await wakeup.close()


async def test_that_a_file_inside_a_webhook_is_stored_at_once_and_nowhere_else(clinic: Clinic) -> None:
    encoded = base64.b64encode(PNG).decode()
    assert await clinic.deliver(id="m1", kind="image", mime="image/png", name="foto.png", base64=encoded) == ["stored"]
    (row,) = await clinic.fetch("SELECT state, mime_type, size_bytes, sha256, reference FROM media_file")
    assert (row["state"], row["mime_type"], row["size_bytes"]) == ("stored", "image/png", len(PNG))
    assert [path.read_bytes() for path in clinic.folder.rglob(row["sha256"])] == [PNG]
    (message,) = await clinic.fetch("SELECT content FROM message")
    assert encoded[:40] not in json.dumps([message["content"], row["reference"]])
    assert await clinic.deliver(id="m1", kind="image", mime="image/png", name="foto.png", base64=encoded) == [
        "duplicate"
    ]
    await clinic.deliver(id="m2", kind="image", mime="image/png", name="de novo.png", base64=encoded)
    assert len(list(clinic.folder.rglob("*/??/*"))) == 1
    assert len(await clinic.fetch("SELECT 1 FROM media_file")) == 2


async def test_that_a_customer_s_file_is_fetched_when_the_gateway_has_it_and_shown_in_the_thread(
    clinic: Clinic,
) -> None:
    await clinic.deliver(id="m1", kind="image", mime="image/png", name="foto.png", url="/files/1")
    assert await clinic.fetching.run_due() == 1
    assert "Este arquivo está a caminho." in await clinic.thread()
    assert await clinic.fetching.run_due() == 0  # not at once again
    clinic.gateway.files["/files/1"] = File(PNG, "image/png")
    await _let_wait_end(clinic)
    assert await clinic.fetching.run_due() == 1
    (row,) = await clinic.fetch("SELECT id, state, attempts FROM media_file")
    assert (row["state"], row["attempts"]) == ("stored", 2)
    thread = await clinic.thread()
    assert f'<img class="file-image" src="/media/{row["id"]}"' in thread
    image = await clinic.browser.get(f"/media/{row['id']}")
    assert (image.content, image.headers["content-type"]) == (PNG, "image/png")
    kinds = [event["payload"] for event in await clinic.fetch("SELECT payload FROM event WHERE kind = 'message.media'")]
    assert [kind["state"] for kind in kinds] == ["stored"]


async def _let_wait_end(clinic: Clinic) -> None:
    async with clinic.site.db.transaction(clinic.number.tenant_id) as tx:
        await tx.execute("UPDATE media_file SET next_attempt_at = now()")


async def test_that_a_transcript_is_shown_in_the_thread_and_marked_as_one(clinic: Clinic) -> None:
    await clinic.deliver(id="v1", kind="voice", mime="audio/ogg", base64=NOTE)
    async with clinic.site.db.transaction(clinic.number.tenant_id) as tx:
        row = await tx.fetchrow("SELECT id, conversation_id FROM message")
        kept = {"kind": "speech", "text": "cadê <b>meu pedido</b>?", "model": "whisper"}
        assert await messages.add_transcript(tx, row["id"], kept)
        assert not await messages.add_transcript(tx, row["id"], {"error": "too late"})
    page = (await clinic.browser.get(f"/inbox/{row['conversation_id']}")).text
    assert 'data-transcript="speech"' in page
    assert "Transcrição, feita por máquina" in page
    assert "cadê &lt;b&gt;meu pedido" in page


async def test_that_a_file_that_is_too_large_or_never_comes_is_given_up_and_said_so(clinic: Clinic) -> None:
    async with clinic.site.db.transaction(clinic.number.tenant_id) as tx:
        await tx.execute("""UPDATE tenant SET settings = settings || '{"media": {"limit_bytes": 50}}'""")
    await clinic.deliver(id="m1", kind="image", mime="image/png", url="/files/large")
    await clinic.deliver(id="m2", kind="document", mime="application/pdf", url="/files/missing")
    clinic.gateway.files["/files/large"] = File(PNG)
    for _ in range(9):
        await clinic.fetching.run_due()
        await _let_wait_end(clinic)
    rows = await clinic.fetch("SELECT state, attempts, error FROM media_file ORDER BY message_id")
    assert [(row["state"], row["attempts"]) for row in rows] == [("too_large", 1), ("failed", 8)]
    assert "There is no such file yet." in rows[1]["error"]
    thread = await clinic.thread()
    assert "maior do que sua empresa guarda" in thread
    assert "Este arquivo não está mais no WhatsApp ou está danificado" in thread


@pytest.mark.parametrize(
    ("language", "asks"),
    [
        ("pt", "Peça ao cliente que o envie de novo"),
        ("es", "Pida al cliente que lo envíe de nuevo"),
        ("en", "Ask the customer to send it again"),
    ],
)
async def test_that_a_file_that_is_gone_says_what_to_do_and_one_of_the_past_where_to_look(
    clinic: Clinic, language: str, asks: str
) -> None:
    await clinic.deliver(id="m1", kind="document", mime="application/pdf", url="/files/missing")
    async with clinic.site.db.transaction(clinic.number.tenant_id) as tx:
        await tx.execute("UPDATE media_file SET state = 'failed', error = 'WhatsApp no longer has this file.'")
    clinic.browser.cookies.set("atende_language", language)
    assert asks in await clinic.thread()
    async with clinic.site.db.transaction(clinic.number.tenant_id) as tx:
        await tx.execute("UPDATE message SET historical = true")
    assert asks not in await clinic.thread()  # from before the pairing: nobody remembers it
    assert 'data-file="failed"' in await clinic.thread()


async def test_that_two_workers_fetch_a_file_once(clinic: Clinic) -> None:
    await clinic.deliver(id="m1", kind="image", mime="image/png", url="/files/1")
    clinic.gateway.files["/files/1"] = File(PNG)
    assert sorted(await asyncio.gather(clinic.fetching.run_due(), clinic.fetching.run_due())) == [0, 1]
    assert clinic.gateway.questions("fetch_media") == ["/files/1"]


@pytest.mark.parametrize(
    ("data", "claimed"), [(PAGE, "application/pdf"), (SVG, "image/svg+xml"), (b"%PD" + PAGE, "text/html")]
)
async def test_that_a_stranger_s_file_never_runs_in_the_operator_s_browser(
    clinic: Clinic, data: bytes, claimed: str
) -> None:
    encoded = base64.b64encode(data).decode()
    await clinic.deliver(id="m1", kind="image", mime=claimed, name='a";\r\nx: y.html', base64=encoded)
    (row,) = await clinic.fetch("SELECT id FROM media_file")
    answer = await clinic.browser.get(f"/media/{row['id']}")
    assert answer.content == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "x" not in answer.headers
    assert "<img" not in await clinic.thread()


async def test_that_a_document_shows_its_miniature_and_opens_as_a_pdf_and_nothing_else(clinic: Clinic) -> None:
    jpeg = b"\xff\xd8\xff\xe0" + bytes(400)
    for name, preview, pages, data in (
        ("Contrato <1>.pdf", base64.b64encode(jpeg).decode(), 12, PDF),
        ("disfarce.pdf", base64.b64encode(PAGE).decode(), 1, PAGE),
        ("tabela.xlsx", "", None, b"PK\x03\x04" + bytes(3_400)),
    ):
        looks = {"preview": preview, "pages": pages, "base64": base64.b64encode(data).decode()}
        await clinic.deliver(id=name, kind="document", mime="application/pdf", name=name, **looks)
    contract, disguised, table = await clinic.fetch("SELECT id, preview, pages FROM media_file ORDER BY message_id")
    thread = await clinic.thread()
    assert f'<img class="file-preview" src="/media/{contract["id"]}/preview"' in thread
    assert thread.count("file-preview") == 1
    assert "PDF · 12 páginas · 73 bytes" in thread
    assert "ZIP · 3,4 kB" in thread
    picture = await clinic.browser.get(f"/media/{contract['id']}/preview")
    assert (picture.content, picture.headers["content-type"]) == (jpeg, "image/jpeg")
    assert picture.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    for other in (disguised, table):
        assert (await clinic.browser.get(f"/media/{other['id']}/preview")).status_code == 404
    opened = await clinic.browser.get(f"/media/{contract['id']}")
    assert (opened.content, opened.headers["content-type"]) == (PDF, "application/pdf")
    assert opened.headers["content-disposition"].startswith("inline; ")
    assert opened.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert opened.headers["x-content-type-options"] == "nosniff"
    disguise = await clinic.browser.get(f"/media/{disguised['id']}")
    assert (disguise.headers["content-type"], disguise.headers["content-disposition"][:10]) == (
        "application/octet-stream",
        "attachment",
    )
    await clinic.site.number("rival")
    async with clinic.site.client() as stranger:
        await clinic.site.sign_in(stranger, "rival")
        assert (await stranger.get(f"/media/{contract['id']}/preview")).status_code == 404


async def test_that_files_are_only_for_their_tenant_s_people(clinic: Clinic) -> None:
    await clinic.deliver(id="m1", kind="image", mime="image/png", base64=base64.b64encode(PNG).decode())
    (row,) = await clinic.fetch("SELECT id FROM media_file")
    await clinic.site.number("rival")
    async with clinic.site.client() as stranger:
        assert (await stranger.get(f"/media/{row['id']}")).status_code == 303
        await clinic.site.sign_in(stranger, "rival")
        assert (await stranger.get(f"/media/{row['id']}")).status_code == 404


async def test_that_an_attached_file_leaves_through_the_gateway_with_its_caption(clinic: Clinic) -> None:
    await clinic.deliver(id="m1", text="manda o cardápio?")
    answer = await clinic.attach(PDF, "../cardápio.pdf", "application/pdf", text="Aqui está!")
    assert answer.status_code == 200, answer.text
    assert "cardápio.pdf" in answer.text
    await clinic.delivery.run_due()
    await clinic.delivery.wait_idle()
    (sent,) = clinic.gateway.sent
    assert sent.text == "Aqui está!"
    assert (sent.content.kind, sent.content.mime_type, sent.content.file_name) == (  # type: ignore[union-attr]
        "document",
        "application/pdf",
        "cardápio.pdf",
    )
    assert clinic.gateway.sent_files == [PDF]
    (row,) = await clinic.fetch("SELECT state FROM outbox_message")
    assert row["state"] == "sent"


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"", "nada.txt", "it is empty"),
        (b"MZ" + bytes(100), "fatura.pdf", "programs cannot be sent"),
        (b"hello", "instalar.bat", "programs cannot be sent"),
        (PNG + bytes(2000), "grande.png", "larger than 1000 bytes"),
    ],
    ids=["empty", "a program by its bytes", "a program by its name", "too large"],
)
async def test_that_a_file_that_cannot_be_sent_is_refused_before_anything_is_queued(
    clinic: Clinic, data: bytes, name: str, says: str
) -> None:
    await clinic.deliver(id="m1", text="oi")
    async with clinic.site.db.transaction(clinic.number.tenant_id) as tx:
        await tx.execute("""UPDATE tenant SET settings = settings || '{"media": {"limit_bytes": 1000}}'""")
    clinic.browser.headers["HX-Request"] = "false"
    clinic.browser.headers["Accept"] = "application/json"
    answer = await clinic.attach(data, name)
    assert answer.status_code in {413, 422}
    assert says in answer.json()["detail"] or says.replace("it is", f"{name} is") in answer.json()["detail"]
    assert await clinic.fetch("SELECT 1 FROM outbox_message") == []
    assert list(clinic.folder.rglob("*/??/*")) == []


async def test_that_what_the_gateway_does_not_offer_is_refused_before_anything_is_queued(clinic: Clinic) -> None:
    await clinic.deliver(id="m1", text="oi")
    async with clinic.site.db.transaction(clinic.number.tenant_id) as tx:
        await tx.execute("UPDATE channel_session SET provider = 'of nobody'")
    clinic.browser.headers.update({"HX-Request": "false", "Accept": "application/json"})
    answer = await clinic.attach(PNG, "foto.png")
    assert answer.status_code == 422
    assert "not offered by this gateway (of nobody)" in answer.json()["detail"]
    assert await clinic.fetch("SELECT 1 FROM outbox_message") == []


async def test_that_setting_a_number_up_registers_our_webhook_and_says_what_is_left(clinic: Clinic) -> None:
    path = f"/numbers/{clinic.number.session_id}/set-up"
    assert (await clinic.browser.post(path)).status_code == 403
    await clinic.become("admin")
    page = await clinic.browser.post(path)
    assert page.status_code == 200
    assert "Switch it on in the menu." in page.text
    url = f"https://atende.example/webhooks/waha/{clinic.number.session_id}"
    assert clinic.gateway.questions("set_up") == [url]
    (row,) = await clinic.fetch("SELECT status, config FROM channel_session")
    assert row["status"] == "connected"
    assert row["config"]["token"] == "given"
    assert row["config"]["hmac_key"] == KEY
    clinic.gateway.mishaps = [GatewayRefusedError("The key is wrong.", hint="Set api_key.")]
    refused = await clinic.browser.post(path, headers={"Accept": "application/json", "HX-Request": "false"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "The key is wrong. Set api_key.")
    for wish, status in (("restart", 200), ("explode", 422)):
        answer = await clinic.browser.post(f"/numbers/{clinic.number.session_id}/control", data={"wish": wish})
        assert answer.status_code == status
    assert clinic.gateway.questions("control") == ["restart"]


async def test_that_what_was_not_understood_is_read_again_after_an_update(clinic: Clinic) -> None:
    assert await clinic.deliver(event="message.v2", id="new1", text="da versão nova") == ["kept"]
    assert await clinic.deliver(event="other", id="new2") == ["kept"]
    assert (await clinic.browser.get("/numbers/quarantine")).status_code == 403
    await clinic.become("admin")
    page = (await clinic.browser.get("/numbers/quarantine")).text
    assert "message.v2" in page
    rows = await clinic.fetch("SELECT id, name FROM quarantined_event")
    ids: dict[str, UUID] = {row["name"]: row["id"] for row in rows}
    clinic.gateway.understands = frozenset({"message", "message.v2"})
    for quarantined_id in ids.values():
        assert (await clinic.browser.post(f"/numbers/quarantine/{quarantined_id}/replay")).status_code == 200
    assert [row["provider_id"] for row in await clinic.fetch("SELECT provider_id FROM message")] == ["new1"]
    assert [row["name"] for row in await clinic.fetch("SELECT name FROM quarantined_event")] == ["other"]
    await clinic.browser.post(f"/numbers/quarantine/{ids['other']}/discard")
    assert await clinic.fetch("SELECT 1 FROM quarantined_event") == []


@pytest.mark.parametrize(
    ("data", "claimed", "mime"),
    [
        (PNG, "text/html", "image/png"),
        (PAGE, "image/png", "text/plain"),
        (b"PK\x03\x04....", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", None),
        (b"PK\x03\x04....", "image/png", "application/zip"),
        (b"OggS....", "audio/ogg; codecs=opus", "audio/ogg"),
        (b"\0\0\0 ftypM4A ", "audio/mp4", "audio/mp4"),
        (b"\0\0\0 ftypisom", "video/mp4", "video/mp4"),
        (b"RIFF....WEBP", "", "image/webp"),
        (b"nome;valor\n1;2\n", "text/csv", "text/csv"),
        (b"\xc3", "", "application/octet-stream"),
        (b"", "image/png", "application/octet-stream"),
    ],
)
def test_that_a_file_is_what_its_bytes_are(data: bytes, claimed: str, mime: str | None) -> None:
    assert sniff(data, claimed) == (mime or claimed)


async def test_that_a_contact_s_picture_is_shown_in_the_list_and_the_thread_and_goes_with_the_number(
    clinic: Clinic,
) -> None:
    await clinic.deliver(id="m1")
    (contact,) = await clinic.fetch("SELECT c.contact_id AS id, c.address FROM conversation c")
    path, tenant_id = f"/contacts/{contact['id']}/picture", clinic.number.tenant_id
    shown = [(await clinic.browser.get("/inbox/list")).text, await clinic.thread()]
    assert [path in page for page in shown] == [False, False]
    assert (await clinic.browser.get(path)).status_code == 404

    store, held = MediaFolder(clinic.folder), timedelta(minutes=1)
    sha256 = await store.put(tenant_id, PNG)
    async with clinic.site.db.transaction(tenant_id) as tx:
        claimed = await profiles.claim(tx, clinic.number.session_id, Address.parse(contact["address"]), held)
        assert claimed is not None
        await profiles.keep(tx, claimed, name=None, picture=("1", sha256, "image/png"), good_for=held)
    shown = [(await clinic.browser.get("/inbox/list")).text, await clinic.thread()]
    assert [f'src="{path}?v={sha256[:16]}" alt=""' in page for page in shown] == [True, True]
    picture = await clinic.browser.get(path)
    assert (picture.content, picture.headers["content-type"]) == (PNG, "image/png")

    async with clinic.site.client() as stranger:
        await clinic.site.number("other")
        await clinic.site.sign_in(stranger, "other")
        assert (await stranger.get(path)).status_code == 404

    await remove_session(clinic.site.db, store, tenant_id, clinic.number.session_id, actor="test")
    assert store.path(tenant_id, sha256) is None
    assert not await clinic.fetch("SELECT 1 FROM contact_profile")
