"""Evolution's webhooks: from JSON to events. The payloads are written after the server's 2.3.x source."""

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
    SessionRef,
    Unrecognised,
)
from channels.whatsapp.evolution_events import parse
from domain.messages import Ack, Address, AddressKind, MessageKind, SessionStatus

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
AT, SECONDS = datetime(2026, 3, 4, 11, 59, 50, tzinfo=UTC), 1772625590
PHONE, LID = Address(AddressKind.PHONE, "5511990001111"), Address(AddressKind.LID, "149000011210072")
GROUP = Address(AddressKind.GROUP, "120363000000000001")
JID, LID_JID, GROUP_JID = "5511990001111@s.whatsapp.net", "149000011210072@lid", "120363000000000001@g.us"
OWN = "5511900000000@s.whatsapp.net"
SESSION = SessionRef("s1", "evolution", config={"instance": "loja"})


def events(event: str, data: Any, **envelope: Any) -> list[ChannelEvent]:
    body = {
        "event": event,
        "instance": "loja",
        "data": data,
        "sender": OWN,
        "date_time": "2026-03-04T08:59:50.000Z",  # local time that calls itself UTC
        "server_url": "http://localhost:8080",
        "apikey": "secret of the instance",
        **envelope,
    }
    return parse(body, SESSION, received_at=NOW)


def one(event: str, data: Any, **envelope: Any) -> ChannelEvent:
    (found,) = events(event, data, **envelope)
    return found


def upsert(content: Any, key: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "key": {"remoteJid": JID, "remoteJidAlt": LID_JID, "fromMe": False, "id": "3EB0A1", **(key or {})},
        "pushName": "Maria",
        "status": "DELIVERY_ACK",
        "message": content,
        "contextInfo": None,
        "messageType": next(iter(content), "unknown") if isinstance(content, dict) else "unknown",
        "messageTimestamp": SECONDS,
        "instanceId": "8f1c",
        "source": "android",
        **fields,
    }


def message(content: Any, key: dict[str, Any] | None = None, **fields: Any) -> MessageReceived:
    event = one("messages.upsert", upsert(content, key, **fields))
    assert isinstance(event, MessageReceived)
    return event


TEXT = {"conversation": "oi"}

# Who, where, when


def test_that_a_text_has_both_names_and_the_message_s_own_time() -> None:
    event = message(TEXT)
    assert (event.chat, event.alternates, event.sender, event.push_name) == (PHONE, (LID,), None, "Maria")
    assert (event.kind, event.text, event.sent_at, event.from_me) == (MessageKind.TEXT, "oi", AT, False)
    assert (event.raw, event.historical) == ({}, False)


@pytest.mark.parametrize(
    "stamp", [SECONDS, str(SECONDS), SECONDS * 1000, {"low": SECONDS, "high": 0, "unsigned": True}, float(SECONDS)]
)
def test_that_a_time_may_come_in_any_shape(stamp: Any) -> None:
    assert message(TEXT, messageTimestamp=stamp).sent_at == AT


def test_that_a_missing_time_is_the_time_of_arrival_and_never_the_envelope_s() -> None:
    assert message(TEXT, messageTimestamp=None).sent_at == NOW


@pytest.mark.parametrize(
    ("key", "chat", "alternates"),
    [
        ({"remoteJid": LID_JID, "remoteJidAlt": JID}, LID, (PHONE,)),
        ({"remoteJid": LID_JID, "remoteJidAlt": None}, LID, ()),
        ({"remoteJid": LID_JID, "remoteJidAlt": None, "senderPn": JID}, LID, (PHONE,)),
        ({"remoteJidAlt": None, "previousRemoteJid": LID_JID}, PHONE, (LID,)),
        ({"remoteJidAlt": None, "senderLid": LID_JID}, PHONE, (LID,)),
        ({"remoteJid": JID, "remoteJidAlt": JID}, PHONE, ()),  # 2.3.7 overwrites the one with the other
        ({"remoteJid": "5511990001111:12@s.whatsapp.net"}, PHONE, (LID,)),
        ({"remoteJidAlt": OWN}, PHONE, ()),
        ({"remoteJid": LID_JID, "remoteJidAlt": OWN}, LID, ()),
    ],
)
def test_that_a_lid_and_a_phone_are_two_names_of_one_contact(
    key: dict[str, Any], chat: Address, alternates: tuple[Address, ...]
) -> None:
    event = message(TEXT, key)
    assert (event.chat, event.alternates) == (chat, alternates)


