"""Second readings of the labelled replies: recorded ones, or those of the installation's own language model."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agent.claims import Ledger
from agent.language_model import LanguageModel, Message, ModelClients, ModelSettings
from agent.prompts import Prompt, load_prompts
from agent.second_reading import UnreadableReadingError, claims_of, read_together, reading_request
from domain.decisions import Claim
from domain.errors import AtendeError
from evals.claims.cases import FOLDER, Case

RECORDED: Final = FOLDER / "readings" / "recorded.jsonl"
_AT_ONCE: Final = 8


class StaleReadingError(AtendeError):
    """A recording was made for another request than this one."""


def load(path: Path = RECORDED) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Recorded readings: by set (a file's name without its ending) and the case's id, ``key`` and ``answer``.

    Raises OSError, KeyError, ValueError.
    """
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["set"], {})[row["id"]] = {"key": row["key"], "answer": row["answer"]}
    return found


def replayed(cases: Sequence[Case], recorded: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The recorded answer for each of ``cases`` that has one, by id. Raises StaleReadingError."""
    prompt, answers = load_prompts()["second_reading"], {}
    for case in cases:
        if (row := recorded.get(case.id)) is None:
            continue
        if row["key"] != key_of(_asked(prompt, case)):
            raise StaleReadingError(
                f"The recorded reading of {case.id} was made for another request: the case, or version "
                f"{prompt.version} of the prompt second_reading, is not what it was.",
                hint="Record anew: python -m evals.claims --again live --record FILE",
            )
        answers[case.id] = row["answer"]
    return answers


def asked_live(cases: Sequence[Case], settings: ModelSettings) -> dict[str, str]:
    """What that model answers for each case, by id. Raises ModelError on the first that it fails at."""
    return asyncio.run(_ask_all(cases, settings))


async def _ask_all(cases: Sequence[Case], settings: ModelSettings) -> dict[str, str]:
    prompt, clients, gate = load_prompts()["second_reading"], ModelClients(), asyncio.Semaphore(_AT_ONCE)
    model = LanguageModel(settings, clients)

    async def ask(case: Case) -> tuple[str, str]:
        async with gate:
            return case.id, (await model.complete(_asked(prompt, case), **prompt.model)).text

    try:
        return dict(await asyncio.gather(*(ask(case) for case in cases)))
    finally:
        await clients.aclose()


def append(path: Path, name: str, cases: Sequence[Case], answers: Mapping[str, str]) -> None:
    """Write the answers of a set as recordings, after what ``path`` holds already."""
    prompt = load_prompts()["second_reading"]
    with path.open("a", encoding="utf-8") as file:
        for case in cases:
            row: dict[str, Any] = {"set": name, "id": case.id, "key": key_of(_asked(prompt, case))}
            file.write(json.dumps({**row, "answer": answers[case.id]}, ensure_ascii=False) + "\n")


def with_reading(case: Case, ledger: Ledger, answer: str) -> Ledger:
    """The ledger of a case after that answer; one that is no reading holds the whole reply back."""
    try:
        second = claims_of(answer, case.reply, case.sources)
    except UnreadableReadingError:
        return Ledger((Claim(0, len(case.reply), "reading", case.reply),))
    return read_together(ledger, second, case.sources)


def key_of(messages: Sequence[Message]) -> str:
    """Names all that the model sees."""
    return hashlib.sha256("\0".join(str(message["content"]) for message in messages).encode()).hexdigest()


def _asked(prompt: Prompt, case: Case) -> list[Message]:
    return reading_request(prompt, case.reply, case.sources, masked=False)
