"""A slice of the fault campaign (bench/session_faults.py): real hosts, killed and frozen under real traffic."""

from __future__ import annotations

import json

import pytest
from bench.session_faults import Size, play

from tests.fakewa.harness import linux_only

pytestmark = [pytest.mark.neonize, linux_only]

SEED = 3
FAULTS = ("kill", "freeze", "database", "mute", "cut", "515")


async def test_that_every_message_is_stored_once_and_answered_once_whatever_fails() -> None:
    report = await play(SEED, 0, Size(numbers=4, hosts=2, customers=2, outage=9.0), FAULTS)
    told = json.dumps(report, indent=1)
    assert sorted(report["faults_staged"]) == sorted(set(FAULTS)), told
    assert report["settled"], told
    assert report["sent"] >= 10, told
    # How long a move took is a matter of the machine's load, and measured by the bench.
    assert [fault for fault in report["faults_found"] if fault != "slow failover"] == [], told
