"""What WhatsApp takes of us, checked before anything is queued: a message that can never be sent is refused at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from domain.contents import (
    Buttons,
    Choice,
    ContactCard,
    Content,
    Edit,
    LinkPreview,
    ListMenu,
    Location,
    Media,
    MediaKind,
    Poll,
    Reaction,
)
from domain.errors import InvalidInputError

_LONGEST_QUESTION: Final = 255
_LONGEST_OPTION: Final = 100
_OPTIONS: Final = range(2, 13)
_MOST: Final = {"buttons": 3, "list": 10}
_LONGEST_TITLE: Final = {"buttons": 20, "list": 24}
_LONGEST_DESCRIPTION: Final = 72
_LONGEST_NAME: Final = 500
_LONGEST_EDIT: Final = 4096
_POLE: Final = 90
_LONGEST_EMOJI: Final = 64
"""Bytes: families and flags are made of many characters."""
_PHONE: Final = re.compile(r"[1-9]\d{6,14}", re.ASCII)

TAKEN: Final[dict[MediaKind, tuple[str, ...]]] = {
    "image": ("image/jpeg", "image/png"),
    "video": ("video/mp4", "video/3gpp"),
    "audio": ("audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr"),
    "voice": ("audio/ogg",),
    "sticker": ("image/webp",),
}
"""The formats in which WhatsApp shows files; a document may be anything."""
_WITHOUT_WORDS: Final = frozenset({"audio", "voice", "sticker"})


def check(content: Content, text: str) -> None:
    """Raise InvalidInputError where WhatsApp would refuse this, or show something else than what is meant."""
    match content:
        case Media(kind=kind, mime_type=mime):
            _check_media(kind, mime, text)
        case Location():
            _check_place(content)
        case ContactCard(name=name, phone=phone):
            _check_words("name", name, _LONGEST_NAME)
            if not _PHONE.fullmatch(phone):
                hint = "Digits with country code: 5511990001111."
                raise InvalidInputError("phone", f"{phone!r} is no phone number", hint=hint)
        case Reaction(emoji=emoji):
            if len(emoji.encode()) > _LONGEST_EMOJI or (emoji and emoji.isascii()):
                raise InvalidInputError("emoji", "a reaction is one emoji", hint='Such as 👍, or "" to take it back.')
        case Poll(options=options):
            _check_words("text", text, _LONGEST_QUESTION)
            _check_options(options)
        case Buttons(choices=choices) | ListMenu(choices=choices):
            _check_words("text", text, _LONGEST_NAME * 2)
            _check_choices(content.type, choices)
        case LinkPreview(url=url, title=title):
            _check_words("title", title, _LONGEST_NAME)
            if url not in text:
                raise InvalidInputError("url", "the text does not contain this address", hint="Write it into the text.")
        case Edit():
            _check_words("text", text, _LONGEST_EDIT)
        case _:
            pass


def _check_place(place: Location) -> None:
    if not (abs(place.latitude) <= _POLE and abs(place.longitude) <= 2 * _POLE):
        hint = "Latitude −90 to 90, longitude −180 to 180."
        raise InvalidInputError("content", "this place is not on earth", hint=hint)


def _check_options(options: Sequence[str]) -> None:
    if len(options) not in _OPTIONS or len(set(options)) < len(options):
        raise InvalidInputError("options", "a poll has 2 to 12 different options")
    for option in options:
        _check_words("options", option, _LONGEST_OPTION)


def _check_media(kind: MediaKind, mime: str, text: str) -> None:
    taken = TAKEN.get(kind)
    if taken is not None and mime not in taken:
        raise InvalidInputError(
            "file", f"WhatsApp takes no {mime} as {kind}", hint=f"Send {' or '.join(taken)}, or send it as a document."
        )
    if kind in _WITHOUT_WORDS and text.strip():
        raise InvalidInputError("text", f"a {kind} has no caption", hint="Send the text as a message of its own.")


def _check_words(field: str, words: str, longest: int) -> None:
    if not words.strip():
        raise InvalidInputError(field, "must not be empty")
    if len(words) > longest:
        raise InvalidInputError(field, f"is longer than {longest} characters")


def _check_choices(kind: str, choices: Sequence[Choice]) -> None:
    most = _MOST[kind]
    if not 0 < len(choices) <= most:
        raise InvalidInputError("choices", f"must be 1 to {most}")
    for values in ([choice.id for choice in choices], [choice.title for choice in choices]):
        if len(set(values)) < len(values):
            raise InvalidInputError("choices", "must have different ids and titles")
    for choice in choices:
        _check_words("choices", choice.id, 200)
        _check_words("choices", choice.title, _LONGEST_TITLE[kind])
        if len(choice.description) > _LONGEST_DESCRIPTION:
            raise InvalidInputError("choices", f"a description is longer than {_LONGEST_DESCRIPTION} characters")
