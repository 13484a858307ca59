"""Stand-ins for personal data that are words: e-mail addresses, street addresses, dates of birth."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from domain.personal_data.found import folded
from domain.personal_data.names import FEMININE, MASCULINE, SURNAMES

Choice = Callable[[str, int], int]
"""(subject, among) → a number below ``among``, always the same for one subject."""

_AT: Final = re.compile(r"\s?(?:@|\barroba\b|\(at\)|\[at\]|\(arroba\)|\[arroba\]|(?<= )at(?= ))\s?", re.IGNORECASE)
_PROVIDERS: Final = (
    "gmail",
    "hotmail",
    "outlook",
    "yahoo",
    "icloud",
    "live",
    "bol",
    "uol",
    "terra",
    "protonmail",
    "ig",
)
_STREETS: Final = (
    "das Acácias", "do Ipê Amarelo", "São Jorge", "Quinze de Maio", "dos Girassóis", "Monte Azul", "Bela Vista",
    "do Moinho", "das Palmeiras", "Pedra Branca", "do Comércio", "Dom Bosco", "das Gaivotas", "Campo Alegre",
    "Rio Claro", "Santa Clara", "da Figueira", "dos Andradas", "Boa Esperança", "Serra Verde",
)  # fmt: skip
_HEAD: Final = re.compile(
    r"^(?P<type>[^\W\d]+[.:/]?\s+)?(?P<name>.*?)(?P<rest>(?:\s*[,;\-]\s*|\s+)(?:(?:n\w{0,5}[.°]?|#|altura)\s*:?\s*)?\d.*)$",
    re.DOTALL,
)
_DAY_FIRST: Final = re.compile(r"^(?P<day>\d{1,2})(?P<middle>\D.*?\D|\D)(?P<year>\d{4}|\d{2})$")
_YEAR_FIRST: Final = re.compile(r"^(?P<year>\d{4})(?P<middle>-\d{2}-)(?P<day>\d{2})$")
_RUN_TOGETHER: Final = re.compile(r"^(?P<day>\d{2})(?P<middle>\d{2})(?P<year>\d{4})$")
_MONTH_FIRST: Final = re.compile(r"^(?P<middle>[^\W\d]+\.? )(?P<day>\d{1,2})(?P<tail>[^\d]+)(?P<year>\d{4})$")


def email_for(text: str, choice: Choice) -> str:
    """Another mailbox at the same large provider, or at a domain that belongs to nobody."""
    at = _AT.search(text)
    if at is None:
        return "pessoa@example.com"
    subject = "email\0" + " ".join(text.casefold().split())
    first = (*FEMININE, *MASCULINE)[choice(subject, len(FEMININE) + len(MASCULINE))]
    last = SURNAMES[choice("surname\0" + subject, len(SURNAMES))]
    local = folded(f"{first}.{last}{choice('number' + subject, 90) + 10}")
    domain = text[at.end() :]
    if not folded(domain).startswith(_PROVIDERS):
        domain = re.sub(r"^[^\s.,()\[\]]+", "exemplo", domain)
        domain = "example.com" if re.fullmatch(r"[\w.\-]+", domain) else domain
    return local + at[0] + domain


def address_for(text: str, choice: Choice) -> str:
    """Another street and other numbers, in the same order and with the same words around them."""
    subject = "address\0" + " ".join(folded(text).split())
    street = _STREETS[choice(subject, len(_STREETS))]
    if text[:1].isdigit():  # "221 Baker Street, apt 4"
        parts = re.match(r"^(\d+\w?\s+)(.+?)(\s+[^\W\d]+\.?(?:[\s,].*)?)$", text, re.DOTALL)
        made = f"{parts[1]}{street}{parts[3]}" if parts else f"100 {street}"
    else:
        head = _HEAD.match(text)
        made = f"{head['type'] or ''}{street}{head['rest']}" if head else street
    return re.sub(r"\d+", lambda match: _number(f"{subject}\0{match.start()}\0{match[0]}", match[0], choice), made)


def birth_date_for(text: str, choice: Choice) -> str:
    """Another day, and a year up to five years away; the month and the way it is written stay."""
    match = _YEAR_FIRST.match(text) or _RUN_TOGETHER.match(text) or _DAY_FIRST.match(text) or _MONTH_FIRST.match(text)
    if match is None:
        return re.sub(r"\d+", lambda one: _number(f"birth\0{text}\0{one.start()}", one[0], choice), text)
    day, year = int(match["day"]), int(match["year"])
    subject = f"birth\0{day}\0{year % 100}"
    new_day = 1 + (day + choice(subject, 27)) % 28
    new_year = year - 1 - choice("year" + subject, 5)
    written = {
        "day": f"{new_day:0{len(match['day'])}d}"[-2:],
        "year": f"{new_year % 100:02d}" if len(match["year"]) == 2 else str(new_year),
    }
    places = sorted(((match.span(name), written[name]) for name in written), reverse=True)
    for (start, end), new in places:
        text = text[:start] + new + text[end:]
    return text


def _number(subject: str, digits: str, choice: Choice) -> str:
    low = 10 ** (len(digits) - 1) if len(digits) > 1 else 1
    made = low + choice(subject, 9 * low)
    return str(made if str(made) != digits else made % (9 * low) + low)
