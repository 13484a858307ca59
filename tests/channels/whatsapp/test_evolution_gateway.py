"""Evolution as a gateway, before a stand-in of its server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import strategies as st

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError
from channels.gateway import Gateway, GatewayRefusedError, NotOfferedError, WebhookDelivery
from channels.whatsapp.evolution import EvolutionGateway
from domain.contents import Poll
from domain.messages import Address, AddressKind, MediaReference, Outbound, SessionStatus
from tests.channels.gateway_contract import (
    PICTURE,
    WEBHOOK_URL,
    Files,
    GatewayContract,
    GatewaySubject,
    any_json,
    plain_client,
)
from tests.gateways.evolution_server import OWN, SECRET, EvolutionServer, Instance, refused
from tests.gateways.stand_in import serving

CONTACT = Address(AddressKind.PHONE, "5511990001111")
JID = "5511990001111@s.whatsapp.net"

NAMES_TEXT = """
event data instance sender date_time key remoteJid remoteJidAlt fromMe id participant participantAlt pushName status
message messageTimestamp contextInfo messageType pollUpdates name voters keyId update conversation extendedTextMessage
text imageMessage caption mimetype fileLength mediaKey mediaUrl base64 protocolMessage type editedMessage timestampMs
qrcode code state statusReason wuid reactionMessage pollUpdateMessage vote selectedOptions ephemeralMessage keys
pollCreationMessageKey stanzaId quotedMessage mentionedJid externalAdReply low high unsigned 0 1 from groupJid date
"""
EVENTS_TEXT = """
messages.upsert messages.update messages.edited messages.delete messages.set send.message connection.update
qrcode.updated call status.instance logout.instance MESSAGES_UPSERT contacts.update
"""
NAMES, EVENTS = NAMES_TEXT.split(), EVENTS_TEXT.split()
VALUES = [
    *EVENTS, JID, OWN, "149000011210072@lid", "120363000000000001@g.us", "status@broadcast", "1@broadcast", "READ",
    "ERROR", "DELETED", "3EB0A", "REVOKE", "MESSAGE_EDIT", "open", "close", "offer", "@", "Buffer",
]  # fmt: skip
KEY = st.fixed_dictionaries({"remoteJid": st.sampled_from(VALUES), "id": st.just("3EB0A"), "fromMe": st.booleans()})
CONTENT = st.dictionaries(st.sampled_from(NAMES), any_json(NAMES, VALUES), max_size=4)


@pytest.fixture
async def server() -> AsyncIterator[EvolutionServer]:
    async with serving(EvolutionServer()) as running:
        yield running


@pytest.fixture
async def http(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("NO_PROXY", "*")  # the machine's proxy has no part in this
    async with plain_client() as client:
        yield client


@pytest.fixture
def gateway(http: httpx.AsyncClient) -> EvolutionGateway:
    return EvolutionGateway(http, Files())


def record(number: int, name: str, **fields: Any) -> dict[str, Any]:
    """A message as the gateway's database keeps it; a higher ``number`` is older."""
    return {
        "id": f"cm{number}",
        "key": {"id": name, "remoteJid": JID, "fromMe": number % 2 == 0, "remoteJidAlt": "149000011210072@lid"},
        "pushName": "Maria",
        "messageType": "conversation",
        "message": {"conversation": f"text {number}"},
        "messageTimestamp": int(time.time()) - 60 * number,
        "instanceId": "i1",
        "contextInfo": None,
        "MessageUpdate": [],
        **fields,
    }


def sample(event: str, data: Any) -> dict[str, Any]:
    """A webhook as Evolution sends it."""
    return {"event": event, "instance": "loja", "sender": OWN, "date_time": "2026-03-04T08:59:50.000Z", "data": data}


