"""Tenants' secrets at rest: sealed with a key that is derived from the installation's secret, never in the clear.

Each is bound to its tenant and its name, so that a row copied to another place opens nothing there. Who has the
database without the installation's secret has only noise.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import Any
from uuid import UUID

from Crypto.Cipher import AES

from domain.errors import AtendeError
from store.database import Connection

_FORM = "1:"
_NONCE_BYTES = 12
_TAG_BYTES = 16


class SecretUnreadableError(AtendeError):
    """A stored secret cannot be opened: it was sealed under another secret of the installation, or was damaged."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The stored secret {name} cannot be read with this installation's secret.",
            hint="Set it again, or start with the ATENDE_SECRET under which it was set.",
        )
        self.name = name


class Vault:
    """Seals and opens (AES-256-GCM). ``secret`` is the installation's."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, b"tenant secrets", hashlib.sha256).digest()

    def seal(self, tenant_id: UUID, name: str, value: str) -> str:
        """The value as it may lie in the database."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed, tag = self._cipher(nonce, tenant_id, name).encrypt_and_digest(value.encode())
        return _FORM + base64.b64encode(nonce + tag + sealed).decode()

    def open(self, tenant_id: UUID, name: str, sealed: str) -> str:
        """What was sealed for this tenant under this name. Raises SecretUnreadableError."""
        try:
            raw = base64.b64decode(sealed.removeprefix(_FORM), validate=True)
            nonce, tag, rest = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:][:_TAG_BYTES], raw[_NONCE_BYTES + _TAG_BYTES :]
            opened: bytes = self._cipher(nonce, tenant_id, name).decrypt_and_verify(rest, tag)
            return opened.decode()
        except ValueError:
            raise SecretUnreadableError(name) from None

    async def put(self, tx: Connection, tenant_id: UUID, name: str, value: str) -> None:
        """Keep the tenant's secret of that name, instead of any before."""
        await tx.execute(
            """INSERT INTO tenant_secret (tenant_id, name, sealed) VALUES ($1, $2, $3)
               ON CONFLICT (tenant_id, name) DO UPDATE SET sealed = excluded.sealed, updated_at = now()""",
            tenant_id,
            name,
            self.seal(tenant_id, name, value),
        )

    async def get(self, tx: Connection, tenant_id: UUID, name: str) -> str | None:
        """The secret, or None where there is none of that name. Raises SecretUnreadableError."""
        sealed = await tx.fetchval("SELECT sealed FROM tenant_secret WHERE name = $1", name)
        return None if sealed is None else self.open(tenant_id, name, sealed)

    def _cipher(self, nonce: bytes, tenant_id: UUID, name: str) -> Any:
        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        return cipher.update(f"{tenant_id}\0{name}".encode())


async def names(tx: Connection) -> list[str]:
    """The names of the tenant's secrets; their values never leave for a list."""
    return [row["name"] for row in await tx.fetch("SELECT name FROM tenant_secret ORDER BY name")]


async def forget(tx: Connection, name: str) -> None:
    """Delete the secret of that name, if there is one."""
    await tx.execute("DELETE FROM tenant_secret WHERE name = $1", name)
