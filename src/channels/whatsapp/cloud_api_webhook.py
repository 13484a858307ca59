"""The Cloud API's webhook before its content: the signature, Meta's challenge, and which number each part is for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from .envelope import pick

WABA_PREFIX = "waba:"
"""Before the WhatsApp business account's id, where a part concerns all numbers of the account."""


def signed(app_secret: str, raw_body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether Meta signed exactly these bytes: ``X-Hub-Signature-256: sha256=<hex HMAC-SHA256(app secret, body)>``.

    In constant time; False without a secret or a signature. ``headers`` have lower-case names.
    """
    scheme, _, stated = headers.get("x-hub-signature-256", "").strip().partition("=")
    if not app_secret or scheme.lower() != "sha256" or not stated:
        return False
    expected = hmac.new(app_secret.encode(), raw_body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), stated.strip().lower().encode("utf-8", "replace"))


def challenge(verify_token: str, query: Mapping[str, str]) -> str | None:
    """What to answer, as plain text with 200, when Meta asks whether a webhook's URL is ours; None: refuse with 403.

    Meta asks with GET ``?hub.mode=subscribe&hub.verify_token=<ours>&hub.challenge=<number>``.
    """
    asked, given = query.get("hub.challenge"), query.get("hub.verify_token", "")
    if query.get("hub.mode") != "subscribe" or not asked or not verify_token:
        return None
    same = hmac.compare_digest(given.encode("utf-8", "replace"), verify_token.encode("utf-8", "replace"))
    # It is sent back into somebody's browser, perhaps: only what Meta sends, which is a number.
    return asked if same and asked.isascii() and asked.isalnum() and len(asked) <= 200 else None


def route(body: object) -> list[tuple[str, dict[str, Any]]]:
    """Take a delivery of an app apart by number: ``(phone number id, a body with only its changes)``, in order.

    One delivery may hold changes of several numbers and tenants: an app has one webhook, and an account one override
    for all its numbers. What concerns a whole account (a ban, a template) is under ``"waba:<account id>"``, for each
    of its numbers; what tells neither is under "". A body that is no delivery at all is returned whole, under "".
    """
    entries = pick(body, "entry")
    if not isinstance(body, dict) or not isinstance(entries, list):
        return [("", body if isinstance(body, dict) else {"body": body})]
    parts: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        changes = pick(entry, "changes")
        if not isinstance(entry, dict) or not isinstance(changes, list):
            parts.setdefault("", []).append(entry if isinstance(entry, dict) else {"entry": entry})
            continue
        head = {name: value for name, value in entry.items() if name != "changes"}
        for change in changes:
            entries_here = parts.setdefault(_concerned(entry, change), [])
            if entries_here and entries_here[-1].get("_of") is entry:
                entries_here[-1]["changes"].append(change)
            else:
                entries_here.append({**head, "changes": [change], "_of": entry})
    envelope = {name: value for name, value in body.items() if name != "entry"}
    for kept in parts.values():
        for entry in kept:
            entry.pop("_of", None)
    return [(key, {**envelope, "entry": kept}) for key, kept in parts.items()]


def _concerned(entry: object, change: object) -> str:
    number = pick(change, "value", "metadata", "phone_number_id")
    if isinstance(number, str | int) and not isinstance(number, bool) and str(number):
        return str(number)
    # Events about a client's account name it inside; the entry's id is the partner's then.
    for account in (pick(change, "value", "waba_info", "waba_id"), pick(entry, "id")):
        if isinstance(account, str | int) and not isinstance(account, bool) and str(account):
            return f"{WABA_PREFIX}{account}"
    return ""
