"""Every kind of content that a WhatsApp message can carry, and what Atende makes of it.

The names are the fields of whatsmeow's ``waE2E.Message``; a test compares this table with the library, so that a kind
that a new version brings is decided here and not forgotten. What is in no table is stored as UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.messages import MessageKind


@dataclass(frozen=True, slots=True)
class Rule:
    """``text`` are the paths, in order of preference, where people's words stand; ``media``: a file belongs to it."""

    kind: MessageKind
    text: tuple[tuple[str, ...], ...] = ()
    media: bool = False


def _texts(*paths: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in paths)


_POLL = Rule(MessageKind.POLL, _texts("name"))
_CALL = Rule(MessageKind.CALL)
_UNKNOWN = Rule(MessageKind.UNKNOWN)

RULES: Mapping[str, Rule] = {
    "conversation": Rule(MessageKind.TEXT),
    "extendedTextMessage": Rule(MessageKind.TEXT, _texts("text")),
    "imageMessage": Rule(MessageKind.IMAGE, _texts("caption"), media=True),
    "videoMessage": Rule(MessageKind.VIDEO, _texts("caption"), media=True),
    "ptvMessage": Rule(MessageKind.VIDEO, _texts("caption"), media=True),
    "audioMessage": Rule(MessageKind.AUDIO, media=True),  # VOICE where it was recorded, see convert
    "documentMessage": Rule(MessageKind.DOCUMENT, _texts("caption"), media=True),
    "stickerMessage": Rule(MessageKind.STICKER, media=True),
    "locationMessage": Rule(MessageKind.LOCATION, _texts("comment", "name", "address")),
    "liveLocationMessage": Rule(MessageKind.LOCATION, _texts("caption")),
    "contactMessage": Rule(MessageKind.CONTACT, _texts("displayName")),
    "contactsArrayMessage": Rule(MessageKind.CONTACT, _texts("displayName")),
    "reactionMessage": Rule(MessageKind.REACTION, _texts("text")),
    "pollCreationMessage": _POLL,
    "pollCreationMessageV2": _POLL,
    "pollCreationMessageV3": _POLL,
    "pollCreationMessageV5": _POLL,
    "pollCreationMessageV6": _POLL,
    "pollUpdateMessage": Rule(MessageKind.POLL_VOTE),
    "buttonsResponseMessage": Rule(MessageKind.BUTTON_ANSWER, _texts("selectedDisplayText")),
    "templateButtonReplyMessage": Rule(MessageKind.BUTTON_ANSWER, _texts("selectedDisplayText")),
    "interactiveResponseMessage": Rule(MessageKind.BUTTON_ANSWER, _texts("body.text")),
    "listResponseMessage": Rule(MessageKind.LIST_ANSWER, _texts("title", "description")),
    # What another business's system sends with buttons is text to us.
    "buttonsMessage": Rule(MessageKind.TEXT, _texts("contentText", "text")),
    "listMessage": Rule(MessageKind.TEXT, _texts("description", "title")),
    "interactiveMessage": Rule(MessageKind.TEXT, _texts("body.text", "header.title")),
    "templateMessage": Rule(
        MessageKind.TEXT,
        _texts("hydratedTemplate.hydratedContentText", "hydratedFourRowTemplate.hydratedContentText"),
    ),
    "highlyStructuredMessage": Rule(MessageKind.TEXT, _texts("hydratedHsm.hydratedTemplate.hydratedContentText")),
    "call": _CALL,
    "callLogMesssage": _CALL,  # spelt so by WhatsApp
    "bcallMessage": _CALL,
    "scheduledCallCreationMessage": Rule(MessageKind.CALL, _texts("title")),
    "scheduledCallEditMessage": _CALL,
    # Stored with their content, for a person to look at.
    "orderMessage": Rule(MessageKind.UNKNOWN, _texts("message", "orderTitle")),
    "productMessage": Rule(MessageKind.UNKNOWN, _texts("body", "product.title")),
    "invoiceMessage": Rule(MessageKind.UNKNOWN, _texts("note")),
    "groupInviteMessage": Rule(MessageKind.UNKNOWN, _texts("caption", "groupName")),
    "newsletterAdminInviteMessage": Rule(MessageKind.UNKNOWN, _texts("caption")),
    "newsletterFollowerInviteMessageV2": Rule(MessageKind.UNKNOWN, _texts("caption")),
    "eventMessage": Rule(MessageKind.UNKNOWN, _texts("name", "description")),
    "eventInviteMessage": Rule(MessageKind.UNKNOWN, _texts("caption", "eventTitle")),
    "commentMessage": _UNKNOWN,
    "stickerPackMessage": Rule(MessageKind.UNKNOWN, _texts("name")),
    "placeholderMessage": _UNKNOWN,
    "requestPhoneNumberMessage": _UNKNOWN,
    "sendPaymentMessage": _UNKNOWN,
    "requestPaymentMessage": _UNKNOWN,
    "declinePaymentRequestMessage": _UNKNOWN,
    "cancelPaymentRequestMessage": _UNKNOWN,
    "paymentInviteMessage": _UNKNOWN,
    "paymentReminderMessage": _UNKNOWN,
    "splitPaymentMessage": _UNKNOWN,
    "splitPaymentUpdateMessage": _UNKNOWN,
    "chat": _UNKNOWN,
    "musicMessage": _UNKNOWN,
    "richResponseMessage": _UNKNOWN,
    "conditionalRevealMessage": _UNKNOWN,
    "questionResponseMessage": Rule(MessageKind.UNKNOWN, _texts("text")),
    "statusQuestionAnswerMessage": Rule(MessageKind.UNKNOWN, _texts("text")),
    "statusQuotedMessage": Rule(MessageKind.UNKNOWN, _texts("text")),
    "statusStickerInteractionMessage": _UNKNOWN,
    "statusNotificationMessage": _UNKNOWN,
    "pollResultSnapshotMessage": _UNKNOWN,
    "pollResultSnapshotMessageV3": _UNKNOWN,
    "pollAddOptionMessage": _UNKNOWN,
    # Encrypted once more under a key that only the author's other message has.
    "encReactionMessage": _UNKNOWN,
    "encCommentMessage": _UNKNOWN,
    "encEventResponseMessage": _UNKNOWN,
    "secretEncryptedMessage": _UNKNOWN,
}