def test_that_a_group_s_message_has_its_author_with_both_names() -> None:
    key = {"remoteJid": GROUP_JID, "remoteJidAlt": None, "participant": LID_JID, "participantAlt": JID}
    event = message(TEXT, key)
    assert (event.chat, event.alternates, event.sender) == (GROUP, (), LID)
    assert event.raw == {"sender_alternates": [str(PHONE)]}


def test_that_a_message_through_a_customer_s_broadcast_list_is_private() -> None:
    assert message(TEXT, {"remoteJid": "1234@broadcast", "participant": JID}).chat == PHONE


@pytest.mark.parametrize("chat", ["status@broadcast", "120363000000000002@newsletter"])
def test_that_status_posts_and_channels_are_nobody_s_message(chat: str) -> None:
    assert events("messages.upsert", upsert(TEXT, {"remoteJid": chat, "participant": JID})) == []


def test_that_own_messages_are_told_apart_whoever_typed_them() -> None:
    for name in ("messages.upsert", "send.message"):
        event = one(name, upsert(TEXT, {"fromMe": True}, pushName="Você"))
        assert isinstance(event, MessageReceived)
        assert (event.from_me, event.chat, event.push_name) == (True, PHONE, None)


def test_that_an_id_chosen_by_a_customer_is_only_an_id() -> None:
    event = message(TEXT, {"id": "false_5511977776666@c.us_3EB0X"})
    assert (event.provider_id, event.chat) == ("false_5511977776666@c.us_3EB0X", PHONE)


def test_that_several_at_once_are_several_events_in_order() -> None:
    batch = [upsert({"conversation": str(number)}, {"id": f"3EB{number}"}) for number in range(3)]
    assert [event.text for event in events("messages.upsert", batch) if isinstance(event, MessageReceived)] == list(
        "012"
    )
    body = {"event": "MESSAGES_UPSERT", "data": batch[0]}
    assert len(parse([body, body], SESSION, received_at=NOW)) == 2


def test_that_history_is_marked_as_such() -> None:
    (event,) = events("messages.set", [upsert(TEXT)], isLatest=True, progress=100)
    assert isinstance(event, MessageReceived)
    assert event.historical


def test_that_another_instance_s_event_is_kept_without_its_content() -> None:
    event = one("messages.upsert", upsert({"conversation": "private"}), instance="another")
    assert isinstance(event, Unrecognised)
    assert event.name == "event of another instance"
    assert "private" not in json.dumps(event.raw)
    assert "secret of the instance" not in json.dumps(event.raw)


# What


CONTEXT = {
    "stanzaId": "3EB0Q",
    "participant": OWN,
    "quotedMessage": {"conversation": "antes"},
    "mentionedJid": [OWN],
    "isForwarded": True,
}


def test_that_a_quote_beside_a_rewritten_text_is_found() -> None:
    event = message({**TEXT, "messageContextInfo": {"deviceListMetadata": {}}}, contextInfo=CONTEXT)
    assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.TEXT, "oi", "3EB0Q")
    assert (event.mentions_me, event.raw) == (True, {"forwarded": True})


@pytest.mark.parametrize(
    "wrap",
    [
        lambda content: content,
        lambda content: {"ephemeralMessage": {"message": content}},
        lambda content: {"ephemeralMessage": {"message": {"documentWithCaptionMessage": {"message": content}}}},
    ],
)
def test_that_a_quote_inside_the_content_is_found_through_any_wrapper(wrap: Any) -> None:
    event = message(wrap({"extendedTextMessage": {"text": "oi", "contextInfo": CONTEXT}}))
    assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.TEXT, "oi", "3EB0Q")


def test_that_an_advertisement_is_kept_without_its_picture() -> None:
    ad = {
        "title": "Promoção", "sourceId": "120210", "sourceUrl": "https://fb.me/x", "ctwaClid": "Aff",
        "thumbnail": {str(index): index % 256 for index in range(300)}, "sourceType": "ad",
    }  # fmt: skip
    event = message(TEXT, contextInfo={"externalAdReply": ad, "conversionSource": "FB_Ads"})
    assert event.raw["referral"]["conversionSource"] == "FB_Ads"
    assert event.raw["referral"]["advertisement"]["ctwaClid"] == "Aff"
    assert len(json.dumps(event.raw)) < 400


