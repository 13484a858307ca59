"""GOWA's older webhooks (before version 8) in the words of the newer ones.

They had no envelope: a message's fields lay at the top, chats were digits without their server, and ``from`` was
whatsmeow's "sender in chat". Receipts and group events had the envelope already, with the same ``from``.
"""

from __future__ import annotations

from typing import Any

from .envelope import pick
from .ids import GROUP_SERVER, LID_SERVER, PHONE_SERVER, Jid
from .waha_envelope import read_jid

_ACTIONS = {
    "message_revoked": "message.revoked",
    "message_edited": "message.edited",
    "message_deleted_for_me": "message.deleted",
}
_MOVED = frozenset(
    {"action", "chat_id", "edited_text", "from", "from_lid", "message", "pushname", "reaction", "sender_id"}
)
_LONGEST_PHONE = 15


def is_legacy(body: dict[str, Any]) -> bool:
    """Whether this is a message without an envelope."""
    return "event" not in body and "payload" not in body and ("message" in body or "action" in body)


def modernised(body: dict[str, Any]) -> dict[str, Any]:
    """The same event with the envelope and the field names of version 8."""
    message = body.get("message") if isinstance(body.get("message"), dict) else {}
    payload: dict[str, Any] = {name: value for name, value in body.items() if name not in _MOVED}
    payload |= {
        "id": pick(message, "id"),
        "body": pick(message, "text") or None,
        "replied_to_id": pick(message, "replied_id") or None,
        "quoted_body": pick(message, "quoted_message") or None,
        "from_name": body.get("pushname"),
        **_ends(body),
    }
    name = _ACTIONS.get(str(body.get("action")), "message")
    if name == "message.edited":
        payload["body"] = body.get("edited_text", payload["body"])
    if isinstance(reaction := body.get("reaction"), dict):
        name = "message.reaction"
        payload |= {"reaction": pick(reaction, "message"), "reacted_message_id": pick(reaction, "id"), "body": None}
    kept = {field: value for field, value in payload.items() if value is not None}
    return {"event": name, "payload": kept}


def first_end(value: object) -> object:
    """The sender of whatsmeow's "sender in chat"; anything else as it is."""
    return value.partition(" in ")[0] if isinstance(value, str) else value


def _ends(body: dict[str, Any]) -> dict[str, Any]:
    """Sender and chat as the newer form names them."""
    stated = body.get("from")
    first, _, second = stated.partition(" in ") if isinstance(stated, str) else ("", "", "")
    sender = read_jid(first) or _person(body.get("sender_id"))
    lid = read_jid(body.get("from_lid"))
    if lid is None and sender is not None and sender.server == LID_SERVER:
        lid = sender
    chat = read_jid(second) or _group(body.get("chat_id")) or sender
    if chat is None:
        return {}
    is_group = chat.server == GROUP_SERVER
    # whatsmeow leaves the chat out where the sender is the chat. Two people of one namespace: the sender is ourselves.
    from_me = not is_group and sender is not None and sender != chat and sender.server == chat.server
    ends: dict[str, Any] = {"chat_id": str(chat), "is_from_me": from_me}
    if sender is not None:
        ends["from"] = str(sender)
    if lid is not None:
        ends["from_lid"] = str(lid)
    return ends


def _person(digits: object) -> Jid | None:
    """Whoever these digits name, where they cannot be a group's."""
    if isinstance(digits, str) and digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_PHONE:
        return Jid(digits, PHONE_SERVER)
    return read_jid(digits)


def _group(stated: object) -> Jid | None:
    """The group that these digits name: they are longer than a phone number, or hold a dash."""
    if isinstance(stated, str) and "@" not in stated and (len(stated) > _LONGEST_PHONE or "-" in stated):
        return read_jid(f"{stated}@{GROUP_SERVER}")
    jid = read_jid(stated)
    return jid if jid is not None and jid.server == GROUP_SERVER else None
