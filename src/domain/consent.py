"""Words by which a customer stops, or allows again, messages that are no answer to their own.

Only a whole message counts: "quero cancelar" is business, "SAIR" alone is not. The words are WhatsApp's practice in
Brazil, with what is usual in Spanish and English; around them courtesy, and in their stead short sentences that say by
themselves what they are about (domain.opt_out_words). Texts are compared as ``agent.normalise.words`` gives them:
without case, accents, punctuation and emoji.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from domain.opt_out_words import plainly, repaired, sentence, without_courtesy

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
        meant = self._meant(said)
        return meant[0] if meant else None

    def language(self, said: str) -> str:
        """The language of that word, "" where it tells none."""
        meant = self._meant(said)
        return meant[1] if meant else ""

    def _meant(self, said: str) -> tuple[ConsentCommand, str] | None:
        plain = plainly(said)
        bare = without_courtesy(plain)
        spellings = dict.fromkeys((said, plain, bare, *([repaired(bare)] if " " not in bare else [])))
        for spelling in spellings:
            if spelling in OPT_OUT or spelling in self.opt_out:
                return "opt_out", OPT_OUT.get(spelling, "")
            if spelling in OPT_IN or spelling in self.opt_in:
                return "opt_in", OPT_IN.get(spelling, "")
        found = sentence(plain) or sentence(bare)
        return (cast("ConsentCommand", found[0]), found[1]) if found else None