BYTES = {str(index): index for index in range(32)}
IMAGE = {
    "url": "https://mmg.whatsapp.net/o1/v/x.enc",
    "mimetype": "image/jpeg",
    "caption": "veja",
    "fileSha256": "AAECAw==",
    "fileLength": {"low": 70000, "high": 0, "unsigned": True},
    "height": 1600,
    "mediaKey": BYTES,
    "directPath": "/o1/v/x.enc",
    "jpegThumbnail": "/9j/" + "A" * 5000,
    "contextInfo": {"stanzaId": "3EB0Q"},
}


def test_that_a_picture_can_be_fetched_from_the_store_or_by_its_message() -> None:
    event = message({"imageMessage": IMAGE, "mediaUrl": "https://s3.example/x.jpeg", "base64": "A" * 90000})
    assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.IMAGE, "veja", "3EB0Q")
    media = event.media
    assert media is not None
    assert (media.mime_type, media.size_bytes, media.url) == ("image/jpeg", 70000, "https://s3.example/x.jpeg")
    assert media.extra["key"] == {"id": "3EB0A1", "remoteJid": JID, "fromMe": False}
    needed = media.extra["message"]["imageMessage"]
    assert needed["mediaKey"] == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert needed["directPath"] == "/o1/v/x.enc"
    assert media.extra["base64"] == "A" * 90000, "what came along goes to the media store at once"
    rest = {name: value for name, value in media.extra.items() if name != "base64"}
    assert len(json.dumps([event.raw, rest])) < 1500


def test_that_the_customer_s_own_address_of_a_file_is_never_ours_to_fetch() -> None:
    media = message({"imageMessage": {**IMAGE, "mediaUrl": "http://169.254.169.254/"}}).media
    assert media is not None
    assert media.url is None


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ({"videoMessage": {"mimetype": "video/mp4", "caption": "c"}}, "video", "c"),
        ({"ptvMessage": {"mimetype": "video/mp4"}}, "video", ""),
        ({"audioMessage": {"mimetype": "audio/mpeg"}}, "audio", ""),
        ({"audioMessage": {"mimetype": "audio/ogg; codecs=opus", "ptt": True}}, "voice", ""),
        ({"documentMessage": {"fileName": "a.pdf", "caption": "c", "mimetype": "application/pdf"}}, "document", "c"),
        ({"stickerMessage": {"mimetype": "image/webp"}}, "sticker", ""),
        ({"viewOnceMessageV2": {"message": {"imageMessage": {"mimetype": "image/jpeg"}}}}, "image", ""),
        ({"lottieStickerMessage": {"message": {"stickerMessage": {"mimetype": "application/was"}}}}, "sticker", ""),
        ({"associatedChildMessage": {"message": {"imageMessage": {"mimetype": "image/jpeg"}}}}, "image", ""),
    ],
)
def test_that_every_kind_of_file_is_known(content: dict[str, Any], kind: str, text: str) -> None:
    event = message(content)
    assert (event.kind, event.text) == (MessageKind(kind), text)
    assert event.media is not None
    assert event.media.extra["message"]
    assert event.raw.get("view_once", False) is ("viewOnceMessageV2" in content)


@pytest.mark.parametrize("length", [None, "70000", "many", {"low": "x"}, -1, 1e300, [1]])
def test_that_a_file_of_strange_length_is_a_file_all_the_same(length: Any) -> None:
    event = message({"imageMessage": {**IMAGE, "fileLength": length}})
    assert event.kind is MessageKind.IMAGE
    assert event.media is not None
    assert event.media.size_bytes in (None, 70000)


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ({"locationMessage": {"degreesLatitude": -2, "degreesLongitude": -4, "name": "Loja"}}, "location", "Loja"),
        ({"liveLocationMessage": {"degreesLatitude": 1, "degreesLongitude": 2, "caption": "aqui"}}, "location", "aqui"),
        ({"contactMessage": {"displayName": "João", "vcard": "BEGIN:VCARD"}}, "contact", "João"),
        ({"contactsArrayMessage": {"displayName": "2 contatos", "contacts": [{}]}}, "contact", "2 contatos"),
        ({"pollCreationMessageV3": {"name": "Quando?", "options": [{"optionName": "a"}]}}, "poll", "Quando?"),
        ({"buttonsResponseMessage": {"selectedButtonId": "y", "selectedDisplayText": "Sim"}}, "button_answer", "Sim"),
        ({"templateButtonReplyMessage": {"selectedId": "y", "selectedDisplayText": "Sim"}}, "button_answer", "Sim"),
        (
            {"interactiveResponseMessage": {"body": {"text": "Sim"}, "nativeFlowResponseMessage": {}}},
            "button_answer",
            "Sim",
        ),
        (
            {"listResponseMessage": {"title": "Corte", "singleSelectReply": {"selectedRowId": "1"}}},
            "list_answer",
            "Corte",
        ),
        ({"templateMessage": {"hydratedTemplate": {"hydratedContentText": "Aviso"}}}, "text", "Aviso"),
        ({"orderMessage": {"orderTitle": "Pedido", "message": "2 itens"}}, "unknown", "2 itens"),
        ({"somethingOfTomorrow": {"field": "x"}}, "unknown", ""),
        ({"somethingOfTomorrow": 7}, "unknown", ""),
    ],
)  # fmt: skip
def test_that_every_other_kind_is_known_or_kept(content: dict[str, Any], kind: str, text: str) -> None:
    event = message(content)
    assert (event.kind, event.text) == (MessageKind(kind), text)
    if kind != "text":
        assert event.raw


