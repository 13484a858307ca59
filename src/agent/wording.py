"""A tenant's own text for a customer, also where it exists in another language only."""

from __future__ import annotations

from agent.texts import FixedTexts, choose
from agent.turn import TenantProfile, Translations


def worded(
    texts: FixedTexts, profile: TenantProfile, translations: Translations, language: str, *, alone: bool = False
) -> str:
    """The text in the customer's language; "" where the tenant has none at all.

    Nothing is translated here: a wrong word in an answer of the business's is worse than a foreign one. Where the text
    exists in another language only, one line in the customer's language says so before it. ``alone``: then nothing is
    taken instead, since Atende has a text of its own for the occasion (announcements).
    """
    if own := translations.get(language):
        return own
    other = "" if alone else choose(translations, profile.default_language)
    return in_other_language(texts, profile, translations, other, language)


def in_other_language(
    texts: FixedTexts, profile: TenantProfile, translations: Translations, text: str, language: str
) -> str:
    """``text``, one of ``translations`` (perhaps filled), with that line before it if it is not in ``language``."""
    if not text or translations.get(language):
        return text
    spoken = next((code for code in (profile.default_language, *translations) if translations.get(code)), "")
    key = f"only_in_{spoken}"
    if not spoken or not texts.has(profile, key):
        return text
    return f"{texts.say(profile, key, language)}\n\n{text}"
