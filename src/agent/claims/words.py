"""What a text says in words: which concepts, in which form, affirmed or denied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from agent.claims.lexicon import concept_of

Form = Literal["done", "plain", "name"]
"""``done``: a participle or a past; ``name``: a noun or an infinitive; ``plain``: all else, such as a present."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A word that belongs to a concept. ``first``: a past in the first person ("cancelei")."""

    concept: str
    form: Form
    negative: bool
    start: int
    end: int
    first: bool = False


_WORD: Final = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_PORTUGUESE: Final = re.compile(
    r"\b(?:nao|voce|vc|com|em|do|da|dos|das|uma|ao|seu|sua|ate|é|na|pelo|pela|mais|ou|sao)\b"
)
_OTHER: Final = re.compile(r"\b(?:el|los|las|con|una|del|y|su|en|hay|the|is|of|and|to|your|you|we|our|are|for)\b")
_NO: Final = re.compile(r"\bno\b")
_NEGATION: Final = re.compile(
    r"\b(?:nao|not|never|nunca|jamais|jamas|nem|ni|tampouco|tampoco|sem|sin|without|nenhum\w*|ningun\w*|none|neither|zero|cannot|"
    r"\w+n't|deixou de|dejo de|exclu\w+|exceto|except|excepto|menos|fora|out of)\b"
)
_SHORTEST_NO: Final = ("sem ", "sin ", "zero ", "without ")
"""What makes the name of a diet: "sem glúten"."""
_SHORT: Final = frozenset(
    {"sem", "sin", "without", "zero", "nenhum", "nenhuma", "ningun", "ninguna", "menos", "fora", "except", "out of"}
)
_EXCLUDED: Final = re.compile(
    r"\b(?:excluded|excluid[oa]s?|unavailable|indisponive(?:l|is)|not (?:included|covered|available|allowed)|nao (?:esta |estao |é |sao )?(?:inclus[oa]s?|cobert[oa]s?))\b"
)
_STOPS: Final = re.compile(r"[.;:!?\n]")
_AFTER_NEGATION: Final = re.compile(
    r"[,.;:!?\n]|\b(?:mas|pero|but|porem|apenas|somente|solo|only|so|porque|pois|ya que|ja que|because|since)\b"
)
_DONE: Final = re.compile(
    r"\w+(?:ad[oa]s?|id[oa]s?|ou|aram|eram|iram|aron|ieron|ei|ed)$|"
    r"(?:feit|abert|pront|pag|entregu|emitid|aceit|suspens|isent|inclus|hech|abiert|resuelt|devuelt|puest|cubiert|cobert|gast|ganh)[oae]s?$|"
    r"(?:ready|listo|lista|listos|listas|sent|paid|made|done|shipped|sold|lost|found|held|set|won|put|built|caught|fiz|fez|saiu|salio|abriu|pedi|abri|emiti|recebi|"
    r"concluiu|conclui|inclui|vendeu|atendeu|prometi|devolveu|devolvi|respondi|respondeu|resolvi|resolveu|transferi|estendi)$"
)
_NAME: Final = re.compile(
    r"\w+(?:[aei]r(?:te|le|les|lo|la|los|las|nos|se|me|lhe|telo|selo)?|cao|coes|cion|ciones|mento|mentos|miento|tion|tions|ment|ments|agem|agens|al|ing|ura|encia|"
    r"aje|al)$|(?:entrega|envio|troca|cambio|reembolso|estorno|reserva|pago|pedido|devolucion|reserva|refund|return|exchange|delivery|"
    r"shipment|order|registro|cadastro|retorno|contato|contacto|aviso|visita|cobranca|compra|consulta|conserto|reparo|atraso|retraso|"
    r"delay|fatura|factura|cobro|bloqueio|bloqueo|desbloqueo|desbloqueio|inicio|erro|error|falha|fallo|teste|renovacao|oferta|venda|venta|sale|"
    r"suporte|soporte|support|garantia|warranty|resposta|respuesta|cancelamento|solicitud|request|despacho|arreglo|chegada|llegada|coleta|"
    r"retirada|retiro|uso|cierre|pickup|update|transfer)s?$"
)
_FIRST: Final = re.compile(
    r"\w{2,}(?:ei|iei)$|(?:fiz|abri|pedi|emiti|inclui|conclui|transferi|devolvi|resolvi|respondi|recebi|estendi)$"
)
_ACCENTED: Final = frozenset({"inclui", "conclui"})
"""A present ("inclui") but for its accent ("incluí")."""
_SPANISH_FIRST: Final = re.compile(r"\w{2,}[éí]$")
_SPANISH_THIRD: Final = re.compile(r"\w{2,}ó$")


