"""A run as JUnit XML, which every CI system shows: one suite per suite, bundle and origin, one test per case."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as Xml

from evaluation.figures import CaseKey, Cases
from evaluation.gates import KNOWN_WEAKNESS, Verdict
from evaluation.results import CaseResult, Run

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(run: Run, verdict: Verdict, path: Path) -> None:
    """Write the file as a whole. Gates are the last suite, so that a run that fails fails there too."""
    root = Xml.Element("testsuites", name=f"atende eval · {run.tenant}", time=f"{run.seconds:.3f}")
    cases = Cases.of(run)
    for place, bundle in enumerate(run.bundles):
        played = cases.under(bundle.label)
        origins = cases.origins(bundle.label)
        groups: dict[tuple[str, str], dict[CaseKey, Sequence[CaseResult]]] = defaultdict(dict)
        for key, epochs in played.items():
            groups[key[0], origins[key] or "mixed origins"][key] = epochs
        for (suite, origin), of_suite in groups.items():
            name = f"{suite} · {bundle.label} · {origin}"
            _suite(root, name, run.started_at, of_suite, is_judged=place == 0)
    _gates(root, verdict, run.started_at)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    Xml.indent(root)
    whole = path.with_name(path.name + ".part")
    Xml.ElementTree(root).write(whole, encoding="utf-8", xml_declaration=True)
    whole.replace(path)


def _suite(
    root: Xml.Element,
    name: str,
    started_at: str,
    cases: Mapping[CaseKey, Sequence[CaseResult]],
    *,
    is_judged: bool,
) -> None:
    suite = _element(root, "testsuite", name=name, timestamp=_timestamp(started_at), hostname="localhost")
    failures = errors = skipped = 0
    seconds = 0.0
    for (suite_name, case), epochs in cases.items():
        seconds += sum(one.seconds for one in epochs)
        test = _element(
            suite, "testcase", name=case, classname=suite_name, time=f"{sum(one.seconds for one in epochs):.3f}"
        )
        failed = [one for one in epochs if one.status == "failed"]
        errored = [one for one in epochs if one.status == "errored"]
        if failed and KNOWN_WEAKNESS in failed[0].tags:
            # No gate holds it: a CI system that counts failures must not stop for it either.
            skipped += 1
            _element(test, "skipped", message="known weakness")
        elif failed and not is_judged:
            skipped += 1
            _element(test, "skipped", message="fails under the baseline, which is not judged")
        elif failed:
            failures += 1
            problems = [
                f"epoch {one.epoch}, step {check.step}: {check.name}: expected {check.expected}, got {check.got}"
                for one in failed
                for check in one.checks
                if not check.passed
            ]
            message = f"{len(failed)} of {len(epochs)} failed" if len(epochs) > 1 else (problems or ["failed"])[0]
            _element(test, "failure", "\n".join(problems), message=message, type="failed")
        elif len(errored) == len(epochs):
            errors += 1
            _element(test, "error", errored[0].error, message=errored[0].error, type="errored")
        if epochs and epochs[0].source:
            _element(test, "system-out", epochs[0].source)
    for key, value in (("tests", len(cases)), ("failures", failures), ("errors", errors), ("skipped", skipped)):
        suite.set(key, str(value))
    suite.set("time", f"{seconds:.3f}")


def _gates(root: Xml.Element, verdict: Verdict, started_at: str) -> None:
    suite = _element(root, "testsuite", name="gates", timestamp=_timestamp(started_at), hostname="localhost")
    counted = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for gate in verdict.gates:
        counted["tests"] += 1
        name = " · ".join(part for part in (gate.gate, gate.of, gate.origin or "") if part)
        test = _element(suite, "testcase", name=name, classname="gates", time="0")
        if gate.state == "failed":
            kind = "error" if gate.blames == "run" else "failure"
            counted["errors" if gate.blames == "run" else "failures"] += 1
            _element(test, kind, gate.detail, message=gate.detail, type=gate.gate)
        elif gate.state == "not_judged":
            counted["skipped"] += 1
            _element(test, "skipped", message=gate.detail)
    for key, value in counted.items():
        suite.set(key, str(value))
    suite.set("time", "0")


def _element(parent: Xml.Element, tag: str, text: str = "", **attributes: str) -> Xml.Element:
    made = Xml.SubElement(parent, tag, {name: _clean(value) for name, value in attributes.items()})
    if text:
        made.text = _clean(text)
    return made


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold: models and customers write those too."""
    return _NOT_XML.sub("\ufffd", text)


def _timestamp(started_at: str) -> str:
    """As the schema wants it: without fractions and offset."""
    return started_at[:19]
