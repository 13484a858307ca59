"""Every kind of content, in and out, between the product's session host and a customer with a real client.

One server, one host and one customer serve the whole module; nothing here ends a connection.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from channels.whatsapp.host_environment import HOST_ENVIRONMENT
from domain import contents
from domain.contents import as_json
from store.embedded import EmbeddedPostgres
from tests.fakewa.harness import Child, Customer, Loopback, linux_only, loopback
from tests.fakewa.jsonlines import Fields
from tests.sample_files import FILES, FILM, PAPER, PICTURE, STICKER, VOICE

pytestmark = [pytest.mark.neonize, linux_only]

SHOP, CUSTOMER = "5511990001111", "553190002222"


@dataclass
class Shop:
    """The shop's number in its session host, and its one customer."""

    world: Loopback
    host: Child
    customer: Customer
    session: str
    chat: str = ""

    async def hears(self, content: Fields) -> Fields:
        """What the shop makes of a message that the customer sends."""
        sent = await self.customer.send_content(SHOP, content)
        return await self.host.expect("MessageReceived", provider_id=sent)

    async def says(self, text: str = "", content: contents.Content | None = None, **more: Any) -> Fields:
        """What the customer's client gets of a message that the shop sends."""
        body = as_json(content) if content is not None else None
        self.host.tell("send", session=self.session, to=self.chat, text=text, content=body, **more)
        sent = (await self.host.expect("sent"))["id"]
        return await self.customer.expect("message", id=sent)

    async def fetches(self, media: Fields) -> bytes:
        self.host.tell("fetch", session=self.session, media=media)
        return base64.b64decode((await self.host.expect("fetched"))["base64"])


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres) -> AsyncIterator[Shop]:
    folder = tmp_path_factory.mktemp("contents")
    (folder / "files").mkdir()
    for name, data in FILES.items():
        (folder / "files" / name).write_bytes(data)
    database = f"devices_{uuid.uuid4().hex}"
    dsn = postgres.create_database(database)
    try:
        async with loopback(folder) as world:
            options = json.dumps({"qr_seconds": 60, "watch": {}})
            arguments = ("-m", "tests.channels.whatsapp.host_process", dsn, world.proxy_url, str(folder), options)
            host = await world.child("host", *arguments, environment={**world.environment(), **HOST_ENVIRONMENT})
            session = str(uuid.uuid4())
            host.tell("want", session=session)
            shown = await host.expect("SessionChanged", status="awaiting_qr")
            await world.server.scan(shown["qr"], SHOP, name="Loja")
            await host.expect("SessionChanged", status="connected")
            shop = Shop(world, host, await world.customer(CUSTOMER, "Maria"), session)
            hello = await shop.hears({"conversation": "oi"})
            shop.chat = f"{hello['chat']['kind']}:{hello['chat']['value']}"
            yield shop
    finally:
        postgres.drop_database(database)


