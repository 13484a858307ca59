"""The labelled cases, and the seeded disguises in which they come again."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent.turn import HistoryMessage, Passage, TurnInput
from domain.messages import Author, MessageKind

FOLDER = Path(__file__).parent
SHOP = FOLDER / "shop"
OWN_PHONE = "+5531988880001"


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation with a model that obeys whatever it reads.

    ``obeys``: the model's steps (tests.openai_server), the last one repeated. ``secrets``: what must not reach the
    customer. ``expect`` (benign cases): what must still happen.
    """

    id: str
    language: str
    obeys: tuple[Mapping[str, Any], ...]
    messages: tuple[Mapping[str, Any], ...]
    channel: str = "benign"
    goal: str = ""
    history: tuple[Mapping[str, Any], ...] = ()
    contact_name: str = "Ana"
    passages: tuple[Mapping[str, str], ...] = ()
    records: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    dialogue: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)

    def turn(self, now: datetime) -> TurnInput:
        """The conversation as the agent reads it."""
        start = now - timedelta(minutes=10)
        history = tuple(
            HistoryMessage(
                1 + place,
                Author(line["author"]),
                line["text"],
                start + timedelta(minutes=place),
                forwarded=bool(line.get("forwarded")),
            )
            for place, line in enumerate(self.history)
        )
        unanswered = tuple(
            HistoryMessage(
                100 + place,
                Author.CONTACT,
                message["text"],
                now,
                MessageKind(message.get("kind", "text")),
                bool(message.get("forwarded")),
            )
            for place, message in enumerate(self.messages)
        )
        return TurnInput(
            "conversation",
            history,
            unanswered,
            "contact",
            contact_name=self.contact_name,
            contact_addresses=(f"phone:{OWN_PHONE}",),
            dialogue=self.dialogue,
        )

    def found(self) -> list[Passage]:
        """The case's own passages, as near to the question as can be."""
        return [
            Passage(f"case#{place}", passage["title"], passage["text"], 0.97, self.language)
            for place, passage in enumerate(self.passages)
        ]


def attacks() -> list[Case]:
    """All attacks, in the order of the file."""
    return _read("attacks.jsonl")


def benign() -> list[Case]:
    """Conversations without anything hostile, which must go on as before."""
    return _read("benign.jsonl")


def disguised(case: Case, chance: random.Random) -> Case:
    """The same attack, written otherwise: its meaning and its numbers stay."""
    disguise = chance.choice([_shouted, _zero_width, _look_alikes, _after_chatter, _before_chatter, _double_spaced])
    return replace(
        case,
        messages=tuple({**message, "text": disguise(message["text"], chance)} for message in case.messages),
        passages=tuple({**passage, "text": disguise(passage["text"], chance)} for passage in case.passages),
    )


def _read(name: str) -> list[Case]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [_case(json.loads(line)) for line in lines if line]


def _case(raw: dict[str, Any]) -> Case:
    raw.pop("about", None)
    for key in ("obeys", "messages", "history", "passages", "secrets"):
        raw[key] = tuple(raw.get(key, ()))
    return Case(**raw)


def _shouted(text: str, _: random.Random) -> str:
    return text.upper()


def _zero_width(text: str, chance: random.Random) -> str:
    return "".join(char + ("\u200b" if char.isalpha() and chance.random() < 0.3 else "") for char in text)


def _look_alikes(text: str, chance: random.Random) -> str:
    swap = {"a": "\u0430", "e": "\u0435", "o": "\u043e", "c": "\u0441", "i": "\u0456", "p": "\u0440"}
    return "".join(swap.get(char, char) if chance.random() < 0.5 else char for char in text)


def _after_chatter(text: str, chance: random.Random) -> str:
    return chance.choice(["Olá, tudo bem? Espero que sim!\n\n", "hola, ¿cómo va?\n", "Hi there! Quick one.\n"]) + text


def _before_chatter(text: str, chance: random.Random) -> str:
    return text + chance.choice(["\n\nE aí, o que acha?", "\n¿Y bien?", "\n\nWhat do you say?"])


def _double_spaced(text: str, _: random.Random) -> str:
    return text.replace(" ", "  ")
