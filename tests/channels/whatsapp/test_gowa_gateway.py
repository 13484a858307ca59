"""GOWA's gateway against a stand-in that checks every request against the published API."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import strategies as st

from channels.base import MessageReceived, SendRejectedError, SendRetryableError, SendUncertainError, SessionRef
from channels.gateway import (
    File,
    Gateway,
    GatewayRefusedError,
    GatewayUnavailableError,
    NotOfferedError,
    WebhookDelivery,
)
from channels.whatsapp.gowa import GowaGateway
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
from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind, MediaReference, MessageKind, Outbound, SessionStatus
from tests.channels.gateway_contract import PICTURE, Files, GatewayContract, GatewaySubject, any_json
from tests.gateways.gowa_server import GowaServer
from tests.gateways.stand_in import serving

CONTACT = Address(AddressKind.PHONE, "5511990001111")
JID = "5511990001111@s.whatsapp.net"
LID, GROUP = Address(AddressKind.LID, "149000011210072"), Address(AddressKind.GROUP, "120363000000000001")
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class BrokenFiles(Files):
    """A media store whose file cannot be had."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.failure = failure

    async def read(self, media: Media) -> File:
        raise self.failure


@pytest.fixture
async def gowa() -> AsyncIterator[GowaServer]:
    async with serving(GowaServer()) as server:
        server.pair()
        yield server
    assert server.violations == []


