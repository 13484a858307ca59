import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.classifier import Example, vectors_to_store
from agent.encoder import EncodingFailedError, default_encoder
from agent.endpoint_encoder import STORED, EmbeddingEndpoint, EndpointEncoder
from agent.spared_classifier import SparedClassifier, train_spared
from tests.openai_server import ScriptedOpenAI

EXAMPLES = [
    Example(text, intent)
    for intent, texts in {
        "order_status": ["onde esta meu pedido", "cade minha encomenda", "meu pacote nao chegou", "rastrear pedido"],
        "opening_hours": [
            "que horas abrem",
            "horario de funcionamento",
            "abrem no sabado",
            "ate que horas fica aberto",
        ],
    }.items()
    for text in texts
]
MESSAGE = "cadê o pacote que eu pedi?"


def embed(texts: Any) -> np.ndarray:
    return default_encoder().encode(list(texts))


def encoder_at(server: ScriptedOpenAI, **settings: Any) -> EndpointEncoder:
    endpoint = EmbeddingEndpoint("scripted", server.base_url, "key-0815", timeout_seconds=30.0, rest_seconds=0.0)
    return EndpointEncoder(replace(endpoint, **settings), default_encoder())


async def ask(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(function, *arguments)


async def test_that_the_real_client_fetches_vectors_once_per_text_in_the_order_asked():
    async with ScriptedOpenAI(embed=embed) as server:
        encoder = encoder_at(server, dimensions=512)
        rows = await ask(encoder.encode, ["um", "dois", "um"])
        again = await ask(encoder.encode, ["dois"])
        server.embedding_faults = [{"floats": True}]
        backwards = await ask(encoder.encode, ["tres", "quatro"])
        many = [f"mensagem {number}" for number in range(150)]
        long = await ask(encoder.encode, many)
    assert rows.shape == (3, STORED)
    assert np.allclose(rows[:, :512], embed(["um", "dois", "um"]), atol=1e-5)
    assert np.array_equal(again[0], rows[1])
    assert np.allclose(backwards[:, :512], embed(["tres", "quatro"]), atol=1e-5)
    assert np.allclose(long[:, :512], embed(many), atol=1e-4)
    assert [len(request["input"]) for request in server.requests] == [2, 2, 64, 64, 22]
    assert {request["dimensions"] for request in server.requests} == {512}


async def test_that_wider_vectors_keep_their_angles():
    random = np.random.default_rng(5)
    wide = random.normal(size=(40, 3072)).astype(np.float32) + random.normal(size=3072) * 0.5
    async with ScriptedOpenAI(embed=lambda texts: wide[[int(text) for text in texts]]) as server:
        rows = await ask(encoder_at(server).encode, [str(number) for number in range(40)])
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    assert rows.shape == (40, STORED)
    assert np.abs(rows @ rows.T - unit @ unit.T).max() < 0.15


FAULTS = {
    "status 401": [{"status": 401}],
    "status 503": [{"status": 503}] * 2,
    "status 429": [{"status": 429}] * 2,
    "APIConnectionError": [{"reset": True}] * 2,
    "holds no embeddings": [{"body": "<html>", "content_type": "text/html"}] * 2,
    "holds no embeddings ": [{"body": '{"data": null}'}] * 2,
    "cannot be read": [{"body": '{"data": [{"index": 0, "embedding": "???"}]}'}],
    "0 vectors for 1 texts": [{"lose": True}],
    "not finite": [{"nan": True}],
    "have 100 numbers": [{"width": 100}],
}


@pytest.mark.parametrize("problem", FAULTS)
async def test_that_the_local_encoder_answers_whatever_the_endpoint_does(problem):
    async with ScriptedOpenAI(embed=embed) as server:
        encoder = encoder_at(server)
        classifier = await ask(train_spared, EXAMPLES, encoder)
        server.embedding_faults = list(FAULTS[problem])
        failed = await ask(classifier.classify, MESSAGE)
        back = await ask(classifier.classify, MESSAGE)
        assert server.embedding_faults == []
    assert isinstance(classifier, SparedClassifier)
    assert failed.intent == back.intent == "order_status"
    assert failed.reasons[0].code == "encoder_failed"
    assert problem.strip() in failed.reasons[0].detail
    assert "key-0815" not in str(failed)
    assert back.reasons[0].code == "classified"


@pytest.mark.parametrize("fault", [{"hold": 60}, {"drip": 60}])
async def test_that_an_endpoint_too_late_is_not_waited_for(fault):
    async with ScriptedOpenAI(embed=embed) as server:
        encoder = encoder_at(server, rest_seconds=3600.0)
        classifier = await ask(train_spared, EXAMPLES, encoder)
        encoder._endpoint = replace(encoder._endpoint, timeout_seconds=1.0)
        assert len(server.requests) == 1
        server.embedding_faults = [fault]
        failed = await ask(classifier.classify, MESSAGE)
        resting = await ask(classifier.classify, "meu pacote sumiu?")
        assert len(server.requests) == 2, "while it rests, nobody asks"
    assert failed.intent == resting.intent == "order_status"
    assert "no answer in time" in failed.reasons[0].detail
    assert "a moment ago" in resting.reasons[0].detail


async def test_that_a_passing_fault_is_tried_again_within_the_deadline():
    async with ScriptedOpenAI(embed=embed) as server:
        server.embedding_faults = [{"status": 500}, {"reset": True}]
        encoder = encoder_at(server)
        with pytest.raises(EncodingFailedError):
            await ask(encoder.encode, ["um"])
        server.embedding_faults = [{"status": 500}]
        assert (await ask(encoder.encode, ["um"])).shape == (1, STORED)


async def test_that_a_classifier_made_while_the_endpoint_is_down_learns_once_it_is_back():
    async with ScriptedOpenAI(embed=embed) as server:
        server.embedding_faults = [{"status": 503}] * 2
        encoder = encoder_at(server)
        name, vectors = await ask(vectors_to_store, [example.text for example in EXAMPLES], encoder)
        assert (name, vectors.shape) == (default_encoder().name, (8, 512))
        server.embedding_faults = [{"status": 503}] * 2
        classifier = await ask(train_spared, EXAMPLES, encoder)
        first = await ask(classifier.classify, MESSAGE)
        assert (first.intent, first.reasons[0].code) == ("order_status", "encoder_failed")
        classifier.learn_again_seconds = classifier._learn_at = 0.0
        async with asyncio.timeout(60):
            while (await ask(classifier.classify, MESSAGE)).reasons[0].code != "classified":  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_that_one_intent_alone_is_left_to_the_local_encoder():
    async with ScriptedOpenAI(embed=embed) as server:
        classifier = await ask(train_spared, EXAMPLES[:4], encoder_at(server))
        assert (await ask(classifier.classify, MESSAGE)).intent == "order_status"
        assert server.requests == []
