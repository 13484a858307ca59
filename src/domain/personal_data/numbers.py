"""Numbers of persons: identity, cards, accounts, telephones, postal codes.

Check digits tell them from order numbers.
"""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from stdnum import iban, luhn
from stdnum.br import cnpj, cpf

from domain.personal_data.found import Finds, Kind
from domain.personal_data.labels import Labels

_S: Final = r"[ .\-/]{0,3}"
_NOT_INSIDE: Final = r"(?<![\w@#=%$])(?<!\d[.,/\-])(?<!\+)"
_NOT_MORE: Final = r"(?![\w%@]|[.,/\-:]\d)"

_CPF: Final = re.compile(rf"{_NOT_INSIDE}(?:\d{{3}}{_S}\d{{3}}{_S}\d{{3}}{_S}\d{{2}}){_NOT_MORE}")
_CPF_CALLED: Final = re.compile(r"\d(?:[ .\-/,]{0,3}\d){10}(?!\d)")
_CNPJ: Final = re.compile(rf"{_NOT_INSIDE}\d{{2}}{_S}\d{{3}}{_S}\d{{3}}{_S}\d{{4}}{_S}\d{{2}}{_NOT_MORE}")
_CNPJ_LETTERS: Final = re.compile(r"(?<![\w])[0-9a-z]{2}\.[0-9a-z]{3}\.[0-9a-z]{3}/[0-9a-z]{4}-?\d{2}(?!\w)")
_CNPJ_BARE: Final = re.compile(r"(?<![\w])(?=\d*[a-z])[0-9a-z]{12}\d{2}(?!\w)")
_CNPJ_CALLED: Final = re.compile(r"[0-9a-z]{2}[ .\-/]{0,3}(?:[0-9a-z][ .\-/]{0,3}){10}\d[ .\-/]{0,3}\d(?![0-9a-z])")
_CNPJ_LETTERS_CALLED: Final = re.compile(
    r"(?<![0-9a-z])[0-9a-z]{2}\.?[0-9a-z]{3}\.?[0-9a-z]{3}/?[0-9a-z]{4}-?\d{2}(?![0-9a-z])"
)
_CARD: Final = re.compile(r"(?<![\w@#=%$])(?<!\d[.,/\-])\d(?:[ .\-]{0,2}\d){12,}(?![\w%@])")
_DIGITS_CALLED: Final = re.compile(r"\d(?:[ .\-/]{0,2}\d){4,18}(?!\d)")
_RG: Final = re.compile(r"(?:[a-z]{2}[ \-]?)?\d(?:[ .\-]{0,2}\d){5,8}(?:[ .\-]{0,2}(?:x\b|\d))?(?!\d)")
_NATIONAL: Final = re.compile(
    r"[a-z]{4}\d{6}[a-z]{6}[a-z0-9]\d\b|[a-z&]{3,4}\d{6}[a-z0-9]{3}\b|"
    r"[a-z]{0,3}[ .\-]?\d(?:[.\- ]?\d){4,13}(?:-?[a-z0-9]\b)?"
)
_CARD_CODE: Final = re.compile(r"(?<!\d)\d{3,4}(?![\d/])")
_ACCOUNT: Final = re.compile(r"\d[\d.]{2,14}(?: ?- ?[\dx]\d{0,3}\b)?(?![\d,/])")
_LONG_ACCOUNT: Final = re.compile(r"\d(?:[ .\-]?\d){17,21}(?![\d])")
"""An account with its bank in it: CLABE (18 digits), CBU and CVU (22)."""
_IBAN: Final = re.compile(r"(?<![\w])[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){3,7}(?: ?[a-z0-9]{1,3})?(?!\w)")
_CEP: Final = re.compile(r"(?<![\w.,/\-])(?:\d{5}|\d{2}\.\d{3}) ?- ?\d{3}(?![\w\-]|[.,/]\d)")
_CEP_CALLED: Final = re.compile(r"\d{2}\.?\d{3}[ \-.]?\d{3}(?!\d)")
_POSTAL_CALLED: Final = re.compile(r"\d{5}(?:-\d{4})?(?![\d\-])")