@pytest.fixture
async def http(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("NO_PROXY", "*")  # the machine's proxy has no part in this
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
def gateway(http: httpx.AsyncClient) -> Gateway:
    return GowaGateway(http, Files())


def session(server: GowaServer, **config: Any) -> SessionRef:
    base = {"base_url": server.base_url, "username": "atende", "password": "segredo", "device_id": "loja"}
    return SessionRef("5e551011-0000-0000-0000-000000000000", "gowa", config={**base, **config})


def outbound(content: Content | None = None, to: Address = CONTACT, text: str = "oi", **fields: Any) -> Outbound:
    return Outbound(key="k1", to=to, text=text, content=content, **fields)


NAMES = [
    "event",
    "device_id",
    "session_id",
    "payload",
    "id",
    "chat_id",
    "chat_lid",
    "from",
    "from_lid",
    "from_name",
    "body",
    "image",
    "audio",
    "document",
    "video",
    "sticker",
    "video_note",
    "path",
    "url",
    "caption",
    "filename",
    "media_path",
    "mime_type",
    "contact",
    "contacts_array",
    "displayName",
    "vcard",
    "location",
    "list",
    "live_location",
    "degreesLatitude",
    "order",
    "interactive",
    "reaction",
    "reacted_message_id",
    "original_message_id",
    "revoked_message_id",
    "ids",
    "receipt_type",
    "call_id",
    "group_jid",
    "timestamp",
    "is_from_me",
    "view_once",
    "forwarded",
    "referral",
    "message",
    "sender_id",
    "action",
    "pushname",
    "text",
    "replied_to_id",
    "quoted_body",
]
EVENTS = ["message", "message.reaction", "message.edited", "message.revoked", "message.ack", "call.offer", "label.edit"]
VALUES: list[Any] = [
    *EVENTS,
    JID,
    "149000011210072@lid",
    "120363000000000001@g.us",
    "status@broadcast",
    "read",
    "3EB0A",
]


def delivered(event: str, **fields: Any) -> dict[str, Any]:
    """A delivery as GOWA sends it."""
    common = {"id": "3EB0A", "chat_id": JID, "from": JID, "from_name": "Maria", "timestamp": "2026-03-04T12:00:00Z"}
    payload = {**common, "is_from_me": False, **fields}
    return {"event": event, "device_id": "5511900000000@s.whatsapp.net", "payload": payload}


class TestGowa(GatewayContract):
    secret_setting = "webhook_secret"
    webhooks = st.one_of(
        any_json(NAMES, VALUES),
        st.fixed_dictionaries({"event": st.sampled_from(EVENTS), "payload": any_json(NAMES, VALUES)}),
        st.builds(
            lambda event, more: {"event": event, "payload": {"id": "3EB0A", "chat_id": JID, "from": JID, **more}},
            st.sampled_from(EVENTS),
            st.dictionaries(st.sampled_from(NAMES), any_json(NAMES, VALUES), max_size=5),
        ),
    )

    samples: ClassVar[list[Any]] = [
        delivered("message", body="oi", replied_to_id="3EB0Q", quoted_body="antes", chat_lid="149000011210072@lid"),
        delivered("message", image={"path": "statics/media/1.jpeg", "caption": "veja"}, view_once=True),
        delivered("message", audio="statics/media/1.ogg", forwarded=True, referral={"ctwa_clid": "x"}),
        delivered("message", location={"degreesLatitude": -23.5, "degreesLongitude": -46.6, "name": "Loja"}),
        delivered("message", contacts_array=[{"displayName": "Ana", "vcard": "BEGIN:VCARD", "phone_number": "1"}]),
        delivered("message.reaction", reaction="👍", reacted_message_id="3EB0Q"),
        delivered("message.edited", original_message_id="3EB0Q", body="novo"),
        delivered("message.revoked", revoked_message_id="3EB0Q", revoked_from_me=False),
        delivered("message.ack", ids=["3EB0A", "3EB0B"], receipt_type="read"),
        delivered("call.offer", call_id="CALL1", group_jid="120363000000000001@g.us", auto_rejected=False),
        {
            "sender_id": "5511990001111", "chat_id": "5511990001111", "from": f"{JID} in 120363000000000001@g.us",
            "timestamp": "2026-03-04T12:00:00Z", "message": {"id": "3EB0A", "text": "oi", "replied_id": "3EB0Q"},
        },
    ]  # fmt: skip

    @staticmethod
    def make(http: httpx.AsyncClient) -> Gateway:
        return GowaGateway(http, Files())

    @pytest.fixture
    def subject(self, gowa: GowaServer, http: httpx.AsyncClient) -> GatewaySubject:
        def arrived() -> list[tuple[Address, str]]:
            return [(CONTACT, asked.body["message"]) for asked in gowa.sent if asked.body["phone"] == JID]

        def await_scan(code: str) -> None:
            gowa.next_code = code
            gowa.devices["loja"] = {"id": "loja", "state": "disconnected"}

        gowa.on_whatsapp = {"5511990001111": [{"User": "x"}]}
        gowa.files["statics/media/1.jpeg"] = PICTURE
        now = datetime.now(UTC) - timedelta(minutes=30)
        gowa.chats[JID] = [stored(number, now) for number in range(120)]
        body = b'{"event":"message","payload":{}}'
        signed = "sha256=" + hmac.new(b"chave", body, hashlib.sha256).hexdigest()
        gateway = GowaGateway(http, Files())
        return GatewaySubject(
            gateway,
            session(gowa, webhook_secret="chave"),
            CONTACT,
            arrived,
            lambda: gowa.answers(500, {"code": "X", "message": "x"}),
            gateway=gateway,
            far=gowa,
            delivery=WebhookDelivery(body, {"x-hub-signature-256": signed}),
            arranged=lambda: repr((gowa.devices, gowa.webhooks)),
            webhook_url=lambda: str(gowa.webhooks["loja"]["webhook_url"]),
            await_scan=await_scan,
            number=("5511990001111", CONTACT),
            media=MediaReference(extra={"path": "statics/media/1.jpeg", "message_id": "3EB0A1", "chat": JID}),
            history=tuple(f"3EB0{number}" for number in range(120)),
        )


# Who may write to us


def test_that_only_the_bytes_which_gowa_signed_are_authentic(gateway: Gateway) -> None:
    body = b'{"event":"message","payload":{}}'
    good = "sha256=" + hmac.new(b"chave", body, hashlib.sha256).hexdigest()

    def authentic(secret: Any, data: bytes, stated: str) -> bool:
        headers = {"x-hub-signature-256": stated}
        return gateway.verify({"webhook_secret": secret}, WebhookDelivery(data, headers))

    assert authentic("chave", body, good)
    assert authentic("chave", body, good.upper().replace("SHA256", "sha256"))
    empty = "sha256=" + hmac.new(b"", body, hashlib.sha256).hexdigest()
    for secret, data, stated in [
        ("chave", body + b" ", good),
        ("outra", body, good),
        ("chave", body, ""),
        ("chave", body, good.removeprefix("sha256=")),
        ("chave", body, good.replace("sha256", "sha1")),
        ("chave", body, "sha256=ç"),
        ("chave", body, "sha256="),
        ("", body, empty),
        (None, body, empty),
    ]:
        assert not authentic(secret, data, stated)
    assert not gateway.verify({"webhook_secret": "chave"}, WebhookDelivery(body, {}))


# Sending


@pytest.mark.parametrize("to", [CONTACT, LID, GROUP])
async def test_that_a_text_goes_to_the_very_address_it_came_from(
    gowa: GowaServer, gateway: Gateway, to: Address
) -> None:
    sent = await gateway.send(session(gowa), outbound(to=to, quoted_provider_id="3EB0Q"))
    server = {AddressKind.PHONE: "s.whatsapp.net", AddressKind.LID: "lid", AddressKind.GROUP: "g.us"}[to.kind]
    assert gowa.last().body == {"phone": f"{to.value}@{server}", "message": "oi", "reply_message_id": "3EB0Q"}
    assert gowa.last().headers["X-Device-Id"] == "loja"
    assert sent.provider_id == "3EB00000000000000001"


CONTENTS: list[tuple[Content, str, dict[str, Any]]] = [
    (Location(-23.5, 1e-7, "Loja"), "/send/location", {"latitude": "-23.5000000", "longitude": "0.0000001"}),
    (ContactCard("Ana", "5511990002222"), "/send/contact", {"contact_name": "Ana", "contact_phone": "5511990002222"}),
    (Poll(("a", "b", "c")), "/send/poll", {"question": "oi", "options": ["a", "b", "c"], "max_answer": 1}),
    (Poll(("a", "b"), several=True), "/send/poll", {"question": "oi", "options": ["a", "b"], "max_answer": 2}),
    (Reaction("3EB0Q", "👍"), "/message/{message_id}/reaction", {"emoji": "👍"}),
    (Reaction("3EB0Q", ""), "/message/{message_id}/reaction", {"emoji": ""}),
    (Edit("3EB0Q"), "/message/{message_id}/update", {"message": "oi"}),
    (Revoke("3EB0Q"), "/message/{message_id}/revoke", {}),
]


@pytest.mark.parametrize(("content", "path", "body"), CONTENTS)
async def test_that_each_content_is_the_request_which_gowa_publishes(
    gowa: GowaServer, gateway: Gateway, content: Content, path: str, body: dict[str, Any]
) -> None:
    assert (await gateway.send(session(gowa), outbound(content))).provider_id
    assert gowa.names() == [f"POST {path}"]
    assert gowa.last().body == {"phone": JID, **body}
    assert gowa.last().match.get("message_id", "3EB0Q") == "3EB0Q"


FILES: list[tuple[Media, tuple[str, str, str], dict[str, Any]]] = [
    (Media("image", "r", "image/jpeg"), ("/send/image", "image", "image/jpeg"), {"caption": "oi"}),
    (Media("image", "r", "image/webp", "a.webp"), ("/send/file", "file", "image/webp"), {"caption": "oi"}),
    (Media("video", "r", "video/mp4"), ("/send/video", "video", "video/mp4"), {"caption": "oi"}),
    (Media("video", "r", "video/webm"), ("/send/file", "file", "video/webm"), {"caption": "oi"}),
    (Media("voice", "r", "audio/ogg; codecs=opus"), ("/send/audio", "audio", "audio/ogg"), {"ptt": "true"}),
    (Media("audio", "r", "audio/mp4"), ("/send/audio", "audio", "audio/m4a"), {}),
    (
        Media("document", "r", "application/pdf", "nota ç.pdf"),
        ("/send/file", "file", "application/pdf"),
        {"caption": "oi"},
    ),
    (Media("sticker", "r", "image/webp"), ("/send/sticker", "sticker", "image/webp"), {}),
]


@pytest.mark.parametrize(("media", "way", "fields"), FILES)
async def test_that_each_file_goes_the_way_that_takes_its_type(
    gowa: GowaServer, gateway: Gateway, media: Media, way: tuple[str, str, str], fields: dict[str, Any]
) -> None:
    path, part, mime = way
    await gateway.send(session(gowa), outbound(media, quoted_provider_id="3EB0Q"))
    quote = {} if part == "sticker" else {"reply_message_id": "3EB0Q"}
    assert gowa.names() == [f"POST {path}"]
    assert gowa.last().body == {"phone": JID, **fields, **quote}
    upload = gowa.last().files[part]
    assert (upload.data, upload.mime_type) == (PICTURE, mime)
    assert upload.file_name == (media.file_name or "file")


@pytest.mark.parametrize(
    "content",
    [Buttons((Choice("1", "Sim"),)), ListMenu("Ver", (Choice("1", "Sim"),)), Template("boas_vindas", "pt_BR")],
)
async def test_that_what_gowa_has_not_is_refused_before_anything_is_asked(
    gowa: GowaServer, gateway: Gateway, content: Content
) -> None:
    assert content.type not in gateway.content_types
    with pytest.raises(NotOfferedError, match="gowa"):
        await gateway.send(session(gowa), outbound(content))
    assert gowa.asked == []


async def test_that_a_file_that_cannot_be_had_is_certainly_not_sent(
    gowa: GowaServer, gateway: Gateway, http: httpx.AsyncClient
) -> None:
    gone, faulty = InvalidInputError("file", "is gone"), OSError()
    for failure, expected in [(gone, SendRejectedError), (faulty, SendRetryableError)]:
        broken = GowaGateway(http, BrokenFiles(failure))
        with pytest.raises(expected):
            await broken.send(session(gowa), outbound(Media("image", "r", "image/png")))
    with pytest.raises(SendRejectedError, match="stickers"):
        await gateway.send(session(gowa), outbound(Media("sticker", "r", "video/mp4")))
    for strange in ("", "..", "."):
        with pytest.raises(SendRejectedError):
            await gateway.send(session(gowa), outbound(Revoke(strange)))
    assert gowa.asked == []


def error(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        ((401, "Unauthorized"), SendRejectedError, "refused our key"),
        ((401, error("AUTHENTICATION_ERROR", "you are not logged in")), SendRetryableError, "not logged in"),
        ((500, error("INVALID_WA_CLI", "your WhatsApp CLI is invalid or empty")), SendRetryableError, "not connected"),
        ((503, error("DEVICE_MANAGER_UNAVAILABLE", "x")), SendRetryableError, "not connected"),
        ((404, error("DEVICE_NOT_FOUND", "device not found")), SendRetryableError, "device"),
        ((400, error("DEVICE_ID_REQUIRED", "device_id is required")), SendRetryableError, "device"),
        ((429, error("WA_REACHOUT_TIMELOCK", "error 463")), SendRejectedError, "new chats"),
        ((500, error("INTERNAL_SERVER_ERROR", "server returned error 463")), SendRejectedError, "new chats"),
        ((500, error("INTERNAL_SERVER_ERROR", "server returned error 429")), SendRetryableError, "busy"),
        ((500, error("INTERNAL_SERVER_ERROR", "failed to get device list: x")), SendRetryableError, "did not leave"),
        (
            (500, error("INTERNAL_SERVER_ERROR", "websocket disconnected before info query")),
            SendUncertainError,
            "broke",
        ),
        ((500, error("INTERNAL_SERVER_ERROR", "Whatsapp client is not initialized")), SendRetryableError, "connected"),
        ((500, error("UPLOAD_MEDIA_ERROR", "x")), SendRetryableError, "upload"),
        ((504, error("GATEWAY_TIMEOUT", "Request timed out")), SendUncertainError, "504"),
        ((400, error("INVALID_JID", "Phone x is not on whatsapp")), SendRejectedError, "not on whatsapp"),
        ((400, error("VALIDATION_ERROR", "message: cannot be blank.")), SendRejectedError, "cannot be blank"),
        ((413, "Request Entity Too Large"), SendRejectedError, "413"),
        ((429, "slow down"), SendRetryableError, "fewer"),
        ((502, "<html>"), SendUncertainError, "502"),
        ((200, "<html>"), SendUncertainError, "no id"),
        ((200, {"code": "SUCCESS", "results": None}), SendUncertainError, "no id"),
        ((200, {"code": "SUCCESS", "results": {"message_id": ""}}), SendUncertainError, "no id"),
        ((200, {"code": "SUCCESS", "results": {"message_id": 7}}), SendUncertainError, "no id"),
        ((200, {"code": "SUCCESS", "results": {"message_id": "x" * 900}}), SendUncertainError, "no id"),
        ((200, "[" * 5000), SendUncertainError, "no id"),
        ((301, ""), SendRejectedError, "301"),
    ],
)
async def test_that_each_refusal_and_each_lie_gets_its_error(
    gowa: GowaServer, gateway: Gateway, answer: tuple[int, Any], expected: type[Exception], said: str
) -> None:
    gowa.answers(*answer)
    with pytest.raises(expected, match=said):
        await gateway.send(session(gowa), outbound())
    assert len(gowa.asked) == 1


