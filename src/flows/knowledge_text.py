"""Markdown, plain text and CSV as documents: formats that need no library and can do no harm."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

from agent.normalise import fold
from flows.knowledge_files import Block, DocumentText, DocumentUnreadableError, decoded, finished, name_as_title

_HEADING: Final = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*")
_FENCE: Final = re.compile(r"\s{0,3}(```|~~~)")
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.S)
_UNDERLINE: Final = re.compile(r"(={3,}|-{3,})")
_HEADING_CHARACTERS: Final = 80

QUESTION_NAMES: Final = (
    "pergunta",
    "perguntas",
    "pregunta",
    "preguntas",
    "question",
    "questions",
    "q",
    "duvida",
    "titulo",
)
ANSWER_NAMES: Final = ("resposta", "respostas", "respuesta", "respuestas", "answer", "answers", "a", "r", "texto")
MAX_ROWS: Final = 20_000
_DELIMITERS: Final = "\t;,|"
"""The likelier first: sentences hold commas, and semicolons now and then."""


def read_markdown(name: str, data: bytes) -> DocumentText:
    """Headings of every level; the first of level one is the title. Raises DocumentUnreadableError."""
    text, notes = decoded(name, data)
    text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n").lstrip("\ufeff"), count=1)
    title, blocks = headed(text)
    return finished(
        name, title or name_as_title(name), blocks, empty_hint="Write something below its headings.", notes=notes
    )


def headed(text: str) -> tuple[str, list[Block]]:
    """Markdown's title ("" without one) and its paragraphs under their headings."""
    title, path, blocks, lines, fenced = "", [""] * 7, list[Block](), list[str](), False

    def close() -> None:
        for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
            if paragraph.strip():
                blocks.append(Block(paragraph.strip(), tuple(filter(None, path))))
        lines.clear()

    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        match = None if fenced else _HEADING.fullmatch(line)
        if match is None:
            lines.append(line)
            continue
        close()
        level = len(match[1])
        if level == 1 and not title and not blocks:
            title = match[2].strip()
            continue
        path[level:] = [match[2].strip()] + [""] * (6 - level)
    close()
    return title, blocks


def read_text(name: str, data: bytes) -> DocumentText:
    """Paragraphs under headings: a short line on its own, an underlined one, or one right above longer text.

    The first such line, before any text, is the title. Raises DocumentUnreadableError.
    """
    text, notes = decoded(name, data)
    title, heading, blocks = "", "", list[Block]()
    paragraphs = [p for p in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")) if p.strip()]
    for position, paragraph in enumerate(paragraphs):
        lines = [line.strip() for line in paragraph.strip().split("\n")]
        if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1]) and is_headline(lines[0]):
            heading, lines = lines[0], lines[2:]
        elif is_headline(lines[0]) and (_is_text(lines[1]) if len(lines) > 1 else position + 1 < len(paragraphs)):
            heading, lines = lines[0], lines[1:]
        if position == 0 and not lines:
            title, heading = heading, ""
        if lines:
            blocks.append(Block("\n".join(lines), (heading,) if heading else ()))
    if not blocks and (heading or title):
        blocks = [Block(heading or title)]
    hint = "Write something into it, or leave it out."
    return finished(name, title or name_as_title(name), blocks, empty_hint=hint, notes=notes)


def _is_text(line: str) -> bool:
    return len(line) > _HEADING_CHARACTERS // 2 or line.endswith((".", "!"))


def is_headline(line: str) -> bool:
    """A line that could head what follows: short, with letters, no sentence and no item of a list."""
    return (
        len(line) <= _HEADING_CHARACTERS
        and any(char.isalpha() for char in line)
        and not line.endswith((".", ",", ";", ":", "!"))
        and not re.match(r"[-*•·–]\s|\d+\)", line)
    )


def read_questions(name: str, data: bytes) -> DocumentText:
    """A table of questions and answers: each pair is a piece of its own. Raises DocumentUnreadableError."""
    text, notes = decoded(name, data)
    rows = list(_rows(name, text))
    if not rows:
        raise DocumentUnreadableError(name, "has no rows", hint="Write one question and its answer per row.")
    columns = _columns(name, rows)
    question, answer = columns
    body = rows[1:] if _is_header(rows[0], columns) else rows
    blocks: list[Block] = []
    seen: set[tuple[str, str]] = set()
    incomplete = 0
    for row in body:
        pair = (row[question].strip(), row[answer].strip()) if len(row) > max(columns) else ("", "")
        if not all(pair):
            incomplete += any(cell.strip() for cell in row)
        elif pair not in seen:
            seen.add(pair)
            blocks.append(Block(pair[1], (pair[0],), whole=True))
    if incomplete:
        notes = (*notes, f"{incomplete} rows without a question or without an answer were left out.")
    return finished(name, name_as_title(name), blocks, empty_hint="Fill both columns of at least one row.", notes=notes)


def _rows(name: str, text: str) -> Iterator[list[str]]:
    text = text.lstrip("\ufeff")
    if declared := re.match(r"sep=(.)\r?\n", text):  # what spreadsheet programs write at the top
        text = text[declared.end() :]
    first = text.split("\n", 1)[0]
    delimiter = declared[1] if declared else next((sign for sign in _DELIMITERS if sign in first), ",")
    csv.field_size_limit(1_000_000)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    width = 0
    try:
        for number, row in enumerate(reader):
            if number > MAX_ROWS:
                raise DocumentUnreadableError(
                    name, f"has more than {MAX_ROWS:,} rows", hint="Split it, or keep the questions that customers ask."
                )
            if any(cell.strip() for cell in row):
                width = width or len(row)
                yield _whole(row, width, delimiter)
    except csv.Error as error:
        raise DocumentUnreadableError(
            name,
            f"is no readable table (line {reader.line_num}: {error})",
            hint="Check the quotation marks of that line, or save it again from a spreadsheet as CSV UTF-8.",
        ) from error


def _whole(row: list[str], width: int, delimiter: str) -> list[str]:
    """The row with the columns of the first one: an answer may hold separators without quotes around it."""
    rest = row[width - 1 :]
    while len(rest) > 1 and not rest[-1].strip():
        rest.pop()
    return [*row[: width - 1], delimiter.join(rest)]


def _columns(name: str, rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    names = [fold(cell) for cell in rows[0]]
    question = next((names.index(n) for n in QUESTION_NAMES if n in names), None)
    answer = next((names.index(n) for n in ANSWER_NAMES if n in names), None)
    if question is not None and answer is not None:
        return question, answer
    if len(rows[0]) == 2:
        return 0, 1
    raise DocumentUnreadableError(
        name,
        f"has no columns of questions and answers (its first row: {', '.join(rows[0])[:120]})",
        hint="Call two columns pergunta and resposta (or pregunta and respuesta, or question and answer).",
    )


def _is_header(row: Sequence[str], columns: tuple[int, int]) -> bool:
    return fold(row[columns[0]]) in QUESTION_NAMES and fold(row[columns[1]]) in ANSWER_NAMES
