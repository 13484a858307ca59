"""What ``atende bench intents`` does: reads the files, trains, asks, and tells the figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agent.classifier import Example
from agent.encoder import Profile, local_encoder
from agent.intent_figures import measure, sample
from agent.language import detect_language
from domain.errors import AtendeError

_SHOWN: Final = (
    ("accuracy", "accuracy"),
    ("ece", "calibration error (ECE)"),
    ("ece_by_chance", "… of which exact confidences would show"),
    ("coverage_at_95_precision", "coverage at 95 % precision"),
    ("oos_auroc", "out of scope, AUROC"),
    ("oos_recall_at_95_kept", "out of scope, recall with 95 % in scope kept"),
)


class LabelledFileError(AtendeError):
    """A file of labelled messages that cannot be used; ``line`` is 0 where the whole file is meant."""

    def __init__(self, file: Path, line: int, problem: str) -> None:
        where = f"{file}, line {line}" if line else str(file)
        super().__init__(
            f"{where}: {problem}.",
            hint='Give JSONL with {"text": "…", "intent": "…"} a line, or CSV with the columns text and intent.',
        )
        self.file = file
        self.line = line


def bench_intents(
    files: Mapping[str, Path | None], *, shots: int | None, seed: int, profile: Profile
) -> dict[str, Any]:
    """Figures for ``files`` (``train``, ``test``, perhaps ``oos``). Raises LabelledFileError, EncoderUnavailableError.

    A message of the test file without an intent is out of scope, as are all of the ``oos`` file.
    """
    pool = [example for example in _read(files["train"]) if example.intent]
    test = _read(files["test"])
    asked = [example for example in test if example.intent]
    outside = [example.text for example in test if not example.intent]
    outside += [example.text for example in _read(files.get("oos"))]
    for name, found in (("train", pool), ("test", asked)):
        if not found:
            raise LabelledFileError(files[name] or Path(), 0, "no message has an intent")
    taught = sample(pool, shots, seed) if shots else pool
    encoder = local_encoder(profile)
    encoder.load()
    return {
        "profile": profile,
        "encoder": encoder.name,
        "shots": shots,
        "seed": seed,
        "intents": len({example.intent for example in taught}),
        "taught": len(taught),
        "asked": len(asked),
        "out_of_scope": len(outside),
        **{name: round(value, 4) for name, value in measure(taught, asked, outside, encoder).items()},
    }


def lines(figures: Mapping[str, Any]) -> list[str]:
    """The figures for people, in percent."""
    told = [
        f"{figures['taught']} examples of {figures['intents']} intents, {figures['asked']} messages asked"
        f" and {figures['out_of_scope']} out of scope; encoder {figures['encoder']}"
    ]
    told += [f"  {title:<46}{figures[name] * 100:6.2f} %" for name, title in _SHOWN if name in figures]
    timing = f"{figures['latency_p50_ms']:.1f} / {figures['latency_p99_ms']:.1f} ms"
    told.append(f"  {'latency of one message, p50 / p99':<46}{timing}")
    timing = f"{figures['cpu_p50_ms']:.1f} / {figures['cpu_p99_ms']:.1f} ms"
    return [*told, f"  {'its CPU time, p50 / p99':<46}{timing}"]


def _read(path: Path | None) -> list[Example]:
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelledFileError(path, 0, f"cannot be read ({error})") from error
    rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _jsonl_rows(path, text)
    return [_example(path, line, row) for line, row in rows]


def _jsonl_rows(path: Path, text: str) -> Sequence[tuple[int, Any]]:
    rows = []
    # Not splitlines: a text may hold a Unicode line separator.
    for line, written in enumerate(text.split("\n"), start=1):
        if written.strip():
            try:
                rows.append((line, json.loads(written)))
            except ValueError as error:
                raise LabelledFileError(path, line, "is no JSON") from error
    return rows


def _csv_rows(path: Path, text: str) -> Sequence[tuple[int, Any]]:
    reader = csv.DictReader(text.splitlines(keepends=True))
    if "text" not in (reader.fieldnames or ()):
        raise LabelledFileError(path, 1, "has no column named text")
    return [(reader.line_num, row) for row in reader]


def _example(path: Path, line: int, row: Any) -> Example:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise LabelledFileError(path, line, "has no text")
    intent = row.get("intent")
    if intent is not None and not isinstance(intent, str):
        raise LabelledFileError(path, line, "has an intent that is no name")
    return Example(row["text"], intent or "", row.get("language") or detect_language(row["text"], "pt"))
