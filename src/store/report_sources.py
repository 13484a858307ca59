"""What reports count from: the question asked, and where the rows of each figure are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from store.episodes import episodes_within
from store.reach import current_sight


@dataclass(frozen=True, slots=True)
class Question:
    """What is counted: from ``start`` until before ``end`` (aware), days in ``zone`` (IANA)."""

    start: datetime
    end: datetime
    zone: str
    now: datetime
    number: UUID | None = None
    team: UUID | None = None
    operator: UUID | None = None
    intent: str | None = None
    by: str | None = None
    """day, number, team, operator, intent or reason; None: the whole range in one row."""
    hours: str = "{(,)}"
    """When the business is open, as a tstzmultirange."""
    with_whole: bool = False
    """Beside the keys one row, ``whole``, of the range: both from one reading."""

    @property
    def is_filtered(self) -> bool:
        """Whether it asks about a part of the tenant's work, or somebody asks who sees only a part."""
        return any((self.number, self.team, self.operator, self.intent)) or current_sight() is not None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure's rows are. Each field is SQL; None: the rows know nothing of it, so nobody can ask for it."""

    rows: str
    at: str
    number: str | None
    team: str | None
    operator: str | None
    """True where ``$`` (the operator's id as text) took part in the row."""
    operators: str | None
    """A subquery with one column ``key`` for each operator of the row; or, beginning with ``=``, an expression."""
    intent: str | None
    intents: str | None
    reason: str | None = None
    lean: str | None = None
    """``rows`` for who does not ask about operators, where that costs less."""

    def is_single(self, by: str) -> bool:
        """Whether a row has one key of ``by``, not several (two people took part)."""
        found = {"operator": self.operators, "intent": self.intents}.get(by)
        return found is None or found.startswith("=")

    def takes(self, name: str) -> bool:
        """Whether the rows can be asked for, or grouped by, ``name``."""
        if name == "day":
            return True
        return getattr(self, "operators" if name == "operator" else "intents" if name == "intent" else name) is not None


_EPISODE_INTENTS = """SELECT DISTINCT t.intent AS key FROM turn t
    WHERE t.conversation_id = e.conversation_id AND t.intent IS NOT NULL AND t.upto_message_id >= e.first_message_id
      AND (e.last_message_id IS NULL OR t.upto_message_id <= e.last_message_id)"""


def _episodes(at: str, *, answers: bool) -> Source:
    within = f"e.{at} >= $1 AND e.{at} < $2"
    return Source(
        rows=f"({episodes_within(within, answers=answers)}) e",
        lean=f"({episodes_within(within, answers=answers, persons=False)}) e",
        at=f"e.{at}",
        number="e.channel_session_id",
        team="e.team_id",
        operator="e.persons ? $::text",
        operators="SELECT jsonb_array_elements_text(e.persons) AS key",
        intent=f"EXISTS ({_EPISODE_INTENTS} AND t.intent = $)",
        intents=_EPISODE_INTENTS,
    )


def _of_conversations(
    rows: str, at: str, *, operator: str | None, intent: str | None, reason: str | None = None
) -> Source:
    return Source(
        rows=rows,
        at=at,
        number="c.channel_session_id",
        team="c.team_id",
        operator=f"{operator}::text = $::text" if operator else None,
        operators=f"={operator}" if operator else None,
        intent=f"{intent} = $" if intent else None,
        intents=f"={intent}" if intent else None,
        reason=reason,
    )


OPENED: Final = _episodes("opened_at", answers=False)
ASKED: Final = _episodes("opened_at", answers=True)
CLOSED: Final = _episodes("closed_at", answers=False)
SUGGESTIONS: Final = _of_conversations(
    "suggestion s JOIN conversation c ON c.id = s.conversation_id LEFT JOIN turn t ON t.id = s.turn_id",
    "s.created_at",
    operator="s.decided_by",
    intent="coalesce(t.intent, s.intent)",
)
HANDOFFS: Final = _of_conversations(
    "handoff h JOIN conversation c ON c.id = h.conversation_id LEFT JOIN turn t ON t.id = h.turn_id",
    "h.created_at",
    operator="h.claimed_by",
    intent="t.intent",
    reason="h.reason",
)
TURNS: Final = _of_conversations(
    "turn t JOIN conversation c ON c.id = t.conversation_id", "t.created_at", operator=None, intent="t.intent"
)
OUTBOX: Final = _of_conversations(
    """outbox_message o JOIN conversation c ON c.id = o.conversation_id LEFT JOIN message m ON m.id = o.message_id
       LEFT JOIN turn t ON t.id = coalesce(o.turn_id, m.turn_id)""",
    "o.queued_at",
    operator="m.user_id",
    intent="t.intent",
)
SATISFACTION: Final = _of_conversations(
    "satisfaction_answer a JOIN conversation c ON c.id = a.conversation_id",
    "a.asked_at",
    operator="a.user_id",
    intent=None,
)
