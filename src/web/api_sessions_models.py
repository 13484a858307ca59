"""What requests and answers of ``/api/v1/sessions`` look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from web.api_schema import A_TIME, AN_ID, Asked, Shown, listing, operation

_NEXT = (
    "Escaneie este código com o celular do número: no WhatsApp, abra Dispositivos conectados e toque em "
    "Conectar dispositivo."
)


class Session(Shown):
    """A WhatsApp number."""

    id: UUID
    name: str
    provider: str
    account: str | None
    phone: str | None
    status: str
    state: str
    next_step: str = Field(description="What to do now, in the language of Accept-Language")
    detail: str
    wanted: bool = Field(description="Whether people want it connected")
    held: bool = Field(description="Whether a session host holds its connection")
    groups: Literal["off", "mentioned"]
    qr_expires_at: datetime | None
    left_to_do: list[str]
    status_at: datetime | None
    created_at: datetime | None
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "name": "Vendas",
        "provider": "neonize",
        "account": None,
        "phone": None,
        "status": "awaiting_qr",
        "state": "awaiting_qr",
        "next_step": _NEXT,
        "detail": "",
        "wanted": True,
        "held": True,
        "groups": "off",
        "qr_expires_at": A_TIME,
        "left_to_do": [],
        "status_at": A_TIME,
        "created_at": A_TIME,
    }


class NewSession(Asked):
    """A further session. `settings` are the provider's: the README's table of gateways names them."""

    name: Annotated[str, Field(min_length=1)]
    provider: str = "neonize"
    settings: dict[str, Any] = Field(default_factory=dict)
    start: bool = True
    example: ClassVar[dict[str, Any]] = {"name": "Vendas", "provider": "neonize", "start": True}


class SessionChange(Asked):
    """What is not named stays."""

    name: str | None = None
    groups: Literal["off", "mentioned"] | None = None
    example: ClassVar[dict[str, Any]] = {"groups": "mentioned"}


class QrCode(Shown):
    """The newest code, as text and as a picture."""

    qr: str
    png: str = Field(description="A data URL")
    expires_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "qr": "https://wa.me/settings/linked_devices#2@…",
        "png": "data:image/png;base64,iVBORw0KGgo…",
        "expires_at": A_TIME,
    }


class PairCodeRequest(Asked):
    """The phone to be linked."""

    phone: Annotated[str, Field(min_length=1, max_length=40)]
    example: ClassVar[dict[str, Any]] = {"phone": "+55 11 99000-1111"}


class SetUp(Shown):
    """What setting a gateway's session up came to."""

    webhook_url: str
    is_public: bool = Field(description="Whether gateways elsewhere can reach it; else they are asked for news")
    left_to_do: list[str] = Field(description="What a person has to do at the gateway")
    example: ClassVar[dict[str, Any]] = {
        "webhook_url": "https://atende.example.com/webhooks/waha/7f3c0c0e-6f5e-4a7e-9d3c-2f1f4f0a9b21",
        "is_public": True,
        "left_to_do": [],
    }


class PairCode(Shown):
    """To be typed into the phone."""

    code: str
    phone: str
    example: ClassVar[dict[str, Any]] = {"code": "ABCD-EFGH", "phone": "+5511990001111"}


class SessionStats(Shown):
    """Figures of the last days; counts of messages are of all time."""

    days: int
    messages_in: int
    messages_out: int
    waiting: int
    unknown: int
    failed: int
    uptime: float | None
    reconnects: int
    qr_codes: int
    pairings: int
    last_connected_at: datetime | None
    last_message_at: datetime | None
    example: ClassVar[dict[str, Any]] = {
        "days": 7,
        "messages_in": 1520,
        "messages_out": 1498,
        "waiting": 0,
        "unknown": 0,
        "failed": 2,
        "uptime": 0.9987,
        "reconnects": 3,
        "qr_codes": 2,
        "pairings": 1,
        "last_connected_at": A_TIME,
        "last_message_at": A_TIME,
    }


