"""When to answer and in how many messages: both judged from the text alone, in microseconds.

``Pace.wait`` is asked for every message that comes in, so it looks at no more than the message's end and loads nothing
of the agent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from domain.messages import MessageKind

Completeness = Literal["complete", "usual", "fragment"]

COMPLETE_SECONDS: Final = 1.0
"""Most that a complete sentence waits, unless the tenant says otherwise."""
FRAGMENT_FACTOR: Final = 2.0
"""A fragment waits this many times the usual, unless the tenant says otherwise."""
TYPING_SECONDS: Final = 4.0


def _vocabulary(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_READ: Final = 300
_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
_PLAIN: Final = str.maketrans("áàâãäéèêëíìîïóòôõöúùûüçñ", "aaaaaeeeeiiiiooooouuuucn")
_SENTENCE_WORDS: Final = 5
_ENDS: Final = re.compile(r"[.!?。！？…](?:[\s\"'”’»)\]*_~]|[^\w\s,;:(\-–—.…])*$")
_TRAILS_OFF: Final = re.compile(r"(?:\.{2,}|…|[,;:(\[\-–—/+&])\s*$")
_ANSWER: Final = re.compile(r"\s*(?:\S+@\S+\.\w+|[#nº°.\s]*\+?\d[\d\s.\-/()]*)\s*$")
_OPENINGS: Final = _vocabulary(
    # said before what is wanted: greetings, calls for attention, and how somebody is
    "oi oie oii oiii ola opa eai e ai hey hi hello hola buenas buenos buen bom boa dia tarde noite dias tardes noches "
    "bem tudo td blz beleza tranquilo como vai esta voce vc vcs voces good morning afternoon evening night there "
    "moco moca gente pessoal amigo amiga senhor senhora alguem ai disculpa disculpe perdon desculpa desculpe licenca "
    "com por favor pfv please sorry excuse me you are how doing que tal estas all right entao bueno so well olha veja "
    "mira look seguinte lo siguiente"
)
_UNFINISHED: Final = _vocabulary(
    # nobody ends a sentence with these
    "o a os as um uma uns umas de do da dos das em no na nos nas ao aos para pra pro por pelo pela com sem sobre entre "
    "que se mas porque pois quando como qual onde meu minha meus minhas seu sua este esta esse essa eh ou nem ja "
    "el la los las un una unos unas del al en para con sin sobre pero porque cuando mi mis su sus y ni cual donde "
    "the an of to in on at for with without about and or but because when which my your their this that these those "
    "is are was from if i we they than into eu quero preciso queria gostaria quiero necesito quisiera want need "
    "would like"
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a turn waits for further messages. ``usual`` None: never, whatever the message."""

    usual: timedelta | None
    complete: timedelta
    fragment: timedelta
    typing: timedelta
    """After the customer was last seen typing."""
    cap: timedelta
    """Since the first message that waits."""

    @classmethod
    def of(cls, debounce: Mapping[str, Any]) -> Pace:
        """From a tenant's ``debounce`` settings (flows.tenant_declaration); a missing value follows from the others."""
        usual = float(debounce.get("seconds", 1.0))
        cap = float(debounce.get("cap_seconds", 10.0))
        complete = debounce.get("complete_seconds")
        fragment = debounce.get("fragment_seconds")
        typing = debounce.get("typing_seconds")
        return cls(
            timedelta(seconds=usual) if usual > 0 else None,
            timedelta(seconds=min(usual, COMPLETE_SECONDS) if complete is None else float(complete)),
            timedelta(seconds=min(FRAGMENT_FACTOR * usual if fragment is None else float(fragment), cap)),
            timedelta(seconds=min(TYPING_SECONDS if typing is None else float(typing), cap)),
            timedelta(seconds=cap),
        )

    def wait(self, text: str, kind: MessageKind = MessageKind.TEXT) -> timedelta | None:
        """How long to wait after this message for another one; None: not at all."""
        if self.usual is None:
            return None
        match completeness(text, kind):
            case "complete":
                return self.complete or None
            case "fragment":
                return self.fragment
        return self.usual


def completeness(text: str, kind: MessageKind = MessageKind.TEXT) -> Completeness:
    """Whether the customer has said what there is to say, or is likely to go on."""
    if kind in (MessageKind.BUTTON_ANSWER, MessageKind.LIST_ANSWER):
        return "complete"
    end = text[-_READ:].strip()
    if not end:
        # A voice note says it all; a picture or a file is mostly followed by why it was sent.
        return "usual" if kind in (MessageKind.VOICE, MessageKind.AUDIO, MessageKind.TEXT) else "fragment"
    if _ANSWER.match(end):
        return "complete"
    words = _WORD.findall(end.lower().translate(_PLAIN))
    if not words:
        return "usual"
    if len(text) <= _READ and all(word in _OPENINGS for word in words):
        return "fragment"
    if _TRAILS_OFF.search(end):
        return "fragment"
    if _ENDS.search(end):
        return "complete"
    if words[-1] in _UNFINISHED:
        return "fragment"
    return "complete" if len(words) >= _SENTENCE_WORDS else "usual"


