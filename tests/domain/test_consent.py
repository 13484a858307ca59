"""Whole messages by which people stop messages, or allow them again, as they type them."""

from __future__ import annotations

import pytest

from agent.normalise import words
from agent.untrusted import plain
from domain.consent import ConsentWords

STOPPING = {
    "pt": """PARAR!!!|p a r a r|S.A.I.R.|sairr|sair, por favor|oi, quero sair da lista
             |Me tirem dessa lista|remova meu número
             |descadastra|descadatrar|descadastre-me|não quero mais receber mensagens de vocês
             |nao me mandem mais promoções
             |pare de me mandar mensagem|para de enviar propaganda|Bom dia, quero sair da lista de transmissão|РARAR""",
    "es": """BAJA!|quiero darme de baja|dame de baja por favor|ya no me escriban|no quiero recibir más mensajes
             |no más publicidad|sáquenme de la lista|dejen de escribirme""",
    "en": """stop texting me|please remove me|unsubcribe|Unsubscribe me from this list|don't message me again
             |do not contact me|no more messages|take me off this list|I don't want to receive offers anymore""",
}
BUSINESS = """quero parar o pedido|sair de casa hoje|posso sair com desconto?|baja el precio?|pode parar na esquina?
    |stop at the shop?|quero cancelar meu pedido|me tira uma dúvida|pare de cobrar meu cartão|remover o item do carrinho
    |remova o queijo|darme de baja del gimnasio|não quero receber o pedido hoje|nao quero mais o produto|pagar|falar
    |quero sair da fila|stop it|tira o meu nome da nota|no me mandaron el pedido|não me mandaram o boleto
    |não quero receber nada estragado|delete my order|no more cheese please"""


def command(text: str) -> tuple[str | None, str]:
    said, known = " ".join(words(plain(text))), ConsentWords()
    return known.command(said), known.language(said)


@pytest.mark.parametrize("language", STOPPING)
def test_that_people_stop_messages_in_their_own_words(language: str) -> None:
    texts = [text.strip() for text in STOPPING[language].split("|")]
    assert {text: command(text) for text in texts} == dict.fromkeys(texts, ("opt_out", language))


def test_that_business_in_the_same_words_stops_nothing() -> None:
    texts = [text.strip() for text in BUSINESS.split("|")]
    assert [text for text in texts if command(text)[0] is not None] == []


def test_that_who_stopped_them_asks_for_them_again_in_their_own_words() -> None:
    texts = [
        "VOLTAR!",
        "quero voltar a receber",
        "sim, quero receber",
        "quiero recibir",
        "resubscribe",
        "opt me back in",
    ]
    assert [text for text in texts if command(text)[0] != "opt_in"] == []


def test_that_a_tenants_own_word_counts_with_courtesy_around_it() -> None:
    own = ConsentWords(opt_out=frozenset({"cancelar"}))
    assert own.command("cancelar por favor") == "opt_out"
    assert ConsentWords().command("cancelar por favor") is None
