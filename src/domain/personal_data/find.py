"""Finding personal data: all rules in the order in which they may claim a place."""

from __future__ import annotations

import re
from typing import Final

from domain.personal_data.found import Finds, Found
from domain.personal_data.keys import find_keys
from domain.personal_data.labels import Labels
from domain.personal_data.numbers import (
    find_cards,
    find_ibans,
    find_identities,
    find_phones,
    find_postal_codes,
    keep_payment_slips,
)
from domain.personal_data.words import find_addresses, find_birth_dates, find_emails, find_secrets, keep_links

_ANYTHING: Final = re.compile(
    r"\d|@|arroba|\(at\)|senha|password|passwd|pwd|passcode|contrase|clave|\bpin\b|token|secret|bearer|key|chave| at |"
    r"eaa|ya29|shp",
    re.IGNORECASE,
)
_PLACEHOLDER: Final = re.compile(r"\[[A-Z_]{2,20}(?:_\d{1,4})?\]")
"""What stands for something that was found before (see masking)."""
_LONGEST: Final = 20_000
"""Characters searched in one piece; longer texts are searched in pieces that overlap."""
_OVERLAP: Final = 300


def find(text: str) -> list[Found]:
    """Every piece of personal data in ``text``, in reading order; no two overlap."""
    if not _ANYTHING.search(text):
        return []
    if len(text) <= _LONGEST:
        return _find(text)
    found: list[Found] = []
    for start in range(0, len(text), _LONGEST - _OVERLAP):
        for part in _find(text[start : start + _LONGEST]):
            if not found or found[-1].end <= start + part.start:
                found.append(Found(part.kind, start + part.start, start + part.end, part.text))
    return found


def _find(text: str) -> list[Found]:
    finds = Finds(text)
    labels = Labels(finds.folded)
    for match in _PLACEHOLDER.finditer(text):
        finds.reserve(*match.span())
    keep_payment_slips(finds)
    find_keys(finds)
    keep_links(finds, labels)
    # The surest first: who claims a place keeps it.
    find_emails(finds)
    find_secrets(finds, labels)
    find_birth_dates(finds, labels)
    find_addresses(finds)
    find_ibans(finds)
    find_identities(finds, labels)
    find_cards(finds, labels)
    find_phones(finds, labels)
    find_postal_codes(finds, labels)
    return list(finds)