def test_that_a_reaction_names_its_message_and_may_be_taken_back() -> None:
    for emoji in ("👍", ""):
        content = {"reactionMessage": {"key": {"remoteJid": JID, "fromMe": True, "id": "3EB0Q"}, "text": emoji}}
        event = message(content)
        assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.REACTION, emoji, "3EB0Q")
        assert event.provider_id == "3EB0A1"


def test_that_a_vote_names_its_poll_and_what_was_chosen() -> None:
    vote = {
        "pollCreationMessageKey": {"id": "3EB0P"},
        "vote": {"encPayload": BYTES, "selectedOptions": ["manhã", "tarde"]},
    }
    event = message({"pollUpdateMessage": vote})
    assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.POLL_VOTE, "manhã, tarde", "3EB0P")
    unread = message({"pollUpdateMessage": {"pollCreationMessageKey": {"id": "3EB0P"}, "vote": {"encPayload": "AA=="}}})
    assert (unread.kind, unread.text, unread.quoted_provider_id) == (MessageKind.POLL_VOTE, "", "3EB0P")
    updates = [{"name": "manhã", "voters": []}, {"name": "tarde", "voters": [JID]}]
    assert message({"pollUpdateMessage": {"vote": {}}}, pollUpdates=updates).text == "tarde"


def test_that_a_transcription_of_the_gateway_is_kept() -> None:
    event = message({"audioMessage": {"ptt": True}, "speechToText": "[audio] bom dia"})
    assert (event.kind, event.raw) == (MessageKind.VOICE, {"speech_to_text": "[audio] bom dia"})


@pytest.mark.parametrize(
    "content",
    [
        {"albumMessage": {"expectedImageCount": 3}},
        {"senderKeyDistributionMessage": {"groupId": GROUP_JID}},
        {"protocolMessage": {"type": "EPHEMERAL_SETTING", "ephemeralExpiration": 86400}},
        {"protocolMessage": {"type": 5}},
    ],
)
def test_that_the_devices_chatter_is_nobody_s_message(content: dict[str, Any]) -> None:
    assert events("messages.upsert", upsert(content)) == []


@pytest.mark.parametrize("content", [None, {}, "x", 7])
def test_that_a_message_that_could_not_be_read_is_kept(content: Any) -> None:
    event = one("messages.upsert", upsert(content))
    assert isinstance(event, Unrecognised)


# Edits, revokes, receipts


EDITED = {"conversation": "texto novo"}


@pytest.mark.parametrize("kind", ["MESSAGE_EDIT", 14])
def test_that_an_edit_is_told_with_its_own_time(kind: Any) -> None:
    key = {"remoteJid": JID, "fromMe": False, "id": "3EB0Q"}
    data = {"key": key, "type": kind, "editedMessage": EDITED, "timestampMs": str(SECONDS * 1000)}
    assert one("messages.edited", data) == MessageEdited("3EB0Q", PHONE, "texto novo", AT)
    own = {**data, "key": {**key, "fromMe": True}}
    assert one("messages.edited", own) == MessageEdited("3EB0Q", PHONE, "texto novo", AT, from_me=True)
    assert isinstance(one("messages.edited", own, sender=None), Unrecognised)  # who we are is not known
    assert one("send.message.update", own) == MessageEdited("3EB0Q", PHONE, "texto novo", AT, from_me=True)


