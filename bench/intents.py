"""How well and how fast the intent classifier reads messages, on public sets, as JSON.

    python bench/intents.py DATA [--sets banking77,clinc150,hwu64,tais_ptbr] [--seeds 1] [--shots 10]

DATA holds one folder per set with train.jsonl and dev.jsonl (rows of ``text`` and ``intent``), fewshot_indices.json
(row numbers of the training samples by "10shot_seed0" …) and, where there is one, oos_dev.jsonl (out of scope). A set
without dev.jsonl is judged by stratified 5-fold cross-validation. Beside it, whatsapp_noise.py may define noisy forms.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.classifier import Classification, Example, IntentClassifier, train, vectorise
from agent.encoder import default_encoder

SETS = {"banking77": "en", "clinc150": "en", "hwu64": "en", "tais_ptbr": "pt"}
NOISY = {"tais_ptbr"}
FOLDS = 5

Rows = list[dict[str, str]]
Split = tuple[list[Example], Rows]


def read(path: Path) -> Rows:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def splits(folder: Path, language: str, shots: int, seeds: int) -> Iterator[Split]:
    pool, dev = read(folder / "train.jsonl"), read(folder / "dev.jsonl")
    if dev:
        chosen = json.loads((folder / "fewshot_indices.json").read_text(encoding="utf-8"))
        for seed in range(seeds):
            yield [example(pool[place], language) for place in chosen[f"{shots}shot_seed{seed}"]], dev
        return
    for seed in range(seeds):
        folds = stratified(pool, seed)
        for fold in range(FOLDS):
            taught = [example(row, language) for row, own in zip(pool, folds, strict=True) if own != fold]
            yield taught, [row for row, own in zip(pool, folds, strict=True) if own == fold]


def example(row: dict[str, str], language: str) -> Example:
    return Example(row["text"], row["intent"], language)


def stratified(rows: Rows, seed: int) -> list[int]:
    random = np.random.default_rng(seed)
    folds = [0] * len(rows)
    dealt = 0
    for intent in sorted({row["intent"] for row in rows}):
        for place in random.permutation([place for place, row in enumerate(rows) if row["intent"] == intent]):
            folds[place] = dealt % FOLDS
            dealt += 1
    return folds


def load_noise(data: Path) -> Callable[[str], dict[str, str]]:
    path = data / "whatsapp_noise.py"
    if not path.exists():
        return lambda text: {"clean": text}
    spec = importlib.util.spec_from_file_location("whatsapp_noise", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.variants  # type: ignore[no-any-return]


def auroc(inside: Sequence[float], outside: Sequence[float]) -> float:
    """Chance that a message in scope scores lower than one out of scope, ties counted half."""
    both = np.concatenate([inside, outside])
    order = both.argsort(kind="stable")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    for value in np.unique(both):
        same = both == value
        ranks[same] = ranks[same].mean()
    return float((ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2) / (len(inside) * len(outside)))


def calibration_error(confidences: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    places = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = [abs(confidences[places == b].mean() - right[places == b].mean()) * (places == b).sum() for b in set(places)]
    return float(sum(gaps) / len(right))


def coverage(confidences: np.ndarray, right: np.ndarray, precision: float = 0.95) -> float:
    """Largest share of messages that can be answered with at least this precision by raising the threshold."""
    order = np.argsort(-confidences, kind="stable")
    precisions = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precisions >= precision)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0


def judge(found: Sequence[Classification], rows: Rows) -> dict[str, float]:
    right = np.array([c.intent == row["intent"] for c, row in zip(found, rows, strict=True)])
    sure = np.array([c.confidence for c in found])
    above = sure >= 0.8
    return {
        "accuracy": right.mean(),
        "ece": calibration_error(sure, right),
        "coverage_at_95": coverage(sure, right),
        "answered_at_0.8": above.mean(),
        "precision_at_0.8": right[above].mean() if above.any() else 1.0,
    }


def judge_scope(inside: Sequence[Classification], outside: Sequence[Classification]) -> dict[str, float]:
    kept = float(np.quantile([c.out_of_scope for c in inside], 0.95))
    return {
        "oos_auroc": auroc([c.out_of_scope for c in inside], [c.out_of_scope for c in outside]),
        "oos_auroc_by_confidence": auroc([-c.confidence for c in inside], [-c.confidence for c in outside]),
        "oos_recall_at_95_kept": float(np.mean([c.out_of_scope > kept for c in outside])),
        "oos_answered_at_0.8": float(np.mean([c.confidence >= 0.8 for c in outside])),
    }


def latency(classifier: IntentClassifier, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds of one call, the encoder's cache of texts not helping."""
    spent = []
    for place, text in enumerate(texts):
        began = time.perf_counter()
        classifier.classify(f"{text} {place % 97}x")
        spent.append((time.perf_counter() - began) * 1_000)
    return {"p50_ms": float(np.quantile(spent, 0.5)), "p99_ms": float(np.quantile(spent, 0.99))}


def run(data: Path, name: str, shots: int, seeds: int) -> dict[str, Any]:
    encoder, noise = default_encoder(), load_noise(data)
    outside = [row["text"] for row in read(data / name / "oos_dev.jsonl")]
    figures: list[dict[str, float]] = []
    for taught, rows in splits(data / name, SETS[name], shots, seeds):
        vectors = vectorise([e.text for e in taught], encoder)
        began = time.perf_counter()
        classifier = train(taught, encoder, vectors)
        seconds = time.perf_counter() - began
        found = classifier.classify_many([row["text"] for row in rows])
        result = {"train_seconds": seconds, **judge(found, rows)}
        if outside:
            result |= judge_scope(found, classifier.classify_many(outside))
        if name in NOISY:
            noisy = [noise(row["text"]) for row in rows]
            for variant in noisy[0]:
                again = classifier.classify_many([texts[variant] for texts in noisy])
                result[f"accuracy_{variant}"] = judge(again, rows)["accuracy"]
        result |= latency(classifier, [row["text"] for row in rows[:100]])
        figures.append(result)
    return {key: round(float(np.mean([figure[key] for figure in figures])), 4) for key in figures[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=1, help="samples per set (at most 3 are drawn)")
    parser.add_argument("--shots", type=int, default=10, choices=(5, 10))
    options = parser.parse_args()
    encoder = default_encoder()
    encoder.load()
    report: dict[str, Any] = {"encoder": encoder.name, "shots": options.shots, "seeds": options.seeds, "sets": {}}
    began = time.perf_counter()
    for name in options.sets.split(","):
        report["sets"][name] = run(options.data, name, options.shots, options.seeds)
    report["seconds"] = round(time.perf_counter() - began, 1)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
