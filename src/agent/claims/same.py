"""Whether two values mean the same thing, however they are written."""

from __future__ import annotations

from datetime import date
from typing import Final

from agent.claims.values import Value

NUMERIC: Final = frozenset({"money", "percent", "number", "quantity"})
TO_MINUTES: Final = {"minute": 1, "hour": 60, "day": 1440, "week": 10080}
TO_MONTHS: Final = {"month": 1, "year": 12}


def same(one: Value, other: Value) -> bool:
    """Whether two values mean the same thing, as far as both say."""
    match one.kind:
        case "money" | "percent" | "number" | "quantity" if other.kind in NUMERIC:
            return _same_amount(one, other)
        case "date" if (
            other.kind in {"number", "code"} and one.norm[:2] == (None, None) and one.unit != "day"
        ):  # "el 14": the bus, not the day
            return digits(other) == str(one.norm[2])
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
            return bool((min(one.norm) or 1440) * 100 == other.norm * TO_MINUTES[other.unit])
        case "time" if other.kind == "time":
            return (one.unit == "part" or other.unit != "part") and not set(one.norm).isdisjoint(other.norm)
        case "code" | "phone" | "number" if other.kind in {"code", "phone"}:
            return _same_code(digits(one), digits(other))
        case "code" | "phone" if other.kind in {"number", "quantity"}:
            return digits(one) == str(other.norm // 100)
        case "url" if other.kind in {"url", "email"}:
            return bool(other.norm == one.norm or ("/" not in one.norm and str(other.norm).split("/")[0] == one.norm))
    return one.kind == other.kind and bool(one.norm == other.norm)


def digits(value: Value) -> str:
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
        for table in (TO_MINUTES, TO_MONTHS):
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
