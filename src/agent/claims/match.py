"""Whether a value of a reply stands behind a source: the same, in another form, or computed from what is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from agent.claims.derived import LASTING, derived, roughly_derived
from agent.claims.lexicon import concept_of
from agent.claims.same import NUMERIC, TO_MINUTES, TO_MONTHS, same
from agent.claims.sources import Index, Known, Path
from agent.claims.values import Value

_SPECIFIC: Final = frozenset(
    ["freight", "discount", "refund", "fine", "interest", "deposit", "installment", "fee", "cashback", "tax"]
)
_AMOUNT_ROLES: Final = _SPECIFIC | {"total", "price", "balance"}
_DAY_ROLES: Final = {
    "expire": "due", "deadline": "due", "deliver": "arrive", "arrive": "arrive", "ship": "ship", "pay": "pay", "refund": "refund",
}  # fmt: skip
_SENDING: Final = frozenset({"freight", "deliver", "ship"})


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside a value of a reply: the concepts, the words and other values, and whether all is denied."""

    roles: frozenset[str]
    labels: frozenset[Any]
    negative: bool
    rough: bool = False
    """The value is said to be rounded ("quase")."""
    compared: bool = False
    """The words around set two things against each other ("15 minutes later")."""
    plain: bool = False
    """Nothing around speaks of several things, or of a share: nothing was computed."""


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
        if found is None and (ref := roughly_derived(value, index)):
            return ref, ()
        return (found.ref, (found.path,)) if found else None
    if value.kind == "money" and around.plain and not any(known.path[0] != "text" for known in index.known):
        return None  # "the daily rate is 45": prices of a list add up to anything
    ref = derived(value, index, list(also), compared=around.compared)
    return (ref, ()) if ref else None


def echoed(value: Value, index: Index) -> bool:
    return any(same(value, other) for other in index.echo)


def _near(value: Value, other: Value) -> bool:
    """Whether one is the other rounded: within three in a hundred."""
    alike = other.kind in NUMERIC and (value.unit == other.unit or not other.unit or value.kind == "money")
    return alike and abs(value.norm - other.norm) * 100 <= 3 * other.norm


def _unitless(value: Value, known: Known) -> bool:
    """A bare number of a result says nothing about a time, unless its name does."""
    lasts = value.kind == "quantity" and (
        value.unit in TO_MINUTES or value.unit in TO_MONTHS or value.unit == "businessday"
    )
    if value.unit == "year" and known.aged:
        return False
    return lasts and known.value.kind == "number" and not known.roles & LASTING


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
        return bool(days and told and not days & told) and not {"pay", "due"} <= days | told
    return False


@lru_cache(maxsize=1024)
def _key_concepts(function: str) -> frozenset[str]:
    return frozenset(filter(None, map(concept_of, function.lower().split("_"))))


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