WRAPPERS = frozenset(
    {
        "deviceSentMessage",
        "ephemeralMessage",
        "viewOnceMessage",
        "viewOnceMessageV2",
        "viewOnceMessageV2Extension",
        "documentWithCaptionMessage",
        "editedMessage",
        "lottieStickerMessage",
        "groupMentionedMessage",
        "botInvokeMessage",
        "associatedChildMessage",
        "eventCoverImage",
        "statusMentionMessage",
        "groupStatusMentionMessage",
        "groupStatusMessage",
        "groupStatusMessageV2",
        "statusAddYours",
        "pollCreationOptionImageMessage",
        "pollCreationMessageV4",
        "limitSharingMessage",
        "botTaskMessage",
        "questionMessage",
        "questionReplyMessage",
        "botForwardedMessage",
        "newsletterAdminProfileMessage",
        "newsletterAdminProfileStatusMessage",
        "spoilerMessage",
        "botPlatformRegistrationSuccessMessage",
        "newsletterScheduledMessage",
        "acp2SettingMessage",
        "audioStickerMessage",
    }
)
"""They hold the real content in their field ``message``."""

VIEW_ONCE = frozenset({"viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension"})

COMPANIONS = frozenset(
    {
        "messageContextInfo",
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "statusLinkPreviewMetadata",
    }
)
"""They come along with content, or alone with nothing that people wrote."""

PROTOCOL = "protocolMessage"
"""Edits, revokes and the devices' own chatter, by its type."""

IGNORED: Mapping[str, str] = {
    "albumMessage": "the header of an album, whose pictures follow as messages of their own",
    "pinInChatMessage": "a message was pinned",
    "keepInChatMessage": "a disappearing message was kept",
    "stickerSyncRmrMessage": "the devices synchronise stickers",
    "messageHistoryBundle": "the devices share history",
    "messageHistoryNotice": "the devices share history",
    "groupRootKeyShare": "the devices share keys",
    "rootSecretDistributeMessage": "the devices share keys",
}
"""Intentionally ignored, with the reason: nobody wrote anything."""
