"""Which messages of a conversation a language model reads as they are, and when the older ones need a summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.turn import HistoryMessage, TurnInput

WINDOW_MESSAGES: Final = 30
"""Most messages before the unanswered ones."""
WINDOW_CHARACTERS: Final = 16_000
"""Most characters of them together: some 5,000 tokens."""
KEPT_MESSAGES: Final = 12
"""What stays outside a new summary, so that one is seldom due and what was just said stays whole."""
MESSAGE_CHARACTERS: Final = 4_000


def in_window(turn: TurnInput) -> Sequence[HistoryMessage]:
    """The messages to show beside the summary, oldest first. Without a summary the window alone."""
    rest = [message for message in turn.history if message.id > turn.summary_upto_id][-WINDOW_MESSAGES:]
    characters = 0
    for position in range(len(rest) - 1, -1, -1):
        characters += min(len(rest[position].text), MESSAGE_CHARACTERS)
        if characters > WINDOW_CHARACTERS:
            return rest[position + 1 :]
    return rest


def overflows(turn: TurnInput) -> bool:
    """Whether something of the conversation is in neither the window nor the summary.

    ``turn.history`` must reach one message farther back than the window does.
    """
    return sum(message.id > turn.summary_upto_id for message in turn.history) > len(in_window(turn))
