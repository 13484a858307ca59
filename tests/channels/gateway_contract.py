"""What every gateway promises, beside what every sender does. A provider's tests inherit it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
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
from channels.gateway import (
    File,
    Gateway,
    GatewayRefusedError,
    GatewayUnavailableError,
    NotOfferedError,
    WebhookDelivery,
)
from domain import contents
from domain.contents import Content, Media
from domain.errors import AtendeError
from domain.messages import Ack, Address, AddressKind, MediaReference, MessageKind, Outbound, SessionStatus
from tests.channels.contract import SenderContract, Subject
from tests.gateways.stand_in import StandIn

WEBHOOK_URL = "https://atende.example/webhooks/x/7f8d"
PICTURE = b"\xff\xd8\xff\xe0 a picture"

CONTENTS: Mapping[str, tuple[str, Content]] = {
    "image": ("veja", Media("image", "m1", "image/jpeg", "foto.jpg")),
    "image without words": ("", Media("image", "m1", "image/png")),
    "video": ("veja", Media("video", "m1", "video/mp4")),
    "audio": ("", Media("audio", "m1", "audio/mpeg", "som.mp3")),
    "voice": ("", Media("voice", "m1", "audio/ogg; codecs=opus")),
    "document": ("contrato", Media("document", "m1", "application/pdf", "contrato.pdf")),
    "document without a name": ("", Media("document", "m1", "application/x-of-nobody")),
    "sticker": ("", Media("sticker", "m1", "image/webp")),
    "link preview": ("veja https://x.example", contents.LinkPreview("https://x.example", "Loja", "Roupas")),
    "location": ("", contents.Location(-22.9711, -43.1822, "Loja", "Av. N. S. de Copacabana, 25")),
    "bare location": ("", contents.Location(0.0, 0.0)),
    "contact": ("", contents.ContactCard("Maria Souza", "5511990001111")),
    "reaction": ("", contents.Reaction("3EB0TARGET", "👍🏽")),
    "reaction taken back": ("", contents.Reaction("3EB0TARGET", "", from_me=True)),
    "poll": ("Qual horário?", contents.Poll(("manhã", "tarde"))),
    "poll of several": ("Quais?", contents.Poll(("a", "b", "c"), several=True)),
    "buttons": ("Confirma?\nAs 10 h", contents.Buttons((contents.Choice("y", "Sim"), contents.Choice("n", "Não")))),
    "list": (
        "Escolha um serviço",
        contents.ListMenu(
            "Ver", (contents.Choice("1", "Corte"), contents.Choice("2", "Barba", "30 minutos")), "Obrigado"
        ),
    ),
    "edit": ("texto corrigido", contents.Edit("3EB0TARGET")),
    "revoke": ("", contents.Revoke("3EB0TARGET")),
    "template": ("Olá, Maria", contents.Template("ola", "pt_BR", ("Maria",))),
}
"""At least one of every type; a new type of content fails the test below until it stands here."""

GATEWAY_ERRORS = (GatewayRefusedError, GatewayUnavailableError, NotOfferedError)
NONSENSE: tuple[Any, ...] = (None, [], {}, "ok", 7, [None], {"response": [7]}, {"messages": 7}, [{"jid": {}}], [[[]]])


class Files:
    """A media source that has one file for everybody."""

    def __init__(self, data: bytes = PICTURE) -> None:
        self.data = data

    async def read(self, media: Media) -> File:
        """The one file."""
        return File(self.data, media.mime_type, media.file_name)


@dataclass(frozen=True, slots=True)
class GatewaySubject(Subject):
    """A gateway before its stand-in. What each field needs the stand-in to hold stands beside it.

    None (or empty) where the gateway offers no such thing: then the method must raise NotOfferedError.
    """

    gateway: Gateway
    far: StandIn
    delivery: WebhookDelivery
    """An authentic delivery to ``session``."""
    arranged: Callable[[], Any]
    """What the far side has of the number and our webhook: setting up twice must not change it."""
    webhook_url: Callable[[], str]
    """Where the far side sends its webhooks."""
    await_scan: Callable[[str], None] | None
    """Let the number wait for the scan of this code."""
    number: tuple[str, Address] | None
    """Digits that are on WhatsApp, and their address there. "5511000000000" is on no stand-in's WhatsApp."""
    media: MediaReference
    """A customer's file whose bytes are PICTURE."""
    history: tuple[str, ...]
    """Ids of messages that the far side kept, oldest first, all newer than an hour."""


