"""The conversation's states and the only moves between them.

Whether the agent answers by itself or suggests is the tenant's reply policy, not a status.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from domain.errors import ConflictError


class Status(StrEnum):
    """Who holds a conversation."""

    BOT = "bot"
    """The agent answers or suggests."""
    WAITING = "waiting"
    """Handed off; no person has claimed it yet."""
    HUMAN = "human"
    """A person holds it; the agent stays silent."""
    CLOSED = "closed"
    """Done. The next message of the contact reopens it with a fresh context window."""


class Event(StrEnum):
    """What may happen to a conversation's status."""

    HANDED_OFF = "handed_off"
    CLAIMED = "claimed"
    ASSIGNED = "assigned"
    """Given to a person by somebody else, or by turns."""
    TRANSFERRED = "transferred"
    """Back to a queue: a team's, or everybody's."""
    TAKEN_OVER = "taken_over"
    """A person wrote from the paired phone, or an operator replied without claiming first."""
    RETURNED = "returned"
    """Given back to the agent by a person."""
    RELEASED = "released"
    """Given back by the clock: nobody has typed on the paired phone for a while. What waits is answered."""
    CLOSED = "closed"
    REOPENED = "reopened"
    CLOSING_UNDONE = "closing_undone"
    """The closing was a slip: the conversation is again what it was."""


TRANSITIONS: dict[tuple[Status, Event], Status] = {
    (Status.BOT, Event.HANDED_OFF): Status.WAITING,
    (Status.BOT, Event.CLAIMED): Status.HUMAN,
    (Status.BOT, Event.ASSIGNED): Status.HUMAN,
    (Status.BOT, Event.TRANSFERRED): Status.WAITING,
    (Status.BOT, Event.TAKEN_OVER): Status.HUMAN,
    (Status.BOT, Event.CLOSED): Status.CLOSED,
    (Status.WAITING, Event.CLAIMED): Status.HUMAN,
    (Status.WAITING, Event.ASSIGNED): Status.HUMAN,
    (Status.WAITING, Event.TRANSFERRED): Status.WAITING,
    (Status.WAITING, Event.TAKEN_OVER): Status.HUMAN,
    (Status.WAITING, Event.RETURNED): Status.BOT,
    (Status.WAITING, Event.CLOSED): Status.CLOSED,
    (Status.HUMAN, Event.CLAIMED): Status.HUMAN,
    (Status.HUMAN, Event.ASSIGNED): Status.HUMAN,
    (Status.HUMAN, Event.TRANSFERRED): Status.WAITING,
    (Status.HUMAN, Event.TAKEN_OVER): Status.HUMAN,
    (Status.HUMAN, Event.HANDED_OFF): Status.WAITING,
    (Status.HUMAN, Event.RETURNED): Status.BOT,
    (Status.HUMAN, Event.RELEASED): Status.BOT,
    (Status.HUMAN, Event.CLOSED): Status.CLOSED,
    (Status.CLOSED, Event.REOPENED): Status.BOT,
    (Status.CLOSED, Event.TAKEN_OVER): Status.HUMAN,
    (Status.CLOSED, Event.CLAIMED): Status.HUMAN,
    (Status.CLOSED, Event.ASSIGNED): Status.HUMAN,
    (Status.CLOSED, Event.TRANSFERRED): Status.WAITING,
}


class ClosingReason(StrEnum):
    """Why a conversation was closed."""

    RESOLVED = "resolved"
    CANCELLED = "cancelled"
    NO_ANSWER = "no_answer"
    SPAM = "spam"
    DUPLICATE = "duplicate"
    OTHER = "other"


class LeadStatus(StrEnum):
    """How far a contact is on the way to buying."""

    NEW = "new"
    QUALIFIED = "qualified"
    WON = "won"
    LOST = "lost"


PRIORITIES: Final = {"low": -1, "normal": 0, "high": 1, "urgent": 2}
"""A conversation's priority by name."""


class TransitionNotAllowedError(ConflictError):
    """The event makes no sense in this status; nothing was changed."""

    def __init__(self, status: Status, event: Event) -> None:
        super().__init__(
            f"A conversation that is {status} cannot be {event.value.replace('_', ' ')}.",
            hint="Reload it: somebody may have changed it in the meantime.",
        )
        self.status = status
        self.event = event


def next_status(status: Status, event: Event, *, former: Status | None = None) -> Status:
    """Return the status after ``event``; raise TransitionNotAllowedError where the table has no such move.

    ``former``: what the conversation was before it was closed, where the closing is undone.
    """
    if event is Event.CLOSING_UNDONE and status is Status.CLOSED and former not in (None, Status.CLOSED):
        return former
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise TransitionNotAllowedError(status, event) from None
