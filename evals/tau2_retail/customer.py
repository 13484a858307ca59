"""The customer's side of a task: what is written, and what the scripted model calls upon each message.

A customer names every value that the calls need. A model's calls with values from nowhere would be turned down, as they
should be; here the calls themselves are what is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from evals.tau2_retail.tasks import Action, Task

_CALLS_IN_A_TURN: Final = 3
CLOSING: Final = "Is there anything else?"


@dataclass(frozen=True, slots=True)
class Request:
    """One message of the customer and the calls that serve it: lookups, and at most one that writes, as the last."""

    text: str
    actions: tuple[Action, ...]

    def rule(self, faults: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """The scripted model's answers to it (tests.openai_server). ``faults`` come before the first."""
        calls = [{"tool_calls": [{"name": one.name, "arguments": dict(one.arguments)}]} for one in self.actions]
        first, *others = [*calls, {"reply": CLOSING}]
        mark = re.escape(self.text.partition(":")[0] + ":")
        return {"when": mark, "steps": [{**first, "faults": list(faults)}, *others]}


@dataclass(slots=True)
class _Group:
    actions: list[Action] = field(default_factory=list)

    def takes(self, action: Action) -> bool:
        """A turn has so many rounds, ends where a write waits for an answer, and makes no call twice."""
        return (
            len(self.actions) < _CALLS_IN_A_TURN and not any(one.writes for one in self.actions)
        ) and action not in self.actions


def requests(task: Task) -> list[Request]:
    """The task as messages, in order."""
    groups: list[_Group] = []
    for action in task.actions:
        if not groups or not groups[-1].takes(action):
            groups.append(_Group())
        groups[-1].actions.append(action)
    return [
        Request(f"Request {task.id}/{place}: " + " ".join(_said(group.actions)), tuple(group.actions))
        for place, group in enumerate(groups, 1)
    ]


def _said(actions: Sequence[Action]) -> Iterator[str]:
    said = set()
    for action in actions:
        for name, value in action.arguments.items():
            values = value if isinstance(value, list) else [value]
            sentence = f"The {name.replace('_', ' ')} is {', '.join(map(str, values))}."
            if name == "summary":
                sentence = f"It is about {', '.join(_marked(str(value))) or 'my orders'}."
            if value and sentence not in said:
                said.add(sentence)
                yield sentence


def _marked(text: str) -> list[str]:
    """What of a summary names something: that is what must come from the customer."""
    return [word for word in text.split() if "@" in word or any(char.isdigit() for char in word)]
