"""``atende functions`` against a business's own API: imported, kept secret, tried, trusted and removed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from app.functions import counter, import_functions, listed, shown, tried
from app.settings import GivenSettings
from domain.errors import AtendeError, InvalidInputError, NotFoundError
from flows.functions_desk import Person
from store.database import Database
from tests.app.serving import atende
from tests.database import SECRET, Number
from tests.tools.http_service import Service, open_service
from tools.openapi import ImportChoices
from tools.openapi_text import DocumentUnusableError

TOKEN = "tok-cli-4711"


def document(service: Service) -> dict[str, Any]:
    order = {"name": "orderId", "in": "path", "required": True, "schema": {"type": "integer"}}
    phone = {"name": "phone", "in": "query", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "ERP"},
        "servers": [{"url": "/v1"}],
        "security": [{"Token": []}],
        "components": {"securitySchemes": {"Token": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/orders/{orderId}": {
                "get": {"operationId": "getOrder", "parameters": [order, phone]},
                "delete": {"operationId": "cancelOrder", "parameters": [order]},
            },
            "/upload": {"post": {"requestBody": {"content": {"image/png": {}}}}},
        },
    }


async def test_that_an_api_is_imported_from_its_address_and_tried_with_a_stored_secret(
    owner_dsn: str, db: Database, number: Number
) -> None:
    async with open_service() as service:

        async def functions(*words: str, **more: str) -> tuple[int, str]:
            done = await asyncio.to_thread(
                atende,
                "functions",
                *words,
                "--tenant",
                "shop",
                DATABASE_URL=owner_dsn,
                ATENDE_SECRET=SECRET.decode(),
                **more,
            )
            return done.returncode, done.stdout + done.stderr

        service.answer = lambda got: document(service) if "openapi" in got.target else {"target": got.target}
        url = f"{service.url}/openapi.json"
        settings = GivenSettings(database_url=owner_dsn, secret_text=SECRET.decode())
        async with counter(settings, "shop") as at:
            with pytest.raises(AtendeError):  # an address of our own network, and nobody allowed it
                await import_functions(at, url, ImportChoices())
        assert service.got == []
        assert await functions("allow-host", service.host) == (0, f"{service.host} may be reached.\n")
        code, told = await functions("import", url, "--bind", "phone=contact.phone")
        secret = f"{service.host}/Token"
        assert code == 0, told
        for line in (
            "added      read   get_order",
            "added      write  cancel_order",
            "left out          POST /upload: its body is written as image/png",
            f"set-secret {secret} --tenant SLUG",
        ):
            assert line in told
        code, told = await functions("set-secret", secret, "--from-env", "ERP_TOKEN", ERP_TOKEN=TOKEN)
        assert (code, told) == (0, f"The secret {secret} is stored.\n")
        code, told = await functions("try", "get_order", "--arguments", '{"orderId": 7}', "--phone", "+5511987654321")
        assert code == 0, told
        assert json.loads(told)["result"] == {"target": "/v1/orders/7?phone=%2B5511987654321"}
        assert service.got[-1].headers["authorization"] == f"Bearer {TOKEN}"
        async with counter(settings, "shop") as at:
            with pytest.raises(InvalidInputError, match="would act"):
                await tried(at, "cancel_order", '{"orderId": 7}', Person(), really=False)
        assert {got.method for got in service.got} == {"GET"}


async def test_that_a_list_of_tools_is_imported_and_functions_are_listed_shown_trusted_and_removed(
    owner_dsn: str, db: Database, number: Number, tmp_path: Path
) -> None:
    settings = GivenSettings(database_url=owner_dsn, secret_text=SECRET.decode(), data_dir=tmp_path)
    file = tmp_path / "tools.json"
    tools = [{"type": "function", "name": name, "description": "It acts."} for name in ("refund", "lookUp")]
    file.write_text(json.dumps(tools))
    choices = ImportChoices(effects={"look_up": "read"}, sign=True)
    async with counter(settings, "shop") as at:
        with pytest.raises(DocumentUnusableError):
            await import_functions(at, str(file), choices)
        told = await import_functions(at, str(file), choices, endpoint="https://erp.example/call", trust_writes=True)
        assert told[:2] == ["added      write  refund", "added      read   look_up"]
        assert "The secret erp.example/signing is missing." in told[2]
        rows = [line.split() for line in await listed(at)]
        assert [row[:4] for row in rows[:2]] == [
            ["look_up", "http", "read", "-"],
            ["refund", "http", "write", "trusted"],
        ]
        assert rows[2] == ["secret", "erp.example/signing:", "missing"]
        await at.desk.trust(at.tenant_id, "refund", trusted=False)
        shown_ = json.loads("\n".join(await shown(at, "refund")))
        assert (shown_["trust"], shown_["http"]["calls"]) == ("asks a person", "POST https://erp.example/call")
        await at.desk.remove(at.tenant_id, "refund")
        with pytest.raises(NotFoundError):
            await shown(at, "refund")
        for host in ("*", "a/b", "user@host", "10.0.0.0/8", ""):
            with pytest.raises(InvalidInputError):
                await at.desk.allow_host(at.tenant_id, host)
        for value in ("", "two\nlines"):
            with pytest.raises(InvalidInputError):
                await at.desk.set_secret(at.tenant_id, "a", value)
