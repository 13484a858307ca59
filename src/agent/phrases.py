"""Whole phrases that mean the same for every business: asking for a person, anger, small talk, dropping what was begun.

Everyday Brazilian Portuguese, Spanish and English, matched on folded words (no case, accents or punctuation). They are
deliberately few: a miss goes on to the classifier, a false hit would take a customer out of it.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from agent.normalise import MAX_READ, visible, words

SmallTalk = Literal["greeting", "thanks", "farewell", "acknowledgement"]

_PERSON: Final = (
    r"(?:atendentes?|human[oa]?s?|pessoas?|alguem|operador(?:a|es)?|gerente|supervisor(?:a)?|responsavel|vendedor(?:a)?|"
    r"funcionari[oa]|consultor(?:a)?|suporte humano|persona|asesor(?:a)?|agente|representante|encargad[oa]|alguien|"
    r"gente|human being|person|agent|representative|someone|somebody|operator|manager|real person)"
)
_SURELY_PERSON: Final = (
    r"(?:atendentes?|human[oa]|pessoa (?:de verdade|real|humana)|ser humano|operador(?:a)?|gerente|supervisor(?:a)?|"
    r"asesor(?:a)?|agente humano|persona (?:real|de verdad)|human(?: being| agent)?|real person|live agent|"
    r"representative|customer service agent)"
)
_WANTS_PERSON: Final = re.compile(
    rf"\b(?:falar|fala|falo|conversar|tratar|ser atendid[oa]|hablar|comunicar(?:me|se)?|talk|speak|chat)"
    rf" (?:\w+ )?(?:com|con|por|to|with) (?:\w+ ){{0,3}}?{_PERSON}\b"
    rf"|\b(?:quero|queria|preciso|prefiro|gostaria|chama|chame|chamar|transfere|transfira|transferir|passa|passe|manda|"
    rf"quiero|necesito|pasame|paseme|transfiereme|comuniqueme|comunicame|want|need|get|give|transfer|connect|pass)"
    rf" (?:\w+ ){{0,3}}?{_SURELY_PERSON}\b"
    rf"|\b(?:transf\w+|pass[ae](?:r|me)?|pas[ae]me|chama|chame|chamar|comunic\w+|transfer|connect|pass)"
    rf" (?:me )?(?:(?:pra|para|a|ao|com|con|to|with|over) )?(?:(?:um|uma|o|a|un|una|el|la|an|the) )?{_PERSON}\b"
    rf"|\b(?:tem|ha|hay|is there) (?:algum|alguem|algun|alguien|any|a|an|some)? ?"
    r"(?:humano|pessoa|gente|human|real|de verdade|de verdad|person)\b"
    rf"|\b(?:liga|ligue|llam[ae]|atend\w+|atiend\w+) (?:(?:pra|para|por|a|me|mim) )*(?:(?:um|uma|un|una) {_PERSON}|alguem|alguien)\b"
    rf"|\b(?:c|com|con|with) (?:um|uma|un|una|o|a|el|la|an|the)? ?{_SURELY_PERSON}(?: (?:por favor|porfa|please|pls|pfv))?$"
    r"|\b(?:cansei d[eo]|chega d[eo]|cansad[oa] d[eo]|hart[oa] de(?:l)?|tired of|sick of) (?:\w+ ){0,2}(?:robos?|bots?|robots?|maquinas?|machines?)\b"
    r"|\b(?:connect|transfer|put|pass) me (?:to|through to|with) (?:your )?(?:support|customer service|sales|billing|the team)\b"
    r"|\b(?:atendimento|suporte|atencion) (?:humano|humana|pessoal|personalizada)\b"
    r"|\b(?:nao|no) (?:quero |quiero )?(?:falar|conversar|hablar) (?:mais )?(?:com|con) (?:\w+ )?"
    r"(?:robo|bot|robot|maquina)\b"
    r"|\b(?:don't|dont|do not) want to (?:talk|speak|chat) (?:to|with) (?:a |the )?(?:bot|robot|machine)\b"
)
_ONLY_PERSON: Final = re.compile(
    r"(?:(?:um|uma|un|una|a|an|con|com|falar|hablar|talk to|por favor|please) )*(?:atendente|humano|humana|atendimento humano|gerente|"
    r"agente|asesora?|(?:real |live |actual )?(?:human(?: being)?|person|agent)|representative|operator)(?: (?:por favor|porfa|please|pls|plz|pfv|pf))?"
)
_NEGATED: Final = re.compile(
    r"\b(?:(?:nao|nunca|sem|not|don't|dont)(?: \w+){0,3}|no (?:quiero|necesito|need|hace falta)(?: \w+){0,2}|"
    r"(?:consegui|pude)(?: \w+)?) ?$"
)

_BEFORE: Final = 60
"""Characters before a request in which a negation of it may stand."""

_ANGRY: Final = re.compile(
    r"\b(?:procon|reclame ?aqui|vou processar (?:voces|vcs|essa|esta|a (?:loja|empresa))|meu advogado|acao judicial|"
    r"palhacad[ao]|(?:que|um|e um) absurdo(?! de (?:bom|boa|lindo|linda|gostos[oa]|delicios[oa]|barat[oa]))|isso e ridiculo|"
    r"(?:que|uma) vergonha(?! (?:eu|minha|a minha|alheia))|descaso|incompetentes?|inuteis|lixo de (?:empresa|loja|servico|atendimento)|"
    r"nunca mais (?:compro|volto|peco|uso)|(?:e|eh|isso e|so pode ser) golpe|va[io] se f|(?:quero|devolv\w+) (?:o )?meu dinheiro (?:ja|agora)|falta de (?:respeito|vergonha)|"
    r"(?:pessim[oa]|pior|horrivel) (?:atendimento|servico|empresa|loja)|"
    r"atendimento (?:pessimo|horrivel|lixo|de merda)|"
    r"(?:to|tou|estou|fiquei) (?:muito |bem |super )?(?:put[oa]|irritad[oa]|revoltad[oa]|indignad[oa]|furios[oa])|"
    r"bando de (?:ladroes|golpistas|incompetentes|vagabundos)|golpistas?|ladroes|"
    r"vai (?:se (?:foder|fuder|ferrar|lascar)|tomar no \w+)|vsf|vtnc|pqp|fdp|merda|porra|caralho|bosta|"
    r"estafa(?:dores)?|ladrones|(?:que|una) verguenza|es ridiculo|mierda|(?:los|les) voy a (?:denunciar|demandar)|"
    r"voy a (?:denunciar|demandar)(?:los|las|les)|inutiles|mi abogado|quiero mi dinero (?:ya|ahora)|"
    r"(?:pesim[oa]|peor) (?:servicio|atencion|empresa|tienda)|es inaceptable|"
    r"(?<!no )estoy (?:muy )?(?:enojad[oa]|furios[oa]|indignad[oa]|hart[oa])|"
    r"scam(?:mers?)?|this is (?:ridiculous|unacceptable|outrageous)|sue you|my lawyer|"
    r"(?:worst|terrible|horrible) (?:service|company|store)|(?:you|they|people) (?:\w+ )?are (?:all )?useless|wtf|i want my money (?:back )?now|"
    r"i'm (?:so |very |really )?(?:angry|furious|pissed)|fuck\w*|bullshit|rip ?off)\b"
)

_CALM: Final = re.compile(r"\b(?:nao|not|never|nunca|sem) $")
"""What right before angry words takes them back. Not "no", which is "in the" in Portuguese."""
_DROP: Final = re.compile(
    r"(?:(?:nao|no|ah|entao|bom|ok|pode|melhor|por favor|please|well|actually|oh) )*"
    r"(?:cancelar?|cancele|cancelado|deix[ae](?: isso)? (?:pra la|para la|quieto|quieta)|esque(?:ce|ca)(?: isso)?|"
    r"desisto|desisti|(?:nao )?(?:precisa|quero|preciso)(?: mais)?|mudei de ideia|parar?|"
    r"olvidalo|dejalo(?: asi)?|dejemoslo|ya no(?: quiero| importa)?|no importa|"
    r"never ?mind|forget (?:it|about it|that)|cancel(?: it| that)?|stop|leave it)"
    r"(?: (?:por favor|please|obrigad[oa]|gracias|thanks|entao))*"
)
_NEEDS_NEGATION: Final = re.compile(r"^(?:(?:ah|entao|bom|ok) )*(?:precisa|quero|preciso)\b")

_LITTLE_WHILE: Final = (
    r"(?:um|uma|un|una|1|one|a) (?:so )?(?:momento?|momentinho|momentico|minut[oe]?|minutinho|min|segundo?|segundinho|"
    r"instante|instantinho|second|sec|tick|bit)"
)
_ASKS_TO_WAIT: Final = re.compile(
    r"(?:(?:ah|ok|ta|certo|hum+|bom|vale|sim|si|sure|yes|opa|well|claro|que|e|y|and|while|enquanto|mientras|ja|ya|so|"
    r"solo|just|please|por favor|pfv|eu|i) )*"
    r"(?:pera(?:i| ai)?|esperai|espera(?: ai)?|espere|espera (?:um pouco|un poco)|aguarda(?: ai)?|calma(?: ai)?|"
    rf"(?:(?:me da|dame|give me|hold on|hang on|wait|espera|aguarde) )?{_LITTLE_WHILE}|hold on|hang on|wait|"
    r"bear with me|"
    r"(?:vou|voy a|deixa eu|deixe eu|dejame|let me|lemme|i'll|i will|i'm going to) "
    r"(?:procurar|ver|olhar|pegar|achar|buscar(?:lo|la)?|conferir|checar|verificar|mirar|revisar|check|look|find|get|"
    r"grab|see|search)(?: \w+){0,6})(?= |$)"
    r"(?: (?:por favor|please|pfv|obrigad[oa]|gracias|thanks|ta|ok|ja volto|ya vuelvo|que|e|y|and|enquanto|mientras|"
    r"while)(?= |$))*"
)
_MOST_WAITING_WORDS: Final = 14

_GREETING: Final = (
    r"oi+e?|ola+|opa|e ai|eai|eae|alo|bom dia|boa tarde|boa noite|(?:tudo|td) (?:bem|bom|certo|joia|blz)|tudo|como vai|"
    r"como (?:voce |vc )?esta|com (?:voce|vc|voces)|hola|buenas?|buen[oa]s? (?:dias?|tardes?|noches?)|que tal|"
    r"como estas?|hi+|hello|hey+|good (?:morning|afternoon|evening)|how are you|there|pessoal|gente"
)
_THANKS: Final = (
    r"(?:muito |mt |mto |muitissimo )?(?:obrigad[oa]|obg|obgd|brigad[oa]|brigadao)|valeu|vlw|agradec(?:o|ido|ida)|"
    r"(?:muchas |mil )?gracias|thanks(?: a lot| so much)?|thank you(?: very much| so much)?|thx|ty|"
    r"pela (?:ajuda|atencao|informacao)|pelo (?:atendimento|retorno)|"
    r"por (?:la ayuda|tudo|todo)|for (?:the|your) help|viu|demais"
)
_FAREWELL: Final = (
    r"tchau|ate (?:mais|logo|amanha|breve)|xau|abraco|abs|"
    r"adios|hasta (?:luego|pronto|manana)|chao|chau|bye|see you|goodbye"
)
_ACKNOWLEDGED: Final = (
    r"ok+|okay|okey|blz|beleza|certo|certinho|ta (?:bom|certo|bem|otimo)|entendi|perfeito|show|legal|otimo|combinado|"
    r"joia|massa|maravilha|vale|dale|listo|perfecto|entendido|de acuerdo|great|got it|alright|all right|"
    r"cool|perfect|fine"
)
_ALL: Final = re.compile(rf"(?:(?:{_GREETING}|{_THANKS}|{_FAREWELL}|{_ACKNOWLEDGED})(?: |$))+")
_ORDER: Final[tuple[tuple[SmallTalk, re.Pattern[str]], ...]] = (
    ("thanks", re.compile(rf"\b(?:{_THANKS})\b")),
    ("farewell", re.compile(rf"\b(?:{_FAREWELL})\b")),
    ("greeting", re.compile(rf"\b(?:{_GREETING})\b")),
)
_MOST_WORDS: Final = 12

_NEW_SUBJECT: Final = re.compile(
    r"(?:qual|quais|quando|onde|aonde|cade|como|quanto|quantos|quantas|quem|o que|quero|queria|gostaria|preciso|posso|"
    r"voces|vcs|vc|da para|da pra|aceita|vende|tem|"
    r"cual|cuales|cuando|donde|cuanto|quien|quiero|necesito|puedo|tienen|"
    r"what|when|where|which|how|who|can|could|do you|does|is there|are you|i want|i need|i would|i'd) "
)


def _said(text: str) -> str:
    return " ".join(words(text[:MAX_READ]))


def wants_person(text: str) -> bool:
    """The customer asks for a human being, and not by saying that they do not want one."""
    said = _said(text)
    if _ONLY_PERSON.fullmatch(said):
        return True
    return any(
        not _NEGATED.search(said, max(0, found.start() - _BEFORE), found.start())
        for found in _WANTS_PERSON.finditer(said)
    )


def is_angry(text: str) -> bool:
    """Insults, threats of a complaint or a lawsuit, or anger put into words."""
    said = _said(text)
    return any(
        not _CALM.search(said, max(0, found.start() - _BEFORE), found.start()) for found in _ANGRY.finditer(said)
    )


def drops_it(text: str) -> bool:
    """The whole message says to leave what was begun ("deixa pra lá"): only meaningful while something is."""
    said = _said(text)
    return bool(_DROP.fullmatch(said)) and not _NEEDS_NEGATION.match(said)


def asks_to_wait(text: str) -> bool:
    """The whole message asks for a moment ("peraí que vou procurar"): no answer yet, and none that failed."""
    said = _said(text)
    while said and len(said.split()) <= _MOST_WAITING_WORDS:
        found = _ASKS_TO_WAIT.match(said)
        if found is None or (found.end() < len(said) and said[found.end()] != " "):
            return False
        said = said[found.end() :].strip()
        if not said:
            return True
    return False


def small_talk(text: str) -> SmallTalk | None:
    """The kind of a message that is nothing but courtesy; None if it says anything else. Emoji alone acknowledge."""
    tokens = words(text[:MAX_READ])
    if not tokens:
        return "acknowledgement" if visible(text).strip() else None
    said = " ".join(tokens)
    if len(tokens) > _MOST_WORDS or not _ALL.fullmatch(said):
        return None
    return next((kind for kind, pattern in _ORDER if pattern.search(said)), "acknowledgement")


def opens_a_subject(text: str) -> bool:
    """A question or a wish, rather than an answer to what was asked."""
    return "?" in text or bool(_NEW_SUBJECT.match(_said(text) + " "))