_DDD: Final = "(?:1[1-9]|2[12478]|3[1-578]|4[1-9]|5[1345]|6[1-9]|7[134579]|8[1-9]|9[1-9])"  # Anatel's area codes
_TRUNK: Final = r"(?:0(?:xx)?)?"
_INTERNATIONAL: Final = re.compile(r"(?<![\w+])\+ ?\(?\d(?:[ ().\-]{0,3}\d){6,14}(?!\d)")
_MOBILE: Final = re.compile(
    r"(?<![\w@#=%$+])(?<!\d[.,/\-])"
    rf"(?:\(?(?:00|0)?55\)?[ .\-]{{0,2}})?(?:\( ?{_TRUNK}{_DDD} ?\)|{_TRUNK}{_DDD})[ .\-/]{{0,3}}9[ .\-]?"
    rf"\d{{4}}[ .\-]{{0,3}}\d{{4}}{_NOT_MORE}"
)
_LANDLINE: Final = re.compile(
    r"(?<![\w@#=%$+])(?<!\d[.,/\-])"
    rf"(?P<country>\(?(?:00|0)?55\)?[ .\-]{{0,2}})?(?P<area>\( ?{_TRUNK}{_DDD} ?\)|{_TRUNK}{_DDD})"
    r"(?P<gap>[ .\-]{0,3})"
    rf"[2-9]\d{{3}}(?P<dash>[ .\-]{{0,3}})\d{{4}}{_NOT_MORE}"
)
_PHONE_CALLED: Final = re.compile(r"[+(]{0,2}\d(?:[ ().\-/]{0,3}\d){6,14}(?!\d)")
_YEARS: Final = re.compile(r"\D(?:19|20)\d\d\D+(?:19|20)\d\d$")
_SERVICE: Final = re.compile(r"^0[358]00|^(?:4004|3003|4003|4020|4062)\d{4}$|^1\d\d$")
_BRAND: Final = re.compile(
    r"4(?:\d{15}|\d{18})|(?:5[0-8]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6\d{15,18}|38(?:41|60)\d{12,15}"
)
_MOST_CARD_RUN: Final = 30


_LONG_RUN: Final = re.compile(r"\d(?:[ .\-]{0,2}\d){35,}")


def keep_payment_slips(finds: Finds) -> None:
    """Payment slips and invoices' keys are so long that parts of them look like anything."""
    for match in _LONG_RUN.finditer(finds.folded):
        finds.reserve(*match.span())


