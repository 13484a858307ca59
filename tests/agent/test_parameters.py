import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.parameters import Extraction, extract
from tests.growth import assert_linear
from tools.declaration import Choice, Parameter
from tools.declaration import ParameterKind as Kind

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
NOW = datetime(2025, 3, 13, 1, 30, tzinfo=UTC)  # still Wednesday the 12th in São Paulo
COLOURS = (
    Choice("blue", {"pt": ("azul",), "es": ("azul",), "en": ("blue",)}),
    Choice("navy", {"pt": ("azul marinho",), "en": ("navy blue",)}),
    Choice("red", {"pt": ("vermelho", "vermelha"), "es": ("rojo",)}),
    Choice("yellow", {"pt": ("amarelo", "amarela")}),
)
SIZES = (
    Choice("S", {"pt": ("P", "pequeno")}),
    Choice("M", {"pt": ("M", "médio")}),
    Choice("L", {"pt": ("G", "grande")}),
)


def read(text, *parameters, asked=None, language="pt") -> Extraction:
    return extract(text, parameters, language=language, now=NOW, timezone=SAO_PAULO, asked=asked)


def value(text, kind, *, asked=False, language="pt", **spec):
    found = read(text, Parameter("it", kind, **spec), asked="it" if asked else None, language=language)
    return found.values.get("it", found.invalid.get("it"))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("hoje", "2025-03-12"),
        ("pode ser amanhã de manhã?", "2025-03-13"),
        ("depois de amanha", "2025-03-14"),
        ("chegou ontem", "2025-03-11"),
        ("próxima sexta", "2025-03-14"),
        ("sexta que vem", "2025-03-14"),
        ("na segunda", "2025-03-17"),
        ("terça-feira", "2025-03-18"),
        ("sábado", "2025-03-15"),
        ("na quarta", "2025-03-19"),
        ("nesta quarta", "2025-03-12"),
        ("comprei sexta passada", "2025-03-07"),
        ("no último sábado", "2025-03-08"),
        ("12/03", "2025-03-12"),
        ("25/12", "2024-12-25"),
        ("em 5/4/25", "2025-04-05"),
        ("05/04/2026", "2026-04-05"),
        ("2025-06-01", "2025-06-01"),
        ("dia 5", "2025-04-05"),
        ("comprei dia 5", "2025-03-05"),
        ("dia 31", "2025-03-31"),
        ("5 de maio de 2024", "2024-05-05"),
        ("1º de abril", "2025-04-01"),
        ("daqui a 3 dias", "2025-03-15"),
        ("comprei há duas semanas", "2025-02-26"),
        ("10 dias atrás", "2025-03-02"),
        ("sexta q vem", "2025-03-14"),
        ("3ª feira", "2025-03-18"),
        ("pode ser 5a feira que vem?", "2025-03-13"),
        ("semana que vem na quinta", "2025-03-20"),
        ("quinta da semana que vem", "2025-03-20"),
        ("na sexta, mas da próxima semana", "2025-03-21"),
        ("dia vinte e cinco de dezembro", "2024-12-25"),
        ("dia 1º", "2025-04-01"),
        ("dia primeiro", "2025-04-01"),
        ("no dia 15 do mês que vem", "2025-04-15"),
        ("15 do próximo mês", "2025-04-15"),
        ("mês que vem, dia 20", "2025-04-20"),
        ("comprei no dia 28 do mês passado", "2025-02-28"),
        ("dia 30 do mês passado", "impossible_date"),
        ("12 / 03 / 2025", "2025-03-12"),
        ("daqui duas semanas", "2025-03-26"),
        ("daqui a mil anos e cem mil dias", None),
        ("hj", "2025-03-12"),
        ("amnh cedo", "2025-03-13"),
        ("dps de amanhã", "2025-03-14"),
        ("atendimento 24/7", None),
        ("parcelado em 10/12 vezes", None),
        ("quero uma de dez", None),
        ("é a 2a via", None),
        ("na segunda vez que comprei", None),
        ("31/02", "impossible_date"),
        ("30/02/2025", "impossible_date"),
        ("quero a segunda via do boleto", None),
        ("custa 12.50", None),
    ],
)
def test_that_dates_are_read_in_portuguese(text, day):
    assert value(text, Kind.DATE) == day


