"""A text's words as a search compares them: folded, spelled out, without little words, cut to their stems.

Customers leave accents out, and a stemmer made for written Portuguese then no longer sees that "devolucao" and
"devoluções" are one word; nor is the language of three words certain. So the words are folded first, and the stem is
what the three languages' endings leave of them. The database indexes these very words (``knowledge_chunk.words``), so
that the search in memory and the one in PostgreSQL cannot differ.
"""

from __future__ import annotations

import re
from typing import Final

from agent.normalise import fold
from agent.vocabulary import SHORT_FORMS

_READ: Final = 4_000
_WORD: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"(?<=\d)[.,](?=\d{3}\b)|(?<=\d)[.,]0+\b")
"""1.000 and 1000, 7,00 and 7 are one number; a comma elsewhere parts it."""
_JOINED: Final = re.compile(r"\b([^\W\d_]{1,2})-(?=[^\W\d_])")
"""E-mail is email, Wi-Fi is wifi: people write both."""
_LONGEST: Final = 40
_COMMON: Final = frozenset(
    (  # noqa: SIM905 - a list of words reads better as words
        "a o e as os um uma uns umas de do da dos das em no na nos nas ao aos por para pra pro pelo pela com sem que "
        "qual quais quanto quanta quantos quantas quando onde como quem voce voces vcs me meu minha meus minhas seu "
        "sua seus suas lhe ele ela eles elas isso isto aquilo este esta esse essa nao sim tem ter tenho posso pode "
        "podem podemos dar faz fazer faco fazem foi ser sao estao estou muito mais agora se ja ou mas eu eh la ai ate "
        "tambem so cade ha vai vou ir quer queria quero gostaria saber preciso consigo conseguir ficar fica algum "
        "alguma porque entao ainda depois mesmo tudo favor aqui "
        "el los las una unos unas del al y con mi mis tu tus su sus lo le les puedo puede pueden tengo tiene tienen "
        "hay cual cuales cuanto cuanta cuantos cuando donde quien quiero quisiera necesito si es son soy esta estan "
        "ustedes usted yo eso ese esa hacer hace hago muy "
        "the an and or of to in on at for from with is are am be was were do does did you your yours i my we our it "
        "its can could would will should how what which when where who why long much many any this that these those "
        "there have has had get if not want need please"
    ).split()
)
_ENDINGS: Final = tuple(
    sorted(
        (  # noqa: SIM905
            "mente amente acao acoes acion aciones ation ations icao icoes icion iciones ucao ucoes ucion uciones cao "
            "coes cion ciones tion tions sao soes sion siones mento mentos miento mientos amento amentos imento "
            "imentos ment ments ador adora adores adoras idade idades idad idades ividade anca ancas ancia encia "
            "ancias encias anza anzas ante antes avel iveis aveis ivel able "
            "ables ible ibles ando endo indo iendo ing ings ado ada "
            "ados adas ido ida idos idas aram eram iram aron ieron ou eu iu ar er ir arei erei ara era ira aria eria "
            "iria amos emos imos am em ed es s os as is a o e ais eis ois ns oes aes ies ly er ers"
        ).split(),
        key=len,
        reverse=True,
    )
)
_SHORTEST_STEM: Final = 3
_LONGEST_STEM: Final = 6
_DOUBLED: Final = re.compile(r"([b-df-hj-np-tv-z])\1+$")


def terms(text: str) -> list[str]:
    """The searched words of ``text``, in order, repeated as in the text. Reads the first 4,000 characters."""
    return list(map(stem, plain_terms(text)))


def plain_terms(text: str) -> list[str]:
    """The same words before they are cut: for showing what was searched."""
    found: list[str] = []
    for word in _WORD.findall(_JOINED.sub(r"\1", _NUMBER.sub("", fold(text[:_READ])))):
        spelled = SHORT_FORMS.get(word)
        for part in _WORD.findall(fold(spelled)) if spelled else (word,):
            if part not in _COMMON and (len(part) > 1 or part.isdigit()):
                found.append(part[:_LONGEST])
    return found


def stem(word: str) -> str:
    """What is left of a folded word without its ending: at least three letters, at most six; digits stay whole."""
    if not word.isalpha():
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word[: -len(ending)]
            break
    return _DOUBLED.sub(r"\1", word)[:_LONGEST_STEM]
