"""The slow shop's number turned into one of the Cloud API, with the stand-in behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx

from channels.base import PairRate
from channels.whatsapp.cloud_api import CloudApiGateway
from flows.delivery import Delivery
from flows.inbound import Inbound
from store.wakeup import Wakeup
from tests.flows.backroom import Backroom
from tests.flows.shop import Shop
from tests.gateways.cloud_api_server import CloudApiServer
from tests.gateways.files import Files


@asynccontextmanager
async def cloud_backroom(
    shop: Shop, backroom: Backroom, graph: CloudApiServer, *, rate: PairRate | None = None
) -> AsyncIterator[Backroom]:
    """The worker's parts, sending through the Cloud API (see tests.flows.backroom)."""
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE channel_session SET provider = 'cloud_api', config = $1", graph.config)
    wakeup = Wakeup(shop.db)
    shop.inbound = Inbound(shop.db, wakeup)
    shop.session = await shop.inbound.session(shop.session.id)
    async with httpx.AsyncClient(verify=False) as http:
        gateway = CloudApiGateway(http, Files())
        if rate is not None:
            gateway.pair_rate = rate
        delivery = Delivery(shop.db, wakeup, {"cloud_api": gateway}, patience=timedelta(0))
        yield Backroom(
            shop,
            backroom.queue,
            backroom.worker_id,
            backroom.agent,
            backroom.turns,
            backroom.approved,
            delivery,
            wakeup,
        )
        await delivery.wait_idle()
    await wakeup.close()
