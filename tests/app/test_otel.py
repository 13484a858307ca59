"""Spans: off by default and then free; on, one trace from the message to its delivery, without what was said."""

from __future__ import annotations

import json
import subprocess
import sys
import timeit
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from app.otel import OriginIds, OtelTracer
from app.process import sending_spans
from app.settings import GivenSettings, SettingsError, SpansUnavailableError, load_settings
from domain import telemetry
from flows.profiles import bump
from store.database import Database
from tests.flows.backroom import Backroom, Gateway, open_backroom
from tests.flows.shop import Shop, open_shop
from tests.openai_server import ScriptedOpenAI

FOLDER = Path(__file__).parents[1] / "flows" / "private_shop"
SAID = "glorb zargh acha o cadastro do cpf 52998224725 por favor"
LOOK_UP = {"name": "find_customer", "arguments": {"cpf": "52998224725"}}
SCRIPT = [
    {
        "when": ".",
        "steps": [
            {"tool_calls": [LOOK_UP], "faults": [{"status": 500}]},
            {"reply": "Achei glorb: dois pedidos no CPF 52998224725."},
        ],
    }
]


@pytest.fixture
async def shop(owner_dsn: str, db: Database) -> AsyncIterator[Shop]:
    async with open_shop(owner_dsn, db, FOLDER) as opened:
        async with db.transaction(opened.tenant_id) as tx:
            await tx.execute("UPDATE tenant SET settings = settings || '{\"mask_model_prompts\": false}'")
        yield opened


@pytest.fixture
async def backroom(shop: Shop) -> AsyncIterator[Backroom]:
    async with open_backroom(shop, FOLDER) as opened:
        yield opened


@contextmanager
def watching(*, shows_content: bool = False, **provider: Any) -> Iterator[InMemorySpanExporter]:
    """The real SDK, keeping spans in memory."""
    kept = InMemorySpanExporter()
    made = TracerProvider(id_generator=OriginIds(), shutdown_on_exit=False, **provider)
    made.add_span_processor(SimpleSpanProcessor(kept))
    telemetry.install(OtelTracer(made, shows_content=shows_content))
    try:
        yield kept
    finally:
        telemetry.install(None)
        made.shutdown()


async def serve_one(backroom: Backroom, *messages: str, gateway: Gateway | None = None) -> None:
    """The customer writes, the scripted model looks the customer up and answers."""
    shop = backroom.shop
    async with ScriptedOpenAI(SCRIPT) as server:
        async with shop.db.transaction(shop.tenant_id) as tx:
            prices = {"main": {"input": 1, "output": 0}}
            model = {"name": "main", "base_url": server.base_url, "attempts": 2, "prices": prices}
            await tx.execute(
                "UPDATE tenant SET settings = settings || $2 WHERE id = $1", shop.tenant_id, {"model": model}
            )
            await bump(tx, shop.tenant_id)
        for message in messages or (SAID,):
            await shop.write("Ana", message)
        await backroom.work()
        await backroom.work()
    await (backroom.with_sender(gateway) if gateway else backroom).deliver()


def named(spans: tuple[ReadableSpan, ...], beginning: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name.startswith(beginning)]


