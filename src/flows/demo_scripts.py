"""Scripted conversations: what a customer writes, what an operator does, and what a good product decides.

They live in ``demo/*.yaml`` of a tenant folder. ``atende demo --check`` plays them through the whole product,
``evals/offline.py`` through the agent's graph alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from domain.conversation import Status
from domain.decisions import HandOffReason
from domain.errors import NotFoundError
from domain.messages import MessageKind
from flows.declared_files import FileReader
from flows.tenant_declaration import Slug, TenantDeclaration
from flows.tenant_files import fold_sentence


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Sentences = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One text or a list of them."""


class _Scripted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DemoContact(_Scripted):
    """Who writes. ``phone``: digits with country code; two scripts with one phone are one customer."""

    name: str
    phone: Annotated[str, StringConstraints(pattern=r"^\d{10,15}$")]


class DemoMessage(_Scripted):
    """One message of the customer; a plain text in a script is a text message."""

    text: str = ""
    kind: MessageKind = MessageKind.TEXT

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value


class OperatorAction(_Scripted):
    """What a person does in the inbox. ``by`` is an e-mail of tenant.yaml; empty means its first operator.

    ``approve``, ``edit`` and ``reject`` concern the pending suggestion, ``approve_call`` and ``reject_call`` the
    pending business function; ``return`` gives the conversation back to the agent; ``tag`` calls the contact by a tag;
    ``stop`` and ``resume`` are the kill switch of the script's number. ``text`` is the edited text, the reply, the tag,
    or the reason of a rejection.
    """

    do: Literal[
        "approve", "edit", "reject", "claim", "reply", "return", "close", "approve_call", "reject_call", "tag", "stop",
        "resume",
    ]  # fmt: skip
    text: str = ""
    by: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"do": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _says_something(self) -> OperatorAction:
        if self.do in {"edit", "reply", "tag"} and not self.text:
            raise ValueError(f"{self.do} needs a text")
        return self


class Expectation(_Scripted):
    """What must hold once everything that follows from the step has happened. Absent keys expect nothing.

    Texts are compared without case, as parts of the whole.
    """

    decision: Literal["reply", "suggest", "hand_off", "ask_approval", "stay_silent", "none"] | None = None
    """``none``: no turn decided anything, for instance because a person holds the conversation."""
    intent: str | None = None
    handoff_reason: Annotated[tuple[HandOffReason, ...], BeforeValidator(_listed)] = ()
    """One of these."""
    function: str | None = None
    """The business function called, or waiting for approval."""
    contains: Sentences = ()
    """Parts of the decision's text (reply, suggestion or announcement)."""
    lacks: Sentences = ()
    """Parts that it must not have."""
    received: tuple[str, ...] | None = None
    """What reached the customer in this step: exactly so many messages, in this order, each with this part."""
    turns: Annotated[int, Field(ge=0)] | None = None
    """How many turns decided something."""
    status: Status | None = None
    """The conversation's status afterwards."""


class DemoStep(_Scripted):
    """Either the customer's messages, sent in quick succession, or one action of an operator."""

    say: Annotated[tuple[DemoMessage, ...], BeforeValidator(_listed)] = ()
    operator: OperatorAction | None = None
    expect: Expectation = Expectation()

    @model_validator(mode="after")
    def _one_side(self) -> DemoStep:
        if bool(self.say) == bool(self.operator):
            raise ValueError("a step needs either say or operator")
        return self


class DemoScript(_Scripted):
    """One conversation. ``number`` is a key of tenant.yaml's numbers; empty means the first.

    ``hours``: whether the business is open or closed while it is played; empty for one that goes either way.
    ``needs_product``: it is about more than the agent (consent, for one), so that the graph alone cannot play it.
    """

    name: Slug
    title: str
    contact: DemoContact
    number: str = ""
    hours: Literal["", "open", "closed"] = ""
    needs_product: bool = False
    steps: Annotated[tuple[DemoStep, ...], Field(min_length=1)]

    @property
    def uses_switch(self) -> bool:
        """Whether it stops its number, so that no other script may be under way there."""
        return any(step.operator is not None and step.operator.do in {"stop", "resume"} for step in self.steps)

    @property
    def graph_alone(self) -> bool:
        """Whether the agent's graph without the product around it can play this."""
        tags = any(step.operator is not None and step.operator.do == "tag" for step in self.steps)
        return not (self.needs_product or self.hours or self.uses_switch or tags)


def load_demo(folder: Path, declaration: TenantDeclaration) -> tuple[DemoScript, ...]:
    """Read ``demo/*.yaml`` of a tenant folder in the order of the file names; raise TenantFilesError with all mistakes.

    A step whose messages are all examples of an intent is a mistake too: a script that repeats them proves nothing.
    """
    reader = FileReader(folder)
    examples = {
        fold_sentence(sentence)
        for intent in declaration.intents.values()
        for sentences in intent.examples.values()
        for sentence in sentences
    }
    scripts: dict[str, DemoScript] = {}
    for file in reader.files("demo", ".yaml"):
        script = reader.yaml(file, DemoScript)
        if script is None:
            continue
        if script.name in scripts:
            reader.problem(file, "name", f"{script.name} is taken by another script.", "Rename one of them.")
        if script.number and script.number not in {number.key for number in declaration.settings.numbers}:
            reader.problem(file, "number", f"tenant.yaml has no number {script.number}.", "Correct the key.")
        for position, step in enumerate(script.steps):
            for key, what, todo in _mistakes(step, declaration, examples):
                reader.problem(file, f"steps.{position}.{key}", what, todo)
        scripts[script.name] = script
    reader.raise_problems()
    return tuple(scripts.values())


def chosen(scripts: Sequence[DemoScript], only: Sequence[str]) -> list[DemoScript]:
    """The scripts named in ``only``, all for an empty one; raise NotFoundError for a name that no script has."""
    for name in only:
        if name not in {script.name for script in scripts}:
            raise NotFoundError("script", name)
    return [script for script in scripts if not only or script.name in only]


def _mistakes(step: DemoStep, declaration: TenantDeclaration, examples: set[str]) -> Iterable[tuple[str, str, str]]:
    expect = step.expect
    if expect.intent and expect.intent not in declaration.intents:
        yield "expect.intent", f"there is no intent {expect.intent}.", "Correct its name."
    if expect.function and expect.function not in declaration.functions:
        yield "expect.function", f"functions.py has no {expect.function}.", "Correct its name."
    if expect.handoff_reason and expect.decision != "hand_off":
        yield "expect.handoff_reason", "stands without decision: hand_off.", "Add the decision."
    emails = {user.email for user in declaration.settings.users}
    if step.operator and step.operator.by and step.operator.by not in emails:
        yield "operator.by", f"tenant.yaml has no user {step.operator.by}.", "Write a user's e-mail."
    texts = [fold_sentence(message.text) for message in step.say if message.text]
    if texts and all(text in examples for text in texts):
        yield "say", "repeats an example of an intent.", "Say it in other words."
