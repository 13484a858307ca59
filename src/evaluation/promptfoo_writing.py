"""Suites as test files of promptfoo."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from evaluation.cases import Case
from evaluation.promptfoo import OURS, TEMPLATE_CODE, VARIABLE, compiles

SCHEMA: Final = "https://promptfoo.dev/config-schema.json"


def as_promptfoo(cases: Sequence[Case], description: str = "") -> tuple[dict[str, Any], list[str]]:
    """A promptfooconfig, and the names of cases that it cannot hold: those of several messages or turns."""
    tests: list[dict[str, Any]] = []
    left: list[str] = []
    for case in cases:
        said = case.content.say
        plain = len(said) == 1 and not said[0].forwarded and said[0].kind == "text" and said[0].text
        if not plain or VARIABLE.search(said[0].text) or TEMPLATE_CODE.search(said[0].text):
            left.append(case.name)
            continue
        tests.append(_test(case))
    config: dict[str, Any] = {
        "description": description or "Cases of Atende",
        "prompts": ["{{message}}"],
        # What answers: put in how your assistant is reached. `echo` only repeats the message.
        "providers": ["echo"],
        "tests": tests,
    }
    return config, left


def _test(case: Case) -> dict[str, Any]:
    content = case.content.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    content.pop("say")
    expect = dict(content.pop("expect", {}))
    asserts = list(_asserts(expect))
    ours = {**content, **({"expect": expect} if expect else {})}
    description = ours.pop("title", "") or case.name
    return {
        "description": description,
        "vars": {"message": case.content.say[0].text},
        "assert": asserts,
        "metadata": {OURS: ours},
    }


def _asserts(expect: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Takes out of ``expect`` what promptfoo can hold."""
    yield from ({"type": "icontains", "value": text} for text in expect.pop("contains", ()))
    yield from ({"type": "not-icontains", "value": text} for text in expect.pop("lacks", ()))
    if several := expect.pop("contains_any", None):
        yield {"type": "icontains-any", "value": list(several)}
    for name, kind in (("matches", ""), ("matches_not", "not-")):
        patterns = list(expect.pop(name, ()))
        kept = [pattern for pattern in patterns if not (pattern.startswith("(?-i:") and _whole(pattern))]
        yield from (_exact(pattern[5:-1], kind) for pattern in patterns if pattern not in kept)
        if kept:
            expect[name] = kept
    for rubric in expect.pop("rubric", ()):
        if rubric.get("name"):
            expect["rubric"] = [*expect.get("rubric", ()), rubric]
            continue
        threshold = {"threshold": rubric["at_least"]} if "at_least" in rubric else {}
        yield {"type": "llm-rubric", "value": rubric["ask"], **threshold}
    for name, kind in (("cost", "cost"), ("latency_ms", "latency")):
        bounds = expect.get(name)
        if bounds is not None and bounds.get("min") is None:
            yield {"type": kind, "threshold": expect.pop(name)["max"]}


def _exact(pattern: str, kind: str) -> dict[str, Any]:
    literal = re.sub(r"\\(.)", r"\1", pattern)
    if re.escape(literal) == pattern:
        return {"type": f"{kind}contains", "value": literal}
    return {"type": f"{kind}regex", "value": pattern}


def _whole(pattern: str) -> bool:
    """Whether its last bracket closes its first."""
    return pattern.endswith(")") and compiles(pattern[5:-1])
