"""Words and colours for the values of the domain. Templates translate the words with ``_``."""

from __future__ import annotations

import zlib

from web import desk_labels, draft_labels, thread_labels
from web.admin_labels import (  # noqa: F401 - templates look all tables up here
    ASSIGNMENTS,
    AUDIT_ACTORS,
    AUDIT_FAMILIES,
    AUDIT_FIELDS,
    AUDIT_KINDS,
    AUDIT_VALUES,
    BUDGET_SPANS,
    FIGURES,
    KEY_STATES,
    LEAD_REASONS,
    LEAD_STATUS,
    NOTIFICATIONS,
    NUMBER_NEEDS,
    REACHES,
    SCOPE_GROUPS,
    SCOPES,
    WEEKDAYS,
)
from web.assistant_labels import (  # noqa: F401 - read by templates
    CREDENTIALS,
    FUNCTION_EFFECTS,
    FUNCTION_KINDS,
    HOURS_ROWS,
    INTENT_SERVICES,
    PACE_NAMES,
    PROVIDER_HINTS,
    RELEASES,
    SESSION_LOG,
    START_MODES,
    START_STEPS,
    UNDERSTOOD,
    WEAK_EXAMPLES,
)
from web.bundle_labels import (  # noqa: F401 - read by templates
    BUNDLE_PARTS,
    BUNDLE_THINGS,
    DIFF_STATES,
    PROMPT_ABOUT,
)
from web.eval_labels import (  # noqa: F401 - templates look all tables up here
    CASE_AUTHORS,
    CASE_ORIGINS,
    CASE_STATES,
    EVAL_EXITS,
    EVAL_GATE_STATES,
    EVAL_GATES,
    EVAL_MODES,
    EVAL_ORIGINS,
    EVAL_STATUS,
    EVAL_VERDICTS,
    REPRODUCTION,
)
from web.file_labels import READ_FILES, SHOWN_FILES  # noqa: F401 - read by templates
from web.i18n import N_
from web.reason_labels import REASONS  # noqa: F401 - read by templates
from web.session_states import GROUP_CHOICES, GROUPS, NEXT_STEPS  # noqa: F401 - looked up here by name, like the rest
from web.settings_fields import PAGES as _SETTINGS_PAGES
from web.settings_form import USUAL as SETTING_USUAL

QUEUES, PRIORITIES, LEADS = desk_labels.QUEUES, desk_labels.PRIORITIES, desk_labels.LEADS
CLOSING_REASONS, SCORES = desk_labels.CLOSING_REASONS, desk_labels.SCORES
DELIVERY, WAITS, SYSTEM_LINES = thread_labels.DELIVERY, thread_labels.WAITS, thread_labels.SYSTEM_LINES

STATUS = {
    "bot": (N_("Assistant"), "azure", "robot"),
    "waiting": (N_("Waiting"), "orange", "hand-stop"),
    "human": (N_("With a person"), "green", "headset"),
    "closed": (N_("Closed"), "secondary", "circle-check"),
}
"""Conversation status → words, colour, icon."""

HANDOFF_REASONS = {
    "requested": N_("The customer asked for a person"),
    "anger": N_("The customer is upset"),
    "repeated_failure": N_("The assistant failed more than once"),
    "low_confidence": N_("The assistant is not sure what the customer wants"),
    "restricted_intent": N_("A matter that only people may handle"),
    "vip": N_("A customer who is always served by people"),
    "cost_cap": N_("The budget for the language model is used up"),
    "tool_failure": N_("A system that the assistant needs did not answer"),
    "model_failure": N_("The language model did not answer"),
    "outside_policy": N_("Outside what the assistant may do"),
    "media": N_("The customer sent a file that the assistant cannot read"),
    "unknown_outcome": N_("It is not certain whether an action took effect"),
    "old_message": N_("The message had been waiting for too long"),
    "transferred": N_("Passed on by a colleague"),
    "by_hand": N_("Somebody gave it to people"),
}

DECISIONS = {
    "reply": (N_("Replied by itself"), "azure", "send"),
    "suggest": (N_("Suggested a reply"), "purple", "sparkles"),
    "ask_approval": (N_("Asked for approval"), "yellow", "shield-check"),
    "hand_off": (N_("Handed off to a person"), "orange", "hand-stop"),
    "stay_silent": (N_("Stayed silent"), "secondary", "dots"),
    "none": (N_("No decision"), "secondary", "dots"),
}

