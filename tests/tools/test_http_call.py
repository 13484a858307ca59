"""Functions over HTTP against a real server that fails in every way: what is repeated, what is told, what leaks."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook

from agent.turn import CallResult
from flows.attempts import attempt
from tests.tools.http_service import Service, open_service
from tools.declaration import Effect, ToolContext
from tools.http_assembly import Input, assemble
from tools.http_call import Access, HttpClients, HttpDeclaration, http_function
from tools.http_declaration import Credential, HttpDetails
from tools.http_request import build_request
from tools.records import InMemoryRecords
from tools.signing import new_secret

KEY = "call-77"
SECRET = "s3cr3t-va/lue=="
TEXT = {"type": "string"}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with open_service() as opened:
        yield opened


@pytest.fixture
async def clients() -> AsyncIterator[HttpClients]:
    opened = HttpClients()
    yield opened
    await opened.aclose()


def context(*addresses: str) -> ToolContext:
    return ToolContext(
        tenant_id="11111111-1111-1111-1111-111111111111",
        contact_id="contact-9",
        contact_addresses=addresses or ("phone:5511987654321",),
        language="pt",
        timezone=ZoneInfo("America/Sao_Paulo"),
        now=datetime(2026, 3, 2, 1, 30, tzinfo=UTC),
        records=InMemoryRecords(),
        idempotency_key=KEY,
    )


def declared(service: Service, effect: Effect, **more: Any) -> HttpDeclaration:
    """A read of /orders/{order}, or a write to /orders."""
    if effect == "read":
        made = assemble([Input("order", "path", TEXT, required=True)])
        details = {"method": "GET", "url": f"{service.url}/orders/{{order}}", "parts": made.parts}
    else:
        body = {"type": "object", "properties": {"order": TEXT}, "required": ["order"]}
        made = assemble([], ("json", body))
        details = {"method": "POST", "url": f"{service.url}/orders", "parts": made.parts, "body": "json"}
    return HttpDeclaration("order", "Order.", effect, made.schema, HttpDetails.model_validate({**details, **more}))


async def call(
    service: Service,
    clients: HttpClients,
    effect: Effect,
    *,
    secrets: dict[str, str] | None = None,
    allowed: frozenset[str] | None = None,
    order: str = "A-1",
    **more: Any,
) -> CallResult:
    access = Access(secrets or {}, frozenset({service.host}) if allowed is None else allowed)
    function = http_function(declared(service, effect, **more), clients, access)
    return await attempt(function, context(), {"order": order})


@pytest.mark.parametrize(
    ("mishaps", "outcome", "code"),
    [
        ([503, 502], "succeeded", None),
        (["reset"], "succeeded", None),
        (["reset"] * 3, "failed", "connection_lost"),
        ([503] * 3, "failed", "http_503"),
        ([500], "failed", "http_500"),
        ([404], "business_error", "not_found"),
        ([422], "business_error", "rejected"),
        ([401], "failed", "no_effect"),
        (["huge"], "failed", "answer_too_large"),
        (["garbage"], "failed", "answer_unreadable"),
        (["html"], "failed", "answer_unreadable"),
    ],
)
async def test_a_read_is_repeated_only_after_passing_faults_and_says_what_failed(
    service: Service, clients: HttpClients, mishaps: list[int | str], outcome: str, code: str | None
) -> None:
    service.mishaps = list(mishaps)
    result = await call(service, clients, "read")
    requests = len(mishaps) + (outcome == "succeeded")
    assert (result.outcome, result.error_code, len(service.got)) == (outcome, code, requests)


@pytest.mark.parametrize(
    ("mishaps", "outcome", "code"),
    [
        (["reset"], "unknown", "connection_lost"),
        ([500], "unknown", "http_500"),
        ([503], "unknown", "http_503"),
        ([409], "business_error", "conflict"),
        ([403], "failed", "no_effect"),
        ([429], "failed", "no_effect"),
        (["moved:/elsewhere"], "unknown", "http_302"),
        (["huge"], "succeeded", None),
        (["garbage"], "succeeded", None),
    ],
)
async def test_a_write_is_never_repeated_by_itself_and_its_outcome_is_not_guessed(
    service: Service, clients: HttpClients, mishaps: list[int | str], outcome: str, code: str | None
) -> None:
    service.mishaps = list(mishaps)
    result = await call(service, clients, "write")
    assert (result.outcome, result.error_code, len(service.got)) == (outcome, code, 1)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_write_on_a_kept_connection_is_not_repeated_by_the_library_either(
    service: Service, clients: HttpClients, method: str
) -> None:
    assert (await call(service, clients, "write", method=method)).outcome == "succeeded"
    service.mishaps = ["reset"]
    result = await call(service, clients, "write", method=method)
    assert (result.outcome, len(service.got)) == ("unknown", 2)


@pytest.mark.parametrize("mishap", ["reset", 503])
async def test_a_write_that_recognises_its_key_is_repeated_under_it_and_acts_once(
    service: Service, clients: HttpClients, mishap: int | str
) -> None:
    service.mishaps = [mishap]
    result = await call(service, clients, "write", idempotent=True)
    assert (result.outcome, len(service.got), service.acts) == ("succeeded", 2, [KEY])
    assert {one.headers["idempotency-key"] for one in service.got} == {KEY}


async def test_a_conflict_with_an_own_lost_attempt_is_not_taken_for_a_no(
    service: Service, clients: HttpClients
) -> None:
    service.mishaps = ["reset", 409]
    result = await call(service, clients, "write", idempotent=True)
    assert (result.outcome, result.error_code) == ("unknown", "still_in_progress")


@pytest.mark.parametrize(("effect", "outcome"), [("read", "failed"), ("write", "unknown")])
async def test_a_system_that_hangs_is_given_up_after_the_declared_time(
    service: Service, clients: HttpClients, effect: Effect, outcome: str
) -> None:
    service.mishaps = ["hang"]
    result = await call(service, clients, effect, timeout_seconds=0.5)
    assert (result.outcome, result.error_code) == (outcome, "timeout")


async def test_a_write_that_reached_nobody_certainly_did_nothing(service: Service, clients: HttpClients) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        result = await call(service, clients, "write", url=f"http://{host}/orders", allowed=frozenset({host}))
    assert (result.outcome, result.error_code) == ("failed", "no_effect")


@pytest.mark.parametrize("allowed", [set(), {"127.0.0.1:1"}, {"127.0.0.2"}, {"localhost"}])
async def test_a_private_address_is_reached_only_where_host_and_port_are_allowed(
    service: Service, clients: HttpClients, allowed: set[str]
) -> None:
    result = await call(service, clients, "read", allowed=frozenset(allowed))
    assert (result.outcome, result.error_code, service.got) == ("failed", "no_effect", [])


async def test_a_redirect_of_a_read_is_followed_but_never_into_the_private_network(
    service: Service, clients: HttpClients
) -> None:
    service.mishaps = ["moved:/orders/B-2"]
    assert (await call(service, clients, "read")).outcome == "succeeded"
    assert [one.target for one in service.got] == ["/orders/A-1", "/orders/B-2"]
    async with open_service() as inner:
        service.mishaps = [f"moved:{inner.url}/secret"]
        assert (await call(service, clients, "read")).outcome == "failed"
        assert inner.got == []


async def test_what_speaks_for_the_tenant_does_not_follow_a_redirect_to_another_host(
    service: Service, clients: HttpClients
) -> None:
    async with open_service() as other:
        service.mishaps = [f"moved:{other.url}/there"]
        result = await call(
            service,
            clients,
            "read",
            secrets={"t": SECRET, "k": "key-in-header"},
            allowed=frozenset({service.host, other.host}),
            credentials=[
                {"kind": "bearer", "secret": "t"},
                {"kind": "header", "secret": "k", "name": "X-Key"},
            ],
        )
        assert result.outcome == "succeeded"
        assert {"authorization", "x-key"} <= service.got[0].headers.keys()
        assert not {"authorization", "x-key"} & other.got[0].headers.keys()


class Rebinding(AbstractResolver):
    """A name server whose every name points into our own network by the time it is dialled."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def test_a_name_that_points_inside_when_it_is_dialled_is_refused_whatever_it_said_before(
    service: Service,
) -> None:
    dialled: list[object] = []
    names = Rebinding()
    clients = HttpClients(names)
    inside = await asyncio.start_server(lambda reader, writer: dialled.append(writer.close()), "127.0.0.1", 0)
    async with inside:
        port = inside.sockets[0].getsockname()[1]
        url = f"https://rebinding.example:{port}/orders/{{order}}"
        refused = await call(service, clients, "read", url=url, allowed=frozenset({"other.internal"}))
        assert (refused.outcome, refused.error_code, dialled) == ("failed", "no_effect", [])
        # The same name is dialled where the tenant may: so it was the guard that stopped it.
        await call(service, clients, "read", url=url, allowed=frozenset({f"rebinding.example:{port}"}))
        assert dialled
    await clients.aclose()
    assert set(names.asked) == {"rebinding.example"}


