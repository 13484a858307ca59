"""No route of the running application shows or changes what is another tenant's: every one is tried with its ids.

A route with a parameter that is not told here (``OF_ROW``, ``NO_ID``) fails: say which row the parameter names, so that
the other tenant's can be tried.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from fastapi.routing import iter_route_contexts

from app.settings import GivenSettings
from app.web_part import application
from domain.roles import Right
from flows.api_keys import ApiKeys
from store.database import Database
from tests.database import SECRET, Number, make_number
from tests.store.test_isolation import TENANT_TABLES, _sample
from web.access import cookie_name, new_token, token_hash
from web.security import csrf_token
from web.services import Access

OF_ROW = {
    "session_id": "channel_session.id",
    "quarantined_id": "quarantined_event.id",
    "intent": "intent.name",
    "endpoint_id": "webhook_endpoint.id",
    "delivery_id": "webhook_delivery.id",
    "conversation_id": "conversation.id",
    "other_id": "conversation.id",
    "message_id": "message.id",
    "turn_id": "turn.id",
    "case_id": "eval_case.id",
    "run_id": "eval_run.id",
    "outbox_id": "outbox_message.id",
    "approval_id": "approval.id",
    "suggestion_id": "suggestion.id",
    "handoff_id": "handoff.id",
    "contact_id": "contact.id",
    "task_id": "task.id",
    "user_id": "user_account.id",
    "team_id": "team.id",
    "reply_id": "canned_reply.id",
    "canned_id": "canned_reply.id",
    "document_id": "knowledge_document.id",
    "function_id": "business_function.id",
    "notification_id": "notification.id",
    "note_id": "conversation_note.id",
    "ref": "knowledge_document.ref",
    "key_id": "api_key.id",
    "file_id": "media_file.id",
    "login_id": "login_session.id",
    "chat": "conversation.id",
    "function": "business_function.name",
    "bundle": "prompt_bundle.hash",
    "link_id": "invitation.id",
}
"""What a parameter names: table and column of a row of the other tenant."""
NAMED = {
    "/api/v1/intents": "intent.name",
    "/api/v1/functions": "business_function.name",
    "/api/v1/secrets": "tenant_secret.name",
    "/inbox/{conversation_id}/functions": "business_function.name",
}
"""What ``{name}`` names below a path."""
NO_ID = {
    "action": "test",
    "page": "assistant",
    "number": "0",
    "phone": "5511999990000",
    "address": "phone:5511999990000",
    "wish": "stop",
    "figure": "costs",
    "template": "shop",
    "provider": "waha",
    "secret": "x",
    "step": "number",
    "token": "x",
}
"""Parameters that name nothing of a tenant's, with a value that the route takes."""
BY_NAME = {"/api/v1/intents/{name}", "/api/v1/functions/{name}", "/api/v1/knowledge/documents/{ref:path}"} | {
    "/api/v1/secrets/{name:path}"
}
"""Where PUT makes a thing of the own tenant that is called so: names are each tenant's own."""
DOORS = ("/webhooks/", "/assets/", "/simulator/", "/platform/", "/join/")
"""Not for people or keys of a tenant: who comes through them proves whose delivery it is (test_webhook_doors), runs the
platform (test_access_matrix) or was invited (test_people)."""
ERASES = ("DELETE", "/api/v1/contacts/{contact_id}")
"""What wants to be told that it is meant."""
ACTS = {"/functions": "remove", "/tasks": "done"}
"""What ``{act}`` is below a path."""
FORM = {
    "text": "oi",
    "reason": "wrong_tone",
    "decision": "approve",
    "verdict": "drop",
    "outcome": "arrived",
    "before": "1",
    "contact": "Bruno Lima",
    "groups": "mentioned",
    "wanted": "shorter",
    "language": "en",
    "query": "troca",
    "first": "1",
    "last": "9",
    "title": "Ligar",
}
FIELDS = {
    "/inbox/{conversation_id}/move": {"to": "queue:"},
    "/inbox/{conversation_id}/snooze": {"until": "2099-01-01T10:00"},
    "/inbox/{conversation_id}/priority": {"priority": "high", "value": "high", "to": "high"},
    "/inbox/{conversation_id}/close": {"reason": "resolved"},
    "/numbers/{session_id}/control": {"wish": "stop"},
    "/people/{user_id}": {"role": "operator", "reach": "all", "name": "Ana", "capacity": "0"},
    "/teams/{team_id}": {"name": "Vendas", "assignment": "by_hand"},
    "/settings/replies/{reply_id}": {"shortcut": "oi", "text": "Oi!"},
    "/supervision/people/{user_id}/away": {"away": "true"},
    "/leads/{contact_id}": {"status": "new", "lead_status": "new", "score": "1"},
    "/inbox/{conversation_id}/functions/{name}": {"after": "1", "number": "0"},
}
"""Where a form wants something else."""
LISTS = {"/numbers/quarantine/{quarantined_id}/discard"}
"""What answers with the own list, whether or not there was something to do."""
BODY = {"text": "oi", "reason": "resolved", "decision": "approve", "outcome": "arrived", "title": "Ligar", "name": "x"}


