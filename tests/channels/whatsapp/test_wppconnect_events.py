"""WPPConnect's webhooks: from JSON to events. The payloads are written after the server's and the library's source."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
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
from channels.whatsapp.wppconnect_events import parse, parse_message
from domain.messages import Ack, Address, AddressKind, MessageKind, SessionStatus

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
AT, SECONDS = datetime(2026, 3, 4, 11, 59, 50, tzinfo=UTC), 1772625590
PHONE, LID = Address(AddressKind.PHONE, "5511990001111"), Address(AddressKind.LID, "149000011210072")
GROUP = Address(AddressKind.GROUP, "120363000000000001")
CHAT, LID_CHAT, GROUP_CHAT = "5511990001111@c.us", "149000011210072@lid", "120363000000000001@g.us"
OWN = "5511900000000@c.us"
SESSION = SessionRef("s1", "wppconnect", account=OWN, config={"session": "loja"})


def wid(text: str) -> dict[str, str]:
    """A person as WhatsApp Web's own object."""
    user, _, server = text.partition("@")
    return {"server": server, "user": user, "_serialized": text}


def key(text: str) -> dict[str, Any]:
    """A message's id as WhatsApp Web's own object."""
    mine, chat, name, *person = text.split("_")
    return {
        "fromMe": mine == "true",
        "remote": wid(chat),
        "id": name,
        "_serialized": text,
        **({"participant": person[0]} if person else {}),
    }


def events(event: str, data: dict[str, Any], now: datetime = NOW) -> list[ChannelEvent]:
    return parse({"event": event, "session": "loja", **data}, SESSION, received_at=now)


def one(event: str, data: dict[str, Any], now: datetime = NOW) -> ChannelEvent:
    (found,) = events(event, data, now)
    return found


def payload(**fields: Any) -> dict[str, Any]:
    return {
        "id": f"false_{CHAT}_3EB0A1",
        "body": "oi",
        "type": "chat",
        "t": SECONDS,
        "notifyName": "Maria",
        "from": CHAT,
        "to": OWN,
        "ack": 1,
        "chatId": CHAT,
        "fromMe": False,
        "sender": {"id": CHAT, "pushname": "Maria", "profilePicThumbObj": {"img": "https://pps"}, "isMe": False},
        "timestamp": SECONDS,
        "content": "oi",
        "isGroupMsg": False,
        "mediaData": {},
        **fields,
    }


def message(event: str = "onmessage", **fields: Any) -> MessageReceived:
    found = one(event, payload(**fields))
    assert isinstance(found, MessageReceived)
    return found


# Who, where, when


def test_that_a_text_is_what_it_says() -> None:
    event = message()
    assert (event.provider_id, event.chat, event.alternates, event.sender) == ("3EB0A1", PHONE, (), None)
    assert (event.kind, event.text, event.sent_at, event.push_name) == (MessageKind.TEXT, "oi", AT, "Maria")
    assert (event.from_me, event.raw) == (False, {})


def test_that_ids_and_people_may_be_objects() -> None:
    plain = message()
    assert (
        message(id=key(f"false_{CHAT}_3EB0A1"), chatId=wid(CHAT), sender={"id": wid(CHAT), "pushname": "Maria"})
        == plain
    )
    assert message(**{"from": wid(CHAT), "to": wid(OWN)}) == plain


@pytest.mark.parametrize("stamp", [SECONDS, str(SECONDS), SECONDS * 1000, {"low": SECONDS, "high": 0}])
def test_that_a_time_may_come_in_any_shape(stamp: Any) -> None:
    assert message(t=stamp).sent_at == AT
    assert message(t=None, timestamp=stamp).sent_at == AT


@pytest.mark.parametrize("stamp", [None, 0, 16554670, "soon", [1]])
def test_that_a_time_before_whatsapp_is_not_believed(stamp: Any) -> None:
    assert message(t=stamp, timestamp=stamp).sent_at == NOW


