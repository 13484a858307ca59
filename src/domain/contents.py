"""What a message of ours can carry besides plain text. Values only: the outbox keeps them as JSON (``as_json``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

MediaKind = Literal["image", "video", "audio", "voice", "document", "sticker"]


@dataclass(frozen=True, slots=True)
class Media:
    """A file. ``ref`` names it in the media store; the message's text is its caption."""

    kind: MediaKind
    ref: str
    mime_type: str
    file_name: str = ""
    type: Literal["media"] = "media"


@dataclass(frozen=True, slots=True)
class Location:
    """A point on the map, in degrees."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""
    type: Literal["location"] = "location"


@dataclass(frozen=True, slots=True)
class ContactCard:
    """A person's card. ``phone``: digits with country code."""

    name: str
    phone: str
    type: Literal["contact"] = "contact"


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji on a message of this chat; "" takes ours back. ``from_me``: that message is our own."""

    provider_id: str
    emoji: str
    from_me: bool = False
    type: Literal["reaction"] = "reaction"


@dataclass(frozen=True, slots=True)
class Poll:
    """A question (the message's text) with 2 to 12 options."""

    options: tuple[str, ...]
    several: bool = False
    type: Literal["poll"] = "poll"


@dataclass(frozen=True, slots=True)
class Choice:
    """One button, or one row of a list. ``id`` comes back in the customer's answer."""

    id: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Buttons:
    """The message's text with up to three reply buttons."""

    choices: tuple[Choice, ...]
    footer: str = ""
    type: Literal["buttons"] = "buttons"


@dataclass(frozen=True, slots=True)
class ListMenu:
    """The message's text with a button that opens a list of up to ten rows."""

    button: str
    choices: tuple[Choice, ...]
    footer: str = ""
    type: Literal["list"] = "list"


@dataclass(frozen=True, slots=True)
class Edit:
    """The message's text replaces that of an earlier message of ours."""

    provider_id: str
    type: Literal["edit"] = "edit"


@dataclass(frozen=True, slots=True)
class Revoke:
    """Takes an earlier message of ours back, for everyone."""

    provider_id: str
    type: Literal["revoke"] = "revoke"


@dataclass(frozen=True, slots=True)
class TemplateButton:
    """What a template's button at ``index`` (from 0) needs: the end of its address, or the code to copy."""

    index: int
    kind: Literal["url", "copy_code"]
    value: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template approved by Meta (Cloud API): what may be sent outside the 24 h window. The text is how it reads.

    ``variables`` fill the body in order; ``names`` are theirs, where the template names them. ``header`` fills the
    one variable of a text header.
    """

    name: str
    language: str
    variables: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    header: str = ""
    header_name: str = ""
    buttons: tuple[TemplateButton, ...] = ()
    type: Literal["template"] = "template"


@dataclass(frozen=True, slots=True)
class LinkPreview:
    """The message's text, with a card for the address in it. ``thumbnail``: a small JPEG as base64, or none."""

    url: str
    title: str
    description: str = ""
    thumbnail: str = ""
    type: Literal["link_preview"] = "link_preview"


Content = Media | Location | ContactCard | Reaction | Poll | Buttons | ListMenu | Edit | Revoke | Template | LinkPreview
CONTENT_TYPES: Mapping[str, type[Any]] = {
    "media": Media,
    "location": Location,
    "contact": ContactCard,
    "reaction": Reaction,
    "poll": Poll,
    "buttons": Buttons,
    "list": ListMenu,
    "edit": Edit,
    "revoke": Revoke,
    "template": Template,
    "link_preview": LinkPreview,
}


def as_json(content: Content) -> dict[str, Any]:
    """JSON values that ``from_json`` reads back."""
    return asdict(content)


def from_json(values: Mapping[str, Any]) -> Content:
    """Read a content back. Raises ValueError for anything that ``as_json`` did not write."""
    kind = CONTENT_TYPES.get(str(values.get("type")))
    if kind is None:
        raise ValueError(f"not a content: {values.get('type')!r}")
    fields = dict(values)
    if "choices" in fields:
        fields["choices"] = tuple(Choice(**choice) for choice in fields["choices"])
    for name in ("options", "variables", "names"):
        if name in fields:
            fields[name] = tuple(fields[name])
    try:
        if "buttons" in fields:
            fields["buttons"] = tuple(TemplateButton(**button) for button in fields["buttons"])
        content: Content = kind(**fields)
    except TypeError as error:
        raise ValueError(f"not a content: {error}") from None
    return content