class LogLine(Shown):
    """Something that happened to a session."""

    id: int
    kind: str
    actor: str
    at: datetime
    details: dict[str, Any]
    example: ClassVar[dict[str, Any]] = {
        "id": 4711,
        "kind": "session.status",
        "actor": "system",
        "at": A_TIME,
        "details": {"status": "connected", "before": "connecting"},
    }


class NewMessage(Asked):
    """What goes out. `content` carries all but text: media, place, contact, poll, buttons, list, reaction, edit …"""

    to: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="A phone, an address such as lid:…, or a conversation's id"
    )
    text: str | None = None
    content: dict[str, Any] | None = None
    reply_to: int | None = Field(None, description="The id of a message to quote")
    purpose: Literal["reply", "proactive"] = "proactive"
    example: ClassVar[dict[str, Any]] = {"to": "+55 11 99000-1111", "text": "Seu pedido saiu para entrega."}


class QueuedMessage(Shown):
    """A message on its way: /api/v1/outgoing tells the rest."""

    message_id: int
    outbox_id: UUID
    conversation_id: UUID
    to: str | None = None
    state: str
    shown_as: str | None = Field(None, description="numbered_text: WhatsApp no longer shows buttons and lists")
    example: ClassVar[dict[str, Any]] = {
        "message_id": 4711,
        "outbox_id": AN_ID,
        "conversation_id": AN_ID,
        "to": "phone:5511990001111",
        "state": "queued",
    }


class KeptFile(Shown):
    """A file that waits to be sent."""

    id: UUID
    mime_type: str
    name: str
    size: int
    sends_as: str
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "mime_type": "application/pdf",
        "name": "nota.pdf",
        "size": 48211,
        "sends_as": "document",
    }


class LookedUp(Shown):
    """Whether a phone is on WhatsApp, and as whom."""

    phone: str
    on_whatsapp: bool
    address: str | None
    example: ClassVar[dict[str, Any]] = {
        "phone": "+5511990001111",
        "on_whatsapp": True,
        "address": "phone:551190001111",
    }


class Typing(Asked):
    """Whether somebody types."""

    typing: bool
    example: ClassVar[dict[str, Any]] = {"typing": True}


_LATER = {202: Session}
OPERATIONS: dict[str, dict[str, Any]] = {
    "list": operation(listing("sessions", Session)),
    "create": operation(Session, NewSession, status=201, key="honoured", refusals=[409]),
    "get": operation(Session, refusals=[404], versioned=True),
    "change": operation(Session, SessionChange, refusals=[404], versioned=True, based_on="digest"),
    "delete": operation(status=204, refusals=[404, 409], also=_LATER),
    "act": operation(Session, refusals=[404, 409], also=_LATER),
    "qr": operation(QrCode, refusals=[404, 410]),
    "set_up": operation(SetUp, refusals=[404, 409]),
    "pair_code": operation(PairCode, PairCodeRequest, refusals=[404, 409]),
    "stats": operation(SessionStats, refusals=[404]),
    "log": operation(listing("events", LogLine), refusals=[404]),
    "send": operation(QueuedMessage, NewMessage, status=202, key="needed", refusals=[404, 409]),
    "file": operation(KeptFile, status=201, refusals=[404]),
    "look_up": operation(LookedUp, refusals=[404, 409]),
    "typing": operation(None, Typing, status=204, refusals=[404, 409]),
    "read": operation(None, status=204, refusals=[404, 409]),
}
for _name in ("list", "create", "get", "change", "delete", "act"):
    OPERATIONS[_name]["openapi_extra"].setdefault("parameters", []).append(
        {
            "name": "language",
            "in": "query",
            "description": "Of `next_step`; else Accept-Language decides.",
            "schema": {"type": "string", "enum": ["pt", "es", "en"]},
        }
    )
_CODE = OPERATIONS["qr"]["openapi_extra"]["responses"]["200"]["content"]
_CODE["text/plain"] = {"schema": {"type": "string"}}
_CODE["image/png"] = {"schema": {"type": "string", "format": "binary"}}
OPERATIONS["file"]["openapi_extra"]["requestBody"] = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
}
