"""Dates as customers write them, in Portuguese, Spanish and English, to ISO dates.

Figures are day first in Portuguese and Spanish, month first in English (unless only the other order is possible). A
date without a year is the one nearest to today; without a month the next one; either is the last one where the
message speaks of the past.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final

from agent.findings import Finding
from agent.quantities import NUMBER_WORDS, words_to_number
from tools.declaration import ParameterKind

_MONTHS: Final = {
    1: "janeiro jan enero ene january", 2: "fevereiro fev febrero feb february", 3: "marco mar marzo march",
    4: "abril abr april apr", 5: "maio mai mayo may", 6: "junho jun junio june", 7: "julho jul julio july",
    8: "agosto ago august aug", 9: "setembro set septiembre setiembre sep sept september",
    10: "outubro out octubre oct october",
    11: "novembro nov noviembre november", 12: "dezembro dez diciembre dic december dec",
}  # fmt: skip
MONTH_OF: Final = {word: month for month, words in _MONTHS.items() for word in words.split()}
_MONTH: Final = "|".join(sorted(MONTH_OF, key=len, reverse=True))
_WEEKDAYS: Final = {
    0: "segunda lunes monday mon", 1: "terca martes tuesday tue", 2: "quarta miercoles wednesday wed",
    3: "quinta jueves thursday thu", 4: "sexta viernes friday fri", 5: "sabado saturday", 6: "domingo sunday",
}  # fmt: skip
WEEKDAY_OF: Final = {word: day for day, words in _WEEKDAYS.items() for word in words.split()}
_ORDINALS: Final = frozenset({"segunda", "terca", "quarta", "quinta", "sexta"})
"""Also "second" … "sixth": they name a day only beside a word that says so."""
_WEEKDAY: Final = re.compile(
    r"(?:(?P<lead>(?:n|d|ness|dess|est|ess|nest|dest)[ao]|ate|para|pra|pro|toda|el|este|esta|proxim[ao]|ultim[ao]|"
    r"pasad[ao]|next|last|this|on|by) )?(?:a |el |feira )?"
    rf"\b(?:(?P<day>{'|'.join(sorted(WEEKDAY_OF, key=len, reverse=True))})\b(?P<feira>[- ]feira)?|"
    r"(?P<number>[2-6])a?[- ]?feira\b)"
    r"(?P<tail> (?:que|q) vem| que viene| proxim[ao]| passad[ao]| pasad[ao]| agora)?"
    r"(?P<thing> (?:via|vez|parcela|opcao|unidade))?"
)
_NEXT_WEEK: Final = re.compile(
    r"\b(?:semana (?:que|q) (?:vem|viene)|proxima semana|semana (?:proxima|seguinte|siguiente)|next week)\b"
)
_RELATIVE: Final = (
    (re.compile(r"\b(?:(?:depois|dps|dp) d[e']? ?(?:amanha|amnha?)|pasado manana|(?:the )?day after tomorrow)\b"), 2),
    (re.compile(r"\b(?:antes de ontem|anteontem|antes de ayer|anteayer|antier|(?:the )?day before yesterday)\b"), -2),
    (re.compile(r"\b(?:amanha|amnha?|(?<!la )(?<!por )manana|tomorrow|tmrw)\b"), 1),
    (re.compile(r"\b(?:ontem|ayer|yesterday)\b"), -1),
    (re.compile(r"\b(?:hoje|hj|hoy|today)\b"), 0),
)
_COUNT: Final = rf"(?P<count>\d{{1,3}}|{NUMBER_WORDS}|an?(?= (?:day|week)))"
_UNIT: Final = r"(?P<unit>dias?|semanas?|days?|weeks?)\b"
_AHEAD: Final = (
    re.compile(rf"\b(?:daqui(?: a)?|dentro de|em|en|in) {_COUNT} {_UNIT}(?! uteis)"),
    re.compile(rf"\b{_COUNT} {_UNIT} from (?:now|today)\b"),
)
_BEHIND: Final = (
    re.compile(rf"\b(?:ha|faz|hace|tem) {_COUNT} {_UNIT}"),
    re.compile(rf"\b{_COUNT} {_UNIT} (?:atras|ago)\b"),
)
_ISO: Final = re.compile(
    r"(?<![\d/.-])(?P<year>(?:19|20)\d\d)(?P<mark>[-/.])(?P<month>\d\d)(?P=mark)(?P<day>\d\d)(?![\d/-]|[.,]\d)"
)
_FIGURES: Final = re.compile(
    r"(?<![\d/.,-])(?P<first>\d{1,2})(?P<mark> ?/ ?|[.-])(?P<second>\d{1,2})"
    r"(?:(?P=mark)(?P<year>\d{4}|\d{2}))?(?![\d/-]|[.,]\d)"
    r"(?! ?(?:vezes|veces|times|parcelas|x\b))"
)
_ALWAYS: Final = "24/7"
_NAMED: Final = re.compile(
    rf"\b(?P<day>\d{{1,2}}|primeiro|primero)(?:º|°|o|r?o|er|st|nd|rd|th)?(?: de | of |/|-| )(?P<month>{_MONTH})\b"
    r"\.?(?:,? (?:de |del )?(?P<year>(?:19|20)\d\d))?"
)
_SPELLED: Final = re.compile(  # "dez" and "set" are months too: "uma de dez" is no date
    rf"\b(?P<day>{NUMBER_WORDS}) de (?P<month>{'|'.join(name for name in MONTH_OF if len(name) > 3)})\b"
    r"(?: (?:de |del )?(?P<year>(?:19|20)\d\d))?"
)
_NAMED_ENGLISH: Final = re.compile(
    rf"\b(?P<month>{_MONTH})\.? (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,? (?P<year>(?:19|20)\d\d))?"
)
_OTHER_MONTH: Final = (
    r"(?:(?P<next>mes (?:que|q) (?:vem|viene)|proximo mes|mes proximo|next month)|"
    r"(?P<last>mes passado|mes pasado|ultimo mes|last month))"
)
_DAY_OF_MONTH: Final = (
    re.compile(rf"\b(?P<day>\d{{1,2}})(?:r?o|er|st|nd|rd|th)? (?:do|del|de|of) {_OTHER_MONTH}\b"),
    re.compile(rf"\b{_OTHER_MONTH},? (?:(?:no|el|on|the|dia) ){{0,2}}(?P<day>\d{{1,2}})(?:r?o|er|st|nd|rd|th)?\b"),
)
_DAY: Final = re.compile(
    r"\b(?:dia|el|the) (?:(?P<day>\d{1,2})(?:r?o|er|st|nd|rd|th)?|primeiro|primero)\b"
    r"(?![/:.,-]?\d|\s*(?:h|reais|unidades|itens))"
)
_BARE_DAY: Final = re.compile(r"^\D{0,12}\b(?P<day>\d{1,2})\b\D{0,12}$")
_MOST_DAYS: Final = 3_660
"""What is further away is no date that a customer means."""
_PAST: Final = re.compile(
    r"\b(?:comprei|paguei|recebi|chegou|fiz|pedi|foi|fui|passad[ao]|ultim[ao]|desde|veio|nasci\w*|compre|pague|recibi|llego|"
    r"hice|fue|pasad[ao]|bought|paid|received|arrived|ordered|was|were|born|since|last)\b"
)


def find_dates(text: str, language: str, today: date, *, bare: bool = False) -> Iterator[Finding]:
    """Dates in folded ``text``, surest forms first; ``bare`` reads a lone "5" as a day, if a date was asked for."""
    past = bool(_PAST.search(text))
    yield from _written(text, language, today, past)
    for pattern, days in _RELATIVE:
        for match in pattern.finditer(text):
            yield _found(match, today + timedelta(days=days))
    yield from _spans(text, today)
    yield from _weekdays(text, today, alone=bare)
    for pattern in _DAY_OF_MONTH:
        for match in pattern.finditer(text):
            month = _next_month(today.replace(day=1)) if match["next"] else _previous_month(today.replace(day=1))
            yield _found(match, _day(month.year, month.month, int(match["day"])))
    for match in _DAY.finditer(text):
        yield _of_day(match, today, past)
    if bare and (lone := _BARE_DAY.match(text)):
        yield _of_day(lone, today, past)


def _found(match: re.Match[str], day: date | None, group: str | int = 0) -> Finding:
    start, end = match.span(group)
    if day is None:
        return Finding(ParameterKind.DATE, start, end, problem="impossible_date")
    return Finding(ParameterKind.DATE, start, end, day.isoformat())


def _written(text: str, language: str, today: date, past: bool) -> Iterator[Finding]:
    for match in _ISO.finditer(text):
        yield _found(match, _day(int(match["year"]), int(match["month"]), int(match["day"])))
    for match in _FIGURES.finditer(text):
        day, month = int(match["first"]), int(match["second"])
        if (match["mark"].strip() != "/" and match["year"] is None) or match[0] == _ALWAYS:
            continue  # "1.50" and "2-3" are an amount and a range
        if (language == "en" or month > 12) and day <= 12:
            day, month = month, day
        yield _found(match, _dated(match["year"], month, day, today, past))
    for pattern in (_NAMED, _SPELLED, _NAMED_ENGLISH):
        for match in pattern.finditer(text):
            written = match["day"]
            number = int(written) if written.isdigit() else words_to_number(written) or 1
            yield _found(match, _dated(match["year"], MONTH_OF[match["month"]], number, today, past))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _dated(year: str | None, month: int, day: int, today: date, past: bool) -> date | None:
    if year is not None:
        return _day(int(year) + (2_000 if len(year) == 2 else 0), month, day)
    years = (today.year - 1, today.year) if past else (today.year - 1, today.year, today.year + 1)
    near = [found for each in years if (found := _day(each, month, day)) and not (past and found > today)]
    if near:
        return min(near, key=lambda found: abs(found - today))
    leap_year = today.year - today.year % 4 if past else today.year + 4 - today.year % 4
    return _day(leap_year, month, day)  # 29 February exists, only not in the years around


def _of_day(match: re.Match[str], today: date, past: bool) -> Finding:
    number = int(match["day"] or 1)
    month = today.replace(day=1)
    step: Callable[[date], date] = _previous_month if past else _next_month
    for _ in range(3):
        found = _day(month.year, month.month, number)
        if found and (found <= today if past else found >= today):
            return _found(match, found)
        month = step(month)
    return _found(match, None)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _previous_month(first: date) -> date:
    return (first - timedelta(days=1)).replace(day=1)


def _spans(text: str, today: date) -> Iterator[Finding]:
    for pattern, sign in (*((pattern, 1) for pattern in _AHEAD), *((pattern, -1) for pattern in _BEHIND)):
        for match in pattern.finditer(text):
            count = int(match["count"]) if match["count"].isdigit() else words_to_number(match["count"]) or 1
            days = count * (7 if match["unit"].startswith(("semana", "week")) else 1)
            if days > _MOST_DAYS:
                continue
            yield _found(match, today + timedelta(days=sign * days))


def _weekdays(text: str, today: date, *, alone: bool) -> Iterator[Finding]:
    next_week = bool(_NEXT_WEEK.search(text))
    for match in _WEEKDAY.finditer(text):
        lead, tail = match["lead"] or "", (match["tail"] or "").strip()
        certain = match["feira"] or tail or lead or next_week or (alone and match[0].strip() == text.strip(" .!"))
        if match["thing"] or (match["day"] in _ORDINALS and not certain):
            continue
        weekday = WEEKDAY_OF[match["day"]] if match["day"] else int(match["number"]) - 2
        ahead = (weekday - today.weekday()) % 7
        if lead.startswith(("ultim", "last", "pasad")) or tail.startswith(("passad", "pasad")):
            yield _found(match, today - timedelta(days=7 - ahead if ahead else 7))
        elif next_week:
            yield _found(match, today + timedelta(days=7 - today.weekday() + weekday))
        elif ahead == 0 and (lead.startswith(("est", "ess", "nest", "ness", "this")) or tail == "agora"):
            yield _found(match, today)
        else:
            yield _found(match, today + timedelta(days=ahead or 7))
