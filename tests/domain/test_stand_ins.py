"""Stand-ins: other values of the same form, consistent within a case, from which nobody is recognised."""

from __future__ import annotations

import json
import random
import re

import pytest
from stdnum import luhn
from stdnum.br import cnpj, cpf
from stdnum.es import nif

from domain.personal_data import find
from domain.personal_data.stand_ins import StandIns

KEY = b"a key of thirty-two bytes, secret"


def test_that_only_names_that_were_met_are_counted() -> None:
    stand_ins = StandIns(KEY, ["Joana Dias", "Bruno Tavares", "Helena Prado"])
    assert dict(stand_ins.replaced) == {}
    stand_ins.replace("oi, aqui é a Joana. A joana de novo")
    assert stand_ins.replaced == {"name": 1}


def replaced(*texts: str, names: tuple[str, ...] = (), key: bytes = KEY) -> list[str]:
    stand_ins = StandIns(key, names, keep=["Loja Aurora"])
    for text in texts:
        stand_ins.learn(text)
    return [stand_ins.replace(text) for text in texts]


def test_that_a_value_gets_one_stand_in_however_it_is_spelled() -> None:
    dotted, bare, spaced = replaced("meu cpf é 529.982.247-25", "é 52998224725 mesmo", "cpf 529 982 247 25")
    number = dotted.removeprefix("meu cpf é ")
    assert re.fullmatch(r"\d{3}\.\d{3}\.\d{3}-\d{2}", number)
    assert number != "529.982.247-25"
    assert cpf.is_valid(number)
    digits = cpf.compact(number)
    assert bare == f"é {digits} mesmo"
    assert cpf.compact(spaced.removeprefix("cpf ")) == digits
    full, short, abroad = replaced("meu zap é (31) 98765-4321", "liga no 98765-4321", "+55 31 98765-4321")
    tail = full[-9:]
    assert short.endswith(tail)
    assert abroad == f"+55 31 9{tail}" or abroad.endswith(tail)
    assert full.startswith("meu zap é (31) 9")
    assert tail != "8765-4321"


@pytest.mark.parametrize("seed", range(3))
def test_that_what_was_valid_stays_valid_and_what_was_not_stays_wrong(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(20):
        nine = "".join(str(chance.randrange(10)) for _ in range(9))
        good = next(f"{nine}{check:02d}" for check in range(100) if cpf.is_valid(f"{nine}{check:02d}"))
        bad = good[:-1] + str((int(good[-1]) + 1 + chance.randrange(9)) % 10)
        for number in (good, bad):
            (text,) = replaced(f"cpf {number}", key=chance.randbytes(32))
            made = text.removeprefix("cpf ")
            assert made != number
            assert len(made) == 11
            assert cpf.is_valid(made) is cpf.is_valid(number), (seed, number, made)
    for kind, number, valid in (
        ("cnpj", "11.222.333/0001-81", cnpj.is_valid),
        ("cartão", "4111 1111 1111 1111", luhn.is_valid),
        ("DNI", "12345678Z", nif.is_valid),
    ):
        (text,) = replaced(f"{kind} {number}", key=chance.randbytes(32))
        made = text.removeprefix(f"{kind} ")
        assert made != number
        assert valid(re.sub(r"[ ]", "", made)), (seed, made)
        assert [char if not char.isalnum() else "x" for char in made] == [
            char if not char.isalnum() else "x" for char in number
        ]


def test_that_functions_results_and_records_tell_the_same_story_as_the_messages() -> None:
    stand_ins = StandIns(KEY, ["Mariana Souza"])
    said = "Oi, é a Mariana. cadê o pedido 10231? link https://loja.example/nf/10231"
    result = {
        "10231": {
            "number": "10231",
            "customer": "Mariana Souza",
            "cpf": 52601815906,
            "items": ["VES-FLO-M"],
            "total_cents": 18990,
            "tracking_code": "AU123450001BR",
        }
    }
    stand_ins.learn(said)
    stand_ins.learn_json(result)
    text, record = stand_ins.replace(said), stand_ins.replace_json(result)
    ((number, order),) = record.items()
    assert order["number"] == number
    assert re.fullmatch(r"\d{5}", number)
    assert number != "10231"
    assert text.count(number) == 2
    assert cpf.is_valid(str(order["cpf"]))
    assert isinstance(order["cpf"], int)
    assert order["customer"].split()[0] in text
    assert re.fullmatch(r"AU\d{9}BR", order["tracking_code"])
    assert (order["items"], order["total_cents"]) == (["VES-FLO-M"], 18990)
    left = json.dumps([text, record])
    assert not [one for one in ("Mariana", "Souza", "10231", "52601815906", "AU123450001BR") if one in left]


def test_that_names_are_learned_from_contact_introduction_greeting_and_signature() -> None:
    texts = replaced(
        "oi me chamo joão pedro, queria um vestido rosa",
        "Olá, João! Aqui é o Bruno da Loja Aurora. Tudo bem?",
        "JOÃO, o pedido saiu. Abraços, Rosa Lima",
        "Prezada Dona Conceição, bom dia",
        names=("🌸 Ana Clara 🌸",),
    )
    left = " ".join(texts).casefold()
    assert not [one for one in ("joão", "pedro,", "bruno", "lima", "conceição") if one in left]
    assert "vestido rosa" in texts[0], "a colour is no name"
    assert "Loja Aurora. Tudo bem?" in texts[1]
    assert texts[0].split("me chamo ")[1].split()[0].upper() == texts[2].split(",")[0]


def test_that_nothing_personal_is_left_and_nothing_else_changes() -> None:
    plain = "Quero 2 camisetas M por R$ 59,90 até 25/12, dá pra parcelar em 3x? São 15:30."
    assert replaced(plain) == [plain]
    personal = (
        "cpf 529.982.247-25, cel (11) 98888-7777, e-mail fulano.tal@gmail.com, Rua das Flores, 123, apto 4, "
        "cep 01310-100, nasci em 12/03/1985, cartão 5555 5555 5555 4444 cvv 123, senha: girassol99"
    )
    before = {piece.text for piece in find(personal)}
    assert len(before) >= 8
    (after,) = replaced(personal)
    assert not [one for one in before if one in after]
    assert {piece.kind for piece in find(after)} == {piece.kind for piece in find(personal)}
    assert "@gmail.com" in after
    assert "cep 013" in after, "the region of a postal code stays: functions answer by it"


def test_that_stand_ins_need_the_key_and_are_the_same_under_it() -> None:
    text = "cpf 529.982.247-25, sou a Joana Prado"
    assert replaced(text) == replaced(text)
    assert replaced(text) != replaced(text, key=b"another key")
