"""Words of a thread: what becomes of a message that we send, why it waits, what happened between messages."""

from __future__ import annotations

from web import desk_labels
from web.i18n import N_

DELIVERY = {
    "queued": (N_("Waiting to be sent"), "clock", ""),
    "sending": (N_("Being sent"), "clock", ""),
    "sent": (N_("Sent"), "check", ""),
    "device": (N_("Delivered"), "checks", ""),
    "read": (N_("Read"), "checks", "tick-read"),
    "played": (N_("Played"), "checks", "tick-read"),
    "unknown": (N_("It is not certain whether this arrived"), "alert-triangle", "text-orange"),
    "failed": (N_("Not sent"), "circle-x", "text-red"),
    "cancelled": (N_("Withdrawn before it was sent"), "ban", ""),
}
"""Delivery state → words, icon, colour class."""

WAITS = {
    "order": N_("Waits for the message before it"),
    "rate": N_("Waits: this number has sent as much as it should for the moment"),
    "new_contact_cap": N_("Waits: this number has written to enough new contacts for now"),
    "quiet_hours": N_("Waits for the end of the quiet hours"),
    "offline": N_("Waits: the number is not connected"),
    "paused": N_("Waits: the number is paused"),
    "restricted": N_("Waits: WhatsApp lets this number write to no new contacts at the moment"),
    "recipient_rate": N_("Waits: WhatsApp limits how often one person is written to"),
    "phone": N_("Waits: somebody may be answering on the phone"),
    "retry": N_("Waits: the last attempt failed, and it will be tried again"),
    "undo": N_("Waits a few seconds: it can still be taken back"),
}
"""Why a message waits to be sent → sentence."""

SYSTEM_LINES = {
    **desk_labels.SYSTEM_LINES,
    "conversation.handed_off": (N_("The assistant handed the conversation off"), "hand-stop"),
    "conversation.claimed": (N_("%(who)s took the conversation"), "user-check"),
    "conversation.taken_over": (N_("%(who)s took the conversation over"), "user-check"),
    "conversation.returned": (N_("%(who)s returned the conversation to the assistant"), "robot"),
    "conversation.released": (
        N_("Nobody typed on the phone for a while: the assistant has the conversation again"),
        "robot",
    ),
    "conversation.closed": (N_("%(who)s closed the conversation: %(name)s"), "circle-check"),
    "conversation.reopened": (N_("A new message reopened the conversation"), "refresh"),
    "message.late": (N_("The next message came late: newer ones were here before it"), "clock"),
    "message.lost": (
        N_("A message of this chat was lost and can be read on the phone only: ask the customer to repeat it"),
        "alert-triangle",
    ),
}
"""Event kind → sentence in the thread, icon."""