@pytest.mark.parametrize(
    ("language", "text", "day"),
    [
        ("es", "mañana", "2025-03-13"),
        ("es", "pasado mañana", "2025-03-14"),
        ("es", "por la mañana", None),
        ("es", "el próximo martes", "2025-03-18"),
        ("es", "el martes que viene", "2025-03-18"),
        ("es", "la semana que viene, el jueves", "2025-03-20"),
        ("es", "el 15 del mes que viene", "2025-04-15"),
        ("es", "1ro de mayo", "2025-05-01"),
        ("es", "antier", "2025-03-10"),
        ("es", "3 de setiembre de 2025", "2025-09-03"),
        ("en", "Thursday next week", "2025-03-20"),
        ("en", "the 3rd of next month", "2025-04-03"),
        ("en", "a week ago", "2025-03-05"),
        ("en", "a week from now", "2025-03-19"),
        ("en", "tmrw", "2025-03-13"),
        ("en", "2025/03/14", "2025-03-14"),
        ("es", "el lunes", "2025-03-17"),
        ("es", "el 5 de mayo", "2025-05-05"),
        ("es", "hace 3 días", "2025-03-09"),
        ("es", "03/04", "2025-04-03"),
        ("en", "tomorrow", "2025-03-13"),
        ("en", "next friday", "2025-03-14"),
        ("en", "last monday", "2025-03-10"),
        ("en", "03/04/2025", "2025-03-04"),
        ("en", "25/12/2024", "2024-12-25"),
        ("en", "March 5th, 2024", "2024-03-05"),
        ("en", "2 days ago", "2025-03-10"),
    ],
)
def test_that_dates_are_read_in_spanish_and_english(language, text, day):
    assert value(text, Kind.DATE, language=language) == day


def test_that_a_lone_number_is_a_day_only_when_a_date_was_asked_for():
    assert value("15", Kind.DATE, asked=True) == "2025-03-15"
    assert value("sexta", Kind.DATE, asked=True) == "2025-03-14"
    assert value("15", Kind.DATE) is None


@pytest.mark.parametrize(
    ("text", "amount", "language"),
    [
        ("R$ 1.234,56", 1234.56, "pt"),
        ("paguei R$50", 50.0, "pt"),
        ("foram 50 reais", 50.0, "pt"),
        ("1,234.56 dollars", 1234.56, "en"),
        ("$1,500", 1500.0, "en"),
        ("deu 89,90", 89.9, "pt"),
        ("2 mil reais", 2000.0, "pt"),
        ("R$ 1,5 mil", 1500.0, "pt"),
        ("vinte e cinco reais", 25.0, "pt"),
        ("cien pesos", 100.0, "es"),
        ("mil e duzentos reais", 1200.0, "pt"),
        ("dois mil e quinhentos reais", 2500.0, "pt"),
        ("R$ 1 milhão", 1_000_000.0, "pt"),
        ("dez reais e cinquenta centavos", 10.5, "pt"),
        ("R$ 10 e 50 centavos", 10.5, "pt"),
        ("só 50 centavos", 0.5, "pt"),
        ("mil quinientos pesos", 1500.0, "es"),
        ("veintiún dólares", 21.0, "es"),
        ("two hundred dollars", 200.0, "en"),
        ("two thousand five hundred dollars", 2500.0, "en"),
        ("R$ 1.000", 1000.0, "pt"),
        ("pedido 12345", None, "pt"),
        ("dia 12/03", None, "pt"),
    ],
)
def test_that_money_is_read(text, amount, language):
    assert value(text, Kind.MONEY, language=language) == amount


