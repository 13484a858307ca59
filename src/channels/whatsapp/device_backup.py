"""One paired device's keys as an encrypted file, to be brought back on another installation.

The file: a line that names its kind, a line of JSON (how the key was derived, how long the rest is), and the rest:
the device's rows as JSON, compressed and sealed with AES-256-GCM, which also covers the lines before it. The rows go
through PostgreSQL's own JSON, so nothing here knows the library's columns.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from argon2.low_level import Type, hash_secret_raw
from Crypto.Cipher import AES

from domain.errors import AtendeError, ConflictError, InvalidInputError

from .devices import SCHEMA, DeviceStore, tables_of_devices

_KIND: Final = b"atende session backup\n"
FORMAT: Final = 1
_KEY_BYTES, _NONCE_BYTES, _TAG_BYTES = 32, 12, 16
_SHORTEST_PASSWORD = 10
_ARGON: Final = {"time": 3, "memory_kib": 65_536, "lanes": 4}
_MOST_MEMORY_KIB, _MOST_TIME = 1 << 20, 32
_LONGEST_HEAD = 4096
_LARGEST = 1 << 30
_OF_THE_LIBRARY = "whatsmeow_"
"""What else stands beside its tables is of this database, and says nothing anywhere else."""


class BackupError(AtendeError):
    """The file cannot be brought back."""


class NotABackupError(BackupError):
    """The file is something else."""

    def __init__(self) -> None:
        super().__init__("This is no backup of a session.", hint="Name the file that atende session export wrote.")


class TruncatedBackupError(BackupError):
    """A part of the file is missing."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"The backup is cut off: {missing} bytes are missing.", hint="Copy the file again.")
        self.missing = missing


class WrongPasswordError(BackupError):
    """The password does not open it, or somebody changed the file: one cannot be told from the other."""

    def __init__(self) -> None:
        super().__init__("The password is wrong, or the file was changed.", hint="Try again with the right password.")


class BackupVersionError(BackupError):
    """Made by a newer version."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The backup is of a newer version ({what}).", hint="Update Atende here, then try again.")


class DeviceHeldError(ConflictError):
    """The device is paired here already."""

    def __init__(self, account: str) -> None:
        super().__init__(
            f"The device {account} is in use here already.", hint="Delete that session first, or leave it as it is."
        )


def seal(content: Mapping[str, Any], password: str) -> bytes:
    """The file with this content. Raises InvalidInputError for a password that is too short."""
    if len(password) < _SHORTEST_PASSWORD:
        raise InvalidInputError(
            "password", f"must have at least {_SHORTEST_PASSWORD} characters", hint="Who has the file tries them all."
        )
    packed = zlib.compress(json.dumps(content).encode(), 6)
    salt, nonce = os.urandom(16), os.urandom(_NONCE_BYTES)
    head = {
        "format": FORMAT,
        "argon2id": {**_ARGON, "salt": base64.b64encode(salt).decode()},
        "nonce": base64.b64encode(nonce).decode(),
        "bytes": len(packed) + _TAG_BYTES,
    }
    lines = _KIND + json.dumps(head).encode() + b"\n"
    cipher = AES.new(_key(password, salt, **_ARGON), AES.MODE_GCM, nonce=nonce)
    cipher.update(lines)
    sealed, tag = cipher.encrypt_and_digest(packed)
    return lines + sealed + tag


def unseal(data: bytes, password: str) -> dict[str, Any]:
    """The content of a file. Raises a BackupError."""
    lines, head, rest = _head(data)
    if int(head["format"]) > FORMAT:
        raise BackupVersionError(f"format {head['format']}, known here is {FORMAT}")
    if len(rest) < head["bytes"]:
        raise TruncatedBackupError(head["bytes"] - len(rest))
    argon = head["argon2id"]
    key = _key(password, base64.b64decode(argon["salt"]), argon["time"], argon["memory_kib"], argon["lanes"])
    cipher = AES.new(key, AES.MODE_GCM, nonce=base64.b64decode(head["nonce"]))
    cipher.update(lines)
    try:
        packed = cipher.decrypt_and_verify(rest[:-_TAG_BYTES], rest[-_TAG_BYTES:])
    except ValueError:
        raise WrongPasswordError from None
    content: dict[str, Any] = json.loads(zlib.decompress(packed))
    return content


def _head(data: bytes) -> tuple[bytes, dict[str, Any], bytes]:
    if not data.startswith(_KIND[: len(data)]) or not data:
        raise NotABackupError
    end = data.find(b"\n", len(_KIND), _LONGEST_HEAD)
    if len(data) < len(_KIND) or end < 0:
        raise TruncatedBackupError(1) if len(data) < _LONGEST_HEAD else NotABackupError
    try:
        head = json.loads(data[len(_KIND) : end])
        if int(head["format"]) > FORMAT:
            return data[: end + 1], head, b""
        argon = head["argon2id"]
        known = (
            0 < argon["memory_kib"] <= _MOST_MEMORY_KIB
            and 0 < argon["time"] <= _MOST_TIME
            and 0 < argon["lanes"] <= _MOST_TIME
            and _TAG_BYTES < head["bytes"] <= _LARGEST
            and base64.b64decode(argon["salt"])
            and len(base64.b64decode(head["nonce"])) == _NONCE_BYTES
        )
    except (ValueError, KeyError, TypeError):
        raise NotABackupError from None
    if not known or len(data) - end - 1 > head["bytes"]:
        raise NotABackupError
    return data[: end + 1], head, data[end + 1 :]


def _key(password: str, salt: bytes, time: int, memory_kib: int, lanes: int) -> bytes:
    return hash_secret_raw(
        password.encode(),
        salt,
        time_cost=time,
        memory_cost=memory_kib,
        parallelism=lanes,
        hash_len=_KEY_BYTES,
        type=Type.ID,
    )


_PARTNERS = f"""
    SELECT split_part(split_part(s.their_id, ':', 1), '_', 1) FROM {SCHEMA}.whatsmeow_sessions s WHERE s.our_jid = $1
    UNION SELECT split_part(c.their_jid, '@', 1) FROM {SCHEMA}.whatsmeow_contacts c WHERE c.our_jid = $1
