"""What people keep of a contact: name, tags, fields, wish for no messages, lead, tasks. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.consent import PROACTIVE
from domain.conversation import LeadStatus
from domain.errors import InvalidInputError, NotFoundError
from domain.text import storable
from flows.desk_assignment import answering
from flows.desk_marks import names
from store import events
from store.database import Connection, Row

NAME_CHARACTERS = 120
MOST_FIELDS = 40
FIELD_NAME_CHARACTERS = 60
FIELD_CHARACTERS = 1_000
TITLE_CHARACTERS = 300


async def lock(tx: Connection, contact_id: UUID) -> Row:
    """The contact's row, locked until the transaction ends. Raises NotFoundError."""
    row = await tx.fetchrow("SELECT * FROM contact WHERE id = $1 FOR UPDATE", contact_id)
    if row is None:
        raise NotFoundError("contact", contact_id)
    return row


async def rename(tx: Connection, contact: Row, name: str, *, actor: str, conversation_id: UUID | None = None) -> None:
    """Call the contact so; empty: as WhatsApp does."""
    final = storable(" ".join(name.split()))[0]
    if len(final) > NAME_CHARACTERS:
        raise InvalidInputError("name", f"longer than {NAME_CHARACTERS} characters")
    await tx.execute("UPDATE contact SET name = $2, version = version + 1 WHERE id = $1", contact["id"], final or None)
    await _tell(tx, contact, "contact.changed", {"changed": ["name"]}, actor=actor, conversation_id=conversation_id)


async def tag(
    tx: Connection, contact: Row, tags: Sequence[str], *, actor: str, conversation_id: UUID | None = None
) -> None:
    """Call the contact by these tags and no others; the reply policy and handoffs ask for them."""
    wanted = names(tags, "tags")
    await tx.execute("UPDATE contact SET tags = $2, version = version + 1 WHERE id = $1", contact["id"], wanted)
    await _tell(tx, contact, "contact.tagged", {"tags": wanted}, actor=actor, conversation_id=conversation_id)


async def set_fields(
    tx: Connection,
    contact: Row,
    fields: Mapping[str, str],
    *,
    actor: str,
    conversation_id: UUID | None = None,
) -> None:
    """Set these of the business's own fields; an empty value takes one away. Others stay."""
    changed = {storable(" ".join(name.split()))[0]: storable(value.strip())[0] for name, value in fields.items()}
    changed.pop("", None)
    after = {name: value for name, value in {**contact["fields"], **changed}.items() if value != ""}
    if len(after) > MOST_FIELDS:
        raise InvalidInputError("fields", f"at most {MOST_FIELDS} of them")
    if any(len(n) > FIELD_NAME_CHARACTERS or len(v) > FIELD_CHARACTERS for n, v in changed.items()):
        raise InvalidInputError(
            "fields", f"at most {FIELD_NAME_CHARACTERS} characters in a name and {FIELD_CHARACTERS} in a value"
        )
    await tx.execute("UPDATE contact SET fields = $2, version = version + 1 WHERE id = $1", contact["id"], after)
    told = {"changed": [f"fields.{name}" for name in changed]}
    await _tell(tx, contact, "contact.changed", told, actor=actor, conversation_id=conversation_id)


async def set_lead(
    tx: Connection, contact: Row, status: str | None, *, actor: str, conversation_id: UUID | None = None
) -> None:
    """How far the contact is as a buyer (domain.conversation.LeadStatus); None: it is no lead."""
    if status is not None and status not in set(LeadStatus):
        raise InvalidInputError("lead_status", f"must be one of {', '.join(LeadStatus)}")
    if status == contact["lead_status"]:
        return
    await tx.execute("UPDATE contact SET lead_status = $2, version = version + 1 WHERE id = $1", contact["id"], status)
    kind = "lead.created" if contact["lead_status"] is None else "lead.changed"
    told = {"from": contact["lead_status"], "to": status}
    await _tell(tx, contact, kind, told, actor=actor, conversation_id=conversation_id)