async def test_that_one_trace_leads_from_the_message_over_model_and_function_to_the_delivery(
    backroom: Backroom,
) -> None:
    with watching() as kept:
        await serve_one(backroom)
        spans = kept.get_finished_spans()
    assert len({span.context.trace_id for span in spans}) == 1
    (received,) = named(spans, "receive simulator")
    fast, turn = named(spans, "invoke_agent atende")
    chats, (tool,), (sent,) = (
        named(spans, "chat main"),
        named(spans, "execute_tool find_customer"),
        named(spans, "send "),
    )
    assert len(spans) == 8
    assert len(chats) == 3  # a call, the reply, and its second reading
    assert received.parent is None
    for follower in (fast, turn, sent):
        assert follower.parent.span_id == received.context.span_id
    for inner in (*chats, tool):
        assert inner.parent.span_id == turn.context.span_id
    kinds = [span.kind for span in (received, turn, chats[0], tool, sent)]
    assert kinds == [SpanKind.CONSUMER, SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.INTERNAL, SpanKind.PRODUCER]
    asked = dict(chats[0].attributes)
    assert asked["gen_ai.operation.name"] == "chat"
    assert asked["gen_ai.provider.name"] == "openai"
    assert asked["gen_ai.request.model"] == asked["gen_ai.response.model"] == "main"
    assert (asked["gen_ai.usage.input_tokens"], asked["gen_ai.usage.output_tokens"]) == (120, 30)
    assert asked["gen_ai.response.finish_reasons"] == ("tool_calls",)
    assert asked["server.address"] == "127.0.0.1"
    assert asked["atende.failed_attempts"] == 1
    assert tool.attributes["gen_ai.operation.name"] == "execute_tool"
    assert tool.attributes["gen_ai.tool.name"] == "find_customer"
    assert tool.attributes["atende.tool.outcome"] == "succeeded"
    assert fast.attributes["atende.decision"] == "needs_model"
    assert turn.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert turn.attributes["atende.decision"] == "reply"
    assert turn.attributes["gen_ai.usage.input_tokens"] == 360
    assert sent.attributes["messaging.operation.type"] == "send"
    assert all(span.status.status_code is not StatusCode.ERROR for span in spans)


async def test_that_no_span_holds_what_was_said_unless_it_is_asked_for_and_then_masked(backroom: Backroom) -> None:
    with watching() as kept:
        await serve_one(backroom)
        told = json.dumps([[span.name, dict(span.attributes or {})] for span in kept.get_finished_spans()])
    assert "52998224725" not in told
    assert "glorb" not in told
    with watching(shows_content=True) as kept:
        await serve_one(backroom)
        spans = kept.get_finished_spans()
    told = json.dumps([dict(span.attributes or {}) for span in spans], ensure_ascii=False)
    assert "52998224725" not in told
    assert "glorb zargh acha o cadastro do cpf [CPF] por favor" in told
    (tool,) = named(spans, "execute_tool")
    assert json.loads(str(tool.attributes["gen_ai.tool.call.arguments"])) == {"cpf": "[CPF]"}
    output = json.loads(str(named(spans, "chat")[1].attributes["gen_ai.output.messages"]))
    assert output[0]["parts"] == [{"type": "text", "content": "Achei glorb: dois pedidos no CPF [CPF]."}]


async def test_that_a_turn_over_several_messages_is_in_the_trace_of_the_last_and_linked_to_the_others(
    backroom: Backroom,
) -> None:
    with watching() as kept:
        await serve_one(backroom, "glorb", SAID)
        spans = kept.get_finished_spans()
    first, last = named(spans, "receive")
    turn = named(spans, "invoke_agent")[-1]
    assert turn.context.trace_id == last.context.trace_id != first.context.trace_id
    assert [link.context.span_id for link in turn.links] == [first.context.span_id]
    assert named(spans, "send ")[0].context.trace_id == last.context.trace_id


