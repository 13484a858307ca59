"""What reaches us late or not at all: out of a dead host's journal, after an outage, or lost by the library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from channels.base import MessageLost
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop

NOW = datetime.now(UTC)
LATE = "SELECT provider_id FROM message WHERE content ->> 'late' = 'true'"


async def test_that_only_what_comes_out_of_a_journal_after_newer_messages_is_marked_late(shop: Shop) -> None:
    await shop.write("ana", "primeira", provider_id="1", sent_at=NOW - timedelta(minutes=3), recovered=True)
    await shop.write("ana", "terceira", provider_id="3", sent_at=NOW - timedelta(minutes=1))
    await shop.write("bia", "outra conversa", provider_id="b", sent_at=NOW)
    assert not await shop.fetch(LATE)
    await shop.write("ana", "segunda", provider_id="2", sent_at=NOW - timedelta(minutes=2), recovered=True)
    await shop.write("ana", "quarta", provider_id="4", sent_at=NOW, recovered=True)
    again = await shop.write("ana", "primeira", provider_id="1", sent_at=NOW - timedelta(minutes=3), recovered=True)
    assert again == "duplicate"
    assert [row["provider_id"] for row in await shop.fetch(LATE)] == ["2"]


async def test_that_a_backlog_older_than_the_tenant_wants_goes_to_a_person_with_an_announcement(
    shop: Shop, backroom: Backroom
) -> None:
    await shop.set(handoff={"old_message_minutes": 30})
    await shop.write("ana", "faz a consulta lenta", sent_at=datetime.now(UTC) - timedelta(minutes=40))
    await shop.write("bia", "faz a consulta lenta", sent_at=datetime.now(UTC) - timedelta(minutes=20))
    await backroom.rest()
    reasons = await shop.fetch("SELECT reason, announced FROM handoff")
    assert [(row["reason"], row["announced"]) for row in reasons] == [("old_message", True)]
    (announcement,) = await shop.got("ana")
    assert "Desculpe a demora" in announcement
    assert await shop.got("bia") == ["A consulta terminou."]


async def test_that_a_message_the_library_lost_is_told_once_and_only_if_nobody_knows_it(shop: Shop) -> None:
    await shop.write("ana", "oi", provider_id="known")
    for provider_id in ("known", "lost", "lost"):
        await shop.inbound.receive(shop.session, MessageLost(provider_id, "123@lid", NOW))
    told = await shop.fetch("SELECT payload FROM event WHERE kind = 'message.lost'")
    assert [row["payload"]["provider_id"] for row in told] == ["lost"]
    assert told[0]["payload"]["channel_session_id"] == str(shop.session.id)
