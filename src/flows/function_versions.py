"""What people and programs may change of a business function: its version, and before and after for the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flows.functions import IDENTITY, REQUIRED
from flows.versions import version_of
from store.functions import FunctionRow

_LONGEST: Final = 200


def function_version(row: FunctionRow) -> str:
    """The version of all that may be changed."""
    return version_of(*_edited(row).values())


def differences(before: FunctionRow | None, now: FunctionRow | None) -> dict[str, list[Any]]:
    """Before and after, by field, of what differs. A declaration names secrets, and holds none."""
    was, is_now = (_edited(row) if row else {} for row in (before, now))
    return {name: [was.get(name), is_now.get(name)] for name in was | is_now if was.get(name) != is_now.get(name)}


def imported_differences(
    before: Mapping[str, FunctionRow], now: Mapping[str, FunctionRow], names: Iterable[str]
) -> dict[str, list[str | None]]:
    """The same of many functions, one line for each: a document may bring hundreds."""
    return {name: [_line(before.get(name)), _line(now.get(name))] for name in sorted(names)}


def _line(row: FunctionRow | None) -> str | None:
    if row is None:
        return None
    words = (row.kind, row.effect, str(row.details.get("calls") or row.details.get("tool") or ""))
    trust = "trusted" if row.trusted else "asks first"
    line = " ".join(filter(None, (*words, trust if row.effect == "write" else "", function_version(row))))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _edited(row: FunctionRow) -> dict[str, Any]:
    declared = dict(row.declaration)
    return {
        "kind": row.kind,
        "effect": row.effect,
        "source": row.shown_source,
        "needs_identity": declared.pop(IDENTITY, None) == REQUIRED,
        "declaration": declared,
        "trusted": row.trusted,
        "trusted_for": list(row.trusted_for),
        "enabled": row.enabled,
    }
