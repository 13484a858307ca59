"""Hiding personal data: for good (logs, traces, exports), or for a while behind placeholders (a language model).

``redact`` leaves ``[CPF]`` and cannot be undone. ``Placeholders`` leaves ``[CPF_417]``, always the same for the same
value in the same conversation, and can put the value back. Nothing is stored for that: the number is derived from the
conversation and the value, and the way back is found again in every turn from the conversation's own messages.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from domain.personal_data.find import find
from domain.personal_data.found import Found, Kind

_DIGIT_KINDS: Final = frozenset(
    {
        Kind.CPF,
        Kind.CNPJ,
        Kind.RG,
        Kind.NATIONAL_ID,
        Kind.CARD,
        Kind.PHONE,
        Kind.POSTAL_CODE,
        Kind.BANK_ACCOUNT,
    }
)
"""Kinds whose spelling varies: dots, dashes and spaces do not matter."""
_SEPARATORS: Final = r"[ .\-/()]{0,3}"
_NUMBERS: Final = 999
_NAMES: Final = "|".join(sorted((kind.upper() for kind in Kind), key=len, reverse=True))
_PLACEHOLDER: Final = re.compile(
    rf"\\?\[[ \\]*(?P<kind>{_NAMES.replace('_', '[ _-]?')})[ \\]*[ _\-#]?[ \\]*_?(?P<number>\d{{1,4}})[ \\]*\\?\]"
    rf"|(?<![\w\[])(?P<bare_kind>{_NAMES})\\?_(?P<bare_number>\d{{1,4}})(?!\w)"
    rf"|\[(?P<lone_kind>(?-i:{_NAMES}))\]",
    re.IGNORECASE,
)
"""As we write it, and as models bend it: other case, spaces, an escaped underscore, brackets or number lost."""


class Spelling(StrEnum):
    """How a value is put back: a function's pattern may ask for another spelling than the customer's."""

    WRITTEN = "written"
    BARE = "bare"
    FORMATTED = "formatted"
    READABLE = "readable"
    """Formatted where there is one usual form, else as written."""


def redact(text: str) -> str:
    """The text with every piece of personal data replaced by its kind, as ``[CPF]``. There is no way back."""
    found = find(text)
    return _replaced(text, ((piece, f"[{piece.kind.upper()}]") for piece in found)) if found else text


def redact_json(value: Any) -> Any:
    """The same for all texts in a JSON value. A key gives its value a context: ``{"cpf": "12345678900"}``."""
    return _redacted(value, "")


def _redacted(value: Any, key: str) -> Any:
    match value:
        case str():
            return _redact_under(key, value)
        case bool() | float() | None:
            return value
        case int():
            text = str(value)
            redacted = _redact_under(key, text)
            return value if redacted == text else redacted
        case Mapping():
            return {name: _redacted(item, str(name)) for name, item in value.items()}
        case list() | tuple():
            return [_redacted(item, key) for item in value]
        case _:
            return redact(str(value))


def _redact_under(key: str, text: str) -> str:
    """What the key says of the value counts, as "cpf: …" does in a sentence."""
    if not key or len(text) > _LONGEST_FIELD:
        return redact(text)
    lead = f"{_WORD_ENDS.sub(' ', key)}: "
    pieces = [piece for piece in find(lead + text) if piece.start >= len(lead)]
    moved = [Found(piece.kind, piece.start - len(lead), piece.end - len(lead), piece.text) for piece in pieces]
    return _replaced(text, ((piece, f"[{piece.kind.upper()}]") for piece in moved))


_LONGEST_FIELD: Final = 100
_WORD_ENDS: Final = re.compile(r"[_-]|(?<=[a-z])(?=[A-Z])")


def _replaced(text: str, pieces: Iterable[tuple[Found, str]]) -> str:
    parts, place = [], 0
    for piece, instead in pieces:
        parts += [text[place : piece.start], instead]
        place = piece.end
    return "".join([*parts, text[place:]])


class Placeholders:
    """What stands for what in one conversation. Lives for one turn; see the module for why nothing is stored.

    ``learn`` all texts before hiding the first: a value may be recognisable in one and bare in another.
    """

    def __init__(self, conversation_id: str) -> None:
        self._conversation = conversation_id
        self._values: dict[str, tuple[Kind, str]] = {}
        """Placeholder → the value's kind, and the value as it was written first."""
        self._names: dict[tuple[Kind, str], str] = {}
        self._by_spelling: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def learn(self, text: str) -> None:
        """Note the personal data in a text."""
        for piece in find(text):
            self._name(piece)

    def hide(self, text: str) -> str:
        """The text with placeholders instead of all values known so far, and of all that are found in it."""
        if self._values:
            self._pattern = self._pattern or self._known_values()
            text = self._pattern.sub(lambda match: self._by_spelling.get(_plain(match[0]), match[0]), text)
        return _replaced(text, [(piece, self._name(piece)) for piece in find(text)])

    def reveal(self, text: str) -> str:
        """The text with the values put back; placeholders that stand for nothing stay as they are.

        CPF, CNPJ and CEP get their usual dots and dashes, however the customer typed them: a reader, and whoever checks
        the reply against a function's result, then sees one number and not several.
        """
        return _PLACEHOLDER.sub(lambda match: self._value(match, Spelling.READABLE) or match[0], text)

    def reveal_json(self, raw: str, spelling: Spelling = Spelling.WRITTEN) -> str:
        """The same within JSON text, where a value must not end the string it stands in."""

        def value(match: re.Match[str]) -> str:
            known = self._value(match, spelling)
            return match[0] if known is None else json.dumps(known, ensure_ascii=False)[1:-1]

        return _PLACEHOLDER.sub(value, raw)

    def unknown(self, text: str) -> tuple[str, ...]:
        """Placeholders in a model's text that stand for nothing."""
        return tuple(match[0] for match in _PLACEHOLDER.finditer(text) if self._value(match) is None)

    def _value(self, match: re.Match[str], spelling: Spelling = Spelling.WRITTEN) -> str | None:
        if lone := match["lone_kind"]:  # the number was lost: clear enough where there is one of its kind
            candidates = [value for value in self._values.values() if value[0] == lone.lower()]
            known = candidates[0] if len(candidates) == 1 else None
        else:
            known = self._values.get(_canonical(match))
        return None if known is None else _spelled(*known, spelling)

    def _name(self, piece: Found) -> str:
        key = (piece.kind, _same(piece.kind, piece.text))
        if key not in self._names:
            number = self._number(key)
            while f"[{piece.kind.upper()}_{number}]" in self._values:
                number = number % _NUMBERS + 1
            name = self._names[key] = f"[{piece.kind.upper()}_{number}]"
            self._values[name] = (piece.kind, piece.text)
            self._pattern = None
        return self._names[key]

    def _number(self, key: tuple[Kind, str]) -> int:
        digest = hashlib.sha256("\0".join((self._conversation, *key)).encode(errors="replace")).digest()
        return int.from_bytes(digest[:6], "big") % _NUMBERS + 1

    def _known_values(self) -> re.Pattern[str]:
        """All values as they may stand in a message or in a function's result, the longest first."""
        spellings: dict[str, int] = {}
        for (kind, same), name in self._names.items():
            value = self._values[name][1]
            forms = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value)}
            for form in forms:
                self._by_spelling.setdefault(_plain(form), name)
                pattern = re.escape(form)
                spellings[pattern if kind is Kind.SECRET else f"(?i:{pattern})"] = len(form)
            if kind in _DIGIT_KINDS:
                self._by_spelling.setdefault(_plain(same), name)
                spellings[f"(?i:{_SEPARATORS.join(same)})"] = len(value)
        alternatives = "|".join(sorted(spellings, key=lambda pattern: -spellings[pattern]))
        return re.compile(rf"(?<![\w\[])(?:{alternatives})(?!\w)")


