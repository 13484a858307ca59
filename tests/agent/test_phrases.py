"""Phrases that need no training: a person asked for, anger, courtesy, dropping what was begun."""

from __future__ import annotations

import pytest

from agent.phrases import asks_to_wait, drops_it, is_angry, opens_a_subject, small_talk, wants_person
from tests.growth import assert_linear


@pytest.mark.parametrize(
    "text",
    [
        "Quero falar com um ATENDENTE",
        "humano!",
        "me transfere pra um atendente por favor",
        "me passa pra uma pessoa",
        "tem algum humano aí?",
        "chama alguém da equipe por favor",
        "prefiro conversar com uma pessoa de verdade",
        "vc é um robô? quero falar com gente",
        "me transfere pra alguém",
        "preciso de um atendimento humano",
        "da pra falar com a gerente?",
        "não quero falar com robô, quero falar com atendente",
        "quiero hablar con una persona",
        "pásame con un agente",
        "necesito un humano",
        "hay alguien real ahí?",
        "I want to talk to a real person",
        "can I speak with someone?",
        "human please",
        "could I speak with an agent?",
        "no momento queria falar com um atendente",
        "me liga um atendente",
        "cansei de robô, quero gente",
        "falar c/ atendente",
        "un asesor porfa",
        "con un humano por favor",
        "quiero que me atienda una persona",
        "connect me to support",
        "real person pls",
    ],
)
def test_that_asking_for_a_person_is_understood(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "não quero falar com atendente, só saber do pedido",
        "consegui falar com um atendente ontem, mas cadê o pedido?",
        "vocês atendem no domingo?",
        "quantas pessoas trabalham aí?",
        "oi, tem alguém aí?",
        "quero uma camiseta para uma pessoa alta",
        "uma pessoa me passou esse número",
        "my agent number is 12345",
        "vocês atendem um grupo de 10?",
        "liga um minuto antes de chegar",
        "quantas pessoas cabem na mesa?",
        "mi asesor me dijo que sí",
        "is there a manager's discount?",
    ],
)
def test_that_other_talk_of_people_is_no_such_request(text: str) -> None:
    assert not wants_person(text)


@pytest.mark.parametrize("unit", ["nao quero falar com pessoa ", "oi ", "deixa pra la ", "não ", "a" * 90 + " "])
def test_that_a_message_of_64_kib_is_read_quickly(unit: str) -> None:
    text = (unit * 65_536)[:65_536]
    for read in (wants_person, is_angry, drops_it, small_talk, opens_a_subject):
        assert_linear(read, text)


def test_that_anger_is_seen_and_ordinary_complaints_are_left_to_the_intents() -> None:
    for text in ("isso é um ABSURDO!!", "vou no procon", "que merda", "esto es inaceptable", "this is ridiculous"):
        assert is_angry(text), text
    for text in ("vou processar o pagamento hoje", "meu pedido atrasou", "não gostei da cor", "is there a problem?"):
        assert not is_angry(text), text


def test_that_a_customer_who_asks_for_a_moment_gives_no_answer_yet() -> None:
    for text in (
        "peraí que vou procurar",
        "Espera aí!",
        "um momento por favor",
        "só um minutinho, vou pegar o e-mail",
        "dame un segundo",
        "espera, voy a buscarlo en el correo",
        "hold on, let me check my inbox",
        "Just a sec",
        "I'll look for it",
    ):
        assert asks_to_wait(text), text
    for text in ("", "10234", "um momento, é o 10234", "vou processar vocês", "esperei um mês", "I'll never buy again"):
        assert not asks_to_wait(text), text


def test_that_dropping_is_only_the_whole_message() -> None:
    for text in (
        "deixa pra lá",
        "Cancela",
        "ah, esquece",
        "não precisa mais",
        "olvídalo",
        "never mind",
        "não quero mais",
    ):
        assert drops_it(text), text
    for text in ("quero cancelar meu pedido", "quero", "cancela o pedido 12345", "não", "preciso"):
        assert not drops_it(text), text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Oiii, bom dia! Tudo bem?", "greeting"),
        ("hola buenas tardes", "greeting"),
        ("obrigada!! 😊", "thanks"),
        ("valeu, até mais", "thanks"),
        ("ok obrigado, boa noite", "thanks"),
        ("tchau", "farewell"),
        ("beleza", "acknowledgement"),
        ("👍", "acknowledgement"),
        ("oi, cadê meu pedido?", None),
        ("ok, e o prazo?", None),
        ("", None),
    ],
)
def test_that_small_talk_is_nothing_but_courtesy(text: str, kind: str | None) -> None:
    assert small_talk(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "vocês são uns incompetentes",
        "NUNCA MAIS COMPRO AQUI",
        "lixo de empresa",
        "vou no procon",
        "es una vergüenza",
        "voy a denunciarlos",
        "you people are useless",
        "é golpe isso?? quero meu dinheiro JÁ",
    ],
)
def test_that_anger_is_understood_in_its_many_words(text: str) -> None:
    assert is_angry(text)


@pytest.mark.parametrize(
    "text",
    [
        "que absurdo de bom!",
        "no estoy enojada, solo pregunto",
        "é uma vergonha eu não lembrar o número",
        "tá um calor danado",
    ],
)
def test_that_the_same_words_without_anger_are_none(text: str) -> None:
    assert not is_angry(text)
