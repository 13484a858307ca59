"""The pages of a business's settings: which setting stands where, what it is called and what it does.

The settings themselves, how each is read and what holds without it are ``flows.settings_known``.
"""

from __future__ import annotations

from typing import Final

from web.i18n import N_
from web.settings_form import Field, Section, SettingsPage, words
from web.settings_of_models import MODEL_PAGES

_MODES = (
    ("auto", N_("Replies by itself")),
    ("suggest", N_("Suggests, a person sends")),
    ("off", N_("Does nothing")),
)

PAGES: Final[tuple[SettingsPage, ...]] = (
    SettingsPage(
        "business",
        N_("The business"),
        N_("What it is called, which languages it speaks, and which words of customers stop messages."),
        "building-store",
        (
            Section(
                N_("Name and languages"),
                "",
                (
                    Field("name", N_("Name of the business"), N_("Customers read it in greetings and introductions.")),
                    Field(
                        "default_language",
                        N_("Main language"),
                        N_("Of the business's own texts, and of customers whose language is not clear."),
                        "choice",
                        (("pt", "Português"), ("es", "Español"), ("en", "English")),
                    ),
                    Field(
                        "languages",
                        N_("Languages of replies"),
                        N_("Codes separated by commas, such as pt, es, en. Any other is answered in the main one."),
                    ),
                    Field(
                        "domains",
                        N_("Domains that replies may link to"),
                        N_("Separated by commas. A reply with any other link waits for a person."),
                    ),
                ),
            ),
            Section(
                N_("Stopping messages"),
                N_("SAIR, PARAR, STOP and the like always stop messages that the business begins."),
                (
                    Field(
                        "consent.opt_out_words",
                        N_("More words that stop them"),
                        N_("Separated by commas. They count only as the whole message."),
                    ),
                    Field(
                        "consent.opt_in_words",
                        N_("More words that allow them again"),
                        N_("Separated by commas. They count only as the whole message."),
                    ),
                ),
            ),
        ),
    ),
    SettingsPage(
        "assistant",
        N_("The assistant"),
        N_("How it speaks, how sure it must be, how long it waits and when it gives a conversation to a person."),
        "robot",
        (
            Section(
                N_("How it speaks"),
                "",
                (
                    Field(
                        "persona",
                        N_("Persona"),
                        N_("For the language model: who it is, its tone, what it never does."),
                        "lines",
                    ),
                    *words(
                        "disclosure",
                        N_("Introduction"),
                        N_("Said once, before the first automatic reply. {{ business }} stands for its name."),
                    ),
                    Field(
                        "pacing.split_characters",
                        N_("Split replies longer than (characters)"),
                        N_("They come in several messages, cut where a person would cut them. 0: never."),
                        "number",
                    ),
                    Field(
                        "pacing.show_typing",
                        N_("Show “typing…” while it works"),
                        N_("Where the channel can show it."),
                        "switch",
                    ),
                ),
            ),
            Section(
                N_("How sure it must be"),
                N_("Rules by number, intent, hours and tag stand on the page of automatic replies."),
                (
                    Field(
                        "threshold",
                        N_("Least confidence of an intent"),
                        N_("From 0 to 1. Below it, the language model or a person answers."),
                        "number",
                    ),
                    Field(
                        "knowledge_threshold",
                        N_("Least relevance of knowledge"),
                        N_("From 0 to 1. Passages below it are not quoted."),
                        "number",
                    ),
                    Field(
                        "reply_mode",
                        N_("Where no rule says otherwise"),
                        N_("Intents, numbers, hours and tags may have rules of their own."),
                        "choice",
                        _MODES,
                    ),
                    Field(
                        "unmatched_mode",
                        N_("What matched no intent"),
                        N_("Empty: as everything else."),
                        "choice",
                        _MODES,
                    ),
                ),
            ),
            Section(
                N_("Waiting for the customer to finish"),
                N_("Several quick messages get one answer."),
                (
                    Field("debounce.seconds", N_("Wait after a message (seconds)"), N_("0: answer at once."), "number"),
                    Field("debounce.complete_seconds", N_("After a whole sentence (seconds)"), "", "number"),
                    Field(
                        "debounce.fragment_seconds", N_("After a greeting or half a sentence (seconds)"), "", "number"
                    ),
                    Field("debounce.typing_seconds", N_("While the customer is typing (seconds)"), "", "number"),
                    Field(
                        "debounce.cap_seconds",
                        N_("At most (seconds)"),
                        N_("Since the first message without an answer."),
                        "number",
                    ),
                ),
            ),
            Section(
                N_("Passing on to a person"),
                "",
                (
                    Field(
                        "handoff.offer_first",
                        N_("Offer a person before giving up"),
                        N_("Asked once; the customer answers yes or no."),
                        "switch",
                    ),
                    Field(
                        "handoff.return_unclaimed",
                        N_("Take back what nobody claimed"),
                        N_("When the business opens again, the assistant answers what still waits."),
                        "switch",
                    ),
                    Field(
                        "handoff.old_message_minutes",
                        N_("Late messages go to a person after (minutes)"),
                        N_("What waited longer, after an outage for instance, is not answered automatically."),
                        "number",
                    ),
                    Field(
                        "handoff.vip_tags",
                        N_("Tags whose contacts go to a person"),
                        N_("Separated by commas."),
                    ),
                    Field(
                        "phone_takeover.release_after_minutes",
                        N_("Silent after somebody typed on the phone (minutes)"),
                        N_("Empty: until a person gives the conversation back."),
                        "number",
                    ),
                    Field(
                        "suggestions_expire_after_hours",
                        N_("Suggestions are void after (hours)"),
                        N_("What nobody looked at until then waits in the queue of people."),
                        "number",
                    ),
                ),
            ),
        ),
    ),
    SettingsPage(
        "assignment",
        N_("Assignment and closing"),
        N_("Who gets what waits, when somebody counts as absent, and when quiet conversations are closed."),
        "arrows-exchange",
        (
            Section(
                N_("Waiting conversations"),
                N_("For conversations of no team; each team chooses for its own queue."),
                (
                    Field(
                        "assignment",
                        N_("They go to"),
                        N_("By turns: to who is there, has room and fits best, whoever got one longest ago first."),
                        "choice",
                        (("by_hand", N_("Whoever takes it")), ("round_robin", N_("By turns"))),
                    ),
                    Field(
                        "presence.absent_after_minutes",
                        N_("Absent without an open page for (minutes)"),
                        N_("What waits for that person's answer then returns to the queue."),
                        "number",
                    ),
                ),
            ),
            Section(
                N_("Closing"),
                "",
                (
                    Field(
                        "closing.quiet_minutes",
                        N_("Close after (minutes without a message)"),
                        N_("Only what the assistant holds; people close their own. 1440 minutes are a day."),
                        "number",
                    ),
                ),
            ),
        ),
    ),
    SettingsPage(
        "satisfaction",
        N_("Satisfaction"),
        N_("After closing, customers are asked for a score from 1 to 5. The reports show what they say."),
        "star",
        (
            Section(
                N_("Asking"),
                "",
                (
                    Field(
                        "satisfaction.ask",
                        N_("Ask for a score"),
                        N_("Not after spam, duplicates and who never answered, nor who stopped messages."),
                        "switch",
                    ),
                    Field(
                        "satisfaction.after_minutes",
                        N_("How long after closing (minutes)"),
                        N_("Who writes again before is not asked."),
                        "number",
                    ),
                    Field(
                        "satisfaction.every_days",
                        N_("The same customer at most once in (days)"),
                        "",
                        "number",
                    ),
                ),
            ),
            Section(
                N_("In your words"),
                N_("The scores themselves follow as a list, or as a sentence where the channel shows no lists."),
                (
                    *words("satisfaction_question", N_("The question"), ""),
                    *words("satisfaction_thanks", N_("The thanks"), ""),
                ),
            ),
        ),
    ),
    SettingsPage(
        "quiet-hours",
        N_("Quiet hours"),
        N_("When nothing automatic leaves. What people write goes out at any time."),
        "moon",
        (
            Section(
                N_("Every day"),
                N_("How fast a number sends, and to how many new contacts a day, stands with each number."),
                (
                    Field(
                        "quiet_hours.daily",
                        N_("Quiet from–to"),
                        N_("Such as 21:00-08:00; several with commas. Empty: never."),
                    ),
                    Field(
                        "quiet_hours.answers",
                        N_("Who wrote just now"),
                        "",
                        "choice",
                        (("at_once", N_("Is answered at once")), ("wait", N_("Waits until the hours are over"))),
                    ),
                    Field(
                        "quiet_hours.just_wrote_minutes",
                        N_("“Just now” lasts (minutes)"),
                        "",
                        "number",
                    ),
                ),
            ),
        ),
    ),
    *MODEL_PAGES,
)
"""In the order of the tabs."""
