"""The agent's memory between turns: the function in progress, what was collected for it, what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tools.declaration import BusinessFunction, Parameter

MOST_FAILURES: Final = 3
"""Turns in a row without the value that was asked for; then a person takes over."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What one turn leaves to the next. Stored by the flows as JSON, so it holds JSON values only."""

    intent: str | None = None
    function: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    asked: str | None = None
    """The parameter whose value the next message may bring."""
    failures: int = 0
    clarified: int = 0
    """How often in a row the customer was asked to put it in other words."""
    waiting: bool = False
    """The question is open: a message without an answer to it is a failure. Otherwise an answer is only welcome."""
    confirm: Mapping[str, Any] = field(default_factory=dict)
    """The ready call that the customer was asked to confirm, and under ``asked_text`` the words of that question."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """The call that waits for the contact to prove an identity, what was said for that, and what was asked last."""
    offered: str = ""
    """A person was offered, for this HandOffReason: a yes takes the offer up, a further failure does without one."""
    later: Sequence[Mapping[str, Any]] = ()
    """Further wishes of the same message (``intent`` and ``text``), served when the open question is settled."""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Dialogue:
        """Read it back; what an older version wrote and this one does not know is ignored."""
        known = {name: stored[name] for name in cls.__slots__ if name in stored}
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """JSON values, defaults left out: {} when nothing is in progress."""
        empty = Dialogue()
        current = {name: getattr(self, name) for name in self.__slots__}
        kept = {name: value for name, value in current.items() if value != getattr(empty, name)}
        if self.later:
            kept["later"] = [dict(wish) for wish in self.later]
        else:
            kept.pop("later", None)
        return kept

    def collect(self, intent: str, function: str, values: Mapping[str, Any]) -> Dialogue:
        """Continue with (or begin) a function; ``values`` win over those collected before."""
        if self.function != function:
            return Dialogue(intent, function, dict(values), later=self.later)
        return replace(self, intent=intent, values={**self.values, **values}, asked=None, clarified=0, waiting=False)

    def ask(self, parameter: Parameter, *, failed: bool) -> Dialogue:
        """The question for ``parameter`` goes out; ``failed`` when its value was due or invalid."""
        failures, offered = (self.failures + 1, self.offered) if failed else (0, "")
        return replace(self, asked=parameter.name, failures=failures, waiting=True, offered=offered)

    def after_business_error(self, function: BusinessFunction, data: Any) -> Dialogue:
        """The function said no ("no such order"): a corrected value alone shall run it again.

        ``data["parameter"]`` may name the value at fault; else it is the first one that the function needs.
        """
        named = data.get("parameter") if isinstance(data, Mapping) else None
        required = [parameter.name for parameter in function.parameters if parameter.required]
        at_fault = named if named in required else next(iter(required), None)
        kept = {name: value for name, value in self.values.items() if name != at_fault}
        return replace(self, values=kept, asked=at_fault, failures=self.failures + 1, waiting=False)


def missing(function: BusinessFunction, values: Mapping[str, Any]) -> Parameter | None:
    """The first required parameter without a value, in the order of the declaration."""
    return next((p for p in function.parameters if p.required and p.name not in values), None)
