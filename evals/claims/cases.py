"""Labelled replies for the claim ledger, as README.md describes their files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.claims import Sources
from domain.decisions import ToolCall

FOLDER: Final = Path(__file__).parent
GATED: Final = ("dev.jsonl", "dev_other.jsonl")
"""The sets that the rules were made with, and must hold."""
REPORTED: Final = "dev_wide.jsonl"
"""Tells how the rules do elsewhere."""


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled reply with what the turn knew. ``unsupported``: substrings of ``reply``, none for a good one."""

    id: str
    kind: str
    language: str
    reply: str
    unsupported: tuple[str, ...]
    sources: Sources
    customer: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> Case:
        """From a line of a file; raises KeyError or ValueError where it is not of the documented form."""
        missing = [part for part in row["unsupported"] if part not in row["reply"]]
        if missing:
            raise ValueError(f"{row['id']}: not in the reply: {missing}")
        history = [message["text"] for message in row.get("history", ()) if message["author"] == "contact"]
        calls = [
            ToolCall(c["function"], c.get("arguments") or {}, c["outcome"], c.get("result")) for c in row["tool_calls"]
        ]
        sources = Sources(
            datetime.fromisoformat(row["now"]),
            calls,
            [(p["ref"], f"{p['title']}\n{p['text']}") for p in row["passages"]],
            [(f"text {number}", text) for number, text in enumerate(row.get("texts", ()))],
            [*history, row["customer"]],
            [name for name in (row.get("business"), row.get("contact")) if name],
            frozenset(c["function"] for c in row["tool_calls"] if c.get("effect") == "write"),
        )
        return cls(
            row["id"], row["kind"], row["language"], row["reply"], tuple(row["unsupported"]), sources, row["customer"]
        )


def read(path: Path) -> list[Case]:
    """The cases of a file; raises OSError, KeyError, ValueError."""
    return [Case.of(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
