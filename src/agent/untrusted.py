"""Whose words are these? What a customer wrote as opposed to what the message merely carries.

A message may hold a quotation, a forwarded text, markup, a pasted log or lines that pose as somebody else's. All of it
is data: only the customer's own words may select something that acts. What is dropped here in error costs one question
more; what is kept in error could act for somebody else, so that in doubt text is dropped.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from agent.normalise import MAX_READ, fold, strip_accents, visible, words
from agent.turn import HistoryMessage
from domain.messages import Author, MessageKind

_LOOK_ALIKES: Final = str.maketrans(
    {
        odd: latin
        for latin, alike in {
            **{
                "A": "АΑ",
                "B": "ВΒ",
                "C": "С",
                "E": "ЕΕ",
                "H": "НΗ",
                "I": "ІΙ",
                "J": "Ј",
                "K": "КΚ",
                "M": "МΜ",
                "N": "Ν",
            },
            **{
                "O": "ОΟ",
                "P": "РΡ",
                "S": "Ѕ",
                "T": "ТΤ",
                "X": "ХΧ",
                "Y": "УΥ",
                "Z": "Ζ",
                "a": "аα",
                "c": "с",
                "d": "ԁ",
            },
            **{"e": "еε", "h": "һ", "i": "іι", "j": "ј", "k": "κ", "l": "ӏ", "o": "оο", "p": "рρ", "s": "ѕ", "t": "τ"},
            **{
                "u": "υ",
                "v": "ѵν",
                "w": "ԝ",
                "x": "хχ",
                "y": "у",
                "<": "‹〈⟨❮˂≺",
                ">": "›〉⟩❯˃≻",
                "[": "⟦❲〔【",
                "]": "⟧❳〕】",
            },
        }.items()
        for odd in alike
    }
)
"""Letters of other alphabets and brackets that people read as Latin ones (NFKC leaves them alone)."""
_BRACKETS: Final = {code: seen for code, seen in _LOOK_ALIKES.items() if seen in "<>[]"} | {0xFF1C: "<", 0xFF1E: ">"}
_FILLERS: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0]")
_CHAT_MARK: Final = re.compile(r"<\|[^|\n]{0,40}\|>|\[/?INST\]|<</?SYS>>|</?s>(?=\s|$)", re.I)
_LEET: Final = str.maketrans("013457@$!|", "oieastasil")
_LETTERS_APART: Final = re.compile(r"(?<!\w)(?:\w[ .\-_*·]){3,}\w(?!\w)")
_MIXED: Final = re.compile(r"[^\W_]*(?:[^\W\d_][0-9@$!|]|[0-9@$!|][^\W\d_])[\w@$!|]*")

_FENCED: Final = re.compile(r"```.*?(?:```|\Z)|`[^`]*`", re.DOTALL)
_TAGGED: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<\s*([a-z][\w:-]{0,40})[^>]{0,200}>.*?(?:<\s*/\s*\1\s*>|\Z)", re.S | re.I
)
_TAG: Final = re.compile(r"</?[^>\n]{1,200}>|<\|[^|\n]{0,60}\|>")
_LINK: Final = re.compile(r"!?\[[^\]\n]{0,300}\]\([^)\n]{0,500}\)|\bhttps?://\S+|\bwww\.\S+|\bdata:\S+", re.I)
_QUOTED: Final = re.compile(r"[“”„«\"]([^“”„«»\"]{1,2000})[“”»\"]|(?<!\w)[‘']([^‘’'\n]{1,2000})[’'](?!\w)")
_QUOTED_WORDS: Final = 3
"""Fewer words between quotation marks are a name or a number that the customer points at."""
_ENCODED: Final = re.compile(r"\b[A-Za-z0-9+/=_-]{24,}|\b(?:[0-9a-fA-F]{2}[ :]?){16,}")
_ROLES: Final = (
    r"system|sistema|assistant|assistente|asistente|developer|desenvolvedor|desarrollador|dev|operador[ae]?s?|operator|"
    r"atendente|agente|agent|gerente|gerencia|manager|supervisor[a]?|admin(?:istrador[a]?|istrator)?|root|"
    r"cliente|customer|human|tool|ferramenta|herramienta|funcao|funcion|function(?:[ _]?(?:result|call))?|"
    r"result(?:ado)?(?: (?:da|de la|of the) \w+)?|aprova(?:do|cao)|aproba(?:do|cion)|approv(?:ed|al)|"
    r"polic[iy]\w*|politica|instru\w+|comando|command|prompt|inst|(?:nota|note|aviso|ordem|orden|importante?|"
    r"regra|rule)"
    r" (?:\w+ ){0,2}(?:sistema|system|intern[oa]l?|operador\w*|gerente|admin\w*|ia|ai|bot|assist\w+)|"
    r"kill ?switch|equipe|equipo|team|suporte|soporte|support|atende|bot|whatsapp|meta|openai"
)
_ROLE_LINE: Final = re.compile(
    rf"(?:^|\n)[\s\[({{<*_#=~|>\-]*(?:{_ROLES})(?:[ _-]\w+){{0,4}}[\s\])}}>*_]*[:=\]}}>|]"
    rf"|[\[({{<*#]+\s*(?:end|fim|fin|novo|nova|new|nuev[oa])?\s*(?:{_ROLES})(?:[ _/-]\w+){{0,4}}\s*[:\])}}>*#]"
    r"|#{2,}|={4,}|-{4,}|<\||\[/?inst|<<sys"
)
_REPORTED: Final = re.compile(
    r"\b(?:encaminhad[oa]|reenviad[oa]|forwarded)\b"
    r"|\b(?:disse|falou|escreveu|mandou|respondeu|pediu|dice|dijo|escribio|mando|respondio|pidio|says?|said|wrote|sent)"
    r"[^\n.!?]{0,40}:"
    r"|\b(?:recebi|recebemos|me mandaram|recibi|me llego|me mandaron|i (?:got|received)|they sent me)\b[^\n]{0,60}:"
    r"|\b(?:traduz\w*|translate|traduce|traducir|resum\w+|summari[sz]e|le(?:ia)?|lea|read|veja|mira|"
    r"look at)\b[^\n]{0,40}:"
    r"|\b(?:texto|mensagem|mensaje|message|comentario|comment|review|avaliacao|anuncio)\b[^\n.]{0,30}:"
)
_ORDERS: Final = (
    r"ignor\w+ (?:\w+ ){0,4}(?:instru\w+|regras?|reglas?|rules?|prompt|polic\w+|politicas?|anterior\w*|previ\w+|"
    r"above|tudo|"
    r"todo|everything|restri\w+)",
    r"(?:esque[cç]\w*|olvid\w+|forget|disregard|desconsider\w+|descart\w+|bypass|override|sobrescrev\w+) (?:\w+ ){0,4}"
    r"(?:instru\w+|regras?|reglas?|rules?|prompt|polic\w+|politicas?|anterior\w*|previ\w+|kill ?switch|"
    r"aprova\w+|approv\w+)",
    r"(?:novas?|nuevas?|new) (?:instru\w+|regras?|reglas?|rules|politicas?|polic\w+|ordens|ordenes|orders)",
    r"(?:voce|vc|tu|usted) (?:agora|ahora|e agora) (?:e|eh|eres|es|sera|esta)\b|you are now|from now on|"
    r"a partir de (?:agora|ahora)",
    r"(?:updat\w+|chang\w+|mud[ae]\w*|alter\w+|troqu?e\w*|actualiz\w+|atualiz\w+|cambi\w+) (?:your|the|sua|a|tu|la|su) "
    r"(?:polic\w+|politica|regras?|reglas?|rules?|instru\w+|prompt)",
    r"(?:need\w*|require\w*|precis\w+|necesit\w+|exig\w+|requier\w+) (?:\w+ ){0,2}(?:no|nenhuma?|ninguna) (?:\w+ )?"
    r"(?:aprova\w+|confirma\w+|approv\w+|aprob\w+)|(?:ya )?no necesit\w+ (?:\w+ ){0,2}aprob\w+",
    r"(?:finja|finge|pretend|act as|atue como|actua como|aja como|roleplay|simul[ae]) ",
    r"(?:modo|mode) (?:desenvolvedor|developer|desarrollador|admin\w*|manutencao|mantenimiento|deus|dios|debug|"
    r"teste?|auto\w*)|"
    r"(?:developer|admin|debug|god|maintenance|sudo|test|auto) mode|jailbreak|\bdan\b",
    r"(?:system|sistema) ?(?:prompt|message|override|note)|prompt (?:do|de|del) sistema|mensa\w+ (?:do|de|del) sistema|"
    r"(?:seu|tu|your|teu|su) (?:system )?prompt|(?:suas|tus|your|sus|tuas) (?:\w+ )?(?:instru\w+|regras|reglas|"
    r"rules|diretrizes)",
    r"(?:ja (?:foi |esta )?)?(?:aprovad\w+|autorizad\w+|liberad\w+|approved|aprobad\w+|authori[sz]ed) "
    r"(?:\w+ ){0,2}(?:pel[oa]s?|por|by|via) ",
    r"(?:operador[ae]?|gerente|supervisor[a]?|manager|operator|admin\w*|atendente|equipe|team|equipo) (?:\w+ ){0,2}"
    r"(?:ja )?(?:aprov\w+|autoriz\w+|liber\w+|approv\w+|aprob\w+|authori\w+)",
    r"(?:sem|sin|without|nao precisa de|no need for|skip|pul[ae]\w*|omit\w+) (?:\w+ ){0,3}"
    r"(?:aprova\w+|confirma\w+|approv\w+|aprob\w+|permiss\w+|verifica\w+)",
    r"(?:chame|chama|execut\w+|invo\w+|rod[ae]|call|run|use|llam[ae]\w*|ejecut\w+|usa\w*) (?:\w+ ){0,2}"
    r"(?:funca?o|funcao|funcion|function|tool|ferramenta|herramienta|comando|command|api)\b",
    r"tool_?calls?|function_?(?:call|result)|customer_(?:message|name)|hand_off|\bkill ?switch\b",
    r"(?:politica|policy|reply_?mode|resposta automatica|auto ?reply) (?:\w+ ){0,3}(?:para|to|a|=|:|em|agora|"
    r"now|ahora)",
    r"(?:desativ|deslig|desactiv|desact|disable|turn off|apag)\w* (?:\w+ ){0,4}"
    r"(?:filtro|filter|kill ?switch|seguranca|seguridad|safety|polic\w+|politica|aprova\w+|log\w*|limite?s?)",
    r"(?:tenant|contact|trusted)_?(?:id|writes?)",
)
_ORDER: Final = re.compile("|".join(f"(?:{pattern})" for pattern in _ORDERS))
_NAME_CHARACTERS: Final = 40
_PLAIN_WORDS: Final = 16
_MIXED_VOICES: Final = re.compile(
    r"\b(?:nao|nem|nunca|jamais|sem|no(?! (?:meu|seu|nosso|cartao|boleto|pix|credito|debito|dia|fim|final|inicio|nome|"
    r"endereco|cep|cpf|pedido|sabado|domingo|mes|ano|proximo|mesmo|horario|periodo|centro|bairro|carrinho)\b)|"  # "in"
    r"not|don'?t|doesn'?t|never|ni|nunca|sin|without|"
    r"diz(?:em|ia|endo)?|disse\w*|fal(?:a|ou|am|aram|ando)|escrev\w+|mand(?:ou|aram)|pedi(?:u|ram|ndo)|pergunt\w+|"
    r"respond\w+|li|leu|le|vi|viu|recebi\w*|cheg(?:ou|aram) isso|coment\w+|mensagem|mensagens|texto|e-?mail|print|"
    r"audio|foto|bilhete|recado|assunto|aspas|signific\w+|traduz\w*|resum\w*|exemplo|tipo|historia|"
    r"dice\w*|dijo|dijeron|escrib\w+|mandaron|pid(?:io|e|en)|lei|recib\w+|mensaje|correo|captura|nota|comillas|ejemplo|"
    r"says?|said|wr[io]te\w*|written|tells?|told|ask(?:s|ed)|sent|got|received|read|saw|message|text|note|review|"
    r"screenshot|caption|quote\w*|means?|meaning|translat\w+|summar\w+|repeat|example|story|"
    r"el[ea]s?|dele|dela|deles|delas|vizinh[oa]|mae|pai|marido|esposa|filh[oa]|sogr[oa]|irma[os]?|amig[oa]|cliente|"
    r"ella|ellos|herman[oa]|vecin[oa]|hij[oa]|"
    r"he|she|they|his|her|their|wife|husband|son|daughter|mother|father|friend|neighbou?r|sister|brother|customer)\b"
    r"|[\[\]{}<>|\"“”„«»`]|->|\d\d:\d\d|:\s*(?!\s*(?:n[uo]mero\s*)?#?\s*\w*\d)"
)
_PROBE: Final = re.compile(
    r"\b(?:suas?|tuas?|teus?|seus?|tus?|sus?|your) (?:\w+ ){0,2}(?:instru\w+|regras?|reglas?|rules?|prompt|diretri\w+|"
    r"directri\w+|guidelines|configura\w+|texto inicial|mensa\w+ (?:de|do|del) sistema|system message|programacao|"
    r"ferramentas|herramientas|tools|funcoes|funciones|functions|palavra de referencia|secret reference)"
    r"(?! (?:de|do|da|para|sobre|for|of|on|about)\b)"
    r"|\b(?:system|sistema) prompt\b|\bprompt\b"
    r"|\b(?:te|vc|voce) (?:\w+ )?(?:disseram|configuraram|programaram|instruiram|treinaram|ensinaram|mandaram)\b"
    r"|\b(?:te|le) (?:dijeron|configuraron|programaron|instruyeron|entrenaron)\b"
    r"|\b(?:you were|were you|have you been) (?:told|given|instructed|configured|programmed|trained)\b"
    r"|\b(?:everything|all|text|what(?:'s| is)?) (?:\w+ )?(?:above|before (?:this|my|me))\b"
    r"|\b(?:tudo|texto|o que|todo|lo que|conteudo) (?:\w+ ){0,4}(?:acima|antes (?:da|de) (?:minha|mim|mi)|arriba|"
    r"antes de mi)\b"
    r"|\b(?:verbatim|palavra por palavra|palabra por palabra|ao pe da letra)\b"
    r"|\bhidden (?:instructions|rules|prompt)\b|\bque (?:ferramentas|herramientas|funcoes|funciones) (?:voce|vc|"
    r"tu|tienes)"
)


def plain(text: str) -> str:
    """As a person reads it: no invisible characters, look-alike letters and brackets replaced; lines stay."""
    return "\n".join(visible(line).translate(_LOOK_ALIKES) for line in text[:MAX_READ].splitlines())


def shown(text: str) -> str:
    """As it may stand in a prompt: every character that a person would see, and no mark of a chat's own format."""
    kept = "".join(char for char in text if char in "\n\t" or unicodedata.category(char)[0] != "C")
    return _CHAT_MARK.sub(" ", _FILLERS.sub("", kept).translate(_BRACKETS))


