"""GOWA's webhooks, from JSON to events. The payloads are written after its sources: versions 7 (no envelope) to 9."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import ChannelEvent, MessageEdited, MessageReceived, MessageRevoked, ReceiptChanged, Unrecognised
from channels.whatsapp.gowa_events import Device, parse
from domain.messages import Ack, Address, AddressKind, MessageKind

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
AT = datetime(2026, 3, 4, 11, 59, 50, tzinfo=UTC)
STATED = "2026-03-04T08:59:50-03:00"
OWN, OWN_LID = "551140000000@s.whatsapp.net", "169000086490092@lid"
PHONE, LID = Address(AddressKind.PHONE, "5511990001111"), Address(AddressKind.LID, "149000011210072")
GROUP = Address(AddressKind.GROUP, "120363000000000001")
JID, LID_JID, GROUP_JID = "5511990001111@s.whatsapp.net", "149000011210072@lid", "120363000000000001@g.us"
DEVICE = Device("http://gowa:3000/", "loja", OWN)


def events(event: str, payload: Any, **envelope: Any) -> list[ChannelEvent]:
    return parse({"event": event, "device_id": OWN, "payload": payload, **envelope}, DEVICE, received_at=NOW)


def one(event: str, payload: Any, **envelope: Any) -> ChannelEvent:
    (found,) = events(event, payload, **envelope)
    return found


def message(**fields: Any) -> MessageReceived:
    base = {"id": "3EB0A1", "chat_id": JID, "from": JID, "from_name": "Maria", "timestamp": STATED, "is_from_me": False}
    event = one("message", {**base, **fields})
    assert isinstance(event, MessageReceived)
    return event


def old(**fields: Any) -> ChannelEvent:
    base = {"sender_id": "5511990001111", "chat_id": "5511990001111", "from": JID, "timestamp": STATED}
    inner = {"text": "", "id": "3EB0A1", "replied_id": "", "quoted_message": ""}
    (event,) = parse({"pushname": "Maria", "message": inner, **base, **fields}, DEVICE, received_at=NOW)
    return event


# Who, where, when


def test_that_a_text_tells_contact_name_time_and_quote() -> None:
    event = message(body="oi", replied_to_id="3EB0Q", quoted_body="antes")
    assert (event.chat, event.sender, event.alternates, event.from_me) == (PHONE, None, (), False)
    assert (event.kind, event.text, event.sent_at, event.provider_id) == (MessageKind.TEXT, "oi", AT, "3EB0A1")
    assert (event.push_name, event.quoted_provider_id, event.raw) == ("Maria", "3EB0Q", {"quoted_text": "antes"})


def test_that_a_person_s_lid_is_an_alternate_and_never_a_phone() -> None:
    assert message(chat_lid=LID_JID, from_lid=LID_JID, body="oi").alternates == (LID,)
    assert message(from_lid=LID_JID, body="oi").alternates == (LID,)
    unresolved = message(chat_id=LID_JID, chat_lid=LID_JID, from_lid=LID_JID, body="oi", **{"from": LID_JID})
    assert (unresolved.chat, unresolved.alternates) == (LID, ())
    late = message(chat_id=LID_JID, from_lid=LID_JID, body="oi")
    assert (late.chat, late.alternates) == (LID, (PHONE,))


def test_that_our_own_message_is_told_under_the_contacts_chat_without_our_names() -> None:
    mine: dict[str, Any] = {"from": OWN, "from_lid": OWN_LID, "is_from_me": True, "from_name": "Loja"}
    event = message(chat_lid=LID_JID, body="oi", **mine)
    assert (event.chat, event.alternates, event.from_me, event.push_name) == (PHONE, (LID,), True, None)
    bare = message(chat_id=JID, body="oi", **{"from": OWN, "is_from_me": None})
    assert (bare.chat, bare.from_me) == (PHONE, True)


def test_that_the_chat_is_the_contact_where_the_documentation_names_our_own_number_as_chat() -> None:
    assert message(chat_id=OWN, body="oi").chat == PHONE
    to_ourselves = message(chat_id=OWN, body="nota", **{"from": OWN, "is_from_me": True})
    assert (to_ourselves.chat, to_ourselves.from_me) == (Address(AddressKind.PHONE, "551140000000"), True)


def test_that_a_group_has_an_author_whose_other_name_is_kept_apart() -> None:
    event = message(chat_id=GROUP_JID, from_lid=LID_JID, body="@551140000000, oi")
    assert (event.chat, event.sender, event.alternates) == (GROUP, PHONE, ())
    assert (event.raw, event.mentions_me) == ({"sender_alternates": [str(LID)]}, True)
    assert message(chat_id=GROUP_JID, body="@5511400000001").mentions_me is False
    assert message(body="@551140000000").mentions_me is False


def test_that_the_phone_book_s_name_stands_in_but_bare_digits_are_no_name() -> None:
    assert message(body="oi", from_name=None, sender_display_name="Maria da Loja").push_name == "Maria da Loja"
    for digits in ("5511990001111", JID):
        assert message(body="oi", from_name=None, sender_display_name=digits).push_name is None


@pytest.mark.parametrize(
    ("envelope", "ours"),
    [
        ({"session_id": "loja"}, True),
        ({"session_id": "loja", "device_id": "5511400009999@s.whatsapp.net"}, True),
        ({"device_id": "551140000000:7@s.whatsapp.net"}, True),
        ({"device_id": ""}, True),
        ({"session_id": "outra", "device_id": None}, False),
        ({"session_id": "outra", "device_id": "5511400009999@s.whatsapp.net"}, False),
        ({"device_id": "5511400009999@s.whatsapp.net"}, False),
    ],
)
def test_that_the_events_of_the_server_s_other_devices_are_set_aside(envelope: dict[str, Any], ours: bool) -> None:
    event = one("message", {"id": "3EB0A1", "chat_id": JID, "from": JID, "body": "oi"}, **envelope)
    assert isinstance(event, MessageReceived) is ours
    if not ours:
        assert isinstance(event, Unrecognised)
        assert event.name == "event of another device"


@pytest.mark.parametrize("stated", [None, "junk", "", 0, True, [], "0001-01-01T00:00:00Z"])
def test_that_a_senseless_time_becomes_the_envelopes_or_now(stated: Any) -> None:
    assert message(timestamp=stated, body="oi").sent_at == NOW
    event = one("message", {"id": "3EB0A1", "chat_id": JID, "timestamp": stated, "body": "oi"}, timestamp=STATED)
    assert isinstance(event, MessageReceived)
    assert event.sent_at == AT


# What


@pytest.mark.parametrize(
    ("field", "value", "kind", "mime", "name"),
    [
        ("image", "statics/media/1-a.jpeg", "image", "image/jpeg", "1-a.jpeg"),
        ("image", {"path": "statics/media/1-a.jpe", "caption": "veja"}, "image", "image/jpeg", "1-a.jpe"),
        ("image", {"url": "https://mmg.whatsapp.net/x", "caption": "veja"}, "image", None, None),
        ("image", {"media_path": "statics/media/1.jpe", "mime_type": "image/png"}, "image", "image/png", "1.jpe"),
        ("video", {"path": "statics\\media\\1-v.mp4", "caption": "veja"}, "video", "video/mp4", "1-v.mp4"),
        ("video_note", "statics/media/1-n.mp4", "video", "video/mp4", "1-n.mp4"),
        ("audio", "statics/media/1-o.ogg", "voice", "audio/ogg", "1-o.ogg"),
        ("audio", {"media_path": "s/1.m4v", "mime_type": "audio/ogg; x"}, "voice", "audio/ogg; x", "1.m4v"),
        ("audio", "statics/media/1-o.mp3", "audio", "audio/mpeg", "1-o.mp3"),
        ("audio", {"url": "https://mmg.whatsapp.net/x"}, "audio", None, None),
        ("document", {"url": "https://mmg.net/x", "filename": "nota.pdf"}, "document", "application/pdf", "nota.pdf"),
        ("sticker", "statics/media/1-s.webp", "sticker", "image/webp", "1-s.webp"),
        ("sticker", {"url": ""}, "sticker", None, None),
    ],
)  # fmt: skip
def test_that_a_file_is_told_in_every_version_s_shape(
    field: str, value: Any, kind: str, mime: str | None, name: str | None
) -> None:
    event = message(**{field: value})
    assert event.kind == MessageKind(kind)
    assert event.text == (value.get("caption", "") if isinstance(value, dict) else "")
    assert event.media is not None
    assert (event.media.mime_type, event.media.file_name) == (mime, name)
    assert (event.media.extra["message_id"], event.media.extra["chat"]) == ("3EB0A1", JID)
    path = value if isinstance(value, str) else value.get("path") or value.get("media_path", "")
    served = path.startswith("statics")
    assert event.media.url == (f"http://gowa:3000/{path}".replace("\\", "/") if served else None)
    assert message(**{field: value, "body": "legenda", "view_once": True}).text == "legenda"


@pytest.mark.parametrize("path", ["/etc/passwd", "statics/../../etc/passwd", "media/x.jpg", "", "http://evil/x.jpg"])
def test_that_a_path_which_gowa_does_not_serve_has_no_address(path: str) -> None:
    media = message(image=path).media
    assert media is not None
    assert media.url is None


def test_that_an_absolute_path_into_its_folder_is_served_all_the_same() -> None:
    media = message(image="/app/storages/statics/media/a b.jpeg").media
    assert media is not None
    assert media.url == "http://gowa:3000/statics/media/a%20b.jpeg"


def test_that_places_and_cards_keep_their_facts() -> None:
    place = {"degreesLatitude": -23.5, "degreesLongitude": -46.6, "name": "Loja", "address": "Rua A"}
    event = message(location=place)
    assert (event.kind, event.text) == (MessageKind.LOCATION, "Loja")
    assert event.raw["location"] == {
        "latitude": -23.5,
        "longitude": -46.6,
        "name": "Loja",
        "address": "Rua A",
        "live": False,
    }
    live = message(live_location={"degreesLatitude": -23.5, "degreesLongitude": -46.6, "JPEGThumbnail": "x" * 9000})
    assert (live.kind, live.raw["location"]["live"]) == (MessageKind.LOCATION, True)
    card = {"displayName": "Ana", "vcard": "BEGIN:VCARD\nFN:Ana\nEND:VCARD", "phone_number": "+55 11 99000-2222"}
    assert (message(contact=card).kind, message(contact=card).text) == (MessageKind.CONTACT, "Ana")
    several = message(contacts_array=[card, {**card, "displayName": "Bia"}])
    assert (several.kind, several.text) == (MessageKind.CONTACT, "Ana, Bia")
    assert [kept["vcard"] for kept in several.raw["contacts"]] == [card["vcard"]] * 2


def test_that_marks_referral_and_unknown_fields_are_kept() -> None:
    event = message(
        body="oi", forwarded=True, view_once=True, referral={"ctwa_clid": "x", "source_app": "facebook"}, novo=1
    )
    assert event.raw["referral"] == {"ctwa_clid": "x", "source_app": "facebook"}
    assert (event.raw["forwarded"], event.raw["view_once"], event.raw["unknown_fields"]) == (True, True, {"novo": 1})


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"list": {"title": "Menu", "description": "Escolha", "buttonText": "Ver"}}, "text", "Escolha"),
        ({"interactive": "Compre já\n[Abrir] https://x"}, "text", "Compre já\n[Abrir] https://x"),
        ({"order": {"orderTitle": "Pedido", "message": "2 pizzas"}}, "unknown", "2 pizzas"),
        ({}, "unknown", ""),
        ({"body": ""}, "unknown", ""),
        ({"location": "?"}, "location", "?"),
        ({"contacts_array": "?"}, "contact", "?"),
    ],
)
def test_that_what_gowa_does_not_spell_out_is_still_a_message(fields: dict[str, Any], kind: str, text: str) -> None:
    event = message(**fields)
    assert (event.kind, event.text) == (MessageKind(kind), text)


def test_that_reactions_come_and_go() -> None:
    fields = {"id": "3EB0R", "chat_id": JID, "from": JID, "timestamp": STATED, "reacted_message_id": "3EB0A1"}
    for emoji in ("👍", ""):
        event = one("message.reaction", {**fields, "reaction": emoji})
        assert isinstance(event, MessageReceived)
        assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.REACTION, emoji, "3EB0A1")
        assert (event.provider_id, event.chat) == ("3EB0R", PHONE)


def test_that_edits_and_revokes_name_the_earlier_message() -> None:
    ends = {"id": "3EB0E", "chat_id": JID, "chat_lid": LID_JID, "from": JID, "timestamp": STATED, "is_from_me": False}
    edited = one("message.edited", {**ends, "original_message_id": "3EB0A1", "body": "novo"})
    assert edited == MessageEdited("3EB0A1", PHONE, "novo", AT, (LID,))
    revoked = one(
        "message.revoked", {**ends, "revoked_message_id": "3EB0A1", "revoked_chat": OWN, "revoked_from_me": False}
    )
    assert revoked == MessageRevoked("3EB0A1", PHONE, AT, (LID,))
    ours = {**ends, "from": OWN, "is_from_me": True, "revoked_message_id": "3EB0A1"}
    assert one("message.revoked", ours) == MessageRevoked("3EB0A1", PHONE, AT, (LID,), from_me=True)


def test_that_an_edited_caption_which_gowa_does_not_tell_never_empties_the_text() -> None:
    event = one("message.edited", {"id": "3EB0E", "chat_id": JID, "original_message_id": "3EB0A1"})
    assert isinstance(event, Unrecognised)


@pytest.mark.parametrize(
    ("stated", "ack"),
    [("delivered", Ack.DEVICE), ("", Ack.DEVICE), ("inactive", Ack.DEVICE), ("read", Ack.READ), ("played", Ack.PLAYED)],
)
def test_that_receipts_are_told(stated: str, ack: Ack) -> None:
    payload = {"ids": ["3EB0A1", "3EB0A2"], "chat_id": JID, "from": JID, "receipt_type": stated}
    assert events("message.ack", payload, timestamp=STATED) == [ReceiptChanged(("3EB0A1", "3EB0A2"), ack, AT, PHONE)]


@pytest.mark.parametrize(
    "stated", ["sender", "retry", "read-self", "played-self", "server-error", "peer_msg", "hist_sync"]
)
def test_that_the_devices_own_receipts_concern_nobody(stated: str) -> None:
    assert events("message.ack", {"ids": ["3EB0A1"], "chat_id": JID, "from": JID, "receipt_type": stated}) == []


def test_that_our_own_reading_is_no_receipt_of_the_contacts() -> None:
    for chat in (JID, GROUP_JID):
        assert events("message.ack", {"ids": ["3EB0A1"], "chat_id": chat, "from": OWN, "receipt_type": "read"}) == []


def test_that_a_call_is_a_message_of_its_own_kind() -> None:
    payload = {
        "call_id": "CALL1",
        "from": JID,
        "from_lid": LID_JID,
        "auto_rejected": True,
        "remote_platform": "android",
    }
    event = one("call.offer", payload, timestamp=STATED)
    assert isinstance(event, MessageReceived)
    assert (event.kind, event.chat, event.alternates, event.sent_at) == (MessageKind.CALL, PHONE, (LID,), AT)
    group = one("call.offer", {**payload, "group_jid": GROUP_JID})
    assert isinstance(group, MessageReceived)
    assert (group.chat, group.sender) == (GROUP, PHONE)


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("message.deleted", {"deleted_message_id": "3EB0A1", "chat_id": JID, "was_from_me": False}),
        ("chat_presence", {"from": JID, "chat_id": JID, "state": "paused", "media": ""}),
        ("group.participants", {"chat_id": GROUP_JID, "type": "promote", "jids": [JID]}),
        ("group.joined", {"chat_id": GROUP_JID, "type": "join", "jids": [OWN], "reason": "invite"}),
        ("label.edit", {"label_id": "9", "name": "Importante"}),
        ("label.association", {"label_id": "9", "labeled": True, "chat_id": JID}),
        ("newsletter.joined", {"newsletter_id": "1@newsletter"}),
        ("newsletter.left", {"newsletter_id": "1@newsletter", "role": "subscriber"}),
        ("newsletter.message", {"newsletter_id": "1@newsletter", "messages": [{"message_id": "3EB0"}]}),
        ("newsletter.mute", {"newsletter_id": "1@newsletter", "mute": "on"}),
        ("message", {"id": "3EB0A1", "chat_id": "120363000000000009@newsletter", "body": "oferta"}),
        ("message", {"id": "3EB0A1", "chat_id": "status@broadcast", "from": JID, "body": "oferta"}),
    ],
)
def test_that_known_and_unimportant_events_are_nothing(event: str, payload: dict[str, Any]) -> None:
    assert events(event, payload) == []


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("poll.vote", {"id": "3EB0"}),
        ("message", {"chat_id": JID, "body": "sem id"}),
        ("message", {"id": "3EB0A1", "body": "sem chat"}),
        ("message", {"id": "3EB0A1", "chat_id": "867051314767696@bot", "body": "?"}),
        ("message.reaction", {"id": "3EB0A1", "chat_id": JID, "reaction": "👍"}),
        ("message.edited", {"id": "3EB0A1", "chat_id": JID, "body": "x"}),
        ("message.revoked", {"id": "3EB0A1", "chat_id": JID}),
        ("message.ack", {"chat_id": JID, "receipt_type": "read"}),
        ("message.ack", {"ids": ["3EB0A1"], "chat_id": JID, "receipt_type": "teleported"}),
        ("call.offer", {"from": JID}),
        ("message", "text"),
        ("", {}),
        (None, {}),
        (7, {"id": "3EB0A1"}),
    ],
)
def test_that_what_is_not_understood_is_kept(event: Any, payload: Any) -> None:
    found = one(event, payload)
    assert isinstance(found, Unrecognised)
    assert found.name
    json.dumps(found.raw)


# Before version 8


def test_that_an_old_text_reads_the_same() -> None:
    quoted = {"text": "oi", "id": "3EB0A1", "replied_id": "3EB0Q", "quoted_message": "antes"}
    event = old(message=quoted)
    assert isinstance(event, MessageReceived)
    assert (event.chat, event.text, event.sent_at, event.push_name) == (PHONE, "oi", AT, "Maria")
    assert (event.quoted_provider_id, event.raw, event.from_me) == ("3EB0Q", {"quoted_text": "antes"}, False)


def test_that_the_old_sender_in_chat_tells_group_own_and_device() -> None:
    inner = {"text": "oi", "id": "3EB0A1"}
    group = old(message=inner, chat_id="120363000000000001", from_lid=LID_JID, **{"from": f"{JID} in {GROUP_JID}"})
    assert isinstance(group, MessageReceived)
    assert (group.chat, group.sender, group.from_me) == (GROUP, PHONE, False)
    mine = old(message=inner, sender_id="551140000000", **{"from": f"551140000000:7@s.whatsapp.net in {JID}"})
    assert isinstance(mine, MessageReceived)
    assert (mine.chat, mine.from_me) == (PHONE, True)
    companion = old(message=inner, **{"from": f"5511990001111:3@s.whatsapp.net in {JID}"})
    assert isinstance(companion, MessageReceived)
    assert (companion.chat, companion.from_me) == (PHONE, False)
    lid = old(message=inner, chat_id="149000011210072", sender_id="149000011210072", from_lid=LID_JID)
    assert isinstance(lid, MessageReceived)
    assert (lid.chat, lid.alternates) == (PHONE, (LID,))
    name_only = old(message=inner, chat_id="551140000000", **{"from": "Maria"})
    assert isinstance(name_only, MessageReceived)
    assert name_only.chat == PHONE


def test_that_old_files_reactions_edits_and_revokes_read_the_same() -> None:
    image = old(image={"media_path": "statics/media/1.jpe", "mime_type": "image/jpeg", "caption": "veja"})
    assert isinstance(image, MessageReceived)
    assert (image.kind, image.text) == (MessageKind.IMAGE, "veja")
    reaction = old(reaction={"message": "👍", "id": "3EB0T"})
    assert isinstance(reaction, MessageReceived)
    assert (reaction.kind, reaction.text, reaction.quoted_provider_id) == (MessageKind.REACTION, "👍", "3EB0T")
    edited = old(action="message_edited", edited_text="novo", original_message_id="3EB0T")
    assert edited == MessageEdited("3EB0T", PHONE, "novo", AT)
    revoked = old(action="message_revoked", revoked_message_id="3EB0T", revoked_from_me=False, revoked_chat=JID)
    assert revoked == MessageRevoked("3EB0T", PHONE, AT)
    without_target = old(action="message_edited", edited_text="novo")
    assert isinstance(without_target, Unrecognised)
    for deleted in ("message_deleted_for_me", "event.delete_for_me"):
        assert parse({"action": deleted, "deleted_message_id": "3EB0T", "from": JID}, DEVICE) == []
    (unknown,) = parse({"action": "message_teleported", "message": {"id": "3EB0T", "text": "x"}, "from": JID}, DEVICE)
    assert isinstance(unknown, Unrecognised)
    assert unknown.name == "message_teleported"
    ack = {
        "ids": ["3EB0A1"],
        "chat_id": GROUP_JID,
        "from": f"{JID} in {GROUP_JID}",
        "receipt_type": "read",
        "sender_id": JID,
    }
    assert events("message.ack", ack, timestamp=STATED) == [ReceiptChanged(("3EB0A1",), Ack.READ, AT, GROUP)]


# Anything at all

scalars = st.none() | st.booleans() | st.integers() | st.floats()
json_values = st.recursive(
    scalars | st.text(max_size=20) | st.sampled_from([JID, LID_JID, OWN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
FIELDS = (
    "id", "chat_id", "chat_lid", "from", "from_lid", "timestamp", "is_from_me", "body", "image", "audio", "document",
    "contact", "contacts_array", "location", "live_location", "list", "order", "interactive", "ids", "receipt_type",
    "revoked_message_id", "original_message_id", "reacted_message_id", "reaction", "call_id", "group_jid", "message",
    "sender_id", "action", "pushname", "referral", "from_name",
)  # fmt: skip
NAMES = ("message", "message.reaction", "message.edited", "message.revoked", "message.ack", "call.offer", "?")
payloads = st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=10)


@given(
    st.one_of(
        json_values,
        payloads,
        st.builds(lambda n, p: {"event": n, "device_id": OWN, "payload": p}, st.sampled_from(NAMES), payloads),
    )
)
def test_that_no_json_raises_and_every_event_can_be_stored(body: Any) -> None:
    for event in parse(body, DEVICE, received_at=NOW):
        if isinstance(event, MessageReceived | Unrecognised):
            text = json.dumps(event.raw, allow_nan=False)
            assert "\\u0000" not in text
        if isinstance(event, MessageReceived):
            assert event.sent_at.tzinfo is not None
            assert "\0" not in event.text + event.provider_id + (event.push_name or "")
