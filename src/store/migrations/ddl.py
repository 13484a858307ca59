"""Prints the SQL of the first migration's tables, as the SQLModel classes declare them (see ``make tables``)."""

from __future__ import annotations

import sys

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from store.tables import metadata


def ddl() -> str:
    """All tables and their indexes, in an order in which they can be made."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    parts = []
    for table in metadata.sorted_tables:
        statement = str(CreateTable(table).compile(dialect=dialect)).strip()
        parts.append(statement.replace(", \n", ",\n").replace("\t", "    ") + ";")
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            parts.append(str(CreateIndex(index).compile(dialect=dialect)).strip() + ";")
        parts.append("")
    return "\n".join(parts).rstrip()


if __name__ == "__main__":
    sys.stdout.write(ddl() + "\n")
