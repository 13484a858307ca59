"""Service targets: the strictest of what is set for a conversation's priority and team, else what is usual."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from flows.refusals import RefusedError
from flows.targets import ServiceTargets, Target, targets_of
from store.database import Database
from tests.database import Number


def test_that_the_strictest_special_target_counts_and_else_the_usual_one() -> None:
    team = UUID(int=7)
    targets = targets_of(
        {
            "targets": {
                "usual": {"first_answer_minutes": 30, "waiting_minutes": 60},
                "priority": {"urgent": {"first_answer_minutes": 5}},
                "team": {str(team): {"first_answer_minutes": 45, "waiting_minutes": 10}},
            }
        }
    )
    assert targets.of() == Target(timedelta(minutes=30), timedelta(minutes=60))
    assert targets.of(2) == Target(timedelta(minutes=5), timedelta(minutes=60))
    assert targets.of(0, team) == Target(timedelta(minutes=45), timedelta(minutes=10))
    assert targets.of(2, team) == Target(timedelta(minutes=5), timedelta(minutes=10))
    assert targets_of({}).of(2, team) == Target()


async def test_that_targets_are_kept_and_wrong_ones_change_nothing(db: Database, number: Number) -> None:
    targets = ServiceTargets(db)
    wishes = {"usual.first_answer_minutes": "15", "priority.urgent.waiting_minutes": "5", "usual.waiting_minutes": ""}
    await targets.change(number.tenant_id, wishes, actor="user:Ana")
    for key, value in (
        ("usual.first_answer_minutes", "0"),
        ("usual.first_answer_minutes", "1.5"),
        ("priority.biblical.waiting_minutes", "5"),
        (f"team.{uuid4()}.waiting_minutes", "5"),
        ("usual.other", "5"),
    ):
        with pytest.raises(RefusedError):
            await targets.change(number.tenant_id, {key: value}, actor="user:Ana")
    found = await targets.show(number.tenant_id)
    assert found.of(2) == Target(timedelta(minutes=15), timedelta(minutes=5))
    async with db.transaction(number.tenant_id) as tx:
        row = await tx.fetchrow("SELECT kind, payload FROM event WHERE kind = 'settings.targets'")
    assert row["payload"]["changes"]["targets"][0] == {}
