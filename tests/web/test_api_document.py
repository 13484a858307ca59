"""The API's own document: whole, true to the routes, with examples that its schemas take."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from domain.roles import Right
from flows.api_keys import SCOPES
from store.database import Database
from tests.web.part import running_web


@pytest.fixture
async def document(owner_dsn: str, db: Database, tmp_path: Any) -> dict[str, Any]:
    async with running_web(owner_dsn, tmp_path) as client:
        found: dict[str, Any] = (await client.get("/api/v1/openapi.json")).json()
        return found


async def test_that_every_operation_is_described_with_refusals_and_examples_that_fit_their_schemas(
    document: dict[str, Any],
) -> None:
    assert document["openapi"].startswith("3.1")
    assert len(document["paths"]) >= 80
    examined = 0
    for path, item in document["paths"].items():
        assert path.startswith("/api/v1/")
        for method, operation in item.items():
            where = f"{method.upper()} {path}"
            assert operation.get("description"), f"{where} says nothing of itself"
            assert operation.get("tags"), where
            assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), where
            if "{" in path and method != "put" and not path.endswith("/{chat}/messages"):
                assert "404" in operation["responses"], f"{where} could name what is not there"
            bodies = [operation["requestBody"]] if "requestBody" in operation else []
            for told in [*operation["responses"].values(), *bodies]:
                for kind, content in told.get("content", {}).items():
                    assert content.get("schema"), f"{where} has no schema of {kind}"
                    if kind == "application/json" and "/auth/" not in path:  # those stand with their schemas
                        assert "example" in content, f"{where} has no example"
                    if "json" in kind and "example" in content:
                        schema = {**content["schema"], "components": document["components"]}
                        jsonschema.validate(content["example"], schema)
                        examined += 1
    assert examined > 300


async def test_that_what_sends_wants_an_idempotency_key_and_what_creates_takes_one(document: dict[str, Any]) -> None:
    sends = {
        "/api/v1/sessions/{session_id}/messages",
        "/api/v1/conversations/{conversation_id}/replies",
        "/api/v1/suggestions/{suggestion_id}/approve",
    }
    for path in sends:
        named = {one["name"]: one for one in document["paths"][path]["post"]["parameters"]}
        assert named["Idempotency-Key"]["required"] is True
    for path, item in document["paths"].items():
        for method, operation in item.items():
            creates = method == "post" and "201" in operation["responses"]
            headers = {one["name"] for one in operation.get("parameters", ())}
            # An intent's name is its key; a file that is kept twice is kept once.
            own_key = path.endswith(("/intents", "/files", "/rotate"))
            assert not creates or own_key or "Idempotency-Key" in headers, f"{method} {path}"


def test_that_every_scope_is_a_right() -> None:
    assert set(SCOPES) <= set(Right)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v2/sessions"])
async def test_that_an_address_that_leads_nowhere_tells_where_the_others_stand(
    owner_dsn: str, db: Database, tmp_path: Any, path: str
) -> None:
    async with running_web(owner_dsn, tmp_path) as client:
        answer = await client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/api/v1/openapi.json" in answer.json()["hint"]
