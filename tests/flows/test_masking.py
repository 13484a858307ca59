"""A tenant whose language model must not see personal data: the wire, the function, the customer and the records."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.logs import OneLine
from flows.profiles import bump
from store.database import Database
from tests.flows.backroom import Backroom, Gateway, open_backroom
from tests.flows.shop import Shop, open_shop
from tests.openai_server import ScriptedOpenAI

FOLDER = Path(__file__).parent / "private_shop"
CPF = re.compile(r"529\D{0,2}982\D{0,2}247\D{0,2}25")


class Reader(ScriptedOpenAI):
    """A model that reads the marks it is shown and bends them as it is told; it can know nothing else."""

    bend: Any = str

    async def _complete(self, request: Any) -> Any:
        body = await request.json()
        marks = re.findall(r"\[CPF_\d+\]", json.dumps(body["messages"]))
        mails = re.findall(r"\[EMAIL_\d+\]", json.dumps(body["messages"]))
        filled = json.dumps(self.steps).replace("<CPF>", self.bend(marks[-1]) if marks else "?")
        self.script = json.loads(filled.replace("<EMAIL>", mails[-1] if mails else "?"))
        self._used = set(range(min(len(self.requests), len(self.script) - 1)))
        return await super()._complete(request)

    steps: list[Mapping[str, Any]]


@pytest.fixture
async def shop(owner_dsn: str, db: Database) -> AsyncIterator[Shop]:
    async with open_shop(owner_dsn, db, FOLDER) as opened:
        yield opened


@pytest.fixture
async def backroom(shop: Shop) -> AsyncIterator[Backroom]:
    async with open_backroom(shop, FOLDER) as opened:
        yield opened


async def talk(backroom: Backroom, text: str, steps: list[Mapping[str, Any]], bend: Any = str) -> Reader:
    """The customer writes, the scripted model answers; returns it with the requests it saw."""
    shop = backroom.shop
    server = Reader([])
    server.steps, server.bend = steps, staticmethod(bend)
    async with server:
        async with shop.db.transaction(shop.tenant_id) as tx:
            model = {
                "name": "main",
                "base_url": server.base_url,
                "attempts": 1,
                "timeout_seconds": 10,
                "deadline_seconds": 10,
            }
            await tx.execute(
                "UPDATE tenant SET settings = settings || $2 WHERE id = $1", shop.tenant_id, {"model": model}
            )
            await bump(tx, shop.tenant_id)
        await shop.write("Ana", text)
        await backroom.rest()
    return server


async def conversation(shop: Shop) -> UUID:
    found: UUID = (await shop.fetch("SELECT id FROM conversation"))[0]["id"]
    return found


LOOK_UP = [
    {"tool_calls": [{"name": "find_customer", "arguments": {"cpf": "<CPF>"}}]},
    {"reply": "Achei o CPF <CPF>: 2 pedidos, e-mail <EMAIL>."},
]


@pytest.mark.parametrize(
    "bend",
    [str, str.lower, lambda mark: mark[1:-1], lambda mark: mark.replace("_", " ")],
    ids=["as-is", "low", "bare", "gap"],
)
async def test_that_the_model_never_sees_the_cpf_which_function_and_customer_get(backroom: Backroom, bend: Any) -> None:
    server = await talk(backroom, "glorb zargh meu cpf eh 529 982 247 25 acha aí", LOOK_UP, bend)
    assert len(server.requests) == 2
    assert not CPF.search(json.dumps(server.requests))
    assert "ana.lima" not in json.dumps(server.requests)
    turn = (await backroom.shop.fetch("SELECT trace, decision FROM turn"))[0]
    (call,) = turn["trace"]["tool_calls"]
    assert call["arguments"] == {"cpf": "52998224725"}
    assert call["outcome"] == "succeeded"
    assert await backroom.shop.got("Ana") == ["Achei o CPF 529.982.247-25: 2 pedidos, e-mail ana.lima@example.com."]
    assert turn["trace"]["masked"] is True


async def test_that_a_placeholder_stays_the_same_over_the_turns_of_a_conversation(backroom: Backroom) -> None:
    first = await talk(backroom, "glorb meu cpf 529.982.247-25", [{"reply": "Anotei <CPF>."}])
    second = await talk(backroom, "glorb zargh 52998224725 isso", [{"reply": "Isso mesmo: <CPF>."}])
    marks = [set(re.findall(r"\[CPF_\d+\]", json.dumps(s.requests))) for s in (first, second)]
    assert marks[0] == marks[1]
    assert not CPF.search(json.dumps([first.requests, second.requests]))


async def test_that_a_made_up_placeholder_reaches_neither_function_nor_customer(backroom: Backroom) -> None:
    steps = [
        {"tool_calls": [{"name": "find_customer", "arguments": {"cpf": "[CPF_0]"}}]},
        {"reply": "Seu CPF é [CPF_0]."},
    ]
    server = await talk(backroom, "glorb zargh acha meu cadastro", steps)
    assert "stands for nothing" in json.dumps(server.requests[1])
    shop = backroom.shop
    assert await shop.got("Ana") == []
    turn = (await shop.fetch("SELECT trace, decision FROM turn"))[0]
    assert turn["trace"]["tool_calls"] == []
    assert turn["decision"]["kind"] == "suggest"
    assert "placeholder_made_up" in {reason["code"] for reason in turn["decision"]["reasons"]}


async def test_that_no_log_above_debug_holds_what_was_said_even_when_everything_fails(
    backroom: Backroom, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said = "glorb zargh cpf 52998224725"
    await talk(backroom, said, [{"status": 500}])
    await talk(backroom, said, [{"reply": f"Você disse {said}"}])
    await backroom.shop.desk.reply(backroom.shop.operator, (await conversation(backroom.shop)), said)
    await backroom.with_sender(Gateway(mishaps=[RuntimeError(f"cannot send: {said}")])).deliver()
    await backroom.shop.desk.return_to_bot(backroom.shop.operator, await conversation(backroom.shop))
    backroom.turns._agent = None  # type: ignore[assignment]  # a turn that breaks
    await talk(backroom, said, LOOK_UP)
    assert any(record.exc_info for record in caplog.records)
    for record in caplog.records:
        line = OneLine("worker", whole_tracebacks=False).format(record)
        assert "glorb" not in line
        assert not CPF.search(line)


async def test_that_without_the_setting_the_model_reads_what_was_written(backroom: Backroom) -> None:
    shop = backroom.shop
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE tenant SET settings = settings || '{\"mask_model_prompts\": false}'")
    server = await talk(backroom, "glorb zargh meu cpf 52998224725", [{"reply": "Certo."}])
    assert CPF.search(json.dumps(server.requests))