@dataclass(frozen=True, slots=True)
class Twins:
    """The running application, a browser and a program of ours, and one of everything of theirs."""

    app: Any
    browser: httpx.AsyncClient
    program: httpx.AsyncClient
    theirs: dict[str, dict[str, Any]]
    """By table: a row of the other tenant."""
    tenant: UUID
    owner: asyncpg.Connection
    own_conversation: UUID

    def routes(self) -> list[tuple[str, str]]:
        """Method and path of every route that somebody signed in may ask for."""
        return [
            (method, route.path)
            for route in iter_route_contexts(self.app.routes)
            for method in sorted(route.methods or ())
            if route.path and method != "HEAD" and not route.path.startswith(DOORS)
        ]

    def filled(self, path: str) -> str:
        """The path with the other tenant's ids; what is not told above raises KeyError."""

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name in NO_ID:
                return NO_ID[name]
            if name == "act":
                return next(act for start, act in ACTS.items() if path.startswith(start))
            place = next((place for start, place in NAMED.items() if name == "name" and path.startswith(start)), None)
            table, _, column = (place or OF_ROW[name]).partition(".")
            return str(self.theirs[table][column])

        return re.sub(r"{(\w+)(?::\w+)?}", value, path)

    async def request(self, method: str, path: str, examples: dict[tuple[str, str], Any]) -> httpx.Response:
        if path.startswith("/api/"):
            body = examples.get((method, path), BODY)
            headers = {"If-Match": "*", "Idempotency-Key": hashlib.sha256(f"{method}{path}".encode()).hexdigest()}
            more = {} if method in {"GET", "DELETE"} else {"json": body}
            filled = self.filled(path) + ("?confirm=erase" if (method, path) == ERASES else "")
            return await self.program.request(method, filled, headers=headers, **more)
        if method == "GET":
            answer = await self.browser.get(self.filled(path), params=FORM)
            return answer if answer.status_code != 422 else await self.browser.get(self.filled(path))
        if path.endswith("/attachments"):
            return await self.browser.post(self.filled(path), files={"file": ("a.txt", b"oi", "text/plain")})
        data = {**FORM, **self.ids(), **FIELDS.get(path, {})}
        return await self.browser.request(method, self.filled(path), data=data)

    def ids(self) -> dict[str, str]:
        """Everything that may be named, as the fields of a form would name it."""
        return {name: self.filled(f"{{{name}}}") for name in OF_ROW}

    async def state(self) -> str:
        """Everything of the other tenant, as one digest per table."""
        found = {}
        for table in TENANT_TABLES:
            rows = await self.owner.fetch(f'SELECT t::text FROM "{table}" t WHERE tenant_id = $1', self.tenant)
            found[table] = sorted(row[0] for row in rows)
        return json.dumps(found, indent=1)


@asynccontextmanager
async def twins(owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[Twins]:
    ours, theirs = await make_number(owner_dsn, "ours"), await make_number(owner_dsn, "theirs")
    owner = await asyncpg.connect(owner_dsn)
    try:
        await owner.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        await owner.execute("SELECT gate.put_member($1, $2, 'admin')", ours.tenant_id, ours.user_id)
        rows = await _one_of_each(owner, theirs)
        made = {
            ("tenant", ours.tenant_id): {"id": ours.tenant_id},
            ("user_account", ours.tenant_id): {"id": ours.user_id},
        }
        own = (await _sample(owner, "conversation", ours.tenant_id, made))["id"]
        token = new_token()
        await db.gate("open_login", token_hash(token), ours.user_id, ours.tenant_id, timedelta(hours=1))
        key = (await ApiKeys(db).create(ours.tenant_id, "all", list(Right), actor="test")).token
        settings = GivenSettings(ATENDE_SECRET=SECRET.decode(), DATABASE_URL=owner_dsn, data_dir=folder, demo=True)
        signed_in = {
            "Cookie": f"{cookie_name(Access(SECRET))}={token}",
            "X-CSRF-Token": csrf_token(SECRET, token_hash(token)),
            "HX-Request": "true",
        }
        async with application(settings) as app:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with (
                httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=signed_in) as browser,
                httpx.AsyncClient(
                    transport=transport, base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"}
                ) as program,
            ):
                yield Twins(app, browser, program, rows, theirs.tenant_id, owner, own)
    finally:
        await owner.close()


