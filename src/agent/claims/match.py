"""Whether a value of a reply stands behind a source: the same, in another form, or computed from what is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import combinations
from typing import Any, Final

from agent.claims.lexicon import concept_of
from agent.claims.sources import Index, Known, Path
from agent.claims.values import Value

NUMERIC: Final = frozenset({"money", "percent", "number", "quantity"})
_TO_MINUTES: Final = {"minute": 1, "hour": 60, "day": 1440, "week": 10080}
_TO_MONTHS: Final = {"month": 1, "year": 12}
_SPECIFIC: Final = frozenset(
    ["freight", "discount", "refund", "fine", "interest", "deposit", "installment", "fee", "cashback", "tax"]
)
_AMOUNT_ROLES: Final = _SPECIFIC | {"total", "price", "balance"}
_DAY_ROLES: Final = {
    "expire": "due", "deadline": "due", "deliver": "arrive", "arrive": "arrive", "ship": "ship", "pay": "pay", "refund": "refund",
}  # fmt: skip
_SENDING: Final = frozenset({"freight", "deliver", "ship"})
_SPANS: Final = frozenset({*_TO_MINUTES, *_TO_MONTHS, "businessday", "percent"})
_LASTING: Final = frozenset("deadline warranty duration delay expire await guarantee date".split())
_MOST: Final = 40
"""Numbers that are combined: a price list of hundreds proves anything."""


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside a value of a reply: the concepts, the words and other values, and whether all is denied."""

    roles: frozenset[str]
    labels: frozenset[Any]
    negative: bool
    rough: bool = False
    """The value is said to be rounded ("quase")."""


def find_support(
    value: Value, index: Index, around: Around, *, also: Iterable[Value] = ()
) -> tuple[str, tuple[Path, ...]] | None:
    """The source of ``value`` and the places in it, or None. ``also``: counts that the conversation names."""
    if (
        value.kind == "money"
        and not around.negative
        and any(known.value.norm == -value.norm and known.value.kind in NUMERIC for known in index.known)
    ):
        return None  # what is owed said as what is had
    hits = [known for known in index.known if same(value, known.value) and not _unitless(value, known)]
    fitting = [
        known
        for known in hits
        if not _contradicts(value, around, known, index) and not _mislabelled(around, known, index)
    ]
    if fitting:
        return fitting[0].ref, tuple(known.path for known in fitting)
    if hits:
        return None
    if around.rough and value.kind in NUMERIC:
        near = (known for known in index.known if _near(value, known.value))
        found = next((known for known in near if not _contradicts(value, around, known, index)), None)
        return (found.ref, (found.path,)) if found else None
    derived = _derived(value, index, list(also))
    return (derived, ()) if derived else None


_ANNUAL: Final = re.compile(r"\b(?:anual|anuais|anuales|annual|yearly|per year|por ano|al ano)\b")


def _of_a_year(value: Value, index: Index) -> str | None:
    """Twelve months where a source speaks of a year."""
    if value.unit not in _TO_MONTHS or value.norm * _TO_MONTHS[value.unit] != 1200:
        return None
    return next((ref for text, ref in index.texts if _ANNUAL.search(text)), None)


def echoed(value: Value, index: Index) -> bool:
    return any(same(value, other) for other in index.echo)