def test_that_a_bare_number_is_money_only_when_asked_for():
    assert value("uns 150", Kind.MONEY, asked=True) == 150.0
    assert value("uns 150", Kind.MONEY) is None


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("meu cpf é 529.982.247-25", Kind.CPF, "52998224725"),
        ("52998224725", Kind.CPF, "52998224725"),
        ("cpf: 529982247-25", Kind.CPF, "52998224725"),
        ("529.982.247-26", Kind.CPF, "wrong_check_digits"),
        ("cpf 123", Kind.CPF, "wrong_length"),
        ("cnpj 11.222.333/0001-81", Kind.CNPJ, "11222333000181"),
        ("11222333000182", Kind.CNPJ, None),
        ("meu CNPJ é 12.ABC.345/01DE-35", Kind.CNPJ, "12ABC34501DE35"),
        ("12.abc.345/01de-35", Kind.CNPJ, "12ABC34501DE35"),
        ("nota no 12abc34501de35 por favor", Kind.CNPJ, "12ABC34501DE35"),
        ("cnpj 12ABC34501DE36", Kind.CNPJ, "wrong_check_digits"),
        ("abcdefghijkl12", Kind.CNPJ, None),
        ("111.111.111-11", Kind.CPF, "wrong_check_digits"),
        ("cnpj 11222333000182", Kind.CNPJ, "wrong_check_digits"),
        ("entregam no 01310-100?", Kind.CEP, "01310-100"),
        ("cep 01310100", Kind.CEP, "01310-100"),
        ("01310100", Kind.CEP, "01310-100"),
        ("cep 0131010", Kind.CEP, "wrong_length"),
        ("meu zap é (11) 98765-4321", Kind.PHONE, "+5511987654321"),
        ("11 8765-4321", Kind.PHONE, "+5511987654321"),
        ("+55 11 98765-4321", Kind.PHONE, "+5511987654321"),
        ("11987654321", Kind.PHONE, "+5511987654321"),
        ("tel 3222-1234", Kind.PHONE, "missing_area_code"),
        ("fixo (11) 3222-1234", Kind.PHONE, "+551132221234"),
        ("+34 612 345 678", Kind.PHONE, "+34612345678"),
        ("telefone (10) 98765-4321", Kind.PHONE, "impossible_number"),
        ("é Joao.Silva@Gmail.com, tá?", Kind.EMAIL, "joao.silva@gmail.com"),
        ("joao arroba gmail.com", Kind.EMAIL, "joao@gmail.com"),
        ("joao@gmail", Kind.EMAIL, "wrong_format"),
    ],
)
def test_that_documents_and_addresses_are_read_or_said_to_be_wrong(text, kind, expected):
    assert value(text, kind) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cadê o pedido 12345?", "12345"),
        ("pedido nº 12345", "12345"),
        ("o número do meu pedido é 12345", "12345"),
        ("#12345 não chegou", "12345"),
        ("12345", "12345"),
        ("my order #98765", "98765"),
        ("pedido 12.345", "12345"),
        ("paguei 12.345 no pedido", None),
        ("meu cpf é 529.982.247-25", None),
        ("cep 01310-100", None),
        ("paguei 12345 reais", None),
        ("liga pra (11) 98765-4321", None),
        ("comprei em 12/03/2025", None),
        ("quero fazer um pedido de 2 camisetas", None),
        ("comprei 2 camisetas", None),
    ],
)
def test_that_order_numbers_are_not_confused_with_other_numbers(text, expected):
    assert value(text, Kind.ORDER_NUMBER) == expected


def test_that_a_declared_pattern_rules_order_numbers():
    assert value("chegou o ab-1234?", Kind.ORDER_NUMBER, pattern=r"[A-Z]{2}-\d{4}") == "AB-1234"
    assert value("#12345", Kind.ORDER_NUMBER, pattern=r"\d{5}") == "12345"
    assert value("tenho 3 dúvidas sobre 1234567", Kind.ORDER_NUMBER, pattern=r"\d{5}") is None
    assert value("pedido 1234567", Kind.ORDER_NUMBER, pattern=r"\d{5}") == "wrong_format"
    assert value("123", Kind.ORDER_NUMBER, pattern=r"\d{5}", asked=True) == "wrong_format"
    assert value("12345678", Kind.ORDER_NUMBER, pattern=r"\d{8}") == "12345678"


@pytest.mark.parametrize(
    "answer", ["12345", "o número é 12345", "é o #12345", "pedido 12345", "acho que 12345", "12 345"]
)
def test_that_a_bare_answer_fills_what_was_asked(answer):
    both = (Parameter("cep", Kind.CEP), Parameter("order_number", Kind.ORDER_NUMBER))
    assert read(answer, *both, asked="order_number").values == {"order_number": "12345"}


def test_that_eight_digits_are_what_was_asked_for():
    both = (Parameter("cep", Kind.CEP), Parameter("order_number", Kind.ORDER_NUMBER))
    assert read("01310100", *both, asked="cep").values == {"cep": "01310-100"}
    assert read("01310100", *both).values == {"cep": "01310-100"}
    assert read("0131", *both, asked="cep").invalid == {"cep": "wrong_length"}