def _same(kind: Kind, text: str) -> str:
    """Two spellings of one value are one value."""
    if kind in _DIGIT_KINDS:
        bare = "".join(char for char in text if char.isalnum()).upper()
        return bare.removeprefix("55") if kind is Kind.PHONE and len(bare) > 11 else bare
    return text if kind is Kind.SECRET else " ".join(text.casefold().split())


def _plain(text: str) -> str:
    """What a spelling of a known value is looked up by."""
    return "".join(char for char in text.casefold() if char.isalnum()) or text


def _spelled(kind: Kind, value: str, spelling: Spelling) -> str:
    if spelling is Spelling.WRITTEN or kind not in _DIGIT_KINDS:
        return value
    bare = "".join(char for char in value if char.isalnum()).upper()
    if spelling is Spelling.BARE:
        return bare
    match kind:
        case Kind.CPF if len(bare) == 11:
            return f"{bare[:3]}.{bare[3:6]}.{bare[6:9]}-{bare[9:]}"
        case Kind.CNPJ if len(bare) == 14:
            return f"{bare[:2]}.{bare[2:5]}.{bare[5:8]}/{bare[8:12]}-{bare[12:]}"
        case Kind.POSTAL_CODE if len(bare) == 8:
            return f"{bare[:5]}-{bare[5:]}"
        case Kind.PHONE if spelling is Spelling.FORMATTED:
            return f"+{bare}" if value.lstrip().startswith("+") or len(bare) > 11 else f"+55{bare.lstrip('0')}"
        case _:
            return value


def _canonical(match: re.Match[str]) -> str:
    kind = (match["kind"] or match["bare_kind"]).upper().replace(" ", "_").replace("-", "_")
    if kind not in Kind.__members__:  # "POSTALCODE": the model dropped the line between
        kind = next((name for name in Kind.__members__ if name.replace("_", "") == kind.replace("_", "")), kind)
    return f"[{kind}_{int(match['number'] or match['bare_number'])}]"
