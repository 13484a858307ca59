"""The hard set of intents: its files are as its page says, and its figures are told apart."""

import json

import pytest
from evals.intents import __main__ as command
from evals.intents.scoring import FOLDER, Asked, figures, load

from agent.classifier import Classification
from flows.tenant_files import load_tenant

KINDS = {"slang", "typos", "transcript", "indirect", "plain", "multiple", "near_miss", "far"}


@pytest.mark.parametrize("split", ["dev", "blind"])
def test_that_every_message_has_known_labels_and_is_no_example(split):
    cases = load(FOLDER / f"{split}.jsonl")
    declaration = load_tenant(command.TENANT)
    examples = {text for intent in declaration.intents.values() for texts in intent.examples.values() for text in texts}
    assert len(cases) >= 240
    assert {intent for case in cases for intent in case.intents} == set(declaration.intents)
    assert {case.language for case in cases} == {"pt", "es", "en"}
    assert sum(case.text in examples for case in cases) == 0
    assert len({case.text for case in cases}) == len(cases)
    if split == "dev":
        assert {case.kind for case in cases} == KINDS


def test_that_the_runner_prints_both_splits_and_never_a_blind_message(capsys):
    command.main(["--profile", "accurate", "--misses"])
    said = capsys.readouterr().out
    assert "dev: " in said
    assert "blind: " in said
    assert not any(case.text in said for case in load(FOLDER / "blind.jsonl") if len(case.text) > 30)

    command.main(["--profile", "accurate", "--json"])
    found = json.loads(capsys.readouterr().out)
    # What both splits have reached, less a little for another machine's arithmetic.
    assert found["dev"]["accuracy"] >= 0.86
    assert found["blind"]["accuracy"] >= 0.83
    assert found["blind"]["wrong"] <= 0.11


def test_that_a_message_with_two_wishes_counts_only_where_both_are_found():
    case, other = load(FOLDER / "dev.jsonl")[:2]
    asked = [
        Asked(case, Classification("x", 0.9), ("x",)),
        Asked(other, Classification(other.intents[0], 0.9), other.intents),
    ]
    assert figures(asked)["accuracy"] == 0.5
    assert figures(asked)["wrong"] == 0.5
