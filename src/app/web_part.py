"""The web process: pages, API, webhooks and, in the demo, the simulator's door."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from app.gateways import webhook_address
from app.prepared import Prepared
from app.process import settle_heap
from app.settings import Settings, make_data_dir
from flows.api_keys import ApiKeys
from flows.approvals import Approvals
from flows.attachments import Attachments, Offers
from flows.autonomy import Autonomy
from flows.desk import Desk
from flows.gateway_numbers import GatewayNumbers
from flows.gateways import gateway_client, open_gateways
from flows.inbound import Inbound
from flows.intents import Intents
from flows.media import MediaFiles
from flows.outgoing_webhooks import OutgoingWebhooks
from flows.quarantine import Quarantine
from flows.sessions import Numbers
from flows.simulator import SimulatedPhones
from flows.stopping import KillSwitch
from flows.webhooks import Webhooks
from store.database import Database
from store.journal import Journal
from store.media import MediaFolder
from store.outage import AWAY
from store.wakeup import Wakeup, every
from web.api import Api
from web.api_intents import intents_router
from web.application import create_app
from web.doors import simulator_router
from web.endpoints import endpoints_router
from web.media import media_router
from web.numbers import gateways_router, numbers_router
from web.policy import policy_router
from web.services import Access, Demo, DemoLogin, Services
from web.webhooks import webhook_router

if TYPE_CHECKING:
    from agent.encoder import Encoder

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
    db = await Database.open(settings.need_database_url(), settings.secret, max_connections=MAX_CONNECTIONS, lazy=True)
    wakeup = Wakeup(db)
    journal = Journal(make_data_dir(settings.data_dir) / "journal")
    http = gateway_client()
    background: list[asyncio.Task[None]] = []
    try:
        access = Access(settings.secret, secure=settings.is_secure, allowed_hosts=settings.allowed_hosts)
        inbound = Inbound(db, wakeup)
        hooks = OutgoingWebhooks(db, wakeup, settings.private_hosts)
        media = MediaFiles(db, MediaFolder(settings.data_dir / "media"))
        gateways = open_gateways(http, media)
        webhooks = Webhooks(db, inbound, gateways, journal, media)
        offers = Offers(gateways)
        routers = [
            webhook_router(webhooks),
            gateways_router(
                GatewayNumbers(db, inbound, wakeup, gateways, webhook_address(settings)),
                Quarantine(db, inbound, gateways, media),
            ),
            numbers_router(Numbers(db, wakeup)),
            policy_router(KillSwitch(db, wakeup), Autonomy(db, wakeup)),
            endpoints_router(hooks),
            intents_router(Api(ApiKeys(db)), Intents(db, wakeup, lambda: _encoder(settings))),
            media_router(media.store, Attachments(db, media, offers)),
        ]
        await _settle_in(webhooks)
        background += [asyncio.create_task(every(_DRAIN_SECONDS, webhooks.drain))]
        if settings.demo:
            routers.append(simulator_router(inbound, SimulatedPhones(db, inbound)))
        desk = Desk(db, wakeup, Approvals(db, wakeup), offers)
        app = create_app(Services(db=db, desk=desk, access=access, demo=_demo(settings), routers=tuple(routers)))
        server = _Server(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                ws="websockets-sansio",
                log_config=None,
                access_log=False,  # addresses of pages hold names and numbers of customers
                timeout_graceful_shutdown=_GRACE_SECONDS,
                proxy_headers=bool(settings.public_url),
                server_header=False,
            )
        )
        settle_heap()
        await _serve(server, listening)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await journal.close()
        await http.aclose()
        await wakeup.close()
        await db.close()


async def _settle_in(webhooks: Webhooks) -> None:
    """Before the first delivery: what the last process left comes first, and every number's key is known.

    Without the database there is nothing to wait for: deliveries of numbers that are not known are put off.
    """
    with contextlib.suppress(*AWAY):
        await webhooks.adopt()
        await webhooks.warm_up()


async def _serve(server: uvicorn.Server, listening: socket.socket | None) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listening] if listening else None))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving


def _encoder(settings: Settings) -> Encoder:
    from app.encoders import encoder_of  # noqa: PLC0415 - numpy and 40 MB, only where intents are written

    return encoder_of(settings)


def _demo(settings: Settings) -> Demo | None:
    if not settings.demo:
        return None
    prepared = Prepared.read(settings.data_dir) or Prepared("")
    logins = tuple(DemoLogin(login.email, login.password, login.name, login.role) for login in prepared.logins)
    return Demo(logins=logins, ideas=prepared.ideas)
