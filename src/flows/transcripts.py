"""What customers' voice notes, pictures and documents say: read once, kept with the message, used as its text.

A turn that finds a file without a transcript has it read first, on the queue of turns that may wait. The transcript is
a fact about the message and no part of the decision: it is kept even where a person has taken the conversation in the
meantime, and a turn that runs again does not pay for it again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from agent.media_reader import MediaReader, MediaReaderUnavailableError, MediaUnreadableError, ReadMedia
from agent.prompts import PromptLibrary
from agent.turn import TenantProfile, TurnResult
from domain.decisions import ModelCall, Reason
from domain.errors import AtendeError
from domain.messages import MessageKind
from domain.text import storable
from store import events, messages
from store.database import Database, Row
from store.media import MediaStore

log = logging.getLogger(__name__)

READABLE_KINDS: Final = frozenset({MessageKind.VOICE, MessageKind.AUDIO, MessageKind.IMAGE, MessageKind.DOCUMENT})
_AT_ONCE: Final = 3
_LOOK_AGAIN: Final = timedelta(seconds=2)
_CUT_OFF: Final = " […]"


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What a tenant lets be read (flows.tenant_declaration.MediaReadingDeclaration)."""

    enabled: bool = True
    longest_characters: int = 4_000
    most_bytes: int = 16_000_000
    most_files: int = 5
    patience: timedelta = timedelta(seconds=60)
    """How long a turn waits for a file that its gateway does not hand out yet."""

    @classmethod
    def of(cls, settings: dict[str, Any]) -> ReadingLimits:
        """From the tenant's settings."""
        given = settings.get("media_reading", {})
        default = cls()
        return cls(
            enabled=given.get("enabled", True) is True,
            longest_characters=int(given.get("longest_characters", default.longest_characters)),
            most_bytes=int(float(given.get("most_megabytes", default.most_bytes / 1_000_000)) * 1_000_000),
            most_files=int(given.get("most_files", default.most_files)),
            patience=timedelta(seconds=float(given.get("wait_seconds", default.patience.total_seconds()))),
        )


class Transcripts:
    """Has the files of unanswered messages read."""

    def __init__(self, db: Database, store: MediaStore, prompts: PromptLibrary) -> None:
        self._db, self._store, self._prompts = db, store, prompts

    async def read(self, row: Row, reader: MediaReader, profile: TenantProfile, language: str) -> timedelta | None:
        """Read what ``unread`` finds, and keep what came of each; None, or how long to wait for a file that is late.

        Never raises for a file that cannot be read: that is noted with the message, and a person gets to see it.
        """
        limits = ReadingLimits.of(row["settings"])
        wanted = unread(row)
        async with self._db.transaction(row["tenant_id"]) as tx:
            files = {
                file["message_id"]: file
                for file in await tx.fetch(
                    """SELECT message_id, state, sha256, mime_type, size_bytes, now() - created_at < $2 AS may_come
                         FROM media_file WHERE message_id = ANY ($1)""",
                    wanted,
                    limits.patience,
                )
            }
        late = [id_ for id_ in wanted if id_ in files and files[id_]["state"] == "wanted" and files[id_]["may_come"]]
        if late:
            return _LOOK_AGAIN
        instructions = self._prompts.of(profile.prompts, "describe_media").fill(
            business=profile.name, language=language
        )
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(position: int, message_id: int) -> None:
            async with room:
                file = files.get(message_id) if position < limits.most_files else None
                content = await self._words(row["tenant_id"], file, reader, limits, instructions)
                await self._keep(row, message_id, content)

        await asyncio.gather(*(one(position, id_) for position, id_ in enumerate(wanted)))
        return None

    async def cost_micros(self, row: Row) -> int:
        """What was paid to read the files that were unread in ``row``."""
        async with self._db.transaction(row["tenant_id"]) as tx:
            cost: int = await tx.fetchval(
                "SELECT coalesce(sum((transcript ->> 'cost_micros')::bigint), 0)::bigint "
                "FROM message_as_changed WHERE id = ANY ($1)",
                unread(row),
            )
        return cost

    async def _words(
        self, tenant_id: UUID, file: Row | None, reader: MediaReader, limits: ReadingLimits, instructions: str
    ) -> dict[str, Any]:
        """What is kept of a file: ``text``, or ``error`` for what a person must look at."""
        try:
            sha256, mime_type = _readable(file, reader, limits)
            data = await self._store.get(tenant_id, sha256)
            return _kept(await reader.read(data, mime_type, instructions=instructions), limits)
        except (MediaUnreadableError, MediaReaderUnavailableError) as error:
            log.info("a customer's file was not read: %s", error)
            return {"error": error.sentence()[:500]}
        except (AtendeError, OSError) as error:
            log.warning("a customer's file is gone: %r", error)
            return {"error": "The file is gone."}

    async def _keep(self, row: Row, message_id: int, content: dict[str, Any]) -> None:
        async with self._db.transaction(row["tenant_id"]) as tx:
            if await messages.add_transcript(tx, message_id, content):
                await events.append(
                    tx,
                    row["tenant_id"],
                    "message.media",
                    conversation_id=row["id"],
                    payload={"message_id": message_id, "state": "unreadable" if "error" in content else "transcribed"},
                )


