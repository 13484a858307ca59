"""WAHA's webhook door takes JSON from anywhere: none of it may raise, and what comes out is well formed."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from channels.base import MessageEdited, MessageReceived, MessageRevoked, ReceiptChanged, SendFailed, Unrecognised
from channels.whatsapp.waha import parse
from domain.messages import Address

NAMES_TEXT = """
event payload me id lid jid from to fromMe participant timestamp body hasMedia media url mimetype filename s3
error ack ackName replyTo location vCards reaction text messageId editedMessageId revokedMessageId after
before status statuses data _data Info Message message key remoteJid remoteJidAlt SenderAlt RecipientAlt Chat
Sender PushName type _serialized extendedTextMessage imageMessage conversation contextInfo protocolMessage
editedMessage mentionedJID reactionMessage pollCreationMessage ephemeralMessage stanzaID externalAdReply
fileLength options low
"""
VALUES_TEXT = """
message message.any message.reaction message.edited message.revoked message.ack session.status WORKING chat
false_5511990001111@c.us_3EB0A1 3EB0A1 5511990001111@c.us 149000011210072@lid 120363000000000001@g.us
status@broadcast READ ptt vcard 1772625590 true_1@broadcast_A_5511990001111@c.us @ _
"""
NAMES, VALUES = NAMES_TEXT.split(), VALUES_TEXT.split()
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(VALUES)
    | st.sampled_from([0, 1, -1, 14, 1772625590])
)
any_json = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=30,
)
webhooks = st.fixed_dictionaries(
    {"event": st.sampled_from(VALUES[:7]), "payload": st.dictionaries(st.sampled_from(NAMES), any_json, max_size=12)},
    optional={"me": any_json, "timestamp": any_json},
)
with_content = st.builds(
    lambda body, content: {
        **body,
        "payload": {**body["payload"], "id": "false_5511990001111@c.us_3EB0A1", "_data": {"Message": content}},
    },
    webhooks,
    st.dictionaries(st.sampled_from(NAMES), any_json, max_size=4),
)


@given(st.one_of(any_json, webhooks, with_content))
def test_that_no_json_raises_and_every_event_is_well_formed(body: Any) -> None:
    for event in parse(body):
        match event:
            case MessageReceived() | MessageEdited() | MessageRevoked():
                assert isinstance(event.provider_id, str)
                assert event.provider_id
                assert isinstance(event.chat, Address)
            case ReceiptChanged() | SendFailed():
                assert all(isinstance(name, str) for name in event.provider_ids)
        match event:
            case MessageReceived():
                assert event.sent_at.tzinfo is UTC
                assert isinstance(event.text, str)
                assert event.quoted_provider_id is None or isinstance(event.quoted_provider_id, str)
                json.dumps(event.raw, allow_nan=False)
                assert event.media is None or json.dumps(event.media.extra, allow_nan=False)
            case MessageEdited():
                assert isinstance(event.text, str)
            case Unrecognised():
                json.dumps(event.raw, allow_nan=False)
