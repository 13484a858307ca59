"""Times of the day in a text, in figures and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.claims.notation import (
    BARE_RANGE,
    BEFORE,
    CLOCK,
    COUNTED,
    LONE,
    NOON,
    PART,
    PARTS,
    PARTS_OF_DAY,
    PAST,
    PAST_MINUTES,
    QUARTER,
    RANGE,
    SPELLED_CLOCK,
    TIME,
    spelled,
)

if TYPE_CHECKING:
    from agent.claims.values import Found


def find_times(text: str, language: str, found: Found) -> None:
    for match in RANGE.finditer(text):
        found.add(
            "time",
            match.start("h"),
            match.end("h"),
            _halves(int(match["h"]) % 24 * 60, None, loose=int(match["h"]) < 12),
            "range",
        )
    _times_in_words(text, language, found)
    for match in TIME.finditer(text):
        if match["dh"]:  # "19.30 h"
            found.add("time", match.start(), match.end(), (int(match["dh"]) * 60 + int(match["dm"]),))
            continue
        minutes = int(match["h"]) * 60 + int(match["hm"] or match["m"] or 0)
        loose = minutes < (780 if language == "en" else 420)
        found.add("time", match.start(), match.end(), _halves(minutes, match["half"], loose=loose))
    for match in CLOCK.finditer(text):
        hour = int(match["h"]) if match["h"].isdigit() else spelled(match["h"], language)
        bare = match["h"] in LONE and not match["half"]
        lasts = match[0].startswith("ate ") and text[match.end() :].startswith(" horas")
        counts = match[0].startswith("das ") and not match["half"] and COUNTED.match(text, match.end())
        if hour is None or match["not"] or hour > 24 or bare or lasts or counts:
            continue
        said = match["m"] or ""
        minutes = int(said) if said.isdigit() else PARTS.get(said, 0)
        start = match.start("h")
        found.add("time", start, match.end(), _halves(hour * 60 + minutes, match["half"], loose=hour <= 12))
    for match in SPELLED_CLOCK.finditer(text):
        hour = spelled(match["h"], language)
        if hour is not None and 1 <= hour <= 12:
            minutes = PARTS.get(match["m"] or "", 0)
            found.add("time", match.start(), match.end(), _halves(hour * 60 + minutes, match["half"], loose=False))
    for match in PART.finditer(text):
        found.add("time", match.start(), match.end(), PARTS_OF_DAY[match.lastgroup or ""], "part")
    for match in NOON.finditer(text):
        found.add("time", match.start(), match.end(), (720 if match["noon"] else 0,))


def _times_in_words(text: str, language: str, found: Found) -> None:
    """ "half past six", "a quarter of an hour", "Monday 9 to 5"."""
    for match in PAST.finditer(text):
        hour = int(match["h"]) if match["h"].isdigit() else spelled(match["h"], language)
        if hour is not None and hour <= 12:
            minutes = hour * 60 + PAST_MINUTES[match["part"]]
            found.add(
                "time", match.start(), match.end(), _halves(minutes, match["half"] and match["half"][7:], loose=True)
            )
    for match in BEFORE.finditer(text):
        said, left = match["h"] or match["es"], match["n"] or match["less"]
        twelve = 24 if "noi" in said or "noc" in said else 12
        full = twelve if said.startswith("me") else _small(said, language)
        missing = 15 if left.endswith(("quarto", "cuarto")) else _small(left, language)
        if full and missing and full <= 24 and missing < 60:
            found.add("time", match.start(), match.end(), _halves(full * 60 - missing, None, loose=full < 12))
    for match in QUARTER.finditer(text):
        found.add("quantity", match.start(), match.end(), 1500, "minute")
    for match in BARE_RANGE.finditer(text):
        for group in ("a", "b"):
            found.add("time", *match.span(group), _halves(int(match[group]) * 60, None, loose=True), "range")


def _small(word: str, language: str) -> int | None:
    return int(word) if word.isdigit() else spelled(word, language)


def part_of_day(word: str) -> tuple[int, ...] | None:
    """The minutes of "morning", "tarde" or "noche" where it stands alone, as results have it."""
    match = PART.fullmatch(f"de {word}") or PART.fullmatch(f"in the {word}")
    return PARTS_OF_DAY[match.lastgroup or ""] if match else None


def _halves(minutes: int, half: str | None, *, loose: bool) -> tuple[int, ...]:
    """The minutes of the day that are meant: two of them where the text leaves the half of the day open."""
    said = (half or "").replace(".", "").strip()
    if said.startswith("p") or said.endswith(("tarde", "noite", "noche", "afternoon", "evening")):
        return (minutes if minutes >= 720 else minutes + 720,)
    if said:
        return (minutes % 720,)
    return (minutes, minutes + 720) if loose and minutes < 720 else (minutes % 1440,)
