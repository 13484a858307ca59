"""The web process: pages, API, webhooks and, in the demo, the simulator's door."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI

from agent.language_model import ModelClients
from app.api_part import ApiParts, api_routers
from app.assistant_part import AssistantParts, assistant_routers
from app.gateways import webhook_address
from app.media_store import media_store
from app.prepared import Prepared
from app.process import settle_heap
from app.settings import Settings, make_data_dir
from app.setup_link import setup_lines
from flows.absence import Absence
from flows.administration import Administration
from flows.api_keys import ApiKeys
from flows.approvals import Approvals
from flows.attachments import Attachments, Offers
from flows.autonomy import Autonomy
from flows.channel_requests import ChannelRequests
from flows.desk import Desk
from flows.desk_acts import DeskActs
from flows.eval_cases import EvalCases
from flows.eval_runs import EvalRuns
from flows.gateway_numbers import GatewayNumbers
from flows.gateways import gateway_client, open_gateways
from flows.hand_calls import HandCalls
from flows.idempotency import IdempotentRequests
from flows.inbound import Inbound
from flows.intents import Intents
from flows.link_previews import LinkPreviews
from flows.media import MediaFiles
from flows.outgoing import OutgoingMessages
from flows.outgoing_webhooks import OutgoingWebhooks
from flows.program_messages import ProgramMessages
from flows.quarantine import Quarantine
from flows.reports import Reports
from flows.session_control import ChannelSessions
from flows.session_views import SessionViews
from flows.sessions import Numbers
from flows.simulator import SimulatedPhones
from flows.stopping import KillSwitch
from flows.supervision import Supervision
from flows.trade_templates import TradeTemplates
from flows.understanding import Understanding
from flows.webhooks import Webhooks
from flows.writing_desk import WritingDesk
from store.database import Database
from store.journal import Journal
from store.outage import AWAY
from store.secrets import Sealer
from store.wakeup import Wakeup, every
from tools.http_call import HttpClients
from tools.mcp_connection import McpConnections
from tools.public_web import public_client
from web.administration import administration_routers
from web.api import Api
from web.api_document import document_router
from web.api_intents import intents_router
from web.api_messages import messages_router
from web.api_outgoing import outgoing_router
from web.api_pace import pace_router
from web.api_schema import Once
from web.api_sessions import sessions_router
from web.application import create_app, prepare_routes
from web.desk_acts import desk_acts_router
from web.doors import simulator_router
from web.endpoints import endpoints_router
from web.eval_cases import eval_cases_router
from web.evals import evals_router
from web.hand_calls import hand_calls_router
from web.media import media_router
from web.numbers import gateways_router, numbers_router
from web.policy import policy_router
from web.reports import reports_api_router, reports_router
from web.services import Access, Demo, DemoLogin, Services
from web.socket_protocol import SocketProtocol
from web.supervision import supervision_router
from web.webhooks import webhook_router
from web.writing_help import writing_help_router

if TYPE_CHECKING:
    from agent.encoder import Encoder
    from flows.another_suggestion import AnotherSuggestion
    from flows.functions import FunctionSource
    from flows.writing_help import WritingHelp
    from store.functions import Kind

_GRACE_SECONDS = 3
_DRAIN_SECONDS = 0.5
MAX_CONNECTIONS = 20


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the process ends when its task is cancelled."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Never called: the signals are not captured."""


async def run(settings: Settings, listening: socket.socket | None = None) -> None:
    """Serve until cancelled; on ``listening`` if the supervisor handed one over, else on the settings' address."""
    async with application(settings) as app:
        server = _Server(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                ws=SocketProtocol,
                ws_max_size=64 * 1024,
                ws_per_message_deflate=False,  # small messages, and a compressor's memory for each of thousands
                log_config=None,
                access_log=False,  # addresses of pages hold names and numbers of customers
                timeout_graceful_shutdown=_GRACE_SECONDS,
                proxy_headers=bool(settings.public_url),
                server_header=False,
            )
        )
        prepare_routes(app)
        settle_heap()
        if listening is None:  # else the supervisor tells it
            await _tell_setup_link(settings, app.state.services.db)
        await _serve(server, listening)


