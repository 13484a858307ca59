"""The question after closing and what counts as an answer to it: a score from 1 to 5, and nothing else.

Only a whole message counts. "5" is a score; "5 mas quero trocar" is a customer who wants something. Texts are compared
as ``agent.normalise.words`` gives them: without case, accents, punctuation and emoji.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

SCORES: Final = range(1, 6)
LONGEST: Final = 60
"""Characters; a longer message says more than a score."""

_WORDS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("1", "um", "uno", "one", "pessimo", "pessima", "horrivel", "terrivel", "muito ruim"), 1),
    **dict.fromkeys(("muy malo", "muy mala", "terrible", "awful", "very bad"), 1),
    **dict.fromkeys(("2", "dois", "dos", "two", "ruim", "malo", "mala", "mal", "bad", "poor"), 2),
    **dict.fromkeys(("3", "tres", "three", "regular", "razoavel", "mais ou menos", "average", "so so"), 3),
    **dict.fromkeys(("4", "quatro", "cuatro", "four", "bom", "boa", "bueno", "buena", "bien", "good", "legal"), 4),
    **dict.fromkeys(("5", "cinco", "five", "otimo", "otima", "excelente", "perfeito", "perfeita", "maravilhoso"), 5),
    **dict.fromkeys(("maravilhosa", "muito bom", "muito boa", "muy bueno", "muy buena", "muy bien", "perfecto"), 5),
    **dict.fromkeys(("perfecta", "excellent", "great", "perfect", "amazing", "very good", "top", "nota 10"), 5),
}
_COURTESY: Final = frozenset(
    (
        *("nota", "estrela", "estrelas", "obrigado", "obrigada", "obg", "valeu", "atendimento", "o", "a"),
        *("estrella", "estrellas", "gracias", "atencion", "star", "stars", "thanks", "thank", "you", "service"),
    )
)
"""What may stand beside a score without making it anything else."""
_FACES: Final[Mapping[str, int]] = {
    **dict.fromkeys("😡😠🤬👎😤", 1),
    **dict.fromkeys("😞🙁☹😟😕", 2),
    **dict.fromkeys("😐😑", 3),
    **dict.fromkeys("🙂😊😀😃", 4),
    **dict.fromkeys("😍🤩🥰😄😁👍👏❤", 5),
}
_STARS: Final = "⭐★🌟"
_IGNORED: Final = "\ufe0f\u20e3\u200d" + "".join(chr(tone) for tone in range(0x1F3FB, 0x1F400))
"""Parts of emoji: presentation, keycap, skin colour."""


def score_of(text: str, words: Sequence[str]) -> int | None:
    """The score that the whole message gives, from 1 to 5; None where it is anything else. ``words``: of ``text``."""
    if len(text) > LONGEST:
        return None
    said = _spoken(words)
    shown = _shown(text)
    if said is None or shown is None:
        return None
    scores = said | shown
    return scores.pop() if len(scores) == 1 else None


def _spoken(words: Sequence[str]) -> set[int] | None:
    """The scores that the words name; None where one of them means something else."""
    scores = set[int]()
    place = 0
    while place < len(words):
        for length in (3, 2, 1):
            phrase = " ".join(words[place : place + length])
            if phrase in _WORDS and place + length <= len(words):
                scores.add(_WORDS[phrase])
                place += length
                break
        else:
            if words[place] not in _COURTESY:
                return None
            place += 1
    return scores


def _shown(text: str) -> set[int] | None:
    """The scores that emoji show: a face's, or how many stars; None where one of them means something else."""
    scores, stars = set[int](), 0
    for sign in text:
        if sign in _STARS:
            stars += 1
        elif sign in _FACES:
            scores.add(_FACES[sign])
        elif ord(sign) >= 0x2190 and sign not in _IGNORED:
            return None
    if stars:
        scores.add(stars) if stars in SCORES else scores.update(SCORES)
    return scores
