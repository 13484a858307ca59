"""A last look at what a language model wrote, before it may go out: the prompt, foreign links, somebody's data.

A second line only. What must not happen is prevented where calls are judged (agent.authority); here lies what a fooled
model can still say.
"""

from __future__ import annotations

import codecs
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from stdnum import luhn
from stdnum.br import cpf

from agent.authority import Voice
from agent.normalise import fold
from agent.prompts import Prompt
from agent.state import Reading
from agent.turn import Passage, TenantProfile, TurnContext
from agent.untrusted import decoded_parts, plain

CANARY: Final = f"ref{secrets.token_hex(5)}"
"""Stands in every system prompt of this process and nowhere else: who says it has copied the prompt."""

Code = Literal["prompt_revealed", "internals_revealed", "foreign_link", "foreign_person"]
REVEALING: Final = frozenset({"prompt_revealed"})
"""What not even an operator shall be offered to send."""

_WINDOW: Final = 32
"""Letters in a row shared with the prompt, spaces and punctuation aside: six to eight words."""
_PERSONA_WINDOW: Final = 90
"""More of the persona, whose phrases an assistant may well use to introduce itself."""
_MARKS: Final = ("customer_message", "customer_name", "function_result", "hand_off", "tool_calls")
_ABOUT_ITSELF: Final = re.compile(
    r"\b(?:minhas|mis|my|meu|mi) (?:\w+ ){0,2}(?:instrucoes|instrucciones|instructions|regras|reglas|rules|diretrizes|"
    r"directrices|guidelines|prompt|configuracao|configuracion)\b[^.!?\n]{0,30}"
    r"(?:\bsao\b|\bson\b|\bare\b|\bis\b|\bdizem\b|\bdiz\b|\bdicen\b|\bsay\b|\bdeterminam\b|:)"
    r"|\b(?:system|sistema) prompt\b[^.!?\n]{0,30}(?::|\bis\b|\be\b|\bes\b)|\bprompt (?:do|de|"
    r"del) sistema\b[^.!?\n]{0,30}"
    r"(?::|\bis\b|\be\b|\bes\b)"
    r"|\b(?:fui|foi) (?:instruid[oa]|programad[oa]|configurad[oa]) (?:a|para|por|com)\b"
    r"|\b(?:i was|i've been|i have been) (?:instructed|told|programmed|configured) to\b"
    r"|\b(?:me (?:instruyeron|programaron|configuraron)|fui (?:instruid[oa]|programad[oa])) (?:para|a|con)\b"
)
_SHOP_TALK: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"\binvent(?:ar|o|e|es|a|amos|ing|ed)?\b|\bmake (?:things|anything|facts) up\b",
        r"\b(?:funcao|funcoes|funcion|funciones|functions?|ferramentas?|herramientas?|tools?)\b",
        r"\b(?:asteriscos?|asterisks?)\b|\b(?:single|um|un) (?:asteris\w+|bold)\b",
        r"\b(?:paragrafos|parrafos|paragraphs)\b",
        r"\bprompt\b",
        r"\b(?:instru(?:cao|coes|ccion|cciones|ctions?))\b",
        r"\b(?:delimitador\w*|delimiters?|passagens|passages)\b",
    )
)
"""What only the inside of an assistant is about. A customer's answer has no two of them."""
_SHOP_TALK_WORDS: Final = 2
_TOP_LEVEL: Final = (
    r"(?:com|net|org|br|io|info|biz|app|dev|shop|store|site|online|xyz|top|click|link|live|club|me|co|us|uk|es|"
    r"ar|mx|cl|"
    r"pt|ru|cn|tk|ml|ga|cf|gg|ly|to|tv|cc|ai|example|test|zip|win|icu|vip|pro|tech|page|web|cloud)"
)
_URL: Final = re.compile(
    r"(?P<scheme>\b(?:h(?:tt|xx)ps?|ftp|data|javascript|tel|whatsapp|intent)\s?:\s?(?:/\s?/)?\s?)(?P<rest>[^\s)\]>]+)",
    re.I,
)
_DOMAIN: Final = re.compile(rf"(?<![\w@.+-])(?:[\w-]{{1,63}}\.)+{_TOP_LEVEL}(?![\w-])(?!\.\w)", re.I)
_NUMBERED: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_SPELLED_DOT: Final = re.compile(r"\s?(?:\[\.\]|\(\.\)|\[dot\]|\(dot\)|\s(?:ponto|punto|dot)\s)\s?", re.I)
_EMAIL: Final = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_PHONE: Final = re.compile(
    r"\+\d[\d .\-()]{7,18}\d|\(\d{2,3}\)\s?\d{3,5}[\s.-]?\d{4}|(?<![\d.,/-])\d{2}\s9?\d{4}[\s-]\d{4}(?!\d)"
)
_DIGITS: Final = re.compile(r"(?<!\d)\d(?:[ .\-]?\d){10,18}(?!\d)")
_CPF_SHAPE: Final = re.compile(r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)")
_CARD_START: Final = re.compile(r"[3-6]")
_FULL_NAME: Final = re.compile(r"\b[A-ZÀ-Ý][\w'’-]+(?: (?:d[aeo]s?|del?))?(?: [A-ZÀ-Ý][\w'’-]+)+")
_LONG_NUMBER: Final = re.compile(r"(?<![\d.,])\d{4,}(?![\d.,])")
_CPF_DIGITS, _CARD_DIGITS, _PHONE_TAIL = 11, range(13, 20), 8


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a text. ``detail`` is for the trace and repeats nothing secret."""

    code: Code
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Looks at the texts of one turn."""

    profile: TenantProfile
    rules: frozenset[str]
    persona: frozenset[str]
    known: str
    """What this customer wrote and is called, and what the tenant publishes: whoever is named there is no stranger."""
    published: str
    canary: str

    @classmethod
    def for_turn(
        cls, prompt: Prompt, context: TurnContext, reading: Reading, voice: Voice, passages: Sequence[Passage]
    ) -> Outgoing:
        profile = context.profile
        own = "\n".join((*(message.text for message in voice.own), *voice.addresses, _authored(profile)))
        published = "\n".join(f"{passage.title}\n{passage.text}" for passage in passages)
        persona = _windows(_letters(profile.persona), _PERSONA_WINDOW)
        # What of the prompt is the same for every tenant and turn; the business's information in it is no secret.
        values = dict.fromkeys(prompt.inputs, "") | {"passages": [], "language": reading.language}
        return cls(profile, _rules(prompt.render(**values)), persona, own, published, context.canary or CANARY)

    @classmethod
    def for_writing(cls, prompt: Prompt, profile: TenantProfile, known: str) -> Outgoing:
        """For a text that an operator asked for; ``known``: the conversation's words and the text as it was."""
        values = dict.fromkeys(prompt.inputs, "") | {"language": profile.default_language}
        persona = _windows(_letters(profile.persona), _PERSONA_WINDOW)
        return cls(profile, _rules(prompt.render(**values)), persona, f"{known}\n{_authored(profile)}", known, CANARY)

    def finding(self, text: str, results: Sequence[Any] = (), *, misled: bool = False) -> Finding | None:
        """The worst there is to say about ``text``; ``results``: what functions answered in this turn.

        ``misled``: the model has just tried to look up somebody whom the customer never named.
        """
        for form in _forms(text):
            letters = _letters(form)
            if self.canary in re.sub(r"\W", "", form.lower()) or self.rules & _windows(letters, _WINDOW):
                return Finding("prompt_revealed", "the text repeats the assistant's instructions")
            if self.persona & _windows(letters, _PERSONA_WINDOW):
                return Finding("prompt_revealed", "the text repeats the persona")
            folded = fold(form)
            if (
                _ABOUT_ITSELF.search(folded)
                or sum(bool(word.search(folded)) for word in _SHOP_TALK) >= _SHOP_TALK_WORDS
            ):
                return Finding("prompt_revealed", "the text tells what the assistant was instructed to do")
            lowered = form.lower().replace("\\_", "_")
            names = (*_MARKS, *(name for name in self.profile.functions if "_" in name))
            if name := next((name for name in names if name in lowered), None):
                return Finding("internals_revealed", name)
        if link := foreign_link(text, self.profile):
            return Finding("foreign_link", link)
        told = "\n".join(leaf for result in results for leaf in _leaves(result))
        near, public = fold(f"{self.known}\n{told}"), fold(self.published)
        return _stranger(plain(text), near, public) or (
            _named(plain(text), f"{near}\n{public}\n{fold(self.profile.name)}") if misled else None
        )