async def _tell_setup_link(settings: Settings, db: Database) -> None:
    """On an empty installation nobody can sign in; without the database nobody knows, and nothing is told."""
    with contextlib.suppress(*AWAY):
        if (await db.gate("is_empty"))[0][0]:
            url = settings.public_url or f"http://{settings.host}:{settings.port}"
            print(*setup_lines(settings, url), sep="\n", flush=True)


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[FastAPI]:
    """All that is served, put together; what goes on beside it (draining the journal) goes on within the block."""
    async with AsyncExitStack() as stack:
        db = await Database.open(
            settings.need_database_url(), settings.secret, max_connections=MAX_CONNECTIONS, lazy=True
        )
        stack.push_async_callback(db.close)
        wakeup = Wakeup(db)
        stack.push_async_callback(wakeup.close)
        clients, servers = ModelClients(), McpConnections(settings.mcp_commands)
        stack.push_async_callback(clients.aclose)
        stack.push_async_callback(servers.aclose)
        pages, http_functions = await stack.enter_async_context(public_client(settings.private_hosts)), HttpClients()
        stack.push_async_callback(http_functions.aclose)
        http = await stack.enter_async_context(gateway_client())
        journal = Journal(make_data_dir(settings.data_dir) / "journal")
        stack.push_async_callback(journal.close)
        access = Access(settings.secret, secure=settings.is_secure, allowed_hosts=settings.allowed_hosts)
        inbound = Inbound(db, wakeup)
        reports = Reports(db)
        hooks = OutgoingWebhooks(db, wakeup, settings.private_hosts)
        media = MediaFiles(db, media_store(settings))
        gateways = open_gateways(http, media)
        webhooks = Webhooks(db, inbound, gateways, journal, media)
        offers = Offers(gateways)
        attachments, previews = Attachments(db, media, offers), LinkPreviews(pages, settings.private_hosts)
        api, requests = Api(ApiKeys(db), settings.api_calls_per_minute), ChannelRequests(db, gateways)
        encoder, once = partial(_encoder, settings), Once(api, IdempotentRequests(db))
        gateway_numbers = GatewayNumbers(db, inbound, wakeup, gateways, webhook_address(settings))
        sessions = ChannelSessions(db, wakeup, media.store, gateway_numbers)
        desk = Desk(db, wakeup, Approvals(db, wakeup), offers)
        routers = [
            webhook_router(webhooks),
            gateways_router(gateway_numbers, Quarantine(db, inbound, gateways, media)),
            numbers_router(Numbers(db, wakeup)),
            *assistant_routers(
                settings, AssistantParts(db, wakeup, sessions, http_functions, servers), encoder, clients
            ),
            policy_router(KillSwitch(db, wakeup), Autonomy(db, wakeup)),
            endpoints_router(hooks),
            reports_router(reports),
            supervision_router(Supervision(db), DeskActs(db, wakeup), Absence(db, wakeup)),
            reports_api_router(api, reports),
            # Before evals_router, which takes any word after /evals/ for a run.
            eval_cases_router(EvalCases(db, wakeup, settings.secret, _case_problems)),
            evals_router(EvalRuns(db)),
            outgoing_router(api, OutgoingMessages(db, wakeup)),
            intents_router(api, Intents(db, wakeup, encoder), Understanding(db, encoder)),
            # Before sessions_router, which takes any word after a session's id for what shall be done with it.
            messages_router(api, ProgramMessages(db, wakeup, requests, attachments, previews), requests),
            sessions_router(api, once, sessions, SessionViews(db)),
            pace_router(api, db),
            *api_routers(ApiParts(db, wakeup, api, media.store, settings.secret, desk, hooks, http_functions), encoder),
            *administration_routers(
                Administration.of(
                    db,
                    wakeup,
                    settings.secret,
                    TradeTemplates(db, wakeup, Intents(db, wakeup, encoder)),
                    private_hosts=settings.private_hosts,
                )
            ),
            document_router(),
            desk_acts_router(DeskActs(db, wakeup)),
            hand_calls_router(
                HandCalls(
                    db,
                    wakeup,
                    cache(partial(_function_sources, settings, http_functions, servers)),
                    Sealer(settings.secret),
                )
            ),
            media_router(media.store, attachments),
        ]
        await _settle_in(webhooks)
        writing = WritingDesk(lambda: _writing(settings, db, wakeup, clients), settings.default_model())
        routers.append(writing_help_router(writing))
        draining = asyncio.create_task(every(_DRAIN_SECONDS, webhooks.drain))
        stack.push_async_callback(_ended, draining)
        if settings.demo:
            routers.append(simulator_router(inbound, SimulatedPhones(db, inbound)))
        yield create_app(Services(db, desk, access, demo=_demo(settings), routers=tuple(routers), writing=writing))


async def _settle_in(webhooks: Webhooks) -> None:
    """Before the first delivery: what the last process left comes first, and every number's key is known.

    Without the database there is nothing to wait for: deliveries of numbers that are not known are put off.
    """
    with contextlib.suppress(*AWAY):
        await webhooks.adopt()
        await webhooks.warm_up()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _serve(server: uvicorn.Server, listening: socket.socket | None) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listening] if listening else None))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving


def _case_problems(case: Mapping[str, Any]) -> Sequence[str]:
    from app.eval_reproduction import case_problems  # noqa: PLC0415 - the evaluation, only where a case is changed

    return case_problems(case)


def _encoder(settings: Settings) -> Encoder:
    from app.encoders import encoder_of  # noqa: PLC0415 - numpy and 40 MB, only where intents are written

    return encoder_of(settings)


def _function_sources(settings: Settings, http: HttpClients, servers: McpConnections) -> dict[Kind, FunctionSource]:
    from flows.functions_http import HttpFunctions  # noqa: PLC0415 - only where a person runs a function
    from flows.functions_mcp import McpFunctions  # noqa: PLC0415
    from flows.functions_python import PythonFunctions  # noqa: PLC0415

    return {
        "python": PythonFunctions(settings.code_folders),
        "http": HttpFunctions(http),
        "mcp": McpFunctions(servers),
    }


def _writing(
    settings: Settings, db: Database, wakeup: Wakeup, clients: ModelClients
) -> tuple[WritingHelp, AnotherSuggestion]:
    from agent.language import detect_language  # noqa: PLC0415 - the agent, only where somebody asks for its words
    from agent.prompts import load_prompts  # noqa: PLC0415
    from flows.another_suggestion import AnotherSuggestion  # noqa: PLC0415
    from flows.writing_help import Helpers, WritingHelp  # noqa: PLC0415

    detect_language("isto carrega o detector de idiomas", "pt")
    helpers = Helpers(
        encoder=cache(lambda: _encoder(settings)),
        library=cache(load_prompts),
        clients=clients,
        default_model=settings.default_model(),
        sealer=Sealer(settings.secret),
    )
    writing = WritingHelp(db, helpers)
    return writing, AnotherSuggestion(db, wakeup, writing)


def _demo(settings: Settings) -> Demo | None:
    if not settings.demo:
        return None
    prepared = Prepared.read(settings.data_dir) or Prepared("")
    logins = tuple(DemoLogin(login.email, login.password, login.name, login.role) for login in prepared.logins)
    return Demo(logins=logins, ideas=prepared.ideas)
