"""Each turn can explain itself: what was read, understood, called, decided, by whom it was approved, what was sent."""

from __future__ import annotations

import json
import uuid

import pytest

from agent.turn import TurnResult
from app.trace_command import Wanted, explain_in, lines
from domain.decisions import Source, Suggest, TurnTrace
from domain.errors import ConflictError, InvalidInputError, NotFoundError
from flows import decisions, traces
from store import turns
from store.database import Database
from tests.database import make_number
from tests.flows.backroom import Backroom, Gateway
from tests.flows.shop import Shop


async def the_turn(shop: Shop) -> uuid.UUID:
    """The latest turn."""
    found: uuid.UUID = (await shop.fetch("SELECT id FROM turn ORDER BY created_at DESC LIMIT 1"))[0]["id"]
    return found


async def explained(shop: Shop, turn_id: uuid.UUID, *, reveal: bool = False) -> traces.Explanation:
    async with shop.db.transaction(shop.tenant_id) as tx:
        return await traces.explain(tx, turn_id, reveal=reveal)


async def suggest(shop: Shop, text: str) -> uuid.UUID:
    """Write a suggestion as a turn does; returns its id."""
    async with shop.db.transaction(shop.tenant_id) as tx:
        conversation = await tx.fetchval("SELECT id FROM conversation LIMIT 1")
        row = await turns.read(tx, conversation)
        assert row is not None
        decision = Suggest(text, sources=(Source("knowledge", "faq#1", "Trocas", 0.7),))
        result = TurnResult(decision, TurnTrace(prompt_bundle="abc123", model="m", cost_micros=5))
        await decisions.write(tx, row, result, upto_message_id=row["unanswered"][-1][0])
        found: uuid.UUID = await tx.fetchval("SELECT id FROM suggestion WHERE status = 'pending'")
    return found


async def test_that_an_answered_message_is_explained_from_its_arrival_to_its_delivery(
    shop: Shop, backroom: Backroom
) -> None:
    await shop.write("Ana", "quero a consulta lenta, meu cpf é 529.982.247-25")
    await backroom.rest()
    told = await explained(shop, await the_turn(shop))
    assert told["received"][0]["text"] == "quero a consulta lenta, meu cpf é [CPF]"
    assert told["understood"]["intent"] == "slow_lookup"
    assert 0 < told["understood"]["confidence"] <= 1
    assert {other["intent"] for other in told["understood"]["alternatives"]} <= {"book_table", "charge_card"}
    assert [call["function"] for call in told["tool_calls"]] == ["slow_lookup"]
    assert told["decision"]["kind"] == "reply"
    assert told["decision"]["sources"][0]["ref"] == "slow_lookup"
    assert len(told["model"]["prompt_bundle"]) == 16
    assert {"read", "understand", "act", "decide"} <= set(told["timings"]["stages_ms"])
    assert told["timings"]["waited_ms"] is not None
    (sent,) = told["sent"]
    assert (sent["author"], sent["state"], sent["text"]) == ("bot", "sent", "A consulta terminou.")
    assert sent["sent_at"]
    revealed = await explained(shop, await the_turn(shop), reveal=True)
    assert "529.982.247-25" in revealed["received"][0]["text"]
    assert json.loads(json.dumps(revealed)) == revealed


async def test_that_an_approval_is_told_on_the_turn_that_asked_and_on_the_one_that_came_of_it(
    shop: Shop, backroom: Backroom
) -> None:
    await shop.write("Ana", "quero reservar uma mesa")
    await backroom.rest()
    asked = await the_turn(shop)
    approval = (await shop.fetch("SELECT id FROM approval"))[0]["id"]
    await shop.desk.decide_call(shop.operator, approval, approved=True)
    await backroom.rest()
    outcome = await the_turn(shop)
    assert outcome != asked
    for turn_id in (asked, outcome):
        told = await explained(shop, turn_id)
        (found,) = told["approvals"]
        assert (found["status"], found["function"]) == ("executed", "book_table")
        assert found["by"]
        assert found["decided_at"]
        (write,) = told["writes"]
        assert (write["function"], write["status"]) == ("book_table", "succeeded")
        assert write["result"]["code"]


@pytest.mark.parametrize("how", ["approved", "edited", "rejected"])
async def test_that_a_suggestion_tells_who_decided_when_and_what_was_sent(
    shop: Shop, backroom: Backroom, how: str
) -> None:
    await shop.write("Ana", "trocam?")
    suggestion = await suggest(shop, "Trocamos em 7 dias.")
    if how == "rejected":
        await shop.desk.reject(shop.operator, suggestion, "wrong_tone")
    else:
        await shop.desk.approve(shop.operator, suggestion, text="Em 30 dias." if how == "edited" else None)
    await backroom.deliver()
    told = await explained(shop, await the_turn(shop))
    (found,) = told["suggestions"]
    assert (found["status"], found["reject_reason"]) == (how, "wrong_tone" if how == "rejected" else None)
    assert found["by"]
    assert found["decided_at"]
    final = {"approved": "Trocamos em 7 dias.", "edited": "Em 30 dias.", "rejected": None}[how]
    assert found["final_text"] == final
    sent = [(message["author"], message["text"], message["state"], message["by"]) for message in told["sent"]]
    assert sent == ([] if final is None else [("operator", final, "sent", found["by"])])


