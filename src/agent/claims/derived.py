"""Values that follow from what is known, by arithmetic or by the calendar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations
from typing import Final

from agent.claims.same import NUMERIC, TO_MINUTES, TO_MONTHS, same
from agent.claims.sources import Index, Known
from agent.claims.values import Value

_SPANS: Final = frozenset({*TO_MINUTES, *TO_MONTHS, "businessday", "percent"})
LASTING: Final = frozenset("deadline warranty duration delay expire await guarantee date".split())
_COUNTED: Final = frozenset("installment unit person session slot point km kg g m cm l ml mega".split())
"""Units of which sums and differences are told: "restam 6,6 GB"."""
_MOST: Final = 40
"""Numbers that are combined: a price list of hundreds proves anything."""
_ANNUAL: Final = re.compile(r"\b(?:anual|anuais|anuales|annual|yearly|per year|por ano|al ano)\b")


def roughly_derived(value: Value, index: Index) -> str | None:
    """The source from which about ``value`` follows: the time until a known hour, a share of two amounts, a difference.

    About: within a tenth of a length of time, three hundredths of anything else.
    """
    if value.kind == "quantity" and value.unit in {"hour", "minute"}:
        wanted = value.norm * TO_MINUTES[value.unit] / 100
        now = index.sources.now.hour * 60 + index.sources.now.minute
        times = (
            (minutes, known) for known in index.known if known.value.kind == "time" for minutes in known.value.norm
        )
        return next((known.ref for minutes, known in times if abs(minutes - now - wanted) * 10 <= wanted), None)
    numbers = [k for k in index.known if k.value.kind in NUMERIC and k.value.norm > 0 and k.path[0] != "text"][:_MOST]
    for one, other in combinations(numbers, 2):
        low, high = sorted((one.value.norm, other.value.norm))
        result = low * 10_000 / high if value.kind == "percent" else high - low
        if one.value.unit == other.value.unit and abs(result - value.norm) * 100 <= 3 * value.norm:
            return one.ref
    return None


def _of_a_year(value: Value, index: Index) -> str | None:
    """Twelve months where a source speaks of a year."""
    if value.unit not in TO_MONTHS or value.norm * TO_MONTHS[value.unit] != 1200:
        return None
    return next((ref for text, ref in index.texts if _ANNUAL.search(text)), None)


def derived(value: Value, index: Index, also: list[Value], *, compared: bool = False) -> str | None:
    """The source from which ``value`` follows by arithmetic or by the calendar. ``compared``: two are, by the reply."""
    if value.kind in NUMERIC:
        return _computed(value, index, also, compared=compared)
    if value.kind in {"date", "weekday", "month"}:
        return next((ref for day, ref in _days(index) if same(value, _as_value(day))), None)
    if value.kind == "time" and value.unit != "part":  # "1h30" may also be how long something takes
        length = min(value.norm)
        starts = [
            (minutes, known.ref) for known in index.known if known.value.kind == "time" for minutes in known.value.norm
        ]
        for (one, ref), (other, _) in combinations(starts[:12], 2):
            if length and abs(one - other) == length:
                return ref
    if value.kind == "time":
        return next((ref for minutes, ref in _moments(index) if minutes in value.norm), None)
    if value.kind in {"code", "number"} and len(str(value.norm)) >= 3:
        return None
    if value.kind == "address":
        return _worded(str(value.norm), index)
    return None


def _worded(text: str, index: Index) -> str | None:
    return next((ref for plain, ref in index.texts if text in re.sub(r"[^a-z ]", "", plain)), None)


def _as_value(day: date) -> Value:
    return Value("date", 0, 0, (day.year, day.month, day.day))


def _days(index: Index) -> Iterator[tuple[date, str]]:
    """Days that follow: known ones, and those so many days after or before them or today."""
    years = index.today.year
    bases: list[tuple[date, str]] = []
    for known in index.known:
        if known.value.kind == "date":
            year, month, day = known.value.norm
            if month is not None:
                try:
                    bases.append((date(year or years, month, day), known.ref))
                except ValueError:
                    continue
    yield from bases
    for known in index.known:
        value = known.value
        if value.kind not in {"quantity", "number"} or value.norm % 100 or not 0 < value.norm <= 40_000:
            continue
        count = value.norm // 100
        if (value.kind == "number" and known.roles & LASTING) or value.unit in {"day", "week", "businessday", "hour"}:
            if value.unit == "hour" and count % 24:
                continue
            step = {"week": 7 * count, "hour": count // 24}.get(value.unit, count)
            for base, _ in [*bases[:20], (index.today, "")]:
                yield (_business(base, step) if value.unit == "businessday" else base + timedelta(days=step)), known.ref


def _business(day: date, count: int) -> date:
    while count > 0:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


def _moments(index: Index) -> Iterator[tuple[int, str]]:
    lengths = [
        (known.value.norm * TO_MINUTES[known.value.unit] // 100, known.ref)
        for known in index.known
        if known.value.kind == "quantity" and known.value.unit in {"minute", "hour"}
    ]
    starts = [
        (minutes, known.ref) for known in index.known if known.value.kind == "time" for minutes in known.value.norm
    ]
    now = index.sources.now.hour * 60 + index.sources.now.minute
    for length, ref in lengths:
        for minutes in (now, *(start for start, _ in starts[:_MOST])):
            yield (minutes + length) % 1440, ref
            yield (minutes - length) % 1440, ref


def _adds_up(value: Value, also: list[Value]) -> bool:
    """Whether amounts that the conversation shows make ``value``: a sum, a difference, or so many of one and another."""
    wanted = value.norm
    listed = [other.norm for other in also if other.kind == "money" and other is not value and other.norm][:8]
    for size in range(2, min(5, len(listed)) + 1):
        if any(sum(chosen) == wanted for chosen in combinations(listed, size)):
            return True
    if any(abs(a - b) == wanted for a, b in combinations(listed, 2)):
        return True
    shown = {
        other.norm for other in also if other.kind in {"number", "quantity"} and other is not value and other.norm > 100
    }
    return any(a * n // 100 + sum(rest) == wanted for a in listed for n in shown for rest in _others(listed, a))


def _computed(value: Value, index: Index, also: list[Value], *, compared: bool = False) -> str | None:
    wanted = value.norm
    if value.kind == "money" and _adds_up(value, also):
        return "arithmetic"
    if value.kind in {"number", "quantity"}:
        found = _counted(value, index, compared=compared)
        if found:
            return found
    numbers = [known for known in index.known if known.value.kind in NUMERIC and known.value.norm]
    amounts = [known for known in numbers if known.value.kind in {"money", "number"}][:_MOST]
    amounts += [
        Known(other, "arithmetic", ("text", ""), frozenset())
        for other in index.echo
        if other.kind == "money" or (other.kind == "number" and other.norm >= 10_000)
    ]
    factors = [(known.value.norm, known.ref) for known in numbers if known.value.kind in {"number", "quantity"}][:_MOST]
    factors += [
        (other.norm, "")
        for other in also
        if other is not value and other.kind in {"number", "quantity"} and other.norm and other.norm != wanted
    ]
    shares = [
        (known.value.norm, known.ref)
        for known in numbers
        if known.value.kind == "percent" or known.value.unit == "percent" or known.value.kind == "number"
    ][:_MOST]
    if value.kind == "percent":
        pairs = ((a.value.norm, b.value.norm, a.ref) for a, b in combinations(amounts, 2))
        for a, b, ref in pairs:
            low, high = sorted((a, b))
            if low > 0 and wanted in {
                round(low * 10_000 / high),
                round((high - low) * 10_000 / high),
                round((high - low) * 10_000 / low),
            }:
                return ref
        return None
    if value.kind == "quantity" and value.unit not in _COUNTED:
        return None
    if value.kind in {"number", "quantity"} and wanted > 10_000_000:
        return None
    counts = [known for known in numbers if known.value.kind == "quantity" and known.value.unit not in _SPANS][:_MOST]
    for one, other in combinations(counts, 2):
        if one.value.unit == other.value.unit and wanted in _apart(one, other):
            return one.ref
    return _arithmetic(wanted, amounts, factors, shares)


def _others(listed: list[int], but: int) -> Iterator[tuple[int, ...]]:
    """One or two of ``listed`` besides ``but``."""
    others = [amount for amount in listed if amount != but]
    yield from combinations(others, 1)
    yield from combinations(others, 2)


def _apart(one: Known, other: Known) -> tuple[int, int]:
    return one.value.norm + other.value.norm, abs(one.value.norm - other.value.norm)


def _arithmetic(
    wanted: int, amounts: list[Known], factors: list[tuple[int, str]], shares: list[tuple[int, str]]
) -> str | None:
    for a, b in combinations(amounts, 2):
        one, other = a.value.norm, b.value.norm
        if wanted in {one + other, abs(one - other)}:
            return a.ref
    groups: dict[tuple[frozenset[str], str], list[int]] = {}
    for known in amounts:
        groups.setdefault((known.roles, known.ref), []).append(known.value.norm)
    for (_, ref), group in groups.items():
        if len(group) > 2 and wanted == sum(group):
            return ref
    if len(amounts) in {3, 4} and wanted == sum(known.value.norm for known in amounts):
        return amounts[0].ref
    for known in amounts:
        base = known.value.norm
        for factor, _ in factors:
            if factor != 100 and (wanted == round(base * factor / 100) or abs(wanted - base * 100 / factor) < 1):
                return known.ref
        for share, _ in shares:
            if 0 < share <= 10_000 and any(
                abs(wanted - base * part / 10_000) <= 0.51 for part in (share, 10_000 - share, 10_000 + share)
            ):
                return known.ref
    return None


def _between_lengths(value: Value, index: Index) -> str | None:
    """A length of time that is the difference of two of a result: buses in 7 and in 22 minutes."""
    if value.unit not in {"minute", "hour", "day"}:
        return None
    lengths = [
        known
        for known in index.known
        if known.value.kind == "quantity" and known.value.unit == value.unit and known.path[0] != "text"
    ]
    pairs = combinations(lengths[:_MOST], 2)
    return next((one.ref for one, other in pairs if abs(one.value.norm - other.value.norm) == value.norm), None)


def _counted(value: Value, index: Index, *, compared: bool = False) -> str | None:
    """A number of things that a result lists, or of days between two that are known."""
    if value.unit in TO_MONTHS and (year := _of_a_year(value, index)):
        return year
    if (apart := _between_lengths(value, index)) and compared:
        return apart
    if value.unit in {"hour", "minute"}:
        return _hours(value.norm * TO_MINUTES[value.unit] // 100, index, compared=compared)
    if value.norm % 100:
        return None
    count = value.norm // 100
    things = value.kind == "number" or value.unit in {"unit", "slot", "person", "session", "installment"}
    if things and count in index.lengths:
        return index.lengths[count]
    if value.unit in {"day", "week", "hour", "businessday", "month", "year"} or value.kind == "number":
        return _days_apart(value, index)
    return None


def _days_apart(value: Value, index: Index) -> str | None:
    """So many days, weeks, months between two days that are known, or one and today."""
    known = _known_days(index)[:20]
    days, count = [day for day, _ in known], value.norm // 100
    ref = known[0][1] if known else None
    others = [index.today, *days]
    if value.unit in {"month", "year"}:
        months = count * TO_MONTHS[value.unit]
        apart = {abs((a.year - b.year) * 12 + a.month - b.month) for a in days for b in others}
        return ref if months in apart else None
    for day in days:
        for other in others:
            gap = abs((day - other).days)
            if value.unit == "businessday":
                if gap and _business(min(day, other), count) == max(day, other):
                    return ref
            elif gap and gap == count * (7 if value.unit == "week" else 1):
                return ref
    return None


def _hours(wanted: int, index: Index, *, compared: bool) -> str | None:
    """The minutes between two times that are known, or between one and now."""
    times = [(minutes, known) for known in index.known if known.value.kind == "time" for minutes in known.value.norm]
    now = index.sources.now.hour * 60 + index.sources.now.minute
    for minutes, known in times:
        # How long a shop is open says nothing of how long anything takes.
        others = [m for m, other in times if compared or "text" not in {known.path[0], other.path[0]}]
        if any(abs(minutes - other) == wanted for other in (now, *others)):
            return known.ref
    return None


def _known_days(index: Index) -> list[tuple[date, str]]:
    found = []
    for known in index.known:
        if known.value.kind == "date":
            year, month, day = known.value.norm
            if month is not None:
                try:
                    found.append((date(year or index.today.year, month, day), known.ref))
                except ValueError:
                    continue
    return found
