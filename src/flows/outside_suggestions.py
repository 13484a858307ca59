"""A reply proposed by another system: offered to the operators like one of the agent's, and checked like one.

Its origin is shown to them, and what nothing known here supports is marked. It is never sent by itself, and it is void
as soon as something newer happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from agent.claims import Sources, check
from agent.language import detect_language
from domain.conversation import Status
from domain.decisions import Reason, ToolCall
from domain.errors import InvalidInputError, NotFoundError, OutdatedError
from domain.messages import Author
from flows import decisions, service_window
from flows.desk import checked_text
from flows.tenant_profile import profile_of
from flows.turn_input import as_input
from store import conversations, earlier, functions, turns
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup

_RESERVED: Final = frozenset({"agent", "operator"})
_OPEN: Final = frozenset({Status.BOT, Status.WAITING, Status.HUMAN})


@dataclass(frozen=True, slots=True)
class Proposal:
    """What another system proposes. ``upto_message_id``: the contact's last message that it had read."""

    text: str
    upto_message_id: int | None = None
    confidence: float | None = None
    reason: str = ""
    sources: Sequence[str] = ()
    """Passages of this tenant's documents that it rests on, as a search names them (``trocas.md#3``)."""


class OutsideSuggestions:
    """Raises NotFoundError, InvalidInputError or OutdatedError; then nothing was offered."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db, self._wakeup = db, wakeup

    async def propose(self, tenant_id: UUID, conversation_id: UUID, proposal: Proposal, *, origin: str) -> UUID:
        """Offer it in place of any that was offered before; returns its id. ``origin``: the program's name."""
        text = checked_text(proposal.text)
        origin = f"{origin} (program)" if origin in _RESERVED else origin
        async with self._db.transaction(tenant_id) as tx:
            conversation = await conversations.lock(tx, conversation_id)
            if conversation["status"] not in _OPEN:
                raise OutdatedError("conversation", "it is closed by now")
            if proposal.upto_message_id is not None and conversation["last_inbound_id"] > proposal.upto_message_id:
                raise OutdatedError("conversation", "the customer wrote again")
            await service_window.check(tx, conversation, text)
            passages = await _passages(tx, proposal.sources)
            row = await turns.read(tx, conversation_id)
            if row is None:
                raise NotFoundError("conversation", conversation_id)
            ledger = check(text, *await _sources(tx, row, text, passages))
            explanation: dict[str, Any] = {
                "reasons": [asdict(Reason("proposed", proposal.reason or f"proposed by {origin}"))],
                "sources": [{"kind": "knowledge", "ref": ref, "title": ref} for ref, _ in passages],
            }
            if proposal.confidence is not None:
                explanation["confidence"] = proposal.confidence
            found = await decisions.suggest(
                tx,
                tenant_id,
                conversation_id,
                text,
                turn_id=None,
                unsupported=ledger.unsupported,
                origin=origin,
                explanation=explanation,
            )
        self._wakeup.signal(EVENTS)
        return found


async def _passages(tx: Connection, refs: Sequence[str]) -> list[tuple[str, str]]:
    found = await earlier.passages(tx, refs)
    if missing := sorted(set(refs) - {ref for ref, _ in found}):
        raise InvalidInputError(
            "sources", f"there is no passage {missing[0]}", hint="Name passages as GET /api/v1/knowledge/search does."
        )
    return found


async def _sources(tx: Connection, row: Row, text: str, passages: Sequence[tuple[str, str]]) -> tuple[str, Sources]:
    """The proposal's language, and all that may stand behind it: what is known here, not what the program says."""
    tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", row["tenant_id"])
    intents = await tx.fetch("SELECT name, declaration FROM intent ORDER BY name")
    known = await functions.every(tx)
    profile, turn = profile_of(tenant, intents, known), as_input(row)
    calls = await tx.fetchval(
        "SELECT trace -> 'tool_calls' FROM turn WHERE conversation_id = $1 AND upto_message_id = $2 "
        "ORDER BY created_at DESC LIMIT 1",
        row["id"],
        row["last_inbound_id"],
    )
    said = [*turn.history, *turn.unanswered]
    language = detect_language(text, row["language"] or profile.default_language)
    return language, Sources(
        now=datetime.now(UTC).astimezone(profile.timezone),
        calls=[ToolCall(**call) for call in calls or ()],
        passages=passages,
        texts=[("persona", profile.persona)] if profile.persona else [],
        customer=[message.text for message in said if message.author is Author.CONTACT],
        names=[name for name in (profile.name, turn.contact_name) if name],
        writes=frozenset(one.name for one in known if one.effect == "write"),
        reads=frozenset(one.name for one in known if one.effect == "read"),
    )