async def test_that_a_hang_a_reset_and_a_late_answer_leave_the_fate_unknown(
    gowa: GowaServer, http: httpx.AsyncClient
) -> None:
    impatient = GowaGateway(http, Files(), send_timeout_seconds=0.3)
    ways: list[Callable[[], None]] = [gowa.hangs, gowa.breaks_off, partial(gowa.answers_late, 1.0)]
    for misbehave in ways:
        misbehave()
        with pytest.raises(SendUncertainError):
            await impatient.send(session(gowa), outbound())
    assert len(gowa.sent) == 1
    assert len(gowa.asked) == 3


async def test_that_nobody_there_and_senseless_settings_are_certainly_not_sent(
    gowa: GowaServer, gateway: Gateway
) -> None:
    with pytest.raises(SendRetryableError, match="cannot be reached"):
        await gateway.send(session(gowa, base_url="http://127.0.0.1:9"), outbound())
    for config in ({"base_url": None}, {"base_url": "gowa:3000"}, {"password": None}, {"username": "a\r\nb"}):
        with pytest.raises(SendRejectedError, match="GOWA"):
            await gateway.send(session(gowa, **config), outbound())
    assert gowa.asked == []


async def test_that_typing_is_shown_before_words_only_and_never_holds_them_back(
    gowa: GowaServer, gateway: Gateway
) -> None:
    await gateway.send(session(gowa), outbound(typing_seconds=0.01))
    assert gowa.names() == ["POST /send/chat-presence"] * 2 + ["POST /send/message"]
    assert [asked.body["action"] for asked in gowa.asked[:2]] == ["start", "stop"]
    gowa.asked.clear()
    await gateway.send(session(gowa, typing=False), outbound(typing_seconds=0.01))
    await gateway.send(session(gowa), outbound(Reaction("3EB0Q", "👍"), typing_seconds=0.01))
    assert "POST /send/chat-presence" not in gowa.names()
    gowa.answers(500, to="/chat-presence")
    assert (await gateway.send(session(gowa), outbound(typing_seconds=0.01))).provider_id


