"""Claims read by what words mean: keys and states in another language, yes-or-no answers, turns without sources."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from agent.claims import Sources, check
from agent.encoder import default_encoder
from domain.decisions import ToolCall

NOW = datetime.fromisoformat("2026-11-23T10:15:00-03:00")
ROOM = {"room": "Duna", "nightly_price": 420, "sea_view": False, "breakfast": True, "airport_transfer": "van"}
TICKET = {"tag": "AB0998", "state": "located", "delivery": {"eta_date": "2026-11-24"}}
CLASSES = [
    {"name": "pilates", "start": "18:00", "coach": "Lia", "spots": 0},
    {"name": "pilates", "start": "19:15", "coach": "Deco", "spots": 7},
]
SESSIONS = {"package": 10, "done": 7, "remaining": 3, "valid_until": "2026-12-30"}
CAKE = {"kg": 3, "price_per_kg": 89.0, "flavors": ["nozes", "coco"], "invoices_this_month": 41, "monthly_limit": 100}


def marked(reply: str, result: Any = None, *, customer: str = "e aí?", language: str = "pt") -> list[str]:
    """The unsupported parts of a reply over one result, or over nothing."""
    calls = [ToolCall("look_up", {}, "succeeded", result)] if result is not None else []
    ledger = check(reply, language, Sources(NOW, calls, (), (), [customer]), default_encoder())
    return [reply[span.start : span.end] for span in ledger.unsupported]


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ("O quarto Duna não tem vista para o mar, mas tem café da manhã.", ROOM),
        ("A diária custa R$ 420.", ROOM),
        ("A sua mala AB0998 foi localizada e chega amanhã.", TICKET),
        ("A das 19h15 com o Deco tem vaga.", CLASSES),
        ("Faltam 3 sessões.", SESSIONS),
        ("O quilo custa R$ 89, então o de 3 kg fica em R$ 267.", CAKE),
        ("Os sabores são nozes e coco. Qual você quer?", CAKE),
        ("Foram 41 notas e ainda restam 59.", CAKE),
    ],
)
def test_that_a_result_is_known_again_in_the_customers_words(reply: str, result: Any) -> None:
    assert marked(reply, result) == []


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        ("O quarto Duna tem vista para o mar.", ROOM),
        ("O café da manhã não está incluso.", ROOM),
        ("A sua mala AB0998 ainda não foi localizada.", TICKET),
        ("A das 18h com a Lia tem vaga.", CLASSES),
        ("Faltam 4 sessões.", SESSIONS),
        ("São R$ 89 por semana.", CAKE),
        ("O quarto tem transporte e piscina aquecida com hidromassagem.", ROOM),
    ],
)
def test_that_the_contrary_another_count_and_another_rate_are_marked(reply: str, result: Any) -> None:
    assert marked(reply, result) != []


@pytest.mark.parametrize(
    ("customer", "reply", "language"),
    [
        ("vcs mandam amostra", "Mandamos sim, uma por cliente.", "pt"),
        ("posso ir ai amanha as 15h?", "Pode vir!", "pt"),
        ("manda foto", "Segue a foto 📷", "pt"),
        ("quero o de sempre", "É pra já! Seu combo já está saindo.", "pt"),
        ("esqueci minha senha", "Clique em Esqueci minha senha no site.", "pt"),
        ("eres un robot?", "Jaja no, soy Camila, del equipo de atención.", "es"),
        ("do you have parking", "We do!", "en"),
        ("can someone call me back", "Sure thing, I've put in a callback request.", "en"),
    ],
)
def test_that_a_turn_that_looked_nothing_up_states_nothing(customer: str, reply: str, language: str) -> None:
    assert marked(reply, customer=customer, language=language) != []


@pytest.mark.parametrize(
    ("reply", "language"),
    [
        ("Poxa, que hora pra isso acontecer! Vamos tentar resolver. Qual é o CPF do titular?", "pt"),
        ("Entendo, você diz que pagou no ano passado. Tem o comprovante?", "pt"),
        ("¡Muchas felicidades a tu hija!", "es"),
        ("I'm a virtual assistant, but I'll do my best for you!", "en"),
        ("No rush at all! Shout if you need anything.", "en"),
        ("Numa escala de 0 a 10, quanto está doendo?", "pt"),
    ],
)
def test_that_talk_which_claims_nothing_passes(reply: str, language: str) -> None:
    assert marked(reply, customer="ja paguei isso ano passado!", language=language) == []
