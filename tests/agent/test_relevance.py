"""Knowledge answers what it answers: right passages pass the threshold, other matters do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.classifier import vectorise
from agent.encoder import default_encoder
from agent.relevance import CANDIDATES, asked_words, weighed
from agent.terms import terms
from agent.turn import Passage
from flows.knowledge_vectors import in_memory
from flows.tenant_files import load_tenant

THRESHOLD = 0.5

ANSWERED = {
    "vocês embrulham pra presente? quanto custa o embrulho?": ("pt", "Embalagem para presente"),
    "o boleto vence em quantos dias?": ("pt", "Boleto"),
    "meu cartão foi recusado, e agora?": ("pt", "Pagamento recusado"),
    "qual a garantia da mochila?": ("pt", "Garantia contra defeito"),
    "como lavo o vestido de linho?": ("pt", "Como lavar"),
    "posso mudar o endereço de entrega depois de comprar?": ("pt", "Mudar o endereço"),
    "a caixa chegou amassada, o que eu faço?": ("pt", "Pacote aberto"),
    "quantas tentativas de entrega a transportadora faz?": ("pt", "tentativas de entrega"),
    "posso parcelar em 10 vezes?": ("pt", "Parcelamento"),
    "a garantia cobre rasgo?": ("pt", "não cobre"),
    "vocês apagam meus dados se eu pedir?": ("pt", "Apagar"),
    "how long is the warranty?": ("en", "Warranty"),
}
OTHER = {
    "vocês fazem conserto de máquina de costura industrial ou conhecem quem faça em Manaus?": "pt",
    "qual a capital da França?": "pt",
    "me conta uma piada": "pt",
    "qual o telefone da prefeitura?": "pt",
    "preciso renovar minha cnh": "pt",
    "meu filho está com febre o que faço": "pt",
    "posso levar meu cachorro aí?": "pt",
    "can you write me a poem": "en",
    "¿cuál es la receta de la paella?": "es",
}


@pytest.fixture(scope="module")
def search() -> Callable[[str, str], list[Passage]]:
    """The example shop's documents, searched as offline evals search them."""
    declaration = load_tenant(Path(__file__).parents[2] / "tenants" / "loja-aurora")
    encoder = default_encoder()
    knowledge = in_memory(declaration.knowledge, encoder)
    return lambda question, language: knowledge.search(
        question, vectorise([question], encoder)[0], language, CANDIDATES
    )


def test_that_the_examples_documents_answer_their_questions_and_no_others(
    search: Callable[[str, str], list[Passage]],
) -> None:
    missed = []
    for question, (language, heading) in ANSWERED.items():
        best = search(question, language)[0]
        if best.score < THRESHOLD or heading not in best.title:
            missed.append((question, best.title, best.score))
    assert not missed
    answered = {question: search(question, language)[0] for question, language in OTHER.items()}
    assert not {question: p.title for question, p in answered.items() if p.score >= THRESHOLD}


def test_that_a_huge_question_costs_no_more_than_a_long_one() -> None:
    assert asked_words("frete " * 20_000 + "boleto") == ["fret"]
    assert len(asked_words(" ".join(f"palavra{n}" for n in range(20_000)))) == 24


def test_that_words_are_the_same_without_accents_in_other_forms_and_spelled_short() -> None:
    assert terms("Devoluções") == terms("devolucao")
    assert terms("Wi-Fi") == terms("wifi")
    assert terms("trocas de peças") == terms("troca da peca")
    assert terms("R$ 1.000,00") == terms("r$ 1000")
    assert terms("o q é isso, vc sabe?") == terms("sabe")
    assert terms("deliveries") == terms("delivery")


def test_that_rare_words_are_looked_up_and_ubiquitous_ones_only_where_nothing_else_is_known() -> None:
    frequencies = {"": 20_000, "loja": 15_000, "boleto": 200, "retrat": 2}
    assert list(weighed(["loja", "boleto", "retrat", "xyz"], frequencies).to_look_up()) == ["retrat", "boleto"]
    assert list(weighed(["loja"], frequencies).to_look_up()) == ["loja"]
