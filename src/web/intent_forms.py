"""The form of one intent: what it shows of a declaration, and the declaration in what was posted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flows.intent_declared import as_json
from flows.tenant_declaration import LANGUAGES, IntentDeclaration

SERVICES: Final = ("answer", "function", "hand_off", "stay_silent")
"""How an intent is served, as the form asks for it."""
OUTCOMES: Final = ("ok", "not_found")
"""Outcomes of a function whose replies the form always offers."""


@dataclass(frozen=True, slots=True)
class IntentForm:
    """What the form shows. ``examples`` and ``answer`` by language; ``replies`` by outcome, then language."""

    name: str = ""
    description: str = ""
    service: str = "answer"
    function: str = ""
    threshold: str = ""
    reply_mode: str = ""
    restricted: bool = False
    hand_off_reason: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, str] = field(default_factory=dict)
    replies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Outcomes to show fields for."""
        return tuple(dict.fromkeys((*OUTCOMES, *self.replies)))

    def declaration(self) -> dict[str, Any]:
        """The body that ``flows.intents`` takes. Only what belongs to the chosen service is in it."""
        serves = self.service in {"answer", "function"}
        body: dict[str, Any] = {
            "name": self.name.strip(),
            "description": self.description.strip() or self.name.strip(),
            "examples": {language: found for language, text in self.examples.items() if (found := _lines(text))},
            "action": "serve" if serves else self.service,
            "restricted": self.restricted,
            "threshold": _number(self.threshold),
            "reply_mode": self.reply_mode or None,
            "hand_off_reason": (self.hand_off_reason or None) if self.service == "hand_off" else None,
        }
        if self.service in {"answer", "hand_off"}:
            body["answer"] = _said(self.answer)
        if self.service == "function":
            body["function"] = self.function or None
            body["replies"] = {outcome: said for outcome, texts in self.replies.items() if (said := _said(texts))}
        return body


def form_of(declaration: IntentDeclaration) -> IntentForm:
    """The form of a stored intent."""
    stored = as_json(declaration)
    service = "function" if declaration.function else "answer" if declaration.action == "serve" else declaration.action
    return IntentForm(
        name=declaration.name,
        description=declaration.description,
        service=service,
        function=declaration.function or "",
        threshold="" if declaration.threshold is None else f"{declaration.threshold:g}",
        reply_mode=stored["reply_mode"] or "",
        restricted=declaration.restricted,
        hand_off_reason=stored["hand_off_reason"] or "",
        examples={language: "\n".join(texts) for language, texts in declaration.examples.items()},
        answer=dict(declaration.answer),
        replies={outcome: dict(texts) for outcome, texts in declaration.replies.items()},
    )


def posted_form(posted: Mapping[str, Any], name: str | None = None) -> IntentForm:
    """The form as it was posted; ``name``: of the intent that is changed."""

    def said(key: str) -> str:
        return str(posted.get(key) or "").replace("\r\n", "\n")

    outcomes: Sequence[str] = [
        key.split("/")[1] for key in posted if key.startswith("replies/") and key.count("/") == 2
    ]
    service = said("service")
    return IntentForm(
        name=said("name") if name is None else name,
        description=said("description"),
        service=service if service in SERVICES else "answer",
        function=said("function"),
        threshold=said("threshold"),
        reply_mode=said("reply_mode"),
        restricted=bool(said("restricted")),
        hand_off_reason=said("hand_off_reason"),
        examples={language: said(f"examples/{language}") for language in LANGUAGES},
        answer={language: said(f"answer/{language}") for language in LANGUAGES},
        replies={
            outcome: {language: said(f"replies/{outcome}/{language}") for language in LANGUAGES}
            for outcome in dict.fromkeys(outcomes)
        },
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _said(texts: Mapping[str, str]) -> dict[str, str]:
    return {language: text.strip() for language, text in texts.items() if text.strip()}


def _number(text: str) -> Any:
    try:
        return float(text.replace(",", ".")) if text.strip() else None
    except ValueError:
        return text  # refused by the declaration, with a sentence
