"""Contents in words: for previews, for the simulated phone, and for whoever cannot see them."""

from __future__ import annotations

from domain.contents import (
    Buttons,
    ContactCard,
    Content,
    Edit,
    LinkPreview,
    ListMenu,
    Location,
    Media,
    Poll,
    Reaction,
    Revoke,
    Template,
)
from domain.messages import MessageKind


def described(content: Content | None, text: str) -> str:
    """The message as plain text: ``[image] menu.jpg`` and the caption, for one."""
    if content is None:
        return text
    return " ".join(part for part in (_described(content), text) if part)


def _described(content: Content) -> str:
    match content:
        case Media(kind=kind, file_name=name):
            return f"[{kind}] {name}".strip()
        case Location():
            return f"[location] {content.name} {content.latitude}, {content.longitude}".replace("  ", " ")
        case ContactCard(name=name, phone=phone):
            return f"[contact] {name} +{phone}"
        case Reaction(emoji=emoji):
            return f"[reaction] {emoji}".strip()
        case Poll(options=options):
            return f"[poll: {' | '.join(options)}]"
        case Buttons(choices=choices) | ListMenu(choices=choices):
            return f"[{content.type}: {' | '.join(choice.title for choice in choices)}]"
        case Template(name=name):
            return f"[template {name}]"
        case LinkPreview(title=title):
            return f"[link: {title}]"
        case Edit():
            return "[edit]"
        case Revoke():
            return "[revoke]"


def message_kind(content: Content | None) -> MessageKind:
    """The kind of a message of ours with this content."""
    match content:
        case Media(kind=kind):
            return MessageKind(kind)
        case Location():
            return MessageKind.LOCATION
        case ContactCard():
            return MessageKind.CONTACT
        case Reaction():
            return MessageKind.REACTION
        case Poll():
            return MessageKind.POLL
        case Edit() | Revoke():
            return MessageKind.SYSTEM
        case _:
            return MessageKind.TEXT
