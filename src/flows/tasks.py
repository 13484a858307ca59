"""Tasks: something to be done for a contact by a certain time, by one person or by whoever comes first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.errors import NotFoundError
from domain.roles import Right, roles_with
from domain.text import storable
from flows.desk import Actor
from flows.refusals import RefusedError, line
from store import contact_records, events
from store.contact_records import ContactFilter, ContactRecord
from store.database import Connection, Database, Row
from store.notifications import SEES
from store.wakeup import EVENTS, Wakeup

View = Literal["open", "overdue", "done"]
Whose = Literal["mine", "team"]
_PAGE: Final = 50
_OFFERED: Final = 8
_SHOWN: Final = f"""
    -- who sees the task's conversation, or has it; a task of a contact alone is everybody's who sees all
    -- a program ($1 is NULL) sees what the tenant has
    ($1::uuid IS NULL OR k.assignee_id = $1 OR EXISTS (SELECT 1 FROM membership m WHERE m.user_id = $1
        AND (m.reach = 'all' OR (v.id IS NOT NULL AND {SEES.format(conversation="v")}))))
"""


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Tasks, the most pressing first (of done ones the newest); ``next``: how many were passed over, for more."""

    tasks: list[Row]
    next: int | None
    counts: dict[str, int]
    zone: ZoneInfo


class Tasks:
    """Raises RefusedError or NotFoundError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db = db
        self._wakeup = wakeup

    async def page(
        self, actor: Actor, *, whose: Whose = "mine", view: View = "open", skip: int = 0, at_most: int = _PAGE
    ) -> TaskPage:
        """``mine``: the person's own. ``team``: of everybody, those without anybody included, as far as the person
        sees their conversations."""
        async with self._db.transaction(actor.tenant_id) as tx:
            zone = ZoneInfo(await tx.fetchval("SELECT timezone FROM tenant WHERE id = $1", actor.tenant_id))
            rows = await tx.fetch(
                f"""SELECT k.id, k.title, k.due_at, k.done_at, k.assignee_id, k.contact_id, k.conversation_id,
                           coalesce(u.name, '') AS assignee, coalesce(nullif(c.name, ''), c.push_name, '') AS contact,
                           k.due_at < now() AND k.done_at IS NULL AS overdue
                      FROM task k JOIN contact c ON c.id = k.contact_id LEFT JOIN user_account u ON u.id = k.assignee_id
                      LEFT JOIN conversation v ON v.id = k.conversation_id
                     WHERE {_SHOWN} AND {_WHOSE[whose]} AND {_VIEWS[view]}
                     ORDER BY k.done_at DESC NULLS LAST, k.due_at NULLS LAST, k.created_at, k.id OFFSET $2 LIMIT $3""",
                actor.user_id,
                skip,
                at_most + 1,
            )
            counts = await tx.fetchrow(
                f"""SELECT count(*) FILTER (WHERE {_VIEWS["open"]}) AS open,
                           count(*) FILTER (WHERE {_VIEWS["overdue"]}) AS overdue
                      FROM task k LEFT JOIN conversation v ON v.id = k.conversation_id
                     WHERE {_SHOWN} AND {_WHOSE[whose]} AND k.done_at IS NULL""",
                actor.user_id,
            )
        more = skip + at_most if len(rows) > at_most else None
        return TaskPage(list(rows[:at_most]), more, dict(counts), zone)

    async def create(
        self,
        actor: Actor,
        *,
        contact_id: UUID,
        title: str,
        due: str = "",
        assignee_id: UUID | None = None,
        conversation_id: UUID | None = None,
    ) -> UUID:
        """A new task. ``due``: local time as a form gives it (``2026-12-24T09:00``); empty: some time."""
        title = line("title", title, 200)
        async with self._db.transaction(actor.tenant_id) as tx:
            zone = ZoneInfo(await tx.fetchval("SELECT timezone FROM tenant WHERE id = $1", actor.tenant_id))
            due_at = read_due(due, zone)
            if not await tx.fetchval("SELECT 1 FROM contact WHERE id = $1", contact_id):
                raise NotFoundError("contact", contact_id)
            if assignee_id and not await tx.fetchval("SELECT 1 FROM membership WHERE user_id = $1", assignee_id):
                raise NotFoundError("person", assignee_id)
            if conversation_id and not await tx.fetchval(
                "SELECT 1 FROM conversation WHERE id = $1 AND contact_id = $2", conversation_id, contact_id
            ):
                raise NotFoundError("conversation", conversation_id)
            task_id: UUID = await tx.fetchval(
                """INSERT INTO task (tenant_id, contact_id, conversation_id, assignee_id, title, due_at, created_by)
                   VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",
                actor.tenant_id,
                contact_id,
                conversation_id,
                assignee_id,
                title,
                due_at,
                str(actor),
            )
            await _told(tx, actor, "task.created", task_id, conversation_id)
        self._wakeup.signal(EVENTS)
        return task_id

    async def found(self, actor: Actor, words: str) -> list[ContactRecord]:
        """Contacts that the person sees, by a part of name or number, for whom a task may be; the newest first."""
        wanted = storable(words)[0].strip()[:100]
        async with self._db.transaction(actor.tenant_id) as tx:
            return await contact_records.listed(tx, ContactFilter(search=wanted or None), limit=_OFFERED)

    async def people(self, actor: Actor) -> list[Row]:
        """Who may get a task: everybody who answers customers, by name."""
        async with self._db.transaction(actor.tenant_id) as tx:
            return list(
                await tx.fetch(
                    "SELECT m.user_id, u.name FROM membership m JOIN user_account u ON u.id = m.user_id "
                    "WHERE m.tenant_id = $1 AND m.role = ANY ($2) ORDER BY u.name, u.id",
                    actor.tenant_id,
                    [role.value for role in roles_with(Right.CONTACTS_WRITE)],
                )
            )

    async def finish(self, actor: Actor, task_id: UUID, *, done: bool) -> None:
        """Done, or (``done`` False) to be done after all."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await _seen(tx, actor, task_id)
            conversation_id = await tx.fetchval(
                "UPDATE task SET done_at = CASE WHEN $2 THEN coalesce(done_at, now()) END WHERE id = $1 "
                "RETURNING conversation_id",
                task_id,
                done,
            )
            await _told(tx, actor, "task.done" if done else "task.reopened", task_id, conversation_id)
        self._wakeup.signal(EVENTS)

    async def take(self, actor: Actor, task_id: UUID) -> None:
        """The person will do it."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await _seen(tx, actor, task_id)
            conversation_id = await tx.fetchval(
                "UPDATE task SET assignee_id = $2 WHERE id = $1 RETURNING conversation_id", task_id, actor.user_id
            )
            await _told(tx, actor, "task.assigned", task_id, conversation_id)
        self._wakeup.signal(EVENTS)

    async def postpone(self, actor: Actor, task_id: UUID, due: str) -> None:
        """Due at another time; who has it is reminded anew."""
        async with self._db.transaction(actor.tenant_id) as tx:
            await _seen(tx, actor, task_id)
            zone = ZoneInfo(await tx.fetchval("SELECT timezone FROM tenant WHERE id = $1", actor.tenant_id))
            conversation_id = await tx.fetchval(
                "UPDATE task SET due_at = $2, told_at = NULL WHERE id = $1 RETURNING conversation_id",
                task_id,
                read_due(due, zone),
            )
            await _told(tx, actor, "task.postponed", task_id, conversation_id)
        self._wakeup.signal(EVENTS)


