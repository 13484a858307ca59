"""Files in a bucket: S3, and whatever speaks its protocol. For installations on several machines.

The address is ``s3://BUCKET/PREFIX?endpoint=URL&region=NAME``; the last two are for others than Amazon. Keys come from
where S3's clients take them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's own role.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from domain.errors import AtendeError, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from obstore.store import S3Store

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OPTIONS = frozenset({"endpoint", "region"})
_EXAMPLE = "s3://atende-media/files?endpoint=https://s3.example.com&region=us-east-1"


class BucketLibraryMissingError(AtendeError):
    """A bucket is set, but what speaks with it is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Files cannot be kept in a bucket: obstore is not installed.",
            hint="Install it with: pip install 'atende[s3]', or unset ATENDE_MEDIA_URL.",
        )


class MediaBucket:
    """Fulfils MediaStore: objects ``<prefix>/<tenant>/<first two digits>/<SHA-256>``."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    @classmethod
    def open(cls, url: str) -> MediaBucket:
        """The bucket at this address; nothing is asked of it yet. Raises InvalidInputError for what is none."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        endpoint = options.get("endpoint", "")
        is_address = parts.scheme == "s3" and _BUCKET.fullmatch(parts.netloc) is not None
        if (
            not is_address
            or options.keys() - _OPTIONS
            or (endpoint and not endpoint.startswith(("http://", "https://")))
        ):
            raise InvalidInputError("ATENDE_MEDIA_URL", "is no address of a bucket", hint=f"Such as {_EXAMPLE}.")
        try:
            from obstore.store import S3Store  # noqa: PLC0415 - an extra
        except ImportError:
            raise BucketLibraryMissingError from None
        settings: dict[str, Any] = {"region": options.get("region") or "us-east-1"}
        if endpoint:
            settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
            settings |= {"client_options": {"allow_http": endpoint.startswith("http://")}}
        return cls(S3Store(parts.netloc, prefix=parts.path.strip("/") or None, **settings))

    async def put(self, tenant_id: UUID, data: bytes) -> str:
        """See MediaStore."""
        sha256 = hashlib.sha256(data).hexdigest()
        await self._store.put_async(_key(tenant_id, sha256), data)  # the same bytes under the same name: no harm
        return sha256

    async def get(self, tenant_id: UUID, sha256: str) -> bytes:
        """See MediaStore."""
        from obstore.exceptions import NotFoundError as MissingError  # noqa: PLC0415

        if not _DIGEST.fullmatch(sha256):
            raise NotFoundError("file", sha256)
        try:
            found = await self._store.get_async(_key(tenant_id, sha256))
            return bytes(await found.bytes_async())
        except (MissingError, FileNotFoundError):
            raise NotFoundError("file", sha256) from None

    async def delete(self, tenant_id: UUID, sha256: str) -> None:
        """See MediaStore."""
        if _DIGEST.fullmatch(sha256):
            await self._store.delete_async(_key(tenant_id, sha256))

    def path(self, tenant_id: UUID, sha256: str) -> Path | None:  # noqa: ARG002 - a bucket has no local files
        """See MediaStore."""
        return None


def _key(tenant_id: UUID, sha256: str) -> str:
    return f"{UUID(str(tenant_id))}/{sha256[:2]}/{sha256}"
