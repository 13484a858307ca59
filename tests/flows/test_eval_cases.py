"""From work to cases: what an operator corrected can be played again, and tells nobody who the customer was."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from stdnum.br import cpf

from domain.errors import InvalidInputError, NotFoundError
from flows.desk import Actor
from flows.eval_cases import CaseDecidedError, CaseNotReproducedError, CasePlaying, EvalCases, TooManyTurnsError, Wanted
from flows.eval_drafts import facts
from store import eval_cases
from store.database import Database, Row
from store.wakeup import Wakeup
from tests.database import make_number
from tests.flows.backroom import Backroom, open_backroom
from tests.flows.shop import Shop, open_shop

AURORA = Path(__file__).parents[2] / "tenants" / "loja-aurora"
ASKED = "Oi, aqui é a Mariana Souza! cadê meu pedido 10231? Meu zap: 31 98765-4321"
REAL = ("Mariana", "Souza", "10231", "52601815906", "526.018.159-06", "98765", "AU123450001BR", "Bruno", "Tavares")


@pytest.fixture
async def aurora(owner_dsn: str, db: Database) -> AsyncIterator[Shop]:
    async with open_shop(owner_dsn, db, AURORA) as opened:
        async with db.transaction(opened.tenant_id) as tx:
            await tx.execute('UPDATE intent SET declaration = declaration || \'{"reply_mode": "suggest"}\'')
        await opened.set(reply_mode="suggest", debounce={"seconds": 0, "fragment_seconds": 0, "complete_seconds": 0})
        yield opened


@pytest.fixture
async def worker(aurora: Shop) -> AsyncIterator[Backroom]:
    async with open_backroom(aurora, AURORA) as opened:
        yield opened


@pytest.fixture
def queue(aurora: Shop) -> EvalCases:
    return EvalCases(aurora.db, Wakeup(aurora.db), b"a secret for tests only", check=lambda _: ())


async def answered(
    aurora: Shop, worker: Backroom, text: str = ASKED, contact: str = "Mariana Souza"
) -> tuple[UUID, UUID]:
    """The customer writes and a turn decides; its conversation and its id."""
    await aurora.write(contact, text, push_name=contact)
    await worker.rest()
    (row,) = await aurora.fetch("SELECT conversation_id, id FROM turn ORDER BY created_at DESC LIMIT 1")
    return row["conversation_id"], row["id"]


async def the_case(aurora: Shop, case_id: UUID) -> Row:
    async with aurora.db.transaction(aurora.tenant_id) as tx:
        return await eval_cases.one(tx, case_id)


async def played(aurora: Shop, reproduction: Any) -> None:
    playing = CasePlaying(aurora.db, Wakeup(aurora.db))
    for case in await playing.due():
        await playing.played(case, reproduction, [{"name": "lacks", "passed": False, "expected": "a", "got": "b"}])


async def test_that_a_corrected_suggestion_becomes_a_case_in_which_nobody_is_recognised(
    aurora: Shop, worker: Backroom, queue: EvalCases, owner_dsn: str
) -> None:
    conversation, turn = await answered(aurora, worker)
    (suggestion,) = await aurora.fetch("SELECT id, text FROM suggestion WHERE status = 'pending'")
    assert "10231" in suggestion["text"]
    day = next(day for day in ("25/11", "14/07") if day not in suggestion["text"])  # the shop's dates follow the clock
    await aurora.desk.approve(
        aurora.operator,
        suggestion["id"],
        text=f"Oi, Mariana! O pedido 10231 (CPF 526.018.159-06) chega dia {day}. Bruno Tavares",
    )
    case_id = await queue.propose(aurora.operator, conversation, turn, "Data errada para a Mariana Souza")

    row = await the_case(aurora, case_id)
    assert (row["origin"], row["state"], row["reproduction"]) == ("edited", "proposed", "waiting")
    written = json.dumps(row["content"], ensure_ascii=False)
    assert [one for one in REAL if one in written] == []
    case, happened = row["content"]["case"], row["content"]["happened"]
    orders = case["given"]["records"]["orders"]
    number, order = next(item for item in orders.items() if item[0] in case["say"][0])
    assert order["number"] == number
    assert number in case["say"][0]
    assert number in happened["text"]
    assert cpf.is_valid(order["cpf"])
    assert cpf.format(order["cpf"]) in happened["operator_text"]
    assert order["customer"].split()[0] in case["say"][0]
    assert happened["operator_text"].startswith(f"Oi, {order['customer'].split()[0]}!")
    assert case["expect"]["intent"] == "order_status"
    assert case["expect"]["decision"] == ["reply", "suggest"]
    assert case["expect"]["contains"][-1] == day
    assert row["replaced"]["cpf"] == 1
    assert await queue.propose(aurora.operator, conversation, turn) == case_id, "a second click proposes nothing new"

    other = await make_number(owner_dsn, "other")
    stranger = Actor(other.tenant_id, other.user_id, "Eva")
    for wrong in (conversation, uuid4()):
        with pytest.raises(NotFoundError):
            await queue.propose(stranger, wrong, turn)
    with pytest.raises(NotFoundError):
        await queue.propose(aurora.operator, uuid4(), turn)


def test_that_the_facts_of_a_text_are_its_figures_dates_links_and_codes() -> None:
    text = "Use o cupom VOLTA15 até 05/12: R$ 30,00 em https://loja.example/x1, das 9h às 18h. PIX ou AU123450001BR."
    assert facts(text) == ["VOLTA15", "05/12", "R$ 30,00", "https://loja.example/x1,".rstrip(","), "AU123450001BR"]


async def test_that_a_rejection_made_a_case_at_once_learns_what_the_operator_sends_afterwards(
    aurora: Shop, worker: Backroom, queue: EvalCases
) -> None:
    conversation, turn = await answered(aurora, worker)
    (suggestion,) = await aurora.fetch("SELECT id, text FROM suggestion WHERE status = 'pending'")
    await aurora.desk.reject(aurora.operator, suggestion["id"], "wrong_fact", "a Mariana Souza já recebeu")
    case_id = await queue.propose(aurora.operator, conversation, turn)
    row = await the_case(aurora, case_id)
    assert (row["origin"], row["content"]["happened"]["operator_text"]) == ("rejected", "")
    assert "já recebeu" in row["content"]["happened"]["reject_reason"]
    assert "Mariana" not in row["content"]["happened"]["reject_reason"]

    await aurora.desk.reply(aurora.operator, conversation, "Já foi entregue dia 03/11!")
    assert await queue.propose(aurora.operator, conversation, turn) == case_id
    row = await the_case(aurora, case_id)
    assert row["content"]["happened"]["operator_text"] == "Já foi entregue dia 03/11!"
    assert "03/11" in row["content"]["case"]["expect"]["contains"]
    assert (row["revision"], row["reproduction"]) == (2, "waiting")

    await queue.change(aurora.operator, case_id, Wanted(contains="entregue"))
    await aurora.desk.reply(aurora.operator, conversation, "Mais alguma coisa?")
    await queue.propose(aurora.operator, conversation, turn)
    assert (await the_case(aurora, case_id))["content"]["case"]["expect"]["contains"] == ["entregue"]


async def test_that_a_case_is_accepted_only_once_it_was_seen_to_fail_or_for_a_stated_reason(
    aurora: Shop, worker: Backroom, queue: EvalCases
) -> None:
    conversation, turn = await answered(aurora, worker)
    (suggestion,) = await aurora.fetch("SELECT id FROM suggestion WHERE status = 'pending'")
    await aurora.desk.reject(aurora.operator, suggestion["id"], "wrong_fact")
    case_id = await queue.propose(aurora.operator, conversation, turn)
    row = await the_case(aurora, case_id)
    assert row["origin"] == "rejected"
    assert row["content"]["case"]["expect"]["lacks"], "what was rejected must not be said again"

    with pytest.raises(CaseNotReproducedError):
        await queue.accept(aurora.operator, case_id)
    await played(aurora, "not_reproduced")
    with pytest.raises(CaseNotReproducedError):
        await queue.accept(aurora.operator, case_id, reason="eu vi")
    with pytest.raises(InvalidInputError):
        await queue.accept(aurora.operator, case_id, force=True)

    await queue.change(aurora.operator, case_id, Wanted(decision="hand_off", intent="", contains="", lacks=""))
    row = await the_case(aurora, case_id)
    assert row["content"]["case"]["expect"] == {"decision": "hand_off"}
    assert (row["reproduction"], row["revision"]) == ("waiting", 2), "another expectation must be played anew"
    with pytest.raises(InvalidInputError):
        await queue.change(aurora.operator, case_id, Wanted(decision="", intent="", contains="", lacks=""))

    await played(aurora, "reproduced")
    await queue.accept(aurora.operator, case_id, reason="prazo errado")
    row = await the_case(aurora, case_id)
    assert (row["state"], row["forced"], row["reason"], row["decided_by"]) == (
        "accepted",
        False,
        "prazo errado",
        aurora.operator.user_id,
    )
    with pytest.raises(CaseDecidedError):
        await queue.drop(aurora.operator, case_id, "não")
    await queue.reopen(aurora.operator, case_id)
    await queue.accept(aurora.operator, case_id, reason="conferido no sistema", force=True)
    assert (await the_case(aurora, case_id))["forced"] is True
    told = await aurora.fetch("SELECT kind, actor FROM event WHERE kind LIKE 'eval_case.%' ORDER BY id")
    assert [row["kind"].split(".")[1] for row in told] == [
        "proposed", "played", "changed", "played", "accepted", "reopened", "accepted",
    ]  # fmt: skip
    assert {row["actor"] for row in told} == {"system", str(aurora.operator)}


async def test_that_a_reviewer_hides_what_no_rule_knows_and_an_older_revisions_result_counts_for_nothing(
    aurora: Shop, worker: Backroom, queue: EvalCases
) -> None:
    conversation, turn = await answered(aurora, worker, "cadê o pedido 10231 do Zezinho da padaria Pão Quente?")
    case_id = await queue.propose(aurora.operator, conversation, turn)
    playing = CasePlaying(aurora.db, Wakeup(aurora.db))
    (taken,) = await playing.due()
    assert await playing.due() == [], "one worker has it"
    await queue.change(aurora.operator, case_id, Wanted(decision="stay_silent"))
    await playing.played(taken, "reproduced", [])
    assert (await the_case(aurora, case_id))["reproduction"] == "waiting"
    (again,) = await playing.due()
    assert again["revision"] == 2

    await queue.hide(aurora.operator, case_id, "Zezinho da padaria Pão Quente", "meu vizinho")
    row = await the_case(aurora, case_id)
    assert "Zezinho" not in json.dumps(row["content"], ensure_ascii=False)
    assert "meu vizinho" in row["content"]["case"]["say"][0]
    with pytest.raises(InvalidInputError):
        await queue.hide(aurora.operator, case_id, "Zezinho", "ninguém")


async def test_that_cases_of_a_time_hold_what_people_stood_by_and_nothing_that_they_turned_down(
    aurora: Shop, worker: Backroom, queue: EvalCases
) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=1)
    for contact, verdict in (("Mariana Souza", "approve"), ("Rafael Lima", "reject"), ("Pedro Costa", "wait")):
        await answered(aurora, worker, contact=contact)
        (suggestion,) = await aurora.fetch(
            "SELECT id FROM suggestion WHERE status = 'pending' ORDER BY created_at DESC LIMIT 1"
        )
        if verdict == "approve":
            await aurora.desk.approve(aurora.operator, suggestion["id"])
        elif verdict == "reject":
            await aurora.desk.reject(aurora.operator, suggestion["id"], "wrong_fact")
    await answered(aurora, worker, "quero falar com uma pessoa agora", contact="Zuleica Quental")
    drafts = [draft async for draft in queue.of_time(aurora.tenant_id, begun, datetime.now(UTC) + timedelta(minutes=1))]
    found = sorted((draft.case["name"].split("-")[0], draft.case["expect"]["decision"]) for draft in drafts)
    assert found == [("approved", ["reply", "suggest"]), ("automatic", "hand_off")]
    customers = ("Mariana", "Souza", "Rafael", "Zuleica", "Quental", "10231", "98765")  # none is anybody's stand-in
    assert not [one for one in customers if one in json.dumps([draft.content for draft in drafts])]
    with pytest.raises(TooManyTurnsError, match="more than 3 turns"):
        assert not [draft async for draft in queue.of_time(aurora.tenant_id, begun, datetime.now(UTC), most=3)]
    earlier = [draft async for draft in queue.of_time(aurora.tenant_id, begun - timedelta(days=1), begun)]
    assert earlier == []