def hurry(gateway: Gateway) -> None:
    """Let this gateway lose patience soon: only for tests of silence, for elsewhere a busy machine looks the same."""
    gateway._http.send_timeout_seconds = gateway.send_timeout_seconds = 1.0  # type: ignore[attr-defined]
    gateway._http.ask_timeout_seconds = 0.5  # type: ignore[attr-defined]


def falls_silent(gateway: Gateway, far: Any) -> Callable[[], None]:
    """Breaks the far side down by silence, which the gateway then does not bear for long."""

    def silence() -> None:
        hurry(gateway)
        far.hangs()

    return silence


def plain_client() -> httpx.AsyncClient:
    """A client for loopback: without the certificates, whose loading takes longer than a test."""
    return httpx.AsyncClient(verify=False)


def assert_well_formed(event: ChannelEvent) -> None:
    """What flows rely on in every event."""
    match event:
        case MessageReceived() | MessageEdited() | MessageRevoked():
            assert isinstance(event.provider_id, str)
            assert event.provider_id
            assert isinstance(event.chat, Address)
            assert event.chat.value
            assert all(isinstance(one, Address) for one in event.alternates)
            assert isinstance(event.from_me, bool)
        case ReceiptChanged() | SendFailed():
            assert event.provider_ids
            assert all(isinstance(name, str) and name for name in event.provider_ids)
            assert event.at.tzinfo is not None
        case SessionChanged():
            assert isinstance(event.status, SessionStatus)
            assert event.qr is None or isinstance(event.qr, str)
            assert event.account is None or isinstance(event.account, str)
    match event:
        case MessageReceived():
            assert event.sent_at.tzinfo is not None
            assert isinstance(event.kind, MessageKind)
            assert isinstance(event.text, str)
            assert event.sender is None or isinstance(event.sender, Address)
            assert event.push_name is None or isinstance(event.push_name, str)
            assert event.quoted_provider_id is None or isinstance(event.quoted_provider_id, str)
            json.dumps(event.raw, allow_nan=False).encode()
            if event.media is not None:
                facts = (event.media.mime_type, event.media.file_name, event.media.url)
                assert all(fact is None or isinstance(fact, str) for fact in facts)
                assert event.media.size_bytes is None or event.media.size_bytes >= 0
                json.dumps(event.media.extra, allow_nan=False).encode()
        case MessageEdited():
            assert isinstance(event.text, str)
            assert event.at.tzinfo is not None
        case ReceiptChanged():
            assert isinstance(event.ack, Ack)
        case Unrecognised():
            assert isinstance(event.name, str)
            assert 0 < len(event.name) <= 200
            json.dumps(event.raw, allow_nan=False).encode()


