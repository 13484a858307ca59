"""What tenant.yaml says about attending: read, stored and read back the same; mistakes named with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.decisions import HandOffReason, ReplyMode
from flows.attendance_declaration import AttendanceDeclaration
from flows.declared_files import TenantFilesError
from flows.tenant_declaration import seed_records
from flows.tenant_files import load_tenant
from tests.flows.shop import FOLDER

FULL: dict[str, Any] = {
    "hours": {
        "weekly": {"monday": ["09:00-12:00", "13:30-24:00"]},
        "closed_dates": ["2027-03-01"],
        "special_dates": {"2027-12-24": ["09:00-12:00"], "2027-12-23": []},
        "holidays": {"country": "BR", "state": "MG", "optional": ["Carnival"]},
        "named": {"noon": {"monday": ["11:00-14:00"]}},
    },
    "policy": [{"mode": "off", "hours": "noon", "tag": "vip"}, {"mode": "auto", "number": "sales"}],
    "announce_under": ["suggest", False],
    "handoff": {"triggers": {"anger": False, "vip": True}, "return_unclaimed": True},
    "autonomy": {"bar": 0.95, "least_cases": 80},
    "consent": {"opt_out_words": ["CANCELÁR", "Não  quero mais!"]},
    "suggestions_expire_after_hours": 12,
}


def test_that_it_is_read_back_from_the_database_as_it_was_declared() -> None:
    declared = AttendanceDeclaration.model_validate(FULL)
    stored = json.loads(json.dumps({**declared.model_dump(mode="json"), "name": "Loja"}))
    again = AttendanceDeclaration.stored(stored)
    assert again == declared
    fields = again.profile_fields()
    assert fields["hours"].special_dates == {"2027-12-24": (("09:00", "12:00"),), "2027-12-23": ()}
    assert [str(rule) for rule in fields["policy_rules"]] == ["off for hours noon, tag vip", "auto for number sales"]
    assert fields["announce_under"] == {ReplyMode.SUGGEST, ReplyMode.OFF}
    assert fields["hand_off"].switched_off == {HandOffReason.ANGER}
    assert fields["hand_off"].return_unclaimed
    assert fields["autonomy"].bar == 0.95
    assert fields["consent"].opt_out == {"cancelar", "nao quero mais"}
    assert AttendanceDeclaration.stored({}).profile_fields()["autonomy"] is None


MISTAKES = {
    "policy.0.number: names nowhere, which is none. These are known: sales.": {
        "policy": [{"mode": "auto", "number": "nowhere"}]
    },
    "policy.0.intent: names dance, which is none.": {"policy": [{"mode": "auto", "intent": "dance"}]},
    "policy.0.hours: names lunch, which is none. These are known: closed, open.": {
        "policy": [{"mode": "auto", "hours": "lunch"}]
    },
    "a rule needs number, intent, hours or tag": {"policy": [{"mode": "auto"}]},
    "handoff.triggers.unknown_outcome": {"handoff": {"triggers": {"unknown_outcome": False}}},
    "handoff.return_unclaimed: needs opening hours": {"handoff": {"return_unclaimed": True}},
    "hours.holidays": {"hours": {"holidays": {"country": "BR", "state": "XX"}}},
    "ends before it starts": {"hours": {"special_dates": {"2027-01-02": ["18:00-09:00"]}}},
    "'open' is a name of Atende's own": {"hours": {"named": {"open": {}}}},
    "autonomy.bar": {"autonomy": {"bar": 1.0}},
    "announce_under": {"announce_under": ["auto"]},
    "holds no word": {"consent": {"opt_out_words": ["!!!"]}},
}


@pytest.mark.parametrize("part", MISTAKES)
def test_that_a_mistake_is_named_with_what_to_do(part: str, tmp_path: Path) -> None:
    folder = _with(tmp_path, MISTAKES[part])
    with pytest.raises(TenantFilesError) as caught:
        load_tenant(folder)
    assert part in caught.value.sentence()


def test_that_functions_see_the_dates_on_which_the_business_is_closed(tmp_path: Path) -> None:
    from datetime import date  # noqa: PLC0415

    folder = _with(tmp_path, {"hours": {**FULL["hours"], "weekly": {day: ["09:00-18:00"] for day in _DAYS}}})
    closed = seed_records(load_tenant(folder), date(2027, 6, 1))["tenant"]["hours"]["closed_dates"]
    assert {"2027-03-01", "2027-12-23", "2027-09-07", "2028-04-21", "2027-02-09"} <= set(closed)
    assert not {"2027-12-24", "2027-05-27"} & set(closed)


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _with(tmp_path: Path, more: dict[str, Any]) -> Path:
    folder = tmp_path / "shop"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "tenant.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **more}))
    return folder
