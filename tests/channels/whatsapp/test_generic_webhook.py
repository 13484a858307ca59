"""The generic webhook: its published contract, its signatures, and both directions under the contract of gateways."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import strategies as st

from channels.base import (
    ChannelEvent,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReceiptChanged,
    SendFailed,
    SendRejectedError,
    SendRetryableError,
    SendUncertainError,
    SessionChanged,
    SessionRef,
    Unrecognised,
)
from channels.gateway import Gateway, GatewayRefusedError, NotOfferedError, WebhookDelivery
from channels.whatsapp.generic_webhook import GenericWebhookGateway
from channels.whatsapp.generic_webhook_events import parse, verify
from domain.contents import Media
from domain.messages import Ack, Address, AddressKind, MediaReference, MessageKind, Outbound, SessionStatus
from tests.channels.gateway_contract import PICTURE, Files, GatewayContract, GatewaySubject, any_json, falls_silent
from tests.gateways.generic_webhook_server import DOCS, KEY, SECRET, SESSION, TENANT, GenericService, shape
from tests.gateways.shapes import problems
from tests.gateways.stand_in import serving

CUSTOMER = Address(AddressKind.PHONE, "5511990001111")
LID = Address(AddressKind.LID, "149000011210072")
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
NAMES_TEXT = """
event events data id ids chat phone lid group from_me sender alternates name timestamp type text quoted_id reaction
message_id emoji media url mime_type size location contacts choice status error key code detail account historical
raw
"""
EVENTS_TEXT = "message message_status message_edited message_revoked status_change qr_code"
NAMES, EVENTS = NAMES_TEXT.split(), EVENTS_TEXT.split()
VALUES = [
    *EVENTS, "image", "reaction", "read", "failed", "5511990001111", "149@lid", "1@g.us", "3EB0A", "connected",
    "2026-03-04T12:00:00Z", "phone:55", "",
]  # fmt: skip


def plain(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"x-webhook-signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def standard(body: bytes, key: bytes, name: str = "evt_1", at: str = "1700000000") -> dict[str, str]:
    signature = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


@pytest.fixture
async def service() -> AsyncIterator[GenericService]:
    async with serving(GenericService()) as running:
        yield running


@pytest.fixture
async def gateway() -> AsyncIterator[GenericWebhookGateway]:
    async with httpx.AsyncClient(verify=False) as http:
        yield GenericWebhookGateway(http, Files())


def number(service: GenericService, **more: Any) -> SessionRef:
    config = {"base_url": f"{service.base_url}/api", "api_key": KEY, "webhook_secret": SECRET}
    return SessionRef("s1", "webhook", None, {**config, "tenant": TENANT, "session": SESSION, **more})


def examples() -> list[Any]:
    """The JSON in the document."""
    text = (DOCS / "generic-webhook.md").read_text()
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


class TestGenericWebhook(GatewayContract):
    secret_setting = "webhook_secret"
    webhooks = st.one_of(
        any_json(NAMES, VALUES),
        st.fixed_dictionaries({"event": st.sampled_from(EVENTS), "data": any_json(NAMES, VALUES)}),
        st.builds(
            lambda event, data: {"event": event, "data": {"id": "3EB0A", "chat": "5511990001111", **data}},
            st.sampled_from(EVENTS),
            st.dictionaries(st.sampled_from(NAMES), any_json(NAMES, VALUES), max_size=6),
        ),
    )

    samples: ClassVar[list[Any]] = [example for example in examples() if "event" in example or "events" in example]

    @staticmethod
    def make(http: httpx.AsyncClient) -> Gateway:
        return GenericWebhookGateway(http, Files())

    @pytest.fixture
    def subject(self, service: GenericService, gateway: GenericWebhookGateway) -> GatewaySubject:
        def arrived() -> list[tuple[Address, str]]:
            return [(Address(AddressKind.PHONE, sent["to"]["phone"]), sent["text"]) for sent in service.sent.values()]

        now = datetime.now(UTC)
        service.people["5511990001111"] = {"phone": "5511990001111"}
        service.files["f1"] = PICTURE
        times = [(now - timedelta(minutes=9 - n)).isoformat() for n in range(5)]
        chat = {"phone": "5511990001111"}
        service.messages = [{"id": f"3EB{n}", "chat": chat, "timestamp": at} for n, at in enumerate(times)]
        body = b'{"event": "message"}'
        return GatewaySubject(
            sender=gateway,
            session=number(service),
            contact=CUSTOMER,
            arrived=arrived,
            break_down=falls_silent(gateway, service),
            gateway=gateway,
            far=service,
            delivery=WebhookDelivery(body, plain(body)),
            arranged=lambda: service.webhook,
            webhook_url=lambda: str(service.webhook["url"]),
            await_scan=lambda code: setattr(service, "state", {"status": "awaiting_qr", "qr": code}),
            number=("5511990001111", CUSTOMER),
            media=MediaReference(extra={"id": "f1"}),
            history=tuple(f"3EB{n}" for n in range(5)),
        )


def test_that_the_documents_examples_are_as_its_schema_says_and_are_understood() -> None:
    deliveries = [example for example in examples() if "event" in example or "events" in example]
    (outbound,) = [example for example in examples() if example not in deliveries]
    assert list(problems(outbound, shape("outbound"))) == []
    for delivery in deliveries:
        assert list(problems(delivery, shape("delivery"))) == []
        assert not [event for event in parse(delivery) if isinstance(event, Unrecognised)]
    first, picture, reaction, delivered, *changes = [event for delivery in deliveries for event in parse(delivery)]
    assert first == MessageReceived("3EB0A1", CUSTOMER, AT, text="Oi! Onde está o meu pedido?", push_name="Maria")
    assert isinstance(picture, MessageReceived)
    assert (picture.chat, picture.alternates, picture.quoted_provider_id) == (LID, (CUSTOMER,), "3EB0A1")
    assert picture.media == MediaReference("image/jpeg", None, 81234, None, {"id": "f1"})
    assert isinstance(reaction, MessageReceived)
    assert (reaction.kind, reaction.text, reaction.quoted_provider_id) == (MessageKind.REACTION, "👍", "3EB0A1")
    assert isinstance(delivered, ReceiptChanged)
    assert (delivered.ack, delivered.key) == (Ack.DEVICE, "6f9e2c1a-6c1e-4a53-9d0e-3a4f5b6c7d8e")
    assert [type(event) for event in changes] == [
        MessageEdited, MessageRevoked, SessionChanged, SessionChanged, SessionChanged,
    ]  # fmt: skip


def one(data: dict[str, Any], event: str = "message") -> ChannelEvent:
    (found,) = parse({"event": event, "data": data}, received_at=AT)
    return found


def test_that_every_kind_every_address_and_every_time_is_read() -> None:
    for kind in MessageKind:
        found = one({"id": "1", "chat": "5511990001111", "type": kind.value, "text": "x"})
        assert isinstance(found, MessageReceived)
        assert (found.kind, found.text, found.sent_at) == (kind, "x", AT)
    for chat, address in (
        ({"phone": 5511990001111}, CUSTOMER),
        ("+55 11 99000-1111", CUSTOMER),
        ("5511990001111@s.whatsapp.net", CUSTOMER),
        ("5511990001111@c.us", CUSTOMER),
        ("lid:149000011210072", LID),
        ("149000011210072@lid", LID),
        ({"group": "120363@x"}, Address(AddressKind.GROUP, "120363@x")),
    ):
        found = one({"id": "1", "chat": chat})
        assert isinstance(found, MessageReceived)
        assert found.chat == address
    for stated in ("2026-03-04T09:00:00-03:00", 1772625600, "1772625600", 1772625600000):
        found = one({"id": "1", "chat": "55", "timestamp": stated})
        assert isinstance(found, MessageReceived)
        assert found.sent_at == AT
    group = one({"id": "1", "chat": {"group": "g"}, "sender": "5511990001111", "from_me": False, "name": "Ana"})
    assert isinstance(group, MessageReceived)
    assert (group.sender, group.push_name) == (CUSTOMER, "Ana")
    place = one(
        {"id": "1", "chat": "55", "type": "location", "location": {"latitude": 1, "longitude": 2, "name": "Loja"}}
    )
    assert isinstance(place, MessageReceived)
    assert (place.text, place.raw["location"]["latitude"]) == ("Loja", 1)
    inside = one({"id": "1", "chat": "55", "type": "image", "media": {"data": "aGk=", "mime_type": "image/png"}})
    assert isinstance(inside, MessageReceived)
    assert inside.media == MediaReference("image/png", extra={"data": "aGk="})
    new = one({"id": "1", "chat": "55", "type": "hologram", "text": "x"})
    assert isinstance(new, MessageReceived)
    assert (new.kind, new.raw["type"]) == (MessageKind.UNKNOWN, "hologram")


def test_that_receipts_failures_and_states_are_read_and_the_rest_is_kept() -> None:
    assert one({"ids": ["1", "2"], "status": "read", "chat": "55"}, "message_status") == ReceiptChanged(
        ("1", "2"), Ack.READ, AT, Address(AddressKind.PHONE, "55")
    )
    assert one({"id": "1", "status": "failed", "error": "no", "key": "k"}, "message_status") == SendFailed(
        ("1",), AT, "no", "k"
    )
    for state in SessionStatus:
        found = one({"status": state.value, "qr": "2@x"}, "status_change")
        assert isinstance(found, SessionChanged)
        assert (found.status, found.qr) == (state, "2@x" if state is SessionStatus.AWAITING_QR else None)
    for event, data in (
        ("message", {"id": "1"}),
        ("message", {"chat": "55"}),
        ("message", {"id": "1", "chat": {"phone": "1", "lid": "2"}}),
        ("message", {"id": "1", "chat": "maria"}),
        ("message_status", {"id": "1", "status": "teleported"}),
        ("message_status", {"status": "read"}),
        ("message_edited", {"id": "1", "chat": "55"}),
        ("status_change", {"status": "great"}),
        ("qr_code", {}),
        ("presence", {"x": 1}),
    ):
        assert isinstance(one(data, event), Unrecognised), (event, data)
    batch: list[Any] = [{"event": "qr_code", "data": {"code": "x"}}, 7, {"event": "message", "data": None}]
    for body in (batch, {"events": batch}):
        assert [type(event) for event in parse(body)] == [SessionChanged, Unrecognised, Unrecognised]
    (kept,) = parse([7, "x", None])
    assert isinstance(kept, Unrecognised)
    assert kept.raw["count"] == 3


def test_that_both_signatures_are_checked_over_the_raw_bytes() -> None:
    body, key = '{"a": "ção"}'.encode(), b"0123456789abcdef01234567"
    coded = base64.b64encode(key).decode()
    assert verify(SECRET, body, plain(body))
    assert verify(SECRET, body, standard(body, SECRET.encode()))
    assert verify(f"whsec_{coded}", body, standard(body, key))
    assert verify(coded, body, standard(body, key))
    # The example of the specification's own libraries.
    vector = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}', vector)
    rotated = standard(body, SECRET.encode())
    rotated["webhook-signature"] = f"v1,b2xk v1a,x {rotated['webhook-signature']}"
    assert verify(SECRET, body, rotated)
    for wrong in (
        {},
        plain(body + b" "),
        plain(body, "another"),
        {"x-webhook-signature": ""},
        {"x-webhook-signature": "sha256="},
        standard(body, b"another"),
        {**standard(body, SECRET.encode()), "webhook-id": "evt_2"},
        {**standard(body, SECRET.encode()), "webhook-timestamp": "1700000001"},
        {**standard(body, SECRET.encode()), "webhook-signature": "v1,ção"},
        {"webhook-signature": standard(body, SECRET.encode(), "", "")["webhook-signature"]},
    ):
        assert not verify(SECRET, body, wrong), wrong
    for secret in ("", None, 5):
        assert not verify(secret, body, plain(body, ""))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"code": "invalid_recipient", "message": "nobody"}}, SendRejectedError),
        (200, {"error": {"code": "rejected"}}, SendUncertainError),
        (501, {}, NotOfferedError),
        (422, {"error": {"code": "not_offered"}}, NotOfferedError),
        (503, {"error": {"code": "unavailable"}}, SendRetryableError),
        (409, {"error": {"code": "session_not_connected"}}, SendRetryableError),
        (503, {}, SendUncertainError),
        (500, {"error": {"code": "something_new"}}, SendUncertainError),
        (422, {"error": {"code": "something_new"}}, SendRejectedError),
    ],
)
async def test_that_the_documents_table_of_answers_holds(
    service: GenericService, gateway: GenericWebhookGateway, *, status: int, body: Any, kind: type[Exception]
) -> None:
    service.answers(status, body, headers={"Retry-After": "9"})
    with pytest.raises(kind) as found:
        await gateway.send(number(service), Outbound("k", CUSTOMER, "oi"))
    assert found.type is kind
    if isinstance(found.value, SendRetryableError):
        assert found.value.after_seconds == 9


async def test_that_a_service_that_only_sends_is_enough(
    service: GenericService, gateway: GenericWebhookGateway
) -> None:
    service.lacks = {"PUT ", "GET ", "DELETE ", "POST /read", "POST /typing", "POST /stop", "GET /messages"}
    session = number(service)
    (todo,) = (await gateway.set_up(session, "https://atende.example/w")).left_to_do
    assert "https://atende.example/w" in todo
    assert (await gateway.status(session)).status is SessionStatus.UNKNOWN
    for question in (
        gateway.control(session, "stop"),
        gateway.control(session, "delete"),
        gateway.mark_read(session, CUSTOMER, ["1"]),
        gateway.show_typing(session, CUSTOMER, typing=True),
    ):
        with pytest.raises(NotOfferedError):
            await question
    await gateway.send(session, Outbound("k", CUSTOMER, "oi", typing_seconds=0.1))
    assert len(service.sent) == 1
    assert service.violations == []


async def test_that_files_come_from_where_the_event_says_and_our_key_goes_only_home(
    service: GenericService, gateway: GenericWebhookGateway
) -> None:
    service.files["f1"] = PICTURE
    for url in (f"{service.base_url}/api/sessions/vendas/media/f1", "/sessions/vendas/media/f1"):
        found = await gateway.fetch_media(number(service), MediaReference("image/png", "a.png", url=url))
        assert (found.data, found.mime_type, found.file_name) == (PICTURE, "image/png", "a.png")
    async with serving(GenericService()) as elsewhere:
        foreign = MediaReference(url=f"{elsewhere.base_url}/api/sessions/vendas/media/f1")
        with pytest.raises(GatewayRefusedError):
            await gateway.fetch_media(number(service), foreign)
        (request,) = elsewhere.requests
        assert "Authorization" not in request.headers
    sent = await gateway.send(number(service), Outbound("k", CUSTOMER, "", content=Media("image", "m", "image/png")))
    assert base64.b64decode(service.sent[sent.provider_id]["media"]["data"]) == PICTURE