# Setting up and watching


async def test_that_setting_up_creates_the_device_once_and_registers_the_signed_webhook(
    http: httpx.AsyncClient,
) -> None:
    async with serving(GowaServer()) as gowa:
        gateway = GowaGateway(http, Files())
        fresh = session(gowa, device_id=None, webhook_secret="chave")
        done = await gateway.set_up(fresh, "https://atende.example/webhooks/gowa/1")
        device = done.config["device_id"]
        hook = gowa.webhooks[device]
        assert (hook["webhook_url"], hook["webhook_secret"]) == ("https://atende.example/webhooks/gowa/1", "chave")
        assert {"message", "message.ack", "message.edited"} <= set(hook["webhook_events"].split(","))
        assert done.left_to_do == ()
        again = replace(fresh, config={**fresh.config, **done.config})
        assert (await gateway.set_up(again, "https://atende.example/webhooks/gowa/1")).config == done.config
        assert list(gowa.devices) == [device]
        assert gowa.violations == []


async def test_that_an_existing_device_is_attached_by_its_id_its_jid_or_as_the_only_one(
    gowa: GowaServer, gateway: Gateway
) -> None:
    for named in ("loja", "551140000000@s.whatsapp.net", None):
        done = await gateway.set_up(session(gowa, device_id=named, webhook_secret="k"), "https://a.example/w")
        assert done.config == {"webhook_secret": "k", "device_id": "loja"}
    gowa.pair("outra", "551140009999@s.whatsapp.net")
    with pytest.raises(GatewayRefusedError, match="several") as refused:
        await gateway.set_up(session(gowa, device_id=None), "https://a.example/w")
    assert "loja, outra" in refused.value.hint
    made = await gateway.set_up(session(gowa, device_id="nova"), "https://a.example/w")
    assert (made.config["device_id"], len(made.config["webhook_secret"]) > 30) == ("nova", True)
    assert set(gowa.devices) == {"loja", "outra", "nova"}