CONTENTS = [
    {"conversation": "oi", "messageContextInfo": {"deviceListMetadataVersion": 2}},
    {
        "imageMessage": {
            "caption": "c",
            "mimetype": "image/jpeg",
            "fileLength": {"low": 7, "high": 0},
            "mediaKey": {"0": 1},
        }
    },
    {"ephemeralMessage": {"message": {"viewOnceMessageV2": {"message": {"audioMessage": {"ptt": True}}}}}},
    {"pollUpdateMessage": {"pollCreationMessageKey": {"id": "3EB0P"}, "vote": {"selectedOptions": ["a"]}}},
    {"reactionMessage": {"key": {"id": "3EB0Q"}, "text": "👍"}},
    {"contactsArrayMessage": {"displayName": "2", "contacts": [{"displayName": "A", "vcard": "BEGIN:VCARD"}]}},
    {"protocolMessage": {"type": 14, "key": {"id": "3EB0Q"}, "editedMessage": {"conversation": "novo"}}},
]
CHANGED_KEY = {"remoteJid": JID, "id": "3EB0Q", "fromMe": False}
SAMPLES = [
    *(
        sample(
            "messages.upsert",
            {
                "key": {"remoteJid": JID, "remoteJidAlt": "149000011210072@lid", "fromMe": False, "id": "3EB0A"},
                "pushName": "Maria",
                "message": content,
                "contextInfo": {"stanzaId": "3EB0Q", "mentionedJid": [OWN], "externalAdReply": {"title": "x"}},
                "messageTimestamp": 1772625590,
                "pollUpdates": [{"name": "a", "voters": [JID]}],
            },
        )
        for content in CONTENTS
    ),
    sample("messages.update", {"keyId": "3EB0Q", "remoteJid": JID, "fromMe": True, "status": "READ"}),
    sample(
        "messages.update", {**CHANGED_KEY, "keyId": "3EB0Q", "message": {"editedMessage": {"message": CONTENTS[0]}}}
    ),
    sample("messages.edited", {"key": CHANGED_KEY, "type": "MESSAGE_EDIT", "editedMessage": CONTENTS[0]}),
    sample("messages.delete", {"key": CHANGED_KEY}),
    sample("call", {"id": "CALL1", "from": JID, "status": "offer", "date": "2026-03-04T11:59:50.000Z"}),
    sample("connection.update", {"state": "open", "statusReason": 200, "wuid": OWN}),
    sample("qrcode.updated", {"qrcode": {"code": "2@abc"}}),
]


class TestEvolution(GatewayContract):
    secret_setting = "webhook_secret"
    samples = SAMPLES
    webhooks = st.one_of(
        any_json(NAMES, VALUES),
        st.fixed_dictionaries({"event": st.sampled_from(EVENTS), "data": any_json(NAMES, VALUES)}),
        st.builds(
            lambda event, key, content, more: {
                "event": event,
                "sender": OWN,
                "data": {**more, "key": key, "message": content},
            },
            st.sampled_from(EVENTS[:6]),
            KEY,
            CONTENT,
            CONTENT,
        ),
    )

    @staticmethod
    def make(http: httpx.AsyncClient) -> Gateway:
        return EvolutionGateway(http, Files())

    @pytest.fixture
    def subject(self, server: EvolutionServer, gateway: EvolutionGateway) -> GatewaySubject:
        server.on_whatsapp = {JID: JID}
        server.files["3EB0PICTURE"] = PICTURE
        server.records = [record(number, f"3EB0{number:03d}") for number in range(1, 41)]

        def await_scan(code: str) -> None:
            server.instances["loja"] = Instance("connecting", code)

        body = json.dumps({"event": "messages.upsert", "instance": "loja", "data": {}}).encode()
        return GatewaySubject(
            gateway,
            server.session(),
            CONTACT,
            server.arrived,
            lambda: server.answers(500),
            gateway=gateway,
            far=server,
            delivery=WebhookDelivery(body, {"x-atende-secret": SECRET}),
            arranged=lambda: json.dumps({name: vars_of(one) for name, one in server.instances.items()}),
            webhook_url=lambda: str(server.instances["loja"].webhook["url"]),
            await_scan=await_scan,
            number=("5511990001111", CONTACT),
            media=MediaReference(extra={"key": {"id": "3EB0PICTURE", "remoteJid": JID, "fromMe": False}}),
            history=tuple(f"3EB0{number:03d}" for number in range(40, 0, -1)),
        )


