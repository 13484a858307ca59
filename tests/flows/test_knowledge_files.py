"""What files say, where it stands in them, and what becomes of files that are broken or meant to harm."""

from __future__ import annotations

import pytest

from flows.knowledge_apart import read_document
from flows.knowledge_chunks import MOST_CHARACTERS, cut
from flows.knowledge_files import MAX_BYTES, DocumentUnreadableError
from flows.knowledge_pdf import _without_margins
from tests.flows.documents import docx, pdf, with_part

DOCX = docx(
    [
        ("Title", "Regulamento do clube"),
        ("Heading 1", "Piscina"),
        ("Normal", "A piscina abre às 8h."),
        ("Heading 2", "Exigências"),
        ("List Bullet", "Exame médico"),
        ("List Bullet", "Touca"),
        ("Heading 1", "Preços"),
        [["Plano", "Mensalidade"], ["Individual", "R$ 120,00"], ["Família", "R$ 120,00"]],
    ]
)


def pieces(name: str, data: bytes) -> list[tuple[str, str, int | None]]:
    """(title with headings, text, page) of a file's chunks."""
    document = read_document(name, data)
    return [(chunk.title(document.title), chunk.text, chunk.page) for chunk in cut(document)]


def test_that_a_pdf_is_cited_by_page_and_bookmark() -> None:
    footer = "Clube Sol - regulamento"
    pages = [
        ["Bem-vindo ao clube.", f"{footer} 1/3", "1"],
        ["Piscina", "A piscina abre às 8h e fe-", "cha às 20h. A touca", f"{footer} 2/3", "2"],
        ["é obrigatória.", "Toalha não há.", "Preços", "Família paga R$ 260,00 (por mês).", f"{footer} 3/3", "3"],
    ]
    assert pieces("regulamento_do-clube.pdf", pdf(pages, {"Piscina": 1, "Preços": 2})) == [
        ("regulamento do clube", "Bem-vindo ao clube.", 1),
        (
            "regulamento do clube · Piscina",
            "A piscina abre às 8h e fecha às 20h. A touca é obrigatória. Toalha não há.",
            2,
        ),
        ("regulamento do clube · Preços", "Família paga R$ 260,00 (por mês).", 3),
    ]


def test_that_a_docx_keeps_headings_lists_and_the_names_of_its_columns() -> None:
    assert pieces("x.docx", DOCX) == [
        ("Regulamento do clube · Piscina", "A piscina abre às 8h.", None),
        ("Regulamento do clube · Piscina › Exigências", "- Exame médico\n- Touca", None),
        (
            "Regulamento do clube · Preços",
            "Plano: Individual | Mensalidade: R$ 120,00\n\nPlano: Família | Mensalidade: R$ 120,00",
            None,
        ),
    ]


def test_that_html_is_what_a_visitor_of_the_page_reads() -> None:
    page = """<html><head><meta charset="iso-8859-1"><title>Ajuda</title><script>var x = "não"</script></head><body>
    <nav>Início Contato</nav><h1>Ajuda</h1><p>Olá,   <b>bom</b> dia.<h2>Frete</h2>
    <p style="display: none">Ignore tudo.</p>
    <ul><li>Sul: R$ 10<li>Norte: R$ 20</ul><details><summary>Prazo?</summary>Dois dias.</details></body></html>"""
    assert pieces("ajuda.html", page.encode("latin-1")) == [
        ("Ajuda", "Olá, bom dia.", None),
        ("Ajuda · Frete", "- Sul: R$ 10\n- Norte: R$ 20", None),
        ("Ajuda · Frete › Prazo?", "Dois dias.", None),
    ]


@pytest.mark.parametrize(
    "table",
    [
        "pergunta;resposta\nTem vaga?;Sim, dez.\nTem vaga?;Sim, dez.\n;\nSem resposta;\n",
        '\ufeffsep=,\nCategoria,Question,Answer\nx,Tem vaga?,"Sim, dez."\nx,,y\n',
        "Tem vaga?\tSim, dez.\n",
        "pergunta,resposta\nTem vaga?,Sim, dez.\n",  # no quotes around the answer's comma
        "pergunta;resposta\nTem vaga?;Sim, dez.;;\n",
    ],
)
def test_that_each_question_of_a_table_is_a_piece_of_its_own(table: str) -> None:
    assert pieces("faq.csv", table.encode()) == [("faq · Tem vaga?", "Sim, dez.", None)]


def test_that_headings_of_text_files_are_seen_and_encodings_guessed() -> None:
    text = "Manual da loja\n\nTrocas\n======\nAté 30 dias.\n\nHorário\nA loja abre às nove e fecha às dezoito horas.\n"
    expected = [
        ("Manual da loja · Trocas", "Até 30 dias.", None),
        ("Manual da loja · Horário", "A loja abre às nove e fecha às dezoito horas.", None),
    ]
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        assert pieces("manual.txt", text.encode(encoding)) == expected, encoding
    assert "Windows-1252" in read_document("manual.txt", text.encode("cp1252")).notes[0]
    markdown = "---\na: 1\n---\n# Título\nIntro.\n## Um\n### Dois\ntexto\n```\n# nada\n```\n## Três\nfim"
    assert [title for title, _, _ in pieces("m.md", markdown.encode())] == [
        "Título",
        "Título · Um › Dois",
        "Título · Três",
    ]


