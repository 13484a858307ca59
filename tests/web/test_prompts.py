"""The prompts' pages: drafted, compared, published only with evidence or a reason, tried on a share, taken back."""

from __future__ import annotations

import re
from html import unescape

import httpx

from tests.database import Number
from tests.web.people import become, browser
from tests.web.site import Site


async def drafted(admin: httpx.AsyncClient, persona: str) -> str:
    made = await admin.post("/prompts/new", data={"persona": persona, "description": persona.title()})
    assert made.status_code == 303, made.text
    return made.headers["location"]


async def test_that_a_draft_is_compared_published_with_a_reason_and_taken_back(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        assert "None yet" in (await admin.get("/prompts")).text
        none = await admin.post("/prompts/roll-back")
        assert (none.status_code, "There is nothing to go back to." in none.text) == (409, True)
        place = await drafted(admin, "fala como gente")
        page = unescape((await admin.get(place)).text)
        assert "Setting Persona" in page
        assert "No eval of exactly this bundle has passed yet." in page
        bare = await admin.post(f"{place}/publish")
        assert bare.status_code == 422
        assert "Choose a passed eval, or give a reason." in bare.text
        assert (await admin.post(f"{place}/canary", data={"share": "lots"})).status_code == 422
        assert (await admin.post(f"{place}/canary", data={"share": "10", "reason": "carefully"})).status_code == 303
        assert "Canary 10%" in (await admin.get("/prompts")).text
        assert (await admin.post(f"{place}/canary", data={"share": "0"})).status_code == 303
        assert (await admin.post(f"{place}/publish", data={"reason": "a typo only"})).status_code == 303
        page = unescape((await admin.get("/prompts")).text)
        assert "a typo only" in page
        assert place.split("/")[-1] in page.split("Bundles")[0]
        assert (await admin.post("/prompts/roll-back")).status_code == 303
        page = unescape((await admin.get("/prompts")).text)
        assert place.split("/")[-1] not in page.split("Bundles")[0]
        assert "Rolled back" in page


async def test_that_a_prompt_is_checked_and_needs_a_new_version(site: Site, shop: Number) -> None:
    await become(site, shop, "prompt_engineer")
    async with browser(site) as engineer:
        form = unescape((await engineer.get("/prompts/new")).text)
        source = re.search(r'name="prompt/summary"[^>]*>(.*?)</textarea>', form, re.DOTALL)
        assert source
        same = source[1].rstrip() + "\nBe brief.\n"
        refused = await engineer.post("/prompts/new", data={"prompt/summary": same, "persona": "x"})
        assert refused.status_code == 422
        assert "raise the version in its head" in refused.text
        assert "Be brief." in refused.text
        broken = re.sub(r"version: \d+", "version: 99", same) + "{{ nobody_gives_this }}"
        assert (await engineer.post("/prompts/new", data={"prompt/summary": broken})).status_code == 422
        raised = re.sub(r"version: \d+", "version: 99", same)
        made = await engineer.post("/prompts/new", data={"prompt/summary": raised, "persona": ""})
        assert made.status_code == 303, made.text
        assert "Be brief." in (await engineer.get(made.headers["location"])).text


async def test_that_a_draft_shows_what_it_changes_before_it_is_saved(site: Site, shop: Number) -> None:
    await become(site, shop, "prompt_engineer")
    async with browser(site) as engineer:
        wanted = {"persona": "Fale com calma.", "threshold": "0,85"}
        shown = await engineer.post("/prompts/new", data={**wanted, "act": "preview"})
        assert shown.status_code == 200, shown.text
        for line in ("+Fale com calma.", "+0.85"):
            assert line in unescape(shown.text), line
        async with site.db.transaction(shop.tenant_id) as tx:
            assert await tx.fetchval("SELECT count(*) FROM event WHERE kind = 'bundle.drafted'") == 0
        for wrong in ({"threshold": "1.5"}, {"knowledge_threshold": "much"}):
            assert (await engineer.post("/prompts/new", data=wanted | wrong)).status_code == 422, wrong
        made = await engineer.post("/prompts/new", data=wanted)
        assert made.status_code == 303, made.text
        kept = unescape((await engineer.get(made.headers["location"])).text)
        assert "+0.85" in kept


async def test_that_an_eval_that_this_very_bundle_passed_lets_it_be_published(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        place = await drafted(admin, "outra fala")
        name = place.split("/")[-1]
        runs = {}
        for key, bundle, code, origin in (
            ("right", name, 0, "replayed"),
            ("other", "f" * 20, 0, "replayed"),
            ("failed", name, 1, "replayed"),
            ("simulated", name, 0, "simulated"),
        ):
            async with site.db.transaction(shop.tenant_id) as tx:
                runs[key] = await tx.fetchval(
                    """INSERT INTO eval_run (tenant_id, digest, started_at, published_by, mode, candidate, baseline,
                                             verdict, exit_code, shares, view, packs)
                       VALUES ($1, $2, now(), 'test', 'replay', $3, '{}', 'no_difference', $4, $5, '', '{}')
                       RETURNING id""",
                    shop.tenant_id,
                    key,
                    {"hash": bundle, "label": "A"},
                    code,
                    [{"suite": "shop", "origin": origin, "cases": 1, "passed": 1, "rate": 1.0}],
                )
        page = (await admin.get(place)).text
        assert str(runs["right"]) in page
        for wrong in ("other", "failed", "simulated"):
            assert str(runs[wrong]) not in page
            assert (await admin.post(f"{place}/publish", data={"run": str(runs[wrong])})).status_code == 422
        assert (await admin.post(f"{place}/publish", data={"run": str(runs["right"])})).status_code == 303
        assert "With a passed eval" in (await admin.get("/prompts")).text


async def test_that_others_only_look_and_other_tenants_see_nothing(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        place = await drafted(admin, "segredo da casa")
    await become(site, shop, "manager")
    async with browser(site) as manager:
        assert (await manager.get(place)).status_code == 200
        for path in ("/prompts/new", "/prompts/roll-back", f"{place}/publish", f"{place}/canary"):
            assert (await manager.post(path, data={"reason": "x"})).status_code == 403
    await become(site, shop, "operator")
    async with browser(site) as operator:
        assert (await operator.get("/prompts")).status_code == 403
    other = await site.number("other")
    await become(site, other, "admin")
    async with browser(site, "other") as stranger:
        assert "segredo" not in (await stranger.get("/prompts")).text.lower()
        assert (await stranger.get(place)).status_code == 404
        for act in ("publish", "canary"):
            assert (await stranger.post(f"{place}/{act}", data={"reason": "x"})).status_code == 404
