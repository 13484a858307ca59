"""What the way in must know of a channel session before its tenant's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agent.pacing import Pace
from store.database import Row


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What the way in must know of a channel session before its tenant's transaction."""

    id: UUID
    tenant_id: UUID
    provider: str
    name: str
    account: str | None
    config: Mapping[str, Any]
    pace: Pace
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The tenant's; see flows.attendance_declaration."""


def read_session(session_id: UUID, row: Row) -> SessionInfo:
    """A channel session as the gate answers with it."""
    return SessionInfo(
        id=session_id,
        tenant_id=row["tenant_id"],
        provider=row["provider"],
        name=row["name"],
        account=row["account"],
        config=row["config"],
        pace=Pace.of(row["settings"].get("debounce", {})),
        settings=row["settings"],
    )
