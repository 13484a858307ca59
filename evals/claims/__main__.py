"""Measure the claim ledger on labelled replies.

    python -m evals.claims [FILE…] [--blind] [--show]

Without files: the development sets of this folder, each on its own; with ``--blind`` the blind ones (``blind*.jsonl``)
instead. A *miss* is a bad reply that would go out by itself, a *false alarm* a good one that would be held back. Prints
counts, shares and 95 % Wilson intervals, and counts by language and kind. Exit code 0 when every file has at most 2 %
misses and 10 % false alarms, else 1; ``dev_wide`` and blind files are reported only. 2 for a file that cannot be read.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.claims import Ledger, check
from agent.encoder import default_encoder
from evals.claims.cases import FOLDER, REPORTED, Case, read

MOST_MISSES, MOST_FALSE_ALARMS = 0.02, 0.10


@dataclass(slots=True)
class Score:
    """What came of a file."""

    bad: int = 0
    good: int = 0
    missed: list[tuple[Case, Ledger]] = field(default_factory=list)
    alarms: list[tuple[Case, Ledger]] = field(default_factory=list)
    elsewhere: list[tuple[Case, Ledger]] = field(default_factory=list)
    """Bad replies that are held back, but with no mark on what is labelled."""
    parts: int = 0
    parts_found: int = 0
    milliseconds: list[float] = field(default_factory=list)
    by_kind: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_language: Counter[tuple[str, str]] = field(default_factory=Counter)


def score(cases: Sequence[Case]) -> Score:
    """Run the checker over ``cases``."""
    total = Score()
    for case in cases:
        started = time.process_time()
        ledger = check(case.reply, case.language, case.sources, default_encoder())
        total.milliseconds.append((time.process_time() - started) * 1000)
        held, bad = bool(ledger.unsupported), bool(case.unsupported)
        total.bad, total.good = total.bad + bad, total.good + (not bad)
        outcome = ("held" if held else "missed") if bad else ("alarm" if held else "passed")
        total.by_kind[case.kind, outcome] += 1
        total.by_language[case.language, outcome] += 1
        if bad:
            found = sum(_marked(case, part, ledger) for part in case.unsupported)
            total.parts, total.parts_found = total.parts + len(case.unsupported), total.parts_found + found
            if not held:
                total.missed.append((case, ledger))
            elif not found:
                total.elsewhere.append((case, ledger))
        elif held:
            total.alarms.append((case, ledger))
    return total


def _marked(case: Case, part: str, ledger: Ledger) -> bool:
    start = case.reply.index(part)
    return any(span.start < start + len(part) and span.end > start for span in ledger.unsupported)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share."""
    if total == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    reach = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals.claims", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path)
    parser.add_argument("--blind", action="store_true", help="the blind sets of this folder, which nobody tunes on")
    parser.add_argument("--show", action="store_true", help="print each wrong case, except of a blind file")
    given = parser.parse_args(arguments)
    kept = True
    for path in given.files or sorted(path for path in FOLDER.glob("*.jsonl") if is_blind(path) is given.blind):
        try:
            cases = read(path)
        except (OSError, KeyError, ValueError) as error:
            print(f"{path} cannot be read: {type(error).__name__}: {error}", file=sys.stderr)
            return 2
        total = score(cases)
        _print(path, total)
        if is_blind(path):
            continue
        if given.show:
            _show(total)
        within = len(total.missed) <= MOST_MISSES * total.bad and len(total.alarms) <= MOST_FALSE_ALARMS * total.good
        kept &= within or path.name == REPORTED
    return 0 if kept else 1


def is_blind(path: Path) -> bool:
    """Whether a file is one that nobody tunes on: its cases are not shown, and it never decides."""
    return path.name.startswith(("blind", "fresh", "held"))


def _print(path: Path, total: Score) -> None:
    print(f"{path.name}: {total.bad + total.good} replies, {total.bad} bad, {total.good} good")
    for name, wrong, of in (("misses", len(total.missed), total.bad), ("false alarms", len(total.alarms), total.good)):
        low, high = wilson(wrong, of)
        share = 100 * wrong / of if of else 0.0
        print(f"  {name:13} {wrong:3} of {of:3}  {share:5.1f} %  (95 %: {100 * low:.1f} to {100 * high:.1f} %)")
    print(
        f"  labelled parts marked {total.parts_found} of {total.parts}; "
        f"held back for another part {len(total.elsewhere)}"
    )
    slow = max(total.milliseconds, default=0.0)
    print(f"  CPU time {statistics.median(total.milliseconds or [0.0]):.2f} ms in the middle, {slow:.2f} ms at most")
    for table in (total.by_language, total.by_kind):
        for row in sorted({row for row, _ in table}):
            counts = {outcome: table[row, outcome] for outcome in ("held", "missed", "passed", "alarm")}
            print(f"    {row:12} " + "  ".join(f"{name} {count}" for name, count in counts.items() if count))


def _show(total: Score) -> None:
    for name, wrong in (("MISS", total.missed), ("ALARM", total.alarms), ("ELSEWHERE", total.elsewhere)):
        for case, ledger in wrong:
            print(f"{name} {case.id} {case.kind}: {case.reply!r}")
            if case.unsupported:
                print(f"      labelled {list(case.unsupported)}")
            print(f"      marked   {[(span.kind, case.reply[span.start : span.end]) for span in ledger.unsupported]}")


if __name__ == "__main__":
    sys.exit(main())