def test_that_one_message_may_fill_several_parameters():
    found = read(
        "pedido 12345, cep 01310-100, comprei dia 5 por R$ 89,90, fone 11 98765-4321 e quero 2 na cor vermelha",
        Parameter("order_number", Kind.ORDER_NUMBER),
        Parameter("cep", Kind.CEP),
        Parameter("bought_on", Kind.DATE),
        Parameter("price", Kind.MONEY),
        Parameter("phone", Kind.PHONE),
        Parameter("quantity", Kind.INTEGER),
        Parameter("colour", Kind.ENUM, choices=COLOURS),
    )
    assert found.invalid == {}
    assert found.values == {
        "order_number": "12345",
        "cep": "01310-100",
        "bought_on": "2025-03-05",
        "price": 89.9,
        "phone": "+5511987654321",
        "quantity": 2,
        "colour": "red",
    }


def test_that_two_dates_go_to_two_parameters_in_their_order():
    found = read("de 10/04 até 12/04", Parameter("start", Kind.DATE), Parameter("end", Kind.DATE))
    assert found.values == {"start": "2025-04-10", "end": "2025-04-12"}


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("quero a azul", False, "blue"),
        ("AZUL MARINHO por favor", False, "navy"),
        ("tem amarelas?", False, "yellow"),
        ("vermelo", False, "red"),
        ("na cor vermellha", False, "red"),
        ("a segunda", True, "navy"),
        ("3", True, "red"),
        ("azul ou vermelho", True, "ambiguous"),
        ("roxo", True, "unknown_choice"),
        ("roxo", False, None),
        ("azulejo", False, None),
    ],
)
def test_that_choices_are_recognised_by_their_labels(text, asked, expected):
    assert value(text, Kind.ENUM, asked=asked, choices=COLOURS) == expected


def test_that_one_letter_labels_need_a_cue_or_a_question():
    assert value("tamanho M", Kind.ENUM, choices=SIZES) == "M"
    assert value("g", Kind.ENUM, choices=SIZES, asked=True) == "L"
    assert value("m de maria", Kind.ENUM, choices=SIZES) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("sim", True), ("SIM!!", True), ("claro", True), ("pode ser", True), ("isso mesmo", True), ("👍", True),
        ("sí", True), ("yes please", True), ("com certeza", True), ("blz", True),
        ("não", False), ("nao, obrigado", False), ("claro que não", False), ("n", False), ("nope", False),
        ("👎🏿", False), ("acho que não", False), ("não sei", None), ("talvez", None), ("quanto custa o frete", None),
    ],
)  # fmt: skip
def test_that_yes_and_no_are_understood_when_asked(answer, expected):
    assert value(answer, Kind.BOOLEAN, asked=True) is expected
    assert value(answer, Kind.BOOLEAN) is None


def test_that_free_text_is_taken_as_written_and_only_when_asked():
    assert (
        value("  Ficou pequena, e a COR não é a da foto ", Kind.TEXT, asked=True)
        == "Ficou pequena, e a COR não é a da foto"
    )
    assert value("ficou pequena", Kind.TEXT) is None


def test_that_numbers_in_words_count_when_asked():
    assert value("duas", Kind.INTEGER, asked=True) == 2
    assert value("quero 3", Kind.INTEGER) == 3
    assert value("veintiuno", Kind.INTEGER, asked=True, language="es") == 21
    assert [value(text, Kind.INTEGER, asked=True) for text in ("uma dúzia", "meia dúzia", "2 dúzias")] == [12, 6, 24]
    assert value("quero uma camiseta tamanho 38", Kind.INTEGER) is None


ALL = tuple(
    Parameter(
        kind.value,
        kind,
        choices=COLOURS if kind is Kind.ENUM else (),
        pattern=r"\d{5}" if kind is Kind.ORDER_NUMBER else None,
    )
    for kind in Kind
)


@given(
    st.one_of(st.text(max_size=120), st.text("0123456789 -./()#+R$@azdiesm", max_size=60)),
    st.sampled_from([None, *Kind]),
    st.sampled_from(["pt", "es", "en"]),
)
def test_that_any_text_is_read_without_failing_into_json_values(text, asked, language):
    found = read(text, *ALL, asked=asked.value if asked else None, language=language)
    json.dumps([found.values, found.invalid], allow_nan=False)
    assert not found.values.keys() & found.invalid.keys()


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "nono", "pedido n", "1.", "a", "vinte e ", "@", "a@a.", "(", "dia 5 ", "R$ "]
)
def test_that_a_huge_message_is_read_quickly(piece):
    assert_linear(lambda text: read(text, *ALL, asked="cpf"), f"pedido {piece * 30_000}")
