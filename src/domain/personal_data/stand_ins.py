"""Personal data replaced by others that nobody has: plausible, of the same form, as valid or invalid as the original.

For conversations that leave the work they were written for: cases of an eval. Unlike ``redact`` the text can be played:
a CPF that a function would accept stays one that it accepts, a mistyped one stays mistyped, and an order keeps its
number of digits. The same value always gets the same stand-in, in messages, in arguments and results of functions, and
as the key of a record. The stand-ins depend on a secret key: without it nobody can try all CPFs and see which one fits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from stdnum import iban, luhn
from stdnum.ar import cuit, dni
from stdnum.br import cnpj, cpf
from stdnum.cl import rut
from stdnum.es import nie, nif

from domain.personal_data.find import find
from domain.personal_data.found import Found, Kind, folded
from domain.personal_data.names import NameWords, PersonNames
from domain.personal_data.stand_in_words import address_for, birth_date_for, email_for

_BY_CHARACTER: Final = frozenset(
    {
        Kind.CPF,
        Kind.CNPJ,
        Kind.RG,
        Kind.NATIONAL_ID,
        Kind.CARD,
        Kind.CARD_CODE,
        Kind.PHONE,
        Kind.POSTAL_CODE,
        Kind.BANK_ACCOUNT,
        Kind.PIX_KEY,
        Kind.SECRET,
    }
)
"""Kinds whose letters and digits are exchanged one by one, with whatever stands between them left alone."""
_SPELLED_FREELY: Final = _BY_CHARACTER - {Kind.SECRET, Kind.PIX_KEY}
_VALIDATORS: Final[Mapping[str, tuple[Callable[[str], bool], ...]]] = {
    Kind.CPF: (cpf.is_valid,),
    Kind.CNPJ: (cnpj.is_valid,),
    Kind.CARD: (luhn.is_valid,),
    Kind.NATIONAL_ID: (nif.is_valid, nie.is_valid, cuit.is_valid, dni.is_valid, rut.is_valid),
    Kind.BANK_ACCOUNT: (iban.is_valid,),
}
_KEPT_BEFORE: Final[Mapping[str, int]] = {Kind.CARD: 4, Kind.POSTAL_CODE: 3}
"""Characters that stay: the brand of a card, the region of a postal code. Functions answer by them."""
_PHONE_DIGITS: Final = 7
"""Of a telephone number the country, the area and whether it is a mobile stay: only these last digits are exchanged."""
_MOST_TRIES: Final = 20_000
_SEPARATORS: Final = r"[ .\-/()]{0,3}"
_SHORTEST_KNOWN: Final = 5
"""Characters of a value that is replaced wherever it stands; a shorter one only where it is recognised."""
_IDENTIFIER_KEY: Final = re.compile(
    r"(?:^|_)(?:number|numero|nr|id|protocol|protocolo|order|pedido|tracking|tracking_code|rastreio|codigo_rastreio|"
    r"invoice|nota|nota_fiscal|ticket|reference|referencia|booking|reserva|contract|contrato|account|matricula|"
    r"registration|policy_number)$"
)
_IDENTIFIER: Final = re.compile(r"[#A-Za-z0-9][A-Za-z0-9\-/.]*")
_CALLED: Final = re.compile(
    r"(?<![a-z])(?:pedidos?|compra|encomenda|protocolo|prot\.|rastreio|rastreamento|nota fiscal|nf-?e?|orders?|orden|"
    r"tracking|ticket|chamado|contrato|contract|matricula|reserva|booking|factura|fatura|invoice|boleto)(?![a-z])"
    r"(?:[\s:=#*.,\-]|\b(?:numero|number|nro?|num|no|n|e|eh|is|es|o|do|da|de|del)\b)*"
    r"(?P<value>(?=[a-z0-9\-]*\d{4})[a-z0-9][a-z0-9\-]*[a-z0-9])"
)
_WORD_ENDS: Final = re.compile(r"[_-]|(?<=[a-z])(?=[A-Z])")
_LONGEST_FIELD: Final = 100


class StandIns:
    """What stands for what, within one case.

    ``learn`` (texts) and ``learn_json`` (arguments, results, records) everything before replacing the first: a
    value may be recognisable in one place and bare in another. ``key``: secret bytes. ``names``: of people who
    are known to take part. ``keep``: words that look like names and are none here (the business's own name).
    """

    def __init__(self, key: bytes, names: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        self._key = key
        self._values: dict[tuple[str, str], str] = {}
        self._written: set[str] = set()
        self._names = NameWords(self._choice, keep)
        self._patterns: re.Pattern[str] | None = None
        for name in names:
            self._names.learn(name)

    @property
    def replaced(self) -> Mapping[str, int]:
        """How many different values of each kind got a stand-in (``cpf``, ``identifier``, ``name`` …)."""
        counts = Counter(kind for kind, _ in self._values)
        if self._names.count:
            counts["name"] = self._names.count
        return dict(counts)

    @property
    def originals(self) -> frozenset[str]:
        """All that is known and will be replaced, as written and bare: what a tenant's records may be found by."""
        return frozenset(self._written | {same for _, same in self._values})

    def learn(self, text: str) -> None:
        """Note the personal data in a text, and the numbers that it calls orders, protocols and the like."""
        for piece in find(text):
            self._note(piece.kind, piece.text)
        taken = [(piece.start, piece.end) for piece in find(text)]
        for match in _CALLED.finditer(folded(text)):
            start, end = match.span("value")
            if all(end <= low or start >= high for low, high in taken):
                self._identifier(text[start:end])
        self._names.learn_from_text(text)

    def learn_json(self, value: Any) -> None:
        """Note the personal data in a JSON value, what its keys say of them, and who it is about."""
        for name in PersonNames.in_json(value):
            self._names.learn(name)
        self._learn_under("", value)

    def replace(self, text: str) -> str:
        """The text with a stand-in for all that is known, and for all that is found in it."""
        return self._replaced(text, find(text))

    def replace_json(self, value: Any) -> Any:
        """The same for a JSON value, keys included: a record may be kept under a customer's number."""
        return self._json_under("", value)

    # ------------------------------------------------------------------------------------------------------- learning
    def _learn_under(self, key: str, value: Any) -> None:
        match value:
            case Mapping():
                for name, item in value.items():
                    self._learn_under(str(name), item)
                    if isinstance(item, Mapping) and sum(char.isdigit() for char in str(name)) >= 4:
                        self._learn_key(str(name), item)
            case list() | tuple():
                for item in value:
                    self._learn_under(key, item)
            case bool() | float() | None:
                pass
            case _:
                self._learn_field(key, str(value))

    def _learn_key(self, name: str, record: Mapping[str, Any]) -> None:
        """A record's key is an identifier where the record repeats it: ``{"10234": {"number": "10234"}}``."""
        if any(str(item) == name for item in record.values() if isinstance(item, str | int)):
            self._identifier(name)

    def _learn_field(self, key: str, text: str) -> None:
        pieces = _under(key, text)
        for piece in pieces:
            self._note(piece.kind, piece.text)
        digits = sum(char.isdigit() for char in text)
        if not pieces and digits >= 4 and _IDENTIFIER_KEY.search(_snake(key)) and _IDENTIFIER.fullmatch(text):
            self._identifier(text)

    def _note(self, kind: Kind, text: str) -> None:
        key = (str(kind), _same(kind, text))
        self._written.add(text)
        if key in self._values:
            return
        if kind in _BY_CHARACTER:
            self._values[key] = self._characters(kind, key[1])
        elif kind is Kind.EMAIL:
            self._values[key] = email_for(text, self._choice)
        elif kind is Kind.BIRTH_DATE:
            self._values[key] = birth_date_for(text, self._choice)
        else:
            self._values[key] = address_for(text, self._choice)
        self._patterns = None

    def _identifier(self, text: str) -> None:
        bare = _bare(text)
        self._written.add(text)
        if any(same == bare for _, same in self._values):
            return
        self._values["identifier", bare] = self._characters("identifier", bare, letters=False)
        self._patterns = None

    def _characters(self, kind: str, bare: str, *, letters: bool = True) -> str:
        """Other characters of the same classes, on which every validator says the same as on the original."""
        validators = _VALIDATORS.get(kind, ())
        verdict = [check(bare) for check in validators]
        kept, subject = _KEPT_BEFORE.get(kind, 0), bare
        if kind == Kind.PHONE:
            kept, subject = len(bare) - _PHONE_DIGITS, bare[-_PHONE_DIGITS:]
        taken = set(self._values.values())
        for attempt in range(_MOST_TRIES):
            stream = bytes(kept) + self._stream(f"{kind}\0{subject}\0{attempt}", len(bare) - kept)
            made = "".join(
                char if place < kept else _other(char, byte, first=place == 0, letters=letters)
                for place, (char, byte) in enumerate(zip(bare, stream, strict=True))
            )
            if made != bare and made not in taken and [check(made) for check in validators] == verdict:
                return made
        return made

    # ------------------------------------------------------------------------------------------------------ replacing
    def _json_under(self, key: str, value: Any) -> Any:
        match value:
            case Mapping():
                return {self.replace(str(name)): self._json_under(str(name), item) for name, item in value.items()}
            case list() | tuple():
                return [self._json_under(key, item) for item in value]
            case bool() | float() | None:
                return value
            case int():
                made = self._replaced(str(value), _under(key, str(value)))
                return int(made) if made.lstrip("-").isdigit() else value
            case _:
                return self._replaced(str(value), _under(key, str(value)))

    def _replaced(self, text: str, pieces: Iterable[Found]) -> str:
        spans: list[tuple[int, int, str]] = []
        for piece in pieces:
            self._note(piece.kind, piece.text)
            spans.append((piece.start, piece.end, self._instead(str(piece.kind), piece.text)))
        for match in self._known().finditer(text):
            if all(match.end() <= low or match.start() >= high for low, high, _ in spans):
                spans.append((*match.span(), self._instead_of_known(match[0])))
        parts, place = [], 0
        for start, end, instead in sorted(spans):
            parts += [self._names.replace(text[place:start]), instead]
            place = end
        return "".join([*parts, self._names.replace(text[place:])])

    def _instead(self, kind: str, text: str) -> str:
        made = self._values[kind, _same(Kind(kind), text)]
        return _in_form_of(text, made) if kind in _BY_CHARACTER else made

    def _instead_of_known(self, text: str) -> str:
        bare = _bare(text)
        for (kind, same), made in self._values.items():
            if kind == Kind.PHONE and bare.endswith(same[-_PHONE_DIGITS:]) and len(bare) >= len(same) - 4:
                return _in_form_of(text, made[-_PHONE_DIGITS:])
            if same in {bare, text, " ".join(text.casefold().split())}:
                return _in_form_of(text, made) if kind in _BY_CHARACTER or kind == "identifier" else made
        return text

    def _known(self) -> re.Pattern[str]:
        if self._patterns is None:
            forms: dict[str, int] = {}
            for kind, same in self._values:
                if len(same) < _SHORTEST_KNOWN and kind != "identifier":
                    continue
                if kind == Kind.PHONE:
                    tail = _SEPARATORS.join(same[-_PHONE_DIGITS:])
                    forms[rf"\+?(?:\d{_SEPARATORS}|\(\d{{2,3}}\){_SEPARATORS}){{0,8}}{tail}"] = len(same) + 4
                elif kind in _SPELLED_FREELY:
                    forms[_SEPARATORS.join(same)] = len(same)
                else:
                    forms[r"\s+".join(map(re.escape, same.split()))] = len(same)
            longest_first = "|".join(sorted(forms, key=lambda form: -forms[form])) or r"(?!)"
            self._patterns = re.compile(rf"(?<![A-Za-z0-9])(?:{longest_first})(?![A-Za-z0-9])", re.IGNORECASE)
        return self._patterns

    # --------------------------------------------------------------------------------------------------------- chance
    def _stream(self, subject: str, length: int) -> bytes:
        made = b""
        while len(made) < length:
            block = f"{subject}\0{len(made)}".encode(errors="replace")
            made += hmac.new(self._key, block, hashlib.sha256).digest()
        return made[:length]

    def _choice(self, subject: str, among: int) -> int:
        """A number below ``among``, always the same for the same subject under this key."""
        return int.from_bytes(self._stream(subject, 6), "big") % among


def _under(key: str, text: str) -> list[Found]:
    """What is found in a field: its key counts, as "cpf: …" does in a sentence."""
    if not key or len(text) > _LONGEST_FIELD:
        return find(text)
    lead = f"{_WORD_ENDS.sub(' ', key)}: "
    return [
        Found(piece.kind, piece.start - len(lead), piece.end - len(lead), piece.text)
        for piece in find(lead + text)
        if piece.start >= len(lead)
    ]


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[- ]", "_", key).lower()


def _same(kind: Kind, text: str) -> str:
    """Two spellings of one value are one value."""
    if kind in _SPELLED_FREELY:
        bare = _bare(text)
        return bare.removeprefix("55") if kind is Kind.PHONE and len(bare) > 11 else bare
    if kind is Kind.SECRET or kind is Kind.PIX_KEY:
        return text
    return " ".join(text.casefold().split())


def _bare(text: str) -> str:
    return "".join(char for char in text if char.isalnum()).upper()


def _other(char: str, byte: int, *, first: bool, letters: bool) -> str:
    if char.isdigit():
        if first and char != "0":
            return str(1 + byte % 9)
        return str(byte % 10)
    if char.isalpha() and letters:
        made = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[byte % 26]
        return made if char.isupper() else made.lower()
    return char


def _in_form_of(text: str, made: str) -> str:
    """The made characters in the places of the text's own, from the right; what stands between them stays."""
    rest = [char for char in made if char.isalnum()]
    written: list[str] = []
    for char in reversed(text):
        if not (char.isalnum() and rest):
            written.append(char)
            continue
        new = rest.pop()
        written.append(new.lower() if char.islower() else new)
    return "".join(reversed(written))
