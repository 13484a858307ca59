"""Models whose address a tenant chose are asked at public or allowed hosts only, wherever their names lead by then."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from agent.language_model import LanguageModel, ModelClients, ModelError, ModelSettings
from tests.openai_server import ScriptedOpenAI

ASK = [{"role": "user", "content": "oi"}]
NAME = "model.example"


class Names(AbstractResolver):
    """A name that leads to each of these addresses in turn, then to the last one for good."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        address = self._addresses[min(self.asked, len(self._addresses) - 1)]
        self.asked += 1
        return [{"hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def model_at(
    base_url: str, names: Names, allowed: Sequence[str] = (), *, is_tenants_own: bool = True
) -> AsyncIterator[LanguageModel]:
    clients = ModelClients(names=names)
    try:
        yield LanguageModel(
            ModelSettings(
                "m",
                base_url,
                "key",
                is_tenants_own=is_tenants_own,
                private_hosts=frozenset(allowed),
                max_attempts=2,
            ),
            clients,
            seed=7,
        )
    finally:
        await clients.aclose()


async def test_that_a_name_which_leads_into_our_own_network_by_now_is_not_asked() -> None:
    async with ScriptedOpenAI([{"reply": "secret of the network"}]) as server:
        port = urlsplit(server.base_url).port
        names = Names("127.0.0.1")
        async with model_at(f"https://{NAME}:{port}/v1", names) as model:
            with pytest.raises(ModelError, match=f"{NAME} has no public address") as caught:
                await model.complete(ASK)
            assert caught.value.hint
        assert names.asked == 1, "it was judged when the connection was made, and not tried again"
        assert not server.requests


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.7", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_that_no_address_of_our_own_network_is_asked(host: str, scheme: str) -> None:
    async with model_at(f"{scheme}://{host}:9/v1", Names("127.0.0.1")) as model:
        with pytest.raises(ModelError, match=r"was not asked: .*(no public address|https://)"):
            await model.complete(ASK)


async def test_that_an_allowed_host_is_asked_and_the_installation_s_own_address_too() -> None:
    async with ScriptedOpenAI([{"when": ".", "reply": "Olá!"}]) as server:
        port = urlsplit(server.base_url).port
        async with model_at(f"http://{NAME}:{port}/v1", Names("127.0.0.1"), (f"{NAME}:{port}",)) as model:
            assert (await model.complete(ASK)).text == "Olá!"
        async with model_at(server.base_url, Names("127.0.0.1"), is_tenants_own=False) as model:
            assert (await model.complete(ASK)).text == "Olá!"


async def test_that_a_redirect_leads_nowhere() -> None:
    inside: list[str] = []

    async def away(request: web.Request) -> web.Response:
        if request.path.startswith("/inside"):
            inside.append(request.path)
            return web.json_response({"choices": [{"message": {"content": "secret"}}]})
        raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{request.url.port}/inside")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", away)
    async with TestServer(app, host="127.0.0.1") as server:
        base = f"http://{NAME}:{server.port}/v1"
        async with model_at(base, Names("127.0.0.1"), (f"{NAME}:{server.port}",)) as model:
            with pytest.raises(ModelError):
                await model.complete(ASK)
    assert not inside
