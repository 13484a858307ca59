"""How people say, as a whole message, that no more messages shall come: words, and short sentences around them.

Read folded: lower case, no accents, no punctuation, single spaces. Every sentence here says by itself what it is about
(messages, a list, the own number): "quero parar" or "me tira uma dúvida" do not.
"""

from __future__ import annotations

import re
from typing import Final

_LIST: Final = (
    r"(?:d?(?:a|as|essa|esta|sua|su|la|las|this|the|your|these)?s? ?(?:lista|listas|list|lists|mailing|mailing list|newsletter|transmissao|broadcast|grupo de (?:ofertas|promocoes))"
    r"(?: d[eao]s? (?:transmissao|envio|envios|distribuicao|contatos?|ofertas|promocoes|difusion|correo|contactos|mensagens|mensajes|clientes|voces))?)"
)
_THINGS: Final = (
    r"(?:(?:as |os |suas |essas |esse tipo de |este tipo de |mas |more |any |any more |sus |estos |these |your |the |such )*"
    r"(?:mensage(?:m|ns)|msgs?|mensajes?|messages?|texts?|sms|promoc\w+|promos|promotions|ofertas|offers|propagandas?|publicidad\w*|anuncios?|ads|marketing|spam|nada|avisos|newsletters?))"
)
_FROM: Final = r"(?: (?:de voces|d[eo]s? vcs|daqui|por aqui|aqui|nesse numero|neste numero|no (?:whatsapp|zap|meu numero)|pra mim|para mim|de ustedes|por whatsapp|por aca|en este numero|from you|here|on whatsapp|to me|anymore|any more|again))*"

