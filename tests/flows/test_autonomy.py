"""What operators do with suggestions is an intent's record, and the record decides who replies."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from agent.encoder import accurate_encoder
from domain.errors import NotFoundError
from flows.attendance import keep_appointments
from flows.autonomy import Autonomy
from flows.tenant_files import load_tenant
from flows.tenants import import_tenant
from tests.flows.backroom import Backroom
from tests.flows.shop import FOLDER, Shop

LOOK_UP = "faz a consulta lenta"
DONE = "A consulta terminou."
TERMS = {"bar": 0.5, "error": 0.2, "least_cases": 10, "audit_share": 0.01}


@pytest.fixture
async def suggesting(shop: Shop, backroom: Backroom) -> Shop:
    """The shop suggests, and intents may earn autonomy at a bar that a test reaches quickly."""
    await setting(shop, reply_mode="suggest", autonomy=TERMS)
    return shop


async def setting(shop: Shop, **settings: Any) -> None:
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || $1, profile_version = profile_version + 1", settings)


async def offered(shop: Shop, backroom: Backroom, contact: str) -> tuple[UUID, UUID]:
    """A suggestion for this customer, and its conversation."""
    await shop.write(contact, LOOK_UP)
    await backroom.rest()
    (row,) = await shop.fetch(
        "SELECT s.id, s.conversation_id FROM suggestion s JOIN conversation c ON c.id = s.conversation_id "
        "WHERE s.status = 'pending' AND c.address = 'simulator:' || $1",
        contact,
    )
    return row["id"], row["conversation_id"]


async def record(shop: Shop) -> tuple[Any, ...]:
    rows = await shop.fetch("SELECT state, approved, other, epoch FROM intent_autonomy WHERE intent = 'slow_lookup'")
    return tuple(rows[0]) if rows else ()


async def changes(shop: Shop) -> list[str]:
    return [row["kind"] for row in await shop.fetch("SELECT kind FROM event WHERE kind LIKE 'autonomy.%' ORDER BY id")]


async def test_that_verdicts_count_and_what_was_never_judged_does_not(suggesting: Shop, backroom: Backroom) -> None:
    shop = suggesting
    first, _ = await offered(shop, backroom, "approved")
    await shop.desk.approve(shop.operator, first)
    edited, _ = await offered(shop, backroom, "edited")
    await shop.desk.approve(shop.operator, edited, text="Terminou!")
    rejected, _ = await offered(shop, backroom, "rejected")
    await shop.desk.reject(shop.operator, rejected, "wrong_tone")
    assert await record(shop) == ("earning", 1, 2, 1)
    _, own_words = await offered(shop, backroom, "replaced")
    await shop.desk.reply(shop.operator, own_words, "Já te respondo.")
    assert await record(shop) == ("earning", 1, 3, 1)
    _, same_words = await offered(shop, backroom, "typed")
    await shop.desk.reply(shop.operator, same_words, f" {DONE}")
    assert await record(shop) == ("earning", 2, 3, 1)
    await offered(shop, backroom, "phone")
    await shop.write("phone", "já resolvi com o cliente", from_me=True)
    assert await record(shop) == ("earning", 2, 4, 1)
    _, claimed = await offered(shop, backroom, "claimed")
    await shop.desk.claim(shop.operator, claimed)
    await offered(shop, backroom, "newer")
    await shop.write("newer", "esquece")
    await backroom.rest()
    assert await record(shop) == ("earning", 2, 4, 1)


async def test_that_a_suggestion_nobody_judges_expires_counts_and_leaves_the_customer_in_the_queue(
    suggesting: Shop, backroom: Backroom
) -> None:
    shop = suggesting
    await offered(shop, backroom, "maria")
    assert await keep_appointments(shop.db, backroom.wakeup) == 0
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE suggestion SET created_at = now() - interval '25 hours'")
    assert await keep_appointments(shop.db, backroom.wakeup) == 1
    assert await keep_appointments(shop.db, backroom.wakeup) == 0
    assert [row["status"] for row in await shop.fetch("SELECT status FROM suggestion")] == ["expired"]
    assert await record(shop) == ("earning", 0, 1, 1)
    (row,) = await shop.fetch(
        "SELECT c.status, h.reason FROM conversation c JOIN handoff h ON h.conversation_id = c.id"
    )
    assert tuple(row) == ("waiting", "old_message")


async def promote(shop: Shop, backroom: Backroom) -> int:
    """Approve suggestions until the intent is promoted; returns how many it took."""
    for case in range(1, 40):
        suggestion, _ = await offered(shop, backroom, f"case{case}")
        await shop.desk.approve(shop.operator, suggestion)
        if (await record(shop))[0] == "promoted":
            return case
    raise AssertionError("never promoted")


async def test_that_an_intent_graduates_replies_by_itself_can_be_vetoed_and_must_start_again(
    suggesting: Shop, backroom: Backroom
) -> None:
    shop = suggesting
    assert await promote(shop, backroom) >= TERMS["least_cases"]
    await shop.write("next", LOOK_UP)
    await backroom.rest()
    assert await shop.got("next") == [DONE]
    (row,) = await shop.fetch("SELECT decision FROM turn ORDER BY created_at DESC LIMIT 1")
    reasons = {reason["code"]: reason["detail"] for reason in row["decision"]["reasons"]}
    assert reasons["reply_mode"] == "auto: auto for intent slow_lookup (earned autonomy)"
    autonomy = Autonomy(shop.db, backroom.wakeup)
    await autonomy.veto(shop.tenant_id, "slow_lookup", actor=str(shop.operator))
    await autonomy.veto(shop.tenant_id, "slow_lookup", actor=str(shop.operator))
    await offered(shop, backroom, "vetoed")
    await autonomy.lift_veto(shop.tenant_id, "slow_lookup", actor=str(shop.operator))
    assert await record(shop) == ("earning", 0, 0, 2)
    assert await changes(shop) == ["autonomy.promoted", "autonomy.vetoed", "autonomy.veto_lifted"]
    with pytest.raises(NotFoundError):
        await autonomy.veto(shop.tenant_id, "nothing", actor="test")


async def test_that_a_promoted_intent_falls_back_by_itself_when_its_replies_no_longer_please(
    suggesting: Shop, backroom: Backroom
) -> None:
    shop = suggesting
    await setting(shop, autonomy={**TERMS, "audit_share": 1})
    await promote(shop, backroom)
    for case in range(40):
        suggestion, _ = await offered(shop, backroom, f"bad{case}")
        await shop.desk.reject(shop.operator, suggestion, "wrong_fact")
        if (await record(shop))[0] == "earning":
            break
    assert await record(shop) == ("earning", 0, 0, 2)
    assert await changes(shop) == ["autonomy.promoted", "autonomy.fell_back"]


async def test_that_nothing_is_earned_where_the_tenant_has_not_asked_for_it(
    suggesting: Shop, backroom: Backroom
) -> None:
    shop = suggesting
    await setting(shop, autonomy=None)
    for case in range(14):
        suggestion, _ = await offered(shop, backroom, f"case{case}")
        await shop.desk.approve(shop.operator, suggestion)
    assert (await record(shop), await changes(shop)) == (("earning", 14, 0, 1), [])


async def test_that_a_changed_intent_must_earn_it_anew(suggesting: Shop, backroom: Backroom, owner_dsn: str) -> None:
    shop = suggesting
    suggestion, _ = await offered(shop, backroom, "maria")
    await shop.desk.approve(shop.operator, suggestion)
    for said, expected in ((DONE, ("earning", 1, 0, 1)), ("Acabou.", ("earning", 0, 0, 2))):
        declaration = load_tenant(FOLDER)
        spec = declaration.intents["slow_lookup"].model_copy(update={"replies": {"ok": {"pt": said}}})
        intents = {**declaration.intents, "slow_lookup": spec}
        changed = dataclasses.replace(declaration, version=f"with {said}", intents=intents)
        await import_tenant(owner_dsn, shop.db, changed, accurate_encoder(), today=date.today())  # noqa: DTZ011
        assert await record(shop) == expected
