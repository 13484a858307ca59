"""Judges a run by its gates: whether the candidate may be released, and what the comparison came to.

No figure mixes origins: each gate is held by replayed, live, simulated and local results apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from evaluation.comparison import ALL, PASSED, Change, Comparison, Difference
from evaluation.figures import CaseKey, Cases, Share, cost_per_case, latency_per_case, share, spread
from evaluation.gate_file import CostGate, GateFileError, Gates, LatencyGate, RateGates, RegressionGate, load_gates
from evaluation.results import BESIDE, CaseResult, Origin, Run
from evaluation.significance import holm

__all__ = ["GateFileError", "GateResult", "Gates", "Verdict", "judge", "load_gates"]

EXIT_PASSED: Final = 0
EXIT_GATE_FAILED: Final = 1
EXIT_NOTHING_FOUND_OUT: Final = 3
"""Too little could be judged: the endpoint, the recordings or the cases are at fault, not the bundle."""

KNOWN_WEAKNESS: Final = "known_weakness"
"""Tag of cases that are known to fail: kept, shown and compared, but held by no rate and not critical."""

Kind = Literal["better", "worse", "different", "no_difference", "alone", "beside", "unknown"]
"""``different``: cases flipped both ways, neither surely more; ``alone``: one bundle; ``beside``: what happened and
what a draft would do, which nobody judged; ``unknown``: nothing compared."""
State = Literal["passed", "failed", "not_judged"]


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate. ``gate``: its name in the file; ``of``: suite, tag or language; ``detail``: the figures, in words."""

    gate: str
    state: State
    detail: str
    of: str = ""
    origin: Origin | None = None
    blames: Literal["bundle", "run"] = "bundle"
    """Whose fault a failure is: the bundle's, or the run's, which then found nothing out."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run means. ``sentence``: for a person; ``exit_code``: 0 passed, 1 a gate failed, 3 nothing found out."""

    kind: Kind
    sentence: str
    gates: tuple[GateResult, ...]
    level: float

    @property
    def exit_code(self) -> int:
        failed = {gate.blames for gate in self.gates if gate.state == "failed"}
        return EXIT_NOTHING_FOUND_OUT if "run" in failed else EXIT_GATE_FAILED if failed else EXIT_PASSED

    @property
    def passed(self) -> bool:
        return self.exit_code == EXIT_PASSED


def judge(run: Run, comparison: Comparison | None, gates: Gates) -> Verdict:
    """Judge the candidate of a comparison, or without one the run's first bundle."""
    if run.mode == BESIDE:
        return _beside(run)
    label = comparison.candidate if comparison else next((one.label for one in run.bundles), "")
    cases = Cases.of(run)
    played, origins = cases.under(label), cases.origins(label)
    by_origin: dict[Origin, dict[CaseKey, Sequence[CaseResult]]] = {}
    weak = {key: epochs for key, epochs in played.items() if epochs and KNOWN_WEAKNESS in epochs[0].tags}
    held = {key: epochs for key, epochs in played.items() if key not in weak}
    for key, epochs in held.items():
        if (origin := origins[key]) is not None:
            by_origin.setdefault(origin, {})[key] = epochs
    regression = gates.regression or RegressionGate()
    results = [
        *_judgeable(cases, label, comparison, gates.errored_share),
        *_critical(held, gates.critical_failures),
        *_weaknesses(weak),
        *_regression(comparison, gates.regression),
    ]
    for origin, of_origin in by_origin.items():
        results += [*_rates(origin, of_origin, gates.pass_rate)]
        results += [*_cost(origin, of_origin, comparison, gates.cost)]
        results += [*_latency(origin, of_origin, comparison, gates.latency)]
    results += _unmatched(played, gates.pass_rate)
    kind, sentence = _kind(comparison, regression)
    return Verdict(kind, sentence, tuple(results), regression.level)