async def test_that_an_older_gowa_leaves_the_webhook_to_a_person(http: httpx.AsyncClient) -> None:
    async with serving(GowaServer(old=True)) as gowa:
        gateway, number = GowaGateway(http, Files()), session(gowa, device_id=None, webhook_secret="k")
        done = await gateway.set_up(number, "https://a.example/w")
        assert "--webhook=https://a.example/w" in done.left_to_do[0]
        assert "k" not in done.left_to_do[0].split()
        waiting = await gateway.status(number)
        assert (waiting.status, waiting.qr) == (SessionStatus.AWAITING_QR, gowa.codes[-1])
        gowa.pair()
        assert (await gateway.status(number)).status is SessionStatus.CONNECTED
        gowa.violations.clear()
    async with serving(GowaServer()) as gowa:
        gowa.pair()
        gowa.answers(405, "Method Not Allowed", to="/webhook")
        done = await GowaGateway(http, Files()).set_up(session(gowa), "https://a.example/w")
        assert done.left_to_do


async def test_that_a_pairing_code_is_read_from_its_picture_and_kept_while_it_holds(
    gowa: GowaServer, gateway: Gateway
) -> None:
    gowa.devices["loja"] = {"id": "loja", "state": "disconnected"}
    first = await gateway.status(session(gowa))
    assert (first.status, first.qr) == (SessionStatus.AWAITING_QR, gowa.codes[0])
    assert (await gateway.status(session(gowa))).qr == gowa.codes[0]
    assert len(gowa.codes) == 1  # a second login would have broken the first off
    gowa.passkey = "awaiting_response"
    waiting = await gateway.status(session(gowa))
    assert (waiting.status, waiting.qr, "passkey" in waiting.detail) == (SessionStatus.AWAITING_QR, None, True)
    gowa.pair()
    connected = await gateway.status(session(gowa))
    assert (connected.status, connected.account) == (SessionStatus.CONNECTED, "551140000000@s.whatsapp.net")


