"""Where a message may hold more than one wish: its clauses, each with a sign of asking for something by itself.

Only form is looked at here. A clause that asks for nothing ("é o 1042", "ficou pequeno") stays with the wish before it;
a question that leans on what stands before ("e quanto custa?") does, too. Whether two clauses are two wishes is for the
classifier to say (agent.wishes); what is not cut here is never two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from agent.normalise import MAX_READ, fold, words
from agent.phrases import small_talk

Kind = Literal["question", "wish", "statement"]

_TOKEN: Final = re.compile(r"[^\W_]+(?:['’.,/:@-][^\W_]+)*|\n|[.,;!?…]+")
_NUMBERED: Final = re.compile(r"(?:^|(?<=[\s.,;!?]))[1-9](?:[.)º°]|\s?-)\s+(?=\D)")
_MARKED: Final = re.compile(r"(?m)^\s*[-*•–]\s+(?=\S)")
"""What begins a point of a list; a line of its own, or numbered in the text."""
_ENDS: Final = frozenset(".;!?…\n")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABBREVIATIONS: Final = _words("n no nº nr num sr sra dr dra av ref tel cel ex obs pag mr mrs ms st vs")
_JOINS: Final = _words("e y and tambem tambien tbm tb also plus alem ademas alias aproveitando outra otra another mais")
_SKIPPED: Final = _JOINS | _words(
    "disso eso coisa cosa thing by the way por cierto favor pfv please so agora entao ai ah oh eh ainda todavia "
    "oi ola opa hola hi hello hey bom boa dia tarde noite buenas buenos dias tardes noches good morning afternoon "
    "evening gente pessoal entonces then well bem"
)
_ANNOUNCES: Final = re.compile(
    r"(?:e |y |and )?(?:tambem|tambien|also|alias|alem disso|ademas|outra coisa|otra cosa|another thing|"
    r"mais uma coisa|una cosa mas|one more thing|aproveitando|por cierto|by the way|mudando de assunto)\b"
)
"""What begins a subject of its own, so that even a plain statement before it is one."""
_ASKING: Final = re.compile(
    r"(?:(?:a|ate|hasta|em|en|de|desde|para|por|com|con) )?"
    r"(?:qua(?:l|is)|quando|onde|aonde|cade|kd|quant[oa]s?|quem|o que|por ?que|como|"
    r"que (?:horas?|dias?|formas?|tipos?|tallas?|talles?|tamanhos?|metodos?|cor(?:es)?|colores?|documentos?)|"
    r"cual(?:es)?|cuando|a?donde|cuant[oa]s?|quien(?:es)?|"
    r"what(?:'?s)?|when(?:'?s)?|where(?:'?s)?|which|how(?:'?s)?|who(?:'?s)?|why|"
    r"posso|consigo|tem como|da (?:pra|para)|sera que|puedo|se puede|can i|could i|may i|is there|are there)\b"
)
_ASKING_IF_MARKED: Final = re.compile(
    r"(?:pode(?:m|ria|riam)?|consegue[m]?|tem|ha|existe[m]?|voces?|vcs?|aceita[m]?|entrega[m]?|abre[m]?|fecha[m]?|"
    r"vende[m]?|fazem|e possivel|eh possivel|pueden?|podrian?|tienen?|hay|acepta[n]?|abren|cierran|venden|hacen|"
    r"entregan|es posible|ustedes|uds?|can|could|do|does|did|is|are|will|would|have|has)\b(?! (?:nao|no|not)\b)"
)
"""Verbs that begin a question as well as a statement: only with a question mark, or beside another question."""
_WISHING: Final = re.compile(
    r"(?:quero|queria|gostaria|preciso|necessito|desejo|quiero|quisiera|necesito|me gustaria|"
    r"i (?:want|need|would|wanna)|i'd|"
    r"me (?:mand|envi|pass|diz|dig|fal|inform|ajud|expli|avis|d[ai]|pas|ayud)\w*|"
    r"mand[ae]|envi[ae]|cancel[ae]|rastrei[ae]|apag(?:a|ue)|exclu[ai]|emit[ae]|verifi(?:ca|que)|confirm[ae]|mandame|enviame|dime|digame|pasame|"
    r"send|tell|cancel|track|check|show|give|help)\b"
)
_NOUN: Final = re.compile(r"(?:os?|as?|seus?|suas?|el|la|los|las|sus?|the|your) \w+")
_WHETHER: Final = re.compile(r"(?:se|si|if|whether) \w+")
_VERB: Final = re.compile(
    r"(?!(?:ter|pegar|receber|reaver|recuperar|obter|tener|recibir|obtener|poder|ser|ir)\b)\w+[aei]r\b"
)
_ENGLISH_VERB: Final = re.compile(
    r"(?:check|know|cancel|track|change|return|exchange|see|talk|update|buy|pay|ask|find|"
    r"(?:get|have) (?:a|an|the) (?!refund|money|new|full)\w+)\b"
)
_WHICH: Final = re.compile(r"(?:qua(?:l|is)|cual(?:es)?|what|which)\b")
_WANTS_TO: Final = re.compile(
    r"(?:quero|queria|gostaria de|preciso|posso|quiero|quisiera|necesito|puedo|me gustaria|"
    r"i (?:want|need|would like|wanna)(?: to)?|i'd like to|can i|could you|could i)\b"
)
_ASKS_TO_TELL: Final = re.compile(
    r"(?:me (?:diz|diga|fala|fale|informa|informe|dices?)|dime|digame|tell me|"
    r"(?:voces? |vcs? |alguem )?(?:sabe[mn]?|pode(?:m|ria|riam)?|consegue[m]?)(?: me)? (?:dizer|falar|informar)|"
    r"(?:me )?(?:sabe[ns]?|pueden?|puedes|podrian?|podrias) decir(?:me)?|(?:can|could) you tell me)\b"
)
_WANTS_TO_KNOW: Final = re.compile(r"\b(?:saber|know|confirmar|ver)\b")
# What a question asks about anything: without a thing of its own it belongs to the wish before it.
_LEANS: Final = _words(
    "prazo valor preco custo custa custam custar demora tempo fazer faco faz feito funciona funcionam isso disso nisso "
    "esse essa desse dessa chega chegam chegar vai vao fica ficar sai seria acontece procedo proceder resolver resolve "
    "plazo precio cuesta cuestan costo tarda tiempo hago hacer funciona eso ese esa llega llegan sale pasa "
    "much long cost costs price take takes work works happens arrive arrives come get gets done cobra cobram "
    "sim certo ok ne beleza obrigado obrigada verdade correto "
    # and words that are no thing at all
    "o a os as um uma uns umas de do da dos das no na nos nas em por pelo pela pra pro para com sem ao aos e ou mas "
    "que se eu voce voces vc vcs ele ela eles elas me te lhe meu minha seu sua la ai aqui ja mais muito nao ter "
    "tem ser e esta estao sao foi era tambem ainda agora so "
    "el los las un unos unas del al en y pero con sin si yo usted ustedes le les mi tu su este esta eso es son muy no "
    "the a an of to in on at for from with and or but i you we he she my your its is are was do does did will would be "
    "can could it's that's me us not"
)
_ASK_WORDS: Final = _words(
    "qual quais quando onde aonde cade kd quanto quanta quantos quantas quem que como porque pq sera da pra tem hora "
    "horas dia quero queria gostaria preciso saber posso consigo pode podem poderia "
    "cual cuales cuando donde adonde cuanto cuanta cuantos cuantas quien quienes puedo puede pueden quiero "
    "what what's when where which how who why want need know"
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a message. ``read``: the same as the classifier should read it, with what it shares filled in."""

    text: str
    read: str
    kind: Kind
    apart: bool = False
    """It begins by saying that this is another subject."""
    bound: bool = False
    """It stands in one sentence with what follows ("comprei ontem e quero trocar"): never a wish of its own."""


