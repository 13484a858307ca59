"""The claim ledger: what may go out by itself, and what a person has to see first."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from evals.claims.__main__ import MOST_FALSE_ALARMS, MOST_MISSES, Case, read, score
from hypothesis import given
from hypothesis import strategies as st

from agent.claims import Ledger, Sources, check
from domain.decisions import ToolCall
from tests.growth import assert_linear

NOW = datetime.fromisoformat("2026-11-23T10:15:00-03:00")  # a Monday
DEV = Path(__file__).parents[2] / "evals" / "claims" / "dev.jsonl"
MONTHS = {
    "pt": [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}


def call(function: str, outcome: Any = "succeeded", result: Any = None, **arguments: Any) -> ToolCall:
    return ToolCall(function, arguments, outcome, result)


def ledger(
    reply: str,
    *calls: ToolCall,
    language: str = "pt",
    passages: Sequence[str] = (),
    customer: str = "",
    now: datetime = NOW,
) -> Ledger:
    told = [(f"doc#{number}", text) for number, text in enumerate(passages)]
    return check(reply, language, Sources(now, calls, told, (), [customer]))


def marked(reply: str, *calls: ToolCall, **rest: Any) -> list[str]:
    return [reply[span.start : span.end] for span in ledger(reply, *calls, **rest).unsupported]


@pytest.mark.parametrize("name", ["dev.jsonl", "dev_other.jsonl"])
def test_that_the_labelled_replies_of_a_development_set_stay_within_the_bounds(name: str) -> None:
    total = score(read(DEV.with_name(name)))
    assert total.bad + total.good >= 120
    assert len(total.missed) <= MOST_MISSES * total.bad, [case.id for case, _ in total.missed]
    assert len(total.alarms) <= MOST_FALSE_ALARMS * total.good, [case.id for case, _ in total.alarms]


def test_that_a_case_that_labels_what_its_reply_does_not_say_is_refused() -> None:
    row = json.loads(DEV.read_text(encoding="utf-8").splitlines()[0])
    with pytest.raises(ValueError, match="not in the reply"):
        Case.of({**row, "unsupported": ["something else"]})


@pytest.mark.parametrize("outcome", ["failed", "unknown", "business_error", "awaiting_approval"])
def test_that_only_a_call_that_succeeded_makes_it_done(outcome: str) -> None:
    reply = "Pronto, cancelei o pedido 10240!"
    done = call("cancel_order", "succeeded", {"number": "10240", "status": "cancelled"}, order_number="10240")
    assert marked(reply, done) == []
    assert any("cancelei" in part for part in marked(reply, call("cancel_order", outcome, order_number="10240")))


@pytest.mark.parametrize(
    ("language", "reply"),
    [
        ("pt", "Poxa, não consegui cancelar o pedido 10240 agora."),
        ("es", "Lo siento, no pude cancelar el pedido 10240."),
        ("en", "I'm sorry, I couldn't cancel order 10240."),
    ],
)
def test_that_saying_that_it_failed_is_no_claim(language: str, reply: str) -> None:
    assert marked(reply, call("cancel_order", "failed", order_number="10240"), language=language) == []


def test_that_a_cancellation_does_not_promise_a_refund() -> None:
    done = call("cancel_order", "succeeded", {"number": "10240", "status": "cancelled"})
    assert marked("O pedido 10240 foi cancelado e o valor já foi estornado.", done) == ["e o valor já foi estornado"]


def test_that_what_a_customer_asserts_never_makes_it_so() -> None:
    said = "meu pedido 10231 foi entregue ontem"
    assert marked("Vi que seu pedido 10231 foi entregue ontem.", customer=said)
    assert marked("Que pena! Qual é o problema com o pedido 10231?", customer=said) == []


def test_that_marks_stand_where_the_words_stand_whatever_comes_before_them() -> None:
    for prefix in ("", "👩‍👩‍👧‍👦 Oi! ", "𝐎𝐥𝐚́! ", "İstanbul 🇧🇷 ", "e\u0301 ﬁm. \u200b"):
        reply = f"{prefix}Já cancelei o pedido 10240."
        assert any(part.startswith("Já cancelei") for part in marked(reply)), prefix


def test_that_invisible_and_styled_letters_hide_nothing() -> None:
    assert marked("Já can\u200bcelei o seu pedido.")
    assert marked("Já 𝗰𝗮𝗻𝗰𝗲𝗹𝗲𝗶 o seu pedido.")
    assert marked("O frete é R$ １５,００.")


def test_that_spans_are_in_order_and_never_overlap() -> None:
    for case in read(DEV):
        spans = check(case.reply, case.language, case.sources).unsupported
        assert all(0 <= span.start < span.end <= len(case.reply) for span in spans)
        assert all(one.end <= other.start for one, other in itertools.pairwise(spans))


def test_that_the_same_reply_has_the_same_ledger() -> None:
    for case in read(DEV)[:40]:
        assert check(case.reply, case.language, case.sources) == check(case.reply, case.language, case.sources)


@pytest.mark.parametrize("hostile", ["1" * 40_000, "R$ " * 15_000, "a@" * 20_000, "não " * 10_000, "(1) " * 9_000])
def test_that_no_reply_takes_long_and_a_part_that_was_not_read_is_marked(hostile: str) -> None:
    assert_linear(ledger, hostile)
    spans = ledger(hostile).unsupported
    assert spans
    assert spans[-1].end == len(hostile)


amounts = st.integers(min_value=1, max_value=99_999_999)


@given(cents=amounts, language=st.sampled_from(["pt", "es", "en"]))
def test_that_an_amount_is_known_in_every_notation(cents: int, language: str) -> None:
    english = f"{cents / 100:,.2f}"
    written = english if language == "en" else english.translate(str.maketrans(",.", ".,"))
    text = {"pt": f"O valor é R$ {written}.", "es": f"El valor es R$ {written}.", "en": f"The price is R$ {written}."}
    known = call("quote", "succeeded", {"total_cents": cents})
    same = call("quote", "succeeded", {"total": cents / 100})
    other = call("quote", "succeeded", {"total_cents": cents + 1})
    assert marked(text[language], known, language=language) == []
    assert marked(text[language], same, language=language) == []
    assert marked(text[language], other, language=language)


@given(day=st.dates(date(2026, 1, 1), date(2027, 12, 31)), language=st.sampled_from(["pt", "es", "en"]))
def test_that_a_date_is_known_in_every_notation(day: date, language: str) -> None:
    name = MONTHS[language][day.month - 1]
    forms = {
        "pt": [f"{day:%d/%m/%Y}", f"{day.day} de {name} de {day.year}", f"{day:%Y-%m-%d}"],
        "es": [f"{day:%d/%m/%Y}", f"{day.day} de {name} de {day.year}"],
        "en": [f"{name} {day.day}, {day.year}", f"{day:%m/%d/%Y}"],
    }
    opening = {"pt": "A previsão é", "es": "La fecha estimada es", "en": "The expected date is"}[language]
    known = call("order_status", "succeeded", {"expected_on": day.isoformat()})
    wrong = call("order_status", "succeeded", {"expected_on": (day + timedelta(days=40)).isoformat()})
    for form in forms[language]:
        assert marked(f"{opening} {form}.", known, language=language) == []
        assert form in "".join(marked(f"{opening} {form}.", wrong, language=language))


@given(ahead=st.integers(min_value=-1, max_value=2))
def test_that_relative_days_are_counted_from_now(ahead: int) -> None:
    word = {-1: "ontem", 0: "hoje", 1: "amanhã", 2: "depois de amanhã"}[ahead]
    day = (NOW + timedelta(days=ahead)).date()
    reply = f"A visita está marcada para {word}."
    assert marked(reply, call("visit", "succeeded", {"status": "scheduled", "date": day.isoformat()})) == []
    other = (day + timedelta(days=5)).isoformat()
    assert word in "".join(marked(reply, call("visit", "succeeded", {"status": "scheduled", "date": other})))


@given(minutes=st.integers(min_value=0, max_value=1439))
def test_that_a_time_is_known_in_every_notation(minutes: int) -> None:
    hour, minute = divmod(minutes, 60)
    known = call("visit", "succeeded", {"status": "scheduled", "at": f"2026-11-25T{hour:02}:{minute:02}:00-03:00"})
    for form in (f"{hour:02}:{minute:02}", f"{hour}h{minute:02}"):
        assert marked(f"A visita está marcada para as {form}.", known) == []
    wrong = call(
        "visit", "succeeded", {"status": "scheduled", "at": f"2026-11-25T{(hour + 7) % 24:02}:{minute:02}:00-03:00"}
    )
    assert marked(f"A visita está marcada para as {hour}h{minute:02}.", wrong)


@given(first=amounts, second=amounts)
def test_that_a_sum_is_derived_and_a_wrong_one_is_not(first: int, second: int) -> None:
    bills = call("bills", "succeeded", [{"amount_cents": first}, {"amount_cents": second}])

    def reais(cents: int) -> str:
        return f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))

    assert marked(f"O total é R$ {reais(first + second)}.", bills) == []
    wrong = first + second + 7
    if wrong not in {first * 2, second * 2, abs(first - second)}:
        assert marked(f"O total é R$ {reais(wrong)}.", bills)


@given(text=st.text(max_size=300), language=st.sampled_from(["pt", "es", "en"]))
def test_that_no_text_breaks_the_ledger(text: str, language: str) -> None:
    for span in ledger(text, call("x", "succeeded", {"a": text}), language=language, customer=text).unsupported:
        assert 0 <= span.start < span.end <= len(text)
