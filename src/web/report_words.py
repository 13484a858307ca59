"""What reports say: names of figures and columns, the sentence that defines each, and values as people read them."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal, format_percent

from flows.reports import Counted
from web.i18n import BABEL_LOCALES, N_

TITLES: Final = {
    "conversations": N_("Conversations"),
    "automatic_resolution": N_("Automatic resolution"),
    "suggestions": N_("Suggestions accepted"),
    "first_answer": N_("First answer"),
    "handling": N_("Handling by people"),
    "handoffs": N_("Handoff reasons"),
    "intents": N_("What customers want"),
    "costs": N_("Cost of language models"),
    "deliveries": N_("Deliveries"),
    "sessions_up": N_("Numbers online"),
    "satisfaction": N_("Satisfaction"),
}
DEFINITIONS: Final = {
    "conversations": N_(
        "Conversations opened in these days: a contact's first message, or the first after a closing. With a person: "
        "somebody held it, wrote in it or decided in it."
    ),
    "automatic_resolution": N_(
        "Of the conversations closed in these days at least 72 hours ago, the share that was closed as resolved "
        "without a person taking part and was not reopened within 72 hours. Younger ones are not yet "
        "known and do not count."
    ),
    "suggestions": N_(
        "Of the suggestions made in these days on which a verdict was due (sent unchanged, sent edited, rejected or "
        "expired), the share that was sent unchanged. Withdrawn and waiting ones are shown and do not count."
    ),
    "first_answer": N_(
        "From the contact's first message in a conversation opened in these days until the first answer left, "
        "whoever wrote it: half were quicker than the median, nine of ten quicker than P90. In and outside "
        "business hours by when the contact wrote, by the hours as they are set now."
    ),
    "handling": N_(
        "Of the conversations closed in these days, from when a person first had one until it was closed. The wait is "
        "from the handoff until a person had it. In and outside business hours by when the person had it, by the hours "
        "as they are set now."
    ),
    "handoffs": N_(
        "Conversations given to people in these days, by the reason; the wait is until somebody claimed it."
    ),
    "intents": N_(
        "What the assistant understood in the turns of these days: how often, how sure it was on average, and the "
        "share that it answered by itself."
    ),
    "costs": N_(
        "What language models cost in these days, by the prices that are set; calls whose answer was thrown away "
        "count. Of a part of the work (number, team, intent): the cost of its turns."
    ),
    "deliveries": N_(
        "Messages queued in these days and what became of them. The share is that of failed ones and of those with an "
        "unknown outcome among all that were tried; cancelled ones were overtaken by something newer."
    ),
    "sessions_up": N_(
        "The share of the time of these days in which each number was connected, by the recorded changes of its state; "
        "an outage is a change from connected to anything else."
    ),
    "satisfaction": N_(
        "Answers from 1 to 5 to the question after closing, by the day on which it was asked, and the share of the "
        "questions that were answered."
    ),
}
_COLUMNS: Final = {
    "opened": N_("Opened"),
    "handed_off": N_("Handed off"),
    "with_person": N_("With a person"),
    "closed": N_("Closed"),
    "not_yet_known": N_("Not yet known"),
    "known": N_("Known"),
    "automatic": N_("By itself"),
    "reopened": N_("Reopened"),
    "unresolved": N_("Closed unresolved"),
    "share": N_("Share"),
    "eligible": N_("Verdict was due"),
    "accepted": N_("Sent unchanged"),
    "edited": N_("Sent edited"),
    "rejected": N_("Rejected"),
    "expired": N_("Expired"),
    "withdrawn": N_("Withdrawn"),
    "waiting": N_("Waiting"),
    "share_with_edited": N_("Share with edited ones"),
    "asked": N_("Asked"),
    "answered": N_("Answered"),
    "by_bot": N_("By the assistant"),
    "median": N_("Median"),
    "p90": N_("P90"),
    "open_count": N_("In hours"),
    "open_median": N_("In hours, median"),
    "open_p90": N_("In hours, P90"),
    "shut_count": N_("Outside hours"),
    "shut_median": N_("Outside hours, median"),
    "shut_p90": N_("Outside hours, P90"),
    "person_count": N_("By people"),
    "person_median": N_("By people, median"),
    "person_p90": N_("By people, P90"),
    "handled": N_("Handled"),
    "waited": N_("Waited"),
    "wait_median": N_("Wait, median"),
    "wait_p90": N_("Wait, P90"),
    "handoffs": N_("Handoffs"),
    "claimed": N_("Claimed"),
    "turns": N_("Turns"),
    "confidence": N_("Mean confidence"),
    "suggested": N_("Suggested"),
    "cost": N_("Cost"),
    "tokens": N_("Tokens"),
    "calls": N_("Calls"),
    "messages": N_("Messages"),
    "sent": N_("Sent"),
    "failed": N_("Failed"),
    "unknown": N_("Unknown outcome"),
    "cancelled": N_("Cancelled"),
    "under_way": N_("On the way"),
    "up": N_("Connected for"),
    "outages": N_("Outages"),
    "average": N_("Average"),
    "score_1": N_("Score 1"),
    "score_2": N_("Score 2"),
    "score_3": N_("Score 3"),
    "score_4": N_("Score 4"),
    "score_5": N_("Score 5"),
}
COLUMNS: Final = {**_COLUMNS, "sessions_up.known": N_("Observed for"), "suggestions.share": N_("Share unchanged")}
GROUPS: Final = {
    "day": N_("Day"),
    "number": N_("Number"),
    "team": N_("Team"),
    "operator": N_("Operator"),
    "intent": N_("Intent"),
    "reason": N_("Reason"),
}
MORE_IS_BETTER: Final = {
    "automatic_resolution": True,
    "suggestions": True,
    "first_answer": False,
    "handling": False,
    "deliveries": False,
    "sessions_up": True,
    "satisfaction": True,
    "costs": False,
}
"""Figures of which it can be said."""


def column(figure: str, name: str) -> str:
    """What a figure's column is called; to be translated."""
    return COLUMNS.get(f"{figure}.{name}") or COLUMNS[name]


def shown(value: Any, unit: str, language: str) -> str:
    """A value as a person of this language reads it; a dash where there is none."""
    locale = BABEL_LOCALES[language]
    if value is None:
        return "–"
    match unit:
        case "share":
            return str(format_percent(value, "#,##0.0 %", locale=locale))
        case "seconds":
            return duration(float(value))
        case "money":
            return str(format_decimal(value / 1_000_000, "#,##0.00##", locale=locale))
        case "score":
            return str(format_decimal(value, "0.00", locale=locale))
        case _:
            return str(format_decimal(value, "#,##0", locale=locale))


def day(at: date, language: str) -> str:
    """A date as it is written in the language."""
    return str(format_date(at, "medium", BABEL_LOCALES[language]))


def short_day(iso: str, language: str) -> str:
    """``2026-11-22`` → 22/11, or as the language writes it."""
    return str(format_skeleton("Md", date.fromisoformat(iso), locale=BABEL_LOCALES[language]))


def signed(change: float, language: str) -> str:
    """A change as a share: +12,5 %."""
    return str(format_percent(change, "+#,##0.0 %;-#,##0.0 %", locale=BABEL_LOCALES[language]))


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 4 h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 and seconds != whole else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def change(counted: Counted) -> float | None:
    """How much the headline rose against the range before, as a share of it; None: nothing to compare with."""
    now, before = (part.get(counted.figure.headline) for part in (counted.total, counted.before))
    if now is None or not before:
        return None
    return float(now) / float(before) - 1
