"""A TCP proxy on loopback that does to connections what networks do to them."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CLOSE_WITH_RST = struct.pack("ii", 1, 0)
PIECE = 65_536
Address = tuple[str, int] | str
"""A host and a port, or the path of a socket."""


@dataclass(slots=True)
class Proxy:
    """All is well unless told otherwise; every trouble also meets what is connected already."""

    upstream: Address
    latency_seconds: float = 0.0
    refusing: bool = False
    cut_after_bytes: int | None = None
    """Of each connection's answers; then it is reset."""

    port: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def heal(self) -> None:
        self.latency_seconds, self.refusing, self.cut_after_bytes = 0.0, False, None
        self._flowing.set()

    def blackhole(self) -> None:
        """Accept and take everything, and answer nothing."""
        self._flowing.clear()

    def refuse(self) -> None:
        self.refusing = True
        self.reset()

    def reset(self) -> None:
        for writer in list(self._open):
            _reset(writer)

    def cut(self, after_bytes: int) -> None:
        self.cut_after_bytes = after_bytes

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            _reset(writer)
            return
        try:
            there, upstream = await _connect(self.upstream)
        except OSError:
            _reset(writer)
            return
        self._open |= {writer, upstream}
        try:
            await asyncio.gather(
                self._pump(reader, upstream, answers=False),
                self._pump(there, writer, answers=True),
            )
        finally:
            self._open -= {writer, upstream}
            _reset(writer)
            _reset(upstream)

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        passed = 0
        with suppress(OSError):
            while data := await source.read(PIECE):
                if self.latency_seconds:
                    await asyncio.wait({asyncio.Future()}, timeout=self.latency_seconds)
                await self._flowing.wait()
                passed += len(data) if answers else 0
                if self.cut_after_bytes is not None and passed > self.cut_after_bytes:
                    _reset(target)
                    break
                target.write(data)
                await target.drain()
        with suppress(OSError, RuntimeError):
            target.write_eof()


@asynccontextmanager
async def proxying(upstream: Address) -> AsyncGenerator[Proxy]:
    proxy = Proxy(upstream)
    proxy.heal()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.heal()
        proxy.reset()


async def _connect(upstream: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(upstream, str):
        return await asyncio.open_unix_connection(upstream)
    return await asyncio.open_connection(*upstream)


def _reset(writer: asyncio.StreamWriter) -> None:
    held: socket.socket | None = writer.get_extra_info("socket")
    with suppress(OSError):
        if held is not None and held.family != socket.AF_UNIX:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_WITH_RST)
    writer.transport.abort()