def vars_of(instance: Instance) -> dict[str, Any]:
    return {"state": instance.state, "code": instance.code, "webhook": instance.webhook}


# Deliveries


def token(claims: Any, secret: str = SECRET, header: Any = None) -> WebhookDelivery:
    """A delivery with a JSON Web Token as Evolution makes it of ``jwt_key``."""
    parts = [header or {"alg": "HS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    head = ".".join(encoded)
    signature = base64.urlsafe_b64encode(hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest()).rstrip(b"=")
    return WebhookDelivery(b"{}", {"authorization": f"Bearer {head}.{signature.decode()}"})


NOW = int(time.time())
CLAIMS = {"iat": NOW, "exp": NOW + 600, "app": "evolution", "action": "webhook"}


def test_that_a_token_made_with_the_secret_is_accepted_also_at_the_last_attempt(gateway: EvolutionGateway) -> None:
    config = {"webhook_secret": SECRET}
    assert gateway.verify(config, token(CLAIMS))
    assert gateway.verify(config, token({**CLAIMS, "exp": int(time.time()) - 1500}))  # ten attempts take 25 minutes


@pytest.mark.parametrize(
    "delivery",
    [
        token(CLAIMS, "another secret"),
        token({**CLAIMS, "exp": NOW - 7200}),
        token({"iat": NOW}),
        token({**CLAIMS, "exp": True}),
        token({**CLAIMS, "exp": "2999"}),
        token([CLAIMS]),
        token(CLAIMS, header={"alg": "none"}),
        token(CLAIMS, header={"alg": "HS512"}),
        token(CLAIMS, header={"alg": "hs256"}),
        WebhookDelivery(b"{}", {"authorization": token(CLAIMS).headers["authorization"] + "x"}),
        WebhookDelivery(b"{}", {"authorization": token(CLAIMS).headers["authorization"].rpartition(".")[0] + "."}),
        WebhookDelivery(b"{}", {"authorization": f"Basic {SECRET}"}),
        WebhookDelivery(b"{}", {"apikey": SECRET}, SECRET),
    ],
)
def test_that_any_other_token_is_refused(gateway: EvolutionGateway, delivery: WebhookDelivery) -> None:
    assert not gateway.verify({"webhook_secret": SECRET}, delivery)


# Setting up


async def test_that_a_missing_instance_is_created_with_its_webhook_and_starts_pairing(
    server: EvolutionServer, gateway: EvolutionGateway
) -> None:
    session = server.session(instance="nova loja/2")
    await gateway.set_up(session, WEBHOOK_URL)
    created = server.instances["nova loja/2"]
    assert (created.webhook["url"], created.webhook["headers"]) == (WEBHOOK_URL, {"X-Atende-Secret": SECRET})
    assert (created.webhook["byEvents"], created.webhook["base64"]) == (False, False)
    status = await gateway.status(session)
    assert (status.status, status.qr) == (SessionStatus.AWAITING_QR, "2@new")
    assert server.violations == []


async def test_that_an_instance_that_somebody_else_just_created_is_attached(
    server: EvolutionServer, gateway: EvolutionGateway
) -> None:
    server.creating_answers_forbidden = True
    await gateway.set_up(server.session(instance="nova"), WEBHOOK_URL)
    assert server.instances["nova"].webhook["url"] == WEBHOOK_URL


async def test_that_a_closed_instance_is_started_and_an_open_one_left_alone(
    server: EvolutionServer, gateway: EvolutionGateway
) -> None:
    await gateway.set_up(server.session(), WEBHOOK_URL)
    assert server.paths("/instance/connect/") == []
    server.instances["loja"].state = "close"
    await gateway.set_up(server.session(), WEBHOOK_URL)
    assert server.instances["loja"].state == "connecting"


async def test_that_an_error_told_with_200_is_an_error(server: EvolutionServer, gateway: EvolutionGateway) -> None:
    server.answers(200, {"error": True, "message": "Error: no browser"}, to="/instance/connect/")
    with pytest.raises(GatewayRefusedError, match="no browser"):
        await gateway.control(server.session(), "start")
    with pytest.raises(NotOfferedError):
        await gateway.control(server.session(), "stop")


async def test_that_the_status_tells_the_account_once(server: EvolutionServer, gateway: EvolutionGateway) -> None:
    assert (await gateway.status(server.session())).account == OWN
    known = replace(server.session(), account=OWN)
    assert (await gateway.status(known)).account is None
    server.answers(500, to="/fetchInstances")
    unknown = await gateway.status(server.session())
    assert (unknown.status, unknown.account) == (SessionStatus.CONNECTED, None)


# Sending


@pytest.mark.parametrize(
    ("to", "jid"),
    [
        (CONTACT, JID),
        (Address(AddressKind.LID, "149000011210072"), "149000011210072@lid"),
        (Address(AddressKind.GROUP, "120363000000000001"), "120363000000000001@g.us"),
    ],
)
async def test_that_the_whole_address_goes_out_so_that_the_gateway_does_not_respell_it(
    server: EvolutionServer, gateway: EvolutionGateway, to: Address, jid: str
) -> None:
    message = Outbound("k1", to, "oi", "3EB0Q", typing_seconds=0.2)
    await gateway.send(server.session(), message)
    quoted = {"key": {"id": "3EB0Q", "remoteJid": jid, "fromMe": False}}
    assert server.bodies("/sendText/") == [{"number": jid, "delay": 200, "quoted": quoted, "text": "oi"}]
    await gateway.send(server.session(typing=False), message)
    assert "delay" not in server.bodies("/sendText/")[1]
    assert server.requests[0].headers["apikey"] == "the server's key"


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, ['instance requires property "text"'], SendRejectedError),
        (400, ["Text is required"], SendRejectedError),
        (400, [{"jid": JID, "exists": False, "number": JID}], SendRejectedError),
        (400, ["[object Object]"], SendRejectedError),
        (400, ["Error: Connection Closed"], SendRetryableError),
        (500, "Connection Closed", SendRetryableError),
        (400, ["Error: Timed Out"], SendUncertainError),
        (400, ["PrismaClientKnownRequestError: Unique constraint failed"], SendUncertainError),
        (400, ["TypeError: Cannot read properties of undefined (reading 'id')"], SendUncertainError),
        (500, "Error: Media upload failed on all hosts", SendUncertainError),
        (403, ["Forbidden"], SendRejectedError),
        (404, ['The "loja" instance does not exist'], SendRetryableError),
        (413, "request entity too large", SendRejectedError),
    ],
)
async def test_that_the_gateway_s_words_tell_whether_a_message_may_have_left(
    server: EvolutionServer, gateway: EvolutionGateway, status: int, message: Any, error: type[Exception]
) -> None:
    answer = json.loads(refused(status, "Bad Request", message).text or "")
    server.answers(status, answer)
    with pytest.raises(error) as raised:
        await gateway.send(server.session(), Outbound("k1", CONTACT, "oi"))
    assert raised.type is error


