"""Sending through the Cloud API, against a stand-in that checks every request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from channels.base import (
    NumberRefusedError,
    SendRejectedError,
    SendRetryableError,
    SendUncertainError,
    SessionRef,
)
from channels.gateway import File, GatewayRefusedError, GatewayUnavailableError, NotOfferedError
from channels.whatsapp.cloud_api import CloudApiGateway
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
    TemplateButton,
)
from domain.messages import Address, AddressKind, MediaReference, Outbound, SessionStatus
from tests.channels.gateway_contract import hurry
from tests.gateways.cloud_api_server import PHONE_ID, CloudApiServer, error, running_cloud_api
from tests.gateways.files import Files

CUSTOMER = Address(AddressKind.PHONE, "5511990001111")
HIDDEN = Address(AddressKind.BSUID, "BR.13491208655302741918")


@pytest.fixture
async def graph() -> AsyncIterator[CloudApiServer]:
    async with running_cloud_api() as server:
        yield server
        assert server.problems == []


@pytest.fixture
async def files() -> Files:
    return Files({"f": File(b"bytes", "application/pdf", "x.pdf")})


@pytest.fixture
async def gateway(files: Files) -> AsyncIterator[CloudApiGateway]:
    async with httpx.AsyncClient(verify=False) as http:
        yield CloudApiGateway(http, files)


def _named(value: object) -> str:
    return value if isinstance(value, str) else getattr(value, "__name__", "fault").strip("<>")


def number(graph: CloudApiServer, **config: Any) -> SessionRef:
    return SessionRef("s1", "cloud_api", None, {**graph.config, **config})


def message(content: Content | None = None, text: str = "oi", to: Address = CUSTOMER, **more: Any) -> Outbound:
    return Outbound(key="6f9e", to=to, text=text, content=content, **more)


@pytest.mark.parametrize(
    ("content", "text", "wanted"),
    [
        (None, "ação 🙏🏽", {"type": "text", "text": {"body": "ação 🙏🏽", "preview_url": False}}),
        (
            Location(-23.5, -46.6, "Loja", "Rua A"),
            "",
            {"location": {"latitude": -23.5, "longitude": -46.6, "name": "Loja", "address": "Rua A"}},
        ),
        (
            ContactCard("Ana Lima", "5511990002222"),
            "",
            {
                "contacts": [
                    {
                        "name": {"formatted_name": "Ana Lima", "first_name": "Ana"},
                        "phones": [{"phone": "+5511990002222", "wa_id": "5511990002222", "type": "CELL"}],
                    }
                ]
            },
        ),
        (Reaction("wamid.9", "👍"), "", {"reaction": {"message_id": "wamid.9", "emoji": "👍"}}),
        (Reaction("wamid.9", ""), "", {"reaction": {"message_id": "wamid.9", "emoji": ""}}),
        (
            Buttons((Choice("a", "Sim"), Choice("b", "Não")), "rodapé"),
            "Certo?",
            {
                "interactive": {
                    "type": "button",
                    "body": {"text": "Certo?"},
                    "footer": {"text": "rodapé"},
                    "action": {
                        "buttons": [
                            {"type": "reply", "reply": {"id": "a", "title": "Sim"}},
                            {"type": "reply", "reply": {"id": "b", "title": "Não"}},
                        ]
                    },
                }
            },
        ),
        (
            ListMenu("Ver", (Choice("a", "Um", "primeiro"), Choice("b", "Dois"))),
            "Escolha",
            {
                "interactive": {
                    "type": "list",
                    "body": {"text": "Escolha"},
                    "action": {
                        "button": "Ver",
                        "sections": [
                            {
                                "rows": [
                                    {"id": "a", "title": "Um", "description": "primeiro"},
                                    {"id": "b", "title": "Dois"},
                                ]
                            }
                        ],
                    },
                }
            },
        ),
        (
            Template("pedido", "pt_BR", ("Ana", "42"), header="Oi", buttons=(TemplateButton(0, "url", "42"),)),
            "Oi",
            {
                "template": {
                    "name": "pedido",
                    "language": {"code": "pt_BR"},
                    "components": [
                        {"type": "header", "parameters": [{"type": "text", "text": "Oi"}]},
                        {
                            "type": "body",
                            "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "42"}],
                        },
                        {
                            "type": "button",
                            "sub_type": "url",
                            "index": "0",
                            "parameters": [{"type": "text", "text": "42"}],
                        },
                    ],
                }
            },
        ),
        (
            Template("aviso", "en", ("Ana",), names=("customer",)),
            "x",
            {
                "template": {
                    "name": "aviso",
                    "language": {"code": "en"},
                    "components": [
                        {
                            "type": "body",
                            "parameters": [{"type": "text", "text": "Ana", "parameter_name": "customer"}],
                        }
                    ],
                }
            },
        ),
    ],
    ids=lambda value: getattr(value, "type", None) if not isinstance(value, str | dict) else "",
)
async def test_that_every_kind_of_message_leaves_in_metas_shape_with_our_key(
    graph: CloudApiServer, gateway: CloudApiGateway, content: Content | None, text: str, wanted: dict[str, Any]
) -> None:
    sent = await gateway.send(number(graph), message(content, text))
    assert sent.provider_id == "wamid.1"
    assert abs(sent.at - datetime.now(UTC)) < timedelta(minutes=1)
    (taken,) = graph.sent
    assert {name: taken[name] for name in wanted} == wanted
    assert (taken["to"], taken["biz_opaque_callback_data"]) == (CUSTOMER.value, "6f9e")


@pytest.mark.parametrize(
    ("kind", "mime", "caption", "wanted"),
    [
        ("image", "image/jpeg", "legenda", {"caption": "legenda"}),
        ("video", "video/mp4", "", {}),
        ("document", "application/pdf", "nota", {"caption": "nota", "filename": "nota ção.pdf"}),
        ("audio", "audio/mpeg", "", {}),
        ("voice", "audio/ogg; codecs=opus", "", {"voice": True}),
        ("sticker", "image/webp", "", {}),
    ],
)
async def test_that_files_are_uploaded_first_and_then_named(
    graph: CloudApiServer, gateway: CloudApiGateway, *, kind: Any, mime: str, caption: str, wanted: dict[str, Any]
) -> None:
    await gateway.send(number(graph), message(Media(kind, "f", mime, "nota ção.pdf"), caption))
    (taken,) = graph.sent
    part = taken["audio" if kind == "voice" else kind]
    assert graph.files[part.pop("id")] == (mime, b"bytes")
    assert part == wanted


async def test_that_people_without_a_number_and_groups_are_reached_and_replies_quote(
    graph: CloudApiServer, gateway: CloudApiGateway
) -> None:
    await gateway.send(number(graph), message(to=HIDDEN, quoted_provider_id="wamid.7"))
    await gateway.send(number(graph), message(to=Address(AddressKind.GROUP, "Y2FwaV9ncm91cA==")))
    assert graph.sent[0]["recipient"] == HIDDEN.value
    assert graph.sent[0]["context"] == {"message_id": "wamid.7"}
    assert (graph.sent[1]["to"], graph.sent[1]["recipient_type"]) == ("Y2FwaV9ncm91cA==", "group")


@pytest.mark.parametrize(
    "refused",
    [
        message(text="x" * 4097),
        message(text=" "),
        message(to=Address(AddressKind.SIMULATOR, "maria")),
        message(to=Address(AddressKind.LID, "123")),
        message(Location(91, 0), ""),
        message(Location(float("nan"), 0), ""),
        message(Location(1, 1), "and a text that would be lost"),
        message(Buttons(tuple(Choice(str(n), str(n)) for n in range(4))), "?"),
        message(Buttons((Choice("a", "x" * 21),)), "?"),
        message(Buttons((Choice("a", "A"), Choice("a", "B"))), "?"),
        message(Buttons((Choice("a", "A"),), "f" * 61), "?"),
        message(Buttons((Choice("a", "A"),)), ""),
        message(ListMenu("Ver", tuple(Choice(str(n), str(n)) for n in range(11))), "?"),
        message(ListMenu("Ver", (Choice("a", "A", "d" * 73),)), "?"),
        message(ListMenu("", (Choice("a", "A"),)), "?"),
        message(ContactCard("", "5511"), ""),
        message(Template("t", "en", (" ",)), "x"),
        message(Media("image", "f", "image/heic"), ""),
        message(Media("image", "big", "image/png"), ""),
        message(Media("image", "f", "image/png"), "c" * 1025),
        message(Media("voice", "f", "audio/ogg"), "a caption"),
        message(Media("document", "empty", "application/pdf"), ""),
        message(Poll(("a", "b"))),
        message(Edit("wamid.1")),
        message(Revoke("wamid.1")),
    ],
    ids=_named,
)
async def test_that_what_meta_would_refuse_or_lacks_never_leaves(
    graph: CloudApiServer, gateway: CloudApiGateway, files: Files, refused: Outbound
) -> None:
    files.held |= {"big": File(b"x" * (5 * 1024 * 1024 + 1), ""), "empty": File(b"", "")}
    with pytest.raises(SendRejectedError) as found:
        await gateway.send(number(graph), refused)
    assert isinstance(found.value, NotOfferedError) == (refused.content is not None and "offered" in str(found.value))
    assert (graph.sent, graph.files) == ([], {})


@pytest.mark.parametrize(
    ("status", "code", "kind", "least"),
    [
        (400, 131056, SendRetryableError, 6),
        (429, 130429, SendRetryableError, 1),
        (400, 80007, SendRetryableError, 30),
        (400, 4, SendRetryableError, 30),
        (503, 131016, SendRetryableError, 1),
        (503, 2, SendRetryableError, 1),
        (500, 131057, SendRetryableError, 60),
        (500, 131000, SendUncertainError, None),
        (400, 1, SendUncertainError, None),
        (400, 131047, SendRejectedError, "template"),
        (400, 131026, SendRejectedError, "reached"),
        (400, 131030, SendRejectedError, "list"),
        (404, 132001, SendRejectedError, "synchronise"),
        (400, 100, SendRejectedError, ""),
        (400, 999999, SendRejectedError, ""),
        (401, 190, NumberRefusedError, SessionStatus.ERROR),
        (403, 10, NumberRefusedError, SessionStatus.ERROR),
        (403, 200, NumberRefusedError, SessionStatus.ERROR),
        (401, 0, NumberRefusedError, SessionStatus.ERROR),
        (403, 368, NumberRefusedError, SessionStatus.RESTRICTED),
        (403, 131031, NumberRefusedError, SessionStatus.RESTRICTED),
    ],
)
async def test_that_metas_errors_mean_what_its_reference_says(
    graph: CloudApiServer, gateway: CloudApiGateway, *, status: int, code: int, kind: type[Exception], least: Any
) -> None:
    graph.mishaps = [error(status, code)]
    with pytest.raises(kind) as found:
        await gateway.send(number(graph), message())
    assert graph.sent == []
    match found.value:
        case SendRetryableError(after_seconds=seconds):
            assert seconds is not None
            assert seconds >= least
        case NumberRefusedError(status=now):
            assert now is least
        case SendRejectedError(hint=hint):
            assert least in hint


async def test_that_a_stated_wait_is_kept(graph: CloudApiServer, gateway: CloudApiGateway) -> None:
    graph.mishaps = [error(429, 130429, "slow down", **{"Retry-After": "77"})]
    with pytest.raises(SendRetryableError) as found:
        await gateway.send(number(graph), message())
    assert found.value.after_seconds == 77


@pytest.mark.parametrize("mishap", ["hang", "late", "close", "lie", "huge"])
async def test_that_a_message_of_unknown_fate_is_never_called_lost_or_sent(
    graph: CloudApiServer, gateway: CloudApiGateway, mishap: str
) -> None:
    if mishap in {"hang", "late"}:
        hurry(gateway)
    graph.mishaps = [mishap]
    with pytest.raises(SendUncertainError):
        await gateway.send(number(graph), message())


@pytest.mark.parametrize("mishap", ["hang", "close", "lie", error(500, 131000), error(503, 2)], ids=_named)
async def test_that_a_file_that_could_not_be_uploaded_is_tried_again(
    graph: CloudApiServer, gateway: CloudApiGateway, mishap: Any
) -> None:
    if mishap in {"hang", "late"}:
        hurry(gateway)
    graph.mishaps = [mishap]
    with pytest.raises(SendRetryableError):
        await gateway.send(number(graph), message(Media("image", "f", "image/png"), ""))
    assert graph.sent == []


@pytest.mark.parametrize(
    "config",
    [
        {"access_token": ""},
        {"access_token": "a\nb"},
        {"phone_number_id": "../me"},
        {"phone_number_id": None},
        {"base_url": "ftp://x"},
    ],
    ids=_named,
)
async def test_that_missing_settings_are_named(
    graph: CloudApiServer, gateway: CloudApiGateway, config: dict[str, Any]
) -> None:
    with pytest.raises(SendRejectedError) as found:
        await gateway.send(number(graph, **config), message())
    assert next(iter(config)) in found.value.sentence()


async def test_that_nobody_there_is_tried_again(graph: CloudApiServer, gateway: CloudApiGateway) -> None:
    with pytest.raises(SendRetryableError):
        await gateway.send(number(graph, base_url="http://127.0.0.1:9"), message())


async def test_that_reading_shows_typing_as_well_on_the_message_that_was_read(
    graph: CloudApiServer, gateway: CloudApiGateway
) -> None:
    session = number(graph)
    await gateway.show_typing(session, CUSTOMER, typing=True)  # nothing to show it on yet
    await gateway.mark_read(session, CUSTOMER, ["wamid.1", "wamid.2"])
    await gateway.show_typing(session, CUSTOMER, typing=True)
    await gateway.show_typing(session, CUSTOMER, typing=False)
    await gateway.show_typing(session, HIDDEN, typing=True)
    read = {"messaging_product": "whatsapp", "status": "read"}
    assert graph.indicated == [
        {**read, "message_id": "wamid.1"},
        {**read, "message_id": "wamid.2"},
        {**read, "message_id": "wamid.2", "typing_indicator": {"type": "text"}},
    ]


async def test_that_a_reply_shows_typing_first_and_is_sent_whatever_becomes_of_that(
    graph: CloudApiServer, gateway: CloudApiGateway
) -> None:
    started = asyncio.get_running_loop().time()
    await gateway.send(number(graph), message(typing_seconds=0.2, quoted_provider_id="wamid.5"))
    assert asyncio.get_running_loop().time() - started >= 0.2
    await gateway.send(number(graph), message(typing_seconds=0.1, answered_provider_id="wamid.6"))
    graph.mishaps = [error(500, 1)]
    await gateway.send(number(graph), message(typing_seconds=0.2))
    await gateway.send(number(graph, typing=False), message(typing_seconds=0.2))
    assert len(graph.sent) == 4
    assert [mark["message_id"] for mark in graph.indicated] == ["wamid.5", "wamid.6"]


async def test_that_setting_up_subscribes_the_app_and_tells_what_is_left(
    graph: CloudApiServer, gateway: CloudApiGateway
) -> None:
    for _ in range(2):
        done = await gateway.set_up(number(graph), "https://atende.example/webhooks/cloud_api/s1")
    # The account's numbers share it, so it is the door of the whole app.
    callback = {"override_callback_uri": "https://atende.example/webhooks/cloud_api", "verify_token": "vt"}
    assert graph.subscribed == [callback, callback]
    assert len(done.left_to_do) == 1
    graph.number = {"status": "PENDING"}
    done = await gateway.set_up(number(graph), "http://not-taken.example/x")
    assert graph.subscribed[-1] == {}
    assert any("http://not-taken.example/x" in todo for todo in done.left_to_do)
    assert any("Register" in todo for todo in done.left_to_do)
    graph.mishaps = [error(401, 190, "expired")]
    with pytest.raises(GatewayRefusedError, match="190"):
        await gateway.set_up(number(graph), "https://x.example")


@pytest.mark.parametrize(
    ("shown", "status", "told"),
    [
        ({}, SessionStatus.CONNECTED, "quality GREEN"),
        ({"status": "BANNED"}, SessionStatus.RESTRICTED, "BANNED"),
        ({"status": "PENDING"}, SessionStatus.CONNECTING, "PENDING"),
        ({"status": "SOMETHING_NEW"}, SessionStatus.UNKNOWN, "SOMETHING_NEW"),
        ({"health_status": {"can_send_message": "BLOCKED"}}, SessionStatus.RESTRICTED, "blocked"),
        (
            {
                "health_status": {
                    "can_send_message": "LIMITED",
                    "entities": [{"entity_type": "WABA", "errors": [{"error_description": "No payment method"}]}, 7],
                }
            },
            SessionStatus.CONNECTED,
            "No payment method",
        ),
        ({"name_status": "DECLINED", "verified_name": "Loja"}, SessionStatus.CONNECTED, "name review DECLINED"),
    ],
)
async def test_that_a_numbers_state_is_read(
    graph: CloudApiServer, gateway: CloudApiGateway, shown: dict[str, Any], status: SessionStatus, told: str
) -> None:
    graph.number = shown
    found = await gateway.status(number(graph))
    assert (found.status, found.account) == (status, "5511990000000")
    assert told in found.detail


@pytest.mark.parametrize(
    ("mishap", "kind"),
    [
        (error(503, 2), GatewayUnavailableError),
        (error(401, 190), GatewayRefusedError),
        ("hang", GatewayUnavailableError),
        ("lie", GatewayUnavailableError),
        ("close", GatewayUnavailableError),
    ],
    ids=_named,
)
async def test_that_a_question_fails_by_name(
    graph: CloudApiServer, files: Files, mishap: Any, kind: type[Exception]
) -> None:
    async with httpx.AsyncClient(verify=False) as http:
        gateway = CloudApiGateway(http, files)
        if mishap == "hang":
            hurry(gateway)
        graph.mishaps = [mishap]
        with pytest.raises(kind):
            await gateway.status(number(graph))


async def test_that_a_customers_file_is_fetched_and_the_token_goes_nowhere_else(
    graph: CloudApiServer, gateway: CloudApiGateway
) -> None:
    media_id = graph.keep(b"picture", "image/jpeg")
    found = await gateway.fetch_media(number(graph), MediaReference(extra={"id": media_id}))
    assert (found.data, found.mime_type) == (b"picture", "image/jpeg")
    for elsewhere in ("https://evil.example/x", "http://lookaside.fbsbx.com/x", "https://fbsbx.com.evil.example/x"):
        graph.media_url = elsewhere
        with pytest.raises(GatewayRefusedError, match="not Meta's"):
            await gateway.fetch_media(number(graph), MediaReference(extra={"id": media_id}))
    graph.media_url = ""
    for unknown in ({"id": "404"}, {"id": "../me"}, {}):
        with pytest.raises(GatewayRefusedError):
            await gateway.fetch_media(number(graph), MediaReference(extra=unknown))
    graph.media_url = f"{graph.base_url}/files/{graph.keep(b'other bytes', 'image/jpeg')}"
    with pytest.raises(GatewayUnavailableError, match="whole"):
        await gateway.fetch_media(number(graph), MediaReference(extra={"id": media_id}))


async def test_that_what_has_no_counterpart_is_not_offered(graph: CloudApiServer, gateway: CloudApiGateway) -> None:
    session = number(graph)
    with pytest.raises(NotOfferedError):
        await gateway.check_number(session, "5511990001111")
    with pytest.raises(NotOfferedError):
        await gateway.control(session, "restart")
    with pytest.raises(NotOfferedError):
        async for _ in gateway.history(session, since=datetime.now(UTC), chats=()):
            pass


async def test_that_all_pages_of_templates_are_read_and_a_broken_page_is_an_error(
    graph: CloudApiServer, gateway: CloudApiGateway
) -> None:
    graph.templates = [{"name": f"t{n}", "language": "pt_BR", "status": "APPROVED"} for n in range(5)]
    assert [found.name for found in await gateway.templates(number(graph))] == ["t0", "t1", "t2", "t3", "t4"]
    assert PHONE_ID not in str(graph.problems)
    graph.mishaps = ["lie"]
    with pytest.raises(GatewayUnavailableError):
        await gateway.templates(number(graph))
