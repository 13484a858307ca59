"""Words for suggestions: why one is rejected, how another shall be, what became of one, how sure one is."""

from __future__ import annotations

from web.i18n import N_

REJECT_REASONS = {
    "wrong_fact": N_("The information is wrong"),
    "wrong_tone": N_("The tone does not fit"),
    "wrong_intent": N_("It does not answer the question"),
    "too_long": N_("It is too long"),
    "outdated": N_("It is out of date"),
    "other": N_("Another reason"),
}
"""domain.suggestions.RejectReason → words."""

WANTED = {
    "shorter": N_("Shorter"),
    "friendlier": N_("Friendlier"),
    "more_formal": N_("More formal"),
    "in_pt": N_("In Portuguese"),
    "in_es": N_("In Spanish"),
    "in_en": N_("In English"),
}
"""domain.suggestions.Wanted without ``other`` → words."""

FATES = {
    "newer_message": N_("The customer wrote again, so this suggestion was withdrawn."),
    "answered": N_("%(who)s answered first, so this suggestion was withdrawn."),
    "on_phone": N_("Somebody answered on the phone, so this suggestion was withdrawn."),
    "accepted": N_("%(who)s accepted this suggestion first."),
    "rejected": N_("%(who)s rejected this suggestion."),
    "asked_again": N_("%(who)s asked for another suggestion."),
    "moved": N_("%(who)s changed the conversation's state, so this suggestion was withdrawn."),
    "replaced": N_("There is a newer suggestion."),
}
"""store.suggestions.Fate → sentence."""

CONFIDENCES = {
    "high": N_("quite sure"),
    "medium": N_("fairly sure"),
    "low": N_("not sure"),
}


def confidence_word(share: float) -> str:
    """The key of CONFIDENCES for a probability; the bounds are those of the meter beside it."""
    return "high" if share >= 0.8 else "medium" if share >= 0.5 else "low"
