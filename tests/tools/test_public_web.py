"""Requests to tenants' addresses reach public hosts only."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from domain.errors import AtendeError, InvalidInputError
from tools.public_web import PrivateAddressError, check_url, is_public, public_client

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "not an address",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_that_no_address_of_our_own_network_counts_as_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "200.160.2.3", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_that_addresses_of_the_internet_do(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://user:password@example.com/",
        "ftp://example.com/",
        "https://",
        "example.com",
        "javascript:alert(1)",
        "https://exa mple.com/\n",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://example.com:99999/",
        "https://example.com/" + "x" * 3000,
    ],
)
def test_that_unfit_addresses_are_refused_with_a_word_what_to_do(url: str) -> None:
    with pytest.raises(AtendeError) as caught:
        check_url(url)
    assert caught.value.hint


def test_that_a_host_which_the_installation_allows_may_be_private_and_without_tls() -> None:
    assert check_url("http://n8n:5678/hook", {"n8n"})
    with pytest.raises(InvalidInputError):
        check_url("http://n8n.example.com/hook", {"n8n"})


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
async def test_that_no_other_spelling_of_an_address_gets_through(host: str) -> None:
    async with public_client() as http:
        with pytest.raises((PrivateAddressError, aiohttp.ClientError)):
            await http.get(f"http://{host}:1/")


async def test_that_a_name_which_leads_to_ourselves_is_never_connected_to() -> None:
    reached = []

    async def handle(request: web.Request) -> web.Response:
        reached.append(request)
        return web.Response()

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        async with public_client() as http:
            with pytest.raises(PrivateAddressError):
                await http.get(f"http://localhost:{port}/")
        async with public_client({"localhost"}) as http, http.get(f"http://localhost:{port}/") as answer:
            assert answer.status == 200
    finally:
        await runner.cleanup()
    assert len(reached) == 1
