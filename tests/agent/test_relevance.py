"""Knowledge answers what it answers: right passages pass the threshold, other matters do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.classifier import vectorise
from agent.encoder import default_encoder
from agent.relevance import CANDIDATES, ranked
from agent.turn import Passage
from flows.tenant_files import load_tenant

THRESHOLD = 0.5

ANSWERED = {
    "vocês embrulham pra presente? quanto custa o embrulho?": "Embalagem para presente",
    "o boleto vence em quantos dias?": "Boleto",
    "meu cartão foi recusado, e agora?": "Pagamento recusado",
    "qual a garantia da mochila?": "Garantia contra defeito",
    "como lavo o vestido de linho?": "Como lavar",
    "posso mudar o endereço de entrega depois de comprar?": "Mudar o endereço",
    "a caixa chegou amassada, o que eu faço?": "Pacote aberto",
    "quantas tentativas de entrega a transportadora faz?": "tentativas de entrega",
    "posso parcelar em 10 vezes?": "Parcelamento",
    "a garantia cobre rasgo?": "não cobre",
    "vocês apagam meus dados se eu pedir?": "Apagar",
    "how long is the warranty?": "Warranty",
}
OTHER = (
    "vocês fazem conserto de máquina de costura industrial ou conhecem quem faça em Manaus?",
    "qual a capital da França?",
    "me conta uma piada",
    "qual o telefone da prefeitura?",
    "preciso renovar minha cnh",
    "meu filho está com febre o que faço",
    "posso levar meu cachorro aí?",
    "can you write me a poem",
    "¿cuál es la receta de la paella?",
)


@pytest.fixture(scope="module")
def passages_for() -> object:
    declaration = load_tenant(Path(__file__).parents[2] / "tenants" / "loja-aurora")
    sections, encoder = declaration.sections(), default_encoder()
    vectors = vectorise([f"{section.title}. {section.text}" for section in sections], encoder)

    def search(question: str) -> list[Passage]:
        scores = vectors @ vectorise([question], encoder)[0]
        nearest = sorted(zip(sections, scores, strict=True), key=lambda pair: -pair[1])[:CANDIDATES]
        return [Passage(s.ref, f"{s.title} · {s.heading}", s.text, float(score)) for s, score in nearest]

    return search


def test_that_the_examples_documents_answer_their_questions_and_no_others(passages_for: object) -> None:
    assert callable(passages_for)
    missed = []
    for question, heading in ANSWERED.items():
        best = ranked(question, passages_for(question))[0]
        if best.score < THRESHOLD or heading not in best.title:
            missed.append((question, best.title, best.score))
    assert not missed
    answered = {question: ranked(question, passages_for(question))[0] for question in OTHER}
    assert not {question: p.title for question, p in answered.items() if p.score >= THRESHOLD}


def test_that_a_huge_question_costs_no_more_than_a_long_one() -> None:
    passage = Passage("a#1", "Pix", "Aceitamos Pix.", 0.4)
    assert ranked("pix " * 20_000, [passage])[0].score == pytest.approx(0.9)
    assert ranked("", [passage])[0].score == pytest.approx(0.4)
