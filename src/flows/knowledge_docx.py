"""DOCX as a document: paragraphs and tables under their headings. Runs apart (``flows.knowledge_apart``)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any, Final

from flows.knowledge_files import Block, DocumentText, DocumentUnreadableError, finished, name_as_title, one_line

MAX_UNPACKED: Final = 200 * 2**20
_MAX_PARTS: Final = 5_000
_TEXT_PARTS: Final = 60 * 2**20
_HEADING: Final = re.compile(r"(?:heading|t[ií]tulo|encabezado)\s*(\d)", re.I)
_SAY_WHAT_TO_DO: Final = "Open it in a word processor, save it again as DOCX, and add that file."


def read_docx(name: str, data: bytes) -> DocumentText:
    """Raises DocumentUnreadableError."""
    _check_archive(name, data)
    from docx import Document  # noqa: PLC0415 - only where a DOCX is read
    from docx.opc.exceptions import OpcError  # noqa: PLC0415
    from lxml.etree import LxmlError  # noqa: PLC0415

    try:
        document = Document(io.BytesIO(data))
        blocks = list(_blocks(document))
        title = next((b.text for b in blocks if b.headings == (_TITLE,)), "") or str(
            document.core_properties.title or ""
        )
    except (OpcError, LxmlError, zipfile.BadZipFile, KeyError, ValueError, AttributeError, TypeError, OSError) as error:
        problem = f"cannot be read as a DOCX ({type(error).__name__}: {one_line(str(error))[:120]})"
        raise DocumentUnreadableError(name, problem, hint=_SAY_WHAT_TO_DO) from error
    text = [block for block in blocks if block.headings != (_TITLE,)]
    return finished(
        name,
        title or name_as_title(name),
        text,
        empty_hint="Pictures in it are not read: write their text out, or add a PDF with recognised text (OCR).",
    )


_TITLE: Final = "\0title"


def _check_archive(name: str, data: bytes) -> None:
    """Before anything is unpacked: a small archive may claim to hold terabytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DocumentUnreadableError(name, "is a damaged DOCX", hint=_SAY_WHAT_TO_DO) from error
    names = {part.filename for part in parts}
    if "word/document.xml" not in names:
        raise DocumentUnreadableError(name, "is no Word document", hint="Save it as DOCX, PDF or CSV.")
    if any(part.flag_bits & 1 for part in parts):
        raise DocumentUnreadableError(name, "is protected by a password", hint="Save a copy without the password.")
    text = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
    if len(parts) > _MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED or text > _TEXT_PARTS:
        raise DocumentUnreadableError(
            name,
            "unpacks to far more than a document holds",
            hint="Save its text as a new document, without the pictures.",
        )


def _blocks(document: Any) -> Iterator[Block]:
    path = [""] * 10
    items: list[str] = []

    def listed() -> Iterator[Block]:
        if items:
            yield Block("\n".join(items), tuple(filter(None, path)))
            items.clear()

    for part in document.iter_inner_content():
        if hasattr(part, "rows"):
            yield from listed()
            yield from (Block(row, tuple(filter(None, path))) for row in _table(part))
            continue
        text = part.text.strip()
        style = str(part.style.name or "") if part.style is not None else ""
        if not text:
            continue
        if level := _level(part, style):
            yield from listed()
            path[level:] = [text] + [""] * (9 - level)
        elif style.lower() in {"title", "título", "titulo"}:
            yield Block(text, (_TITLE,))
        elif "list" in style.lower():
            items.append(f"- {text}")
        else:
            yield from listed()
            yield Block(text, tuple(filter(None, path)))
    yield from listed()


def _level(paragraph: Any, style: str) -> int:
    if match := _HEADING.search(style):
        return max(1, int(match[1]))
    outline = paragraph._p.xpath("./w:pPr/w:outlineLvl/@w:val")
    return int(outline[0]) + 1 if outline and outline[0].isdigit() and int(outline[0]) < 9 else 0


def _table(table: Any) -> Iterator[str]:
    """Rows as lines, each with the names of its columns where the first row names them."""
    # A merged cell is handed out once for each column that it covers.
    rows = [
        [cell.text.strip().replace("\n", " ") for cell in {id(cell._tc): cell for cell in row.cells}.values()]
        for row in table.rows
    ]
    if len(rows) < 2 or len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        yield "\n".join(" | ".join(filter(None, row)) for row in rows)
        return
    head, *body = rows
    for row in body:
        yield " | ".join(f"{name}: {cell}" if name else cell for name, cell in zip(head, row, strict=True) if cell)
