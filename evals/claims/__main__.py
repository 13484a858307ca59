"""Measure the claim ledger on labelled replies.

    python -m evals.claims [FILE…] [--blind] [--show]
    python -m evals.claims --again [recorded|live] [FILE…] [--record FILE]

Without files: the development sets of this folder, each on its own; with ``--blind`` the blind ones (``blind*.jsonl``)
instead. With ``--again`` a language model reads each reply a second time (agent.second_reading), over the blind, held
and fresh sets unless files are named: ``recorded`` (the default) replays the answers of ``readings/recorded.jsonl``,
``live`` asks the model of ATENDE_MODEL at OPENAI_BASE_URL, and ``--record`` keeps its answers.

A *miss* is a bad reply that would go out by itself, a *false alarm* a good one that would be held back. Prints
counts, shares and 95 % Wilson intervals, and counts by language and kind. Exit code 0 when every file has at most 2 %
misses and 10 % false alarms, else 1; ``dev_wide`` and blind files are reported only. With ``--again`` all files taken
together decide. 2 for a file that cannot be read, 3 for a model that cannot be asked.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.claims import Ledger, check
from agent.encoder import default_encoder
from agent.language_model import ModelError, ModelSettings
from domain.errors import AtendeError
from evals.claims import again
from evals.claims.again import with_reading
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


def score(cases: Sequence[Case], answers: Mapping[str, str] | None = None) -> Score:
    """Run the checker over ``cases``; with ``answers`` of a second reading by id, over the cases that have one."""
    total = Score()
    default_encoder()  # loaded before anything is timed
    for case in cases:
        if answers is not None and case.id not in answers:
            continue
        started = time.process_time()
        ledger = check(case.reply, case.language, case.sources, default_encoder())
        if answers is not None:
            ledger = with_reading(case, ledger, answers[case.id])
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
    parser.add_argument(
        "--again", nargs="?", const="recorded", choices=("recorded", "live"), help="with a second reading by a model"
    )
    parser.add_argument("--record", type=Path, help="with --again live: keep the model's answers in this new file")
    given = parser.parse_args(arguments)
    if given.again:
        return _read_again(given)
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
        kept &= _is_within(total) or path.name == REPORTED
    return 0 if kept else 1


def _read_again(given: argparse.Namespace) -> int:
    whole = Score()
    try:
        for path in given.files or sorted(path for path in FOLDER.glob("*.jsonl") if is_blind(path)):
            cases = read(path)
            total = score(cases, _answers(given, path, cases))
            _print(path, total)
            if given.show and not is_blind(path):
                _show(total)
            for name in ("bad", "good", "parts", "parts_found"):
                setattr(whole, name, getattr(whole, name) + getattr(total, name))
            for name in ("missed", "alarms", "elsewhere", "milliseconds"):
                getattr(whole, name).extend(getattr(total, name))
    except ModelError as error:
        print(f"{error} {error.hint}", file=sys.stderr)
        return 3
    except (OSError, KeyError, ValueError, AtendeError) as error:
        print(f"{path} cannot be read again: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(f"With a second reading ({given.again}), all together:")
    _print(Path("all"), whole)
    return 0 if _is_within(whole) else 1


def _answers(given: argparse.Namespace, path: Path, cases: Sequence[Case]) -> Mapping[str, str]:
    if given.again == "recorded":
        return again.replayed(cases, again.load().get(path.stem, {}))
    name, key = os.environ.get("ATENDE_MODEL", ""), os.environ.get("OPENAI_API_KEY", "")
    if not name:
        raise ValueError("no language model is named: set ATENDE_MODEL, OPENAI_API_KEY and, elsewhere, OPENAI_BASE_URL")
    settings = ModelSettings(name, os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"), key)
    answers = again.asked_live(cases, settings)
    if given.record:
        again.append(given.record, path.stem, cases, answers)
    return answers


def _is_within(total: Score) -> bool:
    return len(total.missed) <= MOST_MISSES * total.bad and len(total.alarms) <= MOST_FALSE_ALARMS * total.good


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