def own_words(text: str) -> str:
    """What of a message are the customer's own words; "" where nothing certainly is."""
    rest = _FENCED.sub(" ", plain(text))
    rest = _TAG.sub(" ", _TAGGED.sub(" ", rest))
    rest = "\n".join(line for line in rest.splitlines() if not line.lstrip().startswith((">", "|")))
    rest = _QUOTED.sub(_unquoted, _ENCODED.sub(" ", _LINK.sub(" ", rest)))
    for marker in (_ROLE_LINE, _REPORTED):
        if found := marker.search(_same_length_fold(rest)):
            rest = rest[: found.start()]
    return "\n".join(line.strip() for line in rest.splitlines() if line.strip())


def own_words_of(message: HistoryMessage) -> str:
    """The same of a message of the conversation. What was forwarded, or only accompanies a file, counts for nothing."""
    if message.author is not Author.CONTACT or message.forwarded or message.kind is not MessageKind.TEXT:
        return ""
    return "" if gives_orders(message.text) else own_words(message.text)


def gives_orders(text: str, functions: Iterable[str] = ()) -> bool:
    """The text speaks to the machine rather than to the business, openly or in a disguise that is often tried.

    A filter only: nothing becomes safe because it finds nothing.
    """
    names = [name for name in functions if "_" in name]
    return any(_ORDER.search(form) or any(name in form for name in names) for form in _forms(text))