async def set_opt_out(
    tx: Connection, contact: Row, *, opted_out: bool, actor: str, conversation_id: UUID | None = None
) -> None:
    """The contact told a person, not us, whether it wants messages on our initiative. Noted in the ledger."""
    if (contact["opted_out_at"] is not None) == opted_out:
        return
    await tx.execute(
        "UPDATE contact SET opted_out_at = CASE WHEN $2 THEN now() END, version = version + 1 WHERE id = $1",
        contact["id"],
        opted_out,
    )
    await tx.execute(
        """INSERT INTO consent_entry (tenant_id, contact_id, purpose, granted, said, text_version, channel,
                                      channel_session_id, message_id, at)
           SELECT p.tenant_id, p.id, $2, NOT $3, $4, '', coalesce(n.provider, ''), n.id, 0, now()
             FROM contact p
             LEFT JOIN conversation c ON c.contact_id = p.id AND ($5::uuid IS NULL OR c.id = $5)
             LEFT JOIN channel_session n ON n.id = c.channel_session_id
            WHERE p.id = $1 ORDER BY c.last_message_at DESC LIMIT 1""",
        contact["id"],
        PROACTIVE,
        opted_out,
        actor,
        conversation_id,
    )
    kind = "contact.opted_out" if opted_out else "contact.opted_in"
    await _tell(tx, contact, kind, {"said": "told a person"}, actor=actor, conversation_id=conversation_id)


async def add_task(
    tx: Connection,
    contact: Row,
    title: str,
    due_at: datetime | None,
    *,
    actor: str,
    assignee_id: UUID | None = None,
    conversation_id: UUID | None = None,
) -> UUID:
    """Something to be done for the contact, by a time or some day, by a person or whoever finds the time."""
    final = storable(" ".join(title.split()))[0]
    if not final:
        raise InvalidInputError("title", "it is empty", hint="Say what is to be done.")
    if len(final) > TITLE_CHARACTERS:
        raise InvalidInputError("title", f"longer than {TITLE_CHARACTERS} characters")
    if due_at is not None and due_at.tzinfo is None:
        raise InvalidInputError("due_at", "a time without its zone")
    if assignee_id is not None:
        await answering(tx, assignee_id)
    task_id: UUID = await tx.fetchval(
        """INSERT INTO task (tenant_id, contact_id, conversation_id, assignee_id, title, due_at, created_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",
        contact["tenant_id"],
        contact["id"],
        conversation_id,
        assignee_id,
        final,
        due_at,
        actor,
    )
    told = {"task_id": str(task_id), "due_at": due_at.isoformat() if due_at else None}
    await _tell(tx, contact, "task.created", told, actor=actor, conversation_id=conversation_id)
    return task_id


async def settle_task(tx: Connection, task_id: UUID, *, done: bool, actor: str) -> None:
    """Tick a task off, or take the tick back. Saying the same once more changes nothing."""
    row = await tx.fetchrow("SELECT * FROM task WHERE id = $1 FOR UPDATE", task_id)
    if row is None:
        raise NotFoundError("task", task_id)
    if (row["done_at"] is not None) == done:
        return
    await tx.execute("UPDATE task SET done_at = CASE WHEN $2 THEN now() END WHERE id = $1", task_id, done)
    await events.append(
        tx,
        row["tenant_id"],
        "task.done" if done else "task.reopened",
        conversation_id=row["conversation_id"],
        payload={"task_id": str(task_id), "contact_id": str(row["contact_id"])},
        actor=actor,
    )


async def _tell(
    tx: Connection,
    contact: Row,
    kind: str,
    told: Mapping[str, Any],
    *,
    actor: str,
    conversation_id: UUID | None,
) -> None:
    await events.append(
        tx,
        contact["tenant_id"],
        kind,
        conversation_id=conversation_id,
        payload={"contact_id": str(contact["id"]), **told},
        actor=actor,
    )
