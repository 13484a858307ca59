"""A file of knowledge as text with headings and pages: Markdown, plain text, HTML, PDF, DOCX, questions in CSV.

What a file is its content says first, its name second. Files come from anybody: readers of formats that are programs in
themselves run in a process of their own (``flows.knowledge_apart``), and each refusal says what to do next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any, Final

from domain.errors import AtendeError

SUFFIXES: Final = (".md", ".markdown", ".txt", ".html", ".htm", ".pdf", ".docx", ".csv", ".tsv")
"""Endings of the files that are read."""
READER: Final = "1"
"""Raised when readers or the cutting change what they make of the same file: all documents are then read again."""
MAX_BYTES: Final = 25 * 2**20
MAX_CHARACTERS: Final = 5_000_000
_TITLE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Block:
    """Text that stands together: a paragraph, a list, a table. ``headings`` from the outermost in."""

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    """From 1; None where a format has no pages."""
    whole: bool = False
    """A piece of its own: an answer is never mixed with the next question's."""


@dataclass(frozen=True, slots=True)
class DocumentText:
    """What a file says. ``notes`` are remarks for the person who added it."""

    title: str
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DocumentText:
        """The inverse of ``to_json``."""
        blocks = (Block(b["text"], tuple(b["headings"]), b["page"], b["whole"]) for b in values["blocks"])
        return cls(values["title"], tuple(blocks), tuple(values["notes"]))


class DocumentUnreadableError(AtendeError):
    """A file that cannot become knowledge as it is."""

    def __init__(self, name: str, problem: str, *, hint: str) -> None:
        super().__init__(f"{name} {problem}.", hint=hint)
        self.name = name
        self.problem = problem


def kind_of(name: str, data: bytes) -> str:
    """``md``, ``txt``, ``html``, ``pdf``, ``docx`` or ``csv``. Raises DocumentUnreadableError for anything else."""
    suffix = PurePath(name).suffix.lower()
    if len(data) > MAX_BYTES:
        raise DocumentUnreadableError(
            name,
            f"is larger than {MAX_BYTES // 2**20} MB",
            hint="Split it, or keep only the pages that customers ask about.",
        )
    if not data.strip():
        raise DocumentUnreadableError(name, "is empty", hint="Write something into it, or leave it out.")
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentUnreadableError(
            name,
            "is an old or a password-protected Office file",
            hint="Open it, take the password off, and save it as DOCX or PDF.",
        )
    if data.startswith(b"PK\x03\x04"):
        if suffix != ".docx":
            raise DocumentUnreadableError(
                name, "is an archive or an Office file that is not read", hint="Save it as DOCX, PDF or CSV."
            )
        return "docx"
    kinds = {
        ".md": "md",
        ".markdown": "md",
        ".txt": "txt",
        ".html": "html",
        ".htm": "html",
        ".csv": "csv",
        ".tsv": "csv",
    }
    if suffix in kinds:
        return kinds[suffix]
    if suffix in {".pdf", ".docx"}:
        raise DocumentUnreadableError(
            name, f"is called {suffix} but is none", hint="Open it where it was made and save it again."
        )
    raise DocumentUnreadableError(
        name, f"ends in {suffix or 'nothing'}, which is not read", hint=f"Save it as one of {', '.join(SUFFIXES)}."
    )


def decoded(name: str, data: bytes) -> tuple[str, tuple[str, ...]]:
    """Text of unknown encoding, with a note where it had to be guessed. Raises DocumentUnreadableError."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(encoding, "replace"), ()
    if b"\x00" in data:
        raise DocumentUnreadableError(name, "is no text", hint="Save it as UTF-8 text, or as PDF or DOCX.")
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        text = "".join(map(_decoded_line, data.splitlines(keepends=True)))
    if sum(not char.isprintable() and char not in "\r\n\t\f" for char in text) > len(text) // 50:
        raise DocumentUnreadableError(name, "is no text", hint="Save it as UTF-8 text, or as PDF or DOCX.")
    return text, ("It is not UTF-8 and was read as Windows-1252; check that its accents are right.",)


def _decoded_line(line: bytes) -> str:
    """Files are put together from others: a line that is UTF-8 is read as such."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")  # what Windows programs write in Brazil where they write no UTF-8


def name_as_title(name: str) -> str:
    """``politica_de-trocas.es.pdf`` → ``politica de trocas``: for documents that name no title."""
    stem = PurePath(name).name.split(".")[0]
    return one_line(re.sub(r"[_\-]+", " ", stem)) or name


def one_line(text: str) -> str:
    """A title or heading on one line, cut to a length that can be shown."""
    return " ".join(text.split())[:_TITLE_CHARACTERS].strip()


def tidy(text: str) -> str:
    """Without NUL, soft hyphens and trailing spaces; at most one empty line in a row."""
    plain = (
        text.replace("\x00", "").replace("\u00ad", "").replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
    )
    lines = "\n".join(re.sub(r"[ \t\f\v]+", " ", line).rstrip() for line in plain.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def finished(
    name: str, title: str, blocks: Iterable[Block], *, empty_hint: str, notes: Iterable[str] = ()
) -> DocumentText:
    """The document, checked: it says something, and not more than can be kept. Raises DocumentUnreadableError."""
    kept, length, title = [], 0, one_line(tidy(title)) or name_as_title(name)
    for block in blocks:
        text = tidy(block.text)
        if not any(char.isalnum() for char in text):
            continue
        length += len(text)
        if length > MAX_CHARACTERS:
            raise DocumentUnreadableError(
                name, f"holds more than {MAX_CHARACTERS:,} characters", hint="Split it into several files."
            )
        # A heading that only repeats the title tells nothing more.
        headings = tuple(heading for heading in map(one_line, block.headings) if heading and heading != title)
        kept.append(Block(text, headings, block.page, block.whole))
    if not kept:
        raise DocumentUnreadableError(name, "holds no text", hint=empty_hint)
    return DocumentText(title, tuple(kept), tuple(notes))
