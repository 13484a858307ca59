"""A slice of bench/takeover.py: whoever comes in between, nobody speaks out of turn, and a missing fence is found."""

from __future__ import annotations

from bench.takeover import played

SEED = 20


async def test_that_no_interleaving_lets_the_agent_speak_after_a_takeover(owner_dsn: str) -> None:
    print(f"seed {SEED}")  # noqa: T201  to run a failure again
    found = await played(owner_dsn, seed=SEED, cases=range(150), at_once=8)
    assert found.wrong == []
    assert found.did["automatic messages sent"] >= 20
    assert {"claim", "reply", "phone", "kill switch", "newer message"} <= set(found.did)


async def test_that_a_claim_without_its_fence_is_found_out(owner_dsn: str) -> None:
    found = await played(owner_dsn, seed=SEED, cases=range(100), at_once=8, broken="claim", only="newer message")
    assert any("stale" in wrong for wrong in found.wrong)


async def test_that_a_decision_without_its_fence_is_found_out(owner_dsn: str) -> None:
    found = await played(owner_dsn, seed=SEED, cases=range(30), at_once=8, broken="decide", only="claim")
    assert any("after a takeover" in wrong for wrong in found.wrong)