def _stranger(text: str, near: str, public: str) -> Finding | None:
    """Somebody's number or address that neither this customer, a result's own field nor the tenant has brought up.

    ``near``: the customer's own words and results; ``public``: what the tenant publishes, where nobody's CPF belongs.
    """
    compact = re.sub(r"[ .\-/]", "", near)
    for run in (*_DIGITS.finditer(text), *_CPF_SHAPE.finditer(text)):
        digits = re.sub(r"\D", "", run[0])
        personal = (
            bool(_CPF_SHAPE.fullmatch(run[0]))
            or (len(digits) == _CPF_DIGITS and cpf.is_valid(digits))
            or (len(digits) in _CARD_DIGITS and luhn.is_valid(digits) and bool(_CARD_START.match(digits)))
        )
        if personal and digits not in compact:
            return Finding("foreign_person", "a number of a person or card that is not this customer's")
    for address in _EMAIL.finditer(text):
        if fold(address[0]) not in near and fold(address[0]) not in public:
            return Finding("foreign_person", "an e-mail address from nowhere")
    squeezed = re.sub(r"\D", "", near + public)
    for phone in _PHONE.finditer(text):
        if re.sub(r"\D", "", phone[0])[-_PHONE_TAIL:] not in squeezed:
            return Finding("foreign_person", "a phone number from nowhere")
    return None


