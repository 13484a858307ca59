"""``python -m evals.gate_trial --seed N --pairs M [--json FILE]``: the shipped gate on pairs of known difference."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from evals.gate_trial.trial import Cell, false_alarms, power_curve
from evaluation.figures import wilson
from evaluation.gate_file import load_gates

_GATES = Path(__file__).parents[1] / "gates.yaml"


def main() -> int:
    """Print both tables; 1 if the gate cries wolf more often than its level allows."""
    parser = argparse.ArgumentParser(prog="python -m evals.gate_trial", description=__doc__)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--pairs", type=int, default=200, help="pairs per line of the tables")
    parser.add_argument("--gates", type=Path, default=_GATES)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    gates, started = load_gates(given.gates), time.perf_counter()
    level = gates.regression.level if gates.regression else 1.0
    print(f"Seed {given.seed}, {given.pairs} pairs a line, level {level:g}\n\nFalse alarms where nothing got worse")
    neutral = [_shown(one) for one in false_alarms(given.pairs, given.seed, gates)]
    stopped, pairs = sum(one.stopped for one in neutral), sum(one.pairs for one in neutral)
    low, high = wilson(stopped, pairs)
    print(f"  {'all':42} {stopped:4}/{pairs:<5} {stopped / pairs:6.1%}  [{low:.1%}, {high:.1%}]\n\nDrops found")
    drops = [_shown(one) for one in power_curve(given.pairs, given.seed, gates)]
    document: dict[str, Any] = {
        "seed": given.seed,
        "level": level,
        "false_alarms": {"stopped": stopped, "pairs": pairs, "rate": stopped / pairs, "low": low, "high": high},
        "neutral": [one.as_document() for one in neutral],
        "drops": [one.as_document() for one in drops],
        "seconds": round(time.perf_counter() - started, 1),
    }
    if given.json:
        given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"\n{document['seconds']} s")
    return 0 if low <= level else 1


def _shown(one: Cell) -> Cell:
    low, high = wilson(one.stopped, one.pairs)
    what = f"{one.name}: {one.terms.cases} cases"
    if one.terms.change:
        what += f", {one.terms.change * 100:+.0f} points"
    if one.terms.epochs > 1:
        what += f" × {one.terms.epochs}"
    foretold = f"  would show {one.foretold:.1%}" if one.foretold else ""
    print(f"  {what:42} {one.stopped:4}/{one.pairs:<5} {one.rate:6.1%}  [{low:.1%}, {high:.1%}]{foretold}", flush=True)
    return one


if __name__ == "__main__":
    sys.exit(main())
