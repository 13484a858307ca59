"""A conversation in memory, moved by the rules of the flows: who holds it, what is unanswered, what waits for a person.

Mirrors what ``store.turns``, ``flows.decisions``, ``flows.desk`` and ``flows.approved_calls`` write to the database.
The same scripts, played through the whole product by ``atende demo --check``, hold the two together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from agent.announcing import DISCLOSURE, OUTSIDE_HOURS
from agent.identity import IdentityInMemory
from agent.turn import HistoryMessage, TurnInput, TurnResult
from domain.conversation import Event, Status, next_status
from domain.decisions import HandOff, Reply, StaySilent, Suggest
from domain.errors import OutdatedError
from domain.messages import Author, MessageKind
from flows.demo_outcomes import TurnSeen
from flows.demo_scripts import DemoContact, DemoMessage

HISTORY_LENGTH: Final = 31
"""Messages that a turn looks back on, as in ``store.turns``."""
_SILENT_KINDS: Final = {MessageKind.REACTION, MessageKind.SYSTEM, MessageKind.POLL_VOTE, MessageKind.CALL}


@dataclass(frozen=True, slots=True)
class PendingSuggestion:
    """A reply that waits for an operator; outdated once the conversation's fence has moved on."""

    text: str
    fence: int


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A business function that waits for an operator. ``trigger_message_id``: the message that led to it."""

    thread_id: str
    trigger_message_id: int


@dataclass(slots=True)
class Conversation:
    """One contact on one number. ``turns`` and ``received`` grow; the player remembers how far it has looked."""

    id: str
    contact: DemoContact
    status: Status = field(default=Status.BOT, init=False)
    has_assignee: bool = field(default=False, init=False)
    fence: int = field(default=0, init=False)
    messages: list[HistoryMessage] = field(default_factory=list, init=False)
    answered_upto: int = field(default=0, init=False)
    last_inbound: int = field(default=0, init=False)
    window_start: int = field(default=0, init=False)
    language: str | None = field(default=None, init=False)
    dialogue: Mapping[str, Any] = field(default_factory=dict, init=False)
    suggestion: PendingSuggestion | None = field(default=None, init=False)
    calls: list[PendingCall] = field(default_factory=list, init=False)
    turns: list[TurnSeen] = field(default_factory=list, init=False)
    results: list[tuple[TurnResult, float]] = field(default_factory=list, init=False)
    """What the agent returned each time it ran, with the milliseconds it took; of a void turn nothing."""
    received: list[str] = field(default_factory=list, init=False)
    told: dict[str, datetime] = field(default_factory=dict, init=False)
    """Notices that automatic messages gave (agent.announcing), and when last; the disclosure in this window."""
    handoffs: list[HandOff] = field(default_factory=list, init=False)
    identity: IdentityInMemory = field(default_factory=IdentityInMemory, init=False)
    summary: str = field(default="", init=False)

    @property
    def addresses(self) -> tuple[str, ...]:
        """As the simulated phone's contact is addressed."""
        return (f"simulator:{self.contact.phone}",)

    def receive(self, message: DemoMessage, now: datetime, *, forwarded: bool = False) -> None:
        """The customer wrote. A closed conversation opens again, with a fresh window."""
        if self.status is Status.CLOSED:
            self.move(Event.REOPENED)
            self.window_start = len(self.messages) + 1
            self.dialogue = {}
            self.told.pop(DISCLOSURE, None)
        self.add(Author.CONTACT, message.text, now, message.kind, forwarded=forwarded)
        if _wants_answer(self.messages[-1]):
            self.fence += 1
            self.last_inbound = len(self.messages)

    def unanswered(self) -> tuple[HistoryMessage, ...]:
        """What a turn would answer: nothing while a person holds the conversation."""
        if self.status is not Status.BOT:
            return ()
        return tuple(
            message
            for message in self.messages[self.answered_upto :]
            if message.author is Author.CONTACT and _wants_answer(message)
        )

    def as_input(self) -> TurnInput:
        """The conversation in the agent's terms, as ``flows.turn.as_input`` gives it."""
        window = [message for message in self.messages if message.id >= self.window_start]
        told = [one for one in window if one.author is not Author.CONTACT or one.id <= self.answered_upto]
        return TurnInput(
            conversation_id=self.id,
            history=tuple(told[-HISTORY_LENGTH:]),
            unanswered=self.unanswered(),
            contact_id=f"contact-{self.contact.phone}",
            contact_name=self.contact.name,
            contact_addresses=self.addresses,
            language=self.language,
            dialogue=self.dialogue,
            is_first_reply=DISCLOSURE not in self.told,
            told_closed_at=self.told.get(OUTSIDE_HOURS),
            summary=self.summary,
        )

    def decide(
        self, result: TurnResult, now: datetime, *, upto: int, latency_ms: float, thread_id: str | None = None
    ) -> None:
        """Carry a decision out. ``thread_id``: where the call of an AskApproval waits."""
        decision = result.decision
        if decision is None:
            raise ValueError("a turn without a decision cannot be carried out")
        self.results.append((result, latency_ms))
        trace = dataclasses.asdict(result.trace)
        self.turns.append(
            TurnSeen.of({**trace, "decision": dataclasses.asdict(decision), "trace": trace, "latency_ms": latency_ms})
        )
        self.fence += 1
        self.answered_upto = upto
        self.language, self.dialogue, self.suggestion = result.language, result.dialogue, None
        kept_back = isinstance(decision, HandOff) and not decision.announce
        if not isinstance(decision, Suggest | StaySilent) and decision.text and not kept_back:
            self._send(Author.BOT, decision.text, now)
            self.told |= dict.fromkeys(result.notices, now)
        if isinstance(decision, Suggest):
            self.suggest(decision.text)
        elif isinstance(decision, HandOff):
            self.handoffs.append(decision)
            self.move(Event.HANDED_OFF)
            if kept_back:
                self.suggest(decision.text)
        elif thread_id is not None:
            self.calls.append(PendingCall(thread_id, upto))

    def settle(self, result: TurnResult, now: datetime, *, latency_ms: float) -> None:
        """What came of a decided call: told to the customer, or to the operator where people hold the conversation."""
        if self.status is Status.BOT:
            self.decide(result, now, upto=self.answered_upto, latency_ms=latency_ms)
            return
        self.results.append((result, latency_ms))
        if isinstance(result.decision, Reply | Suggest | HandOff) and self.status is not Status.CLOSED:
            self.suggest(result.decision.text)

    def suggest(self, text: str) -> None:
        """Offer a text to the operators, in place of any that was offered before."""
        self.suggestion = PendingSuggestion(text, self.fence)

    def approve(self, now: datetime, text: str = "") -> None:
        """Send the suggestion, or the operator's own ``text`` in its place. Raises OutdatedError."""
        if self.suggestion is None or self.suggestion.fence != self.fence:
            raise OutdatedError("suggestion", "a newer message or another person came first")
        final, self.suggestion = text or self.suggestion.text, None
        self._say(final, now)

    def reply(self, text: str, now: datetime) -> None:
        """An operator writes, and takes the conversation over unless somebody holds it."""
        if self.status is not Status.HUMAN or not self.has_assignee:
            self.move(Event.TAKEN_OVER)
        self.suggestion = None
        self._say(text, now)

    def told_by_rule(self, text: str, now: datetime, *, aloud: bool) -> None:
        """What no turn decided: sent by itself, or offered to the operators."""
        if aloud:
            self._send(Author.BOT, text, now)
        else:
            self.suggest(text)

    def take_call(self, *, approved: bool) -> PendingCall:
        """The call that an operator decides about now. Raises OutdatedError when the customer wrote since."""
        call = self.calls[-1]
        if approved and self.last_inbound > max(call.trigger_message_id, self.answered_upto):
            raise OutdatedError("approval", "the customer wrote again; read it, then decide")
        return self.calls.pop()

    def move(self, event: Event) -> None:
        """Change the status by the table of ``domain.conversation``; raises TransitionNotAllowedError."""
        self.status = next_status(self.status, event)
        self.has_assignee = event in {Event.CLAIMED, Event.TAKEN_OVER}
        self.fence += 1
        if event in {Event.RETURNED, Event.CLOSED}:
            self.answered_upto = self.last_inbound

    def _say(self, text: str, now: datetime) -> None:
        self._send(Author.OPERATOR, text, now)
        self.fence += 1
        self.answered_upto = self.last_inbound

    def _send(self, author: Author, text: str, now: datetime) -> None:
        self.add(author, text, now)
        self.received.append(text)

    def add(
        self, author: Author, text: str, at: datetime, kind: MessageKind = MessageKind.TEXT, *, forwarded: bool = False
    ) -> None:
        """A message that somebody wrote, with nothing that follows from it."""
        self.messages.append(HistoryMessage(len(self.messages) + 1, author, text, at, kind, forwarded))


def _wants_answer(message: HistoryMessage) -> bool:
    """As ``flows.inbound`` decides whether a message starts a turn."""
    if message.kind is MessageKind.TEXT and not message.text.strip():
        return False
    return message.kind not in _SILENT_KINDS
