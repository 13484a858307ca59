"""A run as a short comment for a pull request: the verdict first, then what failed, then the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evaluation.comparison import ALL, PASSED, Comparison, Difference, Flip
from evaluation.figures import Cases, share
from evaluation.gates import Verdict
from evaluation.results import Run

_HEADLINES: Final = {0: "✅ Passed", 1: "❌ A gate failed", 3: "⚠️ Nothing found out"}
_FLIPS_SHOWN: Final = 10
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>|#!~@&])")


def write_markdown(run: Run, comparison: Comparison | None, verdict: Verdict, path: Path) -> None:
    """Write the summary, replacing the file as a whole."""
    whole = path.with_name(path.name + ".part")
    whole.write_text(markdown(run, comparison, verdict), encoding="utf-8")
    whole.replace(path)


def markdown(run: Run, comparison: Comparison | None, verdict: Verdict) -> str:
    """The summary. Whatever came from cases, customers or models is escaped."""
    lines = [f"### {_HEADLINES[verdict.exit_code]}: {_plain(verdict.sentence)}", ""]
    failed = [gate for gate in verdict.gates if gate.state == "failed"]
    for gate in failed:
        name = " · ".join(part for part in (gate.gate, gate.of, gate.origin or "") if part)
        lines.append(f"- **{_plain(name)}**: {_plain(gate.detail)}")
    lines += ["", *(_differences(comparison) if comparison else _rates(run))]
    if comparison:
        lines += [*_changes(comparison), *_flips(comparison)]
        if comparison.not_compared:
            lines += ["", f"{len(comparison.not_compared)} cases were not compared; the report names them."]
    bundles = ", ".join(f"{_plain(one.label)} = `{one.hash[:12]}`" for one in run.bundles)
    lines += ["", f"<sub>{bundles} · {_plain(run.mode)} · {run.epochs} × · {_plain(run.started_at[:16])}</sub>", ""]
    return "\n".join(lines)


def _differences(comparison: Comparison) -> Iterator[str]:
    bundles = f"{_plain(comparison.baseline)} | {_plain(comparison.candidate)}"
    yield f"| suite | origin | cases | {bundles} | difference | p |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for one in comparison.differences:
        yield _row(one)


def _row(one: Difference) -> str:
    name = "**all**" if one.suite == ALL else _plain(one.suite)
    name += "" if one.metric == PASSED else f" · {_plain(one.metric)}"
    return (
        f"| {name} | {one.origin} | {one.cases} | {one.baseline:.1%} | {one.candidate:.1%} | "
        f"{one.difference * 100:+.1f} [{one.low * 100:+.1f}, {one.high * 100:+.1f}] | {one.p:.2g} |"
    )


def _rates(run: Run) -> Iterator[str]:
    cases = Cases.of(run)
    label = run.bundles[0].label if run.bundles else ""
    played, origins = cases.under(label), cases.origins(label)
    yield "| suite | origin | cases | passed | 95 % interval | errored |"
    yield "|---|---|--:|--:|--:|--:|"
    for suite in dict.fromkeys(key[0] for key in played):
        for origin in dict.fromkeys(origins[key] for key in played if key[0] == suite):
            found = share(epochs for key, epochs in played.items() if key[0] == suite and origins[key] == origin)
            rate = "–" if found.rate is None else f"{found.rate:.1%}"
            yield (
                f"| {_plain(suite)} | {origin or 'mixed'} | {found.cases} | {rate} | "
                f"[{found.low:.1%}, {found.high:.1%}] | {found.errored} |"
            )


def _changes(comparison: Comparison) -> Iterator[str]:
    for one in comparison.changes:
        if one.low is None or one.high is None or not (one.baseline or one.candidate):
            continue
        name, unit, by = ("Cost", "", 1e6) if one.figure == "cost_micros" else ("Latency", " ms", 1.0)
        yield ""
        yield (
            f"{name} per case ({one.origin}): {one.baseline / by:.4g} → {one.candidate / by:.4g}{unit}, "
            f"difference [{one.low / by:+.3g}, {one.high / by:+.3g}]"
        )


def _flips(comparison: Comparison) -> Iterator[str]:
    for way, title in (("worse", "Got worse"), ("better", "Got better")):
        flips = [one for one in comparison.flips if one.to == way]
        if not flips:
            continue
        flips.sort(key=lambda one: not one.critical)
        more = f", and {len(flips) - _FLIPS_SHOWN} more" if len(flips) > _FLIPS_SHOWN else ""
        yield ""
        yield f"{title} ({len(flips)}): {', '.join(_flip(one) for one in flips[:_FLIPS_SHOWN])}{more}"


def _flip(one: Flip) -> str:
    return f"{'**critical** ' if one.critical else ''}{_plain(one.suite)}/{_plain(one.case)}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
