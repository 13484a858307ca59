"""Files of intents as other tools write them: read whole with what they mean, or refused with the line at fault."""

from __future__ import annotations

import pytest

from flows.intent_files import ImportedFile, IntentFileError, read_intents

RASA = """\
version: "3.1"

# what customers ask
nlu:
- intent: order_status
  examples: |
    - cadê meu pedido [1042](order_number)?
    - chega [amanhã]{"entity": "when", "value": "tomorrow"} ou [depois][{"entity": "when"}, {"entity": "late"}]?

    - meu [tênis \\[azul\\]](item:shoes) não chegou
  # the next one is a retrieval intent
  - intent: faq/opening-hours
    examples: |
      - Que horas abre?
- intent: greet
  examples:
  - text: |
      bom dia
    metadata:
      sentiment: neutral
  - oi, tudo bem?
- synonym: tomorrow
  examples: |
    - amanhã cedo
- regex: cpf
  examples: |
    - \\d{11}
responses:
  utter_faq/opening-hours:
  - text: Das 9h às 18h.
  utter_unused/thing:
  - text: Never asked for.
""".replace("  - intent: faq", "- intent: faq").replace("    examples: |\n      - Que", "  examples: |\n    - Que")


def pairs(file: ImportedFile) -> list[tuple[int, str, str]]:
    return [(row.line, row.intent, row.text) for row in file.rows]


def problems(name: str, content: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(IntentFileError) as caught:
        read_intents(name, content if isinstance(content, bytes) else content.encode())
    return list(caught.value.problems)


def test_that_rasa_training_data_are_read_with_their_annotations_taken_off() -> None:
    file = read_intents("nlu.yml", RASA.encode())
    assert [(row.intent, row.text) for row in file.rows] == [
        ("order_status", "cadê meu pedido 1042?"),
        ("order_status", "chega amanhã ou depois?"),
        ("order_status", "meu tênis [azul] não chegou"),
        ("faq_opening_hours", "Que horas abre?"),
        ("greet", "bom dia"),
        ("greet", "oi, tudo bem?"),
    ]
    lines = RASA.splitlines()
    assert [lines[row.line - 1].strip()[:12] for row in file.rows][:4] == [
        "- cadê meu p",
        "- chega [ama",
        "- meu [tênis",
        "- Que horas ",
    ]
    assert file.fields["faq_opening_hours"][1] == {"answer": "Das 9h às 18h."}
    assert "unused_thing" not in file.fields
    told = " ".join(file.notices)
    assert "synonym tomorrow" in told
    assert "faq/opening-hours → faq_opening_hours" in told


def test_that_rasa_files_of_version_2_without_a_last_newline_and_with_indented_lists_are_read() -> None:
    text = 'version: "2.0"\nnlu:\n  - intent: bye\n    examples: |\n      - tchau\n      - até logo'
    assert pairs(read_intents("nlu.yaml", text.encode())) == [(5, "bye", "tchau"), (6, "bye", "até logo")]
    crlf = text.replace("\n", "\r\n")
    assert [row.text for row in read_intents("nlu.yaml", b"\xef\xbb\xbf" + crlf.encode()).rows] == ["tchau", "até logo"]


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ("nlu:\n- intent: a\n  examples: |\n    - um\n    dois\n", 5, "begin it with `- `"),
        ("nlu:\n- intent: a\n  examples: |\n    - um\n    -\n", 5, "has no text"),
        ("nlu:\n- intent: a\n", 2, "has no examples"),
        ("nlu:\n- intent: a\n  examples: >\n    - um\n    - dois\n", 3, "folded"),
        ("nlu:\n- intent: a\n  examples: um\n", 3, "must be a block"),
        ("nlu:\n- intents: a\n", 2, "is no `- intent"),
        ("nlu:\n- intent: a\n\texamples: |\n", 3, "not valid YAML"),
        ("intents:\n- greet\nresponses: {}\n", 1, "intents, responses, but not the key nlu"),
        ("- um\n- dois\n", 1, "is no Rasa file"),
        ("nlu:\n- intent: a\n  examples: |\n    - oi\n- intent: b\n  examples: |\n    - Oi!\n", 7, "on line 4"),
    ],
)
def test_that_a_rasa_file_that_cannot_be_meant_is_refused_at_its_line(content: str, line: int, what: str) -> None:
    found = problems("nlu.yml", content)
    assert found[0][0] == line
    assert what in found[0][1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_that_csv_is_read_as_spreadsheets_write_it(encoding: str, delimiter: str) -> None:
    rows = [
        "Exemplo|Intenção|idioma",
        'cadê meu pedido?|"Status do Pedido"|pt',
        '"onde está | o ""tênis""\nque comprei"|Status do Pedido|',
        "||",
        "¿dónde está?|Status do Pedido|es",
    ]
    text = "\r\n".join(rows).replace("|", delimiter)
    file = read_intents("planilha.csv", text.encode(encoding))
    assert [(row.line, row.text, row.language) for row in file.rows] == [
        (2, "cadê meu pedido?", "pt"),
        (3, f'onde está {delimiter} o "tênis"\nque comprei', ""),
        (6, "¿dónde está?", "es"),
    ]
    assert {row.intent for row in file.rows} == {"status_do_pedido"}
    assert any("Windows-1252" in notice for notice in file.notices) == (encoding == "cp1252")


def test_that_the_separator_that_excel_declares_above_the_header_is_taken() -> None:
    file = read_intents("planilha.csv", b"sep=;\r\ntext;intent\r\noi, tudo bem?;greet\r\n")
    assert [(row.line, row.text, row.intent) for row in file.rows] == [(3, "oi, tudo bem?", "greet")]


def test_that_csv_columns_may_declare_the_intent_too() -> None:
    text = (
        "text,intent,answer,threshold,restricted,row_id\n"
        'que horas abre?,hours,Das 9h às 18h.,"0,85",,1\n'
        "quero processar,lawsuit,,,sim,2\n"
        "qual o horário?,hours,,,,3\n"
    )
    file = read_intents("f.csv", text.encode())
    assert file.fields["hours"] == (2, {"answer": "Das 9h às 18h.", "threshold": 0.85})
    assert file.fields["lawsuit"] == (3, {"restricted": True})
    assert "row_id" in file.notices[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("frase,grupo\noi,greet\n", [(1, "'frase', 'grupo'")]),
        ("oi,greet\ntchau,bye\n", [(1, "for the text"), (1, "for the intent")]),
        ("text,intent,label\noi,greet,greet\n", [(1, "two columns for the intent")]),
        ("text,intent\noi,tudo bem,greet\nolá\nbom dia,greet\n", [(2, "has 3 columns"), (3, "has 1 columns")]),
        ("text,intent\n,greet\noi,\n", [(2, "has no text"), (3, "names no intent")]),
        ("text,intent\noi,greet\noi!,bye\n", [(3, "of greet on line 2")]),
        ("text,intent\noi,order-status\nola,order status\n", [(3, "would both be called order_status")]),
        ("text,intent,language\noi,greet,fr\n", [(2, "in fr")]),
        ("text,intent,answer\noi,greet,A\nolá,greet,B\n", [(3, "another answer than line 2")]),
        ('text,intent\n"oi,greet\n', [(2, "not valid CSV")]),
        ("", [(0, "is empty")]),
        ("text,intent\n", [(0, "holds no example")]),
        ("text,intent\n" + "x" * 1001 + ",greet\n", [(2, "at most 1000")]),
    ],
)
def test_that_a_csv_that_cannot_be_meant_is_refused_at_its_lines(content: str, expected: list[tuple[int, str]]) -> None:
    found = problems("f.csv", content)
    assert [line for line, _ in found] == [line for line, _ in expected]
    assert all(part in what for (_, what), (_, part) in zip(found, expected, strict=True)), found