def digits_of(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def find_identities(finds: Finds, labels: Labels) -> None:
    """CPF, CNPJ, RG and the identity numbers of other countries."""
    text = finds.folded
    for label in labels.all:
        if label.name == "cnpj":
            _called(finds, labels, _CNPJ_CALLED, label.end, Kind.CNPJ)
            if with_letters := _CNPJ_LETTERS_CALLED.search(text, label.end, label.end + 60):
                finds.add(Kind.CNPJ, *with_letters.span())
        elif label.name == "cpf":
            _called(finds, labels, _CPF_CALLED, label.end, Kind.CPF)
        elif label.name == "rg":
            _called(finds, labels, _RG, label.end, Kind.RG)
        elif label.name == "national_id":
            _passport(finds, labels, label.end)
    for pattern in (_CNPJ, _CNPJ_LETTERS, _CNPJ_BARE):
        for match in pattern.finditer(text):
            called = labels.names(*match.span(), "cnpj") or (pattern is _CNPJ_LETTERS and _is_cnpj(match[0]))
            if pattern is _CNPJ_BARE and not _is_cnpj(match[0]):
                continue
            if called or (cnpj.is_valid(match[0].upper()) and not labels.calls_it_something_else(*match.span())):
                finds.add(Kind.CNPJ, *match.span())
    for match in _CPF.finditer(text):
        if labels.names(*match.span(), "cpf") or (
            cpf.is_valid(digits_of(match[0]))
            and not (labels.names(*match.span(), "phone") and _MOBILE.fullmatch(match[0]))
            and not labels.calls_it_something_else(*match.span())
        ):
            finds.add(Kind.CPF, *match.span())


def _is_cnpj(written: str) -> bool:
    return bool(cnpj.is_valid(written.upper()))


def _passport(finds: Finds, labels: Labels, after: int) -> None:
    match = _next(finds, labels, _NATIONAL, after, gap=40)
    if match is not None:
        series = re.search(r"(?<!\w)[A-Z]{1,3} $", finds.text[after : match.start()])
        finds.add(Kind.NATIONAL_ID, match.start() - (len(series[0]) if series else 0), match.end())


def find_cards(finds: Finds, labels: Labels) -> None:
    """Payment cards, their codes, and bank accounts."""
    for match in _CARD.finditer(finds.folded):
        end = _card_end(match[0], called=labels.names(*match.span(), "card"))
        if end and not labels.calls_it_something_else(match.start(), match.start() + end):
            finds.add(Kind.CARD, match.start(), match.start() + end)
    for label in labels.all:
        if label.name == "card_code":
            _called(finds, labels, _CARD_CODE, label.end, Kind.CARD_CODE, gap=25)
        elif label.name == "bank_account" and _LONG_LABEL.search(finds.folded, label.start, label.end):
            _called(finds, labels, _LONG_ACCOUNT, label.end, Kind.BANK_ACCOUNT)
        elif label.name == "bank_account":
            _account(finds, labels, label.end, strong=len(finds.folded[label.start : label.end]) > len("conta"))


_LONG_LABEL: Final = re.compile(r"clabe|cbu|cvu")


def find_ibans(finds: Finds) -> None:
    """International account numbers: their check digits tell them wherever they stand."""
    for match in _IBAN.finditer(finds.folded):
        for end in range(match.end(), match.start() + 14, -1):
            written = finds.folded[match.start() : end]
            if written == written.rstrip() and iban.is_valid(written):
                finds.add(Kind.BANK_ACCOUNT, match.start(), end)
                break


def _card_end(run: str, *, called: bool) -> int:
    """Where a card's number ends within a run of digits, counted in characters; 0 if there is none."""
    digits = digits_of(run)
    if len(digits) > _MOST_CARD_RUN:  # an invoice's key, a payment slip
        return 0
    if called and len(digits) <= 19:
        return len(run)
    for length in (16, 15, 14, 19, 18, 17):
        if len(digits) < length:
            continue
        head = digits[:length]
        if _BRAND.fullmatch(head) and luhn.is_valid(head):
            seen = 0
            for place, char in enumerate(run):
                seen += char.isdigit()
                if seen == length:
                    rest = run[place + 1 :]
                    return place + 1 if not rest or not rest[0].isdigit() else 0
    return 0


def _account(finds: Finds, labels: Labels, after: int, *, strong: bool) -> None:
    match = _next(finds, labels, _ACCOUNT, after, gap=25)
    if match is None:
        return
    has_check = "-" in match[0]
    if has_check or (strong and len(digits_of(match[0])) >= 5):
        finds.add(Kind.BANK_ACCOUNT, *match.span())


def find_phones(finds: Finds, labels: Labels) -> None:
    """Telephone numbers: written as such, or called so."""
    text = finds.folded
    for match in _INTERNATIONAL.finditer(text):
        if _is_possible("+" + digits_of(match[0])):
            finds.add(Kind.PHONE, *match.span())
    for match in _MOBILE.finditer(text):
        if not labels.calls_it_something_else(*match.span()):
            finds.add(Kind.PHONE, *match.span())
    for match in _LANDLINE.finditer(text):
        is_phone = _is_written_as_phone(match) or labels.names(*match.span(), "phone", "weak_phone")
        if is_phone and not labels.calls_it_something_else(*match.span()) and not _YEARS.search(match[0]):
            finds.add(Kind.PHONE, *match.span())
    _find_called_phones(finds, labels)


def _is_written_as_phone(landline: re.Match[str]) -> bool:
    """Ten digits in a row may be anything: brackets or gaps make them a telephone number."""
    area, gap, dash = landline["area"], landline["gap"], landline["dash"]
    return area.startswith("(") or bool(gap and dash) or bool(landline["country"] and (gap or dash))


def _find_called_phones(finds: Finds, labels: Labels) -> None:
    text = finds.folded
    for label in labels.all:
        if label.name in {"phone", "weak_phone"}:
            number = _next(finds, labels, _PHONE_CALLED, label.end, gap=30)
            if number and _may_be_called_phone(digits_of(number[0]), surely=label.name == "phone"):
                finds.add(Kind.PHONE, *number.span())
    for match in _PHONE_CALLED.finditer(text):  # "98765-4321 é meu zap"
        digits = digits_of(match[0])
        fits = 8 <= len(digits) <= 13 and _may_be_called_phone(digits, surely=True)
        if fits and labels.before(match.start()) is None and labels.names(*match.span(), "phone"):
            finds.add(Kind.PHONE, *match.span())


def _is_possible(number: str) -> bool:
    if re.fullmatch(r"\+521\d{10}", number):  # Mexican mobiles as WhatsApp still writes them
        return True
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return False


def _may_be_called_phone(digits: str, *, surely: bool) -> bool:
    if _SERVICE.search(digits):
        return False
    if surely:
        return 7 <= len(digits) <= 15
    local = re.fullmatch(rf"(?:55)?0?{_DDD}(?:9\d{{8}}|[2-5]\d{{7}})|9\d{{8}}", digits)
    return local is not None


def find_postal_codes(finds: Finds, labels: Labels) -> None:
    """CEP by its form; other postal codes where the text calls them so."""
    for label in labels.all:
        if label.name == "postal_code":
            _called(finds, labels, _CEP_CALLED, label.end, Kind.POSTAL_CODE, gap=20)
            _called(finds, labels, _POSTAL_CALLED, label.end, Kind.POSTAL_CODE, gap=15)
    for match in _CEP.finditer(finds.folded):
        if not labels.calls_it_something_else(*match.span()):
            finds.add(Kind.POSTAL_CODE, *match.span())


def _called(finds: Finds, labels: Labels, pattern: re.Pattern[str], after: int, kind: Kind, *, gap: int = 40) -> None:
    match = _next(finds, labels, pattern, after, gap=gap, passing=_PASSED.get(kind, _PASSED_ALWAYS))
    if match is not None:
        finds.add(kind, *match.span())


_PASSED_ALWAYS: Final = frozenset({"weak_phone"})
_PASSED: Final = {kind: _PASSED_ALWAYS | {"bank_account", "card"} for kind in (Kind.CPF, Kind.CNPJ)}
"""Labels that may stand between a label and its number: "o CPF do titular da conta é …"."""
_NUMBER_STARTS: Final = re.compile(r"[+(]{0,2}\d|\b[a-z]{0,4}-?\d")


def _next(
    finds: Finds,
    labels: Labels,
    pattern: re.Pattern[str],
    after: int,
    *,
    gap: int,
    passing: frozenset[str] = _PASSED_ALWAYS,
) -> re.Match[str] | None:
    """The first number after a label, if it has the form; nothing if another label or number stands between."""
    text = finds.folded
    start = _NUMBER_STARTS.search(text, after, after + gap + 4)
    if start is None or "\n\n" in text[after : start.start()]:
        return None
    match = pattern.match(text, start.start()) or pattern.match(text, _first_digit(text, start.start()))
    if match is None or any(
        after <= label.start and label.end <= match.start() and label.name not in passing for label in labels.all
    ):
        return None
    return match


def _first_digit(text: str, start: int) -> int:
    while start < len(text) and not text[start].isdigit():
        start += 1
    return start