SUGGESTION_STATUS = {
    "pending": N_("The suggestion waits for an operator"),
    "approved": N_("The suggestion was accepted as it was"),
    "edited": N_("The suggestion was edited and sent"),
    "rejected": N_("The suggestion was rejected"),
    "superseded": N_("The suggestion gave way to something newer"),
    "expired": N_("The suggestion expired"),
}

APPROVAL_STATUS = {
    "pending": N_("Waits for a person's approval"),
    "approved": N_("Approved, not carried out yet"),
    "rejected": N_("Refused"),
    "expired": N_("The request for approval expired"),
    "executed": N_("Approved and carried out"),
    "failed": N_("Approved, but it did not work"),
}

STAGES = {
    "read": N_("Reading the conversation"),
    "understand": N_("Understanding"),
    "act": N_("Calling the function"),
    "converse": N_("Asking the language model"),
    "answer": N_("Searching the knowledge"),
    "decide": N_("Deciding"),
}
"""Stage of a turn → words."""

OUTCOMES = {
    "succeeded": (N_("worked"), "green"),
    "business_error": (N_("declined"), "yellow"),
    "failed": (N_("failed"), "red"),
    "unknown": (N_("outcome unknown"), "orange"),
    "awaiting_approval": (N_("awaits approval"), "yellow"),
    "started": (N_("running"), "azure"),
}

AUTHORS = {
    "contact": N_("Customer"),
    "bot": N_("Assistant"),
    "operator": N_("Operator"),
    "phone": N_("Typed on the phone"),
}

KINDS = {
    "image": (N_("Photo"), "photo"),
    "audio": (N_("Audio"), "microphone"),
    "voice": (N_("Voice message"), "microphone"),
    "video": (N_("Video"), "video"),
    "document": (N_("Document"), "file-text"),
    "sticker": (N_("Sticker"), "mood-smile"),
    "location": (N_("Location"), "map-pin"),
    "contact": (N_("Contact card"), "address-book"),
    "reaction": (N_("Reaction"), "mood-smile"),
    "poll": (N_("Poll"), "message-2"),
    "poll_vote": (N_("Vote in a poll"), "message-2"),
    "button_answer": (N_("Chosen button"), "check"),
    "list_answer": (N_("Chosen entry"), "check"),
    "call": (N_("Call"), "phone"),
    "system": (N_("Notice"), "info-circle"),
    "unknown": (N_("Unsupported kind of message"), "question-mark"),
}
"""Message kinds other than text → words, icon."""

CLAIMS = {
    "action": N_("something done"),
    "address": N_("an address"),
    "code": N_("a number or code"),
    "date": N_("a date"),
    "email": N_("an e-mail address"),
    "fact": N_("a statement"),
    "handle": N_("an account name"),
    "mixed_up": N_("values of different things"),
    "money": N_("an amount"),
    "month": N_("a month"),
    "name": N_("a name"),
    "number": N_("a number"),
    "percent": N_("a percentage"),
    "period": N_("a week or month"),
    "phone": N_("a phone number"),
    "promise": N_("a promise"),
    "reading": N_("what no source says"),
    "quantity": N_("a quantity or period"),
    "status": N_("a status"),
    "time": N_("a time"),
    "unread": N_("too long to check"),
    "url": N_("a link"),
    "weekday": N_("a weekday"),
}
"""What a part of a reply claims (the kinds of a claim ledger)."""

CLAIM_SOURCES = {
    "awaiting_approval": N_("a request that waits for a person"),
    "calendar": N_("the calendar"),
    "customer": N_("the customer's own words"),
}
"""Sources of a claim that are no function and no document."""

REJECT_REASONS, WANTED, FATES = draft_labels.REJECT_REASONS, draft_labels.WANTED, draft_labels.FATES
CONFIDENCES, confidence_word = draft_labels.CONFIDENCES, draft_labels.confidence_word

ROLES = {
    "admin": N_("Administrator"),
    "manager": N_("Manager"),
    "operator": N_("Operator"),
    "prompt_engineer": N_("Prompt engineer"),
}

