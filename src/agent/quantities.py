"""Amounts of money and whole numbers in Portuguese, Spanish and English, in figures or words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agent.findings import Finding
from tools.declaration import ParameterKind

_UNITS: Final = {
    0: "zero cero", 1: "um uma un una one", 2: "dois duas dos two", 3: "tres three", 4: "quatro cuatro four",
    5: "cinco five", 6: "seis six meia", 7: "sete siete seven", 8: "oito ocho eight", 9: "nove nueve nine",
    10: "dez diez ten", 11: "onze once eleven", 12: "doze doce twelve", 13: "treze trece thirteen",
    14: "quatorze catorze catorce fourteen", 15: "quinze quince fifteen", 16: "dezesseis dieciseis sixteen",
    17: "dezessete diecisiete seventeen", 18: "dezoito dieciocho eighteen", 19: "dezenove diecinueve nineteen",
    20: "vinte veinte twenty",
    21: "veintiuno veintiun veintiuna", 22: "veintidos", 23: "veintitres", 24: "veinticuatro", 25: "veinticinco",
    26: "veintiseis", 27: "veintisiete", 28: "veintiocho", 29: "veintinueve",
    30: "trinta treinta thirty", 40: "quarenta cuarenta forty",
    50: "cinquenta cincuenta fifty", 60: "sessenta sesenta sixty", 70: "setenta seventy", 80: "oitenta ochenta eighty",
    90: "noventa ninety", 100: "cem cien hundred cento ciento", 200: "duzentos duzentas doscientos",
    300: "trezentos trezentas trescientos", 400: "quatrocentos quatrocentas cuatrocientos cuatrocientas",
    500: "quinhentos quinhentas quinientos quinientas", 600: "seiscentos seiscentas seiscientos seiscientas",
    700: "setecentos setecentas setecientos setecientas", 800: "oitocentos oitocentas ochocientos ochocientas",
    900: "novecentos novecentas novecientos novecientas",
}  # fmt: skip
WORD_VALUES: Final = {word: value for value, words in _UNITS.items() for word in words.split()}
_SCALES: Final = {"mil": 1_000, "k": 1_000, "thousand": 1_000} | dict.fromkeys(
    ("milhao", "milhoes", "mi", "millon", "millones", "million"), 1_000_000
)
_SCALE: Final = "|".join(sorted(_SCALES, key=len, reverse=True))
_NUMBER_WORD: Final = "|".join(sorted([*WORD_VALUES, "mil", "thousand"], key=len, reverse=True))
NUMBER_WORDS: Final = rf"(?:{_NUMBER_WORD})(?:(?: e | y | and |-| )(?:{_NUMBER_WORD}))*"
"""Regular expression of a number in words; read it with :func:`words_to_number`."""

_AMOUNT: Final = r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?|\d{1,12}(?:[.,]\d{1,2})?"
_SCALED: Final = rf"(?:\s*(?P<scale>{_SCALE})\b)?"
_CURRENCY: Final = r"(?:de )?(?:reais|real|contos?|pilas?|pratas?|pesos?|dolar(?:es)?|dollars?|bucks|euros?|usd|brl)\b"
_PARTS: Final = rf"(?P<cents>\d{{1,2}}|{NUMBER_WORDS}) (?:centavos?|centimos?|cents?)\b"
_AND_CENTS: Final = rf"(?: (?:(?:e|y|con|and) )?{_PARTS})?"
_MARKED: Final = re.compile(
    rf"(?:r\s?\$|us\s?\$|u\$s|\$|€|£)\s*(?P<amount>{_AMOUNT})(?!\d){_SCALED}(?:\s*{_CURRENCY})?{_AND_CENTS}"
)
_NAMED: Final = re.compile(rf"(?<![\w.,])(?P<amount>{_AMOUNT}){_SCALED}\s*{_CURRENCY}{_AND_CENTS}")
_SPELLED: Final = re.compile(rf"\b(?P<words>{NUMBER_WORDS}){_SCALED} {_CURRENCY}{_AND_CENTS}")
_ONLY_CENTS: Final = re.compile(rf"(?<![\w.,]){_PARTS}")
_CENTS: Final = re.compile(r"(?<![\w.,/\-])(?P<amount>\d{1,3}(?:[.,]\d{3})*[.,]\d{2})(?![\w.,/\-]?\d)")
_BARE: Final = re.compile(rf"(?<![\w.,/\-])(?P<amount>{_AMOUNT})(?![.,/\-]?\d){_SCALED}")
_INTEGER: Final = re.compile(
    r"(?<![\w#.,/\-])(?<!tamanho )(?<!tam )(?<!talla )(?<!size )(?<!numero )(?<!number )\d{1,9}(?![\w]|[.,/\-]\d)"
)
_SPELLED_INTEGER: Final = re.compile(rf"\b{NUMBER_WORDS}\b")
_DOZENS: Final = re.compile(
    rf"(?<![\w.,])(?:(?P<half>meia|media|half an?)|(?P<count>\d{{1,3}}|an?|{NUMBER_WORDS})) "
    r"(?:duzias?|docenas?|dozens?)\b"
)


def read_amount(figures: str, language: str) -> float:
    """The number that figures such as "1.234,56", "1,234.56" or "1234.5" mean.

    A lone separator before three digits groups thousands, except for the point in English.
    """
    last = max(figures.rfind("."), figures.rfind(","))
    if last < 0:
        return float(figures)
    decimals = len(figures) - last - 1
    lone_english_point = figures[last] == "." and language == "en" and figures.count(".") == 1 and "," not in figures
    if decimals == 3 and not lone_english_point:
        return float(re.sub("[.,]", "", figures))
    whole = re.sub("[.,]", "", figures[:last])
    return float(f"{whole or 0}.{figures[last + 1 :]}")


def words_to_number(words: str) -> int:
    """What the number words say: "vinte e cinco" → 25, "dois mil e duzentos" → 2200, "two hundred" → 200."""
    total = below = 0
    for word in re.split(r"[\s-]+", words):
        if word in _SCALES:
            total, below = total + (below or 1) * _SCALES[word], 0
        elif word == "hundred" and 0 < below < 10:
            below *= 100
        else:
            below += WORD_VALUES.get(word, 0)
    return total + below


def find_money(text: str, language: str, *, bare: bool = False) -> Iterator[Finding]:
    """Amounts with a currency, or with cents; ``bare`` numbers too, where an amount was asked for."""
    for pattern in (_MARKED, _NAMED, _SPELLED, _CENTS, _ONLY_CENTS, *((_BARE,) if bare else ())):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            amount = 0.0
            if groups.get("amount"):
                amount = read_amount(groups["amount"], language)
            elif groups.get("words"):
                amount = float(words_to_number(groups["words"]))
            amount = amount * _SCALES.get(groups.get("scale") or "", 1) + _count(groups.get("cents") or "") / 100
            yield Finding(ParameterKind.MONEY, match.start(), match.end(), round(amount, 2))


def find_integers(text: str, *, spelled: bool) -> Iterator[Finding]:
    """Whole numbers in figures, or ``spelled`` ones where a number was asked for ("um" is also an article)."""
    for match in _DOZENS.finditer(text) if spelled else ():
        dozens = 0.5 if match["half"] else _count(match["count"]) or 1
        yield Finding(ParameterKind.INTEGER, match.start(), match.end(), int(12 * dozens))
    for match in _INTEGER.finditer(text):
        yield Finding(ParameterKind.INTEGER, match.start(), match.end(), int(match[0]))
    if spelled:
        for match in _SPELLED_INTEGER.finditer(text):
            yield Finding(ParameterKind.INTEGER, match.start(), match.end(), words_to_number(match[0]))


def _count(written: str) -> int:
    return int(written) if written.isdigit() else words_to_number(written)