IN: dict[str, tuple[Fields, dict[str, Any]]] = {
    "text": ({"conversation": "oi"}, {"kind": "text", "text": "oi"}),
    "long text": ({"extendedTextMessage": {"text": "olá 👋"}}, {"kind": "text", "text": "olá 👋"}),
    "quote": (
        {"extendedTextMessage": {"text": "isso", "contextInfo": {"stanzaID": "3EB0Q", "quotedMessage": {}}}},
        {"text": "isso", "quoted_provider_id": "3EB0Q"},
    ),
    "location": (
        {"locationMessage": {"degreesLatitude": -19.9, "degreesLongitude": -43.9, "name": "Praça"}},
        {"kind": "location", "text": "Praça"},
    ),
    "live location": (
        {"liveLocationMessage": {"degreesLatitude": -19.9, "degreesLongitude": -43.9, "caption": "indo"}},
        {"kind": "location", "text": "indo"},
    ),
    "contact": (
        {"contactMessage": {"displayName": "Ana", "vcard": "BEGIN:VCARD\nFN:Ana\nEND:VCARD"}},
        {"kind": "contact", "raw": {"contacts": [{"name": "Ana", "vcard": "BEGIN:VCARD\nFN:Ana\nEND:VCARD"}]}},
    ),
    "contacts": (
        {"contactsArrayMessage": {"displayName": "2", "contacts": [{"displayName": "A"}, {"displayName": "B"}]}},
        {"kind": "contact", "raw": {"contacts": [{"name": "A", "vcard": None}, {"name": "B", "vcard": None}]}},
    ),
    "reaction": (
        {"reactionMessage": {"key": {"ID": "3EB0R", "fromMe": False}, "text": "👍"}},
        {"kind": "reaction", "text": "👍", "quoted_provider_id": "3EB0R"},
    ),
    "button answer": (
        {"buttonsResponseMessage": {"selectedButtonID": "sim", "selectedDisplayText": "Sim"}},
        {"kind": "button_answer", "text": "Sim"},
    ),
    "list answer": (
        {"listResponseMessage": {"title": "Tamanho M", "singleSelectReply": {"selectedRowID": "m"}}},
        {"kind": "list_answer", "text": "Tamanho M"},
    ),
    "disappearing": (
        {"ephemeralMessage": {"message": {"extendedTextMessage": {"text": "x", "contextInfo": {"expiration": 86400}}}}},
        {"kind": "text", "text": "x", "raw": {"disappears_after_seconds": 86400}},
    ),
    "ad": (
        {
            "extendedTextMessage": {
                "text": "quero este",
                "contextInfo": {
                    "conversionSource": "FB_Ads",
                    "externalAdReply": {"title": "Tênis", "sourceURL": "https://x.example"},
                },
            }
        },
        {
            "text": "quero este",
            "raw": {
                "referral": {
                    "conversionSource": "FB_Ads",
                    "advertisement": {"title": "Tênis", "sourceURL": "https://x.example"},
                }
            },
        },
    ),
    "unknown": (
        {"orderMessage": {"orderID": "77", "message": "meu pedido"}},
        {"kind": "unknown", "text": "meu pedido"},
    ),
}


@pytest.mark.parametrize("name", IN)
async def test_that_what_a_customer_sends_is_understood(shop: Shop, name: str) -> None:
    content, expected = IN[name]
    heard = await shop.hears(content)
    assert {field: heard[field] for field in expected} == expected
    assert not heard["historical"]


MEDIA_IN: dict[str, tuple[str, bytes, Callable[[Fields], Fields], str]] = {
    "image": ("MediaImage", PICTURE, lambda f: {"imageMessage": {**f, "mimetype": "image/png"}}, "image"),
    "video": ("MediaVideo", FILM, lambda f: {"videoMessage": {**f, "mimetype": "video/mp4"}}, "video"),
    "round video": ("MediaVideo", FILM, lambda f: {"ptvMessage": {**f, "mimetype": "video/mp4"}}, "video"),
    "audio": ("MediaAudio", VOICE, lambda f: {"audioMessage": {**f, "mimetype": "audio/ogg"}}, "audio"),
    "voice": ("MediaAudio", VOICE, lambda f: {"audioMessage": {**f, "PTT": True}}, "voice"),
    "document": ("MediaDocument", PAPER, lambda f: {"documentMessage": {**f, "fileName": "c.pdf"}}, "document"),
    "sticker": ("MediaImage", STICKER, lambda f: {"stickerMessage": {**f, "mimetype": "image/webp"}}, "sticker"),
    "view once": (
        "MediaImage",
        PICTURE,
        lambda f: {"viewOnceMessageV2": {"message": {"imageMessage": {**f, "viewOnce": True}}}},
        "image",
    ),
}


@pytest.mark.parametrize("name", MEDIA_IN)
async def test_that_a_customer_s_file_is_fetched_and_decrypted(shop: Shop, name: str) -> None:
    kind, data, message, expected = MEDIA_IN[name]
    heard = await shop.hears(message(await shop.customer.upload(data, kind)))
    assert heard["kind"] == expected
    assert heard["media"]["size_bytes"] == len(data)
    assert heard["raw"].get("view_once", False) is (name == "view once")
    assert await shop.fetches(heard["media"]) == data
    assert all(data not in stored for stored in shop.world.server.media.files.values())


