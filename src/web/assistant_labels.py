"""Words of the pages about the assistant: intents, functions, documents, bundles, the first run."""

from __future__ import annotations

from web.i18n import N_

INTENT_SERVICES = {
    "answer": N_("With a fixed answer"),
    "function": N_("With a business function"),
    "hand_off": N_("By a person"),
    "stay_silent": N_("Not answered"),
}
UNDERSTOOD = {
    "sure": N_("Sure enough: it would be served as this intent."),
    "unsure": N_("Not sure enough: the language model or a person would take it."),
    "outside": N_("Unlike all examples: the language model or a person would take it."),
    "nothing_to_read": N_("There is nothing in it that could be read."),
    "no_examples": N_("There are no intents yet."),
}
WEAK_EXAMPLES = {
    "unreadable": N_("holds nothing that could be read"),
    "courtesy": N_("is a courtesy, as customers write it with any wish"),
    "looks_like": N_("looks like %(other)s"),
    "unlike_the_others": N_("is unlike all the others"),
}
START_STEPS = {
    "trade": N_("What it answers"),
    "number": N_("Number"),
    "policy": N_("Who sends"),
    "try": N_("Try it out"),
}
START_MODES = {
    "suggest": (
        N_("Your people (recommended to begin with)"),
        N_("The assistant suggests; an operator sends it with one click, edits it or writes something else."),
    ),
    "auto": (
        N_("The assistant by itself"),
        N_(
            "What it is sure of goes out at once; all else waits for your people. Choose it once you trust its answers."
        ),
    ),
}
HOURS_ROWS = {"weekdays": N_("Monday to Friday"), "saturday": N_("Saturday"), "sunday": N_("Sunday")}
SIMULATED_NAME = N_("Simulated phone")
PROVIDER_HINTS = {
    "neonize": N_("By QR code or pairing code, nothing else needed."),
    "cloud_api": N_("The official way, with Meta's keys."),
    "gateway": N_("A gateway that you run already."),
    "simulator": N_("For trying things out."),
}
PACE_NAMES = {
    "messages_per_minute": N_("Messages a minute"),
    "burst": N_("At once, after a pause"),
    "new_contacts_per_day": N_("New contacts a day"),
    "warm_up": N_("New contacts a day while new"),
    "warm_up_step_days": N_("Days of each such step"),
    "first_contact_gap_seconds": N_("Seconds between new contacts"),
    "seconds_between_messages": N_("Seconds between messages"),
}
SESSION_LOG = {
    "session.added": N_("Added"),
    "session.asked": N_("Somebody asked"),
    "session.carried_out": N_("Carried out"),
    "session.changed": N_("Settings changed"),
    "session.controlled": N_("Told its gateway"),
    "session.exported": N_("Backup made"),
    "session.imported": N_("Backup brought back"),
    "session.logged_out": N_("Unlinked"),
    "session.pace": N_("Pace changed"),
    "session.refused": N_("Refused"),
    "session.set_up": N_("Set up at its gateway"),
    "session.status": N_("State"),
    "session.undelivered": N_("Messages reach no phone"),
}
FUNCTION_KINDS = {"python": N_("Python"), "http": N_("HTTP request"), "mcp": N_("MCP tool")}
FUNCTION_EFFECTS = {"read": N_("Only reads"), "write": N_("Writes")}
CREDENTIALS = {
    "bearer": N_("As bearer token"),
    "header": N_("In a header"),
    "query": N_("In the address"),
    "basic": N_("As user:password"),
}
RELEASES = {
    "published": N_("Published"),
    "rolled_back": N_("Rolled back"),
    "canary": N_("Canary"),
    "canary_ended": N_("Canary ended"),
}