async def test_that_an_answer_about_a_message_of_somebody_else_is_not_believed(
    server: EvolutionServer, gateway: EvolutionGateway
) -> None:
    server.answers(201, {"key": {"remoteJid": JID, "fromMe": False, "id": "3EB0X"}})
    with pytest.raises(SendUncertainError):
        await gateway.send(server.session(), Outbound("k1", CONTACT, "oi"))


async def test_that_a_poll_is_not_cut_to_what_the_gateway_takes(
    server: EvolutionServer, gateway: EvolutionGateway
) -> None:
    options = tuple(str(number) for number in range(11))
    with pytest.raises(NotOfferedError, match="10"):
        await gateway.send(server.session(), Outbound("k1", CONTACT, "?", content=Poll(options)))
    assert server.requests == []


# Numbers, files, history


@pytest.mark.parametrize(
    ("digits", "registered", "asked"),
    [
        ("5511990001111", "5511990001111", ["5511990001111", "551190001111"]),
        ("551190001111", "5511990001111", ["5511990001111", "551190001111"]),
        ("5531990001111", "553190001111", ["553190001111", "5531990001111"]),
        ("5531990001111", "5531990001111", ["553190001111", "5531990001111"]),
        ("551133334444", "551133334444", ["551133334444"]),
        ("351912345678", "351912345678", ["351912345678"]),
    ],
)
async def test_that_a_brazilian_mobile_is_asked_for_with_and_without_its_ninth_digit(
    server: EvolutionServer, gateway: EvolutionGateway, digits: str, registered: str, asked: list[str]
) -> None:
    server.on_whatsapp = {f"{registered}@s.whatsapp.net": f"{registered}@s.whatsapp.net"}
    assert await gateway.check_number(server.session(), digits) == Address(AddressKind.PHONE, registered)
    assert server.bodies("/whatsappNumbers/") == [{"numbers": [f"{one}@s.whatsapp.net" for one in asked]}]
    assert await gateway.check_number(server.session(), "no number") is None


