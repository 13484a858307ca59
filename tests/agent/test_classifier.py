import numpy as np
import pytest

from agent.calibration import Calibration
from agent.classifier import Example, examples_digest, train, vectorise
from agent.encoder import default_encoder
from agent.intent_names import readable_name
from agent.logistic import fit, softmax
from agent.taught_more import taught_more

SHOP_LINES = {
    "order_status": """
        onde está meu pedido
        cadê minha encomenda
        meu pedido já saiu para entrega?
        quero rastrear minha compra
        qual o status do meu pedido
        meu pacote não chegou ainda
        ¿dónde está mi pedido?
        where is my order
    """,
    "exchange": """
        quero trocar um produto
        a camiseta ficou pequena, posso trocar?
        como faço uma troca
        veio o tamanho errado
        preciso devolver o tênis
        quiero cambiar un producto
        i want to exchange this
        troca de tamanho
    """,
    "opening_hours": """
        que horas vocês abrem
        qual o horário de funcionamento
        abrem no sábado?
        até que horas fica aberto
        a loja funciona domingo?
        ¿a qué hora abren?
        what are your opening hours
        vocês estão abertos agora
    """,
    "human": """
        quero falar com um atendente
        me passa para uma pessoa
        atendimento humano por favor
        chama alguém
        não quero falar com robô
        quiero hablar con una persona
        let me talk to a human
        preciso de um atendente
    """,
}
SHOP = {intent: [line.strip() for line in lines.strip().splitlines()] for intent, lines in SHOP_LINES.items()}
EXAMPLES = [Example(text, intent) for intent, texts in SHOP.items() for text in texts]


@pytest.fixture(scope="module")
def shop():
    return train(EXAMPLES, default_encoder())


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("OI BOM DIA CADE MEU PEDIDO 98765 QUE NAO CHEGOU", "order_status"),
        ("oi td bem? a calça ñ serviu, qro trocar o tamanho", "exchange"),
        ("vcs abrem no domingo de manhã?", "opening_hours"),
        ("quero falar com uma pessoa de verdade", "human"),
        ("can you tell me where my package is", "order_status"),
    ],
)
def test_that_messages_unlike_the_examples_are_understood_with_confidence(shop, text, intent):
    found = shop.classify(text)
    assert found.intent == intent
    assert found.confidence > 0.6
    assert found.out_of_scope < 0.3
    assert found.reasons


@pytest.mark.parametrize("text", ["quem ganhou o jogo ontem?", "receita de bolo de cenoura", "qual o valor do frete"])
def test_that_messages_about_something_else_get_little_confidence(shop, text):
    found = shop.classify(text)
    assert found.confidence < 0.5
    assert found.out_of_scope > 0.5


def test_that_an_example_itself_is_certain_whatever_its_case_and_accents(shop):
    found = shop.classify("  ONDE ESTA MEU PEDIDO!! ")
    assert (found.intent, found.confidence) == ("order_status", 0.99)
    assert found.reasons[0].code == "same_as_example"


def test_that_a_text_taught_for_two_intents_is_not_certain():
    taught = [*EXAMPLES, Example("quero trocar um produto", "human")]
    assert train(taught, default_encoder()).classify("quero trocar um produto").confidence < 0.9


def test_that_alternatives_are_ranked_and_probabilities_are_probabilities(shop):
    found = shop.classify("quero trocar, me passa para alguém")
    chances = [found.confidence, *(chance for _, chance in found.alternatives)]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) <= 1 + 1e-6
    assert found.intent not in [intent for intent, _ in found.alternatives]


def test_that_nothing_readable_has_no_intent(shop):
    found = shop.classify("\u200b 🎉 ")
    assert (found.intent, found.confidence, found.out_of_scope) == (None, 0.0, 1.0)
    assert found.reasons[0].code == "nothing_to_read"


def test_that_stored_vectors_give_the_same_classifier_as_encoding(shop):
    encoder = default_encoder()
    again = train(EXAMPLES, encoder, vectors=vectorise([example.text for example in EXAMPLES], encoder))
    texts = ["meu pacote sumiu", "abre feriado?", "trocar tamanho"]
    for one, other in zip(shop.classify_many(texts), again.classify_many(texts), strict=True):
        assert one.intent == other.intent
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


@pytest.mark.parametrize("per_intent", [1, 2, 3])
@pytest.mark.parametrize("intents", [0, 1, 2, 4])
def test_that_few_examples_suffice(per_intent, intents):
    few = [Example(text, name) for name, texts in list(SHOP.items())[:intents] for text in texts[:per_intent]]
    classifier = train(few, default_encoder())
    near, far = classifier.classify_many(["cadê meu pedido, onde ele está?", "receita de bolo de cenoura"])
    assert near.intent == ("order_status" if intents else None)
    assert near.confidence >= far.confidence
    assert 0 <= near.confidence <= 1
    assert intents == 0 or far.confidence < 0.6


