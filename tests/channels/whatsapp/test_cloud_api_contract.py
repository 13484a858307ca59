"""The Cloud API under the contract of all gateways."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import httpx
import pytest

from channels.base import SendRejectedError, SessionRef
from channels.gateway import Gateway, WebhookDelivery
from channels.whatsapp.cloud_api import CloudApiGateway
from domain.messages import Address, AddressKind, MediaReference
from tests.channels.gateway_contract import PICTURE, Files, GatewayContract, GatewaySubject, falls_silent
from tests.channels.whatsapp.test_cloud_api_events import CARD, KINDS, any_json, change, delivery, likely, message
from tests.gateways.cloud_api_server import APP_SECRET, CloudApiServer, running_cloud_api

CUSTOMER = Address(AddressKind.PHONE, "5511990001111")
BODY = b'{"object":"whatsapp_business_account","entry":[]}'

SAMPLES: list[Any] = [
    *(delivery(change(messages=[message(kind, body)], contacts=[CARD])) for kind, body, _, _ in KINDS),
    delivery(
        change(statuses=[{"id": "wamid.S", "status": "failed", "timestamp": "1697043223", "errors": [{"code": 1}]}])
    ),
    delivery(
        change(
            "history", history=[{"threads": [{"id": "5511990001111", "messages": [message("text", {"body": "a"})]}]}]
        )
    ),
    delivery(change("smb_message_echoes", message_echoes=[{**message("text", {"body": "a"}), "to": "5511990001111"}])),
    delivery({"field": "account_update", "value": {"event": "ACCOUNT_DELETED"}}, time=1697043223),
    delivery(
        {
            "field": "message_template_status_update",
            "value": {"event": "PAUSED", "message_template_name": "t", "message_template_language": "pt_BR"},
        }
    ),
]


@pytest.fixture
async def graph() -> AsyncIterator[CloudApiServer]:
    async with running_cloud_api() as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=False) as client:
        yield client


class TestCloudApi(GatewayContract):
    secret_setting = "app_secret"
    webhooks = any_json | likely
    samples: ClassVar[list[Any]] = SAMPLES

    @staticmethod
    def make(http: httpx.AsyncClient) -> Gateway:
        return CloudApiGateway(http, Files())

    @pytest.fixture
    def subject(self, graph: CloudApiServer, http: httpx.AsyncClient) -> GatewaySubject:
        def arrived() -> list[tuple[Address, str]]:
            return [(Address(AddressKind.PHONE, sent["to"]), sent["text"]["body"]) for sent in graph.sent]

        gateway = CloudApiGateway(http, Files())
        signature = hmac.new(APP_SECRET.encode(), BODY, hashlib.sha256).hexdigest()
        return GatewaySubject(
            sender=gateway,
            session=SessionRef("s1", "cloud_api", None, graph.config),
            contact=CUSTOMER,
            arrived=arrived,
            break_down=falls_silent(gateway, graph),
            gateway=gateway,
            far=graph,  # type: ignore[arg-type]  it has what the contract looks at
            delivery=WebhookDelivery(BODY, {"x-hub-signature-256": f"sha256={signature}"}),
            arranged=lambda: graph.subscribed[-1],
            webhook_url=lambda: str(graph.subscribed[-1]["override_callback_uri"]),
            await_scan=None,
            number=None,
            media=MediaReference(extra={"id": graph.keep(PICTURE, "image/jpeg")}),
            history=(),
        )

    @pytest.mark.parametrize("text", ["ação 🙏🏽", "a\nb\t\u200d\u202e", '"{}\\', "x" * 4096])
    async def test_that_any_text_arrives_unchanged(self, subject: Any, text: str) -> None:
        await subject.sender.send(subject.session, self.message(subject, text=text))
        assert subject.arrived() == [(CUSTOMER, text)]

    async def test_that_a_longer_text_than_whatsapp_takes_here_is_refused_and_not_cut(self, subject: Any) -> None:
        with pytest.raises(SendRejectedError, match="4096"):
            await subject.sender.send(subject.session, self.message(subject, text="x" * 4097))
        assert subject.arrived() == []
