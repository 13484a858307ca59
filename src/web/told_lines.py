"""Lines that flows tell in English (stored ones too), in the reader's language, by their form.

Gateways, the pace of a number and the verdict of an eval speak in sentences with figures and names in them. Each form
has its sentence here; a line of no known form is shown as it is, marked as English.
"""

from __future__ import annotations

import re
from functools import partial
from gettext import NullTranslations
from typing import Final

from markupsafe import Markup, escape

from web.eval_labels import EVAL_ORIGINS
from web.figures import Figures
from web.i18n import N_

_FORMS: Final[tuple[tuple[str, str], ...]] = (
    # the pace of a number (flows.number_pace)
    (r"Messages: no limit\.", N_("Messages: no limit.")),
    (
        r"Messages: (?P<rate>\S+) a minute, up to (?P<burst>\S+) at once\.",
        N_("Messages: %(rate)s a minute, up to %(burst)s at once."),
    ),
    (r"New contacts: no limit\.", N_("New contacts: no limit.")),
    (
        r"New contacts: (?P<most>\d+) in 24 hours, (?P<least>\S+) to (?P<longest>\S+) seconds apart; "
        r"(?P<begun>\d+) in the last 24 hours\.",
        N_("New contacts: %(most)s in 24 hours, %(least)s to %(longest)s s apart; %(begun)s in the last 24 hours."),
    ),
    (
        r"The number is new: later it may write to (?P<most>\d+) a day\.",
        N_("The number is new: later it may write to %(most)s a day."),
    ),
    # why a message never left (store.outbox, store.turns)
    (r"automatic replies are stopped", N_("automatic replies are stopped")),
    (r"the contact wants no messages on our initiative", N_("the customer wants no messages on our initiative")),
    (r"its writer took it back", N_("its writer took it back")),
    (r"a newer message or a person came first", N_("a newer message or a person came first")),
    (r"its turn was taken back", N_("something newer came before it was sent")),
    # what a gateway leaves to a person, and how it says it is (channels.whatsapp)
    (
        r"In the App Dashboard, set the webhook of WhatsApp to (?P<url>\S+) with this number's verify_token: Meta did "
        r"not take it for the account alone \((?P<raw>.*)\)\.",
        N_(
            "In Meta's App Dashboard, set the webhook of WhatsApp to %(url)s with this number's verify_token: Meta did "
            "not take it for the account alone (%(raw)s)."
        ),
    ),
    (
        r"In the App Dashboard, subscribe to the webhook fields (?P<fields>[\w, ]+)\.",
        N_("In Meta's App Dashboard, subscribe to the webhook fields %(fields)s."),
    ),
    (
        r"Register the number for the Cloud API in WhatsApp Manager \(it is not connected yet\)\.",
        N_("Register the number for the Cloud API in WhatsApp Manager (it is not connected yet)."),
    ),
    (
        r"Configure the service to send its events to (?P<url>\S+), signed with webhook_secret\.",
        N_("Configure the service to send its events to %(url)s, signed with webhook_secret."),
    ),
    (
        r"WhatsApp asks for a passkey: finish the pairing in (?P<name>.+)\.",
        N_("WhatsApp asks for a passkey: finish the pairing in %(name)s."),
    ),
    (r"(?P<name>\S+) reports the state (?P<state>.*)\.", N_("%(name)s reports the state %(state)s.")),
    (
        r"Confirm the passkey's code on the phone to finish the pairing\.",
        N_("Confirm the passkey's code on the phone to finish the pairing."),
    ),
    (
        r"WAHA reports that the session failed: restart it there, or pair the number again\.",
        N_("WAHA reports that the session failed: restart it there, or pair the number again."),
    ),
    (
        r"In WPPConnect's configuration set webhook\.onSelfMessage to true, or what people type .*",
        N_(
            "In WPPConnect's configuration set webhook.onSelfMessage to true, or what people type on the paired phone "
            "is seen only by reconciliation."
        ),
    ),
    (
        r"In WPPConnect's configuration set webhook\.readMessage to false, or every message .*",
        N_(
            "In WPPConnect's configuration set webhook.readMessage to false, or every message is marked as read at "
            "once."
        ),
    ),
    (
        r"In WPPConnect's configuration set webhook\.autoDownload to false: Atende fetches .*",
        N_("In WPPConnect's configuration set webhook.autoDownload to false: Atende fetches files when it needs them."),
    ),
    (
        r"This version of (?P<name>.+) takes its webhook from its start only: start it with --webhook=(?P<url>\S+) .*",
        N_(
            "This version of %(name)s takes its webhook from its start only: start it with --webhook=%(url)s and "
            "--webhook-secret set to webhook_secret of this number."
        ),
    ),
    # the verdict of an eval (evaluation.gates); what a group named x_… holds is told by _PIECES, o_… is an origin
    (r"One bundle, nothing to compare it with\.", N_("One bundle, nothing to compare it with.")),
    (r"Nothing could be compared: (?P<x_why>.*)\.", N_("Nothing could be compared: %(x_why)s.")),
    (
        r"(?P<some>\d+) of (?P<all>\d+) turns would have been different; (?P<errored>\d+) could not be played\.",
        N_("%(some)s of %(all)s turns would have been different; %(errored)s could not be played."),
    ),
    (
        r"(?P<x_whose>.+? against .+?): surely worse in (?P<x_worse>.*); surely better in (?P<x_better>.*)\.",
        N_("%(x_whose)s: surely worse in %(x_worse)s; surely better in %(x_better)s."),
    ),
    (
        r"(?P<x_whose>.+? against .+?): surely worse in (?P<x_worse>.*)\.",
        N_("%(x_whose)s: surely worse in %(x_worse)s."),
    ),
    (
        r"(?P<x_whose>.+? against .+?): surely better in (?P<x_better>.*), nowhere surely worse\.",
        N_("%(x_whose)s: surely better in %(x_better)s, nowhere surely worse."),
    ),
    (
        r"(?P<x_whose>.+? against .+?): merely different \((?P<x_flips>.*?)\); neither outweighs the other for sure\. "
        r"With a chance of 80 % this run would have shown (?P<x_could>.*)\.",
        N_(
            "%(x_whose)s: merely different (%(x_flips)s); neither outweighs the other for sure. "
            "With a chance of 80 %% this run would have shown %(x_could)s."
        ),
    ),
    (
        r"(?P<x_whose>.+? against .+?): no difference shown \((?P<x_flips>.*?)\)\. "
        r"With a chance of 80 % this run would have shown (?P<x_could>.*)\.",
        N_(
            "%(x_whose)s: no difference shown (%(x_flips)s). "
            "With a chance of 80 %% this run would have shown %(x_could)s."
        ),
    ),
    (r"no case was played under (?P<bundle>.*)", N_("no case was played under %(bundle)s")),
    (r"every case errored under (?P<bundle>.*)", N_("every case errored under %(bundle)s")),
    (
        r"(?P<some>\d+) of (?P<all>\d+) errored under (?P<bundle>.*); at most (?P<most>\S+) may",
        N_("%(some)s of %(all)s errored under %(bundle)s; at most %(most)s may"),
    ),
    (
        r"(?P<some>\d+) of (?P<all>\d+) cases could not be compared: (?P<x_why>.*)",
        N_("%(some)s of %(all)s cases could not be compared: %(x_why)s"),
    ),
    (
        r"(?P<some>\d+) cases are tagged so and held by no rate; (?P<mended>\d+) of them pass by now(?P<x_named>.*)",
        N_("%(some)s cases are tagged so and held by no rate; %(mended)s of them pass by now%(x_named)s"),
    ),
    (r"no case of this run is marked critical", N_("no case of this run is marked critical")),
    (
        r"(?P<some>\d+) of (?P<all>\d+) critical cases failed; at most (?P<most>\d+) may(?P<x_named>.*)",
        N_("%(some)s of %(all)s critical cases failed; at most %(most)s may%(x_named)s"),
    ),
    (
        r"(?P<some>\d+) critical cases? could not be judged(?P<x_named>.*)",
        N_("critical cases that could not be judged: %(some)s%(x_named)s"),
    ),
    (r"no case could be compared", N_("no case could be compared")),
    (
        r"no drop is sure \((?P<some>\d+) comparisons?, level (?P<level>\S+)\)",
        N_("no drop is sure (comparisons: %(some)s, level %(level)s)"),
    ),
    (
        r"no drop of (?P<drop>\S+) or more is sure \((?P<some>\d+) comparisons?, level (?P<level>\S+)\)",
        N_("no drop of %(drop)s or more is sure (comparisons: %(some)s, level %(level)s)"),
    ),
    (
        r"(?P<old>\S+) → (?P<new>\S+) over (?P<some>\d+) cases \((?P<worse>\d+) worse, (?P<better>\d+) better, "
        r"p = (?P<p>\S+) one-sided, (?P<corrected>\S+) corrected\)",
        N_(
            "%(old)s → %(new)s over %(some)s cases (%(worse)s worse, %(better)s better, p = %(p)s one-sided, "
            "%(corrected)s corrected)"
        ),
    ),
    (r"all (?P<some>\d+) cases errored", N_("all %(some)s cases errored")),
    (
        r"(?P<rate>\S+) of (?P<some>\d+) cases \[(?P<low>\S+), (?P<high>\S+)\]; at least (?P<least>\S+)",
        N_("%(rate)s of %(some)s cases [%(low)s, %(high)s]; at least %(least)s"),
    ),
    (r"no case of this run has it", N_("no case of this run has it")),
    (r"(?P<some>\d+) millionths per case; at most (?P<most>\S+)", N_("%(some)s millionths per case; at most %(most)s")),
    (
        r"95 % of cases within (?P<some>\d+) ms; at most (?P<most>\S+)",
        N_("95 %% of cases within %(some)s ms; at most %(most)s"),
    ),
    (r"a single case shows no spread", N_("a single case shows no spread")),
    (
        r"(?P<old>\d+) → (?P<new>\d+) per case, difference \[(?P<low>\S+), (?P<high>\S+)\]; at most (?P<most>\S+) more",
        N_("%(old)s → %(new)s per case, difference [%(low)s, %(high)s]; at most %(most)s more"),
    ),
    (
        r"different origins are never compared: (?P<origins>.*)",
        N_("different origins are never compared: %(origins)s"),
    ),
    (r"played under one bundle only", N_("played under one bundle only")),
    (r"no epoch was judged under both", N_("no epoch was judged under both")),
    (r"errored under the candidate and the baseline", N_("errored under both bundles")),
    (r"errored under the candidate", N_("errored under the candidate")),
    (r"errored under the baseline", N_("errored under the baseline")),
)
_PIECES: Final[tuple[tuple[str, str], ...]] = (
    (r"(?P<a>\S+) against (?P<b>\S+)", N_("%(a)s against %(b)s")),
    (r"(?P<change>[+-][\d.]+) points, (?P<o_origin>\w+)(?=\))", N_("%(change)s points, %(o_origin)s")),
    (r"(?P<gained>\d+) cases? better, (?P<lost>\d+) worse", N_("better: %(gained)s, worse: %(lost)s")),
    (
        r"a drop of (?P<drop>[\d.]+) points over (?P<some>\d+) (?P<o_origin>\w+) cases?",
        N_("a drop of %(drop)s points (%(o_origin)s, cases: %(some)s)"),
    ),
    (
        r"no drop at all over (?P<some>\d+) (?P<o_origin>\w+) cases?",
        N_("no drop at all (%(o_origin)s, cases: %(some)s)"),
    ),
    (r" and (?P<some>\d+) more$", N_(" and %(some)s more")),
    (r"(?<=\)) and (?=\S)", N_(" and ")),
    (r"\ball suites(?= \()", N_("all suites")),
    (
        r"different origins are never compared: (?P<origins>.*?)(?= \(\d+\)|$)",
        N_("different origins are never compared: %(origins)s"),
    ),
    (r"played under one bundle only(?= \(\d+\))", N_("played under one bundle only")),
    (r"no epoch was judged under both(?= \(\d+\))", N_("no epoch was judged under both")),
    (r"errored under the candidate and the baseline(?= \(\d+\))", N_("errored under both bundles")),
    (r"errored under the candidate(?= \(\d+\))", N_("errored under the candidate")),
    (r"errored under the baseline(?= \(\d+\))", N_("errored under the baseline")),
    (r"no case was played", N_("no case was played")),
)


class ToldLines:
    """The template filter ``told``."""

    def __init__(self, words: NullTranslations, figures: Figures) -> None:
        self._words, self._figures = words, figures

    def __call__(self, line: str) -> Markup:
        """The line, escaped; English of no known form is marked as English."""
        said = self.said(line)
        return escape(said) if said is not None else Markup('<span lang="en">{}</span>').format(line)

    def said(self, line: str) -> str | None:
        """In the reader's language; None: of no known form."""
        for form, sentence in _FORMS:
            if found := re.fullmatch(form, line.strip(), re.DOTALL):
                return self._filled(sentence, found)
        return None

    def _filled(self, sentence: str, found: re.Match[str]) -> str:
        return self._words.gettext(sentence) % {
            name: self._value(name, text) for name, text in found.groupdict("").items()
        }

    def _value(self, name: str, text: str) -> str:
        if name.startswith("o_"):
            return self._words.gettext(EVAL_ORIGINS.get(text, text))
        return self._pieces(text) if name.startswith("x_") else self._figures.as_typed(text)

    def _pieces(self, text: str) -> str:
        for form, words in _PIECES:
            text = re.sub(form, partial(self._filled, words), text)
        return text
