"""A reply made readable for rules: folded letter by letter, cut into sentences and segments, each with its mood.

Every position of the folded text leads back to the reply as written, so that what is marked is what people read.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from agent.claims.phrases import INABILITY, OFFER, REQUEST, SOCIAL, VERB

Mood = Literal["statement", "question", "request", "offer", "inability", "social"]

_ABBREVIATIONS: Final = frozenset(
    "dr dra sr sra srta av r al tel ex prof profa mr mrs ms st no nro num pag ref apto cap".split()
)
_END: Final = re.compile(r"[!?\n;]+|\.+(?=\s|$)|…")
_CUT: Final = re.compile(
    r"\s*(?:,(?!\d)|[()]|\s[-–—=+]+\s|:\s)\s*|\s+(?=(?:e|y|and|mas|porem|pero|but|porque|pois|(?:ya|ja) que|because|entao|entonces|"
    r"portanto|por isso|por eso|therefore|enquanto|mientras|while|ou seja|o sea|so that|so)\s)|"
    r"(?<=\w)\s(?:que|that)\s+(?=(?:o|a|os|as|seu|sua|seus|suas|el|la|tu|su|the|your|ja|ya|foi|esta|it|ele|ela)\s)"
)


@dataclass(frozen=True, slots=True)
class Folded:
    """``text``: lower case without accents; ``lower`` keeps them; ``at``: where each character stands in the source."""

    text: str
    lower: str
    at: Sequence[int]
    capital: str
    """The characters as written, in step with ``text``."""

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The span of the source that ``text[start:end]`` stands for."""
        return self.at[start], self.at[end - 1] + 1


@lru_cache(maxsize=8_192)
def _letters(char: str) -> tuple[tuple[str, str, str], ...]:
    """What a character becomes: (folded, lower, as written) each of one character; nothing for an invisible one."""
    category = unicodedata.category(char)
    if char == "\u20e3":  # the key of a keycap: a list's number
        return ((")", ")", ")"),)
    if category in {"Mn", "Cf", "Me"}:
        return ()
    if category == "Cc":
        return (("\n" if char in "\n\r" else " ",) * 3,)
    if category in {"So", "Sk", "Cs", "Co"} and char not in "°º":
        return (("\x00",) * 3,)
    out = []
    for plain in unicodedata.normalize("NFKC", char):
        if unicodedata.combining(plain):
            continue
        lower = plain.lower()[:1]
        base = next((c for c in unicodedata.normalize("NFD", lower) if not unicodedata.combining(c)), lower)
        base = {"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "¡": " ", "¿": " ", "*": " ", "_": " ", "~": " "}.get(
            base, base
        )
        out.append((" " if base.isspace() else base, lower, plain))
    return tuple(out)


_LONE: Final = re.compile(r"(?<!\w)(?:e|as?)(?!\w)")
_PICTURES: Final = re.compile(r"\s*\x00[\x00\s]*")


def folded(source: str) -> Folded:
    """Fold ``source``; pictures end a sentence where a new one seems to begin."""
    text: list[str] = []
    lower: list[str] = []
    written: list[str] = []
    at: list[int] = []
    for index, char in enumerate(unicodedata.normalize("NFC", source) if source.isascii() else source):
        for one, low, plain in ((char, char, char),) if "a" <= char <= "z" or char == " " else _letters(char):
            text.append(one)
            lower.append(low)
            written.append(plain)
            at.append(index)
    joined, plain_text = "".join(text), "".join(written)
    if "é" in lower or "à" in lower:  # "é" is a verb and "às" tells a time: as "e" and "as" they would mean too much
        accented = "".join(lower)
        joined = _LONE.sub(
            lambda match: accented[match.start() : match.end()] if accented[match.start()] in "éà" else match[0], joined
        )
    if "\x00" in joined:
        joined = _PICTURES.sub(lambda match: _gap(match, plain_text), joined)
    return Folded(joined, "".join(lower), at, plain_text)


def _gap(match: re.Match[str], written: str) -> str:
    following = written[match.end() : match.end() + 1]
    mark = " " if following.islower() or following.isdigit() or (following in "R,.;:)" and following) else "\n"
    return mark + " " * (len(match[0]) - 1)


@dataclass(frozen=True, slots=True)
class Segment:
    """A clause or so. ``sentence``: its place among the sentences; ``first``/``last`` within its sentence."""

    start: int
    end: int
    sentence: int
    asks: bool
    last: bool


def segments(text: str, taken: Callable[[int], bool]) -> list[Segment]:
    """Cut ``text``; nothing is cut where ``taken`` says that a value goes on."""
    found: list[Segment] = []
    begin = number = 0
    ends = [
        (match.start(), match.end())
        for match in _END.finditer(text)
        if not _no_end(text, match) and not taken(match.start())
    ]
    for stop, after in [*ends, (len(text), len(text))]:
        if text[begin:stop].strip():
            asks = "?" in text[stop:after]
            pieces = _pieces(text, begin, stop, taken)
            for place, (start, end) in enumerate(pieces):
                found.append(Segment(start, end, number, asks, place == len(pieces) - 1))
            number += 1
        begin = after
    return found


