"""New pieces of documents get their vectors: a loop of every worker, beside the turns and never in their way.

Another encoder than last time makes every document due again. A document is one worker's for some minutes; whoever dies
over it leaves it to the next.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from agent.encoder import Encoder
from domain.text import storable
from flows.knowledge_chunks import Chunk
from flows.knowledge_vectors import encode_chunk, passage_encoder
from store import events, knowledge_documents
from store.database import Database, Row
from store.knowledge import passage_literal, passages_literal
from store.knowledge_documents import Vectors

log = logging.getLogger(__name__)

_LEASE: Final = timedelta(minutes=3)
_AT_ONCE: Final = 4
_STORED_AT_ONCE: Final = 32
_LONGEST_WAIT: Final = timedelta(hours=1)


def chunk_vectors(chunk: Chunk, document: str, encoder: Encoder) -> Vectors:
    """A chunk's vectors as they are stored."""
    whole, sentences = encode_chunk(chunk, document, encoder)
    return passage_literal(whole.tolist()), passages_literal(row.tolist() for row in sentences)


class KnowledgeIndexing:
    """Encodes what waits."""

    def __init__(self, db: Database, encoder: Encoder) -> None:
        self._db = db
        self._encoder = passage_encoder(encoder)

    async def run_due(self) -> int:
        """Index documents that are due; returns how many were finished."""
        done = 0
        for row in await self._db.gate("due_knowledge", self._encoder.name, _AT_ONCE):
            done += await self._document(row["tenant_id"], row["document_id"])
        return done

    async def run_all(self) -> None:
        """Index until nothing is due: for a command that has no worker beside it."""
        while await self.run_due():
            pass

    async def _document(self, tenant_id: UUID, document_id: UUID) -> bool:
        encoder = self._encoder.name
        async with self._db.transaction(tenant_id) as tx:
            taken = await knowledge_documents.claim(tx, document_id, encoder, _LEASE)
        if taken is None:
            return False
        try:
            while True:
                async with self._db.transaction(tenant_id) as tx:
                    rows = await knowledge_documents.unencoded(tx, document_id, encoder, _STORED_AT_ONCE)
                if not rows:
                    break
                vectors = await self._vectors(rows)
                async with self._db.transaction(tenant_id) as tx:
                    await knowledge_documents.set_vectors(tx, encoder, vectors)
                    await knowledge_documents.extend(tx, document_id, _LEASE)
            async with self._db.transaction(tenant_id) as tx:
                done = await knowledge_documents.settle(tx, document_id, encoder)
                if done:
                    await events.append(tx, tenant_id, "knowledge.indexed", payload={"ref": taken["ref"]})
        except Exception as error:
            log.exception("the document %s could not be indexed", document_id)
            wait = min(timedelta(seconds=2.0 ** min(taken["attempts"], 12)), _LONGEST_WAIT)
            async with self._db.transaction(tenant_id) as tx:
                reason = storable(f"{type(error).__name__}: {error}")[0][:500]
                await knowledge_documents.postpone(tx, document_id, reason, wait)
            return False
        else:
            return done

    async def _vectors(self, rows: list[Row]) -> list[tuple[UUID, str, str, str]]:
        found = []
        for row in rows:
            chunk = Chunk(row["heading"], row["text"], row["page"])
            whole, sentences = await asyncio.to_thread(chunk_vectors, chunk, row["title"], self._encoder)
            found.append((row["id"], row["digest"], whole, sentences))
        return found
