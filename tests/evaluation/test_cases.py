"""Cases of every kind are read and played, and what is wrong with one is told with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.encoder import default_encoder
from evaluation.case_files import CaseFilesError
from evaluation.known_names import check_names
from evaluation.lineup import ModelTerms, Wanted, line_up
from evaluation.results import Run
from evaluation.runner import run_cases
from evaluation.suites import EmptySuiteError, find_suites, load_suite
from flows.tenant_files import load_tenant

HERE = Path(__file__).parent / "cases"
TENANTS = Path(__file__).parents[2] / "tenants"


def test_that_a_case_of_every_kind_is_played_and_judged(tmp_path: Path) -> None:
    suites = find_suites([str(HERE / "shop.yaml")])
    run = run_cases(line_up(suites, Wanted(), default_encoder(), ModelTerms()))

    failed = [(one.case, check) for one in run.results for check in one.checks if not check.passed]
    assert failed == []
    assert {one.status for one in run.results} == {"passed"}
    assert {one.case: one.origin for one in run.results}.pop("fooled-model") == "simulated"
    assert [one.origin for one in run.results].count("local") == len(run.results) - 1
    first = run.results[0]
    assert (first.critical, first.tags, first.language) == (True, ("kinds",), "pt")
    assert (first.expected_intent, first.intent) == ("order_status", "order_status")
    assert first.source.endswith("shop.yaml:11")
    run.write(tmp_path / "run.json")
    assert Run.read(tmp_path / "run.json").results == run.results


def mistakes(folder: Path, text: str, name: str = "some.eval.yaml", *, encoding: str = "utf-8") -> list[str]:
    file = folder / name
    file.write_text(text, encoding=encoding)
    with pytest.raises(CaseFilesError) as raised:
        load_suite(file)
    return [str(problem).replace(str(folder) + "/", "") for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("suite: s\ncases:\n  - name: a\n    say: x\n   expect: {}\n", "some.eval.yaml:5: is not valid YAML"),
        (
            "suite: s\ncases:\n  - name: a\n    say: x\n    say: y\n",
            "some.eval.yaml:5: is not valid YAML: the key 'say'",
        ),
        (
            "suite: s\ncases:\n  - name: a\n    say: x\n    expect:\n      intent: b\n      decison: reply\n",
            "some.eval.yaml:7: expect.decison: is not a known key. Did you mean `decision`?",
        ),
        (
            "suite: s\ncases:\n  - name: a\n    steps:\n      - say: x\n      - say: y\n        expect: {statis: 0}\n",
            "some.eval.yaml:7: steps.1.expect.statis: is not a known key. Did you mean `status`?",
        ),
        ("suite: s\ncases:\n  - name: a\n", "some.eval.yaml:3: a case has one of say, steps, script and customer"),
        ("suite: s\ncases:\n  - say: a\n", "some.eval.yaml:3: name: is missing."),
        (
            "suite: s\ncases:\n  - {name: a, say: x}\n  - {name: b, say: x}\n  - {name: a, say: x}\n",
            "some.eval.yaml:5: name: a is taken by the case at",
        ),
        ("suite: s\ntenant: nowhere\ncases:\n  - {name: a, say: x}\n", "some.eval.yaml:2: tenant: there is no tenant"),
        (
            "- name: a\n  say: x\n  expect:\n    matches: 'a('\n",
            "some.eval.yaml:4: expect.matches: is no regular expression",
        ),
        (
            "- name: a\n  script:\n    one: {say: x, next: [{go: two}]}\n",
            "some.eval.yaml:1: script.one.next goes to 'two', which is no line of the script.",
        ),
        ("- name: a\n  given:\n    now: soon\n  say: x\n", "some.eval.yaml:3: given.now: "),
    ],
)
def test_that_a_mistake_names_its_line_and_what_to_do(tmp_path: Path, text: str, told: str) -> None:
    assert [found[: len(told)] for found in mistakes(tmp_path, text)] == [told]


def test_that_lines_of_jsonl_are_named_and_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    lines = [
        '{"suite": "s"}',
        '{"name": "a", "say": "x"}',
        '{"name": "b", "say": "x", "expects": {}}',
        "{",
        '{"say": 1}',
    ]
    found = mistakes(tmp_path, "\n".join(lines), "some.eval.jsonl")
    assert found[0].startswith("some.eval.jsonl:3: expects: is not a known key. Did you mean `expect`?")
    assert found[1].startswith("some.eval.jsonl:4: is not valid JSON")
    assert found[2].startswith("some.eval.jsonl:5: ")


def test_that_names_unknown_to_the_tenant_are_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "some.eval.yaml"
    file.write_text(
        "- name: a\n  say: x\n  expect:\n    intent: order_stats\n    calls: [nothing]\n    cites: no-such-page\n",
        encoding="utf-8",
    )
    with pytest.raises(CaseFilesError) as raised:
        check_names([load_suite(file)], {"some": [load_tenant(TENANTS / "loja-aurora")]})
    assert [(problem.line, problem.key) for problem in raised.value.problems] == [
        (4, "expect.intent"),
        (5, "expect.calls"),
        (6, "expect.cites"),
    ]


@pytest.mark.parametrize("text", ["", "suite: s\ncases: []\n", "suite: s\n", "# nothing\n"])
def test_that_an_empty_suite_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "suite.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(EmptySuiteError):
        find_suites([str(tmp_path)])


def test_that_cases_may_share_what_yaml_lets_them_share(tmp_path: Path) -> None:
    file = tmp_path / "some.eval.yaml"
    file.write_text(
        "suite: s\ncases:\n  - &first {name: a, say: oi, expect: {intent: none}}\n  - {<<: *first, name: b}\n"
        "  - <<: *first\n    name: c\n    expect: {asks: cpf}\n",
        encoding="utf-8",
    )
    cases = load_suite(file).cases
    assert [(case.name, case.content.say[0].text, case.content.expect.intent) for case in cases] == [
        ("a", "oi", ("none",)),
        ("b", "oi", ("none",)),
        ("c", "oi", ()),
    ]
    assert mistakes(tmp_path, "- &a {name: a, say: x}\n- {<<: *a, name: b, name: c}\n") == [
        "some.eval.yaml:2: is not valid YAML: the key 'name' is there twice. Correct that line."
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- &a\n  name: a\n  given: {dialogue: {x: *a}}\n", "some.eval.yaml:1: is not valid YAML: it holds itself"),
        ("- name: a\n  say: " + "[" * 5000 + "]" * 5000, "some.eval.yaml:2: is not valid YAML: it is nested too deep"),
        (
            "- name: a\n  say: x\n  given:\n    records:\n      orders:\n        1: {x: 1}\n        b: {x: 2}\n",
            "some.eval.yaml:6: given.records.orders.1: is read as 1, not as text. Put the value in quotes.",
        ),
        ("- name: a\n  say: oi\n  title: ol\xe1\n", "some.eval.yaml:3: is not UTF-8"),
    ],
)
def test_that_what_only_a_program_could_have_meant_is_a_mistake_like_any_other(
    tmp_path: Path, text: str, told: str
) -> None:
    encoding = "latin-1" if "\xe1" in text else "utf-8"
    assert [found[: len(told)] for found in mistakes(tmp_path, text, encoding=encoding)] == [told]


def test_that_the_order_of_a_script_belongs_to_what_a_suite_says(tmp_path: Path) -> None:
    file = tmp_path / "some.eval.yaml"
    digests = []
    for script in ("{one: {say: x}, two: {say: y}}", "{two: {say: y}, one: {say: x}}"):
        file.write_text(f"- name: a\n  script: {script}\n", encoding="utf-8")
        digests.append(load_suite(file).digest)
    assert digests[0] != digests[1]


def test_that_a_misspelled_name_does_not_make_an_expectation_hold(tmp_path: Path) -> None:
    file = tmp_path / "some.eval.yaml"
    file.write_text(
        "- name: a\n  say: x\n  given:\n    records:\n      ordrs: {'1': {}}\n  expect:\n"
        "    records_unchanged: [orderz]\n"
        "    records:\n      orderz: {'1': null}\n      exchanges: {'*': null}\n"
        "    asks: cfp\n"
        "    collected:\n      ordr_number: '1'\n"
        "    calls:\n      never: [{function: order_status, arguments: {ordr_number: '1'}}]\n",
        encoding="utf-8",
    )
    with pytest.raises(CaseFilesError) as raised:
        check_names([load_suite(file)], {"some": [load_tenant(TENANTS / "loja-aurora")]})
    assert [(problem.line, problem.key) for problem in raised.value.problems] == [
        (4, "given.records"),
        (7, "expect.records_unchanged"),
        (8, "expect.records"),
        (11, "expect.asks"),
        (12, "expect.collected"),
        (14, "expect.calls"),
    ]
