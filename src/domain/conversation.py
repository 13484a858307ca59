"""The conversation's states and the only moves between them.

Whether the agent answers by itself or suggests is the tenant's reply policy, not a status.
"""

from __future__ import annotations

from enum import StrEnum

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
    TAKEN_OVER = "taken_over"
    """A person wrote from the paired phone, or an operator replied without claiming first."""
    RETURNED = "returned"
    """Given back to the agent by a person."""
    CLOSED = "closed"
    REOPENED = "reopened"


TRANSITIONS: dict[tuple[Status, Event], Status] = {
    (Status.BOT, Event.HANDED_OFF): Status.WAITING,
    (Status.BOT, Event.CLAIMED): Status.HUMAN,
    (Status.BOT, Event.TAKEN_OVER): Status.HUMAN,
    (Status.BOT, Event.CLOSED): Status.CLOSED,
    (Status.WAITING, Event.CLAIMED): Status.HUMAN,
    (Status.WAITING, Event.TAKEN_OVER): Status.HUMAN,
    (Status.WAITING, Event.RETURNED): Status.BOT,
    (Status.WAITING, Event.CLOSED): Status.CLOSED,
    (Status.HUMAN, Event.CLAIMED): Status.HUMAN,
    (Status.HUMAN, Event.TAKEN_OVER): Status.HUMAN,
    (Status.HUMAN, Event.HANDED_OFF): Status.WAITING,
    (Status.HUMAN, Event.RETURNED): Status.BOT,
    (Status.HUMAN, Event.CLOSED): Status.CLOSED,
    (Status.CLOSED, Event.REOPENED): Status.BOT,
    (Status.CLOSED, Event.TAKEN_OVER): Status.HUMAN,
    (Status.CLOSED, Event.CLAIMED): Status.HUMAN,
}


class TransitionNotAllowedError(ConflictError):
    """The event makes no sense in this status; nothing was changed."""

    def __init__(self, status: Status, event: Event) -> None:
        super().__init__(
            f"A conversation that is {status} cannot be {event.value.replace('_', ' ')}.",
            hint="Reload it: somebody may have changed it in the meantime.",
        )
        self.status = status
        self.event = event


def next_status(status: Status, event: Event) -> Status:
    """Return the status after ``event``; raise TransitionNotAllowedError where the table has no such move."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise TransitionNotAllowedError(status, event) from None
