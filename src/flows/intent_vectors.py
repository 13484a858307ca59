"""The stored examples as the classifier trains on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from agent.classifier import Example, vectorise
from agent.encoder import Encoder, Vectors

_HEADER: Final = 4


def trained_on(rows: Sequence[Mapping[str, Any]], encoder: Encoder) -> tuple[list[Example], Vectors]:
    """Examples and their vectors from rows of ``store.knowledge.examples``.

    Stored vectors of this encoder are taken as they are; only what lacks one is encoded, so that a new example costs
    its own milliseconds and not those of all others.
    """
    examples = [Example(row["text"], row["intent"], row["language"]) for row in rows]
    vectors = np.zeros((len(rows), encoder.dim), dtype=np.float32)
    lacking = []
    for place, row in enumerate(rows):
        if row["encoder"] == encoder.name and row["embedding"]:
            # Two 16-bit numbers, the first of them the width, then 32-bit floats, all big-endian.
            vectors[place] = np.frombuffer(row["embedding"], ">f4", encoder.dim, _HEADER)
        else:
            lacking.append(place)
    if lacking:
        vectors[lacking] = vectorise([examples[place].text for place in lacking], encoder)
    return examples, vectors
