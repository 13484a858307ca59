"""What people typed into a page and cannot be taken: a whole sentence, which the page says in the reader's language."""

from __future__ import annotations

from typing import Any

from domain.errors import InvalidInputError


class RefusedError(InvalidInputError):
    """Input that can never be accepted as it is. ``template`` with ``values`` (``%(name)s``) is one English sentence.

    Pages look the template up in their catalogues; programs read it as it is.
    """

    def __init__(self, field: str, template: str, **values: Any) -> None:
        super().__init__(field, template % values)
        self.template = template
        self.values = values

    def __str__(self) -> str:
        return self.problem

    def sentence(self) -> str:
        """The sentence in English."""
        return self.problem


def line(field: str, value: str, longest: int, *, needed: bool = True) -> str:
    """``value`` on one line without spaces around it. RefusedError: it is empty, too long or unprintable."""
    found = " ".join(value.split())
    if needed and not found:
        raise RefusedError(field, "Something is missing: fill in every field that is needed.")
    if len(found) > longest:
        raise RefusedError(field, "The text is too long: at most %(longest)s characters.", longest=longest)
    if not found.isprintable():
        raise RefusedError(field, "The text holds characters that cannot be shown.")
    return found


def prose(field: str, value: str, longest: int, *, needed: bool = True) -> str:
    """The same of a text that may have several lines."""
    found = value.replace("\r\n", "\n").strip()
    if needed and not found:
        raise RefusedError(field, "Something is missing: fill in every field that is needed.")
    if len(found) > longest:
        raise RefusedError(field, "The text is too long: at most %(longest)s characters.", longest=longest)
    if not all(char.isprintable() or char in "\n\t" or char == "\u200d" for char in found):
        raise RefusedError(field, "The text holds characters that cannot be shown.")
    return found


def whole(field: str, value: str, least: int, most: int) -> int:
    """A whole number in [least, most]."""
    text = value.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 12 or not least <= int(text) <= most:
        raise RefusedError(
            field, "Write a whole number from %(least)s to %(most)s.", least=f"{least:,}", most=f"{most:,}"
        )
    return int(text)