_PAID: Final = frozenset({"paga", "pagas", "pago", "pagos"})
_AS: Final = re.compile(r"\b(?:como|esta|estao|estan|foi|fue|consta|ja|ya|ficou|quedo) $")
_ASIDE: Final = re.compile(r"\b(?:by the|either|any|no|the same|this|that) way$")
_VACANT: Final = re.compile(r" (?:from|at|on|until|this|next|today|tomorrow|between|slots?)\b")
_JUST: Final = re.compile(r"\b(?:acab(?:ei|amos|ou|o|e|ado) de) $")
_LAST_MILE: Final = re.compile(
    r"\bout for delivery\b|\bsa(?:iu|iram|lio) (?:hoje |hoy )?(?:para|pra|a) (?:a )?(?:entrega|reparto)\b|\bem rota de entrega\b"
)
"""The last way of a parcel, which is more than being on its way."""
_AT_ONCE: Final = re.compile(
    r"\b(?:na (?:mesma )?hora(?! (?:d|em|que))|no ato|al instante|en el acto|on the spot|same[- ]day|no mesmo dia|el mismo dia)\b"
)
_NO_COST: Final = re.compile(
    r"\b(?:(?:sem|sin|nenhum|ningun) (?:custos?|costos?|coste|cargo|gastos)|(?:nao|no) (?:ha|hay|tem|tiene|existe) (?:nenhum |ningun )?(?:custo|costo|coste|cargo)|no (?:extra |additional )?(?:cost|charge)|"
    r"at no (?:extra |additional )?(?:cost|charge)|(?:pelo|o|por el|el) mesmo preco|(?:por )?(?:el|al) mismo precio|(?:for )?the same price|costs? nothing|nao (?:custa|paga) nada|no (?:cuesta|paga) nada)\b"
)
_APART: Final = re.compile(
    r"(?:à parte|\ba parte\b|\baparte\b|por separado|\bseparately\b|(?:cobrad[oa]|pag[oa]|vendid[oa]) por fora|(?:is|are|costs?) extra\b)"
)
"""Charged besides, so not included."""
_TO_BE: Final = re.compile(
    r"\b(?:ser|be|being|fica|ficam|queda|quedan|sendo|siendo|sea|seja|sejam|ficar|fique|fiquem|estar|esteja|quedar|quede|get|gets|este) $"
)


def words(text: str) -> list[re.Match[str]]:
    return list(_WORD.finditer(text))


@lru_cache(maxsize=32_768)
def stem(word: str) -> str:
    """The part by which forms of a word, and cognates of the three languages, are the same."""
    if len(word) > 5 and word.endswith(("ing", "ed")):
        word = word.removesuffix("ing").removesuffix("ed")
    return word[:5] if len(word) > 5 else word.rstrip("s") if len(word) > 3 else word


@lru_cache(maxsize=32_768)
def form_of(word: str, accented: str) -> Form:
    if _SPANISH_FIRST.match(accented) or _SPANISH_THIRD.match(accented):
        return "done"
    if word in _ACCENTED and not accented.endswith("í"):
        return "plain"
    if word.startswith(("expected", "estimated", "previst", "estimad")):
        return "plain"
    if _NAME.match(word) and word != "entregue":
        return "name"
    return "done" if _DONE.match(word) else "plain"


def is_first(word: str, accented: str) -> bool:
    if word in _ACCENTED:
        return accented.endswith("í")
    return bool(_SPANISH_FIRST.match(accented) or _FIRST.match(word))


def negated(text: str, language: str = "") -> list[tuple[int, int]]:
    """The stretches of ``text`` that are denied. ``language``: what it is probably written in."""
    spans = []
    found = list(_NEGATION.finditer(text))
    hint = language == "pt"
    if " no " in f" {text} " and len(_PORTUGUESE.findall(text)) + hint <= len(_OTHER.findall(text)):
        found += _NO.finditer(text)  # "no" is "in the" in Portuguese
    for match in found:
        following = text[match.end() : match.end() + 80]
        stop = _AFTER_NEGATION.search(following)
        reach = stop.start() if stop else len(following)
        limit = 3 if match[0] in _SHORT else 9
        ends = [word.end() for word in _WORD.finditer(following[:reach])][:limit]
        if ends:
            spans.append((match.start(), match.end() + ends[-1]))
    for match in _EXCLUDED.finditer(text):  # "tyres are excluded"
        begin = max((stop.end() for stop in _STOPS.finditer(text, 0, match.start())), default=0)
        spans.append((begin, match.end()))
    return spans