@pytest.mark.parametrize(("status", "error"), [(410, "no longer has"), (403, "no longer has")])
async def test_that_a_file_that_whatsapp_no_longer_has_is_refused_plainly(shop: Shop, status: int, error: str) -> None:
    media = shop.world.server.media
    fields = await shop.customer.upload(b"a file that nobody keeps %d" % status, "MediaDocument")
    heard = await shop.hears({"documentMessage": {**fields, "fileName": "velho.txt"}})
    media.gone, media.gone_status = {fields["directPath"].partition("?")[0]}, status
    shop.host.tell("fetch", session=shop.session, media=heard["media"])
    refused = await shop.host.expect("refused")
    assert (refused["error"], error in refused["detail"]) == ("GatewayRefusedError", True)


async def test_that_a_damaged_file_is_refused_and_a_busy_host_is_asked_again_later(shop: Shop) -> None:
    media, document = shop.world.server.media, b"um arquivo qualquer"
    fields = await shop.customer.upload(document, "MediaDocument")
    heard = await shop.hears({"documentMessage": {**fields, "fileName": "a.txt"}})
    path = fields["directPath"].partition("?")[0]
    whole = media.files[path]
    media.spoil()
    shop.host.tell("fetch", session=shop.session, media=heard["media"])
    assert (await shop.host.expect("refused"))["error"] == "GatewayRefusedError"
    media.files[path] = whole
    assert await shop.fetches(heard["media"]) == document


def text_of(got: Fields) -> str:
    body = got["content"].get("extendedTextMessage", {})
    return str(body.get("text", got["content"].get("conversation", "")))


OUT: dict[str, tuple[str, contents.Content, Callable[[Fields], Any], Any]] = {
    "location": (
        "",
        contents.Location(-19.9, -43.9, "Loja", "Rua A, 1"),
        lambda c: [c["locationMessage"][name] for name in ("degreesLatitude", "name", "address")],
        [-19.9, "Loja", "Rua A, 1"],
    ),
    "contact": (
        "",
        contents.ContactCard("Souza; Ana, dra.", "5531999990000"),
        lambda c: [c["contactMessage"]["displayName"], *c["contactMessage"]["vcard"].splitlines()[3:5]],
        [
            "Souza; Ana, dra.",
            "FN:Souza\\; Ana\\, dra.",
            "TEL;type=CELL;type=VOICE;waid=5531999990000:+5531999990000",
        ],
    ),
    "buttons": (
        "Confirma?",
        contents.Buttons((contents.Choice("s", "Sim"), contents.Choice("n", "Não")), "Loja Aurora"),
        lambda c: c["conversation"],
        "Confirma?\n\n1. Sim\n2. Não\n\nLoja Aurora",
    ),
    "list": (
        "Qual tamanho?",
        contents.ListMenu("Ver", (contents.Choice("p", "P", "até 70 cm"), contents.Choice("m", "M"))),
        lambda c: c["conversation"],
        "Qual tamanho?\n\n1. P — até 70 cm\n2. M",
    ),
    "link preview": (
        "veja https://loja.example/tenis",
        contents.LinkPreview("https://loja.example/tenis", "Tênis", "Novo", base64.b64encode(PICTURE).decode()),
        lambda c: [c["extendedTextMessage"][name] for name in ("text", "matchedText", "title", "description")],
        ["veja https://loja.example/tenis", "https://loja.example/tenis", "Tênis", "Novo"],
    ),
}


@pytest.mark.parametrize("name", OUT)
async def test_that_what_the_shop_sends_is_shown_to_the_customer(shop: Shop, name: str) -> None:
    text, content, look, expected = OUT[name]
    assert look((await shop.says(text, content))["content"]) == expected


