"""Cases: what a customer writes, from which state on, and what must come of it.

Four kinds: one message (``say``), several turns (``steps``), a scripted customer who goes on as the agent answers
(``script``), and a customer played by a model (``customer``). ``evals/README.md`` describes the format for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from domain.conversation import Status
from domain.messages import Author, MessageKind
from evaluation.case_files import Located, shown_path
from evaluation.expectations import Condition, Declared, Expectation, listed
from flows.demo_scripts import DemoMessage, OperatorAction
from flows.tenant_declaration import Language

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AUTHORS = {"customer": Author.CONTACT, "agent": Author.BOT, "operator": Author.OPERATOR}


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(str(value).strip())
    if not found:
        raise ValueError("write a duration as 30s, 10m, 2h or 3d")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Name = Annotated[str, StringConstraints(pattern=r"^[\w.+-][\w .,:/#()+-]*$", max_length=120)]
"""Names a case for good: results of different days are compared by it."""


class Said(DemoMessage):
    """One message of the customer; a plain text is a text message."""

    forwarded: bool = False


Messages = Annotated[tuple[Said, ...], BeforeValidator(listed)]


class Person(Declared):
    """Who writes."""

    name: str = "Ana Souza"
    phone: Annotated[str, StringConstraints(pattern=r"^\d{10,15}$")] = "5531987650000"
    language: Language | None = None
    """The language of the conversation so far; without one, the first message tells."""
    tags: tuple[str, ...] = ()
    opted_out: bool = False


class Earlier(Declared):
    """A message from before the case begins. ``ago``: how long before."""

    sender: Annotated[Literal["customer", "agent", "operator"], Field(alias="from")]
    text: str
    ago: Duration = timedelta(minutes=10)
    kind: MessageKind = MessageKind.TEXT

    @property
    def author(self) -> Author:
        """In the domain's terms."""
        return _AUTHORS[self.sender]


class GivenPassage(Declared):
    """A piece of knowledge that is found first, whatever is searched for."""

    text: str
    title: str = ""
    ref: str = "given#0"
    score: Annotated[float, Field(ge=0, le=1)] = 0.97