_WHOSE: Final = {"mine": "k.assignee_id = $1", "team": "true"}
_VIEWS: Final = {
    "open": "k.done_at IS NULL",
    "overdue": "(k.done_at IS NULL AND k.due_at < now())",
    "done": "k.done_at IS NOT NULL",
}


def read_due(text: str, zone: ZoneInfo) -> datetime | None:
    """Local time of a form as a point in time. Raises RefusedError."""
    if not text.strip():
        return None
    try:
        local = datetime.fromisoformat(text.strip())
    except ValueError:
        local = None
    if local is None or not 2000 <= local.year <= 2200:
        raise RefusedError("due", "This is no date and time. Write it like 2026-12-24T09:00.")
    return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)


async def _seen(tx: Connection, actor: Actor, task_id: UUID) -> None:
    found = await tx.fetchval(
        f"""SELECT 1 FROM task k LEFT JOIN conversation v ON v.id = k.conversation_id
             WHERE k.id = $2 AND {_SHOWN} FOR UPDATE OF k""",
        actor.user_id,
        task_id,
    )
    if not found:
        raise NotFoundError("task", task_id)


async def _told(tx: Connection, actor: Actor, kind: str, task_id: UUID, conversation_id: UUID | None) -> None:
    await events.append(
        tx,
        actor.tenant_id,
        kind,
        conversation_id=conversation_id,
        payload={"task_id": str(task_id)},
        actor=str(actor),
    )
