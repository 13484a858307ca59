"""From WhatsApp's messages to channel events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import HistoryReceived, MessageEdited, MessageReceived, MessageRevoked, ReceiptChanged, Unrecognised
from channels.whatsapp.contents import COMPANIONS, IGNORED, PROTOCOL, RULES, WRAPPERS
from channels.whatsapp.convert import Converted, Ignored, convert_message, convert_receipt, convert_undecryptable
from channels.whatsapp.history import convert_history
from domain.messages import Ack, Address, AddressKind, MessageKind

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LID, PHONE = Address(AddressKind.LID, "149000011210072"), Address(AddressKind.PHONE, "554490000784")
OWN = Address(AddressKind.LID, "169000086490092")


def info(**changes: Any) -> dict[str, Any]:
    base = {"ID": "3EB0A1", "Chat": "149000011210072@lid", "Sender": "149000011210072:2@lid", "PushName": "Maria"}
    return {**base, "SenderAlt": "554490000784:2@s.whatsapp.net", "Timestamp": "2025-10-07T19:13:25-03:00", **changes}


def convert(content: Any, flags: dict[str, Any] | None = None, **changes: Any) -> Converted:
    event = {"Info": info(**changes), "Message": content, **(flags or {})}
    return convert_message(event, received_at=NOW, own=[OWN])


def received(content: Any, flags: dict[str, Any] | None = None, **changes: Any) -> MessageReceived:
    event = convert(content, flags, **changes)
    assert isinstance(event, MessageReceived)
    return event


def neonize_jid(user: str, server: str, device: int = 0) -> dict[str, Any]:
    return {"User": user, "RawAgent": 0, "Device": device, "Integrator": 0, "Server": server, "IsEmpty": not user}


def test_that_text_is_found_in_both_places_where_whatsapp_puts_it() -> None:
    plain = received({"conversation": "oi"})
    assert (plain.kind, plain.text) == (MessageKind.TEXT, "oi")
    assert received({"extendedTextMessage": {"text": "oi"}, "messageContextInfo": {}}).text == "oi"


def test_that_the_two_names_of_a_customer_are_told_and_the_time_is_utc() -> None:
    event = received({"conversation": "oi"})
    assert (event.chat, event.alternates, event.sender, event.push_name) == (LID, (PHONE,), None, "Maria")
    assert event.sent_at == datetime(2025, 10, 7, 22, 13, 25, tzinfo=UTC)


def test_that_neonize_s_dictionary_gives_the_same_event_as_the_gateway_s() -> None:
    source = {
        "Chat": neonize_jid("149000011210072", "lid"),
        "Sender": neonize_jid("149000011210072", "lid", 2),
        "SenderAlt": neonize_jid("554490000784", "s.whatsapp.net", 2),
        "RecipientAlt": neonize_jid("", ""),
        "IsFromMe": False,
    }
    event = {
        "Info": {"MessageSource": source, "ID": "3EB0A1", "Pushname": "Maria", "Timestamp": "1759875205000"},
        "Message": {"conversation": "oi"},
        "Raw": {"conversation": "oi"},
    }
    assert convert_message(event, received_at=NOW) == received({"conversation": "oi"})


def test_that_an_own_message_names_the_customer_it_went_to() -> None:
    event = received(
        {"deviceSentMessage": {"destinationJID": "x", "message": {"conversation": "já respondo"}}},
        IsFromMe=True,
        Sender="169000086490092:9@lid",
        SenderAlt="551190000835@s.whatsapp.net",
        RecipientAlt="554490000784@s.whatsapp.net",
    )
    assert (event.from_me, event.chat, event.alternates) == (True, LID, (PHONE,))
    assert event.text == "já respondo"


def test_that_in_a_group_the_sender_is_told_apart_from_the_chat() -> None:
    event = received(
        {"extendedTextMessage": {"text": "@loja oi", "contextInfo": {"mentionedJID": ["169000086490092@lid"]}}},
        Chat="120363000000000001@g.us",
        IsGroup=True,
    )
    assert event.chat == Address(AddressKind.GROUP, "120363000000000001")
    assert (event.sender, event.alternates, event.mentions_me) == (LID, (PHONE,), True)


def test_that_a_message_through_a_broadcast_list_belongs_to_its_sender_s_chat() -> None:
    event = received({"conversation": "promoção"}, Chat="1700000000@broadcast", IsGroup=True)
    assert (event.chat, event.sender) == (LID, None)


@pytest.mark.parametrize(
    ("key", "body", "kind", "text"),
    [
        ("imageMessage", {"caption": "minha nota"}, MessageKind.IMAGE, "minha nota"),
        ("videoMessage", {"caption": "veja"}, MessageKind.VIDEO, "veja"),
        ("ptvMessage", {}, MessageKind.VIDEO, ""),
        ("audioMessage", {"PTT": True}, MessageKind.VOICE, ""),
        ("audioMessage", {"ptt": False}, MessageKind.AUDIO, ""),
        ("documentMessage", {"caption": "boleto"}, MessageKind.DOCUMENT, "boleto"),
        ("stickerMessage", {}, MessageKind.STICKER, ""),
        ("buttonsResponseMessage", {"selectedDisplayText": "Sim"}, MessageKind.BUTTON_ANSWER, "Sim"),
        ("interactiveResponseMessage", {"body": {"text": "Sim"}}, MessageKind.BUTTON_ANSWER, "Sim"),
        ("listResponseMessage", {"title": "Troca"}, MessageKind.LIST_ANSWER, "Troca"),
        ("pollUpdateMessage", {"vote": {}}, MessageKind.POLL_VOTE, ""),
        ("bcallMessage", {}, MessageKind.CALL, ""),
        ("orderMessage", {"message": "quero estes"}, MessageKind.UNKNOWN, "quero estes"),
        ("kindOfTheFutureMessage", {"text": "?"}, MessageKind.UNKNOWN, ""),
    ],
)
def test_that_each_kind_of_content_is_named(key: str, body: dict[str, Any], kind: MessageKind, text: str) -> None:
    event = received({key: body})
    assert (event.kind, event.text) == (kind, text)


def test_that_a_file_can_be_fetched_later() -> None:
    body = {"URL": "https://mmg.whatsapp.net/x", "mimetype": "image/heic", "fileLength": "1812185", "mediaKey": "a2V5"}
    media = received({"documentMessage": {**body, "fileName": "IMG.HEIC", "directPath": "/v/x"}}).media
    assert media is not None
    assert (media.mime_type, media.file_name, media.size_bytes) == ("image/heic", "IMG.HEIC", 1812185)
    assert media.extra == {"directPath": "/v/x", "mediaKey": "a2V5", "part": "documentMessage"}


def test_that_wrappers_are_taken_off() -> None:
    inner = {"imageMessage": {"caption": "só uma vez"}}
    event = received({"ephemeralMessage": {"message": {"viewOnceMessageV2": {"message": inner}}}})
    assert (event.kind, event.text, event.raw) == (MessageKind.IMAGE, "só uma vez", {"view_once": True})


def test_that_a_quote_and_a_reaction_name_the_message_they_are_about() -> None:
    quote = received({"extendedTextMessage": {"text": "este", "contextInfo": {"stanzaId": "AAAA"}}})
    assert quote.quoted_provider_id == "AAAA"
    reaction = received({"reactionMessage": {"key": {"ID": "BBBB"}, "text": "👍"}})
    assert (reaction.kind, reaction.text, reaction.quoted_provider_id) == (MessageKind.REACTION, "👍", "BBBB")


@pytest.mark.parametrize("kind", ["MESSAGE_EDIT", 14])
def test_that_an_edit_names_the_message_and_its_new_text(kind: object) -> None:
    body = {"key": {"ID": "AAAA"}, "type": kind, "editedMessage": {"conversation": "corrigido"}}
    event = convert({"protocolMessage": {**body, "timestampMS": "1759875205000"}})
    assert event == MessageEdited("AAAA", LID, "corrigido", datetime(2025, 10, 7, 22, 13, 25, tzinfo=UTC), (PHONE,))
    wrapped = convert({"editedMessage": {"message": {"protocolMessage": body}}})
    assert isinstance(wrapped, MessageEdited)


@pytest.mark.parametrize("kind", [{"type": "REVOKE"}, {"type": 0}, {}])
def test_that_a_revoke_names_the_message(kind: dict[str, Any]) -> None:
    event = convert({"protocolMessage": {"key": {"ID": "AAAA"}, **kind}})
    assert isinstance(event, MessageRevoked)
    assert event.provider_id == "AAAA"


def test_that_an_advertisement_s_referral_is_kept() -> None:
    context = {"conversionSource": "FB_Ads", "externalAdReply": {"sourceID": "1202", "thumbnail": "x" * 9000}}
    referral = received({"extendedTextMessage": {"text": "oi", "contextInfo": context}}).raw["referral"]
    assert (referral["conversionSource"], referral["advertisement"]["sourceID"]) == ("FB_Ads", "1202")
    assert len(referral["advertisement"]["thumbnail"]) < 200


def test_that_a_place_and_a_contact_card_keep_their_facts() -> None:
    place = received({"locationMessage": {"degreesLatitude": -23.4, "degreesLongitude": -51.9, "name": "Loja"}})
    assert place.raw["location"] == {"latitude": -23.4, "longitude": -51.9, "name": "Loja", "live": False}
    cards = [{"displayName": "Ana", "vcard": "BEGIN:VCARD"}, {"displayName": "Rui", "vcard": "BEGIN:VCARD"}]
    contact = received({"contactsArrayMessage": {"displayName": "2 contatos", "contacts": cards}})
    assert [card["name"] for card in contact.raw["contacts"]] == ["Ana", "Rui"]


@pytest.mark.parametrize(
    "content",
    [
        {"senderKeyDistributionMessage": {"groupID": "x"}},
        {"protocolMessage": {"type": "APP_STATE_SYNC_KEY_SHARE"}},
        {"protocolMessage": {"type": "EPHEMERAL_SETTING", "key": {"ID": "x"}}},
        {"albumMessage": {"expectedImageCount": 3}},
    ],
)
def test_that_only_what_nobody_wrote_is_ignored(content: dict[str, Any]) -> None:
    assert isinstance(convert(content), Ignored)


def test_that_what_cannot_be_decrypted_is_a_message_unless_whatsapp_wants_it_hidden() -> None:
    sealed = convert_undecryptable({"Info": info()}, received_at=NOW)
    assert isinstance(sealed, MessageReceived)
    assert (sealed.kind, sealed.awaiting, sealed.chat) == (MessageKind.UNKNOWN, "decryption", LID)
    shown_elsewhere = convert_undecryptable({"Info": info(), "IsUnavailable": True}, received_at=NOW)
    assert isinstance(shown_elsewhere, MessageReceived)
    assert shown_elsewhere.awaiting == "phone_only"
    for mode in ("DECRYPT_FAIL_HIDE", 1):
        hidden = {"Info": info(), "DecryptFailMode": mode}
        assert isinstance(convert_undecryptable(hidden, received_at=NOW), Ignored)
    assert isinstance(convert_undecryptable({"Info": {}}, received_at=NOW), Unrecognised)


@pytest.mark.parametrize(
    "junk", [{}, {"conversations": 7}, {"conversations": [{"ID": 3}, None]}, {"syncType": "PUSH_NAME"}]
)
def test_that_history_without_messages_is_nothing(junk: dict[str, Any]) -> None:
    assert isinstance(convert_history(junk, received_at=NOW), Ignored)


def test_that_the_unknown_in_a_history_is_kept_and_its_own_lines_are_not() -> None:
    group = {"ID": "120363000000000001@g.us", "messages": []}
    key = {"ID": "A1", "participant": "77@lid", "fromMe": False}
    group["messages"] = [
        {
            "message": {
                "key": key,
                "message": {"holoMessage": {"x": 1}},
                "messageTimestamp": "1759875205",
                "pushName": "B",
            }
        },
        {"message": {"key": {"ID": "A2"}, "messageStubType": "GROUP_CREATE"}},
        {"message": {"key": {"ID": "A3"}, "message": {"conversation": 7}, "messageTimestamp": "junk"}},
    ]
    found = convert_history({"syncType": "FULL", "conversations": [group]}, received_at=NOW)
    assert isinstance(found, HistoryReceived)
    by_id = {message.provider_id: message for message in found.messages}
    assert by_id.keys() == {"A1", "A3"}
    assert (by_id["A1"].kind, str(by_id["A1"].sender), by_id["A1"].push_name) == (MessageKind.UNKNOWN, "lid:77", "B")
    assert all(message.historical for message in found.messages)


def test_that_a_status_post_is_no_message_to_us() -> None:
    assert isinstance(convert({"conversation": "bom dia"}, Chat="status@broadcast"), Ignored)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(sorted({*RULES, *WRAPPERS, *COMPANIONS, PROTOCOL, "somethingNew"}))
fields = st.sampled_from(["text", "caption", "contextInfo", "key", "fileLength", "message", "mentionedJID", "contacts"])
bodies = json_values | st.dictionaries(fields, json_values | st.dictionaries(fields, json_values, max_size=2))


@given(st.dictionaries(kinds, bodies, min_size=1, max_size=2))
def test_that_no_content_whatever_its_shape_raises_or_vanishes(content: dict[str, Any]) -> None:
    event = convert(content)
    assert isinstance(event, MessageReceived | MessageEdited | MessageRevoked | Ignored)
    if isinstance(event, Ignored):
        assert not set(content) & set(RULES) or set(content) & {PROTOCOL, *WRAPPERS, *COMPANIONS}


@given(json_values | st.dictionaries(st.sampled_from(["Info", "Message"]), json_values))
def test_that_an_event_without_a_chat_is_kept_for_an_admin(event: Any) -> None:
    assert isinstance(convert_message({"Info": event}, received_at=NOW), Unrecognised)


@pytest.mark.parametrize(
    ("kind", "ack"), [("DELIVERED", Ack.DEVICE), ("INACTIVE", Ack.DEVICE), ("READ", Ack.READ), ("PLAYED", Ack.PLAYED)]
)
def test_that_receipts_move_our_messages_on(kind: str, ack: Ack) -> None:
    source = {"Chat": neonize_jid("149000011210072", "lid"), "IsFromMe": False}
    event = {"MessageSource": source, "MessageIDs": ["A", "B"], "Timestamp": "1759875205", "Type": kind}
    at = datetime(2025, 10, 7, 22, 13, 25, tzinfo=UTC)
    assert convert_receipt(event, received_at=NOW) == ReceiptChanged(("A", "B"), ack, at, LID)


def test_that_reading_on_our_own_phone_is_not_taken_for_the_customer_s() -> None:
    event = {"MessageSource": {"IsFromMe": True}, "MessageIDs": ["A"], "Timestamp": "1", "Type": "READ"}
    assert isinstance(convert_receipt(event, received_at=NOW), Ignored)
    assert isinstance(convert_receipt({**event, "Type": "READ_SELF"}, received_at=NOW), Ignored)


@pytest.mark.neonize
def test_that_every_kind_the_library_knows_is_decided_here() -> None:
    program = (
        "import pylibmagic\n"
        "from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import Message\n"
        "print(*[field.name for field in Message.DESCRIPTOR.fields])"
    )
    listed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    decided = {*RULES, *WRAPPERS, *COMPANIONS, *IGNORED, PROTOCOL}
    assert set(listed.stdout.split()) - decided == set()


def captured() -> list[Path]:
    beside = Path(__file__).resolve().parents[4] / "shared"
    folder = Path(os.environ.get("ATENDE_SHARED") or beside) / "gateways" / "fixtures" / "waha"
    return sorted(folder.glob("real_gows_*.json"))


@pytest.mark.shared
@pytest.mark.skipif(not captured(), reason="the captured gateway payloads are not beside this checkout")
@pytest.mark.parametrize("path", captured(), ids=lambda path: path.stem)
def test_that_captured_messages_are_understood(path: Path) -> None:
    payload = json.loads(path.read_text())["payload"]
    at = datetime.fromtimestamp(payload["timestamp"], UTC)
    event = convert_message(payload["_data"], received_at=at)
    assert isinstance(event, MessageReceived)
    assert event.kind is not MessageKind.UNKNOWN
    assert payload["id"].endswith(event.provider_id)
    assert event.text == (payload.get("body") or event.text)
    assert event.sent_at == at
    assert {event.chat.kind, *(other.kind for other in event.alternates)} == {AddressKind.PHONE, AddressKind.LID}
    assert (event.media is not None) == payload["hasMedia"]
    assert ("referral" in event.raw) == ("fb_ads" in path.stem)
