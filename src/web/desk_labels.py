"""Words of the desk: queues, priorities, reasons, what happened to a conversation."""

from __future__ import annotations

from web.i18n import N_

QUEUES = {
    "mine": (N_("Mine"), ""),
    "unassigned": (N_("Nobody's"), ""),
    "waiting": (N_("Waiting"), ""),
    "all": (N_("All"), ""),
    "bot": (N_("Assistant"), "robot"),
    "snoozed": (N_("Put aside"), "clock-pause"),
    "closed": (N_("Closed ones"), "circle-check"),
}
"""Queue → words, and the icon shown in their place."""

PRIORITIES = {
    "urgent": (N_("Urgent"), "red", "flag"),
    "high": (N_("High"), "orange", "arrow-up"),
    "normal": (N_("Normal"), "secondary", "circle"),
    "low": (N_("Low"), "secondary", "arrow-down"),
}
"""Priority → words, colour, icon."""

CLOSING_REASONS = {
    "resolved": N_("Resolved"),
    "cancelled": N_("Cancelled"),
    "no_answer": N_("No answer"),
    "spam": N_("Spam"),
    "duplicate": N_("Duplicate"),
    "other": N_("Another reason"),
}

LEADS = {
    "new": (N_("New lead"), "azure"),
    "qualified": (N_("Qualified"), "purple"),
    "won": (N_("Won"), "green"),
    "lost": (N_("Lost"), "secondary"),
}

SCORES = {
    "1": N_("Very bad"),
    "2": N_("Bad"),
    "3": N_("Neither good nor bad"),
    "4": N_("Good"),
    "5": N_("Very good"),
}
"""What a customer's score says."""

SYSTEM_LINES = {
    "conversation.assigned": (N_("%(who)s gave the conversation to %(name)s"), "user-check"),
    "conversation.transferred": (N_("%(who)s passed the conversation to the queue %(name)s"), "arrows-exchange"),
    "conversation.closing_undone": (N_("%(who)s took the closing back"), "arrow-back-up"),
    "conversation.taken_up": (N_("%(who)s reopened the conversation"), "refresh"),
    "conversation.snoozed": (N_("%(who)s put the conversation aside"), "clock-pause"),
    "conversation.unsnoozed": (N_("The conversation is back in its queue"), "clock"),
    "conversation.labelled": (N_("%(who)s changed the labels: %(name)s"), "tag"),
    "function.called": (N_("%(who)s ran the function %(name)s"), "tool"),
    "conversation.prioritised": (N_("%(who)s set the priority to %(name)s"), "flag"),
}
"""Event kind → sentence in the thread, icon; what is not here is not shown."""
