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

REASONS = {
    "agent_failed": N_("The assistant met an error"),
    "approval_rejected": N_("A person refused it"),
    "approved_by_a_person": N_("A person approved it"),
    "asks": N_("Something is missing, so it asked"),
    "asks_to_explain": N_("It asked the customer to explain"),
    "call_refused": N_("Something newer came first"),
    "classified": N_("Recognised from the examples"),
    "dropped_by_customer": N_("The customer gave up on it"),
    "fixed_answer": N_("There is a fixed answer for this"),
    "function": N_("A business function answered"),
    "intent": N_("The intent is certain enough"),
    "intent_without_answer": N_("This intent has no answer of its own"),
    "invalid_value": N_("A value was not valid, so it asked again"),
    "knowledge": N_("Found in the knowledge base"),
    "model_answered": N_("The language model answered"),
    "model_call_unusable": N_("The language model asked for something impossible"),
    "model_retried": N_("The language model was asked again"),
    "no_confident_intent": N_("No intent is certain enough"),
    "no_examples": N_("There are no examples to learn from yet"),
    "no_knowledge": N_("Nothing fitting in the knowledge base"),
    "not_an_answer": N_("The customer did not answer the question"),
    "nothing_to_read": N_("There was nothing to read"),
    "one_message_matched": N_("One of several messages was clear"),
    "parameters_found": N_("Found in the messages"),
    "passage_gives_orders": N_("A document speaks to the assistant instead of to customers"),
    "reply_mode": N_("Reply policy"),
    "same_as_example": N_("Exactly like an example"),
    "several_intents": N_("Several matters at once"),
    "small_talk": N_("A courtesy, nothing to look up"),
    "template_failed": N_("The reply's template could not be filled in"),
    "vip_contact": N_("A customer who is always served by people"),
    "offer_accepted": N_("The customer took up the offer of a person"),
    "offer_declined": N_("The customer wants no person yet"),
    "trigger_off": N_("The business wants no handoff for this"),
    "cost_cap": N_("The budget for the language model is used up"),
    "audited": N_("A share of what it may send is shown first"),
    "not_announced": N_("The policy lets nothing out by itself"),
    "unsupported": N_("Nothing supports what the reply would claim"),
    "unsupported_claims": N_("Parts of the reply have no source, so a person sees it first"),
    "number_of_another": N_("It looked something up by a number that the customer does not write from"),
    "write_needs_approval": N_("This action needs a person's approval"),
    "asked_for": N_("An operator asked for another one"),
    "look_twice": N_("Look twice at this text"),
    "angry_words": N_("The customer sounds angry"),
    "function_failed": N_("A business function failed"),
    "function_outcome_unknown": N_("It is not certain whether a business function acted"),
    "intent_hands_off": N_("This intent always goes to a person"),
    "intent_stays_silent": N_("This intent needs no answer"),
    "message_too_old": N_("The message had been waiting for too long"),
    "media_only": N_("Only files, no words"),
    "unsupported_kind": N_("A kind of message that the assistant cannot read"),
    "model_answer_incomplete": N_("The language model's answer was cut short"),
    "model_calls_unusable": N_("The language model only asked for impossible things"),
    "model_failed": N_("The language model failed"),
    "model_hands_off": N_("The language model asked for a person"),
    "model_never_answered": N_("The language model never came to an answer"),
    "needs_no_answer": N_("Nothing to answer"),
    "no_reply_text": N_("There is no reply text for this result"),
    "no_usable_answer": N_("The customer's answers could not be used"),
    "outside_hours": N_("Outside opening hours"),
    "person_requested": N_("The customer asked for a person"),
    "placeholder_made_up": N_("The language model named personal data that nobody gave"),
    "policy_off": N_("Automatic replies are switched off"),
    "same_refusal_again": N_("The same refusal a second time"),
    "still_not_understood": N_("Still not understood after asking"),
    "unknown_function": N_("This business function does not exist"),
}
"""Reason codes of decisions → words."""

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
