"""Files in GOWA's webhooks: a path below its ``statics`` folder, or WhatsApp's own (encrypted) address.

Which of the two depends on WHATSAPP_AUTO_DOWNLOAD_MEDIA there. The shape depends on the version: a bare path, an object
with ``path``, with ``media_path`` and ``mime_type``, or with ``url``.
"""

from __future__ import annotations

import mimetypes
import posixpath
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from domain.messages import MediaReference, MessageKind

from .waha_envelope import brief

MEDIA_KINDS: Mapping[str, MessageKind] = {
    "image": MessageKind.IMAGE,
    "video": MessageKind.VIDEO,
    "video_note": MessageKind.VIDEO,
    "audio": MessageKind.AUDIO,
    "document": MessageKind.DOCUMENT,
    "sticker": MessageKind.STICKER,
}
_STATICS = "statics/"
_TYPES = {".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".webp": "image/webp", ".jpe": "image/jpeg"}


def media_of(value: Any, base_url: str) -> MediaReference:
    """Where the file lies. Without a path it must be asked for by ``extra["message_id"]``: the bytes at WhatsApp's
    ``whatsapp_url`` are encrypted."""
    facts = value if isinstance(value, dict) else {"path": value}
    path, url = _string(facts.get("path"), facts.get("media_path")), _string(facts.get("url"))
    extra: dict[str, Any] = {}
    if path:
        extra["path"] = path[:1000]
    if url:
        extra["whatsapp_url"] = url[:2000]
    unknown = {
        k: v for k, v in facts.items() if k not in ("path", "media_path", "url", "caption", "filename", "mime_type")
    }
    if unknown:
        extra["unknown_fields"] = brief(unknown)
    size = facts.get("file_size")
    return MediaReference(
        mime_type=_string(facts.get("mime_type")) or _type_of(_string(facts.get("filename")) or path),
        file_name=_string(facts.get("filename")) or (posixpath.basename(path.replace("\\", "/")) if path else None),
        size_bytes=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        url=static_url(base_url, path) if path else None,
        extra=extra,
    )


def caption_of(value: Any) -> str:
    """The words below the file; "" for none."""
    caption = value.get("caption") if isinstance(value, dict) else None
    return caption if isinstance(caption, str) else ""


def static_url(base_url: str, path: str) -> str | None:
    """The address of a file below ``statics``; None for a path elsewhere, which GOWA does not serve."""
    tidy = path.replace("\\", "/")
    at = 0 if tidy.startswith(_STATICS) else tidy.find("/" + _STATICS) + 1
    steps = tidy[at:].split("/")
    if not tidy[at:].startswith(_STATICS) or ".." in steps or not base_url:
        return None
    return f"{base_url.rstrip('/')}/{quote('/'.join(steps))}"


def _type_of(name: str | None) -> str | None:
    if not name:
        return None
    extension = posixpath.splitext(name.lower())[1]
    return _TYPES.get(extension) or mimetypes.guess_type(f"x{extension}", strict=False)[0]


def _string(*candidates: object) -> str | None:
    return next((text for text in candidates if isinstance(text, str) and text), None)
