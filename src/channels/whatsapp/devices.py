"""Where the paired devices' keys live: the tables of whatsmeow (neonize's core) in a schema of their own.

One set of tables serves all numbers. They hold the keys of every tenant's numbers and know no tenant, so the role in
the URL should be the session hosts' own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from channels.base import MessageLost

SCHEMA = "whatsmeow"
_MOST_LOOKED_AT = 500
"""More at once is no interrupted minute but somebody's history, which nobody lost."""
_RECONCILED = f"""CREATE TABLE IF NOT EXISTS {SCHEMA}.atende_reconciled (
    our_jid text PRIMARY KEY, upto xid8 NOT NULL, now_at xid8 NOT NULL)"""
_DEVICES = "whatsmeow_device"
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

    @asynccontextmanager
    async def preparing(self) -> AsyncIterator[None]:
        """Create the schema where it is missing; whatsmeow makes its tables by itself, within the block.

        Hosts that start together take turns, since it would make them twice.
        """
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(f"SELECT pg_advisory_lock(hashtext('{SCHEMA}'))")
            if not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", SCHEMA):
                await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            await connection.execute(_RECONCILED)
            yield
        finally:
            await connection.close()

    async def has_tables(self) -> bool:
        """Whether the library has made its tables."""
        connection = await asyncpg.connect(self.url)
        try:
            found = await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{SCHEMA}.{_DEVICES}")
        finally:
            await connection.close()
        return bool(found)

    async def forget(self, jid: str) -> None:
        """Delete all keys of a device, whatever the library left of them."""
        connection = await asyncpg.connect(self.url)
        try:
            async with connection.transaction():
                for table, column in await tables_of_devices(connection):
                    await connection.execute(f'DELETE FROM {SCHEMA}."{table}" WHERE "{column}" = $1', jid)
        finally:
            await connection.close()

    async def rows(self, jid: str) -> dict[str, int]:
        """How many rows of a device each table holds; tables without any are left out."""
        connection = await asyncpg.connect(self.url)
        try:
            counted = {
                table: await connection.fetchval(f'SELECT count(*) FROM {SCHEMA}."{table}" WHERE "{column}" = $1', jid)
                for table, column in await tables_of_devices(connection)
            }
        finally:
            await connection.close()
        return {table: count for table, count in counted.items() if count}

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

    async def decrypted_lately(self, jid: str) -> list[MessageLost]:
        """The messages of others that the device has decrypted since everything that came for it was known to be kept.

        The library writes down the secret that phones put into each message before it hands the message over. So one
        that is in this list and that nobody knows was acknowledged, and died with its process. A program that sends
        without such a secret leaves no trace here: the loss of its message cannot be told.
        """
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(  # from now on, if it was never said
                f"""INSERT INTO {SCHEMA}.atende_reconciled VALUES ($1, pg_current_xact_id(), pg_current_xact_id())
                    ON CONFLICT DO NOTHING""",
                jid,
            )
            rows = await connection.fetch(
                f"""SELECT s.message_id, s.chat_jid
                      FROM {SCHEMA}.whatsmeow_message_secrets s
                      JOIN {SCHEMA}.atende_reconciled r ON r.our_jid = s.our_jid
                     WHERE s.our_jid = $1 AND age(s.xmin) <= age(r.upto::xid)
                       AND s.sender_jid NOT IN (
                           SELECT regexp_replace(own, ':[0-9]+@', '@')
                             FROM {SCHEMA}.whatsmeow_device d, unnest(ARRAY[d.jid, d.lid]) own
                            WHERE d.jid = $1 AND own IS NOT NULL)
                     LIMIT {_MOST_LOOKED_AT + 1}""",
                jid,
            )
        except asyncpg.UndefinedTableError:
            return []
        finally:
            await connection.close()
        if len(rows) > _MOST_LOOKED_AT:
            return []
        now = datetime.now(UTC)
        return [MessageLost(row["message_id"], row["chat_jid"], now) for row in rows]

    async def note_kept(self, jids: list[str]) -> None:
        """Everything that came for these devices until now is kept. What was decrypted before the last time this was
        said will not be looked at again: a message takes its time from the secret to the event."""
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(
                f"""INSERT INTO {SCHEMA}.atende_reconciled AS r
                    SELECT jid, pg_current_xact_id(), pg_current_xact_id() FROM unnest($1::text[]) jid
                        ON CONFLICT (our_jid) DO UPDATE SET upto = r.now_at, now_at = excluded.now_at""",
                jids,
            )
        finally:
            await connection.close()


async def tables_of_devices(connection: asyncpg.Connection) -> list[tuple[str, str]]:
    """The library's tables with rows of one device each, and the column that names it; the device's own comes last."""
    found = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1 "
        "AND column_name IN ('our_jid', 'jid') ORDER BY table_name = $2, 1",
        SCHEMA,
        _DEVICES,
    )
    return [(row["table_name"], row["column_name"]) for row in found]
