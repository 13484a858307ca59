"""People are told what concerns them, once, and it stays until they read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from agent.language_model import Usage
from channels.base import SessionChanged
from domain.budgets import Budgets, Limit, Span
from domain.messages import SessionStatus
from flows import notifications, outgoing_webhooks
from flows.budgets import Spendings, TurnBudget
from flows.notifications import Notifications, remind_of_tasks
from flows.outgoing_webhooks import OutgoingWebhooks
from flows.stopping import KillSwitch
from store.database import Database
from store.wakeup import Wakeup
from tests.database import Number, make_number
from tests.flows.door import PHONE, Door

ROLES = ("admin", "manager", "operator", "prompt_engineer")


@pytest.fixture
async def people(owner_dsn: str, number: Number) -> dict[UUID, str]:
    """One person of each role, with their names."""
    owner = await asyncpg.connect(owner_dsn)
    found = {number.user_id: "operator"}
    try:
        for role in ROLES:
            if role != "operator":
                user = await owner.fetchval("SELECT gate.put_user($1, $2, 'x', 'pt')", f"{role}@shop.example", role)
                await owner.execute("SELECT gate.put_member($1, $2, $3)", number.tenant_id, user, role)
                found[user] = role
    finally:
        await owner.close()
    return found


async def _told(door: Door, people: dict[UUID, str], kind: str) -> list[str]:
    rows = await door.fetch("SELECT user_id FROM notification WHERE kind = $1", kind)
    return sorted(people[row["user_id"]] for row in rows)


async def test_that_each_role_is_told_what_concerns_it(door: Door, people: dict[UUID, str], owner_dsn: str) -> None:
    other = await make_number(owner_dsn, "other")
    tenant, session = door.session.tenant_id, door.session.id
    await door.take(door.message())
    assert await _told(door, people, "lead.created") == ["admin", "manager"]
    for status, more in (
        (SessionStatus.CONNECTED, {}),
        (SessionStatus.RESTRICTED, {}),
        (SessionStatus.RESTRICTED, {}),
        (SessionStatus.CONNECTED, {}),
        (SessionStatus.DISCONNECTED, {"unlinked": True, "ended": True}),
        (SessionStatus.QR_EXPIRED, {"ended": True}),
    ):
        await door.take(SessionChanged(status, datetime.now(UTC), **more))
    rows = await door.fetch(
        "SELECT payload ->> 'state' AS state FROM notification WHERE kind LIKE 'session.%' ORDER BY id"
    )
    assert [row["state"] for row in rows] == ["restricted", "unlinked", "qr_expired"]
    assert await _told(door, people, "session.needs_person") == ["admin"] * 3
    switch = KillSwitch(door.db, Wakeup(door.db))
    await switch.stop(tenant, session, actor="user:x")
    await switch.stop(tenant, session, actor="user:x")
    await switch.resume(tenant, session, actor="user:x")
    assert await _told(door, people, "policy.stopped") == ["admin", "manager", "operator"]
    hooks = OutgoingWebhooks(door.db, Wakeup(door.db), ("127.0.0.1",))
    endpoint = (await hooks.add(tenant, "http://127.0.0.1:9/x", ["*"], actor="user:x")).id
    await hooks.disable(tenant, endpoint, actor="user:x")
    await hooks.enable(tenant, endpoint, actor="user:x")
    assert await _told(door, people, "webhook.disabled") == []
    async with door.db.transaction(tenant) as tx:
        await outgoing_webhooks.disable(tx, tenant, endpoint, "failing")
    assert await _told(door, people, "webhook.disabled") == ["admin"]
    kinds = [row["kind"] for row in await door.fetch("SELECT kind FROM event WHERE kind LIKE 'webhook.%' ORDER BY id")]
    assert kinds == ["webhook.added", "webhook.disabled", "webhook.enabled", "webhook.disabled"]
    assert not any(outgoing_webhooks.wants(["*"], kind) for kind in ("login.failed", "notification.created"))
    async with door.db.transaction(other.tenant_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM notification") == 0


async def test_that_a_used_up_budget_is_told_once_a_day(door: Door, people: dict[UUID, str]) -> None:
    spans = [(Span.DAY, "2026-11-22"), (Span.MONTH, "2026-11"), (Span.CONVERSATION, "x/0")]
    budgets = Budgets(day=Limit(tokens=100), conversation=Limit(tokens=50))
    for most in (200, 200, 70):
        budget = TurnBudget(Spendings(door.db), door.session.tenant_id, spans, budgets, patience_seconds=0)
        assert await budget.hold(Usage(input_tokens=most)) is not None
        await budget.close()
    rows = await door.fetch("SELECT payload FROM notification WHERE kind = 'budget.reached'")
    assert [row["payload"] for row in rows] == [{"span": "day", "key": "2026-11-22"}]
    assert len(await door.fetch("SELECT 1 FROM event WHERE kind = 'budget.reached'")) == 1


async def test_that_of_a_conversation_only_who_sees_it_is_told(door: Door, people: dict[UUID, str]) -> None:
    await door.take(door.message(PHONE))
    tenant, conversation = door.session.tenant_id, (await door.conversation())["id"]
    manager = next(user for user, role in people.items() if role == "manager")

    async def told(**changes: Any) -> list[str]:
        async with door.db.transaction(tenant) as tx:
            await tx.execute("DELETE FROM notification")
            await notifications.tell(tx, tenant, "lead.created", conversation_id=conversation)
        return await _told(door, people, "lead.created")

    async with door.db.transaction(tenant) as tx:
        await tx.execute("UPDATE membership SET reach = 'own' WHERE user_id = $1", manager)
    assert await told() == ["admin"]
    async with door.db.transaction(tenant) as tx:
        team = await tx.fetchval("INSERT INTO team (tenant_id, name) VALUES ($1, 'Sales') RETURNING id", tenant)
        await tx.execute("UPDATE conversation SET team_id = $1", team)
        await tx.execute("UPDATE membership SET reach = 'team' WHERE user_id = $1", manager)
    assert await told() == ["admin"]
    async with door.db.transaction(tenant) as tx:
        await tx.execute(
            "INSERT INTO team_member (tenant_id, team_id, user_id) VALUES ($1, $2, $3)", tenant, team, manager
        )
    assert await told() == ["admin", "manager"]


async def test_that_a_task_is_told_when_it_is_due_and_only_then(
    door: Door, db: Database, people: dict[UUID, str], number: Number
) -> None:
    await door.take(door.message(PHONE))
    tenant, contact, now = door.session.tenant_id, (await door.conversation())["contact_id"], datetime.now(UTC)
    async with db.transaction(tenant) as tx:
        for title, assignee, due, done in (
            ("ligar", number.user_id, now - timedelta(minutes=1), None),
            ("de todos", None, now - timedelta(minutes=1), None),
            ("amanhã", number.user_id, now + timedelta(days=1), None),
            ("feita", number.user_id, now - timedelta(minutes=1), now),
        ):
            await tx.execute(
                "INSERT INTO task (tenant_id, contact_id, assignee_id, title, due_at, done_at) "
                "VALUES ($1, $2, $3, $4, $5, $6)",
                tenant,
                contact,
                assignee,
                title,
                due,
                done,
            )
    wakeup = Wakeup(db)
    assert await remind_of_tasks(db, wakeup) == 3
    assert await remind_of_tasks(db, wakeup) == 0
    await wakeup.close()
    assert await _told(door, people, "task.due") == ["admin", "manager", "operator"]


async def test_that_notifications_stay_until_their_own_reader_reads_them(
    door: Door, db: Database, people: dict[UUID, str]
) -> None:
    tenant, mine = door.session.tenant_id, Notifications(db)
    admin = next(user for user, role in people.items() if role == "admin")
    manager = next(user for user, role in people.items() if role == "manager")
    async with db.transaction(tenant) as tx:
        for n in range(3):
            await notifications.tell(tx, tenant, "conversations.returned", users=[admin], payload={"name": str(n)})
    page = await mine.page(tenant, admin)
    assert [row["payload"]["name"] for row in page] == ["2", "1", "0"]
    assert await mine.read(tenant, manager, [page[0]["id"]]) == 0
    assert await mine.read(tenant, admin, [page[0]["id"]]) == 1
    assert await mine.unread(tenant, admin) == 2
    assert [row["id"] for row in await mine.page(tenant, admin, before=page[0]["id"], at_most=1)] == [page[1]["id"]]
    assert await mine.read(tenant, admin) == 2
    assert await mine.page(tenant, admin, only_unread=True) == []
