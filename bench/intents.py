"""How well and how fast the intent classifier reads messages, on several public sets at once, as JSON.

    python bench/intents.py DATA [--sets banking77,clinc150,hwu64,tais_ptbr] [--seeds 1] [--shots 10] [--profile fast]

DATA holds one folder per set with train.jsonl and dev.jsonl (rows of ``text`` and ``intent``), fewshot_indices.json
(row numbers of the training samples by "10shot_seed0" …) and, where there is one, oos_dev.jsonl (out of scope). A set
without dev.jsonl is judged by stratified 5-fold cross-validation, its calibration error over all folds together.
Beside it, whatsapp_noise.py may define noisy forms.
Single files: ``atende bench intents``. The figures: agent/intent_figures.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.pop(0)  # this folder: it has an agent.py

import numpy as np

from agent.classifier import Example
from agent.encoder import local_encoder
from agent.intent_figures import Tally, measure, sample

SETS = {"banking77": "en", "clinc150": "en", "hwu64": "en", "tais_ptbr": "pt"}
NOISY = {"tais_ptbr"}
FOLDS = 5

Split = tuple[list[Example], list[Example]]


def read(path: Path, language: str) -> list[Example]:
    if not path.exists():
        return []
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [Example(row["text"], row.get("intent") or "", language) for row in rows]


def splits(folder: Path, language: str, shots: int, seeds: int) -> Iterator[Split]:
    pool, dev = read(folder / "train.jsonl", language), read(folder / "dev.jsonl", language)
    if dev:
        chosen = json.loads((folder / "fewshot_indices.json").read_text(encoding="utf-8"))
        for seed in range(seeds):
            given = chosen.get(f"{shots}shot_seed{seed}")
            yield [pool[place] for place in given] if given else sample(pool, shots, seed), dev
        return
    for seed in range(seeds):
        folds = stratified(pool, seed)
        for fold in range(FOLDS):
            taught = [row for row, own in zip(pool, folds, strict=True) if own != fold]
            yield taught, [row for row, own in zip(pool, folds, strict=True) if own == fold]


def stratified(rows: list[Example], seed: int) -> list[int]:
    random = np.random.default_rng(seed)
    folds = [0] * len(rows)
    dealt = 0
    for intent in sorted({row.intent for row in rows}):
        for place in random.permutation([place for place, row in enumerate(rows) if row.intent == intent]):
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


def run(data: Path, name: str, options: argparse.Namespace) -> dict[str, Any]:
    encoder, noise = local_encoder(options.profile), load_noise(data)
    outside = [row.text for row in read(data / name / "oos_dev.jsonl", SETS[name])]
    figures: list[dict[str, float]] = []
    tally = Tally()
    for taught, asked in splits(data / name, SETS[name], options.shots, options.seeds):
        forms = [noise(example.text) for example in asked] if name in NOISY else []
        variants = {form: [texts[form] for texts in forms] for form in (forms[0] if forms else ())}
        figures.append(measure(taught, asked, outside, encoder, variants, tally=tally))
    report: dict[str, Any] = {key: round(float(np.mean([one[key] for one in figures])), 4) for key in figures[0]}
    report |= {f"each_{key}": [round(one[key], 4) for one in figures] for key in ("accuracy", "ece")}
    # A fold judges so few messages that chance alone makes the calibration error large: taken together.
    if not (data / name / "dev.jsonl").exists():
        for form, together in tally.figures().items():
            suffix = f"_{form}" if form else ""
            report |= {f"{key}{suffix}": round(together[key], 4) for key in ("ece", "ece_by_chance")}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=1, help="samples per set; three are given, more are drawn")
    parser.add_argument("--shots", type=int, default=10, choices=(5, 10))
    parser.add_argument("--profile", default="accurate", choices=("fast", "accurate"))
    options = parser.parse_args()
    encoder = local_encoder(options.profile)
    encoder.load()
    report: dict[str, Any] = {"encoder": encoder.name, "shots": options.shots, "seeds": options.seeds, "sets": {}}
    began = time.perf_counter()
    for name in options.sets.split(","):
        report["sets"][name] = run(options.data, name, options)
    report["seconds"] = round(time.perf_counter() - began, 1)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