@pytest.mark.parametrize(
    ("device", "status"),
    [
        ({"state": "disconnected", "jid": "551140000000:3@s.whatsapp.net"}, SessionStatus.DISCONNECTED),
        ({"state": "connecting", "jid": "551140000000@s.whatsapp.net"}, SessionStatus.CONNECTING),
        ({"state": "connected", "jid": "551140000000@s.whatsapp.net"}, SessionStatus.CONNECTING),
    ],
)
async def test_that_a_paired_device_is_never_asked_for_a_new_code(
    gowa: GowaServer, gateway: Gateway, device: dict[str, Any], status: SessionStatus
) -> None:
    gowa.devices["loja"] = {"id": "loja", **device}
    assert (await gateway.status(session(gowa))).status is status
    assert gowa.codes == []
    gowa.devices.clear()
    assert (await gateway.status(session(gowa))).status is SessionStatus.DISCONNECTED


async def test_that_a_code_which_cannot_be_read_is_said_so(gowa: GowaServer, gateway: Gateway) -> None:
    gowa.devices["loja"] = {"id": "loja", "state": "disconnected"}
    for results in (
        {"qr_link": "http://localhost/x.png", "qr_duration": 30},
        {"qr_link": "http://[", "x": 1},
        {},
        None,
    ):
        gowa.answers(200, {"code": "SUCCESS", "results": results}, to="/app/login")
        waiting = await gateway.status(session(gowa))
        assert (waiting.status, waiting.qr, "page" in waiting.detail) == (SessionStatus.AWAITING_QR, None, True)
    gowa.answers(400, error("ALREADY_LOGGED_IN", "you are already logged in."), to="/app/login")
    assert (await gateway.status(session(gowa))).status is SessionStatus.CONNECTING