async def _one_of_each(owner: asyncpg.Connection, number: Number) -> dict[str, dict[str, Any]]:
    tenant = number.tenant_id
    made: dict[tuple[str, UUID], dict[str, Any]] = {
        ("tenant", tenant): {"id": tenant},
        ("user_account", tenant): {"id": number.user_id},
    }
    for table in ("channel_session", "membership"):
        made[table, tenant] = dict(await owner.fetchrow(f"SELECT * FROM {table} WHERE tenant_id = $1", tenant))
    for table in TENANT_TABLES:
        await _sample(owner, table, tenant, made)
    login = await owner.fetchval(
        "INSERT INTO login_session (token_hash, user_id, active_tenant_id, expires_at) "
        "VALUES ('x', $1, $2, now() + interval '1 day') RETURNING id",
        number.user_id,
        tenant,
    )
    return {table: row for (table, _), row in made.items()} | {"login_session": {"id": login}}


def _examples(document: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The first example of each body that the API's document tells of, by method and path."""
    found: dict[tuple[str, str], Any] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            for kind in content.values():
                given = [kind.get("example"), *(one.get("value") for one in kind.get("examples", {}).values())]
                given.append(kind.get("schema", {}).get("example"))
                found |= {(method.upper(), path): one for one in reversed(given) if one is not None}
    return found


async def test_that_every_route_treats_another_tenants_ids_as_unknown_and_changes_nothing_of_it(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    async with twins(owner_dsn, db, tmp_path) as house:
        before = await house.state()
        examples = _examples((await house.program.get("/api/v1/openapi.json")).json())
        wrong, tried = [], 0
        for method, path in house.routes():
            if path in {"/logout", "/account/sign-ins/end"} or ("{" not in path and method != "GET"):
                continue  # what makes or ends something of one's own, and names nothing
            answer = await house.request(method, path, examples)
            own_names = method == "PUT" and path in BY_NAME
            names_something = set(re.findall(r"{(\w+)", path)) - set(NO_ID) - {"act"}
            fitting = {404} | ({200} if path in LISTS else set())
            if answer.status_code >= 500 or (names_something and not own_names and answer.status_code not in fitting):
                wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            told = answer.text
            for value in re.findall(r"[^/]+", house.filled(path)):
                told = told.replace(value, "")
            if str(house.tenant) in told:
                wrong.append(f"{method} {path} tells something of another tenant: {told[:300]}")
            tried += bool(names_something)
        assert wrong == [], "\n".join(wrong)
        assert tried > 140
        assert await house.state() == before


async def test_that_what_is_anothers_is_unknown_also_under_an_own_conversation(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    async with twins(owner_dsn, db, tmp_path) as house:
        before = await house.state()
        examples = _examples((await house.program.get("/api/v1/openapi.json")).json())
        house.theirs["conversation"] = {"id": house.own_conversation}
        tried = 0
        for method, path in house.routes():
            names = set(re.findall(r"{(\w+)", path)) - set(NO_ID) - {"act"}
            if "conversation_id" in names and len(names) > 1 and "other_id" not in names:
                answer = await house.request(method, path, examples)
                assert answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
                tried += 1
        assert tried > 8
        assert await house.state() == before


async def test_that_another_tenants_ids_in_a_body_are_as_unknown_and_change_nothing_of_it(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    async with twins(owner_dsn, db, tmp_path) as house:
        before, ids = await house.state(), house.ids()
        for act, value in (("assign", f"user:{ids['user_id']}"), ("label", "x"), ("close", "resolved"), ("read", "")):
            form = {"ids": ids["conversation_id"], "act": act, "value": value}
            answer = await house.browser.post("/inbox/bulk", data=form)
            assert answer.status_code == 200
        named = {
            "/api/v1/tasks": {"contact_id": ids["contact_id"], "title": "Ligar"},
            "/api/v1/teams": {"name": "Vendas", "members": [ids["user_id"]]},
            "/api/v1/suggestions": {"conversation_id": ids["conversation_id"], "text": "oi"},
        }
        for path, body in named.items():
            answer = await house.program.post(path, json=body, headers={"Idempotency-Key": f"key {path}"})
            assert answer.status_code in {404, 405, 422}, f"{path}: {answer.status_code} {answer.text}"
        assert await house.state() == before
