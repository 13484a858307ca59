"""Leads: who wrote to the business for the first time, where from, and how promising that looks.

The score is counted by a rule that anybody can check, from what the first message shows. It begins at 10 and ends at
100 at most; POINTS says what adds how much. No language model has a part in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class LeadStatus(StrEnum):
    """Where a lead stands."""

    NEW = "new"
    QUALIFIED = "qualified"
    WON = "won"
    LOST = "lost"


BASE: Final = 10
POINTS: Final[Mapping[str, int]] = {
    "advertisement": 30,
    "code": 20,
    "buying_words": 25,
    "question": 10,
    "detail": 10,
    "file": 5,
    "name": 5,
}
"""advertisement: came by one. code: brought one along. buying_words: speaks of price, buying, booking. question: asks
something. detail: five words or more. file: sent one. name: WhatsApp shows a name."""

_BUYING: Final = re.compile(
    r"\b(prec\w+|quanto (custa|e|fica|sai)|valor\w*|orcament\w*|compra\w*|comprei|pedir|encomend\w*|reserv\w*|agend\w*|"
    r"alug\w*|matricul\w*|parcel\w*|promoc\w*|desconto\w*|disponi\w*|entrega\w*|"
    r"precio\w*|cuanto (cuesta|vale|sale)|presupuesto\w*|alquil\w*|inscri\w*|descuento\w*|"
    r"price\w*|how much|quote|buy\w*|order\w*|book(ing)?|rent\w*|enrol\w*|discount\w*|available)\b"
)
_WORD: Final = r"(?=[\w-]*[a-zA-Z0-9])[A-Za-z0-9][\w-]{1,39}"
_NAMED_CODE: Final = re.compile(
    rf"\b(?:ref|cod|code|codigo|código|cupom|cupón|coupon)\s*[:=#]\s*({_WORD})", re.IGNORECASE
)
_HASH_CODE: Final = re.compile(r"(?:^|\s)#((?=[\w-]*[A-Za-z])[A-Za-z0-9][\w-]{1,39})")
_TITLES: Final = (
    "headline",
    "title",
    "name",
    "ad_name",
    "source_id",
    "sourceid",
    "ad_id",
    "ref",
    "ctwa_clid",
    "ctwaclid",
    "conversionsource",
    "entrypointconversionsource",
    "source_url",
    "sourceurl",
    "body",
)
"""What names an advertisement, the best first; compared in lower case."""
_LONGEST: Final = 120


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """What the first message of somebody shows. ``content``: as stored, ``raw.referral`` in it."""

    text: str
    content: Mapping[str, Any]
    number: str
    push_name: str | None = None
    has_file: bool = False


@dataclass(frozen=True, slots=True)
class Lead:
    """``source``: an advertisement, a code, or the number that was written to. ``reasons``: keys of POINTS."""

    source: str
    score: int
    reasons: tuple[str, ...]


def lead_of(first: FirstMessage) -> Lead:
    """What a first message is worth."""
    advertisement, code = advertisement_of(first.content), code_of(first.text)
    folded = _folded(first.text)
    shown = {
        "advertisement": bool(advertisement),
        "code": bool(code),
        "buying_words": bool(_BUYING.search(folded)),
        "question": "?" in first.text,
        "detail": len(folded.split()) >= 5,
        "file": first.has_file,
        "name": bool(first.push_name),
    }
    reasons = tuple(name for name, is_so in shown.items() if is_so)
    source = advertisement or (f"#{code}" if code else first.number)
    return Lead(source[:_LONGEST], min(100, BASE + sum(POINTS[name] for name in reasons)), reasons)


def code_of(text: str) -> str:
    """A code that somebody brought along: ``ref: ABC``, ``código=natal10``, ``#vitrine``. ``#1234`` alone is none: it
    is rather an order's number."""
    found = _NAMED_CODE.search(text) or _HASH_CODE.search(text)
    return found[1] if found else ""


def advertisement_of(content: Mapping[str, Any]) -> str:
    """The name of the advertisement that a gateway says the message came by; empty: none, or nothing readable."""
    raw = content.get("raw")
    referral = raw.get("referral") if isinstance(raw, Mapping) else None
    if not referral:
        return ""
    if isinstance(referral, str):
        return " ".join(referral.split())[:_LONGEST]
    found: dict[str, str] = {}
    _collect(referral, found, depth=0)
    return next((found[name] for name in _TITLES if name in found), "advertisement")[:_LONGEST]


def _collect(value: Any, found: dict[str, str], *, depth: int) -> None:
    if depth > 4:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if isinstance(inner, str | int) and not isinstance(inner, bool) and str(inner).strip():
                found.setdefault(str(name).lower(), " ".join(str(inner).split()))
            else:
                _collect(inner, found, depth=depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for inner in value[:20]:
            _collect(inner, found, depth=depth + 1)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text[:2000].casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))
