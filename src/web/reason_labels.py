"""Why the assistant decided so: the words of each reason's code, and of its detail in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from gettext import NullTranslations
from typing import Any, Final

from markupsafe import Markup, escape

from web.figures import Figures
from web.i18n import N_

REASONS = {
    "agent_failed": N_("The assistant met an error"),
    "approval_rejected": N_("A person refused it"),
    "approved_by_a_person": N_("A person approved it"),
    "asks": N_("Something is missing, so it asked"),
    "asks_to_explain": N_("It asked the customer to explain"),
    "call_refused": N_("Something newer came first"),
    "classified": N_("Recognised from the examples"),
    "dropped_by_customer": N_("The customer gave up on it"),
    "fixed_answer": N_("There is a fixed answer for this"),
    "function": N_("A business function answered"),
    "intent": N_("The intent is certain enough"),
    "intent_without_answer": N_("This intent has no answer of its own"),
    "invalid_value": N_("A value was not valid, so it asked again"),
    "knowledge": N_("Found in the knowledge base"),
    "model_answered": N_("The language model answered"),
    "model_call_unusable": N_("The language model asked for something impossible"),
    "model_retried": N_("The language model was asked again"),
    "no_confident_intent": N_("No intent is certain enough"),
    "no_examples": N_("There are no examples to learn from yet"),
    "no_knowledge": N_("Nothing fitting in the knowledge base"),
    "not_an_answer": N_("The customer did not answer the question"),
    "nothing_to_read": N_("There was nothing to read"),
    "one_message_matched": N_("One of several messages was clear"),
    "parameters_found": N_("Found in the messages"),
    "passage_gives_orders": N_("A document speaks to the assistant instead of to customers"),
    "reply_mode": N_("Reply policy"),
    "same_as_example": N_("Exactly like an example"),
    "several_intents": N_("Several matters at once"),
    "small_talk": N_("A courtesy, nothing to look up"),
    "template_failed": N_("The reply's template could not be filled in"),
    "vip_contact": N_("A customer who is always served by people"),
    "offer_accepted": N_("The customer took up the offer of a person"),
    "offer_declined": N_("The customer wants no person yet"),
    "trigger_off": N_("The business wants no handoff for this"),
    "cost_cap": N_("The budget for the language model is used up"),
    "audited": N_("A share of what it may send is shown first"),
    "not_announced": N_("The policy lets nothing out by itself"),
    "unsupported": N_("Nothing supports what the reply would claim"),
    "unsupported_claims": N_("Parts of the reply have no source, so a person sees it first"),
    "read_again": N_("The language model read the reply again, beside its sources"),
    "second_reading_failed": N_("The reply could not be read again, so a person sees it first"),
    "number_of_another": N_("It looked something up by a number that the customer does not write from"),
    "write_needs_approval": N_("This action needs a person's approval"),
    "asked_for": N_("An operator asked for another one"),
    "look_twice": N_("Look twice at this text"),
    "angry_words": N_("The customer sounds angry"),
    "function_failed": N_("A business function failed"),
    "function_outcome_unknown": N_("It is not certain whether a business function acted"),
    "intent_hands_off": N_("This intent always goes to a person"),
    "intent_stays_silent": N_("This intent needs no answer"),
    "message_too_old": N_("The message had been waiting for too long"),
    "media_only": N_("Only files, no words"),
    "unsupported_kind": N_("A kind of message that the assistant cannot read"),
    "model_answer_incomplete": N_("The language model's answer was cut short"),
    "model_calls_unusable": N_("The language model only asked for impossible things"),
    "model_failed": N_("The language model failed"),
    "model_hands_off": N_("The language model asked for a person"),
    "model_never_answered": N_("The language model never came to an answer"),
    "needs_no_answer": N_("Nothing to answer"),
    "no_reply_text": N_("There is no reply text for this result"),
    "no_usable_answer": N_("The customer's answers could not be used"),
    "outside_hours": N_("Outside opening hours"),
    "person_requested": N_("The customer asked for a person"),
    "placeholder_made_up": N_("The language model named personal data that nobody gave"),
    "policy_off": N_("Automatic replies are switched off"),
    "same_refusal_again": N_("The same refusal a second time"),
    "still_not_understood": N_("Still not understood after asking"),
    "unknown_function": N_("This business function does not exist"),
    "acknowledgement": N_("Only a sign that it was read"),
    "after_calls": N_("It broke off after it had called business functions"),
    "answer_withheld": N_("Its answer would have shown how it is set up"),
    "asked_for_in_own_words": N_("The customer asked for it in plain words"),
    "asks_about_itself": N_("The customer asks about the assistant's own instructions"),
    "asks_for_identity": N_("It asked for proof of who is writing"),
    "asks_to_confirm": N_("It asked the customer to confirm"),
    "cannot_be_collected": N_("A value that cannot be asked for is missing"),
    "confirmed_by_customer": N_("The customer confirmed it"),
    "encoder_failed": N_("The service that compares texts failed"),
    "asks_to_wait": N_("The customer asks for a moment"),
    "foreign_person": N_("Somebody else's number, address or name stands in the text"),
    "foreign_link": N_("A link that is not the business's own"),
    "identity_attempts_used_up": N_("Too many failed proofs of who is writing"),
    "identity_cannot_be_checked": N_("Nothing here can prove who is writing"),
    "identity_check_is_no_service": N_("What should prove who is writing is not fit for it"),
    "identity_not_proven": N_("Who is writing is not proven"),
    "identity_required": N_("It must be sure who is writing first"),
    "identity_verified": N_("Who is writing is proven"),
    "identity_verified_before": N_("Who is writing was proven before"),
    "internals_revealed": N_("The text shows names from inside the system"),
    "media_not_read": N_("A file could not be read"),
    "media_read": N_("It read a file"),
    "message_gives_orders": N_("The message gives orders to the assistant"),
    "more_than_a_plain_wish": N_("The message holds more than one plain wish"),
    "needs_a_model": N_("Only a language model could ask for this"),
    "not_asked_for_in_own_words": N_("The customer did not ask for it in plain words"),
    "one_wish_needs_a_person": N_("One of the wishes needs a person"),
    "prompt_revealed": N_("The text shows the assistant's instructions"),
    "proposed": N_("Another system proposed it"),
    "several_wishes": N_("Several wishes in one message"),
    "untold_act": N_("Something was done that the customer was not told of"),
    "value_not_from_customer": N_("A value that the customer did not give"),
    "value_not_in_own_words": N_("A value that stands only in quoted or forwarded text"),
    "window_closed": N_("More than 24 hours have passed: only a template may be sent"),
}
"""Reason codes of decisions → words."""

_CHOSEN: Final = (
    (r"(?P<mode>\w+): (?P<rule>(?P=mode) for .+)", "%(rule)s"),
    (r"(?P<t_REPLY_MODES>\w+): (?P<rule>.+)", N_("%(t_REPLY_MODES)s, by this rule: %(rule)s")),
)
"""What the reply policy chose, and by which rule; a rule mostly names what it chooses."""
_FIGURE: Final = r"\d\.\d+"
_DETAILS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "acknowledgement": ((r"emoji only", N_("emoji only")),),
    "asked_for": (
        (r"(?P<t_WANTED>shorter|friendlier|more_formal|in_pt|in_es|in_en)", "%(t_WANTED)s"),
        (r"(?P<said>.+)", "%(said)s"),
    ),
    "audited": ((r"a share of .*", ""),),
    "classified": (
        (
            rf"probability (?P<f_chance>{_FIGURE}) among intents, (?P<f_scope>{_FIGURE}) in scope",
            N_("probability %(f_chance)s among the intents, %(f_scope)s that it is one of them"),
        ),
    ),
    "encoder_failed": (
        (r"(?P<raw>.+); classified on this machine instead", N_("%(raw)s; classified on this machine instead")),
    ),
    "foreign_person": (
        (r"a number of a person or card .*", N_("a number of a person or card that is not this customer's")),
        (r"an e-mail address from nowhere", N_("an e-mail address from nowhere")),
        (r"a phone number from nowhere", N_("a phone number from nowhere")),
        (r"a name or number from nowhere, .*", N_("a name or number from nowhere, after a call for somebody unnamed")),
    ),
    "function": (
        (
            r"(?P<name>[\w.-]+): (?P<t_OUTCOMES>\w+) \((?P<code>[\w.-]+)\)",
            "%(name)s: %(t_OUTCOMES)s (%(code)s)",
        ),
        (r"(?P<name>[\w.-]+): (?P<t_OUTCOMES>\w+)", "%(name)s: %(t_OUTCOMES)s"),
    ),
    "intent": ((rf"\S+ with confidence (?P<f_chance>{_FIGURE})", N_("confidence %(f_chance)s")),),
    "knowledge": ((rf"(?P<ref>.+) with score (?P<f_score>{_FIGURE})", N_("%(ref)s, likeness %(f_score)s")),),
    "look_twice": ((r"(?P<inner>\w+): (?P<finding>.*)", "%(finding)s"),),
    "media_read": ((r"(?P<t_KINDS>\w+) of (?P<count>\d+) characters", N_("%(t_KINDS)s, characters read: %(count)s")),),
    "model_answer_incomplete": (
        (r"length", N_("it was longer than allowed")),
        (r"content_filter", N_("the provider's filter cut it")),
    ),
    "model_hands_off": ((r"(?P<t_HANDOFF_REASONS>\w+)", "%(t_HANDOFF_REASONS)s"),),
    "model_never_answered": ((r"it kept calling functions", N_("it kept calling functions")),),
    "no_confident_intent": (
        (
            rf"best is (?P<intent>\S+) with (?P<f_chance>{_FIGURE}), out of scope (?P<f_outside>{_FIGURE}); "
            rf"the threshold is (?P<f_least>{_FIGURE})",
            N_(
                "the nearest is %(intent)s with %(f_chance)s, and %(f_least)s is needed; "
                "that it is none of them: %(f_outside)s"
            ),
        ),
    ),
    "no_knowledge": (
        (
            rf"best score (?P<f_score>{_FIGURE}), needed (?P<f_least>{_FIGURE})",
            N_("greatest likeness %(f_score)s, and %(f_least)s is needed"),
        ),
        (rf"nothing found, needed (?P<f_least>{_FIGURE})", N_("nothing found")),
    ),
    "not_announced": _CHOSEN,
    "prompt_revealed": (
        (r"the text repeats the assistant's instructions", N_("it repeats the instructions")),
        (r"the text repeats the persona", N_("it repeats the persona")),
        (r"the text tells what the assistant was instructed to do", N_("it tells what the assistant was told to do")),
    ),
    "proposed": ((r"proposed by (?P<origin>.+)", N_("proposed by %(origin)s")), (r"(?P<said>.+)", "%(said)s")),
    "read_again": (
        (
            r"(?P<count>\d+) claims, (?P<without>\d+) without a source",
            N_("claims: %(count)s, without a source: %(without)s"),
        ),
    ),
    "reply_mode": _CHOSEN,
    "same_as_example": ((r"the message equals an example of this intent", ""),),
    "trigger_off": ((r"(?P<t_HANDOFF_REASONS>\w+)", "%(t_HANDOFF_REASONS)s"),),
    "unsupported": ((r"no function result and no passage .*", ""),),
    "unsupported_claims": ((r"(?P<claims>\w+: .+)", "%(claims)s"),),
    "value_not_in_own_words": ((r"another value was named", N_("another value was named")),),
    "window_closed": ((r"More than 24 hours .*", ""),),
}
"""By reason code: forms of its English detail and what to say instead; "": the code's own words say it already.