@pytest.mark.parametrize(
    ("fields", "chat", "alternates"),
    [
        ({"id": f"false_{LID_CHAT}_3EB0A1", "from": LID_CHAT, "chatId": LID_CHAT, "sender": None}, LID, ()),
        ({"id": f"false_{LID_CHAT}_3EB0A1"}, LID, (PHONE,)),
        ({"sender": {"id": wid(LID_CHAT)}}, PHONE, (LID,)),
        ({"id": f"false_{LID_CHAT}_3EB0A1", "from": LID_CHAT, "sender": {"id": LID_CHAT, "phoneNumber": wid(CHAT)},
          "chatId": LID_CHAT}, LID, (PHONE,)),
        ({"sender": {"id": CHAT, "lid": LID_CHAT}}, PHONE, (LID,)),
        ({"id": f"false_{LID_CHAT}_3EB0A1", "from": LID_CHAT, "chatId": LID_CHAT, "sender": {"id": OWN}}, LID, ()),
    ],
)  # fmt: skip
def test_that_a_lid_and_a_phone_are_two_names_of_one_contact(
    fields: dict[str, Any], chat: Address, alternates: tuple[Address, ...]
) -> None:
    event = message(**fields)
    assert (event.chat, event.alternates) == (chat, alternates)


def test_that_a_group_s_message_has_its_author() -> None:
    fields = {
        "id": f"false_{GROUP_CHAT}_3EB0A1_{LID_CHAT}",
        "from": GROUP_CHAT,
        "chatId": GROUP_CHAT,
        "author": LID_CHAT,
    }
    event = message(**fields, sender={"id": LID_CHAT, "phoneNumber": wid(CHAT), "pushname": "Maria"}, isGroupMsg=True)
    assert (event.provider_id, event.chat, event.sender, event.alternates) == ("3EB0A1", GROUP, LID, ())
    assert event.raw == {"sender_alternates": [str(PHONE)]}


def test_that_status_posts_channels_and_albums_are_nobody_s_message() -> None:
    status = payload(id=f"false_status@broadcast_3EB0A1_{CHAT}", **{"from": "status@broadcast"}, author=CHAT)
    assert events("onmessage", status) == []
    assert events("onmessage", payload(isStatusV3=True)) == []
    assert events("onmessage", payload(id="false_1@newsletter_3EB0A1", **{"from": "1@newsletter"})) == []
    assert events("onmessage", payload(type="album")) == []


def test_that_a_message_through_a_customer_s_broadcast_list_is_private() -> None:
    event = message(id=f"false_1234@broadcast_3EB0A1_{CHAT}", author=CHAT, chatId="1234@broadcast")
    assert event.chat == PHONE


def test_that_what_a_person_typed_on_the_phone_is_our_own() -> None:
    ends = {"from": OWN, "to": CHAT, "author": "5511900000000:66@c.us", "sender": {"id": OWN, "pushname": "Loja"}}
    event = message("onselfmessage", id=f"true_{CHAT}_3EB0A1", fromMe=True, **ends)
    assert (event.from_me, event.chat, event.push_name, event.alternates) == (True, PHONE, None, ())
    out = message("onselfmessage", id=f"true_{CHAT}_3EB0A1_out", fromMe=True, **ends)
    assert out.provider_id == "3EB0A1"


def test_that_unread_messages_of_before_are_messages() -> None:
    assert message("unreadmessages") == message()


def test_that_several_at_once_are_several_events_in_order() -> None:
    spread = {str(number): payload(id=f"false_{CHAT}_3EB{number}") for number in range(11)}
    found = events("unreadmessages", spread)
    assert [event.provider_id for event in found if isinstance(event, MessageReceived)] == [
        f"3EB{n}" for n in range(11)
    ]
    body = {"event": "onmessage", **payload()}
    assert len(parse([body, body], SESSION, received_at=NOW)) == 2


def test_that_another_session_s_event_is_kept_without_its_content() -> None:
    (event,) = parse({"event": "onmessage", **payload(body="private"), "session": "another"}, SESSION)
    assert isinstance(event, Unrecognised)
    assert event.name == "event of another session"
    assert "private" not in json.dumps(event.raw)


# What


BASE64 = "/9j/" + "A" * 60_000


