"""The training check names intents that cannot be told apart, with the sentences that show it, and weak examples."""

from __future__ import annotations

from agent.classifier import Example, vectorise
from agent.encoder import default_encoder
from agent.intent_check import TrainingCheck, check_training

APART = {
    "order_status": [
        "cadê meu pedido?",
        "onde está minha encomenda?",
        "meu pedido já saiu?",
        "quando chega a minha compra?",
        "quero rastrear meu pedido",
        "o pedido ainda não chegou",
    ],
    "opening_hours": [
        "que horas vocês abrem?",
        "qual o horário de atendimento?",
        "abrem no domingo?",
        "até que horas a loja fica aberta?",
        "vocês funcionam no feriado?",
        "a loja fecha que horas?",
    ],
    "payment": [
        "quais as formas de pagamento?",
        "aceitam pix?",
        "posso pagar no cartão em 3 vezes?",
        "tem como pagar com boleto?",
        "parcelam no cartão de crédito?",
        "dá para pagar em dinheiro?",
    ],
}
SAME_AS_EXCHANGE = {
    "exchange": [
        "quero trocar o produto",
        "como faço a troca da camisa?",
        "preciso trocar o tamanho",
        "a calça ficou grande, quero trocar",
        "dá para trocar por outra cor?",
        "quero fazer uma troca",
    ],
    "swap_item": [
        "gostaria de trocar o produto",
        "como é feita a troca da blusa?",
        "posso trocar o tamanho?",
        "a saia ficou pequena, quero trocar",
        "trocar por outra cor",
        "queria fazer a troca",
    ],
}


def _check(intents: dict[str, list[str]]) -> TrainingCheck:
    examples = [Example(text, name) for name, texts in intents.items() for text in texts]
    return check_training(examples, default_encoder(), vectorise([one.text for one in examples], default_encoder()))


def test_that_two_intents_that_mean_the_same_are_named_with_the_sentences_that_show_it() -> None:
    check = _check({**APART, **SAME_AS_EXCHANGE})
    assert [pair.intents for pair in check.confusable] == [("exchange", "swap_item")]
    pair = check.confusable[0]
    shown = {one.text for one in pair.confusions} | {text for pair in pair.nearly_same for text in pair}
    assert len(pair.confusions) >= 2
    assert shown <= {text for texts in SAME_AS_EXCHANGE.values() for text in texts}
    assert all({one.intent, one.taken_for} == {"exchange", "swap_item"} for one in pair.confusions)
    told = "\n".join(check.lines())
    assert "confusable: exchange and swap_item" in told
    assert pair.confusions[0].text in told


def test_that_intents_that_are_well_apart_give_no_warning_and_the_same_findings_twice() -> None:
    check = _check(APART)
    assert check.is_clean, check.lines()
    assert check.accuracy == 1.0
    assert (check.intents, check.examples, check.judged) == (3, 18, 18)
    assert _check(APART) == check


def test_that_a_sentence_under_the_wrong_intent_an_unreadable_one_and_a_small_intent_are_found() -> None:
    wrong = "qual o horário de funcionamento da loja?"
    check = _check(
        {
            **APART,
            "payment": [*APART["payment"], wrong],
            "order_status": [*APART["order_status"], "…"],
            "gift": ["embrulha para presente?", "tem cartão presente?"],
        }
    )
    weak = {(one.intent, one.text): one.why for one in check.weak}
    assert weak["payment", wrong] == "looks_like"
    assert weak["order_status", "…"] == "unreadable"
    assert check.few == (("gift", 2),)


def test_that_a_courtesy_is_named_where_an_intent_is_about_something_else() -> None:
    greetings = ["oi", "bom dia", "olá, tudo bem?", "boa tarde"]
    slips = {"payment": "bom dia!", "opening_hours": "muito obrigada"}
    check = _check({name: [*texts, *([slips[name]] if name in slips else [])] for name, texts in APART.items()})
    assert {one.intent: one.text for one in check.weak if one.why == "courtesy"} == slips
    assert any("bom dia!" in line and "is a courtesy" in line for line in check.lines())
    assert not [one for one in _check({**APART, "greeting": greetings}).weak if one.why == "courtesy"]


def test_that_too_little_to_compare_is_no_error() -> None:
    for intents in ({}, {"a": ["oi"]}, {"a": ["oi"], "b": ["tchau"]}, {"a": ["…"], "b": ["…"]}):
        check = _check(intents)
        assert check.accuracy is None
        assert check.confusable == ()
