"""Vectors for text without a network: the mean of a text's static token vectors.

The weights are those of the ``wordllama`` wheel (32,000 tokens, 256 dimensions, MIT). Only its two
files are read: importing the package would configure the process's logging, and its own loader
looks for the tokenizer in a folder that the wheel does not have.

Loading takes 0.4 s and 40 MB, when the first text comes. Texts are then embedded at about 3 MB/s
on one core. What the vectors know is which words go together, and nothing of their order: they
find paraphrases, and full text search finds names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from storage.errors import ModelMissing

MODEL = "wordllama-l2-256"
DIMENSION = 256
# Encodings are large objects: a batch bounds how many live at once, however many texts come.
TEXTS_A_BATCH = 128

Vectors = NDArray[np.float32]


class StaticEmbedder:
    """Loads when first used; may be used from any thread."""

    def __init__(self) -> None:
        self._loading = Lock()
        self._loaded: _Model | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text, of length 1, or 0 for a text without tokens."""
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for row, tokens in enumerate(self._tokens(texts)):
            if tokens:
                vectors[row] = self._model.weights[tokens].mean(axis=0)
        return normalised(vectors)

    def _tokens(self, texts: Sequence[str]) -> Iterator[list[int]]:
        for start in range(0, len(texts), TEXTS_A_BATCH):
            batch = [_encodable(text) for text in texts[start : start + TEXTS_A_BATCH]]
            tokenizer = self._model.tokenizer
            for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                yield encoding.ids

    @property
    def _model(self) -> "_Model":
        with self._loading:
            if self._loaded is None:
                self._loaded = _load()
            return self._loaded


def normalised(vectors: Vectors) -> Vectors:
    """The same directions with length 1; a zero vector has no direction and stays."""
    lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return vectors / lengths


def pack(vectors: Vectors) -> list[bytes | None]:
    """Rows as they are stored. A zero vector is like nothing: it is not stored, it is None."""
    halves = vectors.astype("<f2")
    return [row.tobytes() if row.any() else None for row in halves]


def unpack(rows: Sequence[bytes], *, dimension: int = DIMENSION) -> Vectors:
    halves = np.frombuffer(b"".join(rows), dtype="<f2")
    return halves.astype(np.float32).reshape(len(rows), dimension)


@dataclass(frozen=True, slots=True)
class _Model:
    weights: Vectors
    tokenizer: Tokenizer


def _load() -> _Model:
    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing("the package wordllama, whose weights embed text, is not installed")
    folder = Path(spec.submodule_search_locations[0])
    tensors = load_file(folder / "weights" / "l2_supercat_256.safetensors")
    names = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
    tokenizer = Tokenizer.from_file(str(names))
    # A padded batch would mix the padding into every mean, and a truncated text lose its end.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True  # "<s>" in a text is three characters of that text
    return _Model(tensors["embedding.weight"].astype(np.float32), tokenizer)


def _encodable(text: str) -> str:
    """Half a surrogate pair, which JSON can carry and UTF-8 cannot, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