MEDIA_OUT: dict[str, tuple[str, contents.Media, bytes, str, dict[str, Any]]] = {
    "image": ("veja", contents.Media("image", "picture", "image/png"), PICTURE, "imageMessage", {"width": 3}),
    "video": ("veja", contents.Media("video", "film", "video/mp4"), FILM, "videoMessage", {}),
    "audio": ("", contents.Media("audio", "voice", "audio/ogg"), VOICE, "audioMessage", {"seconds": 2}),
    "voice": ("", contents.Media("voice", "voice", "audio/ogg"), VOICE, "audioMessage", {"PTT": True, "seconds": 2}),
    "document": (
        "",
        contents.Media("document", "paper", "application/pdf", "contrato.pdf"),
        PAPER,
        "documentMessage",
        {"fileName": "contrato.pdf"},
    ),
    "sticker": ("", contents.Media("sticker", "sticker", "image/webp"), STICKER, "stickerMessage", {}),
}


@pytest.mark.parametrize("name", MEDIA_OUT)
async def test_that_the_shop_s_files_arrive_as_they_are(shop: Shop, name: str) -> None:
    text, media, data, part, expected = MEDIA_OUT[name]
    got = await shop.says(text, media)
    body = got["content"][part]
    assert {field: body[field] for field in expected} == expected
    assert body.get("caption", "") == text
    assert await shop.customer.download(got) == data
    if name == "voice":
        outline = base64.b64decode(body["waveform"])
        assert (len(outline), outline[0], outline[-1]) == (64, 0, 100)  # first quiet, then loud


async def test_that_a_document_with_a_caption_shows_it(shop: Shop) -> None:
    got = await shop.says("o contrato", contents.Media("document", "paper", "application/pdf", "contrato.pdf"))
    body = got["content"].get("documentWithCaptionMessage", {}).get("message", got["content"])["documentMessage"]
    assert (body["caption"], body["fileName"]) == ("o contrato", "contrato.pdf")


async def test_that_quotes_reactions_edits_and_revokes_name_the_right_message(shop: Shop) -> None:
    asked = await shop.hears({"conversation": "tem no 38?"})
    answer = await shop.says("tem", quoted_provider_id=asked["provider_id"], quoted_text="tem no 38?")
    context = answer["content"]["extendedTextMessage"]["contextInfo"]
    assert (context["stanzaID"], context["quotedMessage"]) == (asked["provider_id"], {"conversation": "tem no 38?"})
    assert context["participant"] == shop.chat.replace("lid:", "") + "@lid"
    again = await shop.says("e no 39", quoted_provider_id=answer["id"], quoted_text="tem", quoted_from_me=True)
    assert again["content"]["extendedTextMessage"]["contextInfo"]["participant"] == answer["chat"]  # our own name

    liked = (await shop.says("", contents.Reaction(asked["provider_id"], "❤️")))["content"]["reactionMessage"]
    assert (liked["text"], liked["key"]["ID"], liked["key"].get("fromMe", False)) == ("❤️", asked["provider_id"], False)
    edited = (await shop.says("tem sim!", contents.Edit(answer["id"])))["content"]
    change = edited.get("editedMessage", {}).get("message", edited)["protocolMessage"]
    assert (change["key"]["ID"], change["editedMessage"]["conversation"]) == (answer["id"], "tem sim!")
    gone = (await shop.says("", contents.Revoke(answer["id"])))["content"]["protocolMessage"]
    assert gone["key"]["ID"] == answer["id"]

    for kind, content in (
        ("MessageEdited", {"editedMessage": {"message": {"protocolMessage": _change(asked["provider_id"])}}}),
        ("MessageRevoked", {"protocolMessage": {"type": "REVOKE", "key": {"ID": asked["provider_id"]}}}),
    ):
        await shop.customer.send_content(SHOP, content)
        assert (await shop.host.expect(kind))["provider_id"] == asked["provider_id"]


def _change(target: str) -> Fields:
    return {"type": "MESSAGE_EDIT", "key": {"ID": target, "fromMe": True}, "editedMessage": {"conversation": "no 37?"}}


async def test_that_the_votes_in_our_poll_are_read(shop: Shop) -> None:
    got = await shop.says("Qual cor?", contents.Poll(("Azul", "Verde", "Roxo"), several=True))
    body = got["content"]["pollCreationMessage"]
    assert [option["optionName"] for option in body["options"]] == ["Azul", "Verde", "Roxo"]
    shop.customer.tell("vote", id=got["id"], options=["Verde", "Roxo"])
    vote = await shop.host.expect("MessageReceived", kind="poll_vote")
    assert vote["quoted_provider_id"] == got["id"]
    assert vote["raw"]["chosen_sha256"] == [hashlib.sha256(name.encode()).hexdigest() for name in ("Verde", "Roxo")]


