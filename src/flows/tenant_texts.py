"""The longer texts of a tenant folder: the documents in ``knowledge/`` and the prompts in ``prompts/``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from agent.prompts import Prompt, PromptError, check_own, load_prompts, read_prompt
from flows.declared_files import FileReader
from flows.knowledge_apart import read_document
from flows.knowledge_chunks import cut
from flows.knowledge_files import READER, SUFFIXES, DocumentUnreadableError
from flows.tenant_declaration import LANGUAGES, KnowledgeDocument


def read_documents(reader: FileReader, default: str) -> tuple[KnowledgeDocument, ...]:
    """All documents, those that are wrong noted as problems. ``default``: language of those that name none."""
    documents: dict[str, KnowledgeDocument] = {}
    for file in reader.files("knowledge", *SUFFIXES):
        document = _document(reader, file, default)
        if document is not None and document.ref in documents:
            taken = documents[document.ref].file_name
            reader.problem(file, "", f"has the name of {taken} but for its ending.", "Rename one of them.")
        elif document is not None:
            documents[document.ref] = document
    return tuple(documents.values())


def read_knowledge(path: Path, default: str) -> KnowledgeDocument:
    """One document by itself. Raises TenantFilesError with what is wrong with it."""
    reader = FileReader(path.parent)
    document = _document(reader, path.name, default)
    reader.raise_problems()
    if document is None:
        raise AssertionError("a document that cannot be read was not reported")
    return document


def _document(reader: FileReader, file: str, default: str) -> KnowledgeDocument | None:
    path = Path(file)
    ref, *marks = path.name.removesuffix(path.suffix).split(".")
    language = marks[-1] if marks else default
    if language not in LANGUAGES:
        reader.problem(
            file, "", f"names an unknown language {language!r}.", "Call it name.md, or name.es.md and so on."
        )
        return None
    try:
        data = (reader.folder / file).read_bytes()
        if path.suffix == ".md" and not re.match(r"\ufeff?\s*# +\S", text := reader.text(file) or "# "):
            todo = "Write `# Title` as its first line." if text.strip() else "Write something, or remove the file."
            reader.problem(file, "", "does not begin with a title.", todo)
            return None
        found = read_document(path.name, data)
    except DocumentUnreadableError as error:
        reader.problem(file, "", f"{error.problem}.", error.hint)
        return None
    except OSError as error:
        reader.problem(file, "", f"cannot be read ({error.strerror}).", "Check its permissions.")
        return None
    digest = hashlib.sha256(f"{READER} {language} ".encode() + data).hexdigest()
    name = ".".join([ref, *marks])
    return KnowledgeDocument(name, found.title, language, path.name, digest, tuple(cut(found)))


def read_prompts(reader: FileReader) -> dict[str, Prompt]:
    """The tenant's own wording of prompts: each must fit the shipped one of its name, and each version is recorded."""
    found: dict[str, Prompt] = {}
    shipped = load_prompts()
    for file in reader.files("prompts", ".j2", ".yaml"):
        text = reader.text(file) if file.endswith(".j2") else None
        if text is None:
            continue
        try:
            prompt = read_prompt(reader.folder / file, text)
            check_own(prompt, shipped)
        except PromptError as error:
            reader.problem(file, f"line {error.line}", f"{error.problem}.", error.hint)
            continue
        if prompt.name in found:
            reader.problem(file, "name", f"{prompt.name} is taken by {found[prompt.name].path.name}.", "Keep one.")
        found[prompt.name] = prompt
    return found