# Splitting ----------------------------------------------------------------------------------------------------------

SPLIT_CHARACTERS: Final = 1_000
"""What a tenant that says nothing calls long."""
LONGEST_MESSAGE: Final = 4_000
"""Characters that every channel takes in one message (the Cloud API's limit is 4,096)."""

_TOLERANCE: Final = 1.15
"""A text this little over the limit stays whole: a last message of one line helps nobody."""
_SHORTEST_SHARE: Final = 0.35
"""Least share of the limit that a message is filled to before a natural end is taken."""
_WHOLE: Final = re.compile(
    r"(?:https?://|www\.)\S+"  # a link
    r"|\S+@\S+"  # an address
    r"|(?:R\$|US\$|U\$S|\$|€|£|nº|n\.º|#)\s*[\d.,]+"  # an amount, a numbered thing
    r"|\+?\(?\d[\d.,:/\-()]*(?:[ \u00a0][\d(][\d.,:/\-()]*)*(?:\s?(?:%|h\b|kg\b|cm\b|reais\b|d[ií]as?\b|days?\b))?"
    r"|(?<!\w)([*_~])(?=\S)[^*_~\n]{1,200}\1(?!\w)"  # bold, italics, struck through
    r"|```[\s\S]{1,2000}?```",
    re.IGNORECASE,
)
_ITEM: Final = re.compile(r"^[ \t]*(?:[-*•·–—▪►✅➡]|\d{1,3}[.)])[ \t]+\S")
_BREAKS: Final = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n\s*"),
    re.compile(
        r"(?<=[.!?…])(?<!\bAv\.)(?<!\bR\.)(?<!\bDr\.)(?<!\bDra\.)(?<!\bSr\.)(?<!\bSra\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bSt\.)"
        r"[ \u00a0]+(?=[^\s\da-zà-ÿ])"
    ),
    re.compile(r"(?<=[,;:])[ \u00a0]+"),
    re.compile(r"\s+"),
)


def split(text: str, limit: int) -> tuple[str, ...]:
    """The text as the messages that it is sent in, none empty, in order; one for a text of up to ``limit`` characters.

    Cuts at the end of a paragraph, else of a line, a sentence, a clause, a word: never inside a number, a link, an
    address, marked words or a list item. A piece that offers no such place stays whole, up to LONGEST_MESSAGE, beyond
    which a list item is cut too; what has no space at all is never cut. ``limit`` 0: only LONGEST_MESSAGE counts.
    Nothing but the space around a cut is lost.
    """
    limit = min(limit, LONGEST_MESSAGE) if limit > 0 else LONGEST_MESSAGE
    parts: list[str] = []
    rest = text.strip()
    while len(rest) > min(limit * _TOLERANCE, LONGEST_MESSAGE):
        cut = _cut(rest, limit)
        if cut is None:
            break
        parts.append(rest[: cut[0]].rstrip())
        rest = rest[cut[1] :].lstrip("\n\r\t \u00a0")
    return (*parts, rest) if rest else tuple(parts)


def _cut(text: str, limit: int) -> tuple[int, int] | None:
    """Where the first message ends and the second begins; None where it cannot be cut at all."""
    whole = [match.span() for match in _WHOLE.finditer(text[: 2 * LONGEST_MESSAGE])]
    barred = [*whole, *_items(text[: 2 * LONGEST_MESSAGE])]
    breaks = [
        [span for span in (match.span() for match in pattern.finditer(text, 0, LONGEST_MESSAGE + 1)) if span[0] > 0]
        for pattern in _BREAKS
    ]
    free = [[span for span in spans if _free(span, barred)] for spans in breaks]
    least = int(limit * _SHORTEST_SHARE)
    for spans in free:
        # What announces a list stays with it.
        if fitting := [span for span in spans if least <= span[0] <= limit and text[span[0] - 1] != ":"]:
            return fitting[-1]
    if early := [span for spans in free[:3] for span in spans if span[0] < least]:
        return max(early)
    if late := [span for spans in free for span in spans if span[0] >= least]:
        return min(late)
    if torn := [span for span in breaks[-1] if _free(span, whole)]:
        return torn[-1]
    beyond = (match.span() for match in _BREAKS[-1].finditer(text, LONGEST_MESSAGE) if match.start() > 0)
    return next((span for span in beyond if _free(span, whole)), None)


def _free(span: tuple[int, int], barred: Sequence[tuple[int, int]]) -> bool:
    return not any(start < span[1] and span[0] < end for start, end in barred)


def _items(text: str) -> list[tuple[int, int]]:
    """List items with the lines that continue them; the line break before an item is not part of it."""
    found: list[tuple[int, int]] = []
    position = 0
    for line in text.split("\n"):
        end = position + len(line)
        if _ITEM.match(line):
            found.append((position, end))
        elif found and found[-1][1] == position - 1 and line[:1] in (" ", "\t") and line.strip():
            found[-1] = (found[-1][0], end)
        position = end + 1
    return found