@pytest.mark.parametrize(
    ("kind", "mime", "expected"),
    [
        ("image", "image/jpeg", "image"), ("video", "video/mp4", "video"), ("gif", "video/mp4", "video"),
        ("ptv", "video/mp4", "video"), ("audio", "audio/mpeg", "audio"), ("ptt", "audio/ogg; codecs=opus", "voice"),
        ("document", "application/pdf", "document"), ("sticker", "image/webp", "sticker"), (None, "image/png", "image"),
    ],
)  # fmt: skip
def test_that_a_file_s_bytes_are_no_text(kind: Any, mime: str, expected: str) -> None:
    event = message(
        type=kind, mimetype=mime, body=BASE64, content=BASE64, caption="veja", size="70000", filename="a.bin"
    )
    assert (event.kind, event.text) == (MessageKind(expected), "veja")
    assert event.media is not None
    assert (event.media.mime_type, event.media.size_bytes, event.media.file_name) == (mime, 70000, "a.bin")
    looks = {"preview": BASE64} if kind in {"video", "document"} else {}
    assert event.media.extra == {"message_id": f"false_{CHAT}_3EB0A1"} | looks
    assert event.raw == {}


def test_that_a_file_in_the_gateway_s_store_is_referred_to() -> None:
    media = message(type="image", mimetype="image/jpeg", fileUrl="https://b.s3.amazonaws.com/x.jpeg", isViewOnce=True)
    assert media.media is not None
    assert media.media.url == "https://b.s3.amazonaws.com/x.jpeg"
    assert (media.text, media.raw) == ("", {"view_once": True})


CARD = "BEGIN:VCARD\nVERSION:3.0\nFN:João Silva\nTEL;waid=5511:+55 11\nEND:VCARD"


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        (
            {"type": "location", "lat": -22.9, "lng": -43.1, "loc": "Loja\nRua A, 1", "body": BASE64},
            "location",
            "Loja\nRua A, 1",
        ),
        ({"type": "vcard", "body": CARD, "vcardFormattedName": "João Silva"}, "contact", "João Silva"),
        ({"type": "vcard", "body": CARD}, "contact", "João Silva"),
        ({"type": "multi_vcard", "body": "", "vcardList": [{"displayName": "A", "vcard": CARD}]}, "contact", "A"),
        (
            {"type": "poll_creation", "body": "", "pollName": "Quando?", "pollOptions": [{"name": "a"}]},
            "poll",
            "Quando?",
        ),
        ({"type": "buttons_response", "body": "Sim", "selectedButtonId": "y"}, "button_answer", "Sim"),
        ({"type": "template_button_reply", "body": "Sim", "selectedId": "y"}, "button_answer", "Sim"),
        ({"type": "interactive_response", "body": "Sim"}, "button_answer", "Sim"),
        (
            {"type": "list_response", "body": "", "listResponse": {"title": "Corte", "singleSelectReply": {}}},
            "list_answer",
            "Corte",
        ),
        ({"type": "hsm", "body": "Aviso"}, "text", "Aviso"),
        ({"type": "call_log", "body": ""}, "call", ""),
        ({"type": "groups_v4_invite", "body": BASE64, "comment": "entre"}, "unknown", "entre"),
        ({"type": "product", "body": BASE64, "title": "Shampoo"}, "unknown", "Shampoo"),
        ({"type": "of_tomorrow", "body": "dois"}, "unknown", "dois"),
    ],
)
def test_that_every_other_kind_is_known_or_kept(fields: dict[str, Any], kind: str, text: str) -> None:
    event = message(content=fields["body"], **fields)
    assert (event.kind, event.text) == (MessageKind(kind), text)
    assert bool(event.raw) is (kind != "text")
    assert len(json.dumps(event.raw)) < 3000


def test_that_an_answer_tells_which_choice_it_was() -> None:
    event = message(type="list_response", listResponse={"singleSelectReply": {"selectedRowId": "1"}})
    assert event.raw["content"]["listResponse"]["singleSelectReply"]["selectedRowId"] == "1"


@pytest.mark.parametrize(
    "quote",
    [
        {"quotedMsgId": f"false_{CHAT}_3EB0Q"},
        {"quotedMsgId": key(f"false_{CHAT}_3EB0Q")},
        {"quotedMsgId": f"false_{GROUP_CHAT}_3EB0Q_{CHAT}"},
        {"quotedStanzaID": "3EB0Q"},
        {"quotedMsg": {"id": key(f"true_{CHAT}_3EB0Q"), "body": "antes"}},
    ],
)
def test_that_a_quote_is_found(quote: dict[str, Any]) -> None:
    assert message(**quote).quoted_provider_id == "3EB0Q"