async def test_tenants_with_other_allowed_hosts_never_share_a_connection(
    service: Service, clients: HttpClients
) -> None:
    assert (await call(service, clients, "read")).outcome == "succeeded"
    assert (await call(service, clients, "read", allowed=frozenset())).outcome == "failed"
    assert len(service.got) == 1


CREDENTIALS: list[tuple[str, str, str]] = [
    ("bearer", "", "authorization"),
    ("basic", "", "authorization"),
    ("header", "X-Api-Key", "x-api-key"),
    ("cookie", "session", "cookie"),
    ("query", "key", ""),
]


@pytest.mark.parametrize("credential", CREDENTIALS, ids=[kind for kind, _, _ in CREDENTIALS])
async def test_a_secret_goes_out_as_declared_and_comes_back_nowhere(
    service: Service, clients: HttpClients, credential: tuple[str, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    kind, name, header = credential
    caplog.set_level(logging.CRITICAL, logger="aiohttp.access")  # the service's own log
    secret = f"user:{SECRET}" if kind == "basic" else SECRET
    one = Credential(kind=kind, secret="api", name=name)  # type: ignore[arg-type]
    service.answer = lambda got: {"echo": [got.headers, got.target], "plain": secret}
    service.mishaps = [503]
    with caplog.at_level(logging.DEBUG):
        result = await call(service, clients, "read", secrets={"api": secret}, credentials=[one])
        lost = ["reset"] * 3
        service.mishaps = lost
        await call(service, clients, "read", secrets={"api": secret}, credentials=[one])
    sent = service.got[0]
    assert (sent.headers[header] if header else sent.target).strip()
    assert sent.headers.get("x-api-key", SECRET) == SECRET
    told = json.dumps(result.result) + caplog.text + repr(declared(service, "read", credentials=[one]))
    for form in (SECRET, "s3cr3t", SECRET.replace("/", "%2F").replace("=", "%3D")):
        assert form not in told
    assert result.outcome == "succeeded"


async def test_a_function_without_its_secret_is_not_called(service: Service, clients: HttpClients) -> None:
    one = Credential(kind="bearer", secret="api")
    result = await call(service, clients, "write", credentials=[one])
    assert (result.outcome, service.got) == ("failed", [])


async def test_a_signed_request_is_accepted_by_a_receiver_of_standard_webhooks(
    service: Service, clients: HttpClients
) -> None:
    secret = new_secret()
    await call(service, clients, "write", secrets={"s": secret}, sign_with="s")
    got = service.got[0]
    assert Webhook(secret).verify(got.body, got.headers) == {"order": "A-1"}
    assert got.headers["webhook-id"] == KEY
    with pytest.raises(Exception, match="signature"):
        Webhook(secret).verify(got.body + b" ", got.headers)


@pytest.mark.parametrize("order", ["..", ".", "%2e%2e", "", "a/../../admin", "x?y=1#z", "{order}", "ação 1"])
async def test_no_value_changes_which_address_is_called(service: Service, clients: HttpClients, order: str) -> None:
    result = await call(service, clients, "read", order=order)
    for got in service.got:
        assert got.target.startswith("/orders/")
        assert got.target.count("/") == 2
        assert "?" not in got.target
        assert "x" not in got.headers
    assert result.outcome == ("business_error" if order in {"..", ".", ""} else "succeeded")


async def test_what_the_context_fills_in_reaches_the_system_and_no_argument_replaces_it(
    service: Service, clients: HttpClients
) -> None:
    body = {
        "type": "object",
        "properties": {
            "note": TEXT,
            "customer": {
                "type": "object",
                "properties": {"name": TEXT, "phone": {**TEXT, "x-atende-bind": "contact.phone"}},
                "required": ["phone"],
            },
            "locale": {**TEXT, "x-atende-bind": "language"},
        },
        "required": ["note"],
    }
    tenant = Input("X-Tenant-ID", "header", {**TEXT, "x-atende-bind": "tenant.id"}, required=True)
    made = assemble([tenant], ("json", body))
    assert set(made.schema["properties"]) == {"note", "customer"}
    assert set(made.schema["properties"]["customer"]["properties"]) == {"name"}
    details = HttpDetails(method="POST", url=f"{service.url}/x", parts=made.parts, body="json")
    function = http_function(
        HttpDeclaration("x", "X.", "write", made.schema, details),
        clients,
        Access(allowed_hosts=frozenset({service.host})),
    )
    result = await attempt(function, context("phone:551187654321"), {"note": "oi", "customer": {"name": "Ana"}})
    assert result.outcome == "succeeded"
    assert json.loads(service.got[0].body) == {
        "note": "oi",
        "customer": {"name": "Ana", "phone": "+5511987654321"},
        "locale": "pt",
    }
    assert service.got[0].headers["x-tenant-id"] == context().tenant_id
    # A model that knows the name cannot name another person by it, and nobody is called for whom nothing is known.
    forged: dict[str, Any] = {"note": "oi", "customer": {"phone": "+5521999999999"}}
    assert (await attempt(function, context(), forged)).error_code == "invalid_argument"
    assert (await attempt(function, context("lid:123"), {"note": "oi"})).error_code == "no_effect"
    assert len(service.got) == 1
    # Nor behind the schema's back, in a body that the schema leaves open.
    request = build_request(details, forged, context(), {}, is_write=True)
    assert json.loads(request.body or b"")["customer"] == {"phone": "+5511987654321"}
    optional = tuple(part.model_copy(update={"required": False}) for part in details.parts)
    unknown = details.model_copy(update={"parts": optional})
    request = build_request(unknown, forged, context("lid:123"), {}, is_write=True)
    assert json.loads(request.body or b"")["customer"] == {}
    assert forged["customer"] == {"phone": "+5521999999999"}, "the recorded arguments stay as they were"
