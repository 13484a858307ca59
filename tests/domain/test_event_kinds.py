"""One list of events: what the source writes, what subscribers may ask for, and what the documents show."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from domain.event_kinds import KINDS, TOLD, WITHIN, markdown, wants
from flows.notifications import CONCERNS
from flows.outgoing_webhooks import checked_kinds
from store.event_families import AUDIT_FAMILIES

ROOT = Path(__file__).parents[2]
WRITERS = ("flows", "store", "app")
"""Packages that write events."""
KIND = re.compile(r"[a-z_]+\.[a-z_]+")
QUOTED = re.compile(r"'([a-z_]+\.[a-z_]+)'")
COMPOSED = {
    "autonomy": ("promoted", "fell_back", "vetoed", "veto_lifted"),
    "bundle": ("published", "rolled_back", "canary", "canary_ended"),
    "eval_case": ("proposed", "changed", "accepted", "dropped", "reopened"),
    "webhook": ("added", "changed", "enabled", "removed"),
}
"""Kinds whose second word is a variable: f"bundle.{kind}"."""
NO_EVENTS = {
    *CONCERNS,  # what people are notified of has names of its own
    "contact.address",
    "contact.first_name",
    "contact.id",
    "contact.name",
    "contact.phone",
    "conversation.id",
    "conversation.hidden",  # told over /ws instead of what it hides
    "conversation.taken_up",  # how a thread shows a reopening
    "functions.py",
    "knowledge.remove",
    "message.id",
    "presence.absent_after_minutes",
    "satisfaction.after_minutes",
    "satisfaction.ask",
    "satisfaction.every_days",
    "tenant.id",
    "tenant.yaml",
    "trade.yaml",
} - {*TOLD, *WITHIN}
"""Words of the same form: settings, variables, files."""


def _literals(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if KIND.fullmatch(node.value):
                yield node.value
            yield from QUOTED.findall(node.value)


def _written() -> set[str]:
    found = {f"{family}.{word}" for family, words in COMPOSED.items() for word in words}
    for package in WRITERS:
        for path in (ROOT / "src" / package).rglob("*.py"):
            found |= set(_literals(path.read_text("utf-8")))
        for path in (ROOT / "src" / package).rglob("*.sql"):
            found |= set(QUOTED.findall(path.read_text("utf-8")))
    families = {kind.partition(".")[0] for kind in (*TOLD, *WITHIN)} | set(AUDIT_FAMILIES)
    return {kind for kind in found if kind.partition(".")[0] in families} - NO_EVENTS


def test_that_every_kind_that_is_written_is_told_of_or_kept_within_and_none_is_invented() -> None:
    written = _written()
    known = {*TOLD, *WITHIN}
    assert written - known == set(), "say in domain/event_kinds.py what it tells of, or that it stays within"
    assert known - written == set(), "nothing writes these"
    assert set(TOLD) & WITHIN == set()


def test_that_each_kind_can_be_asked_for_by_name_and_what_stays_within_by_none() -> None:
    assert checked_kinds(KINDS) == list(KINDS)
    for kind in KINDS:
        assert wants([kind], kind)
        assert wants([f"{kind.partition('.')[0]}.*"], kind)
        assert wants(["*"], kind)
    for kind in WITHIN:
        assert not wants(["*", kind, f"{kind.partition('.')[0]}.*"], kind)
    assert wants(["*"], "something.of_a_later_version")


def test_that_the_documents_show_the_list() -> None:
    assert markdown() in (ROOT / "docs" / "outgoing-webhooks.md").read_text("utf-8"), "make events"
