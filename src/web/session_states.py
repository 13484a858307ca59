"""What to do next in each state of a session: one sentence, for pages, API and command line alike."""

from __future__ import annotations

from web.i18n import N_

GROUPS = {
    "off": N_("The assistant is silent in groups; what is said there is stored and shown."),
    "mentioned": N_("The assistant answers in groups only who mentions this number or quotes its messages."),
}
"""What the agent does in groups → sentence."""
GROUP_CHOICES = {"off": N_("Stay silent"), "mentioned": N_("Answer when mentioned")}

NEXT_STEPS = {
    "unknown": N_("The connection is being prepared; its state appears here within seconds."),
    "awaiting_qr": N_(
        "Scan this code with the phone of the number: in WhatsApp, open Linked devices and choose Link a device."
    ),
    "qr_expired": N_(
        "Nobody scanned the code in time; take the phone of the number at hand, then pair it again for a new code."
    ),
    "connecting": N_("The connection to WhatsApp is being opened; this takes a few seconds, there is nothing to do."),
    "connected": N_("Messages come in and replies go out; there is nothing to do."),
    "disconnected": N_(
        "WhatsApp cannot be reached through this number; Atende keeps trying; if it lasts, check the "
        "phone's internet and your server's."
    ),
    "restricted": N_("WhatsApp limits what this number may send; start no new chats until it lifts the limit."),
    "error": N_("WhatsApp refuses the connection; read the reason below and tell your administrator if it stays."),
    "unheld": N_(
        "No session host has taken this number yet; if this lasts longer than a minute, check that it is running."
    ),
    "unlinked": N_(
        "The phone unlinked this number, so messages no longer arrive; pair it again and scan the new code."
    ),
    "replaced": N_("The pairing of this number is in use elsewhere, too; stop it there, then reconnect it here."),
    "stopped": N_("No phone is linked to this number; start it, then scan the code that appears."),
    "paused": N_("The number is paused and WhatsApp keeps its messages; start it to bring it online again."),
    "gateway": N_("A gateway holds the connection of this number; set it up to register it there."),
    "simulated": N_("This phone is simulated, for trying things out; there is nothing to do."),
}
"""State of a number → what to do next. More states than the provider reports: see flows.sessions.state_of."""
