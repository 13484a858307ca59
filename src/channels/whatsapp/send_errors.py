"""What a failed send means: certainly not sent, not sent yet, or nobody knows.

whatsmeow tells its errors as text only. What is not listed here counts as uncertain, which is never sent again blindly.
"""

from __future__ import annotations

import re
from typing import Final

from channels.base import SendRejectedError, SendRetryableError, SendUncertainError
from channels.gateway import GatewayRefusedError, GatewayUnavailableError

SendError = SendRejectedError | SendRetryableError | SendUncertainError

REACH_OUT_LIMIT: Final = 463
"""WhatsApp refuses new chats from this number for a while."""

_SERVER_ERROR = re.compile(r"server returned error (\d+)")
_BUSY = frozenset({429, 500, 503})
_NEVER = (
    "no LID found for",
    "can't send message to unknown server",
    "message recipient must be",
    "sending to non-status broadcast lists",
    "failed to marshal message",
)
_NOT_YET = (
    "failed to get ",
    "failed to fetch ",
    "failed to prefetch ",
    "failed to send message node: websocket not connected",
    "the store doesn't contain a device JID",
    "client is nil",
)


_GONE = re.compile(r"status code (403|404|410)\b")
_DAMAGED = (
    "invalid media",
    "hash of media",
    "file length does not match",
    "no url present",
    "nothing downloadable",
    "mac",
)
ASK_AGAIN: Final = "Ask the customer to send it again."


def download_error(text: str) -> GatewayRefusedError | GatewayUnavailableError:
    """What a failed download means, by the library's text: gone for good, damaged, or not now."""
    if _GONE.search(text):
        return GatewayRefusedError("WhatsApp no longer has this file.", hint=ASK_AGAIN)
    if any(sign in text for sign in _DAMAGED):
        return GatewayRefusedError(f"The file is damaged ({text}).", hint=ASK_AGAIN)
    return GatewayUnavailableError(f"The file could not be fetched from WhatsApp ({text}).")


def server_error(text: str) -> int | None:
    """The number with which WhatsApp refused a message, if it did."""
    found = _SERVER_ERROR.match(text)
    return int(found[1]) if found else None


def send_error(text: str) -> SendError:
    """The error to raise for the library's text."""
    code = server_error(text)
    if code == REACH_OUT_LIMIT:
        return SendRejectedError(
            "WhatsApp limits how many new chats this number may start.",
            hint="Wait until the customer writes, and start no new chats for some days.",
        )
    if code in _BUSY:
        return SendRetryableError(f"WhatsApp is busy (error {code}).", after_seconds=30)
    if code is not None:
        return SendRejectedError(f"WhatsApp refused the message (error {code}).", hint="Check the recipient.")
    if text.startswith(_NEVER):
        return SendRejectedError(f"The recipient cannot be reached on WhatsApp ({text}).", hint="Check the number.")
    if text.startswith(_NOT_YET):
        return SendRetryableError(f"The message did not leave ({text}).")
    return SendUncertainError(
        f"The connection broke while the message was on its way ({text}).",
        hint="Look in the phone whether it arrived before sending it again.",
    )