def speaks_only_for_itself(text: str) -> bool:
    """A short message that is one plain wish, with nothing in it that could be somebody else's or be meant otherwise.

    Who repeats, reports or rejects a request uses the very words of one, and no list of quotation marks catches that.
    So the question is turned round: only what is short and has none of the words and signs of reporting counts.
    """
    bare = text.strip()
    folded = fold(bare)
    return (
        words(own_words(bare)) == words(plain(bare))
        and bare.count("\n") == 0
        and len(folded.split()) <= _PLAIN_WORDS
        and not _MIXED_VOICES.search(fold(_QUOTED.sub(_unquoted, bare)))
        and not gives_orders(bare)
    )


def asks_about_itself(text: str) -> bool:
    """The message is after the assistant's own instructions rather than anything of the business."""
    return any(_PROBE.search(form) for form in _forms(text))


def display_name(name: str | None) -> str:
    """A contact's own display name, fit to be said: one short line without links, markup or orders; else ""."""
    said = " ".join(plain(name or "").split())
    if not said or _LINK.search(said) or _TAG.search(said) or gives_orders(said) or re.search(r"[{}<>\[\]:|`#=]", said):
        return ""
    return said if len(said) <= _NAME_CHARACTERS else ""


def _unquoted(found: re.Match[str]) -> str:
    inside = found[1] or found[2] or ""
    return " " if len(inside.split()) >= _QUOTED_WORDS else f" {inside} "


