"""A figure as CSV, for spreadsheets: exact values, and no cell that a spreadsheet would take for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from flows.reports import Counted

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: Any) -> str:
    """A value as a cell. Text that a spreadsheet would calculate gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" \u00a0").startswith(_FORMULA) or value.startswith(_FORMULA) else value
    return str(value)


def csv_lines(counted: Counted, label: str) -> Iterator[str]:
    """The file, line by line; first the header. Seconds, shares from 0 to 1, money in millionths. ``label``: of the
    first column."""
    names = [column.name for column in counted.figure.columns]
    yield "\ufeff" + _line([label, *(_header(column.name, column.unit) for column in counted.figure.columns)])
    for row in counted.rows:
        yield _line([row["label"], *(row.get(name) for name in names)])


def _header(name: str, unit: str) -> str:
    return {"seconds": f"{name}_seconds", "money": f"{name}_millionths"}.get(unit, name)


def _line(values: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([cell(value) for value in values])
    return line.getvalue()
