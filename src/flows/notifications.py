"""Notifications: what somebody must learn even if no page of theirs is open, kept until read.

``tell`` is called in the transaction of what happened. Who is told follows from rights, so that each role learns what
concerns it (CONCERNS), and of a conversation only who sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from domain.roles import Right, roles_with
from store import notifications as store
from store.database import Connection, Database, Row
from store.wakeup import EVENTS, Wakeup

CONCERNS: Final = {
    "lead.created": Right.SUPERVISION,
    "session.needs_person": Right.SESSIONS_WRITE,
    "budget.reached": Right.SETTINGS_WRITE,
    "policy.stopped": Right.MESSAGES_WRITE,
    "webhook.disabled": Right.WEBHOOKS_WRITE,
    "task.due": Right.SUPERVISION,
    "conversation.assigned": None,
    "conversations.returned": None,
    "colleague.left_work": Right.SUPERVISION,
}
"""Kind → the right of those who are told where nobody is named. None: only who is named."""
_DUE_AT_ONCE: Final = 200


def concerned(kind: str) -> tuple[str, ...]:
    """Roles that a kind concerns."""
    right = CONCERNS[kind]
    return tuple(role.value for role in roles_with(right)) if right else ()


async def tell(
    tx: Connection,
    tenant_id: UUID,
    kind: str,
    *,
    users: Sequence[UUID] = (),
    conversation_id: UUID | None = None,
    payload: dict[str, Any] | None = None,
    once: bool = False,
) -> int:
    """Tell these users, or else everybody whom the kind concerns (CONCERNS); returns how many people that were.

    ``once``: not who was told the very same before (a budget's day).
    """
    return await store.tell(
        tx,
        tenant_id,
        kind,
        roles=() if users else concerned(kind),
        users=users,
        conversation_id=conversation_id,
        payload=payload,
        once=once,
    )


async def remind_of_tasks(db: Database, wakeup: Wakeup) -> int:
    """Tell people of tasks whose time has come: the assignee, else who supervises. Workers do this now and then."""
    told = 0
    for due in await db.gate("due_tasks", _DUE_AT_ONCE):
        async with db.transaction(due["tenant_id"]) as tx:
            task = await tx.fetchrow(
                """UPDATE task SET told_at = now() WHERE id = $1 AND told_at IS NULL AND done_at IS NULL
                   RETURNING id, title, due_at, assignee_id, conversation_id, contact_id""",
                due["task_id"],
            )
            if task is None:
                continue
            payload = {
                "task_id": str(task["id"]),
                "title": task["title"][:200],
                "due_at": task["due_at"].isoformat(),
                "contact_id": str(task["contact_id"]),
            }
            users = [task["assignee_id"]] if task["assignee_id"] else []
            told += await tell(tx, due["tenant_id"], "task.due", users=users, payload=payload)
    if told:
        wakeup.signal(EVENTS)
    return told


class Notifications:
    """One person's notifications."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def unread(self, tenant_id: UUID, user_id: UUID) -> int:
        """How many are not read; 100 stands for more than 99."""
        async with self._db.transaction(tenant_id) as tx:
            return await store.unread(tx, user_id)

    async def page(
        self, tenant_id: UUID, user_id: UUID, *, before: int | None = None, only_unread: bool = False, at_most: int = 50
    ) -> list[Row]:
        """The newest first; ``before``: those older than this id."""
        async with self._db.transaction(tenant_id) as tx:
            return await store.page(tx, user_id, before=before, only_unread=only_unread, at_most=at_most)

    async def exists(self, tenant_id: UUID, user_id: UUID, notification_id: int) -> bool:
        """Whether this is one of the person's."""
        async with self._db.transaction(tenant_id) as tx:
            return await store.is_of(tx, user_id, notification_id)

    async def read(self, tenant_id: UUID, user_id: UUID, ids: Sequence[int] | None = None) -> int:
        """Mark these, or all, as read. Others' ids change nothing. Returns how many were news."""
        async with self._db.transaction(tenant_id) as tx:
            return await store.mark_read(tx, user_id, ids)
