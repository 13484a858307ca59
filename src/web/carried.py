"""What a message carries beside its text, as a person reads it: a place, people's cards, options to choose from.

Incoming content is whatever a stranger sent and a gateway passed on: nothing of its shape is taken for granted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_MOST: Final = 20
_LONGEST: Final = 200
_TEL: Final = re.compile(r"^(?:item\d+\.)?TEL[^:\n]*:(.+)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the map, with its name where it has one."""

    latitude: float
    longitude: float
    address: str
    live: bool

    @property
    def map_url(self) -> str:
        """Where people see it on a map."""
        point = f"{self.latitude:.6f}", f"{self.longitude:.6f}"
        return f"https://www.openstreetmap.org/?mlat={point[0]}&mlon={point[1]}#map=17/{point[0]}/{point[1]}"


@dataclass(frozen=True, slots=True)
class Card:
    """A person's card."""

    name: str
    phones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """All of it; empty where there is nothing of the kind."""

    place: Place | None = None
    cards: tuple[Card, ...] = ()
    options: tuple[str, ...] = ()


def carried(content: Mapping[str, Any]) -> Carried:
    """Of a message's ``content``: the customer's (``raw``) or our own (``carries``)."""
    raw, own = _mapping(content.get("raw")), _mapping(content.get("carries"))
    cards = [card for one in _list(raw.get("contacts"))[:_MOST] if (card := _card(_mapping(one)))]
    options = _list(_mapping(raw.get("poll")).get("options"))
    place = _place(_mapping(raw.get("location")))
    match own.get("type"):
        case "location":
            place = _place(own)
        case "contact":
            cards = [Card(_text(own.get("name")), (_text(own.get("phone")),))]
        case "poll":
            options = _list(own.get("options"))
        case "buttons" | "list":
            options = [_mapping(choice).get("title") for choice in _list(own.get("choices"))]
    shown = tuple(text for option in options[:_MOST] if (text := _text(option)))
    return Carried(place, tuple(cards), shown)


def _place(given: Mapping[str, Any]) -> Place | None:
    try:
        latitude, longitude = float(given.get("latitude", "")), float(given.get("longitude", ""))
    except (TypeError, ValueError):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return Place(latitude, longitude, _text(given.get("address")), given.get("live") is True)


def _card(given: Mapping[str, Any]) -> Card | None:
    told = [_text(phone) for phone in _list(given.get("phones"))]
    vcard = given.get("vcard")
    written = _TEL.findall(vcard[:4_000]) if isinstance(vcard, str) else []
    phones = tuple(dict.fromkeys(phone for phone in (told or [_text(one) for one in written]) if phone))[:_MOST]
    name = _text(given.get("name"))
    return Card(name, phones) if name or phones else None


def _mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}


def _list(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else []


def _text(given: Any) -> str:
    return " ".join(given.split())[:_LONGEST] if isinstance(given, str) else ""