@pytest.mark.parametrize("chat", [OWN, LID_JID])  # a LID may be ours: nothing tells us which is
def test_that_a_change_as_its_author_sees_it_is_kept_since_the_chat_is_unknown(chat: str) -> None:
    for change in ({"type": 14, "editedMessage": EDITED}, {"type": "REVOKE"}, {}):
        event = one("messages.edited", {"key": {"remoteJid": chat, "fromMe": True, "id": "3EB0Q"}, **change})
        assert isinstance(event, Unrecognised)
        assert event.name == "change without its chat"


@pytest.mark.parametrize(
    "content",
    [
        {"editedMessage": {"message": EDITED}},
        {"editedMessage": {"message": {"extendedTextMessage": {"text": "texto novo"}}}},
        {"editedMessage": {"message": {"protocolMessage": {"editedMessage": EDITED}}}},
        {"editedMessage": {"message": {"imageMessage": {"caption": "texto novo"}}}},
    ],
)
def test_that_an_edit_told_as_an_update_knows_the_chat(content: dict[str, Any]) -> None:
    data = {"keyId": "3EB0Q", "remoteJid": LID_JID, "fromMe": False, "status": "SERVER_ACK", "message": content}
    assert one("messages.update", data) == MessageEdited("3EB0Q", LID, "texto novo", NOW)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("messages.edited", {"key": {"remoteJid": JID, "fromMe": False, "id": "3EB0Q"}, "type": "REVOKE"}),
        ("messages.edited", {"key": {"remoteJid": JID, "fromMe": False, "id": "3EB0Q"}}),
        ("messages.delete", {"remoteJid": JID, "fromMe": False, "id": "3EB0Q", "status": "DELETED"}),
        ("messages.delete", {"id": "cm1", "key": {"remoteJid": JID, "fromMe": False, "id": "3EB0Q"}, "message": TEXT}),
        ("messages.delete", {"keys": [{"remoteJid": JID, "fromMe": False, "id": "3EB0Q"}]}),
    ],
)
def test_that_a_revoke_is_understood_in_all_its_shapes(name: str, data: dict[str, Any]) -> None:
    assert one(name, data) == MessageRevoked("3EB0Q", PHONE, NOW)


@pytest.mark.parametrize(
    ("status", "ack"),
    [
        ("SERVER_ACK", Ack.SERVER), ("DELIVERY_ACK", Ack.DEVICE), ("READ", Ack.READ), ("PLAYED", Ack.PLAYED),
        (2, Ack.SERVER), (3, Ack.DEVICE), ("4", Ack.READ), (5, Ack.PLAYED),
    ],
)  # fmt: skip
def test_that_receipts_are_understood_by_name_and_by_number(status: Any, ack: Ack) -> None:
    data = {"messageId": "cm1", "keyId": "3EB0Q", "remoteJid": LID_JID, "fromMe": True, "status": status}
    assert one("messages.update", data) == ReceiptChanged(("3EB0Q",), ack, NOW, LID)
    assert events("messages.update", [{**data, "fromMe": False}]) == []


def test_that_a_refusal_by_whatsapp_is_a_failure_of_our_message_only() -> None:
    data = {"keyId": "3EB0Q", "remoteJid": JID, "fromMe": True, "status": "ERROR"}
    event = one("messages.update", data)
    assert isinstance(event, SendFailed)
    assert event.provider_ids == ("3EB0Q",)
    assert events("messages.update", {**data, "fromMe": False}) == []
    assert events("messages.update", {**data, "status": "PENDING"}) == []


def test_that_deleted_as_a_status_is_no_revoke() -> None:
    data = {"keyId": "3EB0Q", "remoteJid": JID, "fromMe": False, "status": "DELETED"}
    assert isinstance(one("messages.update", data), Unrecognised)


# The connection


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"state": "open", "statusReason": 200, "wuid": OWN}, SessionStatus.CONNECTED),
        ({"state": "connecting", "statusReason": 200}, SessionStatus.CONNECTING),
        ({"state": "close", "statusReason": 401}, SessionStatus.DISCONNECTED),
        ({"state": "close", "statusReason": 402}, SessionStatus.RESTRICTED),
        ({"state": "close", "statusReason": 515}, SessionStatus.CONNECTING),
        ({"state": "refused", "statusReason": 428}, SessionStatus.QR_EXPIRED),
        ({"state": "of tomorrow"}, SessionStatus.UNKNOWN),
    ],
)
def test_that_the_connection_s_states_are_known(data: dict[str, Any], status: SessionStatus) -> None:
    event = one("connection.update", {"instance": "loja", **data})
    assert isinstance(event, SessionChanged)
    assert event.status is status
    assert event.account == (OWN if status is SessionStatus.CONNECTED else None)
    assert bool(event.detail) is (status not in (SessionStatus.CONNECTED, SessionStatus.CONNECTING))