async def test_that_wishes_reach_the_device_and_stopping_is_not_offered(gowa: GowaServer, gateway: Gateway) -> None:
    await gateway.control(session(gowa), "start")
    await gateway.control(session(gowa), "restart")
    await gateway.control(session(gowa), "logout")
    await gateway.control(session(gowa), "delete")
    assert gowa.names() == ["GET /app/reconnect"] * 2 + ["GET /app/logout", "DELETE /devices/{device_id}"]
    assert gowa.devices == {}
    with pytest.raises(NotOfferedError):
        await gateway.control(session(gowa), "stop")
    with pytest.raises(GatewayRefusedError):
        await gateway.control(session(gowa, device_id=None), "delete")


# Asking


async def test_that_reading_and_typing_name_the_chat(gowa: GowaServer, gateway: Gateway) -> None:
    await gateway.mark_read(session(gowa), LID, ["3EB0A1", "3EB0A2"])
    assert [asked.match["message_id"] for asked in gowa.asked] == ["3EB0A1", "3EB0A2"]
    assert gowa.last().body == {"phone": "149000011210072@lid"}
    await gateway.show_typing(session(gowa), CONTACT, typing=False)
    assert gowa.last().body == {"phone": JID, "action": "stop"}


async def test_that_a_brazilian_number_is_found_under_the_spelling_that_has_devices(
    gowa: GowaServer, gateway: Gateway
) -> None:
    gowa.on_whatsapp = {"551187654321": [{"User": "x"}], "5511987654321": [], "553187654321": [], "4915112345678": [{}]}
    assert await gateway.check_number(session(gowa), "5511987654321") == Address(AddressKind.PHONE, "551187654321")
    assert await gateway.check_number(session(gowa), "553187654321") == Address(AddressKind.PHONE, "553187654321")
    assert await gateway.check_number(session(gowa), "+49 1511 2345678") == Address(AddressKind.PHONE, "4915112345678")
    assert await gateway.check_number(session(gowa), "551132654321") is None
    assert await gateway.check_number(session(gowa), "oi") is None


async def test_that_a_file_comes_from_the_folder_or_is_fetched_from_whatsapp_first(
    gowa: GowaServer, gateway: Gateway
) -> None:
    gowa.files["statics/media/1-a.jpeg"] = PICTURE
    body = {"event": "message", "payload": {"id": "3EB0A1", "chat_id": JID, "image": "statics/media/1-a.jpeg"}}
    (event,) = gateway.parse(body, session(gowa))
    assert isinstance(event, MessageReceived)
    assert event.media is not None
    found = await gateway.fetch_media(session(gowa), event.media)
    assert (found.data, found.mime_type, found.file_name) == (PICTURE, "image/jpeg", "1-a.jpeg")
    assert gowa.names() == ["GET /statics/media/1-a.jpeg"]
    gowa.files = {"statics/media/551/x.jpe": PICTURE}
    gowa.media_of["3EB0A1"] = "statics/media/551/x.jpe"
    assert (await gateway.fetch_media(session(gowa), event.media)).data == PICTURE
    assert gowa.last("download").query == {"phone": JID}
    elsewhere = {"message_id": "3EB0A1", "chat": JID, "whatsapp_url": "https://mmg.whatsapp.net/x"}
    assert (await gateway.fetch_media(session(gowa), MediaReference(extra=elsewhere))).data == PICTURE


