"""A reply made readable for rules: folded letter by letter, cut into sentences and segments, each with its mood.

Every position of the folded text leads back to the reply as written, so that what is marked is what people read.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

Mood = Literal["statement", "question", "request", "offer", "inability", "social"]

_ABBREVIATIONS: Final = frozenset(["dr", "dra", "sr", "sra", "srta", "av", "r", "al", "tel", "ex", "prof", "profa", "mr", "mrs", "ms", "st", "no", "nro", "num", "pag", "ref", "apto", "cap"])
_END: Final = re.compile(r"[!?\n;]+|\.+(?=\s|$)|…")
_CUT: Final = re.compile(
    r"\s*(?:,(?!\d)|[()]|\s[-–—]+\s|:\s)\s*|\s+(?=(?:e|y|and|mas|porem|pero|but|porque|pois|(?:ya|ja) que|because|entao|entonces|"
    r"portanto|por isso|por eso|therefore|enquanto|mientras|while|ou seja|o sea|so that|so)\s)|"
    r"(?<=\w)\s(?:que|that)\s+(?=(?:o|a|os|as|seu|sua|seus|suas|el|la|tu|su|the|your|ja|ya|foi|esta|it|ele|ela)\s)"
)


@dataclass(frozen=True, slots=True)
class Folded:
    """``text``: lower case without accents; ``lower`` keeps them; ``at``: where each character stands in the source."""

    text: str
    lower: str
    at: Sequence[int]
    capital: str
    """The characters as written, in step with ``text``."""

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The span of the source that ``text[start:end]`` stands for."""
        return self.at[start], self.at[end - 1] + 1


