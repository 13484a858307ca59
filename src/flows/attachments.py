"""Files that operators attach: checked as a whole before anything is queued."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from channels.whatsapp import outgoing
from domain import media as formats
from domain.contents import CONTENT_TYPES, Media
from domain.errors import InvalidInputError, TooLargeError
from domain.voice_notes import ogg_of
from flows.gateways import Gateways
from flows.media import MediaFiles, limit_of
from flows.session_removal import forget_file
from flows.sessions import HOSTED, SIMULATED
from store.database import Connection, Database

MOST_BYTES = 100 * 1024 * 1024
"""Nobody may attach more, whatever the tenant allows: it is WhatsApp's own limit for most files."""


RECORDED = "audio/webm"
"""What most browsers record a voice note as, and WhatsApp does not play."""


class NotOfferedHereError(InvalidInputError):
    """The number's gateway cannot send this, so it was not even queued."""

    def __init__(self, provider: str, what: str) -> None:
        super().__init__(what, f"not offered by this gateway ({provider})", hint="Send it as text, or by phone.")
        self.provider = provider


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that was checked and kept, ready to be sent."""

    sha256: str
    size_bytes: int
    media: Media


class Offers:
    """What numbers can send beside text, by provider."""

    def __init__(self, gateways: Gateways) -> None:
        self._contents = {name: gateway.content_types for name, gateway in gateways.items()}
        self._contents[SIMULATED] = frozenset(CONTENT_TYPES)
        self._contents[HOSTED] = outgoing.CONTENT_TYPES

    async def check(self, tx: Connection, session_id: UUID, content_type: str) -> None:
        """Raises NotOfferedHereError where this number's gateway does not take such content."""
        provider = await tx.fetchval("SELECT provider FROM channel_session WHERE id = $1", session_id)
        if content_type not in self._contents.get(str(provider), frozenset()):
            what = "files" if content_type == "media" else content_type
            raise NotOfferedHereError(str(provider), what)


class Attachments:
    """Takes operators' files in."""

    def __init__(self, db: Database, media: MediaFiles, offers: Offers) -> None:
        self._db, self.media, self.offers = db, media, offers

    async def take(
        self, tenant_id: UUID, conversation_id: UUID, *, data: bytes, file_name: str, claimed: str
    ) -> Attachment:
        """Check a file and keep it. ``claimed``: the type that the browser says.

        Raises InvalidInputError (empty, a program, not offered by the gateway) or TooLargeError; nothing is queued.
        """
        async with self._db.transaction(tenant_id) as tx:
            session_id = await tx.fetchval("SELECT channel_session_id FROM conversation WHERE id = $1", conversation_id)
            if session_id is not None:  # an unknown conversation is the desk's to refuse
                await self.offers.check(tx, session_id, "media")
            limit = min(await limit_of(tx), MOST_BYTES)
        mime, name = formats.sniff(data, claimed), formats.clean_name(file_name)
        if not data:
            raise InvalidInputError("file", f"{name or 'it'} is empty", hint="Choose another file.")
        if len(data) > limit:
            raise TooLargeError(limit)
        if formats.is_executable(mime, name):
            raise InvalidInputError("file", f"programs cannot be sent ({name or mime})", hint="Choose another file.")
        kind = formats.kind_of(mime)
        if mime == RECORDED and (playable := await asyncio.to_thread(ogg_of, data)) is not None:
            data, mime, kind = playable, "audio/ogg", "voice"
            name = f"{name.rpartition('.')[0] or name}.ogg"
        sha256 = await self.media.store.put(tenant_id, data)
        media = Media(kind, f"{tenant_id}/{sha256}", mime, name)
        return Attachment(sha256, len(data), media)

    async def forget(self, tenant_id: UUID, attachment: Attachment) -> None:
        """Forget a file whose message was refused, unless another message has it."""
        await forget_file(self._db, self.media.store, tenant_id, attachment.sha256)


async def note_sent(tx: Connection, tenant_id: UUID, session_id: UUID, message_id: int, attachment: Attachment) -> None:
    """Tie a file to the message that carries it."""
    await tx.execute(
        """INSERT INTO media_file (tenant_id, channel_session_id, message_id, state, sha256, mime_type, file_name,
                                   size_bytes)
           VALUES ($1, $2, $3, 'stored', $4, $5, $6, $7)""",
        tenant_id,
        session_id,
        message_id,
        attachment.sha256,
        attachment.media.mime_type,
        attachment.media.file_name,
        attachment.size_bytes,
    )