async def test_that_a_file_is_never_fetched_from_anywhere_else(gowa: GowaServer, gateway: Gateway) -> None:
    evil = MediaReference(url="http://169.254.169.254/latest", extra={"path": "http://169.254.169.254/latest"})
    with pytest.raises(GatewayRefusedError):
        await gateway.fetch_media(session(gowa), evil)
    unknown = MediaReference(extra={"message_id": "3EB0X", "chat": JID})
    with pytest.raises(GatewayRefusedError, match="not found"):
        await gateway.fetch_media(session(gowa), unknown)
    gowa.answers(
        200, {"code": "SUCCESS", "results": {"file_url": "http://169.254.169.254/x", "file_path": "/etc/passwd"}}
    )
    with pytest.raises(GatewayRefusedError, match="where"):
        await gateway.fetch_media(session(gowa), unknown)


def stored(number: int, since: datetime = NOW, **fields: Any) -> dict[str, Any]:
    at = (since + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    base = {"id": f"3EB0{number}", "chat_jid": JID, "sender_jid": JID, "content": f"oi {number}", "timestamp": at}
    return {**base, "is_from_me": False, "media_type": "", "filename": "", "url": "", "file_length": 0, **fields}


async def test_that_history_is_read_whole_from_the_given_moment_oldest_first(
    gowa: GowaServer, gateway: Gateway
) -> None:
    gowa.chats[JID] = [stored(number) for number in range(-5, 250)]
    image = {"media_type": "image", "filename": "a.jpg", "url": "https://mmg.whatsapp.net/x", "file_length": 9}
    group: dict[str, Any] = {"chat_jid": "120363000000000001@g.us", "content": "legenda", **image}
    gowa.chats["120363000000000001@g.us"] = [stored(500, **group)]
    gowa.chats["status@broadcast"] = [stored(600, chat_jid="status@broadcast")]
    gowa.chats["149000011210072@lid"] = [stored(700, is_from_me=True, sender_jid="551140000000@s.whatsapp.net")]
    found = [m async for m in gateway.history(session(gowa), since=NOW, chats=[CONTACT])]
    private = [m for m in found if m.chat == CONTACT]
    assert [m.provider_id for m in private[:251]] == [f"3EB0{n}" for n in range(250)] + ["3EB0700"]
    assert private[250].from_me is True
    picture = next(m for m in found if m.chat == GROUP)
    assert (picture.kind, picture.text, picture.sender) == (MessageKind.IMAGE, "legenda", CONTACT)
    assert picture.media is not None
    assert (picture.media.size_bytes, picture.media.extra["message_id"]) == (9, "3EB0500")
    assert len(found) == 252


async def test_that_a_stored_call_and_a_row_without_words_keep_what_is_known(
    gowa: GowaServer, gateway: Gateway
) -> None:
    gowa.chats[JID] = [
        stored(1, media_type="call", content="Incoming call", call_metadata="{}"),
        stored(2, content=""),
        stored(3, media_type="hologram"),
        {"id": "", "timestamp": "junk"} | {"timestamp": "9"},
    ]
    found = [m async for m in gateway.history(session(gowa), since=NOW, chats=[CONTACT])]
    assert [m.kind for m in found] == [MessageKind.CALL, MessageKind.UNKNOWN, MessageKind.UNKNOWN]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((401, "Unauthorized"), GatewayRefusedError),
        ((401, error("AUTHENTICATION_ERROR", "you are not logged in")), GatewayUnavailableError),
        ((404, error("DEVICE_NOT_FOUND", "x")), GatewayRefusedError),
        ((500, error("INTERNAL_SERVER_ERROR", "x")), GatewayUnavailableError),
        ((502, "<html>"), GatewayUnavailableError),
        ((200, "<html>"), GatewayUnavailableError),
        ((302, ""), GatewayRefusedError),
    ],
)
async def test_that_a_question_ends_in_an_answer_or_one_of_two_errors(
    gowa: GowaServer, gateway: Gateway, answer: tuple[int, Any], expected: type[Exception]
) -> None:
    gowa.answers(*answer)
    number = session(gowa)
    with pytest.raises(expected):
        await gateway.mark_read(number, CONTACT, ["3EB0A1"])
    with pytest.raises(expected):
        await gateway.check_number(number, "5511990001111")
    with pytest.raises(expected):
        [m async for m in gateway.history(number, since=NOW, chats=[])]
    with pytest.raises(GatewayRefusedError, match="WhatsApp"):
        await gateway.show_typing(number, Address(AddressKind.SIMULATOR, "1"), typing=True)
