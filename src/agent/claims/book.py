"""A reply while its ledger is written: how it is read, what the turn knows, and the claims found so far."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from agent.claims.lexicon import CLASSES
from agent.claims.nearness import SAME, Nearness
from agent.claims.phrases import MONEYED
from agent.claims.sources import Index, Path, Sources
from agent.claims.text import Folded, Mood, Segment, folded, moods, segments
from agent.claims.values import Value, find_values
from agent.claims.words import Mention, mentions, negated
from domain.decisions import Claim

_DENIED_VERB: Final = re.compile(
    r"\W*(?:\w+ ){0,2}(?:nao|no) (?:e|é|es|sao|son|esta|estao|estan|vem|viene|entra|fica|inclu\w+)\b|\W*(?:\w+ ){0,2}(?:(?:is|are|was|were)(?: not|n't)|isn't|aren't|wasn't)\b"
)


@dataclass(slots=True)
class Book:
    """Positions are those of the folded text; ``claim`` turns them into the reply's own."""

    reply: str
    language: str
    sources: Sources
    nearness: Nearness | None = None
    """Tells which words of the reply mean what a word of a source does; None: only those of the word list."""
    read: Folded = field(init=False)
    index: Index = field(init=False)
    values: list[Value] = field(init=False)
    parts: list[Segment] = field(init=False)
    moods: list[Mood] = field(init=False)
    named: list[list[Mention]] = field(init=False)
    """The concepts of each segment, outside of values."""
    denied: list[tuple[int, int]] = field(init=False)
    claims: list[Claim] = field(default_factory=list, init=False)
    strange: dict[int, int] = field(default_factory=dict, init=False)
    """How many words no source knows, by sentence."""
    anchored: set[int] = field(default_factory=set, init=False)
    """Segments of which a source says something."""
    paths: dict[int, list[tuple[Value | Mention, tuple[Path, ...]]]] = field(default_factory=dict, init=False)
    """What a sentence takes from which record."""

    def __post_init__(self) -> None:
        self.read = folded(self.reply)
        text = self.read.text
        self.index = Index(self.sources, self.language).fill()
        self.values = find_values(self.read, self.language, self.index.today)
        inside = {place for value in self.values for place in range(value.start, value.end)}
        self.parts = segments(text, inside.__contains__)
        self.denied = negated(text, self.language)
        every = mentions(text, self.read.lower, self.language)
        done = [m.start for m in every if m.form == "done" and CLASSES[m.concept] == "state"]
        self.moods = moods(text, self.parts, lambda part: any(part.start <= place < part.end for place in done))
        self.named = [
            [self._as_denied(m, part) for m in every if part.start <= m.start < part.end and m.start not in inside]
            for part in self.parts
        ]

    def _as_denied(self, mention: Mention, part: Segment) -> Mention:
        """A thing is denied with its verb: "breakfast isn't included"."""
        if mention.negative or CLASSES[mention.concept] != "fact" or mention.concept in MONEYED:
            return mention
        verb = _DENIED_VERB.match(self.read.text, mention.end, part.end)
        return replace(mention, negative=True) if verb else mention

    def claim(self, start: int, end: int, kind: str, supported_by: str | None) -> None:
        while end > start and self.read.text[end - 1] in " ,.;:!?\n":
            end -= 1
        if start < end:
            begin, stop = self.read.source(start, end)
            self.claims.append(Claim(begin, stop, kind, self.reply[begin:stop], supported_by))

    def means_known(self, start: int, end: int, *, results: bool = False) -> bool:
        """Whether the word there means what a word of a source (``results``: of a result) does, in any language."""
        return self.nearness is not None and self.nearness(self.read.lower[start:end], results=results) >= SAME

    def piece(self, place: int) -> str:
        return self.read.text[self.parts[place].start : self.parts[place].end]

    def sentence(self, place: int) -> list[int]:
        number = self.parts[place].sentence
        return [other for other, part in enumerate(self.parts) if part.sentence == number]

    def claims_in(self, part: Segment) -> list[Claim]:
        start, end = self.read.source(part.start, part.end)
        return [claim for claim in self.claims if start <= claim.start < end]
