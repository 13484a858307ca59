"""Every handoff of the example shop's scripts is told to the customer, and to the operator with reason and summary."""

from __future__ import annotations

from datetime import UTC, datetime

from evals.offline import EXAMPLE

from agent.encoder import default_encoder
from domain.decisions import HandOffReason
from evaluation.player import Player
from flows.demo_scripts import load_demo
from flows.tenant_files import load_tenant


async def test_that_every_handoff_of_the_demo_is_announced_with_reason_summary_and_next_step() -> None:
    declaration = load_tenant(EXAMPLE)
    player = Player(declaration, default_encoder(), lambda: datetime.now(UTC))
    for script in filter(lambda script: script.graph_alone, load_demo(EXAMPLE, declaration)):
        assert (await player.play(script, lambda *_: None)).passed, script.name
    found = [(one, handoff) for one in player.conversations for handoff in one.handoffs]
    assert len(found) >= 5
    assert len({handoff.reason for _, handoff in found}) >= 3
    for conversation, handoff in found:
        assert handoff.reason in set(HandOffReason)
        assert handoff.announce
        assert handoff.text in conversation.received
        assert conversation.contact.name
        assert handoff.summary.strip()
        assert handoff.next_step.strip()
