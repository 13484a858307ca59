"""``atende bench``: measure the installation's parts on files of one's own. See app.intent_bench for what it does."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Measure on files of your own.", no_args_is_help=True)


class EncoderProfile(StrEnum):
    """The encoders that need nothing but this machine."""

    FAST = "fast"
    ACCURATE = "accurate"


@commands.callback()
def bench() -> None:
    """Measure on files of your own."""


@commands.command()
def intents(  # noqa: PLR0917 - its options
    train: Annotated[Path, typer.Option("--train", help="Examples: JSONL or CSV with text and intent.")],
    test: Annotated[Path, typer.Option("--test", help="Messages to ask, labelled the same way.")],
    oos: Annotated[Path | None, typer.Option("--oos", help="Messages that no intent covers: only text.")] = None,
    shots: Annotated[
        int | None, typer.Option("--shots", min=1, help="Learn from this many examples of each intent; else from all.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which examples are drawn.")] = 0,
    profile: Annotated[
        EncoderProfile, typer.Option("--profile", help="The sentence encoder.")
    ] = EncoderProfile.ACCURATE,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; shares are fractions of 1.")
    ] = False,
) -> None:
    """How well and how fast intents are recognised: accuracy, out of scope, calibration, latency."""
    from app.intent_bench import bench_intents, lines  # noqa: PLC0415

    files = {"train": train, "test": test, "oos": oos}
    figures = bench_intents(files, shots=shots, seed=seed, profile=profile.value)
    print(json.dumps(figures, indent=2) if as_json else "\n".join(lines(figures)))
