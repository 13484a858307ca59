"""Files of messages: kept when they come in, fetched from gateways, read by senders."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from channels.base import ChannelEvent, MessageReceived, SendRejectedError, SessionRef
from channels.gateway import File, GatewayRefusedError
from domain import media as formats
from domain.contents import Media
from domain.errors import NotFoundError
from domain.messages import MediaReference
from domain.text import storable, storable_json
from store import events
from store.database import Connection, Database, Row
from store.media import MediaStore
from store.wakeup import EVENTS, Wakeup

log = logging.getLogger(__name__)

Event = TypeVar("Event", bound=ChannelEvent)

INLINE_KEYS = ("base64", "data")
"""Where providers put a file that came inside the webhook: a text in ``MediaReference.extra``."""
_SHORTEST_INLINE = 16
_STORED = "stored_sha256"
_ATTEMPTS = 8
_LEASE = timedelta(minutes=3)
_FETCH_SECONDS = 120.0
_AT_ONCE = 4
FETCHABLE_FOR = timedelta(days=7)


class MediaFiles:
    """The media store with what the database knows of its files. Also the gateways' ``MediaSource``."""

    def __init__(self, db: Database, store: MediaStore) -> None:
        self._db = db
        self.store = store

    async def read(self, media: Media) -> File:
        """A file of ours, for a sender. Raises SendRejectedError where it is gone."""
        tenant, _, sha256 = media.ref.partition("/")
        try:
            data = await self.store.get(UUID(tenant), sha256)
        except (ValueError, OSError, NotFoundError) as error:
            raise SendRejectedError("The file of this message is gone.", hint="Attach it again.") from error
        return File(data, media.mime_type, media.file_name)

    async def without_inline(self, tenant_id: UUID, event: Event) -> Event:
        """The event with a file that came inside it put into the store, so that no row ever holds it."""
        if not isinstance(event, MessageReceived) or event.media is None:
            return event
        extra = dict(event.media.extra)
        inline = [key for key in INLINE_KEYS if isinstance(extra.get(key), str) and len(extra[key]) >= _SHORTEST_INLINE]
        if not inline:
            return event
        encoded = [extra.pop(key) for key in inline]
        data = await asyncio.to_thread(_decoded, encoded[0])
        if data:
            extra[_STORED] = await self.store.put(tenant_id, data)
            extra["stored_bytes"] = len(data)
            extra["stored_mime"] = formats.sniff(data, event.media.mime_type or "")
        return replace(event, media=replace(event.media, extra=extra))


def is_here(media: MediaReference) -> bool:
    """Whether the file came with its message and is in the store already."""
    return _STORED in media.extra


async def limit_of(tx: Connection) -> int:
    """The largest file that this tenant takes, in bytes."""
    found = await tx.fetchval("SELECT settings -> 'media' ->> 'limit_bytes' FROM tenant")
    return int(found) if found and str(found).isdigit() else formats.DEFAULT_LIMIT


async def note(
    tx: Connection,
    tenant_id: UUID,
    session_id: UUID,
    message_id: int,
    media: MediaReference,
    *,
    of_the_past: bool = False,
) -> None:
    """Note, in the message's own transaction, that its file is here or has to be fetched.

    ``of_the_past``: it cannot be fetched any more.
    """
    extra = dict(media.extra)
    sha256, size, mime = extra.pop(_STORED, None), extra.pop("stored_bytes", None), extra.pop("stored_mime", None)
    preview, pages = formats.miniature(extra.pop("preview", "")), extra.pop("pages", None)
    reference = {
        "mime_type": media.mime_type,
        "file_name": media.file_name,
        "size_bytes": media.size_bytes,
        "url": media.url,
        "extra": extra,
    }
    size = size or media.size_bytes
    await tx.execute(
        """INSERT INTO media_file (tenant_id, channel_session_id, message_id, state, sha256, mime_type, file_name,
                                   size_bytes, reference, error, preview, pages)
           SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
            WHERE NOT EXISTS (SELECT 1 FROM media_file WHERE message_id = $3)""",
        tenant_id,
        session_id,
        message_id,
        "stored" if sha256 is not None else "failed" if of_the_past else "wanted",
        sha256,
        storable(mime or media.mime_type or "")[0][:200],
        formats.clean_name(storable(media.file_name or "")[0]),
        size if isinstance(size, int) and 0 <= size < 2**62 else 0,
        storable_json(reference),
        "it is of the number's past, and too old to be fetched" if sha256 is None and of_the_past else None,
        preview,
        pages,
    )


class FileSource(Protocol):
    """Where customers' files of a number are: its gateway, or the channel that holds its connection."""

    async def fetch_media(self, session: SessionRef, media: MediaReference) -> File: ...