def test_that_codes_come_as_text_and_end_some_time() -> None:
    code = {
        "qrcode": {"instance": "loja", "pairingCode": None, "code": "2@abc", "base64": "data:image/png;base64,AA=="}
    }
    assert one("qrcode.updated", code) == SessionChanged(SessionStatus.AWAITING_QR, NOW, qr="2@abc")
    limit = {"message": "QR code limit reached, please login again", "statusCode": 500}
    event = one("qrcode.updated", limit)
    assert isinstance(event, SessionChanged)
    assert event.status is SessionStatus.QR_EXPIRED


def test_that_a_number_that_is_gone_is_disconnected() -> None:
    for name in ("logout.instance", "remove.instance", "instance.delete"):
        event = one(name, {"instanceName": "loja"})
        assert isinstance(event, SessionChanged)
        assert event.status is SessionStatus.DISCONNECTED
    closed = one("status.instance", {"instance": "loja", "status": "closed", "disconnectionReasonCode": 401})
    assert isinstance(closed, SessionChanged)
    assert "401" in closed.detail


def test_that_a_call_is_a_message_once() -> None:
    call = {"chatId": LID_JID, "from": LID_JID, "id": "CALL1", "date": "2026-03-04T11:59:50.000Z", "isVideo": True}
    event = one("call", {**call, "status": "offer"})
    assert isinstance(event, MessageReceived)
    assert (event.kind, event.chat, event.provider_id, event.sent_at) == (MessageKind.CALL, LID, "CALL1", AT)
    assert events("call", {**call, "status": "timeout"}) == []


@pytest.mark.parametrize(
    "name",
    ["contacts.update", "CONTACTS_UPSERT", "chats-upsert", "presence.update", "group-participants.update"],
)
def test_that_what_nobody_wrote_is_a_known_no_op(name: str) -> None:
    assert events(name, [{"remoteJid": JID}]) == []


def test_that_an_unknown_event_is_kept_by_name() -> None:
    event = one("event.of.tomorrow", {"a": 1})
    assert isinstance(event, Unrecognised)
    assert (event.name, event.raw["data"]) == ("event.of.tomorrow", {"a": 1})


# Payloads that lie beside the project


CHECKOUT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("ATENDE_SHARED") or CHECKOUT.parent / "shared") / "gateways/fixtures/evolution"
CAPTURED = Address(AddressKind.PHONE, "558190000002")
EXPECTED: dict[str, Any] = {
    # file: the event, the name under which it is kept as not understood, or nothing
    "_derived_connection_update_open": SessionChanged(
        SessionStatus.CONNECTED, NOW, account="5511900000000@s.whatsapp.net"
    ),
    "_derived_messages_edited": MessageEdited(
        "3EBORIGINAL",
        Address(AddressKind.PHONE, "5511988887777"),
        "texto novo",
        datetime(2025, 11, 22, 0, 25, 3, tzinfo=UTC),
    ),
    "_derived_qrcode_limit": SessionChanged(
        SessionStatus.QR_EXPIRED, NOW, "Nobody scanned the code: start the pairing again."
    ),
    "_derived_qrcode_updated": SessionChanged(SessionStatus.AWAITING_QR, NOW, qr="2@…"),
    "webhook_contacts_update_array": None,
    "webhook_contacts_update_object": None,
    "webhook_messages_upsert_from_me": MessageReceived(
        "3AE99D6A1DBF3F9A0578",
        CAPTURED,
        datetime(2025, 11, 22, 0, 25, 3, tzinfo=UTC),
        text="Texto da mensagem",
        from_me=True,
    ),
    "webhook_messages_upsert_lid_only": "message without id or chat",  # the reporter cut the id away
}


@pytest.mark.shared
@pytest.mark.skipif(not FOLDER.is_dir(), reason="the captured webhooks are absent; ATENDE_SHARED may tell where")
@pytest.mark.parametrize("name", EXPECTED)
def test_that_a_captured_webhook_means_what_was_read_in_it(name: str) -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == EXPECTED.keys()
    found = parse(json.loads((FOLDER / f"{name}.json").read_text()), SessionRef("s1", "evolution"), received_at=NOW)
    expected = EXPECTED[name]
    if expected is None:
        assert found == []
    elif isinstance(expected, str):
        assert [event.name for event in found if isinstance(event, Unrecognised)] == [expected]
    else:
        assert found == [expected]
