"""WPPConnect as a gateway, before a stand-in of its server."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import strategies as st

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError
from channels.gateway import Gateway, GatewayRefusedError, GatewayUnavailableError, NotOfferedError, WebhookDelivery
from channels.whatsapp.wppconnect import WppconnectGateway
from domain.contents import Choice, ContactCard, Edit, ListMenu, Media, Reaction, Revoke
from domain.messages import Address, AddressKind, MediaReference, Outbound, SessionStatus
from tests.channels.gateway_contract import (
    PICTURE,
    WEBHOOK_URL,
    Files,
    GatewayContract,
    GatewaySubject,
    any_json,
    hurry,
    plain_client,
)
from tests.gateways.stand_in import serving
from tests.gateways.wppconnect_server import OWN, SECRET, SECRET_KEY, TOKEN, Session, WppconnectServer

CONTACT = Address(AddressKind.PHONE, "5511990001111")
CHAT = "5511990001111@c.us"
LID = Address(AddressKind.LID, "149000011210072")
GROUP = Address(AddressKind.GROUP, "120363000000000001")
PICTURE_ID = f"false_{CHAT}_3EB0PICTURE"

NAMES_TEXT = """
event session id _serialized fromMe remote from to author chatId sender pushname notifyName phoneNumber type body
content caption mimetype filename size t timestamp ack quotedMsgId quotedStanzaID quotedMsg mentionedJidList
isStatusV3 fileUrl msgId reactionText refId selectedOptions name localId status qrcode urlcode phoneCode peerJid
groupJid isGroup offerTime outgoing msg latestEditSenderTimestampMs vcardList vcardFormattedName vcard displayName
lat lng loc pollName pollOptions listResponse title ctwaContext isForwarded isViewOnce 0 1 low high
"""
EVENTS_TEXT = """
onmessage onselfmessage unreadmessages onack onreactionmessage onrevokedmessage onpollresponse onmessageedit
incomingcall qrcode phoneCode status-find session-logged closesession location onpresencechanged
"""
NAMES, EVENTS = NAMES_TEXT.split(), EVENTS_TEXT.split()
VALUES = [
    *EVENTS, CHAT, OWN, "149000011210072@lid", "120363000000000001@g.us", "status@broadcast", "1@broadcast", "@",
    f"false_{CHAT}_3EB0A", f"true_{CHAT}_3EB0A_out", f"false_120363000000000001@g.us_3EB0A_{CHAT}", "chat", "image",
    "ptt", "vcard", "location", "ciphertext", "revoked", "poll_creation", "of_tomorrow", "inChat", "BEGIN:VCARD\nFN:A",
    {"_serialized": f"false_{CHAT}_3EB0A"}, {"user": "5511", "server": "c.us", "_serialized": "5511@c.us"},
]  # fmt: skip


def kept(name: str, seconds_ago: float, **fields: Any) -> dict[str, Any]:
    """A message as WhatsApp Web keeps it."""
    from_me = name.startswith("true_")
    ends = {"from": OWN, "to": CHAT} if from_me else {"from": CHAT, "to": OWN}
    return {
        "id": name,
        "type": "chat",
        "body": "oi",
        "t": int(time.time() - seconds_ago),
        "fromMe": from_me,
        **ends,
        **fields,
    }


@pytest.fixture
async def server() -> AsyncIterator[WppconnectServer]:
    async with serving(WppconnectServer()) as running:
        yield running


@pytest.fixture
async def http(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("NO_PROXY", "*")  # the machine's proxy has no part in this
    async with plain_client() as client:
        yield client


@pytest.fixture
def gateway(http: httpx.AsyncClient) -> WppconnectGateway:
    return WppconnectGateway(http, Files())


def sample(event: str, **data: Any) -> dict[str, Any]:
    """A webhook as WPPConnect sends it."""
    return {"event": event, "session": "loja", **data}


LONG_ID = {"fromMe": True, "remote": {"_serialized": CHAT}, "id": "3EB0Q", "_serialized": f"true_{CHAT}_3EB0Q"}
KINDS: list[dict[str, Any]] = [
    {"type": "chat", "mentionedJidList": [OWN], "quotedMsgId": LONG_ID, "ctwaContext": {"title": "x"}},
    {"type": "image", "mimetype": "image/png", "size": "7", "caption": "c", "fileUrl": "https://b.example/x"},
    {"type": "multi_vcard", "vcardList": [{"displayName": "A", "vcard": "BEGIN:VCARD\nFN:A"}]},
    {"type": "poll_creation", "pollName": "?", "pollOptions": [{"name": "a"}]},
    {"type": "list_response", "listResponse": {"title": "a", "singleSelectReply": {"selectedRowId": "1"}}},
    {"type": "location", "lat": 1.5, "lng": 2, "loc": "Loja"},
]
SAMPLES = [
    *(
        sample("onmessage", **{**kept(f"false_{CHAT}_3EB0A", 5), "sender": {"id": {"_serialized": CHAT}}, **k})
        for k in KINDS
    ),
    sample("onreactionmessage", id=f"false_{CHAT}_3EB0R", msgId=LONG_ID, reactionText="👍", timestamp=1772625590),
    sample("onpollresponse", msgId=LONG_ID, chatId=CHAT, selectedOptions=[{"name": "a"}], timestamp=1, sender=CHAT),
    sample("onrevokedmessage", id=f"false_{CHAT}_3EB0V", refId=f"false_{CHAT}_3EB0Q", **{"from": CHAT}),
    sample("onack", id=LONG_ID, ack=3, to=CHAT),
    sample("incomingcall", id="CALL1", peerJid=CHAT, offerTime=1772625590, isGroup=True, groupJid="1-2@g.us"),
    sample("qrcode", qrcode="AAAA", urlcode="2@abc"),
    sample("status-find", status="inChat"),
]


class TestWppconnect(GatewayContract):
    secret_setting = "webhook_secret"
    samples = SAMPLES
    webhooks = st.one_of(
        any_json(NAMES, VALUES),
        st.builds(
            lambda event, body: {**body, "event": event},
            st.sampled_from(EVENTS),
            st.dictionaries(st.sampled_from(NAMES), any_json(NAMES, VALUES), max_size=14),
        ),
        st.builds(
            lambda event, name, kind, body: {**body, "event": event, "id": name, "msgId": name, "type": kind},
            st.sampled_from(EVENTS[:8]),
            st.sampled_from(VALUES[-16:]),
            st.sampled_from([*VALUES, None]),
            st.dictionaries(st.sampled_from(NAMES), any_json(NAMES, VALUES), max_size=14),
        ),
    )

    @staticmethod
    def make(http: httpx.AsyncClient) -> Gateway:
        return WppconnectGateway(http, Files())

    @pytest.fixture
    def subject(self, server: WppconnectServer, gateway: WppconnectGateway) -> GatewaySubject:
        server.on_whatsapp = {"5511990001111": CHAT}
        server.files[PICTURE_ID] = PICTURE
        names = [f"{str(number % 2 == 0).lower()}_{CHAT}_3EB0{number:03d}" for number in range(120, 0, -1)]
        messages = [kept(name, 20 * number) for number, name in zip(range(120, 0, -1), names, strict=True)]
        quoted = [kept(f"false_{CHAT}_3EB0QUOTED", 9999), kept(f"true_{CHAT}_3EB0QUOTED_out", 9998)]
        notice = kept(f"false_{CHAT}_3EB0N", 5, type="e2e_notification", isNotification=True)
        server.messages[CHAT] = [*messages[:90], notice, *messages[90:]]
        server.messages[CHAT][-2:-2] = quoted  # among the last, but old
        server.listed = [{"id": {"_serialized": CHAT}, "t": int(time.time())}, {"id": "1@c.us", "t": 1_600_000_000}]

        def await_scan(code: str) -> None:
            server.sessions["loja"] = Session("QRCODE", code)

        return GatewaySubject(
            gateway,
            server.session(),
            CONTACT,
            server.arrived,
            lambda: server.answers(500),
            gateway=gateway,
            far=server,
            delivery=WebhookDelivery(b"{}", {"content-type": "application/json"}, SECRET),
            arranged=lambda: json.dumps({name: asdict(one) for name, one in server.sessions.items()}),
            webhook_url=lambda: server.sessions["loja"].webhook,
            await_scan=await_scan,
            number=("5511990001111", CONTACT),
            media=MediaReference(extra={"message_id": PICTURE_ID}),
            history=tuple(f"3EB0{number:03d}" for number in range(120, 0, -1)),
        )


# Setting up


async def test_that_the_server_s_key_makes_a_token_and_a_stopped_session_starts_with_our_webhook(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    server.sessions = {}
    session = server.session(token=None, secret_key=SECRET_KEY, webhook_secret=None)
    done = await gateway.set_up(session, WEBHOOK_URL)
    assert done.config["token"] == TOKEN
    assert server.sessions["loja"].webhook == f"{WEBHOOK_URL}/{done.config['webhook_secret']}"
    assert len(done.config["webhook_secret"]) > 30
    assert any("onSelfMessage" in sentence for sentence in done.left_to_do)
    again = replace(session, config={**session.config, **done.config})
    await gateway.set_up(again, WEBHOOK_URL)
    assert (server.tokens, server.sessions["loja"].starts) == (1, 1)
    assert server.violations == []


async def test_that_a_running_session_with_another_webhook_is_started_again(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    server.sessions["loja"].webhook = "https://elsewhere.example"
    done = await gateway.set_up(server.session(), WEBHOOK_URL)
    assert server.sessions["loja"].webhook == f"{WEBHOOK_URL}/the%20webhook%27s%20secret"
    again = server.session(**done.config)
    await gateway.set_up(again, WEBHOOK_URL)
    assert server.sessions["loja"].starts == 1
    await gateway.control(again, "restart")
    assert (server.sessions["loja"].starts, server.sessions["loja"].webhook) == (2, done.config["registered_webhook"])


async def test_that_a_token_of_another_server_is_made_anew_and_a_wrong_key_named(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    done = await gateway.set_up(server.session(token="old", secret_key=SECRET_KEY), WEBHOOK_URL)
    assert done.config["token"] == TOKEN
    with pytest.raises(GatewayRefusedError, match="our key"):
        await gateway.set_up(server.session(token=None, secret_key="wrong"), WEBHOOK_URL)
    with pytest.raises(GatewayRefusedError, match="secret_key"):
        await gateway.set_up(server.session(token=None), WEBHOOK_URL)
    with pytest.raises(GatewayRefusedError, match="our key"):
        await gateway.set_up(server.session(token="old"), WEBHOOK_URL)


@pytest.mark.parametrize(
    ("session", "status"),
    [
        (Session(None), SessionStatus.DISCONNECTED),
        (Session("CLOSED"), SessionStatus.DISCONNECTED),
        (Session("INITIALIZING"), SessionStatus.CONNECTING),
        (Session("PHONECODE"), SessionStatus.AWAITING_QR),
        (Session("CONNECTED", is_alive=False), SessionStatus.DISCONNECTED),
        (Session("OF_TOMORROW"), SessionStatus.UNKNOWN),
    ],
)
async def test_that_every_state_is_told(
    server: WppconnectServer, gateway: WppconnectGateway, session: Session, status: SessionStatus
) -> None:
    server.sessions["loja"] = session
    assert (await gateway.status(server.session())).status is status


async def test_that_the_status_tells_the_account_once(server: WppconnectServer, gateway: WppconnectGateway) -> None:
    assert (await gateway.status(replace(server.session(), account=None))).account == OWN
    assert (await gateway.status(server.session())).account is None


# Sending


@pytest.mark.parametrize(
    ("to", "phone"),
    [
        (CONTACT, {"phone": "5511990001111", "isGroup": False, "isLid": False}),
        (LID, {"phone": "149000011210072", "isGroup": False, "isLid": True}),
        (GROUP, {"phone": "120363000000000001", "isGroup": True, "isLid": False}),
    ],
)
async def test_that_the_chat_is_named_as_the_gateway_wants_it(
    server: WppconnectServer, gateway: WppconnectGateway, to: Address, phone: dict[str, Any]
) -> None:
    sent = await gateway.send(server.session(), Outbound("k1", to, "oi"))
    assert server.bodies("/send-message") == [{**phone, "isNewsletter": False, "message": "oi"}]
    assert sent.provider_id == "3EB000000001"  # WhatsApp's own, as receipts name it
    assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


async def test_that_typing_is_shown_before_the_message_and_its_failure_forgotten(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    message = Outbound("k1", CONTACT, "oi", typing_seconds=0.05)
    await gateway.send(server.session(), message)
    assert [body["value"] for body in server.bodies("/typing")] == [True, False]
    server.answers(500, to="/typing")
    await gateway.send(server.session(), message)
    await gateway.send(server.session(typing=False), message)
    assert len(server.bodies("/typing")) == 3
    assert len(server.arrived()) == 3


@pytest.mark.parametrize(
    ("chat", "to", "name"),
    [
        (CHAT, CONTACT, f"false_{CHAT}_3EB0Q"),
        (CHAT, CONTACT, f"true_{CHAT}_3EB0Q_out"),
        (CHAT, CONTACT, "false_149000011210072@lid_3EB0Q"),
        ("120363000000000001@g.us", GROUP, f"false_120363000000000001@g.us_3EB0Q_{CHAT}"),
    ],
)
async def test_that_a_message_is_quoted_and_reacted_to_by_the_gateway_s_own_id_of_it(
    server: WppconnectServer, gateway: WppconnectGateway, chat: str, to: Address, name: str
) -> None:
    from_me = name.startswith("true_")
    decoy = f"{str(not from_me).lower()}_{chat}_3EB0Q"
    server.messages[chat] = [{"id": {"_serialized": decoy}}, {"id": {"_serialized": name}}, {"id": 7}]
    text = Outbound("k1", to, "oi", "3EB0Q", quoted_from_me=from_me)
    await gateway.send(server.session(), text)
    assert server.bodies("/send-message")[0]["options"] == {"quotedMsg": name}
    await gateway.send(server.session(), replace(text, content=Media("image", "m", "image/png")))
    assert server.bodies("/send-file-base64")[0]["quotedMessageId"] == name
    sent = await gateway.send(server.session(), Outbound("k2", to, "", content=Reaction("3EB0Q", "👍", from_me)))
    assert server.bodies("/react-message") == [{"msgId": name, "reaction": "👍"}]
    assert sent.provider_id == "react-message-k2"


async def test_that_a_message_that_the_gateway_has_forgotten_is_not_quoted_but_still_answered(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    await gateway.send(server.session(), Outbound("k1", CONTACT, "oi", "3EB0Q"))
    assert "options" not in server.bodies("/send-message")[0]
    for content in (Edit("3EB0Q"), Revoke("3EB0Q"), Reaction("3EB0Q", "👍", from_me=True)):
        await gateway.send(server.session(), Outbound("k2", CONTACT, "novo", content=content))
    assert server.bodies("/edit-message") == [{"id": f"true_{CHAT}_3EB0Q", "newText": "novo"}]
    assert server.bodies("/delete-message")[0]["messageId"] == f"true_{CHAT}_3EB0Q"
    with pytest.raises(SendRejectedError):
        await gateway.send(server.session(), Outbound("k3", GROUP, "", content=Reaction("3EB0Q", "👍")))
    assert server.violations == []


async def test_that_a_lid_is_never_taken_for_a_phone(server: WppconnectServer, gateway: WppconnectGateway) -> None:
    short = Address(AddressKind.LID, "14900001121007")
    with pytest.raises(NotOfferedError):
        await gateway.send(server.session(), Outbound("k1", short, "", content=ContactCard("A", "5511990002222")))
    with pytest.raises(NotOfferedError):
        await gateway.show_typing(server.session(), short, typing=True)
    await gateway.send(server.session(), Outbound("k1", short, "oi", typing_seconds=0.05))
    assert server.paths() == ["POST /api/loja/send-message"]


async def test_that_a_list_s_footer_is_not_lost(server: WppconnectServer, gateway: WppconnectGateway) -> None:
    menu = ListMenu("Ver", (Choice("1", "Corte"),), "Até já")
    await gateway.send(server.session(), Outbound("k1", CONTACT, "Escolha", content=menu))
    assert server.bodies("/send-list-message")[0]["description"] == "Escolha\n\nAté já"


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (400, {"response": None, "status": "Connected", "message": "O número 5511 não existe."}, SendRejectedError),
        (404, {"response": None, "status": "Disconnected", "message": "não está ativa."}, SendRetryableError),
        (401, {"error": "Check that the Session and Token are correct"}, SendRejectedError),
        (500, {"status": "Error", "message": "Erro ao enviar a mensagem.", "error": {}}, SendUncertainError),
        (500, {"status": "Error", "message": "Erro", "error": {"code": "invalid_wid"}}, SendRejectedError),
        (413, "<html>Payload Too Large</html>", SendRejectedError),
    ],
)
async def test_that_the_gateway_s_words_tell_whether_a_message_may_have_left(
    server: WppconnectServer, gateway: WppconnectGateway, status: int, answer: Any, error: type[Exception]
) -> None:
    server.answers(status, answer)
    with pytest.raises(error) as raised:
        await gateway.send(server.session(), Outbound("k1", CONTACT, "oi"))
    assert raised.type is error


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (Reaction("3EB0Q", "👍"), "/react-message"),
        (Edit("3EB0Q"), "/edit-message"),
        (Revoke("3EB0Q"), "/delete-message"),
    ],
)
async def test_that_a_thing_without_an_id_is_done_only_if_the_gateway_says_so(
    server: WppconnectServer, gateway: WppconnectGateway, content: Any, path: str
) -> None:
    for answer in ({"status": "error"}, None, "ok"):
        server.answers(200, answer, to=path)
        with pytest.raises(SendUncertainError):
            await gateway.send(server.session(), Outbound("k1", CONTACT, "novo", content=content))


async def test_that_nothing_is_sent_while_the_gateway_cannot_say_what_is_quoted(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    hurry(gateway)
    server.hangs(to="/get-messages/")
    with pytest.raises(SendRetryableError):
        await gateway.send(server.session(), Outbound("k1", CONTACT, "oi", "3EB0Q"))
    assert server.arrived() == []


# Numbers, files, history


@pytest.mark.parametrize(
    ("digits", "registered", "asked"),
    [
        ("5511990001111", "5511990001111@c.us", ["5511990001111"]),
        ("5531990001111", "553190001111@c.us", ["553190001111"]),
        ("5531990001111", "5531990001111@c.us", ["553190001111", "5531990001111"]),
        ("5511990001111", "149000011210072@lid", ["5511990001111"]),
        ("551133334444", "551133334444@c.us", ["551133334444"]),
    ],
)
async def test_that_a_brazilian_mobile_is_asked_for_with_and_without_its_ninth_digit(
    server: WppconnectServer, gateway: WppconnectGateway, digits: str, registered: str, asked: list[str]
) -> None:
    user, _, host = registered.partition("@")
    server.on_whatsapp = {asked[-1]: registered}
    kind = AddressKind.LID if host == "lid" else AddressKind.PHONE
    assert await gateway.check_number(server.session(), digits) == Address(kind, user)
    assert server.paths() == [f"GET /api/loja/check-number-status/{one}" for one in asked]
    assert await gateway.check_number(server.session(), "no number") is None


async def test_that_a_session_that_does_not_run_is_a_fault_and_not_a_refusal(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    server.sessions["loja"].status = "CLOSED"
    with pytest.raises(GatewayUnavailableError):
        await gateway.check_number(server.session(), "5511990001111")
    await gateway.control(server.session(), "logout")  # there is nothing to log out


async def test_that_history_pages_back_and_asks_known_chats_where_none_are_listed(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    server.listed = None
    server.messages[CHAT] = [kept(f"false_{CHAT}_3EB0{number:03d}", 10 * (300 - number)) for number in range(300)]
    since = datetime.now(UTC) - timedelta(seconds=2495)
    chats = [CONTACT, Address(AddressKind.PHONE, "5511000000000")]
    found = [one.provider_id async for one in gateway.history(server.session(), since=since, chats=chats)]
    assert found == [f"3EB0{number:03d}" for number in range(51, 300)]
    assert len(server.paths("/get-messages/")) == 4


async def test_that_a_stored_file_is_fetched_where_it_lies_and_else_through_the_gateway(
    server: WppconnectServer, gateway: WppconnectGateway
) -> None:
    server.files[PICTURE_ID] = PICTURE
    gone = MediaReference("image/jpeg", url=f"{server.base_url}/nowhere.jpg", extra={"message_id": PICTURE_ID})
    assert (await gateway.fetch_media(server.session(), gone)).data == PICTURE
    with pytest.raises(GatewayRefusedError):
        await gateway.fetch_media(server.session(), MediaReference(extra={"message_id": "false_1@c.us_X"}))
