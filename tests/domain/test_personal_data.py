"""Personal data are found, hidden for good, and hidden for a while; what only looks like them stays."""

from __future__ import annotations

import random

import pytest
from evals.personal_data.scoring import FOLDER, load, score
from stdnum import luhn
from stdnum.br import cnpj, cpf

from domain.personal_data import Placeholders, Spelling, find, redact, redact_json
from tests.growth import assert_linear

SEED = 20261122
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


def kinds(text: str) -> list[tuple[str, str]]:
    return [(found.kind.value, found.text) for found in find(text)]


def a_cpf(rng: random.Random) -> str:
    base = f"{rng.randrange(10**9):09}"
    return next(number for end in range(100) if cpf.is_valid(number := f"{base}{end:02}"))


def a_cnpj(rng: random.Random, *, letters: bool) -> str:
    base = "".join(rng.choice(LETTERS) for _ in range(12)) if letters else f"{rng.randrange(10**8):08}0001"
    return next(number for end in range(100) if cnpj.is_valid(number := f"{base}{end:02}"))


def a_card(rng: random.Random) -> str:
    base = f"4{rng.randrange(10**14):014}"
    return base + luhn.calc_check_digit(base)


def test_that_the_labelled_texts_are_read_as_well_as_promised() -> None:
    figures = score(load(FOLDER / "dev.jsonl")).figures()["all"]
    assert figures["labelled"] >= 100
    assert figures["precision"] >= 0.97
    assert figures["recall"] >= 0.97
    assert figures["masked"] >= 0.98


def test_that_every_number_with_right_check_digits_is_found_in_any_spelling() -> None:
    rng = random.Random(SEED)
    print("seed", SEED)  # noqa: T201
    for _ in range(300):
        number = a_cpf(rng)
        dotted = f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"
        for spelling in (number, dotted, f"{number[:9]}-{number[9:]}", " ".join((number[:3], number[3:6], number[6:]))):
            assert kinds(f"meu cpf eh {spelling} vlw") == [("cpf", spelling)]
        assert kinds(f"segue ai {dotted}, confere?") == [("cpf", dotted)]
        company = a_cnpj(rng, letters=rng.random() < 0.5)
        shown = f"{company[:2]}.{company[2:5]}.{company[5:8]}/{company[8:12]}-{company[12:]}"
        assert kinds(f"pela empresa {shown}") == [("cnpj", shown)]
        assert kinds(f"cnpj: {company}") == [("cnpj", company)]
        card = a_card(rng)
        spaced = " ".join(card[i : i + 4] for i in range(0, 16, 4))
        assert kinds(f"paguei com {spaced} ontem") == [("card", spaced)]


def test_that_a_wrong_check_digit_after_the_word_is_still_personal_and_without_it_is_a_number() -> None:
    rng = random.Random(SEED)
    for _ in range(100):
        number = a_cpf(rng)
        wrong = number[:-1] + str((int(number[-1]) + rng.randrange(1, 10)) % 10)
        assert kinds(f"CPF {wrong}") == [("cpf", wrong)]
        if wrong[2] != "9":  # with a nine there it may be a telephone number
            assert kinds(f"segue {wrong}") == []


def test_that_what_the_text_calls_an_order_is_an_order_whatever_its_check_digits() -> None:
    rng = random.Random(SEED)
    for word in ("pedido", "protocolo", "rastreio", "nº do pedido:", "order", "número de seguimiento", "nota fiscal"):
        for _ in range(20):
            assert kinds(f"{word} {a_cpf(rng)} não chegou") == []
            assert kinds(f"{word} {a_card(rng)}") == []


