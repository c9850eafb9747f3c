"""A forward proxy on loopback, as a company has one before the internet."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Forward:
    """``asked`` are the hosts and ports that somebody wanted something of."""

    url: str = ""
    asked: list[str] = field(default_factory=list[str])
    serving: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection, whose target is a whole URL (RFC 9112, 3.2.2)."""
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        method, target, version = line.split(" ")
        to = urlsplit(target)
        self.asked.append(to.netloc)
        there, back = await asyncio.open_connection(to.hostname, to.port)
        kept = [each for each in fields if not each.lower().startswith("connection:")]
        path = target.partition(to.netloc)[2]
        lines = [f"{method} {path} {version}", "Connection: close", *kept]
        back.write("\r\n".join(lines).encode())
        await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
    with suppress(ConnectionError):
        await sink.wait_closed()


@asynccontextmanager
async def forwarding() -> AsyncGenerator[Forward]:
    forward = Forward()
    server = await asyncio.start_server(forward.accept, "127.0.0.1", 0)
    async with server:
        forward.url = "http://{}:{}".format(*server.sockets[0].getsockname())
        yield forward
        await asyncio.wait_for(asyncio.gather(*forward.serving), 20)
