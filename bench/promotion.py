"""Does an intent get autonomy that it has not earned? Simulated streams of operators' verdicts, looked at after each.

    python bench/promotion.py [--seed N] [--streams N] [--cases N] [--bar B] [--error E]     text; --json for JSON

Prints for streams whose true rate of approvals is below, exactly at and above the bar how many were ever promoted
within ``--cases`` cases, and when. Beside it, what a usual bound (Wilson, one-sided, same level) looked at after every
case would have done. Exit code 1 if more streams at or below the bar were promoted than the stated level allows.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from domain.autonomy import AutonomyTerms, Record, after_case


def promoted_at(rng: random.Random, rate: float, cases: int, terms: AutonomyTerms) -> tuple[int | None, int | None]:
    """The case at which a stream of this rate is first promoted: by us, and by a usual bound looked at each time."""
    record, ours, usual, approved = Record(), None, None, 0
    for case in range(1, cases + 1):
        good = rng.random() < rate
        approved += good
        if usual is None and case >= terms.least_cases and wilson(approved, case, terms.error) > terms.bar:
            usual = case
        if ours is None:
            record, change = after_case(record, "approved" if good else "rejected", terms)
            if change == "promoted":
                ours = case
        if ours is not None and usual is not None:
            break
    return ours, usual


def falls_back_after(rng: random.Random, rate: float, cases: int, terms: AutonomyTerms) -> int | None:
    """A promoted intent whose rate sinks to ``rate``: the number of judged cases until it falls back."""
    record = Record(state="promoted", approved=400, other=8)
    for case in range(1, cases + 1):
        record, change = after_case(record, "approved" if rng.random() < rate else "edited", terms)
        if change == "fell_back":
            return case
    return None


def wilson(approved: int, cases: int, error: float) -> float:
    """The usual one-sided lower bound, right for one look only."""
    z = statistics.NormalDist().inv_cdf(1 - error)
    share = approved / cases
    middle = share + z * z / (2 * cases)
    return (middle - z * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))) / (1 + z * z / cases)


def measure(seed: int, streams: int, cases: int, terms: AutonomyTerms) -> dict[str, object]:
    """Promotions of ``streams`` streams for each true rate, and how soon a drop is noticed."""
    rates = {
        "far below": terms.bar - (1 - terms.bar),
        "below": terms.bar - (1 - terms.bar) / 4,
        "at the bar": terms.bar,
        "above": terms.bar + (1 - terms.bar) / 2,
        "far above": terms.bar + (1 - terms.bar) * 0.8,
    }
    found: dict[str, object] = {"seed": seed, "streams": streams, "cases": cases, "bar": terms.bar}
    found |= {"stated_level": terms.error, "least_cases": terms.least_cases, "rates": {}, "falls_back": {}}
    for name, rate in rates.items():
        rng = random.Random(f"{seed}/{name}")  # the same streams whatever else is measured
        pairs = [promoted_at(rng, rate, cases, terms) for _ in range(streams)]
        ours = sorted(case for case, _ in pairs if case is not None)
        found["rates"][name] = {  # type: ignore[index]
            "true_rate": round(rate, 6),
            "promoted": len(ours),
            "share": len(ours) / streams,
            "usual_bound_share": sum(case is not None for _, case in pairs) / streams,
            "median_cases": ours[len(ours) // 2] if ours else None,
            "p90_cases": ours[int(len(ours) * 0.9)] if ours else None,
        }
    for rate in (terms.bar + (1 - terms.bar) / 2, terms.bar, terms.bar - 2 * (1 - terms.bar), 0.5):
        rng = random.Random(f"{seed}/falls back/{rate}")
        fell = sorted(case for _ in range(streams) if (case := falls_back_after(rng, rate, cases, terms)))
        found["falls_back"][f"{rate:.3f}"] = {  # type: ignore[index]
            "share": len(fell) / streams,
            "median_cases": fell[len(fell) // 2] if fell else None,
        }
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--bar", type=float, default=AutonomyTerms().bar)
    parser.add_argument("--error", type=float, default=AutonomyTerms().error)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.seed, given.streams, given.cases, AutonomyTerms(bar=given.bar, error=given.error))
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
    rates = found["rates"]
    assert isinstance(rates, dict)
    false = max(rates[name]["share"] for name in ("far below", "below", "at the bar"))
    return int(false > given.error)


def show(found: dict[str, object]) -> None:
    print(
        f"seed {found['seed']}, {found['streams']} streams of {found['cases']} cases each, looked at after every case; "
        f"bar {found['bar']}, stated level {found['stated_level']}, at least {found['least_cases']} cases"
    )
    print(f"{'true rate':>22}  {'promoted':>9}  {'usual bound':>11}  {'median case':>11}  {'p90':>6}")
    rates, falls = found["rates"], found["falls_back"]
    assert isinstance(rates, dict)
    assert isinstance(falls, dict)
    for name, row in rates.items():
        print(
            f"{name:>14} {row['true_rate']:7.3f}  {row['share']:9.2%}  {row['usual_bound_share']:11.2%}"
            f"  {row['median_cases'] or '-':>11}  {row['p90_cases'] or '-':>6}"
        )
    print("A promoted intent (400 of 408 approved) whose rate sinks falls back:")
    for rate, row in falls.items():
        print(f"{rate:>22}  {row['share']:9.2%}  after {row['median_cases'] or '-'} judged cases (median)")


if __name__ == "__main__":
    sys.exit(main())
