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


EVERYDAY = {
    "pt": "cadê|aceita pix|atrasou|tem mesa pra 4?|quero marcar uma limpeza|dói muito meu dente|já fiz o pix|"
    "qual o convênio|quanto fica a revisão|tô chegando|a pizza veio fria|sem cebola por favor|até que horas vai|"
    "foi engano|quem fala?|"
    "ninguém me responde|alguém aí?|meu nome tá errado|emite nota?|fatura veio alta|tá sem sinal|troquei de número|"
    "mandei o comprovante|parcelado|telefone?|cupom|defeito|funcionamento|remarcar",
    "es": "¿tienen mesa para 4?|me duele mucho la muela|ya hice el pago|cuánto sale la revisión|hasta qué hora están|"
    "la pizza llegó fría|sin cebolla por favor|fue un error|¿quién habla?|nadie me contesta|hay estacionamiento|"
    "no tengo señal|cambié de número|les mandé el comprobante|perdón por la demora|se retrasó|descuento|cupón|"
    "teléfono|defecto|plazo|hacen envíos|voy a querer dos",
    "en": "table for 4?|my tooth hurts a lot|already paid|how much for a checkup|on my way|the pizza came cold|"
    "no onions please|until what time|my mistake|who is this?|nobody answers|anyone there?|bill is too high|"
    "changed my number|sent the receipt|never mind|tracking|coupon|address|receipt|too small|wrong item|can't log in",
}


@pytest.mark.parametrize("language", EVERYDAY)
def test_that_everyday_words_show_their_language_whatever_was_spoken_before(language):
    texts = EVERYDAY[language].split("|")
    found = {(text, before): detect_language(text, before) for text in texts for before in ("pt", "es", "en")}
    assert {key: spoken for key, spoken in found.items() if spoken != language} == {}


@pytest.mark.parametrize("text", ["reembolso", "domingo", "oferta", "agendar", "cancelar", "producto x", "pix"])
def test_that_words_of_several_languages_keep_the_language_of_the_conversation(text):
    kept = [detect_language(text, before) for before in ("pt", "es")]
    assert kept == (["es", "es"] if text.startswith("producto") else ["pt", "es"])


@pytest.mark.parametrize(
    "text",
    [
        "delivery?",
        "show!",
        "show de bola top",
        "black friday",
        "gift card",
        "check-in",
        "pet shop",
        "Washington",
        "Sheila Smith",
        "bluetooth",
        "cheeseburger",
        "milk shake",
        "ñ",
        "y",
        "e",
        "o",
        "okay",
        "feedback",
        "yy",
        "ee",
    ],
)
def test_that_names_and_words_that_everybody_borrowed_change_no_language(text):
    for default in ("pt", "es") if text == "show de bola top" else ("pt", "es", "en"):
        assert detect_language(text, default) == default


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "pt",
            "oiee|oii|ñ recebi|tem delivery?|desculpa|parabéns|feliz natal|qro cancelar|deu ruim|vcs fazem check-in",
        ),
        ("es", "holaa|buen dia|chau|dale|me ayudas|feliz navidad|qué pena|tienen delivery?|hacen check-in"),
        ("en", "heyy|ty!|nice|maybe|congrats|do you have free delivery|is it in stock?|show me my order"),
    ],
)
def test_that_what_is_typed_in_passing_shows_its_language(language, texts):
    found = {text: detect_language(text, other) for text in texts.split("|") for other in ("pt", "es", "en")}
    assert found == dict.fromkeys(found, language)
