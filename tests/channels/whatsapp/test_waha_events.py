"""WAHA's webhooks: the signature, and from JSON to events. The payloads are written after each engine's shapes."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
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
    Unrecognised,
)
from channels.whatsapp.waha import parse, verify
from domain.messages import Ack, Address, AddressKind, MessageKind, SessionStatus

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
AT, SECONDS = datetime(2026, 3, 4, 11, 59, 50, tzinfo=UTC), 1772625590
PHONE, LID = Address(AddressKind.PHONE, "5511990001111"), Address(AddressKind.LID, "149000011210072")
GROUP = Address(AddressKind.GROUP, "120363000000000001")
ME = {"id": "551140000000@c.us", "lid": "169000086490092@lid", "jid": "551140000000:9@s.whatsapp.net"}


def one(event: str, payload: Any, **envelope: Any) -> ChannelEvent:
    body = {"event": event, "session": "default", "me": ME, "payload": payload, **envelope}
    (found,) = parse(body, received_at=NOW)
    return found


def message(**fields: Any) -> MessageReceived:
    base = {"id": "false_5511990001111@c.us_3EB0A1", "timestamp": SECONDS, "from": "5511990001111@c.us", "body": "oi"}
    event = one("message", {**base, "fromMe": False, **fields})
    assert isinstance(event, MessageReceived)
    return event


def gows(content: dict[str, Any], info: dict[str, Any] | None = None, **fields: Any) -> MessageReceived:
    facts = {
        "Chat": "5511990001111@s.whatsapp.net",
        "Sender": "5511990001111:2@s.whatsapp.net",
        "SenderAlt": "149000011210072:2@lid",
        "PushName": "Maria",
        **(info or {}),
    }
    return message(_data={"Info": facts, "Message": content}, **fields)


def noweb(content: dict[str, Any], key: dict[str, Any] | None = None, **fields: Any) -> MessageReceived:
    names = {"remoteJid": "149000011210072@lid", "remoteJidAlt": "5511990001111@s.whatsapp.net", "id": "3EB0A1"}
    long_id = "false_149000011210072@lid_3EB0A1"
    data = {"key": {**names, **(key or {})}, "pushName": "Maria", "message": content}
    return message(**{"id": long_id, "from": "149000011210072@lid", "_data": data, **fields})


def webjs(kind: str, **fields: Any) -> MessageReceived:
    return message(_data={"type": kind, "notifyName": "Maria"}, **fields)


# The signature


BODY = b'{"event":"message","session":"default","engine":"WEBJS"}'
DOCUMENTED = (
    "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8"
    "097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"
)


def test_that_the_documented_signature_is_accepted_whatever_the_headers_case() -> None:
    assert verify("my-secret-key", BODY, {"X-Webhook-Hmac": DOCUMENTED, "X-Webhook-Hmac-Algorithm": "sha512"})
    assert verify("my-secret-key", BODY, {"x-webhook-hmac": DOCUMENTED.upper()})


@pytest.mark.parametrize(
    ("secret", "body", "headers"),
    [
        ("my-secret-key", BODY + b" ", {"X-Webhook-Hmac": DOCUMENTED}),
        ("other", BODY, {"X-Webhook-Hmac": DOCUMENTED}),
        ("my-secret-key", BODY, {}),
        ("my-secret-key", BODY, {"X-Webhook-Hmac": "ç"}),
        ("my-secret-key", BODY, {"X-Webhook-Hmac": DOCUMENTED, "X-Webhook-Hmac-Algorithm": "sha256"}),
        ("", BODY, {"X-Webhook-Hmac": hmac.new(b"", BODY, hashlib.sha512).hexdigest()}),
    ],
)
def test_that_any_other_signature_is_refused(secret: str, body: bytes, headers: dict[str, str]) -> None:
    assert not verify(secret, body, headers)


# Who, where, when


def test_that_message_and_message_any_are_one_message() -> None:
    payload = {"id": "false_5511990001111@c.us_3EB0A1", "timestamp": SECONDS, "body": "oi", "fromMe": False}
    assert one("message", payload) == one("message.any", payload)
    assert message().provider_id == "3EB0A1"


def test_that_gows_tells_both_names_without_the_device() -> None:
    event = gows({"conversation": "oi"})
    assert (event.chat, event.alternates, event.sender, event.push_name) == (PHONE, (LID,), None, "Maria")
    assert (event.kind, event.text, event.sent_at) == (MessageKind.TEXT, "oi", AT)


def test_that_noweb_tells_both_names() -> None:
    event = noweb({"extendedTextMessage": {"text": "oi", "contextInfo": {"stanzaId": "3EB0Q"}}})
    assert (event.chat, event.alternates, event.push_name) == (LID, (PHONE,), "Maria")
    assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.TEXT, "oi", "3EB0Q")


def test_that_webjs_s_lid_is_never_taken_for_a_phone() -> None:
    event = message(id="false_149000011210072@lid_3EB0A1", **{"from": "149000011210072@lid"})
    assert (event.chat, event.alternates) == (LID, ())


def test_that_our_own_message_is_told_under_the_contacts_chat() -> None:
    own = "551140000000@c.us"
    webjs_sent = message(id="true_5511990001111@c.us_3EB0A1", fromMe=True, to="5511990001111@c.us", **{"from": own})
    bare = message(id="3EB0A1", fromMe=True, to="5511990001111@c.us", **{"from": own})
    blob = gows(
        {"conversation": "oi"},
        {"IsFromMe": True, "SenderAlt": "169000086490092:9@lid", "RecipientAlt": "149000011210072@lid"},
        fromMe=True,
        id="true_5511990001111@c.us_3EB0A1",
    )
    assert [event.chat for event in (webjs_sent, bare, blob)] == [PHONE] * 3
    assert all(event.from_me and event.provider_id == "3EB0A1" for event in (webjs_sent, bare, blob))
    assert blob.alternates == (LID,)


def test_that_our_own_names_are_never_the_contacts() -> None:
    assert gows({"conversation": "oi"}, {"SenderAlt": "169000086490092@lid"}).alternates == ()
    assert gows({"conversation": "oi"}, {"SenderAlt": "5511990002222@s.whatsapp.net"}).alternates == ()


def test_that_a_group_has_a_sender_and_keeps_his_other_name_apart() -> None:
    event = gows(
        {"conversation": "oi"},
        {"Chat": "120363000000000001@g.us", "IsGroup": True},
        id="false_120363000000000001@g.us_3EB0A1_5511990001111@c.us",
        participant="5511990001111@c.us",
        **{"from": "120363000000000001@g.us"},
    )
    assert (event.chat, event.sender, event.provider_id, event.alternates) == (GROUP, PHONE, "3EB0A1", ())
    assert event.raw == {"sender_alternates": [str(LID)]}


def test_that_a_broadcast_list_of_theirs_is_a_private_message() -> None:
    event = message(id="false_17720001@broadcast_3EB0A1_5511990001111@c.us", participant="5511990001111@c.us")
    assert (event.chat, event.sender) == (PHONE, None)


@pytest.mark.parametrize(
    ("chat", "name"), [("status@broadcast", "status post"), ("120363000000000009@newsletter", "newsletter post")]
)
def test_that_posts_are_kept_by_name_and_start_nothing(chat: str, name: str) -> None:
    event = one("message", {"id": f"false_{chat}_3EB0A1_5511990001111@c.us", "from": chat, "body": "x" * 9000})
    assert isinstance(event, Unrecognised)
    assert event.name == name
    assert len(json.dumps(event.raw)) < 1000


@pytest.mark.parametrize(
    "stated", [SECONDS, SECONDS * 1000, str(SECONDS), float(SECONDS), {"low": SECONDS, "high": 0, "unsigned": True}]
)
def test_that_seconds_and_milliseconds_are_told_apart(stated: Any) -> None:
    assert message(timestamp=stated).sent_at == AT


@pytest.mark.parametrize("stated", [None, -1, 0, "junk", True, 10**18, [], float("nan"), 10**400])
def test_that_a_senseless_time_becomes_the_webhooks_or_now(stated: Any) -> None:
    assert message(timestamp=stated).sent_at == NOW
    payload = {"id": "false_5511990001111@c.us_3EB0A1", "timestamp": stated, "body": "oi"}
    event = one("message", payload, timestamp=SECONDS * 1000)
    assert isinstance(event, MessageReceived)
    assert event.sent_at == AT


@pytest.mark.parametrize(
    ("stated", "bare"),
    [
        ("3EB0A1", "3EB0A1"),
        ("false_5511990001111@c.us_my_own_id", "my_own_id"),
        ("false_5511990001111@c.us_a_b_149000011210072@lid", "a_b"),
        ("true_5511990001111@c.us_3EB0A1_out", "3EB0A1"),
        ({"_serialized": "false_5511990001111@c.us_3EB0A1", "id": "x"}, "3EB0A1"),
        ({"id": "3EB0A1", "remote": {"_serialized": "5511990001111@c.us"}, "fromMe": False}, "3EB0A1"),
    ],
)
def test_that_every_form_of_an_id_gives_the_bare_one(stated: Any, bare: str) -> None:
    assert message(id=stated).provider_id == bare


# What


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ("image/jpeg", MessageKind.IMAGE),
        ("image/webp", MessageKind.STICKER),
        ("audio/ogg; codecs=opus", MessageKind.VOICE),
        ("audio/mpeg", MessageKind.AUDIO),
        ("video/mp4", MessageKind.VIDEO),
        ("application/pdf", MessageKind.DOCUMENT),
        (None, MessageKind.DOCUMENT),
    ],
)
def test_that_without_an_engines_blob_the_file_tells_the_kind(stated: str | None, kind: MessageKind) -> None:
    event = message(hasMedia=True, media={"url": "http://waha/f", "mimetype": stated, "filename": "f", "error": None})
    assert (event.kind, event.text) == (kind, "oi")
    assert event.media is not None
    assert (event.media.url, event.media.mime_type, event.media.file_name) == ("http://waha/f", stated, "f")


def test_that_a_file_which_waha_could_not_fetch_keeps_the_reason_and_the_way_to_ask_again() -> None:
    media = {"url": None, "error": {"message": "410 Gone"}, "s3": {"Bucket": "b", "Key": "k"}}
    content = {
        "audioMessage": {"PTT": True, "mimetype": "audio/ogg", "fileLength": 9515, "seconds": 4, "mediaKey": "x"}
    }
    event = gows(content, hasMedia=True, media=media, body=None)
    assert event.kind is MessageKind.VOICE
    assert event.media is not None
    assert (event.media.url, event.media.mime_type, event.media.size_bytes) == (None, "audio/ogg", 9515)
    assert event.media.extra == {
        "message_id": "false_5511990001111@c.us_3EB0A1",
        "s3": {"Bucket": "b", "Key": "k"},
        "error": {"message": "410 Gone"},
        "seconds": 4,
    }


def test_that_webjs_s_types_are_understood_and_its_pictures_of_maps_are_no_text() -> None:
    assert webjs("ptt", hasMedia=True, media={"mimetype": "audio/ogg"}, body="").kind is MessageKind.VOICE
    place = webjs("location", body="/9j/4AAQ", location={"latitude": -23.5, "longitude": -46.6, "description": "Loja"})
    assert (place.kind, place.text) == (MessageKind.LOCATION, "Loja")
    assert place.raw["location"]["latitude"] == -23.5
    card = webjs("vcard", body="BEGIN:VCARD\nFN:Ana\nEND:VCARD", vCards=["BEGIN:VCARD\nFN:Ana\nEND:VCARD"])
    assert (card.kind, card.text, card.raw["contacts"][0]["name"]) == (MessageKind.CONTACT, "Ana", "Ana")
    assert webjs("chat").push_name == "Maria"
    odd = webjs("product", body="Mesa")
    assert (odd.kind, odd.text, odd.raw["type"]) == (MessageKind.UNKNOWN, "Mesa", "product")


def test_that_a_message_still_encrypted_is_no_message_yet() -> None:
    # Its content comes later under the same id, which must be free then.
    payload = {"id": "false_5511990001111@c.us_3EB0A1", "body": "", "_data": {"type": "ciphertext"}}
    assert isinstance(one("message", payload), Unrecognised)
    waiting = one("message.waiting", {"id": "false_5511990001111@c.us_3EB0A1"})
    assert isinstance(waiting, Unrecognised)
    assert waiting.name == "message.waiting"


def test_that_buttons_polls_and_advertisements_come_through_from_both_engines_with_content() -> None:
    answer = {"templateButtonReplyMessage": {"selectedDisplayText": "Sim", "selectedID": "1"}}
    assert (gows(answer).kind, noweb(answer).text) == (MessageKind.BUTTON_ANSWER, "Sim")
    poll = {"pollCreationMessageV3": {"name": "Cor?", "options": [{"optionName": "azul"}]}}
    assert gows(poll, body=None).raw["poll"]["options"] == ["azul"]
    advertisement = {"title": "Oferta", "sourceID": "120", "ctwaClid": "c", "thumbnail": "A" * 5000}
    context = {"conversionSource": "FB_Ads", "externalAdReply": advertisement}
    event = noweb({"extendedTextMessage": {"text": "oi", "contextInfo": context}})
    assert event.raw["referral"]["advertisement"]["ctwaClid"] == "c"
    assert len(json.dumps(event.raw)) < 1000


def test_that_mentions_of_us_are_seen_in_groups() -> None:
    content = {"extendedTextMessage": {"text": "@169 oi", "contextInfo": {"mentionedJID": ["169000086490092@lid"]}}}
    chat = "120363000000000001@g.us"
    assert gows(content, {"Chat": chat}, id=f"false_{chat}_3EB0A1_5511990001111@c.us").mentions_me
    assert message(mentionedIds=["551140000000@c.us"]).mentions_me
    assert not message(mentionedIds=["5511990002222@c.us"]).mentions_me


def test_that_a_text_too_long_for_us_arrives_whole_so_that_its_cutting_is_noted_with_it() -> None:
    assert message(body="x" * 70_000).text == "x" * 70_000


def test_that_a_quoted_message_is_named_by_its_bare_id() -> None:
    assert message(replyTo={"id": "true_5511990001111@c.us_3EB0Q"}).quoted_provider_id == "3EB0Q"
    assert message(replyTo={"id": "3EB0Q", "body": "x"}).quoted_provider_id == "3EB0Q"


# Changes, receipts, session


def test_that_a_reaction_names_its_target_and_never_takes_its_id() -> None:
    payload = {"id": "false_5511990001111@c.us_R1", "timestamp": 1710481111.853, "fromMe": False}
    event = one(
        "message.reaction", {**payload, "reaction": {"text": "🙏", "messageId": "true_5511990001111@c.us_3EB0"}}
    )
    assert isinstance(event, MessageReceived)
    assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.REACTION, "🙏", "3EB0")
    assert event.provider_id == "R1"
    same = one("message.reaction", {**payload, "reaction": {"text": "", "messageId": "R1"}})
    assert isinstance(same, MessageReceived)
    assert same.provider_id == "R1.reaction.1710481111"


@pytest.mark.parametrize("target", ["3EB0A1", "false_5511990001111@c.us_3EB0A1"])
def test_that_edits_and_revokes_name_the_first_message(target: str) -> None:
    after = {"id": "false_5511990001111@c.us_E2", "timestamp": SECONDS, "fromMe": False}
    edited = one("message.edited", {**after, "body": "olá", "editedMessageId": target})
    assert edited == MessageEdited("3EB0A1", PHONE, "olá", AT)
    assert one("message.revoked", {"after": after, "revokedMessageId": target}) == MessageRevoked("3EB0A1", PHONE, AT)
    assert one("message.revoked", {"before": {**after, "id": target, "from": "5511990001111@c.us"}}) == MessageRevoked(
        "3EB0A1", PHONE, AT
    )


def test_that_receipts_move_our_messages_on_and_other_peoples_are_nothing() -> None:
    ours = {"id": "true_5511990001111@c.us_3EB0A1", "from": "5511990001111@c.us", "fromMe": True}
    for number, ack in ((1, Ack.SERVER), (2, Ack.DEVICE), (3, Ack.READ), (4, Ack.PLAYED)):
        assert one("message.ack", {**ours, "ack": number}) == ReceiptChanged(("3EB0A1",), ack, NOW, PHONE)
    assert one("message.ack", {"id": "3EB0A1", "ackName": "READ"}) == ReceiptChanged(("3EB0A1",), Ack.READ, NOW)
    failed = one("message.ack", {**ours, "ack": -1})
    assert isinstance(failed, SendFailed)
    assert failed.provider_ids == ("3EB0A1",)
    assert isinstance(one("message.ack", {**ours, "ack": 77}), Unrecognised)
    theirs = {**ours, "fromMe": False, "ack": 3}
    upload = {**ours, "ack": -1, "_data": {"Type": "server-error"}}
    for nothing in (theirs, upload, {**ours, "ack": 0}):
        assert parse({"event": "message.ack", "payload": nothing}) == []


@pytest.mark.parametrize(
    ("stated", "status"),
    [
        ("STOPPED", SessionStatus.DISCONNECTED),
        ("STARTING", SessionStatus.CONNECTING),
        ("SCAN_QR_CODE", SessionStatus.AWAITING_QR),
        ("PASSKEY_REQUIRED", SessionStatus.AWAITING_QR),
        ("WORKING", SessionStatus.CONNECTED),
        ("FAILED", SessionStatus.ERROR),
        ("DANCING", SessionStatus.UNKNOWN),
    ],
)
def test_that_the_sessions_states_become_ours(stated: str, status: SessionStatus) -> None:
    history = [{"status": "STOPPED", "timestamp": 1}, {"status": stated, "timestamp": SECONDS * 1000}]
    event = one("session.status", {"status": stated, "statuses": history})
    assert isinstance(event, SessionChanged)
    assert (event.status, event.at) == (status, AT)
    assert event.account == (ME["jid"] if status is SessionStatus.CONNECTED else None)


# Anything at all


@pytest.mark.parametrize("body", [None, [], "x", 7, {}, {"event": "message"}, {"event": 3, "payload": {}}])
def test_that_what_is_no_webhook_is_kept_for_an_admin(body: Any) -> None:
    (event,) = parse(body)
    assert isinstance(event, Unrecognised)


def test_that_an_endless_depth_and_an_endless_id_harm_nobody() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": [deep]}
    assert isinstance(one("message", {"id": "false_5511990001111@c.us_3EB0A1", "_data": deep}), MessageReceived)
    assert isinstance(one("message", {"id": "false_5511990001111@c.us_" + "A" * 5000, "body": "x"}), Unrecognised)
    assert message(id="false_5511990001111@c.us_3E\x00B0").provider_id == "3E\ufffdB0"
