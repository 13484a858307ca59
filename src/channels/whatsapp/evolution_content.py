"""What Evolution does to WhatsApp's content before it sends it on, undone; and what it adds, kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from channels.base import MessageReceived
from domain.messages import MediaReference, MessageKind

from .baileys import whole_number
from .contents import COMPANIONS, RULES
from .convert import unwrap
from .envelope import pick
from .looks import looks_of

_ADDED = ("mediaUrl", "base64", "speechToText", "chatwootMessageId")
_NEEDED = (
    "url", "directPath", "mediaKey", "mediaKeyTimestamp", "mimetype", "fileSha256", "fileEncSha256", "fileLength",
    "fileName", "seconds", "ptt",
)  # fmt: skip
"""What the gateway needs to fetch a file even where it keeps no messages."""


def with_context(content: dict[str, Any], context: Any) -> dict[str, Any]:
    """The content as WhatsApp sent it: the gateway turns ``extendedTextMessage`` into ``conversation`` and keeps its
    quote, mentions and advertisement beside the message only."""
    kept = {name: body for name, body in content.items() if name not in _ADDED}
    text = kept.get("conversation")
    if not isinstance(context, dict) or not context:
        return kept
    if isinstance(text, str):
        others = {name: body for name, body in kept.items() if name != "conversation"}
        return {"extendedTextMessage": {"text": text, "contextInfo": context}, **others}
    name = next((name for name, body in kept.items() if name not in COMPANIONS and isinstance(body, dict)), None)
    if name is None or name not in RULES or "contextInfo" in kept[name]:
        return kept
    return {**kept, name: {**kept[name], "contextInfo": context}}


def finish(event: MessageReceived, content: dict[str, Any], data: Mapping[str, Any]) -> MessageReceived:
    """The event with what only Evolution tells: names of the chosen options, where the file is, a transcription."""
    inner, _ = unwrap(content)
    name = next((name for name in inner if name not in COMPANIONS and inner[name] is not None), "")
    body, added = inner.get(name), data.get("message")
    raw, text, quoted, media = dict(event.raw), event.text, event.quoted_provider_id, event.media
    if event.kind is MessageKind.POLL_VOTE:
        text = ", ".join(_chosen(body, data)) or text
        quoted = pick(body, "pollCreationMessageKey", "id")
    if media is not None:
        found = _media(name, body, data)
        media = replace(found, extra={**found.extra, **looks_of(media.extra)})
    if isinstance(words := pick(added, "speechToText"), str) and words:
        raw["speech_to_text"] = words
    return replace(
        event,
        text=text,
        quoted_provider_id=quoted if isinstance(quoted, str) and quoted else None,
        media=media,
        raw=raw,
    )


def _chosen(body: Any, data: Mapping[str, Any]) -> list[str]:
    """The options that a vote names; the gateway has decrypted them where it knew the poll."""
    named = pick(body, "vote", "selectedOptions")
    names = [option for option in named if isinstance(option, str)] if isinstance(named, list) else []
    updates = data.get("pollUpdates")
    if isinstance(updates, list):
        voted = [pick(update, "name") for update in updates if pick(update, "voters")]
        return [option for option in voted if isinstance(option, str)] or names
    return names


def _media(name: str, body: Any, data: Mapping[str, Any]) -> MediaReference:
    """Where the file can be had: at the gateway's own store, or from the gateway by the message itself."""
    size = whole_number(pick(body, "fileLength"))
    texts = {field: value for field in ("mimetype", "fileName", "title") if isinstance(value := pick(body, field), str)}
    url = pick(data.get("message"), "mediaUrl")
    key = data.get("key")
    kept_key = {field: pick(key, field) for field in ("id", "remoteJid", "fromMe", "participant")}
    needed = {field: value for field in _NEEDED if (value := pick(body, field)) is not None}
    inline = pick(data.get("message"), "base64")
    return MediaReference(
        mime_type=texts.get("mimetype") or None,
        file_name=texts.get("fileName") or texts.get("title") or None,
        size_bytes=size if size is not None and 0 <= size < 2**63 else None,
        url=url if isinstance(url, str) and url.startswith(("http://", "https://")) else None,
        extra={
            "key": {field: value for field, value in kept_key.items() if isinstance(value, str | bool)},
            "message": {name: needed},
            **({"base64": inline} if isinstance(inline, str) else {}),
        },
    )
