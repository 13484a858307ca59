"""Where files lie: a small protocol, and a folder of this machine that fulfils it. Named by content, per tenant."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import uuid
from pathlib import Path
from typing import Protocol
from uuid import UUID

from domain.errors import NotFoundError

_DIGEST = re.compile(r"[0-9a-f]{64}")


class MediaStore(Protocol):
    """Keeps bytes under their SHA-256, apart for each tenant. All processes of an installation must share one."""

    async def put(self, tenant_id: UUID, data: bytes) -> str:
        """Keep the bytes durably; returns their SHA-256 in hexadecimal. The same bytes again change nothing."""
        ...

    async def get(self, tenant_id: UUID, sha256: str) -> bytes:
        """The bytes. Raises NotFoundError."""
        ...

    async def delete(self, tenant_id: UUID, sha256: str) -> None:
        """Forget the bytes. What is not there needs no forgetting."""
        ...

    def path(self, tenant_id: UUID, sha256: str) -> Path | None:
        """Where a local file with them is, for answering parts of it; None where the store has no local files."""
        ...


class MediaFolder:
    """Files below a folder: ``<tenant>/<first two digits>/<SHA-256>``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, tenant_id: UUID, data: bytes) -> str:
        """See MediaStore."""
        return await asyncio.to_thread(self._put, tenant_id, data)

    async def get(self, tenant_id: UUID, sha256: str) -> bytes:
        """See MediaStore."""
        path = self.path(tenant_id, sha256)
        if path is None:
            raise NotFoundError("file", sha256)
        return await asyncio.to_thread(path.read_bytes)

    async def delete(self, tenant_id: UUID, sha256: str) -> None:
        """See MediaStore."""
        if place := self._place(tenant_id, sha256):
            await asyncio.to_thread(place.unlink, missing_ok=True)

    def path(self, tenant_id: UUID, sha256: str) -> Path | None:
        """See MediaStore. None for a file that is not there."""
        path = self._place(tenant_id, sha256)
        return path if path is not None and path.is_file() else None

    def _place(self, tenant_id: UUID, sha256: str) -> Path | None:
        # Both parts are checked: nothing that a gateway or a browser says becomes a path.
        if not _DIGEST.fullmatch(sha256):
            return None
        return self._folder / str(UUID(str(tenant_id))) / sha256[:2] / sha256

    def _put(self, tenant_id: UUID, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._place(tenant_id, sha256)
        assert path is not None  # noqa: S101 - a digest is a digest
        if path.is_file() and path.stat().st_size == len(data):
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{sha256[:16]}-{uuid.uuid4().hex[:8]}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return sha256
