"""Cloud API webhooks: signature, challenge, routing by number, and every kind of content."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from channels.gateway import WebhookDelivery
from channels.whatsapp.cloud_api import CloudApiGateway
from channels.whatsapp.cloud_api_events import parse
from channels.whatsapp.cloud_api_webhook import challenge, route
from domain.messages import Ack, Address, AddressKind, MessageKind, SessionStatus
from tests.channels.gateway_contract import assert_well_formed
from tests.gateways.files import Files

NUMBER, OWN, CUSTOMER = "106540352242922", "15550783881", "5511990001111"
BSUID, PARENT = "BR.13491208655302741918", "BR.ENT.11815799212886844830"
PHONE = Address(AddressKind.PHONE, CUSTOMER)
AT = datetime(2023, 10, 11, 16, 53, 43, tzinfo=UTC)
CARD = {"profile": {"name": "Maria"}, "wa_id": CUSTOMER, "user_id": BSUID}


def delivery(*changes: dict[str, Any], **entry: Any) -> dict[str, Any]:
    return {"object": "whatsapp_business_account", "entry": [{"id": "1022", "changes": list(changes), **entry}]}


def change(field: str = "messages", number: str = NUMBER, **value: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": OWN, "phone_number_id": number}
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}


def message(kind: str, body: Any = None, **more: Any) -> dict[str, Any]:
    part = {} if body is None else {kind: body}
    return {"from": CUSTOMER, "id": "wamid.A", "timestamp": "1697043223", "type": kind, **part, **more}


def received(*messages: dict[str, Any], contacts: Any = (CARD,), **more: Any) -> list[ChannelEvent]:
    return parse(delivery(change(messages=list(messages), contacts=list(contacts), **more)), number=NUMBER)


def one(events: list[ChannelEvent]) -> MessageReceived:
    (event,) = events
    assert isinstance(event, MessageReceived)
    return event


KINDS: list[tuple[str, Any, MessageKind, str]] = [
    ("text", {"body": "Olá 🙏🏽"}, MessageKind.TEXT, "Olá 🙏🏽"),
    ("image", {"id": "1", "mime_type": "image/jpeg", "sha256": "x", "caption": "foto"}, MessageKind.IMAGE, "foto"),
    ("video", {"id": "1", "mime_type": "video/mp4"}, MessageKind.VIDEO, ""),
    ("audio", {"id": "1", "mime_type": "audio/ogg; codecs=opus", "voice": True}, MessageKind.VOICE, ""),
    ("audio", {"id": "1", "mime_type": "audio/mpeg", "voice": False}, MessageKind.AUDIO, ""),
    ("document", {"id": "1", "filename": "nota.pdf", "caption": "nota"}, MessageKind.DOCUMENT, "nota"),
    ("sticker", {"id": "1", "animated": True}, MessageKind.STICKER, ""),
    ("location", {"latitude": -23.5, "longitude": -46.6}, MessageKind.LOCATION, ""),
    ("location", {"latitude": 0, "longitude": 0, "address": "Rua A"}, MessageKind.LOCATION, "Rua A"),
    ("contacts", [{"name": {"formatted_name": "Ana"}, "phones": [{"wa_id": "55"}]}], MessageKind.CONTACT, "Ana"),
    ("contacts", [{"vcard": "BEGIN:VCARD", "phones": [{"phone": "+55"}]}], MessageKind.CONTACT, ""),
    ("reaction", {"message_id": "wamid.Z", "emoji": "👍"}, MessageKind.REACTION, "👍"),
    ("reaction", {"message_id": "wamid.Z"}, MessageKind.REACTION, ""),
    ("button", {"text": "Sim", "payload": "yes"}, MessageKind.BUTTON_ANSWER, "Sim"),
    (
        "interactive",
        {"type": "button_reply", "button_reply": {"id": "b1", "title": "Sim"}},
        MessageKind.BUTTON_ANSWER,
        "Sim",
    ),
    (
        "interactive",
        {"type": "list_reply", "list_reply": {"id": "r1", "title": "Um", "description": "d"}},
        MessageKind.LIST_ANSWER,
        "Um",
    ),
    (
        "interactive",
        {"type": "nfm_reply", "nfm_reply": {"response_json": '{"cor":"azul","flow_token":"t"}', "body": "Sent"}},
        MessageKind.BUTTON_ANSWER,
        "cor: azul",
    ),
    (
        "interactive",
        {"type": "nfm_reply", "nfm_reply": {"response_json": "no json", "body": "Sent"}},
        MessageKind.BUTTON_ANSWER,
        "Sent",
    ),
    (
        "interactive",
        {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}},
        MessageKind.SYSTEM,
        "",
    ),
    ("interactive", {"type": "new_reply", "new_reply": {"title": "?"}}, MessageKind.UNKNOWN, "?"),
    (
        "order",
        {"text": "por favor", "product_items": [{"product_retailer_id": "A", "quantity": 2, "item_price": 1.5}]},
        MessageKind.UNKNOWN,
        "por favor\n2 × A (1.5)",
    ),
    ("system", {"body": "User identity changed", "type": "customer_identity_changed"}, MessageKind.SYSTEM, None),
    ("request_welcome", None, MessageKind.SYSTEM, ""),
    ("unsupported", None, MessageKind.UNKNOWN, ""),
    ("unknown", None, MessageKind.UNKNOWN, ""),
    ("hologram", {"some": "thing"}, MessageKind.UNKNOWN, ""),
    ("text", "not an object", MessageKind.UNKNOWN, ""),
    ("image", ["not an object"], MessageKind.UNKNOWN, ""),
]  # type: ignore[list-item]


@pytest.mark.parametrize(("kind", "body", "wanted", "text"), KINDS)
def test_that_every_type_of_message_is_read(kind: str, body: Any, wanted: MessageKind, text: str | None) -> None:
    event = one(received(message(kind, body)))
    assert event.kind is wanted
    assert text is None or event.text == text
    assert (event.provider_id, event.chat, event.sent_at, event.push_name) == ("wamid.A", PHONE, AT, "Maria")
    assert event.alternates == (Address(AddressKind.BSUID, BSUID),)
    assert not event.from_me
    assert not event.historical
    assert (event.media is not None) == (isinstance(body, dict) and "id" in body)
    if wanted is MessageKind.UNKNOWN:
        assert event.raw["type"] == kind


def test_that_media_keeps_what_is_needed_to_fetch_it() -> None:
    url = "https://lookaside.fbsbx.com/x"
    body = {"id": "654", "mime_type": "application/pdf", "filename": "a.pdf", "sha256": "s", "url": url}
    media = one(received(message("document", body))).media
    assert media is not None
    assert (media.mime_type, media.file_name, media.url) == ("application/pdf", "a.pdf", url)
    assert media.extra == {"id": "654", "sha256": "s"}


def test_that_context_referral_and_choices_are_kept() -> None:
    quoted = one(received(message("text", {"body": "a"}, context={"id": "wamid.Q", "from": OWN})))
    assert quoted.quoted_provider_id == "wamid.Q"
    assert one(received(message("text", {"body": "a"}, context={"frequently_forwarded": True}))).raw["forwarded"]
    referral = {"source_type": "ad", "ctwa_clid": "C", "headline": "H"}
    assert one(received(message("text", {"body": "a"}, referral=referral))).raw["referral"] == referral
    reaction = one(received(message("reaction", {"message_id": "wamid.Z", "emoji": ""})))
    assert (reaction.text, reaction.quoted_provider_id) == ("", "wamid.Z")
    answer = one(received(message("interactive", {"type": "list_reply", "list_reply": {"id": "r1", "title": "t"}})))
    assert answer.raw["content"]["list_reply"]["id"] == "r1"


def test_that_people_who_hide_their_number_are_known_by_their_id() -> None:
    hidden = {"profile": {"name": "João", "username": "joao"}, "user_id": BSUID, "parent_user_id": PARENT}
    names = (Address(AddressKind.BSUID, BSUID), Address(AddressKind.BSUID, PARENT))
    told = message("text", {"body": "a"}, from_user_id=BSUID)
    del told["from"]
    untold = {name: value for name, value in told.items() if name != "from_user_id"}
    for body in (told, untold):
        event = one(received(body, contacts=[hidden]))
        assert (event.chat, *event.alternates) == names
        assert event.push_name == "João"
    # A number that the card tells is the better name to answer to, although the message only tells the id.
    event = one(received(told, contacts=[{**hidden, "wa_id": CUSTOMER}]))
    assert (event.chat, *event.alternates) == (PHONE, *names)
    # Two people, no names: by position; three cards for two messages: nobody can tell.
    other = {"user_id": "BR.2"}
    events = received(untold, {**untold, "id": "wamid.B"}, contacts=[hidden, other])
    assert [event.chat.value for event in events if isinstance(event, MessageReceived)] == [BSUID, "BR.2"]
    lost = received(untold, {**untold, "id": "wamid.B"}, contacts=[hidden, other, CARD])
    assert [type(event) for event in lost] == [Unrecognised, Unrecognised]


def test_that_a_message_belongs_to_its_writer_and_not_to_the_first_card() -> None:
    other = {"profile": {"name": "Outro"}, "wa_id": "5511990002222"}
    second = message("text", {"body": "b"}, id="wamid.B", **{"from": "5511990002222"})
    events = received(message("text", {"body": "a"}), second, contacts=[other, CARD])
    told = [(e.chat.value, e.push_name, e.text) for e in events if isinstance(e, MessageReceived)]
    assert told == [(CUSTOMER, "Maria", "a"), ("5511990002222", "Outro", "b")]


def test_that_a_group_is_the_chat_and_its_members_stay_themselves() -> None:
    event = one(received(message("text", {"body": "a"}, group_id="Y2Fw==")))
    assert event.chat == Address(AddressKind.GROUP, "Y2Fw==")
    assert (event.sender, event.alternates) == (PHONE, ())


def test_that_edits_and_revokes_name_the_original() -> None:
    edit = {"original_message_id": "wamid.O", "message": {"type": "text", "text": {"body": "novo"}}}
    caption = {"original_message_id": "wamid.O", "message": {"type": "image", "image": {"id": "1", "caption": "nova"}}}
    ids = (Address(AddressKind.BSUID, BSUID),)
    assert received(message("edit", edit)) == [MessageEdited("wamid.O", PHONE, "novo", AT, ids)]
    assert received(message("edit", caption)) == [MessageEdited("wamid.O", PHONE, "nova", AT, ids)]
    assert received(message("revoke", {"original_message_id": "wamid.O"})) == [
        MessageRevoked("wamid.O", PHONE, AT, ids)
    ]
    # Without the original's name nothing can be changed: kept as it is.
    assert one(received(message("revoke", {}))).kind is MessageKind.UNKNOWN


def test_that_a_new_number_is_the_same_contact() -> None:
    system = {"body": "changed", "type": "user_changed_number", "wa_id": "5511990009999"}
    event = one(received(message("system", system), contacts=[]))
    assert (event.chat.value, event.alternates) == ("5511990009999", (PHONE,))
    assert event.kind is MessageKind.SYSTEM


def test_that_what_the_phone_sent_is_from_us() -> None:
    echo = {
        "from": OWN,
        "to": CUSTOMER,
        "id": "wamid.E",
        "timestamp": "1697043223",
        "type": "text",
        "text": {"body": "x"},
    }
    event = one(parse(delivery(change("smb_message_echoes", message_echoes=[echo], contacts=[CARD]))))
    assert (event.from_me, event.chat, event.push_name) == (True, PHONE, None)
    hidden = {**echo, "to_user_id": BSUID}
    del hidden["to"]
    event = one(parse(delivery(change("smb_message_echoes", message_echoes=[hidden]))))
    assert event.chat == Address(AddressKind.BSUID, BSUID)
    revoke = {**echo, "type": "revoke", "revoke": {"original_message_id": "wamid.O"}}
    (gone,) = parse(delivery(change("smb_message_echoes", message_echoes=[revoke])))
    assert isinstance(gone, MessageRevoked)
    assert (gone.from_me, gone.chat) == (True, PHONE)


def status(state: str, **more: Any) -> list[ChannelEvent]:
    item = {"id": "wamid.S", "status": state, "timestamp": "1697043223", "recipient_id": CUSTOMER, **more}
    return parse(delivery(change(statuses=[item])))


def test_that_statuses_are_receipts_with_our_key() -> None:
    for name, ack in (("sent", Ack.SERVER), ("delivered", Ack.DEVICE), ("read", Ack.READ), ("played", Ack.PLAYED)):
        assert status(name, biz_opaque_callback_data="k") == [ReceiptChanged(("wamid.S",), ack, AT, PHONE, "k")]
    errors = [{"code": 130472, "title": "Experiment", "error_data": {"details": "not now"}}]
    assert status("failed", errors=errors) == [SendFailed(("wamid.S",), AT, "Experiment: not now (130472)", None)]
    (late,) = status("failed", errors=[{"code": 131047, "title": "Re-engagement message"}])
    assert isinstance(late, SendFailed)
    assert "send an approved template" in late.detail
    assert status("failed", errors="what?") == [SendFailed(("wamid.S",), AT, "", None)]
    (hidden,) = status("read", recipient_id=None, recipient_user_id=BSUID)
    assert isinstance(hidden, ReceiptChanged)
    assert hidden.chat == Address(AddressKind.BSUID, BSUID)
    (group,) = status("read", recipient_id="Y2Fw==", recipient_type="group")
    assert isinstance(group, ReceiptChanged)
    assert group.chat == Address(AddressKind.GROUP, "Y2Fw==")
    (new,) = status("teleported")
    assert isinstance(new, Unrecognised)


def test_that_one_delivery_holds_many_things_and_one_odd_thing_takes_none_with_it() -> None:
    texts = [message("text", {"body": str(n)}, id=f"wamid.{n}") for n in range(3)]
    odd: list[Any] = [None, "x", {"id": 5}, {}, {"type": "text"}, {"id": "wamid.N"}]
    body = delivery(change(messages=[*texts[:1], *odd]), change(messages=texts[1:2]))
    body["entry"] += delivery(change(messages=texts[2:]), {"field": "messages"}, {"value": 1}, 7)["entry"]  # type: ignore[arg-type]
    events = parse(body)
    assert [event.text for event in events if isinstance(event, MessageReceived)] == ["0", "1", "2"]
    assert len([event for event in events if isinstance(event, Unrecognised)]) == len(odd) + 3
    for event in events:
        if isinstance(event, Unrecognised):
            json.dumps(event.raw, allow_nan=False)


def test_that_history_is_stored_as_such_with_both_sides() -> None:
    theirs = {"from": CUSTOMER, "id": "wamid.1", "timestamp": "1697043223", "type": "text", "text": {"body": "oi"},
              "history_context": {"status": "READ"}}  # fmt: skip
    ours = {**theirs, "from": OWN, "to": CUSTOMER, "id": "wamid.2", "text": {"body": "olá"}}
    untold = {**theirs, "from": OWN, "id": "wamid.3", "history_context": {"from_me": True}}
    placeholder = {**theirs, "id": "wamid.4", "type": "media_placeholder"}
    del placeholder["text"]
    thread = {"id": CUSTOMER, "messages": [theirs, ours, untold, placeholder]}
    chunk = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}, "threads": [thread]}
    events = parse(delivery(change("history", history=[chunk])))
    assert all(isinstance(event, MessageReceived) and event.historical and event.chat == PHONE for event in events)
    assert [(e.from_me, e.kind.value) for e in events if isinstance(e, MessageReceived)] == [
        (False, "text"), (True, "text"), (True, "text"), (False, "unknown"),
    ]  # fmt: skip
    late = message("image", {"id": "77", "mime_type": "image/jpeg"})
    assert one(parse(delivery(change("history", messages=[late])))).historical
    (refused,) = parse(delivery(change("history", history=[{"errors": [{"code": 2593109}]}])))
    assert isinstance(refused, Unrecognised)


@pytest.mark.parametrize(
    ("value", "wanted", "told"),
    [
        ({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}, SessionStatus.ERROR, "disabled"),
        (
            {
                "event": "DISABLED_UPDATE",
                "ban_info": {"waba_ban_state": "SCHEDULE_FOR_DISABLE", "waba_ban_date": "May 2"},
            },
            SessionStatus.RESTRICTED,
            "May 2",
        ),
        ({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}, SessionStatus.CONNECTED, ""),
        (
            {"event": "ACCOUNT_RESTRICTION", "restriction_info": [{"restriction_type": "RESTRICTED_X"}]},
            SessionStatus.RESTRICTED,
            "RESTRICTED_X",
        ),
        ({"event": "ACCOUNT_RESTRICTION"}, SessionStatus.RESTRICTED, "no details"),
        ({"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "X"}}, SessionStatus.RESTRICTED, ": X"),
        ({"event": "ACCOUNT_DELETED"}, SessionStatus.ERROR, "deleted"),
        ({"event": "PARTNER_REMOVED"}, SessionStatus.DISCONNECTED, "access"),
        ({"event": "PARTNER_ADDED"}, None, ""),
        ({"event": "NEVER_HEARD_OF"}, "kept", ""),
        ({"event": "DISABLED_UPDATE"}, "kept", ""),
        ({}, "kept", ""),
    ],
)  # fmt: skip
def test_that_what_befalls_the_account_changes_the_number(value: dict[str, Any], wanted: Any, told: str) -> None:
    events = parse(delivery({"field": "account_update", "value": value}, time=1697043223))
    if wanted is None:
        assert events == []
    elif wanted == "kept":
        assert [type(event) for event in events] == [Unrecognised]
    else:
        (event,) = events
        assert isinstance(event, SessionChanged)
        assert (event.status, event.at) == (wanted, AT)
        assert told in event.detail


def test_that_templates_calls_and_other_fields_have_their_place() -> None:
    named = {"message_template_name": "t", "message_template_language": "pt_BR"}
    fields = [
        ("message_template_status_update", {**named, "event": "PAUSED", "reason": "NONE"}, {"status": "PAUSED"}),
        ("message_template_quality_update", {**named, "new_quality_score": "RED"}, {"quality": "RED"}),
        ("template_category_update", {**named, "new_category": "MARKETING"}, {"category": "MARKETING"}),
        ("message_template_components_update", named, {}),
    ]
    for field, value, said in fields:
        events = parse(delivery({"field": field, "value": value}, time=1697043223))
        assert events == [TemplateChanged("t", "pt_BR", AT, **said)]
    (flagged,) = parse(delivery({"field": "phone_number_quality_update", "value": {"event": "FLAGGED"}}))
    assert isinstance(flagged, SessionChanged)
    assert flagged.status is SessionStatus.RESTRICTED
    call = {"id": "wacid.1", "from": CUSTOMER, "to": OWN, "event": "connect", "direction": "USER_INITIATED"}
    assert one(parse(delivery(change("calls", calls=[call], contacts=[CARD])))).kind is MessageKind.CALL
    assert parse(delivery(change("calls", calls=[{**call, "event": "terminate"}]))) == []
    assert parse(delivery(change("calls", statuses=[{"id": "wacid.1", "type": "call", "status": "RINGING"}]))) == []
    for field in ("user_preferences", "security", "account_alerts", "a_new_field", "group_lifecycle_update", "standby"):
        (kept,) = parse(delivery(change(field, something=[1])))
        assert isinstance(kept, Unrecognised)
    assert parse(delivery({"field": "smb_app_state_sync", "value": {"state_sync": []}})) == []


def test_that_a_change_of_another_number_is_kept_and_not_mixed_in() -> None:
    events = parse(delivery(change(number="999", messages=[message("text", {"body": "x"})])), number=NUMBER)
    assert [type(event) for event in events] == [Unrecognised]


def test_that_deliveries_of_an_app_are_taken_apart_by_number_without_losing_anything() -> None:
    first, second = change(messages=[{"id": "1"}]), change(number="2", statuses=[{"id": "2"}])
    third, ban = change(messages=[{"id": "3"}]), {"field": "account_update", "value": {"event": "X"}}
    partner = {"field": "account_update", "value": {"event": "PARTNER_REMOVED", "waba_info": {"waba_id": "77"}}}
    body = delivery(first, second, third, ban, partner, time=5)
    body["entry"] += delivery({"field": "messages", "value": None}, id="9", **{})["entry"]
    parts = dict(route(body))
    assert [c["value"]["messages"] for c in parts[NUMBER]["entry"][0]["changes"]] == [[{"id": "1"}], [{"id": "3"}]]
    assert parts[NUMBER]["entry"][0]["time"] == 5
    assert parts["2"]["entry"][0]["changes"] == [second]
    assert parts["waba:1022"]["entry"][0]["changes"] == [ban]
    assert parts["waba:77"]["entry"][0]["changes"] == [partner]
    assert sum(len(entry["changes"]) for part in parts.values() for entry in part["entry"]) == 6
    for nothing in (None, [], "x", {"entry": 5}, {"entry": [1, {"changes": 2}]}, {}):
        assert all(key == "" for key, _ in route(nothing))
        assert route(nothing)
    assert route({"entry": []}) == []


def test_that_only_meta_passes_the_door() -> None:
    gateway = CloudApiGateway(httpx.AsyncClient(), Files())
    body, secret = b'{"a":1}', "s3cret"
    good = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

    def passes(header: str | None, config: dict[str, Any] | None = None, raw: bytes = body) -> bool:
        headers = {} if header is None else {"x-hub-signature-256": header}
        return gateway.verify({"app_secret": secret} if config is None else config, WebhookDelivery(raw, headers))

    assert passes(good)
    assert passes(good.upper().replace("SHA256", "sha256"))
    assert not passes(good, raw=body + b" ")
    assert not passes(good, {"app_secret": "other"})
    for config in ({}, {"app_secret": ""}, {"app_secret": None}, {"app_secret": 5}):
        assert not passes(good, config)
    for header in (None, "", "sha256=", good[7:], "sha1=" + good[7:], good[:-1], "sha256=ação"):
        assert not passes(header)


def test_that_metas_challenge_is_answered_for_the_right_token_only() -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "vt", "hub.challenge": "1158201444"}
    assert challenge("vt", asked) == "1158201444"
    assert challenge("", {**asked, "hub.verify_token": ""}) is None
    for wrong in ({"hub.mode": "unsubscribe"}, {"hub.verify_token": "ção"}, {"hub.challenge": "<script>"}):
        assert challenge("vt", {**asked, **wrong}) is None
    for name in asked:
        assert challenge("vt", {key: value for key, value in asked.items() if key != name}) is None


NAMES_TEXT = """
object entry id time changes field value metadata phone_number_id display_phone_number contacts wa_id user_id
profile name messages message_echoes statuses from to from_user_id timestamp type text body image caption context
errors interactive list_reply title reaction message_id emoji edit revoke original_message_id message status
recipient_id biz_opaque_callback_data history threads calls event direction ban_info referral group_id order
product_items system location contacts phones code
"""
VALUES_TEXT = "messages text image interactive list_reply edit revoke history calls account_update sent failed"
NAMES = NAMES_TEXT.split()
VALUES = [
    *VALUES_TEXT.split(), NUMBER, CUSTOMER, BSUID, "wamid.A", "1697043223", "smb_message_echoes", "connect", "\ud83d",
    "a\0b",
]  # fmt: skip
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(VALUES)
any_json = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=25,
)
likely = st.builds(
    lambda field, value: delivery({"field": field, "value": value}),
    st.sampled_from(VALUES),
    st.dictionaries(st.sampled_from(NAMES), st.lists(st.dictionaries(st.sampled_from(NAMES), any_json)), max_size=5),
)


@settings(deadline=None)
@given(any_json | likely)
def test_that_no_json_raises_on_its_way_to_its_number(body: Any) -> None:
    for key, part in route(body):
        assert isinstance(key, str)
        for event in parse(part):
            assert_well_formed(event)
