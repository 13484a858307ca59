"""``python -m evals.personal_data``: figures per kind and overall, for each split apart."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from domain.personal_data import find
from evals.personal_data.scoring import FOLDER, Score, load, score


def _percent(share: float | None) -> str:
    return "      -" if share is None else f"{share * 100:6.1f}%"


def _print(name: str, result: Score) -> None:
    print(f"{name}: {result.texts} texts")
    print(f"  {'kind':<14}{'labelled':>9}{'reported':>9}{'precision':>11}{'recall':>9}{'masked':>9}")
    for kind, row in result.figures().items():
        figures = "  ".join(_percent(row[key]) for key in ("precision", "recall", "masked"))
        print(f"  {kind:<14}{row['labelled']:>9}{row['reported']:>9}    {figures}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evals.personal_data", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--misses", action="store_true", help="also print each text of dev that went wrong")
    arguments = parser.parse_args()
    document: dict[str, Any] = {}
    for split in ("dev", "blind"):
        path = FOLDER / f"{split}.jsonl"
        if not path.exists():
            if not arguments.json:
                print(f"{split}: there is no {path.name}")
            continue
        cases = load(path)
        result = score(cases)
        started = time.perf_counter()
        for case in cases:
            find(case.text)
        milliseconds = (time.perf_counter() - started) * 1000 / max(1, len(cases))
        document[split] = {"texts": result.texts, "ms_per_text": milliseconds, **result.figures()}
        if not arguments.json:
            _print(split, result)
            print(f"  {milliseconds:.2f} ms per text")
            if arguments.misses and split == "dev":  # nobody shall be led to tune on the blind split
                print("\n".join(f"  {line}" for line in result.misses))
    if arguments.json:
        print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
