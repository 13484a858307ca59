"""What pages make of texts and of what strangers send: differences word by word, places, cards, options."""

from __future__ import annotations

import random
from typing import Any

import pytest

from web.carried import Card, Carried, carried
from web.differences import Piece, diffed


def test_that_a_difference_reads_in_phrases_and_keeps_what_both_texts_share() -> None:
    assert diffed("quero o tênis azul, 41", "quero o tênis preto, 42") == [
        Piece("same", "quero o tênis "),
        Piece("gone", "azul"),
        Piece("new", "preto"),
        Piece("same", ", "),
        Piece("gone", "41"),
        Piece("new", "42"),
    ]
    assert diffed("Bom dia caro cliente!", "Oi querido amigo!") == [
        Piece("gone", "Bom dia caro cliente"),
        Piece("new", "Oi querido amigo"),
        Piece("same", "!"),
    ]
    assert diffed("", "novo") == [Piece("new", "novo")]
    assert diffed("igual", "igual") == [Piece("same", "igual")]


def test_that_the_pieces_make_both_texts_again_whatever_they_are() -> None:
    chance = random.Random(20261122)
    words = ["oi", " ", "\n", "não", ",", "12,50", "👍🏽", "مرحبا", "e-mail", "  ", "it's"]
    pairs = [("".join(chance.choices(words, k=chance.randrange(60))) for _ in range(2)) for _ in range(300)]
    for before, after in [*(tuple(pair) for pair in pairs), ("a b " * 20_000, "c d " * 20_000)]:
        pieces = diffed(before, after)
        assert "".join(piece.text for piece in pieces if piece.kind != "new") == before
        assert "".join(piece.text for piece in pieces if piece.kind != "gone") == after


def test_that_places_cards_and_options_are_read_from_customers_and_from_us() -> None:
    place = carried({"raw": {"location": {"latitude": -8.06, "longitude": "-34.88", "address": "Av. 1"}}}).place
    assert place is not None
    assert place.map_url.startswith("https://www.openstreetmap.org/?mlat=-8.060000&mlon=-34.880000")
    vcard = "BEGIN:VCARD\nFN:José\nitem1.TEL;waid=5581:+55 81 9999\nTEL:+55 81 9999\nTEL:123\nEND:VCARD"
    assert carried({"raw": {"contacts": [{"name": "José", "vcard": vcard}]}}).cards == (
        Card("José", ("+55 81 9999", "123")),
    )
    assert carried({"raw": {"poll": {"options": ["Azul", "Preto"]}}}).options == ("Azul", "Preto")
    own = {"carries": {"type": "list", "button": "Nota", "choices": [{"id": "5", "title": "Ótimo"}]}}
    assert carried(own).options == ("Ótimo",)
    assert carried({"carries": {"type": "contact", "name": "Ana", "phone": "55"}}).cards == (Card("Ana", ("55",)),)


@pytest.mark.parametrize("spoiled", [None, 7, "x", [], [None, 3], {"latitude": 91, "longitude": 0}, {"options": 3}])
def test_that_content_of_any_shape_shows_nothing_rather_than_break_the_thread(spoiled: Any) -> None:
    names = ("location", "contacts", "poll")
    assert carried({"raw": spoiled, "carries": spoiled}) == Carried()
    assert carried({"raw": dict.fromkeys(names, spoiled)}) == Carried()
    for kind in ("location", "contact", "poll", "buttons", "list"):
        carried({"carries": {"type": kind, "options": spoiled, "choices": spoiled, "name": spoiled, "phone": spoiled}})
    assert carried({"raw": {"location": {"latitude": "nan", "longitude": "inf"}}}).place is None
