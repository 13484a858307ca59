"""What a handoff says: the announcement to the customer, and the summary, data and next step for the operator."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from babel.dates import format_date, format_time

from agent.dialogue import missing
from agent.hours import closed_since, is_open, next_opening
from agent.normalise import visible
from agent.policy import policy_in
from agent.texts import FixedTexts, label_of
from agent.turn import TenantProfile, TurnContext, TurnInput
from domain.decisions import AskApproval, HandOff, Reply

if TYPE_CHECKING:
    from agent.state import Evidence, Reading

DISCLOSURE: Final = "disclosure"
OUTSIDE_HOURS: Final = "outside_hours"

_LAST_MESSAGE_CHARACTERS: Final = 300
_LOCALES: Final = {"pt": "pt_BR", "es": "es", "en": "en"}
_DAYS: Final = {"pt": ("hoje", "amanhã"), "es": ("hoy", "mañana"), "en": ("today", "tomorrow")}
_AT: Final = {"pt": "{day} às {clock}", "es": "{day} a las {clock}", "en": "{day} at {clock}"}

Automatic = TypeVar("Automatic", Reply, AskApproval, HandOff, Reply | AskApproval | HandOff)


class Announcer:
    """Words a drafted handoff."""

    def __init__(self, texts: FixedTexts) -> None:
        self.texts = texts

    async def __call__(
        self, draft: HandOff, reading: Reading, evidence: Evidence, turn: TurnInput | None, context: TurnContext
    ) -> tuple[HandOff, tuple[str, ...]]:
        """The whole handoff, and which notices its announcement gives."""
        profile, language = context.profile, reading.language
        may_announce = policy_in(context).may_announce(reading.mode)
        if not may_announce:
            evidence = evidence.because("not_announced", f"{reading.mode}: {reading.rule}")
        own = f"hand_off_{draft.reason}"
        key = own if self.texts.has(profile, own) else "hand_off"
        parts, notices = [draft.text or self.texts.say(profile, key, language)], tuple[str, ...]()
        found = reading.classification
        about = reading.intent.name if reading.intent else found.intent if found else None
        position = await context.queue_position(about) if context.queue_position else None
        if closed := self.closed_notice(profile, context.now, language, turn.told_closed_at if turn else None):
            parts, notices = [*parts, closed], (OUTSIDE_HOURS,) if may_announce else ()
        elif position and is_open(profile.hours, context.now, profile.timezone):
            parts.append(self.texts.say(profile, "queue_position", language, position=position))
        handoff = HandOff(
            draft.reason,
            " ".join(parts),
            self._summary(draft, reading, turn, context),
            evidence.reasons,
            collected=dict(reading.dialogue.values),
            next_step=self._next_step(draft, reading, profile),
            announce=may_announce,
        )
        return handoff, notices

    def closed_notice(self, profile: TenantProfile, now: datetime, language: str, told_at: datetime | None) -> str:
        """That the team is closed and when it is back; "" while it is open, or if this closed time was told already."""
        since = closed_since(profile.hours, now, profile.timezone)
        if since is None or (told_at is not None and told_at >= since):
            return ""
        opening = next_opening(profile.hours, now, profile.timezone)
        opens = spoken(opening, now, language) if opening else ""
        return self.texts.say(profile, "outside_hours", language, opens=opens)

    def _summary(self, draft: HandOff, reading: Reading, turn: TurnInput | None, context: TurnContext) -> str:
        """In the business's own language: what is wanted and what is known so far."""
        found = reading.classification
        name = reading.intent.name if reading.intent else found.intent if found else None
        said = turn.unanswered[-1] if turn else None
        language = context.profile.default_language
        last = said.text.strip() if said else ""
        if said and not visible(last).strip():
            last = self.texts.say(context.profile, "without_text", language, kind=said.kind.value)
        spec = context.profile.intents.get(name or "")
        summary = self.texts.say(
            context.profile,
            "summary",
            language,
            intent=(spec.description or spec.name) if spec else "",
            confidence=found.confidence if found else 1.0,
            values=", ".join(f"{key}={value}" for key, value in reading.dialogue.values.items()),
            last=last[:_LAST_MESSAGE_CHARACTERS],
        )
        return f"{draft.summary}\n{summary}".strip()

    def _next_step(self, draft: HandOff, reading: Reading, profile: TenantProfile) -> str:
        """What an operator does well to do first, in the business's own language."""
        own = f"next_step_{draft.reason}"
        key = own if self.texts.has(profile, own) else "next_step"
        function = profile.functions.get(reading.dialogue.function or "")
        lacks = missing(function, reading.dialogue.values) if function else None
        label = label_of(self.texts, profile, lacks, profile.default_language) if lacks else ""
        return self.texts.say(profile, key, profile.default_language, missing=label)


def disclosed(
    texts: FixedTexts, decision: Automatic, reading: Reading, turn: TurnInput | None, context: TurnContext
) -> tuple[Automatic, tuple[str, ...]]:
    """Before the first automatic text of a conversation, the tenant's words on who is speaking, where it has any."""
    is_first = turn.is_first_reply if turn else context.is_first_reply
    kept_back = isinstance(decision, HandOff) and not decision.announce
    if not is_first or kept_back or DISCLOSURE not in context.profile.texts:
        return decision, ()
    said = texts.say(context.profile, DISCLOSURE, reading.language)
    return replace(decision, text=f"{said}\n\n{decision.text}"), (DISCLOSURE,)


def spoken(opening: datetime, now: datetime, language: str) -> str:
    """The opening as the customer would say it: "amanhã às 09:00", "segunda-feira, 23 de novembro às 09:00"."""
    days = (opening.date() - now.astimezone(opening.tzinfo).date()).days
    locale = _LOCALES.get(language, "en")
    if days < len(_DAYS["pt"]):
        day = _DAYS.get(language, _DAYS["en"])[days]
    else:
        pattern = {"pt_BR": "EEEE, d 'de' MMMM", "es": "EEEE, d 'de' MMMM"}.get(locale, "EEEE, MMMM d")
        day = format_date(opening.date(), pattern, locale)
    clock = format_time(opening.time(), "short", locale=locale)
    return _AT.get(language, _AT["en"]).format(day=day, clock=clock)
