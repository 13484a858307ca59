"""A worker process: runs turns and approved calls from the queue, sends what is due, and keeps house."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import procrastinate
from procrastinate import JobContext

from agent.encoder import Encoder, default_encoder
from agent.graph import build_agent
from agent.language_model import ModelClients, ModelSettings
from agent.media_reader import MediaReaderSettings
from app.eval_reproduction import Reproduction
from app.process import settle_heap
from channels.simulator import SimulatorSender
from channels.whatsapp.cloud_api import CloudApiGateway
from flows import attendance, housekeeping
from flows.approved_calls import ApprovedCalls
from flows.assignment import Assignment
from flows.attachments import Offers
from flows.delivery import Delivery
from flows.eval_cases import CasePlaying
from flows.functions_http import HttpFunctions
from flows.functions_mcp import McpFunctions
from flows.gateways import gateway_client, open_gateways
from flows.inbound import Inbound
from flows.keep_times import forget_outlived, forget_unsent_files
from flows.knowledge_indexing import KnowledgeIndexing
from flows.media import MediaFetching, MediaFiles
from flows.notifications import remind_of_tasks
from flows.profiles import Installation, Profiles
from flows.reconciliation import Reconciliation
from flows.simulator import SimulatedPhones
from flows.templates import Templates
from flows.tidying import Tidying
from flows.turn import Turns
from flows.undelivered import report_undelivered
from flows.webhook_posting import WebhookPosting
from store.approval_threads import open_approval_threads
from store.database import Database
from store.jobs import MODEL_TURNS, TURNS, queue_app
from store.media import MediaStore
from store.secrets import Sealer
from store.wakeup import EVENTS, OUTBOX, PROFILES, Listener, Wakeup, every
from tools.http_call import HttpClients
from tools.mcp_connection import McpConnections
from tools.public_web import public_client

log = logging.getLogger(__name__)

MODEL_CONCURRENCY = 100
"""Turns on the model's own queue at the same time; they wait and cost memory, not CPU."""

_POSTING_PAUSE = 0.1
"""Every event wakes the posting of webhooks; asking ten times a second who wants them is enough."""

MODEL_PLACES = 32
"""Turns that wait for a language model on the quick queue, in places that nobody else could use: moving them to the
other queue costs a quarter of their CPU. While these are taken, turns move."""

TEMPLATES_STAY_FRESH = timedelta(hours=1)
"""How old what is known of a number's message templates may get; changes of their state come by webhook."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker process is given; app.settings reads it."""

    owner_dsn: str
    secret: bytes
    tenant_folders: tuple[Path, ...]
    media_store: MediaStore
    has_webhooks: bool = False
    """Whether gateways can reach this installation."""
    model: ModelSettings | None = None
    media_reader: MediaReaderSettings | None = None
    concurrency: int = 20
    private_hosts: tuple[str, ...] = ()
    """Hosts of our own network that tenants' webhooks may reach."""
    mcp_commands: tuple[str, ...] = ()
    """Programs that may be started as MCP servers."""


