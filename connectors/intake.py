"""What an answer may cost: bytes on the wire, bytes unpacked, how much it swells, and time."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx

from connectors.errors import SourceInvalid, SourceUnavailable

ENCODINGS = "gzip, deflate, identity"
"""What ``body`` can unpack; ask for no more by ``Accept-Encoding``."""

_CHUNK = 1 << 16


class AnswerTooLarge(SourceInvalid):
    """An answer that passed its limits. Reading it was broken off."""

    action = "Nothing to do, unless this is no answer the provider would give: then tell them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``ratio`` is unpacked to packed bytes; below ``free_bytes`` it is not looked at."""

    wire_bytes: int = 64_000_000
    body_bytes: int = 128_000_000
    ratio: int = 100
    free_bytes: int = 1_000_000
    seconds: float = 120


async def body(response: httpx.Response, limits: Limits) -> bytes:
    """All of an answer that was opened as a stream, unpacked.

    Raises ``AnswerTooLarge``, and ``SourceUnavailable`` if it takes too long or breaks off.
    """
    try:
        async with asyncio.timeout(limits.seconds):
            return b"".join([part async for part in unpacked(response, limits)])
    except TimeoutError as error:
        raise SourceUnavailable(f"{response.url.host} was too slow to answer") from error


async def unpacked(response: httpx.Response, limits: Limits) -> AsyncIterator[bytes]:
    """An answer in parts of at most 64 KiB, without a limit of time."""
    meter = _Meter(limits, response.url.host)
    packed = response.headers.get("content-encoding", "identity").lower()
    if packed not in {"identity", "gzip", "x-gzip", "deflate"}:
        raise SourceInvalid(f"{response.url.host} answered in the encoding {packed[:20]!r}")
    inflater = None if packed == "identity" else Inflater()
    async for part in response.aiter_raw():
        meter.wire(len(part))
        for piece in inflater.feed(part) if inflater else (part,):
            meter.unpacked(len(piece))
            yield piece
    if inflater and not inflater.finished:
        raise SourceUnavailable(f"{response.url.host} broke off its answer")


class Inflater:
    """Unpacks gzip or zlib, at most 64 KiB at once. Raises ``SourceInvalid`` for what is neither.

    Only one gzip member is read, as HTTP has it.
    """

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, by its header

    @property
    def finished(self) -> bool:
        return self._inflate.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        pending = data
        while pending and not self._inflate.eof:
            try:
                piece = self._inflate.decompress(pending, _CHUNK)
            except zlib.error as error:
                raise SourceInvalid("The answer is damaged: it cannot be unpacked") from error
            pending = self._inflate.unconsumed_tail
            if piece:
                yield piece
        while not self._inflate.eof and (piece := self._inflate.decompress(b"", _CHUNK)):
            yield piece


class _Meter:
    def __init__(self, limits: Limits, host: str) -> None:
        self._limits = limits
        self._host = host
        self._wire = self._unpacked = 0

    def wire(self, size: int) -> None:
        self._wire += size
        if self._wire > self._limits.wire_bytes:
            raise AnswerTooLarge(
                f"{self._host} answers with over {self._limits.wire_bytes:,} bytes"
            )

    def unpacked(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > self._limits.body_bytes:
            raise AnswerTooLarge(
                f"{self._host} answers with over {self._limits.body_bytes:,} bytes"
            )
        swollen = self._unpacked > self._limits.ratio * max(self._wire, 1)
        if swollen and self._unpacked > self._limits.free_bytes:
            raise AnswerTooLarge(f"{self._host} packed an answer suspiciously small")


def _over(host: str, limit: int) -> AnswerTooLarge:
    return AnswerTooLarge(f"{host} answers with over {limit:,} bytes")
