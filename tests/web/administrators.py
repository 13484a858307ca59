"""People of other roles, for tests of pages."""

from __future__ import annotations

import asyncpg

from tests.database import Number
from tests.web.site import Site


async def promoted(site: Site, number: Number, role: str = "admin", *, runs_platform: bool = False) -> None:
    """The number's person has this role from now on."""
    owner = await asyncpg.connect(site.owner_dsn)
    try:
        await owner.execute("SELECT gate.put_member($1, $2, $3)", number.tenant_id, number.user_id, role)
        await owner.execute("UPDATE user_account SET runs_platform = $2 WHERE id = $1", number.user_id, runs_platform)
    finally:
        await owner.close()
