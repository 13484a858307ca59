"""WAHA's documented and captured webhooks, which lie beside the project, against what they mean (reviewed by eye)."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.base import ChannelEvent, MessageReceived, MessageRevoked, ReceiptChanged, SessionChanged, Unrecognised
from channels.whatsapp.waha import parse
from domain.messages import Ack, Address, AddressKind, MessageKind, SessionStatus

CHECKOUT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("ATENDE_SHARED") or CHECKOUT.parent / "shared") / "gateways/fixtures/waha"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not FOLDER.is_dir(), reason="the captured webhooks are absent; ATENDE_SHARED may tell where they are"
    ),
]

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CUSTOMER = (Address(AddressKind.PHONE, "554490000784"), (Address(AddressKind.LID, "149000011210072"),))
FROM_AD = (Address(AddressKind.PHONE, "554490000227"), (Address(AddressKind.LID, "19900004197208"),))
BY_TEXT = (Address(AddressKind.PHONE, "554490000129"), (Address(AddressKind.LID, "24900005331035"),))
NAME = "Contato Exemplo"
AD_TEXT = "Olá! Tenho interesse e queria mais informações, por favor."

RECEIVED: dict[str, tuple[Any, ...]] = {
    # file: contact and alternates, kind, text, id, time (UTC)
    "real_gows_message_text": (CUSTOMER, "text", "Teste", "3F0B3ABFCA9801F3A48F", "2025-10-07T22:13:25"),
    "real_gows_message_image": (CUSTOMER, "image", "", "3F14B2DEA399B72100CE", "2025-10-07T22:13:53"),
    "real_gows_message_image_text": (CUSTOMER, "image", "Teste", "3F8470D785301D7ACCEC", "2025-10-07T22:13:43"),
    "real_gows_message_audio": (CUSTOMER, "audio", "", "2AEB0A532C6370E1C2FE", "2025-10-07T22:27:06"),
    "real_gows_message_document_image_heic": (CUSTOMER, "document", "", "2A7CB86E5739A01E0418", "2025-10-07T22:16:09"),
    "real_gows_message_location": (CUSTOMER, "location", "", "2AFF9A46E4ECED8D5CC9", "2025-10-07T22:14:12"),
    "real_gows_message_contact": (CUSTOMER, "contact", NAME, "2A5AC40F5D7FB278387C", "2025-10-07T22:14:22"),
    "real_gows_message_fb_ads": (FROM_AD, "text", AD_TEXT, "2AF14CD157D1CF76DC78", "2025-10-02T17:13:34"),
    "testdata_gows_fb_ads_message": (FROM_AD, "text", AD_TEXT, "2AF14CD157D1CF76DC78", "2025-10-02T17:13:34"),
    "testdata_gows_real_text_message": (
        BY_TEXT, "text", "No momento não vou poder", "3A3CE2C5C341306326CF", "2025-09-23T14:10:37",
    ),
    "doc_message_image": (
        (Address(AddressKind.PHONE, "11111111111"), ()),
        "image",
        "Check this out (caption for the media)!",
        "A" * 32,
        "2022-11-04T11:31:25",
    ),
}  # fmt: skip

OTHERS: dict[str, ChannelEvent | str] = {
    # file: the event, or the name under which it is kept as not understood
    "doc_message_ack": ReceiptChanged(
        ("4CC5EDD64BC22EBA6D639F2AF571346C",), Ack.READ, NOW, Address(AddressKind.PHONE, "11111111111")
    ),
    "doc_message_ack_group": ReceiptChanged(
        ("4CC5EDD64BC22EBA6D639F2AF571346C",), Ack.READ, NOW, Address(AddressKind.GROUP, "11111111111")
    ),
    "doc_message_revoked": MessageRevoked("A" * 16, Address(AddressKind.PHONE, "1231243123"), NOW),
    "doc_session_status": SessionChanged(
        SessionStatus.CONNECTED, datetime(2023, 11, 14, 22, 13, 23, tzinfo=UTC), account="7911111@c.us"
    ),
    "doc_session_status_passkey_required": SessionChanged(
        SessionStatus.AWAITING_QR, NOW, "WhatsApp asks for a passkey: finish the pairing in WAHA."
    ),
    "doc_session_status_passkey_confirmation_required": SessionChanged(
        SessionStatus.AWAITING_QR, NOW, "Confirm the passkey's code on the phone to finish the pairing."
    ),
    "doc_message": "message",  # the documentation shows an envelope without payload
    "doc_message_waiting": "message.waiting",
    "doc_call_received": "call.received",
    "doc_engine_event": "engine.event",
    "doc_group_v2_join": "group.v2.join",
    "doc_group_v2_participants": "group.v2.participants",
    "doc_label_chat_added": "label.chat.added",
    "doc_label_chat_deleted": "label.chat.deleted",
    "doc_state_change": "state.change",
    "issue_webjs_message_any_lid": "message.any without id or chat",  # the reporter cut the id away
    "testdata_gows_real_image_message": "status post",
}
ONE_BY_ONE = {"doc_message_reaction"}
NO_EVENT = {"doc_presence_update"}  # somebody types in a group


def event_of(name: str) -> ChannelEvent:
    (event,) = parse(json.loads((FOLDER / f"{name}.json").read_text()), received_at=NOW)
    return event


def received(name: str) -> MessageReceived:
    event = event_of(name)
    assert isinstance(event, MessageReceived)
    return event


def test_that_every_capture_is_in_a_table() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == RECEIVED.keys() | OTHERS.keys() | ONE_BY_ONE | NO_EVENT


@pytest.mark.parametrize("name", sorted(NO_EVENT))
def test_that_what_concerns_nobody_is_no_event(name: str) -> None:
    assert parse(json.loads((FOLDER / f"{name}.json").read_text()), received_at=NOW) == []


@pytest.mark.parametrize("name", RECEIVED)
def test_that_a_captured_message_means_what_was_read_in_it(name: str) -> None:
    event = received(name)
    (chat, alternates), kind, text, message_id, at = RECEIVED[name]
    assert (event.chat, event.alternates) == (chat, alternates)
    assert (event.kind, event.text, event.provider_id) == (MessageKind(kind), text, message_id)
    assert event.sent_at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert event.from_me is name.startswith("doc_")  # the documentation's picture has the id of a message of ours
    assert event.push_name == (None if name.startswith("doc_") else NAME)
    assert len(json.dumps(event.raw)) < 2000


@pytest.mark.parametrize("name", OTHERS)
def test_that_any_other_captured_webhook_is_understood_or_kept_by_name(name: str) -> None:
    event, expected = event_of(name), OTHERS[name]
    if isinstance(expected, str):
        assert isinstance(event, Unrecognised)
        assert event.name == expected
        assert "_data" not in json.dumps(event.raw)
    else:
        assert event == expected


def test_that_the_captured_files_point_to_where_they_lie() -> None:
    heic = received("real_gows_message_document_image_heic").media
    assert heic is not None
    assert (heic.mime_type, heic.file_name, heic.size_bytes) == ("image/heic", "IMG_8908.HEIC", 1812185)
    assert heic.url == "https://storage.googleapis.com/<redacted>"
    assert heic.extra["s3"]["Bucket"] == "my-bucket"
    audio = received("real_gows_message_audio")
    assert audio.media is not None
    assert (audio.media.mime_type, audio.media.extra["seconds"]) == ("audio/ogg; codecs=opus", 4)
    assert audio.raw["forwarded"] is True
    assert received("real_gows_message_text").media is None


def test_that_place_card_advertisement_and_reaction_are_kept() -> None:
    place = received("real_gows_message_location").raw["location"]
    assert (place["latitude"], place["longitude"]) == (-23.408384323120117, -51.939579010009766)
    assert "waid=5511900000000" in received("real_gows_message_contact").raw["contacts"][0]["vcard"]
    referral = received("real_gows_message_fb_ads").raw["referral"]
    assert (referral["conversionSource"], referral["entryPointConversionApp"]) == ("FB_Ads", "instagram")
    assert referral["advertisement"]["sourceID"] == "120232639087330785"
    reaction = received("doc_message_reaction")
    assert (reaction.kind, reaction.text, reaction.quoted_provider_id) == (MessageKind.REACTION, "🙏", "1" * 32)
    assert reaction.sent_at == datetime(2024, 3, 15, 5, 38, 31, 853000, tzinfo=UTC)
    assert (reaction.chat, reaction.from_me) == (Address(AddressKind.PHONE, "79111111"), False)
