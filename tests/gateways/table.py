"""What every payload in a folder becomes, as a Markdown table: ``python -m tests.gateways.table FOLDER``.

``FOLDER`` holds one folder per provider, each with payloads as JSON files. The table is made by the very ``parse`` that
the webhooks' door calls. tests/gateways/reviewed.md is such a table, read against the payloads by eye.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from channels.base import (
    ChannelEvent,
    ContactTyping,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReceiptChanged,
    SendFailed,
    SessionChanged,
    SessionRef,
    TemplateChanged,
    Unrecognised,
)
from channels.gateway import File, Gateway
from domain.contents import Media
from domain.messages import Address, MediaReference

GATEWAYS = {
    "waha": ("waha", "WahaGateway"),
    "evolution": ("evolution", "EvolutionGateway"),
    "wppconnect": ("wppconnect", "WppconnectGateway"),
    "cloud_api": ("cloud_api", "CloudApiGateway"),
    "gowa": ("gowa", "GowaGateway"),
}
COLUMNS = ("file", "outcome", "contact", "kind", "text", "media", "ids", "time (UTC)")
NOTHING = "–"
ARRIVAL = "arrival"
_LONGEST = 60
_LATELY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: an event of one file, or that it has none."""

    file: str
    outcome: str
    contact: str = NOTHING
    kind: str = NOTHING
    text: str = NOTHING
    media: str = NOTHING
    ids: str = NOTHING
    time: str = NOTHING


class _NoFiles:
    async def read(self, media: Media) -> File:
        raise NotImplementedError(media.ref)


def gateways() -> dict[str, Gateway]:
    """The gateways of this checkout by provider."""
    found: dict[str, Gateway] = {}
    for provider, (module, name) in GATEWAYS.items():
        made = getattr(importlib.import_module(f"channels.whatsapp.{module}"), name)
        found[provider] = made(httpx.AsyncClient(), _NoFiles())
    return found


def rows_of(gateway: Gateway, name: str, body: Any) -> list[Row]:
    """What a payload becomes. ``name``: how it is called in the table."""
    session = body.get("session") if isinstance(body, dict) else None
    config = {"session": session} if isinstance(session, str) and session else {}
    events = gateway.parse(body, SessionRef("s1", gateway.provider, config=config))
    return [_row(name, event) for event in events] or [Row(name, "known no-op")]


def folder_rows(folder: Path) -> Iterator[Row]:
    """The rows of all payloads below a folder, by provider and file."""
    for provider, gateway in sorted(gateways().items()):
        for path in sorted((folder / provider).glob("*.json")):
            name = f"{provider}/{path.stem}"
            if path.stem.startswith("request_"):
                # A request that clients send to the gateway: no delivery, and not to be taken for one.
                events = gateway.parse(json.loads(path.read_text()), SessionRef("s1", provider))
                kept = all(isinstance(event, Unrecognised) for event in events)
                yield Row(name, "request, quarantined" if kept and events else "request, misread")
                continue
            yield from rows_of(gateway, name, json.loads(path.read_text()))


def markdown(rows: list[Row]) -> str:
    """The whole table."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *(astuple(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(name: str, event: ChannelEvent) -> Row:
    match event:
        case MessageReceived():
            return Row(
                name,
                "own message" if event.from_me else "message",
                _people(event.chat, event.alternates, event.sender),
                event.kind.value,
                _cell(event.text),
                _media(event.media),
                _ids(event.provider_id, event.quoted_provider_id),
                _time(event.sent_at),
            )
        case MessageEdited():
            who, ids = _people(event.chat, event.alternates), _ids(event.provider_id)
            return Row(name, _own("edit", event), who, text=_cell(event.text), ids=ids, time=_time(event.at))
        case MessageRevoked():
            who, ids = _people(event.chat, event.alternates), _ids(event.provider_id)
            return Row(name, _own("revoke", event), who, ids=ids, time=_time(event.at))
        case ReceiptChanged():
            who = _people(event.chat) if event.chat else NOTHING
            return Row(name, "receipt", who, event.ack.value, ids=_ids(*event.provider_ids), time=_time(event.at))
        case SendFailed():
            return Row(
                name, "send failed", text=_cell(event.detail), ids=_ids(*event.provider_ids), time=_time(event.at)
            )
        case SessionChanged():
            said = _cell(" ".join(filter(None, (event.detail, f"code {event.qr}" if event.qr else ""))))
            return Row(name, "session", event.account or NOTHING, event.status.value, said, time=_time(event.at))
        case TemplateChanged():
            said = _cell(" ".join(filter(None, (event.name, event.language, event.category, event.reason))))
            return Row(name, "template", kind=event.status or NOTHING, text=said, time=_time(event.at))
        case ContactTyping():
            return Row(name, "typing", _people(event.chat))
        case Unrecognised():
            return Row(name, "quarantined", kind=_cell(event.name))


def _own(what: str, event: MessageEdited | MessageRevoked) -> str:
    return f"own {what}" if event.from_me else what


def _people(chat: Address, alternates: tuple[Address, ...] = (), sender: Address | None = None) -> str:
    also = f" = {', '.join(map(str, alternates))}" if alternates else ""
    return f"{chat}{also}{f' by {sender}' if sender else ''}"


def _ids(provider_id: str, *others: str | None) -> str:
    return " ← ".join(_cell(name) for name in (provider_id, *others) if name)


def _media(media: MediaReference | None) -> str:
    if media is None:
        return NOTHING
    size = f"{media.size_bytes} B" if media.size_bytes is not None else None
    where = "url" if media.url else None
    extra = "+".join(sorted(name for name in media.extra if name not in ("seconds", "width", "height")))
    return _cell(", ".join(fact for fact in (media.mime_type, media.file_name, size, where, extra) if fact) or "?", 160)


def _cell(text: str, longest: int = _LONGEST) -> str:
    """Text that fits a table's cell."""
    flat = " ".join(text.split()).replace("|", "¦")
    return (flat if len(flat) <= longest else f"{flat[: longest - 1]}…") or NOTHING


def _time(at: datetime) -> str:
    """``ARRIVAL`` where the payload tells no time."""
    if abs(datetime.now(UTC) - at) < _LATELY:
        return ARRIVAL
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "").removesuffix(".000")


if __name__ == "__main__":
    sys.stdout.write(markdown(list(folder_rows(Path(sys.argv[1])))))
