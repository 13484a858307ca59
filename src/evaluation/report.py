"""What a report shows of a run, as JSON values: the pages of the web app and the static file are drawn from it.

Transcripts are kept apart, in packs of a few cases: they are by far the most, and a reader looks at few of them.
"""

from __future__ import annotations

import gzip
import json
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
from evaluation.gates import Verdict
from evaluation.results import CaseResult, Run

PACK: Final = 25
"""Cases per pack of transcripts."""
TRANSCRIPT_BYTES: Final = 3_000_000
"""All packs together, compressed. Above it traces are left out, first of cases that passed, and the report says so."""
_LONG: Final = 600
_BINS: Final = 10
_HISTOGRAM_BINS: Final = 24
_INTENTS_SHOWN: Final = 20
_OTHER: Final = "…"

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
    labels = _labels(run, comparison)
    origins = _origins(cases, labels)
    flips = {(one.suite, one.case): one.to for one in comparison.flips} if comparison else {}
    keys = sorted(cases.by_key, key=lambda key: (_interest(cases.by_key[key], flips.get(key, "")), key))
    packs, thinned = _packs(cases, keys, labels, most_bytes)
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
        "baseline": comparison.baseline if comparison else "",
        "verdict": {
            "kind": verdict.kind,
            "sentence": verdict.sentence,
            "exit_code": verdict.exit_code,
            "level": verdict.level,
            "gates": [asdict(gate) for gate in verdict.gates],
        },
        "totals": [one for origin, played in groups.items() for one in _totals(origin, played, run.epochs)],
        "differences": [{**asdict(one), "difference": one.difference} for one in comparison.differences]
        if comparison
        else [],
        "changes": [asdict(one) for one in comparison.changes] if comparison else [],
        "not_compared": [asdict(one) for one in comparison.not_compared] if comparison else [],
        "matrix": [_row(cases.by_key[key], key, labels, origins.get(key), flips.get(key, "")) for key in keys],
        "filters": _filters(cases, run),
        "intents": [one for origin, played in groups.items() for one in _intents(origin, played)],
        "spreads": [one for origin, played in groups.items() for one in _spreads(origin, played)],
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
    """What a reader wants to see first: what got worse, what got better, failures, what could not be judged."""
    statuses = {one.status for epochs in played.values() for one in epochs}
    critical = any(one.critical for epochs in played.values() for one in epochs)
    ranks = (
        flip == "worse" and critical,
        flip == "worse",
        flip == "better",
        "failed" in statuses,
        "errored" in statuses,
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
        "flip": flip,
        "cells": cells,
    }


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
        low, high = min(everything), max(everything)
        step = (high - low) / _HISTOGRAM_BINS or 1.0
        yield {
            "origin": origin,
            "figure": name,
            "low": low,
            "high": low + step * _HISTOGRAM_BINS,
            "series": {
                label: {"counts": _counted(of_label, low, step), **asdict(found)}
                for label, of_label in values.items()
                if (found := spread(of_label))
            },
        }


def _counted(values: Sequence[float], low: float, step: float) -> list[int]:
    counts = [0] * _HISTOGRAM_BINS
    for value in values:
        counts[min(_HISTOGRAM_BINS - 1, math.floor((value - low) / step))] += 1
    return counts


# --- Transcripts -----------------------------------------------------------------------------------------------------


def _packs(cases: Cases, keys: Sequence[CaseKey], labels: Sequence[str], most_bytes: int) -> tuple[list[bytes], bool]:
    """All transcripts; if that is too much, without long traces of what passed everywhere; then without any."""
    whole = {key: _transcripts(cases.by_key[key], labels) for key in keys}
    packs = _packed(list(whole.values()))
    if sum(map(len, packs)) <= most_bytes:
        return packs, False
    fine = {
        key
        for key in keys
        if all(one.status == PASSED and not one.critical for epochs in cases.by_key[key].values() for one in epochs)
    }
    packs = _packed([_shortened(one) if key in fine else one for key, one in whole.items()])
    if sum(map(len, packs)) > most_bytes:
        packs = _packed([_shortened(one) for one in whole.values()])
    return packs, True


def _packed(transcripts: Sequence[Any]) -> list[bytes]:
    return [
        gzip.compress(
            json.dumps(
                transcripts[start : start + PACK], ensure_ascii=False, separators=(",", ":"), default=str
            ).encode(),
            6,
            mtime=0,
        )
        for start in range(0, len(transcripts), PACK)
    ]


def _transcripts(played: Mapping[str, Sequence[CaseResult]], labels: Sequence[str]) -> dict[str, Any]:
    """Of one case: what every bundle's every epoch came to."""
    return {label: [_transcript(one) for one in played.get(label, ())] for label in labels}


def _transcript(one: CaseResult) -> dict[str, Any]:
    return {
        "epoch": one.epoch,
        "status": one.status,
        "origin": one.origin,
        "error": one.error,
        "source": one.source,
        "checks": [asdict(check) for check in one.checks],
        "scores": dict(one.scores),
        "steps": [dict(step) for step in one.steps],
        "latency_ms": round(one.latency_ms, 1),
        "cost_micros": one.cost_micros,
        "model_calls": one.model_calls,
        "intent": one.intent,
        "expected_intent": one.expected_intent,
        "confidence": one.confidence,
    }


def _shortened(value: Any) -> Any:
    """Without what is long: lists and objects of more than a few hundred characters below the turns' own level."""
    if isinstance(value, dict):
        return {key: "…" if key == "trace" and _is_long(inner) else _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(inner) for inner in value]
    return value


def _is_long(value: Any) -> bool:
    return len(json.dumps(value, default=str)) > _LONG