def same(one: Value, other: Value) -> bool:
    """Whether two values mean the same thing, as far as both say."""
    match one.kind:
        case "money" | "percent" | "number" | "quantity" if other.kind in NUMERIC:
            return _same_amount(one, other)
        case "date" if other.kind in {"number", "code"} and one.norm[:2] == (
            None,
            None,
        ):  # "el 14": the bus, not the day
            return _digits(other) == str(one.norm[2])
        case "date" if other.kind == "date":
            return _same_day(one.norm, other.norm)
        case "weekday":
            return bool(one.norm == (other.norm if other.kind == "weekday" else _weekday(other)))
        case "period":
            day = _day(other)
            return bool(one.norm == other.norm or (day and one.norm[0] <= day.toordinal() <= one.norm[1]))
        case "month" if other.kind in {"month", "date"}:
            year, month = other.norm[0], other.norm[1]
            return bool(month == one.norm[1] and (one.norm[0] is None or year is None or year == one.norm[0]))
        case "time" if other.kind == "quantity" and other.unit in {"hour", "minute"}:  # "8h de jejum"
            return bool(min(one.norm) * 100 == other.norm * _TO_MINUTES[other.unit])
        case "time" if other.kind == "time":
            return (one.unit == "part" or other.unit != "part") and not set(one.norm).isdisjoint(other.norm)
        case "code" | "phone" | "number" if other.kind in {"code", "phone"}:
            return _same_code(_digits(one), _digits(other))
        case "code" | "phone" if other.kind in {"number", "quantity"}:
            return _digits(one) == str(other.norm // 100)
        case "url" if other.kind in {"url", "email"}:
            return bool(other.norm == one.norm or ("/" not in one.norm and str(other.norm).split("/")[0] == one.norm))
    return one.kind == other.kind and bool(one.norm == other.norm)


def _digits(value: Value) -> str:
    return str(value.norm // 100) if value.kind == "number" else str(value.norm)


def _same_code(one: str, other: str) -> bool:
    if one == other:
        return True
    if one.isdigit() and other.isdigit():
        short, long = sorted((one, other), key=len)
        return len(short) >= 8 and long.endswith(short)
    return False


def _same_amount(one: Value, other: Value) -> bool:
    if one.kind == "money" and other.kind == "money" and one.unit and other.unit and one.unit != other.unit:
        return False
    if "percent" in {one.kind, other.kind} and {one.kind, other.kind} & {"money", "quantity"}:
        return one.norm == other.norm and "percent" in {one.unit, other.unit}
    if (one.kind == "money" and other.kind == "quantity") or (one.kind == "quantity" and other.kind == "money"):
        return False
    if {one.unit, other.unit} == {"installment", "nth"}:
        return bool(one.norm == other.norm)  # "three times" and "the third time"
    if one.kind == "quantity" and other.kind == "quantity" and one.unit != other.unit:
        for table in (_TO_MINUTES, _TO_MONTHS):
            if one.unit in table and other.unit in table:
                return bool(one.norm * table[one.unit] == other.norm * table[other.unit])
        return {one.unit, other.unit} == {"day", "month"} and _in_days(one) == _in_days(other)
    return bool(one.norm == other.norm)


def _in_days(value: Value) -> int:
    """Thirty days are a month in what people say."""
    return int(value.norm) * (30 if value.unit == "month" else 1)


def _same_day(one: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _weekday(value: Value) -> int | None:
    day = _day(value)
    return day.weekday() if day else None


def _day(value: Value) -> date | None:
    if value.kind != "date" or None in value.norm:
        return None
    try:
        return date(*value.norm)
    except ValueError:
        return None


def _near(value: Value, other: Value) -> bool:
    """Whether one is the other rounded: within three in a hundred."""
    alike = other.kind in NUMERIC and (value.unit == other.unit or not other.unit or value.kind == "money")
    return alike and abs(value.norm - other.norm) * 100 <= 3 * other.norm


def _unitless(value: Value, known: Known) -> bool:
    """A bare number of a result says nothing about a time, unless its name does."""
    lasts = value.kind == "quantity" and (
        value.unit in _TO_MINUTES or value.unit in _TO_MONTHS or value.unit == "businessday"
    )
    return lasts and known.value.kind == "number" and not known.roles & _LASTING


def _mislabelled(around: Around, known: Known, index: Index) -> bool:
    """Whether a text gives this value for one thing and the reply for another, to which the text gives another value."""
    if not known.labels or not around.labels:
        return False
    for other in index.known:
        if (
            other.path == known.path
            and other.value.kind == known.value.kind
            and other.value.norm != known.value.norm
            and other.labels != known.labels
        ):
            own, theirs = known.labels - other.labels, other.labels - known.labels
            if around.labels & theirs and not around.labels & own:
                return True
    return False


def _contradicts(value: Value, around: Around, known: Known, index: Index) -> bool:
    """Whether the words around say that these are two different things: the freight is not the total."""
    if value.kind == "weekday":
        return known.value.kind == "weekday" and around.negative != known.negative
    said = around.roles
    if value.kind == "money":
        here, there = said & _AMOUNT_ROLES, known.roles & _AMOUNT_ROLES
        if here <= {"freight"} and not known.roles & _SPECIFIC and known.path[0] != "text":
            there = (
                there if _SENDING.isdisjoint(_key_concepts(known.path[0][0])) else here
            )  # the price that a quote of a delivery gives
        if here and not here & _SPECIFIC and not any(here & other.roles for other in index.known):
            return False  # "the updated amount": the source has no other amount that is meant
        return bool(here and there and not here & there and (here & _SPECIFIC or there & _SPECIFIC))
    if value.kind == "date":
        days, told = ({_DAY_ROLES[one] for one in group if one in _DAY_ROLES} for group in (said, known.roles))
        return bool(days and told and not days & told)
    return False


@lru_cache(maxsize=1024)
def _key_concepts(function: str) -> frozenset[str]:
    return frozenset(filter(None, map(concept_of, function.lower().split("_"))))


def _derived(value: Value, index: Index, also: list[Value]) -> str | None:
    """The source from which ``value`` follows by arithmetic or by the calendar."""
    if value.kind in NUMERIC:
        return _computed(value, index, also)
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
        if (value.kind == "number" and known.roles & _LASTING) or value.unit in {"day", "week", "businessday", "hour"}:
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
        (known.value.norm * _TO_MINUTES[known.value.unit] // 100, known.ref)
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


def _computed(value: Value, index: Index, also: list[Value]) -> str | None:
    wanted = value.norm
    if value.kind == "money":
        listed = [other.norm for other in also if other.kind == "money" and other is not value and other.norm][:8]
        for size in range(2, min(5, len(listed)) + 1):
            if any(sum(chosen) == wanted for chosen in combinations(listed, size)):
                return "arithmetic"
        if any(abs(a - b) == wanted for a, b in combinations(listed, 2)):
            return "arithmetic"
        shown = {
            other.norm
            for other in also
            if other.kind in {"number", "quantity"} and other is not value and other.norm > 100
        }
        if any(a * n // 100 + sum(rest) == wanted for a in listed for n in shown for rest in _others(listed, a)):
            return "arithmetic"
    if value.kind in {"number", "quantity"}:
        found = _counted(value, index)
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
    if value.kind == "quantity" and value.unit not in {"installment", "unit", "person", "session", "slot", "point"}:
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


def _counted(value: Value, index: Index) -> str | None:
    """A number of things that a result lists, or of days between two that are known."""
    if value.unit in _TO_MONTHS and (year := _of_a_year(value, index)):
        return year
    if value.unit in _TO_MINUTES and value.unit != "week":
        same_unit = [
            k for k in index.known if k.value.kind == "quantity" and k.value.unit == value.unit and k.path[0] != "text"
        ]
        for one, other in combinations(same_unit[:_MOST], 2):
            if abs(one.value.norm - other.value.norm) == value.norm:
                return one.ref
    if value.unit in {"hour", "minute"}:
        return _hours(value.norm * _TO_MINUTES[value.unit] // 100, index)
    if value.norm % 100:
        return None
    count = value.norm // 100
    things = value.kind == "number" or value.unit in {"unit", "slot", "person", "session", "installment"}
    if things and count in index.lengths:
        return index.lengths[count]
    if value.unit in {"day", "week", "hour", "businessday", "month", "year"} or value.kind == "number":
        days = [day for day, _ in _known_days(index)]
        ref = next((ref for _, ref in _known_days(index)), None)
        scale = {"week": 7}.get(value.unit, 1)
        if value.unit in {"month", "year"}:
            months = count * (12 if value.unit == "year" else 1)
            apart = {abs((a.year - b.year) * 12 + a.month - b.month) for a in days for b in [*days, index.today]}
            return ref if months in apart else None
        for day in days[:20]:
            for other in [index.today, *days[:20]]:
                gap = abs((day - other).days)
                if gap and gap == count * scale and value.unit != "businessday":
                    return ref
                if value.unit == "businessday" and gap and _business(min(day, other), count) == max(day, other):
                    return ref
    return None


def _hours(wanted: int, index: Index) -> str | None:
    """The minutes between two times that are known, or between one and now."""
    times = [
        (minutes, known.ref) for known in index.known if known.value.kind == "time" for minutes in known.value.norm
    ]
    now = index.sources.now.hour * 60 + index.sources.now.minute
    for minutes, ref in times:
        if any(abs(minutes - other) == wanted for other in [now, *(m for m, _ in times)]):
            return ref
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


def agree(one: tuple[Path, ...], other: tuple[Path, ...]) -> bool:
    """Whether two findings may be about the same thing: one stands inside the other's record. No path fits all."""
    if not one or not other:
        return True
    return any(_inside(a, b) for a in one for b in other)


def _inside(one: Path, other: Path) -> bool:
    if one[0] == "text" or other[0] == "text" or one[0][0] != other[0][0]:
        return True  # another function's result speaks of the same matter
    short, long = sorted((one, other), key=len)
    return long[: len(short)] == short
