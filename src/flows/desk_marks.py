"""What people note on a conversation: labels, priority, notes for colleagues, unread. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from domain.conversation import PRIORITIES
from domain.errors import InvalidInputError
from domain.text import storable
from store import events
from store.database import Connection, Row

MOST_LABELS = 20
LABEL_CHARACTERS = 40
NOTE_CHARACTERS = 8_000


def names(found: Iterable[str], what: str, *, most: int = MOST_LABELS) -> list[str]:
    """Tags or labels as they are stored: folded to lower case, spaces joined, each once, in the order given.

    ``what`` names the field at fault in the InvalidInputError for too many or too long ones.
    """
    wanted = list(dict.fromkeys(storable(" ".join(name.split()).lower())[0] for name in found if name.strip()))
    if len(wanted) > most or any(len(name) > LABEL_CHARACTERS for name in wanted):
        raise InvalidInputError(
            what, f"at most {most} {what} of {LABEL_CHARACTERS} characters", hint="Use fewer or shorter ones."
        )
    return wanted


async def label(tx: Connection, conversation: Row, *, add: Sequence[str], remove: Sequence[str], actor: str) -> None:
    """Labels put on and taken off; what is there already, or is not there, changes nothing."""
    taken_off = set(names(remove, "labels", most=1_000))
    before = list(conversation["labels"])
    after = names([*(one for one in before if one not in taken_off), *add], "labels")
    if after == before:
        return
    await tx.execute("UPDATE conversation SET labels = $2 WHERE id = $1", conversation["id"], after)
    told: dict[str, Any] = {"labels": after, "added": [n for n in after if n not in before]}
    told["removed"] = [name for name in before if name not in after]
    await _tell(tx, conversation, "conversation.labelled", told, actor)


async def prioritise(tx: Connection, conversation: Row, priority: str, *, actor: str) -> None:
    """``priority``: low, normal, high or urgent."""
    if priority not in PRIORITIES:
        raise InvalidInputError("priority", f"must be one of {', '.join(PRIORITIES)}")
    if conversation["priority"] == PRIORITIES[priority]:
        return
    await tx.execute("UPDATE conversation SET priority = $2 WHERE id = $1", conversation["id"], PRIORITIES[priority])
    await _tell(tx, conversation, "conversation.prioritised", {"priority": priority}, actor)


async def add_note(tx: Connection, conversation: Row, text: str, *, actor: str) -> int:
    """A note for colleagues in the thread; neither the contact nor the agent ever sees it."""
    final = storable(text.strip())[0]
    if not final:
        raise InvalidInputError("note", "it is empty", hint="Write something first.")
    if len(final) > NOTE_CHARACTERS:
        raise InvalidInputError("note", f"longer than {NOTE_CHARACTERS} characters", hint="Make two of it.")
    note_id: int = await tx.fetchval(
        """INSERT INTO conversation_note (tenant_id, conversation_id, user_id, text)
           VALUES ($1, $2, (SELECT id FROM user_account WHERE 'user:' || id = $4), $3) RETURNING id""",
        conversation["tenant_id"],
        conversation["id"],
        final,
        actor,
    )
    await _tell(tx, conversation, "conversation.noted", {"note_id": note_id}, actor)
    return note_id


async def mark_unread(tx: Connection, conversation: Row, *, actor: str) -> None:
    """Shown as unread again, until somebody opens it."""
    if conversation["unread"]:
        return
    await tx.execute("UPDATE conversation SET unread = 1 WHERE id = $1", conversation["id"])
    await _tell(tx, conversation, "conversation.marked_unread", {}, actor)


async def _tell(tx: Connection, conversation: Row, kind: str, payload: dict[str, Any], actor: str) -> None:
    await events.append(
        tx, conversation["tenant_id"], kind, conversation_id=conversation["id"], payload=payload, actor=actor
    )
