"""Documents cut into pieces that a search finds and an answer can quote."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from flows.knowledge_files import Block, DocumentText

MOST_CHARACTERS: Final = 600
"""Of a piece's text: a screen of a phone, and hardly more than the encoder reads (agent.normalise)."""
LEAST_CHARACTERS: Final = 120
"""A remainder shorter than this stays with the piece before it."""
_LEAST_OF_A_SENTENCE: Final = 25
_MOST_SENTENCES: Final = 10
_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+(?=[^\s])|\n+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document, with where it stands."""

    heading: str
    """Headings from the outermost in, joined by `` › ``; "" before the first."""
    text: str
    page: int | None = None

    def title(self, document: str) -> str:
        """The title of its document, then its headings."""
        return f"{document} · {self.heading}" if self.heading else document

    def encoded(self, document: str) -> str:
        """What is encoded: titles and headings belong to the meaning of what stands below them."""
        return f"{self.title(document)}. {self.text}"

    def sentences(self) -> list[str]:
        """Its sentences, each behind its heading, for judging whether it answers; the short ones joined."""
        head = self.heading.rpartition(" › ")[2]
        joined: list[str] = []
        for sentence in filter(None, map(str.strip, _SENTENCE.split(self.text))):
            if joined and (len(joined[-1]) < _LEAST_OF_A_SENTENCE or len(joined) >= _MOST_SENTENCES):
                joined[-1] = f"{joined[-1]} {sentence}"
            else:
                joined.append(sentence)
        return [f"{head}. {sentence}" if head else sentence for sentence in joined]

    def digest(self, document: str) -> str:
        """Changes exactly when the piece must be encoded and indexed anew."""
        return hashlib.sha256(self.encoded(document).encode("utf-8", "replace")).hexdigest()


def cut(document: DocumentText, most: int = MOST_CHARACTERS) -> list[Chunk]:
    """The document's pieces in order. A section that fits stays whole; others part at paragraphs, then sentences."""
    chunks: list[Chunk] = []
    for headings, blocks in groupby(document.blocks, key=lambda block: block.headings):
        heading = " › ".join(headings)
        loose: list[Block] = []
        for block in blocks:
            if block.whole:
                chunks += _packed(heading, loose, most)
                chunks += _packed(heading, [block], most)
                loose = []
            else:
                loose.append(block)
        chunks += _packed(heading, loose, most)
    return chunks


def _packed(heading: str, blocks: Sequence[Block], most: int) -> list[Chunk]:
    packed: list[Chunk] = []
    for text, page, joint in _parts(blocks, most):
        last = packed[-1] if packed else None
        # A new page begins a new piece, or it would be cited with the wrong one.
        room = 0 if last is None or last.page != page else most - len(last.text) - len(joint)
        if len(text) < LEAST_CHARACTERS and room > -LEAST_CHARACTERS:
            room += LEAST_CHARACTERS
        if last is not None and last.page == page and len(text) <= room:
            packed[-1] = Chunk(heading, f"{last.text}{joint}{text}", last.page)
        else:
            packed.append(Chunk(heading, text, page))
    return packed


def _parts(blocks: Sequence[Block], most: int) -> Iterator[tuple[str, int | None, str]]:
    """Texts of at most ``most`` characters, each with its page and what joins it to the one before."""
    for block in blocks:
        if len(block.text) <= most:
            yield block.text, block.page, "\n\n"
            continue
        joint = "\n\n"
        for sentence in _SENTENCE.split(block.text):
            for start in _cuts(sentence, most):
                yield start, block.page, joint
                joint = " "


def _cuts(sentence: str, most: int) -> Iterator[str]:
    rest = sentence.strip()
    while len(rest) > most:
        end = rest.rfind(" ", most // 2, most)
        end = end if end > 0 else most
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest
