"""Published runs of evals on the pages: the same report as the file, its history, and nobody else's."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from dataclasses import replace
from html import unescape

import asyncpg
import httpx
import pytest

from app.eval_publish import new_run
from evaluation.comparison import compare
from evaluation.gate_file import Gates, RegressionGate
from evaluation.gates import judge
from evaluation.report import make_report
from evaluation.results import BundleRef, CaseResult, Check, Run
from flows.eval_runs import EvalRuns
from tests.database import Number
from tests.web.site import Site
from web.i18n import LANGUAGES

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
async def admin(site: Site, shop: Number, operator: httpx.AsyncClient) -> httpx.AsyncClient:
    """The operator's browser, promoted."""
    owner = await asyncpg.connect(site.owner_dsn)
    try:
        await owner.execute("SELECT gate.put_member($1, $2, 'admin')", shop.tenant_id, shop.user_id)
    finally:
        await owner.close()
    del operator.headers["HX-Request"]
    return operator


def made_run(**more: object) -> Run:
    """Thirty cases under two bundles, eight of them worse, told by people who write mark-up."""
    results = tuple(
        CaseResult(
            suite=f"shop{EVIL}",
            case=f"case-{n} {EVIL}",
            bundle=bundle,
            epoch=1,
            status="failed" if n < 8 and bundle == "A" else "passed",
            origin="simulated",
            tags=(EVIL,),
            language="pt",
            checks=(Check("decision", not (n < 8 and bundle == "A"), 1, EVIL, EVIL),),
            steps=(
                {"say": [EVIL], "turns": [{"decision": {"kind": "reply", "text": f"segredo {EVIL}"}, "trace": {}}]},
            ),
            latency_ms=100.0 + n,
            cost_micros=50 + n,
            intent="a",
            expected_intent="a" if n % 5 else f"b{EVIL}",
            confidence=0.9,
        )
        for n in range(30)
        for bundle in "AB"
    )
    bundles = (BundleRef("A", "a" * 16, EVIL, {"prompts": "cd"}), BundleRef("B", "b" * 16))
    run = Run("shop", ("shop",), "simulated", 1, "2026-11-22T10:00:00+00:00", 2.0, bundles, results)
    return replace(run, **more)  # type: ignore[arg-type]


async def published(site: Site, number: Number, run: Run) -> uuid.UUID:
    """The run, judged and stored."""
    comparison = compare(run, "A", "B")
    report = make_report(run, comparison, judge(run, comparison, Gates(regression=RegressionGate())))
    run_id, is_new = await EvalRuns(site.db).publish(number.tenant_id, new_run(run, report), by="ana")
    assert is_new
    return run_id


@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_that_a_run_shows_its_report_without_inline_script_and_with_everything_escaped(
    site: Site, shop: Number, admin: httpx.AsyncClient, language: str
) -> None:
    run_id = await published(site, shop, made_run())
    admin.cookies.set("atende_language", language)
    page = (await admin.get(f"/evals/{run_id}")).text
    assert {"pt": "Pior", "es": "Peor", "en": "Worse"}[language] in page
    assert "case-29" in page
    escaped = re.sub(r"onerror=[\w()]*(&gt;|…)", "", page)  # as text, whole or cut short
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", escaped)
    assert "<script>alert" not in page
    assert "<img" not in page.split('id="eval-report"')[1]
    assert "segredo" not in page  # transcripts come when a case is opened
    packs = (await admin.get(f"/evals/{run_id}/transcripts/0")).content
    assert "segredo" in json.loads(gzip.decompress(packs))[0]["A"][0]["steps"][0]["turns"][0]["decision"]["text"]
    assert (await admin.get(f"/evals/{run_id}/transcripts/2")).status_code == 404


async def test_that_the_history_shows_each_runs_rates_and_a_run_is_stored_once(
    site: Site, shop: Number, admin: httpx.AsyncClient
) -> None:
    assert "atende eval publish" in (await admin.get("/evals")).text
    first = await published(site, shop, made_run())
    better = made_run(started_at="2026-11-23T10:00:00+00:00")
    better = replace(better, results=tuple(replace(one, status="passed") for one in better.results))
    second = await published(site, shop, better)
    run = made_run()
    comparison = compare(run, "A", "B")
    again = new_run(run, make_report(run, comparison, judge(run, comparison, Gates(regression=RegressionGate()))))
    assert await EvalRuns(site.db).publish(shop.tenant_id, again, by="bob") == (first, False)
    page = (await admin.get("/evals")).text
    assert page.index(str(second)) < page.index(str(first))
    assert "73,3 %" in page
    assert "100,0 %" in page
    assert page.count('class="ev-dot"') == 2
    assert "ana" in page
    assert "bob" not in page


async def test_that_operators_and_other_tenants_see_no_runs(
    site: Site, shop: Number, operator: httpx.AsyncClient
) -> None:
    other = await site.number("other")
    own, theirs = await published(site, shop, made_run()), await published(site, other, made_run())
    for path in ("/evals", f"/evals/{own}", f"/evals/{own}/transcripts/0"):
        assert (await operator.get(path)).status_code == 403
    for run_id in (theirs, uuid.uuid4()):
        for path in (f"/evals/{run_id}", f"/evals/{run_id}/transcripts/0"):
            assert (await operator.get(path)).status_code == 404


async def test_that_an_administrator_sees_no_run_of_another_tenant(
    site: Site, shop: Number, admin: httpx.AsyncClient
) -> None:
    theirs = await published(site, await site.number("other"), made_run())
    assert (await admin.get(f"/evals/{theirs}")).status_code == 404
    assert (await admin.get(f"/evals/{theirs}/transcripts/0")).status_code == 404
    page = unescape((await admin.get("/evals")).text)
    assert str(theirs) not in page