def _named(text: str, known: str) -> Finding | None:
    """A full name or a number that nobody in this turn has brought up."""
    for found in (*_FULL_NAME.finditer(text), *_LONG_NUMBER.finditer(text)):
        if fold(found[0]) not in known:
            return Finding("foreign_person", "a name or number from nowhere, after a call for somebody unnamed")
    return None


def foreign_link(text: str, profile: TenantProfile) -> str:
    """The first link to a domain that is not the tenant's, as a domain; "" where there is none."""
    shown = _SPELLED_DOT.sub(".", plain(text))
    allowed = profile.domains | _domains(_authored(profile))
    for url in _URL.finditer(shown):
        scheme = re.sub(r"\W", "", url["scheme"]).lower()
        host = re.split(
            r"[/?#:\\]", url["rest"].rpartition("@")[2] if "@" in url["rest"].split("/")[0] else url["rest"]
        )[0]
        if scheme not in {"http", "https", "hxxp", "hxxps"} or not _is_allowed(host.lower(), allowed):
            return host.lower()[:80] or scheme
    for found in (*_DOMAIN.finditer(shown), *_NUMBERED.finditer(shown)):
        if not _is_allowed(found[0].lower(), allowed):
            return found[0].lower()[:80]
    return ""


def _is_allowed(host: str, allowed: frozenset[str]) -> bool:
    host = host.strip(".")
    return any(host == domain or host.endswith(f".{domain}") for domain in allowed)


@lru_cache(maxsize=256)
def _domains(text: str) -> frozenset[str]:
    return frozenset(found[0].lower().removeprefix("www.") for found in _DOMAIN.finditer(text))


def _authored(profile: TenantProfile) -> str:
    """What the tenant itself wrote for its customers: fixed texts, answers, reply templates, the persona."""
    parts = [profile.persona]
    parts += [text for texts in profile.texts.values() for text in texts.values()]
    for spec in profile.intents.values():
        parts += spec.answer.values()
        parts += [text for texts in spec.replies.values() for text in texts.values()]
    return "\n".join(parts)


@lru_cache(maxsize=64)
def _rules(prompt: str) -> frozenset[str]:
    return _windows(_letters(prompt), _WINDOW)


def _windows(letters: str, width: int) -> frozenset[str]:
    return frozenset(letters[start : start + width] for start in range(len(letters) - width + 1))


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]", "", fold(text) if len(text) <= 4_000 else fold(text[:4_000]) + fold(text[4_000:8_000]))


def _forms(text: str) -> Iterator[str]:
    """The text, and what it becomes when common encodings are undone."""
    shown = plain(text)
    yield shown
    yield shown[::-1]
    yield codecs.encode(shown, "rot13")
    yield shown.translate(str.maketrans("013457@$", "oieastas"))
    yield from decoded_parts(shown)


def _leaves(value: Any) -> Iterator[str]:
    """Single values of a result, without its longer texts, which may hold anybody's words."""
    match value:
        case Mapping():
            for item in value.values():
                yield from _leaves(item)
        case list() | tuple():
            for item in value:
                yield from _leaves(item)
        case None | bool():
            return
        case _:
            said = value if isinstance(value, str) else json.dumps(value, default=str)
            if len(said) <= 80:
                yield said