def any_json(names: list[str], values: list[Any]) -> st.SearchStrategy[Any]:
    """JSON of any shape, rich in names and values that a gateway uses."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=10)
        | st.sampled_from(values)
        | st.sampled_from([0, 1, -1, 14, 1772625590, "1772625590", {"low": 5, "high": 0, "unsigned": True}])
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=6),
        max_leaves=30,
    )


def mutated(chance: Random, value: Any, wild: list[Any]) -> Any:
    """A webhook with parts missing, exchanged or of another type."""
    if chance.random() < 0.1:
        return chance.choice(wild)
    if isinstance(value, dict):
        return {name: mutated(chance, item, wild) for name, item in value.items() if chance.random() > 0.04}
    if isinstance(value, list):
        return [mutated(chance, item, wild) for item in value]
    return value


class GatewayContract(SenderContract):
    """Inherit as ``class TestX(GatewayContract)`` with a fixture ``subject`` that gives a GatewaySubject.

    ``webhooks``: a hypothesis strategy of bodies for ``parse``, mostly such as the gateway sends. The fixture's gateway
    waits no longer than a second for anything.
    """

    webhooks: ClassVar[st.SearchStrategy[Any]]
    samples: ClassVar[list[Any]]
    """Bodies as the gateway sends them, of every event and of several kinds of message."""
    secret_setting: ClassVar[str]
    """The setting by which deliveries are checked."""

    @staticmethod
    def make(http: httpx.AsyncClient) -> Gateway:
        """The gateway, for tests that send nothing."""
        raise NotImplementedError

    # Deliveries

    def test_that_an_authentic_delivery_is_accepted(self, subject: GatewaySubject) -> None:
        assert subject.gateway.verify(subject.session.config, subject.delivery)

    def test_that_anything_else_is_refused(self, subject: GatewaySubject) -> None:
        gateway, config, good = subject.gateway, subject.session.config, subject.delivery
        anonymous = WebhookDelivery(good.raw_body, {}, "")
        assert not gateway.verify(config, anonymous)
        for secret in ("another secret", "", None, 7):
            assert not gateway.verify({**config, self.secret_setting: secret}, good)
            assert not gateway.verify({**config, self.secret_setting: secret}, anonymous)
        assert not gateway.verify({}, good)
        spoilt = ("", "x", "ç\ud800", "Bearer", "Bearer a.b.c", "Bearer ..", "\0", "a" * 100_000)
        for wrong in spoilt:
            headers = dict.fromkeys(good.headers, wrong)
            assert not gateway.verify(config, WebhookDelivery(good.raw_body, headers, wrong)), wrong[:20]

    @settings(
        max_examples=100, deadline=None, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow]
    )
    @given(st.data())
    def test_that_parsing_never_raises_and_every_event_is_well_formed(self, data: st.DataObject) -> None:
        gateway = self.make(plain_client())
        body = data.draw(self.webhooks)
        for event in gateway.parse(body, SessionRef("s1", gateway.provider)):
            assert_well_formed(event)

    def test_that_a_spoilt_webhook_never_raises_either(self) -> None:
        gateway, chance = self.make(plain_client()), Random(20260304)
        session = SessionRef("s1", gateway.provider, account="5511900000000:3@s.whatsapp.net")
        wild = [None, True, 0, -1, 1.5, float("nan"), 2**70, "", "x", "\ud800", "\0", [], {}, [{}], {"a": []}, [[1]]]
        wild += [{"low": 5, "high": 0, "unsigned": True}, {"_serialized": "x"}, *self.samples]
        understood = 0
        for _ in range(1500):
            body = mutated(chance, chance.choice(self.samples), wild)
            for event in gateway.parse(body, session):
                assert_well_formed(event)
                understood += not isinstance(event, Unrecognised)
        assert understood > 300

    @pytest.mark.parametrize("body", [None, True, 0, "", "x", [], {}, [[]], [None], {"event": None}, {"event": {}}])
    def test_that_what_is_no_webhook_is_kept_or_empty(self, body: Any) -> None:
        gateway = self.make(plain_client())
        events = gateway.parse(body, SessionRef("s1", gateway.provider))
        assert all(isinstance(event, Unrecognised) for event in events)
        assert events or body == []

    # Setting up

    async def test_that_setting_up_registers_the_webhook_and_again_changes_nothing(
        self, subject: GatewaySubject
    ) -> None:
        first = await subject.gateway.set_up(subject.session, WEBHOOK_URL)
        assert subject.webhook_url().startswith(WEBHOOK_URL)
        arranged = subject.arranged()
        json.dumps(dict(first.config))
        again = replace(subject.session, config={**subject.session.config, **first.config})
        second = await subject.gateway.set_up(again, WEBHOOK_URL)
        assert subject.arranged() == arranged
        assert {**again.config, **second.config} == again.config
        assert subject.far.violations == []

    async def test_that_the_status_tells_the_code_to_scan(self, subject: GatewaySubject) -> None:
        assert (await subject.gateway.status(subject.session)).status is SessionStatus.CONNECTED
        if subject.await_scan is None:
            return
        subject.await_scan("2@the,newest,code")
        event = await subject.gateway.status(subject.session)
        assert (event.status, event.qr) == (SessionStatus.AWAITING_QR, "2@the,newest,code")
        assert subject.far.violations == []

    @pytest.mark.parametrize("wish", ["start", "restart", "stop", "logout", "delete"])
    async def test_that_a_number_can_be_controlled_or_the_gateway_says_that_it_cannot(
        self, subject: GatewaySubject, wish: Any
    ) -> None:
        for _ in range(2):  # a wish that is already fulfilled is no error
            with suppress(NotOfferedError):
                await subject.gateway.control(subject.session, wish)
        assert subject.far.violations == []

    # Sending

    def test_that_every_type_of_content_is_tried_here(self) -> None:
        assert {content.type for _, content in CONTENTS.values()} == contents.CONTENT_TYPES.keys()

    @pytest.mark.parametrize("kind", ["phone", "group"])
    @pytest.mark.parametrize("name", CONTENTS)
    async def test_that_every_content_is_sent_as_published_or_clearly_not_offered(
        self, subject: GatewaySubject, name: str, kind: str
    ) -> None:
        text, content = CONTENTS[name]
        to = subject.contact if kind == "phone" else Address(AddressKind.GROUP, "120363000000000001")
        message = Outbound("k1", to, text, content=content)
        outcome: Any
        try:
            outcome = await subject.gateway.send(subject.session, message)
        except SendRejectedError as error:
            outcome = error
        offered = content.type in subject.gateway.content_types
        if isinstance(outcome, NotOfferedError):
            assert outcome.provider == subject.gateway.provider
            assert not offered or isinstance(content, Media) or kind == "group"
        elif isinstance(outcome, SendRejectedError):
            assert kind == "group"  # where a message of somebody else cannot be named without its author
        else:
            assert offered
            assert outcome.provider_id
        assert subject.far.violations == []

    @pytest.mark.parametrize("from_me", [False, True])
    async def test_that_a_quote_is_sent_as_published(self, subject: GatewaySubject, from_me: bool) -> None:
        message = Outbound("k1", subject.contact, "oi", "3EB0QUOTED", quoted_from_me=from_me, typing_seconds=0.1)
        await subject.gateway.send(subject.session, message)
        assert subject.far.violations == []
        assert "3EB0QUOTED" in json.dumps([request.body for request in subject.far.requests])

    @pytest.mark.parametrize("body", [*NONSENSE, {"id": 7}, {"key": {"id": None}}, {"key": {"id": ["a"]}}])
    async def test_that_a_success_without_an_id_is_uncertain(self, subject: GatewaySubject, body: Any) -> None:
        subject.far.answers(201, body)
        with pytest.raises((SendUncertainError, SendRetryableError)) as raised:
            await subject.gateway.send(subject.session, self.message(subject))
        assert raised.type is SendUncertainError or not subject.arrived()

    async def test_that_a_page_instead_of_an_answer_is_uncertain(self, subject: GatewaySubject) -> None:
        subject.far.answers_html()
        with pytest.raises((SendUncertainError, SendRetryableError)) as raised:
            await subject.gateway.send(subject.session, self.message(subject))
        assert raised.type is SendUncertainError or not subject.arrived()

    async def test_that_a_gateway_that_hangs_leaves_it_uncertain_in_time(self, subject: GatewaySubject) -> None:
        hurry(subject.gateway)
        subject.far.hangs()
        before = datetime.now(UTC)
        with pytest.raises(SendUncertainError):
            await subject.gateway.send(subject.session, self.message(subject))
        assert datetime.now(UTC) - before < timedelta(seconds=subject.gateway.send_timeout_seconds + 3)

    async def test_that_a_late_answer_counts_and_one_too_late_leaves_it_uncertain(
        self, subject: GatewaySubject
    ) -> None:
        subject.far.answers_late(0.2)
        assert (await subject.gateway.send(subject.session, self.message(subject))).provider_id
        hurry(subject.gateway)
        subject.far.answers_late(subject.gateway.send_timeout_seconds + 1)
        with pytest.raises(SendUncertainError):
            await subject.gateway.send(subject.session, self.message(subject))
        assert len(subject.arrived()) == 2

    @pytest.mark.parametrize("status", [401, 429, 500, 502, 302])
    async def test_that_a_refusal_is_one_of_the_three_errors(self, subject: GatewaySubject, status: int) -> None:
        subject.far.answers(status, {"message": "no"}, headers={"Retry-After": "7"})
        with pytest.raises((SendRejectedError, SendRetryableError, SendUncertainError)) as raised:
            await subject.gateway.send(subject.session, self.message(subject))
        expected = {401: SendRejectedError, 302: SendRejectedError, 429: SendRetryableError}
        assert raised.type is expected.get(status, SendUncertainError)
        if isinstance(raised.value, SendRetryableError):
            assert raised.value.after_seconds == 7

    # Courtesies, files, numbers, history

    async def test_that_courtesies_are_shown_as_published(self, subject: GatewaySubject) -> None:
        for action in (
            subject.gateway.mark_read(subject.session, subject.contact, ["3EB0A", "3EB0B"]),
            subject.gateway.show_typing(subject.session, subject.contact, typing=True),
            subject.gateway.show_typing(subject.session, subject.contact, typing=False),
        ):
            with suppress(NotOfferedError):
                await action
        assert subject.far.violations == []

    async def test_that_a_number_is_found_or_not(self, subject: GatewaySubject) -> None:
        if subject.number is None:
            with pytest.raises(NotOfferedError):
                await subject.gateway.check_number(subject.session, "5511990001111")
            return
        digits, address = subject.number
        assert await subject.gateway.check_number(subject.session, digits) == address
        assert await subject.gateway.check_number(subject.session, "5511000000000") is None
        assert subject.far.violations == []

    async def test_that_a_file_is_fetched(self, subject: GatewaySubject) -> None:
        file = await subject.gateway.fetch_media(subject.session, subject.media)
        assert file.data == PICTURE
        assert subject.far.violations == []
        with pytest.raises(GATEWAY_ERRORS):
            await subject.gateway.fetch_media(subject.session, MediaReference())

    async def test_that_history_is_listed_oldest_first(self, subject: GatewaySubject) -> None:
        since = datetime.now(UTC) - timedelta(hours=1)
        listing = subject.gateway.history(subject.session, since=since, chats=[subject.contact])
        if not subject.history:
            with pytest.raises(NotOfferedError):
                await _all(listing)
            return
        found = await _all(listing)
        assert tuple(message.provider_id for message in found) == subject.history
        assert {message.chat for message in found} == {subject.contact}
        later = subject.gateway.history(subject.session, since=datetime.now(UTC), chats=[subject.contact])
        assert await _all(later) == []
        assert subject.far.violations == []

    @pytest.mark.parametrize("fate", ["gone", "500", "401", "page", "nonsense", "hanging"])
    async def test_that_no_question_raises_anything_else(self, subject: GatewaySubject, fate: str) -> None:
        gateway, session, far = subject.gateway, subject.session, subject.far
        for body in NONSENSE if fate == "nonsense" else [None]:
            match fate:
                case "gone":
                    session = replace(session, config={**session.config, "base_url": "http://127.0.0.1:9"})
                case "500" | "401":
                    far.answers(int(fate), {"message": ["no"], "error": {}})
                case "page":
                    far.answers_html()
                case "nonsense":
                    far.answers(200, body)
                case _:
                    hurry(gateway)
                    far.hangs()
            since = datetime.now(UTC) - timedelta(hours=1)
            questions: list[Any] = [
                gateway.set_up(session, WEBHOOK_URL),
                gateway.status(session),
                gateway.control(session, "restart"),
                gateway.fetch_media(session, subject.media),
                gateway.mark_read(session, subject.contact, ["3EB0A"]),
                gateway.show_typing(session, subject.contact, typing=True),
                gateway.check_number(session, "5511990001111"),
                _all(gateway.history(session, since=since, chats=[subject.contact])),
            ]
            outcomes = await asyncio.gather(*questions, return_exceptions=True)
            failures = [one for one in outcomes if isinstance(one, BaseException)]
            assert [one for one in failures if not isinstance(one, GATEWAY_ERRORS)] == []
            assert all(one.sentence() for one in failures if isinstance(one, AtendeError))

    async def test_that_missing_settings_are_named(self, subject: GatewaySubject) -> None:
        for setting in subject.gateway.settings:
            if not setting.required or setting.made or setting.default is not None:
                continue
            config = {name: value for name, value in subject.session.config.items() if name != setting.name}
            session = replace(subject.session, config=config)
            with pytest.raises(GatewayRefusedError) as raised:
                await subject.gateway.set_up(session, WEBHOOK_URL)
            assert setting.name in raised.value.sentence()
            with pytest.raises(SendRejectedError):
                await subject.gateway.send(session, self.message(subject))


async def _all(messages: AsyncIterator[MessageReceived]) -> list[MessageReceived]:
    return [message async for message in messages]
