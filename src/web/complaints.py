"""What is wrong with an entry, for the person who made it: the flows' English words in the language of the page.

Flows name what is wrong in English, for programs and the command line too. What people often meet on a page is of a
kind (domain.told) that has its sentence here; anything else is shown as it is, marked as English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.errors import AtendeError, ConflictError, NotAllowedError, NotFoundError
from domain.told import Told, told_of
from flows.intent_declared import InvalidIntentError
from flows.intent_files import IntentFileError
from flows.refusals import RefusedError
from flows.tenant_settings import SettingsRefusedError
from web.i18n import N_

SENTENCES: Final[Mapping[str, str]] = {
    "example_elsewhere": N_("is an example of %(other)s already: keep it in one of the two."),
    "example_twice": N_("is an example of %(other)s already: keep it in one of the two."),
    "examples_needed": N_("Add at least one example; ten or more work well."),
    "default_language_needed": N_("The text in %(language)s, the business's language, is missing."),
    "intent_name": N_("Use small letters, digits and _, beginning with a letter, such as order_status."),
    "fixed_text": N_("This is a fixed text: remove the braces."),
    "answer_and_function": N_("A fixed text stands beside a function: keep one of them."),
    "never_served": N_("It is never served this way, so its function and texts are unused: remove them."),
    "reason_alone": N_("A reason of a handoff needs a handoff."),
    "never_said": N_("Who stays silent never says this text: remove it."),
    "replies_alone": N_("These texts need a function: choose one, or write a fixed text."),
    "ok_reply_needed": N_("Say what the customer reads when the function succeeds."),
    "no_template": N_("The braces are not closed, or hold what cannot be filled in (%(problem)s)."),
    "unknown_variable": N_("There is no %(name)s here: between braces, only %(allowed)s."),
    "long_example": N_("is too long: %(count)s characters, at most %(most)s are read."),
    "no_function": N_("There is no function %(name)s."),
    "intent_there": N_("There is an intent %(name)s already: change that one, or choose another name."),
    "outdated": N_(
        "Somebody changed this since you opened it (version %(version)s now). "
        "What you entered is kept below: compare it with the current "
        "version, then save again to replace that."
    ),
    "share": N_("Enter a number from 0 to 1, such as 0.8."),
    "characters": N_("Write something, at most %(most)s characters."),
    "needed": N_("This is needed."),
    "unknown_file": N_("This kind of file is not known: it must be CSV, JSONL or Rasa NLU (.yml)."),
    "no_column": N_("The file has no column for the %(what)s. Name its columns text and intent."),
    "no_example": N_("There is no example in it."),
    "no_eval": N_("is not published: no eval was shown. Choose a passed eval, or give a reason."),
    "other_eval": N_("is not published: the eval was of another bundle. Choose a passed eval, or give a reason."),
    "raise_version": N_("This prompt was changed: raise the version in its head."),
    "percent": N_("Enter a number from 0 to 100."),
    "no_earlier_bundle": N_("There is nothing to go back to."),
    "hours": N_("Write opening hours as 09:00-18:00."),
    "too_long": N_("Too long: at most %(most)s characters."),
    # of settings: see flows.settings_known for their English words
    "number": N_("Enter a number from %(least)s to %(most)s."),
    "whole_number": N_("Enter a whole number from %(least)s to %(most)s."),
    "quiet_spans": N_("Write hours such as 21:00-08:00, several with commas."),
    "some_of": N_("Choose some of: %(some)s."),
    "one_of": N_("Choose one of the list."),
    "yes_or_no": N_("Choose one of the list."),
    "time_zone": N_("Choose one of the list."),
    "domains": N_("Write domains such as example.com, several with commas."),
    "address": N_("Write an address such as https://api.example.com/v1, without a key in it."),
    "public_address": N_(
        "It must begin with https:// and be public. The installation can allow others (ATENDE_PRIVATE_HOSTS)."
    ),
    "model_name": N_("A model's name has no spaces."),
    "prices": N_("Write prices such as small-model=0.40/1.60, several with commas."),
    "limit": N_("Write an amount of money such as 20.00, or such as 500000 tokens, or both with a comma and a space."),
    "json_object": N_("Write a JSON object, in braces."),
    "phrases": N_("Write at most 50 words or short phrases, with commas."),
    "unknown_braces": N_("There is no %(name)s here: between braces, only %(known)s."),
    "broken_braces": N_("The braces are not closed, or hold more than a name."),
    "main_language_first": N_(
        "The text in the main language is needed too: otherwise its customers would read another language."
    ),
    "default_of_languages": N_("The main language (%(language)s) must be among them."),
    "longest_wait": N_("The longest wait must not be less than one wait."),
    "prices_first": N_("Set the price of %(models)s first, since budgets limit money."),
    "own_options": N_("The options must not hold %(names)s: Atende sets them itself."),
    "longest_text": N_("Too long: at most %(most)s characters."),
}
"""By the kind of what a flow told (domain.told)."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong. ``place``: where, as the flow names it. ``sentence``: to translate, with ``values``;
    "" where there is none, and ``said`` has the flow's own words."""

    said: str
    sentence: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    quote: str = ""
    """The words of the entry that it is about."""


def complaints(error: AtendeError) -> list[Complaint]:
    """What is wrong, one by one. Raises the error again where it is none of what was entered."""
    if isinstance(error, NotFoundError | NotAllowedError):
        raise error
    if isinstance(error, InvalidIntentError):
        return [_complaint(fault.what, fault.pointer) for fault in error.faults]
    if isinstance(error, IntentFileError):
        return [_complaint(what, f"{line}" if line else "") for line, what in error.problems[:30]]
    if isinstance(error, SettingsRefusedError):
        return [_complaint(what, key) for key, what in error.problems]
    if isinstance(error, RefusedError):
        return [Complaint(error.sentence(), error.template, error.values)]
    place, said = str(getattr(error, "field", "")), getattr(error, "problem", "") or told_of(error)
    return [_complaint(said, place) if isinstance(said, Told) else Complaint(error.sentence(), place=place)]


def status_of(error: AtendeError) -> int:
    """The HTTP status of a page that shows it."""
    return 409 if isinstance(error, ConflictError) else 422


def _complaint(what: str, place: str) -> Complaint:
    if isinstance(what, Told):
        return Complaint(what, SENTENCES[what.kind], what.values, place, what.values.get("text", ""))
    return Complaint(f"{place}: {what}" if place else what, place=place)
