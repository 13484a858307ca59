"""Keys and passwords of tenants' own systems: sealed at rest, opened only in processes that call those systems."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from uuid import UUID

from Crypto.Cipher import AES

from domain.errors import AtendeError, NotFoundError
from store.database import Connection

_VERSION = b"\x01"
_NONCE = 12
_TAG = 16


class SecretUnreadableError(AtendeError):
    """A stored secret cannot be opened: it was sealed under another installation secret, or was tampered with."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The stored secret {name} cannot be opened.",
            hint="The installation's secret changed since it was stored; store it again.",
        )
        self.name = name


class Sealer:
    """Seals and opens secrets with AES-256-GCM, under a key of each tenant's own.

    A sealed text opens only for the tenant and the name that it was sealed for: copied to another row it is worthless.
    """

    def __init__(self, installation_secret: bytes) -> None:
        self._secret = installation_secret

    def __repr__(self) -> str:
        return "Sealer()"

    def seal(self, tenant_id: UUID, name: str, value: str) -> str:
        """The sealed text to store."""
        nonce = secrets.token_bytes(_NONCE)
        ciphered, tag = self._cipher(tenant_id, name, nonce).encrypt_and_digest(value.encode())
        return base64.b64encode(_VERSION + nonce + tag + ciphered).decode()

    def open(self, tenant_id: UUID, name: str, sealed: str) -> str:
        """What was sealed. Raises SecretUnreadableError."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            if raw[:1] != _VERSION:
                raise SecretUnreadableError(name)
            nonce, tag = raw[1 : 1 + _NONCE], raw[1 + _NONCE : 1 + _NONCE + _TAG]
            plain: bytes = self._cipher(tenant_id, name, nonce).decrypt_and_verify(raw[1 + _NONCE + _TAG :], tag)
            return plain.decode()
        except ValueError:
            raise SecretUnreadableError(name) from None

    def _cipher(self, tenant_id: UUID, name: str, nonce: bytes) -> AES.GcmMode:  # type: ignore[name-defined]
        key = hmac.new(self._secret, b"tenant secrets " + tenant_id.bytes, hashlib.sha256).digest()
        cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG)
        cipher.update(f"{tenant_id}/{name}".encode())
        return cipher


async def put(tx: Connection, sealer: Sealer, tenant_id: UUID, name: str, value: str) -> None:
    """Store a secret, replacing one of the same name."""
    await tx.execute(
        """INSERT INTO tenant_secret (tenant_id, name, sealed) VALUES ($1, $2, $3)
           ON CONFLICT (tenant_id, name) DO UPDATE SET sealed = excluded.sealed, updated_at = now()""",
        tenant_id,
        name,
        sealer.seal(tenant_id, name, value),
    )


async def sealed_of(tx: Connection) -> dict[str, str]:
    """The tenant's secrets by name, still sealed."""
    return {row["name"]: row["sealed"] for row in await tx.fetch("SELECT name, sealed FROM tenant_secret")}


async def names(tx: Connection) -> list[str]:
    """What secrets the tenant has; their values never leave this way."""
    return [row["name"] for row in await tx.fetch("SELECT name FROM tenant_secret ORDER BY name")]


async def remove(tx: Connection, name: str) -> None:
    """Forget a secret. Raises NotFoundError."""
    if await tx.fetchval("DELETE FROM tenant_secret WHERE name = $1 RETURNING name", name) is None:
        raise NotFoundError("secret", name)
