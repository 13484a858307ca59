"""How long an answer waits, and in how many messages it comes."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.pacing import LONGEST_MESSAGE, Pace, completeness, split
from domain.messages import MessageKind

PARAGRAPH = "Esta é uma frase de tamanho comum sobre a entrega. Outra frase vem depois dela, com mais detalhes."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oi", "fragment"),
        ("Oi, bom dia!", "fragment"),
        ("olá, tudo bem?", "fragment"),
        ("buenas tardes", "fragment"),
        ("Hi there", "fragment"),
        ("eu queria saber se", "fragment"),
        ("o problema é que", "fragment"),
        ("quiero cambiar el", "fragment"),
        ("I would like to", "fragment"),
        ("então...", "fragment"),
        ("meu pedido é o:", "fragment"),
        ("tenho duas dúvidas,", "fragment"),
        ("onde está meu pedido?", "complete"),
        ("¿dónde está mi pedido?", "complete"),
        ("quero a segunda via da nota fiscal do meu pedido", "complete"),
        ("my parcel has still not arrived here", "complete"),
        ("10234", "complete"),
        ("nº 10.234", "complete"),
        ("526.018.159-06", "complete"),
        ("maria@exemplo.com", "complete"),
        ("Obrigada!", "complete"),
        ("quero trocar", "usual"),
        ("sim", "usual"),
        ("👍", "usual"),
        ("لديّ سؤال", "usual"),
    ],
)
def test_that_a_message_is_told_for_whole_half_or_neither(text: str, expected: str) -> None:
    assert completeness(text) == expected


def test_that_files_and_buttons_have_completeness_of_their_own() -> None:
    assert completeness("", MessageKind.IMAGE) == "fragment"
    assert completeness("veio rasgado, e agora?", MessageKind.IMAGE) == "complete"
    assert completeness("", MessageKind.VOICE) == "usual"
    assert completeness("Sim", MessageKind.BUTTON_ANSWER) == "complete"


def test_that_waits_follow_from_what_the_tenant_says_and_never_pass_its_cap() -> None:
    pace = Pace.of({"seconds": 3, "cap_seconds": 5})
    assert pace.wait("onde está meu pedido?") == timedelta(seconds=1)
    assert pace.wait("quero trocar") == timedelta(seconds=3)
    assert pace.wait("oi") == timedelta(seconds=5)
    told = Pace.of({"seconds": 3, "cap_seconds": 20, "complete_seconds": 0, "fragment_seconds": 9, "typing_seconds": 7})
    assert told.wait("onde está meu pedido?") is None
    assert told.wait("oi") == timedelta(seconds=9)
    assert told.typing == timedelta(seconds=7)
    assert Pace.of({"seconds": 0.4}).wait("onde está meu pedido?") == timedelta(seconds=0.4)
    assert Pace.of({"seconds": 0, "fragment_seconds": 5}).wait("oi") is None


def test_that_a_text_up_to_the_limit_stays_one_message() -> None:
    assert split(PARAGRAPH, len(PARAGRAPH)) == (PARAGRAPH,)
    assert split("", 100) == ()
    assert split("x" * 3_000, 0) == ("x" * 3_000,)


def test_that_paragraphs_come_before_lines_and_lines_before_sentences() -> None:
    assert split(f"{PARAGRAPH}\n\n{PARAGRAPH}\n{PARAGRAPH}", 150) == (PARAGRAPH, PARAGRAPH, PARAGRAPH)
    first, second = PARAGRAPH.split(". ", 1)
    assert split(PARAGRAPH, 60) == (f"{first}.", second)


def test_that_numbers_links_addresses_and_marked_words_stay_whole() -> None:
    for kept in (
        "https://loja-aurora.example/pedidos/10234?a=1,2;b=3",
        "R$ 1.234,56",
        "+55 31 98765-0001",
        "526.018.159-06",
        "12/05/2026 14:30",
        "atendimento@loja-aurora.example",
        "*muito importante mesmo*",
        "Av. Brasil",
    ):
        text = " ".join(f"Veja aqui, {kept} e confira." for _ in range(12))
        for limit in range(30, 200, 7):
            parts = split(text, limit)
            assert len(parts) > 1
            assert sum(part.count(kept) for part in parts) == 12, (limit, parts)


def test_that_a_list_is_cut_between_items_and_keeps_what_announces_it() -> None:
    items = [f"{n}. Passo número {n}: abra o menu e escolha a opção {n}, depois confirme tudo." for n in range(1, 9)]
    text = "Para trocar, faça assim:\n" + "\n".join(items) + "\n\nQualquer dúvida é só chamar."
    for limit in (90, 150, 260, 400):
        parts = split(text, limit)
        assert all(sum(item in part for part in parts) == 1 for item in items), (limit, parts)
        assert parts[0] != "Para trocar, faça assim:" or limit < 120


def test_that_only_what_no_channel_takes_is_cut_inside_an_item_and_a_link_never() -> None:
    item = "- " + "palavra " * 900
    assert max(map(len, split(item, 500))) <= LONGEST_MESSAGE
    link = "https://a.example/" + "x" * 9_000
    assert link in split(f"Veja {link} agora. " + "Mais texto. " * 200, 500)


_PIECES = st.sampled_from(
    [
        "Olá! ", "R$ 1.234,56 ", "https://a.example/x?y=1 ", "\n\n", "\n", "- item da lista\n", "1. passo um\n",
        "uma frase comum, com vírgula. ", "+55 31 98765-0001 ", "*negrito aqui* ", "palavra ", "😀", "é: ", "… ", "\t",
        "x" * 300, "a@b.example ", "¿Qué tal? ", "12/05/2026 ", "\u00a0", "  - sub\n",
    ]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=80).map("".join), st.integers(0, 1_500))
@settings(max_examples=150, deadline=None)
def test_that_whatever_is_split_nothing_is_lost_doubled_or_reordered(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part == part.strip() and part for part in parts)
    for kept in (r"https://a\.example/x\?y=1", r"R\$ 1\.234,56", r"\+55 31 98765-0001"):
        assert sum(len(re.findall(kept, part)) for part in parts) == len(re.findall(kept, text.strip()))