def _beside(run: Run) -> Verdict:
    """How much would have been different; no gate can hold it, but a run of errors still is none."""
    results = list(run.of(run.bundles[0].label))
    errored, different = (sum(one.status == status for one in results) for status in ("errored", "failed"))
    nothing = () if errored < len(results) else tuple(_judgeable(Cases.of(run), run.bundles[0].label, None, None))
    told = f"{different} of {len(results)} turns would have been different; {errored} could not be played."
    return Verdict("beside", told, nothing, RegressionGate().level)


def _judgeable(cases: Cases, label: str, comparison: Comparison | None, allowed: float | None) -> Iterator[GateResult]:
    """Whether the run found anything out."""
    bundles = [label, comparison.baseline] if comparison else [label]
    for bundle in bundles:
        results = [one for epochs in cases.under(bundle).values() for one in epochs]
        errored = sum(one.status == "errored" for one in results)
        if not results:
            yield GateResult("errored_share", "failed", f"no case was played under {bundle}", blames="run")
        elif errored == len(results):
            yield GateResult("errored_share", "failed", f"every case errored under {bundle}", blames="run")
        elif allowed is not None:
            state: State = "passed" if errored / len(results) <= allowed else "failed"
            detail = f"{errored} of {len(results)} errored under {bundle}; at most {allowed:.1%} may"
            yield GateResult("errored_share", state, detail, blames="run")
    if comparison is None or not cases.by_key:
        return
    left_out, total = len(comparison.not_compared), len(cases.by_key)
    if left_out == total or (allowed is not None and left_out / total > allowed):
        detail = f"{left_out} of {total} cases could not be compared: {_reasons(comparison)}"
        yield GateResult("compared", "failed", detail, blames="run")


def _reasons(comparison: Comparison) -> str:
    counted: dict[str, int] = {}
    for one in comparison.not_compared:
        counted[one.reason] = counted.get(one.reason, 0) + 1
    return ", ".join(f"{reason} ({count})" for reason, count in sorted(counted.items(), key=lambda item: -item[1]))


def _weaknesses(weak: Mapping[CaseKey, Sequence[CaseResult]]) -> Iterator[GateResult]:
    """How many there are, and which may lose the tag."""
    if weak:
        mended = [key for key, epochs in weak.items() if all(one.status == "passed" for one in epochs)]
        detail = f"{len(weak)} cases are tagged so and held by no rate; {len(mended)} of them pass by now"
        yield GateResult(KNOWN_WEAKNESS, "not_judged", detail + _named(mended))


def _critical(played: Mapping[CaseKey, Sequence[CaseResult]], allowed: int | None) -> Iterator[GateResult]:
    """A critical case fails if any of its epochs does."""
    critical = {key: epochs for key, epochs in played.items() if any(one.critical for one in epochs)}
    if allowed is None:
        return
    failed = [key for key, epochs in critical.items() if any(one.status == "failed" for one in epochs)]
    unclear = [
        key for key, epochs in critical.items() if key not in failed and any(one.status == "errored" for one in epochs)
    ]
    if not critical:
        yield GateResult("critical_failures", "not_judged", "no case of this run is marked critical")
        return
    detail = f"{len(failed)} of {len(critical)} critical cases failed; at most {allowed} may"
    state: State = "failed" if len(failed) > allowed else "passed"
    yield GateResult("critical_failures", state, detail + _named(failed))
    if unclear:
        detail = f"{len(unclear)} critical {'case' if len(unclear) == 1 else 'cases'} could not be judged"
        yield GateResult("critical_failures", "failed", detail + _named(unclear), blames="run")


