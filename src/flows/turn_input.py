"""A conversation as a turn reads it (store.turns.read), in the agent's terms."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.policy import policy_of
from agent.turn import HistoryMessage, TenantProfile, TurnInput
from domain.decisions import ReplyMode
from domain.messages import Author, MessageKind
from domain.policy import Policy
from store.database import Row


def as_input(row: Row) -> TurnInput:
    """The conversation as read, in the agent's terms."""
    return TurnInput(
        conversation_id=str(row["id"]),
        history=tuple(
            HistoryMessage(
                id_, Author(author), text, datetime.fromtimestamp(float(at), UTC), MessageKind(kind), bool(forwarded)
            )
            for id_, kind, text, at, author, forwarded in row["history"]
        ),
        unanswered=tuple(
            HistoryMessage(
                id_, Author.CONTACT, text, datetime.fromtimestamp(float(at), UTC), MessageKind(kind), bool(forwarded)
            )
            for id_, kind, text, at, forwarded, _ in row["unanswered"]
        ),
        contact_id=str(row["contact_id"]),
        contact_name=row["name"] or row["push_name"],
        contact_addresses=tuple(row["addresses"] or ()),
        language=row["language"],
        dialogue=row["dialogue"][0] if row["dialogue"] else {},
        is_first_reply=not row["has_disclosed"],
        told_closed_at=row["told_closed_at"],
        summary=row["summary"] or "",
        summary_upto_id=row["summary_upto_id"] if row["summary"] else 0,
    )


def policy_for(row: Row, profile: TenantProfile, now: datetime) -> Policy:
    """The reply policy for the conversation as read; where a suggestion was asked for, nothing but that."""
    if row["drafts_only"]:
        return Policy(default=ReplyMode.SUGGEST, stopped=True)
    return policy_of(
        profile,
        now,
        number=row["number_key"],
        tags=row["tags"],
        promoted=row["promoted"],
        stopped=row["stopped"],
    )