def unread(row: Row) -> list[int]:
    """Unanswered messages whose file nobody has tried to read. ``row``: store.turns.read."""
    return [
        id_ for id_, kind, _, _, _, transcript in row["unanswered"] if kind in READABLE_KINDS and transcript is None
    ]


def with_costs(row: Row, result: TurnResult) -> TurnResult:
    """The turn pays for what was read of the messages that it answers, and says so."""
    read = [transcript for *_, transcript in row["unanswered"] if transcript and "text" in transcript]
    failed = [transcript["error"] for *_, transcript in row["unanswered"] if transcript and "error" in transcript]
    if not (read or failed) or result.decision is None:
        return result
    calls = tuple(
        ModelCall(
            one["model"], one["kind"], cost_micros=one.get("cost_micros", 0), duration_ms=one.get("duration_ms", 0.0)
        )
        for one in read
        if one.get("model")
    )
    reasons = [Reason("media_read", f"{one['kind']} of {len(one['text'])} characters") for one in read]
    reasons += [Reason("media_not_read", error) for error in failed]
    trace = dataclasses.replace(
        result.trace,
        cost_micros=result.trace.cost_micros + sum(call.cost_micros for call in calls),
        model_calls=(*calls, *result.trace.model_calls),
    )
    decision = dataclasses.replace(result.decision, reasons=(*reasons, *result.decision.reasons))
    return dataclasses.replace(result, trace=trace, decision=decision)


def _readable(file: Row | None, reader: MediaReader, limits: ReadingLimits) -> tuple[str, str]:
    """The file's digest and type. Raises MediaUnreadableError."""
    if file is None or file["state"] != "stored":
        raise MediaUnreadableError("The file is not here.")
    if file["size_bytes"] > limits.most_bytes:
        raise MediaUnreadableError(f"The file is larger than {limits.most_bytes} bytes.")
    if not reader.takes(file["mime_type"]):
        raise MediaUnreadableError(f"Files of the type {file['mime_type'] or 'unknown'} are not read.")
    return file["sha256"], file["mime_type"]


def _kept(found: ReadMedia, limits: ReadingLimits) -> dict[str, Any]:
    text = storable(found.text)[0]
    if len(text) > limits.longest_characters:
        text = text[: limits.longest_characters].rstrip() + _CUT_OFF
    return {
        "kind": found.kind,
        "text": text,
        "model": found.model,
        "cost_micros": found.cost_micros,
        "duration_ms": round(found.duration_ms, 1),
    }
