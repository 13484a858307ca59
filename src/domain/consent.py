"""Words by which a customer stops, or allows again, messages that are no answer to their own.

Only a whole message counts: "quero cancelar" is business, "SAIR" alone is not. The list is WhatsApp's practice in
Brazil, with what is usual in Spanish and English. Texts are compared as ``agent.normalise.words`` gives them: without
case, accents, punctuation and emoji.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

ConsentCommand = Literal["opt_out", "opt_in"]

PROACTIVE: Final = "proactive_messages"
"""The purpose that these words are about: messages that the business begins."""

OPT_OUT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("sair", "parar", "pare", "descadastrar", "descadastre", "remover"), "pt"),
    **dict.fromkeys(("salir", "baja", "dar de baja", "darme de baja", "detener"), "es"),
    **dict.fromkeys(("unsubscribe", "stop all", "stopall", "opt out", "optout"), "en"),
    "stop": "",
}
"""Word → its language; "" where it says nothing about one."""
OPT_IN: Final[Mapping[str, str]] = {
    **dict.fromkeys(("voltar", "quero receber"), "pt"),
    **dict.fromkeys(("volver", "alta", "darme de alta"), "es"),
    **dict.fromkeys(("start", "unstop", "subscribe", "opt in", "optin"), "en"),
}
"""Only for a contact who has opted out; for everybody else these are ordinary words."""


@dataclass(frozen=True, slots=True)
class ConsentWords:
    """The tenant's additions, folded: "cancelar" only where the tenant says so, since it is also a business matter."""

    opt_out: frozenset[str] = field(default_factory=frozenset)
    opt_in: frozenset[str] = field(default_factory=frozenset)

    def command(self, said: str) -> ConsentCommand | None:
        """What the whole message means; ``said``: its folded words, joined by single spaces."""
        if said in OPT_OUT or said in self.opt_out:
            return "opt_out"
        if said in OPT_IN or said in self.opt_in:
            return "opt_in"
        return None

    def language(self, said: str) -> str:
        """The language of that word, "" where it tells none."""
        return OPT_OUT.get(said) or OPT_IN.get(said) or ""
