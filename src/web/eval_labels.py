"""Words and colours of evals and of test cases from work; part of ``web.labels``."""

from __future__ import annotations

from web.i18n import N_

CASE_STATES = {
    "proposed": N_("Waiting for review"),
    "accepted": N_("In the suite"),
    "dropped": N_("Dropped"),
}
CASE_ORIGINS = {
    "edited": N_("An operator edited the suggestion"),
    "rejected": N_("An operator rejected the suggestion"),
    "bad_turn": N_("A decision that should have been another"),
}
CASE_AUTHORS = {"customer": N_("Customer"), "agent": N_("Assistant"), "operator": N_("Operator")}
REPRODUCTION = {
    "waiting": (N_("Not played yet"), "secondary"),
    "reproduced": (N_("The failure was reproduced"), "green"),
    "not_reproduced": (N_("The failure was not reproduced"), "orange"),
    "errored": (N_("Could not be played"), "red"),
}
"""What came of playing a proposed case → words, colour."""

STAND_INS = {
    "cpf": N_("CPF"),
    "cnpj": N_("CNPJ"),
    "rg": N_("RG"),
    "national_id": N_("national id"),
    "card": N_("card"),
    "card_code": N_("card's code"),
    "email": N_("e-mail address"),
    "phone": N_("telephone"),
    "address": N_("street address"),
    "postal_code": N_("postal code"),
    "birth_date": N_("date of birth"),
    "pix_key": N_("PIX key"),
    "bank_account": N_("bank account"),
    "secret": N_("password"),
    "identifier": N_("order number or code"),
    "name": N_("word of a name"),
}
"""Kinds of personal data that stand-ins took the place of; each is followed by how many."""

EVAL_ORIGINS = {
    "local": N_("no model asked"),
    "replayed": N_("replayed"),
    "live": N_("live"),
    "simulated": N_("simulated"),
    "mixed": N_("mixed origins"),
}
"""Where the language model's words of an eval came from."""

EVAL_MODES = {
    "replay": N_("from recordings"),
    "live": N_("live model"),
    "simulated": N_("stand-in model"),
    "beside": N_("a day's conversations"),
}

EVAL_VERDICTS = {
    "better": (N_("Better"), "green"),
    "worse": (N_("Worse"), "red"),
    "different": (N_("Merely different"), "orange"),
    "no_difference": (N_("No difference shown"), "plain"),
    "alone": (N_("One bundle"), "plain"),
    "beside": (N_("Side by side, not judged"), "plain"),
    "unknown": (N_("Nothing compared"), "orange"),
}

EVAL_EXITS = {
    "0": (N_("Passed"), "green"),
    "1": (N_("A gate failed"), "red"),
    "3": (N_("Nothing found out"), "orange"),
}
"""Exit code of the judgement → words, colour."""

EVAL_GATE_STATES = {
    "passed": (N_("held"), "green"),
    "failed": (N_("failed"), "red"),
    "not_judged": (N_("not judged"), "plain"),
}

EVAL_GATES = {
    "critical_failures": N_("Critical cases"),
    "regression": N_("No sure regression"),
    "pass_rate": N_("Pass rate"),
    "errored_share": N_("Errored results"),
    "compared": N_("Cases compared"),
    "cost": N_("Cost"),
    "latency": N_("Latency"),
    "known_weakness": N_("Known weaknesses"),
}

EVAL_BESIDE = {"passed": N_("the same"), "failed": N_("different"), "errored": N_("errored"), "none": N_("not played")}
"""Of a turn beside what happened: nobody said which is right."""
EVAL_STATUS = {"passed": N_("passed"), "failed": N_("failed"), "errored": N_("errored"), "none": N_("not played")}