async def test_that_what_a_person_approved_later_is_in_the_trace_of_the_message_that_asked_for_it(
    owner_dsn: str, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATENDE_TEST_TRACE", str(tmp_path / "trace"))
    async with open_shop(owner_dsn, db) as shop, open_backroom(shop) as backroom:
        with watching() as kept:
            await shop.write("Ana", "quero reservar uma mesa")
            await backroom.rest()
            approval = (await shop.fetch("SELECT id FROM approval"))[0]["id"]
            await shop.desk.decide_call(shop.operator, approval, approved=True)
            await backroom.rest()
            spans = kept.get_finished_spans()
    (received,) = named(spans, "receive")
    (tool,) = named(spans, "execute_tool book_table")
    assert tool.parent.span_id == received.context.span_id
    assert tool.attributes["atende.tool.effect"] == "write"
    assert len(named(spans, "send ")) == 2
    assert {span.context.trace_id for span in spans} == {received.context.trace_id}


async def test_that_a_failure_is_told_by_its_class_and_not_by_its_words(backroom: Backroom) -> None:
    with watching() as kept:
        await serve_one(backroom, gateway=Gateway(mishaps=[RuntimeError(f"cannot send {SAID}")]))
        (sent,) = named(kept.get_finished_spans(), "send ")
    assert sent.status.status_code is StatusCode.ERROR
    assert sent.attributes["error.type"] == "RuntimeError"
    assert not sent.events
    assert "glorb" not in sent.to_json()


async def test_that_what_the_sampler_drops_at_the_message_is_dropped_everywhere(backroom: Backroom) -> None:
    with watching(sampler=ParentBased(ALWAYS_OFF)) as kept:
        await serve_one(backroom)
        assert kept.get_finished_spans() == ()


async def test_that_spans_reach_a_collector_over_http() -> None:
    received: list[ExportTraceServiceRequest] = []

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        body = await request.read()
        received.append(ExportTraceServiceRequest.FromString(body))
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    settings = GivenSettings(otel_endpoint=f"http://127.0.0.1:{port}/")
    code = (
        "import sys, json; from app.process import sending_spans; from app.settings import GivenSettings; "
        "from domain import telemetry; s = GivenSettings(**json.loads(sys.argv[1])); ctx = sending_spans('worker', s); "
        "ctx.__enter__(); telemetry.span('execute_tool x').__enter__().__class__; "
        "exec('with telemetry.span(\"chat m\"): pass'); ctx.__exit__(None, None, None)"
    )
    process = await _run(code, json.dumps({"otel_endpoint": settings.otel_endpoint}))
    await runner.cleanup()
    assert process == 0
    resource = received[0].resource_spans[0]
    attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert attributes["service.name"] == "atende"
    assert attributes["atende.process"] == "worker"
    assert "chat m" in [span.name for span in resource.scope_spans[0].spans]


async def _run(code: str, *arguments: str) -> int:
    import asyncio  # noqa: PLC0415

    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments)
    return await asyncio.wait_for(process.wait(), 60)


def test_that_spans_cost_nothing_while_they_are_off() -> None:
    code = (
        "import sys, app.worker, app.process; from app.settings import GivenSettings; "
        "app.process.sending_spans('worker', GivenSettings()).__enter__(); "
        "print([name for name in sys.modules if name == 'app.otel' or name.startswith('opentelemetry.exporter')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"

    def one() -> None:
        with telemetry.span("chat m"):
            pass

    seconds = min(timeit.repeat(one, number=10_000, repeat=5)) / 10_000
    print(f"a span that is off takes {seconds * 1e9:.0f} ns")  # noqa: T201
    assert seconds < 20e-6


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({}, None),
        ({"ATENDE_OTEL_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"ATENDE_OTEL_ENDPOINT": "http://c:4318/v1/traces"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/otlp"}, "https://c/otlp"),
        ({"ATENDE_OTEL_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, None),
        ({"ATENDE_OTEL_ENDPOINT": ""}, None),
    ],
)
def test_that_the_endpoint_is_ours_or_the_standard_one(
    given: dict[str, str], endpoint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ATENDE_OTEL_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.spans_go_to == endpoint
    assert GivenSettings(**settings.handed_over()).spans_go_to == endpoint


def test_that_an_unusable_endpoint_and_a_missing_library_are_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATENDE_OTEL_ENDPOINT", "collector:4318")
    with pytest.raises(SettingsError, match="ATENDE_OTEL_ENDPOINT"):
        load_settings()
    monkeypatch.setitem(sys.modules, "app.otel", None)  # as if the extra were not installed
    with pytest.raises(SpansUnavailableError, match="cannot be sent") as caught:
        sending_spans("worker", GivenSettings(otel_endpoint="http://127.0.0.1:1"))
    assert "pip install" in caught.value.sentence()