def test_that_unreadable_examples_are_skipped():
    classifier = train([*EXAMPLES, Example("🎉", "party")], default_encoder())
    assert "party" not in classifier.intents


def test_that_vectors_of_another_length_are_refused():
    with pytest.raises(ValueError, match="1 vectors for 32 examples"):
        train(EXAMPLES, default_encoder(), vectors=np.zeros((1, 512), dtype=np.float32))


def test_that_the_digest_changes_with_texts_and_intents_only():
    assert examples_digest(EXAMPLES) == examples_digest(EXAMPLES[::-1])
    assert examples_digest(EXAMPLES) != examples_digest(EXAMPLES[1:])
    assert examples_digest([Example("a", "b")]) != examples_digest([Example("a", "c")])


def test_that_the_regression_reaches_its_optimum():
    random = np.random.default_rng(7)
    features, labels = random.normal(size=(60, 8)), random.integers(0, 3, 60)
    weights = fit(features, labels, 3, strength=10)
    wrong = softmax(features @ weights[:-1] + weights[-1]) - np.eye(3)[labels]
    gradient = features.T @ wrong / 60 + weights[:-1] / (10 * 60)
    assert np.abs(gradient).max() < 2e-4
    assert np.abs(wrong.mean(axis=0)).max() < 2e-4


def test_that_very_many_classes_reach_the_optimum_too():
    random = np.random.default_rng(7)
    labels = np.arange(600) % 550
    features = random.normal(size=(600, 6)) + 0.5 * (labels % 3 == 0)[:, None]
    weights = fit(features, labels, 550, 10.0)
    assert weights.dtype == np.float64
    wrong = softmax(features @ weights[:-1] + weights[-1]) - np.eye(550)[labels]
    gradient = features.T @ wrong / 600 + weights[:-1] / (10 * 600)
    assert np.abs(gradient).max() < 2e-4
    assert np.abs(wrong.mean(axis=0)).max() < 2e-4


def test_that_confidence_is_not_learned_from_a_handful_among_hundreds():
    """One intent with four examples among many with one: four further trainings to judge four messages."""
    single = [Example(f"quero falar do item {number}", f"item_{number}") for number in range(210)]
    some = [Example(f"embrulha para presente {number}", "gift_wrap") for number in "ab"]
    encoder = default_encoder()
    assert train([*single, *some], encoder).model.calibration == Calibration()
    assert train([*single[:20], *some], encoder).model.calibration != Calibration()


def _more(before, examples):
    return taught_more(before, examples, vectorise([one.text for one in examples], default_encoder()))


def test_that_what_changed_is_learned_beside_what_was_known(shop):
    gift = ["embrulha para presente?", "quero embalagem de presente", "vem com cartão de presente?"]
    kept = [one for one in EXAMPLES if one.intent != "opening_hours"]
    quick = _more(shop, [*kept, *(Example(text, "gift_wrap") for text in gift)])
    asked = ["dá para embrulhar como presente?", "cadê meu pacote que não chegou?", "a calça não serviu, quero trocar"]
    found = quick.classify_many(asked)
    assert [one.intent for one in found] == ["gift_wrap", "order_status", "exchange"]
    assert min(one.confidence for one in found) > 0.5
    assert "opening_hours" not in quick.intents
    assert quick.classify("embrulha para presente?").confidence == 0.99
    assert quick.classify("quem ganhou o jogo ontem?").confidence < 0.5


def test_that_nothing_else_changes_by_what_is_learned_beside(shop):
    same = _more(shop, EXAMPLES)
    texts = ["meu pacote sumiu", "abre feriado?", "trocar tamanho"]
    for one, other in zip(same.classify_many(texts), shop.classify_many(texts), strict=True):
        assert (one.intent, one.confidence) == (other.intent, pytest.approx(other.confidence, abs=1e-6))


def test_that_an_example_moved_to_another_intent_is_that_one(shop):
    moved = Example("quero trocar um produto", "human")
    quick = _more(shop, [*(one for one in EXAMPLES if one.text != moved.text), moved])
    assert quick.classify("quero trocar um produto").intent == "human"


@pytest.mark.parametrize(
    ("name", "read"),
    [("order_status", "order status"), ("segundaViaBoleto", "segunda via boleto"), ("intent_17", ""), ("zzz9", "")],
)
def test_that_a_name_counts_where_it_has_words(name, read):
    assert readable_name(name) == read


def test_that_a_name_helps_where_examples_say_little():
    vague = [("x", ["quero isso", "é aquilo de ontem"]), ("y", ["como faço isso", "preciso disso hoje"])]
    asked = "quero cancelar o pedido"

    def told(first: str, second: str) -> str | None:
        named = dict(zip("xy", (first, second), strict=True))
        return (
            train([Example(text, named[key]) for key, texts in vague for text in texts], default_encoder())
            .classify(asked)
            .intent
        )

    assert told("cancelar_pedido", "nota_fiscal") == "cancelar_pedido"
    assert told("nota_fiscal", "cancelar_pedido") == "cancelar_pedido"