ADDRESS_KINDS = {
    "phone": (N_("Phone"), "phone"),
    "lid": (N_("WhatsApp id"), "address-book"),
    "group": (N_("Group"), "users"),
    "simulator": (N_("Simulated phone"), "device-mobile"),
}

SESSION_STATUS = {
    "unknown": (N_("State unknown"), "secondary"),
    "awaiting_qr": (N_("Waiting for the QR code"), "yellow"),
    "qr_expired": (N_("QR code expired"), "orange"),
    "connecting": (N_("Connecting"), "azure"),
    "connected": (N_("Connected"), "green"),
    "disconnected": (N_("Disconnected"), "red"),
    "restricted": (N_("Restricted by WhatsApp"), "orange"),
    "error": (N_("Error"), "red"),
}

REPLY_MODES = {
    "auto": (N_("Replies by itself"), "azure"),
    "suggest": (N_("Suggests"), "purple"),
    "off": (N_("Off"), "secondary"),
}

POLICY_CONDITIONS = {
    "number": N_("Number"),
    "intent": N_("Intent"),
    "hours": N_("Hours"),
    "tag": N_("Tag"),
}

POLICY_VALUES = {
    "open": N_("open hours"),
    "closed": N_("closed hours"),
    "(unsupported)": N_("a reply that nothing supports"),
}

AUTONOMY_STATES = {
    "earning": (N_("Suggests and is counted"), "secondary", "sparkles"),
    "promoted": (N_("Replies by itself"), "azure", "robot"),
    "vetoed": (N_("Vetoed"), "red", "ban"),
}

POLICY_CHANGES = {
    "policy.stopped": (N_("Automatic messages stopped"), "hand-stop"),
    "policy.resumed": (N_("Automatic messages resumed"), "robot"),
    "autonomy.promoted": (N_("Earned to reply by itself"), "sparkles"),
    "autonomy.fell_back": (N_("Fell back to suggestions"), "arrow-back-up"),
    "autonomy.vetoed": (N_("Vetoed"), "ban"),
    "autonomy.veto_lifted": (N_("Veto lifted"), "refresh"),
}

PROVIDERS = {
    "neonize": N_("WhatsApp, connected directly"),
    "waha": N_("WhatsApp through WAHA"),
    "evolution": N_("WhatsApp through Evolution API"),
    "wppconnect": N_("WhatsApp through WPPConnect"),
    "gowa": N_("WhatsApp through GOWA"),
    "cloud_api": N_("WhatsApp through the official Cloud API"),
    "webhook": N_("WhatsApp through a service of yours"),
    "simulator": N_("Simulated phone"),
}

GATEWAY_WISHES = {
    "restart": N_("Restart"),
    "logout": N_("Unlink the phone"),
}
"""What an administrator may ask of a number's gateway, beside setting it up."""

ENDPOINT_STATES = {
    "active": (N_("Active"), "success"),
    "by_hand": (N_("Disabled"), "secondary"),
    "gone": (N_("Disabled: its receiver said that it is gone (410)"), "danger"),
    "failing": (N_("Disabled: nothing was taken for a day"), "danger"),
}
"""State of a webhook endpoint, or why it is disabled → words and colour."""

DELIVERY_STATES = {
    "pending": (N_("Waiting"), "warning"),
    "delivered": (N_("Delivered"), "success"),
    "failed": (N_("Failed"), "danger"),
}

SETTING_NAMES = {field.key: field.name for page in _SETTINGS_PAGES for field in page.fields}
AUDITED_FIELDS = {**FIGURES, **SETTING_NAMES, **AUDIT_FIELDS}
AUDITED_VALUES = {**SETTING_USUAL, **AUDIT_VALUES}
SETTING_HELP = {field.key: field.help for page in _SETTINGS_PAGES for field in page.fields}
"""What a setting is called and does. Plain words: what stands between braces in them is no template."""

_TINTS = ("blue", "azure", "indigo", "purple", "pink", "orange", "lime", "green", "teal", "cyan")


def initials(name: str) -> str:
    """Up to two letters that stand for a name: first and last word."""
    words = [word for word in name.split() if word[:1].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def tint(name: str) -> str:
    """A colour for a name: the same one everywhere and always."""
    return _TINTS[zlib.crc32(name.encode()) % len(_TINTS)]
