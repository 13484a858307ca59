"""What Meta's error codes mean for a message: never, later, not by this number, or nobody knows.

Codes: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes. Decisions go by code, not by HTTP
status or title, as that page asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.base import (
    NumberRefusedError,
    SendRejectedError,
    SendRetryableError,
    SendUncertainError,
)
from channels.gateway import GatewayRefusedError, GatewayUnavailableError
from domain.messages import SessionStatus

from .envelope import pick
from .gateway_http import Answer, SendError, retry_after

NAME = "WhatsApp's Cloud API"

PAIR_RATE = 131056
WINDOW_CLOSED = 131047
TEMPLATE_HINT = "More than 24 hours have passed since the customer's last message: send an approved template instead."

_WAITS: Mapping[int, float] = {
    PAIR_RATE: 10.0,  # one message to a person in six seconds
    4: 60.0,  # the app's calls
    80007: 60.0,  # the account's calls
    130429: 5.0,  # messages a second
    131048: 900.0,  # held back since too many were blocked or reported
    131057: 300.0,  # maintenance
    2: 5.0,
    131016: 5.0,
    133004: 30.0,
}
"""Certainly not sent; how many seconds to wait."""
_UNCERTAIN = frozenset({1, 131000, 135000})
"""Meta does not know either."""
_RESTRICTED: Mapping[int, str] = {
    368: "Look at the account's quality and policy violations in WhatsApp Manager.",
    131031: "The account is locked: look at it in WhatsApp Manager.",
    131064: "The account reached its messaging limit: look at it in WhatsApp Manager.",
}
_NOT_OURS: Mapping[int, str] = {
    0: "Set a new access_token for this number.",
    3: "The access_token lacks a permission: whatsapp_business_messaging.",
    10: "The access_token lacks a permission: whatsapp_business_messaging.",
    190: "The access_token has expired or was withdrawn: set a new one.",
    131005: "The access_token lacks a permission: whatsapp_business_messaging.",
    131042: "Settle the account's payment in WhatsApp Manager.",
    131045: "Register the number again: its certificate is not valid.",
    133010: "Register the number with the Cloud API first.",
}
_HINTS: Mapping[int, str] = {
    WINDOW_CLOSED: TEMPLATE_HINT,
    131021: "The number cannot write to itself.",
    131026: "This person cannot be reached: not on WhatsApp, an old version, or our terms were not accepted.",
    131030: "A test number may only write to the recipients in its list in the App Dashboard.",
    131049: "WhatsApp limits marketing to this person: try again tomorrow.",
    131050: "This person does not want marketing messages.",
    131051: "WhatsApp does not take this type of message.",
    131053: "WhatsApp could not read the file: check its type and size.",
    131062: "This template needs a phone number, and this person's is hidden.",
    132000: "The number of variables differs from the template's: synchronise the templates.",
    132001: "There is no such approved template in this language: synchronise the templates.",
    132005: "The filled-in template is too long.",
    132007: "The template's content violates a policy.",
    132012: "The variables do not have the form that the template wants.",
    132015: "The template is paused for its quality: use another one.",
    132016: "The template is disabled for its quality: use another one.",
    130497: "The account may not write to people in this country.",
}
_PERMISSIONS = range(200, 300)


def hint_for(code: object) -> str:
    """What to do about an error code; "" where there is nothing to say."""
    known = {**_HINTS, **_RESTRICTED, **_NOT_OURS}
    return known.get(code, "") if isinstance(code, int) else ""


def code_of(answer: Answer) -> int | None:
    """Meta's error code in an answer."""
    code = pick(answer.tidy(), "error", "code")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def sentence_of(answer: Answer) -> str:
    """What Meta says about it, in one line."""
    error = pick(answer.tidy(), "error")
    told: list[Any] = [pick(error, "error_data", "details"), pick(error, "error_user_msg"), pick(error, "message")]
    words = next((text for text in told if isinstance(text, str) and text.strip()), "")
    return " ".join(words.split())[:300]


def judge(answer: Answer) -> SendError | None:
    """What an answer means for a message that was handed over; None where the general rules of HTTP hold."""
    code = code_of(answer)
    if answer.is_success or code is None:
        return None
    said = f"{NAME} did not take the message ({code}): {sentence_of(answer) or 'no reason given'}"
    if code in _WAITS:
        stated = retry_after(answer.headers) or 0.0
        return SendRetryableError(said, after_seconds=max(stated, _WAITS[code]))
    if code in _UNCERTAIN:
        hint = "Wait for its receipt, or look at the phone before sending it again."
        return SendUncertainError(f"{said}: it may have been sent all the same.", hint=hint)
    if code in _RESTRICTED:
        return NumberRefusedError(said, status=SessionStatus.RESTRICTED, hint=_RESTRICTED[code])
    if code in _NOT_OURS:
        return NumberRefusedError(said, status=SessionStatus.ERROR, hint=_NOT_OURS[code])
    if code in _PERMISSIONS:
        return NumberRefusedError(said, status=SessionStatus.ERROR, hint="Check the access_token's permissions.")
    if answer.status >= 500 and code not in _HINTS:
        return None
    return SendRejectedError(said, hint=_HINTS.get(code, ""))


def judge_upload(answer: Answer) -> SendError | None:
    """The same for a file that only a later message would use: nothing has left, so any doubt is a reason to retry."""
    judged = judge(answer)
    if isinstance(judged, SendUncertainError) or (judged is None and answer.status >= 500):
        return SendRetryableError(f"{NAME} could not take the file ({answer.status}).")
    return judged


def refusal(answer: Answer) -> GatewayRefusedError | GatewayUnavailableError:
    """What an error means for a question that may be repeated."""
    code, said = code_of(answer), sentence_of(answer)
    told = f"{NAME} refuses ({code or answer.status}){f': {said}' if said else ''}"
    if code in _WAITS or code in _UNCERTAIN or (code is None and answer.status >= 500) or answer.status == 429:
        return GatewayUnavailableError(told, hint="Try again later.")
    if 300 <= answer.status < 400:
        return GatewayRefusedError(told, hint="Set base_url to the address it redirects to.")
    hint = hint_for(code) or "Check the number's settings and the access_token's permissions."
    return GatewayRefusedError(told, hint=hint)