def test_that_mentions_forwards_and_advertisements_are_seen() -> None:
    ad = {"conversionSource": "FB_Ads", "sourceUrl": "https://fb.me/x", "thumbnail": BASE64, "title": "Promoção"}
    event = message(mentionedJidList=[wid(OWN)], isForwarded=True, ctwaContext=ad)
    assert event.mentions_me
    assert event.raw["forwarded"] is True
    assert event.raw["referral"]["advertisement"]["sourceUrl"] == "https://fb.me/x"
    assert len(json.dumps(event.raw)) < 300
    assert not message(mentionedJidList=[CHAT]).mentions_me


@pytest.mark.parametrize(
    "fields", [{"id": None}, {"id": {}}, {"type": "ciphertext"}, {"id": "3EB0", "chatId": None, "from": None}]
)
def test_that_what_cannot_be_read_is_kept(fields: dict[str, Any]) -> None:
    assert isinstance(one("onmessage", payload(**fields)), Unrecognised)


# Reactions, votes, edits, revokes, receipts


@pytest.mark.parametrize("emoji", ["👍", ""])
def test_that_a_reaction_names_its_message(emoji: str) -> None:
    data = {
        "id": key(f"false_{CHAT}_3EB0R"),
        "msgId": key(f"true_{CHAT}_3EB0Q"),
        "reactionText": emoji,
        "read": False,
        "orphan": 0,
        "orphanReason": None,
        "timestamp": SECONDS * 1000,
    }
    event = one("onreactionmessage", data)
    assert event == MessageReceived("3EB0R", PHONE, AT, MessageKind.REACTION, emoji, quoted_provider_id="3EB0Q")
    own = one("onreactionmessage", {**data, "id": f"true_{CHAT}_3EB0R"})
    assert isinstance(own, MessageReceived)
    assert own.from_me
    in_group = one("onreactionmessage", {**data, "id": key(f"false_{GROUP_CHAT}_3EB0R_{LID_CHAT}")})
    assert isinstance(in_group, MessageReceived)
    assert (in_group.chat, in_group.sender) == (GROUP, LID)


def test_that_a_reaction_without_an_id_of_its_own_gets_the_same_name_at_each_telling() -> None:
    data = {"id": f"true_{CHAT}_3EB0Q", "msgId": f"true_{CHAT}_3EB0Q", "reactionText": "👍", "timestamp": SECONDS}
    event = one("onreactionmessage", data)
    assert isinstance(event, MessageReceived)
    assert (event.provider_id, event.from_me) == (f"3EB0Q.reaction.{SECONDS}", False)


def test_that_what_tells_no_time_is_named_the_same_whenever_it_is_told_again() -> None:
    reaction = {"id": f"true_{CHAT}_3EB0Q", "msgId": f"true_{CHAT}_3EB0Q", "reactionText": "👍"}
    vote = {
        "msgId": key(f"true_{CHAT}_3EB0P"),
        "chatId": wid(CHAT),
        "selectedOptions": [{"name": "a"}],
        "sender": wid(CHAT),
    }
    for event, data, other in (
        ("onreactionmessage", reaction, {"reactionText": "🙏"}),
        ("onpollresponse", vote, {"selectedOptions": []}),
    ):
        first, again, changed = (
            one(event, data),
            one(event, data, NOW + timedelta(hours=1)),
            one(event, {**data, **other}),
        )
        assert isinstance(first, MessageReceived)
        assert isinstance(again, MessageReceived)
        assert isinstance(changed, MessageReceived)
        assert first.provider_id == again.provider_id != changed.provider_id


def test_that_a_vote_names_its_poll_and_what_was_chosen() -> None:
    data = {
        "msgId": key(f"true_{CHAT}_3EB0P"),
        "chatId": wid(CHAT),
        "selectedOptions": [{"name": "manhã", "localId": 0}, {"name": "tarde", "localId": 1}, None],
        "timestamp": SECONDS * 1000,
        "sender": wid(CHAT),
    }
    event = one("onpollresponse", data)
    assert isinstance(event, MessageReceived)
    assert (event.kind, event.text, event.quoted_provider_id) == (MessageKind.POLL_VOTE, "manhã, tarde", "3EB0P")
    assert (event.chat, event.sent_at, event.from_me) == (PHONE, AT, False)
    assert event == one("onpollresponse", data)
    assert one("onpollresponse", {**data, "timestamp": SECONDS * 1000 + 1}) != event
    own = one("onPollResponse", {**data, "sender": OWN})
    assert isinstance(own, MessageReceived)
    assert own.from_me