@dataclass(frozen=True, slots=True)
class _Token:
    word: str
    start: int
    end: int
    joins: bool


def clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of a raw message, in order."""
    text = _unlisted(text[:MAX_READ])
    found: list[Clause] = []
    for sentence in _sentences(text):
        found += _clauses_of(sentence, text)
    return tuple(found)


def _unlisted(text: str) -> str:
    """``text`` with the points of a list as sentences of their own: questions, since a list names what is wanted."""
    numbers = len(_NUMBERED.findall(text))
    if numbers < 2 and len(_MARKED.findall(text)) < 2:
        return text
    points = [point.strip(" \n,;") for point in (_NUMBERED if numbers >= 2 else _MARKED).split(text)]
    return "\n".join(point if point.endswith((".", "?", "!")) else f"{point}?" for point in points if point)


def grouped(found: Sequence[Clause], *, statements_alone: bool = False) -> list[tuple[Clause, ...]]:
    """Clauses that belong together by their form: one group for each possible wish.

    A statement joins the wish before it, or the first one behind it; with ``statements_alone`` it is a group itself.
    """
    groups: list[list[Clause]] = []
    for clause in found:
        last = groups[-1] if groups else None
        waits = last is not None and all(one.kind == "statement" for one in last)
        # What stands in one sentence with a wish behind it belongs there.
        detail = clause.kind == "statement" and not clause.bound and not statements_alone
        follows = detail or _leans(clause.text)
        tied = last is not None and (last[-1].bound or (waits and not statements_alone))
        if last is not None and not clause.apart and (follows or tied):
            last.append(clause)
        else:
            groups.append([clause])
    return [tuple(group) for group in groups]


def _sentences(text: str) -> list[list[_Token]]:
    found: list[list[_Token]] = [[]]
    for match in _TOKEN.finditer(text):
        raw = match[0]
        word = "\n" if raw == "\n" else fold(raw).replace("\u2019", "'")
        before = found[-1][-1].word if found[-1] else ""
        # "é" is no "e", also where the accent is all that tells them apart.
        joins = word in _JOINS and (word != "e" or raw.lower() == "e")
        found[-1].append(_Token(word, match.start(), match.end(), joins))
        if word[:1] in _ENDS and not (word == "." and before in _ABBREVIATIONS):
            found.append([])
    return [sentence for sentence in found if any(_is_word(token) for token in sentence)]


def _clauses_of(sentence: list[_Token], text: str) -> list[Clause]:
    """A sentence's clauses in order; the first may be a statement, those behind it ask."""
    marked = any("?" in token.word for token in sentence)
    spoken = [token for token in sentence if _is_word(token)]
    after_comma = {token.start for before, token in pairwise(sentence) if before.word == ","}
    cuts = [0]
    kinds: list[Kind | None] = [_asks(_said(spoken, _begin(spoken, 0)), marked=marked)]
    prefixes = [""]
    for place in range(1, len(spoken)):
        if place <= _begin(spoken, cuts[-1]):
            continue
        joins = spoken[place].joins
        if not joins and spoken[place].start not in after_comma:
            continue
        rest = _said(spoken, _begin(spoken, place))
        kind, prefix = _asks(rest, marked=marked or kinds[-1] == "question"), ""
        if kind is None and joins:
            kind, prefix = _shared(_said(spoken, _begin(spoken, cuts[-1])), rest)
        if kind is not None:
            cuts, kinds, prefixes = [*cuts, place], [*kinds, kind], [*prefixes, prefix]
    if marked and kinds == [None] and not small_talk(_said(spoken, 0)):
        kinds = ["question"]
    ends = [*(spoken[cut].start for cut in cuts[1:]), sentence[-1].end]
    made = []
    for number, (cut, end, kind, prefix) in enumerate(zip(cuts, ends, kinds, prefixes, strict=True)):
        said = text[spoken[_begin(spoken, cut) if number else cut].start : end].strip(" ,;\n")
        apart = bool(_ANNOUNCES.match(_said(spoken, cut))) and cut + 1 < len(spoken)
        made.append(
            Clause(said, f"{prefix}{said}", kind or "statement", apart, kind is None and number < len(cuts) - 1)
        )
    return made


