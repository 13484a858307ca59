"""What the figures of reports must be, counted from the script (report_story) in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.flows.report_story import HOUR, NOW, ZONE, Episode, Story


@dataclass(frozen=True)
class Narrowed:
    start: datetime
    end: datetime
    filters: dict[str, str]

    def of(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            row
            for row in rows
            if self.start <= row["at"] < self.end and all(str(row[key]) == value for key, value in self.filters.items())
        ]

    def episodes(self, story: Story, moment: str) -> list[Episode]:
        found = []
        for one in story.episodes:
            at = getattr(one, moment)
            keeps = {
                "number": str(one.number),
                "team": str(one.team),
            }
            if at is None or not self.start <= at < self.end:
                continue
            if any(keeps[key] != value for key, value in self.filters.items() if key in keeps):
                continue
            if "operator" in self.filters and self.filters["operator"] not in {str(user) for user in one.persons}:
                continue
            if "intent" in self.filters and self.filters["intent"] not in one.intents:
                continue
            found.append(one)
        return found


def _in_hours(at: datetime) -> bool:
    local = at.astimezone(ZONE)
    return local.weekday() < 5 and 9 <= local.hour < 18


def _at(values: list[float], share: float) -> float | None:
    """The quantile as everybody draws it on paper: straight lines between the sorted values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _spread(values: list[float], prefix: str = "") -> dict[str, float | None]:
    return {f"{prefix}median": _at(values, 0.5), f"{prefix}p90": _at(values, 0.9)}


def _conversations(story: Story, within: Narrowed) -> dict[str, Any]:
    found = within.episodes(story, "opened")
    return {
        "opened": len(found),
        "handed_off": sum(one.handed_off is not None for one in found),
        "with_person": sum(bool(one.persons) for one in found),
        "closed": sum(one.closed is not None for one in found),
    }


def _resolution(story: Story, within: Narrowed) -> dict[str, Any]:
    count: Counter[str] = Counter()
    for one in within.episodes(story, "closed"):
        assert one.closed
        count["closed"] += 1
        if one.closed > NOW - 72 * HOUR:
            count["not_yet_known"] += 1
            continue
        count["known"] += 1
        if one.persons:
            count["with_person"] += 1
        elif one.reopened and one.reopened <= one.closed + 72 * HOUR:
            count["reopened"] += 1
        elif one.reason in {None, "resolved"}:
            count["automatic"] += 1
        else:
            count["unresolved"] += 1
    columns = ("closed", "not_yet_known", "known", "with_person", "reopened", "automatic", "unresolved")
    share = count["automatic"] / count["known"] if count["known"] else None
    return {**{name: count[name] for name in columns}, "share": share}


def _suggestions(story: Story, within: Narrowed) -> dict[str, Any]:
    count = Counter(one["status"] for one in within.of(story.suggestions))
    eligible = count["approved"] + count["edited"] + count["rejected"] + count["expired"]
    return {
        "eligible": eligible,
        "accepted": count["approved"],
        "edited": count["edited"],
        "rejected": count["rejected"],
        "expired": count["expired"],
        "withdrawn": count["superseded"],
        "waiting": count["pending"],
        "share": count["approved"] / eligible if eligible else None,
    }


def _first_answer(story: Story, within: Narrowed) -> dict[str, Any]:
    found = within.episodes(story, "opened")
    took = [(one, (one.first[0] - one.asked).total_seconds()) for one in found if one.first]
    person = [(one.first_person - one.asked).total_seconds() for one in found if one.first_person]
    return {
        "asked": len(found),
        "answered": len(took),
        "by_bot": sum(one.first[1] == "bot" for one, _ in took if one.first),
        **_spread([seconds for _, seconds in took]),
        **_spread([seconds for one, seconds in took if _in_hours(one.asked)], "open_"),
        **_spread([seconds for one, seconds in took if not _in_hours(one.asked)], "shut_"),
        "open_count": sum(_in_hours(one.asked) for one, _ in took),
        "person_count": len(person),
        **_spread(person, "person_"),
    }


def _handling(story: Story, within: Narrowed) -> dict[str, Any]:
    found = [one for one in within.episodes(story, "closed") if one.taken]
    took = [(one.closed - one.taken).total_seconds() for one in found if one.closed and one.taken]
    waits = [(one.taken - one.handed_off).total_seconds() for one in found if one.taken and one.handed_off]
    inside = [
        (one.closed - one.taken).total_seconds() for one in found if one.closed and one.taken and _in_hours(one.taken)
    ]
    return {
        "handled": len(took),
        **_spread(took),
        "open_count": len(inside),
        **_spread(inside, "open_"),
        "shut_count": len(took) - len(inside),
        "waited": len(waits),
        **_spread(waits, "wait_"),
    }


def _handoffs(story: Story, within: Narrowed) -> dict[str, Any]:
    found = within.of(story.handoffs)
    waits = [(one["claimed"] - one["at"]).total_seconds() for one in found if one["claimed"]]
    return {"handoffs": len(found), "claimed": len(waits), **_spread(waits, "wait_")}


def _intents(story: Story, within: Narrowed) -> dict[str, Any]:
    found = [one for one in within.of(story.turns) if one["intent"]]
    kinds = Counter(one["kind"] for one in found)
    return {
        "turns": len(found),
        "confidence": sum(one["confidence"] for one in found) / len(found) if found else None,
        "automatic": kinds["reply"],
        "suggested": kinds["suggest"],
        "handed_off": kinds["hand_off"],
        "share": kinds["reply"] / len(found) if found else None,
    }


def _costs(story: Story, within: Narrowed) -> dict[str, Any]:
    return {"cost": sum(one["cost"] for one in within.of(story.turns))}


def _deliveries(story: Story, within: Narrowed) -> dict[str, Any]:
    count = Counter(one["state"] for one in within.of(story.outbox))
    tried = count["sent"] + count["failed"] + count["unknown"]
    return {
        "messages": sum(count.values()),
        "sent": count["sent"],
        "failed": count["failed"],
        "unknown": count["unknown"],
        "cancelled": count["cancelled"],
        "under_way": count["sending"],
        "share": (count["failed"] + count["unknown"]) / tried if tried else None,
    }


def _satisfaction(story: Story, within: Narrowed) -> dict[str, Any]:
    found = within.of(story.scores)
    given = [one["score"] for one in found if one["score"]]
    return {
        "asked": len(found),
        "answered": len(given),
        "share": len(given) / len(found) if found else None,
        "average": sum(given) / len(given) if given else None,
        **{f"score_{score}": given.count(score) for score in range(1, 6)},
    }


COUNTS = {
    "conversations": _conversations,
    "automatic_resolution": _resolution,
    "suggestions": _suggestions,
    "first_answer": _first_answer,
    "handling": _handling,
    "handoffs": _handoffs,
    "intents": _intents,
    "costs": _costs,
    "deliveries": _deliveries,
    "satisfaction": _satisfaction,
}
DAYS = {
    "conversations": lambda story, within: Counter(
        one.opened.astimezone(ZONE).date().isoformat() for one in within.episodes(story, "opened")
    ),
    "suggestions": lambda story, within: Counter(
        one["at"].astimezone(ZONE).date().isoformat()
        for one in within.of(story.suggestions)
        if one["status"] in {"approved", "edited", "rejected", "expired"}
    ),
}
