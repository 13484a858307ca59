"""``python -m evals.intents``: figures of the hard set, dev and blind apart, for the example tenant's classifier."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.classifier import Example, IntentClassifier, train
from agent.encoder import local_encoder
from evals.intents.scoring import FOLDER, Asked, Case, figures, load
from flows.tenant_files import load_tenant

TENANT = Path(__file__).parents[2] / "tenants" / "loja-aurora"


def taught(folder: Path) -> tuple[list[Example], float]:
    """The tenant's examples in the order in which the database hands them out, and its threshold."""
    declaration = load_tenant(folder)
    examples = [
        Example(text, intent.name, language)
        for intent in declaration.intents.values()
        for language, texts in intent.examples.items()
        for text in texts
    ]
    ordered = sorted(examples, key=lambda example: (example.intent, example.text))
    return ordered, declaration.settings.threshold


def ask(classifier: IntentClassifier, threshold: float, cases: list[Case]) -> list[Asked]:
    """Classify every case."""
    found = classifier.classify_many([case.text for case in cases])
    return [
        Asked(case, whole, (whole.intent,) if whole.intent and whole.confidence >= threshold else ())
        for case, whole in zip(cases, found, strict=True)
    ]


def _percent(share: float | None) -> str:
    return "     -" if share is None else f"{share * 100:6.1f}"


def _print(name: str, found: dict[str, Any]) -> None:
    print(f"{name}: {found['messages']} messages (all figures in percent)")
    for key, value in found.items():
        if isinstance(value, float):
            print(f"  {key:<22}{_percent(value)}")
    for group in ("kinds", "languages"):
        for part, row in found[group].items():
            print(
                f"  {part:<14}{row['messages']:>4} with one wish   accuracy {_percent(row['accuracy'])}"
                f"   served {_percent(row['served'])}"
            )


def _misses(asked: list[Asked]) -> list[str]:
    return [
        f"{one.case.id} {one.case.kind:<10} {'/'.join(one.case.intents) or '-':<24} "
        f"{one.whole.intent} {one.whole.confidence:.2f}  {one.case.text}"
        for one in asked
        if one.wrong or (len(one.case.intents) == 1 and not one.right)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """``arguments``: the command line's, if not the process's."""
    parser = argparse.ArgumentParser(prog="python -m evals.intents", description=__doc__)
    parser.add_argument("--profile", choices=("fast", "accurate"), default="fast")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--misses", action="store_true", help="also print each message of dev that went wrong")
    options = parser.parse_args(arguments)
    encoder = local_encoder(options.profile)
    examples, threshold = taught(TENANT)
    classifier = train(examples, encoder)
    document: dict[str, Any] = {"profile": options.profile, "threshold": threshold}
    for split in ("dev", "blind"):
        path = FOLDER / f"{split}.jsonl"
        if not path.exists():
            if not options.json:
                print(f"{split}: there is no {path.name}")
            continue
        asked = ask(classifier, threshold, load(path))
        document[split] = figures(asked)
        if not options.json:
            _print(split, document[split])
            if options.misses and split == "dev":  # nobody shall be led to tune on the blind split
                print("\n".join(_misses(asked)))
    if options.json:
        print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
