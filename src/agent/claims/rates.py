"""How often, or for what each, something is paid: "por dia" is not "por estadia", "weekly" is not "monthly"."""

from __future__ import annotations

import re
from typing import Final

from agent.claims.book import Book
from agent.claims.nearness import source_texts
from agent.claims.text import folded

_PER: Final = r"(?:por|a|al|per|cada|each|every|ao?|p/|/)"
_RATES: Final = {
    "hour": rf"hourly|{_PER} ?(?:hora|hour)\b|(?:hora|hour)$",
    "day": rf"diari[oa]s?\b|daily|nightly|{_PER} ?(?:dia|day|noite|noche|night|diaria)\b|a diaria|(?:night|day|diaria)$",
    "week": rf"semanal\w*|semanai\w*|weekly|{_PER} ?(?:semana|week)\b",
    "month": rf"mensal\w*|mensais|mensual\w*|monthly|{_PER} ?(?:mes|month)\b|(?:month)$",
    "year": rf"anual|anuais|anuales|yearly|annual\w*|{_PER} ?(?:ano|year|annum)\b",
    "stay": rf"{_PER} ?(?:estadia|estancia|stay|hospedagem)\b",
    "person": rf"{_PER} ?(?:pessoa|persona|person|convidado|invitado|guest|head|adulto|adult|crianca|nino|child)\b|(?:guest|person|adult|child)$",
    "kg": rf"{_PER} ?(?:kg|quilo|kilo)\b|kg$",
}
_PATTERNS: Final = {name: re.compile(rf"(?<![\w])(?:{pattern})") for name, pattern in _RATES.items()}
_KEYED: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|_")


def rates_in(text: str) -> set[str]:
    """The rates that folded ``text`` names."""
    return {name for name, pattern in _PATTERNS.items() if pattern.search(text)}


def check_rates(book: Book) -> None:
    """A rate beside an amount of money, where the sources name rates and not this one."""
    told: set[str] | None = None
    for place, part in enumerate(book.parts):
        money = any(v.kind == "money" and part.start <= v.start < part.end for v in book.values) or any(
            m.concept in {"pay", "charge", "fee", "price"} for m in book.named[place]
        )
        if book.moods[place] != "statement" or not money:
            continue
        said = rates_in(book.piece(place))
        if not said:
            continue
        if told is None:
            told = set().union(*(rates_in(folded(_KEYED.sub(" ", text)).text) for text in source_texts(book.sources)))
        if told and not said & told:
            book.claim(part.start, part.end, "fact", None)