class MediaFetching:
    """Fetches customers' files: a loop of every worker, for the gateways, and of every session host, for the numbers
    (``local``) whose connection it holds. A file is one process's for some minutes.
    """

    def __init__(
        self,
        db: Database,
        wakeup: Wakeup,
        gateways: Mapping[str, FileSource],
        store: MediaStore,
        *,
        local: Callable[[], Mapping[UUID, FileSource]] = dict,
    ) -> None:
        self._db, self._wakeup, self._gateways, self._store, self._local = db, wakeup, gateways, store, local
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def run_due(self) -> int:
        """Fetch what is due; returns how many files were tried."""
        due = await self._db.gate("due_media", list(self._gateways), list(self._local()), _AT_ONCE * 4)
        results = await asyncio.gather(*(self._one(row["tenant_id"], row["id"]) for row in due), return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                log.error("a file could not be fetched", exc_info=result)
        return sum(result is True for result in results)

    async def _one(self, tenant_id: UUID, file_id: UUID) -> bool:
        async with self._room:
            async with self._db.transaction(tenant_id) as tx:
                row = await tx.fetchrow(
                    """UPDATE media_file f SET attempts = attempts + 1, next_attempt_at = now() + $2
                         FROM channel_session s
                        WHERE f.id = $1 AND f.state = 'wanted' AND f.next_attempt_at <= now()
                          AND s.id = f.channel_session_id
                    RETURNING f.*, s.provider, s.account, s.config, now() - f.created_at AS age""",
                    file_id,
                    _LEASE,
                )
                limit = await limit_of(tx)
            if row is None:
                return False
            await self._fetch(row, limit)
            return True

    async def _fetch(self, row: Row, limit: int) -> None:
        session = SessionRef(str(row["channel_session_id"]), row["provider"], row["account"], row["config"])
        reference = read_reference(row["reference"])
        if (reference.size_bytes or 0) > limit:
            await self._settle(row, "too_large", error=f"the file is larger than {limit} bytes")
            return
        source = self._local().get(row["channel_session_id"]) or self._gateways.get(row["provider"])
        if source is None:
            return  # the number went to another host meanwhile; the file is due again when its lease runs out
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                file = await source.fetch_media(session, reference)
        except (GatewayRefusedError, SendRejectedError) as error:
            # A gateway may still be downloading it itself, so even a refusal is asked again for some time.
            await self._retry(row, error.sentence(), patience=3)
        except Exception as error:
            log.info("file %s was not fetched: %r", row["id"], error)
            await self._retry(row, str(error) or type(error).__name__, patience=_ATTEMPTS)
        else:
            if len(file.data) > limit:
                await self._settle(row, "too_large", error=f"the file is larger than {limit} bytes")
            elif not file.data:
                await self._retry(row, "the gateway gave an empty file", patience=_ATTEMPTS)
            else:
                await self._keep(row, file)

    async def _keep(self, row: Row, file: File) -> None:
        sha256 = await self._store.put(row["tenant_id"], file.data)
        await self._settle(
            row,
            "stored",
            sha256=sha256,
            mime=formats.sniff(file.data, file.mime_type or row["mime_type"]),
            size=len(file.data),
            name=row["file_name"] or formats.clean_name(file.file_name),
        )

    async def _retry(self, row: Row, reason: str, *, patience: int) -> None:
        if row["attempts"] >= patience or row["age"] > FETCHABLE_FOR:
            await self._settle(row, "failed", error=reason)
            return
        wait = timedelta(seconds=min(2.0 ** row["attempts"], 900.0))
        async with self._db.transaction(row["tenant_id"]) as tx:
            await tx.execute(
                "UPDATE media_file SET next_attempt_at = now() + $2, error = $3 WHERE id = $1 AND state = 'wanted'",
                row["id"],
                wait,
                storable(reason)[0][:1000],
            )

    async def _settle(
        self,
        row: Row,
        state: str,
        *,
        sha256: str | None = None,
        mime: str | None = None,
        size: int | None = None,
        name: str | None = None,
        error: str | None = None,
    ) -> None:
        async with self._db.transaction(row["tenant_id"]) as tx:
            await tx.execute(
                """UPDATE media_file SET state = $2, sha256 = $3, mime_type = coalesce($4, mime_type),
                          size_bytes = coalesce($5, size_bytes), file_name = coalesce($6, file_name), error = $7
                    WHERE id = $1""",
                row["id"],
                state,
                sha256,
                mime,
                size,
                name,
                storable(error)[0][:1000] if error else None,
            )
            conversation_id = await tx.fetchval("SELECT conversation_id FROM message WHERE id = $1", row["message_id"])
            await events.append(
                tx,
                row["tenant_id"],
                "message.media",
                conversation_id=conversation_id,
                payload={"message_id": row["message_id"], "state": state},
            )
        self._wakeup.signal(EVENTS)


def read_reference(values: Mapping[str, Any]) -> MediaReference:
    """What ``note`` wrote down."""
    return MediaReference(
        mime_type=values.get("mime_type"),
        file_name=values.get("file_name"),
        size_bytes=values.get("size_bytes"),
        url=values.get("url"),
        extra=values.get("extra") or {},
    )


def _decoded(encoded: str) -> bytes:
    """The bytes of base64 text, with or without a data URL's head; none where it is no base64."""
    head, comma, rest = encoded.partition(",")
    text = rest if comma and head.startswith("data:") else encoded
    try:
        return base64.b64decode("".join(text.split()) + "=" * (-len("".join(text.split())) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
