"""Test files of promptfoo come in with what they expect, go out again, and nothing is dropped in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.case_files import CaseFilesError
from evaluation.promptfoo import read_promptfoo
from evaluation.promptfoo_writing import as_promptfoo
from evaluation.suites import load_suite

EVALS = Path(__file__).parents[2] / "evals"

CONFIG = """\
# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: What customers ask
prompts: ['{{question}}']
providers: [openai:gpt-5-mini]
defaultTest:
  vars: {shop: Aurora}
  assert:
    - {type: not-icontains, value: as an AI}
    - {type: latency, threshold: 3000}
tests:
  - description: Where is my order?
    vars: {question: cadê o pedido 10231?}
    assert:
      - {type: contains, value: '10231'}
      - {type: icontains-any, value: [transporte, enviado]}
      - {type: regex, value: 'AU\\d{9}BR'}
      - {type: not-contains, value: CPF}
      - {type: llm-rubric, value: 'Is it kind to customers of {{shop}}?', threshold: 0.7}
      - {type: cost, threshold: 0.002}
  - vars: {question: [oi, bom dia]}
    assert:
      - {type: equals, value: 'Olá, {{shop}}!'}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def suite_of(tmp_path: Path, cases: list[dict[str, Any]]) -> Any:
    path = tmp_path / "imported.eval.yaml"
    path.write_text(yaml.safe_dump({"suite": "imported", "cases": cases}, allow_unicode=True), encoding="utf-8")
    return load_suite(path)


def test_that_a_promptfoo_file_becomes_cases_that_expect_the_same(tmp_path: Path) -> None:
    first, *others = read_promptfoo(written(tmp_path, CONFIG))
    assert first["say"] == "cadê o pedido 10231?"
    assert first["title"] == "Where is my order?"
    assert first["expect"] == {
        "lacks": ["as an AI"],
        "latency_ms": 3000,
        "matches": ["(?-i:10231)", "(?-i:AU\\d{9}BR)"],
        "contains_any": ["transporte", "enviado"],
        "matches_not": ["(?-i:CPF)"],
        "rubric": [{"ask": "Is it kind to customers of Aurora?", "at_least": 0.7}],
        "cost": 0.002,
    }
    assert [case["say"] for case in others] == ["oi", "bom dia"], "a list of values is a test of each"
    assert len({case["name"] for case in others}) == 2
    assert others[0]["expect"]["matches"] == [r"\A\s*(?-i:Olá,\ Aurora!)\s*\Z"]
    assert len(suite_of(tmp_path, [first, *others]).cases) == 3


@pytest.mark.parametrize(
    ("kind", "todo"),
    [
        ("javascript", "contains, matches"),
        ("python", "contains, matches"),
        ("similar", "llm-rubric"),
        ("is-json", "words"),
    ],
)
def test_that_what_cannot_be_taken_over_is_told_with_its_line_and_what_to_do_instead(
    tmp_path: Path, kind: str, todo: str
) -> None:
    text = CONFIG + f"      - {{type: {kind}, value: 'output.length > 3'}}\n"
    path = written(tmp_path, text)
    with pytest.raises(CaseFilesError) as refused:
        read_promptfoo(path)
    (problem,) = refused.value.problems
    assert problem.line == len(text.splitlines())
    assert f"{kind} " in problem.what
    assert todo in problem.todo


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("description: nothing\n", 1, "has no tests"),
        ("prompts: ['{{a}} {{b}}', '{{b}}']\ntests:\n  - vars: {a: 1, b: 2}\n", 3, "says what the customer writes"),
        ("tests:\n  - vars: {message: oi}\n    threshold: 0.5\n", 3, "lets a test pass"),
        ("tests:\n  - vars: {message: oi}\n    assert: [{type: regex, value: '('}]\n", 3, "regex"),
        ("tests: file://lost.csv\n", 1, "no YAML file"),
        ("tests:\n  - vars: {message: oi}\nscenarios:\n  - config: []\n", 3, "scenarios"),
        ("tests:\n  - vars: file://vars.yaml\n", 2, "stands in another file"),
        ("defaultTest:\n  vars: [a]\ntests:\n  - vars: {message: oi}\n", 2, "no set of variables"),
        ("tests:\n  - vars: {message: oi}\n    options: {transform: output.toUpperCase()}\n", 3, "transform"),
        ("defaultTest:\n  options: {transform: output}\ntests:\n  - vars: {message: oi}\n", 2, "transform"),
        ("tests:\n  - vars: {message: oi}\n    assert: {type: contains, value: oi}\n", 3, "no list of assertions"),
        ("tests:\n  - vars: {message: oi}\n    metadata: nothing\n    threshold: [1]\n", 4, "lets a test pass"),
        ("tests:\n  - vars: {message: 'oi {{ name | upper }}', name: a}\n", 2, "is filled in by code"),
        (
            "tests:\n  - vars: {message: oi, name: a}\n    assert:\n"
            "      - {type: contains, value: '{{ name | upper }}'}\n",
            4,
            "is filled in by code",
        ),
    ],
)
def test_that_a_broken_promptfoo_file_is_refused_where_it_is_broken(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    with pytest.raises(CaseFilesError) as refused:
        read_promptfoo(written(tmp_path, text))
    assert (refused.value.problems[0].line, what in refused.value.problems[0].what) == (line, True)


def test_that_several_texts_in_one_are_told_apart_as_promptfoo_does(tmp_path: Path) -> None:
    text = (
        "tests:\n  - vars: {message: oi}\n    assert:\n"
        "      - {type: icontains-any, value: 'olá, bom dia'}\n"
        "      - {type: icontains-all, value: 'Aurora,\"Olá, tudo bem\"'}\n"
        "      - {type: not-contains-any, value: 'CPF, senha'}\n"
        "      - {type: icontains, value: 'um, dois'}\n"
    )
    (case,) = read_promptfoo(written(tmp_path, text))
    assert case["expect"] == {
        "contains_any": ["olá", "bom dia"],
        "contains": ["Aurora", "Olá, tudo bem", "um, dois"],
        "matches_not": ["(?-i:CPF)", "(?-i:senha)"],
    }


@pytest.mark.parametrize("name", ["shop", "noisy_portuguese"])
def test_that_a_suite_goes_to_promptfoo_and_back_without_a_change(tmp_path: Path, name: str) -> None:
    suite = load_suite(EVALS / name / "suite.yaml")
    config, left = as_promptfoo(suite.cases, suite.title)
    assert len(config["tests"]) + len(left) == len(suite.cases)
    assert len(config["tests"]) > 0.6 * len(suite.cases)
    text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False)
    back = suite_of(tmp_path, read_promptfoo(written(tmp_path, text)))
    wanted = {case.name: case.content for case in suite.cases if case.name not in left}
    assert {case.name: case.content for case in back.cases} == wanted
    types = {one["type"] for test in config["tests"] for one in test["assert"]}
    assert {"icontains", "not-icontains"} <= types
