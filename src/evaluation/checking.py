"""Expectations against what was seen. Every expectation leaves a check behind, whether or not it held."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from agent.language import detect_language
from domain.decisions import ToolCall
from evaluation.expectations import Bounds, Condition, ExpectedCall
from evaluation.results import Check
from evaluation.seen import Seen
from flows.tenant_declaration import resolve_days

_MOST_SHOWN: Final = 300
_ANY_KEY: Final = "*"

Found = tuple[bool, str, str]
"""Whether it held, what was expected, what there was."""


def checks(expected: Condition, seen: Seen, step: int) -> list[Check]:
    """One per expectation given. ``step``: from 1, or 0 for the case as a whole."""
    found: list[Check] = []
    for name in type(expected).model_fields:
        look = _LOOKS.get(name)
        wanted = getattr(expected, name)
        if look is None or name not in expected.model_fields_set or wanted is None:
            continue
        found += [Check(name, held, step, _short(want), _short(got)) for held, want, got in look(wanted, seen)]
    return found


def holds(condition: Condition, seen: Seen) -> bool:
    """Whether all of it holds."""
    return all(check.passed for check in checks(condition, seen, 0))


def fits(expected: Any, found: Any) -> bool:
    """Whether a JSON value is as expected: of an object the keys that are named, all else alike.

    ``{"$any": true}`` fits everything that is there, ``{"$matches": pattern}`` texts and numbers, ``{"$not": value}``
    what does not fit.
    """
    match expected:
        case {"$any": True}:
            return found is not None
        case {"$matches": str(pattern)}:
            return found is not None and re.search(pattern, str(found), re.IGNORECASE) is not None
        case {"$not": unwanted}:
            return not fits(unwanted, found)
        case Mapping():
            return isinstance(found, Mapping) and all(
                key in found and fits(value, found[key]) for key, value in expected.items()
            )
        case list() | tuple():
            same = isinstance(found, list | tuple) and len(found) == len(expected)
            return same and all(fits(one, other) for one, other in zip(expected, found, strict=True))
        case bool():
            return found is expected
        case _:
            return type(found) is not bool and bool(expected == found)


def _one_of(got: Callable[[Seen], str | None]) -> Callable[[Sequence[str], Seen], Iterator[Found]]:
    def look(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
        found = str(got(seen) or "none")
        yield found in wanted, " or ".join(wanted), found

    return look


def _intent(seen: Seen) -> str | None:
    return seen.last.result.trace.intent if seen.last else None


def _decision(seen: Seen) -> str:
    return seen.last.decision.kind if seen.last else "none"


def _within(got: Callable[[Seen], float | None]) -> Callable[[Bounds, Seen], Iterator[Found]]:
    def look(wanted: Bounds, seen: Seen) -> Iterator[Found]:
        found = got(seen)
        yield found is not None and wanted.hold(found), str(wanted), "none" if found is None else f"{found:g}"

    return look


def _confidence(seen: Seen) -> float | None:
    return seen.last.result.trace.confidence if seen.last else None


def _calls(wanted: Any, seen: Seen) -> Iterator[Found]:
    made, got = seen.calls, _listed(seen.calls)
    if wanted.exactly is not None:
        same = len(made) == len(wanted.exactly)
        same = same and all(_is(one, call) for one, call in zip(wanted.exactly, made, strict=True))
        yield same, f"exactly {_wanted(wanted.exactly)}", got
    for one in wanted.includes:
        yield any(_is(one, call) for call in made), _wanted([one]), got
    if wanted.in_order:
        rest = iter(made)
        ordered = all(any(_is(one, call) for call in rest) for one in wanted.in_order)
        yield ordered, f"in this order {_wanted(wanted.in_order)}", got
    if wanted.only is not None:
        others = [call for call in made if not any(_is(one, call) for one in wanted.only)]
        yield not others, f"only {_wanted(wanted.only)}", got
    for one in wanted.never:
        yield not any(_is(one, call) for call in made), f"never {_wanted([one])}", got


def _is(wanted: ExpectedCall, call: ToolCall) -> bool:
    return (
        wanted.function == call.function
        and wanted.outcome in {None, call.outcome}
        and fits(wanted.arguments, call.arguments)
    )


def _collected(wanted: Mapping[str, Any], seen: Seen) -> Iterator[Found]:
    got: dict[str, Any] = {}
    for turn in seen.turns:
        got |= turn.collected
    for name, value in resolve_days(wanted, seen.today).items():
        yield name in got and fits(value, got[name]), f"{name}={value!r}", f"{name}={got.get(name)!r}"


def _records(wanted: Mapping[str, Mapping[str, Any]], seen: Seen) -> Iterator[Found]:
    for collection, rows in resolve_days(wanted, seen.today).items():
        there = seen.after.get(collection, {})
        for key, value in rows.items():
            place = f"{collection}.{key}"
            if key == _ANY_KEY:
                yield any(fits(value, row) for row in there.values()), f"some {collection} {value!r}", repr(dict(there))
            elif value is None:
                yield key not in there, f"no {place}", repr(there.get(key))
            else:
                row = there.get(key)
                yield fits(value, row), f"{place} {value!r}", repr(_named(row, value))


def _named(row: Mapping[str, Any] | None, wanted: Any) -> Any:
    """Of a record what was asked about."""
    return {key: row.get(key) for key in wanted} if row is not None and isinstance(wanted, Mapping) else row


def _records_unchanged(wanted: bool | Sequence[str], seen: Seen) -> Iterator[Found]:
    if wanted is False:
        return
    collections = sorted(seen.before.keys() | seen.after.keys()) if wanted is True else wanted
    changed = [
        f"{collection}.{key}"
        for collection in collections
        for key in sorted(seen.before.get(collection, {}).keys() | seen.after.get(collection, {}).keys())
        if seen.before.get(collection, {}).get(key) != seen.after.get(collection, {}).get(key)
    ]
    yield not changed, "nothing changed", f"changed: {', '.join(changed)}" if changed else "nothing changed"


def _contains(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    text = _text(seen)
    yield from ((_holds(text, part), part, text) for part in wanted)


def _contains_any(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    text = _text(seen)
    yield any(_holds(text, part) for part in wanted), " or ".join(wanted), text


def _lacks(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    text = _text(seen)
    yield from ((not _holds(text, part), f"without {part}", text) for part in wanted)


def _matches(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    text = _text(seen)
    yield from ((re.search(pattern, text, re.IGNORECASE) is not None, pattern, text) for pattern in wanted)


def _matches_not(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    text = _text(seen)
    yield from ((re.search(pattern, text, re.IGNORECASE) is None, f"not {pattern}", text) for pattern in wanted)


def _language(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    # What is too short to tell is as the agent meant it.
    meant = seen.last.result.language if seen.last else ""
    got = detect_language(_text(seen), meant)
    yield got in wanted, " or ".join(wanted), got or "nothing said"


def _cites(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    refs = list(dict.fromkeys(ref for turn in seen.turns for ref in turn.sources))
    for source in wanted:
        held = any(source in {ref, ref.partition("#")[0]} for ref in refs)
        yield held, source, ", ".join(refs) or "no source"


def _unsupported_claims(wanted: str | Sequence[str], seen: Seen) -> Iterator[Found]:
    claims = [claim for turn in seen.turns for claim in turn.result.trace.claims if claim.supported_by is None]
    got = "; ".join(f"{claim.kind}: {claim.text}" for claim in claims) or "none"
    if isinstance(wanted, str):
        yield bool(claims) is (wanted == "some"), wanted, got
    else:
        yield from ((any(_holds(claim.text, part) for claim in claims), part, got) for part in wanted)


def _reasons(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    got = _codes(seen)
    yield from ((code in got, code, ", ".join(got)) for code in wanted)


def _reasons_lack(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    got = _codes(seen)
    yield from ((code not in got, f"without {code}", ", ".join(got)) for code in wanted)


def _codes(seen: Seen) -> list[str]:
    return list(dict.fromkeys(reason.code for turn in seen.turns for reason in turn.reasons))


def _received(wanted: Sequence[str], seen: Seen) -> Iterator[Found]:
    same = len(wanted) == len(seen.received)
    same = same and all(_holds(text, part) for part, text in zip(wanted, seen.received, strict=True))
    yield same, f"{len(wanted)}: {list(wanted)}", f"{len(seen.received)}: {list(seen.received)}"


def _status(wanted: str, seen: Seen) -> Iterator[Found]:
    yield seen.status == wanted, wanted, seen.status


def _opted_out(wanted: bool, seen: Seen) -> Iterator[Found]:
    yield seen.opted_out is wanted, str(wanted).lower(), str(seen.opted_out).lower()


def _text(seen: Seen) -> str:
    return "\n".join(seen.texts)


def _holds(text: str, part: str) -> bool:
    return part.casefold() in text.casefold()


def _wanted(calls: Sequence[ExpectedCall]) -> str:
    return ", ".join(_call(call.function, call.arguments, call.outcome) for call in calls) or "no call"


def _listed(calls: Sequence[ToolCall]) -> str:
    return ", ".join(_call(call.function, call.arguments, call.outcome) for call in calls) or "no call"


def _call(function: str, arguments: Mapping[str, Any], outcome: str | None) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"{function}({given})" + (f" {outcome}" if outcome else "")


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


_LOOKS: Final[Mapping[str, Callable[[Any, Seen], Iterator[Found]]]] = {
    "intent": _one_of(_intent),
    "confidence": _within(_confidence),
    "decision": _one_of(_decision),
    "handoff_reason": _one_of(lambda seen: seen.last.handoff_reason if seen.last else None),
    "calls": _calls,
    "asks": _one_of(lambda seen: seen.last.asked if seen.last else None),
    "collected": _collected,
    "records": _records,
    "records_unchanged": _records_unchanged,
    "contains": _contains,
    "contains_any": _contains_any,
    "lacks": _lacks,
    "matches": _matches,
    "matches_not": _matches_not,
    "language": _language,
    "cites": _cites,
    "unsupported_claims": _unsupported_claims,
    "reasons": _reasons,
    "reasons_lack": _reasons_lack,
    "length": _within(lambda seen: max((len(text) for text in seen.texts), default=0)),
    "received": _received,
    "turns": _within(lambda seen: len(seen.turns)),
    "status": _status,
    "opted_out": _opted_out,
    "latency_ms": _within(lambda seen: seen.latency_ms),
    "cost": _within(lambda seen: seen.cost_micros / 1e6),
    "model_calls": _within(lambda seen: seen.model_calls),
}
