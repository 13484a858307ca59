"""A run as one HTML file, as JUnit XML and as a comment: whole, small, and deaf to what customers and models write."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from lxml import etree
from playwright.async_api import Page, expect

from app.eval_report import write_html
from evaluation.comparison import Comparison, compare
from evaluation.gates import Verdict, judge, load_gates
from evaluation.junit import write_junit
from evaluation.markdown import markdown, write_markdown
from evaluation.report import make_report
from evaluation.results import BESIDE, Run
from tests.evaluation.runs import HOSTILE, lifelike, result, run
from tests.web.demo import running_browser
from web.charts import _tick
from web.figures import Figures

GATES = Path(__file__).parents[2] / "evals" / "gates.yaml"
MOST_BYTES = 5_000_000


def judged(of: Run) -> tuple[Run, Comparison | None, Verdict]:
    comparison = compare(of, "A", "B") if len(of.bundles) > 1 else None
    return of, comparison, judge(of, comparison, load_gates(GATES))


class _Elements(HTMLParser):
    """All elements with their attributes, and what stands in scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_that_what_customers_and_models_write_stays_text(tmp_path: Path) -> None:
    write_html(*judged(lifelike(60)), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    found = _Elements(text).found
    scripts = [attributes for tag, attributes in found if tag == "script"]
    assert [one.get("type") for one in scripts] == [None, "text/plain", "text/plain", "text/plain", None]
    assert not [tag for tag, _ in found if tag in {"img", "iframe", "object", "link", "base"}]
    assert not [
        attributes for _, attributes in found if any(name.startswith("on") or name == "style" for name in attributes)
    ]
    assert "unsafe" not in text.split("</head>")[0]
    assert "alert('x')" not in text
    packs = re.findall(r'<script type="text/plain" id="ev-pack-\d+">([\w+/=]+)</script>', text)
    cases = [one for pack in packs for one in json.loads(gzip.decompress(base64.b64decode(pack)))]
    assert len(cases) == 60
    assert HOSTILE in {
        turn["decision"]["text"][: len(HOSTILE)] for one in cases for turn in one["A"][0]["steps"][0]["turns"]
    }


def test_that_the_file_needs_nothing_else_and_is_the_same_for_the_same_run(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_html(*judged(lifelike(30)), tmp_path / name)
    text = (tmp_path / "one").read_text()
    assert text == (tmp_path / "two").read_text()
    assert not [attributes for _, attributes in _Elements(text).found if {"src", "href", "action"} & attributes.keys()]
    assert not re.search(r"url\(|@import", text)


def test_that_two_thousand_cases_make_a_small_file(tmp_path: Path) -> None:
    write_html(*judged(lifelike(2000)), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert len(text.encode()) < MOST_BYTES
    assert text.count("<tr data-s=") == 2000


def test_that_traces_of_what_passed_make_room_for_those_of_what_flipped() -> None:
    of, comparison, verdict = judged(lifelike(200, trace=40))
    whole = sum(len(pack) for pack in make_report(of, comparison, verdict).packs)
    report = make_report(of, comparison, verdict, most_bytes=whole * 9 // 10)
    matrix, size = report.view["matrix"], report.view["pack"]
    assert report.view["thinned"]
    assert sum(map(len, report.packs)) < whole * 9 // 10
    flipped = next(n for n, row in enumerate(matrix) if row["flip"])
    kept = json.loads(gzip.decompress(report.packs[flipped // size]))[flipped % size]
    assert len(kept["A"][0]["steps"][0]["turns"][0]["trace"]["model_calls"]) == 40
    passed = json.loads(gzip.decompress(report.packs[-1]))[-1]
    assert passed["A"][0]["steps"][0]["turns"][0]["trace"] == "…"
    bare = make_report(of, comparison, verdict, most_bytes=1)
    assert sum(map(len, bare.packs)) < whole // 2


def test_that_no_figure_mixes_origins_and_errored_results_are_shown() -> None:
    view = make_report(*judged(lifelike(90))).view
    for one in view["totals"]:
        assert one["origin"] in {"simulated", "replayed", "local"}
    everything = {one["origin"]: one["shares"]["A"] for one in view["totals"] if one["kind"] == "all"}
    assert {origin: share["cases"] + share["errored"] for origin, share in everything.items()} == {
        "simulated": 30,
        "replayed": 29,
        "local": 31,  # the one that errored asked no model as far as anybody knows
    }
    assert sum(share["errored"] for share in everything.values()) == 1


def test_that_intents_are_counted_and_calibrated() -> None:
    known = [("a", "a", 0.95)] * 18 + [("a", "b", 0.95)] * 2 + [("b", "b", 0.55)] * 5 + [("b", None, 0.55)] * 5
    results = [
        result("s", str(n), "A", "p", expected_intent=meant, intent=understood, confidence=sure)
        for n, (meant, understood, sure) in enumerate(known)
    ]
    (found,) = make_report(*judged(run(results))).view["intents"]
    of = found["by_label"]["A"]
    assert of["confusion"]["names"] == ["a", "b", "–"]
    assert of["confusion"]["counts"] == [[18, 2, 0], [0, 5, 5], [0, 0, 0]]
    assert [(one["count"], round(one["right"], 2)) for one in of["calibration"]["bins"]] == [(10, 0.5), (20, 0.9)]
    assert of["calibration"]["error"] == pytest.approx(0.05)


def test_that_a_row_says_how_the_customer_began_and_what_was_not_done_and_known_weaknesses_come_last() -> None:
    weak = {"tags": ("known_weakness",), "steps": ({"say": ["cadê?"], "turns": []},)}
    results = [
        result("s", "a weak one", "A", "f", **weak),
        result("s", "a new one", "A", "f", steps=({"say": ["quero  um\nvestido", "azul"], "turns": []},)),
        result("s", "one that errs", "A", "e"),
        result("s", "one that passes", "A", "p"),
    ]
    rows = make_report(*judged(run(results))).view["matrix"]
    assert [row["case"] for row in rows] == ["a new one", "one that errs", "a weak one", "one that passes"]
    assert [row["known"] for row in rows] == [False, False, True, False]
    assert [row["said"] for row in rows] == ["quero um vestido / azul", "", "cadê?", ""]
    assert [row["why"] for row in rows] == [
        "decision: reply → hand_off",
        "the endpoint is away",
        "decision: reply → hand_off",
        "",
    ]


def test_that_a_few_slow_cases_do_not_press_all_others_into_one_bar() -> None:
    usual = [result("s", str(n), "A", "p", latency_ms=10.0 + n % 20) for n in range(198)]
    slow = [result("s", f"slow-{n}", "A", "p", latency_ms=9_000.0) for n in range(2)]
    (found,) = make_report(*judged(run([*usual, *slow]))).view["spreads"]
    assert (found["low"], found["high"], found["beyond"]) == (10.0, 29.0, 2)
    assert sum(found["series"]["A"]["counts"]) == 200
    assert sum(count > 0 for count in found["series"]["A"]["counts"]) > 15
    (whole,) = make_report(*judged(run(usual))).view["spreads"]
    assert whole["beyond"] == 0


def test_that_what_happened_beside_a_draft_looks_like_no_judgement(tmp_path: Path) -> None:
    of = replace(lifelike(40), mode=BESIDE)
    write_html(of, None, judge(of, None, load_gates(GATES)), tmp_path / "day.html")
    text = (tmp_path / "day.html").read_text()
    assert "data-beside" in text
    assert 'data-baseline="B"' in text, "texts are still set against each other"
    for word in ("A gate failed", "got worse", "Pass rate", "Totals", "A against B", "✗", "critical only"):
        assert word not in text.split("<main>")[1].split("<script")[0], word


def test_that_a_tiny_chance_is_told_in_a_few_signs() -> None:
    shown = [(Figures(locale).chance(value)) for locale, value in (("en", 3.8e-10), ("pt_BR", 9e-5), ("en", 0.0417))]
    assert shown == ["< 0.0001", "< 0,0001", "0.042"]
    assert [_tick(value) for value in (1072.8, 0.00012, 0, 86.4)] == ["1070", "0.00012", "0", "86.4"]


def test_that_junit_xml_is_valid_and_counts_what_failed_and_what_errored(tmp_path: Path) -> None:
    of = lifelike(60)
    write_junit(of, judged(of)[2], tmp_path / "junit.xml")
    document = etree.parse(tmp_path / "junit.xml")
    etree.XMLSchema(etree.parse(Path(__file__).parent / "junit.xsd")).assertValid(document)
    root = document.getroot()
    assert int(root.get("errors", "0")) >= 2
    failed = sum(one.status == "failed" for one in of.results if one.bundle == "A")  # B is the baseline
    assert failed < sum(one.status == "failed" for one in of.results)
    gates = root.findall("testsuite")[-1]
    assert gates.get("name") == "gates"
    assert int(root.get("failures", "0")) == failed + int(gates.get("failures", "0"))
    assert int(root.get("tests", "0")) == len(root.findall(".//testcase"))


def test_that_a_known_weakness_is_skipped_in_junit_and_stops_no_ci(tmp_path: Path) -> None:
    weak = result("s", "weak", "A", "f", tags=("known_weakness",))
    of = run([weak, result("s", "new", "A", "f"), result("s", "fine", "A", "p")])
    write_junit(of, judged(of)[2], tmp_path / "junit.xml")
    document = etree.parse(tmp_path / "junit.xml")
    etree.XMLSchema(etree.parse(Path(__file__).parent / "junit.xsd")).assertValid(document)
    suite = document.getroot()[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
    }


def test_that_the_comment_begins_with_the_verdict_and_shows_text_as_text(tmp_path: Path) -> None:
    of, comparison, verdict = judged(lifelike(240))
    write_markdown(of, comparison, verdict, tmp_path / "summary.md")
    lines = (tmp_path / "summary.md").read_text().splitlines()
    assert lines[0].startswith("### ❌ A gate failed: A against B: surely worse in ")
    assert len(lines) < 60
    hostile = run([result("<b>s</b>|x", "`c`\n# h", bundle, "p" if bundle == "B" else "f") for bundle in "AB"])
    text = markdown(*judged(hostile))
    assert "<b>" not in text
    assert "\n# h" not in text
    assert r"\<b\>s\</b\>\|x" in text


@pytest.mark.browser
async def test_that_a_reader_filters_opens_a_case_and_sees_what_differs(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium is installed")
    path = tmp_path / "report.html"
    write_html(*judged(lifelike(40, epochs=2)), path)
    async with running_browser(chromium) as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith("file:") else complaints.append(request.url))
        await page.goto(path.as_uri())
        shown = page.locator("[data-ev-rows] > tr:visible")
        await expect(shown).to_have_count(40)
        await page.get_by_label("Flipped").select_option("worse")
        await expect(page.locator("[data-ev-count]")).not_to_have_text("40 / 40")
        assert {await row.get_attribute("data-f") for row in await shown.all()} == {"worse"}
        await shown.first.get_by_role("button").click()
        sides = page.locator(".ev-side")
        await expect(sides).to_have_count(4)
        assert await page.locator(".ev-side del, .ev-side ins").count() > 0
        await page.keyboard.press("Escape")
        await page.get_by_label("Flipped").select_option("")
        await _walked(page)
        await page.get_by_label("Find").fill("0000")
        await expect(shown).to_have_count(1)
        await shown.first.get_by_role("button").click()
        await expect(page.locator("[data-ev-transcript]")).to_contain_text("<img src=x onerror=alert(1)>")
        assert complaints == []
        for scheme, width in (("light", 1280), ("dark", 1280), ("light", 390)):
            await _audited(
                await browser.new_context(
                    bypass_csp=True,
                    viewport={"width": width, "height": 844},
                    color_scheme=scheme,  # type: ignore[arg-type]
                ),
                path,
            )


async def _walked(page: Page) -> None:
    """From case to case without closing, and to one by its address."""
    await page.get_by_label("Flipped").select_option("worse")
    shown = page.locator("[data-ev-rows] > tr:visible")
    count, name = await shown.count(), page.locator("#ev-case-name")
    await shown.first.get_by_role("button").click()
    first = await name.text_content()
    await expect(page.locator("[data-ev-place]")).to_have_text(f"1 / {count}")
    await expect(page.get_by_role("button", name="Case before")).to_be_disabled()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("[data-ev-place]")).to_have_text(f"2 / {count}")
    address, second = page.url, await name.text_content()
    assert first != second
    assert "#case=" in address
    await page.get_by_role("button", name="Case before").click()
    await expect(name).to_have_text(first or "")
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(re.compile("html$"))
    await page.goto("about:blank")
    await page.goto(address)
    await expect(name).to_have_text(second or "")
    await expect(page.locator(".ev-side").first).to_be_attached()
    await page.keyboard.press("Escape")


async def _audited(context: Any, path: Path) -> None:
    page: Page = await context.new_page()
    await page.goto(path.as_uri())
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = await Axe().run(page)
    assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
    await context.close()
