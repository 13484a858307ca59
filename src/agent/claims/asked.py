"""What waits for a person's yes: a reply may say what was asked for, and that somebody will confirm it."""

from __future__ import annotations

import re
from typing import Final

from agent.claims.book import Book
from agent.claims.lexicon import CLASSES
from agent.claims.same import same
from agent.claims.values import Value
from agent.claims.words import Mention

_WAITS: Final = re.compile(
    r"\b(?:request\w*|pedid\w*|pedi\w*|solicit\w*|peticion\w*|pend\w+|aguard\w+|espera\w*|await\w*|waiting|waits?|confirm\w*|aprov\w*|aprueb\w*|aprob\w*|approv\w*|autoriz\w*|"
    r"authori[sz]\w*|valid\w*|analis\w*|revis\w*|review\w*|check with|sign off|green light|ok (?:da|del|from)|depende\w* d|depends on|submitted|passed|passei|enviei|encaminh\w*|repass\w*|"
    r"mande|envie|pase|put in|sent|forward\w*|equipe|equipo|team|atendente|asesor\w*|gerente|gerencia|responsavel|manager|staff|somebody|someone|alguem|alguien|respost\w*|respuest\w*|answer|reply|hear|notific\w*|notif\w*|avis\w*|retorno)\b"
)
_MERELY_ASKED: Final = frozenset(
    "request forward ship receive register note save create open notify await contact talk verify find start update finish add arrive approve confirm".split()
)
_SETTLED: Final = frozenset(
    "approve confirm finish resolve schedule cancel refund return exchange pay activate".split()
)


def is_asked(book: Book, place: int) -> bool:
    """Whether the sentence of ``place`` says that something was asked for and waits."""
    return book.index.asked and _WAITS.search(" ".join(book.piece(other) for other in book.sentence(place))) is not None


def was_asked(book: Book, place: int, value: Value) -> bool:
    """Whether ``value`` is of the call that waits, and said to wait."""
    return is_asked(book, place) and any(same(value, known.value) for known in book.index.asked_for)


def only_asks(book: Book, place: int, wanted: Mention) -> bool:
    """Whether ``wanted`` says no more than that something was asked for ("I passed your request on")."""
    if not is_asked(book, place) or wanted.concept not in _MERELY_ASKED:
        return wanted.form != "done" and is_asked(book, place) and CLASSES[wanted.concept] == "fact"
    return not (wanted.form == "done" and wanted.concept in _SETTLED)
