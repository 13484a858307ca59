"""Where the paired devices' keys live: the tables of whatsmeow (neonize's core) in a schema of their own.

One set of tables serves all numbers. They hold the keys of every tenant's numbers and know no tenant, so the role in
the URL should be the session hosts' own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

SCHEMA = "whatsmeow"
_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
_UNDERSTOOD_SSL_MODES = ("disable", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class DeviceStore:
    """The device tables of one database. ``url`` as for asyncpg (``postgresql://…``, socket folder in ``?host=``)."""

    url: str = field(repr=False)

    @property
    def library_url(self) -> str:
        """The URL as neonize's database driver takes it: our schema, and an SSL mode that the driver knows."""
        scheme, host, path, query, _ = urlsplit(self.url)
        options = dict(parse_qsl(query))
        if options.get("sslmode") not in _UNDERSTOOD_SSL_MODES:
            server = options.get("host") or urlsplit(self.url).hostname or ""
            local = server.startswith("/") or server in _LOCAL_HOSTS
            options["sslmode"] = "disable" if local else "require"
        return urlunsplit((scheme, host, path or "/", urlencode({**options, "search_path": SCHEMA}), ""))

    async def prepare(self) -> None:
        """Create the schema where it is missing; whatsmeow makes its tables by itself."""
        connection = await asyncpg.connect(self.url)
        try:
            if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", SCHEMA):
                await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        finally:
            await connection.close()

    async def holds(self, jid: str) -> bool:
        """Whether the device is still paired. Ask before every start: neonize crashes on one it does not have."""
        connection = await asyncpg.connect(self.url)
        try:
            found = await connection.fetchval(f"SELECT true FROM {SCHEMA}.whatsmeow_device WHERE jid = $1", jid)
        except asyncpg.UndefinedTableError:
            return False
        finally:
            await connection.close()
        return bool(found)
