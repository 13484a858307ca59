"""Sending through WAHA, against a server on this machine that behaves as told."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from aiohttp import web

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError, SessionRef
from channels.whatsapp.waha import WahaGateway
from domain.messages import Address, AddressKind, Outbound, Sent
from flows.gateways import gateway_client
from tests.channels.contract import SenderContract, Subject
from tests.gateways.files import Files

CONTACT = Address(AddressKind.PHONE, "5511990001111")
KINDS = {"c.us": AddressKind.PHONE, "lid": AddressKind.LID, "g.us": AddressKind.GROUP}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Waha:
    """A stand-in for the server: keeps every request, answers as WAHA does or as the test says."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Answer = self._take
        self.base_url = ""

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        message_id = f"true_{body['chatId']}_3EB0{len(self.requests)}"
        return web.json_response({"id": message_id, "timestamp": datetime.now(UTC).timestamp()}, status=201)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path, await request.json()))
        self.headers.append(dict(request.headers))
        if not request.path.endswith("/sendText"):
            return web.json_response({"result": True})
        return await self.answer(request)

    def answers(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=status, text=text, headers=headers)

        self.answer = answer

    def sent(self) -> list[tuple[Address, str]]:
        texts = [body for path, body in self.requests if path == "/api/sendText"]
        pairs = [(body["chatId"].split("@"), body["text"]) for body in texts]
        return [(Address(KINDS[server], user), text) for (user, server), text in pairs]

    def session(self, **config: Any) -> SessionRef:
        return SessionRef("s1", "waha", config={"base_url": self.base_url, "api_key": "secret", **config})


@pytest.fixture
async def waha() -> AsyncIterator[Waha]:
    stand_in = Waha()
    application = web.Application()
    application.router.add_post("/{path:.*}", stand_in.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stand_in
    await runner.cleanup()


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("NO_PROXY", "*")  # the machine's proxy has no part in this
    async with gateway_client() as shared:
        yield shared


def outbound(to: Address = CONTACT, text: str = "oi", **fields: Any) -> Outbound:
    return Outbound(key="k1", to=to, text=text, **fields)


class TestWahaSender(SenderContract):
    @pytest.fixture
    def subject(self, waha: Waha, client: httpx.AsyncClient) -> Subject:
        return Subject(WahaGateway(client, Files()), waha.session(), CONTACT, waha.sent, lambda: waha.answers(500))


@pytest.mark.parametrize(
    ("to", "chat_id", "reply_to"),
    [
        (CONTACT, "5511990001111@c.us", "false_5511990001111@c.us_3EB0Q"),
        (Address(AddressKind.LID, "149000011210072"), "149000011210072@lid", "false_149000011210072@lid_3EB0Q"),
        (Address(AddressKind.GROUP, "120363000000000001"), "120363000000000001@g.us", "3EB0Q"),
    ],
)
async def test_that_the_request_is_what_waha_documents(
    waha: Waha, client: httpx.AsyncClient, to: Address, chat_id: str, reply_to: str
) -> None:
    session = waha.session(session="loja", base_url=waha.base_url + "/")
    await WahaGateway(client, Files()).send(session, outbound(to, quoted_provider_id="3EB0Q"))
    body = {"session": "loja", "chatId": chat_id, "text": "oi", "reply_to": reply_to}
    assert waha.requests == [("/api/sendText", body)]
    assert waha.headers[0]["X-Api-Key"] == "secret"
    await WahaGateway(client, Files()).send(waha.session(), outbound(to))
    assert waha.requests[1][1] == {"session": "default", "chatId": chat_id, "text": "oi"}


async def test_that_an_id_which_waha_would_take_apart_wrongly_is_not_quoted(
    waha: Waha, client: httpx.AsyncClient
) -> None:
    await WahaGateway(client, Files()).send(waha.session(), outbound(quoted_provider_id="my_own_id"))
    assert "reply_to" not in waha.requests[0][1]


async def test_that_typing_is_shown_before_the_message_and_can_be_switched_off(
    waha: Waha, client: httpx.AsyncClient
) -> None:
    sender = WahaGateway(client, Files())
    await sender.send(waha.session(), outbound(typing_seconds=0.01))
    target = {"session": "default", "chatId": "5511990001111@c.us"}
    assert waha.requests[:2] == [("/api/startTyping", target), ("/api/stopTyping", target)]
    assert waha.requests[2][0] == "/api/sendText"
    waha.requests.clear()
    await sender.send(waha.session(typing=False), outbound(typing_seconds=0.01))
    assert [path for path, _ in waha.requests] == ["/api/sendText"]


STATED = object()
"""Stands for a time of a minute ago, when the test runs."""


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "true_5511990001111@c.us_3EB0A1"},
        {"id": "true_5511990001111@c.us_3EB0A1_149000011210072@lid", "timestamp": STATED},
        {"id": {"fromMe": True, "remote": "5511990001111@c.us", "id": "3EB0A1", "_serialized": "true_x@c.us_3EB0A1"}},
        {"key": {"remoteJid": "5511990001111@s.whatsapp.net", "fromMe": True, "id": "3EB0A1"}, "messageTimestamp": "1"},
        {"_data": {"Info": {"ID": "3EB0A1"}}},
        {"_data": {"id": {"_serialized": "true_5511990001111@c.us_3EB0A1"}}},
        {"id": "3EB0A1", "timestamp": 9999999999},
    ],
)
async def test_that_the_id_is_found_in_each_engines_answer(waha: Waha, client: httpx.AsyncClient, answer: Any) -> None:
    stated = int(datetime.now(UTC).timestamp()) - 60
    waha.answers(201, {name: stated if value is STATED else value for name, value in answer.items()})
    sent = await WahaGateway(client, Files()).send(waha.session(), outbound())
    assert sent.provider_id == "3EB0A1"
    assert abs(sent.at - datetime.now(UTC)) < timedelta(minutes=5)
    if answer.get("timestamp") is STATED:
        assert sent == Sent("3EB0A1", datetime.fromtimestamp(stated, UTC))


