"""From a message of ours to the JSON that the Cloud API takes, with Meta's limits checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.base import SendRejectedError
from channels.gateway import File, NotOfferedError
from domain.contents import (
    Buttons,
    Choice,
    ContactCard,
    ListMenu,
    Location,
    Media,
    Reaction,
    Template,
    TemplateButton,
)
from domain.messages import AddressKind, Outbound

PROVIDER = "cloud_api"
LONGEST_TEXT = 4096
_LONGEST_CAPTION = 1024
_LONGEST_BODY = 1024
_LONGEST_LIST_BODY = 4096
_LONGEST_FOOTER = 60
_LONGEST_BUTTON = 20
_LONGEST_BUTTON_ID = 256
_LONGEST_ROW = 24
_LONGEST_ROW_TEXT = 72
_LONGEST_ROW_ID = 200
_LONGEST_KEY = 512
_MEGABYTE = 1024 * 1024
_MOST_BYTES = {"image": 5 * _MEGABYTE, "video": 16 * _MEGABYTE, "audio": 16 * _MEGABYTE, "sticker": 500 * 1024}
_LARGEST_DOCUMENT = 100 * _MEGABYTE
_MIME_TYPES: Mapping[str, frozenset[str]] = {
    "image": frozenset({"image/jpeg", "image/png"}),
    "video": frozenset({"video/mp4", "video/3gpp", "video/3gp"}),
    "audio": frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}),
    "sticker": frozenset({"image/webp"}),
}
_RECIPIENT = {AddressKind.PHONE: "to", AddressKind.GROUP: "to", AddressKind.BSUID: "recipient"}


def request_of(message: Outbound, media_id: str | None = None) -> dict[str, Any]:
    """The body for POST /{phone number id}/messages. ``media_id``: of the file that was uploaded before.

    Raises SendRejectedError: what is too long, too many or not offered is refused here, with a reason.
    """
    field = _RECIPIENT.get(message.to.kind)
    if field is None:
        raise SendRejectedError(
            f"{message.to} cannot be reached through the Cloud API.", hint="Answer on the channel it came from."
        )
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "group" if message.to.kind is AddressKind.GROUP else "individual",
        field: message.to.value,
        **_content(message, media_id),
    }
    if 0 < len(message.key) <= _LONGEST_KEY:
        body["biz_opaque_callback_data"] = message.key
    if message.quoted_provider_id and not isinstance(message.content, Reaction):
        body["context"] = {"message_id": message.quoted_provider_id}
    return body


_NOT_OFFERED = {"edit": "Editing", "revoke": "Deleting", "poll": "A poll", "link_preview": "A preview of our own"}


def _content(message: Outbound, media_id: str | None) -> dict[str, Any]:
    content, text = message.content, message.text
    match content:
        case None:
            _check_length("text", text, LONGEST_TEXT)
            # Meta refuses an empty body with an error that tells nobody why.
            if not text.strip():
                raise SendRejectedError("The message is empty.")
            return {"type": "text", "text": {"body": text, "preview_url": False}}
        case Media():
            return _media(content, text, media_id)
        case Location():
            _no_text(text, "location")
            place = {name: value for name in ("name", "address") if (value := getattr(content, name))}
            if not (abs(content.latitude) <= 90 and abs(content.longitude) <= 180):  # false for NaN as well
                raise SendRejectedError("The location's coordinates are not on this planet.")
            where = {"latitude": content.latitude, "longitude": content.longitude}
            return {"type": "location", "location": {**where, **place}}
        case ContactCard():
            _no_text(text, "contact card")
            return {"type": "contacts", "contacts": [_card(content)]}
        case Reaction():
            return {"type": "reaction", "reaction": {"message_id": content.provider_id, "emoji": content.emoji}}
        case Buttons():
            return _interactive("button", _buttons(content), text, content.footer, _LONGEST_BODY)
        case ListMenu():
            return _interactive("list", _list(content), text, content.footer, _LONGEST_LIST_BODY)
        case Template():
            return {"type": "template", "template": _template(content)}
        case _:
            raise NotOfferedError(PROVIDER, _NOT_OFFERED.get(content.type, "This kind of content"))


def check_file(media: Media, file: File) -> str:
    """The MIME type to upload with. Raises SendRejectedError for what Meta would refuse after the upload."""
    kind = "audio" if media.kind == "voice" else media.kind
    mime = (media.mime_type or file.mime_type).strip().lower()
    plain = mime.partition(";")[0].strip()
    allowed = _MIME_TYPES.get(kind)
    if allowed is not None and plain not in allowed:
        raise SendRejectedError(
            f"WhatsApp does not take {plain or 'an unknown type'} as {kind}.",
            hint=f"It takes {', '.join(sorted(allowed))}; or send it as a document.",
        )
    most = _MOST_BYTES.get(kind, _LARGEST_DOCUMENT)
    if not 0 < len(file.data) <= most:
        raise SendRejectedError(
            f"The file has {len(file.data)} bytes; WhatsApp takes 1 to {most} as {kind}.", hint="Send a smaller one."
        )
    return mime if plain == "audio/ogg" else plain or "application/octet-stream"


def _check_length(what: str, text: str, most: int) -> None:
    if len(text) > most:
        raise SendRejectedError(
            f"The {what} has {len(text)} characters; WhatsApp takes {most} here.", hint="Split or shorten it."
        )


def _no_text(text: str, what: str) -> None:
    if text.strip():
        raise NotOfferedError(PROVIDER, f"Text with a {what}")


def _media(media: Media, text: str, media_id: str | None) -> dict[str, Any]:
    kind = "audio" if media.kind == "voice" else media.kind
    file: dict[str, Any] = {"id": media_id}
    if kind in ("audio", "sticker"):
        _no_text(text, kind)
    elif text:
        _check_length("caption", text, _LONGEST_CAPTION)
        file["caption"] = text
    if media.kind == "voice":
        file["voice"] = True
    if kind == "document" and media.file_name:
        file["filename"] = media.file_name[:240]
    return {"type": kind, kind: file}


def _card(card: ContactCard) -> dict[str, Any]:
    name = card.name.strip()
    digits = card.phone.lstrip("+")
    if not name or not digits.isdigit():
        raise SendRejectedError("A contact card needs a name and a phone number with country code.")
    phone = {"phone": f"+{digits}", "wa_id": digits, "type": "CELL"}
    return {"name": {"formatted_name": name, "first_name": name.split()[0]}, "phones": [phone]}


def _interactive(kind: str, action: dict[str, Any], text: str, footer: str, most: int) -> dict[str, Any]:
    _check_length("text", text, most)
    if not text.strip():
        raise SendRejectedError("Buttons and lists need a text.")
    interactive: dict[str, Any] = {"type": kind, "body": {"text": text}, "action": action}
    if footer:
        _check_length("footer", footer, _LONGEST_FOOTER)
        interactive["footer"] = {"text": footer}
    return {"type": "interactive", "interactive": interactive}


def _check_choices(choices: tuple[Choice, ...], most: int, longest_id: int, longest_title: int) -> None:
    if not 1 <= len(choices) <= most:
        raise SendRejectedError(f"There are {len(choices)} choices; WhatsApp takes 1 to {most}.")
    for choice in choices:
        _check_length("choice's title", choice.title, longest_title)
        _check_length("choice's id", choice.id, longest_id)
        if not choice.title.strip() or not choice.id.strip():
            raise SendRejectedError("A choice needs a title and an id.")
    if len({choice.id for choice in choices}) < len(choices) or len({c.title for c in choices}) < len(choices):
        raise SendRejectedError("Two choices have the same id or title.")


def _buttons(content: Buttons) -> dict[str, Any]:
    _check_choices(content.choices, 3, _LONGEST_BUTTON_ID, _LONGEST_BUTTON)
    return {"buttons": [{"type": "reply", "reply": {"id": c.id, "title": c.title}} for c in content.choices]}


def _list(content: ListMenu) -> dict[str, Any]:
    _check_choices(content.choices, 10, _LONGEST_ROW_ID, _LONGEST_ROW)
    _check_length("list's button", content.button, _LONGEST_BUTTON)
    if not content.button.strip():
        raise SendRejectedError("A list needs a word on its button.")
    rows = []
    for choice in content.choices:
        _check_length("choice's description", choice.description, _LONGEST_ROW_TEXT)
        row = {"id": choice.id, "title": choice.title}
        rows.append({**row, "description": choice.description} if choice.description else row)
    return {"button": content.button, "sections": [{"rows": rows}]}


def _parameter(text: str, name: str = "") -> dict[str, str]:
    if not text.strip():
        raise SendRejectedError("A variable of the template is empty.", hint="WhatsApp takes no empty variables.")
    return {"type": "text", "text": text, **({"parameter_name": name} if name else {})}


def _template(content: Template) -> dict[str, Any]:
    components: list[dict[str, Any]] = []
    if content.header:
        components.append({"type": "header", "parameters": [_parameter(content.header, content.header_name)]})
    if content.variables:
        names = content.names or ("",) * len(content.variables)
        if len(names) != len(content.variables):
            raise SendRejectedError("The template's variables and their names do not match.")
        filled = [_parameter(text, name) for text, name in zip(content.variables, names, strict=True)]
        components.append({"type": "body", "parameters": filled})
    components += [_button(button) for button in content.buttons]
    template: dict[str, Any] = {"name": content.name, "language": {"code": content.language}}
    return {**template, "components": components} if components else template


def _button(button: TemplateButton) -> dict[str, Any]:
    parameter = (
        _parameter(button.value) if button.kind == "url" else {"type": "coupon_code", "coupon_code": button.value}
    )
    return {"type": "button", "sub_type": button.kind, "index": str(button.index), "parameters": [parameter]}
