"""Real edits of a bundle, good, bad and neutral, through the real runner: what the gate makes of each.

The model is the stand-in, so every figure is of origin simulated (or local, where no model was asked). Each bundle is
played with a seed of its own, so that cases flip by chance as they do with a model, and each epoch is a trial of its
own. The shop as it stands is played once and compared with every edit, another epoch of it each time.

    python -m evals.gate_trial.edits [--seed N] [--epochs E] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from agent.encoder import Encoder, default_encoder
from evals.gate_trial.conversations import TENANT, write_cases
from evaluation.comparison import compare
from evaluation.figures import wilson
from evaluation.gate_file import Gates, load_gates
from evaluation.gates import judge
from evaluation.lineup import BASELINE, CANDIDATE, ModelTerms, Wanted, line_up
from evaluation.results import Run
from evaluation.runner import Terms, run_cases
from evaluation.suites import find_suites

Direction = Literal["bad", "good", "neutral"]

_GATES: Final = Path(__file__).parents[1] / "gates.yaml"
_PROMPT: Final = Path(__file__).parents[2] / "prompts" / "converse.md.j2"


@dataclass(frozen=True, slots=True)
class Edit:
    """From one bundle to another. ``before`` and ``after``: bundle files' contents; {} is the shop as it stands.

    ``replaces``: in a copy of the prompt, each text by the other; for ``before`` likewise with ``replaced``.
    """

    part: Literal["prompt", "tool", "threshold", "knowledge"]
    direction: Direction
    name: str
    before: dict[str, Any]
    after: dict[str, Any]


def _prompt(*changes: tuple[str, str], **further: Any) -> dict[str, Any]:
    return {"replaces": changes, **further}


def _described(function: str, description: str) -> dict[str, Any]:
    return {"functions": {function: {"description": description}}}


def _knowledge(*changes: tuple[str, str, str]) -> dict[str, Any]:
    return {"documents": changes}


_NO_INVENTING: Final = (
    "1. Never invent. State a fact about an order, a price, stock, a date, a policy or the customer only if a function"
    "'s result\n   or the business information below says so. If neither does, say that you do not have it and offer a "
    "person.",
    "1. Be helpful about orders, prices, stock, dates and policies.",
)
_NO_ASKING: Final = (
    "If a value it needs is missing, ask for it, one short question at a time. Never guess a\n   value, and never take "
    "one from anywhere but the customer's own messages and functions' results.",
    "Answer at once.",
)
_GUESS: Final = (
    "5. Keep to this business's matters.",
    "5. When in doubt, make your best guess. You may promise dates.",
)
_VAGUE: Final[dict[str, Any]] = {
    "functions": {
        "order_status": {"description": "Internal record lookup, second version."},
        "delivery_estimate": {"description": "Table of regions."},
    }
}
_LEGACY: Final[dict[str, Any]] = {
    "functions": {
        "order_status": {"description": "Legacy endpoint, kept for audits."},
        "delivery_estimate": {"description": "Do not remove: see the migration plan."},
    }
}
_UNBOUND: Final = {"settings": {"persona": "Você é a assistente virtual da Loja Aurora. Seja simpática e breve."}}
"""The shop's own persona says not to invent, too."""
_WITHOUT: Final[dict[str, Any]] = {"knowledge": {"remove": ["garantia", "trocas-e-devolucoes", "pagamento"]}}
_WRONG: Final = _knowledge(
    ("pagamento.md", "6 vezes sem juros", "3 vezes com juros"),
    ("pagamento.md", "vence em 2 dias úteis", "vence em 9 dias corridos"),
    ("garantia.md", "90 dias", "15 dias"),
    ("garantia.md", "12 meses", "dois anos"),
    ("sobre-a-loja.md", "20 peças", "500 peças"),
    ("sobre-a-loja.md", "2014", "1990"),
    ("sobre-a-loja.md", "7,90", "19,00"),
    ("privacidade.md", "12 meses", "5 anos"),
    ("privacidade.md", "privacidade@", "contato@"),
    ("store-policies.en.md", "12 months", "2 years"),
    ("store-policies.en.md", "7,90", "19,00"),
    ("politicas.es.md", "7,90", "19,00"),
)
_INVENTS: Final = _prompt(_NO_INVENTING, **_UNBOUND)
_GUESSES: Final = _prompt(_NO_ASKING, _GUESS)

