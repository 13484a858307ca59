"""Values in a text, in a form in which equal ones are equal: amounts, dates, times, links, numbers that name something.

Whatever is written here is found in replies and in their sources alike, so that "R$ 1.234,56" meets ``123456`` cents and
"quarta que vem" meets an ISO date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from agent.claims.clock import find_times
from agent.claims.lexicon import concept_of
from agent.claims.notation import (
    AFTER,
    AGED,
    AND_HALF,
    CODE,
    CURRENCIES,
    DAY,
    DAY_AT,
    EMAIL,
    FIGURE_OR_WORD,
    FIGURES,
    FROM_DAY,
    HALF,
    HANDLE,
    IDIOMS,
    ISO,
    LASTING,
    LEAD,
    LONE,
    MARKED,
    MARKER,
    MONTH,
    NAMED,
    NAMED_ENGLISH,
    NTH,
    NUMBER,
    ONE,
    ORDINAL_DAYS,
    ORDINALS,
    PERCENT,
    PERIOD,
    PHONE,
    RELATIVE,
    SAID,
    SHAPED,
    SHORT_DAYS,
    SPOKEN_CODE,
    STREET,
    THOUSAND,
    TIMES_OVER,
    UNIT_PATTERNS,
    URL,
    WEEKDAY,
    WORDED,
    spelled,
)
from agent.claims.plain_words import is_plain
from agent.claims.text import Folded
from agent.claims.words import form_of
from agent.dates import MONTH_OF, WEEKDAY_OF
from agent.quantities import read_amount

ValueKind = Literal[
    "url", "email", "handle", "money", "percent", "date", "weekday", "period", "month", "time", "quantity", "phone", "code", "number",
    "address", "name",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """``norm``: hundredths (amounts), (year or None, month, day), (year or None, month), weekday, minutes, or a text.

    ``unit``: of a quantity, or the currency of money ("" where the text does not tell).
    """

    kind: ValueKind
    start: int
    end: int
    norm: Any
    unit: str = ""


class Found:
    """Values, of which no two overlap: the first that is added keeps its place."""

    def __init__(self, length: int) -> None:
        self.taken = bytearray(length + 1)
        self.values: list[Value] = []

    def add(self, kind: ValueKind, start: int, end: int, norm: Any, unit: str = "") -> None:
        if start < end and not any(self.taken[start:end]):
            self.taken[start:end] = b"\x01" * (end - start)
            self.values.append(Value(kind, start, end, norm, unit))

    def block(self, start: int, end: int) -> None:
        self.taken[start:end] = b"\x01" * (end - start)


def find_values(read: Folded, language: str, today: date) -> list[Value]:
    """All values of a text, in order. A lone "um" or "one" is an article."""
    text, found = read.text, Found(len(read.text))
    if not text:
        return []
    _names(read, found)
    _no_values(text, language, found)
    _amounts(text, language, found)
    _days(text, language, today, found)
    find_times(text, language, found)
    _measures(text, language, found)
    if any(map(str.isdigit, text)):
        _numbers_that_name(text, found)
        for match in NUMBER.finditer(text):
            more = THOUSAND.match(text, match.end())
            figure = read_amount(match["amount"], language) * (1000 if more else 1)
            found.add("number", match.start(), more.end() if more else match.end(), _hundredths(figure))
    for match in WORDED.finditer(text):
        amount = spelled(match["words"], language)
        if amount is not None and match["words"] not in LONE:
            found.add("number", match.start(), match.end(), amount * 100)
    return sorted(found.values, key=lambda value: value.start)


def _no_values(text: str, language: str, found: Found) -> None:
    """Figures and number words that count nothing: idioms, the numbers of a list."""
    for match in IDIOMS.finditer(text):
        found.block(match.start(), match.end())
    for match in MARKER.finditer(text):
        found.block(match.start(1), match.end(1))
    if language != "es":
        for match in re.finditer(r"\bdos\b", text):  # "of the" in Portuguese, two in Spanish
            found.block(match.start(), match.end())


def _numbers_that_name(text: str, found: Found) -> None:
    for match in PHONE.finditer(text):
        plain = re.sub(r"\D", "", match[0])
        if len(plain) >= 8:
            found.add("phone", match.start(), match.end(), plain)
    for match in CODE.finditer(text):
        code = match[0].strip("#./- ")
        if not re.fullmatch(r"(?:m|cm|mm|km|ft)[23]|\d{1,3}(?:a|o|st|nd|rd|th|x|h)|\d{1,2}-[a-z]{3,}", code):
            end = match.start() + len(match[0].rstrip("./-"))
            found.add("code", match.start(), end, re.sub(r"[^a-z0-9]", "", code))


def _hundredths(amount: float) -> int:
    return round(amount * 100)


def _names(read: Folded, found: Found) -> None:
    text = read.text
    if "@" in text:
        for match in EMAIL.finditer(text):
            found.add("email", match.start(), match.end(), match[0].rstrip("."))
        for match in HANDLE.finditer(text):
            handle = match[0].rstrip(".")
            found.add("handle", match.start(), match.start() + len(handle), handle)
    if "." in text:
        for match in URL.finditer(text):
            address = match[0].rstrip(".,;:!?")
            found.add("url", match.start(), match.start() + len(address), plain_url(address))
    for match in SHAPED.finditer(text):
        found.add("code", match.start(), match.end(), re.sub(r"\D", "", match[0]))
    for match in SPOKEN_CODE.finditer(read.capital):
        if match["code"].isupper():
            found.add("code", match.start("code"), match.end("code"), match["code"].lower())
    for match in STREET.finditer(read.capital):
        found.add(
            "address", match.start(), match.end(), re.sub(r"[^a-z ]", "", text[match.start() : match.end()]).strip()
        )


def plain_url(address: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", address).rstrip("/")


def _amounts(text: str, language: str, found: Found) -> None:
    for pattern in (MARKED, AFTER):
        for match in pattern.finditer(text):
            sign = re.sub(r"\s", "", match["sign"])
            amount = read_amount(match["amount"], language) * (1000 if match["mil"] else 1)
            if CURRENCIES.get(sign) == "c":
                amount /= 100
            found.add("money", match.start(), match.end(), _hundredths(amount), CURRENCIES.get(sign, "").strip("c"))
    for match in PERCENT.finditer(text):
        value = read_amount(match["amount"], language) if match["amount"] else spelled(match["words"], language)
        if value is not None:
            found.add("percent", match.start(), match.end(), _hundredths(value))
    for match in SAID.finditer(text):
        whole = spelled(match["amount"], language)
        if whole is None:
            continue
        cents = match["cents"] or "0"
        parts = int(cents) if cents.isdigit() else spelled(cents, language) or 0
        unit = CURRENCIES.get(match["sign"], "")
        found.add("money", match.start(), match.end(), whole if unit == "c" else whole * 100 + parts, unit.strip("c"))


def _days(text: str, language: str, today: date, found: Found) -> None:
    _dates_in_figures(text, language, found)
    _dates_with_names(text, found)
    for pattern, days in RELATIVE:
        for match in pattern.finditer(text):
            day = today + timedelta(days=days)
            found.add("date", match.start(), match.end(), (day.year, day.month, day.day))
    for match in PERIOD.finditer(text):
        found.add("period", match.start(), match.end(), _period(match, today))
    _weekdays(text, found)
    for match in (*DAY_AT.finditer(text), *DAY.finditer(text)):
        if 1 <= int(match["d"]) <= 31:
            sure = "day" if match[0].startswith("dia") else ""
            found.add("date", match.start("d"), match.end("d"), (None, None, int(match["d"])), sure)


def _period(match: re.Match[str], today: date) -> tuple[int, int]:
    """The first and the last day that are meant, as ordinals."""
    ahead = 1 if match["next"] else 0
    if match["month"] or match["this"]:
        first = (today.replace(day=1) + timedelta(days=32 * ahead)).replace(day=1)
        return first.toordinal(), (first + timedelta(days=32)).replace(day=1).toordinal() - 1
    monday = (today - timedelta(days=today.weekday() - 7 * ahead)).toordinal()
    return monday, monday + 6


def _dates_in_figures(text: str, language: str, found: Found) -> None:
    for match in ISO.finditer(text):
        if match["d"]:
            found.add("date", match.start(), match.end(), (int(match["y"]), int(match["m"]), int(match["d"])))
        else:
            found.add("month", match.start(), match.end(), (int(match["y"]), int(match["m"])))
    for match in FIGURES.finditer(text):
        day, month = int(match["a"]), int(match["b"])
        if match["mark"] != "/" and match["y"] is None:
            continue
        if (language == "en" or month > 12) and day <= 12:
            day, month = month, day
        if 1 <= month <= 12 and 1 <= day <= 31:
            found.add("date", match.start(), match.end(), (_year(match["y"]), month, day))
    for match in FROM_DAY.finditer(text):
        month = int(match["m"]) if match["m"] else MONTH_OF[match["name"]]
        if 1 <= int(match["d"]) <= 31 and 1 <= month <= 12:
            found.add("date", match.start("d"), match.end("d"), (None, month, int(match["d"])))


def _dates_with_names(text: str, found: Found) -> None:
    for pattern in (NAMED, NAMED_ENGLISH):
        for match in pattern.finditer(text):
            day = 1 if not match["d"].isdigit() else int(match["d"])
            if 1 <= day <= 31:
                found.add("date", match.start(), match.end(), (_year(match["y"]), MONTH_OF[match["m"]], day))
    for match in re.finditer(rf"\b(?P<m>{MONTH})\b(?:(?: de | del |/| )(?P<y>20\d\d))?", text):
        if (len(match["m"]) > 3 and match["m"] not in {"sept"}) or match["y"]:
            found.add("month", match.start(), match.end(), (_year(match["y"]), MONTH_OF[match["m"]]))
    for match in re.finditer(r"(?<![\d/])(?P<m>0[1-9]|1[0-2])/(?P<y>20\d\d)(?!\d)", text):
        found.add("month", match.start(), match.end(), (int(match["y"]), int(match["m"])))


def _weekdays(text: str, found: Found) -> None:
    for match in WEEKDAY.finditer(text):
        name = match["day"].removesuffix("s") if match["day"] not in WEEKDAY_OF else match["day"]
        lead = LEAD.search(text[max(0, match.start() - 12) : match.start()])
        lead = lead or (_A.search(text, 0, match.start()) and re.match(r"\s*(?:[.,;!?)]|$)", text[match.end() :]))
        doubtful = name in ORDINAL_DAYS or name in SHORT_DAYS or name in {"mon", "tue", "wed", "thu", "fri"}
        if match["thing"] or (doubtful and not match["feira"] and (not lead or _is_ordinal(text, match))):
            continue
        if name in SHORT_DAYS and not re.match(r"[.,/ :)-]", text[match.end() : match.end() + 1] or " "):
            continue
        found.add("weekday", match.start(), match.end(), SHORT_DAYS.get(name, WEEKDAY_OF.get(name)))


_A = re.compile(r"\buma? $")


def _is_ordinal(text: str, match: re.Match[str]) -> bool:
    """Whether "segunda" stands before what it counts: "a segunda cobrança"."""
    following = re.match(r" (?P<word>[a-z]{4,})", text[match.end() : match.end() + 24])
    if match["day"] not in ORDINAL_DAYS or following is None:
        return False
    word = following["word"]
    if re.search(r"\b(?:a|sua|nossa|essa|esta|minha|uma)\s$", text[max(0, match.start() - 6) : match.start()]):
        return concept_of(word) is not None or not is_plain(word)
    return concept_of(word) is not None and form_of(word, word) == "name"


def _year(year: str | None) -> int | None:
    return None if year is None else int(year) + (2000 if len(year) == 2 else 0)


def _measures(text: str, language: str, found: Found) -> None:
    for match in NTH.finditer(text):
        found.add(
            "quantity", match.start(), match.end(), {"p": 100, "f": 100, "s": 200, "t": 300}[match["n"][0]], "nth"
        )
    for match in TIMES_OVER.finditer(text):
        found.add("number", match.start(), match.end(), ORDINALS[match["n"]] * 100)
    for match in HALF.finditer(text):
        found.add("quantity", match.start(), match.end(), 3000, "minute")
    for match in ONE.finditer(text):
        unit = _unit(text, match.end())
        if unit:
            more = AND_HALF.match(text, unit[1])
            amount, end = (150, more.end()) if more else (100, unit[1])
            found.add("quantity", match.start() + (match[0][:1] == " "), end, amount, unit[0])
    for match in LASTING.finditer(text):
        hours, minutes = (int(one) if one.isdigit() else spelled(one, language) or 0 for one in match.group("h", "m"))
        found.add("quantity", match.start(), match.end(), (hours * 60 + minutes) * 100, "minute")
    for match in AGED.finditer(text):
        found.add("number", match.start("n"), match.end(), int(match["n"]) * 100)
    _quantities(text, language, found)
    for match in re.finditer(
        r"(?<![\w.,/])(?P<a>\d{1,3})(?= ?(?:a|ou|o|to|or|e|y|-|–|ate) ?\d{1,3} ?(?P<u>[a-z]{1,12}(?: uteis| habiles| days)?))",
        text,
    ):
        unit = _unit(f" {match['u']} ", 0)
        if unit:
            found.add("quantity", match.start(), match.end(), int(match["a"]) * 100, unit[0])


def _quantities(text: str, language: str, found: Found) -> None:
    for match in FIGURE_OR_WORD.finditer(text):
        word = match[0]
        thousands = THOUSAND.match(text, match.end()) if word[0].isdigit() else None
        unit = _unit(text, thousands.end() if thousands else match.end())
        if unit is None:
            continue
        amount = _hundredths(read_amount(word, language)) if word[0].isdigit() else (spelled(word, language) or 0) * 100
        amount *= 1000 if thousands else 1
        more = AND_HALF.match(text, unit[1])
        if amount:
            found.add("quantity", match.start(), more.end() if more else unit[1], amount + (50 if more else 0), unit[0])


def _unit(text: str, position: int) -> tuple[str, int] | None:
    for unit, pattern in UNIT_PATTERNS:
        match = pattern.match(text, position)
        if match:
            return unit, match.end()
    return None
