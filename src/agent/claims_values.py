"""Values in a text, in a form in which equal ones are equal: amounts, dates, times, links, numbers that name something.

Whatever is written here is found in replies and in their sources alike, so that "R$ 1.234,56" meets ``123456`` cents and
"quarta que vem" meets an ISO date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from agent.claims_text import Folded
from agent.dates import MONTH_OF, WEEKDAY_OF
from agent.quantities import WORD_VALUES, read_amount

ValueKind = Literal[
    "url", "email", "handle", "money", "percent", "date", "weekday", "month", "time", "quantity", "phone", "code", "number",
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


_LONE: Final = frozenset({"um", "uma", "un", "una", "one", "meia"})
_ONLY_IN: Final = {"dos": "es", "once": "es", "ten": "en", "seis": "", "six": "en"}
_WORDS: Final = "|".join(sorted((*WORD_VALUES, "mil", "media", "half", "doscientas", "trescientas", "six"), key=len, reverse=True))
_SPELLED: Final = rf"(?:{_WORDS})(?:(?: e | y | and |-| )(?:{_WORDS}))*"
_AMOUNT: Final = r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d{1,12}(?:[.,]\d{1,3})?(?!\d)"
_CURRENCIES: Final = {
    "r$": "BRL", "us$": "USD", "u$s": "USD", "u$": "USD", "$": "", "€": "EUR", "£": "GBP", "reais": "BRL", "real": "BRL",
    "brl": "BRL", "dolar": "USD", "dolares": "USD", "dollar": "USD", "dollars": "USD", "usd": "USD", "euro": "EUR",
    "euros": "EUR", "eur": "EUR", "pesos": "", "peso": "", "conto": "BRL", "contos": "BRL", "pila": "BRL", "pilas": "BRL",
    "bucks": "USD", "soles": "", "centavos": "c", "cents": "c",
}  # fmt: skip
_NAMED_CURRENCY: Final = r"(?:reais|real|brl|dolar(?:es)?|dollars?|usd|euros?|eur|pesos?|contos?|pilas?|bucks|soles|centavos|cents)\b"
_UNITS: Final = {
    "minute": "minutos? minutinhos? minutes? mins? min", "hour": "horas? horinhas? hours? hrs? hs?",
    "businessday": "dias? uteis|dias? habiles|business days?|working days?|dias? laborables?",
    "day": "dias? days? diarias? noites? noches? nights?", "week": "semanas? weeks?", "month": "mes meses months? mensalidades?",
    "year": "anos? years?", "installment": "parcelas?|vezes|x|cuotas|instal?lments?|pagamentos|pagos|payments?",
    "percentpoint": "pontos? percentuais",
    "kg": "kgs? quilos? kilos? kilogramas?", "g": "g gramas? gramos?", "km": "kms? quilometros? kilometros?", "m": "m metros?",
    "cm": "cms? centimetros?", "mm": "mm", "l": "l litros? liters?", "ml": "ml", "mega": "mega|megas|mbps|mb|gigas?|gb|gbps",
    "unit": "unidades? unids? units? pecas? piezas? pieces? itens items? item pares? pairs? caixas? cajas? boxes",
    "person": "pessoas personas people persons hospedes huespedes guests lugares",
    "session": "sessoes sesiones sessions aulas clases classes lessons consultas visitas",
    "point": "pontos puntos points", "slot": "vagas? cupos? slots? horarios",
}  # fmt: skip
_UNIT_PATTERNS: Final = [
    (unit, re.compile(rf"\s?(?:{'|'.join(part for part in (words.split('|') if '|' in words else words.split()))})\b(?!/)"))
    for unit, words in sorted(_UNITS.items(), key=lambda pair: pair[0] != "businessday")
]
_URL: Final = re.compile(
    r"https?://[^\s<>\"')\]]+|(?<![@\w.])(?:[a-z0-9-]+\.)+(?:com|net|org|br|io|app|me|link|shop|store|es|mx|ar|co|cl|pt|dev|info|biz|"
    r"online|site|example|edu|gov|us|uk|ly|gl)\b(?:\.[a-z]{2})?(?:/[^\s<>\"')\]]*)?"
)
_EMAIL: Final = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_HANDLE: Final = re.compile(r"(?<![\w.])@[a-z0-9_.]{3,30}")
_MARKED: Final = re.compile(rf"(?P<sign>r\s?\$|us\s?\$|u\$s|\$|€|£)\s*(?P<amount>{_AMOUNT})(?P<mil>\s*(?:mil|k|thousand)\b)?")
_AFTER: Final = re.compile(rf"(?<![\w.,/])(?P<amount>{_AMOUNT})(?P<mil>\s*(?:mil|k|thousand)\b)?\s*(?:de )?(?P<sign>{_NAMED_CURRENCY}|€)")
_SAID: Final = re.compile(rf"\b(?P<amount>{_SPELLED})\s+(?:de )?(?P<sign>{_NAMED_CURRENCY})(?: e (?P<cents>{_SPELLED}|\d\d) centavos)?")
_PERCENT: Final = re.compile(
    rf"(?<![\w.,])(?P<amount>{_AMOUNT})\s*(?:%|por ?cento|por ?ciento|percent\b|per cent)|\b(?P<words>{_SPELLED}) (?:por cento|por ciento|percent)"
)
_ISO: Final = re.compile(r"(?<![\d-])(?P<y>(?:19|20)\d\d)-(?P<m>\d\d)(?:-(?P<d>\d\d))?(?![\d-])")
_FIGURES: Final = re.compile(r"(?<![\d/.,-])(?P<a>\d{1,2})(?P<mark>[/.-])(?P<b>\d{1,2})(?:(?P=mark)(?P<y>\d{4}|\d{2}))?(?![\d/-]|[.,]\d)")
_MONTH: Final = "|".join(sorted(MONTH_OF, key=len, reverse=True))
_NAMED: Final = re.compile(
    rf"\b(?P<d>\d{{1,2}}|primeiro|primero)(?:º|°|o|st|nd|rd|th)?(?: de | of |/|-| )(?P<m>{_MONTH})\b\.?(?:(?:,? (?:de |del )?|[/-])(?P<y>(?:19|20)\d\d))?"
)
_NAMED_ENGLISH: Final = re.compile(rf"\b(?P<m>{_MONTH})\.? (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?![:%])(?:,? (?P<y>(?:19|20)\d\d))?")
_DAY: Final = re.compile(r"\b(?:dias?|el|the|on the) (?P<d>[0-3]?\d)(?:st|nd|rd|th)?\b(?![/:.,-]?\d|\s*(?:h\b|reais|%|unidades|itens|horas))")
_RELATIVE: Final = (
    (re.compile(r"\b(?:depois de amanha|pasado manana|(?:the )?day after tomorrow)\b"), 2),
    (re.compile(r"\b(?:antes de ontem|anteontem|antes de ayer|anteayer|(?:the )?day before yesterday)\b"), -2),
    (re.compile(r"\b(?:amanha|(?<!la )(?<!por la )(?<!de la )(?<!esta )manana|tomorrow)\b"), 1),
    (re.compile(r"\b(?:ontem|ayer|anoche|yesterday|last night)\b"), -1),
    (re.compile(r"\b(?:hoje|hoy|today|tonight|esta noche)\b"), 0),
)
_ORDINAL_DAYS: Final = frozenset({"segunda", "terca", "quarta", "quinta", "sexta"})
_WEEKDAY: Final = re.compile(
    rf"\b(?P<day>{'|'.join(sorted((*WEEKDAY_OF, *(f'{d}s' for d in WEEKDAY_OF if d not in {'mon', 'tue', 'wed', 'thu', 'fri'} and not d.endswith('s')), 'seg', 'ter', 'qua', 'qui', 'sex', 'sab'), key=len, reverse=True))})\b"
    r"(?P<feira>[- ]feiras?)?(?P<thing> (?:via|vez|parcela|opcao|unidade|troca|tentativa|mao|geracao|etapa|fase|cuota|aula|sessao))?"
)
_SHORT_DAYS: Final = {"seg": 0, "ter": 1, "qua": 2, "qui": 3, "sex": 4, "sab": 5}
_LEAD: Final = re.compile(r"(?:\b(?:n[ao]s?|[ao]s?|d[ao]|de|ate|para|pra|toda|proxim[ao]|ultim[ao]|ness[ao]|est[ao]|ess[ao]|e|y|ou|ou na|cada|seja|entre|el|los|on)|[.!?,/:(\n•-])\s*$|^\s*$")
_TIME: Final = re.compile(
    r"(?<![\d:.,/])(?P<h>[01]?\d|2[0-4])(?:\s?h(?:oras?|s|rs)?\b(?!\s?\d)(?! (?:depois|antes|de|por|apos|uteis|despues|before|after|a day))|\s?h\s?(?P<hm>[0-5]\d)\b|:(?P<m>[0-5]\d)(?::[0-5]\d)?(?:\s?h(?:s|rs)?\b)?|(?=\s?(?:a\.?m\b|p\.?m\b|(?:da|de la) (?:manha|tarde|noite|manana|noche)|in the (?:morning|afternoon|evening))))"
    r"(?:\s?(?P<half>a\.?m\b\.?|p\.?m\b\.?|(?:da|de la|in the) (?:manha|tarde|noite|manana|noche|morning|afternoon|evening)))?"
)
_CLOCK: Final = re.compile(
    rf"\b(?:às|a las?|at|ate às|ate as|ate|las|from|until|till?|by|das|desde las|entre as|entre às|e às|hasta las?) (?P<h>[01]?\d|2[0-4]|{_SPELLED})(?:\s?h\b)?"
    r"(?: (?:e|y) (?P<m>meia|media|[0-5]\d|quinze|trinta|quinze|cuarto))?"
    r"(?P<half> ?(?:a\.?m\b\.?|p\.?m\b\.?|(?:da|de la|in the) (?:manha|tarde|noite|manana|noche|morning|afternoon|evening)))?(?![\d.,/%]|\w)(?P<not>\s?(?:dias?|days?|minut|semanas?|weeks?|mes|months?|x|%|reais|parcelas|vezes|pessoas|anos|years|kg|km|unidades|itens|cuotas|personas))?"
)
_RANGE: Final = re.compile(r"\b(?:das?|de|from|entre|between|desde(?: las)?)? ?(?P<h>[01]?\d|2[0-4])(?= ?(?:h )?(?:as|a las|ate as|to|-|–|and|e as) ?(?:[01]?\d|2[0-4]) ?(?:h|:\d|am|pm|a\.m|p\.m))")
_SPELLED_CLOCK: Final = re.compile(
    rf"\b(?P<h>{_SPELLED.split(')(?:(?:')[0]}))(?: horas)?(?: (?:e|y) (?P<m>meia|media|quinze|cuarto|trinta))? (?P<half>(?:da|de la|in the) (?:manha|tarde|noite|manana|noche|morning|afternoon|evening))"
)
_NOON: Final = re.compile(r"\b(?P<noon>meio[- ]dia|mediodia|noon|midday)|\b(?P<midnight>meia[- ]noite|medianoche|midnight)")
_PHONE: Final = re.compile(r"\+\d[\d .\-()]{7,20}\d|(?<![\d\w])\(?0?\d{2}\)?[ -]?9?[ ]?\d{4}[- .]\d{4}(?!\d)|(?<!\d)9?\d{4}-\d{4}(?![\d-])|(?<!\d)0?[38]00[ -]?\d{3}[ -]?\d{3,4}(?!\d)")
_SHAPED: Final = re.compile(r"(?<!\d)(?:\d{3}\.\d{3}\.\d{3}[-./ ]?\d{2}|\d{2}\.\d{3}\.\d{3}/\d{4}-?\d{2}|\d{5}-\d{3}|\d{2}\.\d{3}-\d{3})(?!\d)")
_CODE: Final = re.compile(r"#\s?[a-z0-9][\w/-]{0,30}|(?<![\w.,/@-])(?=[\w/.-]*\d)(?=[\w/.-]*[a-z])[a-z0-9][a-z0-9]*(?:[-_/.][a-z0-9]+)*|(?<![\w.,/@-])\d+(?:[-/]\d+)+(?![\w])|(?<![\w.,])\d{5,}(?![\w])")
_SPOKEN_CODE: Final = re.compile(r"(?:c[oó]digo|cup[oóõ]\w*|coupon|code|voucher|senha|password|contrase\w*|login)\s+(?:promocional |é |es |is |de desconto |:\s?)?[\"'*“]?(?P<code>[A-Z][A-Z0-9]{3,})", re.IGNORECASE)
_NUMBER: Final = re.compile(rf"(?<![\w])(?P<amount>{_AMOUNT})(?P<nth>[ªº°]|[ao]\b|st\b|nd\b|rd\b|th\b)?")
_WORDED: Final = re.compile(rf"(?<![\w-])(?P<words>{_SPELLED})\b(?!-)")
_HALF: Final = re.compile(r"\b(?:meia|media|half an?) (?P<unit>horas?|hours?|diaria|duzia)")
_AND_HALF: Final = re.compile(r" (?:e|y|and) (?:meia|media|a half|meio|medio)\b")
_ONE: Final = re.compile(r"\b(?:em|in|within|for|dentro de|de|ate|por|a cada|cada|daqui a|en|ha|hace|faz|mais)? ?(?:um|uma|un|una|one|an?) (?=(?:dia|semana|mes|ano|hora|day|week|month|year|hour)\b)")
_STREET: Final = re.compile(
    r"\b(?:[Rr]ua|R\.|[Aa]venida|[Aa]v\.?|[Aa]lameda|[Tt]ravessa|[Pp]ra[cç]a|[Rr]odovia|[Ee]strada|[Cc]alle|[Aa]vda\.?|[Cc]arrera|[Pp]laza)\s+(?:[A-ZÁÉÍÓÚÂÊÔÃÕÇ0-9][\wÀ-ÿ.]*|d[aeo]s?)"
    r"(?:\s+(?:[A-ZÁÉÍÓÚÂÊÔÃÕÇ][\wÀ-ÿ.]*|d[aeo]s?|de|la|e|\d+))*|\b\d+\s(?:[A-Z][\w.]*\s){1,3}(?:Street|St\.?|Avenue|Ave\.?|Road|Rd\.?)(?!\w)",
)
_NTH: Final = re.compile(
    r"\b(?P<n>primeir|segund|terceir|primer|tercer|first|second|third)[oa]? (?=(?:troc|cambi|exchang|return|devol|consult|compr|purchas|order|parcel|cuota|mensalid|aula|"
    r"class|visit|unidade|peca|session|sess|month|mes|item|pedido|tentativ|multa|delivery|entrega))"
)
_MARKER: Final = re.compile(r"(?:^|\n)[ \t]*(?:[-•*]\s*)?(\d{1,2})(?:[.)]|\s?[-–]\s)(?=\s?\D)", re.MULTILINE)
_IDIOMS: Final = re.compile(
    r"\b(?:o[s]? dois|as duas|los dos|las dos|the two|the 2|both|nos dois|um ou dois|mil (?:desculpas|perdoes|perdones|disculpas|gracias|obrigad\w+|beijos|abracos)|"
    r"dois (?:segundos|segundinhos|minutinhos)|24 ?h(?:oras)? por dia nao|cpf (?:tem|com|de|sao)(?: os)? (?:11|onze)(?: (?:digitos|numeros))?|"
    r"(?:11|onze) (?:digitos|numeros)(?: do (?:seu )?cpf)?|(?:8|oito) (?:digitos|numeros) do (?:seu )?cep|segunda via|primeira vez|"
    r"\d? ?(?:estrelas?) nao|uma ou duas|dos palabras|duas palavras|passo a passo|covid-19|mp3|mp4|h2o|b2b|24/7 nao|a1 nao|4g|5g|3d|a4)\b"
)


class _Found:
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
    text, found = read.text, _Found(len(read.text))
    if not text:
        return []
    _names(read, found)
    for match in _IDIOMS.finditer(text):
        found.block(match.start(), match.end())
    digits = any(map(str.isdigit, text))
    if digits:
        for match in _MARKER.finditer(text):
            found.block(match.start(1), match.end(1))
    _amounts(text, language, found)
    _days(text, language, today, found)
    _times(text, language, found)
    _measures(text, language, found)
    if digits:
        for match in _PHONE.finditer(text):
            plain = re.sub(r"\D", "", match[0])
            if len(plain) >= 8:
                found.add("phone", match.start(), match.end(), plain)
        for match in _CODE.finditer(text):
            code = match[0].strip("#./- ")
            ordinal = re.fullmatch(r"\d{1,3}(?:a|o|st|nd|rd|th|x|h)", code)
            if not ordinal:
                found.add("code", match.start(), match.start() + len(match[0].rstrip("./-")), re.sub(r"[^a-z0-9]", "", code))
        for match in _NUMBER.finditer(text):
            found.add("number", match.start(), match.end(), _hundredths(read_amount(match["amount"], language)))
    for match in _WORDED.finditer(text):
        amount = spelled(match["words"], language)
        if amount is not None and match["words"] not in _LONE:
            found.add("number", match.start(), match.end(), amount * 100)
    return sorted(found.values, key=lambda value: value.start)


def spelled(words: str, language: str) -> int | None:
    """What number words mean ("dois mil e quinhentos" → 2500); None where they are other words in ``language``."""
    total = current = 0
    parts = [part for part in re.split(r"[\s-]+", words) if part not in {"e", "y", "and"}]
    if len(parts) == 1 and _ONLY_IN.get(parts[0], language) not in {language, ""}:
        return None
    if parts == ["mil"]:
        return None
    for part in parts:
        if part == "mil":
            total, current = total + max(1, current) * 1000, 0
        else:
            current += WORD_VALUES.get(part, 0)
    return total + current


def _hundredths(amount: float) -> int:
    return round(amount * 100)


def _names(read: Folded, found: _Found) -> None:
    text = read.text
    if "@" in text:
        for match in _EMAIL.finditer(text):
            found.add("email", match.start(), match.end(), match[0].rstrip("."))
        for match in _HANDLE.finditer(text):
            found.add("handle", match.start(), match.end(), match[0].rstrip("."))
    if "." in text:
        for match in _URL.finditer(text):
            address = match[0].rstrip(".,;:!?")
            found.add("url", match.start(), match.start() + len(address), plain_url(address))
    for match in _SHAPED.finditer(text):
        found.add("code", match.start(), match.end(), re.sub(r"\D", "", match[0]))
    for match in _SPOKEN_CODE.finditer(read.capital):
        if match["code"].isupper():
            found.add("code", match.start("code"), match.end("code"), match["code"].lower())
    for match in _STREET.finditer(read.capital):
        found.add("address", match.start(), match.end(), re.sub(r"[^a-z ]", "", text[match.start() : match.end()]).strip())


def plain_url(address: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", address).rstrip("/")


def _amounts(text: str, language: str, found: _Found) -> None:
    for pattern in (_MARKED, _AFTER):
        for match in pattern.finditer(text):
            sign = re.sub(r"\s", "", match["sign"])
            amount = read_amount(match["amount"], language) * (1000 if match["mil"] else 1)
            if _CURRENCIES.get(sign) == "c":
                amount /= 100
            found.add("money", match.start(), match.end(), _hundredths(amount), _CURRENCIES.get(sign, "").strip("c"))
    for match in _PERCENT.finditer(text):
        value = read_amount(match["amount"], language) if match["amount"] else spelled(match["words"], language)
        if value is not None:
            found.add("percent", match.start(), match.end(), _hundredths(value))
    for match in _SAID.finditer(text):
        whole = spelled(match["amount"], language)
        if whole is None:
            continue
        cents = match["cents"] or "0"
        parts = int(cents) if cents.isdigit() else spelled(cents, language) or 0
        unit = _CURRENCIES.get(match["sign"], "")
        found.add("money", match.start(), match.end(), whole if unit == "c" else whole * 100 + parts, unit.strip("c"))


def _days(text: str, language: str, today: date, found: _Found) -> None:
    for match in _ISO.finditer(text):
        if match["d"]:
            found.add("date", match.start(), match.end(), (int(match["y"]), int(match["m"]), int(match["d"])))
        else:
            found.add("month", match.start(), match.end(), (int(match["y"]), int(match["m"])))
    for match in _FIGURES.finditer(text):
        day, month = int(match["a"]), int(match["b"])
        if match["mark"] != "/" and match["y"] is None:
            continue
        if (language == "en" or month > 12) and day <= 12:
            day, month = month, day
        if 1 <= month <= 12 and 1 <= day <= 31:
            found.add("date", match.start(), match.end(), (_year(match["y"]), month, day))
    for pattern in (_NAMED, _NAMED_ENGLISH):
        for match in pattern.finditer(text):
            day = 1 if not match["d"].isdigit() else int(match["d"])
            if 1 <= day <= 31:
                found.add("date", match.start(), match.end(), (_year(match["y"]), MONTH_OF[match["m"]], day))
    for match in re.finditer(rf"\b(?P<m>{_MONTH})\b(?:(?: de | del |/| )(?P<y>20\d\d))?", text):
        if (len(match["m"]) > 3 and match["m"] not in {"sept"}) or match["y"]:
            found.add("month", match.start(), match.end(), (_year(match["y"]), MONTH_OF[match["m"]]))
    for match in re.finditer(r"(?<![\d/])(?P<m>0[1-9]|1[0-2])/(?P<y>20\d\d)(?!\d)", text):
        found.add("month", match.start(), match.end(), (int(match["y"]), int(match["m"])))
    for pattern, days in _RELATIVE:
        for match in pattern.finditer(text):
            day_meant = today + timedelta(days=days)
            found.add("date", match.start(), match.end(), (day_meant.year, day_meant.month, day_meant.day))
    for match in _WEEKDAY.finditer(text):
        name = match["day"].removesuffix("s") if match["day"] not in WEEKDAY_OF else match["day"]
        lead = _LEAD.search(text[max(0, match.start() - 12) : match.start()])
        doubtful = name in _ORDINAL_DAYS or name in _SHORT_DAYS or name in {"mon", "tue", "wed", "thu", "fri"}
        if match["thing"] or (doubtful and not match["feira"] and not lead):
            continue
        if name in _SHORT_DAYS and not re.match(r"[.,/ :)-]", text[match.end() : match.end() + 1] or " "):
            continue
        found.add("weekday", match.start(), match.end(), _SHORT_DAYS.get(name, WEEKDAY_OF.get(name)))
    for match in _DAY.finditer(text):
        if 1 <= int(match["d"]) <= 31:
            found.add("date", match.start("d"), match.end("d"), (None, None, int(match["d"])))


def _year(year: str | None) -> int | None:
    return None if year is None else int(year) + (2000 if len(year) == 2 else 0)


_PARTS: Final = {"meia": 30, "media": 30, "quinze": 15, "cuarto": 15, "trinta": 30}
"""Minutes after the hour in words."""


def _times(text: str, language: str, found: _Found) -> None:
    for match in _RANGE.finditer(text):
        found.add("time", match.start("h"), match.end("h"), (int(match["h"]) % 24 * 60,), "range")
    for match in _TIME.finditer(text):
        minutes = int(match["h"]) * 60 + int(match["hm"] or match["m"] or 0)
        found.add("time", match.start(), match.end(), _halves(minutes, match["half"], loose=False))
    for match in _CLOCK.finditer(text):
        hour = int(match["h"]) if match["h"].isdigit() else spelled(match["h"], language)
        bare = match["h"] in _LONE and not match["half"]
        if hour is None or match["not"] or hour > 24 or bare:
            continue
        said = match["m"] or ""
        minutes = int(said) if said.isdigit() else _PARTS.get(said, 0)
        start = match.start("h")
        found.add("time", start, match.end(), _halves(hour * 60 + minutes, match["half"], loose=hour <= 12))
    for match in _SPELLED_CLOCK.finditer(text):
        hour = spelled(match["h"], language)
        if hour is not None and 1 <= hour <= 12:
            minutes = _PARTS.get(match["m"] or "", 0)
            found.add("time", match.start(), match.end(), _halves(hour * 60 + minutes, match["half"], loose=False))
    for match in _NOON.finditer(text):
        found.add("time", match.start(), match.end(), (720 if match["noon"] else 0,))


def _halves(minutes: int, half: str | None, *, loose: bool) -> tuple[int, ...]:
    """The minutes of the day that are meant: two of them where the text leaves the half of the day open."""
    said = (half or "").replace(".", "").strip()
    if said.startswith("p") or said.endswith(("tarde", "noite", "noche", "afternoon", "evening")):
        return (minutes if minutes >= 720 else minutes + 720,)
    if said:
        return (minutes % 720,)
    return (minutes, minutes + 720) if loose and minutes < 720 else (minutes % 1440,)


def _measures(text: str, language: str, found: _Found) -> None:
    for match in _NTH.finditer(text):
        found.add("quantity", match.start(), match.end(), {"p": 100, "f": 100, "s": 200, "t": 300}[match["n"][0]], "nth")
    for match in _HALF.finditer(text):
        found.add("quantity", match.start(), match.end(), 3000, "minute")
    for match in _ONE.finditer(text):
        unit = _unit(text, match.end())
        if unit:
            found.add("quantity", match.start() + (match[0][:1] == " "), unit[1], 100, unit[0])
    for match in _numbers(text):
        unit = _unit(text, match.end())
        if unit is None:
            continue
        word = match[0]
        amount = _hundredths(read_amount(word, language)) if word[0].isdigit() else (spelled(word, language) or 0) * 100
        end = unit[1]
        more = _AND_HALF.match(text, end)
        if more:
            amount, end = amount + 50, more.end()
        if amount:
            found.add("quantity", match.start(), end, amount, unit[0])
    for match in re.finditer(r"(?<![\w.,/])(?P<a>\d{1,3})(?= ?(?:a|ou|o|to|or|e|y|-|–|ate) ?\d{1,3} ?(?P<u>[a-z]{1,12}(?: uteis| habiles| days)?))", text):
        unit = _unit(f" {match['u']} ", 0)
        if unit:
            found.add("quantity", match.start(), match.end(), int(match["a"]) * 100, unit[0])


_FIGURE_OR_WORD: Final = re.compile(rf"(?<![\w.,/])(?:{_AMOUNT})(?!\d)|(?<![\w-])(?:{_SPELLED})(?![\w])")


def _numbers(text: str) -> Iterator[re.Match[str]]:
    return _FIGURE_OR_WORD.finditer(text)


def _unit(text: str, position: int) -> tuple[str, int] | None:
    for unit, pattern in _UNIT_PATTERNS:
        match = pattern.match(text, position)
        if match:
            return unit, match.end()
    return None