def _same_length_fold(text: str) -> str:
    """Folded like ``fold``, but every character keeps its place."""
    folded = [char.lower() if char.isascii() else strip_accents(char).lower() for char in text]
    return "".join(char if len(char) == 1 else " " for char in folded)


def _forms(text: str) -> Iterator[str]:
    """The text as it stands and as it reads once common disguises are taken off."""
    shown = plain(text)
    folded = fold(shown)
    yield folded
    yield fold(_LETTERS_APART.sub(lambda run: re.sub(r"[ .\-_*·]", "", run[0]), shown))
    yield _MIXED.sub(lambda word: word[0].translate(_LEET), folded)
    yield fold(re.sub(r"[*_~`]", "", shown))
    yield folded[::-1]
    yield codecs.encode(folded, "rot13")
    yield from (fold(decoded) for decoded in decoded_parts(shown))


def decoded_parts(text: str) -> Iterator[str]:
    """What base64 and hexadecimal runs in the text say, where they say anything."""
    for run in _ENCODED.finditer(text):
        compact = re.sub(r"[ :]", "", run[0])
        if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", compact):
            yield bytes.fromhex(compact).decode(errors="ignore")
            continue
        try:
            padded = compact.replace("-", "+").replace("_", "/").rstrip("=")
            yield base64.b64decode(padded + "=" * (-len(padded) % 4)).decode(errors="ignore")
        except (binascii.Error, ValueError):
            continue
