"""Replies of a turn in which nothing was looked up: there, whatever states something about the business is made up."""

from __future__ import annotations

import re
from typing import Final

from agent.claims.book import Book
from agent.claims.phrases import ASKED, COPULA, LAMENT, OFFER, PRESENCE, REQUEST, YOU_SAID
from agent.claims.plain_words import is_plain
from agent.claims.text import folded
from agent.claims.words import stem, words

_BARE_YES: Final = re.compile(
    r"(?:claro |sim |si |yes |sure |ok )*(?:(?:tem|temos|pode|podem|podemos|da|\w{2,}[aei]mos) sim|sim (?:temos|tem|pode|da|\w{2,}[aei]mos)|"
    r"(?:yes |sure |of course )?we (?:do|are|have|can)$|claro que (?:pode|sim|si|puede\w*|temos|tem)\b|(?:claro |sim )*pode (?:vir|trazer|buscar|retirar|passar)\b|(?:claro |si )*(?:puedes?|puede) (?:venir|traer|pasar|buscar)\w*|"
    r"si (?:tenemos|hay|se puede|puede\w*|\w{2,}[aei]mos)|yes (?:we|you|it|they) (?:do|have|can|are|is|does))\b"
)
_HANDED: Final = re.compile(
    r"(?:segue[m]?\b|(?:aqui|ai|ahi|aca) (?:esta|estao|estan|vai|va|te|tem|tienes?)\b|te (?:dejo|mando|paso|envio) (?!con\b|com\b)|here(?:'s| is| are| you go)\b|attached\b|em anexo\b|adjunt\w+\b)"
)
_UNDERWAY: Final = re.compile(
    r"(?:(?:just |now |already )*(?!looking|hoping|wishing|thanking|sorry|waiting|nothing|anything|something|everything|morning|evening|during|being|having|talking|trying|going|thinking|wondering)[a-z]{3,}ing (?:it|this|that|them|you|your|the|over|out|now)\b|"
    r".{0,40}\b(?:ja|ya) (?:esta|estao|estan|vem|vai|viene|va)\b.{0,12}(?:ndo\b|a caminho|en camino|indo|saindo))"
)
_DID: Final = re.compile(
    r"\b(?:i|we)(?:'ve| have) (?:just |already |also |now )?(?!seen|noted|understood|got|received|had|been|heard|read|tried|missed|no|not|any|never)\w+"
)
_GO_THERE: Final = re.compile(
    r"(?:\b(?:clique|clica|acess[ea]|entre (?:n[oa]|em|en)\b|va (?:em|n[oa]|ao?|à|en|al?)\b|pas[ae] (?:por|n[oa]|pel[oa]|aqui|em)\b|dirija\w*|retire|reclam[ae]|baixe|instale|"
    r"go to|head (?:to|over)|come (?:to|by)|visit|click|tap|download|log in|sign in|check your|ligue (?:para|n[oa])|llam[ea] al?|call (?:us|our|the)|siga|sigue los|follow the)\b"
    r"|\b(?:basta|e suficiente|es suficiente|alcanza con|just|voce (?:so )?precisa|solo (?:necesitas|hay que)|you (?:just|only) need to)\b (?:apresentar|levar|trazer|enviar (?:a|o) |presentar|llevar|traer|enviar (?:el|la) |bring|present|show))"
)
_OF_OURS: Final = re.compile(
    r"\b(?:nosso|nossa|nossos|nossas|nuestro|nuestra|nuestros|nuestras|our|us|everything|tudo|todo|hoje|hoy|today|agora|ahora|ja|ya|seu|sua|seus|suas|tu|tus|su|sus|your)\b"
)
_VERB: Final = re.compile(
    r"\b(?:quedan?|sobr[ao]u?|sobram|restam?|faltam?|sai|saem|acab\w+|chega\w*|llega\w*|vem|viene\w*|abre\w*|fecha\w*|cierra\w*|inclu\w+|custa\w*|cuesta\w*|comes|goes|opens|closes|runs|ships|includes|takes)\b"
)
_HARMLESS: Final = re.compile(
    r"(?:que |isso |essa? |esse |this |that |it |eso |esa? |porque |because |como |o (?:ideal|melhor|certo) |lo (?:ideal|mejor) |the best |eu |yo |i |i'?m |i'?d |vamos |let'?s |a gente |"
    r"por aqui|aqui eu|e so |é so |é$|tudo (?:bem|joia|otimo|certo|tranquilo)|todo (?:bien|tranquilo)|all (?:good|well))"
)
_NO_ANSWER: Final = re.compile(
    r"\b(?:sistema|system|servidor|server|consulta|busca|lookup)\b|\b(?:resposta|respuesta|confirmacao|confirmacion|answer|reply|confirmation)\b|\b(?:nao|no|not|\w+n't)\b.{0,12}\b(?:estou|estoy|am|tive|tuve|tenho|tengo|had)\b"
)


_OURS: Final = re.compile(r"(?:noss[oa]s?|nuestr[oa]s?|our) \w+ \w+ \w+")
_DENIAL: Final = re.compile(
    r"(?:(?:aqui|por aqui|infelizmente|lamentablemente|unfortunately) )?(?:no|nao (?:temos|tem|ha)|no (?:tenemos|hay)|we (?:don't|do not) have) (?P<what>.+)"
)


def _denies_asked(piece: str, asked: str) -> bool:
    """Whether a segment says no to the thing that was asked for."""
    denial = _DENIAL.match(piece)
    heard = {stem(m[0]) for m in words(asked)}
    return denial is not None and any(
        len(m[0]) > 3 and not is_plain(m[0]) and stem(m[0]) in heard for m in words(denial["what"])
    )


def check_groundless(book: Book, place: int) -> None:
    """A statement, an instruction or a thing said to be sent, where no source of the turn could know it."""
    if book.index.answered or book.index.asked:
        return
    part, piece, feeling = book.parts[place], book.piece(place), book.moods[place]
    if feeling in {"question", "inability"} or any(c.supported_by is None for c in book.claims_in(part)):
        return
    asked = folded("\n".join(book.sources.customer)).text
    sentence = " ".join(book.piece(other) for other in book.sentence(place) if other <= place)
    if YOU_SAID.search(sentence) or LAMENT.search(piece) or _NO_ANSWER.search(piece):
        return
    yes = _BARE_YES.match(piece) and ASKED.search(asked) and not PRESENCE.search(asked)
    after = [book.piece(other) for other in range(place + 1, len(book.parts))]
    bare = yes and not any(REQUEST.search(each) or OFFER.search(each) for each in after)
    denial = feeling == "statement" and _denies_asked(piece, asked)
    if bare or denial or _OURS.match(piece) or _GO_THERE.search(piece):
        book.claim(part.start, part.end, "fact", None)
    elif feeling == "statement" and (_HANDED.match(piece) or _UNDERWAY.match(piece) or _DID.search(piece)):
        book.claim(part.start, part.end, "action", None)
    elif (
        feeling == "statement"
        and not _HARMLESS.match(piece)
        and _OF_OURS.search(piece)
        and (COPULA.search(piece) or _VERB.search(piece))
        and len(piece.split()) > 2
    ):
        book.claim(part.start, part.end, "fact", None)