def _no_end(text: str, match: re.Match[str]) -> bool:
    if not match[0].startswith("."):
        return False
    word = re.search(r"[a-z]+$", text[max(0, match.start() - 6) : match.start()])
    if match[0] == "." and word and word[0] in _ABBREVIATIONS:
        return True
    return bool(re.search(r"(?:^|\n)\s*\d{1,2}$", text[max(0, match.start() - 4) : match.start()]))  # a list's number


def _pieces(text: str, begin: int, stop: int, taken: Callable[[int], bool]) -> list[tuple[int, int]]:
    cuts = [(m.start(), m.end()) for m in _CUT.finditer(text, begin, stop) if not taken(m.start())]
    pieces = []
    for begins, ends in zip([begin, *(end for _, end in cuts)], [*(start for start, _ in cuts), stop], strict=True):
        piece = text[begins:ends]
        start = begins + len(piece) - len(piece.lstrip(" \n"))
        end = begins + len(piece.rstrip(" \n"))
        if start < end:
            pieces.append((start, end))
    return pieces


def segment_at(parts: Sequence[Segment], position: int) -> int:
    """The index of the segment in which ``position`` stands, or of the one before it."""
    return max(0, bisect_right([part.start for part in parts], position) - 1)


def mood(text: str, part: Segment) -> Mood:
    """What a segment does: only statements must be true."""
    piece = text[part.start : part.end]
    if part.asks and part.last:
        return "question"
    if INABILITY.search(piece):
        return "inability"
    if REQUEST.search(piece):
        return "request"
    if OFFER.search(piece):
        return "offer"
    if SOCIAL.match(piece) or (_FELT.search(piece) and not _FACTS.search(piece)):
        return "social"
    return "question" if part.asks else "statement"


_FELT: Final = re.compile(
    r"\b(?:demais|chat[oa]|chateia|chateac\w+|cansa|cansativ\w+|frustr\w+|exhaust\w+|annoying|stressful|estress\w+|irrita\w*|horrivel|horrible|terrivel|terrible|awful|nightmare|"
    r"pesadelo|pesadilla|tenso|tensa|sofrid\w+|molesto|molesta|pesado|feo|ruim|rough|tough|a pain|painful|overwhelming|confusing|doloros\w+|delicad[oa]|dureza|complicad[oa]|sad|scary|"
    r"upsetting|disappoint\w+|decepcion\w+|inaceitavel|inaceptable|unacceptable|engracad\w*|divertid\w+|funny|fofo|fofa|sweet|delicia|emocionante|exciting|adorable|adoravel)\b"
)
_FACTS: Final = re.compile(
    r"\d|\b(?:foi|foram|fue|fueron|was|were|been|ja|ya|already|vai|va|will|seu|sua|tu|su|your|pedido|order|produto)\b"
)
_THAT: Final = re.compile(r"\b(?:que|that|se|si|if|whether)\b")
_WISH: Final = re.compile(r"(?:espero|esperamos|tomara|ojala|(?:i |we )?hope|torco|torcemos|desejo|deseo)\b")
_TAG: Final = re.compile(
    r"(?:(?:esta |is that |that |isso (?:ai )?|todo |tudo |all )?(?:cert[oa]|corret[oa]|correct[oa]?|right|ok|okay|ne|isso|isso mesmo|confere|"
    r"verdad|cierto|es asi|asi|yes|sim|si|no|nao é|combinado|beleza|posso confirmar|confirma|is that right))"
)


def moods(text: str, parts: Sequence[Segment], acts: Callable[[Segment], bool]) -> list[Mood]:
    """The mood of each segment. What has no verb of its own goes on with what stands before it in its sentence.

    ``acts``: whether a segment says that something was done.
    """
    found: list[Mood] = []
    for place, part in enumerate(parts):
        own = mood(text, part)
        follows = place and parts[place - 1].sentence == part.sentence
        if (
            own == "statement"
            and follows
            and found[-1] in {"request", "offer", "question", "social"}
            and not (acts(part) or VERB.search(text, part.start, part.end))
        ):
            own = found[-1]
        if (
            own == "statement"
            and follows
            and found[-1] == "inability"
            and _THAT.search(text, parts[place - 1].end, part.start + 4)
        ):
            own = "inability"  # "I cannot promise that it is blocked"
        if own == "statement" and follows and found[-1] == "social" and _WISH.match(text, parts[place - 1].start):
            own = "social"  # "hope that he gets better"
        if part.last and own == "question" and _TAG.fullmatch(text, part.start, part.end):
            for other in range(place - 1, -1, -1):  # ", certo?": the whole sentence asks back
                if parts[other].sentence != part.sentence:
                    break
                found[other] = "question" if found[other] == "statement" else found[other]
        found.append(own)
    return found
