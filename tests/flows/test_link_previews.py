"""The card below a link, read from a page of a real server."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from domain.errors import AtendeError, InvalidInputError
from flows.link_previews import LinkPreviews
from tests.sample_files import PICTURE
from tools.public_web import public_client

PAGE = """<html><head><title> Tênis  azul
</title><meta property="og:description" content="Novo &amp; leve"><meta name="og:image" content="/foto.png"></head>
<body><title>outro</title></body></html>"""


@dataclass
class Site:
    """What the pages of a host answer, by path."""

    url: str = ""
    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The fields of each answer."""

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(**self.pages.get(request.path, {"status": 404}))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site, app = Site(), web.Application()
    app.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield site
    await runner.cleanup()


@pytest.fixture
async def previews() -> AsyncIterator[LinkPreviews]:
    async with public_client(("127.0.0.1",)) as http:
        yield LinkPreviews(http, ("127.0.0.1",))


async def test_that_a_page_gives_title_description_and_a_miniature(site: Site, previews: LinkPreviews) -> None:
    site.pages["/velho"] = {"status": 302, "headers": {"Location": "/tenis"}}
    site.pages["/tenis"] = {"text": PAGE, "content_type": "text/html"}
    site.pages["/foto.png"] = {"body": PICTURE, "content_type": "image/png"}
    card = await previews.of(f"{site.url}/velho")
    assert (card.url, card.title, card.description) == (f"{site.url}/velho", "Tênis azul", "Novo & leve")
    assert base64.b64decode(card.thumbnail).startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ({"text": "<p>oi</p>", "content_type": "text/html"}, "no title"),
        ({"body": b"%PDF-", "content_type": "application/pdf"}, "application/pdf"),
        ({"status": 302, "headers": {"Location": "/x"}}, "ClientError"),
        ({"status": 302, "headers": {"Location": "https://10.0.0.1/inside"}}, "no public address"),
        ({"status": 500}, "ClientResponseError"),
    ],
    ids=["no title", "no page", "a circle", "into our network", "broken"],
)
async def test_that_what_gives_no_card_says_why(
    site: Site, previews: LinkPreviews, page: dict[str, Any], says: str
) -> None:
    site.pages["/x"] = page
    with pytest.raises(AtendeError, match=says):
        await previews.of(f"{site.url}/x")


async def test_that_only_public_pages_are_read(site: Site) -> None:
    async with public_client() as http:
        with pytest.raises((InvalidInputError, AtendeError), match=r"https|public"):
            await LinkPreviews(http).of(f"{site.url}/x")
