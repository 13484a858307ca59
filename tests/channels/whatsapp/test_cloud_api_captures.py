"""Cloud API payloads that lie beside the project, against what they mean (reviewed by eye)."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.base import (
    ChannelEvent,
    MessageEdited,
    MessageReceived,
    MessageRevoked,
    ReceiptChanged,
    SendFailed,
    SessionChanged,
    TemplateChanged,
    Unrecognised,
)
from channels.whatsapp.cloud_api_events import parse
from channels.whatsapp.cloud_api_webhook import route
from domain.messages import Ack, Address, AddressKind, MessageKind

CHECKOUT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("ATENDE_SHARED") or CHECKOUT.parent / "shared") / "gateways/fixtures/cloud_api"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the payloads are absent; ATENDE_SHARED may tell where they are"),
]

CUSTOMER = Address(AddressKind.PHONE, "972987654321")
IDS = (
    Address(AddressKind.BSUID, "US.13491208655302741918"),
    Address(AddressKind.BSUID, "US.ENT.11815799212886844830"),
)
NEW_NUMBER = Address(AddressKind.PHONE, "972912345678")

RECEIVED: dict[str, tuple[str, str, str, str, str | None]] = {
    # file: kind, text, id, time (UTC), quoted id
    "call_connect__user_initiated": ("call", "", "wacid.xxxx=", "2025-07-15T12:38:27", None),
    "callback_button__button": ("button_answer", "title", "wamid.xyzxyz", "2023-10-25T20:45:30", "wamid.xyzxyz"),
    "callback_button__quick_reply": ("button_answer", "title", "wamid.xsidjw", "2023-10-25T21:23:47", "wamid.xyzxyz=="),
    "callback_button__quick_reply_without_context": (
        "button_answer", "title", "wamid.xsidjx", "2023-10-25T21:23:47", None,
    ),
    "callback_selection__callback": ("list_answer", "title", "wamid.zyzxyz", "2023-10-25T20:48:25", "wamid.xyzxyz"),
    "flow_completion__completion": (
        "button_answer",
        "comment_text: Comment Text\ndelivery_rating: 4\npurchase_rating: 2\nrecommend_radio: 0\ncs_rating: 0",
        "wamid.wegrchytvwcggt==", "2023-12-13T21:21:13", "wamid.gvwegfretge==",
    ),
    "flow_completion__without_flow_token": (
        "button_answer",
        "comment_text: Comment Text\ndelivery_rating: 4\npurchase_rating: 2\nrecommend_radio: 0\ncs_rating: 0",
        "wamid.wegrchytvwcggt==", "2023-12-13T21:21:13", "wamid.gvwegfretge==",
    ),
    "message__animated_sticker": ("sticker", "", "wamid.xyzxyz", "2023-10-11T17:03:05", None),
    "message__audio": ("audio", "", "wamid.xyzxyz", "2023-10-11T16:58:29", None),
    "message__chosen_location": ("location", "Facebook HQ", "wamid.xyzxyz", "2023-10-11T17:15:57", None),
    "message__document": ("document", "caption", "wamid.xyzxyz", "2023-10-11T17:01:06", None),
    "message__image": ("image", "", "wamid.xyzxyz", "2023-10-11T16:56:19", None),
    "message__interactive_message_with_err": (
        "unknown", "", "wamid.wegrchytvwcggt=", "2023-11-20T18:38:14", "wamid.gvwegfretge==",
    ),
    "message__media_with_url": ("image", "", "wamid.xyzxyz", "2023-10-11T16:56:19", None),
    "message__order": (
        "unknown", "3 × HAMBURGER (30 ILS)\n2 × FRENCH_FRIES (35 ILS)\n2 × SODA (10 ILS)",
        "wamid.xyzxyz", "2023-10-11T17:17:48", None,
    ),
    "message__reaction": ("reaction", "😮", "wamid.xyzxyz", "2023-10-11T17:14:16", "wamid.yzxyzx="),
    "message__referral": ("text", "BODY", "wamid.ID", "2023-10-11T17:23:20", None),
    "message__reply": ("text", "replied text", "wamid.xyzxyz", "2023-10-11T17:19:06", "wamid.xyzxyz=="),
    "message__text": ("text", "Body Text", "wamid.xyzxyz", "2023-10-11T16:53:43", None),
    "message__unsupported": ("unknown", "", "wamid.xyzxyz", "2023-10-11T17:18:26", None),
    "message__unsupported_with_type": ("unknown", "", "wamid.xyzxyz", "2023-10-11T17:18:26", None),
    "outgoing_message__text": ("text", "Test message", "<WHATSAPP_MESSAGE_ID>", "2023-10-11T16:53:43", None),
    "system__identity_change": ("system", "User identity changed", "wamid.xyzxyz", "2023-10-11T17:18:26", None),
    "system__phone_number_change": (
        "system", "User A changed from 972987654321 to 972912345678", "wamid.xyzxyz==", "2025-07-30T04:55:15", None,
    ),
}  # fmt: skip
NAMED_DIFFERENTLY = {
    "system__identity_change": (CUSTOMER,),
    "system__phone_number_change": (NEW_NUMBER, CUSTOMER),
}
STATES = {
    "account_disabled": "connected",  # this one reports that the account was reinstated
    "account_offboarded": "disconnected",
    "account_reconnected": "connected",
    "account_restriction": "restricted",
    "account_violation": "restricted",
    "partner_app_uninstalled": "disconnected",
    "partner_removed": "disconnected",
    "partner_removed_wa_app_disconnection": "disconnected",
}
QUIET = {
    "ad_account_linked", "mm_api_for_wa_terms_of_service", "partner_added", "partner_app_installed",
    "partner_led_business_verification_status", "pricing_tiering_update", "primary_business_location_set",
}  # fmt: skip
KEPT = {
    "call_connect__business_initiated": "calls: call connect BUSINESS_INITIATED",
    "user_marketing_preferences__signup": "user_preferences",
}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OTHERS: dict[str, ChannelEvent] = {
    "deleted_message__revoke": MessageRevoked(
        "<ORIGINAL_WHATSAPP_MESSAGE_ID>", CUSTOMER, moment("2023-10-11T16:53:43"), IDS
    ),
    "outgoing_message__edit": MessageEdited(
        "wamid.zzzzzz", CUSTOMER, "Text was edited", moment("2023-10-11T17:22:48"), IDS, from_me=True
    ),
    "message_status__delivered": ReceiptChanged(("wamid.xyzxyz",), Ack.DEVICE, moment("2023-10-25T20:49:05"), CUSTOMER),
    "message_status__read": ReceiptChanged(("wamid.xyzxyz",), Ack.READ, moment("2023-07-15T00:20:58"), CUSTOMER),
    "message_status__sent": ReceiptChanged(("wamid.xyzxyz",), Ack.SERVER, moment("2023-10-25T20:49:05"), CUSTOMER),
    "message_status__with_tracker": ReceiptChanged(
        ("wamid.xyzxyz",), Ack.SERVER, moment("2023-10-25T20:49:05"), CUSTOMER, "some data"
    ),
}


def events_of(name: str) -> list[ChannelEvent]:
    body: Any = json.loads((FOLDER / f"{name}.json").read_text())
    parts = route(body)
    assert len(parts) == 1
    assert parts[0][0]
    return parse(parts[0][1])


def test_that_every_payload_is_reviewed_here() -> None:
    updates = {f"account_update__{name}" for name in [*STATES, *QUIET]}
    single = {"message_status__failed", "template_status_update__rejected"}
    assert {
        path.stem for path in FOLDER.glob("*.json")
    } == updates | RECEIVED.keys() | OTHERS.keys() | KEPT.keys() | single


@pytest.mark.parametrize("name", RECEIVED)
def test_that_a_message_is_read_as_it_was_written(name: str) -> None:
    kind, text, provider_id, at, quoted = RECEIVED[name]
    (event,) = events_of(name)
    assert isinstance(event, MessageReceived)
    assert (event.kind, event.text, event.provider_id) == (MessageKind(kind), text, provider_id)
    assert (event.sent_at, event.quoted_provider_id) == (moment(at), quoted)
    assert (event.chat, *event.alternates) == NAMED_DIFFERENTLY.get(name, (CUSTOMER, *IDS))
    assert event.from_me == name.startswith("outgoing")


def test_that_files_referrals_and_reasons_come_along() -> None:
    media = {name: event.media for name in RECEIVED if isinstance(event := events_of(name)[0], MessageReceived)}
    assert {name for name, file in media.items() if file} == {
        "message__animated_sticker", "message__audio", "message__document", "message__image", "message__media_with_url",
    }  # fmt: skip
    document, linked = media["message__document"], media["message__media_with_url"]
    assert document is not None
    assert linked is not None
    assert (document.file_name, document.extra["id"]) == ("filename.pdf", "1234567890987654321")
    assert (linked.url or "").startswith("https://lookaside.fbsbx.com/")
    (ad,) = events_of("message__referral")
    assert isinstance(ad, MessageReceived)
    assert ad.raw["referral"]["ctwa_clid"] == "CTWA_CLID"
    (broken,) = events_of("message__interactive_message_with_err")
    assert isinstance(broken, MessageReceived)
    assert broken.raw["errors"][0]["code"] == 131000


@pytest.mark.parametrize("name", OTHERS)
def test_that_changes_and_receipts_are_read(name: str) -> None:
    assert events_of(name) == [OTHERS[name]]


def test_that_the_account_its_templates_and_failures_are_read_and_the_rest_is_kept() -> None:
    for name, status in STATES.items():
        (event,) = events_of(f"account_update__{name}")
        assert isinstance(event, SessionChanged)
        assert event.status == status
    assert [name for name in QUIET if events_of(f"account_update__{name}")] == []
    for name, told in KEPT.items():
        (event,) = events_of(name)
        assert isinstance(event, Unrecognised)
        assert event.name == told
    (failed,) = events_of("message_status__failed")
    assert isinstance(failed, SendFailed)
    assert "130472" in failed.detail
    (template,) = events_of("template_status_update__rejected")
    assert isinstance(template, TemplateChanged)
    assert (template.name, template.language, template.status) == ("abandoned_cart", "en", "REJECTED")
    assert template.at == moment("2025-06-30T01:39:08")
