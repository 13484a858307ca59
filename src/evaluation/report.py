"""What a report shows of a run, as JSON values: the pages of the web app and the static file are drawn from it.

Transcripts are kept apart, in packs of a few cases: they are by far the most, and a reader looks at few of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from evaluation.comparison import PASSED, Comparison
from evaluation.figures import (
    CaseKey,
    Cases,
    cost_per_case,
    latency_per_case,
    passes_every_time,
    share,
    spread,
)
from evaluation.gates import KNOWN_WEAKNESS, Verdict
from evaluation.results import BESIDE, CaseResult, Run
from evaluation.transcripts import PACK, TRANSCRIPT_BYTES, packs_of

_BINS: Final = 10
_HISTOGRAM_BINS: Final = 24
_INTENTS_SHOWN: Final = 20
_OTHER: Final = "…"
_MOST_TOLD: Final = 60
"""Characters of what was expected and got, in a row of the matrix."""
_MOST_SAID: Final = 110
_TAIL: Final = 0.02
"""The share of cases that may stand together at the end of a histogram, where they lie far off."""
_FAR: Final = 3.0
"""Times the rest's highest."""

_Played = Mapping[CaseKey, Sequence[CaseResult]]


@dataclass(frozen=True, slots=True)
class Report:
    """``view``: everything but the transcripts. ``packs``: each gzipped JSON, a list of cases in the matrix's order."""

    view: dict[str, Any]
    packs: tuple[bytes, ...]


def make_report(
    run: Run, comparison: Comparison | None, verdict: Verdict, *, most_bytes: int = TRANSCRIPT_BYTES
) -> Report:
    """Count everything that the report shows. ``most_bytes``: of all packs together."""
    cases = Cases.of(run)
    labels, beside = _labels(run, comparison), run.mode == BESIDE
    origins = _origins(cases, labels)
    flips = {(one.suite, one.case): one.to for one in comparison.flips} if comparison else {}
    keys = sorted(cases.by_key, key=lambda key: (_interest(cases.by_key[key], flips.get(key, "")), key))
    packs, thinned = packs_of(cases, keys, labels, most_bytes)
    groups = _groups(cases, labels, origins)
    view = {
        "tenant": run.tenant,
        "mode": run.mode,
        "epochs": run.epochs,
        "started_at": run.started_at,
        "seconds": run.seconds,
        "seed": run.seed,
        "machine": dict(run.machine),
        "suites": list(run.suites),
        "bundles": [{**asdict(one), "parts": dict(one.parts)} for one in run.bundles],
        "labels": labels,
        "candidate": labels[0] if labels else "",
        "baseline": comparison.baseline if comparison else labels[1] if beside else "",
        "beside": beside,
        "verdict": {
            "kind": verdict.kind,
            "sentence": verdict.sentence,
            "exit_code": verdict.exit_code,
            "level": verdict.level,
            "gates": [asdict(gate) for gate in verdict.gates],
        },
        # Of what happened beside a draft no rate means anything: nobody said which of them is right.
        "totals": []
        if beside
        else [one for origin, played in groups.items() for one in _totals(origin, played, run.epochs)],
        "differences": [{**asdict(one), "difference": one.difference} for one in comparison.differences]
        if comparison
        else [],
        "changes": [asdict(one) for one in comparison.changes] if comparison else [],
        "not_compared": [asdict(one) for one in comparison.not_compared] if comparison else [],
        "matrix": [
            _row(cases.by_key[key], key, labels, origins.get(key), flips.get(key, ""))
            | {"said": _said(cases.by_key[key]), "why": _why(cases.by_key[key].get(labels[0], ()), beside=beside)}
            for key in keys
        ],
        "filters": _filters(cases, run),
        "intents": [one for origin, played in groups.items() for one in _intents(origin, played)],
        "spreads": [] if beside else [one for origin, played in groups.items() for one in _spreads(origin, played)],
        "pack": PACK,
        "thinned": thinned,
    }
    return Report(view, tuple(packs))


def _labels(run: Run, comparison: Comparison | None) -> list[str]:
    """Candidate first, then the baseline, then any other bundle."""
    named = [comparison.candidate, comparison.baseline] if comparison else []
    return list(dict.fromkeys([*named, *(one.label for one in run.bundles)]))


def _origins(cases: Cases, labels: Sequence[str]) -> Mapping[CaseKey, str]:
    found = cases.origins(*labels)
    return {key: found[key] or "mixed" for key in cases.by_key}


