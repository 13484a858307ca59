"""A running web server for tests: real database, real flows, real HTTP and websockets on the loopback."""

from __future__ import annotations

import asyncio
import re
import socket
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import uvicorn
from argon2 import PasswordHasher
from fastapi import APIRouter

from agent.encoder import default_encoder
from agent.language_model import ModelClients, ModelSettings
from agent.prompts import load_prompts
from channels.base import MessageReceived
from domain.conversation import Event
from domain.decisions import Span
from domain.messages import Address, AddressKind
from flows import decisions
from flows.absence import Absence
from flows.administration import Administration
from flows.another_suggestion import AnotherSuggestion
from flows.approvals import Approvals
from flows.attachments import Offers
from flows.autonomy import Autonomy
from flows.desk import Desk
from flows.desk_acts import DeskActs
from flows.eval_cases import EvalCases
from flows.eval_runs import EvalRuns
from flows.functions import FunctionSource, Holdings
from flows.hand_calls import HandCalls
from flows.inbound import Inbound
from flows.outgoing_webhooks import OutgoingWebhooks
from flows.reports import Reports
from flows.sessions import Numbers
from flows.stopping import KillSwitch
from flows.supervision import Supervision
from flows.writing_desk import WritingDesk
from flows.writing_help import Helpers, WritingHelp
from store import conversations
from store.database import Database
from store.functions import FunctionRow, Kind
from store.secrets import Sealer
from store.wakeup import EVENTS, Wakeup
from tests.database import SECRET, Number, make_number
from tests.web.assistant import assistant_routers
from tools.declaration import BusinessFunction, ToolContext
from tools.http_call import HttpClients
from web.administration import administration_routers
from web.application import create_app
from web.desk_acts import desk_acts_router
from web.endpoints import endpoints_router
from web.eval_cases import eval_cases_router
from web.evals import evals_router
from web.hand_calls import hand_calls_router
from web.numbers import numbers_router
from web.policy import policy_router
from web.reports import reports_router
from web.services import Access, Demo, DemoLogin, Services
from web.socket_protocol import SocketProtocol
from web.supervision import supervision_router
from web.writing_help import writing_help_router

PASSWORD = "correct horse"
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As strong as a test needs it; the parameters are part of the hash."""


@dataclass(frozen=True, slots=True)
class Site:
    """The running application and the flows behind it."""

    url: str
    app: Any
    db: Database
    wakeup: Wakeup
    owner_dsn: str
    inbound: Inbound = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inbound", Inbound(self.db, self.wakeup))

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A browser without a history."""
        return httpx.AsyncClient(base_url=self.url, headers={"Accept": "text/html", **headers}, timeout=60)

    async def sign_in(self, client: httpx.AsyncClient, slug: str = "shop", password: str = PASSWORD) -> httpx.Response:
        return await client.post("/login", data={"email": f"ana@{slug}.example", "password": password})

    async def number(self, slug: str = "shop") -> Number:
        """A tenant whose operator ``ana@<slug>.example`` can sign in."""
        number = await make_number(self.owner_dsn, slug)
        owner = await asyncpg.connect(self.owner_dsn)
        try:
            await owner.execute(
                "UPDATE user_account SET password_hash = $2 WHERE id = $1", number.user_id, _CHEAP.hash(PASSWORD)
            )
        finally:
            await owner.close()
        return number

    async def message(self, number: Number, text: str = "Oi!", contact: str = "Bruno Lima") -> UUID:
        """A message of a contact, through the inbound flow. Returns its conversation."""
        event = MessageReceived(
            provider_id=uuid.uuid4().hex,
            chat=Address(AddressKind.SIMULATOR, contact),
            sent_at=datetime.now(UTC),
            text=text,
            push_name=contact,
        )
        await self.inbound.receive(await self.inbound.session(number.session_id), event)
        async with self.db.transaction(number.tenant_id) as tx:
            found: UUID = await tx.fetchval(
                "SELECT id FROM conversation WHERE address = $1", f"{AddressKind.SIMULATOR}:{contact}"
            )
        return found

    async def suggestion(
        self,
        number: Number,
        conversation_id: UUID,
        text: str = "Em que posso ajudar?",
        unsupported: Sequence[Span] = (),
    ) -> UUID:
        """A reply offered to the operators."""
        async with self.db.transaction(number.tenant_id) as tx:
            await decisions.suggest(tx, number.tenant_id, conversation_id, text, turn_id=None, unsupported=unsupported)
            found: UUID = await tx.fetchval(
                "SELECT id FROM suggestion WHERE conversation_id = $1 AND status = 'pending'", conversation_id
            )
        self.wakeup.signal(EVENTS)
        return found

    async def hand_off(self, number: Number, conversation_id: UUID, summary: str) -> None:
        """The conversation waits for a person."""
        async with self.db.transaction(number.tenant_id) as tx:
            await conversations.apply(tx, conversation_id, Event.HANDED_OFF, actor="bot")
            await tx.execute(
                "INSERT INTO handoff (tenant_id, conversation_id, reason, summary) VALUES ($1, $2, 'requested', $3)",
                number.tenant_id,
                conversation_id,
                summary,
            )
        self.wakeup.signal(EVENTS)


