"""Reading files of intents that other tools wrote: CSV, JSONL and Rasa NLU YAML. Every mistake names its line.

Nothing is guessed where it would change what an intent means: a file is read whole or refused whole.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from agent.normalise import fold
from domain.errors import AtendeError
from domain.told import Told
from flows.intent_declared import LONGEST_EXAMPLE
from flows.intent_rasa import RasaProblem, read_rasa
from flows.tenant_declaration import LANGUAGES
from flows.tenant_files import fold_sentence

Format = Literal["csv", "jsonl", "rasa"]
LARGEST_FILE: Final = 8 * 1024 * 1024
_SHOWN: Final = 20
_DECLARED_SEPARATOR: Final = re.compile(r"sep=(.)\r?\n(?=\s*\S)")
"""What spreadsheet programs write, and read, above the header."""

_TEXT: Final = (
    *("text", "utterance", "example", "examples", "sentence", "phrase", "query", "message"),
    *("exemplo", "frase", "texto", "mensagem", "pergunta", "ejemplo", "pregunta", "mensaje"),
)
_INTENT: Final = (
    *("intent", "label", "category", "class", "intent_name"),
    *("intencao", "intencion", "categoria", "etiqueta", "rotulo", "classe"),
)
_LANGUAGE: Final = ("language", "lang", "idioma", "lingua", "locale")
_ANSWER: Final = ("answer", "response", "reply", "resposta", "respuesta")
_FIELDS: Final = ("description", "function", "action", "threshold", "reply_mode", "restricted", "hand_off_reason")
"""Further columns, by their names in a declaration."""


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """One example of a file. ``language``: "" where the file does not say."""

    line: int
    intent: str
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file read whole. ``fields``: what it says of intents besides examples, with the line, by intent."""

    name: str
    rows: tuple[ImportedRow, ...]
    fields: Mapping[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class IntentFileError(AtendeError):
    """A file of intents that cannot be imported; ``problems`` holds (line, what is wrong), line 0 for the whole."""

    def __init__(self, file: str, problems: Sequence[tuple[int, str]]) -> None:
        ordered = sorted(problems, key=lambda problem: problem[0])
        listed = [f"  {file}:{line}: {what}" if line else f"  {file}: {what}" for line, what in ordered[:_SHOWN]]
        more = [f"  … and {len(ordered) - _SHOWN} more"] if len(ordered) > _SHOWN else []
        count = "1 problem" if len(ordered) == 1 else f"{len(ordered)} problems"
        super().__init__(
            "\n".join([f"{file} has {count}:", *listed, *more, ""]),
            hint="Nothing was imported. Correct the file, then try again.",
        )
        self.file = file
        self.problems = tuple(ordered)


def format_of(name: str) -> Format:
    """The format that a file's name tells. Raises IntentFileError."""
    ending = name.lower().rpartition(".")[2]
    known: dict[str, Format] = {
        "csv": "csv", "tsv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl", "yml": "rasa", "yaml": "rasa",
    }  # fmt: skip
    if ending not in known:
        raise IntentFileError(
            name, [(0, Told("unknown_file", "is of no known kind: name it .csv, .jsonl or, for Rasa NLU, .yml"))]
        )
    return known[ending]


def read_intents(name: str, data: bytes, form: Format | None = None) -> ImportedFile:
    """Read a file's bytes. ``form``: its format, if the name does not tell. Raises IntentFileError with all faults."""
    form = form or format_of(name)
    reader = _Reader(name)
    if len(data) > LARGEST_FILE:
        raise IntentFileError(name, [(0, f"is larger than {LARGEST_FILE // 2**20} MB: split it")])
    text = reader.decoded(data)
    if not text.strip():
        raise IntentFileError(name, [(0, Told("needed", "is empty"))])
    if form == "csv":
        reader.csv(text)
    elif form == "jsonl":
        reader.jsonl(text)
    else:
        reader.rasa(text)
    return reader.finished()


def intent_name(given: str) -> str:
    """A name of another tool as ours: small letters, digits and _. "" where nothing is left of it."""
    plain = re.sub(r"[^a-z0-9]+", "_", fold(given).strip()).strip("_")
    return f"intent_{plain}"[:60] if plain[:1].isdigit() else plain[:60]


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._rows: list[ImportedRow] = []
        self._fields: dict[str, tuple[int, dict[str, Any]]] = {}
        self._problems: list[tuple[int, str]] = []
        self._notices: list[str] = []
        self._names: dict[str, tuple[str, int]] = {}
        """Which name of the file, on which line, became this one."""

    def decoded(self, data: bytes) -> str:
        encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            if encoding == "utf-16" or b"\0" in data:
                raise IntentFileError(self._name, [(line, "is no text: save the file as UTF-8")]) from None
        # What spreadsheets of Brazil write when nobody tells them otherwise. Every byte means something there.
        self._notices.append(f"{self._name} is not UTF-8 (line {line}); it was read as Windows-1252.")
        return data.decode("cp1252", errors="replace")

    def csv(self, text: str) -> None:
        declared = _DECLARED_SEPARATOR.match(text)
        header = text[declared.end() if declared else 0 :].splitlines()[0]
        delimiter = declared[1] if declared else max(";,\t|", key=lambda mark: _outside_quotes(header, mark))
        table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            if declared:
                next(table)
            columns = self._columns(next(table))
            started = table.line_num + 1
            for cells in table:
                line, started = started, table.line_num + 1
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(columns):
                    what = f"has {len(cells)} columns where the header has {len(columns)} (separated by {delimiter!r})"
                    self._problems.append((line, f"{what}: put quotes around text that holds the separator"))
                    continue
                found = {column: cell.strip() for column, cell in zip(columns, cells, strict=True) if column}
                self._add(line, found.pop("intent"), found.pop("text"), found)
        except csv.Error as error:
            self._problems.append((table.line_num, f"is not valid CSV: {error}"))

    def _columns(self, header: Sequence[str]) -> list[str]:
        known = {**dict.fromkeys(_TEXT, "text"), **dict.fromkeys(_INTENT, "intent")}
        known |= {**dict.fromkeys(_LANGUAGE, "language"), **dict.fromkeys(_ANSWER, "answer")}
        known |= {name: name for name in _FIELDS}
        columns = [known.get(re.sub(r"[\s-]+", "_", fold(cell).strip()), "") for cell in header]
        named = ", ".join(repr(cell.strip()) for cell in header)
        problems: list[tuple[int, str]] = [
            (
                1,
                Told(
                    "no_column",
                    "has no column for the {what}: it is {named}, and one must be called {known}",
                    what=what,
                    named=named,
                    known=" or ".join(names[:2]),
                ),
            )
            for what, names in (("text", _TEXT), ("intent", _INTENT))
            if what not in columns
        ]
        problems += [
            (1, f"has two columns for the {column}: keep one of them")
            for column in sorted({column for column in columns if column and columns.count(column) > 1})
        ]
        if problems:
            raise IntentFileError(self._name, problems)
        ignored = [cell.strip() for cell, column in zip(header, columns, strict=True) if not column and cell.strip()]
        if ignored:
            self._notices.append(f"Columns that mean nothing here were left out: {', '.join(ignored)}.")
        return columns

    def jsonl(self, text: str) -> None:
        if text.lstrip().startswith("["):  # one array instead of lines
            try:
                objects = list(enumerate(orjson.loads(text), 1))
            except orjson.JSONDecodeError as error:
                raise IntentFileError(self._name, [(error.lineno, f"is not valid JSON: {error.msg}")]) from None
            what = "entry"
        else:
            objects, what = [], "line"
            for line, content in enumerate(text.split("\n"), 1):
                if not content.strip():
                    continue
                try:
                    objects.append((line, orjson.loads(content)))
                except orjson.JSONDecodeError as error:
                    self._problems.append((line, f"is not valid JSON: {error.msg} (column {error.colno})"))
        for place, found in objects:
            self._object(place, found, what)

    def _object(self, line: int, found: Any, what: str) -> None:
        if not isinstance(found, dict):
            self._problems.append((line, f'the {what} must be an object such as {{"text": …, "intent": …}}'))
            return
        given = {fold(str(key)).strip(): value for key, value in found.items()}
        name = next((given.pop(key) for key in ("name", *_INTENT) if key in given), None)
        texts = next((given.pop(key) for key in ("examples", *_TEXT) if key in given), None)
        language = next((given.pop(key) for key in _LANGUAGE if key in given), "")
        answer = next((given.pop(key) for key in _ANSWER if key in given), None)
        if not isinstance(name, str):
            self._problems.append((line, f'names no intent: write "intent": "order_status" (it has {_keys(found)})'))
            return
        sentences = _sentences(texts, language)
        if sentences is None:
            self._problems.append(
                (line, f'holds no text: write "text": "…" or "examples": […] (it has {_keys(found)})')
            )
            return
        kept: dict[str, Any] = {key: given.pop(key) for key in (*_FIELDS, "replies") if key in given}
        if given:
            self._notices.append(f"Line {line}: {', '.join(sorted(given))} mean nothing here and were left out.")
        more = kept | ({"answer": answer} if answer else {})
        for spoken, text in sentences:
            self._add(line, name, text, {"language": spoken} if spoken else {})
        if more or not sentences:
            self._note(line, self._own(line, name), more)

    def rasa(self, text: str) -> None:
        try:
            found = read_rasa(text)
        except RasaProblem as error:
            raise IntentFileError(self._name, [(error.line, error.what)]) from None
        self._problems += found.problems
        for example in found.examples:
            self._add(example.line, example.intent, example.text, {})
        for name, (line, answer) in found.answers.items():
            self._note(line, self._own(line, name), {"answer": answer})
        if found.ignored:
            self._notices.append(f"Left out: {', '.join(found.ignored)}.")

    def _add(self, line: int, intent: str, text: str, more: Mapping[str, Any]) -> None:
        name = self._own(line, intent)
        if not name:
            return
        if not text.strip():
            self._problems.append((line, f"has no text for the intent {intent}"))
            return
        if len(text) > LONGEST_EXAMPLE:
            self._problems.append(
                (
                    line,
                    Told(
                        "long_example",
                        "has {count} characters; an example has at most {most}",
                        count=len(text),
                        most=LONGEST_EXAMPLE,
                    ),
                )
            )
            return
        values = {key: value for key, value in more.items() if value not in {"", None}}
        language = fold(str(values.pop("language", ""))).strip()[:2]
        if language and language not in LANGUAGES:
            self._problems.append((line, f"is in {more['language']}, which is none of {', '.join(LANGUAGES)}"))
            return
        self._rows.append(ImportedRow(line, name, text.replace("\0", "\ufffd").strip(), language))
        if values:
            self._note(line, name, values)

    def _own(self, line: int, given: str) -> str:
        """Our name for it; "" with the problem noted."""
        name = intent_name(given)
        if not name:
            self._problems.append((line, f"names no intent: {given.strip()!r}"))
            return ""
        first, where = self._names.setdefault(name, (given.strip(), line))
        if first != given.strip():
            what = f"{given.strip()!r} and {first!r} (line {where}) would both be called {name}: rename one of them"
            self._problems.append((line, what))
        return name

    def _note(self, line: int, name: str, values: Mapping[str, Any]) -> None:
        if not name:
            return
        before_line, before = self._fields.setdefault(name, (line, {}))
        for key, value in values.items():
            read = _value(key, value)
            if before.setdefault(key, read) != read:
                self._problems.append((line, f"gives {name} another {key} than line {before_line}"))

    def finished(self) -> ImportedFile:
        homes: dict[str, ImportedRow] = {}
        kept, repeated = [], []
        for row in self._rows:
            first = homes.setdefault(fold_sentence(row.text), row)
            if first is row:
                kept.append(row)
            elif first.intent == row.intent:
                repeated.append(row.line)
            else:
                what = Told(
                    "example_twice",
                    "{text!r} is an example of {intent} here and of {other} on line {line}: keep one of them",
                    text=row.text,
                    intent=row.intent,
                    other=first.intent,
                    line=first.line,
                )
                self._problems.append((row.line, what))
        if not self._rows and not self._fields and not self._problems:
            self._problems.append((0, Told("no_example", "holds no example")))
        if self._problems:
            raise IntentFileError(self._name, self._problems)
        if repeated:
            lines = ", ".join(map(str, repeated[:_SHOWN])) + (", …" if len(repeated) > _SHOWN else "")
            self._notices.append(f"{len(repeated)} repeated examples count once (line {lines}).")
        renamed = [f"{given} → {name}" for name, (given, _) in self._names.items() if given != name]
        if renamed:
            self._notices.append(f"Renamed: {', '.join(renamed[:_SHOWN])}{', …' if len(renamed) > _SHOWN else ''}.")
        return ImportedFile(self._name, tuple(kept), self._fields, tuple(self._notices))


def _value(key: str, value: Any) -> Any:
    """A cell as the declaration's JSON value; what cannot be read stays as it is and is refused later."""
    if not isinstance(value, str):
        return value
    if key == "restricted" and fold(value) in {"true", "yes", "1", "sim", "si", "x"}:
        return True
    if key == "restricted" and fold(value) in {"false", "no", "0", "nao"}:
        return False
    if key == "threshold":
        try:
            return float(value.replace(",", "."))
        except ValueError:
            return value
    return value


def _sentences(texts: Any, language: Any) -> list[tuple[str, str]] | None:
    """(language or "", text) of what stands as text or examples; None where it is neither."""
    if texts is None:
        return None
    spoken = language if isinstance(language, str) else ""
    if isinstance(texts, str):
        return [(spoken, texts)]
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return [(spoken, text) for text in texts]
    if isinstance(texts, dict) and all(
        isinstance(found, list) and all(isinstance(text, str) for text in found) for found in texts.values()
    ):
        return [(str(key), text) for key, found in texts.items() for text in found]
    return None


def _keys(found: Mapping[str, Any]) -> str:
    return ", ".join(map(str, found)) or "no keys"


def _outside_quotes(line: str, mark: str) -> int:
    return re.sub(r'"[^"]*"', "", line).count(mark)
