"""Figures on public intent sets, reference data beside the project: a slice of what bench/intents.py measures whole."""

import importlib.util
import json
import os
import random
from pathlib import Path

import pytest

from agent.classifier import Example
from agent.encoder import local_encoder
from agent.intent_figures import measure

DATA = Path(os.environ.get("ATENDE_SHARED", Path(__file__).parents[2].parent / "shared")) / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (DATA / "hwu64").is_dir(), reason="the public intent sets are not beside the project"),
]
ASKED = 300
"""So many messages of a development split are asked, always the same ones."""


def read(path: Path, language: str) -> list[Example]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [Example(row["text"], row.get("intent", ""), language) for row in rows]


def few_shot(name: str) -> list[Example]:
    pool = read(DATA / name / "train.jsonl", "en")
    chosen = json.loads((DATA / name / "fewshot_indices.json").read_text(encoding="utf-8"))
    return [pool[place] for place in chosen["10shot_seed0"]]


def slice_of(examples: list[Example]) -> list[Example]:
    return random.Random(0).sample(examples, ASKED)


def test_that_ten_examples_per_intent_reach_the_expected_accuracy():
    asked = slice_of(read(DATA / "hwu64" / "dev.jsonl", "en"))
    figures = measure(few_shot("hwu64"), asked, [], local_encoder("accurate"))
    assert figures["accuracy"] >= 0.80
    assert figures["precision_at_0.8"] >= 0.90
    assert figures["coverage_at_95_precision"] >= 0.5


def test_that_strangers_are_told_from_150_intents():
    asked = slice_of(read(DATA / "clinc150" / "dev.jsonl", "en"))
    outside = [example.text for example in read(DATA / "clinc150" / "oos_dev.jsonl", "en")]
    figures = measure(few_shot("clinc150"), asked, outside, local_encoder("fast"))
    assert figures["accuracy"] >= 0.86
    assert figures["oos_auroc"] >= 0.96
    assert figures["precision_at_0.8"] >= 0.92


def test_that_noisy_portuguese_is_read_nearly_as_well_as_clean():
    spec = importlib.util.spec_from_file_location("whatsapp_noise", DATA / "whatsapp_noise.py")
    assert spec is not None
    assert spec.loader is not None
    noise = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(noise)
    pool = read(DATA / "tais_ptbr" / "train.jsonl", "pt")
    # Every fifth message of each intent is asked, the others are taught.
    seen: dict[str, int] = {}
    taught, asked = [], []
    for example in pool:
        seen[example.intent] = seen.get(example.intent, 0) + 1
        (asked if seen[example.intent] % 5 == 0 else taught).append(example)
    forms = [noise.variants(example.text) for example in asked]
    variants = {form: [texts[form] for texts in forms] for form in forms[0]}
    figures = measure(taught, asked, [], local_encoder("accurate"), variants)
    assert figures["accuracy_clean"] >= 0.80
    for form in variants:
        assert figures[f"accuracy_{form}"] >= 0.74, form
