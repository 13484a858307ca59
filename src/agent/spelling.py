"""How a text is spelled, as numbers: TF-IDF over the character n-grams of its words.

Beside the sentence vector it carries names, product words and typos that the encoder has not seen. Measured at 10
examples per intent it adds 1 to 2 points, and 5 on mistyped Portuguese.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

_SIZES: Final = (2, 3, 4, 5)
_WORD: Final = re.compile(r"\S+")


class CharNgrams:
    """The n-grams of a tenant's examples with their weights. Rows come out sparse, with length 1 (0 if nothing is
    known).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_ngrams(text)) for text in texts]
        frequency: Counter[str] = Counter()
        for count in counts:
            frequency.update(count.keys())
        self._index = {gram: position for position, gram in enumerate(frequency)}
        self._weight = [math.log((1 + len(texts)) / (1 + seen)) + 1 for seen in frequency.values()]

    def __len__(self) -> int:
        return len(self._index)

    def row(self, text: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """Positions and values of the known n-grams of ``text``."""
        index, weight = self._index, self._weight
        known = [(index[gram], times) for gram, times in Counter(_ngrams(text)).items() if gram in index]
        positions = np.fromiter((position for position, _ in known), dtype=np.intp, count=len(known))
        values = np.fromiter(((1 + math.log(n)) * weight[p] for p, n in known), dtype=np.float32, count=len(known))
        norm = float(np.sqrt(values @ values))
        return positions, values / norm if norm else values

    def matrix(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Dense rows, shape (texts, n-grams)."""
        dense = np.zeros((len(texts), len(self)), dtype=np.float32)
        for row, text in enumerate(texts):
            positions, values = self.row(text)
            dense[row, positions] = values
        return dense


def _ngrams(text: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        padded = f" {word} "
        for size in _SIZES:
            for start in range(max(1, len(padded) - size + 1)):
                yield padded[start : start + size]