def _groups(
    cases: Cases, labels: Sequence[str], origins: Mapping[CaseKey, str]
) -> dict[str, dict[str, dict[CaseKey, Sequence[CaseResult]]]]:
    """Origin → bundle → its cases. A case that two kinds of model answered is in no figure."""
    found: dict[str, dict[str, dict[CaseKey, Sequence[CaseResult]]]] = {}
    for label in labels:
        for key, epochs in cases.under(label).items():
            if origins[key] != "mixed":
                found.setdefault(origins[key], {one: {} for one in labels})[label][key] = epochs
    return found


def _totals(origin: str, by_label: Mapping[str, _Played], epochs: int) -> Iterator[dict[str, Any]]:
    everything = [one for played in by_label.values() for results in played.values() for one in results]
    yield _total(origin, "all", "", by_label, epochs)
    kinds: tuple[tuple[str, Callable[[CaseResult], Iterable[str]]], ...] = (
        ("suite", lambda one: (one.suite,)),
        ("language", lambda one: (one.language,) if one.language else ()),
        ("tag", lambda one: one.tags),
    )
    for kind, names_of in kinds:
        names = Counter(name for one in everything for name in names_of(one))
        for name in sorted(names) if len(names) > 1 or kind == "suite" else ():
            chosen = {
                label: {key: results for key, results in played.items() if results and name in names_of(results[0])}
                for label, played in by_label.items()
            }
            yield _total(origin, kind, name, chosen, epochs)


def _total(origin: str, kind: str, name: str, by_label: Mapping[str, _Played], epochs: int) -> dict[str, Any]:
    shares = {}
    for label, played in by_label.items():
        found = share(played.values())
        shares[label] = {
            **asdict(found),
            "rate": found.rate,
            "every_time": [passes_every_time(played.values(), k) for k in range(1, epochs + 1)] if epochs > 1 else [],
        }
    return {"origin": origin, "kind": kind, "name": name, "shares": shares}


def _interest(played: Mapping[str, Sequence[CaseResult]], flip: str) -> int:
    """What a reader wants to see first: what got worse, what got better, failures, what could not be judged, and last
    what is known to fail."""
    statuses = {one.status for epochs in played.values() for one in epochs}
    critical = any(one.critical for epochs in played.values() for one in epochs)
    known = any(KNOWN_WEAKNESS in one.tags for epochs in played.values() for one in epochs)
    ranks = (
        flip == "worse" and critical,
        flip == "worse",
        flip == "better",
        "failed" in statuses and not known,
        "errored" in statuses,
        "failed" in statuses,
    )
    return ranks.index(True) if True in ranks else len(ranks)


def _row(
    played: Mapping[str, Sequence[CaseResult]], key: CaseKey, labels: Sequence[str], origin: str | None, flip: str
) -> dict[str, Any]:
    anyone = next(one for epochs in played.values() for one in epochs)
    cells = {}
    for label in labels:
        epochs = played.get(label, ())
        judged = [one for one in epochs if one.status != "errored"]
        passed = sum(one.status == PASSED for one in judged)
        cells[label] = {
            "status": "none"
            if not epochs
            else "errored"
            if not judged
            else "passed"
            if passed == len(judged)
            else "failed",
            "passed": passed,
            "judged": len(judged),
            "errored": len(epochs) - len(judged),
        }
    return {
        "suite": key[0],
        "case": key[1],
        "origin": origin or "",
        "tags": list(anyone.tags),
        "language": anyone.language,
        "critical": any(one.critical for epochs in played.values() for one in epochs),
        "known": KNOWN_WEAKNESS in anyone.tags,
        "flip": flip,
        "cells": cells,
    }


def _said(played: Mapping[str, Sequence[CaseResult]]) -> str:
    """How the customer began: by it a reader knows the case again."""
    steps = next((one.steps for epochs in played.values() for one in epochs if one.steps), ())
    said = [text for step in steps[:1] for text in step.get("say") or ()]
    return _brief(" / ".join(said), _MOST_SAID) if said else ""


def _why(epochs: Sequence[CaseResult], *, beside: bool) -> str:
    """What the candidate did not do, in a line: the expectation that failed first, and how many others did."""
    for one in epochs:
        failed = [check for check in one.checks if not check.passed]
        if one.status == "failed" and failed:
            if beside:
                return ", ".join(check.name for check in failed)
            first = failed[0]
            told = f"{first.name}: {_brief(first.expected)} → {_brief(first.got)}"
            return told + (f" (+{len(failed) - 1})" if len(failed) > 1 else "")
    return next((_brief(one.error, _MOST_TOLD * 2) for one in epochs if one.status == "errored"), "")


def _brief(text: str, most: int = _MOST_TOLD) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= most else f"{line[: most - 1].rstrip()}…") or "–"


