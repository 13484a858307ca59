"""Which language a customer writes: Portuguese, Spanish or English.

WhatsApp messages are a word or two as often as a sentence, and Portuguese and Spanish share half of them. So small
words that belong to one language decide first; a statistical detector (py3langid) only speaks up on longer texts; and
what stays undecided keeps the conversation's language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from agent.normalise import MAX_READ, fold, visible

_MAX_DETECTED: Final = 600
_MIN_LETTERS_FOR_STATISTICS: Final = 12
_SURE: Final = 0.80
_NOT_LANGUAGE: Final = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|[\d#]\S*|\{[{%].*?[}%]\}|`[^`]*`")
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")

# Words of one of the three languages only, accents folded. "no", "me", "para", "de", "ok", "favor" belong to several.
_OWN: Final = {
    "pt": """
        oi ola opa eai bom boa bons boas dia noite tarde tchau obrigado obrigada obg brigado valeu vlw blz beleza
        joia nao sim voce vc voces vcs eu ele ela eles nos meu minha meus minhas seu sua um uma uns umas os do da
        dos das ao aos na nas pelo pela com sem em e ou mas mais muito mto ja ainda tambem tbm tb hoje hj amanha
        ontem agora onde quando quanto quanta qual quais que quem porque pq como cade isso isto esse essa aqui la to
        ta estou esta estao sou tem tenho temos queria quero gostaria posso pode fazer faco saber falar pedido
        encomenda entrega chegou chega troca trocar devolver loja preco boleto nota frete prazo pagamento cartao
        senha conta cancelar atendente alguem ninguem pessoa humano ajuda preciso duvida pra so tudo bem via o a
        blusa tenis certo errado comprei pago paguei fiz recebi veio
    """,
    "es": """
        hola buenos buenas dias tardes noches gracias adios si usted ustedes yo el ella ellos mi mis tu tus su sus
        un una unos unas los las del al con sin en y pero muy ya todavia aun tambien hoy manana ayer ahora donde
        cuando cuanto cuanta cual cuales que quien porque como eso esto ese esa aqui alli estoy esta estan soy tiene
        tengo tenemos queria quiero quisiera puedo puede hacer hago saber hablar pedido envio entrega llego llega
        cambio cambiar devolver tienda precio factura cuenta cancelar alguien nadie persona ayuda necesito duda vale
        bueno bien hay cuesta tarjeta pago compre recibi zapatos talla a via
    """,
    "en": """
        hi hello hey morning afternoon evening night thanks thank thx please yes yeah yep nope the this that these
        those my your his her our their is are was were am be been do does did don't not can could would will should
        i you he she it we they where when what which who why how much many order package delivery shipping track
        refund return exchange store shop open close hours price invoice payment card cancel talk speak someone
        person human help need want have has had to of and or for with from on at by an about sorry bye good there
        still yet it's i'm what's where's a via
    """,
}


def _lexicon() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for language, listed in _OWN.items():
        for word in dict.fromkeys(listed.split()):
            found[word] = (*found.get(word, ()), language)
    return found


_LEXICON: Final = _lexicon()
# Letters that only one of the three writes.
_LETTERS: Final = (("pt", re.compile(r"[ãõçâêô]|ção|ções")), ("es", re.compile(r"[ñ¿¡]|ción|ciones")))


def detect_language(text: str, default: str, allowed: Iterable[str] = ("pt", "es", "en")) -> str:
    """The language of ``text`` among ``allowed`` (codes of pt, es, en), or ``default`` where it cannot be told.

    ``default`` is the conversation's language so far: "ok" or a bare order number never changes it.
    """
    among = [language for language in _OWN if language in set(allowed)]
    cleaned = _NOT_LANGUAGE.sub(" ", visible(text[:MAX_READ]).lower())[:_MAX_DETECTED]
    if not among or not _WORD.search(cleaned):
        return default
    votes = _votes(cleaned, among)
    first, second = [*sorted(votes.values(), reverse=True), 0.0][:2]
    winner = max(votes, key=lambda language: votes[language])
    letters = sum(map(len, _WORD.findall(cleaned)))
    if first >= second + 0.99 and (first >= 2 * second or letters < _MIN_LETTERS_FOR_STATISTICS):
        return winner
    if letters >= _MIN_LETTERS_FOR_STATISTICS:
        return _statistics(cleaned, among, votes) or default
    return default


def _votes(cleaned: str, among: list[str]) -> dict[str, float]:
    """Own words count one each, words of two languages a third: they weigh against the remaining one only."""
    votes = dict.fromkeys(among, 0.0)
    for word in _WORD.findall(fold(cleaned)):
        owners = [language for language in _LEXICON.get(word, ()) if language in votes]
        for language in owners:
            votes[language] += 1.0 if len(owners) == 1 else 1 / 3
    for language, letters in _LETTERS:
        if language in votes and letters.search(cleaned):
            votes[language] += 1.5
    return votes


def _statistics(cleaned: str, among: list[str], votes: dict[str, float]) -> str | None:
    chances = dict(_identifier().rank(cleaned))
    weighed = {language: chances[language] * (1 + votes[language]) for language in among}
    total = sum(weighed.values())
    best = max(weighed, key=lambda language: weighed[language])
    return best if total > 0 and weighed[best] / total >= _SURE else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - a second, only for longer texts

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(tuple(_OWN))
    return identifier
