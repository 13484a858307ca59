"""Words of the same meaning, and what a question asks for: what lets a passage answer that shares no word with it."""

import pytest

from agent.answer_kinds import asked_kinds, gives
from agent.encoder import default_encoder
from agent.word_nearness import WordNearness


def test_that_words_of_the_same_meaning_are_near_in_and_between_languages_and_others_are_not():
    asked = ["cachorro", "delivery", "horario"]
    near = WordNearness(default_encoder())(asked, ["perros", "entrega", "hours", "contrato", "banho"])
    assert near.shape == (3, 5)
    assert near.argmax(axis=1).tolist() == [0, 1, 2]
    assert near.max(axis=1).min() > 0.5
    assert near[:, 3:].max() < 0.3
    assert WordNearness(default_encoder())(asked, []).shape == (3, 0)


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("qto custa a aula experimental?", ("amount",)),
        ("¿cuánto tarda el envío?", ("duration",)),
        ("how much is it and when do you open?", ("amount",)),
        ("vcs abrem no domingo?", ("time",)),
        ("where are you and what time do you close", ("time", "place")),
        ("aceitam cachorro?", ()),
    ],
)
def test_that_a_question_tells_what_it_asks_for(question, kinds):
    assert asked_kinds(question) == kinds


@pytest.mark.parametrize(
    ("text", "kind", "given"),
    [
        ("A visita custa R$ 90,00.", "amount", 1.0),
        ("La matrícula es gratuita.", "amount", 1.0),
        ("Fale com a recepção.", "amount", -1.0),
        ("Fica pronto em 25 minutos.", "duration", 1.0),
        ("Weekdays from 8 am to 7 pm.", "time", 1.0),
        ("Estamos en la calle Mayor 112.", "place", 1.0),
        ("Tragam documento.", "time", -1.0),
    ],
)
def test_that_a_text_gives_what_it_gives(text, kind, given):
    assert gives(text, (kind,)) == given
    assert gives(text, ()) == 0.0