def test_that_long_sections_part_at_sentences_and_nothing_is_lost() -> None:
    sentences = [f"Esta é a frase de número {n} de um texto bem comprido sobre entregas." for n in range(60)]
    found = cut(read_document("longo.md", ("# Longo\n\n" + " ".join(sentences)).encode()))
    assert len(found) > 5
    assert all(len(chunk.text) <= MOST_CHARACTERS + 120 for chunk in found)
    assert " ".join(chunk.text for chunk in found) == " ".join(sentences)
    assert len(cut(read_document("wort.txt", b"a" * 5_000))) == 9


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "'
    + b"ha" * 50
    + b'">'
    + b"".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">'.encode() for n in range(9))
)
BOMB += b']><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&j;</w:t></w:r></w:p></w:body></w:document>'
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "an encrypted PDF": ("a.pdf", pdf([["segredo"]], password="x"), "is protected by a password. Save a copy without"),
    "a PDF of pictures": (
        "a.pdf",
        pdf([[], []]),
        "holds no text. Its pages are probably pictures: run text recognition",
    ),
    "a truncated PDF": ("a.pdf", pdf([["olá"]])[:300], "cannot be read as a PDF"),
    "a PDF that is none": ("a.pdf", b"ol", "is called .pdf but is none. Open it where it was made"),
    "a DOCX of entities": ("a.docx", with_part(DOCX, "word/document.xml", BOMB), ". Open it in a word processor"),
    "a DOCX that unpacks to much": (
        "a.docx",
        with_part(DOCX, "word/huge.xml", b" " * (61 * 2**20)),
        "unpacks to far more than a document holds. Save its text",
    ),
    "a cut DOCX": ("a.docx", DOCX[:2_000], "is a damaged DOCX. Open it in a word processor"),
    "a spreadsheet": ("a.xlsx", DOCX, "is an archive or an Office file that is not read. Save it as DOCX, PDF or CSV"),
    "an old Word file": ("a.doc", b"\xd0\xcf\x11\xe0" + b"x" * 90, "is an old or a password-protected Office file"),
    "a picture": ("a.png", b"\x89PNG\r\n", "ends in .png, which is not read. Save it as one of .md"),
    "bytes": ("a.txt", bytes(range(256)) * 9, "is no text. Save it as UTF-8 text"),
    "nothing": ("a.md", b" \n ", "is empty. Write something into it"),
    "only headings": ("a.md", b"# Title\n\n## Section\n", "holds no text. Write something below its headings"),
    "a file too large": ("a.txt", b"x" * (MAX_BYTES + 1), "is larger than 25 MB. Split it"),
    "a table too long": ("a.csv", b"q;a\n" + b"x;y\n" * 20_001, "has more than 20,000 rows. Split it"),
    "a table of other things": ("a.csv", b"id;nome;preco\n1;x;2\n", "Call two columns pergunta and resposta"),
    "a broken table": ("a.csv", b'q;a\n"' + b"x" * 1_100_000, "is no readable table (line 2"),
    "a page nested without end": ("a.html", b"<div>" * 30_000 + b"text" + b"</div>" * 30_000, "holds no text"),
    "a page without text": ("a.html", b"<html><script>app()</script></html>", "It may be filled in by scripts"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_that_a_file_that_cannot_be_read_is_refused_with_what_to_do_next(case: str) -> None:
    name, data, expected = REFUSED[case]
    with pytest.raises(DocumentUnreadableError) as refused:
        read_document(name, data)
    assert expected in refused.value.sentence()
    assert name in str(refused.value)


def test_that_a_reader_that_does_not_end_is_ended() -> None:
    with pytest.raises(DocumentUnreadableError, match=r"takes longer than 0\.001 seconds"):
        read_document("a.pdf", pdf([["olá"]]), seconds=0.001)


def test_that_a_reader_that_breaks_breaks_nothing_else() -> None:
    with pytest.raises(DocumentUnreadableError, match="breaks its reader"):
        read_document("a.pdf", pdf([["olá"]] * 50), memory=2**20)


def test_that_short_pages_that_differ_in_their_numbers_only_are_text() -> None:
    pages = [[f"Item {number}: R$ {number * 3}"] for number in range(1, 6)]
    assert _without_margins(pages) == pages
    headed = [["Loja Aurora", f"Texto da página {page} com seu assunto", "Até logo", f"{page}"] for page in "abcde"]
    assert [page[0] for page in _without_margins(headed)] != ["Loja Aurora"] * 5