def test_that_a_revoke_names_the_message_that_is_gone() -> None:
    data = {"author": None, "from": CHAT, "to": OWN, "id": f"false_{CHAT}_3EB0V", "refId": f"false_{CHAT}_3EB0Q"}
    assert one("onrevokedmessage", data) == MessageRevoked("3EB0Q", PHONE, NOW)
    assert one("onmessage", payload(type="revoked")) == MessageRevoked("3EB0A1", PHONE, AT)


def test_that_an_edit_is_understood_where_it_is_passed_on() -> None:
    edited = payload(id=f"false_{CHAT}_3EB0Q", body="texto novo", latestEditSenderTimestampMs=SECONDS * 1000)
    data = {"chat": wid(CHAT), "id": f"false_{CHAT}_3EB0Q", "msg": edited}
    assert one("onmessageedit", data) == MessageEdited("3EB0Q", PHONE, "texto novo", AT)


@pytest.mark.parametrize(("number", "ack"), [(1, Ack.SERVER), ("2", Ack.DEVICE), (3, Ack.READ), (4, Ack.PLAYED)])
def test_that_receipts_of_ours_move_on(number: Any, ack: Ack) -> None:
    data = {"id": key(f"true_{CHAT}_3EB0Q_out"), "ack": number, "from": OWN, "to": CHAT, "t": SECONDS, "body": "oi"}
    assert one("onack", data) == ReceiptChanged(("3EB0Q",), ack, NOW, PHONE)
    assert events("onack", {**data, "id": f"false_{CHAT}_3EB0Q"}) == []


@pytest.mark.parametrize("number", [-1, -2, -3, -4, -5, -6, -7])
def test_that_a_failure_of_ours_is_told(number: int) -> None:
    event = one("onack", {"id": f"true_{CHAT}_3EB0Q", "ack": number})
    assert isinstance(event, SendFailed)
    assert event.provider_ids == ("3EB0Q",)


def test_that_a_message_on_its_way_is_no_news_and_an_unknown_number_is_kept() -> None:
    for number in (0, 5):
        assert events("onack", {"id": f"true_{CHAT}_3EB0Q", "ack": number}) == []
    for number in (6, -8, None, True, "x"):
        assert isinstance(one("onack", {"id": f"true_{CHAT}_3EB0Q", "ack": number}), Unrecognised)


# The connection


@pytest.mark.parametrize(
    ("stated", "status"),
    [
        ("inChat", SessionStatus.CONNECTED), ("isLogged", SessionStatus.CONNECTED),
        ("qrReadSuccess", SessionStatus.CONNECTING), ("notLogged", SessionStatus.CONNECTING),
        ("qrReadError", SessionStatus.QR_EXPIRED), ("qrReadFail", SessionStatus.QR_EXPIRED),
        ("autocloseCalled", SessionStatus.QR_EXPIRED), ("browserClose", SessionStatus.DISCONNECTED),
        ("serverClose", SessionStatus.DISCONNECTED), ("disconnectedMobile", SessionStatus.DISCONNECTED),
        ("phoneNotConnected", SessionStatus.DISCONNECTED), ("ofTomorrow", SessionStatus.UNKNOWN),
    ],
)  # fmt: skip
def test_that_every_state_is_known(stated: str, status: SessionStatus) -> None:
    event = one("status-find", {"status": stated})
    assert isinstance(event, SessionChanged)
    assert event.status is status


def test_that_codes_come_as_text() -> None:
    code = one("qrcode", {"qrcode": BASE64, "urlcode": "2@abc"})
    assert code == SessionChanged(SessionStatus.AWAITING_QR, NOW, qr="2@abc")
    without = one("qrcode", {"qrcode": BASE64})
    assert isinstance(without, Unrecognised)
    assert len(json.dumps(without.raw)) < 300
    pairing = one("phoneCode", {"phoneCode": "ABCD-1234", "phone": "5511"})
    assert isinstance(pairing, SessionChanged)
    assert "ABCD-1234" in pairing.detail


def test_that_a_stopped_session_is_disconnected() -> None:
    for name in ("closesession", "logoutsession"):
        event = one(name, {"message": "Session: loja disconnected", "connected": False})
        assert isinstance(event, SessionChanged)
        assert event.status is SessionStatus.DISCONNECTED


