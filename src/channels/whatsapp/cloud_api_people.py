"""Who a Cloud API webhook is about: phone numbers, business-scoped user ids and groups.

Since WhatsApp has usernames, a person need not have a phone number here: ``from`` and ``wa_id`` may be absent, and
``user_id`` ("US.13491208655302741918", the same for all numbers of one business) names them instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from domain.messages import Address, AddressKind

from .envelope import pick

_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}", re.ASCII)
_LONGEST_NUMBER = 20
_LONGEST_GROUP = 200
_LONGEST_NAME = 200


def read_phone(value: object) -> Address | None:
    """A phone number as WhatsApp writes it: digits, perhaps with a plus sign."""
    digits = value.removeprefix("+") if isinstance(value, str) else ""
    usable = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER
    return Address(AddressKind.PHONE, digits) if usable else None


def read_user_id(value: object) -> Address | None:
    """A business-scoped user id, or that of a parent business ("US.ENT.…")."""
    return Address(AddressKind.BSUID, value) if isinstance(value, str) and _USER_ID.fullmatch(value) else None


def read_group(value: object) -> Address | None:
    """A group's id."""
    usable = isinstance(value, str) and 0 < len(value) <= _LONGEST_GROUP and value.isprintable()
    return Address(AddressKind.GROUP, str(value)) if usable else None


def own_number(value: object) -> Address | None:
    """The number that a webhook is for, from its metadata; people format it ("+1 555-078-3881")."""
    shown = pick(value, "metadata", "display_phone_number")
    return read_phone(re.sub(r"\D", "", shown)) if isinstance(shown, str) else None


@dataclass(frozen=True, slots=True)
class Person:
    """All names of one person, the best one to answer to first: Meta asks to use phone numbers where they are known."""

    names: tuple[Address, ...]
    push_name: str | None = None

    @property
    def address(self) -> Address:
        return self.names[0]

    @property
    def alternates(self) -> tuple[Address, ...]:
        return self.names[1:]


def _names(*candidates: Address | None) -> tuple[Address, ...]:
    return tuple(dict.fromkeys(address for address in candidates if address))


def _card_names(card: object) -> tuple[Address, ...]:
    ids = (read_user_id(pick(card, "user_id")), read_user_id(pick(card, "parent_user_id")))
    return _names(read_phone(pick(card, "wa_id")), *ids)


def _push_name(card: object) -> str | None:
    for name in (pick(card, "profile", "name"), pick(card, "profile", "username")):
        if isinstance(name, str) and name.strip():
            return name[:_LONGEST_NAME]
    return None


def find_person(stated: Iterable[Address | None], cards: object, *, position: int, of: int) -> Person | None:
    """The person with the ``stated`` names, completed from ``contacts`` of the webhook; None if nobody can be told.

    Where a message states no usable name, it belongs to the only card, or, where there are as many cards as messages,
    to the one at its ``position`` among ``of``.
    """
    told = _names(*stated)
    known = [card for card in cards if isinstance(card, dict)] if isinstance(cards, list) else []
    card: Any = next((card for card in known if set(told) & set(_card_names(card))), None)
    if card is None and not told:
        if len(known) == 1:
            card = known[0]
        elif len(known) == of and position < of:
            card = known[position]
    names = _names(*told, *_card_names(card))
    # A phone number is the better name to answer to, wherever it was found.
    ordered = sorted(names, key=lambda address: address.kind is not AddressKind.PHONE)
    return Person(tuple(ordered), _push_name(card)) if ordered else None