A group ``f_…`` is a figure, ``t_TABLE`` a value of that table of ``labels``, ``rule`` a rule of the reply policy.
"""
_RULES: Final = (
    (r"the tenant's default", N_("what holds everywhere else")),
    (r"the kill switch, over (?P<rule>.+)", N_("everything is stopped; otherwise %(rule)s")),
    (r"(?P<t_REPLY_MODES>\w+) for everything(?: \(.*\))?", N_("%(t_REPLY_MODES)s in every case")),
    (
        r"(?P<t_REPLY_MODES>\w+) for intent \(unsupported\)(?: \(.*\))?",
        N_("%(t_REPLY_MODES)s where no source stands behind the text"),
    ),
    (
        r"(?P<t_REPLY_MODES>\w+) for (?P<conditions>.+) \(earned autonomy\)",
        N_("%(t_REPLY_MODES)s for %(conditions)s, which was earned"),
    ),
    (
        r"(?P<t_REPLY_MODES>\w+) for (?P<conditions>.+) \(the intent's own\)",
        N_("%(t_REPLY_MODES)s for %(conditions)s, as the intent itself says"),
    ),
    (r"(?P<t_REPLY_MODES>\w+) for (?P<conditions>.+)", N_("%(t_REPLY_MODES)s for %(conditions)s")),
)
_CONDITIONS: Final = {
    "number": N_("the number %(value)s"),
    "intent": N_("the intent %(value)s"),
    "hours": N_("the hours %(value)s"),
    "tag": N_("contacts marked %(value)s"),
}
_CONDITION: Final = re.compile(r"(?:^|, )(number|intent|hours|tag) (.+?)(?=, (?:number|intent|hours|tag) |$)")
_ONLY_VALUES: Final = re.compile(r"(?:%\(\w+\)s|[:() ])+")
_NAMES: Final = re.compile(r"[\w.:#/@+-]+(?:, [\w.:#/@+-]+)*")


class ReasonDetails:
    """The template filter ``detailed``: a reason's detail, escaped; English of no known form is marked as English."""

    def __init__(self, words: NullTranslations, label: Callable[[str, str], Any], figures: Figures) -> None:
        self._words, self._label, self._figures = words, label, figures

    def __call__(self, reason: Mapping[str, Any]) -> Markup:
        """``reason``: a mapping with ``code`` and perhaps ``detail``."""
        said = self.said(reason["code"], (reason.get("detail") or "").strip())
        return said if said is not None else Markup('<span lang="en">{}</span>').format(reason["detail"])

    def said(self, code: str, detail: str) -> Markup | None:
        """ "" where the code says it all; None: English of no known form."""
        for form, sentence in _DETAILS.get(code, ()):
            if found := re.fullmatch(form, detail, re.DOTALL):
                return escape(self._filled(sentence, found))
        if not detail:
            return Markup()
        # Names of functions, parameters, intents, models, files: the same in every language.
        return Markup("<code>{}</code>").format(detail) if _NAMES.fullmatch(detail) else None

    def _filled(self, sentence: str, found: re.Match[str]) -> str:
        if not sentence:
            return ""
        given = found.groupdict("")
        words = sentence if _ONLY_VALUES.fullmatch(sentence) else self._words.gettext(sentence)
        return words % {name: self._value(name, text, given) for name, text in given.items()}

    def _value(self, name: str, text: str, given: Mapping[str, str]) -> str:
        if name.startswith("t_"):
            entry = self._label(name.removeprefix("t_"), text)
            return str(entry if isinstance(entry, str) else entry[0])
        if name.startswith("f_"):
            return self._figures.as_typed(text)
        if name == "finding":
            words = str(self._label("REASONS", given["inner"]))
            detail = self.said(given["inner"], text)
            return f"{words}: {text if detail is None else detail.striptags()}" if text else words
        known = {"rule": self._rule, "conditions": self._conditions, "claims": self._claims}.get(name)
        return known(text) if known else text

    def _rule(self, text: str) -> str:
        for form, sentence in _RULES:
            if found := re.fullmatch(form, text):
                return self._filled(sentence, found)
        return text

    def _conditions(self, text: str) -> str:
        return ", ".join(
            self._words.gettext(_CONDITIONS[name]) % {"value": value} for name, value in _CONDITION.findall(text)
        )

    def _claims(self, text: str) -> str:
        return re.sub(r"(?:^|(?<=; ))(\w+)(?=: )", lambda kind: str(self._label("CLAIMS", kind[1])), text)