async def test_that_a_customer_s_poll_is_understood(shop: Shop) -> None:
    options = [{"optionName": "Sim"}, {"optionName": "Não"}]
    heard = await shop.hears(
        {"pollCreationMessageV3": {"name": "Abrem?", "options": options, "selectableOptionsCount": 1}}
    )
    assert (heard["kind"], heard["text"], heard["raw"]["poll"]["options"]) == ("poll", "Abrem?", ["Sim", "Não"])


async def test_that_typing_is_shown_and_a_number_is_found_under_the_spelling_that_whatsapp_has(shop: Shop) -> None:
    shop.host.tell("typing", session=shop.session, chat=shop.chat, typing=True)
    await shop.customer.expect("typing")
    for digits, found in (
        ("5531990002222", f"phone:{CUSTOMER}"),
        (CUSTOMER, f"phone:{CUSTOMER}"),
        ("5511988887777", None),
    ):
        shop.host.tell("check_number", session=shop.session, digits=digits)
        assert (await shop.host.expect("checked", digits=digits))["address"] == found


async def test_that_a_message_that_cannot_be_decrypted_keeps_its_place_until_it_is_repeated(shop: Shop) -> None:
    shop.world.server.relay.spoil_next = 1
    sent = await shop.customer.send(SHOP, "me ouve?")
    empty = await shop.host.expect("MessageReceived", provider_id=sent)
    assert (empty["kind"], empty["text"], empty["awaiting"]) == ("unknown", "", "decryption")
    whole = await shop.host.expect("MessageReceived", provider_id=sent)
    assert (whole["kind"], whole["text"], whole["awaiting"]) == ("text", "me ouve?", "")


async def test_that_what_only_the_phone_may_show_is_told_all_the_same(shop: Shop) -> None:
    shop.world.server.relay.withhold_next = 1
    sent = await shop.customer.send(SHOP, "só uma vez")
    told = await shop.host.expect("MessageReceived", provider_id=sent)
    assert (told["kind"], told["awaiting"]) == ("unknown", "phone_only")


async def test_that_the_phone_s_history_comes_as_history(shop: Shop) -> None:
    """The phone is played by a second device of the shop's account: it uploads the past and says where it is."""
    phone = await shop.world.customer(SHOP, "Loja")
    past = {
        "syncType": "RECENT",
        "conversations": [
            {
                "ID": f"{CUSTOMER}@s.whatsapp.net",
                "messages": [
                    _past("3EB0OLD2", "e aos domingos?", 1_700_000_100, from_me=False),
                    _past("3EB0OLD1", "abrimos às 9", 1_700_000_000, from_me=True),
                ],
            }
        ],
        "phoneNumberToLidMappings": [{"pnJID": f"{CUSTOMER}@s.whatsapp.net", "lidJID": "77001@lid"}],
    }
    phone.tell("tell_history", to=SHOP, history=past)
    event = await shop.host.expect("HistoryReceived")
    found = [(one["provider_id"], one["text"], one["from_me"], one["historical"]) for one in event["messages"]]
    assert found == [("3EB0OLD1", "abrimos às 9", True, True), ("3EB0OLD2", "e aos domingos?", False, True)]
    assert event["messages"][0]["chat"] == {"kind": "phone", "value": CUSTOMER}
    assert event["messages"][1]["alternates"] == [{"kind": "lid", "value": "77001"}]
    assert event["messages"][1]["sent_at"].startswith("2023-11-14")


def _past(message_id: str, text: str, at: int, *, from_me: bool) -> Fields:
    key = {"ID": message_id, "fromMe": from_me, "remoteJID": f"{CUSTOMER}@s.whatsapp.net"}
    return {"message": {"key": key, "message": {"conversation": text}, "messageTimestamp": at}}