def test_that_repeated_rows_count_once_and_are_told() -> None:
    file = read_intents("f.csv", b"text,intent\noi,greet\nOi!,greet\n oi ,greet\n")
    assert pairs(file) == [(2, "greet", "oi")]
    assert "2 repeated examples count once (line 3, 4)" in file.notices[0]


def test_that_jsonl_holds_rows_or_whole_intents() -> None:
    lines = [
        '{"text": "oi", "intent": "greet"}',
        "",
        '{"utterance": "hello", "label": "greet", "lang": "en-US"}',
        '{"name": "hours", "examples": {"pt": ["que horas?"], "es": ["¿qué hora?"]}, "answer": {"pt": "9h"}}',
        '{"name": "bye", "examples": ["tchau"], "action": "stay_silent", "id": 7}',
    ]
    file = read_intents("f.jsonl", "\n".join(lines).encode())
    assert [(row.line, row.intent, row.text, row.language) for row in file.rows] == [
        (1, "greet", "oi", ""),
        (3, "greet", "hello", "en"),
        (4, "hours", "que horas?", "pt"),
        (4, "hours", "¿qué hora?", "es"),
        (5, "bye", "tchau", ""),
    ]
    assert file.fields == {"hours": (4, {"answer": {"pt": "9h"}}), "bye": (5, {"action": "stay_silent"})}
    assert "id" in file.notices[0]
    array = "[" + ",".join(line for line in lines if line) + "]"
    assert [row.text for row in read_intents("f.json", array.encode()).rows] == [row.text for row in file.rows]


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ('{"text": "oi", "intent": "greet"}\n{"text": "oi"\n', 2, "not valid JSON"),
        ('{"text": "oi", "intent": "greet"}\n["oi", "greet"]\n', 2, "must be an object"),
        ('{"text": "oi", "topic": "greet"}\n', 1, "it has text, topic"),
        ('{"intent": "greet", "says": "oi"}\n', 1, "holds no text"),
        ('{"intent": "greet", "text": 7}\n', 1, "holds no text"),
        ('{"intent": "???", "text": "oi"}\n', 1, "names no intent"),
    ],
)
def test_that_jsonl_that_cannot_be_meant_is_refused_at_its_line(content: str, line: int, what: str) -> None:
    found = problems("f.jsonl", content)
    assert found[0][0] == line
    assert what in found[0][1]


def test_that_files_of_no_known_kind_and_bytes_that_are_no_text_are_refused() -> None:
    assert "name it .csv" in problems("intents.xlsx", b"PK\x03\x04")[0][1]
    assert "is no text" in problems("f.csv", b"text,intent\n\x00\xff\xfe,greet\n")[0][1]
    assert "larger than" in problems("f.csv", b"a" * (8 * 1024 * 1024 + 1))[0][1]
