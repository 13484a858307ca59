"""PDF as a document: text by page, under the bookmarks' headings. Runs apart (``flows.knowledge_apart``)."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from agent.normalise import fold
from flows.knowledge_files import Block, DocumentText, DocumentUnreadableError, finished, name_as_title, one_line

MAX_PAGES: Final = 2_000
_SAY_WHAT_TO_DO: Final = "Open it, print or save it as a new PDF, and add that one."
_PAGE_NUMBER: Final = re.compile(r"(?:p[aá]g(?:ina|e)?\.?\s*)?\d{1,4}(?:\s*(?:/|de|of)\s*\d{1,4})?", re.I)
_ENDS: Final = (".", "!", "?", ":", ";")
_ITEM: Final = re.compile(r"\s*(?:[-*•·–▪●]|\d{1,2}[.)]|[a-z]\))\s")


def read_pdf(name: str, data: bytes) -> DocumentText:
    """Raises DocumentUnreadableError."""
    from pypdf import PdfReader  # noqa: PLC0415 - only where a PDF is read
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        locked = reader.is_encrypted and not reader.decrypt("")
        count = 0 if locked else len(reader.pages)
        pages = [reader.pages[number].extract_text() or "" for number in range(min(count, MAX_PAGES))]
        bookmarks = {} if locked else _bookmarks(reader)
        title = str(reader.metadata.title or "") if not locked and reader.metadata else ""
    except (PyPdfError, RecursionError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        problem = f"cannot be read as a PDF ({type(error).__name__}: {one_line(str(error))[:120]})"
        raise DocumentUnreadableError(name, problem, hint=_SAY_WHAT_TO_DO) from error
    if locked:
        raise DocumentUnreadableError(name, "is protected by a password", hint="Save a copy without the password.")
    if count > MAX_PAGES:
        raise DocumentUnreadableError(
            name, f"has {count} pages, more than {MAX_PAGES}", hint="Keep only the pages that customers ask about."
        )
    lines = _without_margins([page.splitlines() for page in pages])
    blocks = _joined(_blocks(lines, bookmarks))
    return finished(
        name,
        title if _says_something(title) else name_as_title(name),
        blocks,
        empty_hint="Its pages are probably pictures: run text recognition (OCR) over it and add the result.",
        notes=_empty_pages(pages),
    )


def _says_something(title: str) -> bool:
    # Word processors put the file's name there, often of another file altogether.
    return len(title.strip()) > 3 and not re.search(
        r"\.(docx?|odt|pdf|indd|xlsx?|pptx?)\s*$|^microsoft word|^untitled", title, re.I
    )


def _bookmarks(reader: Any) -> dict[int, list[tuple[str, ...]]]:
    """Page number → the paths of the bookmarks that begin there. A broken outline is none."""
    found: dict[int, list[tuple[str, ...]]] = {}

    def walk(items: Sequence[Any], path: tuple[str, ...], depth: int) -> None:
        last = path
        for item in items:
            if isinstance(item, list):
                if depth < 6:
                    walk(item, last, depth + 1)
                continue
            last = (*path, one_line(str(item.title)))
            number = reader.get_destination_page_number(item)
            if number is not None:
                found.setdefault(number + 1, []).append(last)

    try:
        walk(reader.outline, (), 0)
    except Exception:  # whatever a hostile outline leads to: the pages' text is worth having without it
        return found
    return found


def _without_margins(pages: list[list[str]]) -> list[list[str]]:
    """Pages without their numbers and without first and last lines that most of them share."""
    outermost = [{*page[:2], *page[-2:]} for page in pages]
    edges = Counter(_shape(line) for lines in outermost for line in lines if line.strip())
    repeated = {line for line, count in edges.items() if len(pages) > 2 and count > len(pages) * 0.6}
    kept = []
    for page in pages:
        last = len(page) - 2
        kept.append(
            [
                line
                for place, line in enumerate(page)
                if not (
                    (place < 2 or place >= last) and (_shape(line) in repeated or _PAGE_NUMBER.fullmatch(line.strip()))
                )
            ]
        )
    # Pages of a line or two that differ in their numbers only, as of a price list, are no margins.
    return kept if any(any(line.strip() for line in page) for page in kept) else pages


def _shape(line: str) -> str:
    """Equal for a footer on page 2 and on page 3."""
    return re.sub(r"\d+", "#", fold(line))


def _blocks(pages: list[list[str]], bookmarks: dict[int, list[tuple[str, ...]]]) -> Iterator[Block]:
    path: tuple[str, ...] = ()
    for number, lines in enumerate(pages, 1):
        here = {fold(entry[-1]): entry for entry in bookmarks.get(number, []) if entry[-1]}
        shown = {fold(line) for line in lines}
        # A bookmark whose words the page does not show as a line heads the page from its top.
        for words, entry in here.items():
            if words not in shown:
                path = entry
        gathered: list[str] = []
        for line in lines:
            if fold(line) in here:
                yield from _paragraphs(gathered, path, number)
                gathered, path = [], here[fold(line)]
            else:
                gathered.append(line)
        yield from _paragraphs(gathered, path, number)


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """A sentence that goes on overleaf belongs to the page where it begins."""
    last: Block | None = None
    for block in blocks:
        goes_on = last is not None and not last.text.endswith(_ENDS) and block.text[:1].islower()
        if last is not None and goes_on and last.headings == block.headings and last.page != block.page:
            joint = "" if last.text.endswith("-") else " "
            last = Block(last.text.removesuffix("-") + joint + block.text, last.headings, last.page)
            continue
        if last is not None:
            yield last
        last = block
    if last is not None:
        yield last


def _paragraphs(lines: Sequence[str], path: tuple[str, ...], page: int) -> Iterator[Block]:
    """A line that ends in a full stop ends a paragraph where it is also clearly shorter than the others."""
    widest = max((len(line) for line in lines), default=0)
    paragraph = ""
    for line in map(str.strip, lines):
        if not line or _ITEM.match(line):
            if paragraph:
                yield Block(paragraph, path, page)
            paragraph = line
        elif paragraph.endswith("-") and line[:1].islower():
            paragraph = paragraph[:-1] + line
        else:
            paragraph = f"{paragraph} {line}".strip()
        if paragraph.endswith(_ENDS) and len(line) < widest * 0.8:
            yield Block(paragraph, path, page)
            paragraph = ""
    if paragraph:
        yield Block(paragraph, path, page)


def _empty_pages(pages: Sequence[str]) -> tuple[str, ...]:
    empty = [str(number) for number, text in enumerate(pages, 1) if not text.strip()]
    if not empty or len(empty) == len(pages):
        return ()
    listed = ", ".join(empty[:10]) + (" …" if len(empty) > 10 else "")
    return (f"No text on page {listed}: pictures are not read.",)