def _filters(cases: Cases, run: Run) -> dict[str, list[str]]:
    results = run.results
    return {
        "suites": list(dict.fromkeys(key[0] for key in cases.by_key)),
        "tags": sorted({tag for one in results for tag in one.tags}),
        "languages": sorted({one.language for one in results if one.language}),
    }


# --- Intents: which are taken for which, and whether a confidence of 80 % is right four times in five ----------------


def _intents(origin: str, by_label: Mapping[str, _Played]) -> Iterator[dict[str, Any]]:
    found = {}
    for label, played in by_label.items():
        known = [
            one
            for epochs in played.values()
            for one in epochs
            if one.expected_intent is not None and one.status != "errored"
        ]
        if known:
            found[label] = {
                "cases": len(known),
                "right": sum(one.intent == one.expected_intent for one in known),
                "confusion": _confusion(known),
                "calibration": _calibration(known),
            }
    if found:
        yield {"origin": origin, "by_label": found}


def _confusion(known: Sequence[CaseResult]) -> dict[str, Any]:
    """Rows: what was meant; columns: what was understood. The rarest intents are taken together as "…"."""
    wrong = Counter[str]()
    total = Counter[str]()
    for one in known:
        meant, understood = str(one.expected_intent), one.intent or "–"
        total.update({meant, understood})
        if meant != understood:
            wrong.update((meant, understood))
    ranked = sorted(total, key=lambda name: (-wrong[name], -total[name], name))
    shown = sorted(ranked[:_INTENTS_SHOWN])
    names = [*shown, _OTHER] if len(ranked) > _INTENTS_SHOWN else shown
    place = {name: position for position, name in enumerate(names)}
    other = place.get(_OTHER, 0)
    counts = [[0] * len(names) for _ in names]
    for one in known:
        counts[place.get(str(one.expected_intent), other)][place.get(one.intent or "–", other)] += 1
    pairs = Counter((str(one.expected_intent), one.intent or "–") for one in known if one.intent != one.expected_intent)
    return {"names": names, "counts": counts, "worst": [[*pair, count] for pair, count in pairs.most_common(8)]}


def _calibration(known: Sequence[CaseResult]) -> dict[str, Any] | None:
    """Bins of equal width, and the expected calibration error over them (Naeini et al. 2015)."""
    sure = [(one.confidence, one.intent == one.expected_intent) for one in known if one.confidence is not None]
    if not sure:
        return None
    binned: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    for confidence, right in sure:
        binned[min(_BINS - 1, max(0, int(confidence * _BINS)))].append((confidence, right))
    bins = [
        {
            "low": position / _BINS,
            "count": len(one),
            "confidence": sum(confidence for confidence, _ in one) / len(one),
            "right": sum(right for _, right in one) / len(one),
        }
        for position, one in enumerate(binned)
        if one
    ]
    error = sum(one["count"] * abs(one["confidence"] - one["right"]) for one in bins) / len(sure)
    return {"bins": bins, "error": error, "count": len(sure)}


# --- Cost and latency ------------------------------------------------------------------------------------------------


def _spreads(origin: str, by_label: Mapping[str, _Played]) -> Iterator[dict[str, Any]]:
    figures: tuple[tuple[str, Callable[[Iterable[Sequence[CaseResult]]], list[float]]], ...] = (
        ("latency_ms", latency_per_case),
        ("cost_micros", cost_per_case),
    )
    for name, figure in figures:
        values = {label: figure(played.values()) for label, played in by_label.items()}
        everything = [value for of_label in values.values() for value in of_label]
        if not any(everything):
            continue
        low, high = min(everything), _end(everything)
        step = (high - low) / _HISTOGRAM_BINS or 1.0
        yield {
            "origin": origin,
            "figure": name,
            "low": low,
            "high": low + step * _HISTOGRAM_BINS,
            "beyond": sum(value > high for value in everything),
            "series": {
                label: {"counts": _counted(of_label, low, step), **asdict(found)}
                for label, of_label in values.items()
                if (found := spread(of_label))
            },
        }


def _end(values: Sequence[float]) -> float:
    """Where the histogram ends: a few slow cases far off would leave all others in one bar."""
    ordered = sorted(values)
    rest = ordered[: math.ceil(len(ordered) * (1 - _TAIL))][-1]
    return rest if ordered[-1] > ordered[0] + _FAR * (rest - ordered[0]) and rest > ordered[0] else ordered[-1]


def _counted(values: Sequence[float], low: float, step: float) -> list[int]:
    counts = [0] * _HISTOGRAM_BINS
    for value in values:
        counts[min(_HISTOGRAM_BINS - 1, math.floor((value - low) / step))] += 1
    return counts
