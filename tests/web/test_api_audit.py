"""The audit trail tells of each act over the API who did it, and what was before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from store.database import Database
from tests.web.api_world import opened_world

ANY = {"If-Match": "*"}


async def test_that_each_act_is_told_with_its_actor_and_before_and_after(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    async with opened_world(owner_dsn, db, tmp_path) as world:
        hook = world.known["webhooks/{endpoint_id}"][0]
        session = world.known["sessions/{session_id}"][0]
        acts: list[tuple[str, str, dict[str, Any] | None, str, dict[str, Any]]] = [
            ("PUT", "policy/intents/hours", {"mode": "off"}, "policy.changed", {"mode": [None, "off"]}),
            ("PUT", "policy/stop", {"stopped": True}, "policy.stopped", {"stopped": [False, True]}),
            ("PUT", "policy/stop", {"stopped": False}, "policy.resumed", {"stopped": [True, False]}),
            (
                "PUT",
                "policy/intents/hours/veto",
                {"vetoed": True},
                "autonomy.vetoed",
                {"state": ["earning", "vetoed"]},
            ),
            (
                "PATCH",
                "functions/order_status",
                {"enabled": False},
                "function.switched",
                {"enabled": [True, False]},
            ),
            (
                "PATCH",
                "functions/order_status",
                {"needs_identity": True},
                "function.identity",
                {"needs_identity": [False, True]},
            ),
            ("PATCH", f"webhooks/{hook}", {"kinds": ["turn.*"]}, "webhook.changed", {"kinds": [["*"], ["turn.*"]]}),
            ("PATCH", f"webhooks/{hook}", {"enabled": False}, "webhook.disabled", {"state": ["active", "by_hand"]}),
            ("PATCH", f"webhooks/{hook}", {"enabled": True}, "webhook.enabled", {"state": ["by_hand", "active"]}),
            (
                "PATCH",
                f"sessions/{session}",
                {"groups": "mentioned"},
                "session.changed",
                {"groups": ["off", "mentioned"]},
            ),
            (
                "PATCH",
                "settings",
                {"settings": {"closing.quiet_minutes": 30}},
                "tenant.set",
                {"closing.quiet_minutes": ["1440", "30"]},
            ),
            (
                "DELETE",
                f"webhooks/{hook}",
                None,
                "webhook.removed",
                {"kinds": [["turn.*"], None], "url": ["https://crm.example.com/in", None]},
            ),
        ]
        for method, place, body, kind, changes in acts:
            done = await world.ours.request(method, f"/api/v1/{place}", json=body, headers=ANY)
            assert done.status_code < 300, done.text
            event = await world.row(
                "SELECT payload -> 'changes' AS changes, actor FROM event WHERE kind = $1 ORDER BY id DESC LIMIT 1",
                kind,
            )
            assert event is not None, kind
            assert (event["changes"], event["actor"]) == (changes, "api key crm"), kind
        removed = await world.ours.delete("/api/v1/functions/order_status", headers=ANY)
        assert removed.status_code == 204, removed.text
        gone = await world.row("SELECT payload -> 'changes' AS changes FROM event WHERE kind = 'function.removed'")
        assert gone["changes"]["effect"] == ["read", None]