"""


async def read_device(devices: DeviceStore, account: str) -> dict[str, Any]:
    """The rows of a device that no process runs, as JSON: ``schema`` (the library's), ``tables`` and ``names``."""
    connection = await asyncpg.connect(devices.url)
    try:
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            tables = {
                table: await connection.fetchval(
                    f'SELECT coalesce(jsonb_agg(to_jsonb(t)), \'[]\') FROM {SCHEMA}."{table}" t WHERE "{column}" = $1',
                    account,
                )
                for table, column in await tables_of_devices(connection)
                if table.startswith(_OF_THE_LIBRARY)
            }
            names = await connection.fetchval(
                f"SELECT coalesce(jsonb_agg(to_jsonb(m)), '[]') FROM {SCHEMA}.whatsmeow_lid_map m "
                f"WHERE m.lid IN ({_PARTNERS}) OR m.pn IN ({_PARTNERS})",
                account,
            )
            version = await connection.fetchval(f"SELECT max(version) FROM {SCHEMA}.whatsmeow_version")
    finally:
        await connection.close()
    return {"schema": version, "tables": tables, "names": names}


async def write_device(devices: DeviceStore, account: str, rows: Mapping[str, Any]) -> None:
    """Put a device's rows where its library finds them. The library's tables must be there.

    Raises DeviceHeldError where it is paired here already, and BackupVersionError.
    """
    connection = await asyncpg.connect(devices.url)
    try:
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        async with connection.transaction():
            version = await connection.fetchval(f"SELECT max(version) FROM {SCHEMA}.whatsmeow_version")
            if rows["schema"] > version:
                raise BackupVersionError(f"the WhatsApp library's tables {rows['schema']}, known here is {version}")
            known = [name for name, _ in await tables_of_devices(connection) if name.startswith(_OF_THE_LIBRARY)]
            if strange := set(rows["tables"]) - set(known):
                raise BackupVersionError(f"with {', '.join(sorted(strange))}")
            # The device's own row first: the others refer to it. (The order to delete in is the other way round.)
            for table in reversed(known):
                await _insert(connection, table, rows["tables"].get(table, []), account)
            await _insert(connection, "whatsmeow_lid_map", rows["names"], account)
    finally:
        await connection.close()


async def _insert(connection: asyncpg.Connection, table: str, rows: list[dict[str, Any]], account: str) -> None:
    if not rows:
        return
    given = await connection.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2",
        SCHEMA,
        table,
    )
    here = {row["column_name"] for row in given}
    if strange := set(rows[0]) - here:
        raise BackupVersionError(f"with {table}.{', '.join(sorted(strange))}")
    columns = ", ".join(f'"{name}"' for name in sorted(rows[0]))
    shared = table == "whatsmeow_lid_map"
    try:
        await connection.execute(
            f'INSERT INTO {SCHEMA}."{table}" ({columns}) '
            f'SELECT {columns} FROM jsonb_populate_recordset(NULL::{SCHEMA}."{table}", $1) '
            f"{'ON CONFLICT DO NOTHING' if shared else ''}",
            rows,
        )
    except asyncpg.UniqueViolationError:
        raise DeviceHeldError(account) from None
