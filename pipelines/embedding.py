"""Vectors, as a function that a process of the workshop can be handed."""

from collections.abc import Sequence
from functools import cache

from storage.embedding import MODEL, StaticEmbedder, pack

__all__ = ["MODEL", "embed"]


def embed(texts: Sequence[str]) -> list[bytes | None]:
    return pack(_embedder().embed(texts))


@cache
def _embedder() -> StaticEmbedder:
    """One a process: it holds 40 MB."""
    return StaticEmbedder()
