"""Words for what bundles of prompts hold and how two of them differ."""

from __future__ import annotations

from web.i18n import N_
from web.settings_fields import PAGES

BUNDLE_PARTS = {
    "prompts": N_("Prompts"),
    "tools": N_("Business functions"),
    "model": N_("Language model"),
    "knowledge": N_("Knowledge"),
    "thresholds": N_("Thresholds and intents"),
    "prompt": N_("Prompt"),
    "setting": N_("Setting"),
    "intent": N_("Intent"),
    "function": N_("Function"),
    "document": N_("Document"),
}
"""The five parts of a bundle, and what of them may differ."""
BUNDLE_THINGS = {
    "converse": N_("Conversation"),
    "describe_media": N_("Customers' files in words"),
    "rewrite": N_("Other words for an operator"),
    "second_reading": N_("Second reading"),
    "summary": N_("Summary"),
    "translate": N_("Translation"),
    **{field.key: field.name for page in PAGES for field in page.fields},
    "texts": N_("Fixed texts"),
    "policy": N_("Reply policy"),
    "model": N_("Language model"),
}
PROMPT_ABOUT = {
    "converse": N_("When the language model answers, since no intent was clear enough."),
    "describe_media": N_("When a customer's picture or document is put into words."),
    "rewrite": N_("When an operator asks for other words."),
    "second_reading": N_("When a reply is about to go out by itself, if the language model reads its replies again."),
    "summary": N_("When a long conversation is summed up."),
    "translate": N_("When a message is translated for an operator, or the answer for the customer."),
}
DIFF_STATES = {"new": N_("new"), "gone": N_("gone")}
