"""What reading costs: personal data and claims of the labelled sets, and training the example shop's intents.

    python -m bench.reading

Prints JSON. CPU milliseconds of one thread: the best of three rounds, p50 and the worst of single texts.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from evals.claims.cases import read
from evals.personal_data.scoring import FOLDER, load

from agent.claims import check
from agent.classifier import Example, train, vectorise
from agent.encoder import default_encoder
from domain.personal_data import find
from flows.tenant_files import load_tenant

ROUNDS = 3
CLAIMS = Path(__file__).parents[1] / "evals" / "claims" / "dev.jsonl"
SHOP = Path(__file__).parents[1] / "tenants" / "loja-aurora"


def main() -> None:
    """Measures and prints."""
    messages = [case.text for case in load(FOLDER / "dev.jsonl")]
    replies = read(CLAIMS)
    examples = [
        Example(text, name)
        for name, intent in load_tenant(SHOP).intents.items()
        for texts in intent.examples.values()
        for text in texts
    ]
    encoder = default_encoder()
    vectors = vectorise([example.text for example in examples], encoder)
    print(
        json.dumps(
            {
                "personal_data": _each(find, messages),
                "claims": _each(lambda case: check(case.reply, case.language, case.sources), replies),
                "training": {"examples": len(examples)} | _each(lambda _: train(examples, encoder, vectors), [None]),
            },
            indent=1,
        )
    )


def _each(work: Callable[[Any], object], things: Iterable[Any]) -> dict[str, float]:
    best: list[float] = []
    for thing in things:
        taken = []
        for _ in range(ROUNDS):
            began = time.thread_time()
            work(thing)
            taken.append((time.thread_time() - began) * 1000)
        best.append(min(taken))
    return {"texts": len(best), "p50_ms": round(statistics.median(best), 3), "max_ms": round(max(best), 3)}


if __name__ == "__main__":
    main()