async def test_that_a_stored_file_is_fetched_where_it_lies_and_else_through_the_gateway(
    server: EvolutionServer, gateway: EvolutionGateway
) -> None:
    server.files = {"a.jpg": b"stored", "3EB0A": b"from WhatsApp"}
    extra = {"key": {"id": "3EB0A"}, "message": {"imageMessage": {"directPath": "/v", "mediaKey": "AA=="}}}
    stored = MediaReference("image/png", url=f"{server.base_url}/store/a.jpg", extra=extra)
    file = await gateway.fetch_media(server.session(), stored)
    assert (file.data, file.mime_type) == (b"stored", "image/png")
    expired = MediaReference(url=f"{server.base_url}/store/b.jpg", extra=extra)
    file = await gateway.fetch_media(server.session(), expired)
    assert (file.data, file.mime_type, file.file_name) == (b"from WhatsApp", "image/jpeg", "A.jpeg")
    (body,) = server.bodies("/getBase64FromMediaMessage/")
    assert body == {"message": extra, "convertToMp4": False}


async def test_that_our_key_does_not_go_to_another_server(server: EvolutionServer, gateway: EvolutionGateway) -> None:
    async with serving(EvolutionServer(files={"a.jpg": b"x"})) as other:
        media = MediaReference(url=f"{other.base_url}/store/a.jpg")
        assert (await gateway.fetch_media(server.session(), media)).data == b"x"
        assert "apikey" not in {name.lower() for name in other.requests[0].headers}


async def test_that_history_is_read_page_by_page_and_repeated_messages_once(
    server: EvolutionServer, gateway: EvolutionGateway
) -> None:
    kept = [record(1, f"3EB0{number:03d}", messageTimestamp=NOW - number) for number in range(250)]
    server.records = [*kept[:120], kept[119], *kept[120:], {"key": None}, {"message": 7}]
    since = datetime.fromtimestamp(NOW, UTC) - timedelta(hours=1)
    found = [one.provider_id async for one in gateway.history(server.session(), since=since, chats=[])]
    assert found == [f"3EB0{number:03d}" for number in range(249, -1, -1)]
    assert [body["page"] for body in server.bodies("/findMessages/")] == [1, 2, 3]


async def test_that_a_server_that_lists_everything_is_not_read_to_its_first_day(
    server: EvolutionServer, gateway: EvolutionGateway
) -> None:
    server.records = [record(1, f"3EB0{number:03d}", messageTimestamp=NOW - 60 * number) for number in range(500)]
    since = datetime.fromtimestamp(NOW, UTC) - timedelta(minutes=30)
    found = [one async for one in gateway.history(server.session(), since=since, chats=[])]
    assert (len(found), len(server.bodies("/findMessages/"))) == (31, 2)
