"""A forward proxy on loopback, as a company has one before the internet."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
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
        """One request a connection, whose target is a whole URL (RFC 9112, 3.2.2).

        Both sides are told so, or the client would send the next one to where nobody reads it.
        """
        line, *fields = await _head(reader)
        method, target, version = line.split(" ")
        to = urlsplit(target)
        self.asked.append(to.netloc)
        there, back = await asyncio.open_connection(to.hostname, to.port)
        path = target.partition(to.netloc)[2]
        back.write(_closing(f"{method} {path} {version}", fields))
        await asyncio.gather(_pour(reader, back), _answer(there, writer))


async def _answer(there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line, *fields = await _head(there)
    writer.write(_closing(line, fields))
    await _pour(there, writer)


async def _head(reader: asyncio.StreamReader) -> list[str]:
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")


def _closing(line: str, fields: Sequence[str]) -> bytes:
    kept = [each for each in fields if not each.lower().startswith("connection:")]
    return "\r\n".join([line, "Connection: close", *kept]).encode("latin-1")


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
