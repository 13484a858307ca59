"""The pages of a business's settings: what they show, take, refuse and write down."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from flows.settings_known import SETTINGS
from store.secrets import Sealer, sealed_of
from tests.database import Number
from tests.web.administrators import promoted
from tests.web.site import Site
from web.settings_fields import PAGES
from web.settings_form import USUAL

ELSEWHERE = {"timezone", "budgets.conversation", "budgets.day", "budgets.month"}
"""Settings that stand on pages of their own: opening hours, budgets."""


@pytest.fixture
async def admin(site: Site, shop: Number, operator: httpx.AsyncClient) -> httpx.AsyncClient:
    await promoted(site, shop)
    return operator


def test_that_every_setting_stands_on_one_page() -> None:
    shown = [field.key for page in PAGES for field in page.fields]
    assert len(shown) == len(set(shown))
    assert {setting.key for setting in SETTINGS} - ELSEWHERE == set(shown)
    said = {setting.usual for setting in SETTINGS if re.search("[a-z]{3}", setting.usual)}
    known = set(USUAL) | {value for page in PAGES for field in page.fields for value, _ in field.choices}
    assert said - known - {"no limit", "vip"} == set()


async def test_that_what_is_saved_holds_and_the_audit_trail_tells_before_and_after(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    page = await _page(admin, "satisfaction")
    words = {"texts.satisfaction_question.pt": "Como foi na {{ business }}?", "satisfaction.every_days": "7"}
    saved = await admin.post("/settings/satisfaction", data={**page, **words, "satisfaction.ask": "yes"})
    assert "Salvo" in saved.text
    assert (await _settings(site, shop))["satisfaction"] == {"ask": True, "every_days": 7}
    assert (await _page(admin, "satisfaction"))["texts.satisfaction_question.pt"] == "Como foi na {{ business }}?"
    trail = unescape((await admin.get("/audit")).text)
    assert re.search(r"Pedir uma nota</th><td><del>não</del>.*<ins>sim</ins>", trail)
    assert "A pergunta" in trail
    # a switch that is off is sent by no browser, and an empty field takes back what was set
    page = await _page(admin, "satisfaction")
    page.pop("satisfaction.ask")
    await admin.post("/settings/satisfaction", data={**page, "satisfaction.every_days": ""})
    assert (await _settings(site, shop))["satisfaction"] == {"ask": False}


async def test_that_saving_a_page_as_it_is_sets_nothing(site: Site, admin: httpx.AsyncClient, shop: Number) -> None:
    before = await _settings(site, shop)
    for page in PAGES:
        assert (await admin.post(f"/settings/{page.slug}", data=await _page(admin, page.slug))).status_code == 200
    assert await _settings(site, shop) == before


REFUSED = (
    ("assistant", {"threshold": "2"}, "Digite um número de 0 a 1."),
    ("assistant", {"debounce.seconds": "20"}, "A espera máxima"),
    ("assistant", {"texts.disclosure.es": "Hola"}, "idioma principal também é necessário"),
    ("assistant", {"texts.disclosure.pt": "Oi {{ senha }}"}, "Aqui não existe senha"),
    ("assistant", {"texts.disclosure.pt": "Oi {{ business"}, "As chaves não foram fechadas"),
    ("business", {"domains": "loja"}, "Escreva domínios"),
    ("business", {"languages": "pt, de"}, "Escolha entre: pt, es, en."),
    ("business", {"languages": "es"}, "precisa estar entre eles"),
    ("business", {"name": " "}, "Isto é necessário"),
    ("quiet-hours", {"quiet_hours.daily": "noite"}, "Escreva horários"),
    ("model", {"model.base_url": "http://169.254.169.254/v1"}, "ser público"),
    ("model", {"model.base_url": "https://10.0.0.7/v1"}, "ser público"),
    ("model", {"model.options": "oi"}, "objeto JSON"),
    ("model", {"model.prices": "caro"}, "Escreva preços"),
    ("files", {"media_reading.most_files": "1,5"}, "Digite um número inteiro de 1 a 20."),
    ("assignment", {"assignment": "whoever"}, "Escolha um da lista."),
)


async def test_that_what_cannot_be_is_refused_in_the_readers_language_and_nothing_typed_is_lost(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    before = await _settings(site, shop)
    for page, typed, said in REFUSED:
        refused = await admin.post(f"/settings/{page}", data={**await _page(admin, page), **typed})
        text = unescape(refused.text)
        assert refused.status_code == 422, typed
        assert said in text, typed
        assert 'lang="en"' not in text, typed
        assert typed.get("assignment") or next(iter(typed.values())).strip() in text, typed
    assert await _settings(site, shop) == before


async def test_that_a_models_key_is_kept_sealed_and_never_shown(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    page = await _page(admin, "model")
    shown = await admin.post("/settings/model", data={**page, "model.name": "m-1", "model.api_key": "sk-very-secret"})
    assert shown.status_code == 200
    assert "sk-very-secret" not in shown.text + (await admin.get("/audit")).text
    assert "Há uma chave guardada" in shown.text
    # left empty it stays, and goes only by its button
    await admin.post("/settings/model", data={**await _page(admin, "model"), "model.name": "m-2"})
    async with site.db.transaction(shop.tenant_id) as tx:
        kept = (await sealed_of(tx))["model.api_key"]
    assert Sealer(b"a secret for tests only").open(shop.tenant_id, "model.api_key", kept) == "sk-very-secret"
    await admin.post("/settings/model", data={**await _page(admin, "model"), "forget": "model.api_key"})
    async with site.db.transaction(shop.tenant_id) as tx:
        assert await sealed_of(tx) == {}


async def test_that_what_somebody_else_changed_meanwhile_is_not_overwritten(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    mine, theirs = await _page(admin, "quiet-hours"), await _page(admin, "quiet-hours")
    await admin.post("/settings/quiet-hours", data={**theirs, "quiet_hours.daily": "22:00-07:00"})
    late = await admin.post("/settings/quiet-hours", data={**mine, "quiet_hours.daily": "20:00-06:00"})
    assert late.status_code == 409
    assert (await _settings(site, shop))["quiet_hours"] == {"daily": ["22:00-07:00"]}


async def test_that_operators_look_and_administrators_change(
    site: Site, admin: httpx.AsyncClient, shop: Number
) -> None:
    page = await _page(admin, "assignment")
    await promoted(site, shop, "operator")
    assert "Salvar" not in (await admin.get("/settings/assignment")).text
    assert (await admin.post("/settings/assignment", data=page)).status_code == 403
    assert (await admin.get("/settings/nothing")).status_code == 404


async def _settings(site: Site, shop: Number) -> dict[str, object]:
    async with site.db.transaction(shop.tenant_id) as tx:
        settings: dict[str, object] = await tx.fetchval("SELECT settings FROM tenant")
    settings.pop("set_by_hand", None)
    return settings


async def _page(client: httpx.AsyncClient, slug: str) -> dict[str, str]:
    """The form as a browser would send it."""
    text = (await client.get(f"/settings/{slug}")).text
    found: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]*>", text):
        name, value = re.search(r' name="([^"]+)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and ("checkbox" not in tag or " checked" in tag):
            found[name[1]] = unescape(value[1]) if value else ""
    for name, words in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', text):
        found[name] = unescape(words)
    for name, options in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = unescape(chosen[1]) if chosen else ""
    return {name: value for name, value in found.items() if name == "version" or "." in name or name in _KEYS}


_KEYS = {setting.key for setting in SETTINGS}