@lru_cache(maxsize=8_192)
def _letters(char: str) -> tuple[tuple[str, str, str], ...]:
    """What a character becomes: (folded, lower, as written) each of one character; nothing for an invisible one."""
    category = unicodedata.category(char)
    if char == "\u20e3":  # the key of a keycap: a list's number
        return ((")", ")", ")"),)
    if category in {"Mn", "Cf", "Me"}:
        return ()
    if category == "Cc":
        return (("\n" if char in "\n\r" else " ",) * 3,)
    if category in {"So", "Sk", "Cs", "Co"} and char not in "°º":
        return (("\x00",) * 3,)
    out = []
    for plain in unicodedata.normalize("NFKC", char):
        if unicodedata.combining(plain):
            continue
        lower = plain.lower()[:1]
        base = next((c for c in unicodedata.normalize("NFD", lower) if not unicodedata.combining(c)), lower)
        base = {"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "¡": " ", "¿": " ", "*": " ", "_": " ", "~": " "}.get(base, base)
        out.append((" " if base.isspace() else base, lower, plain))
    return tuple(out)


_LONE: Final = re.compile(r"(?<!\w)(?:e|as?)(?!\w)")
_PICTURES: Final = re.compile(r"\s*\x00[\x00\s]*")


def folded(source: str) -> Folded:
    """Fold ``source``; pictures end a sentence where a new one seems to begin."""
    text: list[str] = []
    lower: list[str] = []
    written: list[str] = []
    at: list[int] = []
    for index, char in enumerate(unicodedata.normalize("NFC", source) if source.isascii() else source):
        for one, low, plain in ((char, char, char),) if "a" <= char <= "z" or char == " " else _letters(char):
            text.append(one)
            lower.append(low)
            written.append(plain)
            at.append(index)
    joined, plain_text = "".join(text), "".join(written)
    if "é" in lower or "à" in lower:  # "é" is a verb and "às" tells a time: as "e" and "as" they would mean too much
        accented = "".join(lower)
        joined = _LONE.sub(lambda match: accented[match.start() : match.end()] if accented[match.start()] in "éà" else match[0], joined)
    if "\x00" in joined:
        joined = _PICTURES.sub(lambda match: _gap(match, plain_text), joined)
    return Folded(joined, "".join(lower), at, plain_text)


def _gap(match: re.Match[str], written: str) -> str:
    following = written[match.end() : match.end() + 1]
    mark = " " if following.islower() or following.isdigit() or (following in "R,.;:)" and following) else "\n"
    return mark + " " * (len(match[0]) - 1)


@dataclass(frozen=True, slots=True)
class Segment:
    """A clause or so. ``sentence``: its place among the sentences; ``first``/``last`` within its sentence."""

    start: int
    end: int
    sentence: int
    asks: bool
    last: bool


def segments(text: str, taken: Callable[[int], bool]) -> list[Segment]:
    """Cut ``text``; nothing is cut where ``taken`` says that a value goes on."""
    found: list[Segment] = []
    begin = number = 0
    ends = [(match.start(), match.end()) for match in _END.finditer(text) if not _no_end(text, match) and not taken(match.start())]
    for stop, after in [*ends, (len(text), len(text))]:
        if text[begin:stop].strip():
            asks = "?" in text[stop:after]
            pieces = _pieces(text, begin, stop, taken)
            for place, (start, end) in enumerate(pieces):
                found.append(Segment(start, end, number, asks, place == len(pieces) - 1))
            number += 1
        begin = after
    return found


def _no_end(text: str, match: re.Match[str]) -> bool:
    if not match[0].startswith("."):
        return False
    word = re.search(r"[a-z]+$", text[max(0, match.start() - 6) : match.start()])
    if match[0] == "." and word and word[0] in _ABBREVIATIONS:
        return True
    return bool(re.search(r"(?:^|\n)\s*\d{1,2}$", text[max(0, match.start() - 4) : match.start()]))  # a list's number


def _pieces(text: str, begin: int, stop: int, taken: Callable[[int], bool]) -> list[tuple[int, int]]:
    cuts = [(m.start(), m.end()) for m in _CUT.finditer(text, begin, stop) if not taken(m.start())]
    pieces = []
    for start, end in zip([begin, *(end for _, end in cuts)], [*(start for start, _ in cuts), stop], strict=True):
        while start < end and text[start] in " \n":
            start += 1
        while end > start and text[end - 1] in " \n":
            end -= 1
        if start < end:
            pieces.append((start, end))
    return pieces


def segment_at(parts: Sequence[Segment], position: int) -> int:
    """The index of the segment in which ``position`` stands, or of the one before it."""
    return max(0, bisect_right([part.start for part in parts], position) - 1)


_GREETING: Final = (
    r"(?:oi+e?|ola|opa|e ai|alo|hola|hello|hi|hey|bo[am]s? (?:dia|tarde|noite)s?|buen[oa]s?(?: (?:dia|tarde|noche)s?)?|"
    r"good (?:morning|afternoon|evening|day|night))"
)
_SOCIAL: Final = re.compile(
    rf"(?:{_GREETING}\b|"
    r"(?:muit[oa]s? |mil )?(?:obrigad[oa]|grat[oa]|gracias|thanks?|valeu|agrade[cz]\w*|de nada|por nada|imagina\b|disponha|"
    r"you'?re welcome|my pleasure|welcome|bem[- ]vind\w*|bienvenid\w*|um prazer|prazer|mucho gusto|con gusto|un placer|nice to|glad|"
    r"parabens|felicidades|felicitaciones|congrat\w*|feliz|felices|happy|merry)\b|"
    r"(?:me )?(?:desculp\w*|perdao|perdon\w*|disculp\w*|sorry|apolog\w*|pedimos desculpas|peco desculpas|mil desculpas|lament\w*|"
    r"(?:sinto|sentimos|siento|lo siento|i'?m (?:so |very |really )?sorry|we'?re (?:so |very )?sorry))|"
    r"(?:eu |nos |nosotros |i |we |te |lo |le )?(?:entend[oie]\w*|compreend\w*|comprend\w*|imagino|understand|sei (?:que|como)|"
    r"se que|i know|i get|hear you|fico|ficamos|estou aqui|estamos aqui|estoy aqui|i'?m here|we'?re here|quedo|quedamos|me alegr\w*|nos alegr\w*|que alegria|"
    r"espero que|esperamos que|ojala|hope|i hope|tomara)\b|"
    r"(?:e |y |and )?(?:ate|hasta) (?:mais|logo|luego|pronto|breve|a proxima|la proxima|ja)|tchau|adios|chau|bye|(?:and |so )?see you|talk soon|anotado|noted|precisando|beleza|combinado|perfeito|maravilha|abraco\w*|abrazo\w*|beijo\w*|"
    r"(?:tenha|tengas?|que tenga\w*|have|enjoy|bom|boa|otim[oa]|excelente|lindo|linda)\b[^.]{0,24}\b(?:dia|tarde|noite|semana|noche|fin|"
    r"final|fim|day|evening|weekend|week|night|one|aula|aulas|viagem|descanso|feriado|domingo|sabado|sexta)\b|"
    r"(?:que|how|what an?) (?:bom|bueno|legal|otim\w*|lind\w*|maravilh\w*|delicia|pena|chato|fofo|genial|rico|triste|alegria|nice|lovely|great|"
    r"sweet|pity|shame)\b|"
    r"(?:sem|no hay|no) (?:problemas?|worries)|nao se preocupe|no te preocupes|don'?t worry|fique tranquil\w*|tranquil\w*|"
    r"(?:eu )?(?:sou|soy|i am|i'm|aqui é|aqui e|aqui quem fala (?:e|é)|me chamo|meu nome e|me llamo|mi nombre es|my name is|this is)\b|"
    r"(?:estou|estamos|fico|ficamos) (?:por aqui|aqui|a disposicao|à disposicao|torcendo)|(?:a tua |a sua |tu |your )?(?:as ordens|a disposicao|a tu disposicion|a la orden|a disposicion|at your service)|"
    r"conte (?:comigo|conosco|com a gente)|cuenta con|count on|(?:e so|es so|basta|just|solo|so) (?:me |nos )?(?:chamar|avisar|falar|mandar|"
    r"pedir|escrib\w*|llamar|avisarme|let|ask|message|send|text|write|reach)|"
    r"(?:sempre|always|siempre) (?:que precisar|here|aqui)|qualquer (?:coisa|duvida)|cualquier (?:cosa|duda)|any(?:thing)? (?:else|questions?)|"
    r"se precisar|aqui (?:e|é) (?:a|o)|(?:e|y|and) (?:que|have|tenha|conte|qualquer)|si necesitas|if you need|ha?ha|rs|kk)"
)
_REQUEST: Final = re.compile(
    r"(?:por favor|por gentileza|please|pls)\b|"
    r"\b(?:me|nos) (?:mand[ae]|envi[ae]|pass[ae]|inform[ae]|diz|diga|confirm[ae]|cont[ae]|fal[ae]|ped[ei]|avis[ae]|respond[ae]|explic[ae]|"
    r"indi[cq]u?[ae]|compart\w*)\b|"
    r"^(?:so |entao |ok |certo |claro |perfeito |perfecto |primeiro |agora |ahora |first |then |y |e |and )?"
    r"(?:mand[ae]|envi[ae]|inform[ae]|dig[ae]|diz|confirm[ae]|confira|cheque|verifique|digit[ae]|acess[ae]|entre|clique|toque|respond[ae]|"
    r"aguard[ae]|espere|escolh[ae]|selecion[ae]|abr[ae]|baix[ae]|reinici[ae]|deslig[ae]|lig[ae]|tent[ae]|tir[ae]|anex[ae]|descrev[ae]|"
    r"cont[ae]|conte-me|fal[ae]|explique|consulte|veja|olhe|dime|diga|digame|envia\w*|manda\w*|pasa\w*|indica\w*|cuentame|cuenteme|"
    r"comparte\w*|escribe\w*|elige|revisa|verifica|intenta|reinicia|ingresa|haz|send|tell|share|give|provide|check|try|choose|pick|enter|"
    r"type|click|tap|open|go to|let me know|reply|restart|confirm|describe|attach|wait|hold on)\b(?! (?:a|o|as|os)? ?equipe)|"
    r"\b(?:preciso|precisamos|vou precisar|necesito|necesitamos|voy a necesitar|i (?:just |only )?need|i'?ll need|we need|falta|faltou|"
    r"basta|bastan?)\b(?! (?:verificar|consultar|checar|falar|conferir|revisar|check))|"
    r"\b(?:voce |vc )?(?:pode|poderia|puedes?|podrias?|podria|can you|could you|would you|you can)\b (?:me |nos |please |por favor )?"
    r"(?:mandar|enviar|passar|informar|dizer|confirmar|contar|repetir|escrever|falar|conferir|digitar|explicar|detalhar|decir\w*|"
    r"mandar\w*|enviar\w*|pasar\w*|confirmar\w*|indicar\w*|escribir\w*|contar\w*|send|tell|share|confirm|repeat|check|give|let|explain|"
    r"provide|clarify|describe)"
)
_OFFER: Final = re.compile(
    r"\b(?:posso|consigo|puedo|i can|i could|i'?m able|happy to|glad to|prefere|preferes|prefieres|prefiere|gostaria|deseja|desea|deseas|"
    r"(?:voce )?quer|quieres?|would you|do you want|(?:se|caso|si|if|quando|cuando|whenever|when)(?: (?:voce|vc|usted|tu|you|algo|precisar de algo))?"
    r"(?:'d)? (?:quiser\w*|queira\w*|preferir\w*|prefira\w*|precis\w*|desej\w*|ach\w*|optar|decidir|quer|quieres?|prefier\w*|dese\w*|necesit\w*|"
    r"gust\w*|like|want|prefer|need|wish|decide|ready|estiver|puder))\b"
)
_INABILITY: Final = re.compile(
    r"\b(?:nao|no|nunca|ainda nao|todavia no|aun no) (?:me |te |lhe |se |lo |la |le |o |a |eu |a gente |nos )?(?:foi possivel|fue posible|ha sido posible|e possivel (?:confirmar|consultar|ver)|"
    r"consig\w*|conseg\w*|pude\w*|pud[oi]\w*|posso|podemos|puedo|logr\w*|encontr\w*|ach\w+|localiz\w*|hall\w*|ubi\w*|vi|vejo|veo|veo\w*|"
    r"sei|se|sabemos|tenho|tengo|temos (?:essa|esta|a|nenhuma)? ?(?:informa\w*|acesso|registro|como)|tenemos (?:esa|esta|la)? ?(?:informacion|acceso|registro)|"
    r"entendi\w*|entiendo|dispongo|disponho|recebi|recibi|reconhec\w*|reconoz\w*|deu(?: certo)?|aparec\w*|constam?|ha|hay (?:registro|informacion|resultados))\b|"
    r"\b(?:i|we)(?: am|'m| are|'re| was| were|'ve| have| do| did)?(?: still| really| just)?(?: not|n't| unable| can't| cannot| could not| couldn't| don't| didn't| wasn't| haven't| do not| did not| was not| have not)\b"
    r"(?: yet| been)?(?: able)?(?: to)?|"
    r"\bcan'?t\b|\bcannot\b|\bcouldn'?t\b|\bunable to\b|\bunfortunately i\b|\bit (?:didn'?t|did not) (?:go through|work)|"
    r"\b(?:sem|sin|without) (?:sucesso|exito|success)|\bdeu (?:erro|problema)|\bhubo un (?:error|problema)|\bthere was (?:an error|a problem)|"
    r"\b(?:houve|ocorreu|tive|tivemos|tuve|tuvimos|i had|i ran into|we had) (?:um |un |an? )?(?:erro|problema|falha|error|problem|issue|fallo|trouble)"
)


def mood(text: str, part: Segment) -> Mood:
    """What a segment does: only statements must be true."""
    piece = text[part.start : part.end]
    if part.asks and part.last:
        return "question"
    if _INABILITY.search(piece):
        return "inability"
    if _REQUEST.search(piece):
        return "request"
    if _OFFER.search(piece):
        return "offer"
    if _SOCIAL.match(piece):
        return "social"
    return "question" if part.asks else "statement"
