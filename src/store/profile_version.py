"""The number by which every process notices that what the agent knows of a tenant changed."""

from __future__ import annotations

from uuid import UUID

from store.database import Connection


async def bump(tx: Connection, tenant_id: UUID) -> None:
    """Tell every process that what the agent knows of this tenant changed, in the transaction of the change."""
    await tx.execute("UPDATE tenant SET profile_version = profile_version + 1 WHERE id = $1", tenant_id)
