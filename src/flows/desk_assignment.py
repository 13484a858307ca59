"""Who holds a conversation: given to a person, or to a queue. In the caller's transaction, under the lock."""

from __future__ import annotations

from uuid import UUID

from domain.conversation import Event
from domain.errors import InvalidInputError, NotAllowedError, NotFoundError, OutdatedError
from domain.roles import Right, roles_with
from flows.desk_marks import add_note
from store import conversations, turns
from store.database import Connection, Row


def standing(conversation: Row) -> str:
    """Status and holder of a conversation, as a page notes them and sends them back with an act."""
    return f"{conversation['status']}/{conversation['assignee_id'] or ''}"


async def check_seen(tx: Connection, conversation: Row, seen: str | None) -> None:
    """Raise OutdatedError where status or holder are no longer what the person saw (``standing``; None: not asked)."""
    if not seen or seen == standing(conversation):
        return
    name = None
    if conversation["assignee_id"] is not None:
        name = await tx.fetchval("SELECT name FROM user_account WHERE id = $1", conversation["assignee_id"])
    because = f"{name} has it by now" if name else f"it is {conversation['status']} by now"
    raise OutdatedError("conversation", because)


async def assign(
    tx: Connection,
    conversation_id: UUID,
    user_id: UUID,
    *,
    actor: str,
    seen: str | None = None,
    note: str = "",
) -> None:
    """Make the conversation this person's. ``actor`` is who gives it; ``note`` is for colleagues.

    Raises InvalidInputError where the person does not answer customers here, OutdatedError where ``seen`` no longer
    holds.
    """
    conversation = await conversations.lock(tx, conversation_id)
    await check_seen(tx, conversation, seen)
    name = await answering(tx, user_id)
    if note.strip():
        await add_note(tx, conversation, note, actor=actor)
    if conversation["status"] == "human" and conversation["assignee_id"] == user_id:
        return
    told = {"user_id": str(user_id), "name": name}
    await conversations.apply(tx, conversation_id, Event.ASSIGNED, actor=actor, user_id=user_id, told=told)
    await turns.void_stale(tx, conversation_id)
    await conversations.withdraw_drafts(tx, conversation_id)


async def transfer(
    tx: Connection,
    conversation_id: UUID,
    team_id: UUID | None,
    *,
    actor: str,
    seen: str | None = None,
    note: str = "",
) -> None:
    """Put the conversation into a team's queue (None: everybody's), where it waits for whoever takes it.

    It keeps its place if it waits already, and what the agent had collected for people. ``note`` is for them, too.
    """
    conversation = await conversations.lock(tx, conversation_id)
    await check_seen(tx, conversation, seen)
    name = ""
    if team_id is not None:
        name = await tx.fetchval("SELECT name FROM team WHERE id = $1", team_id)
        if name is None:
            raise NotFoundError("team", team_id)
    if note.strip():
        await add_note(tx, conversation, note, actor=actor)
    told = {"team_id": str(team_id) if team_id else None, "name": name}
    await conversations.apply(tx, conversation_id, Event.TRANSFERRED, actor=actor, told=told)
    await tx.execute("UPDATE conversation SET team_id = $2 WHERE id = $1", conversation_id, team_id)
    await turns.void_stale(tx, conversation_id)
    await conversations.withdraw_drafts(tx, conversation_id)
    await _hand_on(tx, conversation)


async def _hand_on(tx: Connection, conversation: Row) -> None:
    """The handoff in force ends with its holder; what it says is handed on to the next."""
    former = await tx.fetchrow(
        "UPDATE handoff SET ended_at = now() WHERE conversation_id = $1 AND ended_at IS NULL RETURNING *",
        conversation["id"],
    )
    await tx.execute(
        """INSERT INTO handoff (tenant_id, conversation_id, turn_id, reason, summary, collected, next_step, announced)
           VALUES ($1, $2, $3, 'transferred', $4, $5, $6, true)""",
        conversation["tenant_id"],
        conversation["id"],
        former["turn_id"] if former else None,
        former["summary"] if former else "",
        former["collected"] if former else {},
        former["next_step"] if former else "",
    )


async def answering(tx: Connection, user_id: UUID) -> str:
    """The name of a member who answers customers; raises InvalidInputError for anybody else."""
    name: str | None = await tx.fetchval(
        "SELECT u.name FROM membership m JOIN user_account u ON u.id = m.user_id "
        "WHERE m.user_id = $1 AND m.tenant_id = current_tenant() AND m.role = ANY ($2)",
        user_id,
        [role.value for role in roles_with(Right.MESSAGES_WRITE)],
    )
    if name is None:
        raise InvalidInputError(
            "assignee", "nobody of this business who answers customers", hint="Choose somebody else."
        )
    return name


def check_may_move(conversation: Row, user_id: UUID | None, *, supervises: bool) -> None:
    """Raise NotAllowedError where the conversation is a colleague's and the person does not supervise."""
    holder = conversation["assignee_id"]
    if conversation["status"] == "human" and holder is not None and holder != user_id and not supervises:
        raise NotAllowedError.to(tuple(role.value for role in roles_with(Right.SUPERVISION)))
