"""Measure the search of knowledge: what is found, what is answered, and what is answered although nothing does.

    python -m evals.knowledge [FILE…] [--show] [--json] [--fit]

FILE: labelled questions (dev.jsonl by default; README.md tells the format). Beside the product's search (``hybrid``)
the same documents are searched by vectors alone, by words alone (BM25), and by reciprocal rank fusion of the two. Exit
code 0; 2: a file cannot be used. ``--fit`` prints the weights of agent.relevance anew, with their figures under
cross-validation.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.encoder import default_encoder
from agent.turn import Passage
from domain.errors import AtendeError
from evals.knowledge.fitting import fitted
from evals.knowledge.retrieval import CORPORA, HERE, Case, Corpus, read_cases

THRESHOLD = 0.5
"""The product's: ``TenantProfile.knowledge_threshold``."""
UNUSABLE = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What one way of searching led to for one question."""

    case: Case
    passages: Sequence[Passage]

    @property
    def rank(self) -> int:
        """Of the first passage that answers, from 1; 0: not found."""
        return next((n for n, passage in enumerate(self.passages, 1) if self.case.is_answered_by(passage)), 0)

    @property
    def score(self) -> float:
        """Of the first passage."""
        return self.passages[0].score if self.passages else 0.0


def figures(found: Sequence[Found], threshold: float) -> dict[str, float]:
    """Shares: recall and answers of the questions that a document answers, ``imagined`` of the others."""
    known = [one for one in found if one.case.answers]
    unknown = [one for one in found if not one.case.answers]
    return {
        "recall_at_1": _share(sum(one.rank == 1 for one in known), len(known)),
        "recall_at_5": _share(sum(0 < one.rank <= 5 for one in known), len(known)),
        "threshold": threshold,
        "answered_rightly": _share(sum(one.rank == 1 and one.score >= threshold for one in known), len(known)),
        "answered_wrongly": _share(sum(one.rank != 1 and one.score >= threshold for one in known), len(known)),
        "imagined": _share(sum(one.score >= threshold for one in unknown), len(unknown)),
    }


def as_strict(found: Sequence[Found], imagined: float) -> float:
    """The least threshold under which a way of searching answers no more unanswerable questions than ``imagined``."""
    scores = sorted({one.score for one in found})
    for threshold in [*scores, scores[-1] + 1 if scores else 1.0]:
        if figures(found, threshold)["imagined"] <= imagined:
            return threshold
    raise AssertionError("above the highest score nothing is answered")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    given = _parser().parse_args(arguments)
    try:
        cases = {file: read_cases(file) for file in given.files or [HERE / "dev.jsonl"]}
        wanted = {case.corpus for file in cases.values() for case in file}
        encoder = default_encoder()
        corpora = {name: Corpus.of(CORPORA[name], encoder) for name in sorted(wanted)}
    except (OSError, ValueError, AtendeError) as error:
        print(error.sentence() if isinstance(error, AtendeError) else error, file=sys.stderr)
        return UNUSABLE
    results = {}
    for file, questions in cases.items():
        results[str(file)] = report(file.name, questions, corpora, show=given.show, quiet=given.json)
    if given.fit:
        for line in fitted([case for file in cases.values() for case in file], corpora):
            print(line)
    if given.json:
        print(json.dumps(results, indent=2))
    return 0


def report(
    name: str, cases: Sequence[Case], corpora: dict[str, Corpus], *, show: bool, quiet: bool
) -> dict[str, dict[str, float]]:
    """Search for every question in every way; print a line per way unless ``quiet``."""
    rows = {
        way: [Found(case, corpora[case.corpus].ways()[way](case.question, case.language)) for case in cases]
        for way in ("hybrid", "rrf", "vector", "text")
    }
    known = sum(bool(case.answers) for case in cases)
    results = {"hybrid": figures(rows["hybrid"], THRESHOLD)}
    for way in ("rrf", "vector", "text"):
        results[way] = figures(rows[way], as_strict(rows[way], results["hybrid"]["imagined"]))
    for language in sorted({case.language for case in cases}):
        part = [one for one in rows["hybrid"] if one.case.language == language]
        results[f"hybrid {language}"] = figures(part, THRESHOLD)
    if not quiet:
        print(f"{name}: {known} questions that a document answers, {len(cases) - known} that none does")
        print(f"{'':10} recall@1 recall@5 | answered rightly  wrongly  imagined (threshold)")
        for way, one in results.items():
            print(
                f"{way:10} {one['recall_at_1']:8.1%} {one['recall_at_5']:8.1%} | {one['answered_rightly']:16.1%} "
                f"{one['answered_wrongly']:8.1%} {one['imagined']:9.1%} ({one['threshold']:.3f})"
            )
    if show:
        for found in rows["hybrid"]:
            if _is_wrong(found):
                first = found.passages[0].place if found.passages else "nothing"
                print(f"  {found.case.id} {found.case.question!r}: {found.score:.2f} {first}; rank {found.rank}")
    return results


def _is_wrong(found: Found) -> bool:
    answered = found.score >= THRESHOLD
    return answered != bool(found.case.answers) or (answered and found.rank != 1)


def _share(count: int, total: int) -> float:
    return count / total if total else 0.0


def _parser() -> argparse.ArgumentParser:
    summary, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m evals.knowledge",
        description=summary,
        epilog=details.split("\n\n", 2)[-1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path)
    parser.add_argument("--show", action="store_true", help="print the questions that go wrong (not of a blind set)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--fit", action="store_true", help="fit the weights anew and cross-validate them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