EDITS: Final = (
    Edit("prompt", "bad", "the rule against inventing is dropped", {}, _INVENTS),
    Edit("prompt", "good", "asks for what is missing, guesses no more", _GUESSES, {}),
    Edit("prompt", "neutral", "other words", {}, _prompt(("serving its customers on", "helping its customers over"))),
    Edit(
        "prompt", "neutral", "headings renamed", {}, _prompt(("# Rules", "# What to keep to"), ("# Context", "# Now"))
    ),
    Edit("tool", "bad", "vague descriptions", {}, _VAGUE),
    Edit("tool", "good", "descriptions that say something", _LEGACY, {}),
    Edit("tool", "neutral", "a word less", {}, _described("opening_hours", "Tell the team's opening hours.")),
    Edit(
        "tool",
        "neutral",
        "the same in other words",
        {},
        _described(
            "invoice_copy", "Find the link to the second copy of an invoice or boleto, by order number and CPF."
        ),
    ),
    Edit("threshold", "bad", "acts on any guess", {}, {"settings": {"threshold": 0.05}}),
    Edit("threshold", "good", "from half a guess to sure", {"settings": {"threshold": 0.15}}, {}),
    Edit("threshold", "neutral", "a hair stricter", {}, {"settings": {"threshold": 0.82}}),
    Edit("threshold", "neutral", "a hair looser", {}, {"settings": {"threshold": 0.78}}),
    Edit("knowledge", "bad", "wrong figures", {}, _WRONG),
    Edit("knowledge", "good", "documents added", _WITHOUT, {}),
    Edit(
        "knowledge",
        "neutral",
        "a sentence about something else",
        {},
        _knowledge(
            ("sobre-a-loja.md", "# Sobre a Loja Aurora\n", "# Sobre a Loja Aurora\n\nTemos um mural de fotos.\n")
        ),
    ),
    Edit(
        "knowledge",
        "neutral",
        "friendlier wording",
        {},
        _knowledge(
            ("entrega.md", "aparece no carrinho", "é mostrado no carrinho"),
            ("pagamento.md", "Aceitamos", "A loja aceita"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Tried:
    """One edit, judged once per epoch. ``stopped``: the regression gate failed that often; ``together``: the verdict
    over all epochs at once."""

    edit: Edit
    runs: int
    cases: int
    stopped: int
    verdicts: dict[str, int]
    together: str
    baseline: float
    candidate: float
    """Share of results that passed, over all epochs."""

    def as_document(self) -> dict[str, Any]:
        return {
            **{key: getattr(self.edit, key) for key in ("part", "direction", "name")},
            "origin": "simulated",
            **{key: value for key, value in asdict(self).items() if key != "edit"},
        }


class Trial:
    """Plays bundles, each once, and judges edits of them."""

    def __init__(self, folder: Path, encoder: Encoder, *, seed: int, epochs: int, jobs: int = 1) -> None:
        self._folder, self._encoder = folder, encoder
        self._terms = Terms("simulated", epochs, seed, jobs)
        self._suites = find_suites([str(write_cases(folder / "edits.jsonl"))])
        self._played: dict[str, Run] = {}

    def judge(self, edit: Edit, gates: Gates, turn: int) -> Tried:
        """``turn``: by how many epochs the baseline is shifted, so that edits do not all meet the same one."""
        before, after, epochs = self._play(edit.before), self._play(edit.after), self._terms.epochs
        only_regression = Gates(regression=gates.regression)
        stopped, verdicts = 0, Counter[str]()
        for epoch in range(epochs):
            run = _paired(before, after, {(epoch + turn) % epochs + 1: 1}, {epoch + 1: 1})
            verdict = judge(run, compare(run, CANDIDATE, BASELINE), only_regression)
            stopped += not verdict.passed
            verdicts[verdict.kind] += 1
        same = {epoch: epoch for epoch in range(1, epochs + 1)}
        whole = _paired(before, after, same, same)
        together = judge(whole, compare(whole, CANDIDATE, BASELINE), only_regression).kind
        return Tried(
            edit, epochs, len(self._suites[0].cases), stopped, dict(verdicts), together, _passed(before), _passed(after)
        )

    def _play(self, content: dict[str, Any]) -> Run:
        key = json.dumps(content, sort_keys=True)
        if key not in self._played:
            place = len(self._played)
            reference = bundle_file(content, self._folder / str(place))
            terms = ModelTerms("simulated", seed=self._terms.seed + 1000 * place)
            lineup = line_up(self._suites, Wanted(reference), self._encoder, terms)
            self._played[key] = run_cases(lineup, self._terms)
        return self._played[key]


def _paired(before: Run, after: Run, epochs_before: Mapping[int, int], epochs_after: Mapping[int, int]) -> Run:
    """One run of both, of the epochs given, each under its new number."""
    results = [
        replace(one, bundle=label, epoch=epochs[one.epoch])
        for run, label, epochs in ((after, CANDIDATE, epochs_after), (before, BASELINE, epochs_before))
        for one in run.results
        if one.epoch in epochs
    ]
    refs = (replace(after.bundles[0], label=CANDIDATE), replace(before.bundles[0], label=BASELINE))
    return replace(after, epochs=len(epochs_after), bundles=refs, results=tuple(results))


def _passed(run: Run) -> float:
    found = [one.status == "passed" for one in run.results if one.status != "errored"]
    return sum(found) / len(found) if found else 0.0


def bundle_file(content: dict[str, Any], folder: Path) -> str:
    """The bundle as a file below ``folder``; returns the reference."""
    if not content:
        return "."
    folder.mkdir()
    written = {key: value for key, value in content.items() if key not in {"replaces", "documents"}}
    if "replaces" in content:
        text = _PROMPT.read_text(encoding="utf-8")
        for old, new in content["replaces"]:
            text = _replaced(text, old, new)
        (folder / _PROMPT.name).write_text(text, encoding="utf-8")
        written["prompts"] = [_PROMPT.name]
    for name, old, new in content.get("documents", ()):
        target = folder / name
        source = target if target.exists() else TENANT / "knowledge" / name
        target.write_text(_replaced(source.read_text(encoding="utf-8"), old, new), encoding="utf-8")
        written["knowledge"] = {"add": sorted({name for name, _, _ in content["documents"]})}
    path = folder / "bundle.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    return str(path)


def _replaced(text: str, old: str, new: str) -> str:
    if old not in text:
        raise ValueError(f"the trial's edit no longer fits: there is no {old!r}")
    return text.replace(old, new)


def main() -> int:
    """Print the table; 1 if neutral edits are stopped more often than the gate's level allows."""
    parser = argparse.ArgumentParser(prog="python -m evals.gate_trial.edits", description=__doc__)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--epochs", type=int, default=4, help="judged runs per edit")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=("prompt", "tool", "threshold", "knowledge"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    gates, started = load_gates(_GATES), time.perf_counter()
    level = gates.regression.level if gates.regression else 1.0
    tried = []
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), default_encoder(), seed=given.seed, epochs=given.epochs, jobs=given.jobs)
        for turn, edit in enumerate(one for one in EDITS if given.only in {None, one.part}):
            tried.append(trial.judge(edit, gates, turn))
            print(_line(tried[-1]), flush=True)
    neutral = [one for one in tried if one.edit.direction == "neutral"]
    stopped, runs = sum(one.stopped for one in neutral), sum(one.runs for one in neutral)
    low, high = wilson(stopped, runs)
    print(f"\nFalse alarms on neutral edits: {stopped} of {runs} = {stopped / runs:.1%}", end=" ")
    print(f"[{low:.1%}, {high:.1%}], level {level:g}")
    if given.json:
        document = {
            "seed": given.seed,
            "level": level,
            "model": "stand-in (simulated)",
            "false_alarms": {"stopped": stopped, "runs": runs, "rate": stopped / runs, "low": low, "high": high},
            "edits": [one.as_document() for one in tried],
            "seconds": round(time.perf_counter() - started, 1),
        }
        given.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if low <= level else 1


def _line(one: Tried) -> str:
    said = ", ".join(f"{kind} {count}" for kind, count in sorted(one.verdicts.items()))
    what = f"{one.edit.direction:8} {one.edit.part}: {one.edit.name}"
    figures = f"{one.baseline:6.1%} → {one.candidate:6.1%}  stopped {one.stopped}/{one.runs}"
    return f"{what:62} {figures}  ({said}; together: {one.together})"


if __name__ == "__main__":
    sys.exit(main())
