"""What the stand-in model sees in a request: rules of the system prompt, passages, tools, and what was said so far."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.normalise import fold
from agent.parameters import extract
from tools.declaration import Choice, Parameter, ParameterKind

RULES: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "never_invent": r"(?:never|do not|don't) (?:invent|make (?:things|anything|facts) up|fabricate)"
        r"|state (?:a fact|facts) (?:\w+ ){0,12}only if|nunca inventes?\b|nao inventes?\b|jamais invente"
        r"|only (?:state|say) what (?:a|the) (?:function|result|source)",
        "after_result": r"only after a function|only once a function|so depois que (?:a|uma) funcao"
        r"|before (?:you )?say(?:ing)? that something was done",
        "ask_missing": r"(?:value|anything) (?:it|that is|you) needs? is missing, ask"
        r"|ask for (?:it|what is missing|the missing)"
        r"|if (?:a|any) value (?:\w+ ){0,3}(?:is missing|lacks)|pergunte o que falta|pregunta lo que falta",
        "hand_off": r"hand_off\W{1,3}(?:\w+ ){0,6}(?:person|human|angry)|call hand_off (?:when|if)"
        r"|(?:asks for|wants) a (?:person|human)\b.{0,120}hand_off",
        "use_functions": r"use a function when|call a function (?:when|if)|prefer (?:a )?functions? (?:over|to)",
        "only_data": r"(?:is|are) (?:\w+ )?data\b.{0,160}(?:do not|never) follow|treat .{0,80} as data\b",
        "brief": r"\bbe brief\b|at most (?:two|three|2|3) (?:short )?(?:paragraphs|sentences)|seja breve|se breve",
        "language": r"responda(?: sempre)? em portugues|responde(?: siempre)? en espanol|(?:always )?reply in english"
        r"|reply in (?:the customer's|their) language",
    }.items()
}
"""By what a rule is known in a folded system prompt. Rules in other words than these are not seen: a simulation."""
HARMFUL: Final = re.compile(
    r"(?:you may|feel free to|always) (?:guess|invent|estimate|promise)|make your best guess|never hand (?:over|off)"
    r"|invent (?:something|an answer)|pode inventar|sempre prometa|do not use (?:the )?functions"
)
"""What a prompt says against its own rules."""
_LANGUAGES: Final = (("pt", "em portugues"), ("es", "en espanol"), ("en", "in english"))
_PASSAGE: Final = re.compile(r'<passage ref="([^"]*)" title="([^"]*)">\n?(.*?)\n?</passage>', re.DOTALL)
_DATA: Final = re.compile(r"<(passage|customer_name|conversation_summary|progress)\b.*?</\1>", re.DOTALL)
"""What of a system prompt is no rule."""
_CUSTOMER: Final = re.compile(r"<customer_message[^>]*>\n?(.*?)\n?</customer_message>", re.DOTALL)
_RESULT: Final = re.compile(r"<function_result>\n?(.*?)\n?</function_result>", re.DOTALL)
_ZONE: Final = ZoneInfo("America/Sao_Paulo")
_KINDS: Final = (
    ("cpf", ParameterKind.CPF),
    ("cnpj", ParameterKind.CNPJ),
    ("cep", ParameterKind.CEP),
    ("postal code", ParameterKind.CEP),
    ("e-mail", ParameterKind.EMAIL),
    ("email", ParameterKind.EMAIL),
    ("phone", ParameterKind.PHONE),
)
_TYPES: Final = {"integer": ParameterKind.INTEGER, "number": ParameterKind.MONEY, "boolean": ParameterKind.BOOLEAN}


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the request describes it."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Tool:
        """From an entry of the request's ``tools``."""
        function = entry["function"]
        schema = function.get("parameters") or {}
        needed = schema.get("required") or ()
        parameters = tuple(
            _parameter(name, one, required=name in needed) for name, one in (schema.get("properties") or {}).items()
        )
        return cls(function["name"], function.get("description") or "", parameters)

    def values(self, said: Sequence[str], language: str) -> dict[str, Any]:
        """What of its parameters the customer's messages hold; the newest wins."""
        found: dict[str, Any] = {}
        for text in said:
            read = extract(text, self.parameters, language=language, now=_NOW, timezone=_ZONE)
            found |= read.values
        return found

    @property
    def needs(self) -> list[Parameter]:
        return [parameter for parameter in self.parameters if parameter.required]


_NOW: Final = datetime(2026, 1, 5, 15, tzinfo=UTC)
"""Dates that a customer says relative to today come out wrong: the stand-in does not read the prompt's clock."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Knowledge that stands in the system prompt."""

    ref: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A request, read."""

    system: str
    rules: frozenset[str]
    harmful: int
    language: str | None
    """The one that the prompt asks for."""
    passages: tuple[Passage, ...]
    tools: tuple[Tool, ...]
    said: tuple[str, ...]
    """All of the customer's messages, oldest first."""
    asked: str
    """Those since the last answer."""
    results: tuple[Mapping[str, Any], ...]
    """Outcomes of this turn's calls, oldest first."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Seen:
        """From a request's body."""
        messages = [message for message in body.get("messages") or () if isinstance(message, Mapping)]
        system = "\n".join(str(m.get("content") or "") for m in messages if m.get("role") in {"system", "developer"})
        folded = fold(system)
        rules = _DATA.sub("", system)
        plain = re.sub(r"[`*\"]", "", " ".join(fold(rules).split()))
        last = max((n for n, m in enumerate(messages) if m.get("role") == "assistant" and m.get("content")), default=-1)
        turn = [m for m in messages[last + 1 :] if m.get("role") == "user"]
        return cls(
            system=system,
            rules=frozenset(name for name, pattern in RULES.items() if pattern.search(plain)),
            harmful=len(HARMFUL.findall(plain)),
            language=next((code for code, words in _LANGUAGES if words in folded), None),
            passages=tuple(Passage(*map(html.unescape, found)) for found in _PASSAGE.findall(system)),
            tools=tuple(Tool.of(entry) for entry in body.get("tools") or ()),
            said=tuple(_customers(m) for m in messages if m.get("role") == "user"),
            asked="\n".join(_customers(m) for m in turn),
            results=tuple(_result(m) for m in messages if m.get("role") == "tool"),
        )


def _customers(message: Mapping[str, Any]) -> str:
    content = str(message.get("content") or "")
    found = _CUSTOMER.findall(content)
    return html.unescape("\n".join(found)) if found else content


def _result(message: Mapping[str, Any]) -> Mapping[str, Any]:
    content = str(message.get("content") or "")
    found = _RESULT.search(content)
    try:
        value = json.loads(found[1] if found else content)
    except ValueError:
        value = None
    return value if isinstance(value, Mapping) else {"result": content}


def _parameter(name: str, schema: Mapping[str, Any], *, required: bool) -> Parameter:
    description = str(schema.get("description") or "")
    kind = ParameterKind.TEXT
    if schema.get("enum"):
        kind = ParameterKind.ENUM
    elif schema.get("format") == "date":
        kind = ParameterKind.DATE
    elif schema.get("pattern"):
        kind = ParameterKind.ORDER_NUMBER
    elif found := next((one for word, one in _KINDS if word in f"{name} {description}".lower()), None):
        kind = found
    else:
        kind = _TYPES.get(str(schema.get("type")), kind)
    choices = tuple(Choice(str(value), {"pt": [str(value).replace("_", " ")]}) for value in schema.get("enum") or ())
    return Parameter(name, kind, description, required, pattern=schema.get("pattern"), choices=choices)