def _asks(said: str, *, marked: bool) -> Kind | None:
    if _ASKING.match(said) or (marked and _ASKING_IF_MARKED.match(said)):
        return "question"
    return "wish" if _WISHING.match(said) or _ASKS_TO_TELL.match(said) else None


def _shared(before: str, rest: str) -> tuple[Kind | None, str]:
    """What a clause takes over from the one before it: "qual o horário e [qual] o endereço?"."""
    if (which := _WHICH.match(before)) and _NOUN.match(rest):
        return "question", f"{which[0]} "
    if (tell := _ASKS_TO_TELL.match(before)) and (_NOUN.match(rest) or _WHETHER.match(rest) or _ASKING.match(rest)):
        return "wish", f"{tell[0]} "
    wants = _WANTS_TO.match(before)
    if wants is None:
        return None, ""
    knows = _WANTS_TO_KNOW.search(before)
    if knows and (_NOUN.match(rest) or _WHETHER.match(rest)):
        return "wish", f"{wants[0]} {knows[0]} "
    if _VERB.match(rest) or (wants[0].startswith(("i", "c")) and _ENGLISH_VERB.match(rest)):
        return "wish", f"{wants[0]} "
    return None, ""


def _leans(said: str) -> bool:
    """A question without a thing of its own."""
    known = _LEANS | _ASK_WORDS
    return all(word in known for word in words(said))


def _begin(spoken: Sequence[_Token], place: int) -> int:
    """Where a clause really begins: behind what joins and greets."""
    at = place
    while at < len(spoken) - 1 and spoken[at].word in _SKIPPED and (spoken[at].joins or spoken[at].word not in _JOINS):
        at += 1
    return at


def _said(spoken: Sequence[_Token], place: int) -> str:
    return " ".join(token.word for token in spoken[place:])


def _is_word(token: _Token) -> bool:
    return token.word[:1].isalnum()
