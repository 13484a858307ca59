"""A slip in a name that was given to an import is told, and passes for no choice."""

from typing import Any

from tools.openai_tools import functions_of_tools
from tools.openapi import ImportChoices, functions_of

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Books", "version": "1"},
    "servers": [{"url": "https://api.example.org"}],
    "paths": {
        "/loans/{reader}": {
            "get": {
                "operationId": "loans",
                "summary": "Loans of a reader",
                "parameters": [{"name": "reader", "in": "path", "required": True, "schema": {"type": "string"}}],
            }
        }
    },
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "loans",
            "description": "Loans of a reader",
            "parameters": {"type": "object", "properties": {"reader": {"type": "string"}}, "required": ["reader"]},
        },
    }
]
RIGHT = ImportChoices(effects={"loans": "read"}, binds={"reader": "contact.phone", "loans:reader": "contact.phone"})
SLIPS = ImportChoices(
    effects={"loan": "read"}, binds={"readers": "contact.phone", "loan:reader": "contact.phone"}, only=frozenset()
)


def test_that_names_which_nothing_has_are_told_whatever_is_imported() -> None:
    for endpoint in ("", "https://api.example.org/call", "https://api.example.org/{name}"):
        read = functions_of_tools(TOOLS, endpoint, RIGHT) if endpoint else functions_of(DOCUMENT, RIGHT)
        assert ([one.name for one in read.functions], read.problems) == (["loans"], ())
        read = functions_of_tools(TOOLS, endpoint, SLIPS) if endpoint else functions_of(DOCUMENT, SLIPS)
        assert [one.name for one in read.functions] == ["loans"]
        assert [name for name, _ in read.problems] == ["loan", "loan:reader", "readers"]
