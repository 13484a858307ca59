"""WhatsApp identities: JIDs, our addresses, and phone numbers as people know them.

WhatsApp names a person by phone number (``…@s.whatsapp.net``; ``…@c.us`` in gateways) or by a linked id that hides it
(``…@lid``). A LID's digits are never a phone number, and a phone JID is not always the number people dial: older
Brazilian accounts lack the ninth digit. So an Address keeps WhatsApp's own digits, and ``canonical_phone`` gives the
spelling by which one person has one number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from domain.errors import InvalidInputError
from domain.messages import Address, AddressKind

PHONE_SERVER = "s.whatsapp.net"
LEGACY_PHONE_SERVER = "c.us"
LID_SERVER = "lid"
GROUP_SERVER = "g.us"
BROADCAST_SERVER = "broadcast"
NEWSLETTER_SERVER = "newsletter"
STATUS_USER = "status"

_KINDS = {
    PHONE_SERVER: AddressKind.PHONE,
    LEGACY_PHONE_SERVER: AddressKind.PHONE,
    "hosted": AddressKind.PHONE,  # a business whose second device is WhatsApp's own Cloud API
    LID_SERVER: AddressKind.LID,
    "hosted.lid": AddressKind.LID,
    GROUP_SERVER: AddressKind.GROUP,
}
_SERVERS = {AddressKind.PHONE: PHONE_SERVER, AddressKind.LID: LID_SERVER, AddressKind.GROUP: GROUP_SERVER}

_JID = re.compile(
    r"(?:(?P<user>[\w-]+)(?:\.(?P<agent>\d{1,5}))?(?::(?P<device>\d{1,5}))?@)?(?P<server>[a-z][a-z.]*)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Jid:
    """A parsed JID. ``agent`` and ``device`` are 0 unless one device of a person is meant."""

    user: str
    server: str
    device: int = 0
    agent: int = 0

    def __str__(self) -> str:
        if not self.user:
            return self.server
        agent = f".{self.agent}" if self.agent else ""
        device = f":{self.device}" if self.device or self.agent else ""
        return f"{self.user}{agent}{device}@{self.server}"

    @property
    def is_status(self) -> bool:
        """Whether this is the chat of everybody's status posts."""
        return (self.user, self.server) == (STATUS_USER, BROADCAST_SERVER)

    def bare(self) -> Jid:
        """The person or group, whatever the device."""
        return Jid(self.user, self.server)

    def address(self) -> Address | None:
        """Our name for it; None for what is neither a person nor a group (status, newsletters, servers)."""
        kind = _KINDS.get(self.server)
        return Address(kind, self.user) if kind and self.user else None


def parse_jid(text: str) -> Jid:
    """Read ``user[.agent][:device]@server`` or a bare server. Raises InvalidInputError on anything else."""
    found = _JID.fullmatch(text)
    if found is None:
        raise InvalidInputError(
            "jid", f"{text!r} is no WhatsApp id", hint="It looks like 5511990001111@s.whatsapp.net."
        )
    return Jid(found["user"] or "", found["server"], int(found["device"] or 0), int(found["agent"] or 0))


def jid_of(address: Address) -> Jid:
    """Where to send to. Raises InvalidInputError for an address of another channel."""
    server = _SERVERS.get(address.kind)
    if server is None:
        raise InvalidInputError("to", f"{address} is not an address on WhatsApp")
    return Jid(address.value, server)


_PUNCTUATION = re.compile(r"[\s().+/-]+")
_E164_DIGITS = range(7, 16)
_BRAZIL = "55"
_BRAZIL_WITHOUT_NINTH = 12
_MOBILE_BEGINNINGS = "6789"


def canonical_phone(text: str) -> str:
    """E.164 with the plus sign, and with the ninth digit for Brazilian mobiles; one person, one spelling.

    ``text`` must carry its country code; punctuation is allowed. Of twelve Brazilian digits, a local part that begins
    with 2–5 is a landline and stays as it is; 6–9 is a mobile that lacks its 9. Raises InvalidInputError.
    """
    digits = _PUNCTUATION.sub("", text)
    # No country code begins with 0: "011 9…" is how one dials within a country.
    if not (digits.isascii() and digits.isdigit() and len(digits) in _E164_DIGITS) or digits[0] == "0":
        raise InvalidInputError(
            "phone", f"{text!r} is no phone number", hint="Write it with country and area code: +55 11 99000-1111."
        )
    if digits.startswith(_BRAZIL) and len(digits) == _BRAZIL_WITHOUT_NINTH and digits[4] in _MOBILE_BEGINNINGS:
        digits = f"{digits[:4]}9{digits[4:]}"
    return "+" + digits


def phone_of(address: Address) -> str | None:
    """The canonical phone number that an address tells; None where it tells none (a LID never does)."""
    if address.kind is not AddressKind.PHONE:
        return None
    try:
        return canonical_phone(address.value)
    except InvalidInputError:
        return None  # WhatsApp's own service accounts have phone JIDs of other lengths ("0@s.whatsapp.net")


_AREAS_WITH_NINTH = range(11, 29)
_BRAZIL_WITH_NINTH = 13


def phone_spellings(text: str) -> tuple[str, ...]:
    """The digits under which a phone number may be registered on WhatsApp, the likelier first.

    Brazilian mobiles were registered without their ninth digit in the areas 31 to 99 and with it in 11 to 28; whoever
    asks WhatsApp must ask for both. Raises InvalidInputError for what is no phone number.
    """
    digits = canonical_phone(text)[1:]
    is_mobile = digits.startswith(_BRAZIL) and len(digits) == _BRAZIL_WITH_NINTH and digits[4] == "9"
    if not is_mobile or digits[5] not in _MOBILE_BEGINNINGS:
        return (digits,)
    short = digits[:4] + digits[5:]
    return (digits, short) if int(digits[2:4]) in _AREAS_WITH_NINTH else (short, digits)
