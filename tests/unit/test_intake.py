"""An answer costs no more than its limits, however it is packed."""

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest

from connectors.errors import SourceInvalid, SourceUnavailable
from connectors.intake import AnswerTooLarge, Limits, body


class Parts(httpx.AsyncByteStream):
    def __init__(self, parts: Iterable[bytes]) -> None:
        self.parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part


def answer(*parts: bytes, encoding: str = "identity") -> httpx.Response:
    request = httpx.Request("GET", "https://api.example/x")
    headers = {"content-encoding": encoding}
    return httpx.Response(200, headers=headers, stream=Parts(parts), request=request)


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (b"hello" * 1_000, "identity"),
        (gzip.compress(b"hello" * 1_000), "gzip"),
        (zlib.compress(b"hello" * 1_000), "deflate"),
    ],
    ids=["not at all", "gzip", "deflate"],
)
async def test_answer_is_read_as_it_was_packed(packed: bytes, encoding: str) -> None:
    parts = [packed[at : at + 7] for at in range(0, len(packed), 7)]

    assert await body(answer(*parts, encoding=encoding), Limits()) == b"hello" * 1_000


async def test_bomb_is_found_with_little_memory() -> None:
    bomb = gzip.compress(bytes(200_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(AnswerTooLarge, match="suspiciously small"):
            await body(answer(bomb, encoding="gzip"), Limits())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 45_000_000


async def test_endless_answer_is_broken_off() -> None:
    def endless() -> Iterable[bytes]:
        while True:
            yield b"x" * 1_000

    response = httpx.Response(
        200, stream=Parts(endless()), request=httpx.Request("GET", "https://api.example/")
    )

    with pytest.raises(AnswerTooLarge, match="over 5,000 bytes"):
        await body(response, Limits(wire_bytes=5_000))


async def test_answer_that_ends_too_early_is_asked_for_again() -> None:
    packed = gzip.compress(b"hello" * 1_000)

    with pytest.raises(SourceUnavailable, match="broke off"):
        await body(answer(packed[:-9], encoding="gzip"), Limits())


async def test_damaged_answer_says_so() -> None:
    with pytest.raises(SourceInvalid, match="damaged"):
        await body(answer(b"this is not gzip", encoding="gzip"), Limits())


async def test_encoding_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(SourceInvalid, match="'br'"):
        await body(answer(b"x", encoding="br"), Limits())
