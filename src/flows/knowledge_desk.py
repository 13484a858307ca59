"""A tenant's documents as people and programs handle them: put, looked at, removed, searched."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from domain.errors import InvalidInputError, NotFoundError
from domain.text import storable
from domain.told import Told
from flows import knowledge
from flows.knowledge import Added
from flows.knowledge_files import DocumentUnreadableError
from flows.tenant_declaration import LANGUAGES
from store.database import Database, Row

if TYPE_CHECKING:
    from agent.encoder import Encoder
    from agent.turn import Passage

LONGEST_TEXT: Final = 200_000
LONGEST_NAME: Final = 120
_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Found:
    """Passages, best first. Nothing is answered with one whose score is below ``threshold``."""

    passages: list[Passage]
    threshold: float
    language: str

    @property
    def answers(self) -> bool:
        """Whether the first passage would be answered with."""
        return bool(self.passages) and self.passages[0].score >= self.threshold


class KnowledgeDesk:
    """Raises NotFoundError, InvalidInputError or FolderDocumentError; then nothing was changed."""

    def __init__(self, db: Database, encoder: Callable[[], Encoder]) -> None:
        self._db, self._encoder = db, encoder

    async def all(self, tenant_id: UUID) -> list[Row]:
        """The documents, by name."""
        return await knowledge.documents(self._db, tenant_id)

    async def one(self, tenant_id: UUID, ref: str) -> Row:
        """One document."""
        for row in await self.all(tenant_id):
            if row["ref"] == storable(ref)[0]:
                return row
        raise NotFoundError("knowledge document", ref)

    async def put(self, tenant_id: UUID, ref: str, data: bytes, language: str | None) -> bool:
        """Bring a document in, or up to date; whether it is a new one."""
        before = {row["ref"] for row in await self.all(tenant_id)}
        try:
            added = await knowledge.add_file(self._db, tenant_id, ref, data, language)
        except DocumentUnreadableError as error:
            raise InvalidInputError("body", str(error), hint=error.hint) from error
        return added.ref not in before

    async def add_text(self, tenant_id: UUID, title: str, text: str, language: str = "") -> Added:
        """A text that somebody wrote on a page; the same title again replaces it."""
        title = " ".join(storable(title)[0].split())
        if not title or len(title) > LONGEST_NAME:
            raise InvalidInputError("title", Told("characters", "must have 1 to {most} characters", most=LONGEST_NAME))
        if not text.strip() or len(text) > LONGEST_TEXT:
            raise InvalidInputError("text", Told("characters", "must have 1 to {most} characters", most=LONGEST_TEXT))
        name = re.sub(r"[^\w\- ]+", "", title).strip().replace(" ", "-").lower() or "text"
        data = f"# {title}\n\n{text.strip()}\n".encode()
        return await knowledge.add_file(self._db, tenant_id, f"{name}.md", data, _language(language))

    async def add_file(self, tenant_id: UUID, name: str, data: bytes, language: str = "") -> Added:
        """An uploaded file, by its own name. Raises DocumentUnreadableError too."""
        plain = storable(name.replace("\\", "/").rpartition("/")[2])[0].strip()
        if not plain or len(plain) > LONGEST_NAME:
            raise InvalidInputError("file", Told("characters", "must have 1 to {most} characters", most=LONGEST_NAME))
        return await knowledge.add_file(self._db, tenant_id, plain, data, _language(language))

    async def pieces(self, tenant_id: UUID, ref: str) -> tuple[Row, list[Row]]:
        """A document, and its first pieces: (ordinal, heading, text, page, indexed)."""
        document = await self.one(tenant_id, ref)
        async with self._db.transaction(tenant_id) as tx:
            rows = await tx.fetch(
                "SELECT c.ordinal, c.heading, c.text, c.page, c.encoder <> '' AS indexed FROM knowledge_chunk c "
                "JOIN knowledge_document d ON d.id = c.document_id WHERE d.ref = $1 ORDER BY c.ordinal LIMIT $2",
                document["ref"],
                _SHOWN,
            )
        return document, list(rows)

    async def remove(self, tenant_id: UUID, ref: str) -> None:
        """Forget a document that was added."""
        await knowledge.remove(self._db, tenant_id, storable(ref)[0])

    async def search(self, tenant_id: UUID, question: str, limit: int) -> Found:
        """What would be found for a question."""
        from agent.language import detect_language  # noqa: PLC0415 - numpy and an encoder: only where one searches
        from flows.knowledge_search import KnowledgeSearch  # noqa: PLC0415
        from flows.tenant_profile import profile_of  # noqa: PLC0415

        async with self._db.transaction(tenant_id) as tx:
            profile = profile_of(await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id))
        language = detect_language(question, profile.default_language, profile.languages)
        passages = await KnowledgeSearch(self._db, self._encoder()).search(tenant_id, question, language, limit)
        return Found(passages, profile.knowledge_threshold, language)


def _language(given: str) -> str | None:
    if given and given not in LANGUAGES:
        raise InvalidInputError("language", f"must be one of {', '.join(LANGUAGES)}")
    return given or None