def test_that_no_text_takes_long_and_none_breaks_it() -> None:
    rng = random.Random(SEED)
    parts = [
        "cpf ",
        "rua a",
        "1",
        "11 ",
        "(11) ",
        "@",
        " arroba ",
        "senha é ",
        ".",
        "-",
        "\n",
        "\x00",
        "İ",
        "٣",
        "𝟛",
        "[CPF_1]",
        "é",
    ]
    for _ in range(300):
        text = "".join(rng.choice(parts) for _ in range(rng.randrange(60)))
        for found in find(text):
            assert text[found.start : found.end] == found.text
        assert redact(redact(text)) == redact(text)
    for part in ("1", "1 ", "rua a ", "a@", "cpf ", "9 st ", "senha "):
        assert_linear(find, part * (16_000 // len(part)))


def test_that_a_key_tells_what_its_value_is() -> None:
    value = {
        "cpf": "12345678900",
        "customerPhone": 11987654321,
        "order": "12345678909",
        "items": [{"password": "tigre88"}, {"total": 12.5, "paid": True, "note": None}],
    }
    assert redact_json(value) == {
        "cpf": "[CPF]",
        "customerPhone": "[PHONE]",
        "order": "12345678909",
        "items": [{"password": "[SECRET]"}, {"total": 12.5, "paid": True, "note": None}],
    }


TALK = (
    "oi, cpf 123.456.789-09 e senha Ti&gre<88",
    "de novo: 12345678909; o outro cpf é 12345678900",
    'o email é "ana"@x.com.br nao, ana.l@x.com.br, tel (11) 98765-4321',
)


def test_that_a_value_has_one_placeholder_in_a_conversation_and_another_one_elsewhere() -> None:
    first, later, elsewhere = Placeholders("c-1"), Placeholders("c-1"), Placeholders("c-2")
    for text in TALK:
        first.learn(text)
    hidden = [first.hide(text) for text in TALK]
    assert hidden[0].split()[2] == hidden[1].split()[2].rstrip(";")
    assert not any(value in " ".join(hidden) for value in ("123", "gre", "ana.l", "98765"))
    # A later turn sees only a part of the conversation, in another order.
    assert later.hide(TALK[1]) == hidden[1]
    assert elsewhere.hide(TALK[1]) != hidden[1]
    # As it was written first, in whatever spelling it came.
    assert first.reveal(hidden[0]) == TALK[0]
    assert first.reveal(hidden[2]) == TALK[2]


def test_that_what_is_known_is_hidden_where_nothing_says_what_it_is() -> None:
    placeholders = Placeholders("c")
    for text in TALK:
        placeholders.learn(text)
    bare = '{"n": "123 456 789 00", "pw": "Ti&gre<88", "escaped": "Ti&amp;gre&lt;88", "to": "5511987654321"}'
    hidden = placeholders.hide(bare)
    assert not any(value in hidden for value in ("456", "gre", "98765"))
    assert placeholders.hide(hidden) == hidden


@pytest.mark.parametrize(
    "bend", [str, str.lower, lambda p: p.replace("_", " "), lambda p: p.replace("_", "\\_"), lambda p: p[1:-1]]
)
def test_that_a_placeholder_that_the_model_bent_is_still_understood(bend) -> None:  # type: ignore[no-untyped-def]
    placeholders = Placeholders("c")
    placeholder = placeholders.hide("cpf 12345678909").split()[1]
    assert placeholders.reveal(f"CPF {bend(placeholder)}.") == "CPF 123.456.789-09."
    assert placeholders.unknown(bend(placeholder)) == ()


def test_that_a_made_up_placeholder_is_told_apart() -> None:
    placeholders = Placeholders("c")
    known = placeholders.hide("cpf 12345678909").split()[1]
    other = "[CPF_1]" if known != "[CPF_1]" else "[CPF_2]"
    assert placeholders.unknown(f"{known} {other} [EMAIL]") == (other, "[EMAIL]")
    assert placeholders.reveal(f"{other} [EMAIL] [CPF] [nota]") == f"{other} [EMAIL] 123.456.789-09 [nota]"


def test_that_a_value_comes_back_in_the_spelling_that_is_wanted_and_cannot_break_json() -> None:
    placeholders = Placeholders("c")
    hidden = placeholders.hide("cpf 123 456 789 09")
    raw = '{"cpf": "' + hidden.split()[1] + '"}'
    assert placeholders.reveal_json(raw) == '{"cpf": "123 456 789 09"}'
    assert placeholders.reveal_json(raw, Spelling.BARE) == '{"cpf": "12345678909"}'
    assert placeholders.reveal_json(raw, Spelling.FORMATTED) == '{"cpf": "123.456.789-09"}'
    mark = placeholders.hide("minha senha: a\\b'c1").split()[2]
    assert placeholders.reveal_json(f'"{mark}"') == '"a\\\\b\'c1"'


KEYS_AND_ACCOUNTS = {
    "manda a nota pra 12.abc.345/01de-35": ("cnpj", "12.abc.345/01de-35"),
    "é 12ABC34501DE35 mesmo": ("cnpj", "12ABC34501DE35"),
    "cpf 529\u200b.982\u200b.247-25": ("cpf", "529\u200b.982\u200b.247-25"),
    "meu pix aleatório é 123e4567e89b12d3a456426614174000": ("pix_key", "123e4567e89b12d3a456426614174000"),
    "+52 1 55 1234 5678": ("phone", "+52 1 55 1234 5678"),
    "mi CLABE 032180000118359719": ("bank_account", "032180000118359719"),
    "cae en ES91 2100 0418 4502 0005 1332 hoy": ("bank_account", "ES91 2100 0418 4502 0005 1332"),
    "https://ana:Segredo99@erp.loja.com/x": ("secret", "Segredo99"),
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG": ("secret", "wJalrXUtnFEMI/K7MDENG"),
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": ("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345": ("secret", "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345"),
}
"""Texts with one piece of personal data each, and that piece."""


@pytest.mark.parametrize("text", KEYS_AND_ACCOUNTS)
def test_that_keys_accounts_and_hidden_numbers_are_found(text: str) -> None:
    assert [(found.kind.value, found.text) for found in find(text)] == [KEYS_AND_ACCOUNTS[text]]


def test_that_a_private_key_is_masked_as_a_whole() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASC\n-----END RSA PRIVATE KEY-----"
    assert redact(f"usa esta:\n{key} ok?") == "usa esta:\n[SECRET] ok?"


def test_that_ids_of_things_are_no_accounts_and_no_keys() -> None:
    texts = [
        "pedido 123e4567-e89b-12d3-a456-426614174000",
        "lote 12ABC34501DE99",
        "rastreio NX123456789BR",
        "token do jogo: 10 fichas",
        "api key expirou",
        "https://loja.example/p/12345678901?v=2",
    ]
    assert [text for text in texts if find(text)] == []