def test_that_a_call_is_a_message() -> None:
    call = {"id": "CALL1", "peerJid": wid(LID_CHAT), "offerTime": SECONDS, "isVideo": True, "isGroup": False}
    event = one("incomingcall", call)
    assert event == MessageReceived("CALL1", LID, AT, MessageKind.CALL, raw={"call": {"video": True}})
    assert events("incomingcall", {**call, "outgoing": True}) == []
    group = one("incomingcall", {**call, "isGroup": True, "groupJid": GROUP_CHAT})
    assert isinstance(group, MessageReceived)
    assert (group.chat, group.sender) == (GROUP, LID)


@pytest.mark.parametrize("name", ["onpresencechanged", "onparticipantschanged", "onupdatelabel", "location"])
def test_that_what_nobody_wrote_is_a_known_no_op(name: str) -> None:
    assert events(name, {"id": CHAT}) == []


def test_that_an_unknown_event_is_kept_by_name_without_files() -> None:
    event = one("oftomorrow", {"a": 1, "body": BASE64})
    assert isinstance(event, Unrecognised)
    assert (event.name, event.raw["a"]) == ("oftomorrow", 1)
    assert len(json.dumps(event.raw)) < 300


def test_that_kept_messages_are_read_without_notices() -> None:
    found = parse_message({**payload(), "event": None}, SESSION, received_at=NOW)
    assert found == message()
    for fields in ({"type": "e2e_notification"}, {"isNotification": True}, {"type": "revoked"}, {"id": None}):
        assert parse_message(payload(**fields), SESSION, received_at=NOW) is None
    assert parse_message([], SESSION, received_at=NOW) is None


# Payloads that lie beside the project


CHECKOUT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("ATENDE_SHARED") or CHECKOUT.parent / "shared") / "gateways/fixtures/wppconnect"
MARIA = Address(AddressKind.PHONE, "5511988887777")
EXPECTED: dict[str, Any] = {
    # file: the events, with the time of arrival where the payload tells none
    "_derived_onpollresponse": [
        MessageReceived(
            "3EBPOLL.vote.5511988887777.1680554473000",
            MARIA,
            datetime(2023, 4, 3, 20, 41, 13, tzinfo=UTC),
            MessageKind.POLL_VOTE,
            "Option 1",
            quoted_provider_id="3EBPOLL",
        )
    ],
    "_derived_onrevokedmessage": [MessageRevoked("3EBORIGINAL", MARIA, NOW)],
    "webhook_onack": [ReceiptChanged(("3EB0XXXX",), Ack.READ, NOW, Address(AddressKind.PHONE, "5511999999999"))],
    "webhook_onmessage_chat": [MessageReceived("3AE7951B92607B7B73F8", MARIA, NOW, text="Oi", push_name="Maria")],
    "webhook_onmessage_group_full_truncated": [
        # The reporter cut digits out of the numbers and the time.
        MessageReceived("AE2824E85F7913F2", Address(AddressKind.GROUP, "NNNNNNN"), NOW, text="TEST", push_name="Jow")
    ],
    "webhook_onmessage_group_lid_sender": [
        MessageReceived(
            "3AE7951B92607B7B73F8",
            Address(AddressKind.GROUP, "120363421596195995"),
            NOW,
            text="oi",
            sender=Address(AddressKind.LID, "185336529469528"),
        )
    ],
    "webhook_onmessage_lid": [
        MessageReceived(
            "3AE7951B92607B7B73F8", Address(AddressKind.LID, "276974622781686"), NOW, text="Oi, quero reservar"
        )
    ],
    "webhook_onpresencechanged_lid": [],
    "webhook_status_find": [
        SessionChanged(SessionStatus.QR_EXPIRED, NOW, "Nobody scanned the code: start the pairing again.")
    ],
}


@pytest.mark.shared
@pytest.mark.skipif(not FOLDER.is_dir(), reason="the captured webhooks are absent; ATENDE_SHARED may tell where")
@pytest.mark.parametrize("name", EXPECTED)
def test_that_a_captured_webhook_means_what_was_read_in_it(name: str) -> None:
    webhooks = {path.stem for path in FOLDER.glob("*.json") if not path.stem.startswith("request_")}
    assert webhooks == EXPECTED.keys()
    body = json.loads((FOLDER / f"{name}.json").read_text())
    assert parse(body, SessionRef("s1", "wppconnect"), received_at=NOW) == EXPECTED[name]
