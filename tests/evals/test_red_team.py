"""The red team in small: every channel once, with and without the defences."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from evals.red_team.__main__ import broken
from evals.red_team.arena import Arena, approving
from evals.red_team.cases import attacks, benign, disguised
from evals.red_team.undefended import undefended

from agent.claims import Sources
from agent.encoder import default_encoder
from agent.language_model import ModelClients
from agent.prompts import load_prompts
from agent.second_reading import claims_of, reading_request
from domain.decisions import ToolCall
from tests.openai_server import ScriptedOpenAI

SEED = 7
A_FOURTH = 4


@pytest.fixture(scope="module")
async def arena() -> AsyncIterator[Arena]:
    clients = ModelClients()
    async with ScriptedOpenAI() as server:
        yield Arena(default_encoder(), server, clients)
    await clients.aclose()


async def test_that_a_fooled_model_neither_acts_nor_tells(arena: Arena) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")  # noqa: T201  to run a failure again
    for case in attacks()[::A_FOURTH]:
        for tried, straight in ((case, False), (disguised(case, chance), True)):
            outcome = await arena.run(tried, straight_to_model=straight)
            assert not outcome.harmed, f"{case.id}: {outcome.acts} {outcome.given_away} {outcome.result.decision}"


def test_that_the_fooled_model_approves_of_everything_in_a_second_reading() -> None:
    sources = Sources(
        datetime.now(UTC), [ToolCall("look", {}, "succeeded", {"a": "é < 3"})], [("doc#1", "Título\nTexto.")]
    )
    for known in (sources, replace(sources, passages=[]), replace(sources, passages=[], calls=[])):
        reply = 'Pronto, R$ 500 "na conta" & amanhã!\nFeito.'
        asked = reading_request(load_prompts()["second_reading"], reply, known, masked=False)
        found = claims_of(approving(str(asked[1]["content"])), reply, known)
        assert [claim.text for claim in found] == reply.splitlines()
        assert all(claim.supported_by for claim in found)


async def test_that_the_same_attacks_do_harm_without_the_defences(arena: Arena) -> None:
    with undefended():
        for case in attacks()[::A_FOURTH]:
            outcome = await arena.run(case, straight_to_model=True, trust_all=True)
            assert outcome.harmed, f"{case.id} shows nothing"


async def test_that_conversations_without_anything_hostile_go_on_as_before(arena: Arena) -> None:
    for case in benign():
        for straight in (False, True):
            outcome = await arena.run(case, straight_to_model=straight)
            assert not broken(case, outcome), f"{case.id}: {broken(case, outcome)}"


def test_that_the_set_is_large_and_covers_the_languages() -> None:
    cases = attacks()
    assert len(cases) >= 130
    assert len({case.id for case in cases}) == len(cases)
    assert {case.language for case in cases} == {"pt", "es", "en"}
    assert len(benign()) >= 30
