"""Listeners in a process of their own, so cheap that the server is what is measured.

python -m benchmarks.crowd PORT COUNT RUN...: says a line of JSON when all that will come have come,
and again for each line that it is sent: what was heard since.
"""

import asyncio
import gc
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

from benchmarks.live import most_files

AT_ONCE = 64  # that join: the kernel's queue of a server is no part of what is measured
JOIN_SECONDS = 20  # for one of them
ID = re.compile(rb"id: (\d+)\r?\n")
SENT = re.compile(rb'"sent_ns":\s*(\d+)')


@dataclass(slots=True)
class Report:
    """``lost`` and ``repeated`` are events, as the seqs of each listener tell them."""

    joined: int = 0
    gone: int = 0
    heard: int = 0
    lost: int = 0
    repeated: int = 0
    last_ns: int = 0
    late_ms: list[float] = field(default_factory=list[float])


class Ear(asyncio.Protocol):
    """One listener. It reads frames as any client does, but of each only its id and its time."""

    def __init__(self, report: Report, request: bytes) -> None:
        self.report = report
        self.request = request
        self.place: int | None = None
        self.rest = b""
        self.here: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports only look like asyncio's.
        cast(asyncio.Transport, transport).write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        data = self.rest + data if self.rest else data
        whole = max(data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n"))
        if whole < 0:
            self.rest = data
            return
        self.rest = data[whole + 2 :]
        for match in ID.finditer(data, 0, whole + 1):
            self._place(int(match[1]))
        for match in SENT.finditer(data, 0, whole + 1):
            self.report.heard += 1
            self.report.last_ns = now
            self.report.late_ms.append(round((now - int(match[1])) / 1e6, 2))

    def connection_lost(self, _exc: Exception | None) -> None:
        self.report.gone += 1
        if not self.here.done():
            self.here.cancel()

    def _place(self, seq: int) -> None:
        if self.place is None:
            self.report.joined += 1
            self.here.set_result(None)
        elif seq <= self.place:
            self.report.repeated += 1
        else:
            self.report.lost += seq - self.place - 1
        self.place = seq


async def main(port: int, count: int, runs: list[str]) -> None:
    gc.disable()  # what it finds late would be our own pause
    most_files()
    report = Report()
    places = asyncio.Semaphore(AT_ONCE)
    opened = await asyncio.gather(
        *(_join(report, port, runs[number % len(runs)], places) for number in range(count))
    )
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say(report)
    while await reader.readline():
        _say(report)
        report.late_ms.clear()
    for each in opened:
        if each is not None:
            each.abort()


async def _join(
    report: Report, port: int, run: str, places: asyncio.Semaphore
) -> asyncio.Transport | None:
    """A listener that has been told where its run stands, or none where that took too long."""
    request = f"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    async with places:
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                transport, ear = await asyncio.get_running_loop().create_connection(
                    lambda: Ear(report, request), "127.0.0.1", port
                )
                await asyncio.wait({ear.here})
        except OSError:
            return None
    return transport


def _say(report: Report) -> None:
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
