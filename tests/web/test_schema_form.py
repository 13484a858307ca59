"""Forms made from JSON Schemas: every kind of argument can be entered, and what is wrong is said at its field."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import FormData

from flows.function_forms import arguments_schema
from store.functions import FunctionRow
from web.application import rendering
from web.i18n import LANGUAGES
from web.schema_form import Field, FormError, arguments_of, fields_of

ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "note": {"type": "string", "maxLength": 500, "description": "What the kitchen reads"},
        "order_number": {"type": "string", "pattern": "^[0-9]{4}$", "examples": ["1024"]},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
        "price": {"type": ["number", "null"]},
        "paid": {"type": "boolean"},
        "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "size": {"enum": ["P", "M", "G", 42, None]},
        "extras": {"type": "array", "items": {"enum": ["cheese", "bacon"]}},
        "tags": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
        "address": {"$ref": "#/$defs/address"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
        "either": {"oneOf": [{"type": "object"}, {"type": "array"}]},
        "a/b~c": {"type": "string"},
    },
    "required": ["order_number", "address", "paid"],
    "additionalProperties": False,
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "next": {"$ref": "#/$defs/address"}},
            "required": ["street"],
        }
    },
}


def by_path(fields: tuple[Field, ...]) -> dict[str, Field]:
    found = {}
    for field in fields:
        found[".".join(field.path)] = field
        found |= by_path(field.fields)
    return found


def test_that_every_kind_of_argument_has_a_field_and_comes_back_as_the_schema_wants_it() -> None:
    fields = by_path(fields_of(ORDER))
    kinds = {path: field.kind for path, field in fields.items() if path.count(".") < 2}
    assert kinds["note"] == "long_text"
    assert (kinds["quantity"], kinds["price"], kinds["paid"], kinds["day"]) == ("number", "number", "choice", "date")
    assert (kinds["size"], kinds["extras"], kinds["tags"]) == ("choice", "choices", "lines")
    assert (kinds["address"], kinds["address.street"], kinds["lines"], kinds["either"]) == (
        "group",
        "text",
        "json",
        "json",
    )
    assert fields["quantity"].value == "1"
    assert [field.required for field in fields_of(ORDER)][:4] == [True, True, True, False]
    posted = FormData(
        [
            (fields["order_number"].name, " 1024 "),
            (fields["note"].name, "no onions\r\nplease"),
            (fields["quantity"].name, "2"),
            (fields["price"].name, "12,50"),
            (fields["paid"].name, "true"),
            (fields["day"].name, "2026-05-31"),
            (fields["size"].name, "42"),
            (fields["extras"].name, '"bacon"'),
            (fields["tags"].name, "3\n\n4"),
            (fields["address.street"].name, "Rua A, 1"),
            (fields["lines"].name, '[{"sku": "x"}]'),
            (fields["either"].name, ""),
            (fields["a/b~c"].name, "odd"),
            ("csrf_token", "not an argument"),
        ]
    )
    assert arguments_of(ORDER, posted) == {
        "order_number": "1024",
        "note": "no onions\nplease",
        "quantity": 2,
        "price": 12.5,
        "paid": True,
        "day": "2026-05-31",
        "size": 42,
        "extras": ["bacon"],
        "tags": [3, 4],
        "address": {"street": "Rua A, 1"},
        "lines": [{"sku": "x"}],
        "a/b~c": "odd",
    }


def test_that_what_was_entered_is_shown_again_with_a_sentence_at_each_fault() -> None:
    names = {path: field.name for path, field in by_path(fields_of(ORDER)).items()}
    wrong = {"order_number": "12", "quantity": "ten", "day": "31/05", "lines": "[{", "size": '"XL"', "paid": ""}
    with pytest.raises(FormError) as unreadable:
        arguments_of(ORDER, FormData({names[path]: text for path, text in wrong.items()}))
    assert "JSON" in by_path(unreadable.value.fields)["lines"].problem
    with pytest.raises(FormError) as refused:
        arguments_of(ORDER, FormData({names[path]: text for path, text in wrong.items() if path != "lines"}))
    found = by_path(refused.value.fields)
    at_fault = {path for path, field in found.items() if field.problem}
    assert at_fault == {"order_number", "quantity", "day", "size", "paid", "address.street"}
    assert found["quantity"].value == "ten"
    assert (found["order_number"].expected, found["paid"].problem) == ("^[0-9]{4}$", "This is needed.")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_that_the_form_is_drawn_in_every_language_and_escapes_what_others_wrote(language: str) -> None:
    name = '"><script>alert(1)</script>'
    odd = {"type": "string", "title": "<b>", "enum": ["<i>", "%(expected)s"]}
    hostile = {"type": "object", "properties": {name: odd}, "required": [name]}
    environment = rendering()[1]._in(language)
    macros: Any = environment.get_template("schema_form.html").module
    with pytest.raises(FormError) as refused:
        arguments_of(hostile, FormData({}))
    drawn = str(macros.schema_fields(refused.value.fields)) + str(macros.schema_fields(fields_of(ORDER)))
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert 'aria-invalid="true"' in drawn
    assert drawn.count("<label") + drawn.count("<legend") > len(ORDER["properties"])


@pytest.mark.parametrize("kind", ["python", "http", "mcp"])
def test_that_the_form_asks_for_what_the_function_takes_whatever_its_kind(kind: Any) -> None:
    own = {"python": {}, "http": {"http": {"schema": ORDER}}, "mcp": {"mcp": {"arguments": ORDER}}}[kind]
    row = FunctionRow("f", kind, "read", "x", {"parameters": ORDER, **own})
    assert arguments_schema(row) == ORDER
    assert fields_of(arguments_schema(FunctionRow("f", kind, "read", "x", {}))) == ()


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "object", "properties": {"x": None}},
        {"type": "object", "properties": {"x": True}, "required": "x"},
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/gone"}}},
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}},
        {"type": "object", "properties": []},
    ],
)
def test_that_an_odd_schema_still_gives_a_form(broken: Any) -> None:
    assert len(fields_of(broken)) in {0, 1}
