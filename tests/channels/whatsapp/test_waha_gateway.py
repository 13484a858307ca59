"""WAHA's gateway against a stand-in that checks every request against the published API."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import strategies as st

from channels.base import SendRejectedError, SendUncertainError, SessionRef
from channels.gateway import (
    Gateway,
    GatewayRefusedError,
    GatewayUnavailableError,
    NotOfferedError,
    WebhookDelivery,
)
from channels.whatsapp.waha import WahaGateway
from domain.contents import (
    Buttons,
    Choice,
    ContactCard,
    Content,
    Edit,
    ListMenu,
    Location,
    Media,
    Poll,
    Reaction,
    Revoke,
    Template,
)
from domain.messages import Address, AddressKind, MediaReference, Outbound, SessionStatus
from flows.gateways import gateway_client
from tests.channels.gateway_contract import PICTURE, Files, GatewayContract, GatewaySubject, any_json
from tests.gateways.stand_in import serving
from tests.gateways.waha_server import WahaServer

CONTACT, LID = Address(AddressKind.PHONE, "5511990001111"), Address(AddressKind.LID, "149000011210072")
GROUP = Address(AddressKind.GROUP, "120363000000000001")
CHAT = "5511990001111@c.us"
FILE_ID = f"false_{CHAT}_3EB0A1"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ENCODED = base64.b64encode(PICTURE).decode()
URL = "https://atende.example/webhooks/waha/5e551011-0000-0000-0000-000000000000"


@pytest.fixture
async def waha() -> AsyncIterator[WahaServer]:
    async with serving(WahaServer()) as server:
        server.start()
        yield server
    assert server.violations == []


@pytest.fixture
async def http(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("NO_PROXY", "*")  # the machine's proxy has no part in this
    async with gateway_client() as client:
        yield client


@pytest.fixture
def gateway(http: httpx.AsyncClient) -> Gateway:
    return WahaGateway(http, Files())


def session(server: WahaServer, **config: Any) -> SessionRef:
    base = {"base_url": server.base_url, "api_key": "segredo"}
    return SessionRef("5e551011-0000-0000-0000-000000000000", "waha", config={**base, **config})


def outbound(content: Content | None = None, to: Address = CONTACT, text: str = "oi", **fields: Any) -> Outbound:
    return Outbound(key="k1", to=to, text=text, content=content, **fields)


NAMES = [
    "event",
    "session",
    "me",
    "payload",
    "id",
    "timestamp",
    "from",
    "fromMe",
    "to",
    "participant",
    "body",
    "hasMedia",
    "media",
    "url",
    "mimetype",
    "filename",
    "ack",
    "ackName",
    "source",
    "location",
    "latitude",
    "vCards",
    "replyTo",
    "_data",
    "Info",
    "Message",
    "key",
    "remoteJid",
    "remoteJidAlt",
    "message",
    "conversation",
    "type",
    "reaction",
    "messageId",
    "text",
    "editedMessageId",
    "revokedMessageId",
    "after",
    "before",
    "status",
    "statuses",
    "data",
    "code",
    "vote",
    "poll",
    "jid",
    "error",
    "selectedOptions",
    "eventResponse",
    "eventCreationKey",
    "response",
    "isVideo",
    "_serialized",
    "low",
    "high",
    "RawMessage",
    "pushName",
]
EVENTS = [
    "message", "message.any", "message.reaction", "message.edited", "message.revoked", "message.ack", "message.waiting",
    "session.status", "poll.vote", "event.response", "call.received", "presence.update",
]  # fmt: skip
VALUES: list[Any] = [
    *EVENTS,
    CHAT,
    FILE_ID,
    "149000011210072@lid",
    "120363000000000001@g.us",
    "READ",
    "WORKING",
    "3EB0A",
]


GOWS = {"Chat": "5511990001111@s.whatsapp.net", "SenderAlt": "149000011210072@lid", "PushName": "Maria"}


def delivered(event: str, **fields: Any) -> dict[str, Any]:
    """A delivery as WAHA sends it."""
    common = {"id": FILE_ID, "timestamp": 1772625590, "from": CHAT, "fromMe": False, "hasMedia": False}
    me = {"id": "5511900000000@c.us", "jid": "5511900000000:3@s.whatsapp.net", "lid": "169000086490092@lid"}
    return {"event": event, "session": "default", "me": me, "payload": {**common, **fields}}


class TestWaha(GatewayContract):
    secret_setting = "hmac_key"
    webhooks = st.one_of(
        any_json(NAMES, VALUES),
        st.fixed_dictionaries({"event": st.sampled_from(EVENTS), "payload": any_json(NAMES, VALUES)}),
        st.builds(
            lambda event, more: {"event": event, "payload": {"id": FILE_ID, "from": CHAT, **more}},
            st.sampled_from(EVENTS),
            st.dictionaries(st.sampled_from(NAMES), any_json(NAMES, VALUES), max_size=5),
        ),
    )

    samples: ClassVar[list[Any]] = [
        delivered("message.any", body="oi", replyTo={"id": "3EB0Q", "body": "antes"}, _data={"notifyName": "Maria"}),
        delivered("message", hasMedia=True, media={"url": "http://waha/api/files/1.jpeg", "mimetype": "image/jpeg"}),
        delivered("message", _data={"Info": GOWS, "Message": {"extendedTextMessage": {"text": "oi"}}}),
        delivered("message", _data={"Info": GOWS, "Message": {"audioMessage": {"PTT": True, "fileLength": 9}}}),
        delivered("message", _data={"key": {"remoteJidAlt": "149000011210072@lid"}, "message": {"conversation": "oi"}}),
        delivered("message", location={"latitude": "-23.5", "longitude": "-46.6", "description": "Loja"}),
        delivered("message.reaction", reaction={"text": "👍", "messageId": FILE_ID}),
        delivered("message.edited", editedMessageId="3EB0Q", body="novo"),
        delivered("message.revoked", revokedMessageId="3EB0Q", after={"id": FILE_ID, "timestamp": 1772625590}),
        delivered("message.ack", id=f"true_{CHAT}_3EB0A1", fromMe=True, ack=3, ackName="READ"),
        delivered("session.status", status="WORKING", statuses=[{"status": "WORKING", "timestamp": 1772625590000}]),
        delivered("poll.vote", vote={"id": FILE_ID, "from": CHAT, "selectedOptions": ["Sim"]}, poll={"id": FILE_ID}),
        delivered("event.response", eventResponse={"response": "GOING"}, eventCreationKey={"id": FILE_ID}),
        delivered("call.received", isVideo=False, isGroup=False),
    ]

    @staticmethod
    def make(http: httpx.AsyncClient) -> Gateway:
        return WahaGateway(http, Files())

    @pytest.fixture
    def subject(self, waha: WahaServer, http: httpx.AsyncClient) -> GatewaySubject:
        def arrived() -> list[tuple[Address, str]]:
            return [(CONTACT, asked.body["text"]) for asked in waha.sent if asked.body["chatId"] == CHAT]

        def await_scan(code: str) -> None:
            waha.code = code
            waha.start(status="SCAN_QR_CODE")

        waha.on_whatsapp = {"5511990001111": CHAT}
        waha.files["/api/files/default/1.jpeg"] = PICTURE
        begin = int(datetime.now(UTC).timestamp()) - 1800
        waha.stored[CHAT] = [row(number, timestamp=begin + number) for number in range(120)]
        body = b'{"event":"message"}'
        gateway = WahaGateway(http, Files())
        return GatewaySubject(
            gateway,
            session(waha, hmac_key="chave"),
            CONTACT,
            arrived,
            lambda: waha.answers(500, {"message": "x"}),
            gateway=gateway,
            far=waha,
            delivery=WebhookDelivery(body, {"x-webhook-hmac": hmac.new(b"chave", body, hashlib.sha512).hexdigest()}),
            arranged=lambda: repr(waha.sessions),
            webhook_url=lambda: str(waha.sessions["default"]["config"]["webhooks"][0]["url"]),
            await_scan=await_scan,
            number=("5511990001111", CONTACT),
            media=MediaReference(url=f"{waha.base_url}/api/files/default/1.jpeg"),
            history=tuple(f"3EB0{number}" for number in range(120)),
        )


def test_that_a_delivery_is_checked_with_the_number_s_own_key(gateway: Gateway) -> None:
    body = b'{"event":"message"}'
    signed = {"x-webhook-hmac": hmac.new(b"chave", body, hashlib.sha512).hexdigest()}
    assert gateway.verify({"hmac_key": "chave"}, WebhookDelivery(body, signed))
    assert not gateway.verify({"hmac_key": "outra"}, WebhookDelivery(body, signed))
    assert not gateway.verify({"hmac_key": "chave"}, WebhookDelivery(body + b" ", signed))
    assert not gateway.verify({}, WebhookDelivery(body, signed))


# Sending

CONTENTS: list[tuple[Content, str, dict[str, Any]]] = [
    (Location(-23.5, -46.6, "", "Rua A"), "sendLocation", {"latitude": -23.5, "longitude": -46.6, "title": "Rua A"}),
    (
        ContactCard("Ana; Maria", "5511990002222"),
        "sendContactVcard",
        {
            "contacts": [
                {
                    "vcard": "BEGIN:VCARD\nVERSION:3.0\nFN:Ana\\; Maria\n"
                    "TEL;type=CELL;type=VOICE;waid=5511990002222:+5511990002222\nEND:VCARD"
                }
            ]
        },
    ),
    (
        Poll(("a", "b"), several=True),
        "sendPoll",
        {"poll": {"name": "oi", "options": ["a", "b"], "multipleAnswers": True}},
    ),
    (
        ListMenu("Ver", (Choice("1", "Um", "x"), Choice("2", "Dois")), "rodapé"),
        "sendList",
        {
            "message": {
                "title": "oi",
                "button": "Ver",
                "footer": "rodapé",
                "sections": [
                    {
                        "title": "Ver",
                        "rows": [
                            {"title": "Um", "rowId": "1", "description": "x"},
                            {"title": "Dois", "rowId": "2"},
                        ],
                    }
                ],
            }
        },
    ),
    (
        Media("image", "r", "image/png", "a.png"),
        "sendImage",
        {"file": {"mimetype": "image/png", "data": ENCODED, "filename": "a.png"}, "caption": "oi"},
    ),
    (
        Media("video", "r", "video/webm"),
        "sendVideo",
        {"file": {"mimetype": "video/webm", "data": ENCODED}, "convert": True, "caption": "oi"},
    ),
    (
        Media("voice", "r", "audio/ogg; codecs=opus"),
        "sendVoice",
        {"file": {"mimetype": "audio/ogg; codecs=opus", "data": ENCODED}, "convert": False},
    ),
    (
        Media("audio", "r", "audio/mpeg", "a.mp3"),
        "sendFile",
        {"file": {"mimetype": "audio/mpeg", "data": ENCODED, "filename": "a.mp3"}, "caption": "oi"},
    ),
    (
        Media("document", "r", "application/pdf", "nota.pdf"),
        "sendFile",
        {"file": {"mimetype": "application/pdf", "data": ENCODED, "filename": "nota.pdf"}, "caption": "oi"},
    ),
]


@pytest.mark.parametrize(("content", "action", "body"), CONTENTS)
async def test_that_each_content_is_the_request_which_waha_publishes(
    waha: WahaServer, gateway: Gateway, content: Content, action: str, body: dict[str, Any]
) -> None:
    sent = await gateway.send(session(waha), outbound(content, quoted_provider_id="3EB0Q", quoted_from_me=True))
    assert waha.names() == [f"POST /api/{action}"]
    target = {"session": "default", "chatId": CHAT, "reply_to": f"true_{CHAT}_3EB0Q"}
    assert waha.last().body == {**target, **body}
    assert sent.provider_id == "3EB00000000000000001"


async def test_that_a_long_text_of_a_list_stands_below_a_short_title(waha: WahaServer, gateway: Gateway) -> None:
    menu = ListMenu("Ver", (Choice("1", "Um"),))
    await gateway.send(session(waha), outbound(menu, text="Escolha\num serviço"))
    assert (waha.last().body["message"]["title"], waha.last().body["message"]["description"]) == (
        "Escolha",
        "um serviço",
    )
    await gateway.send(session(waha), outbound(menu, text="x" * 200))
    assert (waha.last().body["message"]["title"], waha.last().body["message"]["description"]) == ("Ver", "x" * 200)


@pytest.mark.parametrize("quiet", [False, True])
async def test_that_reactions_edits_and_revokes_name_the_message_and_get_names_of_their_own(
    waha: WahaServer, gateway: Gateway, quiet: bool
) -> None:
    waha.quiet = quiet
    contents: list[Content] = [
        Reaction("3EB0Q", "👍"),
        Reaction("3EB0Q", "", from_me=True),
        Edit("3EB0Q"),
        Revoke("3EB0Q"),
    ]
    names = {(await gateway.send(session(waha), outbound(content))).provider_id for content in contents[:1]}
    for number, content in enumerate(contents[1:]):
        message = Outbound(key=f"k{number + 2}", to=CONTACT, text="novo", content=content)
        names.add((await gateway.send(session(waha), message)).provider_id)
    assert len(names) == 4
    assert "3EB0Q" not in names
    first, second, edit, revoke = waha.asked
    assert first.body == {"session": "default", "messageId": f"false_{CHAT}_3EB0Q", "reaction": "👍"}
    assert second.body == {"session": "default", "messageId": f"true_{CHAT}_3EB0Q", "reaction": ""}
    assert (edit.body, edit.match["messageId"]) == ({"text": "novo"}, f"true_{CHAT}_3EB0Q")
    assert (revoke.name.split()[0], revoke.body, revoke.match["chatId"]) == ("DELETE", None, CHAT)


@pytest.mark.parametrize(
    "content", [Buttons((Choice("1", "Sim"),)), Template("t", "pt_BR"), Media("sticker", "r", "image/webp")]
)
async def test_that_what_waha_has_not_is_refused_before_anything_is_asked(
    waha: WahaServer, gateway: Gateway, content: Content
) -> None:
    with pytest.raises(NotOfferedError, match="waha"):
        await gateway.send(session(waha), outbound(content))
    for strange in ("", "..", "."):
        with pytest.raises(SendRejectedError):
            await gateway.send(session(waha), outbound(Revoke(strange)))
    assert waha.asked == []


async def test_that_a_lie_about_a_file_is_uncertain_and_about_a_revoke_is_not(
    waha: WahaServer, gateway: Gateway
) -> None:
    for lie in ("<html>", {}, {"id": ""}, "[" * 5000):
        waha.answers(201, lie)
        with pytest.raises(SendUncertainError, match="no id"):
            await gateway.send(session(waha), outbound(Media("image", "r", "image/png")))
        assert (await gateway.send(session(waha), outbound(Revoke("3EB0Q")))).provider_id == "3EB0Q.revoke.k1"
    waha.answers(500, {"message": "x"})
    with pytest.raises(SendUncertainError):
        await gateway.send(session(waha), outbound(Revoke("3EB0Q")))


# Setting up and watching


async def test_that_setting_up_creates_the_session_once_with_our_signed_webhook(
    waha: WahaServer, gateway: Gateway
) -> None:
    number = session(waha, session="loja", hmac_key="chave")
    done = await gateway.set_up(number, URL)
    assert (done.config, done.left_to_do) == ({"hmac_key": "chave", "session": "loja"}, ())
    (hook,) = waha.sessions["loja"]["config"]["webhooks"]
    assert (hook["url"], hook["hmac"]) == (URL, {"key": "chave"})
    assert {"message.any", "message.ack", "session.status", "poll.vote"} <= set(hook["events"])
    assert hook["retries"] == {"policy": "exponential", "delaySeconds": 2, "attempts": 15}
    waha.asked.clear()
    assert (await gateway.set_up(number, URL)).config == done.config
    assert waha.names() == ["GET /api/sessions/{session}"]  # an update would have restarted the session


async def test_that_an_existing_session_keeps_what_others_set_and_an_old_address_of_ours_goes(
    waha: WahaServer, gateway: Gateway
) -> None:
    others = {"url": "https://crm.example/hook", "events": ["message"]}
    older = {"url": URL.replace("atende.example", "old.example"), "events": ["message"], "hmac": {"key": "velha"}}
    waha.start(status="STOPPED", config={"debug": True, "webhooks": [others, older]})
    done = await gateway.set_up(session(waha), URL)
    config = waha.sessions["default"]["config"]
    assert config["debug"] is True
    assert [hook["url"] for hook in config["webhooks"]] == ["https://crm.example/hook", URL]
    assert config["webhooks"][1]["hmac"] == {"key": done.config["hmac_key"]}
    assert len(done.config["hmac_key"]) > 30
    assert waha.sessions["default"]["status"] == "WORKING"


async def test_that_an_older_waha_gets_the_events_that_it_knows(waha: WahaServer, gateway: Gateway) -> None:
    waha.events = frozenset(
        {"message", "message.any", "message.ack", "message.reaction", "message.revoked", "session.status"}
    )
    await gateway.set_up(session(waha, session="loja"), URL)
    assert set(waha.sessions["loja"]["config"]["webhooks"][0]["events"]) <= waha.events
    waha.events = frozenset()
    with pytest.raises(GatewayRefusedError, match="events"):
        await gateway.set_up(session(waha, session="outra"), URL)


@pytest.mark.parametrize(
    ("stated", "status", "has_code"),
    [
        ("STOPPED", SessionStatus.DISCONNECTED, False),
        ("STARTING", SessionStatus.CONNECTING, False),
        ("SCAN_QR_CODE", SessionStatus.AWAITING_QR, True),
        ("PASSKEY_REQUIRED", SessionStatus.AWAITING_QR, False),
        ("PASSKEY_CONFIRMATION_REQUIRED", SessionStatus.AWAITING_QR, False),
        ("WORKING", SessionStatus.CONNECTED, False),
        ("FAILED", SessionStatus.ERROR, False),
        ("DANCING", SessionStatus.UNKNOWN, False),
    ],
)
async def test_that_the_status_comes_with_the_newest_code(
    waha: WahaServer, gateway: Gateway, stated: str, status: SessionStatus, has_code: bool
) -> None:
    waha.start(status=stated)
    found = await gateway.status(session(waha))
    assert (found.status, found.qr) == (status, waha.code if has_code else None)
    assert found.account == ("551140000000:9@s.whatsapp.net" if stated == "WORKING" else None)
    assert bool(found.detail) is (stated.startswith("PASSKEY") or stated == "FAILED")
    unknown = await gateway.status(session(waha, session="nenhuma"))
    assert (unknown.status, "set the number up" in unknown.detail) == (SessionStatus.DISCONNECTED, True)


async def test_that_a_code_which_ran_out_meanwhile_is_no_error(waha: WahaServer, gateway: Gateway) -> None:
    waha.start(status="SCAN_QR_CODE")
    waha.answers(422, {"message": "Can't get QR code"}, to="/auth/qr")
    assert (await gateway.status(session(waha))).qr is None


async def test_that_wishes_and_pairing_by_code_reach_the_session(waha: WahaServer, http: httpx.AsyncClient) -> None:
    gateway = WahaGateway(http, Files())
    for wish in ("start", "stop", "restart", "logout"):
        await gateway.control(session(waha), wish)
    assert waha.names() == [f"POST /api/sessions/{{session}}/{wish}" for wish in ("start", "stop", "restart", "logout")]
    assert await gateway.request_pairing_code(session(waha), "5511990001111") == "ABCD-1234"
    await gateway.control(session(waha), "delete")
    assert waha.sessions == {}
    with pytest.raises(GatewayRefusedError):
        await gateway.control(session(waha), "start")


# Asking


async def test_that_reading_and_typing_name_the_chat(waha: WahaServer, gateway: Gateway) -> None:
    await gateway.mark_read(session(waha), LID, ["3EB0A1", "my_own_id"])
    ids = ["false_149000011210072@lid_3EB0A1", "my_own_id"]
    assert waha.last().body == {"session": "default", "chatId": "149000011210072@lid", "messageIds": ids}
    await gateway.show_typing(session(waha), CONTACT, typing=False)
    assert (waha.last().name, waha.last().body) == ("POST /api/stopTyping", {"session": "default", "chatId": CHAT})
    with pytest.raises(GatewayRefusedError):
        await gateway.show_typing(session(waha), Address(AddressKind.SIMULATOR, "1"), typing=True)


async def test_that_a_brazilian_number_is_found_under_whatsapps_own_spelling(
    waha: WahaServer, gateway: Gateway
) -> None:
    waha.on_whatsapp = {
        "5531987654321": "553187654321@c.us",
        "5511987654321": "5511987654321@c.us",
        "4915112345678": "",
    }
    assert await gateway.check_number(session(waha), "5531987654321") == Address(AddressKind.PHONE, "553187654321")
    assert [asked.query["phone"] for asked in waha.asked] == ["553187654321", "5531987654321"]
    assert await gateway.check_number(session(waha), "551187654321") == Address(AddressKind.PHONE, "5511987654321")
    assert await gateway.check_number(session(waha), "4915112345678") == Address(AddressKind.PHONE, "4915112345678")
    assert await gateway.check_number(session(waha), "551132654321") is None
    assert await gateway.check_number(session(waha), "oi") is None


async def test_that_lids_and_phones_are_found_for_each_other(waha: WahaServer, http: httpx.AsyncClient) -> None:
    gateway = WahaGateway(http, Files())
    waha.lids = {"149000011210072@lid": CHAT}
    assert await gateway.other_name(session(waha), LID) == CONTACT
    assert await gateway.other_name(session(waha), CONTACT) == LID
    assert await gateway.other_name(session(waha), Address(AddressKind.LID, "1")) is None
    assert await gateway.other_name(session(waha), GROUP) is None


async def test_that_a_file_is_fetched_from_waha_whatever_it_calls_itself(waha: WahaServer, gateway: Gateway) -> None:
    waha.files["/api/files/default/3EB0A1.jpeg"] = PICTURE
    for host in (waha.base_url, "http://localhost:3000", "http://10.0.0.7:3000"):
        media = MediaReference("image/jpeg", "a.jpeg", url=f"{host}/api/files/default/3EB0A1.jpeg")
        found = await gateway.fetch_media(session(waha), media)
        assert (found.data, found.mime_type, found.file_name) == (PICTURE, "image/jpeg", "a.jpeg")
        assert waha.last("files").headers["X-Api-Key"] == "segredo"


async def test_that_a_file_which_is_gone_is_fetched_by_waha_again(waha: WahaServer, gateway: Gateway) -> None:
    waha.files["/api/files/default/new.jpeg"] = PICTURE
    row = {"id": FILE_ID, "timestamp": SECONDS, "media": {"url": "http://localhost:3000/api/files/default/new.jpeg"}}
    waha.stored[CHAT] = [row]
    for url in (None, f"{waha.base_url}/api/files/default/old.jpeg"):
        found = await gateway.fetch_media(session(waha), MediaReference(url=url, extra={"message_id": FILE_ID}))
        assert found.data == PICTURE
        assert waha.last("GET /api/{session}/chats/{chatId}/messages/{messageId}").query == {"downloadMedia": "true"}
    waha.violations = [said for said in waha.violations if "old.jpeg" not in said]


async def test_that_nothing_is_fetched_from_elsewhere_unless_it_is_the_named_storage(
    waha: WahaServer, gateway: Gateway
) -> None:
    async with serving(WahaServer("anders")) as storage:
        storage.files["/bucket/a.jpeg"] = PICTURE
        media = MediaReference(url=f"{storage.base_url}/bucket/a.jpeg?X-Amz-Signature=1")
        with pytest.raises(GatewayRefusedError, match="outside"):
            await gateway.fetch_media(session(waha), media)
        assert storage.asked == []
        found = await gateway.fetch_media(session(waha, media_base_url=storage.base_url), media)
        assert found.data == PICTURE
        assert "X-Api-Key" not in storage.last().headers
    for url in (
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://x@evil/api/files/a",
        "http://[",
        "x/../api/files/../y",
    ):
        with pytest.raises(GatewayRefusedError):
            await gateway.fetch_media(session(waha), MediaReference(url=url))
    assert waha.asked == []


def row(number: int, **fields: Any) -> dict[str, Any]:
    base = {"id": f"false_{CHAT}_3EB0{number}", "timestamp": SECONDS + number, "from": CHAT, "body": f"oi {number}"}
    return {**base, "fromMe": False, "hasMedia": False, **fields}


async def test_that_history_is_read_whole_from_the_given_moment_oldest_first(
    waha: WahaServer, gateway: Gateway
) -> None:
    waha.stored[CHAT] = [row(number) for number in range(-5, 250)]
    waha.stored["120363000000000001@g.us"] = [
        row(300, id="false_120363000000000001@g.us_3EB0G_5511990001111@c.us", hasMedia=True, media={"url": None})
    ]
    waha.stored["149000011210072@lid"] = [row(400, id=f"true_{CHAT}_3EB0O", fromMe=True, to=CHAT)]
    waha.stored["old@c.us"] = [row(-900)]
    waha.stored["169000011210099@lid"] = [
        row(500, id="false_169000011210099@lid_3EB0L", **{"from": "169000011210099@lid"})
    ]
    waha.lids = {"169000011210099@lid": "5511990003333@c.us"}
    found = [m async for m in gateway.history(session(waha), since=NOW, chats=[CONTACT])]
    assert [m.provider_id for m in found if m.chat == CONTACT] == [f"3EB0{n}" for n in range(250)] + ["3EB0O"]
    hidden = next(m for m in found if m.provider_id == "3EB0L")
    assert hidden.alternates == (Address(AddressKind.PHONE, "5511990003333"),)
    own = next(m for m in found if m.from_me)
    assert (own.chat, own.alternates) == (CONTACT, (LID,))  # asked for by its LID, it answers under the phone
    group = next(m for m in found if m.chat == GROUP)
    assert (group.sender, group.media is not None) == (CONTACT, True)
    assert all(asked.query["downloadMedia"] == "false" for asked in waha.asked if asked.name.endswith("/messages"))
    later = [m async for m in gateway.history(session(waha), since=NOW + timedelta(seconds=249), chats=[])]
    assert [m.provider_id for m in later] == ["3EB0249", "3EB0G", "3EB0O", "3EB0L"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((401, {"message": "Unauthorized"}), GatewayRefusedError),
        ((500, {"message": "x"}), GatewayUnavailableError),
        ((502, "<html>"), GatewayUnavailableError),
        ((302, ""), GatewayRefusedError),
    ],
)
async def test_that_a_question_ends_in_an_answer_or_one_of_two_errors(
    waha: WahaServer, gateway: Gateway, answer: tuple[int, Any], expected: type[Exception]
) -> None:
    waha.answers(*answer)
    number = session(waha)
    with pytest.raises(expected):
        await gateway.status(number)
    with pytest.raises(expected):
        await gateway.set_up(number, URL)
    with pytest.raises(expected):
        await gateway.check_number(number, "5511990001111")
    with pytest.raises(expected):
        [m async for m in gateway.history(number, since=NOW, chats=[])]