async def test_that_a_delivery_that_failed_says_so(shop: Shop, backroom: Backroom) -> None:
    gateway = Gateway(mishaps=[RuntimeError("boom")])
    await shop.write("Ana", "quero a consulta lenta")
    await backroom.work()
    await backroom.with_sender(gateway).deliver()
    told = await explained(shop, await the_turn(shop))
    assert [message["state"] for message in told["sent"]] == ["unknown"]
    assert "unknown" in "\n".join(lines([told], as_json=False))


async def test_that_a_handoff_tells_its_reason_and_who_took_it(shop: Shop, backroom: Backroom) -> None:
    await shop.write("Ana", "quero falar com uma pessoa")
    await backroom.rest()
    conversation = (await shop.fetch("SELECT id FROM conversation"))[0]["id"]
    await shop.desk.claim(shop.operator, conversation)
    told = await explained(shop, await the_turn(shop))
    (handoff,) = told["handoffs"]
    assert handoff["reason"] == "requested"
    assert handoff["by"]
    assert handoff["claimed_at"]
    assert handoff["announced"] is True
    assert f"handoff       requested, claimed by {handoff['by']} at " in "\n".join(lines([told], as_json=False))


async def test_that_a_turn_is_found_by_its_id_a_short_id_its_messages_and_its_conversation(
    shop: Shop, backroom: Backroom, owner_dsn: str
) -> None:
    await shop.write("Ana", "quero a consulta lenta, meu email é ana@x.com.br")
    await backroom.rest()
    turn_id = await the_turn(shop)
    conversation = (await shop.fetch("SELECT id FROM conversation"))[0]["id"]
    ids = [row["id"] for row in await shop.fetch("SELECT id FROM message ORDER BY id")]
    for wanted in (
        Wanted(str(turn_id)),
        Wanted(str(turn_id)[:8].upper()),
        Wanted(str(turn_id)[:11]),
        Wanted(message=ids[0]),
        Wanted(message=ids[1]),
        Wanted(conversation=str(conversation)[:8]),
    ):
        (told,) = await explain_in(owner_dsn, shop.db, wanted)
        assert told["turn"]["id"] == str(turn_id)
        printed = "\n".join(lines([told], as_json=False))
        for label in ("received", "intent", "call", "decision", "because", "message", "latency", "cost", "prompts"):
            assert f"{label:<13} " in printed or f"  {label:<11} " in printed
        assert "[EMAIL]" in printed
        assert "ana@x" not in printed
        assert json.loads(lines([told], as_json=True)[0]) == [told]
    (told,) = await explain_in(owner_dsn, shop.db, Wanted(str(turn_id), reveal=True))
    assert "ana@x.com.br" in "\n".join(lines([told], as_json=False))


async def test_that_what_does_not_exist_or_is_no_id_is_refused_in_words(
    shop: Shop, backroom: Backroom, owner_dsn: str
) -> None:
    for wanted in (
        Wanted(str(uuid.uuid4())),
        Wanted("abcd1234"),
        Wanted(message=10**30),
        Wanted(message=12345),
        Wanted(conversation="feedbeef"),
    ):
        with pytest.raises(NotFoundError):
            await explain_in(owner_dsn, shop.db, wanted)
    for wanted in (Wanted("abc"), Wanted("turn-1"), Wanted("%%%%"), Wanted(conversation="x' OR 1=1")):
        with pytest.raises(InvalidInputError):
            await explain_in(owner_dsn, shop.db, wanted)
    for wanted in (Wanted(), Wanted("abcd", message=1)):
        with pytest.raises(InvalidInputError):
            wanted.check()


async def test_that_an_ambiguous_beginning_names_the_candidates(shop: Shop, owner_dsn: str) -> None:
    await shop.write("Ana", "oi")
    twins = [uuid.UUID(f"abcdef00-0000-4000-8000-00000000000{n}") for n in (1, 2)]
    async with shop.db.transaction(shop.tenant_id) as tx:
        for twin in twins:
            await tx.execute(
                "INSERT INTO turn (id, tenant_id, conversation_id, status) "
                "SELECT $1, $2, id, 'decided' FROM conversation",
                twin,
                shop.tenant_id,
            )
    with pytest.raises(ConflictError, match=str(twins[0])):
        await explain_in(owner_dsn, shop.db, Wanted("abcdef"))
    (told,) = await explain_in(owner_dsn, shop.db, Wanted(str(twins[1])))
    assert lines([told], as_json=False)  # a turn with nothing in it is printed too


async def test_that_another_tenants_turn_does_not_exist(
    shop: Shop, backroom: Backroom, owner_dsn: str, db: Database
) -> None:
    await shop.write("Ana", "quero a consulta lenta")
    await backroom.rest()
    other = await make_number(owner_dsn, "other")
    with pytest.raises(NotFoundError):
        async with db.transaction(other.tenant_id) as tx:
            await traces.explain(tx, await the_turn(shop), reveal=True)