NOT_WORKING = {"error": "Session status is not as expected.", "session": "default", "status": "SCAN_QR_CODE"}


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        ((401, {"message": "Unauthorized"}), SendRejectedError, "API key"),
        ((403, ""), SendRejectedError, "API key"),
        ((400, {"message": ["chatId must be a string"]}), SendRejectedError, "chatId must be a string"),
        ((413, "too large"), SendRejectedError, "413"),
        ((422, {"message": "The method is not implemented by the engine"}), SendRejectedError, "not implemented"),
        ((301, ""), SendRejectedError, "301"),
        ((404, {"message": "Session not found"}), SendRetryableError, "Session not found"),
        ((422, NOT_WORKING), SendRetryableError, "not as expected"),
        ((429, {}), SendRetryableError, "fewer"),
        ((408, ""), SendUncertainError, "408"),
        ((500, {"exception": {"message": "x"}}), SendUncertainError, "500"),
        ((502, "<html>"), SendUncertainError, "502"),
        ((201, ""), SendUncertainError, "no id"),
        ((200, "<html>"), SendUncertainError, "no id"),
        ((201, {"id": ""}), SendUncertainError, "no id"),
        ((201, {"id": 7, "key": [], "_data": "x"}), SendUncertainError, "no id"),
        ((201, "[" * 5000), SendUncertainError, "no id"),
        ((201, '{"id": "3EB0", "x": "' + "x" * 2**21 + '"}'), SendUncertainError, "no id"),
    ],
)
async def test_that_each_refusal_and_each_lie_gets_its_error(
    waha: Waha, client: httpx.AsyncClient, answer: tuple[int, Any], expected: type[Exception], said: str
) -> None:
    waha.answers(*answer)
    with pytest.raises(expected, match=said):
        await WahaGateway(client, Files()).send(waha.session(), outbound())
    assert len(waha.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        ("0.5", 0.5),
        ("-3", 0),
        ("1e9", 3600),
        ("nan", None),
        ("soon", None),
        (None, None),
        pytest.param(format_datetime(datetime.now(UTC) + timedelta(hours=9), usegmt=True), 3600, id="a date"),
    ],
)
async def test_that_the_wished_pause_is_handed_on(
    waha: Waha, client: httpx.AsyncClient, header: str | None, seconds: float | None
) -> None:
    waha.answers(429, {}, {"Retry-After": header} if header else None)
    with pytest.raises(SendRetryableError) as error:
        await WahaGateway(client, Files()).send(waha.session(), outbound())
    assert error.value.after_seconds == seconds


async def test_that_a_refused_connection_and_an_unknown_host_are_certainly_not_sent(client: httpx.AsyncClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
    for base_url in (nobody, "http://nowhere.invalid"):
        session = SessionRef("s1", "waha", config={"base_url": base_url, "api_key": "secret"})
        with pytest.raises(SendRetryableError, match="cannot be reached"):
            await WahaGateway(client, Files()).send(session, outbound())


async def test_that_a_hang_a_reset_and_a_cut_answer_leave_the_fate_unknown(
    waha: Waha, client: httpx.AsyncClient
) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError("the sender waited too long")

    async def reset(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=201, headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"id": "true_5511990001111@c.us_3EB0A1"}')
        assert request.transport is not None
        request.transport.abort()
        return response

    for answer in (hang, reset, cut):
        waha.answer = answer
        with pytest.raises(SendUncertainError):
            await WahaGateway(client, Files(), send_timeout_seconds=0.3).send(waha.session(), outbound())
    assert len(waha.sent()) == 3


async def test_that_a_typing_call_that_fails_or_hangs_never_holds_the_message_back(client: httpx.AsyncClient) -> None:
    paths: list[str] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        paths.append(head.split()[1])
        if head.startswith("POST /api/sendText"):
            body = b'{"id": "3EB0A1"}'
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    session = SessionRef("s1", "waha", config={"base_url": base_url, "api_key": "secret"})
    sent = await WahaGateway(client, Files()).send(session, outbound(typing_seconds=0.01))
    server.close()
    assert (sent.provider_id, paths) == ("3EB0A1", ["/api/startTyping", "/api/sendText"])


@pytest.mark.parametrize(
    "config",
    [
        {"base_url": None},
        {"base_url": "waha:3000"},
        {"base_url": "http://"},
        {"base_url": "http://[::1"},
        {"base_url": 7},
        {"api_key": None},
        {"api_key": "çhave"},
        {"api_key": "a\r\nX-Other: b"},
    ],
)
async def test_that_senseless_settings_are_named_and_nothing_is_sent(
    waha: Waha, client: httpx.AsyncClient, config: dict[str, Any]
) -> None:
    with pytest.raises(SendRejectedError, match="WAHA") as error:
        await WahaGateway(client, Files()).send(waha.session(**config), outbound())
    assert error.value.hint
    assert waha.requests == []
