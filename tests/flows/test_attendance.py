"""What time brings: closed hours told once, unclaimed conversations returned, fresh starts after closing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flows.attendance import keep_appointments
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop

ZONE = ZoneInfo("America/Sao_Paulo")
PERSON = "quero falar com um atendente"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


async def setting(shop: Shop, **settings: Any) -> None:
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || $1, profile_version = profile_version + 1", settings)


def hours_around(now: datetime, *, is_open: bool) -> dict[str, Any]:
    """Weekly hours by which it is open, or closed, at ``now`` and for an hour around it; open some time every day."""
    hour = now.astimezone(ZONE).hour
    busy = [f"{start:02}:00-{start + 1:02}:00" for start in range(24) if (abs(start - hour) <= 1) == is_open]
    return {"weekly": dict.fromkeys(DAYS, busy)}


async def the_handoff(shop: Shop) -> dict[str, Any]:
    (row,) = await shop.fetch("SELECT * FROM handoff")
    return dict(row)


async def test_that_a_handoff_is_announced_with_reason_summary_and_next_step_on_record(
    shop: Shop, backroom: Backroom
) -> None:
    await shop.write("joana", PERSON)
    await backroom.rest()
    await shop.write("maria", PERSON)
    await backroom.rest()
    (text,) = await shop.got("maria")
    assert "2º na fila" in text
    rows = await shop.fetch("SELECT * FROM handoff ORDER BY created_at")
    assert [row["reason"] for row in rows] == ["requested", "requested"]
    for row in rows:
        assert row["announced"]
        assert PERSON in row["summary"]
        assert "Apresente-se" in row["next_step"]
        assert row["announcement"]


async def test_that_the_hours_are_told_once_per_closed_time_and_conversation(shop: Shop, backroom: Backroom) -> None:
    now = datetime.now(UTC)
    await setting(shop, hours=hours_around(now, is_open=False))
    await shop.write("maria", PERSON)
    await backroom.rest()
    (told,) = await shop.got("maria")
    assert "fora do horário" in told
    await shop.write("maria", "tem alguém aí?")
    assert await keep_appointments(shop.db, backroom.wakeup, now) == 0
    (row,) = await shop.fetch("SELECT id FROM conversation")
    await shop.desk.return_to_bot(shop.operator, row["id"])
    await shop.write("maria", PERSON)
    await backroom.rest()
    assert sum("fora do horário" in text for text in await shop.got("maria")) == 1
    assert len(await shop.got("maria")) == 2


async def test_that_who_writes_again_after_closing_is_told_once(shop: Shop, backroom: Backroom) -> None:
    now = datetime.now(UTC)
    await setting(shop, hours=hours_around(now, is_open=True))
    await shop.write("maria", PERSON)
    await backroom.rest()
    assert await keep_appointments(shop.db, backroom.wakeup, now) == 0
    await setting(shop, hours=hours_around(now, is_open=False))
    async with shop.db.transaction(shop.tenant_id) as tx:  # what was said came before the closing
        await tx.execute("UPDATE message SET received_at = now() - interval '3 hours'")
    assert await keep_appointments(shop.db, backroom.wakeup, now) == 0
    await shop.write("maria", "oi?")
    assert await keep_appointments(shop.db, backroom.wakeup, now) == 1
    assert await keep_appointments(shop.db, backroom.wakeup, now) == 0
    await shop.write("maria", "oi??")
    assert await keep_appointments(shop.db, backroom.wakeup, now) == 0
    await backroom.rest()
    assert ["fora do horário" in text for text in await shop.got("maria")] == [False, True]


@pytest.mark.parametrize("wanted", [True, False])
async def test_that_what_nobody_claimed_goes_back_when_the_team_opens_on_another_day_if_the_tenant_says_so(
    shop: Shop, backroom: Backroom, wanted: bool
) -> None:
    hours = {"weekly": {day: ["09:00-12:00", "13:00-18:00"] for day in DAYS}}
    await setting(shop, hours=hours, handoff={"return_unclaimed": wanted})
    for contact in ("waiting", "claimed", "quiet"):
        await shop.write(contact, PERSON)
    await shop.write("quiet", "SAIR")
    await backroom.rest()
    (claimed,) = await shop.fetch("SELECT id FROM conversation WHERE address = 'simulator:claimed'")
    await shop.desk.claim(shop.operator, claimed["id"])
    monday = datetime(2026, 11, 23, 10, tzinfo=ZONE)
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE conversation SET waiting_since = $1 WHERE status = 'waiting'", monday)
        await tx.execute("UPDATE message SET received_at = $1", monday)
    early = [monday + timedelta(hours=4), datetime(2026, 11, 24, 8, 59, tzinfo=ZONE)]
    assert [await keep_appointments(shop.db, backroom.wakeup, now) for now in early] == [0, 0]
    tuesday = datetime(2026, 11, 24, 9, 0, tzinfo=ZONE)
    assert await keep_appointments(shop.db, backroom.wakeup, tuesday) == (2 if wanted else 0)
    assert await keep_appointments(shop.db, backroom.wakeup, tuesday) == 0
    await backroom.rest()
    rows = await shop.fetch("SELECT address, status FROM conversation ORDER BY address")
    back = "bot" if wanted else "waiting"
    assert [row["status"] for row in rows] == ["human", back, back]
    assert ("Desculpe a espera" in (await shop.got("waiting"))[-1]) is wanted
    assert not any("Desculpe" in text for text in await shop.got("quiet"))
    await shop.write("waiting", "faz a consulta lenta")
    await backroom.rest()
    assert ((await shop.got("waiting"))[-1] == "A consulta terminou.") is wanted


async def test_that_a_reopened_conversation_starts_with_a_fresh_context_and_says_again_who_answers(
    shop: Shop, backroom: Backroom
) -> None:
    await setting(shop, texts={"disclosure": {"pt": "Sou um robô."}})
    for text in ("blarg zzyx", "faz a consulta lenta"):
        await shop.write("maria", text)
        await backroom.rest()
    assert [text.startswith("Sou um robô.") for text in await shop.got("maria")] == [True, False]
    await shop.write("maria", "blarg zzyx")
    await backroom.rest()
    (row,) = await shop.fetch("SELECT id FROM conversation")
    await shop.desk.close(shop.operator, row["id"])
    await shop.write("maria", "frumious blarg")
    await backroom.rest()
    decisions = [row["decision"] for row in await shop.fetch("SELECT decision FROM turn ORDER BY created_at")]
    assert decisions[-1]["kind"] == "reply"
    assert (await shop.got("maria"))[-1].startswith("Sou um robô.")


@pytest.mark.parametrize("allowed", [True, False])
async def test_that_a_handoff_which_may_not_be_announced_is_offered_to_operators_instead(
    shop: Shop, backroom: Backroom, allowed: bool
) -> None:
    await setting(shop, reply_mode="suggest", announce_under=["suggest"] if allowed else [])
    await shop.write("maria", PERSON)
    await backroom.rest()
    handoff = await the_handoff(shop)
    assert handoff["announced"] is allowed
    assert await shop.got("maria") == ([handoff["announcement"]] if allowed else [])
    offered = await shop.fetch("SELECT id, text FROM suggestion WHERE status = 'pending'")
    assert [row["text"] for row in offered] == ([] if allowed else [handoff["announcement"]])
    if not allowed:
        await shop.desk.approve(shop.operator, offered[0]["id"])
        await backroom.rest()
        assert await shop.got("maria") == [handoff["announcement"]]


async def test_that_policies_by_number_and_tag_reach_a_running_conversation(shop: Shop, backroom: Backroom) -> None:
    await setting(shop, policy=[{"mode": "suggest", "tag": "wholesale"}, {"mode": "off", "number": "elsewhere"}])
    await shop.write("maria", "faz a consulta lenta")
    await shop.write("joana", "oi")
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute(
            "UPDATE contact SET tags = '[\"wholesale\"]' FROM contact_address a "
            "WHERE a.contact_id = contact.id AND a.value = 'maria'"
        )
    await backroom.rest()
    assert await shop.got("maria") == []
    assert [row["text"] for row in await shop.fetch("SELECT text FROM suggestion")] == ["A consulta terminou."]
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE contact SET tags = '[\"vip\"]'")
    await shop.write("joana", "oi de novo")
    await backroom.rest()
    assert (await the_handoff(shop))["reason"] == "vip"
