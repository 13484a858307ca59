import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.language import detect_language


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("pt", "oi|bom dia|não|meu pedido|cadê|quero cancelar|me ajuda|boleto|troca|onde está o pedido 1234|"
               "tudo bem?|quando chega|meu email é joao@gmail.com|vcs entregam em manaus|camiseta azul tamanho M"),
        ("es", "hola|buenos días|gracias|mi pedido|quiero cancelar|ayuda|¿cuánto cuesta el envío?|"
               "donde esta mi paquete|¿cuándo llega?|todo bien?"),
        ("en", "hi|good morning|thanks|my order|help|ok thanks|where is it|I want to cancel"),
    ],
)  # fmt: skip
def test_that_short_messages_show_their_language(language, texts):
    assert {text: detect_language(text, "default") for text in texts.split("|")} == dict.fromkeys(
        texts.split("|"), language
    )


@pytest.mark.parametrize(
    "text", ["", "ok", "12345", "👍", "kkkk", "no", "pedido", "https://loja.com.br/meu-pedido", "\u200b"]
)
def test_that_what_cannot_be_told_keeps_the_language_of_the_conversation(text):
    assert [detect_language(text, default) for default in ("pt", "es", "en")] == ["pt", "es", "en"]


def test_that_only_allowed_languages_are_given():
    assert detect_language("where is my order, please", "pt", allowed=("pt", "es")) in {"pt", "es"}
    assert detect_language("obrigado", "en", allowed=("en",)) == "en"


@given(st.text(max_size=200))
def test_that_any_text_has_a_language(text):
    assert detect_language(text, "pt") in {"pt", "es", "en"}
