"""The 24-hour window of WhatsApp's own API: a free message may leave only for a day after the customer's last one.

Outside it only templates may be sent (flows/templates.py). The rule is checked before anything is queued, so that a
person learns it while writing; numbers of other providers have no window.
"""

from __future__ import annotations

import dataclasses
import time
from datetime import timedelta
from uuid import UUID

from agent.turn import TurnResult
from domain.decisions import AskApproval, HandOff, Reason, Reply, Suggest
from domain.errors import ConflictError, InvalidInputError
from store.database import Connection, Row

WINDOW = timedelta(hours=24)
_MARGIN = timedelta(minutes=1)
"""What is queued at the last moment must still arrive in time."""
_PROVIDERS = ["cloud_api"]
_LONGEST_TEXT = 4096
_REASON = Reason(
    "window_closed",
    "More than 24 hours have passed since the customer's last message: only a template may be sent on this number.",
)


class WindowClosedError(ConflictError):
    """The customer has been silent for too long to be sent a free message."""

    def __init__(self) -> None:
        super().__init__(
            "The customer's last message is more than 24 hours old: WhatsApp takes only templates now.",
            hint="Send an approved template; when the customer answers, you can write freely again.",
        )


async def is_closed(tx: Connection, conversation_id: UUID) -> bool:
    """Whether only a template may be sent to this conversation."""
    found = await tx.fetchval(
        """SELECT 1 FROM conversation c JOIN channel_session s ON s.id = c.channel_session_id
            WHERE c.id = $1 AND s.provider = ANY ($2)
              AND NOT EXISTS (SELECT 1 FROM message m
                               WHERE m.conversation_id = c.id AND m.author = 'contact' AND m.kind <> 'system'
                                 AND m.sent_at > now() - $3::interval)""",
        conversation_id,
        _PROVIDERS,
        WINDOW - _MARGIN,
    )
    return found is not None


async def check(tx: Connection, conversation: Row, text: str) -> None:
    """Raise WindowClosedError or InvalidInputError where this text could not be sent on the conversation's number."""
    provider = await tx.fetchval(
        "SELECT provider FROM channel_session WHERE id = $1 AND provider = ANY ($2)",
        conversation["channel_session_id"],
        _PROVIDERS,
    )
    if provider is None:
        return
    if await is_closed(tx, conversation["id"]):
        raise WindowClosedError
    if len(text) > _LONGEST_TEXT:
        raise InvalidInputError(
            "text",
            f"the message has {len(text)} characters, and this number takes {_LONGEST_TEXT}",
            hint="Split it into several messages.",
        )


async def within(tx: Connection, row: Row, result: TurnResult) -> TurnResult:
    """``result`` as it may be carried out now.

    Where the window is closed (a message that took a day to reach us, an approval that waited), a reply becomes a
    suggestion with the reason, and a handoff stays one that the customer is not told of. ``row``: store.turns.read.
    """
    if row["unanswered"] and float(row["unanswered"][-1][3]) > time.time() - (WINDOW - 2 * _MARGIN).total_seconds():
        return result
    if not await is_closed(tx, row["id"]):
        return result
    decision = result.decision
    if isinstance(decision, Reply):
        decision = Suggest(decision.text, (*decision.reasons, _REASON), decision.sources)
    elif isinstance(decision, HandOff):
        summary = f"{decision.summary}\n{_REASON.detail}".strip()
        decision = dataclasses.replace(decision, text="", summary=summary, reasons=(*decision.reasons, _REASON))
    elif isinstance(decision, AskApproval):
        decision = dataclasses.replace(decision, text="", reasons=(*decision.reasons, _REASON))
    return dataclasses.replace(result, decision=decision)