@asynccontextmanager
async def running_worker(options: WorkerOptions, encoder: Encoder | None = None) -> AsyncIterator[None]:
    """A worker that runs until the block ends; running turns then get a few seconds to finish."""
    async with contextlib.AsyncExitStack() as stack:
        db = await Database.open(options.owner_dsn, options.secret, max_connections=options.concurrency + 5)
        stack.push_async_callback(db.close)
        saver = await stack.enter_async_context(open_approval_threads(db.queue_url, options.secret))
        http = await stack.enter_async_context(gateway_client())
        wakeup = Wakeup(db)
        stack.push_async_callback(wakeup.close)
        agent = build_agent(saver)
        requests = HttpClients()
        stack.push_async_callback(requests.aclose)
        servers = McpConnections(options.mcp_commands)
        stack.push_async_callback(servers.aclose)
        encoder = encoder or default_encoder()
        installation = Installation(
            options.tenant_folders,
            encoder,
            ModelClients(),
            default_model=options.model,
            media_store=options.media_store,
            media_reader=options.media_reader,
            function_sources={"http": HttpFunctions(requests), "mcp": McpFunctions(servers)},
            sealer=Sealer(options.secret),
        )
        profiles = Profiles(db, installation)
        changed = asyncio.Event()
        inbound = Inbound(db, wakeup)
        media = MediaFiles(db, options.media_store)
        gateways = open_gateways(http, media)
        simulator = SimulatorSender(SimulatedPhones(db, inbound).deliver)
        delivery = Delivery(db, wakeup, {"simulator": simulator, **gateways})
        reconciliation = Reconciliation(db, inbound, gateways, media, has_webhooks=options.has_webhooks)
        templates = Templates(db, wakeup, CloudApiGateway(http, media))
        indexing = KnowledgeIndexing(db, encoder)
        reproduction = Reproduction(db, profiles, CasePlaying(db, wakeup))
        fetching = MediaFetching(db, wakeup, gateways, media.store)
        wakeup.listen_here(OUTBOX, delivery.more.set)
        assignment, tidying = Assignment(db, wakeup), Tidying(db, wakeup, Offers(gateways))
        hosts = options.private_hosts
        posting = WebhookPosting(db, await stack.enter_async_context(public_client(hosts)), hosts)
        places = {TURNS: options.concurrency + MODEL_PLACES, MODEL_TURNS: MODEL_CONCURRENCY}
        app = queue_app(db.queue_url, places=places)
        ended = housekeeping.EndedJobs()
        turns = Turns(db, wakeup, agent, profiles, delivery)
        turns.model_places = MODEL_PLACES
        _register(app, turns, ApprovedCalls(db, wakeup, agent, profiles, delivery), ended)
        await stack.enter_async_context(app.open_async())
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(work)
                for work in (
                    _warm_up(profiles),
                    *(_work(app, queue, concurrency) for queue, concurrency in places.items()),
                    Listener(db, {OUTBOX: delivery.more.set, EVENTS: posting.more.set, PROFILES: changed.set}).run(),
                    every(0.5, profiles.refresh, wake=changed),
                    every(0.25, delivery.run_due, wake=delivery.more),
                    every(2, delivery.settle_overdue),
                    every(1, posting.run_due, wake=posting.more, pause=_POSTING_PAUSE),
                    every(1, lambda: housekeeping.rescue_stalled_jobs(app)),
                    every(2, lambda: ended.settle(app)),
                    every(15, lambda: housekeeping.enqueue_forgotten(db)),
                    every(2, lambda: housekeeping.settle_held_events(db, inbound, wakeup)),
                    every(1, fetching.run_due),
                    every(2, indexing.run_due),
                    every(2, reproduction.run_due),
                    every(600, lambda: templates.sync_all(older_than=TEMPLATES_STAY_FRESH)),
                    every(1, reconciliation.run_due),
                    every(15, lambda: attendance.keep_appointments(db, wakeup)),
                    every(1, assignment.run_due),
                    every(15, tidying.run_due),
                    every(15, lambda: remind_of_tasks(db, wakeup)),
                    every(300, lambda: report_undelivered(db, wakeup)),
                    every(600, lambda: forget_outlived(db)),
                    every(3600, lambda: forget_unsent_files(db, media.store)),
                )
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
        await reconciliation.close()
        await turns.summaries.close()
        await delivery.wait_idle()
        await posting.wait_idle()


async def _warm_up(profiles: Profiles) -> None:
    try:
        await profiles.warm_up()
    except Exception:
        log.exception("warming up failed; the first messages load what they need")
    settle_heap()


def _register(app: procrastinate.App, turns: Turns, approved: ApprovedCalls, ended: housekeeping.EndedJobs) -> None:
    def done(context: JobContext) -> None:
        if context.job.id is not None:
            ended.note(context.job.id)

    @app.task(name="turn", pass_context=True)
    async def turn(context: JobContext, /, tenant_id: str, conversation_id: str, attempt: int = 1, **_: object) -> None:
        try:
            await turns.run(
                UUID(tenant_id),
                UUID(conversation_id),
                attempt=attempt,
                on_model_queue=context.job.queue == MODEL_TURNS,
            )
        finally:
            done(context)

    @app.task(name="approval", pass_context=True)
    async def approval(context: JobContext, /, tenant_id: str, approval_id: str) -> None:
        try:
            await approved.run(UUID(tenant_id), UUID(approval_id))
        finally:
            done(context)


async def _work(app: procrastinate.App, queue: str, concurrency: int) -> None:
    """procrastinate's worker on one queue, started again should it ever end (a lost database, for one)."""
    while True:
        try:
            await app.run_worker_async(
                queues=[queue],
                concurrency=concurrency,
                delete_jobs="always",
                fetch_job_polling_interval=0.25,
                update_heartbeat_interval=housekeeping.HEARTBEAT_SECONDS,
                stalled_worker_timeout=housekeeping.STALLED_AFTER_SECONDS,
                shutdown_graceful_timeout=5,
                install_signal_handlers=False,
            )
        except Exception:
            log.exception("the queue worker of %s stopped; starting it again", queue)
        await asyncio.sleep(1)
