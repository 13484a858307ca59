"""What a question asks for by its words, and whether a text gives such a thing: an amount, a duration, a time, a place.

"Quanto custa a aula?" is not answered by a passage about the class that names no amount, however near it lies.
"""

from __future__ import annotations

import re
from typing import Final

from agent.normalise import fold

_ASKED: Final = {
    "duration": re.compile(
        r"\b(?:quanto tempo|em quantos (?:dias|meses)|demor\w+|prazo|(?:quanto|cuanto) dura|duracao|"
        r"cuanto (?:tiempo|tarda\w*|demora\w*)|en cuantos dias|tarda\w*|plazo|duracion|how (?:long|fast|soon))\b"
    ),
    "amount": re.compile(
        r"\b(?:(?:quant[oa]s?|qto|qnto) (?:e|eh|custa\w*|fica|ficam|ta|esta|sai|saem|cobra\w*|vale\w*|sao|pag\w+)|"
        r"precos?|valor(?:es)?|custos?|custa\w*|taxas?|cobra\w*|"
        r"cuanto (?:cuesta\w*|sale\w*|vale\w*|cobra\w*|hay que pagar|pag\w+|es|son)|precios?|tarifas?|cuesta\w*|"
        r"how much|prices?|costs?|fees?|charges?)\b"
    ),
    "time": re.compile(
        r"\b(?:(?:a |que |q )?horas?|horarios?|quando|ate que dia|abrem?|abrir|fecha[mn]?|abert[oa]s?|domingos?|"
        r"segundas?|sabados?|cuando|cierran?|abren?|abiert[oa]s?|lunes|"
        r"when|what time|open\w*|clos(?:es?|ed|ing)|hours?|sundays?|mondays?|saturdays?)\b"
    ),
    "place": re.compile(
        r"\b(?:onde|endereco|em que (?:rua|bairro|cidade)|donde|direccion|ubicacion|ubicad[oa]s?|"
        r"where|address|located)\b"
    ),
}
"""Looked for in this order: "quanto tempo" before "quanto custa"."""
_ALONE: Final = frozenset({"duration", "amount"})
"""Whoever asks for one of these asks for nothing else, the day or place in the question being a condition."""
_GIVEN: Final = {
    "duration": re.compile(
        r"\b(?:\d+|um|uma|dois|duas|tres|quinze|un|una|dos|one|two|three|a) ?(?:a \d+ ?)?(?:ou \d+ )?"
        r"(?:working |business |uteis )?(?:minut\w+|horas?|hours?|dias?|days?|semanas?|weeks?|mes(?:es)?|months?|"
        r"anos?|years?)\b|\d+ ?(?:h|min)\b|\b(?:na hora|no mesmo dia|al instante|en el acto|mismo dia|same day)\b"
    ),
    "amount": re.compile(
        r"(?:r\$|us\$|\$|€|£)\s*\d|\d\s*(?:€|%|reais|euros?|dolar\w*|dollars?|pesos?|soles)|"
        r"\b(?:gratis|gratuit\w+|de graca|sem (?:custo|cobrar|taxa)|nao (?:custa|cobramos|pagam?)|desconto|metade|"
        r"inclu(?:i|so|sa|sos|sas|ido|ida|ye|yen|dos|das)|sin (?:costo|cargo|recargo)|no cobramos|descuento|"
        r"free|included|no extra|discount)\b"
    ),
    "time": re.compile(
        r"\b\d{1,2}(?:h\d{0,2}|:\d\d| ?am| ?pm| horas)\b|\b(?:segunda|terca|quarta|quinta|sexta|sabado|domingo|"
        r"feriado|lunes|martes|miercoles|jueves|viernes|monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
        r"weekday|weekend|holiday)s?\b|\b(?:24 horas|around the clock|ate o dia|antes del dia|by the \d+)\b"
    ),
    "place": re.compile(
        r"\b(?:rua|avenida|av\.|praca|bairro|rodovia|estrada|sala|andar|centro|km|calle|plaza|barrio|piso|esquina|"
        r"street|road|avenue|square|floor)\b"
    ),
}


def asked_kinds(question: str) -> tuple[str, ...]:
    """What ``question`` asks for; nothing for most that are answered by yes or no."""
    read = fold(question)
    found = [kind for kind, words in _ASKED.items() if words.search(read)]
    return tuple(found[:1] if found and found[0] in _ALONE else found)


def gives(text: str, kinds: tuple[str, ...]) -> float:
    """1 if ``text`` holds something of one of ``kinds``, -1 if not, 0 if nothing certain is asked for."""
    if not kinds:
        return 0.0
    read = fold(text)
    return 1.0 if any(_GIVEN[kind].search(read) for kind in kinds) else -1.0