class ScriptedModel(Declared):
    """A model that says what the case wants it to say, whatever it is asked: for what a fooled model could do.

    ``says``: steps in order, the last one repeated: ``reply`` (text) or ``tool_calls`` ([{name, arguments}]).
    """

    says: Annotated[tuple[Mapping[str, Any], ...], Field(min_length=1)]

    @field_validator("says")
    @classmethod
    def _says_something(cls, steps: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
        for step in steps:
            if not (step.keys() & {"reply", "tool_calls"}) or step.keys() - {"reply", "tool_calls"}:
                raise ValueError("a step of the model has reply or tool_calls, and nothing else")
            for call in step.get("tool_calls", ()):
                if not isinstance(call, dict) or "name" not in call:
                    raise ValueError("a tool call is {name: …, arguments: {…}}")
        return steps


class Given(Declared):
    """The state in which the case begins. What is absent is as the tenant's folder has it."""

    now: datetime | None = None
    """Without an offset: in the tenant's time zone."""
    contact: Person = Person()
    number: str = ""
    """Key of the tenant's number; "" is its first."""
    records: Mapping[str, Mapping[str, Mapping[str, Any] | None]] = Field(default_factory=dict)
    """Over the tenant's data, field by field; null removes a record. ``today+3`` is that day, seen from ``now``."""
    messages: tuple[Earlier, ...] = ()
    status: Status = Status.BOT
    dialogue: Mapping[str, Any] = Field(default_factory=dict)
    """The agent's own memory of its last turn (agent.dialogue)."""
    summary: str = ""
    """Of what was said before ``messages``."""
    introduced: bool = False
    """The customer was told already that an assistant answers."""
    identity_proven: bool = False
    stopped: bool = False
    """The number's kill switch is on."""
    passages: tuple[GivenPassage, ...] = ()
    model: Literal["none", "unavailable"] | ScriptedModel | None = None
    """In place of the run's: none at all, one whose endpoint is down, or one that says what stands here."""
    understood: bool = True
    """False: no intent is recognised locally in the first turn, so that the model sees it."""
    trust: bool | tuple[str, ...] = False
    """Writes that need no approval beside the tenant's own: all of them, or these."""


class Step(Declared):
    """Either the customer's messages, sent in quick succession, or one action of an operator."""

    say: Messages = ()
    operator: OperatorAction | None = None
    after: Duration = timedelta(seconds=30)
    """How long after the step before."""
    expect: Expectation = Expectation()

    @model_validator(mode="after")
    def _one_side(self) -> Step:
        if bool(self.say) == bool(self.operator):
            raise ValueError("a step needs either say or operator")
        return self


class Turn(Declared):
    """Where a script goes on: the first whose ``when`` holds. Without ``when`` it always does."""

    when: Condition = Condition()
    go: str = ""
    end: bool = False

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Turn:
        if bool(self.go) == self.end:
            raise ValueError("a branch needs either go (a line of the script) or end: true")
        return self


class Line(Step):
    """One line of a scripted customer. Without ``next`` the conversation ends there."""

    next: tuple[Turn, ...] = ()


class Customer(Declared):
    """A customer played by a model."""

    goal: Annotated[str, Field(min_length=1)]
    persona: str = ""
    knows: Mapping[str, Any] = Field(default_factory=dict)
    """Facts that the customer tells when asked, such as an order number; it makes up no others."""
    opens: str = ""
    """The first message; without one, the model writes it."""
    stops: str = ""
    """When the customer leaves, in words, beside its goal being met."""
    stops_when: Condition | None = None
    operator: Literal["approves", "absent"] = "approves"
    """Whether an operator sends what the agent suggests, and approves its calls."""
    turns: Annotated[int, Field(ge=1, le=40)] = 8
    """The most messages that the customer writes."""


class CaseContent(Declared):
    """A case as written, with its suite's defaults."""

    name: Name
    title: str = ""
    language: Language | Literal[""] = ""
    critical: bool = False
    tags: tuple[str, ...] = ()
    given: Given = Given()
    say: Messages = ()
    steps: tuple[Step, ...] = ()
    script: Mapping[str, Line] = Field(default_factory=dict)
    """By name; the first is where it starts."""
    most_steps: Annotated[int, Field(ge=1, le=100)] = 20
    """Of a script that goes round."""
    customer: Customer | None = None
    expect: Expectation = Expectation()

    @model_validator(mode="after")
    def _one_kind(self) -> CaseContent:
        kinds = [name for name in ("say", "steps", "script", "customer") if getattr(self, name)]
        if len(kinds) != 1:
            found = f"this one has {' and '.join(kinds)}" if kinds else "this one has none of them"
            raise ValueError(f"a case has one of say, steps, script and customer; {found}")
        for name, line in self.script.items():
            for turn in line.next:
                if turn.go and turn.go not in self.script:
                    raise ValueError(f"script.{name}.next goes to {turn.go!r}, which is no line of the script")
        return self

    @property
    def kind(self) -> Literal["message", "turns", "script", "simulated"]:
        """How the customer's side comes about."""
        if self.say:
            return "message"
        return "turns" if self.steps else "script" if self.script else "simulated"

    def expectations(self) -> list[tuple[str, Expectation | Condition]]:
        """All that is expected or asked anywhere in it, with the place."""
        found: list[tuple[str, Expectation | Condition]] = [("expect", self.expect)]
        found += [(f"steps.{place}.expect", step.expect) for place, step in enumerate(self.steps)]
        for name, line in self.script.items():
            found.append((f"script.{name}.expect", line.expect))
            found += [(f"script.{name}.next.{place}.when", turn.when) for place, turn in enumerate(line.next)]
        if self.customer and self.customer.stops_when:
            found.append(("customer.stops_when", self.customer.stops_when))
        return found

    @property
    def rubrics(self) -> bool:
        """Whether a model must judge it."""
        return any(isinstance(one, Expectation) and one.rubric for _, one in self.expectations())


@dataclass(frozen=True, slots=True)
class Case:
    """A case, where it is written, and the suite it belongs to."""

    suite: str
    content: CaseContent
    found: Located = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Unique within the suite."""
        return self.content.name

    @property
    def source(self) -> str:
        """File and line."""
        return f"{shown_path(self.found.path)}:{self.found.line()}"


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases about one tenant. ``tenant``: its folder. ``digest``: of everything that the suite says."""

    name: str
    path: Path
    tenant: Path | None
    cases: tuple[Case, ...]
    title: str = ""
    bundle: str = ""
    """The bundle that it is played under where none is named, as a path that exists; "": the tenant as it stands."""
    digest: str = field(default="", compare=False)
