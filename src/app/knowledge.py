"""What an administrator does with a tenant's documents: see ``app.knowledge_commands``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from agent.encoder import default_encoder
from agent.language import detect_language
from domain.errors import AtendeError, InvalidInputError
from flows import knowledge
from flows.knowledge_files import MAX_BYTES, SUFFIXES
from flows.knowledge_indexing import KnowledgeIndexing
from flows.knowledge_search import KnowledgeSearch
from flows.tenant_declaration import LANGUAGES
from flows.tenant_profile import profile_of
from store.database import Database
from store.knowledge_documents import ADDED

_SHOWN = 200
_MOST_FILES = 5_000


@dataclass
class AddingFiles:
    """Files to add, and what came of each. One that cannot be read stops no other."""

    path: Path
    language: str | None = None
    mirror: bool = False
    now: bool = False
    refused: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises InvalidInputError before anything is opened."""
        if self.language is not None and self.language not in LANGUAGES:
            raise InvalidInputError("language", f"{self.language!r} is unknown", hint="Use pt, es or en.")
        if not self.path.exists():
            raise InvalidInputError("path", f"there is no {self.path}", hint="Check the path.")
        if self.mirror and not self.path.is_dir():
            raise InvalidInputError("--mirror", "needs a folder", hint="Name a folder, or leave --mirror out.")

    async def run(self, db: Database, tenant_id: UUID) -> list[str]:
        """Lines that tell what was done."""
        lines, refs, waiting = [], set[str](), 0
        for ref, file in self._files():
            refs.add(ref)
            try:
                data = await asyncio.to_thread(_read, file)
                added = await knowledge.add_file(db, tenant_id, ref, data, self.language or _language_in(file.name))
            except (AtendeError, OSError) as error:
                said = error.sentence() if isinstance(error, AtendeError) else f"{file.name} cannot be read: {error}."
                self.refused.append(ref)
                lines.append(f"✗ {said}")
                continue
            waiting += added.new
            lines.append(_outcome(added))
            lines += [f"    {note}" for note in added.notes]
        if not refs:
            lines.append(f"There is no file to read in {self.path}: {', '.join(SUFFIXES)}.")
        if self.mirror and refs:
            for row in await knowledge.documents(db, tenant_id):
                if row["source"] == ADDED and row["ref"] not in refs:
                    await knowledge.remove(db, tenant_id, row["ref"])
                    lines.append(f"- {row['ref']}: removed, it is not in the folder.")
        if self.now:
            await KnowledgeIndexing(db, default_encoder()).run_all()
        elif waiting:
            lines.append(f"{_counted(waiting)} to index: a worker of atende serve does it within seconds.")
        return lines

    def _files(self) -> Iterator[tuple[str, Path]]:
        if not self.path.is_dir():
            yield self.path.name, self.path
            return
        found = sorted(
            path
            for path in self.path.rglob("*")
            if path.suffix.lower() in SUFFIXES
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(self.path).parts)
        )
        if len(found) > _MOST_FILES:
            raise InvalidInputError("path", f"holds more than {_MOST_FILES} files", hint="Add its folders one by one.")
        for path in found:
            yield path.relative_to(self.path).as_posix(), path


async def list_documents(db: Database, tenant_id: UUID) -> list[str]:
    """A line for each document."""
    lines = []
    for row in await knowledge.documents(db, tenant_id):
        state = f"{row['waiting']} waiting" if row["waiting"] else "indexed"
        if row["error"]:
            state = f"failed, tried again: {row['error'][:80]}"
        kept = f"{row['language']}  {row['source']:6}  {row['chunks']:5} pieces  {state:12}"
        lines.append(f"{row['ref']:32}  {kept}  {row['title']}")
    return lines or ["There are no documents yet. Add one with: atende knowledge add FILE --tenant SLUG"]


async def remove_documents(db: Database, tenant_id: UUID, refs: list[str]) -> list[str]:
    """Raises NotFoundError or FolderDocumentError at the first that cannot be removed."""
    lines = []
    for ref in refs:
        await knowledge.remove(db, tenant_id, ref)
        lines.append(f"{ref} is removed.")
    return lines


async def search_documents(db: Database, tenant_id: UUID, question: str, limit: int) -> list[str]:
    """What is found, best first, with the score that the tenant's threshold is compared with."""
    async with db.transaction(tenant_id) as tx:
        tenant = await tx.fetchrow("SELECT * FROM tenant WHERE id = $1", tenant_id)
    profile = profile_of(tenant)
    language = detect_language(question, profile.default_language, profile.languages)
    found = await KnowledgeSearch(db, default_encoder()).search(tenant_id, question, language, limit)
    least = profile.knowledge_threshold
    best = found[0].score if found else 0.0
    verdict = "answered with the first" if best >= least else "not answered: nothing reaches the threshold"
    lines = [f"{verdict} ({best:.2f}, threshold {least:.2f}, language {language})"]
    for passage in found:
        text = " ".join(passage.text.split())
        lines.append(f"  {passage.score:.2f}  {passage.place}  [{passage.ref}]")
        lines.append(f"        {text[:_SHOWN]}{' …' if len(text) > _SHOWN else ''}")
    return lines


def _outcome(added: knowledge.Added) -> str:
    if not added.changed:
        return f"= {added.ref}: unchanged."
    parts = [_counted(added.chunks), f"{added.new} new"]
    if added.removed:
        parts.append(f"{added.removed} removed")
    return f"+ {added.ref}: {added.title} ({added.language}), {', '.join(parts)}."


def _counted(pieces: int) -> str:
    return "1 piece" if pieces == 1 else f"{pieces} pieces"


def _language_in(name: str) -> str | None:
    parts = name.split(".")
    return parts[-2] if len(parts) > 2 and parts[-2] in LANGUAGES else None


def _read(file: Path) -> bytes:
    # One byte more than is taken: the refusal says so, and a huge file is never read whole.
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        return opened.read(min(size, MAX_BYTES) + 1)
