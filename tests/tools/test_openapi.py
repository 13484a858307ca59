"""Functions out of OpenAPI documents and lists of tools: names, effects, arguments, addresses, and what is refused."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import orjson
import pytest
import yaml

from tools.http_call import HttpDeclaration
from tools.openai_tools import functions_of_tools, is_tool_list
from tools.openapi import LONGEST_NAME, Described, ImportChoices, functions_of, tool_name
from tools.openapi_text import DocumentUnusableError, parse_document
from tools.schema import check_schema, conform, parameters_of

SHOP = """
openapi: 3.0.3
info: {title: Loja, version: 2024-01-31}
servers:
  - url: https://{env}.loja.example/{version}
    variables: {env: {default: api, enum: [api, test]}, version: {default: v1}}
security: [{Key: []}]
components:
  securitySchemes:
    Key: {type: apiKey, in: header, name: X-Key}
    Token: {type: http, scheme: Bearer}
    Login: {type: http, scheme: basic}
    Mutual: {type: mutualTLS}
  parameters:
    Country: {name: country, in: query, schema: {type: string, enum: [no, br, on]}}
  schemas:
    Node:
      type: object
      properties: {name: {type: string}, children: {type: array, items: {$ref: '#/components/schemas/Node'}}}
    Base:
      type: object
      required: [id, note]
      properties: {id: {type: string, readOnly: true}, note: {type: string, nullable: true}}
    Order:
      allOf:
        - $ref: '#/components/schemas/Base'
        - type: object
          required: [item, kind]
          properties:
            item: {type: string, minLength: 2}
            kind: {type: string, enum: [order]}
            quantity: {type: integer, minimum: 0, exclusiveMinimum: true}
            tree: {$ref: '#/components/schemas/Node'}
            phone: {type: string, x-atende-bind: contact.phone}
    Cat: {type: object, required: [lives], properties: {lives: {type: integer}}}
    Dog: {type: object, required: [bark], properties: {bark: {type: string}}}
paths:
  /orders/{orderId}:
    parameters: [{name: orderId, in: path, required: true, schema: {type: string}}]
    get:
      operationId: getOrderByID
      parameters:
        - $ref: '#/components/parameters/Country'
        - {name: orderId, in: path, required: true, schema: {type: integer}}
      responses: {200: {description: ok}}
    delete: {summary: Cancel an order., description: For good., security: [{Mutual: []}, {Token: []}]}
  /orders:
    post:
      operationId: createOrder
      parameters: [{name: Idempotency-Key, in: header, required: true, schema: {type: string}}]
      requestBody: {content: {application/json; charset=utf-8: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses: {409: {description: known, x-atende-error: already_there}}
    head: {operationId: createOrder, security: []}
  /pets:
    post:
      operationId: addPet
      x-atende-effect: read
      security: [{Login: []}]
      parameters:
        - {name: id, in: query, schema: {type: string}}
        - {name: 'filter[name]', in: query, style: deepObject, schema: {type: object}}
      requestBody:
        content:
          application/json:
            schema: {oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}]}
  /form:
    put:
      operationId: fill
      requestBody:
        content: {application/x-www-form-urlencoded: {schema: {type: object, properties: {id: {type: string}}}}}
      parameters: [{name: id, in: query, required: true, schema: {type: string, default: main}}]
