"""A message's file, for programs that may read its conversation."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain.errors import AtendeError, ConflictError, NotFoundError
from store.database import Database


class FileOnItsWayError(ConflictError):
    """The provider has the file still, or we are fetching it."""

    def __init__(self) -> None:
        super().__init__(
            "The file of this message is not here yet.",
            hint="Ask again in some seconds, or wait for the event message.media of this message.",
        )


class FileNotKeptError(AtendeError):
    """The file will not come any more; ``reason`` tells why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The file of this message was not kept: {reason}.", hint="Ask the sender to send it again.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file in the media store. ``size``: bytes; ``sha256`` names its content."""

    id: UUID
    tenant_id: UUID
    sha256: str
    mime_type: str
    file_name: str
    size: int


class MessageFiles:
    """Finds them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, tenant_id: UUID, conversation_id: UUID, message_id: int) -> KeptFile:
        """The file of a message that the caller sees. Raises NotFoundError, FileOnItsWayError and FileNotKeptError."""
        async with self._db.transaction(tenant_id) as tx:
            row = await tx.fetchrow(
                """SELECT f.id, f.state, f.sha256, f.mime_type, f.file_name, f.size_bytes, f.error
                     FROM message m JOIN conversation c ON c.id = m.conversation_id
                     JOIN media_file f ON f.message_id = m.id
                    WHERE c.id = $1 AND m.id = $2""",
                conversation_id,
                message_id,
            )
        if row is None:
            raise NotFoundError("file of message", message_id)
        if row["state"] == "wanted":
            raise FileOnItsWayError
        if row["state"] != "stored" or row["sha256"] is None:
            raise FileNotKeptError(row["error"] or row["state"])
        return KeptFile(row["id"], tenant_id, row["sha256"], row["mime_type"], row["file_name"], row["size_bytes"])