_SENTENCES: Final = {
    ("opt_out", "pt"): (
        rf"(?:(?:eu )?(?:quero|queria|gostaria de|preciso|desejo|como faco (?:pra|para)|posso) )?(?:sair|ser removid[oa]|me descadastrar) ?(?:d[ao]|dess[ae]|dest[ae]) {_LIST}",
        rf"(?:favor |pode )?me (?:tir\w+|remov\w+|retir\w+|exclu\w+|delet\w+|apag\w+) (?:d[ao]|dess[ae]|dest[ae]) {_LIST}",
        r"(?:favor )?me remove|(?:favor )?(?:me )?(?:remova|descadastr[ae]m?|descadastro|descadastramento|descadastrar)(?: me| (?:o )?(?:meu )?(?:numero|contato|telefone|zap|cadastro))?",
        rf"(?:tir\w+|remov\w+|retir\w+|exclu\w+|apag\w+|delet\w+) (?:o )?meu (?:numero|contato|telefone|zap|whats(?:app)?)(?: (?:d[ao]|dess[ae]|dest[ae]) {_LIST})?",
        rf"(?:eu )?(?:nao|n|nunca) (?:quero|desejo|gostaria de|aceito|autorizo) (?:mais )?(?:receber |que (?:me )?(?:mandem|enviem) )(?:mais )?{_THINGS}{_FROM}",
        rf"(?:eu )?(?:nao|n) quero mais (?:receber(?: isso| nada)?|{_THINGS}){_FROM}",
        rf"(?:nao|n|nunca) (?:me )?(?:mand\w+|envi\w+)(?: me)?(?: mais)? {_THINGS}{_FROM}(?: mais)?",
        rf"(?:par[ae]m?|parar|chega) (?:de|com) (?:me )?(?:mand\w+|envi\w+)?(?: me)? ?{_THINGS}?(?<! de)(?<! com){_FROM}",
    ),
    ("opt_out", "es"): (
        rf"(?:(?:quiero|quisiera|necesito|deseo|favor de|solicito) )?(?:dar|darme|dame|denme|deme|darse|de) de baja(?: (?:de )?{_LIST}| mi numero| a mi numero)?|solicito (?:la )?baja",
        rf"(?:quiero |quisiera )?salir(?:me)? (?:de )?{_LIST}",
        rf"(?:ya )?no (?:quiero|deseo|quisiera|acepto|autorizo) (?:recibir |que me (?:manden|envien) )?{_THINGS}{_FROM}",
        rf"(?:ya )?no me (?:escrib\w+|contact\w+)(?: mas| nunca mas)?|(?:ya )?no me (?:mand\w+|envi\w+)(?: mas)? {_THINGS}{_FROM}|no (?:mas|quiero mas) {_THINGS}",
        rf"(?:dejen|deje|deja|paren|pare) de (?:escribirme|contactarme|(?:mandar|enviar)(?:me)?(?: {_THINGS})?){_FROM}",
        rf"(?:saque\w*|saca\w*|quite\w*|quita\w*|borre\w*|borra\w*|elimin\w*) (?:mi numero(?: {_LIST})?|(?:de )?{_LIST})",
    ),
    ("opt_out", "en"): (
        rf"(?:stop|quit)(?: (?:all|now|please|it all|texting(?: me)?|messaging(?: me)?|contacting me|writing(?: to)? me|sending(?: me)?(?: {_THINGS})?|{_THINGS}))+{_FROM}",
        rf"(?:i (?:want|would like|d like) to )?(?:unsubscribe(?: me)?|opt(?: me)? out|optout)(?: (?:from |of |off )*(?:{_LIST}|{_THINGS}))?{_FROM}",
        rf"(?:remove|take|delete) (?:me|my (?:number|phone|contact))(?: (?:from|off) (?:{_LIST}|here|your (?:contacts|system)))?(?<!take me)(?<!take my number)",
        r"(?:please )?(?:do not|dont|don t|don't|never|quit) (?:contact|message|text|write(?: to)?|msg)(?:ing)? me(?: again| anymore| any more| ever again)?",
        rf"(?:i )?(?:do not|dont|don t|don't|no longer) (?:want|wish)(?: to (?:receive|get|hear))? {_THINGS}{_FROM}|no more {_THINGS}{_FROM}",
    ),
    ("opt_in", "pt"): (
        rf"(?:(?:eu )?quero |pode(?:m)? )?voltar(?: a (?:receber|me (?:mandar|enviar)))?(?: {_THINGS}| (?:pra|para) {_LIST})?{_FROM}",
        rf"(?:sim |agora |eu )*quero(?: voltar a)? receber(?: {_THINGS})?{_FROM}(?: de novo| novamente)?",
    ),
    ("opt_in", "es"): (
        rf"(?:si |ahora |ya )*(?:quiero (?:volver a )?recibir|quiero volver)(?: {_THINGS})?{_FROM}|(?:quiero )?darme de alta",
    ),
    ("opt_in", "en"): (
        rf"(?:i want to )?(?:resubscribe|subscribe(?: me)?|opt(?: me)? (?:back )?in|start again)(?: to {_LIST})?|(?:yes )?i want to receive {_THINGS}{_FROM}",
    ),
}  # fmt: skip
_PATTERNS: Final = [
    (command, language, re.compile("|".join(f"(?:{sentence})" for sentence in sentences)))
    for (command, language), sentences in _SENTENCES.items()
]
_POLITE: Final = (
    r"oi+e?|ola|opa|hola|hi|hello|hey|bom dia|boa (?:tarde|noite)|buen[oa]s?(?: (?:dias?|tardes?|noches?))?|good (?:morning|afternoon|evening)|por favor|por gentileza|porfa|favor|pfv|pfvr|pf|please|pls|plz|"
    r"gente|pessoal|moc[oa]|senhor\w*|obrigad[oa]|obg|brigad[oa]|valeu|vlw|gracias|thanks|thank you|thx|ja|agora|ahora|ahorita|now|right now|urgente|imediatamente|inmediatamente|immediately|ok"
)
_AROUND: Final = re.compile(rf"^(?:(?:{_POLITE}) )+|(?: (?:{_POLITE}))+$")
_LONG: Final = ("descadastrar", "unsubscribe", "descadastre")
"""Words so long that one letter wrong leaves no doubt about them."""


def without_courtesy(said: str) -> str:
    """A folded message without greeting and thanks; itself where nothing else is left of it."""
    return _AROUND.sub("", said) or said


def plainly(said: str) -> str:
    """A folded message as it was meant: letters that stand apart together ("s a i r"), repeated ones and words once."""
    parts = said.replace(".", " ").split()
    if len(parts) > 2 and all(len(part) == 1 for part in parts):
        parts = ["".join(parts)]
    if len(set(parts)) == 1:
        parts = parts[:1]
    return " ".join(parts)


def repaired(word: str) -> str:
    """A single word without doubled letters ("pararr", "stopp"), or the long one that it misses by one letter."""
    once = re.sub(r"(.)\1+", r"\1", word)
    return next((long for long in _LONG if _is_near(once, long)), once)


def _is_near(word: str, other: str) -> bool:
    """Whether one letter was left out, added, exchanged or changed places."""
    if abs(len(word) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(word), len(other)) and word[start] == other[start]:
        start += 1
    rest, wanted = word[start:], other[start:]
    swapped = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:] and len(rest) > 1
    return rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:] or swapped


def sentence(said: str) -> tuple[str, str] | None:
    """The command and the language of a whole folded message that is such a sentence."""
    return next(((command, language) for command, language, pattern in _PATTERNS if pattern.fullmatch(said)), None)