"""


def read(text: str, **choices: Any) -> Described:
    return functions_of(parse_document(text.encode()), ImportChoices(**choices))


@pytest.fixture(scope="module")
def shop() -> dict[str, HttpDeclaration]:
    described = read(SHOP)
    assert described.problems == ()
    return {declared.name: declared for declared in described.functions}


def test_names_and_effects_come_from_the_document(shop: dict[str, HttpDeclaration]) -> None:
    named = {name: declared.effect for name, declared in shop.items() if not name.startswith("create_order")}
    assert named == {"get_order_by_id": "read", "delete_orders_order_id": "write", "add_pet": "read", "fill": "write"}
    # Two operations of one name: each gets a name that does not depend on which comes first.
    both = sorted(name for name in shop if name.startswith("create_order"))
    assert len(both) == 2
    document = parse_document(SHOP.encode())
    orders = document["paths"]["/orders"]
    document["paths"]["/orders"] = dict(reversed(orders.items()))
    again = {declared.name: declared.details.method for declared in functions_of(document, ImportChoices()).functions}
    assert {name: again[name] for name in both} == {name: shop[name].details.method for name in both}


def test_arguments_are_flat_without_what_answers_hold_or_the_context_fills(shop: dict[str, HttpDeclaration]) -> None:
    (create,) = [
        declared
        for declared in shop.values()
        if declared.details.url.endswith("v1/orders") and declared.details.body == "json"
    ]
    assert set(create.schema["properties"]) == {"note", "item", "quantity", "tree"}
    assert create.schema["required"] == ["note", "item"]
    assert create.schema["properties"]["quantity"] == {"type": "integer", "exclusiveMinimum": 0}
    assert create.details.idempotent
    assert create.details.errors == {"409": "already_there"}
    fixed = [part.fixed for part in create.details.parts if not part.argument and part.bind is None]
    assert fixed == ["order"]
    nested = {"item": "ab", "tree": {"name": "a", "children": [{"children": [{"name": "c"}]}]}}
    assert conform(create.schema, nested) == {**nested, "note": None}
    nested["tree"]["children"][0]["children"][0]["name"] = 7  # type: ignore[index]
    assert conform(create.schema, nested)["tree"]["children"][0]["children"][0]["name"] == "7"


def test_an_operation_overrides_its_paths_parameters_and_yaml_keeps_its_words(shop: dict[str, HttpDeclaration]) -> None:
    properties = shop["get_order_by_id"].schema["properties"]
    assert properties["orderId"]["type"] == "integer"
    assert properties["country"]["enum"] == ["no", "br", "on"]
    assert [p.kind.value for p in parameters_of(shop["get_order_by_id"].schema)] == ["order_number", "enum"]


def test_a_choice_of_bodies_is_one_argument_and_equal_names_keep_apart(shop: dict[str, HttpDeclaration]) -> None:
    pet = shop["add_pet"].schema
    assert set(pet["properties"]) == {"id", "filter_name", "body"}
    assert conform(pet, {"body": {"bark": "au"}}) == {"body": {"bark": "au"}}
    form = shop["fill"]
    assert {part.argument: (part.place, part.default) for part in form.details.parts} == {
        "id": ("query", "main"),
        "id_in_body": ("body", None),
    }
    assert form.schema["required"] == []


def test_each_operation_signs_in_as_it_says_with_secrets_named_after_the_host(shop: dict[str, HttpDeclaration]) -> None:
    def ways(name: str) -> list[tuple[str, str]]:
        return [(one.kind, one.secret) for one in shop[name].details.credentials]

    assert ways("get_order_by_id") == [("header", "api.loja.example/Key")]
    assert ways("delete_orders_order_id") == [("bearer", "api.loja.example/Token")]
    assert ways("add_pet") == [("basic", "api.loja.example/Login")]
    head = next(declared for declared in shop.values() if declared.details.method == "HEAD")
    assert head.details.credentials == ()


def test_the_address_follows_variables_the_origin_or_whoever_imports() -> None:
    def address(text: str, **choices: Any) -> str:
        described = read(text, only=frozenset({"fill"}), **choices)
        return described.functions[0].details.url if described.functions else described.problems[0][1]

    assert address(SHOP) == "https://api.loja.example/v1/form"
    assert address(SHOP, variables={"env": "test"}) == "https://test.loja.example/v1/form"
    assert address(SHOP, server="http://erp:8080/api/") == "http://erp:8080/api/form"
    assert "api, test" in address(SHOP, variables={"env": "evil.example/x"})
    relative = SHOP.replace("https://{env}.loja.example/{version}", "/base")
    assert address(relative, base="https://docs.example/spec/openapi.yaml") == "https://docs.example/base/form"
    assert "--server" in address(relative)
    assert "more than a host" in address(SHOP, server="https://user:pw@x.example")


@pytest.mark.parametrize("name", ["tenant_id", "contactId", "X-Tenant-Id", "tenant"])
def test_no_parameter_may_say_who_is_served_unless_the_context_fills_it(name: str) -> None:
    deep = {"type": "object", "properties": {"a": {"type": "object", "properties": {name: {"type": "string"}}}}}
    for operation, key in (
        ({"parameters": [{"name": name, "in": "query", "schema": {"type": "string"}}]}, name),
        ({"requestBody": {"content": {"application/json": {"schema": deep}}}}, f"a.{name}"),
    ):
        document = json.dumps(
            {"openapi": "3.1.0", "servers": [{"url": "https://x.example"}], "paths": {"/x": {"post": operation}}}
        )
        refused = read(document)
        assert refused.functions == ()
        assert "x-atende-bind" in refused.problems[0][1]
        bound = read(document, binds={key: "contact.id"})
        assert bound.problems == ()
        assert name not in json.dumps(bound.functions[0].schema)


def test_a_long_name_is_cut_with_a_mark_of_its_own() -> None:
    paths = {f"/{'a' * 80}{n}": {"get": {"operationId": "listAll" + "Things" * 20 + str(n)}} for n in range(3)}
    described = read(json.dumps({"openapi": "3.1.0", "servers": [{"url": "https://x.example"}], "paths": paths}))
    names = {declared.name for declared in described.functions}
    assert len(names) == 3
    assert max(map(len, names)) <= LONGEST_NAME
    assert tool_name("2fa/verify-HTTPCode") == "f_2fa_verify_http_code"


BROKEN = {
    "an external reference": ({"$ref": "other.yaml#/Thing"}, "bundle"),
    "a reference to nowhere": ({"$ref": "#/components/schemas/None"}, "leads nowhere"),
    "a schema that is itself": ({"$ref": "#/components/schemas/Self"}, "by itself"),
    "a file": ({"type": "string", "format": "binary"}, "file"),
    "a bind within a list": (
        {"type": "array", "items": {"type": "object", "properties": {"p": {"x-atende-bind": "contact.phone"}}}},
        "not certain",
    ),
    "an unknown bind": ({"type": "object", "properties": {"p": {"x-atende-bind": "contact.soul"}}}, "known are"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_operation_that_cannot_be_served_is_named_with_the_reason_and_spoils_no_other(name: str) -> None:
    schema, reason = BROKEN[name]
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "https://x.example"}],
        "components": {"schemas": {"Self": {"allOf": [{"$ref": "#/components/schemas/Self"}]}}},
        "paths": {
            "/bad": {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}},
            "/good": {"get": {"operationId": "good"}},
        },
    }
    described = read(json.dumps(document))
    assert [declared.name for declared in described.functions] == ["good"]
    assert described.problems[0][0] == "POST /bad"
    assert reason in described.problems[0][1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("swagger: '2.0'", "Swagger 2"),
        ("openapi: 4.0.0", "version 4"),
        ("- a\n- b", "no object"),
        ("{unclosed", "neither JSON nor YAML"),
        ("a: &a [*a]", "leads into itself"),
        ("a: !!python/object/apply:os.system [id]", "neither JSON nor YAML"),
    ],
)
def test_a_document_of_another_kind_is_refused_with_a_word_why(text: str, reason: str) -> None:
    with pytest.raises(DocumentUnusableError, match=reason):
        read(text)


def test_a_document_that_unfolds_without_end_costs_nothing() -> None:
    schemas: dict[str, Any] = {"S0": {"type": "string"}}
    for n in range(1, 16):
        below = {"$ref": f"#/components/schemas/S{n - 1}"}
        schemas[f"S{n}"] = {"type": "object", "properties": {"a": below, "b": below, "c": below}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S15"}}}}
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "https://x.example"}],
        "components": {"schemas": schemas},
        "paths": {"/x": {"post": {"requestBody": body}}},
    }
    (declared,) = read(json.dumps(document)).functions
    assert len(orjson.dumps(declared.schema)) < 200_000
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert set(parse_document(bomb.encode())) == set("abcdefghi")


def test_whatever_is_wrong_in_a_document_ends_in_a_named_problem() -> None:
    """Random damage: a node replaced by a value of another type. Seeded, so a failure can be repeated."""
    whole = yaml.safe_load(SHOP.replace("[no, br, on]", "['no', br, 'on']").replace("2024-01-31", "'1'"))
    whole = json.loads(json.dumps(whole))
    values: list[Any] = [None, 7, "x", [], {}, [None], {"$ref": "#"}, {"$ref": 3}, True, {"type": 5}, "../..", "{x}"]
    for seed in range(60):
        rng = random.Random(seed)
        document = copy.deepcopy(whole)
        for _ in range(rng.randint(1, 4)):
            node: Any = document
            while True:
                key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
                if rng.random() < 0.2 or not isinstance(node[key], dict | list) or not node[key]:
                    node[key] = copy.deepcopy(rng.choice(values))
                    break
                node = node[key]
        try:
            described = functions_of(document, ImportChoices())
        except DocumentUnusableError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        for declared in described.functions:
            check_schema(declared.schema)
            json.dumps(declared.details.to_json())


TOOL = {
    "name": "bookTable",
    "description": "Book a table.",
    "parameters": {
        "type": "object",
        "properties": {"day": {"type": "string", "format": "date"}, "seats": {"$ref": "#/$defs/Seats"}},
        "required": ["day"],
        "additionalProperties": False,
        "$defs": {"Seats": {"type": ["integer", "null"], "minimum": 1}},
    },
}


@pytest.mark.parametrize(
    "document",
    [
        [{"type": "function", "function": {**TOOL, "strict": True}}],
        [{"type": "function", **TOOL, "strict": True}],
        {"tools": [{"type": "function", "function": TOOL}]},
    ],
)
def test_tools_of_both_openai_interfaces_become_writes_behind_one_endpoint(document: Any) -> None:
    assert is_tool_list(document)
    (one,) = functions_of_tools(document, "https://x.example/tools/{name}", ImportChoices()).functions
    assert (one.name, one.effect, one.details.url) == ("book_table", "write", "https://x.example/tools/bookTable")
    assert conform(one.schema, {"day": "2026-03-01", "seats": "4"}) == {"day": "2026-03-01", "seats": 4}
    (whole,) = functions_of_tools(
        document, "https://x.example", ImportChoices(effects={"book_table": "read"})
    ).functions
    assert whole.effect == "read"
    assert {(part.argument or part.fixed, part.path) for part in whole.details.parts} == {
        ("day", ("arguments", "day")),
        ("seats", ("arguments", "seats")),
        ("bookTable", ("name",)),
    }


def test_a_list_of_tools_needs_an_endpoint_and_names_what_is_no_function() -> None:
    document: list[Any] = [{"type": "web_search"}, {"type": "function", **TOOL}, {"type": "function", **TOOL}, 3]
    with pytest.raises(DocumentUnusableError) as caught:
        functions_of_tools(document, "", ImportChoices())
    assert "--endpoint" in caught.value.hint
    described = functions_of_tools(document, "https://x.example", ImportChoices())
    assert [declared.name for declared in described.functions] == ["book_table"]
    assert [place for place, _ in described.problems] == ["tool 0", "bookTable", "tool 3"]
