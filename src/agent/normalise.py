"""WhatsApp text made comparable: what the encoder and the word matchers read instead of the raw message.

Customers shout, greet, abbreviate, repeat letters and leave accents out; a sentence encoder takes each of these for a
change of meaning (upper case alone costs it more than half of its accuracy). The cleaned text is for classification
only: whatever is shown, stored or sent stays as the customer wrote it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from agent.vocabulary import EMOJI_WORDS, SHORT_FORMS

MAX_READ: Final = 4_096
"""Characters of a message that are looked at: a 64 KiB message costs no more than a long one."""
MAX_ENCODED: Final = 400
"""Characters handed to the encoder, whose work grows with the length; what matters stands in the first sentences."""

_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb"
    "\U000e0000-\U000e01ff]"
)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd]+")
_PICTURE: Final = re.compile(
    "[\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\ue000-\uf8ff"
    "\U0001f000-\U0001faff\U0001fb00-\U0001fbff]+"
)
_LONG_RUN: Final = re.compile(r"([^\W\d_])\1{2,}")
_PUNCTUATION_RUN: Final = re.compile(r"([^\w\s])(?:\s*\1)+")
_LAUGHTER: Final = re.compile(r"\b(?:k{2,}|(?:rs){2,}|(?:ha){2,}h?|(?:he){2,}h?|(?:ja){2,}j?|h(?:ua){2,}|lol)\b")
_MARKUP: Final = re.compile(r"[*_~`\"“”«»<>|\\^¡¿]+")
_LOOSE_PUNCTUATION: Final = re.compile(r"\s+([,.;:!?])")
_SPELLED: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*/?")
_TOKEN: Final = re.compile(r"[^\W_]+(?:['’./][^\W_]+)*")
_SPACES: Final = re.compile(r"\s+")
_CODE: Final = re.compile(r"(?:n[º°o]\.?\s*)?(?:#\s*)?\b\d[\d.\-/]{3,}\d\b|#\s*\d+", re.ASCII)
_ADDRESS: Final = re.compile(r"\bhttps?://\S+|\bwww\.\S+|[\w.+-]{1,64}@[\w-]{1,63}\.[\w.]{2,63}")

# A greeting or a courtesy at the start says nothing about what is wanted. Longer alternatives come first.
_GREETING: Final = (
    r"(?:ol[aá]|oi+e?|opa|e a[ií]|eae|al[oô]|hola|hello|hi|hey|hiya|"
    r"(?:muito )?b(?:om|oa)s? (?:dia|tarde|noite)s?|"
    r"buen[oa]s? (?:d[ií]as?|tardes?|noches?)|buenas|good (?:morning|afternoon|evening|day)|"
    r"por (?:favor|gentileza|obs[eé]quio)|pfv|pfvr|please|pls|plz|com licen[cç]a|disculpe|excuse me)"
)
# Words of address and politeness only behind a greeting: "caro" alone is a complaint about the price.
_AFTER_GREETING: Final = (
    r"(?:(?:td|tudo) (?:bem|bom|certo|joia|ok|blz)"
    r"(?: (?:a[ií]|com (?:vc|voc[eê]|o senhor|a senhora|vcs|voc[eê]s)))?|"
    r"como (?:vai|est[aá]s?)(?: (?:vc|voc[eê]|usted))?|qu[eé] tal|how are you(?: doing)?|"
    r"(?:amig|mo[cç]|querid|car|senhor)[oa]s?|pessoal|gente|galera|there|everyone|team|guys)"
)
_BREAK: Final = r"(?:\s*[,.!?;:\-–—)]+\s*|\s+|$)"
_OPENING: Final = re.compile(rf"(?:{_GREETING}{_BREAK}(?:{_AFTER_GREETING}{_BREAK})*)+|tudo bem\s*[?,]\s*")
# Who writes, before what is wanted. Only words that can be nothing else: "sou alérgica, tem sem glúten?" is a wish.
_INTRODUCTION: Final = re.compile(
    r"(?:meu nome (?:é|eh|e)|(?:eu )?me chamo|aqui (?:quem fala )?(?:é|eh)|quem (?:fala|escreve) (?:é|eh)|"
    r"mi nombre es|(?:yo )?me llamo|my name is|my name's)"
    r"(?: (?!(?:e|y|and)\b)[^\W\d_]+(?:['’-][^\W\d_]+)*){1,5}?"
    r"(?:\s*[,.!;:\-–—]+\s*(?:(?:e|y|and)\s+)?|\s+(?:e|y|and)\s+)"
)
_CLOSING: Final = re.compile(
    r"(?:[\s,.!;]+(?:por (?:favor|gentileza)|pfv|pf|please|pls|"
    r"obrigad[oa]|obg|grat[oa]|valeu|gracias|thanks|thank you)(?: desde j[aá])?)+[\s,.!;]*$"
)
_MIN_WORDS_BEFORE_THANKS: Final = 3
_TAIL: Final = 80


def fold(text: str) -> str:
    """For comparing whole words (opt-outs, labels): lower case, no accents, invisible characters or doubled spaces.

    Keeps punctuation and digits. Reads the first MAX_READ characters.
    """
    return _SPACES.sub(" ", strip_accents(visible(text[:MAX_READ])).lower()).strip()


def strip_accents(text: str) -> str:
    """``text`` without diacritics; "ção" becomes "cao"."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def visible(text: str) -> str:
    """NFKC (styled letters become plain ones), without controls, bidi marks, surrogates or zero-width characters."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)))


def words(text: str) -> list[str]:
    """The words of :func:`fold`, punctuation dropped; numbers keep their inner points."""
    return _TOKEN.findall(fold(text))


def normalise(text: str) -> str:
    """The message as the classifier reads it: lower case, no accents, at most MAX_ENCODED characters, possibly empty.

    Accents go because half of the customers leave them out: on a Brazilian chatbot's messages, dropping them
    everywhere was 0.4 points better than keeping them or than restoring the frequent ones.

    Only a greeting stays a greeting, only a number stays a number: what is stripped elsewhere is kept when nothing
    else is left.
    """
    plain = visible(text[:MAX_READ])[:MAX_READ].lower()
    bare = _LAUGHTER.sub(" ", _MARKUP.sub(" ", _PICTURE.sub(" ", plain)))
    bare = _tidy(_LONG_RUN.sub(r"\1", bare))
    if not bare:
        return _emoji_words(plain)
    meant = _spell_out(_without_codes(_without_courtesies(bare)))
    return strip_accents(_tidy(meant))[:MAX_ENCODED].strip()


def _tidy(text: str) -> str:
    joined = _LOOSE_PUNCTUATION.sub(r"\1", _SPACES.sub(" ", text))
    return _PUNCTUATION_RUN.sub(r"\1", joined).strip(" ,;:-–—!.")


def _emoji_words(text: str) -> str:
    return " ".join(dict.fromkeys(word for sign, word in EMOJI_WORDS.items() if sign in text))


def _without_courtesies(text: str) -> str:
    opening = _OPENING.match(text)
    rest = text[opening.end() :] if opening else text
    if introduced := _INTRODUCTION.match(rest):
        rest = rest[introduced.end() :]
    closing = _CLOSING.search(rest[-_TAIL:])
    if closing:
        body = rest[: len(rest) - len(rest[-_TAIL:]) + closing.start()]
        if body.count(" ") >= _MIN_WORDS_BEFORE_THANKS - 1:
            rest = body
    return rest if _TOKEN.search(rest) else text


def _without_codes(text: str) -> str:
    # Order numbers, documents and links are parameters: two messages that differ only in them ask for the same.
    rest = _CODE.sub(" ", _ADDRESS.sub(" ", text))
    return rest if _TOKEN.search(rest) else text


def _spell_out(text: str) -> str:
    return _SPELLED.sub(lambda match: SHORT_FORMS.get(match[0], match[0]), text)
