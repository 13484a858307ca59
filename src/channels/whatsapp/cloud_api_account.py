"""What Meta tells about the business account itself: bans, restrictions, quality, templates.

``account_event`` returns None for fields that are not about the account, and [] for those that are known and change
nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channels.base import ChannelEvent, SessionChanged, TemplateChanged, Unrecognised
from domain.messages import SessionStatus

from .envelope import pick
from .waha_envelope import brief

_QUIET_UPDATES = frozenset(
    {
        "AD_ACCOUNT_LINKED",
        "AUTH_INTL_PRICE_ELIGIBILITY_UPDATE",
        "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE",
        "MM_LITE_TERMS_SIGNED",
        "PARTNER_ADDED",
        "PARTNER_APP_INSTALLED",
        "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE",
        "VERIFIED_ACCOUNT",
        "VOLUME_BASED_PRICING_TIER_UPDATE",
    }
)
_UPDATES: Mapping[str, tuple[SessionStatus, str]] = {
    "ACCOUNT_DELETED": (SessionStatus.ERROR, "The WhatsApp business account was deleted."),
    "ACCOUNT_OFFBOARDED": (SessionStatus.DISCONNECTED, "The number was taken off the Cloud API."),
    "ACCOUNT_RECONNECTED": (SessionStatus.CONNECTED, ""),
    "PARTNER_REMOVED": (SessionStatus.DISCONNECTED, "The business took our access to its WhatsApp account away."),
    "PARTNER_APP_UNINSTALLED": (SessionStatus.DISCONNECTED, "The app was removed from the WhatsApp business account."),
}
_BANS: Mapping[str, tuple[SessionStatus, str]] = {
    "DISABLE": (SessionStatus.ERROR, "WhatsApp disabled the business account"),
    "SCHEDULE_FOR_DISABLE": (SessionStatus.RESTRICTED, "WhatsApp will disable the business account"),
    "REINSTATE": (SessionStatus.CONNECTED, ""),
}
_QUALITY: Mapping[str, tuple[SessionStatus, str] | None] = {
    "FLAGGED": (SessionStatus.RESTRICTED, "WhatsApp flagged the number: its quality is low."),
    "UNFLAGGED": (SessionStatus.CONNECTED, ""),
    "ONBOARDING": None,
    "UPGRADE": None,
    "DOWNGRADE": None,
    "THROUGHPUT_UPGRADE": None,
}
_QUIET_FIELDS = frozenset({"business_capability_update", "smb_app_state_sync"})


def account_event(field: str, value: Mapping[str, Any], at: datetime) -> list[ChannelEvent] | None:
    """The events of one change about the account, at ``at`` (aware UTC)."""
    match field:
        case "account_update":
            return _update(value, at)
        case "phone_number_quality_update":
            found = _QUALITY.get(_text(value.get("event")), ())
            if found == ():
                return [_unknown(field, value)]
            return [SessionChanged(found[0], at, found[1])] if found else []
        case "message_template_status_update":
            return _template(field, value, at, status=_text(value.get("event")))
        case "message_template_quality_update":
            return _template(field, value, at, quality=_text(value.get("new_quality_score")))
        case "template_category_update":
            return _template(field, value, at, category=_text(value.get("new_category")))
        case "message_template_components_update":
            return _template(field, value, at)
        case _ if field in _QUIET_FIELDS:
            return []
        case _:
            return None


def _update(value: Mapping[str, Any], at: datetime) -> list[ChannelEvent]:
    event = _text(value.get("event"))
    if event in _QUIET_UPDATES:
        return []
    match event:
        case "DISABLED_UPDATE":
            state = _text(pick(value, "ban_info", "waba_ban_state"))
            known = _BANS.get(state)
            if known is None:
                return [_unknown("account_update", value)]
            date = _text(pick(value, "ban_info", "waba_ban_date"))
            detail = f"{known[1]} ({date})." if known[1] and date else f"{known[1]}." if known[1] else ""
            return [SessionChanged(known[0], at, detail)]
        case "ACCOUNT_RESTRICTION":
            kinds = value.get("restriction_info")
            names = [_text(pick(kind, "restriction_type")) for kind in kinds] if isinstance(kinds, list) else []
            told = ", ".join(name for name in names if name) or "no details"
            return [SessionChanged(SessionStatus.RESTRICTED, at, f"WhatsApp restricted the account: {told}.")]
        case "ACCOUNT_VIOLATION":
            kind = _text(pick(value, "violation_info", "violation_type")) or "no details"
            detail = f"WhatsApp reports a violation of its policy: {kind}."
            return [SessionChanged(SessionStatus.RESTRICTED, at, detail)]
    if found := _UPDATES.get(event):
        status, detail = found
        why = _text(pick(value, "disconnection_info", "reason"))
        return [SessionChanged(status, at, f"{detail.rstrip('.')} ({why})." if why and detail else detail)]
    return [_unknown("account_update", value)]


def _template(
    field: str,
    value: Mapping[str, Any],
    at: datetime,
    *,
    status: str = "",
    quality: str = "",
    category: str = "",
) -> list[ChannelEvent]:
    name, language = _text(value.get("message_template_name")), _text(value.get("message_template_language"))
    if not name or not language:
        return [_unknown(field, value)]
    if field == "message_template_components_update":
        # What it says now is read with the next synchronisation.
        return [TemplateChanged(name, language, at)]
    reasons = (pick(value, "rejection_info", "reason"), pick(value, "other_info", "description"), value.get("reason"))
    reason = next((text for text in map(_text, reasons) if text and text != "NONE"), "")
    category = category or _text(value.get("message_template_category"))
    return [TemplateChanged(name, language, at, status or None, category or None, quality or None, reason[:500])]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _unknown(field: str, value: Mapping[str, Any]) -> Unrecognised:
    event = _text(value.get("event"))
    return Unrecognised(f"{field} {event}".strip()[:100], {"field": field, "value": brief(dict(value))})
