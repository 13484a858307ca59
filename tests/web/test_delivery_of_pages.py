"""How pages and files reach the browser: headers, weight, caching, languages."""

from __future__ import annotations

import hashlib
import inspect
import re

import httpx
import pytest
from fastapi import APIRouter, Depends

from store.database import Database
from tests.database import Number
from tests.web.site import Site, running_site
from web.application import prepare_routes
from web.assets import STATIC
from web.lean_styles import LEAN, WHOLE, lean_styles, leaves

FIRST_PAGE_BYTES = 150 * 1024


async def test_that_every_answer_carries_a_strict_policy(site: Site, operator: httpx.AsyncClient) -> None:
    for path in ("/login", "/inbox", "/nothing-here", "/healthz"):
        headers = (await operator.get(path)).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


async def test_that_no_page_has_inline_script_or_style(site: Site, operator: httpx.AsyncClient, shop: Number) -> None:
    conversation = await site.message(shop)
    await site.suggestion(shop, conversation)
    del operator.headers["HX-Request"]
    for path in ("/login", f"/inbox/{conversation}", f"/demo/{conversation}", "/numbers", "/nothing-here"):
        page = (await operator.get(path, follow_redirects=True)).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page), path


async def test_that_the_first_page_is_light(site: Site, operator: httpx.AsyncClient, shop: Number) -> None:
    conversation = await site.message(shop)
    del operator.headers["HX-Request"]
    operator.headers["Accept-Encoding"] = "gzip, br"
    async with operator.stream("GET", f"/inbox/{conversation}") as answer:
        weight = sum([len(chunk) async for chunk in answer.aiter_raw()])
    files = set(re.findall(r'"(/assets/[^"#]+)', (await operator.get(f"/inbox/{conversation}")).text))
    assert len(files) >= 6
    for file in files:
        async with operator.stream("GET", file) as answer:
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            weight += sum([len(chunk) async for chunk in answer.aiter_raw()])
    assert weight <= FIRST_PAGE_BYTES


async def test_that_no_request_waits_for_routes_to_be_built(db: Database, owner_dsn: str) -> None:
    looks = 0

    class Dependency:
        """FastAPI reads its signature whenever it builds a route with it."""

        @property
        def __signature__(self) -> inspect.Signature:
            nonlocal looks
            looks += 1
            return inspect.Signature()

        def __call__(self) -> None: ...

    router = APIRouter()
    router.add_api_route("/late", lambda: None, dependencies=[Depends(Dependency())])
    async with running_site(db, owner_dsn, router) as site, httpx.AsyncClient(base_url=site.url) as client:
        declared = looks
        prepare_routes(site.app)
        built = looks
        assert (await client.get("/late")).status_code == 200
        assert looks == built > declared > 0


async def test_that_an_unexpected_error_is_told_without_its_insides(db: Database, owner_dsn: str) -> None:
    router = APIRouter()

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the insides")

    async with running_site(db, owner_dsn, router) as site, site.client(**{"Accept-Language": "pt"}) as client:
        page = await client.get("/broken")
        program = await client.get("/broken", headers={"Accept": "*/*"})
    assert page.status_code == program.status_code == 500
    assert "Algo deu errado do nosso lado" in page.text
    assert "the insides" not in page.text + program.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert program.headers["content-type"] == "application/problem+json"


async def test_that_a_style_sheet_and_the_page_name_the_same_font(site: Site, shop: Number) -> None:
    async with site.client() as client:
        page = (await client.get("/login")).text
        font = re.search(r'href="([^"]+\.woff2)"', page)
        sheet = re.search(r'href="([^"]+/app\.css)"', page)
        assert font
        assert sheet
        assert font[1] in (await client.get(sheet[1])).text


@pytest.mark.parametrize(
    ("accepted", "heading"), [("pt-BR,pt;q=0.9", "Entrar"), ("es-MX,en;q=0.5", "Iniciar sesión"), ("de", "Entrar")]
)
async def test_that_the_browser_chooses_the_language(site: Site, shop: Number, accepted: str, heading: str) -> None:
    async with site.client(**{"Accept-Language": accepted}) as client:
        assert f">{heading}</h1>" in (await client.get("/login")).text


async def test_that_a_chosen_language_is_remembered(site: Site, shop: Number) -> None:
    async with site.client(**{"Accept-Language": "pt-BR"}) as client:
        answer = await client.post("/language", data={"language": "en", "next": "/login"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert ">Sign in</h1>" in (await client.get("/login")).text


def test_that_vendored_files_are_the_ones_on_record() -> None:
    folder = STATIC / "vendor"
    record = dict(
        reversed(line.split())
        for line in re.findall(r"^    (\w{64}  \S+)$", (folder / "VENDORED.md").read_text(), re.M)
    )
    files = {path.name: path for path in folder.iterdir() if path.is_file() and path.suffix != ".md"}
    assert record == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_that_the_style_sheet_holds_every_rule_that_a_page_may_need() -> None:
    there = set(leaves(LEAN.read_text(encoding="utf-8")))
    missing = [rule for rule in leaves(lean_styles()) if rule not in there]
    assert not missing, "a page uses what the style sheet lacks: run make styles"
    whole = set(leaves(WHOLE.read_text(encoding="utf-8")))
    assert there < whole
    assert len(there) < len(whole) / 2
