"""Reading back the picture of a QR code: what segno draws, in every size and form, and nothing from anything else."""

from __future__ import annotations

import io
import random

import pytest
import segno

from channels.whatsapp.qr_picture import read_qr

PAIRING = (
    "https://wa.me/settings/linked_devices#2@K3v0QmVJ9z1r+YcL7uB/8xWdS4tN2eGhPqRfAiTjUkXo,"
    "b1Zk0yHs3WmC5nEaLdQ7pXgV9tFuR2jI6oTqYwKcDhM=,rG8vNxS1eZbP4uJyLk7aWfQ0mHtC3iVoXdEsRgKpYnU=,"
    "T5wBq9ZcXk2LmVs7RfHy0JnPgEaUdQi3oTlKxWbYrCv=,1"
)


def png(text: str, *, scale: int = 4, **options: object) -> bytes:
    out = io.BytesIO()
    code = segno.make(text, micro=False, **options)  # type: ignore[arg-type]
    code.save(out, kind="png", scale=scale, border=4)
    return out.getvalue()


@pytest.mark.parametrize("error", ["L", "M", "Q", "H"])
def test_that_a_pairing_code_is_read_back(error: str) -> None:
    assert read_qr(png(PAIRING, error=error, boost_error=False)) == PAIRING


def test_that_texts_of_all_lengths_modes_masks_and_scales_are_read_back() -> None:
    chosen = random.Random(20260304)
    alphabets = ["0123456789", "ABCDEFGHIJ0123456789 $%*+-./:", "abcXYZ,@=/+09ãé"]
    for turn in range(60):
        text = "".join(chosen.choices(alphabets[turn % 3], k=chosen.choice([1, 2, 3, 7, 20, 60, 150, 300])))
        options = {"error": chosen.choice("LMQ"), "mask": turn % 8, "boost_error": False, "encoding": "utf-8"}
        picture = png(text, scale=chosen.choice([1, 2, 3, 5, 7]), **options)
        assert read_qr(picture) == text, (turn, text, options)


@pytest.mark.parametrize(
    "colours", [{"dark": "#003355", "light": "#ffeecc"}, {"dark": "black", "light": None}, {"dark": "#102030"}]
)
def test_that_colours_and_transparent_backgrounds_are_read(colours: dict[str, str | None]) -> None:
    out = io.BytesIO()
    segno.make(PAIRING).save(out, kind="png", scale=3, **colours)
    assert read_qr(out.getvalue()) == PAIRING


def test_that_anything_else_gives_nothing_and_never_raises() -> None:
    chosen = random.Random(20260305)
    good = png(PAIRING)
    assert read_qr(b"") is None
    assert read_qr(b"<html>") is None
    assert read_qr(good[:200]) is None
    for _ in range(300):
        broken = bytearray(good)
        for _ in range(chosen.randint(1, 5)):
            broken[chosen.randrange(len(broken))] = chosen.randrange(256)
        read_qr(bytes(broken))
