import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.normalise import MAX_ENCODED, fold, normalise, words
from tests.growth import assert_linear


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Oi, bom dia! Cadê meu pedido #12345??? 🙏", "cade meu pedido?"),
        ("QUERO CANCELAR", "quero cancelar"),
        ("vc tem wpp", "voce tem whatsapp"),
        ("queria trocar o tênis q comprei p/ minha mãe, obrigada!", "queria trocar o tenis que comprei para minha mae"),
        ("quero um reembolsoooo!!!!", "quero um reembolso"),
        ("kkkk adorei", "adorei"),
        ("oi\u200b, \u202eonde fica a loja", "onde fica a loja"),
        ("ｃａｎｃｅｌａｒ", "cancelar"),
        ("¡Hola, buenas tardes! ¿dónde está mi pedido?", "donde esta mi pedido?"),
        ("hi there, where's my order", "where's my order"),
        ("olá, tudo bem com vc? o frete é caro", "o frete e caro"),
        ("*urgente*: _não_ chegou", "urgente: nao chegou"),
        ("Oi! Meu nome é Júlia e quero saber se tem vestido azul M", "quero saber se tem vestido azul m"),
        ("boa tarde, aqui é o José d'Ávila, cadê meu pedido?", "cade meu pedido?"),
        ("hola, me llamo Ana María y busco una mochila", "busco una mochila"),
        ("Hello. My name is John O'Neil-Smith, where's my order", "where's my order"),
        ("meu nome é Maria e José é meu marido", "jose e meu marido"),
    ],
)
def test_that_noise_is_removed_and_the_request_stays(written, read):
    assert normalise(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("oi", "oi"),
        ("Bom dia!!", "bom dia"),
        ("Boa noite pessoal", "boa noite pessoal"),
        ("12345", "12345"),
        ("obrigado", "obrigado"),
        ("não, obrigado", "nao, obrigado"),
        ("👍🏽", "ok"),
        ("caro", "caro"),
        ("meu nome é Júlia", "meu nome e julia"),
        ("Me chamo Ana.", "me chamo ana"),
        ("meu nome está errado no boleto", "meu nome esta errado no boleto"),
        ("sou alérgica, tem sem glúten?", "sou alergica, tem sem gluten?"),
        ("tudo que comprei veio errado", "tudo que comprei veio errado"),
    ],
)
def test_that_a_message_is_never_stripped_of_its_only_content(written, read):
    assert normalise(written) == read


@pytest.mark.parametrize("nothing", ["", "   ", "\u200b\ufeff", "\ud800", "...", "🎉"])
def test_that_a_message_without_words_reads_as_nothing(nothing):
    assert normalise(nothing) == ""


def test_that_folding_serves_whole_word_matches():
    assert fold("  PARE  de me\u200bligar, NÃO quero ") == "pare de meligar, nao quero"
    assert words("Não, PARE!") == ["nao", "pare"]


@given(st.text(max_size=300))
def test_that_any_unicode_is_normalised_to_something_encodable(text):
    read = normalise(text)
    read.encode("utf-8")
    assert len(read) <= MAX_ENCODED
    assert fold(fold(text)) == fold(text)


HUGE = 65_536


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "oi ",
        "oi, ",
        "ha",
        "! ",
        "a.b@",
        "🙏",
        "\u200b",
        "obrigado ",
        "1.2-",
        "\ufdfa",
        "http://",
        "#",
        "é",
        "bom ",
    ],
)
def test_that_a_64_kib_message_costs_no_more_than_its_share(piece):
    for read in (normalise, fold):
        assert_linear(read, (piece * HUGE)[:HUGE])
