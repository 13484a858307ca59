"""Arguments declared by JSON Schema: what a parameter is recognised as, and what a value must be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.arguments import parse_arguments
from agent.parameters import extract
from domain.errors import InvalidInputError
from tools.declaration import BusinessFunction, ParameterKind
from tools.patterns import usable_pattern
from tools.schema import conform, parameters_of, seen_by_models

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "orderId": {"type": "integer", "minimum": 1000},
        "ticket": {"type": "string", "pattern": "^T-\\d{3}$"},
        "day": {"type": "string", "format": "date", "x-atende-ask": {"pt": "Para que dia?"}},
        "size": {
            "type": "string",
            "enum": ["SMALL", "EXTRA_LARGE"],
            "x-atende-labels": {"SMALL": {"pt": ["pequeno", "p"]}, "EXTRA_LARGE": {"pt": ["gigante"]}},
        },
        "customer_email": {"type": "string"},
        "gift": {"type": "boolean"},
        "amount": {"type": ["number", "null"]},
        "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
        "cpf": {"type": "string"},
        "note": {"type": "string"},
    },
    "required": ["orderId", "day", "amount"],
    "additionalProperties": False,
}


def test_kinds_follow_type_format_enumeration_pattern_and_name() -> None:
    found = {p.name: p for p in parameters_of(SCHEMA)}
    assert {name: p.kind.value for name, p in found.items()} == {
        "orderId": "order_number",
        "ticket": "order_number",
        "day": "date",
        "size": "enum",
        "customer_email": "email",
        "gift": "boolean",
        "amount": "money",
        "items": "json",
        "cpf": "cpf",
        "note": "text",
    }
    assert [p.name for p in parameters_of(SCHEMA) if p.required] == ["orderId", "day"]
    assert found["day"].ask == {"pt": "Para que dia?"}
    assert "x-atende" not in str(seen_by_models(SCHEMA))


def test_a_message_fills_them_without_a_model() -> None:
    found = extract(
        "quero o tamanho gigante, chamado T-123, pedido 45678, pra amanhã, meu email é ana@loja.example",
        parameters_of(SCHEMA),
        language="pt",
        now=datetime(2026, 3, 2, 15, tzinfo=UTC),
        timezone=ZoneInfo("America/Sao_Paulo"),
    ).values
    assert found == {
        "size": "EXTRA_LARGE",
        "ticket": "T-123",
        "orderId": "45678",
        "day": "2026-03-03",
        "customer_email": "ana@loja.example",
    }
    assert conform(SCHEMA, found) == {**found, "orderId": 45678, "amount": None}


@pytest.mark.parametrize(
    ("given", "at_fault"),
    [
        ({"day": "2026-03-03"}, "orderId"),
        ({"orderId": 5, "day": "2026-03-03"}, "orderId"),
        ({"orderId": "abc", "day": "2026-03-03"}, "orderId"),
        ({"orderId": 1000, "day": "03/03/2026"}, "day"),
        ({"orderId": 1000, "day": "2026-02-31"}, "day"),
        ({"orderId": 1000, "day": "2026-03-03", "ticket": "T-1"}, "ticket"),
        ({"orderId": 1000, "day": "2026-03-03", "size": "HUGE"}, "size"),
        ({"orderId": 1000, "day": "2026-03-03", "items": [{"sku": ["a"]}]}, "items.0.sku"),
        ({"orderId": 1000, "day": "2026-03-03", "tenant_id": "x"}, "arguments"),
        ({"orderId": 1000, "day": "2026-03-03", "note": "x" * 5_000}, "arguments"),
    ],
)
def test_arguments_that_break_the_schema_are_refused_and_the_one_at_fault_is_named(
    given: dict[str, Any], at_fault: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        conform(SCHEMA, given)
    assert caught.value.field == at_fault


async def _nothing(*_: Any, **__: Any) -> None:
    return None


def test_a_models_arguments_are_checked_by_the_schema_and_kept_as_a_customer_would_give_them() -> None:
    function = BusinessFunction("f", "F.", "read", parameters_of(SCHEMA), _nothing, schema=SCHEMA)
    raw = '{"orderId": 45678, "day": "2026-03-03", "note": null, "amount": null, "items": [{"sku": "a"}]}'
    assert parse_arguments(function, raw) == {
        "orderId": "45678",
        "day": "2026-03-03",
        "amount": None,
        "items": [{"sku": "a"}],
    }
    with pytest.raises(InvalidInputError, match="unknown parameter"):
        parse_arguments(function, '{"orderId": 45678, "day": "2026-03-03", "contact": "x"}')


def test_a_schema_fetches_nothing() -> None:
    remote = {"type": "object", "properties": {"a": {"$ref": "https://schemas.example/a.json"}}}
    with pytest.raises(InvalidInputError, match="refers to"):
        conform(remote, {"a": 1})


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "(a|aa)+$", "(.*a){20}", "(x)\\1", "[", "a" * 400, "^(\\d+)*$", ".*.*.*x", "(a{0,40}){0,40}"]
)
def test_a_pattern_that_may_never_end_is_not_used(pattern: str) -> None:
    assert usable_pattern(pattern) is None
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}
    assert conform(schema, {"a": "a" * 40 + "!"}) == {"a": "a" * 40 + "!"}
    assert parameters_of(schema)[0].pattern is None


@pytest.mark.parametrize("pattern", ["^[A-Z]{2}\\d{4,10}$", "^(\\d{3}\\.){2}\\d{3}-\\d{2}$", "^\\w+@\\w+$", "\\p{L}+"])
def test_ordinary_patterns_are(pattern: str) -> None:
    assert usable_pattern(pattern)


def test_unknown_kinds_in_a_schema_are_no_error() -> None:
    odd = {"type": "object", "properties": {"a": {}, "b": {"type": "null"}, "c": {"x-atende-kind": "soul"}}}
    assert {p.kind for p in parameters_of(odd)} <= set(ParameterKind)
