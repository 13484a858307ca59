"""Trades: each understands what its customers write, says only what the business told, and can be taken over whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.encoder import default_encoder
from domain.errors import InvalidInputError, NotFoundError
from flows import trade_templates
from flows.declared_files import TenantFilesError
from flows.intents import Intents
from flows.trade_templates import TradeAnswers, TradeTemplates, filled, hours_text, names, read_trade, trade
from store.database import Database
from store.wakeup import Wakeup
from tests.database import make_number

WEEK = {day: ["09:00-12:00", "13:00-18:00"] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
WEEK |= {"saturday": ["09:00-13:00"]}
"""Sunday is closed."""

UNSEEN = {
    "shop": {
        "pt": {
            "vcs mandam pra Recife?": "delivery",
            "onde é a loja de vcs": "location",
            "meu pacote sumiu": "order_status",
        },
        "en": {"could I pay with my visa?": "payment_methods", "where's the parcel I ordered": "order_status"},
        "es": {"¿puedo devolver los zapatos?": "exchanges"},
    },
    "clinic": {
        "pt": {"queria marcar um horário com o dentista": "book_appointment", "aceita plano amil?": "insurance_plans"},
        "en": {"please cancel my visit on monday": "change_appointment", "my tooth hurts a lot": "health_question"},
        "es": {"¿qué valor tiene una consulta?": "consultation_price"},
    },
    "rental": {
        "pt": {"quanto é pra alugar por 2 dias": "rental_prices", "tem que deixar cheque caução?": "deposit"},
        "en": {"what papers do you need to rent to me": "documents", "I want to extend the rental": "running_rental"},
        "es": {"¿me lo traen a casa?": "pickup_return"},
    },
    "school": {
        "pt": {"ainda dá pra matricular minha filha?": "enrolment", "quanto fica por mês a escola": "tuition"},
        "en": {"when do lessons begin in the morning": "class_times", "could we take a tour of the school": "visit"},
        "es": {"mi hija está enferma y no va hoy": "about_student"},
    },
}
"""Messages that are no examples, by the intent that they mean."""


@pytest.mark.parametrize("name", names())
def test_that_a_trade_has_enough_examples_and_an_answer_in_every_language(name: str) -> None:
    found = trade(name)
    assert len(found.intents) >= 10
    for intent in found.intents.values():
        for language in ("pt", "en", "es"):
            assert len(intent.examples[language]) >= 10, (intent.name, language)
        assert set(intent.answer) in ({"pt", "en", "es"}, set()), intent.name
        assert set(found.descriptions[intent.name]) == {"en", "es"}, intent.name
    for words in (found.about.title, found.about.about, found.about.persona):
        assert set(words) == {"pt", "en", "es"}
    for question in found.about.questions:
        assert set(question.label) == set(question.example) == {"pt", "en", "es"}
    assert "opening_hours" in found.intents
    # A figure would be a fact that no trade can know.
    assert not [text for one in found.intents.values() for text in one.answer.values() if re.search(r"\d", text)]


@pytest.mark.parametrize("name", names())
def test_that_a_trade_understands_messages_that_are_no_examples(name: str) -> None:
    from agent.classifier import Example, train  # noqa: PLC0415 - numpy

    found = trade(name)
    examples = [
        Example(text, one.name, language)
        for one in found.intents.values()
        for language, texts in one.examples.items()
        for text in texts
    ]
    classifier = train(examples, default_encoder())
    texts = [text for messages in UNSEEN[name].values() for text in messages]
    wanted = [intent for messages in UNSEEN[name].values() for intent in messages.values()]
    assert [result.intent for result in classifier.classify_many(texts)] == wanted


def test_that_every_answer_is_the_businesss_own_and_what_it_did_not_say_goes_to_a_person() -> None:
    said = TradeAnswers({"address": "Rua A, 1"}, WEEK)
    for name in names():
        for key, intent in filled(trade(name), "Padaria Sol", said).items():
            assert not re.search(r"[{}]", " ".join(intent.answer.values())), key
            if key in {"location", "opening_hours", "greeting"}:
                assert intent.action == "serve"
            elif trade(name).intents[key].answer:
                assert (intent.action, intent.answer) == ("hand_off", {}), key
    shop = filled(trade("shop"), "Padaria Sol", said)
    assert shop["location"].answer["pt"] == "Ficamos em: Rua A, 1 📍"
    assert "Padaria Sol" in shop["greeting"].answer["en"]
    assert hours_text(WEEK, "pt").splitlines() == [
        "• segunda-feira a sexta-feira: 09:00–12:00, 13:00–18:00",
        "• sábado: 09:00–13:00",
        "• domingo: fechado",
    ]
    assert "Monday to Friday" in hours_text(WEEK, "en")


async def test_that_applying_a_trade_again_or_another_one_leaves_the_tenants_own_intents_alone(
    db: Database, owner_dsn: str
) -> None:
    shop = await make_number(owner_dsn, "shop")
    other = await make_number(owner_dsn, "other")
    wakeup = Wakeup(db)
    intents = Intents(db, wakeup)
    templates = TradeTemplates(db, wakeup, intents)
    try:
        mine = {"name": "parking_space", "examples": ["vocês alugam vaga de garagem?"], "action": "hand_off"}
        await intents.create(shop.tenant_id, mine, actor="test")
        first = await templates.apply(shop.tenant_id, "shop", TradeAnswers(), actor="test")
        assert first.intents == len(trade("shop").intents)
        assert "location" in first.to_people
        again = TradeAnswers({"address": "Rua {hours}, 1", "unknown": "x"}, WEEK)
        second = await templates.apply(shop.tenant_id, "shop", again, actor="test")
        assert "location" not in second.to_people
        location = await intents.get(shop.tenant_id, "location")
        assert location.declaration.action == "serve"
        assert location.declaration.answer["pt"] == "Ficamos em: Rua (hours), 1 📍"
        await templates.apply(shop.tenant_id, "school", again, actor="test")
        kept = {one.declaration.name for one in await intents.all(shop.tenant_id)}
        assert kept == {*trade("school").intents, "parking_space"}
        assert await intents.all(other.tenant_id) == []
        async with db.transaction(shop.tenant_id) as tx:
            settings = await tx.fetchval("SELECT settings FROM tenant WHERE id = $1", shop.tenant_id)
        assert settings["hours"]["weekly"]["saturday"] == ["09:00-13:00"]
        assert settings["set_by_hand"]["persona"].startswith("Você atende famílias")
        for wrong in (TradeAnswers(hours={"monday": ["9-18"]}), TradeAnswers({"address": "x" * 2_000})):
            with pytest.raises(InvalidInputError):
                await templates.apply(shop.tenant_id, "school", wrong, actor="test")
        with pytest.raises(NotFoundError):
            await templates.apply(shop.tenant_id, "../shop", TradeAnswers(), actor="test")
    finally:
        await wakeup.close()


def test_that_people_read_what_intents_are_called_in_the_businesss_language() -> None:
    said = {
        language: filled(trade("clinic"), "Bem Viver", TradeAnswers(), language)["opening_hours"].description
        for language in ("pt", "es", "en")
    }
    assert said == {"pt": "Horário de atendimento", "es": "Horario de atención", "en": "Opening hours"}


def test_that_a_trade_with_mistakes_names_them_all(tmp_path: Path) -> None:
    folder = tmp_path / "bakery"
    (folder / "intents").mkdir(parents=True)
    (folder / "trade.yaml").write_text(
        "title: {pt: P}\nabout: {pt: P}\nicon: star\npersona: {pt: P}\n"
        "questions: [{key: address, label: {pt: E}, example: {pt: E}}]\n"
    )
    (folder / "intents" / "bread.yaml").write_text(
        "name: bread\ndescription: Pão\nexamples: {pt: [oi, 'tem pão?']}\nanswer: {pt: 'Temos {bread}'}\n"
    )
    (folder / "descriptions.yaml").write_text("cake: {en: Cake}\n")
    with pytest.raises(TenantFilesError) as wrong:
        read_trade(folder, trade_templates._folder() / "common")
    told = str(wrong.value)
    assert "cake: is no intent of this trade" in told
    assert "needs bread" in told
    assert "'oi' is in" in told