def _named(keys: Sequence[CaseKey]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return ": " + ", ".join(f"{suite}/{case}" for suite, case in keys[:5]) + more


def _regression(comparison: Comparison | None, gate: RegressionGate | None) -> Iterator[GateResult]:
    if comparison is None or gate is None:
        return
    if not comparison.differences:
        yield GateResult("regression", "not_judged", "no case could be compared")
        return
    surely = [one for one, chance in _tested(comparison, gate, "worse") if _is_sure(-one.difference, chance, gate)]
    for one in surely:
        yield GateResult("regression", "failed", _told(one), of=_what(one), origin=one.origin)
    if not surely:
        count = len(list(_tested(comparison, gate, "worse")))
        told = "1 comparison" if count == 1 else f"{count} comparisons"
        drop = f"no drop of {gate.minimal_effect:.1%} or more" if gate.minimal_effect else "no drop"
        yield GateResult("regression", "passed", f"{drop} is sure ({told}, level {gate.level:g})")


def _tested(
    comparison: Comparison, gate: RegressionGate, way: Literal["better", "worse"]
) -> Iterator[tuple[Difference, float]]:
    """Every difference that the gate looks at, with its corrected one-sided chance."""
    wanted = [one for one in comparison.differences if ("passed" if one.metric == PASSED else "scores") in gate.metrics]
    raw = [one.p_worse if way == "worse" else one.p_better for one in wanted]
    yield from zip(wanted, holm(raw) if gate.correction == "holm" else raw, strict=True)


def _is_sure(effect: float, chance: float, gate: RegressionGate) -> bool:
    return chance <= gate.level and effect > 0 and effect >= gate.minimal_effect


def _what(one: Difference) -> str:
    where = one.suite if one.suite != ALL else "all suites"
    return where if one.metric == PASSED else f"{where} · {one.metric}"


def _told(one: Difference) -> str:
    return (
        f"{one.baseline:.1%} → {one.candidate:.1%} over {one.cases} cases "
        f"({one.worse} worse, {one.better} better, p = {one.p_worse:.2g} one-sided, {one.p_worse_holm:.2g} corrected)"
    )


def _rates(origin: Origin, played: Mapping[CaseKey, Sequence[CaseResult]], gate: RateGates) -> Iterator[GateResult]:
    if gate.overall is not None:
        yield _rate("", share(played.values()), gate.overall, origin)
    for kind, least in _named_rates(gate):
        for name, minimum in least.items():
            of_it = [epochs for epochs in played.values() if epochs and name in _names(kind, epochs[0])]
            if of_it:
                yield _rate(f"{kind} {name}", share(of_it), minimum, origin)


def _rate(of: str, found: Share, minimum: float, origin: Origin) -> GateResult:
    if found.rate is None:
        return GateResult("pass_rate", "not_judged", f"all {found.errored} cases errored", of=of, origin=origin)
    detail = f"{found.rate:.1%} of {found.cases} cases [{found.low:.1%}, {found.high:.1%}]; at least {minimum:.1%}"
    return GateResult("pass_rate", "passed" if found.rate >= minimum else "failed", detail, of=of, origin=origin)


def _unmatched(played: Mapping[CaseKey, Sequence[CaseResult]], gate: RateGates) -> Iterator[GateResult]:
    """A rate for something that this run does not have is shown, so that a slip of the pen is seen."""
    for kind, least in _named_rates(gate):
        there = {name for epochs in played.values() for one in epochs for name in _names(kind, one)}
        for name in least:
            if name not in there:
                yield GateResult("pass_rate", "not_judged", "no case of this run has it", of=f"{kind} {name}")


def _named_rates(gate: RateGates) -> tuple[tuple[str, Mapping[str, float]], ...]:
    return ("suite", gate.suites), ("tag", gate.tags), ("language", gate.languages)


def _names(kind: str, result: CaseResult) -> Iterable[str]:
    return {"suite": (result.suite,), "tag": result.tags, "language": (result.language,)}[kind]


def _cost(
    origin: Origin, played: Mapping[CaseKey, Sequence[CaseResult]], comparison: Comparison | None, gate: CostGate
) -> Iterator[GateResult]:
    found = spread(cost_per_case(played.values()))
    if gate.mean_micros is not None and found:
        detail = f"{found.mean:.0f} millionths per case; at most {gate.mean_micros:g}"
        state: State = "passed" if found.mean <= gate.mean_micros else "failed"
        yield GateResult("cost", state, detail, of="mean_micros", origin=origin)
    yield from _increase(origin, "cost", "cost_micros", comparison, gate.increase)


def _latency(
    origin: Origin, played: Mapping[CaseKey, Sequence[CaseResult]], comparison: Comparison | None, gate: LatencyGate
) -> Iterator[GateResult]:
    found = spread(latency_per_case(played.values()))
    if gate.p95_ms is not None and found:
        detail = f"95 % of cases within {found.p95:.0f} ms; at most {gate.p95_ms:g}"
        state: State = "passed" if found.p95 <= gate.p95_ms else "failed"
        yield GateResult("latency", state, detail, of="p95_ms", origin=origin)
    yield from _increase(origin, "latency", "latency_ms", comparison, gate.increase)


def _increase(
    origin: Origin, gate: str, figure: str, comparison: Comparison | None, allowed: float | None
) -> Iterator[GateResult]:
    """Fails only where the whole interval lies above what is allowed: a mean alone may be chance."""
    found = [one for one in comparison.changes if (one.origin, one.figure) == (origin, figure)] if comparison else []
    if allowed is None or not found:
        return
    yield _risen(gate, found[0], allowed)


def _risen(gate: str, change: Change, allowed: float) -> GateResult:
    if change.low is None or change.high is None:
        return GateResult(gate, "not_judged", "a single case shows no spread", of="increase", origin=change.origin)
    limit = allowed * change.baseline
    detail = (
        f"{change.baseline:.0f} → {change.candidate:.0f} per case, difference [{change.low:.0f}, {change.high:.0f}]; "
        f"at most {limit:.0f} more"
    )
    return GateResult(gate, "failed" if change.low > limit else "passed", detail, of="increase", origin=change.origin)


def _kind(comparison: Comparison | None, gate: RegressionGate) -> tuple[Kind, str]:
    if comparison is None:
        return "alone", "One bundle, nothing to compare it with."
    if not comparison.differences:
        return "unknown", f"Nothing could be compared: {_reasons(comparison) or 'no case was played'}."
    worse = [one for one, chance in _tested(comparison, gate, "worse") if _is_sure(-one.difference, chance, gate)]
    better = [one for one, chance in _tested(comparison, gate, "better") if _is_sure(one.difference, chance, gate)]
    whose = f"{comparison.candidate} against {comparison.baseline}"
    if worse:
        also = f"; surely better in {_listed(better)}" if better else ""
        return "worse", f"{whose}: surely worse in {_listed(worse)}{also}."
    if better:
        return "better", f"{whose}: surely better in {_listed(better)}, nowhere surely worse."
    gained, lost = (sum(one.to == way for one in comparison.flips) for way in ("better", "worse"))
    flipped = f"{gained} {'case' if gained == 1 else 'cases'} better, {lost} worse"
    if gained and lost:
        return (
            "different",
            f"{whose}: merely different ({flipped}); neither outweighs the other for sure. {_could(comparison)}",
        )
    return "no_difference", f"{whose}: no difference shown ({flipped}). {_could(comparison)}"


def _listed(differences: Sequence[Difference]) -> str:
    return ", ".join(f"{_what(one)} ({one.difference * 100:+.1f} points, {one.origin})" for one in differences)


def _could(comparison: Comparison) -> str:
    """What a run of this size could have shown: silence is no proof of equality."""
    told = []
    for origin in comparison.origins:
        one = next(one for one in comparison.differences if one.origin == origin and one.metric == PASSED)
        drop = f"a drop of {one.smallest * 100:.1f} points" if one.smallest is not None else "no drop at all"
        told.append(f"{drop} over {one.cases} {origin} {'case' if one.cases == 1 else 'cases'}")
    return f"With a chance of 80 % this run would have shown {' and '.join(told)}."