def is_portuguese(text: str) -> bool:
    """Whether folded ``text`` looks Portuguese rather than Spanish or English."""
    return len(_PORTUGUESE.findall(text)) > len(_OTHER.findall(text))


def mentions(text: str, lower: str | None = None, language: str = "") -> list[Mention]:
    """The concepts of folded ``text``; ``lower`` is the same with accents."""
    denied = negated(text, language)
    found = [Mention("lastmile", "done", False, *match.span()) for match in _LAST_MILE.finditer(text)]
    found += [Mention("immediate", "plain", False, *match.span()) for match in _AT_ONCE.finditer(text)]
    found += [Mention("free", "plain", False, *match.span()) for match in _NO_COST.finditer(text)]
    found += [Mention("add", "plain", True, *match.span()) for match in _APART.finditer(text)]
    accents = lower if lower is not None and len(lower) == len(text) else text
    for match in _WORD.finditer(text):
        concept = concept_of(match[0])
        if concept is None or (match[0] == "sale" and language == "es"):  # "sale en $800"
            continue
        start, end = match.span()
        if concept == "underway" and _ASIDE.search(text, max(0, start - 8), end):
            continue
        accented = accents[start:end]
        negative = any(
            begin <= start < stop and not (concept == "gluten" and text.startswith(_SHORTEST_NO, begin))
            for begin, stop in denied
        )
        form = form_of(match[0], accented)
        if match[0] == "free" and _VACANT.match(text, end):
            concept = "available"
        if text[max(0, start - 3) : start] == "to " and form == "plain":
            form = "name"
        if match[0] in _PAID:
            form = "done" if _AS.search(text, max(0, start - 10), start) or text.startswith(" via", end) else "plain"
        if form == "done" and _TO_BE.search(text, max(0, start - 9), start):
            form = "plain"  # "deve ser feita"
        just = _JUST.search(text, max(0, start - 14), start) is not None
        if just and form == "name":
            form = "done"  # "acabei de mandar"
        if concept == "end" and _JUST.search(text, max(0, start - 2), min(len(text), end + 4)):
            continue
        found.append(Mention(concept, form, negative, start, end, is_first(match[0], accented)))
    return found


_LIKE: Final[Sequence[frozenset[str]]] = tuple(
    frozenset(group.split())
    for group in (
        "ship underway forward deliver_out",
        "schedule confirm reserve",
        "create register open note save",
        "finish resolve end",
        "deliver arrive receive",
        "available stock",
        "expire deadline delay",
        "accept allow card",
        "price charge fee",
        "warranty guarantee cover",
        "collect available",
        "soldout end",
        "refuse fail",
        "schedule reschedule",
        "pay approve clear confirm",
        "forward notify request",
        "activate release",
        "free waive",
        "serve work open available",
        "discount apply",
        "prepare make",
        "allow available",
        "verify find",
        "require allow",
        "closed close",
        "sell stock available",
        "ready finish prepare available resolve",
        "receive arrive deliver",
        "arrive expect",
        "network online",
        "fee fine interest charge",
        "save await collect",
        "save schedule",
        "block remove",
        "deposit network",
        "due expire",
        "due expect",
        "due arrive",
        "due deadline",
        "underway expect",
        "accept serve",
        "schedule visit",
        "card debt",
        "release allow",
        "forward update",
        "submit ship",
        "submit register",
        "exchange update reschedule",
        "invoice charge slip",
        "schedule appointment",
        "entire soldout",
        "technician visit",
        "restart activate",
        "host accept",
    )
)


_CONTRARY: Final = {
    "open": "close closed closedday", "work": "close closed block", "serve": "close closed", "available": "soldout block close", "stock": "soldout",
    "sell": "soldout", "approve": "refuse", "accept": "refuse", "allow": "refuse", "activate": "block expire", "fail": "normal", "delay": "normal",
    "online": "block", "network": "block", "close": "open", "soldout": "available stock", "pay": "await expire", "release": "block", "add": "remove",
    "remove": "add", "block": "activate release",
}  # fmt: skip


@lru_cache(maxsize=1024)
def contrary(concept: str) -> frozenset[str]:
    """The concepts that say the same as denying ``concept``."""
    return frozenset(_CONTRARY.get(concept, "").split())


@lru_cache(maxsize=1024)
def alike(concept: str) -> frozenset[str]:
    """The concepts that may stand for ``concept``, itself included."""
    return frozenset({concept}).union(*(group for group in _LIKE if concept in group))
