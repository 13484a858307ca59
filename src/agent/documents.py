"""Numbers that name something: CPF, CNPJ, CEP, phones, e-mail addresses and order numbers.

They look alike: eleven digits are a CPF or a mobile phone, eight a CEP, a landline or an order. What decides, in this
order: the shape ("123.456.789-09"), the word before ("cep 01310100"), the kind that the bot has just asked for, and
only then the digits themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

import phonenumbers
from stdnum.br import cnpj, cpf

from agent.findings import Finding, Problem, Value
from tools.declaration import ParameterKind as Kind

_HOME: Final = "BR"
_EMAIL: Final = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_BROKEN_EMAIL: Final = re.compile(r"\S{1,64}@\S{0,64}")
_ADDRESS: Final = re.compile(r"\bhttps?://\S+|\bwww\.\S+")
_RUN: Final = re.compile(r"\+?\(?\d[\d .\-/()]{0,30}\d|\d")
_CUE: Final = re.compile(
    r"\b(?:(?P<cpf>cpf)|(?P<cnpj>cnpj)|(?P<cep>cep|codigo postal|zip(?: code)?)|"
    r"(?P<phone>telefone|celular|cel|tel|fone|whats(?:app)?|zap|telefono|movil|phone|mobile|contato)|"
    r"(?P<order>pedido|compra|encomenda|orden|order|protocolo))s?\b"
    r"(?:\s*(?:n[uo]mero|number|num|n[ro]?|e|es|is|de|do|da|del|meu|mi|my|o|:|=|#|-|\.|º|°)){0,4}\s*(?=[#+(]?\s?\w{0,5}-?\d)"
)
_SHAPES: Final = (
    (
        Kind.CNPJ,  # since 2026 all but its check digits may be letters
        re.compile(
            r"(?<![a-z\d])[a-z\d]{2}\.[a-z\d]{3}\.[a-z\d]{3}/[a-z\d]{4}-?\d{2}(?!\w)|(?<![a-z\d])\d{8}/\d{4}-?\d{2}(?!\w)"
        ),
    ),
    (Kind.CPF, re.compile(r"(?<!\d)\d{3}\.\d{3}\.\d{3}[-./ ]?\d{2}(?!\d)|(?<!\d)\d{9}-\d{2}(?!\d)")),
    (Kind.CEP, re.compile(r"(?<![\d-])(?:\d{5}|\d{2}\.\d{3})-\d{3}(?![\d-])")),
    (
        Kind.PHONE,
        re.compile(
            r"\+\d[\d .\-()]{7,20}\d|"
            r"(?<!\d)\(?0?\d{2}\)?\s?9?\s?\d{4}[- .]\d{4}(?!\d)|\(\d{2}\)\s?\d{8,9}(?!\d)"
        ),
    ),
)
_LETTERED: Final = re.compile(r"(?=\d*[a-z])(?=[a-z]*\d)[a-z\d](?:[.\-/]?[a-z\d]){12}[.\-/]?\d(?!\w)")
"""A CNPJ with letters, however it is divided."""
_GROUPED: Final = re.compile(r"#?\s?\d{1,3}(?:[ .]\d{3})+(?![\w,/-]|\.\d)")
"""An order number written as amounts are: "12.345"."""
_ORDER: Final = re.compile(r"#\s?[a-z0-9][\w/-]{0,23}|(?<![\w.,/@-])[a-z]{0,5}-?\d[\w/-]{0,22}(?![\w@]|[.,]\d)")
_MIN_DIGITS_OF_CUED: Final = 3
"""An "order of 2 shirts" names no order."""
_LENGTHS: Final = {Kind.CPF: 11, Kind.CNPJ: 14, Kind.CEP: 8}
BARE_KINDS: Final = (Kind.CPF, Kind.CNPJ, Kind.PHONE, Kind.CEP)


def find_emails(text: str) -> Iterator[Finding]:
    for match in _EMAIL.finditer(text.replace(" arroba ", "@")):
        yield Finding(Kind.EMAIL, match.start(), match.end(), match[0].rstrip("."))
    for match in _BROKEN_EMAIL.finditer(text):
        yield Finding(Kind.EMAIL, match.start(), match.end(), problem="wrong_format")


def find_shapes(text: str) -> Iterator[Finding]:
    """Numbers whose punctuation says what they are."""
    for kind, pattern in _SHAPES:
        for match in pattern.finditer(text):
            yield read_number(kind, match.start(), match.end(), match[0])


def find_cued(text: str, patterns: Collection[str]) -> Iterator[Finding]:
    """Numbers behind the word that names them; ``patterns`` are those of the wanted order numbers."""
    for cue in _CUE.finditer(text):
        if cue["order"]:
            code = _GROUPED.match(text, cue.end()) or _ORDER.match(text, cue.end())
            if code and sum(map(str.isdigit, code[0])) >= _MIN_DIGITS_OF_CUED:
                yield read_order(code, patterns, asked=True)
            continue
        run = (_LETTERED.match(text, cue.end()) if cue["cnpj"] else None) or _RUN.match(text, cue.end())
        if run and cue.lastgroup:
            yield read_number(Kind(cue.lastgroup), run.start(), run.end(), run[0])


def find_bare(text: str, wanted: Collection[Kind], asked: Kind | None) -> Iterator[Finding]:
    """Runs of digits without a telling shape, as one of the ``wanted`` kinds; ``asked`` goes first and may be wrong."""
    if Kind.CNPJ in wanted:
        for lettered in _LETTERED.finditer(text):
            finding = read_number(Kind.CNPJ, lettered.start(), lettered.end(), lettered[0])
            if finding.problem is None or asked is Kind.CNPJ:
                yield finding
    for run in _RUN.finditer(text):
        found = {kind: read_number(kind, run.start(), run.end(), run[0]) for kind in BARE_KINDS}
        if asked in found:
            yield found[asked]
            continue
        good = [kind for kind, finding in found.items() if kind in wanted and finding.problem is None]
        if good:
            yield found[good[0]]
        elif Kind.CPF in wanted and Kind.ORDER_NUMBER not in wanted and found[Kind.CPF].problem == "wrong_check_digits":
            yield found[Kind.CPF]


def find_orders(text: str, patterns: Collection[str], *, asked: bool) -> Iterator[Finding]:
    """Order numbers that no word announces: of the declared pattern, or behind "#", or 4 to 10 plain digits."""
    for code in _GROUPED.finditer(text) if asked else ():
        yield read_order(code, patterns, asked=True)
    for code in _ORDER.finditer(text):
        finding = read_order(code, patterns, asked=asked)
        if finding.problem is None or asked:
            yield finding


def read_number(kind: Kind, start: int, end: int, written: str) -> Finding:
    """A CPF, CNPJ, CEP or phone: its canonical form, or what is wrong with it."""
    digits = re.sub(r"[^a-z\d]" if kind is Kind.CNPJ else r"\D", "", written).upper()
    value: Value | None = None
    problem: Problem | None = None
    if kind is Kind.PHONE:
        value, problem = _phone(digits, international=written.startswith("+"))
    elif len(digits) != _LENGTHS[kind]:
        problem = "wrong_length"
    elif (kind is Kind.CPF and not _is_cpf(digits)) or (kind is Kind.CNPJ and not cnpj.is_valid(digits)):
        problem = "wrong_check_digits"
    elif kind is Kind.CEP:
        value = f"{digits[:5]}-{digits[5:]}"
    else:
        value = digits
    return Finding(kind, start, end, value, problem)


def _is_cpf(digits: str) -> bool:
    # Eleven equal digits add up as well, and are what people type who have no other.
    return len(set(digits)) > 1 and bool(cpf.is_valid(digits))


def read_order(code: re.Match[str], patterns: Collection[str], *, asked: bool) -> Finding:
    written = code[0].strip()
    plain = written.lstrip("# ")
    if _GROUPED.fullmatch(written):
        plain = re.sub(r"\D", "", plain)
    forms = (plain, plain.upper(), written, written.upper(), f"#{plain}", f"#{plain.upper()}", re.sub(r"\D", "", plain))
    value: str | None
    if patterns:
        value = next((form for pattern in patterns for form in forms if form and re.fullmatch(pattern, form)), None)
    elif asked or written.startswith("#"):
        value = plain.upper() if any(c.isdigit() for c in plain) else None
    else:
        value = plain if plain.isdigit() and 4 <= len(plain) <= 10 else None
    problem: Problem | None = None if value else "wrong_format"
    return Finding(Kind.ORDER_NUMBER, code.start(), code.end(), value, problem)


def _phone(digits: str, *, international: bool) -> tuple[str | None, Problem | None]:
    national = digits.lstrip("0")
    if national.startswith("55") and len(national) in {12, 13}:
        national, international = national[2:], False
    if not international:
        if len(national) in {8, 9}:
            return None, "missing_area_code"
        if len(national) == 10 and national[2] in "6789":  # mobiles have had a ninth digit since 2012 to 2016
            national = f"{national[:2]}9{national[2:]}"
        if len(national) not in {10, 11}:
            return None, "wrong_length"
    try:
        number = phonenumbers.parse(f"+{national}" if international else national, _HOME)
    except phonenumbers.NumberParseException:
        return None, "impossible_number"
    if not phonenumbers.is_valid_number(number):
        return None, "impossible_number"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), None