@asynccontextmanager
async def running_site(
    db: Database, owner_dsn: str, *routers: APIRouter, offers: Offers | None = None, port: int = 0
) -> AsyncIterator[Site]:
    """Serve the application, with further ``routers``, on a free ``port`` of the loopback."""
    wakeup = Wakeup(db)
    clients, requests = ModelClients(), HttpClients()
    help_ = WritingHelp(
        db,
        Helpers(
            cache(default_encoder),
            cache(load_prompts),
            clients,
            ModelSettings("", private_hosts=frozenset({"127.0.0.1"})),
        ),
    )
    writing = WritingDesk(lambda: (help_, AnotherSuggestion(db, wakeup, help_)))
    services = Services(
        db=db,
        desk=Desk(db, wakeup, Approvals(db, wakeup), offers),
        access=Access(secret=b"a secret for tests only"),
        demo=Demo(logins=(DemoLogin("ana@shop.example", PASSWORD, "Ana", "operator"),)),
        routers=(
            *routers,  # first, as in the product: pages that take any id come after those that are named
            endpoints_router(OutgoingWebhooks(db, wakeup, ("127.0.0.1",))),
            eval_cases_router(EvalCases(db, wakeup, b"a secret for tests only", check=lambda _: ())),
            evals_router(EvalRuns(db)),
            numbers_router(Numbers(db, wakeup)),
            *assistant_routers(db, wakeup, requests),
            policy_router(KillSwitch(db, wakeup), Autonomy(db, wakeup)),
            desk_acts_router(DeskActs(db, wakeup)),
            *administration_routers(Administration.of(db, wakeup, b"a secret for tests only")),
            hand_calls_router(HandCalls(db, wakeup, _hand_functions, Sealer(SECRET))),
            reports_router(Reports(db)),
            supervision_router(Supervision(db), DeskActs(db, wakeup), Absence(db, wakeup)),
            writing_help_router(writing),
        ),
        writing=writing,
    )
    app = create_app(services)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = _PromptServer(uvicorn.Config(app, log_level="warning", lifespan="on", ws=SocketProtocol))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.01)
        yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", app, db, wakeup, owner_dsn)
    finally:
        server.should_exit = True
        await serving
        await clients.aclose()
        await requests.aclose()
        await wakeup.close()


class _PromptServer(uvicorn.Server):
    """Looks ten times as often as usual whether it shall end: hundreds of tests wait for that."""

    async def main_loop(self) -> None:
        await self.on_tick(0)
        while not self.should_exit:  # noqa: ASYNC110 - uvicorn knows no event for it
            await asyncio.sleep(0.01)


@cache
def _hand_functions() -> Mapping[Kind, FunctionSource]:
    return {"python": _HandFunctions()}


class _HandFunctions:
    """Functions that a person may run by hand: each tells what it was asked, and how often it ran. One that
    verifies knows the code 4711."""

    def __init__(self) -> None:
        self._ran = 0

    def functions(self, rows: Sequence[FunctionRow], holdings: Holdings) -> dict[str, BusinessFunction]:
        """See FunctionSource."""
        del holdings
        return {row.name: self._made(row) for row in rows}

    def _made(self, row: FunctionRow) -> BusinessFunction:
        async def call(context: ToolContext, **arguments: Any) -> dict[str, Any]:
            del context
            self._ran += 1
            if row.name.startswith("verify"):
                return {"verified": arguments.get("code") == "4711"}
            return {**arguments, "ran": self._ran}

        return BusinessFunction(row.name, "", row.effect, (), call, schema={"type": "object"})


def csrf_token(page: str) -> str:
    """The token that a page's forms carry."""
    found = re.search(r'X-CSRF-Token": "([^"]+)"', page)
    assert found, "the page has no form token"
    return found[1]
