"""How many tokens a text costs, exactly.

The encoding is ``cl100k_base``, compiled into the wheel: nothing is read from disk or downloaded.
What looks like a special token, ``<|endoftext|>`` for one, is counted as the text it is.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np
import toktok  # type: ignore[import-untyped]  # the wheel ships no types
from numpy.typing import NDArray

ENCODING = "cl100k_base"
MINIMUM = 4  # the most tokens that one character costs: a limit below it could not be kept


def count(text: str) -> int:
    return _counter()(text)


def counts(texts: Iterable[str]) -> list[int]:
    return [*map(_counter(), texts)]


def ends(text: str) -> Sequence[int]:
    """Where each token ends, in bytes. The text must not be empty."""
    ids = np.frombuffer(_encoder()(text, disallowed_special=()), "<u4")
    return np.add.accumulate(_lengths().take(ids), dtype=np.int32).data


def head(text: str, limit: int) -> str:
    """A start of the text within the limit, as long as can be, that ends with a whole character.

    The limit has to be ``MINIMUM`` at least: a character may cost four tokens.
    """
    start: str = toktok.truncate(text, limit, ENCODING)[0]
    while count(start) > limit:
        # Less text can cost more: a token that is cut in half may become two.
        start = start[:-1]
    return start


@cache
def _counter() -> Callable[[str], int]:
    # Not `batch_count`: it sets up 30 us worth of memory a call and is slower for each text. The
    # name is the one that its documentation gives for the tokenizer behind it.
    counter: Callable[[str], int] = toktok._encoding(ENCODING).count  # noqa: SLF001
    return counter


@cache
def _encoder() -> Callable[..., bytes]:
    # Not `encode_to_numpy`, which copies the ids once more.
    encoder: Callable[..., bytes] = toktok._encoding(ENCODING).encode_to_buffer  # noqa: SLF001
    return encoder


@cache
def _lengths() -> NDArray[np.uint8]:
    # The longest is of 128 bytes. All of them in 100 KB stay in a processor's cache.
    values: list[bytes] = toktok._encoding(ENCODING).token_byte_values()  # noqa: SLF001
    return np.fromiter(map(len, values), np.uint8, len(values))
